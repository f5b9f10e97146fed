package app_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
)

// TestAStartNeedsAStoppedGroup starts a group in each of its conditions.
func TestAStartNeedsAStoppedGroup(t *testing.T) {
	t.Parallel()
	apptest.EachDatabase(t, func(t *testing.T, url string) {
		clock, peer := noon(), newGuide(t, "hill/ocm")
		s := apptest.Start(t, apptest.Options{DatabaseURL: url, Clock: clock, Configure: peer.use})
		group := create(t, s.Client, describe("app", part{name: "web"}, part{name: "idle"}))
		web := perform(t, s.Client, group.job(t, "web").ID, "hub")
		before := head(t, s.Client)
		if g := startUp(t, s.Client, group.ID); g.Generation != 1 || len(eventsAfter(t, s.Client, before, nil)) != 0 {
			t.Errorf("a start of a running group: %+v", g)
		}
		stop(t, s.Client, group.ID)
		start := map[string]any{"jobGroupId": group.ID}
		if problem := refused(t, s.Client, "startJobGroup", start, "GROUP_NOT_STOPPED"); !strings.Contains(problem.Message, "1 of its jobs") {
			t.Errorf("while it stops: %s", problem.Message)
		}
		perform(t, s.Client, web.ID, "hub")
		refused(t, s.Client, "startJobGroup", map[string]any{"jobGroupId": group.ID, "expectedVersion": 1}, "VERSION_CONFLICT")
		peer.fall(true)
		refused(t, s.Client, "startJobGroup", start, "UNAVAILABLE")
		start["onMatchmakerDown"], start["idempotencyKey"] = "ACCEPT", "up"
		started := change[groupAnswer](t, s.Client, "startJobGroup", start, groupSelection).JobGroup
		for _, j := range started.Jobs.Nodes {
			if j.work() != "CREATE_DEPLOYMENT/CREATED" || j.why() != "AwaitingForTarget" || j.Target != nil || j.Owner != "" || j.Resource != nil || j.Workload != "NONE" {
				t.Errorf("started without the Matchmaker: %+v", j)
			}
		}
		if started.Generation != 3 || started.Phase != "PENDING" {
			t.Errorf("started as %+v", started)
		}
		if again := change[groupAnswer](t, s.Client, "startJobGroup", start, groupSelection).JobGroup; again.Generation != 3 {
			t.Errorf("the same start again: %+v", again)
		}
		peer.point("valley/ocm")
		peer.fall(false)
		until(t, clock, time.Second, func() bool { return seeJob(t, s.Client, web.ID).Target != nil })
		if j := perform(t, s.Client, web.ID, "other"); j.Target.Cluster != "valley" || j.Epoch <= web.Epoch {
			t.Errorf("up again as %+v", j)
		}
		refused(t, s.Client, "startJobGroup", map[string]any{"jobGroupId": unknownID}, "NOT_FOUND")
		change[map[string]any](t, s.Client, "deleteJobGroup", map[string]any{"jobGroupId": group.ID, "stopFirst": true}, "deleted")
		delete(start, "idempotencyKey")
		refused(t, s.Client, "startJobGroup", start, "WRONG_STATE")
		refused(t, s.Client, "updateJobGroup", map[string]any{"jobGroupId": group.ID, "descriptor": describe("app", part{name: "web"})}, "WRONG_STATE")
	})
}

// fail reports a failure of the attempt.
func fail(t *testing.T, c *apptest.Client, j jobSeen) jobSeen {
	t.Helper()
	type payload struct{ Job jobSeen }
	input := map[string]any{"jobId": j.ID, "ownerId": j.Owner, "epoch": j.Epoch, "reason": "out of disk"}
	return change[payload](t, c, "failJob", input, `job { `+jobView+` }`).Job
}

