package service_test

import (
	"slices"

	"pgregory.net/rapid"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// overtaken: an old agent is at a Create while its lease runs out, somebody else takes it, or the application is
// stopped; then it reports after all, and what it made is removed with the rest. Chance alone comes here too rarely.
func (w *world) overtaken(r *rapid.T) {
	owner := w.someOwner(r)
	list := w.poll(r, owner)
	at := slices.IndexFunc(list, func(one *listing) bool { return one.kind == jobmanager.CreateDeployment })
	if at < 0 {
		return
	}
	one := list[at]
	w.promote(r, owner, one)
	made := w.execute(r, owner, one)
	switch below(r, "overtaken by", 3) {
	case 0:
		w.stopped(r, one)
	case 1:
		w.leaseEnds(r)
		w.claimBy(r, w.someOwner(r), one.l)
	default:
		w.leaseEnds(r)
		w.sync(r, made.uid, made.name)
	}
	w.reportWork(r, owner, one, made)
	if l := w.jobs[one.l.id]; l != nil && l.lease != nil && once(r, "the other one reports", 2) {
		w.end(r, l, fence{l.owner, l.epoch}, verbFinish)
	}
	w.stopped(r, one)
	for range 3 {
		for _, each := range w.size.agents {
			w.removeAll(r, each)
		}
		if once(r, "leases end", 2) {
			w.leaseEnds(r)
		}
	}
}

// leaseEnds: time passes until any lease of an old agent is over and may be claimed anew.
func (w *world) leaseEnds(r *rapid.T) {
	for range 2 { // never so long that the server counts as having been away
		w.clock.Advance(w.life.Lease)
		w.duties(r)
	}
}

// stopped: the application of a job that was listed is stopped.
func (w *world) stopped(r *rapid.T, one *listing) {
	if l := w.jobs[one.l.id]; l != nil {
		w.stopGroup(r, l.group, nil, true)
	}
}

// removeAll: an old agent does the removals that it is listed, and mostly tells of each; then its sync names what stands.
func (w *world) removeAll(r *rapid.T, owner jobmanager.OwnerID) {
	for _, one := range w.poll(r, owner) {
		if one.removes {
			w.promote(r, owner, one)
			removed := w.execute(r, owner, one)
			if !once(r, "it tells nothing", 3) {
				w.reportWork(r, owner, one, removed)
			}
		}
	}
	if once(r, "it syncs", 2) {
		w.syncAll(r)
	}
}
