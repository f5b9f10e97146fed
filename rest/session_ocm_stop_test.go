package rest_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
	"github.com/icos-jobmanager/jobmanager/rest/oldclient"
)

func TestUndeployRemovesEachWorkOnceAndOffersItNeverAgain(t *testing.T) {
	for name, empties := range map[string]bool{"AsReleased": false, "EmptyingTheResource": true} {
		t.Run(name, func(t *testing.T) {
			ocmEach(t, func(w *ocmWorld) {
				group, h := w.create(ocmDescribe("app", ocmTen()[:4]...)), w.hub()
				h.EmptiesDeleted = empties
				w.tick(h)
				w.checkOnce(group.ID, h)
				if status, answer := w.rest(http.MethodPut, "/jobmanager/groups/undeploy/"+group.ID, "", ""); status != http.StatusOK {
					w.t.Fatalf("undeploy is answered %d %s", status, answer)
				}
				w.clock.Advance(ocmPause)
				removal := w.tick(h)
				reports := removal.Of(http.MethodPut, oldclient.OCMReportPath)
				if len(removal.Listed) != 4 || len(reports) != 4 || !slices.Equal(ocmStatuses(reports), []int{http.StatusOK}) {
					w.t.Errorf("%d removals are listed, %d reported: %v", len(removal.Listed), len(reports), ocmStatuses(reports))
				}
				if left := h.Fleet.Works(); len(left) > 0 {
					w.t.Errorf("there still stand %+v", left)
				}
				g := w.group(group.ID)
				for _, j := range g.Jobs.Nodes {
					if j.work() != "DELETE_DEPLOYMENT/FINISHED" || j.Workload != "NONE" || j.Resource != nil {
						w.t.Errorf("%s: %+v", j.Component, j)
					}
				}
				if g.Phase != "STOPPED" {
					w.t.Errorf("the group is %s", g.Phase)
				}
				if listed := w.past(h); len(listed) > 0 {
					w.t.Errorf("offered again: %+v", listed)
				}
				if status, answer := w.rest(http.MethodDelete, "/jobmanager/groups/"+group.ID, "", ""); status != http.StatusOK || !strings.HasPrefix(answer, "{") {
					w.t.Errorf("the deletion is answered %d %s", status, answer)
				}
			})
		})
	}
}

// TestAStopDuringACreateLeavesNoOrphan stops the group after the promotion and before the report; the hub knows nothing
// of it and goes on.
func TestAStopDuringACreateLeavesNoOrphan(t *testing.T) {
	for name, plan := range map[string]oldclient.Plan{
		"Reported":           {},
		"ReportLost":         {Report: oldclient.LostBefore},
		"NoConditionsInTime": {Outcome: oldclient.TimesOut},
		"Failed":             {Outcome: oldclient.Fails},
	} {
		t.Run(name, func(t *testing.T) {
			ocmEach(t, func(w *ocmWorld) {
				group, h := w.create(ocmDescribe("app", "web")), w.hub()
				h.Script = ocmOnce(ocmAny, func() oldclient.Plan {
					w.stop(group.ID)
					return plan
				})
				for _, call := range w.tick(h).Of(http.MethodPut, oldclient.OCMReportPath) {
					if call.Status != http.StatusBadRequest {
						w.t.Errorf("the late report is answered %d %s", call.Status, call.Answer)
					}
				}
				w.ticks(w.phase(group.ID, "STOPPED"), h)
				if left := h.Fleet.Works(); len(left) > 0 {
					w.t.Errorf("orphans: %+v; the job is %+v", left, w.job(group.Jobs.Nodes[0].ID))
				}
			})
		})
	}
}

// TestAStopDuringACreateLeavesNoOrphanThoughTheSyncIsMissedToo is a server that is away when the hub reports and when
// it syncs: the next thing that it hears is the poll.
func TestAStopDuringACreateLeavesNoOrphanThoughTheSyncIsMissedToo(t *testing.T) {
	ocmEach(t, func(w *ocmWorld) {
		group, h := w.create(ocmDescribe("app", "web")), w.hub()
		h.Script = ocmOnce(ocmAny, func() oldclient.Plan {
			w.stop(group.ID)
			return oldclient.Plan{Report: oldclient.LostBefore}
		})
		w.execute(h)
		w.clock.Advance(ocmPause)
		w.ticks(w.phase(group.ID, "STOPPED"), h)
		if left := h.Fleet.Works(); len(left) > 0 {
			w.t.Errorf("orphans: %+v; the job is %+v", left, w.job(group.Jobs.Nodes[0].ID))
		}
	})
}

// TestAStopOfAHandOutLeavesNoOrphan stops what was listed and not yet promoted: the promotion is refused, or is one of
// other work by then, and the hub executes what it was listed all the same.
func TestAStopOfAHandOutLeavesNoOrphan(t *testing.T) {
	for name, test := range map[string]struct {
		late time.Duration
		plan oldclient.Plan
	}{
		"Reported":              {},
		"ReportLost":            {plan: oldclient.Plan{Report: oldclient.LostBefore}},
		"AfterTheHandOutLapsed": {late: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			ocmEach(t, func(w *ocmWorld) {
				group, h := w.create(ocmDescribe("app", "web", "db")), w.hub()
				first, stopped := true, ""
				h.Script = func(job oldclient.OCMJob) oldclient.Plan {
					if !first {
						stopped = job.ID
						return test.plan
					}
					first = false
					return oldclient.Plan{BeforeReport: func() {
						w.clock.Advance(test.late)
						w.stop(group.ID)
					}}
				}
				w.tick(h)
				if made := h.Fleet.Works(); len(made) != 2 {
					w.t.Errorf("the hub made %+v", made)
				}
				h.Script = nil
				w.ticks(func() bool { return w.group(group.ID).Phase == "STOPPED" && len(h.Fleet.Works()) == 0 }, h)
				if j := w.job(stopped); j.work() != "DELETE_DEPLOYMENT/FINISHED" || j.Workload != "NONE" || len(w.strays(stopped)) > 0 {
					w.t.Errorf("the job is %+v", j)
				}
			})
		})
	}
}

