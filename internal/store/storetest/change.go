package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// mustChange runs a rule on a group.
func (b *bench) mustChange(id jobmanager.ID, rule jobmanager.GroupRule) *jobmanager.JobGroup {
	b.t.Helper()
	group, err := b.ChangeGroup(b.t.Context(), everything(), id, jobmanager.GroupChange{Actor: "ada", Rule: rule})
	b.must(err)
	return group
}

// updateRule gives a group a newer submission.
func (b *bench) updateRule(former jobmanager.Descriptor, next jobmanager.Submission) jobmanager.GroupRule {
	return func(g *jobmanager.JobGroup, now time.Time) ([]jobmanager.Event, error) {
		return g.Update(former, next, b.life, newID, now)
	}
}

// withoutPart leaves a component out of a submission.
func withoutPart(s jobmanager.Submission, n int) jobmanager.Submission {
	cut := s
	cut.Descriptor.Components = slices.Concat(s.Descriptor.Components[:n], s.Descriptor.Components[n+1:])
	cut.Matches = slices.Concat(s.Matches[:n], s.Matches[n+1:])
	cut.Text += "# without " + s.Descriptor.Components[n].Name + "\n"
	return cut
}

func manifests(texts ...string) []jobmanager.Manifest {
	list := []jobmanager.Manifest{}
	for _, text := range texts {
		list = append(list, jobmanager.Manifest{Name: "n", APIVersion: "v1", Kind: "ConfigMap", Text: text})
	}
	return list
}

// about lists events with the components that they are about.
func about(events []*jobmanager.Event) []string {
	var list []string
	for _, event := range events {
		line := string(event.Type)
		if event.Job != nil {
			line += " " + event.Job.Component
		}
		list = append(list, line)
	}
	return list
}

// testUpdateGroup changes, adds and removes components: 0 runs and gets other manifests, 1 runs and leaves, 2 never
// ran and leaves, 3 is untouched, 4 is new.
func testUpdateGroup(t *testing.T, b *bench) {
	former := submission("changing", 5)
	first := withoutPart(former, 4)
	group := b.MustSubmit(first)
	running := b.MustUpdate(b.claimRule("a"), group.Jobs[0], group.Jobs[1], group.Jobs[3])
	b.MustUpdate(finishRule("a"), running...)
	next := withoutPart(withoutPart(former, 2), 1)
	next.Descriptor.Components[0].Manifests = manifests("kind: A\n", "kind: B\n", "kind: C\n")
	head := b.MustHead()
	changed := b.mustChange(group.ID, b.updateRule(first.Descriptor, next))
	same(t, about(b.MustEvents(head)), []string{
		"JOB_GROUP_UPDATED", "JOB_UPDATED part-000", "JOB_CREATED part-004",
		"JOB_STOPPED part-001", "JOB_UPDATED part-001", "JOB_DELETED part-002",
	})
	var left []string
	for _, job := range changed.Jobs {
		left = append(left, job.Component)
		if job.Manifests != nil || job.Deleted {
			t.Errorf("%s came back with manifests %v, deleted %v", job.Component, job.Manifests, job.Deleted)
		}
		read, err := b.Job(t.Context(), everything(), job.ID, jobmanager.JobLoad{})
		b.must(err)
		same(t, read, job)
	}
	same(t, left, []string{"part-000", "part-001", "part-003", "part-004"})
	same(t, b.MustJob(changed.Jobs[0].ID).Manifests, next.Descriptor.Components[0].Manifests)
	added := b.MustJob(changed.Jobs[3].ID)
	same(t, added.Manifests, former.Descriptor.Components[4].Manifests)
	untouched := b.MustJob(group.Jobs[3].ID)
	if added.Version != 1 || untouched.Version != 3 || len(untouched.Manifests) != 1 {
		t.Errorf("the new job has version %d, the untouched one %d", added.Version, untouched.Version)
	}
	for _, event := range b.MustEvents(head) {
		if event.Job != nil && event.Type == jobmanager.JobCreated && event.Job.Version != 1 {
			t.Errorf("the new job was told of at version %d", event.Job.Version)
		}
	}
	_, err := b.Job(t.Context(), everything(), group.Jobs[2].ID, jobmanager.JobLoad{})
	b.wantCode(err, jobmanager.CodeNotFound)
	if text := b.MustGroup(group.ID).Descriptor; text != next.Text {
		t.Errorf("the descriptor is %q", text)
	}
	b.leaves(changed.Jobs[1])
}

