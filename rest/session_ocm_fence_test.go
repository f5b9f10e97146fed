package rest_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/config"
	"github.com/icos-jobmanager/jobmanager/rest/oldclient"
)

// slowly scripts a hub that takes so long for its first job that others may take the rest of its list; meanwhile is
// done in that time.
func slowly(w *ocmWorld, d time.Duration, meanwhile func()) func(oldclient.OCMJob) oldclient.Plan {
	return ocmOnce(ocmAny, func() oldclient.Plan {
		return oldclient.Plan{BeforeReport: func() {
			w.clock.Advance(d)
			meanwhile()
		}}
	})
}

// TestAnOCMHubThatIgnoresARefusalLeavesAStrayThatIsVisible lets a hub go on with a list that has long lapsed.
func TestAnOCMHubThatIgnoresARefusalLeavesAStrayThatIsVisible(t *testing.T) {
	ocmEach(t, func(w *ocmWorld) {
		group, slow, quick := w.create(ocmDescribe("app", "web", "db")), w.hub(), w.hub()
		var taken oldclient.Tick
		slow.Script = slowly(w, time.Minute, func() { taken = w.tick(quick) })
		tick := w.tick(slow)
		if len(tick.Listed) != 2 || len(taken.Listed) != 1 {
			w.t.Fatalf("%d jobs are listed to the slow one, then %d to the quick one", len(tick.Listed), len(taken.Listed))
		}
		second := taken.Listed[0]
		promotes, reports := tick.Of(http.MethodPatch, oldclient.OCMPromotePath), tick.Of(http.MethodPut, oldclient.OCMReportPath)
		if got := promotes[1]; got.Status != http.StatusBadRequest || ocmSays(got) != "job cannot be promoted" {
			w.t.Errorf("the late promotion is answered %d %s", got.Status, got.Answer)
		}
		if got := reports[1]; got.Status != http.StatusBadRequest || ocmSays(got) == "" {
			w.t.Errorf("the report of what was not promoted is answered %d %s", got.Status, got.Answer)
		}
		component := second.Resource.ResourceName
		j, stray, own := w.job(second.ID), slow.Fleet.Of(component)[0], quick.Fleet.Of(component)[0]
		if j.work() != "CREATE_DEPLOYMENT/FINISHED" || j.Owner != quick.OwnerID || j.uid() != own.UID || j.Resource.Name != own.Name {
			w.t.Errorf("the job is %+v with %+v", j, j.Resource)
		}
		if seen := w.strays(j.ID); len(seen) != 1 || seen[0].UID != stray.UID || seen[0].Name != stray.Name || seen[0].OwnerID != slow.OwnerID {
			w.t.Errorf("the stray %+v is seen as %+v", stray, seen)
		}
		w.more(2, slow, quick)
		if j := w.job(second.ID); j.uid() != own.UID || len(w.strays(j.ID)) != 1 {
			w.t.Errorf("after more syncs %+v, strays %+v", j.Resource, w.strays(j.ID))
		}
		w.stop(group.ID)
		w.ticks(w.phase(group.ID, "STOPPED"), slow, quick)
		if left := slices.Concat(slow.Fleet.Works(), quick.Fleet.Works()); len(left) > 0 {
			w.t.Errorf("after the stop there stand %+v", left)
		}
	})
}

// TestAClosedConnectionKeepsAnOCMHubFromExecuting is the only answer to a late promotion that it heeds.
func TestAClosedConnectionKeepsAnOCMHubFromExecuting(t *testing.T) {
	ocmEachWith(t, func(c *config.Config) { c.RefusedPromote = "close" }, func(w *ocmWorld) {
		group, slow, quick := w.create(ocmDescribe("app", "web", "db")), w.hub(), w.hub()
		slow.Script = slowly(w, time.Minute, func() { w.tick(quick) })
		tick := w.tick(slow)
		promotes := tick.Of(http.MethodPatch, oldclient.OCMPromotePath)
		if len(promotes) != 2 || promotes[0].Status != http.StatusNoContent || promotes[1].Err == nil {
			w.t.Errorf("the promotions are answered %v, the second with the error %v", ocmStatuses(promotes), promotes[len(promotes)-1].Err)
		}
		if len(tick.Of(http.MethodPut, oldclient.OCMReportPath)) != 1 {
			w.t.Errorf("reported %+v", tick.Of(http.MethodPut, oldclient.OCMReportPath))
		}
		w.ticks(w.phase(group.ID, "RUNNING"), slow, quick)
		w.checkOnce(group.ID, slow, quick)
	})
}

