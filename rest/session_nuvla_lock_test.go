package rest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/icos-jobmanager/jobmanager/internal/config"
	"github.com/icos-jobmanager/jobmanager/rest/oldclient"
)

// TestANuvlaLaunchThatFailsIsTriedAgainLaterAndNotForEver lets every launch fail: each unlock is a failure, the waits
// between the attempts double, and the last one is the last until someone retries.
func TestANuvlaLaunchThatFailsIsTriedAgainLaterAndNotForEver(t *testing.T) {
	t.Parallel()
	configure := func(c *config.Config) { c.MaxAttempts, c.Backoff = 3, 20*time.Second }
	eachOldFleet(t, configure, func(t *testing.T, f *oldFleet) {
		id := f.submit(t, described("app", component{name: "web", at: hillBox}))
		agent, launches := f.nuvla(), 0
		agent.Launch = func(oldclient.NuvlaLaunch) error {
			launches++
			return errLaunch
		}
		for attempt, wait := range []time.Duration{20 * time.Second, 40 * time.Second, 0} {
			if agent.Round(t.Context()); launches != attempt+1 {
				t.Fatalf("%d launches, want %d", launches, attempt+1)
			}
			j := f.job(t, id, "web")
			if j.work() != "CREATE_DEPLOYMENT/DEGRADED" || j.Attempt != attempt+1 || j.Lease != nil {
				t.Errorf("after failure %d: %+v", attempt+1, j)
			}
			if wait == 0 {
				continue
			}
			if at := f.clock.Now().Add(wait); j.why() != "BackingOff" || j.Waiting.Until == nil || !j.Waiting.Until.Equal(at) {
				t.Errorf("after failure %d it waits %+v, want until %s", attempt+1, j.Waiting, at)
			}
			silent(t, agent, "right after a failure")
			f.clock.Advance(wait - time.Second)
			silent(t, agent, "a second before the next attempt")
			f.clock.Advance(time.Second)
		}
		if j := f.job(t, id, "web"); j.why() != "AttemptsExhausted" || !strings.Contains(j.Waiting.Message, "3 attempts failed") {
			t.Errorf("in the end: %+v, %+v", j, j.Waiting)
		}
		f.clock.Advance(24 * time.Hour)
		silent(t, agent, "with its attempts exhausted")
		sound(t, agent)
	})
}

// TestANuvlaLaunchSucceedsAfterAFailure lets the second launch succeed.
func TestANuvlaLaunchSucceedsAfterAFailure(t *testing.T) {
	t.Parallel()
	eachOldFleet(t, nil, func(t *testing.T, f *oldFleet) {
		id := f.submit(t, described("app", component{name: "web", at: hillBox}, component{name: "db", at: hillBox}))
		agent := f.nuvla()
		agent.Launch = func(oldclient.NuvlaLaunch) error { return errLaunch }
		agent.Round(t.Context())
		f.clock.Advance(time.Minute)
		agent.Launch = func(oldclient.NuvlaLaunch) error { return nil }
		if launched := agent.Round(t.Context()); len(launched) != 1 || len(launched[0].JobIDs) != 2 {
			t.Errorf("launched %+v", launched)
		}
		for _, name := range []string{"web", "db"} {
			if j := f.job(t, id, name); j.work() != "CREATE_DEPLOYMENT/FINISHED" || j.Attempt != 2 {
				t.Errorf("%s: %+v", name, j)
			}
		}
		sound(t, agent)
	})
}

