package store_test

import (
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// costOfHandOuts has agents that execute without asking work through n jobs of one group.
func costOfHandOuts(t *testing.T, url string, n int) map[string]string {
	t.Helper()
	l := newLife(t, url, n)
	l.agent.Blind, l.agent.Client = true, "client"
	if _, err := l.s.SeeAgent(t.Context(), jobmanager.Sighting{Agent: l.agent}); err != nil {
		t.Fatal(err)
	}
	l.update("hand out together", jobmanager.Which{ExecutableFor: &l.agent, HandOut: true, Together: true}, func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
		j.HandOut(l.agent, jobmanager.DefaultLifeCycle(), now)
		return nil, nil
	})
	l.step("working", func() {
		if err := l.s.Working(t.Context(), "a", l.s.Clock().Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	})
	l.update("claim", jobmanager.Which{ExecutableFor: &l.agent}, l.claim)
	adoptable := func() ([]*jobmanager.Job, error) {
		return l.s.Adoptable(t.Context(), jobmanager.Scope{All: true}, "client", l.group.Jobs[0].Component)
	}
	l.look("adoptable", 1, adoptable)
	l.update("finish", jobmanager.Which{IDs: l.ids()}, l.finish) // each with the same uid
	l.look("nothing adoptable", 0, adoptable)
	l.look("by uid", min(n, 16), func() ([]*jobmanager.Job, error) { return l.s.ByUID(t.Context(), jobmanager.Scope{All: true}, "u") })
	l.look("by a foreign uid", 0, func() ([]*jobmanager.Job, error) { return l.s.ByUID(t.Context(), jobmanager.Scope{All: true}, "x") })
	l.stranger("a new stranger", "x")
	l.stranger("a known stranger", "x")
	l.stranger("no stranger", "u")
	l.step("was resource", func() {
		if was, err := l.s.WasResource(t.Context(), l.group.Jobs[0].ID, "u"); err != nil || was {
			t.Errorf("was a resource: %v, %v", was, err)
		}
	})
	l.agent.Blind = false
	l.change("stop", func(g *jobmanager.JobGroup, now time.Time) ([]jobmanager.Event, error) { return g.Stop(now), nil })
	l.update("claim deletes", jobmanager.Which{ExecutableFor: &l.agent}, func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
		return j.Claim(jobmanager.Claim{Agent: l.agent, Length: -time.Second}, now)
	})
	l.update("expire", jobmanager.Which{LeaseOver: true}, func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
		return j.Expire(jobmanager.DefaultLifeCycle(), now), nil
	})
	for _, name := range []string{"poll", "poll again"} {
		l.update(name, jobmanager.Which{UnconfirmedBy: "a"}, func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
			return j.Polled("a", now.Add(time.Minute)), nil
		})
	}
	l.step("poll with nothing in doubt", func() {
		if _, err := l.s.UpdateJobs(t.Context(), jobmanager.Which{UnconfirmedBy: "a", Scope: jobmanager.Scope{All: true}}, nil); err != nil {
			t.Error(err)
		}
	})
	return l.costs
}

// look is a step that finds a number of jobs.
func (l *life) look(name string, want int, find func() ([]*jobmanager.Job, error)) {
	l.t.Helper()
	l.step(name, func() {
		if jobs, err := find(); err != nil || len(jobs) != want {
			l.t.Errorf("%s: %d jobs were found, want %d: %v", name, len(jobs), want, err)
		}
	})
}

// stranger is a step that notes one.
func (l *life) stranger(name, uid string) {
	l.t.Helper()
	l.step(name, func() {
		if _, err := l.s.Stranger(l.t.Context(), "client", uid, "web-x1y2z"); err != nil {
			l.t.Errorf("%s: %v", name, err)
		}
	})
}

// TestForeignWorkloadsAreAnsweredCheaply holds the statements of what a sync asks a thousand times.
func TestForeignWorkloadsAreAnsweredCheaply(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string) {
		costs := costOfHandOuts(t, url, 1)
		for step, want := range map[string]string{
			"by a foreign uid": "SELECT", "by uid": "SELECT SELECT", "nothing adoptable": "SELECT", "adoptable": "SELECT SELECT",
			"a known stranger": "SELECT", "no stranger": "SELECT", "a new stranger": "SELECT INSERT DELETE", "was resource": "SELECT",
			"working": "UPDATE UPDATE", "poll with nothing in doubt": "SELECT",
		} {
			if costs[step] != want {
				t.Errorf("%s takes %q, want %q", step, costs[step], want)
			}
		}
	})
}