// TestARetryBeginsAnewAndIsDoneOnce retries a job that failed, one that did not, and one that is gone.
func TestARetryBeginsAnewAndIsDoneOnce(t *testing.T) {
	t.Parallel()
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		type payload struct{ Job *jobSeen }
		group := create(t, s.Client, describe("app", pinned("web", "")))
		id := group.Jobs.Nodes[0].ID
		retry := func(input map[string]any) *jobSeen {
			input["jobId"] = id
			return change[payload](t, s.Client, "retryJob", input, `job { `+jobView+` }`).Job
		}
		before := head(t, s.Client)
		if j := retry(map[string]any{}); j.work() != "CREATE_DEPLOYMENT/CREATED" || len(eventsAfter(t, s.Client, before, nil)) != 0 {
			t.Errorf("a retry of what is not degraded: %+v", j)
		}
		if j := fail(t, s.Client, take(t, s.Client, id, "hub")); j.State != "DEGRADED" || j.why() != "BackingOff" || !strings.Contains(j.Waiting.Message, "out of disk") {
			t.Errorf("failed: %+v", j)
		}
		refused(t, s.Client, "claimJob", map[string]any{"jobId": id, "orchestrator": "ocm", "ownerId": "hub"}, "NOT_CLAIMABLE")
		refused(t, s.Client, "retryJob", map[string]any{"jobId": id, "expectedVersion": 7}, "VERSION_CONFLICT")
		refused(t, s.Client, "retryJob", map[string]any{"jobId": unknownID}, "NOT_FOUND")
		for range 2 {
			if j := retry(map[string]any{"expectedVersion": 1, "idempotencyKey": "once"}); j.work() != "CREATE_DEPLOYMENT/CREATED" || j.Attempt != 0 || j.Owner != "" {
				t.Errorf("retried: %+v", j)
			}
		}
		if told := types(eventsAfter(t, s.Client, before, map[string]any{"types": []string{"JOB_RETRIED"}})); len(told) != 1 {
			t.Errorf("events %v", told)
		}
		if j := perform(t, s.Client, id, "other"); j.outcomes() != "FAILED hub, FINISHED other" || j.Attempt != 1 {
			t.Errorf("after the retry: %+v", j)
		}
	})
}

// TestAJobIsDeletedOnceNothingOfItStands deletes single jobs.
func TestAJobIsDeletedOnceNothingOfItStands(t *testing.T) {
	t.Parallel()
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		type payload struct {
			JobID    string
			JobGroup groupSeen
		}
		const selection = `jobId jobGroup { ` + groupView + ` }`
		group := create(t, s.Client, describe("app", pinned("waits", ""), pinned("works", ""), pinned("stands", "")))
		waits := group.job(t, "waits").ID
		works := take(t, s.Client, group.job(t, "works").ID, "hub")
		stands := perform(t, s.Client, group.job(t, "stands").ID, "hub")
		for _, id := range []string{works.ID, stands.ID} {
			refused(t, s.Client, "deleteJob", map[string]any{"jobId": id}, "WRONG_STATE")
		}
		refused(t, s.Client, "deleteJob", map[string]any{"jobId": waits, "expectedVersion": 2}, "VERSION_CONFLICT")
		refused(t, s.Client, "deleteJob", map[string]any{"jobId": unknownID}, "NOT_FOUND")
		input := map[string]any{"jobId": waits, "expectedVersion": 1, "idempotencyKey": "away"}
		for range 2 {
			if p := change[payload](t, s.Client, "deleteJob", input, selection); p.JobID != waits || len(p.JobGroup.Jobs.Nodes) != 2 {
				t.Errorf("deleted: %+v", p)
			}
		}
		refused(t, s.Client, "deleteJob", map[string]any{"jobId": waits}, "NOT_FOUND")
		settle(t, s.Client, works, "")
		if g := seeGroup(t, s.Client, group.ID); g.Phase != "RUNNING" {
			t.Errorf("without the job that waited the group is %s", g.Phase)
		}
	})
}

