package jobmanager

import (
	"fmt"
	"time"
)

// What follows when an attempt ends: what was asked of the job meanwhile, the weightiest first.

// afterFinish goes on with what waited for the work to be done: a reallocation, newer manifests, a remediation.
func (j *Job) afterFinish(now time.Time) []Event {
	events := j.settleCause(RemediationFinished, "", now)
	switch {
	case j.Type == DeleteDeployment:
		return append(events, j.afterDelete(now)...)
	case j.moving():
		return append(events, j.settleElsewhere("it has left its former target", now)...)
	case j.Move != nil && j.Move.To != nil:
		return append(events, j.leave(now)...)
	case j.Outdated:
		return append(events, j.replace(now)...)
	case j.Queued != nil:
		return append(events, j.remediate(*j.Queued, now)...)
	}
	return events
}

// afterDelete removes the next stray; after the last it takes the job out of its group, or brings its component back,
// where an update asked for it.
func (j *Job) afterDelete(now time.Time) []Event {
	if events := j.removeStray(now); len(events) > 0 {
		return events
	}
	switch j.Sequel {
	case SequelLeave:
		return []Event{j.drop("its component left the descriptor", now)}
	case SequelReturn:
		return []Event{j.comeBack(JobStarted, "its component came back", now)}
	}
	return nil
}

// afterFailure replaces work that failed, or whose lease ran out, by what was asked of the job meanwhile. A Create
// is tried anew with its newer manifests; a remediation that failed gives way to a newer one. A move waits for a
// Create that another agent may take over: the one that fell silent might never remove what it began.
func (j *Job) afterFailure(lc LifeCycle, now time.Time) []Event {
	var events []Event
	if j.Hold != "" {
		events = j.failCause(j.LastError, now)
	}
	takeover := j.Type == CreateDeployment && (j.State == Progressing || j.Hold == HoldAmbiguousWorkload)
	switch {
	case j.Type == DeleteDeployment || j.moving():
	case j.Move != nil && j.Move.To != nil && !takeover:
		events = append(events, j.leave(now)...)
	case j.Outdated && j.Type == CreateDeployment:
		events = append(events, j.tryAnew(lc.Backoff, now))
	case j.Outdated:
		events = append(events, j.replace(now)...)
	case j.Queued != nil && j.Type == UpdateDeployment && j.State == Degraded:
		events = append(events, j.settleCause(RemediationFailed, j.LastError, now)...)
		events = append(events, j.remediate(*j.Queued, now)...)
	}
	return events
}

// afterRelease goes on with what waited, where an agent gave its work back.
func (j *Job) afterRelease(now time.Time) []Event {
	switch {
	case j.Type == DeleteDeployment || j.moving():
		return nil
	case j.Move != nil && j.Move.To != nil:
		return j.leave(now)
	case j.Type == CreateDeployment:
		events := j.emptySlot(RemediationDropped, "nothing stands to be remedied", now)
		if j.Outdated {
			events = append(events, j.tryAnew(0, now))
		}
		return events
	case j.Outdated:
		return j.replace(now)
	case j.Queued != nil && j.Type == UpdateDeployment:
		events := j.settleCause(RemediationSuperseded, "a newer remediation took its place", now)
		return append(events, j.remediate(*j.Queued, now)...)
	}
	return nil
}

// replace makes the job a Replace for its owner, with the manifests that it has by now.
func (j *Job) replace(now time.Time) []Event {
	events := j.supersede("new manifests take its place", now)
	former := j.former()
	owner := j.formerOwner()
	closed := j.begin(ReplaceDeployment, "", "the manifests changed", now)
	j.Owner = owner
	event := j.event(JobUpdated, former, now, fmt.Sprintf("new manifests for %s, to be replaced by %s", j.Component, j.Owner))
	event.Attempt = closed
	return append(events, event)
}

// tryAnew makes a Create that is not done another piece of work, with its newer manifests: whoever was given the
// older ones is fenced. Where something may stand, the agent of the last attempt comes first for as long as ahead,
// for that knows of it; one that did not report comes last.
func (j *Job) tryAnew(ahead time.Duration, now time.Time) Event {
	former, first := j.former(), TurnOfOwner
	if j.Last.Ended(OutcomeExpired) {
		first = TurnOfOthers
	}
	closed := j.begin(CreateDeployment, "", "it is tried anew", now)
	j.Owner = ""
	if j.Workload != WorkloadNone && j.Hold == "" {
		j.Turn = Turn{Of: first, Until: now.Add(ahead)}
	}
	event := j.event(JobUpdated, former, now, "new manifests for "+j.Component+": its Create is tried anew")
	event.Attempt = closed
	return event
}

// afterReassign goes on with what waited for an attempt that was taken from its agent; closed is nil where none ran.
func (j *Job) afterReassign(closed *Attempt, now time.Time) []Event {
	var events []Event
	if closed != nil && j.Hold == HoldNoReport {
		events = j.failCause(j.HoldMessage, now)
	}
	switch {
	case j.Type == CreateDeployment || j.Type == DeleteDeployment || j.moving() || j.State == Finished:
	case j.Move != nil && j.Move.To != nil:
		events = append(events, j.leave(now)...)
	case j.Outdated:
		events = append(events, j.replace(now)...)
	case j.Queued != nil && j.Type == UpdateDeployment && j.State == Degraded:
		events = append(events, j.remediate(*j.Queued, now)...)
	}
	return events
}

// drop removes the job from its group.
func (j *Job) drop(reason string, now time.Time) Event {
	j.Deleted = true
	return j.event(JobDeleted, j.former(), now, j.Component+" is gone: "+reason)
}

// comeBack makes the job a Create again, with nothing of its former life: on the target that was chosen for it,
// or waiting for one.
func (j *Job) comeBack(kind EventType, message string, now time.Time) Event {
	former, reason := j.former(), ""
	if move := j.Move; move != nil {
		j.Move, j.Target, j.Orchestrator, reason = nil, nil, "", move.Reason
		if move.settled() {
			j.Target, j.Orchestrator = move.To, Text(move.To.Orchestrator)
		}
	}
	j.dropCandidates(now)
	closed := j.begin(CreateDeployment, "", message, now)
	j.Owner, j.Workload, j.Sequel, j.Cooling = "", WorkloadNone, "", nil
	if j.Hold == HoldNoTarget && reason != "" {
		j.HoldMessage = reason
	}
	if j.Target != nil {
		message += ", on " + j.Target.Cluster
	}
	event := j.event(kind, former, now, message)
	event.Attempt = closed
	return event
}
