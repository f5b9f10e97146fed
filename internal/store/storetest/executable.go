package storetest

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// testExecutableEqualsRule holds the WHERE clause and the Go rule equal on jobs of any shape, also of shapes
// that no rule makes.
func testExecutableEqualsRule(t *testing.T, b *bench) {
	rapid.Check(t, func(r *rapid.T) {
		now := b.clock.Now()
		group, _ := jobmanager.NewJobGroup(submission("any", 0), b.life, newID, now)
		for range rapid.IntRange(1, 12).Draw(r, "jobs") {
			group.Jobs = append(group.Jobs, anyJob(r, group, now))
		}
		if err := b.CreateGroup(t.Context(), group, nil, jobmanager.Idempotency{}); err != nil {
			r.Fatal(err)
		}
		a := jobmanager.Agent{
			OwnerID:      jobmanager.OwnerID(rapid.SampledFrom([]string{"a", "b"}).Draw(r, "agent")),
			Orchestrator: rapid.SampledFrom([]string{"ocm", "nuvla"}).Draw(r, "agent's orchestrator"),
			Clusters:     rapid.SampledFrom([][]string{nil, nil, {"c1"}, {"c2", "c1"}, {"c3"}}).Draw(r, "agent's clusters"),
			Others:       rapid.SampledFrom([][]string{nil, {"c2"}, {"c1", "c3"}}).Draw(r, "others' clusters"),
		}
		page, err := b.Executable(t.Context(), a, jobmanager.PageRequest{First: jobmanager.LongestPage})
		if err != nil {
			r.Fatal(err)
		}
		if got, want := ids(page.Nodes()), ids(executableByRule(group.Jobs, a, now)); !slices.Equal(got, want) {
			r.Errorf("the clause picks %v, the rule %v", got, want)
		}
		b.handOutEqualsRule(r, group.Jobs, a)
		_, err = b.ChangeGroup(t.Context(), everything(), group.ID, jobmanager.GroupChange{
			Rule: func(g *jobmanager.JobGroup, _ time.Time) ([]jobmanager.Event, error) {
				g.Deleted = true
				return nil, nil
			},
		})
		if err != nil {
			r.Fatal(err)
		}
	})
}

// handOutEqualsRule: a hand-out that is not bounded picks what the rule does, whatever the order.
func (b *bench) handOutEqualsRule(r *rapid.T, jobs []*jobmanager.Job, a jobmanager.Agent) {
	want := ids(executableByRule(jobs, a, b.clock.Now()))
	listed, err := b.UpdateJobs(b.t.Context(), b.handOutWhich(&a, 0), func(*jobmanager.Job, time.Time) ([]jobmanager.Event, error) {
		return nil, nil
	})
	if err != nil {
		r.Fatal(err)
	}
	got := ids(listed)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		r.Errorf("the hand-out picks %v, the rule %v", got, want)
	}
}

// executableByRule is what the list must be: the rule's picks, the oldest claimable first.
func executableByRule(jobs []*jobmanager.Job, a jobmanager.Agent, now time.Time) []*jobmanager.Job {
	var picked []*jobmanager.Job
	for _, job := range jobs {
		if job.Executable(a, now) {
			picked = append(picked, job)
		}
	}
	since := func(j *jobmanager.Job) time.Time {
		if j.NotBefore.IsZero() {
			return j.Since
		}
		return j.NotBefore
	}
	slices.SortFunc(picked, func(a, b *jobmanager.Job) int {
		return cmp.Or(since(a).Compare(since(b)), cmp.Compare(a.ID, b.ID))
	})
	return picked
}

