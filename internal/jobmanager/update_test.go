package jobmanager_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// component is one of the tests' application, with one manifest.
func component(name string, change func(*jobmanager.Component)) jobmanager.Component {
	c := web(change)
	c.Name = name
	return c
}

// running makes an application of the components whose jobs all run, with its descriptor.
func running(t testing.TB, components ...jobmanager.Component) (*jobmanager.JobGroup, jobmanager.Descriptor) {
	t.Helper()
	descriptor := app(components...)
	g, _ := jobmanager.NewJobGroup(submission(descriptor, "first", "c1"), life(), ids(), start)
	for _, j := range g.Jobs {
		mustClaim(t, j, agentA, start)
		mustFinish(t, j, start)
		j.Manifests = nil // as they come from the store
	}
	return g, descriptor
}

// submission is a descriptor with the same answer of the Matchmaker for all of its components; none without clusters.
func submission(d jobmanager.Descriptor, text string, clusters ...string) jobmanager.Submission {
	s := jobmanager.Submission{Descriptor: d, Text: text}
	for _, c := range d.Components {
		match := answer(clusters...)
		match.Component = c.Name
		s.Matches = append(s.Matches, match)
	}
	return s
}

// byComponent lists the group's jobs that are not gone: component, type and state.
func byComponent(g *jobmanager.JobGroup) []string {
	var list []string
	for _, j := range g.Jobs {
		if !j.Deleted {
			list = append(list, j.Component+" "+string(j.Type)+"/"+string(j.State))
		}
	}
	return list
}

func TestUpdateTouchesOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	g, former := running(t, component("same", nil), component("changed", nil), component("removed", nil), component("moved", nil))
	same := encoded(g.Jobs[0])
	next := app(component("same", nil), component("changed", newManifests), component("moved", newRequirements), component("added", nil))
	events, err := g.Update(former, submission(next, "second", "c2"), life(), ids(), start.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"same CREATE_DEPLOYMENT/FINISHED", "changed REPLACE_DEPLOYMENT/CREATED", "removed DELETE_DEPLOYMENT/CREATED",
		"moved UPDATE_DEPLOYMENT/CREATED", "added CREATE_DEPLOYMENT/CREATED",
	}
	if diff := cmp.Diff(want, byComponent(g)); diff != "" {
		t.Error(diff)
	}
	if encoded(g.Jobs[0]) != same || g.Jobs[0].Manifests != nil {
		t.Errorf("the unchanged job was touched: %s", cmp.Diff(same, encoded(g.Jobs[0])))
	}
	if slices.ContainsFunc(events, func(e jobmanager.Event) bool { return e.JobID == g.Jobs[0].ID }) {
		t.Errorf("the unchanged job was told of: %v", told(events))
	}
	if events[0].Type != jobmanager.JobGroupUpdated || g.Generation != 2 || g.Descriptor != "second" || len(g.Components) != 4 {
		t.Errorf("the group is at generation %d with %d components, told by %v", g.Generation, len(g.Components), told(events))
	}
	if changed := g.Jobs[1]; changed.ManifestCount != 2 || len(changed.Manifests) != 2 {
		t.Errorf("the changed job has %d manifests: %v", changed.ManifestCount, changed.Manifests)
	}
}

func TestSameTextAgainChangesNothing(t *testing.T) {
	t.Parallel()
	g, former := running(t, component("web", nil))
	before := encoded(g.Jobs[0])
	events, err := g.Update(former, submission(former, "first", "c2"), life(), ids(), start)
	if err != nil || len(events) != 0 || g.Generation != 1 || encoded(g.Jobs[0]) != before {
		t.Errorf("%v, %v, generation %d", err, told(events), g.Generation)
	}
}

