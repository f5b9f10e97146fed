package rest_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
	"github.com/icos-jobmanager/jobmanager/rest/oldclient"
)

// outcome of an incompliance at its one job.
func (w *ocmWorld) outcome(incompliance string) string {
	w.t.Helper()
	var data struct {
		Incompliances struct {
			Nodes []struct {
				ID           string
				Remediations []struct{ SubType, Outcome string }
			}
		}
	}
	w.s.Must(w.t, `{ incompliances(first: 100) { nodes { id remediations { subType outcome } } } }`, nil, &data)
	for _, i := range data.Incompliances.Nodes {
		if i.ID == incompliance && len(i.Remediations) == 1 {
			return i.Remediations[0].SubType + " " + i.Remediations[0].Outcome
		}
	}
	w.t.Fatalf("incompliance %s is not there with one remediation: %+v", incompliance, data)
	return ""
}

func TestAScaleUpIsDoneOnceByAnOCMHub(t *testing.T) {
	ocmEach(t, func(w *ocmWorld) {
		group, h := w.create(ocmDescribe("app", "web", "db")), w.hub()
		w.tick(h)
		id := w.violate(group.ID, "scale-up")
		w.violateAs(id, group.ID, "scale-up") // the Policy Manager's retry
		listed := w.more(3, h)
		if len(listed) != 1 || listed[0].Type != oldclient.OCMUpdate || listed[0].SubType != "scale-up" || listed[0].OwnerID != h.OwnerID || listed[0].Resource.ResourceName != h.Fleet.Of("web")[0].Name {
			w.t.Errorf("listed %+v", listed)
		}
		if text := strings.Join(h.Fleet.Of("web")[0].Manifests, "\n"); !strings.Contains(text, "replicas: 3") {
			w.t.Errorf("scaled to %s", text)
		}
		if told := w.outcome(id); told != "scale-up FINISHED" {
			w.t.Errorf("the incompliance ended as %s", told)
		}
		w.checkOnce(group.ID, h)
	})
}

// TestAScaleUpOfWhichNobodyToldIsNotRepeated loses the report: done again, it would scale twice.
func TestAScaleUpOfWhichNobodyToldIsNotRepeated(t *testing.T) {
	ocmEach(t, func(w *ocmWorld) {
		group, h := w.create(ocmDescribe("app", "web")), w.hub()
		w.tick(h)
		w.violate(group.ID, "scale-up")
		h.Script = ocmOnce(ocmAny, func() oldclient.Plan { return oldclient.Plan{Report: oldclient.LostBefore} })
		w.tick(h)
		id := group.Jobs.Nodes[0].ID
		w.expired(id)
		w.past(h)
		if text := strings.Join(h.Fleet.Of("web")[0].Manifests, "\n"); !strings.Contains(text, "replicas: 3") {
			w.t.Errorf("scaled to %s", text)
		}
		if j := w.job(id); j.work() != "UPDATE_DEPLOYMENT/DEGRADED" || j.why() != "NoReport" {
			w.t.Errorf("the job is %+v, waiting %+v", j, j.Waiting)
		}
		w.violate(group.ID, "scale-down")
		w.ticks(w.phase(group.ID, "RUNNING"), h)
		if text := strings.Join(h.Fleet.Of("web")[0].Manifests, "\n"); !strings.Contains(text, "replicas: 2") {
			w.t.Errorf("the next incompliance decided for %s", text)
		}
	})
}

func TestAReallocationMovesTheWorkloadToTheOtherCluster(t *testing.T) {
	for name, plan := range map[string]oldclient.Plan{"Reported": {}, "ReportOfTheRemovalLost": {Report: oldclient.LostBefore}} {
		t.Run(name, func(t *testing.T) {
			ocmEach(t, func(w *ocmWorld) {
				group, h := w.create(ocmDescribe("app", "web")), w.hub()
				w.tick(h)
				before, stood := w.job(group.Jobs.Nodes[0].ID), h.Fleet.Works()[0]
				h.Script = ocmOnce(ocmAny, func() oldclient.Plan { return plan })
				id := w.violate(group.ID, "redeploy")
				w.ticks(func() bool { return w.job(before.ID).Target.Cluster != stood.Cluster }, h)
				w.ticks(w.phase(group.ID, "RUNNING"), h)
				w.checkOnce(group.ID, h)
				if stands := h.Fleet.Works()[0]; stands.Cluster == stood.Cluster || stands.UID == stood.UID {
					w.t.Errorf("it stood as %+v and stands as %+v", stood, stands)
				}
				if told := w.outcome(id); told != "reallocation FINISHED" {
					w.t.Errorf("the incompliance ended as %s", told)
				}
			})
		})
	}
}