// TestALockThatWasLostRunsOut kills the agent between its lock and its launch; polling extends no lease.
func TestALockThatWasLostRunsOut(t *testing.T) {
	t.Parallel()
	eachOldFleet(t, nil, func(t *testing.T, f *oldFleet) {
		id := f.submit(t, described("app", component{name: "web", at: hillBox}))
		killed := f.nuvla()
		jobs, err := killed.List(t.Context())
		if err != nil || len(jobs) != 1 {
			t.Fatalf("listed %v, %v", jobs, err)
		}
		locked := f.clock.Now()
		killed.Lock(t.Context(), idsOf(jobs))
		sound(t, killed)
		j := f.job(t, id, "web")
		if j.work() != "CREATE_DEPLOYMENT/PROGRESSING" || j.Owner != "nuvla-agent" || j.Lease == nil || !j.Lease.ExpiresAt.Equal(locked.Add(300*time.Second)) {
			t.Fatalf("locked: %+v, %+v", j, j.Lease)
		}
		next := f.nuvla()
		for range 29 {
			f.clock.Advance(10 * time.Second)
			silent(t, next, "while the lock holds")
		}
		var launched []oldclient.NuvlaLaunch
		f.until(t, time.Second, func() bool {
			launched = next.Round(t.Context())
			return len(launched) > 0
		})
		if passed := f.clock.Now().Sub(locked); passed < 300*time.Second {
			t.Errorf("the lock ran out after %s", passed)
		}
		if done := f.job(t, id, "web"); done.work() != "CREATE_DEPLOYMENT/FINISHED" || done.Attempt != 2 || launched[0].GroupID != id {
			t.Errorf("launched %+v, the job is %+v", launched, done)
		}
		sound(t, next)
	})
}

// TestALateCompletionCounts lets a launch take longer than its lock, with nobody else about.
func TestALateCompletionCounts(t *testing.T) {
	t.Parallel()
	eachOldFleet(t, nil, func(t *testing.T, f *oldFleet) {
		id := f.submit(t, described("app", component{name: "web", at: hillBox}))
		agent := f.nuvla()
		agent.Launch = func(oldclient.NuvlaLaunch) error {
			f.until(t, 10*time.Second, func() bool { return f.job(t, id, "web").Lease == nil })
			return nil
		}
		agent.Round(t.Context())
		if j := f.job(t, id, "web"); j.work() != "CREATE_DEPLOYMENT/FINISHED" || j.Attempt != 1 {
			t.Errorf("completed late: %+v", j)
		}
		sound(t, agent)
		f.clock.Advance(time.Hour)
		silent(t, agent, "after its late completion")
	})
}

