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

// LeaseLength is what a claim asks for in whole seconds, or the default when it asks for nothing; INVALID
// outside the bounds.
func (lc LifeCycle) LeaseLength(seconds *int) (time.Duration, error) {
	if seconds == nil {
		return lc.Lease, nil
	}
	least, most := int(lc.MinLease.Seconds()), int(lc.MaxLease.Seconds())
	if *seconds < least || *seconds > most {
		return 0, Errorf(CodeInvalid, "leaseSeconds must be between %d and %d", least, most)
	}
	return time.Duration(*seconds) * time.Second, nil
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
	takeover, events := j.Owner != "" && j.Owner != c.Agent.OwnerID, j.yield(c, now)
	if len(events) > 0 {
		former = j.former()
	}
	if j.Outdated && j.Type == CreateDeployment && j.Reservation.OwnerID != c.Agent.OwnerID {
		// This agent was not listed the older manifests: it is given the newest, which is another piece of work.
		j.Outdated, j.Attempt = false, 0
		j.Generation++
	}
	j.enter(Progressing, now)
	j.Owner = c.Agent.OwnerID
	j.Epoch++
	j.Attempt++
	alone := j.aloneAfter(c)
	if j.Workload == WorkloadNone {
		j.Workload = WorkloadMaybe
	}
	j.NotBefore, j.Turn, j.Reservation = time.Time{}, Turn{}, Reservation{}
	j.Last = Attempt{
		Epoch: j.Epoch, OwnerID: j.Owner, ClaimID: c.ID, Blind: c.Agent.Blind, Client: c.Agent.Client,
		Alone: alone, ClaimedAt: now,
	}
	j.Lease = &Lease{OwnerID: j.Owner, Epoch: j.Epoch, Length: c.Length, ExpiresAt: now.Add(c.Length)}
	event := j.event(JobClaimed, former, now, fmt.Sprintf("%s claimed it, attempt %d", j.Owner, j.Attempt))
	if takeover {
		event.Message = fmt.Sprintf("%s took it over from %s, attempt %d", j.Owner, former.Owner, j.Attempt)
	}
	opened := j.Last
	event.Attempt = &opened
	events = append(events, event)
	if takeover {
		events = append(events, j.forgetConditions(now)...)
	}
	return events, nil
}

// yield keeps what stands as a stray of the agent that made it, where a Create goes to one that makes another workload
// and cannot remove this one.
func (j *Job) yield(c Claim, now time.Time) []Event {
	maker := j.formerOwner()
	if j.Type != CreateDeployment || !j.identified() || c.Agent.Client == "" || maker == "" || maker == c.Agent.OwnerID {
		return nil
	}
	return j.setAside(maker, now)
}

// aloneAfter says whether what stands after the claim can only be what its attempt made; a Delete makes nothing.
func (j *Job) aloneAfter(c Claim) bool {
	unnamed := j.Type == DeleteDeployment && j.Last.Alone && !j.identified() && j.Last.Client == c.Agent.Client
	return c.Agent.Client != "" && (j.Workload == WorkloadNone || unnamed)
}

// forgetConditions drops what a former owner said of its workload; uid and name stay, so that a Delete can
// name what it must delete.
func (j *Job) forgetConditions(now time.Time) []Event {
	if j.Resource == nil || len(j.Resource.Conditions) == 0 {
		return nil
	}
	former, resource := j.former(), *j.Resource
	resource.Conditions = nil
	j.Resource = &resource
	return []Event{j.event(ResourceReported, former, now, "what its former owner said no longer holds")}
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
	j.Since = now
	message := fmt.Sprintf("the lease of %s ran out without a report", j.Owner)
	closed := j.closeAttempt(OutcomeExpired, message, now)
	j.LastError = message
	expired := func() Event {
		event := j.event(JobLeaseExpired, former, now, message)
		event.Attempt = closed
		return event
	}
	switch {
	case j.Hold == HoldAmbiguousWorkload:
		return []Event{expired()}
	case j.unconfirmed(closed):
		j.watchRemoval(now)
		return []Event{expired()}
	}
	j.spaceNextAttempt(lc, now)
	if j.Type == CreateDeployment && j.Workload != WorkloadPresent && j.Hold == "" {
		j.Turn = Turn{Of: TurnOfOthers, Until: j.NotBefore.Add(max(lc.Backoff, lc.HandOut))} // others may ask as rarely as a hand-out lasts
	}
	j.doubt(closed, now)
	return append([]Event{expired()}, j.afterFailure(lc, now)...)
}

// doubt holds relative work back whose attempt ended without a report, by an agent that does whatever it is listed or
// of which no report can be told from that of a former attempt: done twice it would scale twice.
func (j *Job) doubt(ended *Attempt, now time.Time) {
	if ended == nil || !ended.Blind && ended.Client == "" || !j.relative() {
		return
	}
	j.enter(Degraded, now)
	j.NotBefore = time.Time{}
	j.hold(HoldNoReport, fmt.Sprintf("%s may or may not have done %s: it is not repeated by itself", ended.OwnerID, j.SubType), now)
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

// HandOut reserves the job for an agent that executes without asking: as good as claimed for stop, update and
// delete. The caller sees to it that the job is executable for the agent. A reservation that still holds runs on:
// an agent that lists again and again without claiming lets it lapse. Agents that cannot be told from each other
// (Blind) are never listed a job without reserving it. It writes no event.
func (j *Job) HandOut(a Agent, lc LifeCycle, now time.Time) {
	if j.Type == CreateDeployment && (a.Blind || a.Lapses < lc.MostLapses) && !j.Reservation.HeldAt(now) {
		j.Reservation = Reservation{OwnerID: a.OwnerID, Until: now.Add(lc.HandOut)}
	}
}