func TestAnotherTextOfTheSameMeaningTouchesNoJob(t *testing.T) {
	t.Parallel()
	g, former := running(t, component("web", nil))
	events, err := g.Update(former, submission(former, "# with a comment", "c2"), life(), ids(), start)
	if err != nil || len(events) != 1 || g.Generation != 2 || len(events[0].Notices) != 0 {
		t.Errorf("%v, %v, generation %d", err, told(events), g.Generation)
	}
}

func TestUpdatesThatAreRefusedChangeNothing(t *testing.T) {
	t.Parallel()
	renamed := app(component("web", nil))
	renamed.Name = "other"
	elsewhere := app(component("web", nil))
	elsewhere.Namespace = "other"
	for name, test := range map[string]struct {
		next jobmanager.Descriptor
		mark bool
		want jobmanager.Code
	}{
		"another name":               {renamed, false, jobmanager.CodeInvalid},
		"another namespace":          {elsewhere, false, jobmanager.CodeInvalid},
		"a group that is to be gone": {app(component("web", newManifests)), true, jobmanager.CodeWrongState},
	} {
		g, former := running(t, component("web", nil))
		g.DeleteWhenStopped = test.mark
		before := *g
		_, err := g.Update(former, submission(test.next, "second", "c1"), life(), ids(), start)
		if jobmanager.CodeOf(err) != test.want || !cmp.Equal(before, *g) {
			t.Errorf("%s: %v, changed %s", name, err, cmp.Diff(before, *g))
		}
	}
}

func TestUpdateWhileStoppedIsKeptForTheStart(t *testing.T) {
	t.Parallel()
	g, former := running(t, component("web", nil), component("removed", nil), component("stays", nil))
	g.Stop(start)
	mustClaim(t, g.Jobs[0], agentA, start)
	mustFinish(t, g.Jobs[0], start)
	mustClaim(t, g.Jobs[1], agentA, start)
	mustFinish(t, g.Jobs[1], start) // the third is still being removed
	next := app(component("web", newManifests), component("stays", nil), component("added", nil))
	next.Namespace = "elsewhere"
	events, err := g.Update(former, submission(next, "second", "c2"), life(), ids(), start)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"JOB_GROUP_UPDATED", "JOB_DELETED"}, told(events)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"web DELETE_DEPLOYMENT/FINISHED", "stays DELETE_DEPLOYMENT/CREATED"}, byComponent(g)); diff != "" {
		t.Error(diff)
	}
	_, err = g.Start(submission(next, "second", "c2"), life(), ids(), start)
	if jobmanager.CodeOf(err) != jobmanager.CodeGroupNotStopped {
		t.Errorf("a start while a Delete is under way: %v", err)
	}
	mustClaim(t, g.Jobs[2], agentA, start)
	mustFinish(t, g.Jobs[2], start)
	if _, err := g.Start(submission(next, "second", "c2"), life(), ids(), start); err != nil {
		t.Fatal(err)
	}
	want := []string{"web CREATE_DEPLOYMENT/CREATED", "stays CREATE_DEPLOYMENT/CREATED", "added CREATE_DEPLOYMENT/CREATED"}
	if diff := cmp.Diff(want, byComponent(g)); diff != "" {
		t.Error(diff)
	}
	if j := g.Jobs[0]; j.ManifestCount != 2 || j.Namespace != "elsewhere" || clusterOf(j.Target) != "c2" {
		t.Errorf("it is started with %d manifests, in namespace %s, on %+v", j.ManifestCount, j.Namespace, j.Target)
	}
}

