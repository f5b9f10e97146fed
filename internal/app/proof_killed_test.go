package app_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
	"github.com/icos-jobmanager/jobmanager/internal/testkit"
)

// seedEnv repeats the choices of a proof: what its clients do, and when the server is killed.
const seedEnv = "JOBMANAGER_PROOF_SEED"

// proofSeed is the one that the environment names, else a new one; it is printed.
func proofSeed(t *testing.T) uint64 {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv(seedEnv); text != "" {
		given, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", seedEnv, err)
		}
		seed = given
	}
	t.Logf("the seed of the choices is %d: %s=%d makes them again", seed, seedEnv, seed)
	return seed
}

// TestProofKilledServerLosesNothingAcknowledged kills the server with SIGKILL at random moments while everyone
// uses it at once, and starts it again. What was acknowledged is there, what was not is there as a whole or not
// at all, a retry finds what its first try did, the log has no gap and tells exactly what the tables say, no
// epoch has two owners, and in the end all work is done and one workload stands for each job.
func TestProofKilledServerLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		killAgainAndAgain(t, apptest.SQLite(t))
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		killAgainAndAgain(t, durablePostgres(t))
	})
}

// durablePostgres is a database on a server that syncs each commit to its disk, where this machine can start one.
func durablePostgres(t *testing.T) string {
	t.Helper()
	if _, err := testkit.FindPostgres(); err != nil {
		return testkit.PostgresURL(t) // make test was given a server; a kill of ours does not touch its disk
	}
	server, err := testkit.StartPostgres(testkit.PostgresOptions{Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return server.URL
}

func clusterNames() []string { return []string{"north", "south", "west"} }

// threeClusters is an inventory whose jobs all belong to one orchestrator, so that every agent may take each.
func threeClusters(t *testing.T) string {
	t.Helper()
	var text strings.Builder
	text.WriteString("clusters:\n")
	for _, name := range clusterNames() {
		fmt.Fprintf(&text, "  - name: %s\n    orchestrator: ocm\n    nodes: [{name: %s-1, architecture: amd64, cpu: 16, memory: 64Gi, devices: [squat.ai/video]}]\n", name, name)
	}
	file := filepath.Join(t.TempDir(), "clusters.yaml")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func killAgainAndAgain(t *testing.T, database string) {
	p := startProcess(t, database, "TARGETS_FILE="+threeClusters(t), "BACKOFF=10ms", "COOL_DOWN=20ms", "MAX_ATTEMPTS=1000")
	rounds := testkit.Rounds(3, 50)
	s := newStorm(t, proofSeed(t))
	log := newChronicle()
	client := apptest.NewClient(p.url)
	t.Cleanup(client.Close)
	for round := range rounds {
		// A claim that is forgotten runs out after 15 s, which the rounds that are left must last.
		s.forgets = rounds-round > 25
		s.rage(p)
		await(s.between(50*time.Millisecond, time.Second))
		p.end(syscall.SIGKILL)
		s.raging.Wait()   // until all have noticed
		if round%3 == 1 { // and once more, while it comes up
			p.launch()
			await(s.between(time.Millisecond, 120*time.Millisecond))
			p.end(syscall.SIGKILL)
		}
		p.start()
		s.check(client, log)
		if t.Failed() {
			t.Fatalf("round %d of %d did not hold", round+1, rounds)
		}
	}
	s.forgets = false
	s.end(client, log)
	t.Logf("%d kills over %d events; acknowledged: %d claims, %d finished, %d changes of groups, %d incompliances",
		rounds, log.revision, len(s.claims), len(s.finished), len(s.moves), s.watchdog.count)
}

// TestProofKilledReplicaLosesNothingAcknowledged is the same with two servers on one database, of which one is killed:
// what it left undone its clients do again at the other one, and then it comes back.
func TestProofKilledReplicaLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	database, settings := testkit.PostgresURL(t), []string{"TARGETS_FILE=" + threeClusters(t), "BACKOFF=10ms", "COOL_DOWN=20ms", "MAX_ATTEMPTS=1000"}
	killed, other := startProcess(t, database, settings...), startProcess(t, database, settings...)
	s := newStorm(t, proofSeed(t))
	log := newChronicle()
	rounds := testkit.Rounds(2, 30)
	for round := range rounds {
		s.rage(killed, other)
		await(s.between(50*time.Millisecond, time.Second))
		killed.end(syscall.SIGKILL)
		close(s.calm)
		s.raging.Wait()
		client := apptest.NewClient(other.url)
		t.Cleanup(client.Close)
		if s.check(client, log); round == rounds-1 {
			s.end(client, log)
		}
		if t.Failed() {
			t.Fatalf("round %d of %d did not hold", round+1, rounds)
		}
		killed.start()
		killed, other = other, killed
	}
}

// await lets real time pass: a kill at a random moment is about real time.
func await(d time.Duration) { <-time.After(d) }

// storm is everyone who uses the server at once, each with what it was told and what it still waits for.
type storm struct {
	t           *testing.T
	chance      *rand.Rand
	forgets     bool // agents may forget a claim and let its lease run out
	integrators []*integrator
	workers     []*worker
	watchdog    *watchdog
	target      *target

	raging sync.WaitGroup
	calm   chan struct{} // closed when all are to end

	mu       sync.Mutex              // guards the fields below: what was acknowledged
	claims   map[ofEpoch]string      // the owner
	finished map[ofEpoch]bool        //
	moves    map[ofGeneration]string // the event that brings a group to its generation
	groups   []string                // ids
}

// ofEpoch names one claim.
type ofEpoch struct {
	job   string
	epoch int64
}

// ofGeneration names one change of a group by a user.
type ofGeneration struct {
	group      string
	generation int64
}

func newStorm(t *testing.T, seed uint64) *storm {
	t.Helper()
	chance := func(n uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, n)) }
	s := &storm{
		t: t, chance: chance(0), target: &target{t: t, stands: map[string]standing{}, newest: map[string]int64{}},
		claims: map[ofEpoch]string{}, finished: map[ofEpoch]bool{}, moves: map[ofGeneration]string{},
	}
	for n := range uint64(3) {
		s.integrators = append(s.integrators, &integrator{storm: s, name: fmt.Sprintf("i%d", n), chance: chance(10 + n)})
		s.workers = append(s.workers, &worker{storm: s, owner: fmt.Sprintf("hub-%d", n), forgetful: n == 0, chance: chance(20 + n)})
	}
	s.watchdog = &watchdog{storm: s, chance: chance(30)}
	return s
}