// TestWhatAnAgentHeldGoesToTheOneThatTakesItsPlace reassigns every kind of job that an agent holds.
func TestWhatAnAgentHeldGoesToTheOneThatTakesItsPlace(t *testing.T) {
	t.Parallel()
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		group := create(t, s.Client, describe("app", pinned("waits", ""), pinned("works", ""), pinned("stands", "")))
		works := take(t, s.Client, group.job(t, "works").ID, "old")
		stands := perform(t, s.Client, group.job(t, "stands").ID, "old")
		type payload struct{ Reassigned int }
		for _, want := range []int{2, 0} {
			p := change[payload](t, s.Client, "reassignJobs", map[string]any{"fromOwner": "old", "toOwner": "new"}, "reassigned")
			if p.Reassigned != want {
				t.Errorf("reassigned %d jobs, want %d", p.Reassigned, want)
			}
		}
		if j := seeJob(t, s.Client, works.ID); j.work() != "CREATE_DEPLOYMENT/CREATED" || j.Epoch != works.Epoch+1 || j.outcomes() != "STOPPED old" || j.Workload != "MAYBE" {
			t.Errorf("the work in progress is %+v", j)
		}
		if j := seeJob(t, s.Client, stands.ID); j.work() != "CREATE_DEPLOYMENT/FINISHED" || j.Owner != "new" || j.Epoch != stands.Epoch+1 || j.Resource.UID != stands.Resource.UID {
			t.Errorf("what stands is %+v", j)
		}
		refused(t, s.Client, "finishJob", map[string]any{"jobId": works.ID, "ownerId": "old", "epoch": works.Epoch}, "STALE_OWNER")
		resource := map[string]any{"uid": stands.Resource.UID}
		refused(t, s.Client, "reportResource", map[string]any{"jobId": stands.ID, "ownerId": "old", "epoch": stands.Epoch, "resource": resource}, "STALE_OWNER")
		change[map[string]any](t, s.Client, "reportResource", map[string]any{"jobId": stands.ID, "ownerId": "new", "epoch": stands.Epoch + 1, "resource": resource}, "__typename")
		refused(t, s.Client, "claimJob", map[string]any{"jobId": works.ID, "orchestrator": "ocm", "ownerId": "passer-by"}, "NOT_CLAIMABLE")
		perform(t, s.Client, works.ID, "new")
		stop(t, s.Client, group.ID)
		for _, id := range []string{works.ID, stands.ID} {
			if j := perform(t, s.Client, id, "new"); j.work() != "DELETE_DEPLOYMENT/FINISHED" {
				t.Errorf("the heir's Delete is %+v", j)
			}
		}
		for name, input := range map[string]map[string]any{
			"to itself": {"fromOwner": "new", "toOwner": "new"}, "from nobody": {"fromOwner": "", "toOwner": "new"}, "to nobody": {"fromOwner": "new", "toOwner": ""},
		} {
			if problem := refused(t, s.Client, "reassignJobs", input, "INVALID"); !strings.Contains(strings.ToLower(problem.Message), "owner") {
				t.Errorf("%s: %s", name, problem.Message)
			}
		}
	})
}

