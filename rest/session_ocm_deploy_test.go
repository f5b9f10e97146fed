package rest_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/icos-jobmanager/jobmanager/rest/oldclient"
)

// checkOnce wants every component of a running group to stand once on these hubs, as its job says.
func (w *ocmWorld) checkOnce(group string, hubs ...*oldclient.Hub) {
	w.t.Helper()
	g := w.group(group)
	if g.Phase != "RUNNING" {
		w.t.Errorf("the group is %s", g.Phase)
	}
	total := 0
	for _, h := range hubs {
		total += len(h.Fleet.Works())
	}
	if total != len(g.Jobs.Nodes) {
		w.t.Errorf("%d works stand for %d components", total, len(g.Jobs.Nodes))
	}
	for _, j := range g.Jobs.Nodes {
		var stands []oldclient.Work
		for _, h := range hubs {
			if works := h.Fleet.Of(j.Component); len(works) > 0 {
				stands = append(stands, works...)
				if j.Owner != h.OwnerID {
					w.t.Errorf("%s stands on the side of %s and is owned by %q", j.Component, h.OwnerID, j.Owner)
				}
			}
		}
		if len(stands) != 1 {
			w.t.Errorf("%s stands %d times: %+v", j.Component, len(stands), stands)
			continue
		}
		if j.State != "FINISHED" || j.Workload != "PRESENT" || j.uid() != stands[0].UID || j.Resource.Name != stands[0].Name || j.Target.Cluster != stands[0].Cluster {
			w.t.Errorf("%+v stands, and the job is %+v with resource %+v", stands[0], j, j.Resource)
		}
	}
}

func ocmTen() []string {
	var all []string
	for n := range 10 {
		all = append(all, fmt.Sprintf("part-%d", n))
	}
	return all
}

func TestTwoOCMHubsThatPollAtOnceDeployEachComponentOnce(t *testing.T) {
	ocmEach(t, func(w *ocmWorld) {
		group := w.create(ocmDescribe("app", ocmTen()...))
		hubs := []*oldclient.Hub{w.hub(), w.hub()}
		for range 3 {
			var both sync.WaitGroup
			for _, h := range hubs {
				both.Go(func() {
					if _, err := h.Tick(w.t.Context()); err != nil {
						w.t.Errorf("a tick breaks: %v", err)
					}
				})
			}
			both.Wait()
			w.clock.Advance(ocmPause)
		}
		w.ticks(w.phase(group.ID, "RUNNING"), hubs...)
		w.checkOnce(group.ID, hubs...)
		if listed := w.past(hubs...); len(listed) > 0 {
			w.t.Errorf("offered again: %+v", listed)
		}
		w.checkOnce(group.ID, hubs...)
	})
}

func TestEveryStateThatAnOCMHubReportsOfACreateMeansDone(t *testing.T) {
	ocmEach(t, func(w *ocmWorld) {
		group, h := w.create(ocmDescribe("app", "applied@hill", "progressing@hill", "available@hill", "degraded@hill")), w.hub()
		h.Script = func(job oldclient.OCMJob) oldclient.Plan {
			name := job.Resource.ResourceName
			return oldclient.Plan{Last: strings.ToUpper(name[:1]) + name[1:]}
		}
		for _, call := range w.tick(h).Of(http.MethodPut, oldclient.OCMReportPath) {
			if call.Status != http.StatusOK {
				w.t.Errorf("a report is answered %d %s", call.Status, call.Answer)
			}
		}
		g := w.group(group.ID)
		for _, j := range g.Jobs.Nodes {
			last := strings.ToUpper(j.Component[:1]) + j.Component[1:]
			if j.work() != "CREATE_DEPLOYMENT/FINISHED" || j.Workload != "PRESENT" || !strings.HasPrefix(j.condition(last), "TRUE/") || j.condition("Applied") == "" {
				w.t.Errorf("%s: %+v %+v", j.Component, j, j.Resource)
			}
		}
		if g.Phase != "DEGRADED" {
			w.t.Errorf("the group is %s", g.Phase)
		}
	})
}