// TestALateReportAfterATakeoverIsRefusedAndLeavesItsEvidence lets a hub be slower than its lease.
func TestALateReportAfterATakeoverIsRefusedAndLeavesItsEvidence(t *testing.T) {
	ocmEach(t, func(w *ocmWorld) {
		group, late, next := w.create(ocmDescribe("app", "web")), w.hub(), w.hub()
		id := group.Jobs.Nodes[0].ID
		late.Script = ocmOnce(ocmAny, func() oldclient.Plan {
			return oldclient.Plan{BeforeReport: func() {
				w.expired(id)
				w.ticks(w.is(id, "CREATE_DEPLOYMENT/FINISHED"), next)
			}}
		})
		tick := w.tick(late)
		report := tick.Of(http.MethodPut, oldclient.OCMReportPath)[0]
		if report.Status != http.StatusBadRequest || ocmSays(report) == "" {
			w.t.Errorf("the late report is answered %d %s", report.Status, report.Answer)
		}
		j, own, stray := w.job(id), next.Fleet.Works()[0], late.Fleet.Works()[0]
		if j.Owner != next.OwnerID || j.uid() != own.UID || j.State != "FINISHED" {
			w.t.Errorf("the job is %+v with %+v", j, j.Resource)
		}
		if seen := w.strays(id); len(seen) != 1 || seen[0].UID != stray.UID || seen[0].Name != stray.Name || seen[0].OwnerID != late.OwnerID {
			w.t.Errorf("the stray %+v is seen as %+v", stray, seen)
		}
		w.stop(group.ID)
		w.ticks(w.phase(group.ID, "STOPPED"), late, next)
		if left := slices.Concat(late.Fleet.Works(), next.Fleet.Works()); len(left) > 0 {
			w.t.Errorf("after the stop there stand %+v", left)
		}
	})
}

// TestAReportAfterItsLeaseIsTakenWhileNobodyElseHasClaimed is a hub that is late alone.
func TestAReportAfterItsLeaseIsTakenWhileNobodyElseHasClaimed(t *testing.T) {
	ocmEach(t, func(w *ocmWorld) {
		group, h := w.create(ocmDescribe("app", "web")), w.hub()
		h.Script = ocmOnce(ocmAny, func() oldclient.Plan {
			return oldclient.Plan{BeforeReport: func() { w.expired(group.Jobs.Nodes[0].ID) }}
		})
		if got := ocmStatuses(w.tick(h).Of(http.MethodPut, oldclient.OCMReportPath)); !slices.Equal(got, []int{http.StatusOK}) {
			w.t.Errorf("the report is answered %v", got)
		}
		w.checkOnce(group.ID, h)
	})
}

// TestAHandOutThatIsReportedWithoutAPromoteIsAClaimAndAReportInOne has a proxy that answers the promotion.
func TestAHandOutThatIsReportedWithoutAPromoteIsAClaimAndAReportInOne(t *testing.T) {
	for name, late := range map[string]time.Duration{"InTime": 0, "AfterTheHandOutLapsed": time.Minute} {
		t.Run(name, func(t *testing.T) {
			ocmEach(t, func(w *ocmWorld) {
				group, h := w.create(ocmDescribe("app", "web")), w.hub()
				h.Intercept = func(r *http.Request) int {
					if r.Method == http.MethodPatch {
						return http.StatusBadGateway
					}
					return 0
				}
				h.Script = slowly(w, late, func() {})
				tick := w.tick(h)
				if got := ocmStatuses(tick.Of(http.MethodPut, oldclient.OCMReportPath)); !slices.Equal(got, []int{http.StatusOK}) {
					w.t.Errorf("the report is answered %v: %s", got, tick.Of(http.MethodPut, oldclient.OCMReportPath)[0].Answer)
				}
				w.checkOnce(group.ID, h)
				j := w.job(group.Jobs.Nodes[0].ID)
				if j.Epoch != 1 || j.Attempt != 1 || len(j.Attempts) != 1 || j.Attempts[0].Outcome != "FINISHED" || j.Owner != h.OwnerID {
					w.t.Errorf("the job is %+v", j)
				}
			})
		})
	}
}