// TestAStopDuringAnUpdateRemovesTheWork stops while the owner scales.
func TestAStopDuringAnUpdateRemovesTheWork(t *testing.T) {
	ocmEach(t, func(w *ocmWorld) {
		group, h := w.create(ocmDescribe("app", "web")), w.hub()
		w.tick(h)
		w.violate(group.ID, "scale-up")
		h.Script = ocmOnce(ocmAny, func() oldclient.Plan {
			return oldclient.Plan{BeforeReport: func() { w.stop(group.ID) }}
		})
		if got := ocmStatuses(w.tick(h).Of(http.MethodPut, oldclient.OCMReportPath)); !slices.Equal(got, []int{http.StatusBadRequest}) {
			w.t.Errorf("the late report is answered %v", got)
		}
		w.ticks(w.phase(group.ID, "STOPPED"), h)
		if left := h.Fleet.Works(); len(left) > 0 {
			w.t.Errorf("orphans: %+v", left)
		}
	})
}

// TestAHubMayNotTakeAnothersRemoval promotes a pending Delete of another owner.
func TestAHubMayNotTakeAnothersRemoval(t *testing.T) {
	ocmEach(t, func(w *ocmWorld) {
		group, h, thief := w.create(ocmDescribe("app", "web")), w.hub(), w.hub()
		w.tick(h)
		w.stop(group.ID)
		id := group.Jobs.Nodes[0].ID
		if listed := w.tick(thief).Listed; len(listed) > 0 {
			w.t.Errorf("it is listed %+v", listed)
		}
		body := `{"owner_id":"` + thief.OwnerID + `"}`
		if status, answer := w.rest(http.MethodPatch, oldclient.OCMPromotePath+id, "application/json", body); status != http.StatusBadRequest || !strings.Contains(answer, "job cannot be promoted") {
			w.t.Errorf("the promotion is answered %d %s", status, answer)
		}
		if j := w.job(id); j.work() != "DELETE_DEPLOYMENT/CREATED" || j.Owner != h.OwnerID {
			w.t.Errorf("the job is %+v", j)
		}
	})
}

func TestADeleteOfSomethingThatIsNotThereEndsAsObservedAbsent(t *testing.T) {
	ocmEach(t, func(w *ocmWorld) {
		group, h := w.create(ocmDescribe("app", "web", "db")), w.hub()
		w.tick(h)
		if err := h.Fleet.Remove(h.Fleet.Of("web")[0].UID); err != nil {
			w.t.Fatal(err)
		}
		w.stop(group.ID)
		begin := w.clock.Now()
		w.clock.Advance(ocmPause)
		if reports := w.tick(h).Of(http.MethodPut, oldclient.OCMReportPath); len(reports) != 1 {
			w.t.Errorf("%d removals are reported", len(reports))
		}
		w.ticks(w.phase(group.ID, "STOPPED"), h)
		if passed := w.clock.Now().Sub(begin); passed.Seconds() < 300 {
			w.t.Errorf("believed after %s, before the lease ran out", passed)
		}
		var log struct {
			Events struct {
				Nodes []struct{ Type, Message string }
			}
		}
		w.s.Must(w.t, `query($id: ID!) { events(first: 500, filter: {jobGroupIds: [$id]}) { nodes { type message } } }`, apptest.Vars{"id": group.ID}, &log)
		if !slices.ContainsFunc(log.Events.Nodes, func(e struct{ Type, Message string }) bool {
			return e.Type == "JOB_FINISHED" && strings.Contains(e.Message, "ObservedAbsent")
		}) {
			w.t.Errorf("no event says ObservedAbsent: %+v", log.Events.Nodes)
		}
	})
}

// TestARemovalThatFailedIsTriedUntilItIsDone lets a removal fail while the work stands: the sync names it.
func TestARemovalThatFailedIsTriedUntilItIsDone(t *testing.T) {
	ocmEach(t, func(w *ocmWorld) {
		group, h := w.create(ocmDescribe("app", "web")), w.hub()
		w.tick(h)
		w.stop(group.ID)
		fails := 2
		h.Script = func(oldclient.OCMJob) oldclient.Plan {
			if fails--; fails >= 0 {
				return oldclient.Plan{Outcome: oldclient.Fails}
			}
			return oldclient.Plan{}
		}
		w.ticks(w.phase(group.ID, "STOPPED"), h)
		if left := h.Fleet.Works(); len(left) > 0 || fails >= 0 {
			w.t.Errorf("orphans: %+v", left)
		}
	})
}

// TestALostReportOfARemovalIsObserved removes the work and loses what the hub says about it.
func TestALostReportOfARemovalIsObserved(t *testing.T) {
	ocmEach(t, func(w *ocmWorld) {
		group, h := w.create(ocmDescribe("app", "web")), w.hub()
		w.tick(h)
		w.stop(group.ID)
		h.Script = ocmOnce(ocmAny, func() oldclient.Plan { return oldclient.Plan{Report: oldclient.LostBefore} })
		w.ticks(w.phase(group.ID, "STOPPED"), h)
		w.verb("startJobGroup", map[string]any{"jobGroupId": group.ID})
		w.ticks(w.phase(group.ID, "RUNNING"), h)
		w.checkOnce(group.ID, h)
	})
}