func TestNewManifestsReplaceAWorkOnce(t *testing.T) {
	ocmEach(t, func(w *ocmWorld) {
		descriptor := ocmDescribe("app", "web", "db")
		group, h := w.create(descriptor), w.hub()
		w.tick(h)
		web := h.Fleet.Of("web")[0]
		changed := strings.Replace(descriptor, "metadata: {name: web}", "metadata: {name: web, labels: {is: new}}", 1)
		w.verb("updateJobGroup", map[string]any{"jobGroupId": group.ID, "descriptor": changed})
		listed := w.more(3, h)
		if len(listed) != 1 || listed[0].Type != oldclient.OCMReplace || listed[0].Resource.ResourceName != web.Name {
			w.t.Errorf("listed %+v", listed)
		}
		works := h.Fleet.Works()
		at := slices.IndexFunc(works, func(work oldclient.Work) bool { return work.UID == web.UID })
		if len(works) != 2 || at < 0 || !strings.Contains(works[at].Manifests[0], "is: new") {
			w.t.Errorf("there stand %+v", works)
		}
		if g := w.group(group.ID); g.Phase != "RUNNING" {
			w.t.Errorf("the group is %s: %+v", g.Phase, g.Jobs.Nodes)
		}
	})
}

// TestNewManifestsDuringACreateFollowIt changes the descriptor while the hub deploys the former one: promoted, or only
// handed out.
func TestNewManifestsDuringACreateFollowIt(t *testing.T) {
	ocmEach(t, func(w *ocmWorld) {
		descriptor := ocmDescribe("app", "web", "db")
		group, h := w.create(descriptor), w.hub()
		h.Script = ocmOnce(ocmAny, func() oldclient.Plan {
			return oldclient.Plan{BeforeReport: func() {
				changed := strings.ReplaceAll(descriptor, "replicas: 2", "replicas: 7")
				w.verb("updateJobGroup", map[string]any{"jobGroupId": group.ID, "descriptor": changed})
			}}
		})
		for _, call := range w.tick(h).Of(http.MethodPut, oldclient.OCMReportPath) {
			if call.Status != http.StatusOK {
				w.t.Errorf("a report is answered %d %s", call.Status, call.Answer)
			}
		}
		w.ticks(w.phase(group.ID, "RUNNING"), h)
		w.more(2, h)
		works := h.Fleet.Works()
		for _, work := range works {
			if text := strings.Join(work.Manifests, "\n"); !strings.Contains(text, "replicas: 7") {
				w.t.Errorf("%s still runs %s", work.Name, text)
			}
		}
		if len(works) != 2 || w.group(group.ID).Phase != "RUNNING" {
			w.t.Errorf("there stand %+v", works)
		}
	})
}

// TestWhatASilentHubRunsIsUnknownUntilItSyncs lets a hub be away for longer than its grace time.
func TestWhatASilentHubRunsIsUnknownUntilItSyncs(t *testing.T) {
	ocmEach(t, func(w *ocmWorld) {
		group, h := w.create(ocmDescribe("app", "web")), w.hub()
		id := group.Jobs.Nodes[0].ID
		w.tick(h)
		w.past(h) // polls and syncs are its presence
		if j := w.job(id); j.condition("Available") != "TRUE/ResourcesAvailable" || j.Waiting != nil {
			w.t.Errorf("in spite of its polls: %+v %+v", j, j.Resource)
		}
		w.until(func() bool { return w.job(id).why() == "AgentSilent" }, ocmPause, func() {})
		w.tick(h)
		if j := w.job(id); j.condition("Available") != "TRUE/ResourcesAvailable" || j.Waiting != nil {
			w.t.Errorf("back again: %+v %+v", j, j.Resource)
		}
	})
}

