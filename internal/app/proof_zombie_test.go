package app_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/icos-jobmanager/jobmanager/agent"
	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
	"github.com/icos-jobmanager/jobmanager/internal/config"
	"github.com/icos-jobmanager/jobmanager/internal/testkit"
)

// TestProofZombieIsFencedAndTouchesNothingMore stops an agent's process in the middle of its work (SIGSTOP) until
// its lease has run out and another agent has done the work, and wakes it (SIGCONT). Whatever it then says about
// the job is refused as stale, its driver's context ends, and it touches nothing more: one workload stands, of the
// agent that took over.
func TestProofZombieIsFencedAndTouchesNothingMore(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		outliveZombies(t, apptest.SQLite(t))
	})
	if testkit.Rounds(0, 1) == 0 {
		return // a lease takes 15 s of real time: the other database is for make prove
	}
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		outliveZombies(t, testkit.PostgresURL(t))
	})
}

// sleeper is a zombie with what it held when it was stopped.
type sleeper struct {
	*zombie
	owner, job, diary string
	before            int // lines of the diary
}

func outliveZombies(t *testing.T, database string) {
	clusters := threeClusters(t)
	s := apptest.Start(t, apptest.Options{DatabaseURL: database, Configure: func(c *config.Config) {
		c.Backoff, c.TargetsFile = 50*time.Millisecond, clusters
	}})
	target := t.TempDir()
	sleepers := map[string]*sleeper{} // by job
	for n := range testkit.Rounds(1, 3) {
		z := &sleeper{owner: fmt.Sprintf("zombie-%d", n)}
		s.Must(t, submit, apptest.Vars{"descriptor": descriptorOf(z.owner, 0)}, nil)
		z.zombie = startZombie(t, zombieConfig{s.URL, z.owner, target})
		z.job = claimedBy(t, s.Client, z.owner)
		z.diary = filepath.Join(target, z.job)
		z.stopAfter(z.diary, 1+n)
		z.before = len(lines(t, z.diary))
		sleepers[z.job] = z
	}
	other := s.Subscribe(t, executable, apptest.Vars{"owner": "other"})
	for taken := 0; taken < len(sleepers); {
		var offer offered
		other.Next(&offer) // the other components come too
		if z := sleepers[offer.JobExecutable.ID]; z != nil {
			z.follow(s, target)
			taken++
		}
	}
	for _, z := range sleepers {
		z.wake(s)
	}
}

// follow lets another agent take the job over and finish it.
func (z *sleeper) follow(s *apptest.Server, target string) {
	z.t.Helper()
	var won claimed
	s.Must(z.t, claim, apptest.Vars{"job": z.job, "owner": "other"}, &won)
	epoch := won.ClaimJob.Job.Epoch
	if epoch != 2 {
		z.t.Errorf("the takeover has epoch %d, want 2", epoch)
	}
	successor := &slowDriver{zombieConfig: zombieConfig{s.URL, "other", target}}
	successor.note("finished", agent.Job{ID: z.job, Epoch: epoch})
	s.Must(z.t, finish, apptest.Vars{"job": z.job, "owner": "other", "epoch": epoch, "resource": map[string]any{"uid": "of-the-other"}}, nil)
}

// wake lets the zombie go on, and looks at what it does.
func (z *sleeper) wake(s *apptest.Server) {
	t := z.t
	t.Helper()
	cursor := head(t, s.Client)
	z.signal(syscall.SIGCONT)
	awaitLine(t, z.diary, "done")
	after := lines(t, z.diary)[z.before:]
	old := z.owner + " at epoch 1: "
	want := []string{
		"other at epoch 2: finished", old + "let go: ",
		old + "finishJob: STALE_OWNER", old + "failJob: STALE_OWNER", old + "releaseJob: STALE_OWNER",
		old + "reportResource: STALE_OWNER", old + "renewLeases: STALE_OWNER", old + "status refused: true", old + "done",
	}
	for n, line := range after { // by its own clock or by the server's word, whichever came first
		after[n] = strings.TrimSuffix(strings.TrimSuffix(line, "stale"), "lease lost")
	}
	if diff := cmp.Diff(want, after); diff != "" {
		t.Errorf("after the stop the target saw (-want +got):\n%s", diff)
	}
	z.checkSuccessor(s.Client)
	var since struct{ Events struct{ Nodes []eventTold } }
	s.Must(t, `query($after: String, $job: ID!) { events(after: $after, filter: {jobIds: [$job]}) { nodes { type actor } } }`, apptest.Vars{"after": cursor, "job": z.job}, &since)
	if len(since.Events.Nodes) != 0 {
		t.Errorf("the zombie brought about %+v", since.Events.Nodes)
	}
}

// checkSuccessor holds that the job is the other agent's, with its workload.
func (z *sleeper) checkSuccessor(c *apptest.Client) {
	z.t.Helper()
	var seen struct {
		Job struct {
			State, Owner, Workload string
			Epoch                  int64
			Attempts               []struct{ OwnerID, Outcome string }
			Resource               struct{ UID string }
		}
	}
	c.Must(z.t, `query($id: ID!) { job(id: $id) { state owner workload epoch attempts { ownerId outcome } resource { uid } } }`, apptest.Vars{"id": z.job}, &seen)
	j := seen.Job
	if j.State != "FINISHED" || j.Owner != "other" || j.Workload != "PRESENT" || j.Epoch != 2 || j.Resource.UID != "of-the-other" ||
		fmt.Sprint(j.Attempts) != "[{"+z.owner+" EXPIRED} {other FINISHED}]" {
		z.t.Errorf("the job is %+v", j)
	}
}

// claimedBy waits until the agent holds a job, and gives its id.
func claimedBy(t *testing.T, c *apptest.Client, owner string) string {
	t.Helper()
	watch := c.Subscribe(t, `subscription($owner: String!) { jobChanged(filter: {ownerIds: [$owner]}) { kind job { id state } } }`, apptest.Vars{"owner": owner})
	defer watch.Close()
	for {
		var m struct {
			JobChanged struct {
				Job *struct{ ID, State string }
			}
		}
		watch.Next(&m)
		if j := m.JobChanged.Job; j != nil && j.State == "PROGRESSING" {
			return j.ID
		}
	}
}

func lines(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return strings.FieldsFunc(string(text), func(r rune) bool { return r == '\n' })
}

func awaitLine(t *testing.T, file, end string) {
	t.Helper()
	awaitLines(t, file, func(all []string) bool {
		return len(all) > 0 && strings.HasSuffix(all[len(all)-1], end)
	})
}

func awaitLines(t *testing.T, file string, wanted func([]string) bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); <-tick.C {
		if wanted(lines(t, file)) {
			return
		}
	}
	t.Fatalf("%s has only %q", file, lines(t, file))
}
