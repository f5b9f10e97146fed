package service_test

import (
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/service"
)

// someReport draws what an agent says of a resource: as the API takes it, and as the ledger does.
func (w *world) someReport(r *rapid.T, l *ledger) (*service.ResourceInput, jobmanager.ResourceReport) {
	if once(r, "says nothing", 5) {
		return nil, jobmanager.ResourceReport{}
	}
	report := jobmanager.ResourceReport{
		UID:  oneOf[string](r, "uid", "", "uid-1", "uid-1", "uid-2"),
		Name: oneOf[string](r, "name", "", "", "renamed"),
	}
	if report.UID != "" {
		report.UID = string(l.id)[24:] + "-" + report.UID
	}
	if report.Name != "" {
		report.Name = l.component + "-" + report.Name
	}
	input := &service.ResourceInput{UID: jobmanager.Text(report.UID), Name: jobmanager.Text(report.Name)}
	types := someOf(r, "conditions", 0, 3, "Applied", "Available", "Degraded")
	for _, kind := range types {
		c := jobmanager.Condition{
			Type:               kind,
			Status:             oneOf(r, "status", jobmanager.StatusTrue, jobmanager.StatusFalse, jobmanager.StatusUnknown),
			Reason:             oneOf[string](r, "reason", "", "Because"),
			ObservedGeneration: int64(below(r, "observed generation", 4)),
		}
		said := service.ConditionInput{Type: kind, Status: c.Status, Reason: jobmanager.Text(c.Reason)}
		if c.ObservedGeneration > 0 {
			said.ObservedGeneration = &c.ObservedGeneration
		}
		if moment := oneOf[time.Duration](r, "transition", 0, 0, -time.Minute, time.Hour); moment != 0 {
			c.LastTransitionTime = w.clock.Now().Add(moment)
			said.LastTransitionTime = &c.LastTransitionTime
		}
		report.Conditions = append(report.Conditions, c)
		input.Conditions = append(input.Conditions, said)
	}
	return input, report
}

// reportResource: the owner, or a stale agent, says what runs.
func (w *world) reportResource(r *rapid.T) {
	l := w.someJobWith(r, func(l *ledger) bool { return l.workload != jobmanager.WorkloadNone })
	if l == nil {
		return
	}
	f := w.someFence(r, l)
	said, report := w.someReport(r, l)
	if said == nil {
		said = &service.ResourceInput{}
	}
	s := step{
		call: call{verb: verbReport, owner: f.owner, epoch: f.epoch, report: report}, about: []jobmanager.ID{l.id}, must: []jobmanager.ID{l.id},
		what: fmt.Sprintf("%s at epoch %d reports %s: %+v", f.owner, f.epoch, l.id, report),
	}
	oldest := l.epoch
	if l.last().owner == f.owner {
		oldest = l.last().epoch
	}
	switch {
	case l.owner != f.owner || f.epoch < oldest || f.epoch > l.epoch:
		s.want = jobmanager.CodeStaleOwner
	case l.workload == jobmanager.WorkloadNone:
		s.want = jobmanager.CodeWrongState
	default:
		sketch := *l
		if !sketch.takeReport(report, w.clock.Now()) { // at most the last-seen mark moves
			s.verb, s.must = verbQuiet, nil
		}
	}
	w.heard(f.owner, false)
	s.run = func() error {
		_, err := w.ReportResource(w.ctx, fleet(), service.ReportResourceInput{JobID: l.id, OwnerID: f.owner, Epoch: f.epoch, Resource: *said})
		return refusedWith(err, l)
	}
	w.do(r, s)
}

// renewal is one lease to renew, and what is to come of it.
type renewal struct {
	l    *ledger
	f    fence
	want jobmanager.Code
}

// renew: an agent renews some leases, also such that are over or were never its own.
func (w *world) renew(r *rapid.T) {
	var renewals []*renewal
	owner := w.someOwner(r)
	for range 1 + below(r, "leases", 3) {
		l := w.someJobWith(r, func(l *ledger) bool { return l.owner == owner && l.state == jobmanager.Progressing })
		if l == nil {
			return
		}
		if !slices.ContainsFunc(renewals, func(other *renewal) bool { return other.l == l }) {
			renewals = append(renewals, &renewal{l: l, f: fence{owner, w.someFence(r, l).epoch}})
		}
	}
	w.renewAll(r, owner, renewals)
}

