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
	sizes := map[string]struct {
		few, many int
		costs     func(t *testing.T, url string, n int) map[string]string
	}{
		"a page of jobs":       {1, jobmanager.LongestPage, costOfLife},
		"a claim of a hundred": {1, 100, costOfClaims},
		"an update of a group": {5, 200, costOfUpdate},
		"a list of a hundred":  {1, 100, costOfHandOuts},
	}
	for name, size := range sizes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for kind, url := range map[string]func(testing.TB) string{"sqlite": sqliteURL, "postgres": postgresURL} {
				t.Run(kind, func(t *testing.T) {
					t.Parallel()
					few, many := size.costs(t, url(t), size.few), size.costs(t, url(t), size.many)
					for verb, cost := range few {
						if many[verb] != cost || cost == "" {
							t.Errorf("%s: %d take %q, %d take %q", verb, size.few, cost, size.many, many[verb])
						}
					}
					if renewal, wanted := few["renew"]; wanted && renewal != "UPDATE" {
						t.Errorf("a renewal takes %q, want one statement", renewal)
					}
				})
			}
		})
	}
}

// life is a group whose steps are counted.
type life struct {
	t     *testing.T
	s     *store.Store
	count *counting
	group *jobmanager.JobGroup
	agent jobmanager.Agent
	costs map[string]string // the statements of each step
}

func newLife(t *testing.T, url string, n int) *life {
	l := &life{
		t: t, s: mustMigrate(t, store.Config{URL: url}), count: &counting{}, costs: map[string]string{},
		agent: jobmanager.Agent{OwnerID: "a", Orchestrator: "ocm"},
	}
	l.s.Watch(l.count)
	l.step("create", func() { l.group = mustCreate(t, l.s, n) })
	return l
}

func (l *life) step(name string, do func()) { l.costs[name] = l.count.during(do) }

func (l *life) ids() []jobmanager.ID {
	ids := make([]jobmanager.ID, len(l.group.Jobs))
	for i, job := range l.group.Jobs {
		ids[i] = job.ID
	}
	return ids
}

// update is a step that runs a rule on as many jobs as the group has.
func (l *life) update(name string, which jobmanager.Which, rule jobmanager.JobRule) {
	l.t.Helper()
	which.Scope, which.Limit = jobmanager.Scope{All: true}, len(l.group.Jobs)
	l.step(name, func() {
		jobs, err := l.s.UpdateJobs(l.t.Context(), which, rule)
		if err != nil || len(jobs) != len(l.group.Jobs) {
			l.t.Fatalf("%s: %d of %d jobs were updated: %v", name, len(jobs), len(l.group.Jobs), err)
		}
	})
}

// change is a step that runs a rule on the group.
func (l *life) change(name string, rule jobmanager.GroupRule) {
	l.t.Helper()
	l.step(name, func() {
		if _, err := l.s.ChangeGroup(l.t.Context(), jobmanager.Scope{All: true}, l.group.ID, jobmanager.GroupChange{Rule: rule}); err != nil {
			l.t.Fatalf("%s: %v", name, err)
		}
	})
}

func (l *life) claim(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
	return j.Claim(jobmanager.Claim{Agent: l.agent, Length: time.Minute}, now)
}

func (l *life) finish(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
	return j.Finish(jobmanager.Fence{OwnerID: "a", Epoch: j.Epoch}, jobmanager.ResourceReport{UID: "u"}, now)
}

// costOfLife leads n jobs through their life.
func costOfLife(t *testing.T, url string, n int) map[string]string {
	t.Helper()
	l := newLife(t, url, n)
	l.update("hand out", jobmanager.Which{ExecutableFor: &l.agent, HandOut: true}, func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
		j.HandOut(l.agent, jobmanager.DefaultLifeCycle(), now)
		return nil, nil
	})
	l.update("claim", jobmanager.Which{ExecutableFor: &l.agent}, l.claim)
	l.renew()
	l.update("finish", jobmanager.Which{IDs: l.ids()}, l.finish)
	l.update("report", jobmanager.Which{IDs: l.ids()}, func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
		return j.ReportResource(jobmanager.Fence{OwnerID: "a", Epoch: j.Epoch}, jobmanager.ResourceReport{UID: "u2", Name: "renamed"}, now)
	})
	l.remedy()
	l.update("claim remedies", jobmanager.Which{ExecutableFor: &l.agent}, l.claim)
	l.update("finish remedies", jobmanager.Which{IDs: l.ids()}, l.finish)
	l.read()
	l.update("silence", jobmanager.Which{HeldBy: "a"}, func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
		return j.Silence(now), nil
	})
	l.change("stop", func(g *jobmanager.JobGroup, now time.Time) ([]jobmanager.Event, error) { return g.Stop(now), nil })
	l.update("claim deletes", jobmanager.Which{ExecutableFor: &l.agent}, l.claim)
	l.update("finish deletes", jobmanager.Which{IDs: l.ids()}, l.finish)
	l.update("discard", jobmanager.Which{IDs: l.ids()}, func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) { return j.Discard(now) })
	l.group = mustCreate(t, l.s, n)
	l.change("delete", func(g *jobmanager.JobGroup, _ time.Time) ([]jobmanager.Event, error) {
		g.Deleted = true
		return nil, nil
	})
	return l.costs
}