func TestComponentThatComesBackIsCreatedOnceItIsRemoved(t *testing.T) {
	t.Parallel()
	g, first := running(t, component("web", nil), component("other", nil))
	without := app(component("other", nil))
	if _, err := g.Update(first, submission(without, "second", "c1"), life(), ids(), start); err != nil {
		t.Fatal(err)
	}
	again := app(component("other", nil), component("web", newManifests))
	if _, err := g.Update(without, submission(again, "third", "c2"), life(), ids(), start); err != nil {
		t.Fatal(err)
	}
	j := g.Jobs[0]
	// Nothing of web changes, and no answer of the Matchmaker comes with it.
	events, err := g.Update(again, jobmanager.Submission{Descriptor: again, Text: "fourth"}, life(), ids(), start)
	if err != nil || len(events) != 1 {
		t.Errorf("an update that changes nothing of it told %v, %v", told(events), err)
	}
	mustClaim(t, j, agentA, start)
	mustFinish(t, j, start)
	if j.Deleted || j.Type != createDeployment || j.State != jobmanager.Created || j.ManifestCount != 2 || clusterOf(j.Target) != "c2" || j.Sequel != "" {
		t.Errorf("it came back as %+v on %+v", j, j.Target)
	}
}

func TestManifestsThatComeWhileThereIsNoTargetWaitForOne(t *testing.T) {
	t.Parallel()
	bare := app(component("web", noManifests))
	g, _ := jobmanager.NewJobGroup(jobmanager.Submission{Descriptor: bare, Text: "first"}, life(), ids(), start)
	if _, err := g.Update(bare, jobmanager.Submission{Descriptor: app(component("web", nil)), Text: "second"}, life(), ids(), start); err != nil {
		t.Fatal(err)
	}
	j := g.Jobs[0]
	if j.Hold != jobmanager.HoldNoTarget || j.NotBefore.After(start) {
		t.Errorf("it is held by %q until %s", j.Hold, j.NotBefore)
	}
	if events := j.Rematch(answer("c1"), "kubernetes", life(), start); len(events) != 1 || !j.Executable(agent(agentA), start) {
		t.Errorf("matched again it waits with %+v", j.Waiting(start))
	}
}

func TestNeedsMatch(t *testing.T) {
	t.Parallel()
	former := app(component("web", nil), component("db", nil))
	pinned := component("web", func(c *jobmanager.Component) { c.Pins = []jobmanager.Target{*target("c2")} })
	docker := component("web", func(c *jobmanager.Component) { c.Type = "docker" })
	for name, test := range map[string]struct {
		next jobmanager.Descriptor
		want bool
	}{
		"nothing changed":        {former, false},
		"new manifests":          {app(component("web", newManifests), component("db", nil)), false},
		"a component removed":    {app(component("db", nil)), false},
		"a component added":      {app(component("web", nil), component("db", nil), component("new", nil)), true},
		"new requirements":       {app(component("web", newRequirements), component("db", nil)), true},
		"another pin":            {app(pinned, component("db", nil)), true},
		"another type":           {app(docker, component("db", nil)), true},
		"in another order":       {app(component("db", nil), component("web", nil)), false},
		"nothing left to ask of": {app(), false},
	} {
		if got := test.next.NeedsMatch(former); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestRequirementsThatNothingMeetsLeaveTheJobWhereItIs(t *testing.T) {
	t.Parallel()
	helm := func(c *jobmanager.Component) { c.Type = "helm" } // which nuvla cannot run
	g, former := running(t, component("web", helm))
	next := submission(app(component("web", func(c *jobmanager.Component) { helm(c); newRequirements(c) })), "second")
	next.Matches[0].Targets = []jobmanager.Target{{Cluster: "n1", Orchestrator: "nuvla"}}
	events, err := g.Update(former, next, life(), ids(), start)
	if err != nil {
		t.Fatal(err)
	}
	j := g.Jobs[0]
	if j.State != jobmanager.Finished || clusterOf(j.Target) != "c1" || !j.NextAsk().Equal(start.Add(life().Rematch)) {
		t.Errorf("it is %s on %+v, asked again at %s", j.State, j.Target, j.NextAsk())
	}
	if last := events[len(events)-1]; encoded(last.Job) != encoded(j) {
		t.Errorf("%s does not carry the job as it is: %s", last.Type, cmp.Diff(encoded(last.Job), encoded(j)))
	}
}
