package jobmanager

import (
	"fmt"
	"time"
)

// Move is a reallocation: wanted while To is nil, chosen once the Matchmaker named another target. Nothing is
// removed before.
type Move struct {
	// Cause is the incompliance that wants it; empty when a user's update does.
	Cause ID      `json:"cause,omitempty"`
	To    *Target `json:"to,omitempty"`
	// Tries counts the fruitless ones, NotBefore is the time of the next; with a target, the Matchmaker is to be
	// asked anew once the job has left.
	Tries     int       `json:"tries,omitempty"`
	NotBefore time.Time `json:"notBefore,omitzero"`
	// Reason says why there is no other target yet.
	Reason string `json:"reason,omitempty"`
}

// settled says whether the job may go where it was chosen to: another target was, and nothing was demanded since that
// this target may not meet.
func (m *Move) settled() bool { return m.To != nil && m.NotBefore.IsZero() }

// remedy is the remediation that the move is.
func (m *Move) remedy() Remedy { return Remedy{IncomplianceID: m.Cause, SubType: Reallocation} }

// moving says whether the job's present work is to make room for a move.
func (j *Job) moving() bool {
	return j.Type == UpdateDeployment && j.SubType == Reallocation && j.Move != nil && j.Move.To != nil
}

// NextAsk is when the Matchmaker is to be asked for another target; zero when it is not.
func (j *Job) NextAsk() time.Time {
	switch {
	case j.Move == nil || j.Type == DeleteDeployment || j.moving():
		return time.Time{}
	case j.Move.To != nil && (j.State == Created || j.State == Degraded):
		return j.Reservation.Until // it was handed out when the target was chosen: it leaves once that lapses
	case j.Move.To != nil:
		return time.Time{}
	}
	return j.Move.NotBefore
}

// Relocate takes the Matchmaker's answer for a job that wants another target. It looks before it leaps: without
// an answer, or with the old target only, nothing is removed, and the next try is spaced. A move that a user's
// update wants is given up when the answer is the old target: there is no difference.
func (j *Job) Relocate(match Match, componentType string, lc LifeCycle, now time.Time) []Event {
	switch {
	case j.NextAsk().IsZero():
		return nil
	case j.Move.To != nil && j.busy(now):
		return nil
	case j.Move.To != nil: // it was handed out when the target was chosen, and nobody claimed it
		return j.leave(now)
	}
	chosen := lc.firstFitting(match, componentType)
	switch {
	case j.Move.Cause != "":
		chosen = lc.firstFitting(match.without(j.Target), componentType)
	case chosen != nil && chosen.same(j.Target):
		j.Move = nil
		return []Event{j.event(JobMatched, j.former(), now, "it stays on "+j.Target.Cluster)}
	}
	if chosen == nil {
		return j.stayPut(match, lc, now)
	}
	move := *j.Move
	move.To, move.NotBefore, move.Reason = chosen, time.Time{}, ""
	j.Move = &move
	if j.busy(now) || j.Type == CreateDeployment && (j.State == Progressing || j.Hold == HoldAmbiguousWorkload) {
		return []Event{j.event(JobMatched, j.former(), now, "to move to "+chosen.Cluster+" once the work in progress has ended")}
	}
	return j.leave(now)
}

// without is the answer without one target.
func (m Match) without(target *Target) Match {
	var others []Target
	for i := range m.Targets {
		if !m.Targets[i].same(target) {
			others = append(others, m.Targets[i])
		}
	}
	m.Targets = others
	return m
}

// same says whether two targets are one place, whoever named it.
func (t *Target) same(other *Target) bool {
	return other != nil && t.Cluster == other.Cluster && t.Node == other.Node && t.Orchestrator == other.Orchestrator
}

// stayPut spaces the next try for another target; its incompliance is told the first time.
func (j *Job) stayPut(match Match, lc LifeCycle, now time.Time) []Event {
	move := *j.Move
	move.Tries++
	move.NotBefore = now.Add(doubling(lc.Rematch, lc.MaxRematch, move.Tries))
	move.Reason = match.Reason
	if move.Reason == "" {
		move.Reason = "the Matchmaker names no other target"
	}
	j.Move = &move
	if move.Cause == "" || move.Tries > 1 {
		return nil
	}
	return []Event{j.tellRemedy(move.remedy(), RemediationNoOtherTarget, move.Reason, now)}
}

// leave begins the move to the target that was chosen. Where nothing stands the job changes its target at once;
// else its owner removes the workload first.
func (j *Job) leave(now time.Time) []Event {
	if j.Workload == WorkloadNone {
		return j.settleElsewhere("it moves", now)
	}
	move := j.Move
	j.Move = nil // it is no longer waiting, and is not dropped with what is
	events := j.supersede("the job moves to "+move.To.Cluster, now)
	former, owner := j.former(), j.formerOwner()
	closed := j.begin(UpdateDeployment, Reallocation, "the job moves", now)
	j.Owner, j.Cause, j.Move = owner, move.Cause, move
	event := j.event(JobReallocated, former, now, fmt.Sprintf("%s leaves %s for %s: %s removes it first", j.Component, j.cluster(), move.To.Cluster, owner))
	event.Attempt = closed
	if move.Cause != "" {
		event.Remediation = j.remediation(move.Cause, Reallocation, RemediationStarted, "", now)
		event.Remediation.Generation = j.Generation
	}
	return append(events, event)
}

// settleElsewhere makes a job of which nothing stands a Create on the target that was chosen: it has no owner,
// resource or attempts any more, and what waited for the former workload is dropped.
func (j *Job) settleElsewhere(message string, now time.Time) []Event {
	move := *j.Move
	var events []Event
	if waiting := j.Queued; waiting != nil {
		j.Queued = nil
		events = append(events, j.tellRemedy(*waiting, RemediationDropped, "the job moved", now))
	}
	began := j.moving()
	events = append(events, j.comeBack(JobReallocated, message, now))
	if move.Cause != "" && !began {
		events = append(events, j.tellRemedy(move.remedy(), RemediationFinished, "nothing stood on its former target", now))
	}
	return events
}