func (s *storm) between(least, most time.Duration) time.Duration {
	return least + time.Duration(s.chance.Int64N(int64(most-least)))
}

// rage lets all of them work, shared out among the servers, each until its server is gone or calm is closed.
func (s *storm) rage(servers ...*process) {
	s.calm = make(chan struct{})
	var clients []*apptest.Client
	for _, p := range servers {
		client := apptest.NewClient(p.url)
		s.t.Cleanup(client.Close)
		clients = append(clients, client)
	}
	for n, i := range s.integrators {
		s.run(func() bool { return i.act(clients[n%len(clients)]) })
	}
	for n, w := range s.workers {
		s.run(func() bool { return w.act(clients[(n+1)%len(clients)]) })
	}
	s.run(func() bool { return s.watchdog.act(clients[0]) })
}

// run repeats act until it says that no answer came, or all are to end.
func (s *storm) run(act func() (answered bool)) {
	s.raging.Go(func() {
		for answered := true; answered; {
			select {
			case <-s.calm:
				return
			default:
				answered = act()
			}
		}
	})
}

// calmDown lets everyone get the answers that are missing, and then the agents finish all work.
func (s *storm) calmDown(c *apptest.Client) {
	s.t.Helper()
	s.calm = make(chan struct{})
	for _, i := range s.integrators {
		i.settle(c)
	}
	s.watchdog.settle(c)
	for _, w := range s.workers {
		s.run(func() bool { return w.act(c) })
	}
	defer s.raging.Wait()
	defer close(s.calm)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var open []string
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); <-tick.C {
		if open = stillOpen(s.t, c); len(open) == 0 {
			return
		}
	}
	s.t.Fatalf("a minute after the last kill there is still work: %s", strings.Join(open, "; "))
}

