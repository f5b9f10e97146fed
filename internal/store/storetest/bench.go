package storetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/store"
	"github.com/icos-jobmanager/jobmanager/internal/testkit"
)

// bench is a store with what a test needs beside it. Its Must methods fail the test.
type bench struct {
	*store.Store
	t     *testing.T
	clock *testkit.Clock
	life  jobmanager.LifeCycle

	mu        sync.Mutex // guards committed
	committed []jobmanager.Revision
}

func newBench(t *testing.T, open Open) *bench {
	b := &bench{
		t: t, life: jobmanager.DefaultLifeCycle(),
		clock: testkit.NewClock(time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)),
	}
	b.Store = open(t, store.Config{Clock: b.clock, Notices: true, OnCommit: func(newest jobmanager.Revision) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.committed = append(b.committed, newest)
	}})
	return b
}

// everything is the scope of the tests' own look.
func everything() jobmanager.Scope { return jobmanager.Scope{All: true} }

func newID() jobmanager.ID { return jobmanager.ID(uuid.Must(uuid.NewV7()).String()) }

// submission is an application of n components on the cluster "edge", of the orchestrator "ocm".
func submission(name string, n int) jobmanager.Submission {
	s := jobmanager.Submission{
		Unanswered: "nobody answers",
		Tenant:     jobmanager.DefaultTenant, Text: "name: " + name + "\n",
		Descriptor: jobmanager.Descriptor{Name: name, Namespace: name, HasManifests: true},
	}
	for i := range n {
		component := fmt.Sprintf("part-%03d", i)
		s.Descriptor.Components = append(s.Descriptor.Components, jobmanager.Component{
			Name: component, Type: "kubernetes",
			Manifests: []jobmanager.Manifest{{Name: component, APIVersion: "v1", Kind: "ConfigMap", Text: "kind: ConfigMap\n"}},
		})
		s.Matches = append(s.Matches, jobmanager.Match{
			Component: component, Targets: []jobmanager.Target{{Cluster: "edge", Node: "n1", Orchestrator: "ocm"}},
		})
	}
	return s
}

// MustCreate stores an application of n components.
func (b *bench) MustCreate(name string, n int) *jobmanager.JobGroup {
	b.t.Helper()
	return b.MustSubmit(submission(name, n))
}

// MustSubmit stores a submission.
func (b *bench) MustSubmit(s jobmanager.Submission) *jobmanager.JobGroup {
	b.t.Helper()
	group, events := jobmanager.NewJobGroup(s, b.life, newID, b.clock.Now())
	for i := range events {
		events[i].Actor = "ada"
	}
	b.must(b.CreateGroup(b.t.Context(), group, events, jobmanager.Idempotency{}))
	return group
}

// agent of the orchestrator "ocm".
func agent(owner string) jobmanager.Agent {
	return jobmanager.Agent{OwnerID: jobmanager.OwnerID(owner), Orchestrator: "ocm"}
}

// meet makes the store know the agent.
func (b *bench) meet(owner string) {
	b.t.Helper()
	_, err := b.SeeAgent(b.t.Context(), jobmanager.Sighting{Agent: agent(owner)})
	b.must(err)
}

func (b *bench) claimRule(owner string) jobmanager.JobRule {
	return func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
		return j.Claim(jobmanager.Claim{Agent: agent(owner), Length: b.life.Lease}, now)
	}
}

func finishRule(owner string, conditions ...jobmanager.Condition) jobmanager.JobRule {
	return func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
		fence := jobmanager.Fence{OwnerID: jobmanager.OwnerID(owner), Epoch: j.Epoch}
		return j.Finish(fence, jobmanager.ResourceReport{UID: "uid-" + j.Component, Conditions: conditions}, now)
	}
}

// MustClaim claims up to n executable jobs.
func (b *bench) MustClaim(owner string, n int) []*jobmanager.Job {
	b.t.Helper()
	a := agent(owner)
	jobs, err := b.UpdateJobs(b.t.Context(), jobmanager.Which{ExecutableFor: &a, Limit: n, Scope: everything(), Actor: owner}, b.claimRule(owner))
	b.must(err)
	return jobs
}

// MustUpdate runs a rule on jobs.
func (b *bench) MustUpdate(rule jobmanager.JobRule, jobs ...*jobmanager.Job) []*jobmanager.Job {
	b.t.Helper()
	updated, err := b.UpdateJobs(b.t.Context(), jobmanager.Which{IDs: ids(jobs), Scope: everything(), Actor: "test"}, rule)
	b.must(err)
	return updated
}

// MustJob reads a job with everything.
func (b *bench) MustJob(id jobmanager.ID) *jobmanager.Job {
	b.t.Helper()
	job, err := b.Job(b.t.Context(), everything(), id, jobmanager.JobLoad{Manifests: true, Attempts: true, Presence: true})
	b.must(err)
	return job
}

// MustGroup reads a group with its descriptor and its jobs.
func (b *bench) MustGroup(id jobmanager.ID) *jobmanager.JobGroup {
	b.t.Helper()
	group, err := b.JobGroup(b.t.Context(), everything(), id, jobmanager.GroupLoad{
		Descriptor: true, Jobs: &jobmanager.PageRequest{First: jobmanager.LongestPage},
	})
	b.must(err)
	return group
}

// MustEvents reads the log after a revision.
func (b *bench) MustEvents(after jobmanager.Revision) []*jobmanager.Event {
	b.t.Helper()
	events, err := b.Events(b.t.Context(), after, 10_000)
	b.must(err)
	return events
}

// MustHead is the newest revision.
func (b *bench) MustHead() jobmanager.Revision {
	b.t.Helper()
	head, err := b.Head(b.t.Context())
	b.must(err)
	_, revision, err := head.Parse()
	b.must(err)
	return revision
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// wantCode checks an error's code, and that its sentence shows nothing of a driver.
func (b *bench) wantCode(err error, code jobmanager.Code) {
	b.t.Helper()
	if got := jobmanager.CodeOf(err); got != code {
		b.t.Errorf("the error is %q: %v, want %q", got, err, code)
	}
	checkSentence(b.t, err)
}

// same compares what was read with what was written. Times are compared as instants.
func same(t testing.TB, got, want any, options ...cmp.Option) {
	t.Helper()
	if diff := cmp.Diff(want, got, options...); diff != "" {
		t.Errorf("not as it was stored (- want, + got):\n%s", diff)
	}
}

func ids(jobs []*jobmanager.Job) []jobmanager.ID {
	list := make([]jobmanager.ID, len(jobs))
	for i, job := range jobs {
		list[i] = job.ID
	}
	return list
}

// together runs do n times at once and waits for all.
func together(n int, do func(i int)) {
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-start
			do(i)
		})
	}
	close(start)
	all.Wait()
}
