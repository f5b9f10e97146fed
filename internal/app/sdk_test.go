package app_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/agent"
	"github.com/icos-jobmanager/jobmanager/agent/simulated"
	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
)

// TestAnAgentThatFallsSilentIsFollowedByAnotherAndRefused cuts an agent off in the middle of its work; when it
// comes back, another one has done the job, and neither its status nor its outcome counts.
func TestAnAgentThatFallsSilentIsFollowedByAnotherAndRefused(t *testing.T) {
	t.Parallel()
	apptest.EachDatabase(t, func(t *testing.T, url string) {
		clock := noon()
		s := apptest.Start(t, apptest.Options{DatabaseURL: url, Clock: clock})
		stuck, line := newStall(t), &cable{}
		first := &puppet{world: simulated.New(simulated.Config{}), before: stuck.holdDespite}
		config := agentConfig(s.URL, "first", first)
		config.HTTPClient = line.client(t)
		end := runAgent(t, config)
		id := create(t, s.Client, describe("app", pinned("web", ""))).Jobs.Nodes[0].ID
		<-stuck.began
		line.sever()
		until(t, clock, 10*time.Second, func() bool { return seeJob(t, s.Client, id).Lease == nil })

		second := &puppet{world: simulated.New(simulated.Config{Seed: 2})}
		runAgent(t, patient(agentConfig(s.URL, "second", second)))
		until(t, clock, 100*time.Millisecond, func() bool { return seeJob(t, s.Client, id).State == "FINISHED" })
		line.mend()
		var refusal *agent.Error
		if err := first.tell(agent.Status{JobID: id, UID: "a ghost"}); !errors.Is(err, agent.ErrStale) || !errors.As(err, &refusal) || refusal.Code != "STALE_OWNER" {
			t.Errorf("the silent agent's status is answered with %v", err)
		}
		stuck.goOn <- nil // it finishes its work, on a target of its own
		end()             // and has tried to report it

		j := seeJob(t, s.Client, id)
		if j.Owner != "second" || j.outcomes() != "EXPIRED first, FINISHED second" || j.Resource.UID != second.world.Workloads()[0].UID {
			t.Errorf("after the takeover the job is %+v", j)
		}
	})
}

// TestTheOnlyAgentGetsItsOwnJobBackAfterItsCrash starts the orchestrator's only agent again, under the name that it
// had, after it crashed with its workload half made.
func TestTheOnlyAgentGetsItsOwnJobBackAfterItsCrash(t *testing.T) {
	t.Parallel()
	apptest.EachDatabase(t, func(t *testing.T, url string) {
		clock := noon()
		s := apptest.Start(t, apptest.Options{DatabaseURL: url, Clock: clock})
		world := simulated.New(simulated.Config{})
		applied := make(chan agent.Job, 1)
		crashing := &puppet{world: world, before: func(ctx context.Context, job agent.Job) error {
			_, err := world.Apply(ctx, job)
			applied <- job
			<-ctx.Done()
			return errors.Join(err, context.Cause(ctx))
		}}
		crash := runAgent(t, agentConfig(s.URL, "hub", crashing))
		id := create(t, s.Client, describe("app", pinned("web", ""))).Jobs.Nodes[0].ID
		<-applied
		crash()
		if j := seeJob(t, s.Client, id); j.State != "PROGRESSING" || j.Lease == nil || j.Workload != "MAYBE" {
			t.Errorf("after the crash the job is %+v", j)
		}
		until(t, clock, 10*time.Second, func() bool { return seeJob(t, s.Client, id).Lease == nil })

		runAgent(t, patient(agentConfig(s.URL, "hub", &puppet{world: world})))
		until(t, clock, 100*time.Millisecond, func() bool { return seeJob(t, s.Client, id).State == "FINISHED" })
		j := seeJob(t, s.Client, id)
		if j.outcomes() != "EXPIRED hub, FINISHED hub" || j.Generation != 1 || j.Epoch != 2 || j.Workload != "PRESENT" {
			t.Errorf("after its own retry the job is %+v", j)
		}
		if stands := world.Workloads(); len(stands) != 1 || stands[0].UID != j.Resource.UID {
			t.Errorf("there stand %+v, the job says %+v", stands, j.Resource)
		}
	})
}

