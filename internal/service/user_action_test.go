package service_test

import (
	"fmt"
	"slices"

	"pgregory.net/rapid"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/service"
)

// someChoice draws what a person wants done when the Matchmaker is down, and says whether that accepts.
func someChoice(r *rapid.T) (*service.OnMatchmakerDown, bool) {
	choice := oneOf[service.OnMatchmakerDown](r, "when the Matchmaker is down", "", service.FailWhenDown, service.AcceptWhenDown, service.AcceptWhenDown)
	if choice == "" {
		return nil, false
	}
	return &choice, choice == service.AcceptWhenDown
}

// submit: a person submits an application.
func (w *world) submit(r *rapid.T) {
	if len(w.groups) >= w.size.groups {
		return
	}
	app := drawApplication(r, w.newName("app"), w.size.parts)
	choice, accepts := someChoice(r)
	request := submission{key: w.newName("key"), text: app.text()}
	s := step{call: call{verb: verbSubmit}, what: fmt.Sprintf("submit %+v", app)}
	if w.matchmaker.isDown() && !accepts {
		s.want = jobmanager.CodeUnavailable
	}
	s.run = func() error {
		payload, err := w.CreateJobGroup(w.ctx, integrator(), service.CreateJobGroupInput{
			Descriptor: request.text, OnMatchmakerDown: choice, IdempotencyKey: jobmanager.Text(request.key),
		})
		if err == nil {
			request.group = payload.JobGroup.ID
		}
		return err
	}
	s.tell = func(events []*jobmanager.Event) error {
		if len(events) != len(app.parts)+1 {
			return fmt.Errorf("%d components make %d events", len(app.parts), len(events))
		}
		w.groups[request.group].application = app
		if choice == nil {
			w.submitted = &request
		}
		return nil
	}
	w.do(r, s)
}

// submitAgain: a person repeats a request whose answer was lost.
func (w *world) submitAgain(r *rapid.T) {
	if w.submitted == nil {
		return
	}
	request := *w.submitted
	s := step{call: call{verb: verbSubmit}, what: "submit again " + request.key, quiet: true}
	if w.groups[request.group] == nil {
		s.want = jobmanager.CodeNotFound
	}
	s.run = func() error {
		payload, err := w.CreateJobGroup(w.ctx, integrator(), service.CreateJobGroupInput{
			Descriptor: request.text, IdempotencyKey: jobmanager.Text(request.key),
		})
		if err == nil && payload.JobGroup.ID != request.group {
			return fmt.Errorf("%w: a retry made group %s, the first call %s", errMisled, payload.JobGroup.ID, request.group)
		}
		return err
	}
	w.do(r, s)
}

// runs says whether any of the jobs is more than a Delete, or will be.
func (w *world) runs(members []*ledger) bool {
	return slices.ContainsFunc(members, func(l *ledger) bool {
		return l.kind != jobmanager.DeleteDeployment || w.row(l).Sequel == jobmanager.SequelReturn
	})
}

func idsIn(members []*ledger, holds func(*ledger) bool) []jobmanager.ID {
	ids := []jobmanager.ID{}
	for _, l := range members {
		if holds(l) {
			ids = append(ids, l.id)
		}
	}
	return ids
}

func isNoDelete(l *ledger) bool { return l.kind != jobmanager.DeleteDeployment }

// stop: a person stops an application.
func (w *world) stop(r *rapid.T) {
	id, g := w.someGroup(r)
	if g == nil {
		return
	}
	expected, right := someExpected(r, g.generation)
	w.stopGroup(r, id, expected, right)
}

func (w *world) stopGroup(r *rapid.T, id jobmanager.ID, expected *int64, right bool) {
	g, members := w.groups[id], w.membersOf(id)
	s := step{
		call: call{verb: verbStop}, what: "stop " + g.name, quiet: !w.runs(members), must: idsIn(members, isNoDelete),
		about: idsIn(members, func(*ledger) bool { return true }),
		run: func() error {
			_, err := w.StopJobGroup(w.ctx, integrator(), service.StopJobGroupInput{JobGroupID: id, ExpectedVersion: expected})
			return err
		},
	}
	if !right {
		s.want = jobmanager.CodeVersionConflict
	}
	w.do(r, s)
}

// start: a person starts an application.
func (w *world) start(r *rapid.T) {
	id, g := w.someGroup(r)
	if g == nil {
		return
	}
	choice, accepts := someChoice(r)
	expected, right := someExpected(r, g.generation)
	members := w.membersOf(id)
	removing := slices.ContainsFunc(members, func(l *ledger) bool { return l.state != jobmanager.Finished })
	s := step{call: call{verb: verbStart}, what: "start " + g.name, about: nil}
	switch {
	case !right:
		s.want = jobmanager.CodeVersionConflict
	case g.marked:
		s.want = jobmanager.CodeWrongState
	case w.runs(members):
		s.quiet = true
	case removing:
		s.want = jobmanager.CodeGroupNotStopped
	case w.matchmaker.isDown() && !accepts:
		s.want = jobmanager.CodeUnavailable
	}
	s.must = idsIn(members, func(*ledger) bool { return true })
	s.run = func() error {
		_, err := w.StartJobGroup(w.ctx, integrator(), service.StartJobGroupInput{
			JobGroupID: id, OnMatchmakerDown: choice, ExpectedVersion: expected,
		})
		return err
	}
	w.do(r, s)
}

