package jobmanager

import (
	"fmt"
	"time"
)

// What only agents need that execute what they are listed without asking, and report nothing when there was
// nothing to do: the agents of the old REST API.
// stray.go has the workloads that they left, adopt.go which of them is a job's own.

// WorkReport is the word of an agent that executes what it is listed: the work on a job was done.
type WorkReport struct {
	// Agent that did it, with the orchestrator of the job when it named none.
	Agent Agent
	// Type of the work as it was listed; empty when the report does not say.
	Type JobType
	// Epoch of the claim as the list named it; 0 when the report does not say, and then Type must be there.
	Epoch int64
	// Length of the lease, should the report be the claim as well.
	Length   time.Duration
	Resource ResourceReport
}

// ReportWork finishes the work. What was listed to the agent and is still as it was is claimed and finished in one.
// STALE_OWNER when the job is another's by now, or another piece of work: nothing changes, see Evidence. INVALID
// for conditions that do not fit.
func (j *Job) ReportWork(r WorkReport, now time.Time) ([]Event, error) {
	fence := Fence{OwnerID: r.Agent.OwnerID, Epoch: r.Epoch}
	if r.Epoch == 0 {
		fence.Epoch = j.Epoch
	}
	if err := r.Resource.Check(); err != nil && !j.removes() {
		return nil, err
	}
	ofAnotherType := r.Type != j.Type && (r.Type != "" || r.Epoch == 0)
	switch {
	case j.repeats(fence, OutcomeFinished) && (r.Type == "" || r.Type == j.Type || fence.Epoch != j.Epoch):
		return j.another(fence.OwnerID, r.Resource, now), nil
	case ofAnotherType:
		return nil, j.stale(fence)
	}
	events, err := j.claimListed(&fence, r, now)
	if err != nil {
		return nil, err
	}
	if j.admits(fence) == nil && j.Type == CreateDeployment {
		events = append(events, j.supplant(fence.OwnerID, r.Resource, now)...)
	}
	finished, err := j.Finish(fence, r.Resource, now)
	return append(events, finished...), err
}

// claimListed claims what was listed to the reporter and not claimed, and sets the fence to that claim.
func (j *Job) claimListed(fence *Fence, r WorkReport, now time.Time) ([]Event, error) {
	if r.Epoch != j.Epoch+1 && (r.Epoch != 0 || j.Reservation.OwnerID != r.Agent.OwnerID) {
		return nil, nil
	}
	outdated := j.Outdated
	events, err := j.Claim(Claim{Agent: r.Agent, Length: r.Length}, now)
	if err != nil {
		return nil, j.stale(*fence)
	}
	j.Outdated = outdated // it was done as it was listed
	fence.Epoch = j.Epoch
	return events, nil
}

// another keeps the workload of a report that was taken already, where it is another one: the work was done twice.
func (j *Job) another(owner OwnerID, report ResourceReport, now time.Time) []Event {
	if report.UID == "" || j.Workload == WorkloadNone {
		return nil
	}
	return j.note(Stray{UID: Text(report.UID), Name: report.Name, OwnerID: owner, Reported: true, SeenAt: now}, now)
}

// supplant makes a stray of the workload that a former attempt of the agent left, where this one made another.
func (j *Job) supplant(owner OwnerID, report ResourceReport, now time.Time) []Event {
	if report.UID == "" || !j.identified() || string(j.Resource.UID) == report.UID {
		return nil
	}
	j.forget(report.UID)
	return j.setAside(owner, now)
}

// setAside makes a stray of the job's workload, on the side of the agent that has it.
func (j *Job) setAside(owner OwnerID, now time.Time) []Event {
	left := Stray{UID: j.Resource.UID, Name: j.Resource.Name, OwnerID: owner, Reported: true, SeenAt: j.Resource.SeenAt}
	former, resource := j.former(), *j.Resource
	resource.UID, resource.Conditions = "", []Condition{}
	j.Resource = &resource
	j.keep(left) // beyond the bound the event alone tells of it
	return []Event{j.event(StrayReported, former, now, left.words())}
}

// Unlock reports, for an agent that sends no epoch and knows Creates only, that its attempt failed. Errors as Fail.
func (j *Job) Unlock(owner OwnerID, lc LifeCycle, now time.Time) ([]Event, error) {
	if j.Type != CreateDeployment {
		return nil, j.stale(Fence{OwnerID: owner})
	}
	return j.Fail(Fence{OwnerID: owner, Epoch: j.Epoch}, "its agent unlocked it without a result", lc, now)
}

