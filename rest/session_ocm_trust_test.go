package rest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
	"github.com/icos-jobmanager/jobmanager/internal/config"
	"github.com/icos-jobmanager/jobmanager/rest/oldclient"
)

// What may be believed of what is sent to this door: echoes, copies, and reports that do not fit.

// echo gets a job and puts it back as it is.
func (w *ocmWorld) echo(job string) (status int, answer string) {
	w.t.Helper()
	_, shown := w.rest(http.MethodGet, "/jobmanager/jobs/"+job, "", "")
	return w.rest(http.MethodPut, "/jobmanager/jobs", "application/json", shown)
}

// TestAnEchoOfAJobChangesNoState gets and puts a job in each kind of work, before anybody was listed it and after it was
// done.
func TestAnEchoOfAJobChangesNoState(t *testing.T) {
	ocmEach(t, func(w *ocmWorld) {
		text := ocmDescribe("app", "web")
		group, h := w.create(text), w.hub()
		id := group.Jobs.Nodes[0].ID
		check := func(work string) {
			w.t.Helper()
			before, head := w.job(id), w.head()
			if before.work() != work {
				w.t.Fatalf("the job is %s, want %s", before.work(), work)
			}
			status, answer := w.echo(id)
			if after := w.job(id); after.work() != work || after.Epoch != before.Epoch || after.Workload != before.Workload || after.uid() != before.uid() || w.head() != head {
				w.t.Errorf("%s: the echo is answered %d %s, and makes it %+v", work, status, answer, after)
			}
			if done := strings.HasSuffix(work, "/FINISHED") && work != "DELETE_DEPLOYMENT/FINISHED"; done != (status == http.StatusOK) && work != "DELETE_DEPLOYMENT/FINISHED" {
				w.t.Errorf("%s: the echo is answered %d %s", work, status, answer)
			}
		}
		check("CREATE_DEPLOYMENT/CREATED")
		w.tick(h)
		check("CREATE_DEPLOYMENT/FINISHED")
		w.violate(group.ID, "scale-up")
		check("UPDATE_DEPLOYMENT/CREATED")
		w.more(1, h)
		check("UPDATE_DEPLOYMENT/FINISHED")
		w.verb("updateJobGroup", map[string]any{"jobGroupId": group.ID, "descriptor": strings.Replace(text, "replicas: 2", "replicas: 4", 1)})
		check("REPLACE_DEPLOYMENT/CREATED")
		w.more(1, h)
		check("REPLACE_DEPLOYMENT/FINISHED")
		w.stop(group.ID)
		check("DELETE_DEPLOYMENT/CREATED")
		w.more(1, h)
		check("DELETE_DEPLOYMENT/FINISHED")
		if works := h.Fleet.Works(); len(works) != 0 {
			w.t.Errorf("in the end there stand %+v", works)
		}
	})
}

// TestAReportOfAnOwnerThatNeverPolledClaimsAndLeavesNothing copies a job's JSON under a name of its own.
func TestAReportOfAnOwnerThatNeverPolledClaimsAndLeavesNothing(t *testing.T) {
	ocmEach(t, func(w *ocmWorld) {
		group, h := w.create(ocmDescribe("app", "web@hill", "db@valley")), w.hub("hill")
		w.tick(h)
		forger := oldclient.NewUUID()
		for _, j := range group.Jobs.Nodes {
			before, head := w.job(j.ID), w.head()
			for epoch := range before.Epoch + 2 {
				body := fmt.Sprintf(`{"id":%q,"owner_id":%q,"type":5,"state":3,"targets":{"id":%d,"cluster_name":"hill","node_name":"n","orchestrator":"ocm"},`+
					`"resource":{"resource_uuid":"evil","resource_name":"%s-evil1"}}`, j.ID, forger, epoch, j.Component)
				if status, answer := w.rest(http.MethodPut, "/jobmanager/jobs", "application/json", body); status != http.StatusBadRequest {
					w.t.Errorf("%s at epoch %d: answered %d %s", j.Component, epoch, status, answer)
				}
			}
			if after := w.job(j.ID); after.work() != before.work() || after.Owner != before.Owner || len(w.strays(j.ID)) != 0 || w.head() != head {
				w.t.Errorf("%s was %+v and is %+v, strays %+v", j.Component, before, after, w.strays(j.ID))
			}
		}
		w.stop(group.ID)
		w.ticks(w.phase(group.ID, "STOPPED"), h, w.hub("valley"))
	})
}

