package app_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/icos-jobmanager/jobmanager/agent"
	"github.com/icos-jobmanager/jobmanager/agent/simulated"
	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
	"github.com/icos-jobmanager/jobmanager/internal/config"
)

// TestAComponentThatComesBackWhileItIsRemovedIsMadeAnew takes a component out of a running application, and puts it
// back before its agent has removed it.
func TestAComponentThatComesBackWhileItIsRemovedIsMadeAnew(t *testing.T) {
	t.Parallel()
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		stuck := newStall(t)
		driver := &puppet{world: simulated.New(simulated.Config{}), before: stuck.hold}
		runAgent(t, agentConfig(s.URL, "hub", driver))
		with, without := describe("app", pinned("stays", ""), pinned("web", "1")), describe("app", pinned("stays", ""))
		group := create(t, s.Client, with)
		for range 2 {
			<-stuck.began
		}
		for range 2 {
			stuck.goOn <- nil
		}
		awaitPhase(t, s.Client, group.ID, "RUNNING")
		before := seeJob(t, s.Client, group.job(t, "web").ID)
		update(t, s.Client, group.ID, without)
		if job := <-stuck.began; job.Type != agent.DeleteDeployment || job.Component != "web" {
			t.Errorf("to be removed: %+v", job)
		}
		back := update(t, s.Client, group.ID, describe("app", pinned("stays", ""), pinned("web", "2")))
		if j := back.job(t, "web"); j.work() != "DELETE_DEPLOYMENT/PROGRESSING" || j.ID != before.ID {
			t.Errorf("back in the descriptor while it is removed: %+v", j)
		}
		stuck.goOn <- nil
		if job := <-stuck.began; job.Type != agent.CreateDeployment || !strings.Contains(job.Manifests[0].Text, `"2"`) || job.Resource.UID != "" {
			t.Errorf("then to be made: %+v", job)
		}
		stuck.goOn <- nil
		awaitPhase(t, s.Client, group.ID, "RUNNING")
		if j := seeJob(t, s.Client, before.ID); j.work() != "CREATE_DEPLOYMENT/FINISHED" || j.Resource.UID == before.Resource.UID {
			t.Errorf("in the end %+v", j)
		}
		checkWorkOnce(t, s.Client, driver.world)
	})
}

// TestAStopDuringAMoveLeavesNothingOnEitherSide stops an application while a component is between two orchestrators.
func TestAStopDuringAMoveLeavesNothingOnEitherSide(t *testing.T) {
	t.Parallel()
	apptest.EachDatabase(t, func(t *testing.T, url string) {
		peer := newGuide(t, "hill/ocm")
		s := apptest.Start(t, apptest.Options{DatabaseURL: url, Configure: peer.use})
		stuck := newStall(t)
		hill := &puppet{world: simulated.New(simulated.Config{}), before: stuck.hold}
		valley := &puppet{world: simulated.New(simulated.Config{Seed: 2})}
		runAgent(t, agentConfig(s.URL, "of-ocm", hill))
		nuvla := agentConfig(s.URL, "of-nuvla", valley)
		nuvla.Orchestrator = "nuvla"
		runAgent(t, nuvla)
		group := create(t, s.Client, describe("app", part{name: "web"}))
		<-stuck.began
		stuck.goOn <- nil
		awaitPhase(t, s.Client, group.ID, "RUNNING")
		peer.point("valley/nuvla")
		report := remedy(t, s.Client, group.ID, "web", "reallocate")
		if job := <-stuck.began; job.Type != agent.UpdateDeployment || job.SubType != "reallocation" {
			t.Errorf("to leave: %+v", job)
		}
		stop(t, s.Client, group.ID)
		if job := <-stuck.began; job.Type != agent.DeleteDeployment {
			t.Errorf("after the stop: %+v", job)
		}
		stuck.goOn <- nil
		awaitPhase(t, s.Client, group.ID, "STOPPED")
		if told := seeIncompliance(t, s.Client, report.ID).outcomes(); told != "web reallocation DROPPED" {
			t.Errorf("the report is %q", told)
		}
		if left, made := hill.world.Workloads(), valley.world.Workloads(); len(left)+len(made) != 0 {
			t.Errorf("there stand %+v and %+v", left, made)
		}
		startUp(t, s.Client, group.ID)
		awaitPhase(t, s.Client, group.ID, "RUNNING")
		if diff := cmp.Diff([]string{"CREATE web"}, valley.called()); diff != "" || len(valley.world.Workloads()) != 1 {
			t.Errorf("started where the Matchmaker says by now (-want +got):\n%s", diff)
		}
	})
}