// stillOpen lists the jobs of which something is still to be done.
func stillOpen(t *testing.T, c *apptest.Client) []string {
	t.Helper()
	var all struct {
		Jobs struct {
			Nodes []struct {
				ID, Component, Type, State, Owner string
				Waiting                           *struct{ Reason, Message string }
			}
		}
		JobGroups struct {
			Nodes []struct {
				Name              string
				DeleteWhenStopped bool
			}
		}
	}
	c.Must(t, `{ jobs(first: 500) { nodes { id component type state owner waiting { reason message } } }
		jobGroups(first: 500) { nodes { name deleteWhenStopped } } }`, nil, &all)
	var open []string
	for _, j := range all.Jobs.Nodes {
		if j.State != "FINISHED" || j.Waiting != nil {
			open = append(open, fmt.Sprintf("%+v %+v", j, j.Waiting))
		}
	}
	for _, g := range all.JobGroups.Nodes {
		if g.DeleteWhenStopped {
			open = append(open, g.Name+" is still being deleted")
		}
	}
	return open
}

// end lets all work be finished, and holds that everything is as it should be.
func (s *storm) end(c *apptest.Client, log *chronicle) {
	s.t.Helper()
	s.calmDown(c)
	s.check(c, log)
	s.checkEnd(c, log)
}

// checkEnd holds, when all work is done, that what stands on the target is what the jobs say.
func (s *storm) checkEnd(c *apptest.Client, log *chronicle) {
	s.t.Helper()
	var jobs struct {
		Jobs struct {
			Nodes []struct {
				ID, Component, Type, Workload string
				Manifests                     []struct{ Text string }
			}
		}
	}
	c.Must(s.t, `{ jobs(first: 500) { nodes { id component type workload manifests { text } } } }`, nil, &jobs)
	wanted := 0
	for _, j := range jobs.Jobs.Nodes {
		stands, there := s.target.stands[j.ID]
		if j.Type == "DELETE_DEPLOYMENT" {
			if there || j.Workload != "NONE" {
				s.t.Errorf("job %s (%s) was removed, and its workload is %s; on the target stands %+v", j.ID, j.Component, j.Workload, stands)
			}
			continue
		}
		wanted++
		var texts []string
		for _, m := range j.Manifests {
			texts = append(texts, m.Text)
		}
		if !there || j.Workload != "PRESENT" || !slices.Equal(stands.manifests, texts) {
			s.t.Errorf("job %s (%s) has workload %s; on the target stands %+v (%v), want the manifests %q", j.ID, j.Component, j.Workload, stands, there, texts)
		}
	}
	if len(s.target.stands) != wanted {
		s.t.Errorf("%d workloads stand for %d jobs", len(s.target.stands), wanted)
	}
	var reports struct {
		Incompliances struct {
			Nodes    []struct{ ID string }
			PageInfo struct{ HasNextPage bool }
		}
	}
	c.Must(s.t, `{ incompliances(first: 500) { nodes { id } pageInfo { hasNextPage } } }`, nil, &reports)
	if told := log.kinds["INCOMPLIANCE_REPORTED"]; !reports.Incompliances.PageInfo.HasNextPage && told != len(reports.Incompliances.Nodes) {
		s.t.Errorf("%d incompliances are kept and %d were told", len(reports.Incompliances.Nodes), told)
	}
}
