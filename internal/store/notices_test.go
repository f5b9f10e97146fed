package store_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/store"
	"github.com/icos-jobmanager/jobmanager/internal/testkit"
)

// mustReopen opens the database for as long as do runs, as one server after another does.
func mustReopen(t *testing.T, config store.Config, do func(*store.Store)) {
	t.Helper()
	s, err := store.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	do(s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func mustDelete(t *testing.T, s *store.Store, group *jobmanager.JobGroup) {
	t.Helper()
	_, err := s.ChangeGroup(t.Context(), jobmanager.Scope{All: true}, group.ID, jobmanager.GroupChange{
		Rule: func(g *jobmanager.JobGroup, now time.Time) ([]jobmanager.Event, error) { return g.Delete(false, now) },
	})
	if err != nil {
		t.Fatal(err)
	}
}

func mustDue(t *testing.T, s *store.Store) []*jobmanager.Notice {
	t.Helper()
	due, err := s.DueNotices(t.Context(), jobmanager.LongestPage, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return due
}

func TestNoNoticeIsWrittenThatNobodyDelivers(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string) {
		s := mustMigrate(t, store.Config{URL: url})
		mustCreate(t, s, 1)
		if due := mustDue(t, s); len(due) != 0 {
			t.Errorf("%d notices are due", len(due))
		}
	})
}

func TestAGroupThatIsGoneIsOnlyToldOfAsDeleted(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string) {
		var group *jobmanager.JobGroup
		mustReopen(t, store.Config{URL: url, Notices: true}, func(s *store.Store) { group = mustCreate(t, s, 1) })
		mustReopen(t, store.Config{URL: url}, func(s *store.Store) { mustDelete(t, s, group) }) // nobody is told
		mustReopen(t, store.Config{URL: url, Notices: true}, func(s *store.Store) {
			due := mustDue(t, s)
			if len(due) != 1 || due[0].Kind != jobmanager.NoticeDeleted || due[0].Descriptor != "" {
				t.Fatalf("%d notices are due, want the deletion", len(due))
			}
			if err := s.SettleNotice(t.Context(), due[0], jobmanager.NoticeResult{Delivered: true}); err != nil {
				t.Fatal(err)
			}
			count := &counting{}
			s.Watch(count)
			// The first look removes what is left, the second finds nothing.
			for _, want := range []string{"SELECT DELETE", "SELECT"} {
				var due []*jobmanager.Notice
				if cost := count.during(func() { due = mustDue(t, s) }); len(due) != 0 || cost != want {
					t.Errorf("%d notices are due after %q, want none after %q", len(due), cost, want)
				}
			}
		})
	})
}

func TestTheNumberOfStatementsDoesNotDependOnTheNumberOfNotices(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string) {
		s := mustMigrate(t, store.Config{URL: url, Notices: true})
		count := &counting{}
		s.Watch(count)
		for _, n := range []int{1, 20} {
			for range n {
				mustCreate(t, s, 1)
			}
			var due []*jobmanager.Notice
			if cost := count.during(func() { due = mustDue(t, s) }); len(due) != n || cost != "SELECT UPDATE" {
				t.Errorf("taking %d of %d notices takes %q", len(due), n, cost)
			}
			// The step of the counter, being raw, counts as a SELECT.
			settle := count.during(func() {
				if err := s.SettleNotice(t.Context(), due[0], jobmanager.NoticeResult{GivenUp: true, Message: "refused"}); err != nil {
					t.Fatal(err)
				}
			})
			if want := "UPDATE SELECT INSERT"; settle != want {
				t.Errorf("settling takes %q, want %q", settle, want)
			}
		}
	})
}

func TestTwoReplicasOnOneDatabaseDoNotTakeTheSame(t *testing.T) {
	t.Parallel()
	const groups = 12
	config := store.Config{URL: postgresURL(t), Notices: true, Clock: testkit.NewClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))}
	replicas := []*store.Store{mustMigrate(t, config), mustOpen(t, config)}
	for range groups {
		mustCreate(t, replicas[0], 1)
	}
	var mu sync.Mutex // guards taken
	taken := map[jobmanager.ID]int{}
	var all sync.WaitGroup
	for _, s := range replicas {
		all.Go(func() {
			for {
				due, err := s.DueNotices(t.Context(), 2, time.Minute)
				if err != nil {
					t.Error(err)
				}
				if len(due) == 0 {
					return
				}
				mu.Lock()
				for _, notice := range due {
					taken[notice.GroupID]++
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	for id, n := range taken {
		if n != 1 {
			t.Errorf("the notice of %s was taken %d times", id, n)
		}
	}
	if len(taken) != groups {
		t.Errorf("%d notices were taken, want %d", len(taken), groups)
	}
}

func TestTwoReplicasOnOneDatabasePardonOnce(t *testing.T) {
	t.Parallel()
	clock := testkit.NewClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	config := store.Config{URL: postgresURL(t), Clock: clock}
	replicas := []*store.Store{mustMigrate(t, config), mustOpen(t, config)}
	agent := jobmanager.Agent{OwnerID: "a", Orchestrator: "ocm"}
	which := jobmanager.Which{IDs: []jobmanager.ID{mustCreate(t, replicas[0], 1).Jobs[0].ID}, Scope: jobmanager.Scope{All: true}}
	_, err := replicas[0].UpdateJobs(t.Context(), which, func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
		return j.Claim(jobmanager.Claim{Agent: agent, Length: time.Hour}, now)
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := replicas[1].MarkAlive(t.Context(), time.Second); err != nil {
		t.Fatal(err)
	}
	clock.Advance(time.Minute)
	var pardoned atomic.Int64
	var all sync.WaitGroup
	for _, s := range replicas {
		all.Go(func() {
			n, err := s.MarkAlive(t.Context(), time.Second)
			if err != nil {
				t.Error(err)
			}
			pardoned.Add(int64(n))
		})
	}
	all.Wait()
	if n := pardoned.Load(); n != 1 {
		t.Errorf("one lease was pardoned %d times", n)
	}
}

func TestSeeingAnAgentTakesFourStatementsAtMost(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string) {
		s := mustMigrate(t, store.Config{URL: url})
		count := &counting{}
		s.Watch(count)
		see := func(name string, clusters ...string) string {
			return count.during(func() {
				a := jobmanager.Agent{OwnerID: jobmanager.OwnerID(name), Orchestrator: "ocm", Clusters: clusters}
				if _, err := s.SeeAgent(t.Context(), jobmanager.Sighting{Agent: a}); err != nil {
					t.Fatal(err)
				}
			})
		}
		for _, name := range []string{"a", "b", "c"} {
			if cost := see(name, "c1"); cost != "INSERT" {
				t.Errorf("seeing an agent that names clusters takes %q", cost)
			}
			if cost := see("blank-" + name); cost != "INSERT SELECT SELECT SELECT" {
				t.Errorf("seeing an agent that names none takes %q", cost)
			}
		}
	})
}