// costOfClaims has n of many jobs claimed and left to expire.
func costOfClaims(t *testing.T, url string, n int) map[string]string {
	t.Helper()
	l := newLife(t, url, 2*n)
	delete(l.costs, "create")
	l.group.Jobs = l.group.Jobs[:n]
	l.update("claim", jobmanager.Which{ExecutableFor: &l.agent, ClaimID: "c"}, func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
		return j.Claim(jobmanager.Claim{Agent: l.agent, ID: "c", Length: -time.Second}, now)
	})
	l.update("expire", jobmanager.Which{LeaseOver: true}, func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
		return j.Expire(jobmanager.DefaultLifeCycle(), now), nil
	})
	l.step("next chance", func() {
		if next, err := l.s.NextChance(t.Context(), l.s.Clock().Now()); err != nil || next.IsZero() {
			t.Errorf("the next chance is %s, %v", next, err)
		}
	})
	return l.costs
}

// costOfUpdate changes every component of a group whose jobs run, and gives it one that is new for one that goes.
func costOfUpdate(t *testing.T, url string, n int) map[string]string {
	t.Helper()
	l := newLife(t, url, n)
	l.update("claim", jobmanager.Which{ExecutableFor: &l.agent}, l.claim)
	l.update("finish", jobmanager.Which{IDs: l.ids()}, l.finish)
	next := jobmanager.Submission{Tenant: l.group.Tenant, Text: "name: cost # newer", Unanswered: "nobody answers", Descriptor: jobmanager.Descriptor{Name: "cost"}}
	for i, component := range l.group.Components {
		if i%5 == 0 {
			component.Name = string(newID())
		}
		component.Manifests = []jobmanager.Manifest{{Name: "newer", Text: "kind: Pod"}}
		next.Descriptor.Components = append(next.Descriptor.Components, component)
	}
	former := jobmanager.Descriptor{Name: "cost", Components: l.group.Components}
	l.change("update", func(g *jobmanager.JobGroup, now time.Time) ([]jobmanager.Event, error) {
		return g.Update(former, next, jobmanager.DefaultLifeCycle(), newID, now)
	})
	l.step("unmatched", func() {
		groups, err := l.s.Unmatched(t.Context(), 10)
		if err != nil || len(groups) != 0 {
			t.Errorf("%d groups are to be matched: %v", len(groups), err)
		}
	})
	return l.costs
}

func (l *life) renew() {
	renewals := make([]jobmanager.Renewal, len(l.group.Jobs))
	for i, id := range l.ids() {
		renewals[i] = jobmanager.Renewal{JobID: id, Epoch: 1}
	}
	l.step("renew", func() {
		if ends, err := l.s.RenewLeases(l.t.Context(), "a", renewals); err != nil || len(ends) != len(renewals) {
			l.t.Fatalf("%d of %d leases were renewed: %v", len(ends), len(renewals), err)
		}
	})
}

// remedy has one incompliance about all jobs of the group.
func (l *life) remedy() {
	i := &jobmanager.Incompliance{
		ID: newID(), Tenant: l.group.Tenant, Remediation: "patch",
		Subject: jobmanager.Subject{AppInstance: jobmanager.Text(l.group.ID), AppComponent: "*"},
	}
	l.step("incompliance", func() {
		err := l.s.RecordIncompliance(l.t.Context(), jobmanager.Scope{All: true}, "p", i,
			func(j *jobmanager.Job, now time.Time) (jobmanager.Remediation, []jobmanager.Event) {
				return j.Remediate(i, jobmanager.DefaultLifeCycle(), now)
			})
		if err != nil || len(i.Remediations) != len(l.group.Jobs) {
			l.t.Fatalf("%d of %d jobs were remedied: %v", len(i.Remediations), len(l.group.Jobs), err)
		}
	})
}

func (l *life) read() {
	all := jobmanager.Scope{All: true}
	load := jobmanager.JobLoad{Manifests: true, Attempts: true, Group: &jobmanager.GroupLoad{}, Presence: true}
	l.step("read", func() {
		list, err := l.s.JobGroups(l.t.Context(), jobmanager.JobGroupQuery{Scope: all, Page: jobmanager.PageRequest{First: 10}, Load: jobmanager.GroupLoad{
			Descriptor: true, Jobs: &jobmanager.PageRequest{First: jobmanager.LongestPage}, JobLoad: load,
		}})
		if err != nil || len(list.Nodes()[0].JobPage.Connection.Edges) != len(l.group.Jobs) {
			l.t.Fatalf("the group was not read with its jobs: %v", err)
		}
	})
	l.step("read incompliances", func() {
		list, err := l.s.Incompliances(l.t.Context(), jobmanager.IncomplianceQuery{Scope: all, Page: jobmanager.PageRequest{First: 10}, Jobs: &load})
		if err != nil || list.Nodes()[0].Remediations[len(l.group.Jobs)-1].Job == nil {
			l.t.Fatalf("the incompliance was not read with its jobs: %v", err)
		}
	})
}
