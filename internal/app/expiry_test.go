package app_test

import (
	"strings"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
	"github.com/icos-jobmanager/jobmanager/internal/config"
)

// TestAttemptsThatExpireAreSpacedAndThenEnd lets every lease of a job run out: the waits between the attempts double,
// and the last one is the last until someone retries.
func TestAttemptsThatExpireAreSpacedAndThenEnd(t *testing.T) {
	t.Parallel()
	apptest.EachDatabase(t, func(t *testing.T, url string) {
		clock := noon()
		s := apptest.Start(t, apptest.Options{DatabaseURL: url, Clock: clock, Configure: func(c *config.Config) { c.MaxAttempts, c.Backoff = 4, 20*time.Second }})
		group := create(t, s.Client, describe("app", pinned("web", "")))
		id := group.Jobs.Nodes[0].ID
		for attempt, wait := range []time.Duration{20 * time.Second, 40 * time.Second, 80 * time.Second, 0} {
			until(t, clock, time.Second, func() bool { return claimable(t, s.Client, id, "hub") })
			claimed := take(t, s.Client, id, "hub")
			clock.Advance(59 * time.Second)
			until(t, clock, 100*time.Millisecond, func() bool { return seeJob(t, s.Client, id).Lease == nil })
			j, seen := seeJob(t, s.Client, id), clock.Now()
			if j.Attempt != attempt+1 || !strings.HasSuffix(j.outcomes(), "EXPIRED hub") {
				t.Errorf("after lease %d the job is %+v", attempt+1, j)
			}
			if wait == 0 {
				continue
			}
			earliest, latest := claimed.Lease.ExpiresAt.Add(wait), seen.Add(wait)
			if at := j.Waiting.Until; j.State != "PROGRESSING" || j.why() != "BackingOff" || at.Before(earliest) || at.After(latest) {
				t.Errorf("after lease %d the next attempt is at %s, want it from %s to %s: %+v", attempt+1, at, earliest, latest, j)
			}
		}
		j := seeJob(t, s.Client, id)
		if j.State != "DEGRADED" || j.why() != "AttemptsExhausted" || !strings.Contains(j.Waiting.Message, "4 attempts failed") {
			t.Errorf("in the end the job is %+v", j)
		}
		clock.Advance(time.Hour)
		refused(t, s.Client, "claimJob", map[string]any{"jobId": id, "orchestrator": "ocm", "ownerId": "hub"}, "NOT_CLAIMABLE")
		change[map[string]any](t, s.Client, "retryJob", map[string]any{"jobId": id}, "__typename")
		if j := perform(t, s.Client, id, "hub"); j.State != "FINISHED" || j.Attempt != 1 || j.Generation != 1 {
			t.Errorf("after the retry: %+v", j)
		}
		if g := seeGroup(t, s.Client, group.ID); g.Phase != "RUNNING" {
			t.Errorf("the group is %s", g.Phase)
		}
	})
}

// claimable says whether the list of an agent has the job.
func claimable(t *testing.T, c *apptest.Client, job, owner string) bool {
	t.Helper()
	list := ask[struct{ ExecutableJobs struct{ Nodes []jobSeen } }](t, c,
		`query($owner: String!) { executableJobs(orchestrator: "ocm", ownerId: $owner, first: 100) { nodes { id } } }`, apptest.Vars{"owner": owner})
	for _, j := range list.ExecutableJobs.Nodes {
		if j.ID == job {
			return true
		}
	}
	return false
}

// TestAnExpiredDeleteWaitsForItsOwner lets the lease of a Delete run out: nobody else is offered it.
func TestAnExpiredDeleteWaitsForItsOwner(t *testing.T) {
	t.Parallel()
	apptest.EachDatabase(t, func(t *testing.T, url string) {
		clock := noon()
		s := apptest.Start(t, apptest.Options{DatabaseURL: url, Clock: clock})
		group := create(t, s.Client, describe("app", pinned("web", "")))
		id := perform(t, s.Client, group.Jobs.Nodes[0].ID, "hub").ID
		stop(t, s.Client, group.ID)
		take(t, s.Client, id, "hub")
		until(t, clock, time.Second, func() bool { return seeJob(t, s.Client, id).Lease == nil })
		until(t, clock, time.Second, func() bool { return claimable(t, s.Client, id, "hub") })
		if j := seeJob(t, s.Client, id); j.why() != "AwaitingForOwner" || !strings.Contains(j.Waiting.Message, "hub") || j.Waiting.AgentLastSeenAt == nil {
			t.Errorf("it waits: %+v", j.Waiting)
		}
		refused(t, s.Client, "claimJob", map[string]any{"jobId": id, "orchestrator": "ocm", "ownerId": "other"}, "NOT_CLAIMABLE")
		if j := perform(t, s.Client, id, "hub"); j.work() != "DELETE_DEPLOYMENT/FINISHED" || j.outcomes() != "FINISHED hub, EXPIRED hub, FINISHED hub" {
			t.Errorf("in the end %+v", j)
		}
	})
}

