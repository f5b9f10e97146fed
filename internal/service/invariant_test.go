package service_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// checkInvariants checks what must hold between any two steps, whatever happened.
func (w *world) checkInvariants(r *rapid.T) {
	now := w.clock.Now()
	var due []time.Time
	for _, id := range w.seen.order {
		job, l := w.seen.jobs[id], w.jobs[id]
		err := errors.Join(l.attemptsHold(job), w.worksOnTheNewest(job, l), nothingWaitsForNothing(job, l), w.straysHold(job, l))
		if err != nil {
			r.Fatalf("%s/%s job %s of %s: %v", job.Type, job.State, id, job.Component, err)
		}
		at, err := waits(job, l, now)
		if err != nil {
			r.Fatalf("%s/%s job %s of %s: %v", job.Type, job.State, id, job.Component, err)
		}
		due = append(due, at...)
	}
	w.checkChances(r, due, now)
	w.checkPhases(r)
	w.checkAnswers(r)
	w.checkExecutable(r, now)
}

// attemptsHold: one attempt is open where the job is in progress under a lease, and none else; their epochs grow; the
// table has them as they were.
func (l *ledger) attemptsHold(job *jobmanager.Job) error {
	open := 0
	for _, a := range l.attempts {
		if a.outcome == "" {
			open++
		}
	}
	working := l.state == jobmanager.Progressing && l.lease != nil
	if working != (open == 1) || open > 1 || !l.epochsGrow() {
		return fmt.Errorf("%d attempts are open, the lease is %+v, the attempts are %+v", open, l.lease, l.attempts)
	}
	shown := l.attempts[max(0, len(l.attempts)-len(job.Attempts)):]
	same := func(a try, b jobmanager.Attempt) bool {
		return a.epoch == b.Epoch && a.owner == b.OwnerID && a.claimID == b.ClaimID && a.outcome == outcomeOf(b) && a.endedAt.Equal(b.EndedAt)
	}
	if len(job.Attempts) < min(20, len(l.attempts)) || !slices.EqualFunc(shown, job.Attempts, same) {
		return fmt.Errorf("the attempts are %+v, want %+v", job.Attempts, shown)
	}
	return nil
}

// worksOnTheNewest: a job has the manifests that its application says, and one that is done runs them.
func (w *world) worksOnTheNewest(job *jobmanager.Job, l *ledger) error {
	if l.kind == jobmanager.DeleteDeployment {
		return nil
	}
	parts := w.groups[l.group].parts
	at := slices.IndexFunc(parts, func(p part) bool { return p.name == l.component })
	if at < 0 {
		return errors.New("its component left the application")
	}
	text, want := manifestText(job.Manifests), fmt.Sprintf("version: %q", strconv.Itoa(parts[at].manifest))
	switch {
	case parts[at].manifest == 0 && text != "", parts[at].manifest > 0 && !strings.Contains(text, want):
		return fmt.Errorf("its manifests are %q, the application says version %d", text, parts[at].manifest)
	case l.state == jobmanager.Finished && l.applied != text:
		return fmt.Errorf("it is done and runs %q, its manifests are %q", l.applied, text)
	}
	return nil
}

// nothingWaitsForNothing: when the work is done, whatever was asked for meanwhile has begun.
func nothingWaitsForNothing(job *jobmanager.Job, l *ledger) error {
	decided := job.Move != nil && job.Move.To != nil && l.kind != jobmanager.DeleteDeployment
	if l.state == jobmanager.Finished && (job.Queued != nil || job.Outdated || decided || job.Sequel != "" || job.Cause != "") {
		return fmt.Errorf("it is done, and still queued is %+v, outdated %v, move %+v, sequel %q, cause %q",
			job.Queued, job.Outdated, job.Move, job.Sequel, job.Cause)
	}
	handedOut := job.Reservation.OwnerID != "" // whoever it was may have the older manifests
	if l.state == jobmanager.Degraded && job.Outdated && l.kind == jobmanager.CreateDeployment && !handedOut {
		return errors.New("it failed and does not take up its newer manifests")
	}
	return nil
}

// reasons are the words that say why a job is not finished, as the schema has them.
func reasons() []string {
	return []string{
		"AwaitingForTarget", "NoManifests", "NoFittingTarget", "AwaitingForExecution", "AwaitingForOwner", "HandedOut", "InProgress",
		"BackingOff", "AttemptsExhausted", "NoReport", "AmbiguousWorkload", "RemovalUnconfirmed", "AgentCannot",
	}
}

