package jobmanager

import (
	"fmt"
	"time"
)

// Fence is what every write of an agent carries: who it is and the epoch of its claim.
type Fence struct {
	OwnerID OwnerID
	Epoch   int64
}

// stale is the answer to a write whose fence does not hold: it names the current owner and epoch.
func (j *Job) stale(f Fence) *Error {
	refusal := Errorf(CodeStaleOwner, "job %s is no longer yours at epoch %d: stop working on it", j.ID, f.Epoch)
	refusal.Owner, refusal.Epoch = j.Owner, j.Epoch
	return refusal
}

// admits says whether an attempt's own report is due: nobody has claimed the job since, and the attempt has
// not reported yet. An expired lease alone refuses no report.
func (j *Job) admits(f Fence) error {
	if j.Owner != f.OwnerID || j.Epoch != f.Epoch || j.Last.Epoch != f.Epoch {
		return j.stale(f)
	}
	if j.Last.Outcome != nil && !j.Last.Ended(OutcomeExpired) {
		return Errorf(CodeWrongState, "job %s is %s: its attempt at epoch %d ended as %s", j.ID, j.State, j.Last.Epoch, *j.Last.Outcome)
	}
	return nil
}

// repeats says whether the report was already taken with this fence: the same answer, no second event.
func (j *Job) repeats(f Fence, outcome Outcome) bool {
	return j.Last.Epoch == f.Epoch && j.Last.OwnerID == f.OwnerID && j.Last.Ended(outcome)
}

// Finish reports that the work is done: Finished; after a Delete the workload is gone, else it is Present.
// STALE_OWNER when somebody else holds the job, WRONG_STATE when this attempt already ended otherwise.
func (j *Job) Finish(f Fence, report ResourceReport, now time.Time) ([]Event, error) {
	if j.repeats(f, OutcomeFinished) {
		return nil, nil
	}
	if err := j.admits(f); err != nil {
		return nil, err
	}
	gone := j.Type == DeleteDeployment || j.moving()
	if gone {
		report = ResourceReport{} // nothing runs any more, whatever was sent along
	}
	if err := report.Check(); err != nil {
		return nil, err
	}
	former := j.former()
	closed := j.finishAttempt("", now)
	j.Workload = WorkloadPresent
	if gone {
		j.Workload = WorkloadNone
	}
	event := j.event(JobFinished, former, now, fmt.Sprintf("%s finished it", j.Owner))
	event.Attempt = closed
	events := []Event{event}
	// The resource changes in an event of its own, which begins where the first one ended: a watcher that
	// follows the former values is told of each change once.
	if gone {
		events = append(events, j.dropResource(now)...)
	} else {
		reported, err := j.applyReport(report, now)
		if err != nil {
			return nil, err
		}
		events = append(events, reported...)
	}
	return append(events, j.afterFinish(now)...), nil
}

// finishAttempt closes the attempt as finished, also one whose lease had run out.
func (j *Job) finishAttempt(message string, now time.Time) *Attempt {
	j.Last.Outcome = nil // a late report corrects "expired"
	closed := j.closeAttempt(OutcomeFinished, message, now)
	j.dropCandidates(now)
	j.enter(Finished, now)
	j.hold("", "", now)
	j.NotBefore, j.Turn, j.Reservation, j.LastError = time.Time{}, Turn{}, Reservation{}, ""
	return closed
}

// dropResource forgets the resource of a workload that was removed.
func (j *Job) dropResource(now time.Time) []Event {
	if j.Resource == nil {
		return nil
	}
	former, removed := j.former(), j.Resource
	j.Resource = nil
	event := j.event(ResourceRemoved, former, now, fmt.Sprintf("resource %s was removed", removed.Name))
	event.Removed = removed
	return []Event{event}
}

// Fail reports that the attempt failed: Degraded with a reason, tried again later, or at the limit not
// before someone retries. Errors as Finish.
func (j *Job) Fail(f Fence, reason string, lc LifeCycle, now time.Time) ([]Event, error) {
	if j.repeats(f, OutcomeFailed) {
		return nil, nil
	}
	if err := j.admits(f); err != nil {
		return nil, err
	}
	former := j.former()
	j.Last.Outcome = nil
	closed := j.closeAttempt(OutcomeFailed, reason, now)
	j.enter(Degraded, now)
	j.hold("", "", now)
	j.LastError, j.Turn = reason, Turn{}
	j.spaceNextAttempt(lc, now)
	if j.candidates() {
		j.holdAmbiguous(now)
	}
	event := j.event(JobFailed, former, now, fmt.Sprintf("%s failed: %s", j.Owner, reason))
	event.Attempt = closed
	return append([]Event{event}, j.afterFailure(lc, now)...), nil
}

// Release gives the job back untouched: Created, the attempt not counted. The agent undertakes that nothing
// of a Create stands on the target; a Create loses its owner. Errors as Finish.
func (j *Job) Release(f Fence, now time.Time) ([]Event, error) {
	if j.repeats(f, OutcomeReleased) {
		return nil, nil
	}
	if err := j.admits(f); err != nil {
		return nil, err
	}
	former := j.former()
	j.Last.Outcome = nil
	closed := j.closeAttempt(OutcomeReleased, "", now)
	j.enter(Created, now)
	j.hold("", "", now)
	j.Attempt = max(0, j.Attempt-1) // it is 0 already where someone let it be tried again after its expiry
	j.NotBefore, j.Turn = time.Time{}, Turn{}
	if j.Type == CreateDeployment {
		j.Owner = ""
		j.Workload = WorkloadNone
		j.dropCandidates(now)
	}
	if j.candidates() {
		j.holdAmbiguous(now)
	}
	event := j.event(JobReleased, former, now, fmt.Sprintf("%s released it", f.OwnerID))
	event.Attempt = closed
	events := []Event{event}
	if j.Type == CreateDeployment {
		events = append(events, j.dropResource(now)...)
	}
	return append(events, j.afterRelease(now)...), nil
}

// ReportResource takes the owner's word on what runs: it changes conditions, never the job. The epoch may be
// as old as the owner's own last claim, so that a stop in between does not silence it; a takeover does
// (STALE_OWNER), and an owner that was given the job without a claim sends the job's own. WRONG_STATE when the
// workload was already removed.
func (j *Job) ReportResource(f Fence, report ResourceReport, now time.Time) ([]Event, error) {
	oldest := j.Epoch
	if j.Last.OwnerID == f.OwnerID {
		oldest = j.Last.Epoch
	}
	if j.Owner != f.OwnerID || f.Epoch < oldest || f.Epoch > j.Epoch {
		return nil, j.stale(f)
	}
	if j.Workload == WorkloadNone {
		return nil, Errorf(CodeWrongState, "job %s has no workload any more: there is nothing to report", j.ID)
	}
	return j.applyReport(report, now)
}

// RenewalRefusal says why a renewal changed nothing: STALE_OWNER, WRONG_STATE or LEASE_EXPIRED.
func (j *Job) RenewalRefusal(f Fence, now time.Time) *Error {
	switch {
	case j.Owner != f.OwnerID || j.Epoch != f.Epoch:
		return j.stale(f)
	case j.State != Progressing && !j.Last.Ended(OutcomeExpired):
		return Errorf(CodeWrongState, "job %s is %s: there is no lease to renew", j.ID, j.State)
	case j.Lease == nil || !j.Lease.ExpiresAt.After(now):
		return Errorf(CodeLeaseExpired, "the lease of job %s ran out: finish or fail it, or claim it again", j.ID)
	}
	return nil
}
