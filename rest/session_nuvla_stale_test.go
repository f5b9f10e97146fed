package rest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/icos-jobmanager/jobmanager/rest/oldclient"
)

// other is an agent of another client.
func (f *oldFleet) other() *oldclient.Nuvla {
	agent := f.nuvla()
	agent.Login = f.login("other-agent")
	return agent
}

// oneListed is the id of the only job that the agent is listed.
func oneListed(t *testing.T, agent *oldclient.Nuvla) string {
	t.Helper()
	jobs, err := agent.List(t.Context())
	if err != nil || len(jobs) != 1 {
		t.Fatalf("listed %v, %v", jobs, err)
	}
	return idsOf(jobs)
}

// refusedWords fails the test unless so many of the agent's words were refused, and nothing else went wrong.
func refusedWords(t *testing.T, agent *oldclient.Nuvla, want int) {
	t.Helper()
	for _, stumble := range agent.Stumbles() {
		if !strings.HasPrefix(stumble, "PUT ") || !strings.Contains(stumble, ` was answered 400: {"error":"`) {
			t.Errorf("the agent stumbled: %s", stumble)
		}
	}
	if got := len(agent.Stumbles()); got != want {
		t.Errorf("%d words of the agent were refused, want %d: %q", got, want, agent.Stumbles())
	}
}

// TestNobodyLocksWhatIsHandedOutToAnother lets a client speak of a job that another one was listed.
func TestNobodyLocksWhatIsHandedOutToAnother(t *testing.T) {
	t.Parallel()
	eachOldFleet(t, nil, func(t *testing.T, f *oldFleet) {
		id := f.submit(t, described("app", component{name: "web", at: hillBox}))
		agent, other := f.nuvla(), f.other()
		job := oneListed(t, agent)
		before := f.job(t, id, "web")
		other.Lock(t.Context(), job)
		other.Complete(t.Context(), job)
		other.Unlock(t.Context(), job)
		if now := f.job(t, id, "web"); cmp.Diff(before, now) != "" {
			t.Errorf("another client changed the job (-before +after):\n%s", cmp.Diff(before, now))
		}
		refusedWords(t, other, 3)
		agent.Lock(t.Context(), job)
		other.Complete(t.Context(), job)
		other.Unlock(t.Context(), job)
		refusedWords(t, other, 5)
		agent.Complete(t.Context(), job)
		if now := f.job(t, id, "web"); now.work() != "CREATE_DEPLOYMENT/FINISHED" || now.Owner != "nuvla-agent" || now.Attempt != 1 {
			t.Errorf("in the end: %+v", now)
		}
		sound(t, agent)
	})
}

// TestAZombieOfAnotherClientChangesNothing lets a client come back after another one took its job over.
func TestAZombieOfAnotherClientChangesNothing(t *testing.T) {
	t.Parallel()
	eachOldFleet(t, nil, func(t *testing.T, f *oldFleet) {
		id := f.submit(t, described("app", component{name: "web", at: hillBox}))
		zombie, other := f.nuvla(), f.other()
		job := oneListed(t, zombie)
		zombie.Lock(t.Context(), job)
		f.until(t, 10*time.Second, func() bool { return len(other.Round(t.Context())) > 0 })
		done := f.job(t, id, "web")
		if done.work() != "CREATE_DEPLOYMENT/FINISHED" || done.Owner != "other-agent" || done.Attempt != 2 {
			t.Fatalf("taken over: %+v", done)
		}
		zombie.Complete(t.Context(), job)
		zombie.Unlock(t.Context(), job)
		if now := f.job(t, id, "web"); cmp.Diff(done, now) != "" {
			t.Errorf("the zombie changed the job (-before +after):\n%s", cmp.Diff(done, now))
		}
		refusedWords(t, zombie, 2)
		sound(t, other)
	})
}

// TestACompletionWithoutALockCounts loses the lock on its way: what was listed to the agent is claimed with its report.
func TestACompletionWithoutALockCounts(t *testing.T) {
	t.Parallel()
	for name, launch := range map[string]time.Duration{"a quick launch": time.Second, "a launch longer than the hand-out": 2 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachOldFleet(t, nil, func(t *testing.T, f *oldFleet) {
				id := f.submit(t, described("app", component{name: "web", at: hillBox}))
				agent := f.nuvla()
				job := oneListed(t, agent)
				f.clock.Advance(launch)
				agent.Complete(t.Context(), job)
				if j := f.job(t, id, "web"); j.work() != "CREATE_DEPLOYMENT/FINISHED" || j.Owner != "nuvla-agent" || j.Workload != "PRESENT" {
					t.Errorf("completed: %+v", j)
				}
				sound(t, agent)
				f.clock.Advance(time.Hour)
				silent(t, agent, "after its launch")
			})
		})
	}
}

// TestAnUnlockWithoutALockIsNoSuccess loses the lock on its way, and the launch fails: nothing counts as deployed, and
// the application is listed again.
func TestAnUnlockWithoutALockIsNoSuccess(t *testing.T) {
	t.Parallel()
	eachOldFleet(t, nil, func(t *testing.T, f *oldFleet) {
		id := f.submit(t, described("app", component{name: "web", at: hillBox}))
		agent := f.nuvla()
		agent.Unlock(t.Context(), oneListed(t, agent))
		if j := f.job(t, id, "web"); j.Type != "CREATE_DEPLOYMENT" || j.State == "FINISHED" || j.Workload == "PRESENT" {
			t.Errorf("unlocked: %+v", j)
		}
		f.clock.Advance(time.Minute)
		if launched := agent.Round(t.Context()); len(launched) != 1 {
			t.Errorf("launched %+v", launched)
		}
		if j := f.job(t, id, "web"); j.work() != "CREATE_DEPLOYMENT/FINISHED" {
			t.Errorf("in the end: %+v", j)
		}
	})
}

// TestAWordAboutAnUnknownJobIsRefused speaks of a job that is nobody's.
func TestAWordAboutAnUnknownJobIsRefused(t *testing.T) {
	t.Parallel()
	eachOldFleet(t, nil, func(t *testing.T, f *oldFleet) {
		agent := f.nuvla()
		const unknown = "0190c5a2-7b1e-7c3d-9f00-5b8d3e1a2c01"
		agent.Lock(t.Context(), unknown)
		agent.Complete(t.Context(), unknown)
		agent.Unlock(t.Context(), unknown)
		for _, stumble := range agent.Stumbles() {
			if !strings.Contains(stumble, `was answered 404: {"error":"job not found"}`) {
				t.Errorf("the agent stumbled: %s", stumble)
			}
		}
		if len(agent.Stumbles()) != 3 {
			t.Errorf("of 3 words %d were refused", len(agent.Stumbles()))
		}
	})
}
