package jobmanager_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

func TestPhaseIsTheFirstThatFits(t *testing.T) {
	t.Parallel()
	const c, d = createDeployment, deleteDeployment
	type kind struct {
		kind      jobmanager.JobType
		state     jobmanager.JobState
		unhealthy bool
	}
	tests := map[string]struct {
		jobs []kind
		want jobmanager.Phase
	}{
		"nothing left":            {[]kind{{d, jobmanager.Finished, false}}, jobmanager.PhaseStopped},
		"only deletes":            {[]kind{{d, jobmanager.Created, false}, {d, jobmanager.Finished, false}}, jobmanager.PhaseStopping},
		"a delete that failed":    {[]kind{{d, jobmanager.Degraded, false}}, jobmanager.PhaseStopping},
		"one degraded":            {[]kind{{c, jobmanager.Degraded, false}, {c, jobmanager.Finished, false}}, jobmanager.PhaseDegraded},
		"one unhealthy":           {[]kind{{c, jobmanager.Finished, true}, {c, jobmanager.Finished, false}}, jobmanager.PhaseDegraded},
		"all finished":            {[]kind{{c, jobmanager.Finished, false}, {d, jobmanager.Finished, false}}, jobmanager.PhaseRunning},
		"one progressing":         {[]kind{{c, jobmanager.Progressing, false}, {c, jobmanager.Created, false}}, jobmanager.PhaseDeploying},
		"one finished of two":     {[]kind{{c, jobmanager.Finished, false}, {c, jobmanager.Created, false}}, jobmanager.PhaseDeploying},
		"none taken up":           {[]kind{{c, jobmanager.Created, false}}, jobmanager.PhasePending},
		"a delete beside a start": {[]kind{{d, jobmanager.Created, false}, {c, jobmanager.Created, false}}, jobmanager.PhasePending},
	}
	for name, test := range tests {
		var tally jobmanager.Tally
		for _, j := range test.jobs {
			tally.Count(j.kind, j.state, j.unhealthy, 1)
		}
		if got := tally.Phase(); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

func TestPolicyManagerIsToldWhatItMustKnow(t *testing.T) {
	t.Parallel()
	const created, started, stopped, deleted = jobmanager.NoticeCreated, jobmanager.NoticeStarted, jobmanager.NoticeStopped, jobmanager.NoticeDeleted
	anew := []jobmanager.NoticeKind{deleted, created, started} // created is not idempotent there
	policy := func(c *jobmanager.Component) {
		c.Policies = []jobmanager.Policy{{Name: "p", Body: jobmanager.Value(`{"name":"p"}`)}}
	}
	update := func(change func(*jobmanager.Component)) func(*testing.T) []jobmanager.Event {
		return func(t *testing.T) []jobmanager.Event {
			g, former := running(t, component("web", nil))
			events, err := g.Update(former, submission(app(component("web", change)), "second", "c1"), life(), ids(), start)
			if err != nil {
				t.Error(err)
			}
			return events
		}
	}
	tests := map[string]struct {
		tell func(*testing.T) []jobmanager.Event
		want []jobmanager.NoticeKind
	}{
		"create": {func(*testing.T) []jobmanager.Event {
			_, events := jobmanager.NewJobGroup(submission(app(component("web", nil)), "first", "c1"), life(), ids(), start)
			return events
		}, anew},
		"update of a policy":     {update(policy), anew},
		"update of manifests":    {update(newManifests), nil},
		"update of requirements": {update(newRequirements), nil},
		"update while stopped": {func(t *testing.T) []jobmanager.Event {
			g := stoppedGroup(t, component("web", nil))
			events, err := g.Update(app(component("web", nil)), submission(app(component("web", policy)), "second", "c1"), life(), ids(), start)
			if err != nil {
				t.Error(err)
			}
			return events
		}, nil},
		"start": {func(t *testing.T) []jobmanager.Event {
			events, err := stoppedGroup(t, component("web", nil)).Start(submission(app(component("web", nil)), "first", "c1"), life(), ids(), start)
			if err != nil {
				t.Error(err)
			}
			return events
		}, anew},
		"stop": {func(t *testing.T) []jobmanager.Event {
			g, _ := running(t, component("web", nil))
			return g.Stop(start)
		}, []jobmanager.NoticeKind{stopped}},
		"stop again": {func(t *testing.T) []jobmanager.Event {
			return stoppedGroup(t, component("web", nil)).Stop(start)
		}, nil},
		"delete": {func(t *testing.T) []jobmanager.Event {
			events, err := stoppedGroup(t, component("web", nil)).Delete(false, start)
			if err != nil {
				t.Error(err)
			}
			return events
		}, []jobmanager.NoticeKind{deleted}},
		"delete that stops first": {func(t *testing.T) []jobmanager.Event {
			g, _ := running(t, component("web", nil))
			events, err := g.Delete(true, start)
			if err != nil {
				t.Error(err)
			}
			g.Phase = jobmanager.PhaseStopping
			return append(events, g.Settle(jobmanager.Tally{}, start)...)
		}, []jobmanager.NoticeKind{stopped, deleted}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []jobmanager.NoticeKind
			for _, event := range test.tell(t) {
				got = append(got, event.Notices...)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNoticesAreTriedForAboutAnHour(t *testing.T) {
	t.Parallel()
	limits, now, tries := jobmanager.DefaultNoticeLimits(), start, 1
	for {
		at, again := limits.NextTry(tries, false, now)
		if !again {
			break
		}
		if wait := at.Sub(now); wait <= 0 || wait > limits.MaxBackoff {
			t.Errorf("try %d is followed by the next after %s", tries, wait)
		}
		now = at
		tries++
	}
	if took := now.Sub(start).Minutes(); tries != limits.MaxAttempts || took < 50 || took > 70 {
		t.Errorf("given up after %d tries in %.0f minutes", tries, took)
	}
	if _, again := limits.NextTry(1, true, now); again {
		t.Error("what was refused for good is tried again")
	}
}
