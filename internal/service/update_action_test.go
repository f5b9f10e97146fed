package service_test

import (
	"errors"
	"fmt"
	"slices"

	"pgregory.net/rapid"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/service"
)

// update: a person changes an application.
func (w *world) update(r *rapid.T) {
	if id, g := w.someGroup(r); g != nil {
		w.updateGroup(r, id, g)
	}
}

func (w *world) updateGroup(r *rapid.T, id jobmanager.ID, g *member) {
	next := drawChange(r, g.application, w.size.parts)
	choice, accepts := someChoice(r)
	expected, right := someExpected(r, g.generation)
	members := w.membersOf(id)
	phase := phaseOf(members)
	stands := phase != jobmanager.PhaseStopped && phase != jobmanager.PhaseStopping
	s := step{call: call{verb: verbUpdate}, what: fmt.Sprintf("update %s from %+v to %+v", g.name, g.parts, next.parts)}
	switch {
	case !right:
		s.want = jobmanager.CodeVersionConflict
	case stands && asksFor(g.parts, next.parts) && w.matchmaker.isDown() && !accepts:
		s.want = jobmanager.CodeUnavailable
	case g.marked:
		s.want = jobmanager.CodeWrongState
	case next.text() == g.text():
		s.quiet = true
	}
	s.run = func() error {
		_, err := w.UpdateJobGroup(w.ctx, integrator(), service.UpdateJobGroupInput{
			JobGroupID: id, Descriptor: next.text(), OnMatchmakerDown: choice, ExpectedVersion: expected,
		})
		return err
	}
	before := map[jobmanager.ID]ledger{}
	for _, l := range members {
		before[l.id] = *l
	}
	runs, former := w.runs(members), g.parts
	s.tell = func(events []*jobmanager.Event) error {
		if runs {
			if err := w.checkUpdate(before, former, next.parts, events); err != nil {
				return err
			}
		}
		g.application = next
		return nil
	}
	w.do(r, s)
}

// asksFor says whether the Matchmaker must be asked: for what was added, and what may have to move.
func asksFor(was, parts []part) bool {
	return slices.ContainsFunc(parts, func(p part) bool {
		return !slices.ContainsFunc(was, func(former part) bool { return p.name == former.name && samePlace(p, former) })
	})
}

func samePlace(a, b part) bool { return a.kind == b.kind && a.demand == b.demand && a.pin == b.pin }

// checkUpdate holds each job of a running application to the table of the design, by its component.
func (w *world) checkUpdate(before map[jobmanager.ID]ledger, was, parts []part, events []*jobmanager.Event) error {
	told := map[jobmanager.ID]int{}
	for _, e := range events {
		told[e.JobID]++
	}
	named := func(list []part, name string) *part {
		at := slices.IndexFunc(list, func(p part) bool { return p.name == name })
		if at < 0 {
			return nil
		}
		return &list[at]
	}
	for id := range before {
		pre := before[id]
		former, next := named(was, pre.component), named(parts, pre.component)
		var err error
		switch {
		case next == nil:
			err = w.checkRemoved(&pre)
		case former == nil || pre.kind == jobmanager.DeleteDeployment:
			// it comes back, at once or once it is removed
		case *former == *next && told[id] > 0:
			err = fmt.Errorf("its component did not change, and %d events tell of it", told[id])
		case *former != *next && told[id] == 0:
			err = errors.New("its component changed, and nothing tells of it")
		case former.manifest != next.manifest && samePlace(*former, *next):
			err = w.checkNewManifests(&pre)
		}
		if err != nil {
			return fmt.Errorf("job %s of %s, a %s/%s with its workload %s: %w", id, pre.component, pre.kind, pre.state, pre.workload, err)
		}
	}
	for _, p := range parts {
		if !slices.ContainsFunc(w.alive(before), func(l *ledger) bool { return l.component == p.name }) {
			return fmt.Errorf("component %s has no job", p.name)
		}
	}
	return nil
}

// alive are the ledgers of the group that the jobs before belong to, with those that were made since.
func (w *world) alive(before map[jobmanager.ID]ledger) []*ledger {
	var group jobmanager.ID
	for _, pre := range before {
		group = pre.group
	}
	var members []*ledger
	for _, l := range w.jobs {
		if l.group == group {
			members = append(members, l)
		}
	}
	return members
}

// checkRemoved: what stands nowhere is dropped, the rest is a Delete and leaves when that is done.
func (w *world) checkRemoved(pre *ledger) error {
	l := w.jobs[pre.id]
	standing := pre.standing(w.row(pre), w.clock.Now())
	switch {
	case standing && l == nil:
		return errors.New("it was dropped while something may stand")
	case !standing && l != nil:
		return errors.New("it was not dropped")
	case l != nil && l.kind != jobmanager.DeleteDeployment:
		return fmt.Errorf("it is a %s", l.kind)
	}
	return nil
}

// checkNewManifests: work in hand goes on, what stands is replaced by its owner, the rest begins anew.
func (w *world) checkNewManifests(pre *ledger) error {
	l, row := w.jobs[pre.id], w.row(pre)
	moves := pre.kind == jobmanager.UpdateDeployment && row.SubType == jobmanager.Reallocation
	inHand := pre.lease != nil || held(row, w.clock.Now()) != ""
	want := struct {
		kind  jobmanager.JobType
		state jobmanager.JobState
		owner jobmanager.OwnerID
	}{pre.kind, pre.state, pre.owner}
	switch {
	case inHand, moves, row.Hold == jobmanager.HoldNoTarget, row.Hold == jobmanager.HoldNoFittingTarget:
	case pre.kind == jobmanager.CreateDeployment && pre.state != jobmanager.Finished:
		want.state, want.owner = jobmanager.Created, ""
	default:
		want.kind, want.state, want.owner = jobmanager.ReplaceDeployment, jobmanager.Created, pre.knows(row)
	}
	if l == nil || l.kind != want.kind || l.state != want.state || l.owner != want.owner {
		return fmt.Errorf("with new manifests it is %+v, want %+v", l, want)
	}
	if (inHand || moves) != (l.epoch == pre.epoch) && row.Hold == "" {
		return fmt.Errorf("with new manifests it is at epoch %d, was at %d, in hand %v", l.epoch, pre.epoch, inHand)
	}
	return nil
}