// Evidence keeps the workload that a stale report names, so that a Delete can name what it must delete: as the job's
// resource when it has none and is still the reporter's, else as a stray. The caller sees to it that the job was once
// handed out to the reporter, and that the workload is none of those that were removed.
func (j *Job) Evidence(owner OwnerID, report ResourceReport, now time.Time) []Event {
	if report.UID == "" || j.knows(report.UID) {
		return nil
	}
	s := Stray{UID: Text(report.UID), Name: report.Name, OwnerID: owner, Target: report.Target, Reported: true, SeenAt: now}
	busy := j.Type != DeleteDeployment && (j.Lease != nil || j.Hold == HoldAmbiguousWorkload) // another one may be named
	if owner == j.Owner && !j.identified() && j.Workload != WorkloadNone && !busy && s.isAt(j.Target) {
		return j.own(s, now)
	}
	events := j.note(s, now)
	if j.Type == DeleteDeployment && j.State == Finished {
		events = append(events, j.removeStray(now)...)
	}
	return events
}

// own takes a workload that its agent reported late as the job's.
func (j *Job) own(s Stray, now time.Time) []Event {
	if j.Hold == HoldRemovalUnconfirmed { // now it can be named
		j.hold("", "", now)
	}
	if j.Type == CreateDeployment && j.State != Finished && j.Last.OwnerID == s.OwnerID && j.Last.Ended(OutcomeExpired) {
		return j.adopt(s, now) // else another agent would make it again
	}
	return []Event{j.identify(s, now)}
}

// Mistaken gives a claim back that was meant for a former piece of work: an agent that works one by one, and reports
// what was listed to it before, has not begun with what took its place meanwhile. It is offered again at once.
func (j *Job) Mistaken(f Fence, now time.Time) ([]Event, error) {
	if j.Type == CreateDeployment || j.State != Progressing || j.Lease == nil || j.Owner != f.OwnerID || j.Last.Client == "" || f.Epoch == 0 || f.Epoch >= j.Epoch {
		return nil, nil
	}
	return j.Release(Fence{OwnerID: j.Owner, Epoch: j.Epoch}, now)
}

const (
	// pollsToBelieve is how often the owner of a removal must poll without its sync naming the workload.
	pollsToBelieve = 2
	// believeAfter is how long it takes at least: two ticks of an agent are 15 s apart, and a call that is repeated
	// at once is no second one.
	believeAfter = 10 * time.Second
)

// unconfirmed says whether it is to be watched if the workload goes away: the lease of a removal ran out, by an agent
// that reports nothing when there is nothing to remove.
func (j *Job) unconfirmed(ended *Attempt) bool {
	return ended != nil && ended.Client != "" && !ended.Blind && (j.Type == DeleteDeployment || j.moving())
}

// watchRemoval holds the job until its owner has polled often enough, or its sync names the workload.
func (j *Job) watchRemoval(now time.Time) {
	j.Polls, j.NotBefore = 0, time.Time{}
	j.hold(HoldRemovalUnconfirmed, fmt.Sprintf("%s did not report the removal: it counts as done when %s polls twice more and names it in no sync", j.Owner, j.Owner), now)
}

// Polled notes that an agent asked for work: the second time after the lease of its removal ran out, without its sync
// naming the workload, the removal is done, for the reason ObservedAbsent.
func (j *Job) Polled(owner OwnerID, now time.Time) []Event {
	if j.Hold != HoldRemovalUnconfirmed || j.Owner != owner {
		return nil
	}
	if j.Polls+1 >= pollsToBelieve && within(believeAfter, j.Since, now) {
		return nil
	}
	if j.Polls++; j.Polls < pollsToBelieve {
		return nil
	}
	former := j.former()
	closed := j.finishAttempt("ObservedAbsent", now)
	j.Workload, j.Polls = WorkloadNone, 0
	event := j.event(JobFinished, former, now, "ObservedAbsent: "+string(owner)+" sees it no more")
	event.Attempt = closed
	events := append([]Event{event}, j.dropResource(now)...)
	return append(events, j.afterFinish(now)...)
}

// Synced takes an agent's word on a workload that stands and is the job's resource: its conditions, and that a removal
// which was not reported is still to be done. It extends no lease. NOT_FOUND when it is not the job's resource.
func (j *Job) Synced(report ResourceReport, lc LifeCycle, now time.Time) ([]Event, error) {
	if j.Workload == WorkloadNone || !j.identified() || string(j.Resource.UID) != report.UID {
		return nil, Errorf(CodeNotFound, "no job has a resource %s", quoted(report.UID))
	}
	events, err := j.applyReport(report, now)
	if err != nil || j.Hold != HoldRemovalUnconfirmed {
		return events, err
	}
	former := j.former()
	j.hold("", "", now)
	j.spaceNextAttempt(lc, now)
	events = append(events, j.event(JobUpdated, former, now, j.Resource.Name+" still stands: its removal is tried again"))
	return append(events, j.afterFailure(lc, now)...), nil
}