// TestANuvlaAgentIsNeverShownARemoval stops an application that runs: nobody can remove it, and the job says so.
func TestANuvlaAgentIsNeverShownARemoval(t *testing.T) {
	t.Parallel()
	eachOldFleet(t, nil, func(t *testing.T, f *oldFleet) {
		id := f.submit(t, described("app", component{name: "web", at: hillBox}))
		agent := f.nuvla()
		agent.Round(t.Context())
		if _, err := f.shell().Stop(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		f.waitsInVain(t, agent, id, "DELETE_DEPLOYMENT/CREATED")
		if got, err := f.shell().Delete(t.Context(), id); err == nil {
			t.Errorf("a group whose workload stands was deleted: %v", got)
		}
		sound(t, agent)
	})
}

// waitsInVain checks that the job of component web is work that its agent cannot do: it is never listed, and says why.
func (f *oldFleet) waitsInVain(t *testing.T, agent *oldclient.Nuvla, group, work string) {
	t.Helper()
	for range 5 {
		silent(t, agent, "with "+work)
		f.clock.Advance(90 * time.Second)
	}
	j := f.job(t, group, "web")
	if j.work() != work || j.Workload != "PRESENT" || j.Waiting == nil || !strings.Contains(j.Waiting.Message, "cannot do this kind of work") {
		t.Errorf("the job is %+v, it waits: %+v", j, j.Waiting)
	}
}

// TestANuvlaAgentIsNeverShownAnUpdate remedies, and then updates, an application that runs.
func TestANuvlaAgentIsNeverShownAnUpdate(t *testing.T) {
	t.Parallel()
	eachOldFleet(t, nil, func(t *testing.T, f *oldFleet) {
		agent, text := f.nuvla(), described("app", component{name: "web", at: hillBox})
		id := f.submit(t, text)
		agent.Round(t.Context())
		f.violate(t, violationOf(id, "web", "scale-up"))
		f.waitsInVain(t, agent, id, "UPDATE_DEPLOYMENT/CREATED")
		type updated struct {
			UpdateJobGroup struct{ JobGroup struct{ ID string } }
		}
		asked[updated](t, f, `mutation($input: UpdateJobGroupInput!) { updateJobGroup(input: $input) { jobGroup { id } } }`, map[string]any{
			"input": map[string]any{"jobGroupId": id, "descriptor": strings.Replace(text, "text: of web", "text: anew", 1)},
		})
		f.waitsInVain(t, agent, id, "REPLACE_DEPLOYMENT/CREATED")
		sound(t, agent)
	})
}

// TestAStopBetweenListAndLockIsNotForgotten stops an application that the agent was listed and launches all the same:
// something stands then, so the job may not count as removed, and the agent's words about a Create finish no Delete.
func TestAStopBetweenListAndLockIsNotForgotten(t *testing.T) {
	t.Parallel()
	eachOldFleet(t, nil, func(t *testing.T, f *oldFleet) {
		id := f.submit(t, described("app", component{name: "web", at: hillBox}))
		agent := f.nuvla()
		jobs, err := agent.List(t.Context())
		if err != nil || len(jobs) != 1 {
			t.Fatalf("listed %v, %v", jobs, err)
		}
		if _, err := f.shell().Stop(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		stopped := f.job(t, id, "web")
		if stopped.work() != "DELETE_DEPLOYMENT/CREATED" || stopped.Owner != "nuvla-agent" {
			t.Errorf("stopped while it was handed out: %+v", stopped)
		}
		agent.Lock(t.Context(), stopped.ID)
		if locked := f.job(t, id, "web"); locked.work() != "DELETE_DEPLOYMENT/CREATED" || locked.Epoch != stopped.Epoch {
			t.Errorf("the lock of a Create claimed a Delete: %+v", locked)
		}
		agent.Complete(t.Context(), stopped.ID)
		j := f.job(t, id, "web")
		if j.work() != "DELETE_DEPLOYMENT/CREATED" || j.Waiting == nil || !strings.Contains(j.Waiting.Message, "cannot do this kind of work") {
			t.Errorf("after the launch: %+v, it waits: %+v", j, j.Waiting)
		}
		if stumbles := agent.Stumbles(); len(stumbles) != 2 || !strings.Contains(stumbles[0], " 400: ") || !strings.Contains(stumbles[1], " 400: ") {
			t.Errorf("its lock and its report are answered %q", stumbles)
		}
		agent.Unlock(t.Context(), stopped.ID)
		if now := f.job(t, id, "web"); cmp.Diff(j, now) != "" {
			t.Errorf("an unlock of what is not locked changed the job (-before +after):\n%s", cmp.Diff(j, now))
		}
	})
}

// TestAStopDuringALaunchLeavesTheRemovalOpen stops an application between lock and report.
func TestAStopDuringALaunchLeavesTheRemovalOpen(t *testing.T) {
	t.Parallel()
	eachOldFleet(t, nil, func(t *testing.T, f *oldFleet) {
		id := f.submit(t, described("app", component{name: "web", at: hillBox}))
		agent := f.nuvla()
		agent.Launch = func(oldclient.NuvlaLaunch) error {
			_, err := f.shell().Stop(t.Context(), id)
			return err
		}
		agent.Round(t.Context())
		j := f.job(t, id, "web")
		if j.work() != "DELETE_DEPLOYMENT/CREATED" || j.Workload == "NONE" || j.Waiting == nil || !strings.Contains(j.Waiting.Message, "cannot do this kind of work") {
			t.Errorf("stopped during its launch: %+v, it waits: %+v", j, j.Waiting)
		}
	})
}