// TestAStartAfterAStopMakesANewWork also shows that the works of the former life are never taken for it.
func TestAStartAfterAStopMakesANewWork(t *testing.T) {
	ocmEach(t, func(w *ocmWorld) {
		group, h := w.create(ocmDescribe("app", "web")), w.hub()
		w.tick(h)
		former := h.Fleet.Works()[0]
		w.stop(group.ID)
		w.ticks(w.phase(group.ID, "STOPPED"), h)
		w.verb("startJobGroup", map[string]any{"jobGroupId": group.ID})
		w.ticks(w.phase(group.ID, "RUNNING"), h)
		w.checkOnce(group.ID, h)
		if stands := h.Fleet.Works()[0]; stands.UID == former.UID {
			w.t.Errorf("stands as %+v", stands)
		}
	})
}

func TestAThousandForeignWorksOfEverySyncChangeNothing(t *testing.T) {
	ocmEach(t, func(w *ocmWorld) {
		group, h := w.create(ocmDescribe("app", "web", "db")), w.hub()
		for name, n := range map[string]int{"web": 10, "klusterlet-addon": 980, "Odd_Name": 10} { // also of the component's own form
			if err := h.Fleet.AddForeign("hill", name, n); err != nil {
				w.t.Fatal(err)
			}
		}
		foreign := w.sync(h)
		if got := ocmStatuses(foreign.Calls); !slices.Equal(got, []int{http.StatusBadRequest}) || len(foreign.Calls) != 1000 || ocmSays(foreign.Calls[0]) != "job not found" {
			w.t.Errorf("%d statuses of nobody's works are answered %v, the first with %q", len(foreign.Calls), got, ocmSays(foreign.Calls[0]))
		}
		w.clock.Advance(ocmPause)
		tick := w.tick(h)
		if told := tick.Of(http.MethodPut, oldclient.OCMStatusPath); len(told) != 1002 || !slices.Equal(ocmStatuses(told), []int{http.StatusOK, http.StatusBadRequest}) {
			w.t.Errorf("%d statuses are answered %v", len(told), ocmStatuses(told))
		}
		before := w.head()
		w.more(2, h)
		if after := w.head(); after != before {
			w.t.Errorf("syncs that tell nothing new moved the log from %s to %s", before, after)
		}
		g := w.group(group.ID)
		for _, j := range g.Jobs.Nodes {
			if works := h.Fleet.Of(j.Component); len(works) != 1 || j.uid() != works[0].UID {
				w.t.Errorf("%s: %+v of %+v", j.Component, j.Resource, works)
			}
		}
		if g.Phase != "RUNNING" {
			w.t.Errorf("the group is %s", g.Phase)
		}
	})
}

// TestAWorkThatStoodBeforeTheAttemptIsNotAdopted has foreign works of the component's own form, and a failure.
func TestAWorkThatStoodBeforeTheAttemptIsNotAdopted(t *testing.T) {
	ocmEach(t, func(w *ocmWorld) {
		group, h := w.create(ocmDescribe("app", "web")), w.hub()
		if err := h.Fleet.AddForeign("hill", "web", 1); err != nil {
			w.t.Fatal(err)
		}
		w.sync(h)
		w.clock.Advance(ocmPause)
		h.Script = ocmOnce(ocmAny, func() oldclient.Plan { return oldclient.Plan{Outcome: oldclient.Fails} })
		w.tick(h)
		w.more(3, h)
		if j := w.job(group.Jobs.Nodes[0].ID); j.work() != "CREATE_DEPLOYMENT/PROGRESSING" || j.Resource != nil {
			w.t.Errorf("after a failure: %+v %+v", j, j.Resource)
		}
		w.ticks(w.phase(group.ID, "RUNNING"), h)
		works := h.Fleet.Of("web")
		if j := w.job(group.Jobs.Nodes[0].ID); len(works) != 1 || j.uid() != works[0].UID {
			w.t.Errorf("in the end %+v runs of %+v", j.Resource, works)
		}
	})
}

// head is the cursor behind everything that has happened.
func (w *ocmWorld) head() string {
	w.t.Helper()
	var data struct{ ServerInfo struct{ Revision string } }
	w.s.Must(w.t, `{ serverInfo { revision } }`, apptest.Vars{}, &data)
	return data.ServerInfo.Revision
}