// TestAReportOfWhatWasNeverListedChangesNothing forges reports of a job that another hub holds.
func TestAReportOfWhatWasNeverListedChangesNothing(t *testing.T) {
	ocmEach(t, func(w *ocmWorld) {
		group, h, forger := w.create(ocmDescribe("app", "web")), w.hub(), oldclient.NewUUID()
		w.tick(h)
		id := group.Jobs.Nodes[0].ID
		before, head := w.job(id), w.head()
		_, shown := w.rest(http.MethodGet, "/jobmanager/jobs/"+id, "", "")
		for name, body := range map[string]string{
			"another owner": strings.ReplaceAll(shown, h.OwnerID, forger),
			"another type":  strings.Replace(shown, `"type":5`, `"type":6`, 1),
		} {
			if status, answer := w.rest(http.MethodPut, "/jobmanager/jobs", "", body); status != http.StatusBadRequest {
				w.t.Errorf("%s: answered %d %s", name, status, answer)
			}
		}
		if after := w.job(id); after.work() != before.work() || after.Owner != before.Owner || after.Epoch != before.Epoch || after.uid() != before.uid() {
			w.t.Errorf("the job was %+v and is %+v", before, after)
		}
		if after := w.head(); after != head {
			w.t.Errorf("the log moved from %s to %s", head, after)
		}
		unknown := strings.ReplaceAll(shown, id, oldclient.NewUUID())
		if status, answer := w.rest(http.MethodPut, "/jobmanager/jobs", "", unknown); status != http.StatusNotFound || !strings.Contains(answer, "job not found") {
			w.t.Errorf("a job that is not there: answered %d %s", status, answer)
		}
	})
}