func (w *world) renewAll(r *rapid.T, owner jobmanager.OwnerID, renewals []*renewal) {
	s := step{call: call{verb: verbRenew}, extends: w.marked}
	s.quiet = !w.judge(renewals)
	input := service.RenewLeasesInput{OwnerID: owner}
	for _, n := range renewals {
		input.Leases = append(input.Leases, service.LeaseInput{JobID: n.l.id, Epoch: n.f.epoch})
	}
	s.what = fmt.Sprintf("%s renews %+v", owner, input.Leases)
	w.heard(owner, false)
	s.run = func() error {
		payload, err := w.RenewLeases(w.ctx, fleet(), input)
		if err != nil {
			return err
		}
		for i, result := range payload.Results {
			if n := renewals[i]; result.JobID != n.l.id || jobmanager.Code(result.Code) != n.want || (result.Lease == nil) != (n.want != "") {
				return fmt.Errorf("%w: the renewal of %s is %q, want %q", errMisled, n.l.id, result.Code, n.want)
			}
		}
		return nil
	}
	s.unaware = func() {
		for _, n := range renewals {
			if n.want == "" {
				n.l.lease.until = w.clock.Now().Add(n.l.lease.length)
			}
		}
	}
	w.do(r, s)
}

// judge says what is to come of renewals, and whether any lease changes. Where one is refused and the server was away,
// it says so first: whatever was live when it went gets its time anew, and what was refused is tried once more.
func (w *world) judge(renewals []*renewal) (changes bool) {
	now, refused := w.clock.Now(), false
	for _, n := range renewals {
		n.want = n.l.renewalRefusal(n.f, now)
		changes, refused = changes || n.want == "", refused || n.want != ""
	}
	if !refused || now.Sub(w.marked) <= away {
		return changes
	}
	for _, l := range w.jobs {
		changes = changes || l.lease != nil && l.lease.until.After(w.marked)
	}
	for _, n := range renewals {
		if n.l.lease != nil && n.l.lease.until.After(w.marked) && n.want == jobmanager.CodeLeaseExpired {
			n.want = ""
		}
	}
	w.mark()
	return changes
}

// renewalRefusal says why a lease is not renewed; empty when it is.
func (l *ledger) renewalRefusal(f fence, now time.Time) jobmanager.Code {
	switch {
	case l.owner != f.owner || l.epoch != f.epoch:
		return jobmanager.CodeStaleOwner
	case l.state != jobmanager.Progressing && l.last().outcome != jobmanager.OutcomeExpired:
		return jobmanager.CodeWrongState
	case l.lease == nil || !l.lease.until.After(now):
		return jobmanager.CodeLeaseExpired
	}
	return ""
}

// handOut: an agent that executes without asking lists what it may.
func (w *world) handOut(r *rapid.T) {
	owner := w.someOwner(r)
	w.heard(owner, true)
	view := w.view(owner)
	may := map[jobmanager.ID]bool{}
	for _, id := range w.seen.order {
		if w.claimable(w.jobs[id], view) {
			may[id] = true
		}
	}
	watched, due := w.watched(owner)
	w.do(r, step{
		call: call{verb: verbPoll, owner: owner}, what: fmt.Sprintf("%s is handed out %d jobs", owner, len(may)), quiet: len(may) == 0 && watched == 0,
		about: due, must: due,
		run: func() error {
			agent := jobmanager.Agent{OwnerID: owner, Orchestrator: view.Orchestrator, Clusters: w.agents[owner].named}
			jobs, err := w.HandOut(w.ctx, fleet(), agent, jobmanager.JobLoad{})
			if err != nil {
				return err
			}
			if len(due) > 0 {
				return nil // what is done makes other work
			}
			if len(jobs) != min(len(may), w.life.MostHandedOut) {
				return fmt.Errorf("%w: it was handed out %d of %d jobs", errMisled, len(jobs), len(may))
			}
			for _, job := range jobs {
				if !may[job.ID] {
					return fmt.Errorf("%w: it was handed out job %s, which it may not claim", errMisled, job.ID)
				}
			}
			return nil
		},
	})
	for _, id := range w.seen.order {
		if by := held(w.seen.jobs[id], w.clock.Now()); by != "" && once(r, "somebody else wants it", 3) {
			w.claimBy(r, w.someOwner(r), w.jobs[id])
			return
		}
	}
}

// nameTheDead: an agent names a job that is gone.
func (w *world) nameTheDead(r *rapid.T) {
	if len(w.forgotten) == 0 {
		return
	}
	id := oneOf(r, "job that is gone", w.forgotten...)
	owner := w.someOwner(r)
	w.heard(owner, false)
	w.do(r, step{
		call: call{verb: verbFinish, owner: owner, epoch: 1}, what: fmt.Sprintf("%s finishes %s, which is gone", owner, id), want: jobmanager.CodeNotFound,
		run: func() error {
			_, err := w.FinishJob(w.ctx, fleet(), service.FinishJobInput{JobID: id, OwnerID: owner, Epoch: 1})
			return err
		},
	})
}
