package service_test

import (
	"time"

	"pgregory.net/rapid"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/service"
)

// pileUp: an agent is at work, others want something else of the job meanwhile, and then the work ends in some way.
// What is left to chance alone comes here too rarely.
func (w *world) pileUp(r *rapid.T) {
	l := w.someJobWith(r, func(l *ledger) bool { return isNoDelete(l) && l.owner != "" })
	if l == nil {
		return
	}
	if l.state == jobmanager.Finished && once(r, "a remedy first", 2) {
		w.reportAbout(r, w.itself(l), someRemedy(r))
	}
	if l.lease == nil && l.owner != "" {
		w.claimBy(r, l.owner, l)
	}
	for range 1 + below(r, "demands", 3) {
		if w.jobs[l.id] == nil {
			return
		}
		if once(r, "a remedy", 2) {
			w.reportAbout(r, w.itself(l), someRemedy(r))
		} else {
			w.updateGroup(r, l.group, w.groups[l.group])
		}
		if once(r, "the Matchmaker answers", 3) {
			w.askAgain(r)
		}
	}
	if l = w.jobs[l.id]; l != nil && l.owner != "" {
		w.endSomehow(r, l)
	}
}

// itself is a subject that names the job by its group and component.
func (w *world) itself(l *ledger) subject {
	members := w.membersOf(l.group)
	return subject{
		SubjectInput: service.SubjectInput{AppInstance: jobmanager.Text(l.group), AppComponent: jobmanager.Text(l.component)},
		finds:        idsIn(members, func(other *ledger) bool { return other.component == l.component || other.names[l.component] }),
	}
}

// moveAway: a job that stands is to move, another target turns up, and its agent makes room.
func (w *world) moveAway(r *rapid.T) {
	l := w.someJobWith(r, func(l *ledger) bool { return l.state == jobmanager.Finished && isNoDelete(l) })
	if l == nil || !isNoDelete(l) {
		return
	}
	for demand := range demands {
		w.matchmaker.learn(demand+1, someOf(r, "clusters", 2, 3, clusters()...)...)
	}
	w.matchmaker.fall(false)
	w.reportAbout(r, w.itself(l), "reallocation")
	w.askAgain(r)
	if l = w.jobs[l.id]; l.kind == jobmanager.UpdateDeployment && l.owner != "" {
		w.claimBy(r, l.owner, l)
		w.endSomehow(r, l)
	}
}

// late: a lease runs out, and its agent goes on as if it had not noticed.
func (w *world) late(r *rapid.T) {
	l := w.someJobWith(r, func(l *ledger) bool { return l.lease != nil })
	if l == nil || l.lease == nil {
		return
	}
	if wait := l.lease.until.Sub(w.clock.Now()); wait > 0 {
		w.clock.Advance(wait)
	}
	w.renewAll(r, l.owner, []*renewal{{l: l, f: fence{l.owner, l.epoch}}})
	if once(r, "and reports", 2) {
		w.end(r, l, fence{l.owner, l.epoch}, oneOf(r, "how", verbFinish, verbFail, verbRelease))
	}
}

// endSomehow ends the work on a job: by its agent's word, by silence, or by an admin.
func (w *world) endSomehow(r *rapid.T, l *ledger) {
	switch how := oneOf(r, "end", verbFinish, verbFail, verbRelease, verbDuty, verbReassign); how {
	case verbDuty:
		for range 3 { // longer than any lease, and never so long that the server counts as having been away
			w.clock.Advance(5 * time.Minute)
			w.duties(r)
		}
	case verbReassign:
		w.reassignFrom(r, l.owner)
	default:
		w.end(r, l, fence{l.owner, l.epoch}, how)
	}
}