// waits: an unfinished job is in somebody's hands, or may be claimed now or at a time, or waits for a reason that is
// named. It gives the times at which something is to happen by itself.
func waits(job *jobmanager.Job, l *ledger, now time.Time) ([]time.Time, error) {
	var due []time.Time
	if ask := job.NextAsk(); !ask.IsZero() {
		due = append(due, ask)
	}
	if l.state == jobmanager.Finished {
		return due, nil
	}
	waiting := job.Waiting(now)
	if waiting == nil || !slices.Contains(reasons(), waiting.Reason) || waiting.Message == "" || waiting.Since.IsZero() {
		return nil, fmt.Errorf("it is not finished and waits for %+v", waiting)
	}
	switch {
	case l.lease != nil:
		return append(due, l.lease.until), nil
	case waiting.Reason == "NoManifests":
		if len(job.Manifests) > 0 {
			return nil, errors.New("it waits for manifests that it has")
		}
		return due, nil
	case job.Hold == jobmanager.HoldAttemptsExhausted:
		if l.state != jobmanager.Degraded {
			return nil, fmt.Errorf("its attempts are exhausted and it is %s", l.state)
		}
		return due, nil
	case undecided(job):
		return due, nil
	case job.Hold == jobmanager.HoldNoTarget, job.Hold == jobmanager.HoldNoFittingTarget:
		if job.NotBefore.IsZero() || job.Target != nil {
			return nil, fmt.Errorf("it waits for a target, has %+v and is asked for at %s", job.Target, job.NotBefore)
		}
		return append(due, job.NotBefore), nil
	case job.Hold != "":
		return nil, fmt.Errorf("it is held: %s", job.Hold)
	case job.Target == nil:
		return nil, errors.New("it has no target and waits for none")
	}
	at := now
	for _, later := range []time.Time{job.NotBefore, job.Turn.Until, job.Reservation.Until} {
		if later.After(at) {
			at = later
		}
	}
	somebody := jobmanager.Agent{OwnerID: l.owner, Orchestrator: string(job.Orchestrator), Clusters: []string{job.Target.Cluster}}
	if l.owner == "" {
		somebody.OwnerID = "somebody"
	}
	if then := job.Waiting(at); then.Reason == "NoManifests" && len(job.Manifests) == 0 {
		return due, nil
	}
	if !job.Executable(somebody, at) {
		return nil, fmt.Errorf("%s may not claim it at %s: %v", somebody.OwnerID, at, waiting)
	}
	return append(due, at), nil
}

// checkChances: the server wakes in time for whatever is due by time alone, and finds what is due now.
func (w *world) checkChances(r *rapid.T, due []time.Time, now time.Time) {
	next, err := w.store.NextChance(w.ctx, now)
	if err != nil {
		r.Fatal(err)
	}
	for _, at := range due {
		if at.After(now) && (next.IsZero() || next.After(at)) {
			r.Fatalf("something is due at %s, and the server wakes at %s", at, next)
		}
	}
	groups, err := w.store.Unmatched(w.ctx, jobmanager.LongestPage)
	if err != nil {
		r.Fatal(err)
	}
	listed := map[jobmanager.ID]bool{}
	for _, group := range groups {
		for _, job := range group.Jobs {
			listed[job.ID] = true
		}
	}
	for _, id := range w.seen.order {
		if want := asksNow(w.seen.jobs[id], now); want != listed[id] {
			r.Fatalf("job %s is listed to be matched again: %v, want %v", id, listed[id], want)
		}
	}
}

// asksNow says whether the Matchmaker is to be asked about the job now.
func asksNow(job *jobmanager.Job, now time.Time) bool {
	ask := job.NextAsk()
	waits := job.Hold == jobmanager.HoldNoTarget || job.Hold == jobmanager.HoldNoFittingTarget
	return waits && !job.NotBefore.After(now) || !ask.IsZero() && !ask.After(now)
}