func TestALostReportOfAnOCMHubIsAdoptedByItsSync(t *testing.T) {
	for name, plan := range map[string]oldclient.Plan{
		"LostOnTheWay":       {Report: oldclient.LostBefore},
		"AnswerLost":         {Report: oldclient.LostAfter},
		"NoConditionsInTime": {Outcome: oldclient.TimesOut},
	} {
		t.Run(name, func(t *testing.T) {
			ocmEach(t, func(w *ocmWorld) {
				group, h := w.create(ocmDescribe("app", "web", "db")), w.hub()
				h.Script = ocmOnce(func(j oldclient.OCMJob) bool { return j.Resource.ResourceName == "web" }, func() oldclient.Plan { return plan })
				w.tick(h)
				w.checkOnce(group.ID, h)
				h.Fleet.Settle()
				w.more(1, h)
				for _, j := range w.group(group.ID).Jobs.Nodes {
					if j.condition("Available") != "TRUE/ResourcesAvailable" || len(j.Attempts) != 1 || j.Attempts[0].Outcome != "FINISHED" {
						w.t.Errorf("one sync later %s: %+v %+v", j.Component, j, j.Resource)
					}
				}
				if listed := w.past(h); len(listed) > 0 {
					w.t.Errorf("offered again: %+v", listed)
				}
				w.checkOnce(group.ID, h)
				w.stop(group.ID)
				w.ticks(w.phase(group.ID, "STOPPED"), h)
				if left := h.Fleet.Works(); len(left) > 0 {
					w.t.Errorf("after the stop there stand %+v", left)
				}
			})
		})
	}
}

// TestALostReportIsAdoptedThoughKubernetesCutTheName has a component of 60 characters: of a name that is generated
// Kubernetes keeps the first 58 of "<component>-", without a hyphen then, and adds five.
func TestALostReportIsAdoptedThoughKubernetesCutTheName(t *testing.T) {
	ocmEach(t, func(w *ocmWorld) {
		group, h := w.create(ocmDescribe("app", strings.Repeat("long", 15))), w.hub()
		h.Script = ocmOnce(ocmAny, func() oldclient.Plan { return oldclient.Plan{Report: oldclient.LostBefore} })
		w.tick(h)
		w.checkOnce(group.ID, h)
	})
}

func TestAFailureOfAnOCMHubIsTriedAgainAfterItsLease(t *testing.T) {
	ocmEach(t, func(w *ocmWorld) {
		group, h := w.create(ocmDescribe("app", "web")), w.hub()
		h.Script = ocmOnce(ocmAny, func() oldclient.Plan { return oldclient.Plan{Outcome: oldclient.Fails} })
		begin := w.clock.Now()
		w.tick(h)
		j := w.job(group.Jobs.Nodes[0].ID)
		if j.work() != "CREATE_DEPLOYMENT/PROGRESSING" || j.Lease == nil || j.Lease.ExpiresAt.Sub(begin).Seconds() != 300 {
			w.t.Errorf("after a failure that nobody told: %+v with lease %+v", j, j.Lease)
		}
		before := j.Lease
		w.more(3, h)
		if j := w.job(j.ID); j.Lease == nil || *j.Lease != *before {
			w.t.Errorf("polls and syncs changed the lease to %+v", j.Lease)
		}
		w.ticks(w.phase(group.ID, "RUNNING"), h)
		w.checkOnce(group.ID, h)
		if passed := w.clock.Now().Sub(begin); passed.Seconds() < 300 {
			w.t.Errorf("tried again after %s", passed)
		}
	})
}

func TestAnOCMHubIsNotHandedTheJobsOfAnothersClusters(t *testing.T) {
	ocmEach(t, func(w *ocmWorld) {
		hill, valley := w.hub("hill"), w.hub("valley")
		for _, h := range []*oldclient.Hub{hill, valley} {
			cluster := "hill"
			if h == valley {
				cluster = "valley"
			}
			w.verb("setAgent", map[string]any{"ownerId": h.OwnerID, "orchestrator": "ocm", "clusters": []string{cluster}})
		}
		group := w.create(ocmDescribe("app", ocmTen()...))
		w.more(2, hill, valley)
		w.checkOnce(group.ID, hill, valley)
	})
}