// TestAJobWithoutATargetIsMatchedAgainMoreAndMoreRarely asks a Matchmaker that has nothing, is down, and then has.
func TestAJobWithoutATargetIsMatchedAgainMoreAndMoreRarely(t *testing.T) {
	t.Parallel()
	apptest.EachDatabase(t, func(t *testing.T, url string) {
		clock, peer := noon(), newGuide(t, "")
		s := apptest.Start(t, apptest.Options{DatabaseURL: url, Clock: clock, Configure: peer.use})
		id := create(t, s.Client, describe("app", part{name: "web"})).Jobs.Nodes[0].ID
		due := noon().Now()
		for n, wait := range []time.Duration{10 * time.Second, 20 * time.Second, 40 * time.Second, 80 * time.Second} {
			var j jobSeen
			until(t, clock, time.Second, func() bool { j = seeJob(t, s.Client, id); return j.Waiting.Until.After(due) })
			if j.why() != "AwaitingForTarget" || !strings.Contains(j.Waiting.Message, "Matchmaker") || j.Target != nil {
				t.Errorf("after %d tries it waits: %+v", n+1, j.Waiting)
			}
			if n == 2 {
				peer.fall(true)
			}
			if next := j.Waiting.Until; next.Before(due.Add(wait)) || next.After(clock.Now().Add(wait)) {
				t.Errorf("after %d tries the next one is at %s, want %s after this one, due at %s", n+1, next, wait, due)
			}
			due = j.Waiting.Until
		}
		asked := len(peer.Requests())
		if asked != 4 {
			t.Errorf("the Matchmaker was asked %d times, want 4", asked)
		}
		peer.fall(false)
		peer.point("hill/nuvla")
		until(t, clock, time.Second, func() bool { return seeJob(t, s.Client, id).Target != nil })
		j := seeJob(t, s.Client, id)
		if j.why() != "AwaitingForExecution" || !strings.Contains(j.Waiting.Message, "none was ever seen") || j.Target.Orchestrator != "nuvla" {
			t.Errorf("matched: %+v, %+v", j.Target, j.Waiting)
		}
		if told := types(eventsAfter(t, s.Client, "", map[string]any{"jobIds": []string{id}})); strings.Join(told, " ") != "JOB_CREATED JOB_MATCHED" {
			t.Errorf("events %v", told)
		}
	})
}

// TestAReallocationWithoutAnotherTargetRemovesNothing asks for a migration while there is no other place.
func TestAReallocationWithoutAnotherTargetRemovesNothing(t *testing.T) {
	t.Parallel()
	apptest.EachDatabase(t, func(t *testing.T, url string) {
		clock, peer := noon(), newGuide(t, "hill/ocm")
		s := apptest.Start(t, apptest.Options{DatabaseURL: url, Clock: clock, Configure: peer.use})
		group := create(t, s.Client, describe("app", part{name: "web"}))
		web := perform(t, s.Client, group.Jobs.Nodes[0].ID, "hub")
		report := remedy(t, s.Client, group.ID, "web", "reallocate")
		until(t, clock, time.Second, func() bool {
			return seeIncompliance(t, s.Client, report.ID).outcomes() == "web reallocation NO_OTHER_TARGET"
		})
		j := seeJob(t, s.Client, web.ID)
		if j.work() != "CREATE_DEPLOYMENT/FINISHED" || j.Epoch != web.Epoch || j.why() != "AwaitingForOtherTarget" || seeGroup(t, s.Client, group.ID).Phase != "RUNNING" {
			t.Errorf("with nowhere to go the job is %+v", j)
		}
		peer.point("valley/ocm")
		until(t, clock, time.Second, func() bool { return seeJob(t, s.Client, web.ID).Type == "UPDATE_DEPLOYMENT" })
		if told := seeIncompliance(t, s.Client, report.ID).outcomes(); told != "web reallocation STARTED" {
			t.Errorf("with somewhere to go the report is %q", told)
		}
		fail(t, s.Client, take(t, s.Client, web.ID, "hub"))
		until(t, clock, time.Second, func() bool { return claimable(t, s.Client, web.ID, "hub") })
		if j := perform(t, s.Client, web.ID, "hub"); j.work() != "CREATE_DEPLOYMENT/CREATED" || j.Target.Cluster != "valley" || j.Resource != nil {
			t.Errorf("once removed: %+v", j)
		}
	})
}