// TestAStopCutsWorkInProgressShortAndRemovesIt stops an application while its workload is being made: the driver's
// context ends, and the Delete follows.
func TestAStopCutsWorkInProgressShortAndRemovesIt(t *testing.T) {
	t.Parallel()
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		world := simulated.New(simulated.Config{})
		applied, cut := make(chan agent.Job, 1), make(chan error, 1)
		driver := &puppet{world: world, before: func(ctx context.Context, job agent.Job) error {
			if job.Type != agent.CreateDeployment {
				return nil
			}
			_, err := world.Apply(ctx, job)
			applied <- job
			<-ctx.Done()
			cut <- context.Cause(ctx)
			return errors.Join(err, context.Cause(ctx))
		}}
		runAgent(t, agentConfig(s.URL, "hub", driver))
		group := create(t, s.Client, describe("app", pinned("web", "")))
		<-applied
		stopped := stop(t, s.Client, group.ID)
		if stopped.Phase != "STOPPING" || stopped.Jobs.Nodes[0].Type != "DELETE_DEPLOYMENT" { // the agent may have it already
			t.Errorf("stopped in the middle: %+v", stopped)
		}
		if cause := <-cut; !errors.Is(cause, agent.ErrStale) {
			t.Errorf("the driver's context ended with %v", cause)
		}
		awaitPhase(t, s.Client, group.ID, "STOPPED")
		j := seeJob(t, s.Client, group.Jobs.Nodes[0].ID)
		if j.outcomes() != "STOPPED hub, FINISHED hub" || j.Epoch != 3 || j.Workload != "NONE" || j.Resource != nil {
			t.Errorf("after the stop the job is %+v", j)
		}
		if stands := world.Workloads(); len(stands) != 0 {
			t.Errorf("after the stop there stand %+v", stands)
		}
		for range 2 { // a stopped group stays as it is
			if again := stop(t, s.Client, group.ID); again.Phase != "STOPPED" || again.Generation != stopped.Generation {
				t.Errorf("stopped once more: %+v", again)
			}
		}
	})
}

// TestADeleteAfterAStopLeavesNothing deletes applications with and without a stop before.
func TestADeleteAfterAStopLeavesNothing(t *testing.T) {
	t.Parallel()
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		world := simulated.New(simulated.Config{})
		runAgent(t, agentConfig(s.URL, "hub", &puppet{world: world}))
		type deletion struct {
			Deleted  bool
			JobGroup *groupSeen
		}
		remove := func(group string, stopFirst bool) deletion {
			return change[deletion](t, s.Client, "deleteJobGroup", map[string]any{"jobGroupId": group, "stopFirst": stopFirst}, "deleted jobGroup { phase deleteWhenStopped }")
		}
		separately := create(t, s.Client, describe("separately", pinned("web", "")))
		awaitPhase(t, s.Client, separately.ID, "RUNNING")
		refused(t, s.Client, "deleteJobGroup", map[string]any{"jobGroupId": separately.ID}, "GROUP_NOT_STOPPED")
		stop(t, s.Client, separately.ID)
		awaitPhase(t, s.Client, separately.ID, "STOPPED")
		if d := remove(separately.ID, false); !d.Deleted {
			t.Errorf("a stopped group: %+v", d)
		}
		atOnce := create(t, s.Client, describe("at-once", pinned("web", "")))
		awaitPhase(t, s.Client, atOnce.ID, "RUNNING")
		gone := s.Subscribe(t, `subscription($id: ID!) { jobGroupChanged(filter: {ids: [$id]}) { kind jobGroup { phase } } }`, apptest.Vars{"id": atOnce.ID})
		if d := remove(atOnce.ID, true); d.Deleted || !d.JobGroup.DeleteWhenStopped || d.JobGroup.Phase != "STOPPING" {
			t.Errorf("a running group with stopFirst: %+v", d)
		}
		for left := ""; left != "LEFT"; {
			var m struct{ JobGroupChanged struct{ Kind string } }
			gone.Next(&m)
			left = m.JobGroupChanged.Kind
		}
		for _, id := range []string{separately.ID, atOnce.ID} {
			if g := seeGroup(t, s.Client, id); g != nil {
				t.Errorf("still there: %+v", g)
			}
		}
		if stands := world.Workloads(); len(stands) != 0 {
			t.Errorf("there stand %+v", stands)
		}
		refused(t, s.Client, "startJobGroup", map[string]any{"jobGroupId": atOnce.ID}, "NOT_FOUND")
	})
}