// TestAWorkWhoseConditionsAreLongIsReportedAndSyncedOnce: nobody bounds the messages that a workload's operator writes.
func TestAWorkWhoseConditionsAreLongIsReportedAndSyncedOnce(t *testing.T) {
	ocmEach(t, func(w *ocmWorld) {
		group, h := w.create(ocmDescribe("app", "web")), w.hub()
		j := group.Jobs.Nodes[0]
		var conditions []map[string]any
		for _, kind := range []string{"Applied", "Available", "Feedback"} {
			conditions = append(conditions, map[string]any{
				"type": kind, "status": "True", "reason": "Told", "message": strings.Repeat("m", 30<<10), "observedGeneration": -1,
			})
		}
		conditions = append(conditions, map[string]any{"type": "Odd", "status": "Perhaps"}, map[string]any{"type": "Nul", "status": "False", "message": "a\x00b"})
		listed := w.list(h)
		if len(listed) != 1 {
			w.t.Fatalf("%d jobs are listed", len(listed))
		}
		if status, answer := w.rest(http.MethodPatch, oldclient.OCMPromotePath+j.ID, "", `{"owner_id":"`+h.OwnerID+`"}`); status != http.StatusNoContent {
			w.t.Fatalf("the promotion is answered %d %s", status, answer)
		}
		resource := map[string]any{"resource_uuid": oldclient.NewUUID(), "resource_name": "web-x7k2p", "conditions": conditions}
		listed[0]["resource"], listed[0]["owner_id"] = resource, h.OwnerID
		for _, sent := range []struct {
			path string
			body any
		}{{"/jobmanager/jobs", listed[0]}, {oldclient.OCMStatusPath, resource}} {
			body, err := json.Marshal(sent.body)
			if err != nil {
				w.t.Fatal(err)
			}
			if status, answer := w.rest(http.MethodPut, sent.path, "", string(body)); status != http.StatusOK {
				w.t.Errorf("%s is answered %d %.200s", sent.path, status, answer)
			}
			now := w.job(j.ID)
			if now.work() != "CREATE_DEPLOYMENT/FINISHED" || now.condition("Feedback") != "TRUE/Told" || now.condition("Nul") != "FALSE/" || now.condition("Odd") != "" {
				w.t.Errorf("after %s the job is %s with %.200s", sent.path, now.work(), fmt.Sprint(now.Resource))
			}
		}
		if again := w.past(h); len(again) > 0 {
			w.t.Errorf("offered again: %+v", again)
		}
	})
}

// list is what a hub is listed, as the JSON says it.
func (w *ocmWorld) list(h *oldclient.Hub) []map[string]any {
	w.t.Helper()
	status, answer := w.rest(http.MethodGet, oldclient.OCMListPath+h.OwnerID, "", "")
	var listed []map[string]any
	if err := json.Unmarshal([]byte(answer), &listed); err != nil || status != http.StatusOK {
		w.t.Fatalf("the list is answered %d %s: %v", status, answer, err)
	}
	return listed
}

