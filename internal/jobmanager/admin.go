package jobmanager

import (
	"fmt"
	"slices"
	"time"
)

// Discard deletes one job by an admin's or integrator's wish; WRONG_STATE while something of it may stand.
func (j *Job) Discard(now time.Time) ([]Event, error) {
	if j.standing(now) {
		return nil, Errorf(CodeWrongState, "job %s is %s/%s and its workload may still stand: stop its group first, or wait for its agent", j.ID, j.Type, j.State)
	}
	events := j.dropAll("the job was deleted", now)
	return append(events, j.drop("it was deleted", now)), nil
}

// Retry lets a Degraded job be tried again from its first attempt, and one of which it is not certain what stands or
// whether anything does; any other is left alone. A Create is open to every agent again, the rest waits for its owner.
func (j *Job) Retry(now time.Time) []Event {
	undecided := j.Hold == HoldAmbiguousWorkload || j.Hold == HoldRemovalUnconfirmed
	if j.State != Degraded && !undecided {
		return nil
	}
	former, handedOut := j.former(), j.Reservation
	j.dismissCandidates(now)
	if j.Lease != nil { // its agent is at it
		j.hold("", "", now)
		return []Event{j.event(JobRetried, former, now, "it goes on without the workloads that may be its own")}
	}
	j.afresh(now)
	j.Reservation = handedOut
	if j.Type == CreateDeployment {
		j.Owner = ""
	}
	if j.Type == CreateDeployment && j.Outdated && handedOut.OwnerID == "" { // whoever takes it is given the newest manifests
		j.Outdated = false
		j.Epoch++
		j.Generation++
	}
	return []Event{j.event(JobRetried, former, now, "to be tried again")}
}

// Reassign gives whatever an agent holds to another one that took its place: a new epoch fences the former. An
// attempt in progress ends, and what was asked of the job meanwhile follows; a Create that is not done is reserved
// for the new agent for a while and then open to all, everything else waits for it. A job of another owner is left
// alone.
func (j *Job) Reassign(from, to OwnerID, lc LifeCycle, now time.Time) []Event {
	if j.Owner != from && (j.Owner != "" || j.Reservation.OwnerID != from) {
		return nil
	}
	former := j.former()
	closed := j.closeAttempt(OutcomeStopped, "the job was given to "+string(to), now)
	j.Epoch++
	j.Owner, j.Last.Client = to, "" // whatever client calls for it
	j.Strays = slices.Clone(j.Strays)
	for i := range j.Strays {
		if j.Strays[i].OwnerID == from {
			j.Strays[i].OwnerID = to
		}
	}
	switch {
	case j.State == Finished, j.Hold == HoldNoReport:
	case j.Type == CreateDeployment:
		j.afresh(now)
		j.Owner, j.Reservation = "", Reservation{OwnerID: to, Until: now.Add(lc.HandOut)}
		if j.Outdated { // the new agent is given the newest manifests, which is another piece of work
			j.Outdated = false
			j.Generation++
		}
	default:
		j.afresh(now)
		j.doubt(closed, now)
	}
	event := j.event(JobReassigned, former, now, fmt.Sprintf("from %s to %s", from, to))
	event.Attempt = closed
	return append([]Event{event}, j.afterReassign(closed, now)...)
}

// Abandon gives up what no agent can do any more: the job is a finished Delete, and whatever of it still stands
// is nobody's. A job of which nothing stands and nothing is to be done is left alone.
func (j *Job) Abandon(reason string, now time.Time) []Event {
	if j.Type == DeleteDeployment && j.State == Finished {
		return nil
	}
	events := j.dropAll("the job was abandoned", now)
	former := j.former()
	j.Strays = nil
	closed := j.begin(DeleteDeployment, "", "the job was abandoned: "+reason, now)
	j.Owner, j.Workload = "", WorkloadNone
	j.enter(Finished, now)
	event := j.event(JobAbandoned, former, now, reason)
	event.Attempt = closed
	events = append(append(events, event), j.dropResource(now)...)
	return append(events, j.afterDelete(now)...)
}
