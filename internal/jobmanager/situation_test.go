package jobmanager_test

import (
	"slices"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// situation is a row of the table.
type situation struct {
	name string
	make func() *jobmanager.Job
	// beside says that another job of the application runs.
	beside bool
}

func (s situation) scene() scene { return scene{s.make(), s.beside} }

// situations are the rows of the table: every type with every state that it can be in, and the variants that the
// rules tell apart.
func situations() []situation {
	return slices.Concat(createSituations(), workSituations(), deleteSituations(), legacySituations())
}

// row makes a situation of a job and what is special about it.
func row(name string, kind jobmanager.JobType, state jobmanager.JobState, workload jobmanager.Workload, changes ...func(*jobmanager.Job)) situation {
	return situation{name: name, make: func() *jobmanager.Job { return with(job(kind, state, workload), changes...) }}
}

// What may be special about a job.

func handedOut(to jobmanager.OwnerID, until time.Duration) func(*jobmanager.Job) {
	return func(j *jobmanager.Job) {
		j.Reservation = jobmanager.Reservation{OwnerID: to, Until: start.Add(until)}
	}
}

func waits(hold jobmanager.HoldReason) func(*jobmanager.Job) {
	return func(j *jobmanager.Job) { j.Hold, j.HoldMessage = hold, "it waits" }
}

func noTarget(j *jobmanager.Job) {
	j.Target, j.Orchestrator = nil, ""
	j.Hold, j.HoldMessage, j.NotBefore = jobmanager.HoldNoTarget, "nothing fits", start
}

func withoutManifests(j *jobmanager.Job) {
	j.ManifestCount, j.Hold, j.HoldMessage = 0, jobmanager.HoldNoManifests, "no manifests"
}

func leaseDue(j *jobmanager.Job) { j.Lease.ExpiresAt = start }

func leaseOver(j *jobmanager.Job) {
	j.Lease, j.Last.Outcome, j.LastError = nil, outcome(jobmanager.OutcomeExpired), "the lease of a ran out without a report"
}

func lastAttempt(j *jobmanager.Job) { j.Attempt = 5 }

func exhausted(j *jobmanager.Job) {
	j.Hold, j.HoldMessage, j.Attempt = jobmanager.HoldAttemptsExhausted, "it broke", 5
}

func blind(j *jobmanager.Job) { j.Last.Blind = true }

func outdated(j *jobmanager.Job) { j.Outdated = true }

func queued(j *jobmanager.Job) {
	j.Queued = &jobmanager.Remedy{IncomplianceID: queueID, SubType: jobmanager.ScaleOut, At: start.Add(-time.Hour)}
}

// toMove is a move that is wanted, by a user's update or by a policy.
func toMove(cause jobmanager.ID) func(*jobmanager.Job) {
	return func(j *jobmanager.Job) { j.Move = &jobmanager.Move{Cause: cause, NotBefore: start} }
}

// moves is one whose target was chosen.
func moves(cause jobmanager.ID) func(*jobmanager.Job) {
	return func(j *jobmanager.Job) { j.Move = &jobmanager.Move{Cause: cause, To: target("c3")} }
}

// leavesTarget is an Update that makes room for a move.
func leavesTarget(j *jobmanager.Job) {
	j.SubType, j.Move = jobmanager.Reallocation, &jobmanager.Move{Cause: causeID, To: target("c3")}
}

func retried(j *jobmanager.Job) {
	j.Last = jobmanager.Attempt{Epoch: 4, OwnerID: agentA, ClaimedAt: start, Outcome: outcome(jobmanager.OutcomeFailed)}
}

func ownerFirst(j *jobmanager.Job) {
	j.Turn = jobmanager.Turn{Of: jobmanager.TurnOfOwner, Until: start.Add(time.Second)}
}

func ownerLast(j *jobmanager.Job) {
	j.Turn = jobmanager.Turn{Of: jobmanager.TurnOfOthers, Until: start.Add(time.Second)}
}

func backingOff(j *jobmanager.Job) { j.NotBefore = start.Add(time.Second) }

func silent(j *jobmanager.Job) { j.Silence(start.Add(-time.Second)) }

func leaves(j *jobmanager.Job) { j.Sequel = jobmanager.SequelLeave }

func returns(j *jobmanager.Job) {
	j.Sequel, j.Move = jobmanager.SequelReturn, &jobmanager.Move{To: target("c3")}
}

func createSituations() []situation {
	const kind = createDeployment
	const none, maybe, present = jobmanager.WorkloadNone, jobmanager.WorkloadMaybe, jobmanager.WorkloadPresent
	const created, progressing, finished, degraded = jobmanager.Created, jobmanager.Progressing, jobmanager.Finished, jobmanager.Degraded
	return []situation{
		row("create/created", kind, created, none),
		row("create/created, handed out to b", kind, created, none, handedOut(agentB, time.Second)),
		row("create/created, handed out to b, outdated", kind, created, none, handedOut(agentB, time.Second), outdated),
		row("create/created, handed out to b but lapsed, outdated", kind, created, none, handedOut(agentB, -time.Second), outdated),
		row("create/created, handed out to b, to move", kind, created, none, handedOut(agentB, time.Second), toMove("")),
		row("create/created, no target", kind, created, none, noTarget),
		row("create/created, no fitting target", kind, created, none, noTarget, waits(jobmanager.HoldNoFittingTarget)),
		row("create/created, no manifests", kind, created, none, withoutManifests),
		row("create/created, no manifests, no target", kind, created, none, noTarget, withoutManifests),
		row("create/created, to move", kind, created, none, toMove("")),
		row("create/created, tried before", kind, created, maybe, retried),
		row("create/created, tried before, owner first", kind, created, maybe, retried, ownerFirst),
		row("create/progressing", kind, progressing, maybe),
		row("create/progressing, present", kind, progressing, present),
		row("create/progressing, last attempt", kind, progressing, maybe, lastAttempt),
		row("create/progressing, outdated", kind, progressing, maybe, outdated),
		row("create/progressing, outdated, manifests gone", kind, progressing, maybe, outdated, func(j *jobmanager.Job) { j.ManifestCount = 0 }),
		row("create/progressing, queued", kind, progressing, maybe, queued),
		row("create/progressing, to move", kind, progressing, maybe, toMove("")),
		row("create/progressing, to move by policy", kind, progressing, maybe, toMove(causeID)),
		row("create/progressing, move chosen", kind, progressing, maybe, moves(""), outdated, queued),
		row("create/progressing, move chosen by policy", kind, progressing, maybe, moves(causeID)),
		row("create/progressing, lease due", kind, progressing, maybe, leaseDue),
		row("create/progressing, lease due, last attempt", kind, progressing, maybe, leaseDue, lastAttempt),
		row("create/progressing, lease due, outdated", kind, progressing, maybe, leaseDue, outdated),
		row("create/progressing, lease due, move chosen", kind, progressing, maybe, leaseDue, moves("")),
		row("create/progressing, lease due, last attempt, move chosen", kind, progressing, maybe, leaseDue, lastAttempt, moves("")),
		row("create/progressing, lease over", kind, progressing, maybe, leaseOver),
		row("create/progressing, lease over, owner last", kind, progressing, maybe, leaseOver, ownerLast),
		row("create/progressing, lease over, present", kind, progressing, present, leaseOver),
		row("create/progressing, lease over, handed out to b", kind, progressing, maybe, leaseOver, handedOut(agentB, time.Second)),
		row("create/finished", kind, finished, present),
		row("create/finished, to move", kind, finished, present, toMove("")),
		row("create/finished, to move by policy", kind, finished, present, toMove(causeID)),
		row("create/finished, agent silent", kind, finished, present, silent),
		row("create/degraded", kind, degraded, maybe),
		row("create/degraded, nothing stands", kind, degraded, none),
		row("create/degraded, present", kind, degraded, present),
		row("create/degraded, backing off", kind, degraded, maybe, backingOff),
		row("create/degraded, exhausted", kind, degraded, maybe, exhausted),
		row("create/degraded, exhausted, handed out to b", kind, degraded, maybe, exhausted, handedOut(agentB, time.Second)),
		row("create/degraded, exhausted by expiry", kind, degraded, maybe, leaseOver, exhausted),
		row("create/degraded, queued", kind, degraded, maybe, queued),
		row("create/degraded, to move by policy", kind, degraded, maybe, toMove(causeID)),
	}
}

// workSituations are those of updates and replaces.
func workSituations() []situation {
	const u, r = updateDeployment, replaceDeployment
	const maybe, present = jobmanager.WorkloadMaybe, jobmanager.WorkloadPresent
	const created, progressing, finished, degraded = jobmanager.Created, jobmanager.Progressing, jobmanager.Finished, jobmanager.Degraded
	return []situation{
		row("update/created", u, created, present),
		row("update/created, to move", u, created, present, toMove("")),
		row("update/progressing", u, progressing, present),
		row("update/progressing, outdated", u, progressing, present, outdated),
		row("update/progressing, queued", u, progressing, present, queued),
		row("update/progressing, move chosen by policy", u, progressing, present, moves(queueID)),
		row("update/progressing, lease due", u, progressing, present, leaseDue),
		row("update/progressing, lease due, outdated", u, progressing, present, leaseDue, outdated),
		row("update/progressing, lease due, queued", u, progressing, present, leaseDue, queued),
		row("update/progressing, lease due, move chosen", u, progressing, present, leaseDue, moves("")),
		row("update/progressing, lease due, last attempt", u, progressing, present, leaseDue, lastAttempt),
		row("update/progressing, lease due, blind", u, progressing, present, leaseDue, blind),
		row("update/progressing, lease due, blind, queued", u, progressing, present, leaseDue, blind, queued),
		row("update/progressing, lease over", u, progressing, present, leaseOver),
		row("update/progressing, lease over, queued", u, progressing, present, leaseOver, queued),
		row("update/progressing, blind", u, progressing, present, blind),
		row("update/finished", u, finished, present),
		row("update/degraded", u, degraded, present),
		row("update/degraded, exhausted", u, degraded, present, exhausted),
		row("update/degraded, no report", u, degraded, present, leaseOver, blind, waits(jobmanager.HoldNoReport)),
		row("reallocation/created", u, created, present, leavesTarget),
		row("reallocation/created, manifests gone", u, created, present, leavesTarget, func(j *jobmanager.Job) { j.ManifestCount = 0 }),
		row("reallocation/progressing", u, progressing, present, leavesTarget),
		row("reallocation/progressing, queued", u, progressing, present, leavesTarget, queued),
		row("reallocation/progressing, lease due", u, progressing, present, leavesTarget, leaseDue),
		row("reallocation/progressing, lease over", u, progressing, present, leavesTarget, leaseOver),
		row("reallocation/degraded", u, degraded, present, leavesTarget),
		row("reallocation/degraded, exhausted", u, degraded, present, leavesTarget, exhausted),
		row("replace/created", r, created, present),
		row("replace/created, queued", r, created, present, queued),
		row("replace/created, no manifests", r, created, present, withoutManifests),
		row("replace/progressing", r, progressing, present),
		row("replace/progressing, outdated", r, progressing, present, outdated),
		row("replace/progressing, queued", r, progressing, present, queued),
		row("replace/progressing, lease due", r, progressing, present, leaseDue),
		row("replace/progressing, lease due, outdated", r, progressing, present, leaseDue, outdated),
		row("replace/progressing, lease over", r, progressing, maybe, leaseOver),
		row("replace/finished", r, finished, present),
		row("replace/degraded", r, degraded, present),
		row("replace/degraded, exhausted", r, degraded, present, exhausted),
	}
}

func deleteSituations() []situation {
	const kind = deleteDeployment
	const none, present = jobmanager.WorkloadNone, jobmanager.WorkloadPresent
	const created, progressing, finished, degraded = jobmanager.Created, jobmanager.Progressing, jobmanager.Finished, jobmanager.Degraded
	plain := []situation{
		row("delete/created", kind, created, present),
		row("delete/created, manifests gone", kind, created, present, func(j *jobmanager.Job) { j.ManifestCount = 0 }),
		row("delete/created, was handed out", kind, created, none),
		row("delete/progressing", kind, progressing, present),
		row("delete/progressing, lease due", kind, progressing, present, leaseDue),
		row("delete/progressing, lease due, last attempt", kind, progressing, present, leaseDue, lastAttempt),
		row("delete/progressing, lease over", kind, progressing, present, leaseOver),
		row("delete/finished", kind, finished, none),
		row("delete/degraded", kind, degraded, present),
		row("delete/degraded, exhausted", kind, degraded, present, exhausted),
	}
	beside := []situation{
		row("delete/created, leaves", kind, created, present, leaves),
		row("delete/progressing, leaves", kind, progressing, present, leaves),
		row("delete/degraded, leaves", kind, degraded, present, leaves),
		row("delete/created, returns", kind, created, present, returns),
		row("delete/progressing, returns", kind, progressing, present, returns),
		row("delete/progressing, returns, without a target yet", kind, progressing, present, returns, func(j *jobmanager.Job) { j.Move = &jobmanager.Move{} }),
		row("delete/finished, abandoned", kind, finished, none, func(j *jobmanager.Job) { j.Owner = "" }),
	}
	for i := range beside {
		beside[i].beside = true
	}
	return append(plain, beside...)
}