// TestAClaimOverRESTHoldsForFiveMinutesWhateverTheLeaseIs: an old agent cannot renew.
func TestAClaimOverRESTHoldsForFiveMinutesWhateverTheLeaseIs(t *testing.T) {
	ocmEachWith(t, func(c *config.Config) { c.Lease = 15 * time.Second }, func(w *ocmWorld) {
		group, h := w.create(ocmDescribe("app", "web", "db")), w.hub()
		web, db := group.Jobs.Nodes[0].ID, group.Jobs.Nodes[1].ID
		w.list(h)
		if status, answer := w.rest(http.MethodPatch, oldclient.OCMPromotePath+web, "", `{"owner_id":"`+h.OwnerID+`"}`); status != http.StatusNoContent {
			w.t.Fatalf("the promotion is answered %d %s", status, answer)
		}
		if status, answer := w.rest(http.MethodPut, "/jobmanager/jobs/"+db, "application/json", `{"locker":true,"state":2}`); status != http.StatusBadRequest {
			w.t.Fatalf("a lock of what is another's is answered %d %s", status, answer)
		}
		w.clock.Advance(time.Minute) // the hand-out of the other lapses
		if status, answer := w.rest(http.MethodPut, "/jobmanager/jobs/"+db, "application/json", `{"locker":true,"state":2}`); status != http.StatusOK {
			w.t.Fatalf("the lock is answered %d %s", status, answer)
		}
		for id, begun := range map[string]time.Time{web: w.clock.Now().Add(-time.Minute), db: w.clock.Now()} {
			if lease := w.job(id).Lease; lease == nil || !lease.ExpiresAt.Equal(begun.Add(300*time.Second)) {
				w.t.Errorf("claimed at %s its lease is %+v", begun, lease)
			}
		}
	})
}

// TestATakeoverLeavesTheFormerAgentsWorkToThatAgent: one with epochs names what it made and falls silent, an OCM hub makes
// another; each removes its own.
func TestATakeoverLeavesTheFormerAgentsWorkToThatAgent(t *testing.T) {
	ocmEach(t, func(w *ocmWorld) {
		group, h := w.create(ocmDescribe("app", "web")), w.hub()
		id := group.Jobs.Nodes[0].ID
		const former = "with-epochs"
		claim := func() (epoch int64) {
			var data struct {
				ClaimJob struct{ Job struct{ Epoch int64 } }
			}
			w.s.Must(w.t, `mutation($id: ID!, $owner: String!) { claimJob(input: {jobId: $id, orchestrator: "ocm", ownerId: $owner}) { job { epoch } } }`,
				apptest.Vars{"id": id, "owner": former}, &data)
			return data.ClaimJob.Job.Epoch
		}
		w.verb("reportResource", map[string]any{"jobId": id, "ownerId": former, "epoch": claim(), "resource": map[string]any{"uid": "its-uid", "name": "web-its-name"}})
		w.expired(id)
		w.ticks(w.is(id, "CREATE_DEPLOYMENT/FINISHED"), h)
		own := h.Fleet.Works()
		if j := w.job(id); len(own) != 1 || j.uid() != own[0].UID || j.Owner != h.OwnerID {
			w.t.Fatalf("the job is %+v with %+v", j, j.Resource)
		}
		if seen := w.strays(id); len(seen) != 1 || seen[0].UID != "its-uid" || seen[0].OwnerID != former {
			w.t.Fatalf("the strays are %+v", seen)
		}
		w.stop(group.ID)
		w.ticks(func() bool { return w.job(id).Owner == former }, h)
		if j := w.job(id); j.work() != "DELETE_DEPLOYMENT/CREATED" || j.uid() != "its-uid" || len(h.Fleet.Works()) != 0 {
			w.t.Errorf("after the hub's removal the job is %+v with %+v", j, j.Resource)
		}
		if listed := w.more(3, h); slices.ContainsFunc(listed, func(job oldclient.OCMJob) bool { return job.ID == id }) {
			w.t.Errorf("the hub is listed the other's removal")
		}
		w.verb("finishJob", map[string]any{"jobId": id, "ownerId": former, "epoch": claim()})
		if g := w.group(group.ID); g.Phase != "STOPPED" {
			w.t.Errorf("in the end the group is %s", g.Phase)
		}
	})
}