// checkPhases: the phase of each group is the one that its jobs make.
func (w *world) checkPhases(r *rapid.T) {
	for id, group := range w.seen.groups {
		if w.groups[id] == nil {
			r.Fatalf("group %s stands in the table and was never told of", id)
		}
		if want := phaseOf(w.membersOf(id)); group.Phase != want {
			r.Fatalf("group %s is %s, its jobs make it %s", group.Name, group.Phase, want)
		}
		if group.Generation != w.groups[id].generation || group.DeleteWhenStopped != w.groups[id].marked {
			r.Fatalf("group %s is at generation %d, marked %v, want %d, %v", group.Name, group.Generation, group.DeleteWhenStopped,
				w.groups[id].generation, w.groups[id].marked)
		}
		if group.DeleteWhenStopped && group.Phase == jobmanager.PhaseStopped {
			r.Fatalf("group %s was to be deleted when it stopped", group.Name)
		}
	}
}

func phaseOf(jobs []*ledger) jobmanager.Phase {
	jobs = slices.DeleteFunc(slices.Clone(jobs), func(l *ledger) bool {
		return l.kind == jobmanager.DeleteDeployment && l.state == jobmanager.Finished
	})
	are := func(holds func(*ledger) bool) int {
		n := 0
		for _, l := range jobs {
			if holds(l) {
				n++
			}
		}
		return n
	}
	finished := are(func(l *ledger) bool { return l.state == jobmanager.Finished })
	switch {
	case len(jobs) == 0:
		return jobmanager.PhaseStopped
	case are(func(l *ledger) bool { return l.kind == jobmanager.DeleteDeployment }) == len(jobs):
		return jobmanager.PhaseStopping
	case are(func(l *ledger) bool { return l.state == jobmanager.Degraded || l.unhealthy() }) > 0:
		return jobmanager.PhaseDegraded
	case finished == len(jobs):
		return jobmanager.PhaseRunning
	case finished > 0, are(func(l *ledger) bool { return l.state == jobmanager.Progressing }) > 0:
		return jobmanager.PhaseDeploying
	}
	return jobmanager.PhasePending
}

// checkAnswers: every remediation that is open is carried by its job, and every one that a job carries is open.
func (w *world) checkAnswers(r *rapid.T) {
	carried := map[answerKey][]jobmanager.RemediationOutcome{}
	for id, job := range w.seen.jobs {
		if job.Queued != nil {
			carried[answerKey{job.Queued.IncomplianceID, id}] = []jobmanager.RemediationOutcome{jobmanager.RemediationWaiting}
		}
		if job.Move != nil && job.Move.Cause != "" && job.Move.Cause != job.Cause {
			carried[answerKey{job.Move.Cause, id}] = []jobmanager.RemediationOutcome{
				jobmanager.RemediationWaiting, jobmanager.RemediationNoOtherTarget,
			}
		}
		if job.Cause != "" {
			// It failed when its attempts were exhausted, and is finished yet when somebody retries the job.
			carried[answerKey{job.Cause, id}] = []jobmanager.RemediationOutcome{jobmanager.RemediationStarted, jobmanager.RemediationFailed}
		}
	}
	for key, answer := range w.replica.answers {
		open := answer.Outcome == jobmanager.RemediationWaiting || answer.Outcome == jobmanager.RemediationStarted ||
			answer.Outcome == jobmanager.RemediationNoOtherTarget
		if open && carried[key] == nil {
			r.Fatalf("incompliance %s is %s at job %s, and nothing will come of it", key.incompliance, answer.Outcome, key.job)
		}
	}
	for key, want := range carried {
		if got := w.replica.answers[key].Outcome; !slices.Contains(want, got) {
			r.Fatalf("job %s carries incompliance %s, whose answer is %q, want one of %s", key.job, key.incompliance, got, want)
		}
	}
}

// checkExecutable: the list that an agent is given, the Go rule and the test's own rule agree on every job. The agents
// take turns, for the list is what costs most of a step.
func (w *world) checkExecutable(r *rapid.T, now time.Time) {
	view := w.view(owners()[w.steps%len(owners())])
	page, err := w.store.Executable(w.ctx, view, jobmanager.PageRequest{First: jobmanager.LongestPage})
	if err != nil {
		r.Fatal(err)
	}
	listed := map[jobmanager.ID]bool{}
	for _, job := range page.Nodes() {
		listed[job.ID] = true
	}
	for _, id := range w.seen.order {
		byRule, byTest := w.seen.jobs[id].Executable(view, now), w.claimable(w.jobs[id], view)
		if listed[id] != byRule || byRule != byTest {
			r.Fatalf("job %s is executable for %s: the clause says %v, the rule %v, the test %v", id, view.OwnerID, listed[id], byRule, byTest)
		}
	}
}