// leaves carries out the Delete of a component that left the descriptor.
func (b *bench) leaves(job *jobmanager.Job) {
	b.t.Helper()
	b.MustUpdate(b.claimRule("a"), job)
	head := b.MustHead()
	gone := b.MustUpdate(finishRule("a"), job)
	if len(gone) != 1 || !gone[0].Deleted || gone[0].Version != job.Version+2 {
		b.t.Errorf("the job came back as %+v", gone)
	}
	events := b.MustEvents(head)
	same(b.t, about(events), []string{"JOB_FINISHED part-001", "RESOURCE_REMOVED part-001", "JOB_DELETED part-001"})
	if events[0].Attempt == nil || events[2].Job.Version != gone[0].Version {
		b.t.Errorf("the events tell of attempt %v and version %d", events[0].Attempt, events[2].Job.Version)
	}
	_, err := b.Job(b.t.Context(), everything(), job.ID, jobmanager.JobLoad{})
	b.wantCode(err, jobmanager.CodeNotFound)
}

// testRemovedJobs has one update delete some of its jobs, and one lose its group with its last job.
func testRemovedJobs(t *testing.T, b *bench) {
	group := b.MustCreate("emptied", 3)
	b.MustUpdate(b.claimRule("a"), group.Jobs[0])
	b.MustUpdate(finishRule("a"), group.Jobs[0])
	discard := func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) { return j.Discard(now) }
	_, err := b.UpdateJobs(t.Context(), jobmanager.Which{IDs: ids(group.Jobs), Scope: everything()}, discard)
	b.wantCode(err, jobmanager.CodeWrongState)
	b.MustUpdate(discard, group.Jobs[1:]...)
	read := b.MustGroup(group.ID)
	if jobs := read.JobPage.Connection.Nodes(); len(jobs) != 1 || jobs[0].ID != group.Jobs[0].ID || read.Phase != jobmanager.PhaseRunning {
		t.Errorf("%d jobs are left, the phase is %s, want RUNNING: the jobs that are gone do not count", len(jobs), read.Phase)
	}
	former := submission("cut", 2)
	cut := b.MustSubmit(former)
	b.MustUpdate(b.claimRule("a"), cut.Jobs[0])
	b.MustUpdate(finishRule("a"), cut.Jobs[0])
	head := b.MustHead()
	if changed := b.mustChange(cut.ID, b.updateRule(former.Descriptor, withoutPart(former, 1))); changed.Phase != jobmanager.PhaseRunning {
		t.Errorf("the phase is %s once the job that did not run has left, want RUNNING", changed.Phase)
	}
	same(t, about(b.MustEvents(head)), []string{"JOB_GROUP_UPDATED", "JOB_DELETED part-001", "JOB_GROUP_PHASE_CHANGED"})
	marked := b.MustCreate("marked", 1)
	b.mustChange(marked.ID, func(g *jobmanager.JobGroup, _ time.Time) ([]jobmanager.Event, error) {
		g.DeleteWhenStopped = true
		return nil, nil
	})
	head = b.MustHead()
	b.MustUpdate(discard, marked.Jobs...)
	gone := []string{"JOB_DELETED part-000", "JOB_GROUP_PHASE_CHANGED", "JOB_GROUP_DELETED"}
	same(t, about(b.MustEvents(head)), gone)
	b.nothingLeft(marked)
	atOnce := b.MustCreate("at once", 1)
	head = b.MustHead()
	b.mustChange(atOnce.ID, func(g *jobmanager.JobGroup, now time.Time) ([]jobmanager.Event, error) {
		g.DeleteWhenStopped = true
		return g.Jobs[0].Discard(now)
	})
	same(t, about(b.MustEvents(head)), gone)
	b.nothingLeft(atOnce)
}

func testManifestsReplaced(t *testing.T, b *bench) {
	group := b.MustCreate("rewritten", 3)
	next := map[jobmanager.ID][]jobmanager.Manifest{
		group.Jobs[0].ID: manifests("kind: A\n", "kind: 'B'\n"), group.Jobs[1].ID: {},
	}
	updated := b.MustUpdate(func(j *jobmanager.Job, _ time.Time) ([]jobmanager.Event, error) {
		if j.Manifests != nil {
			t.Errorf("the rule saw manifests, which are not loaded")
		}
		if list, wanted := next[j.ID]; wanted {
			j.Manifests, j.ManifestCount = list, len(list)
		}
		return nil, nil
	}, group.Jobs...)
	for i, job := range updated {
		want, rewritten := next[job.ID]
		version := int64(2)
		if !rewritten {
			want, version = group.Jobs[i].Manifests, 1
		}
		read := b.MustJob(job.ID)
		same(t, read.Manifests, want)
		if job.Manifests != nil || read.Version != version || read.ManifestCount != len(want) {
			t.Errorf("%s came back with %v, at version %d with %d manifests", job.Component, job.Manifests, read.Version, read.ManifestCount)
		}
	}
	// A rule that is run and refused leaves the manifests as they were.
	refusal := jobmanager.Errorf(jobmanager.CodeWrongState, "no")
	_, err := b.UpdateJobs(t.Context(), jobmanager.Which{IDs: ids(group.Jobs[:1]), Scope: everything()},
		func(j *jobmanager.Job, _ time.Time) ([]jobmanager.Event, error) {
			j.Manifests = manifests("kind: Z\n")
			return nil, refusal
		})
	b.wantCode(err, jobmanager.CodeWrongState)
	same(t, b.MustJob(group.Jobs[0].ID).Manifests, next[group.Jobs[0].ID])
}

