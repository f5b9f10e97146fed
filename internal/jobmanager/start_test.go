package jobmanager_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// stoppedGroup is an application that ran, was stopped, and whose Deletes are done.
func stoppedGroup(t testing.TB, components ...jobmanager.Component) *jobmanager.JobGroup {
	t.Helper()
	g, _ := running(t, components...)
	g.Stop(start)
	for _, j := range g.Jobs {
		mustClaim(t, j, agentA, start)
		mustFinish(t, j, start)
	}
	return g
}

func TestStartFollowsTheDescriptor(t *testing.T) {
	t.Parallel()
	g := stoppedGroup(t, component("web", nil), component("removed", nil))
	next := app(component("web", newManifests), component("added", nil))
	queued(g.Jobs[0])
	g.Jobs[0].Cooling, g.Jobs[0].Resource = g.Jobs[0].Queued, &jobmanager.Resource{Name: "web"}
	epoch := g.Jobs[0].Epoch
	events, err := g.Start(submission(next, "second", "c2"), life(), ids(), start.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"JOB_GROUP_STARTED", "JOB_STARTED", "JOB_CREATED", "JOB_DELETED"}, told(events)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"web CREATE_DEPLOYMENT/CREATED", "added CREATE_DEPLOYMENT/CREATED"}, byComponent(g)); diff != "" {
		t.Error(diff)
	}
	j := g.Jobs[0]
	if j.Owner != "" || j.Resource != nil || j.Attempt != 0 || j.Queued != nil || j.Cooling != nil || j.Workload != jobmanager.WorkloadNone ||
		j.Epoch <= epoch || j.ManifestCount != 2 || clusterOf(j.Target) != "c2" {
		t.Errorf("it is started as %+v", j)
	}
	if g.Generation != 3 { // create, stop, start
		t.Errorf("the group is at generation %d", g.Generation)
	}
}

func TestStartWithoutATargetWaitsForOne(t *testing.T) {
	t.Parallel()
	g := stoppedGroup(t, component("web", nil))
	down := jobmanager.Submission{Descriptor: app(component("web", nil)), Text: "first", Unanswered: "the Matchmaker is down"}
	if _, err := g.Start(down, life(), ids(), start); err != nil {
		t.Fatal(err)
	}
	if waiting := g.Jobs[0].Waiting(start); waiting.Reason != "AwaitingForTarget" || waiting.Message != "the Matchmaker is down" {
		t.Errorf("it waits with %+v", waiting)
	}
}

func TestStartsThatChangeNothing(t *testing.T) {
	t.Parallel()
	next := submission(app(component("web", nil)), "first", "c1")
	for name, test := range map[string]struct {
		change func(*jobmanager.JobGroup)
		want   jobmanager.Code
	}{
		"a running group":            {func(*jobmanager.JobGroup) {}, ""},
		"a group that is stopping":   {func(g *jobmanager.JobGroup) { g.Stop(start) }, jobmanager.CodeGroupNotStopped},
		"a group that is to be gone": {func(g *jobmanager.JobGroup) { g.DeleteWhenStopped = true }, jobmanager.CodeWrongState},
	} {
		g, _ := running(t, component("web", nil))
		test.change(g)
		before, job := *g, encoded(g.Jobs[0])
		events, err := g.Start(next, life(), ids(), start)
		if jobmanager.CodeOf(err) != test.want || len(events) != 0 || !cmp.Equal(before, *g) || encoded(g.Jobs[0]) != job {
			t.Errorf("%s: %v, %v", name, err, told(events))
		}
	}
}

func TestStopIsRepeatable(t *testing.T) {
	t.Parallel()
	g, _ := running(t, component("web", nil))
	if first := g.Stop(start); len(first) != 2 {
		t.Errorf("the first stop told %v", told(first))
	}
	before := encoded(g.Jobs[0])
	if again := g.Stop(start); len(again) != 0 || encoded(g.Jobs[0]) != before || g.Generation != 2 {
		t.Errorf("the second stop told %v", told(again))
	}
}

func TestDeleteFirstStopsWhereSomethingStands(t *testing.T) {
	t.Parallel()
	g, _ := running(t, component("web", nil))
	if _, err := g.Delete(false, start); jobmanager.CodeOf(err) != jobmanager.CodeGroupNotStopped {
		t.Errorf("a delete of a running group: %v", err)
	}
	events, err := g.Delete(true, start)
	if err != nil || !g.DeleteWhenStopped || g.Deleted {
		t.Fatalf("%v, %v", told(events), err)
	}
	if again, err := g.Delete(true, start); err != nil || len(again) != 0 {
		t.Errorf("the second delete told %v, %v", told(again), err)
	}
	g.Phase = jobmanager.PhaseStopping
	mustClaim(t, g.Jobs[0], agentA, start)
	mustFinish(t, g.Jobs[0], start)
	var tally jobmanager.Tally
	tally.Count(g.Jobs[0].Type, g.Jobs[0].State, false, 1)
	events = g.Settle(tally, start)
	if diff := cmp.Diff([]string{"JOB_GROUP_PHASE_CHANGED", "JOB_GROUP_DELETED"}, told(events)); diff != "" || !g.Deleted {
		t.Error(diff)
	}
}
