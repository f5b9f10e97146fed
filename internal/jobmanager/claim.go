package jobmanager

import (
	"fmt"
	"time"
)

// Claim is an agent's wish to own a job.
type Claim struct {
	Agent Agent
	// ID is the client's own name for this claim, kept with the attempt: a retry after a lost answer gets the
	// same epoch. Empty when the client does not care.
	ID string
	// Length of the lease; zero means the default.
	Length time.Duration
}

// CheckLength refuses a lease outside the bounds and fills in the default.
func (lc LifeCycle) CheckLength(length time.Duration) (time.Duration, error) {
	if length == 0 {
		return lc.Lease, nil
	}
	if length < lc.MinLease || length > lc.MaxLease {
		return 0, Errorf(CodeInvalid, "leaseSeconds must be between %d and %d", int(lc.MinLease.Seconds()), int(lc.MaxLease.Seconds()))
	}
	return length, nil
}

// Claim makes the agent the owner: state Progressing, epoch + 1, an attempt opened, a lease started. The
// same claim again changes nothing and succeeds. NOT_CLAIMABLE says why it may not be claimed.
func (j *Job) Claim(c Claim, now time.Time) ([]Event, error) {
	if j.claimedBy(c) {
		return nil, nil
	}
	if reason := j.whyNotExecutable(c.Agent, now); reason != "" {
		refusal := Errorf(CodeNotClaimable, "job %s cannot be claimed: %s", j.ID, reason)
		refusal.Owner, refusal.Epoch = j.Owner, j.Epoch
		return nil, refusal
	}
	former := j.former()
	takeover := j.Owner != "" && j.Owner != c.Agent.OwnerID
	j.enter(Progressing, now)
	j.Owner = c.Agent.OwnerID
	j.Epoch++
	j.Attempt++
	if j.Workload == WorkloadNone {
		j.Workload = WorkloadMaybe
	}
	j.NotBefore, j.Reservation = time.Time{}, Reservation{}
	j.Last = Attempt{Epoch: j.Epoch, OwnerID: j.Owner, ClaimID: c.ID, ClaimedAt: now}
	j.Lease = &Lease{OwnerID: j.Owner, Epoch: j.Epoch, Length: c.Length, ExpiresAt: now.Add(c.Length)}
	event := j.event(JobClaimed, former, now, fmt.Sprintf("%s claimed it, attempt %d", j.Owner, j.Attempt))
	if takeover {
		event.Message = fmt.Sprintf("%s took it over from %s, attempt %d", j.Owner, former.Owner, j.Attempt)
	}
	opened := j.Last
	event.Attempt = &opened
	return []Event{event}, nil
}

// claimedBy says whether this very claim was already granted and still runs.
func (j *Job) claimedBy(c Claim) bool {
	return c.ID != "" && j.State == Progressing && j.Owner == c.Agent.OwnerID &&
		j.Last.ClaimID == c.ID && j.Last.Epoch == j.Epoch && j.Last.Outcome == nil
}

// Expire writes down that the lease ran out: the attempt is closed and the next one spaced; at the limit the
// job is Degraded. A job whose lease lives, or that has none, is left alone.
func (j *Job) Expire(lc LifeCycle, now time.Time) []Event {
	if j.State != Progressing || j.Lease == nil || j.Lease.ExpiresAt.After(now) {
		return nil
	}
	former := j.former()
	message := fmt.Sprintf("the lease of %s ran out without a report", j.Owner)
	closed := j.closeAttempt(OutcomeExpired, message, now)
	j.LastError = message
	j.spaceNextAttempt(lc, now)
	event := j.event(JobLeaseExpired, former, now, message)
	event.Attempt = closed
	return []Event{event}
}

// spaceNextAttempt sets the time of the next attempt, or ends the attempts at the limit.
func (j *Job) spaceNextAttempt(lc LifeCycle, now time.Time) {
	if j.Attempt >= lc.MaxAttempts {
		j.enter(Degraded, now)
		j.hold(HoldAttemptsExhausted, fmt.Sprintf("%d attempts failed, the last: %s", j.Attempt, j.LastError), now)
		return
	}
	j.NotBefore = now.Add(doubling(lc.Backoff, lc.MaxBackoff, j.Attempt))
}