// TestTwoAttemptsThatMayEachHaveLeftAWorkloadWaitForAnAdmin loses two reports, and no sync comes in between.
func TestTwoAttemptsThatMayEachHaveLeftAWorkloadWaitForAnAdmin(t *testing.T) {
	ambiguous := func(w *ocmWorld) (job ocmJob, group ocmGroup, h *oldclient.Hub) {
		group, h = w.create(ocmDescribe("app", "web")), w.hub()
		id := group.Jobs.Nodes[0].ID
		h.Script = func(oldclient.OCMJob) oldclient.Plan { return oldclient.Plan{Report: oldclient.LostBefore} }
		w.execute(h)
		w.expired(id)
		w.until(func() bool { return len(h.Fleet.Works()) == 2 }, ocmPause, func() { w.execute(h) })
		h.Script = nil
		w.clock.Advance(ocmPause)
		w.sync(h)
		w.sync(h)
		if j := w.job(id); j.why() != "AmbiguousWorkload" || j.Resource != nil && j.Resource.UID != "" {
			w.t.Errorf("the job waits with %+v: %+v", j.Waiting, j)
		}
		if seen := w.strays(id); len(seen) != 2 {
			w.t.Errorf("the candidates are %+v", seen)
		}
		if listed := w.past(h); len(listed) > 0 {
			w.t.Errorf("offered in spite of the doubt: %+v", listed)
		}
		return w.job(id), group, h
	}
	t.Run("AdoptResource", func(t *testing.T) {
		ocmEach(t, func(w *ocmWorld) {
			j, group, h := ambiguous(w)
			chosen := h.Fleet.Works()[1]
			w.verb("adoptResource", map[string]any{"jobId": j.ID, "uid": chosen.UID})
			if j := w.job(j.ID); j.work() != "CREATE_DEPLOYMENT/FINISHED" || j.uid() != chosen.UID || j.Workload != "PRESENT" || j.Owner != h.OwnerID || j.Waiting != nil {
				w.t.Errorf("adopted: %+v %+v", j, j.Resource)
			}
			w.clock.Advance(ocmPause)
			w.sync(h)
			if j := w.job(j.ID); j.condition("Available") != "TRUE/ResourcesAvailable" {
				w.t.Errorf("one sync later: %+v", j.Resource)
			}
			if listed := w.past(h); len(listed) > 0 || len(h.Fleet.Works()) != 2 {
				w.t.Errorf("offered again: %+v", listed)
			}
			w.stop(group.ID) // what was decided holds nobody up any more
			w.ticks(w.phase(group.ID, "STOPPED"), h)
			if left := h.Fleet.Works(); slices.ContainsFunc(left, func(work oldclient.Work) bool { return work.UID == chosen.UID }) {
				w.t.Errorf("after the stop there stand %+v", left)
			}
		})
	})
	t.Run("Stop", func(t *testing.T) {
		ocmEach(t, func(w *ocmWorld) {
			j, group, h := ambiguous(w)
			w.stop(group.ID)
			w.until(func() bool {
				return len(h.Fleet.Works()) == 0 || w.job(j.ID).State == "FINISHED" || w.job(j.ID).why() == "AmbiguousWorkload"
			}, ocmPause, func() { w.tick(h) })
			w.past(h)
			left, now := h.Fleet.Works(), w.job(j.ID)
			if len(left) > 0 && (now.State == "FINISHED" || now.why() != "AmbiguousWorkload" || len(w.strays(j.ID)) != len(left)) {
				w.t.Errorf("there stand %+v, and the job is %+v, waiting %+v, strays %+v", left, now, now.Waiting, w.strays(j.ID))
			}
		})
	})
	t.Run("RetryJob", func(t *testing.T) {
		ocmEach(t, func(w *ocmWorld) {
			j, group, h := ambiguous(w)
			w.verb("retryJob", map[string]any{"jobId": j.ID})
			w.ticks(w.phase(group.ID, "RUNNING"), h)
			works := h.Fleet.Works()
			if j := w.job(j.ID); len(works) != 3 || j.work() != "CREATE_DEPLOYMENT/FINISHED" || !slices.ContainsFunc(works, func(work oldclient.Work) bool { return work.UID == j.uid() }) {
				w.t.Errorf("tried again: %+v %+v beside %+v", j, j.Resource, works)
			}
		})
	})
}

// TestTwoJobsThatAWorkMayBeOfAreBothKeptBack has one component name in two groups.
func TestTwoJobsThatAWorkMayBeOfAreBothKeptBack(t *testing.T) {
	ocmEach(t, func(w *ocmWorld) {
		one, other, h := w.create(ocmDescribe("one", "web")), w.create(ocmDescribe("other", "web")), w.hub()
		lost := 0
		h.Script = func(oldclient.OCMJob) oldclient.Plan {
			if lost++; lost == 1 {
				return oldclient.Plan{Report: oldclient.LostBefore}
			}
			return oldclient.Plan{Outcome: oldclient.Fails}
		}
		w.tick(h)
		for _, group := range []ocmGroup{one, other} {
			if j := w.job(group.Jobs.Nodes[0].ID); j.why() != "AmbiguousWorkload" || j.uid() != "" {
				w.t.Errorf("%+v waits with %+v", j, j.Waiting)
			}
		}
		owner, work := h.Fleet.Works()[0].Annotations["app.icos.eu/instance"], h.Fleet.Works()[0]
		mine, theirs := one, other
		if owner == other.ID {
			mine, theirs = other, one
		}
		w.verb("adoptResource", map[string]any{"jobId": mine.Jobs.Nodes[0].ID, "uid": work.UID})
		w.verb("retryJob", map[string]any{"jobId": theirs.Jobs.Nodes[0].ID})
		h.Script = nil
		w.ticks(func() bool { return w.group(mine.ID).Phase == "RUNNING" && w.group(theirs.ID).Phase == "RUNNING" }, h)
		if works := h.Fleet.Works(); len(works) != 2 || w.job(mine.Jobs.Nodes[0].ID).uid() != work.UID {
			w.t.Errorf("in the end there stand %+v", works)
		}
	})
}
