package app_test

import (
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
)

// Defects of the old service that no other test shows from outside; docs/reliability.md lists all of them.

// TestEachJobHasConditionsOfItsOwn reports on one of two jobs that were made together.
func TestEachJobHasConditionsOfItsOwn(t *testing.T) {
	t.Parallel()
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		group := create(t, s.Client, describe("app", pinned("told", ""), pinned("untold", "")))
		told, untold := group.job(t, "told").ID, group.job(t, "untold").ID
		for _, job := range []string{told, untold} {
			held := take(t, s.Client, job, "hub")
			s.Must(t, finish, apptest.Vars{"job": job, "owner": "hub", "epoch": held.Epoch}, nil)
		}
		resource := map[string]any{"conditions": []any{map[string]any{"type": "Available", "status": "FALSE", "reason": "Broken"}}}
		change[map[string]any](t, s.Client, "reportResource", map[string]any{"jobId": told, "ownerId": "hub", "epoch": 1, "resource": resource}, "__typename")
		if j := seeJob(t, s.Client, told); j.condition("Available") != "FALSE/Broken" {
			t.Errorf("the job that was told of: %+v", j.Resource)
		}
		if j := seeJob(t, s.Client, untold); j.Resource == nil || len(j.Resource.Conditions) != 0 {
			t.Errorf("the job that nothing was said of: %+v", j.Resource)
		}
	})
}

// TestPresenceExtendsNoLease lets an agent go on polling, listening and renewing another job: the lease of the job
// that it does not speak of runs out.
func TestPresenceExtendsNoLease(t *testing.T) {
	t.Parallel()
	apptest.EachDatabase(t, func(t *testing.T, url string) {
		clock := noon()
		s := apptest.Start(t, apptest.Options{DatabaseURL: url, Clock: clock})
		group := create(t, s.Client, describe("app", pinned("kept", ""), pinned("forgotten", "")))
		kept, forgotten := take(t, s.Client, group.job(t, "kept").ID, "hub"), take(t, s.Client, group.job(t, "forgotten").ID, "hub")
		s.Subscribe(t, executable, apptest.Vars{"owner": "hub"})
		until(t, clock, 5*time.Second, func() bool {
			s.Must(t, `{ executableJobs(orchestrator: "ocm", ownerId: "hub") { nodes { id } } }`, nil, nil)
			s.Must(t, renewOrder, apptest.Vars{"input": map[string]any{
				"ownerId": "hub", "leases": []any{map[string]any{"jobId": kept.ID, "epoch": kept.Epoch}},
			}}, nil)
			return seeJob(t, s.Client, forgotten.ID).outcomes() == "EXPIRED hub"
		})
		if j := seeJob(t, s.Client, kept.ID); j.Lease == nil || j.Owner != "hub" {
			t.Errorf("the job that was renewed: %+v", j)
		}
	})
}

// TestStartClearsWhatTheFormerLifeLeft runs a job through an update and a stop, and starts it again: no field of its
// former life is left in the database.
func TestStartClearsWhatTheFormerLifeLeft(t *testing.T) {
	t.Parallel()
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		group := create(t, s.Client, describe("app", pinned("web", "")))
		job := group.job(t, "web").ID
		perform(t, s.Client, job, "hub")
		incompliance(t, s.Client, map[string]any{"remediation": "scale-up", "subject": map[string]any{"appInstance": group.ID, "appComponent": "web"}})
		if j := seeJob(t, s.Client, job); j.SubType != "scale-up" || j.Owner != "hub" || j.Resource == nil {
			t.Fatalf("before the stop: %+v", j)
		}
		stop(t, s.Client, group.ID)
		perform(t, s.Client, job, "hub")
		startUp(t, s.Client, group.ID)
		if j := seeJob(t, s.Client, job); j.work() != "CREATE_DEPLOYMENT/CREATED" || j.SubType != "" || j.Owner != "" || j.Resource != nil || j.Attempt != 0 || j.Workload != "NONE" {
			t.Errorf("after the start: %+v", j)
		}
	})
}
