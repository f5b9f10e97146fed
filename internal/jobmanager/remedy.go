package jobmanager

import (
	"fmt"
	"time"
)

// The remediations that agents carry out.
const (
	ScaleUp      Text = "scale-up"
	ScaleDown    Text = "scale-down"
	ScaleOut     Text = "scale-out"
	ScaleIn      Text = "scale-in"
	Patch        Text = "patch"
	Reallocation Text = "reallocation"
)

// remedies maps what a policy names to what is done about it; "" means that it is only recorded. What is not
// listed is recorded and refused (CONTRACT.md 2.11, defect 35).
var remedies = map[string]Text{
	"scale-up": ScaleUp, "scale-down": ScaleDown, "scale-out": ScaleOut, "scale-in": ScaleIn, "patch": Patch,
	"reallocation": Reallocation, "reallocate": Reallocation, "redeploy": Reallocation, "migrate": Reallocation,
	"none": "", "": "",
}

// Remedy is a remediation that a job has taken on.
type Remedy struct {
	IncomplianceID ID        `json:"incomplianceId,omitempty"`
	SubType        Text      `json:"subType"`
	At             time.Time `json:"at"`
}

// RemediationOutcome is what became of an incompliance at one job.
type RemediationOutcome string

// The outcomes.
const (
	// RemediationRecorded: the policy asks for nothing.
	RemediationRecorded RemediationOutcome = "RECORDED"
	// RemediationRefused: an unknown remediation, or a job that is not running.
	RemediationRefused RemediationOutcome = "REFUSED"
	// RemediationCoalesced: the same one was taken on a moment ago.
	RemediationCoalesced RemediationOutcome = "COALESCED"
	// RemediationWaiting: it waits for the work in progress, or for another target.
	RemediationWaiting RemediationOutcome = "WAITING"
	// RemediationNoOtherTarget: no other target was found yet; it is tried again.
	RemediationNoOtherTarget RemediationOutcome = "NO_OTHER_TARGET"
	// RemediationStarted: the job is an Update that carries it out.
	RemediationStarted RemediationOutcome = "STARTED"
	// RemediationFinished: its agent has done it.
	RemediationFinished RemediationOutcome = "FINISHED"
	// RemediationFailed: its attempts are exhausted, or it failed and a newer one took its place.
	RemediationFailed RemediationOutcome = "FAILED"
	// RemediationSuperseded: a newer remediation, or new manifests, took its place before it was done.
	RemediationSuperseded RemediationOutcome = "SUPERSEDED"
	// RemediationDropped: the job was stopped, started, replaced or moved before its turn came.
	RemediationDropped RemediationOutcome = "DROPPED"
)

// Remediation is the answer to an incompliance at one job.
type Remediation struct {
	IncomplianceID ID     `json:"incomplianceId"`
	JobID          ID     `json:"jobId"`
	Component      string `json:"component"`
	// SubType is what is done; empty when nothing is.
	SubType Text               `json:"subType,omitempty"`
	Outcome RemediationOutcome `json:"outcome"`
	Reason  Text               `json:"reason,omitempty"`
	// Generation is the job's piece of work that carries it out; 0 before it has started.
	Generation int64     `json:"generation,omitempty"`
	UpdatedAt  time.Time `json:"updatedAt"`
	// Job is nil where it was not loaded, or is gone.
	Job *Job `json:"-"`
}

// Known says whether the remediation is one of those that mean something.
func (i *Incompliance) Known() bool {
	_, known := remedies[i.Remediation]
	return known
}

// Remediate answers an incompliance: what becomes of it at this job, and what happened to the job. One that is
// refused, recorded or coalesced changes nothing.
func (j *Job) Remediate(i *Incompliance, lc LifeCycle, now time.Time) (Remediation, []Event) {
	subType, known := remedies[i.Remediation]
	answer := Remediation{IncomplianceID: i.ID, JobID: j.ID, Component: j.Component, SubType: subType, UpdatedAt: now}
	refuse := func(outcome RemediationOutcome, format string, args ...any) (Remediation, []Event) {
		answer.Outcome, answer.Reason = outcome, Text(fmt.Sprintf(format, args...))
		return answer, nil
	}
	switch {
	case !known:
		return refuse(RemediationRefused, "UnknownRemediation: %s is none of those that are known", quoted(i.Remediation))
	case subType == "":
		return refuse(RemediationRecorded, "the policy asks for no remediation")
	case !j.running():
		return refuse(RemediationRefused, "NotRunning: the job is %s/%s", j.Type, j.State)
	case j.Cooling != nil && j.Cooling.SubType == subType && within(lc.CoolDown, j.Cooling.At, now):
		return refuse(RemediationCoalesced, "the same was taken on at %s", j.Cooling.At.Format(time.RFC3339))
	case subType == Reallocation && j.Move != nil && (j.Move.Cause == "" || j.Move.To != nil):
		return refuse(RemediationCoalesced, "the job is moved already")
	}
	remedy := Remedy{IncomplianceID: i.ID, SubType: subType, At: now}
	events := j.emptySlot(RemediationSuperseded, "a newer remediation took its place", now)
	j.Cooling = &remedy
	switch {
	case subType == Reallocation:
		j.Move = &Move{Cause: i.ID, NotBefore: now}
		events = append(events, j.tellRemedy(remedy, RemediationWaiting, "the Matchmaker is asked for another target", now))
	case j.engaged(now):
		j.Queued = &remedy
		events = append(events, j.tellRemedy(remedy, RemediationWaiting, "it waits for the work in progress", now))
	default:
		events = append(events, j.settleCause(RemediationSuperseded, "a newer remediation took its place", now)...)
		events = append(events, j.remediate(remedy, now)...)
	}
	answer = *events[len(events)-1].Remediation
	return answer, events
}