func anyJob(r *rapid.T, group *jobmanager.JobGroup, now time.Time) *jobmanager.Job {
	moment := rapid.SampledFrom([]time.Time{{}, now.Add(-time.Microsecond), now, now.Add(time.Microsecond)})
	owner := rapid.SampledFrom([]jobmanager.OwnerID{"", "a", "b"})
	j := &jobmanager.Job{
		ID: newID(), Tenant: group.Tenant, GroupID: group.ID, Component: "any",
		Type: rapid.SampledFrom([]jobmanager.JobType{
			jobmanager.CreateDeployment, jobmanager.CreateDeployment, jobmanager.DeleteDeployment,
			jobmanager.UpdateDeployment, jobmanager.ReplaceDeployment,
		}).Draw(r, "type"),
		SubType: rapid.SampledFrom([]jobmanager.Text{"", jobmanager.ScaleUp, jobmanager.Reallocation}).Draw(r, "sub-type"),
		State: rapid.SampledFrom([]jobmanager.JobState{
			jobmanager.Created, jobmanager.Progressing, jobmanager.Finished, jobmanager.Degraded,
		}).Draw(r, "state"),
		Workload: rapid.SampledFrom([]jobmanager.Workload{
			jobmanager.WorkloadNone, jobmanager.WorkloadMaybe, jobmanager.WorkloadPresent,
		}).Draw(r, "workload"),
		Owner: owner.Draw(r, "owner"), NotBefore: moment.Draw(r, "not before"),
		Last: jobmanager.Attempt{OwnerID: owner.Draw(r, "last attempt")},
		Turn: jobmanager.Turn{
			Of:    rapid.SampledFrom([]jobmanager.TurnOf{"", jobmanager.TurnOfOwner, jobmanager.TurnOfOthers}).Draw(r, "turn of"),
			Until: moment.Draw(r, "turn until"),
		},
		Reservation:   jobmanager.Reservation{OwnerID: owner.Draw(r, "reserved by"), Until: moment.Draw(r, "reserved until")},
		Orchestrator:  rapid.SampledFrom([]jobmanager.Text{"ocm", "ocm", "nuvla", ""}).Draw(r, "orchestrator"),
		ManifestCount: rapid.SampledFrom([]int{1, 2, 0}).Draw(r, "manifests"),
		Hold: rapid.SampledFrom([]jobmanager.HoldReason{
			"", "", "", jobmanager.HoldNoTarget, jobmanager.HoldNoFittingTarget, jobmanager.HoldNoManifests,
			jobmanager.HoldAttemptsExhausted, jobmanager.HoldNoReport, jobmanager.HoldAmbiguousWorkload, jobmanager.HoldRemovalUnconfirmed,
		}).Draw(r, "hold"),
		Since: now.Add(-time.Duration(rapid.IntRange(0, 3).Draw(r, "since")) * time.Second), CreatedAt: now, UpdatedAt: now,
	}
	if rapid.IntRange(0, 4).Draw(r, "has a target") > 0 {
		cluster := rapid.SampledFrom([]string{"c1", "c2"}).Draw(r, "cluster")
		j.Target = &jobmanager.Target{Cluster: cluster, Orchestrator: string(j.Orchestrator)}
	}
	if rapid.Bool().Draw(r, "has a lease") {
		j.Lease = &jobmanager.Lease{OwnerID: j.Owner, Epoch: 1, Length: time.Minute, ExpiresAt: now.Add(time.Second)}
	}
	return j
}

func testUnmatched(t *testing.T, b *bench) {
	none, err := b.Unmatched(t.Context(), 10)
	b.must(err)
	if len(none) != 0 {
		t.Errorf("%d groups wait in an empty store", len(none))
	}
	b.MustCreate("matched", 2)
	partly := submission("partly", 3)
	partly.Matches = partly.Matches[:1]
	want := b.MustSubmit(partly)
	b.clock.Advance(time.Second)
	unfit := submission("unfit", 1)
	unfit.Descriptor.Components[0].Type = "docker" // which ocm cannot run
	later := b.MustSubmit(unfit)
	list := func(limit int) []*jobmanager.JobGroup {
		groups, err := b.Unmatched(t.Context(), limit)
		b.must(err)
		return groups
	}
	if groups := list(10); len(groups) != 0 {
		t.Errorf("%d groups are due before their back-off", len(groups))
	}
	b.clock.Advance(b.life.Rematch - time.Second)
	groups := list(10)
	if len(groups) != 1 || groups[0].ID != want.ID || groups[0].Descriptor != want.Descriptor || len(groups[0].Components) != 3 {
		t.Fatalf("%d groups are due, want one with its descriptor", len(groups))
	}
	same(t, ids(groups[0].Jobs), ids(want.Jobs[1:]))
	b.clock.Advance(time.Second)
	if groups := list(10); len(groups) != 2 || groups[0].ID != want.ID || groups[1].ID != later.ID {
		t.Errorf("%d groups are due, want 2, the one that is due longest first", len(groups))
	}
	if groups := list(1); len(groups) != 1 || groups[0].ID != want.ID {
		t.Errorf("the limit of 1 gave %d groups, want the one that is due longest, not %s", len(groups), later.ID)
	}
}

func testWantingToMove(t *testing.T, b *bench) {
	group := b.runningGroup("moving", 3)
	waiting := submission("waiting", 1)
	waiting.Matches = nil
	unmatched := b.MustSubmit(waiting)
	start := b.clock.Now()
	b.MustUpdate(func(j *jobmanager.Job, _ time.Time) ([]jobmanager.Event, error) {
		switch j.ID {
		case group.Jobs[0].ID:
			j.Move = &jobmanager.Move{NotBefore: start.Add(time.Second)}
		case group.Jobs[1].ID:
			j.Move = &jobmanager.Move{To: &jobmanager.Target{Cluster: "far"}, NotBefore: start} // chosen
		case group.Jobs[2].ID:
			j.Move, j.Type = &jobmanager.Move{NotBefore: start}, jobmanager.DeleteDeployment // it goes
		}
		return nil, nil
	}, group.Jobs...)
	due := func() []*jobmanager.JobGroup {
		t.Helper()
		groups, err := b.Unmatched(t.Context(), 10)
		b.must(err)
		return groups
	}
	if groups := due(); len(groups) != 0 {
		t.Fatalf("%d groups are due before their time", len(groups))
	}
	b.clock.Advance(time.Second)
	groups := due()
	if len(groups) != 1 || groups[0].ID != group.ID || groups[0].Descriptor != group.Descriptor {
		t.Fatalf("%d groups are due, want the one whose job wants to move", len(groups))
	}
	same(t, ids(groups[0].Jobs), ids(group.Jobs[:1]))
	b.clock.Advance(b.life.Rematch)
	if groups := due(); len(groups) != 2 || groups[0].ID != group.ID || groups[1].ID != unmatched.ID {
		t.Errorf("%d groups are due, want both, the longest due first", len(groups))
	}
}
