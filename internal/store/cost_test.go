package store_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/store"
)

// counting counts statements; BEGIN and COMMIT are none of bun's hooks' business on every path, so they are
// left out.
type counting struct {
	mu   sync.Mutex // guards list
	list []string
}

func (c *counting) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context { return ctx }

func (c *counting) AfterQuery(_ context.Context, e *bun.QueryEvent) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch operation := strings.ToUpper(e.Operation()); operation {
	case "BEGIN", "COMMIT", "ROLLBACK":
	default:
		c.list = append(c.list, operation)
	}
}

// during gives the statements that do took.
func (c *counting) during(do func()) string {
	c.mu.Lock()
	c.list = nil
	c.mu.Unlock()
	do()
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.list, " ")
}

func newID() jobmanager.ID { return jobmanager.ID(uuid.Must(uuid.NewV7()).String()) }

// mustCreate stores a group of n jobs for the orchestrator ocm.
func mustCreate(t testing.TB, s *store.Store, n int) *jobmanager.JobGroup {
	t.Helper()
	submission := jobmanager.Submission{Tenant: jobmanager.DefaultTenant, Text: "name: cost", Descriptor: jobmanager.Descriptor{Name: "cost"}}
	for range n {
		name := string(newID())
		submission.Descriptor.Components = append(submission.Descriptor.Components, jobmanager.Component{
			Name: name, Manifests: []jobmanager.Manifest{{Name: name, Text: "kind: Pod"}, {Name: "second", Text: "kind: Pod"}},
		})
		submission.Matches = append(submission.Matches, jobmanager.Match{
			Component: name, Targets: []jobmanager.Target{{Cluster: "c", Orchestrator: "ocm"}},
		})
	}
	group, events := jobmanager.NewJobGroup(submission, jobmanager.DefaultLifeCycle(), newID, s.Clock().Now())
	if err := s.CreateGroup(t.Context(), group, events, jobmanager.Idempotency{}); err != nil {
		t.Fatal(err)
	}
	return group
}

func TestTheNumberOfStatementsDoesNotDependOnTheNumberOfJobs(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string) {
		costs := map[int]map[string]string{}
		for _, n := range []int{1, jobmanager.LongestPage} {
			costs[n] = costOfLife(t, url, n)
			if strings.HasPrefix(url, "sqlite") {
				url = sqliteURL(t)
			} else {
				url = postgresURL(t)
			}
		}
		for verb, one := range costs[1] {
			if many := costs[jobmanager.LongestPage][verb]; many != one || one == "" {
				t.Errorf("%s: one job takes %q, 500 take %q", verb, one, many)
			}
		}
		if renewal := costs[1]["renew"]; renewal != "UPDATE" {
			t.Errorf("a renewal takes %q, want one statement", renewal)
		}
	})
}

// costOfLife leads n jobs through their life and gives the statements of each step.
func costOfLife(t *testing.T, url string, n int) map[string]string {
	t.Helper()
	s := mustMigrate(t, store.Config{URL: url})
	count := &counting{}
	s.Watch(count)
	all, agent := jobmanager.Scope{All: true}, jobmanager.Agent{OwnerID: "a", Orchestrator: "ocm"}
	costs := map[string]string{}
	var group *jobmanager.JobGroup
	costs["create"] = count.during(func() { group = mustCreate(t, s, n) })
	update := func(which jobmanager.Which, rule jobmanager.JobRule) {
		which.Scope = all
		if jobs, err := s.UpdateJobs(t.Context(), which, rule); err != nil || len(jobs) != n {
			t.Fatalf("%d of %d jobs were updated: %v", len(jobs), n, err)
		}
	}
	costs["claim"] = count.during(func() {
		update(jobmanager.Which{ExecutableFor: &agent, Limit: n}, func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
			return j.Claim(jobmanager.Claim{Agent: agent, Length: time.Minute}, now)
		})
	})
	ids := make([]jobmanager.ID, n)
	renewals := make([]jobmanager.Renewal, n)
	for i, job := range group.Jobs {
		ids[i], renewals[i] = job.ID, jobmanager.Renewal{JobID: job.ID, Epoch: 1}
	}
	costs["renew"] = count.during(func() {
		if ends, err := s.RenewLeases(t.Context(), "a", renewals); err != nil || len(ends) != n {
			t.Fatalf("%d of %d leases were renewed: %v", len(ends), n, err)
		}
	})
	costs["finish"] = count.during(func() {
		update(jobmanager.Which{IDs: ids}, func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
			return j.Finish(jobmanager.Fence{OwnerID: "a", Epoch: j.Epoch}, jobmanager.ResourceReport{UID: "u"}, newID, now)
		})
	})
	costs["read"] = count.during(func() {
		list, err := s.JobGroups(t.Context(), jobmanager.JobGroupQuery{Scope: all, Page: jobmanager.PageRequest{First: 10}, Load: jobmanager.GroupLoad{
			Descriptor: true, Jobs: &jobmanager.PageRequest{First: jobmanager.LongestPage},
			JobLoad: jobmanager.JobLoad{Manifests: true, Attempts: true, Group: &jobmanager.GroupLoad{}, Presence: true},
		}})
		if err != nil || len(list.Nodes()[0].JobPage.Connection.Edges) != n {
			t.Fatalf("the group was not read with its jobs: %v", err)
		}
	})
	change := func(rule jobmanager.GroupRule) {
		if _, err := s.ChangeGroup(t.Context(), all, group.ID, jobmanager.GroupChange{Rule: rule}); err != nil {
			t.Fatal(err)
		}
	}
	costs["stop"] = count.during(func() {
		change(func(g *jobmanager.JobGroup, now time.Time) ([]jobmanager.Event, error) { return g.Stop(now), nil })
	})
	costs["delete"] = count.during(func() {
		change(func(g *jobmanager.JobGroup, _ time.Time) ([]jobmanager.Event, error) {
			g.Deleted = true
			return nil, nil
		})
	})
	return costs
}