// TestAnAbandonedJobCountsAsRemoved gives up jobs whose agent will not come back.
func TestAnAbandonedJobCountsAsRemoved(t *testing.T) {
	t.Parallel()
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		type payload struct{ Job *jobSeen }
		const selection = `job { ` + jobView + ` }`
		group := create(t, s.Client, describe("app", pinned("kept", ""), pinned("leaves", "")))
		for _, j := range group.Jobs.Nodes {
			perform(t, s.Client, j.ID, "dead")
		}
		kept, leaves := group.job(t, "kept").ID, group.job(t, "leaves").ID
		update(t, s.Client, group.ID, describe("app", pinned("kept", "")))
		refused(t, s.Client, "abandonJob", map[string]any{"jobId": leaves, "reason": " "}, "INVALID")
		refused(t, s.Client, "abandonJob", map[string]any{"jobId": leaves, "reason": "hub burnt down", "expectedVersion": 1}, "VERSION_CONFLICT")
		refused(t, s.Client, "abandonJob", map[string]any{"jobId": unknownID, "reason": "hub burnt down"}, "NOT_FOUND")
		before := head(t, s.Client)
		if p := change[payload](t, s.Client, "abandonJob", map[string]any{"jobId": leaves, "reason": "hub burnt down"}, selection); p.Job != nil {
			t.Errorf("the one that leaves is still %+v", p.Job)
		}
		told := eventsAfter(t, s.Client, before, map[string]any{"jobIds": []string{leaves}})
		if diff := cmp.Diff([]string{"JOB_ABANDONED", "RESOURCE_REMOVED", "JOB_DELETED"}, types(told)); diff != "" || told[0].Message != "hub burnt down" {
			t.Errorf("events %v (-want +got):\n%s", told, diff)
		}
		input := map[string]any{"jobId": kept, "reason": "hub burnt down", "idempotencyKey": "over"}
		for range 2 {
			p := change[payload](t, s.Client, "abandonJob", input, selection)
			if p.Job == nil || p.Job.work() != "DELETE_DEPLOYMENT/FINISHED" || p.Job.Owner != "" || p.Job.Workload != "NONE" || p.Job.Resource != nil {
				t.Errorf("the one that stays: %+v", p.Job)
			}
		}
		if g := seeGroup(t, s.Client, group.ID); g.Phase != "STOPPED" || len(g.Jobs.Nodes) != 1 {
			t.Errorf("the group is %+v", g)
		}
		if g := startUp(t, s.Client, group.ID); g.job(t, "kept").work() != "CREATE_DEPLOYMENT/CREATED" {
			t.Errorf("started again: %+v", g)
		}
	})
}

// TestAGroupThatWaitsForALostAgentIsDeletedOnceItsJobIsAbandoned deletes an application whose agent will not come back.
func TestAGroupThatWaitsForALostAgentIsDeletedOnceItsJobIsAbandoned(t *testing.T) {
	t.Parallel()
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		type payload struct{ Job *jobSeen }
		group := create(t, s.Client, describe("app", pinned("web", "")))
		id := perform(t, s.Client, group.Jobs.Nodes[0].ID, "dead").ID
		change[map[string]any](t, s.Client, "deleteJobGroup", map[string]any{"jobGroupId": group.ID, "stopFirst": true}, "deleted")
		if p := change[payload](t, s.Client, "abandonJob", map[string]any{"jobId": id, "reason": "hub burnt down"}, "job { id }"); p.Job != nil || seeGroup(t, s.Client, group.ID) != nil {
			t.Errorf("still there: %+v, %+v", p.Job, seeGroup(t, s.Client, group.ID))
		}
	})
}

// TestAJobThatIsKeptForAnHeirIsOpenToAllAfterAWhile reassigns a job to an agent that does not come.
func TestAJobThatIsKeptForAnHeirIsOpenToAllAfterAWhile(t *testing.T) {
	t.Parallel()
	apptest.EachDatabase(t, func(t *testing.T, url string) {
		clock := noon()
		s := apptest.Start(t, apptest.Options{DatabaseURL: url, Clock: clock})
		id := take(t, s.Client, create(t, s.Client, describe("app", pinned("web", ""))).Jobs.Nodes[0].ID, "old").ID
		offers := s.Subscribe(t, executable, apptest.Vars{"owner": "passer-by"})
		change[map[string]any](t, s.Client, "reassignJobs", map[string]any{"fromOwner": "old", "toOwner": "heir"}, "__typename")
		if j := seeJob(t, s.Client, id); j.why() != "HandedOut" || !strings.Contains(j.Waiting.Message, "heir") {
			t.Errorf("kept for the heir: %+v", j.Waiting)
		}
		if got := executableFor(t, s.Client, "passer-by"); got != "" {
			t.Errorf("another is offered %q", got)
		}
		var offer offered
		advanceWhile(clock, time.Second, func() { offers.Next(&offer) })
		if offer.JobExecutable.ID != id {
			t.Errorf("offered %+v", offer)
		}
		perform(t, s.Client, id, "passer-by")
	})
}