// testStartAgain brings a group up again: what one job says is taken from its newer component.
func testStartAgain(t *testing.T, b *bench) {
	former := submission("again", 3)
	group := b.MustSubmit(former)
	b.mustChange(group.ID, stopChange().Rule) // nobody had it: it is stopped at once
	next := withoutPart(former, 1)
	next.Descriptor.Namespace = "elsewhere"
	next.Descriptor.Components[0].Requirements = jobmanager.Value(`{"cpu":"2"}`)
	next.Descriptor.Components[0].Manifests = manifests("kind: New\n")
	next.Matches[0].Targets = []jobmanager.Target{{Cluster: "far", Orchestrator: "nuvla"}}
	head := b.MustHead()
	started := b.mustChange(group.ID, func(g *jobmanager.JobGroup, now time.Time) ([]jobmanager.Event, error) {
		return g.Start(next, b.life, newID, now)
	})
	same(t, about(b.MustEvents(head)), []string{
		"JOB_GROUP_STARTED", "JOB_STARTED part-000", "JOB_STARTED part-002", "JOB_DELETED part-001", "JOB_GROUP_PHASE_CHANGED",
	})
	same(t, ids(started.Jobs), []jobmanager.ID{group.Jobs[0].ID, group.Jobs[2].ID})
	job := b.MustJob(group.Jobs[0].ID)
	same(t, job.Manifests, next.Descriptor.Components[0].Manifests)
	if job.Namespace != "elsewhere" || string(job.Requirements) != `{"cpu":"2"}` || job.Target.Cluster != "far" || job.Orchestrator != "nuvla" {
		t.Errorf("the started job is %+v on %+v", job, job.Target)
	}
	if read := b.MustGroup(group.ID); read.Phase != jobmanager.PhasePending || read.Namespace != "elsewhere" || len(read.Components) != 2 {
		t.Errorf("the started group is %s in %s with %d components", read.Phase, read.Namespace, len(read.Components))
	}
}

// testChangesAtOnce has a group updated and remedied while its agent works and another one lists. Whatever came in
// which order, the phase is what the jobs say, and no writer is stuck or told of a driver's trouble.
func testChangesAtOnce(t *testing.T, b *bench) {
	group := b.runningGroup("turmoil", 6)
	head := b.MustHead()
	work := b.turmoil(group)
	together(len(work), func(i int) {
		for n := range 6 {
			switch err := work[i](n); jobmanager.CodeOf(err) {
			case "", jobmanager.CodeStaleOwner, jobmanager.CodeWrongState: // the group was changed meanwhile
			default:
				t.Errorf("writer %d: %v", i, err)
			}
		}
	})
	read := b.MustGroup(group.ID)
	var tally jobmanager.Tally
	for _, job := range read.JobPage.Connection.Nodes() {
		tally.Count(job.Type, job.State, job.Resource.Unhealthy(), 1)
	}
	if read.Phase != tally.Phase() {
		t.Errorf("the phase is %s, the jobs say %s", read.Phase, tally.Phase())
	}
	for i, event := range b.MustEvents(head) {
		if event.Revision != head+jobmanager.Revision(i+1) {
			t.Fatalf("event %d after %d has revision %d", i, head, event.Revision)
		}
	}
}

// turmoil is what may happen to a group at once: an update, an incompliance, its agent's work, another one's list.
func (b *bench) turmoil(group *jobmanager.JobGroup) []func(n int) error {
	ctx, whole, a := b.t.Context(), submission("turmoil", 6), agent("a")
	return []func(n int) error{
		func(n int) error {
			next := withoutPart(whole, n)
			next.Descriptor.Components[0].Manifests = manifests(fmt.Sprintf("kind: A%d\n", n))
			_, err := b.ChangeGroup(ctx, everything(), group.ID, jobmanager.GroupChange{Rule: b.updateRule(whole.Descriptor, next)})
			return err
		},
		func(int) error {
			i := incompliance("patch", jobmanager.Subject{AppInstance: jobmanager.Text(group.ID), AppComponent: "*"})
			return b.RecordIncompliance(ctx, everything(), "polman", i, b.remedy(i))
		},
		func(int) error {
			which := jobmanager.Which{ExecutableFor: &a, Limit: 4, Scope: everything(), Actor: "a"}
			claimed, err := b.UpdateJobs(ctx, which, b.claimRule("a"))
			if err == nil {
				which = jobmanager.Which{IDs: ids(claimed), Scope: everything(), Actor: "a"}
				_, err = b.UpdateJobs(ctx, which, finishRule("a"))
			}
			return err
		},
		func(int) error {
			other := agent("other")
			_, err := b.UpdateJobs(ctx, b.handOutWhich(&other, 3), b.handOutRule(&other))
			return err
		},
	}
}
