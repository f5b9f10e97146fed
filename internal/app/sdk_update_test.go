package app_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/icos-jobmanager/jobmanager/agent/simulated"
	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
)

// TestAnUpdateTouchesOnlyWhatChanged gives a running application a descriptor in which one component has another
// manifest, one is the same, one is gone and one is new.
func TestAnUpdateTouchesOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		driver := &puppet{world: simulated.New(simulated.Config{})}
		runAgent(t, agentConfig(s.URL, "hub", driver))
		group := create(t, s.Client, describe("app", pinned("changed", "1"), pinned("same", "1"), pinned("gone", "1")))
		awaitPhase(t, s.Client, group.ID, "RUNNING")
		before := head(t, s.Client)
		was, applied := seeGroup(t, s.Client, group.ID), len(driver.called())

		leaving := s.Subscribe(t, `subscription($id: ID!) { jobChanged(filter: {ids: [$id]}) { kind cursor job { component state } } }`, apptest.Vars{"id": was.job(t, "gone").ID})
		updated := update(t, s.Client, group.ID, describe("app", pinned("added", "1"), pinned("changed", "2"), pinned("same", "1")))
		if updated.Generation != group.Generation+1 || !strings.Contains(updated.Descriptor, "added") {
			t.Errorf("the update answers %+v", updated)
		}
		awaitJobs(t, s.Client, group.ID, "added CREATE_DEPLOYMENT/FINISHED", "changed REPLACE_DEPLOYMENT/FINISHED", "same CREATE_DEPLOYMENT/FINISHED")
		for line := ""; !strings.HasPrefix(line, "LEFT"); {
			line, _ = told(leaving, "jobChanged")
		}
		now := seeGroup(t, s.Client, group.ID)
		if now.Phase != "RUNNING" || cmp.Diff(was.job(t, "same"), now.job(t, "same")) != "" {
			t.Errorf("phase %s; the unchanged job was and is (-was +is):\n%s", now.Phase, cmp.Diff(was.job(t, "same"), now.job(t, "same")))
		}
		if j := now.job(t, "changed"); j.Generation != 2 || j.Resource.UID != was.job(t, "changed").Resource.UID || !strings.Contains(j.Manifests[0].Text, `"2"`) {
			t.Errorf("the changed job is %+v", j)
		}
		if touched := eventsAfter(t, s.Client, before, map[string]any{"jobIds": []string{was.job(t, "same").ID}}); len(touched) != 0 {
			t.Errorf("events of the unchanged job: %v", touched)
		}
		want := map[string][]string{
			"changed": {"JOB_UPDATED", "JOB_CLAIMED", "JOB_FINISHED"},
			"gone":    {"JOB_STOPPED", "JOB_UPDATED", "JOB_CLAIMED", "JOB_FINISHED", "RESOURCE_REMOVED", "JOB_DELETED"},
		}
		for component, wanted := range want {
			told := eventsAfter(t, s.Client, before, map[string]any{"jobIds": []string{was.job(t, component).ID}})
			got := slices.DeleteFunc(types(told), func(kind string) bool { return kind == "RESOURCE_REPORTED" })
			if diff := cmp.Diff(wanted, got); diff != "" {
				t.Errorf("events of %s (-want +got):\n%s", component, diff)
			}
		}
		called := driver.called()[applied:]
		slices.Sort(called)
		if diff := cmp.Diff([]string{"CREATE added", "DELETE gone", "REPLACE changed"}, called); diff != "" {
			t.Errorf("the driver was called for (-want +got):\n%s", diff)
		}
		checkWorkOnce(t, s.Client, driver.world)
	})
}