// TestAFailingUpdateEndsWithItsReasonAndANewerOneTakesItsPlace lets a remediation fail while a newer one waits.
func TestAFailingUpdateEndsWithItsReasonAndANewerOneTakesItsPlace(t *testing.T) {
	t.Parallel()
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		group := create(t, s.Client, describe("app", pinned("web", "")))
		id := perform(t, s.Client, group.Jobs.Nodes[0].ID, "hub").ID
		first := remedy(t, s.Client, group.ID, "web", "scale-up")
		j := take(t, s.Client, id, "hub")
		second := remedy(t, s.Client, group.ID, "web", "patch")
		if failed := fail(t, s.Client, j); failed.work() != "UPDATE_DEPLOYMENT/CREATED" || failed.SubType != "patch" || failed.Attempt != 0 {
			t.Errorf("after the failure: %+v", failed)
		}
		now := seeIncompliance(t, s.Client, first.ID)
		if now.outcomes() != "web scale-up FAILED" || !strings.Contains(now.Remediations[0].Reason, "out of disk") {
			t.Errorf("the one that failed: %+v", now)
		}
		if j := perform(t, s.Client, id, "hub"); j.work() != "UPDATE_DEPLOYMENT/FINISHED" || seeGroup(t, s.Client, group.ID).Phase != "RUNNING" {
			t.Errorf("in the end %+v", j)
		}
		if now := seeIncompliance(t, s.Client, second.ID); now.outcomes() != "web patch FINISHED" {
			t.Errorf("the newer one: %q", now.outcomes())
		}
	})
}

// TestAnUpdateThatIsGivenUpWaitsForItsOwnerOnceRetried exhausts the attempts of a remediation, and retries it.
func TestAnUpdateThatIsGivenUpWaitsForItsOwnerOnceRetried(t *testing.T) {
	t.Parallel()
	apptest.EachDatabase(t, func(t *testing.T, url string) {
		s := apptest.Start(t, apptest.Options{DatabaseURL: url, Configure: func(c *config.Config) { c.MaxAttempts = 1 }})
		group := create(t, s.Client, describe("app", pinned("web", "")))
		id := perform(t, s.Client, group.Jobs.Nodes[0].ID, "hub").ID
		report := remedy(t, s.Client, group.ID, "web", "patch")
		j := fail(t, s.Client, take(t, s.Client, id, "hub"))
		if j.work() != "UPDATE_DEPLOYMENT/DEGRADED" || j.why() != "AttemptsExhausted" || j.Owner != "hub" || j.Workload != "PRESENT" {
			t.Errorf("given up: %+v", j)
		}
		if now := seeIncompliance(t, s.Client, report.ID); now.outcomes() != "web patch FAILED" || seeGroup(t, s.Client, group.ID).Phase != "DEGRADED" {
			t.Errorf("the report is %q", now.outcomes())
		}
		change[map[string]any](t, s.Client, "retryJob", map[string]any{"jobId": id}, "__typename")
		refused(t, s.Client, "claimJob", map[string]any{"jobId": id, "orchestrator": "ocm", "ownerId": "other"}, "NOT_CLAIMABLE")
		if j := perform(t, s.Client, id, "hub"); j.work() != "UPDATE_DEPLOYMENT/FINISHED" || j.SubType != "patch" || seeGroup(t, s.Client, group.ID).Phase != "RUNNING" {
			t.Errorf("after the retry: %+v", j)
		}
	})
}