// running says whether there is something to remedy: work in progress, or a workload that stands.
func (j *Job) running() bool {
	switch {
	case j.Type == DeleteDeployment:
		return false
	case j.Type == CreateDeployment && j.State != Finished:
		return j.State == Progressing
	}
	return true
}

// engaged says whether a remediation must wait: for work in progress, which may have been done without a report,
// for manifests to be applied, or for a move that is decided.
func (j *Job) engaged(now time.Time) bool {
	return j.busy(now) || j.State == Progressing || j.State != Finished && (j.Type == ReplaceDeployment || j.moving())
}

// busy says whether an agent has the job in hand: an attempt with a lease, or a hand-out that it may still claim.
func (j *Job) busy(now time.Time) bool {
	return j.Lease != nil || j.Reservation.HeldAt(now) && j.Hold == ""
}

// remediate makes the job an Update for its owner.
func (j *Job) remediate(remedy Remedy, now time.Time) []Event {
	former, owner := j.former(), j.formerOwner()
	closed := j.begin(UpdateDeployment, remedy.SubType, "a remediation took its place", now)
	j.Owner, j.Cause, j.Queued = owner, remedy.IncomplianceID, nil
	event := j.event(JobRemediated, former, now, fmt.Sprintf("%s for %s", j.SubType, j.Component))
	event.Attempt = closed
	event.Remediation = j.remediation(remedy.IncomplianceID, remedy.SubType, RemediationStarted, "", now)
	event.Remediation.Generation = j.Generation
	return []Event{event}
}

// relative says whether the work is not idempotent by itself: doing it twice scales twice.
func (j *Job) relative() bool {
	switch j.SubType {
	case ScaleUp, ScaleDown, ScaleOut, ScaleIn:
		return j.Type == UpdateDeployment
	default:
		return false
	}
}

// failCause tells that the remediation which the present Update carries out failed. A late report, or someone who
// lets it be tried again, may still change that.
func (j *Job) failCause(reason string, now time.Time) []Event {
	return j.tellCause(j.Cause, RemediationFailed, reason, now)
}

// settleCause tells what became in the end of the incompliance that the present Update answers. Of an Update that
// is held for its attempts it was told that it failed.
func (j *Job) settleCause(outcome RemediationOutcome, reason string, now time.Time) []Event {
	cause := j.Cause
	j.Cause = ""
	if j.Hold == HoldAttemptsExhausted || j.Hold == HoldNoReport {
		return nil
	}
	return j.tellCause(cause, outcome, reason, now)
}

func (j *Job) tellCause(cause ID, outcome RemediationOutcome, reason string, now time.Time) []Event {
	if cause == "" {
		return nil
	}
	event := j.event(RemediationChanged, j.former(), now, fmt.Sprintf("%s of %s: %s", j.SubType, j.Component, outcome))
	event.Remediation = j.remediation(cause, j.SubType, outcome, reason, now)
	event.Remediation.Generation = j.Generation
	return []Event{event}
}

// supersede gives up the present remediation and whatever waits, for work that takes their place.
func (j *Job) supersede(reason string, now time.Time) []Event {
	events := j.settleCause(RemediationSuperseded, reason, now)
	return append(events, j.emptySlot(RemediationDropped, reason, now)...)
}

// emptySlot takes back what waits: a remediation, or a reallocation that a policy wants and that has not begun. One
// that a user's update wants stays.
func (j *Job) emptySlot(outcome RemediationOutcome, reason string, now time.Time) []Event {
	var events []Event
	if waiting := j.Queued; waiting != nil {
		j.Queued = nil
		events = append(events, j.tellRemedy(*waiting, outcome, reason, now))
	}
	return append(events, j.takeBackMove(outcome, reason, now)...)
}

// takeBackMove gives up a reallocation that a policy wants and that has not begun.
func (j *Job) takeBackMove(outcome RemediationOutcome, reason string, now time.Time) []Event {
	move := j.Move
	if move == nil || move.Cause == "" || j.moving() {
		return nil
	}
	j.Move = nil
	return []Event{j.tellRemedy(move.remedy(), outcome, reason, now)}
}

// tellRemedy is the event of what became of a remediation; the job's own work goes on as it was.
func (j *Job) tellRemedy(remedy Remedy, outcome RemediationOutcome, reason string, now time.Time) Event {
	event := j.event(RemediationChanged, j.former(), now, fmt.Sprintf("%s of %s: %s, %s", remedy.SubType, j.Component, outcome, reason))
	event.Remediation = j.remediation(remedy.IncomplianceID, remedy.SubType, outcome, reason, now)
	return event
}

func (j *Job) remediation(incompliance ID, subType Text, outcome RemediationOutcome, reason string, now time.Time) *Remediation {
	return &Remediation{
		IncomplianceID: incompliance, JobID: j.ID, Component: j.Component, SubType: subType,
		Outcome: outcome, Reason: Text(reason), UpdatedAt: now,
	}
}