// awaitJobs watches a group's jobs until they are as wanted: "component TYPE/STATE" each, by component.
func awaitJobs(t *testing.T, c *apptest.Client, group string, want ...string) {
	t.Helper()
	watch := c.Subscribe(t, `subscription($id: ID!) { jobChanged(filter: {jobGroupIds: [$id]}) { job { id } } }`, apptest.Vars{"id": group})
	defer watch.Close()
	for {
		var now []string
		for _, j := range seeGroup(t, c, group).Jobs.Nodes {
			now = append(now, j.Component+" "+j.work())
		}
		if slices.Sort(now); slices.Equal(now, want) {
			return
		}
		var m struct{}
		watch.Next(&m)
	}
}

// TestAnUpdateWaitsForTheWorkInProgress updates a component twice while its first attempt runs: what was begun ends,
// and one Replace brings the newest manifests.
func TestAnUpdateWaitsForTheWorkInProgress(t *testing.T) {
	t.Parallel()
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		stuck := newStall(t)
		driver := &puppet{world: simulated.New(simulated.Config{}), before: stuck.hold}
		runAgent(t, agentConfig(s.URL, "hub", driver))
		group := create(t, s.Client, describe("app", pinned("web", "1")))
		if job := <-stuck.began; !strings.Contains(job.Manifests[0].Text, `"1"`) {
			t.Errorf("first applied: %+v", job.Manifests)
		}
		for _, text := range []string{"2", "3"} {
			updated := update(t, s.Client, group.ID, describe("app", pinned("web", text)))
			if j := updated.Jobs.Nodes[0]; j.work() != "CREATE_DEPLOYMENT/PROGRESSING" || j.Epoch != 1 {
				t.Errorf("updated to %s during the work: %+v", text, j)
			}
		}
		stuck.goOn <- nil
		job := <-stuck.began
		if job.Type != "REPLACE_DEPLOYMENT" || job.Generation != 2 || !strings.Contains(job.Manifests[0].Text, `"3"`) {
			t.Errorf("then %+v", job)
		}
		stuck.goOn <- nil
		awaitPhase(t, s.Client, group.ID, "RUNNING")
		if diff := cmp.Diff([]string{"CREATE web", "REPLACE web"}, driver.called()); diff != "" {
			t.Errorf("the driver was called for (-want +got):\n%s", diff)
		}
	})
}

// TestAStartBringsUpWhatTheDescriptorSaysByThen updates a stopped application, and starts it.
func TestAStartBringsUpWhatTheDescriptorSaysByThen(t *testing.T) {
	t.Parallel()
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		driver := &puppet{world: simulated.New(simulated.Config{})}
		runAgent(t, agentConfig(s.URL, "hub", driver))
		group := create(t, s.Client, describe("app", pinned("kept", "1"), pinned("gone", "1")))
		awaitPhase(t, s.Client, group.ID, "RUNNING")
		uid := seeJob(t, s.Client, group.job(t, "kept").ID).Resource.UID
		stop(t, s.Client, group.ID)
		awaitPhase(t, s.Client, group.ID, "STOPPED")

		updated := update(t, s.Client, group.ID, describe("app", pinned("kept", "2"), pinned("added", "1")))
		if updated.Phase != "STOPPED" || len(updated.Jobs.Nodes) != 1 || updated.job(t, "kept").work() != "DELETE_DEPLOYMENT/FINISHED" {
			t.Errorf("updated while stopped: %+v", updated)
		}
		started := startUp(t, s.Client, group.ID)
		if started.Generation != 4 || len(started.Jobs.Nodes) != 2 {
			t.Errorf("started as %+v", started)
		}
		awaitPhase(t, s.Client, group.ID, "RUNNING")
		now := seeGroup(t, s.Client, group.ID)
		kept := now.job(t, "kept")
		if kept.ID != group.job(t, "kept").ID || kept.Resource.UID == uid || !strings.Contains(kept.Manifests[0].Text, `"2"`) {
			t.Errorf("the kept job is %+v", kept)
		}
		checkWorkOnce(t, s.Client, driver.world)
		for range 2 { // a running one stays as it is
			if again := startUp(t, s.Client, group.ID); again.Phase != "RUNNING" || again.Generation != started.Generation {
				t.Errorf("started once more: %+v", again)
			}
		}
	})
}