func TestOCMHubsOfDifferentClustersFindTheirJobsWithoutHelp(t *testing.T) {
	ocmEach(t, func(w *ocmWorld) {
		hill, valley := w.hub("hill"), w.hub("valley")
		group := w.create(ocmDescribe("app", ocmTen()...))
		stuck := func() bool {
			return slices.ContainsFunc(w.group(group.ID).Jobs.Nodes, func(j ocmJob) bool { return j.why() == "AttemptsExhausted" })
		}
		w.ticks(func() bool { return w.group(group.ID).Phase == "RUNNING" || stuck() }, hill, valley)
		for _, j := range w.group(group.ID).Jobs.Nodes {
			if j.State != "FINISHED" {
				w.t.Errorf("%s on %s is %s/%s with %d attempts, %+v, all of %+v", j.Component, j.Target.Cluster, j.Type, j.State, j.Attempt, j.Waiting, j.Attempts)
			}
		}
		w.checkOnce(group.ID, hill, valley)
	})
}

func TestAnOCMHubIsToldAllThatItsJobsNeed(t *testing.T) {
	ocmEach(t, func(w *ocmWorld) {
		group, h := w.create(ocmDescribe("app", "web@hill", "db")), w.hub()
		listed := w.tick(h).Listed
		if len(listed) != 2 {
			w.t.Fatalf("listed %+v", listed)
		}
		for _, j := range listed {
			at := slices.IndexFunc(group.Jobs.Nodes, func(n ocmJob) bool { return n.ID == j.ID })
			if at < 0 || j.GroupID != group.ID || j.GroupName != "app" || j.Namespace != "app" || j.Orchestrator != "ocm" || j.Target.Orchestrator != "ocm" {
				w.t.Fatalf("listed %+v", j)
			}
			component := group.Jobs.Nodes[at].Component
			if j.Type != oldclient.OCMCreate || j.State != 1 || j.OwnerID != "" || j.Target.ID != 1 || j.Target.NodeName == "" ||
				len(j.Manifests) != 1 || j.Resource == nil || j.Resource.ResourceName != component || j.Resource.ID == "" || j.Resource.JobID != j.ID || len(j.Resource.Conditions) > 0 {
				w.t.Errorf("%s is listed as %+v with resource %+v", component, j, j.Resource)
			}
			works := h.Fleet.Of(component)
			if len(works) != 1 {
				w.t.Fatalf("%s stands %d times", component, len(works))
			}
			work, resource := works[0], w.job(j.ID).Resource
			if work.Annotations["app.icos.eu/instance"] != group.ID || work.Annotations["jobmanager.icos.eu/manifest"] != resource.ID || !strings.HasPrefix(work.Name, component+"-") || resource.Name != work.Name {
				w.t.Errorf("stands as %+v, known as %+v", work, resource)
			}
		}
		if pinned := listed[slices.IndexFunc(listed, func(j oldclient.OCMJob) bool { return j.Resource.ResourceName == "web" })]; pinned.Target.NodeName != "hill" {
			w.t.Errorf("without a node, the node is %q", pinned.Target.NodeName)
		}
	})
}

func TestStatusOfAnOCMSyncIsVisibleAtOnce(t *testing.T) {
	ocmEach(t, func(w *ocmWorld) {
		group, h := w.create(ocmDescribe("app", "web")), w.hub()
		w.tick(h)
		id, work := group.Jobs.Nodes[0].ID, h.Fleet.Works()[0]
		w.clock.Advance(ocmPause)
		if err := h.Fleet.SetCondition(work.UID, "Available", "False", "Crashed"); err != nil {
			w.t.Fatal(err)
		}
		w.sync(h)
		if j := w.job(id); j.condition("Available") != "FALSE/Crashed" || j.condition("Applied") == "" || w.group(group.ID).Phase != "DEGRADED" {
			w.t.Errorf("after one sync: %+v", j.Resource)
		}
		if status, answer := w.rest(http.MethodGet, "/jobmanager/resources/status/"+id, "", ""); status != http.StatusOK || !strings.Contains(answer, `"reason":"Crashed"`) {
			w.t.Errorf("over REST the status is %d %s", status, answer)
		}
		if err := h.Fleet.SetCondition(work.UID, "Available", "True", "Back"); err != nil {
			w.t.Fatal(err)
		}
		w.clock.Advance(ocmPause)
		if status := ocmStatuses(w.sync(h).Calls); !slices.Equal(status, []int{http.StatusOK}) {
			w.t.Errorf("a status is answered %v", status)
		}
		if j := w.job(id); j.condition("Available") != "TRUE/Back" || w.group(group.ID).Phase != "RUNNING" {
			w.t.Errorf("after the next sync: %+v", j.Resource)
		}
	})
}
