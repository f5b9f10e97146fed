package service_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// The length of the model test: a check is one world, a round some checks on databases of their own.
const (
	checksOfARound = 10
	stepsOfACheck  = 60
)

// TestProofModel lets agents, people, the Policy Manager and the server itself do whatever they like, one after the
// other, and holds the service to books that the test keeps itself.
func TestProofModel(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, fresh database) {
		rapid.Check(t, func(r *rapid.T) { live(t, r, fresh(t)) })
	})
}

// live is one check: a world from its beginning.
func live(t *testing.T, r *rapid.T, url string) {
	life := jobmanager.DefaultLifeCycle()
	life.MaxAttempts = 2 // so that they are exhausted now and then
	s, closeStore, err := serve(t.Context(), setting{url: url, life: life, connections: 2})
	if err != nil {
		r.Fatal(err)
	}
	defer func() {
		if err := closeStore(); err != nil {
			r.Error(err)
		}
	}()
	w, err := newWorld(t.Context(), s, oneOf(r, "size", sizes()...))
	if err != nil {
		r.Fatal(err)
	}
	w.submit(r)
	actions := w.actions()
	r.Repeat(map[string]func(*rapid.T){"": func(*rapid.T) {}, "somebody acts": func(r *rapid.T) { oneOf(r, "action", actions...).do(r) }})
}

// action is something that somebody may do.
type action struct {
	name string
	do   func(*rapid.T)
}

// String is what rapid shows.
func (a action) String() string { return a.name }

// actions are all that may happen, the more often the more they say.
func (w *world) actions() []action {
	var list []action
	for _, a := range []struct {
		often int
		action
	}{
		{6, action{"work", w.work}}, {4, action{"claim one", w.claimOne}}, {3, action{"claim a batch", w.claimBatch}},
		{7, action{"end an attempt", w.endAttempt}}, {2, action{"renew", w.renew}}, {3, action{"report a resource", w.reportResource}},
		{2, action{"hand out", w.handOut}}, {1, action{"name the dead", w.nameTheDead}},
		{2, action{"submit", w.submit}}, {1, action{"submit again", w.submitAgain}}, {4, action{"update", w.update}},
		{1, action{"stop", w.stop}}, {2, action{"start", w.start}}, {1, action{"delete a group", w.deleteGroup}},
		{2, action{"change one job", w.changeOneJob}}, {1, action{"reassign", w.reassign}}, {1, action{"set an agent", w.setAgent}},
		{5, action{"report an incompliance", w.reportIncompliance}},
		{7, action{"time passes", w.pass}}, {1, action{"duties", w.duties}}, {4, action{"ask again", w.askAgain}},
		{1, action{"the Matchmaker turns", w.turn}}, {1, action{"all fall silent", w.fallSilent}}, {5, action{"demands pile up", w.pileUp}}, {3, action{"a job moves away", w.moveAway}}, {2, action{"an agent is late", w.late}},
		{6, action{"an old agent's round", w.round}}, {3, action{"an old agent syncs", w.syncAll}}, {2, action{"an admin adopts", w.adopt}}, {4, action{"an old agent is overtaken", w.overtaken}},
	} {
		for range a.often {
			list = append(list, a.action)
		}
	}
	return list
}