// deleteGroup: a person deletes an application, or wants it stopped and deleted.
func (w *world) deleteGroup(r *rapid.T) {
	id, g := w.someGroup(r)
	if g == nil {
		return
	}
	stopFirst := once(r, "stop first", 2)
	expected, right := someExpected(r, g.generation)
	members := w.membersOf(id)
	standing := idsIn(members, func(l *ledger) bool { return l.standing(w.row(l), w.clock.Now()) })
	s := step{call: call{verb: verbDeleteGroup}, what: fmt.Sprintf("delete %s, stop first %v", g.name, stopFirst)}
	switch {
	case !right:
		s.want = jobmanager.CodeVersionConflict
	case len(standing) == 0:
		s.must = idsIn(members, func(*ledger) bool { return true })
	case !stopFirst:
		s.want = jobmanager.CodeGroupNotStopped
	case g.marked:
		s.quiet = true
	default:
		s.must = idsIn(members, isNoDelete)
	}
	s.run = func() error {
		payload, err := w.DeleteJobGroup(w.ctx, integrator(), service.DeleteJobGroupInput{JobGroupID: id, StopFirst: &stopFirst, ExpectedVersion: expected})
		if err == nil && payload.Deleted != (len(standing) == 0) {
			return fmt.Errorf("%w: deleted is %v, while %d jobs stand", errMisled, payload.Deleted, len(standing))
		}
		return err
	}
	w.do(r, s)
}

// changeOneJob: a person retries, deletes or abandons a job.
func (w *world) changeOneJob(r *rapid.T) {
	how := oneOf[verb](r, "how", verbRetry, verbRetry, verbDeleteJob, verbAbandon)
	l := w.someJobWith(r, func(l *ledger) bool { return how != verbRetry || l.state == jobmanager.Degraded || undecided(w.row(l)) })
	if l == nil {
		return
	}
	expected, right := someExpected(r, w.groups[l.group].generation)
	s := step{call: call{verb: how}, what: fmt.Sprintf("%s %s", how, l.id), must: []jobmanager.ID{l.id}}
	switch {
	case !right:
		s.want = jobmanager.CodeVersionConflict
	case how == verbRetry:
		s.quiet = l.state != jobmanager.Degraded && !undecided(w.row(l))
	case how == verbAbandon:
		s.quiet = l.kind == jobmanager.DeleteDeployment && l.state == jobmanager.Finished
	case l.standing(w.row(l), w.clock.Now()):
		s.want = jobmanager.CodeWrongState
	}
	if how == verbRetry {
		s.about = s.must
	}
	s.run = func() (err error) {
		switch how {
		case verbRetry:
			_, err = w.RetryJob(w.ctx, integrator(), service.RetryJobInput{JobID: l.id, ExpectedVersion: expected})
		case verbDeleteJob:
			_, err = w.DeleteJob(w.ctx, integrator(), service.DeleteJobInput{JobID: l.id, ExpectedVersion: expected})
		default:
			_, err = w.AbandonJob(w.ctx, admin(), service.AbandonJobInput{JobID: l.id, Reason: "its agent is gone", ExpectedVersion: expected})
		}
		return err
	}
	w.do(r, s)
}

// reassign: an admin gives what one agent holds to another.
func (w *world) reassign(r *rapid.T) {
	w.reassignFrom(r, w.someOwner(r))
}

func (w *world) reassignFrom(r *rapid.T, from jobmanager.OwnerID) {
	to := w.someOwner(r)
	if from == to {
		return
	}
	all := w.membersOfAll()
	holds := idsIn(all, func(l *ledger) bool {
		return l.owner == from || l.owner == "" && w.row(l).Reservation.OwnerID == from
	})
	var want jobmanager.Code
	if one, other := w.agents[from], w.agents[to]; one.known && other.known && one.orchestrator != other.orchestrator {
		want = jobmanager.CodeInvalid
	}
	w.do(r, step{
		call: call{verb: verbReassign, to: to}, what: fmt.Sprintf("reassign %d jobs of %s to %s", len(holds), from, to),
		quiet: len(holds) == 0, about: holds, must: holds, want: want,
		run: func() error {
			_, err := w.ReassignJobs(w.ctx, admin(), service.ReassignJobsInput{FromOwner: from, ToOwner: to})
			return err
		},
	})
}

func (w *world) membersOfAll() []*ledger {
	var all []*ledger
	for _, id := range w.seen.order {
		all = append(all, w.jobs[id])
	}
	return all
}

// setAgent: an admin says which clusters an agent serves that names none.
func (w *world) setAgent(r *rapid.T) {
	a := w.agents[oneOf[jobmanager.OwnerID](r, "agent", "o-any", "n-any")]
	serve := someOf(r, "clusters", 0, 2, clusters()...)
	orchestrator := oneOf[string](r, "orchestrator", "", a.orchestrator)
	s := step{call: call{verb: verbQuiet}, what: fmt.Sprintf("%s is to serve %v", a.owner, serve), quiet: true}
	if orchestrator == "" && !a.known {
		s.want = jobmanager.CodeNotFound
	} else {
		a.known, a.set, a.done = true, serve, a.done || !a.known
	}
	s.run = func() error {
		_, err := w.SetAgent(w.ctx, admin(), service.SetAgentInput{OwnerID: a.owner, Orchestrator: jobmanager.Text(orchestrator), Clusters: serve})
		return err
	}
	w.do(r, s)
}
