package jobmanager_test

import (
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// What may be special about a job of an agent that executes without asking.

// overREST says that a claimed it so, when for certain nothing stood.
func overREST(j *jobmanager.Job) { j.Last.Client, j.Last.Alone = clientA, true }

// crowded says that something may have stood when a claimed it.
func crowded(j *jobmanager.Job) { j.Last.Client, j.Last.Alone = clientA, false }

// ambiguous is held for a candidate.
func ambiguous(j *jobmanager.Job) {
	overREST(j)
	j.Strays = append(j.Strays, jobmanager.Stray{UID: "uid-x", Name: "web-x7k2p", OwnerID: agentA, SeenAt: start, Target: target("c1")})
	j.Hold, j.HoldMessage = jobmanager.HoldAmbiguousWorkload, "uid-x may be its own"
}

// strayOf is a workload that b, or whoever, reported as its work on the job.
func strayOf(owner jobmanager.OwnerID) func(*jobmanager.Job) {
	return func(j *jobmanager.Job) {
		j.Strays = append(j.Strays, jobmanager.Stray{
			UID: jobmanager.Text("stray-" + owner), Name: "web-st" + string(owner) + "ay", OwnerID: owner, Reported: true, SeenAt: start, Target: target("c1"),
		})
	}
}

// watched is a removal that a did not report, after so many polls.
func watched(polls int) func(*jobmanager.Job) {
	return func(j *jobmanager.Job) {
		overREST(j)
		leaseOver(j)
		j.Hold, j.HoldMessage, j.Polls = jobmanager.HoldRemovalUnconfirmed, "a did not report the removal", polls
	}
}

// stoppedAtWork is a Delete of a Create that a was at: nobody knows what it is called.
func stoppedAtWork(j *jobmanager.Job) {
	overREST(j)
	j.Last.Outcome = outcome(jobmanager.OutcomeStopped)
}

// legacySituations are the rows of what agents leave that execute without asking.
func legacySituations() []situation {
	const c, u, d = createDeployment, updateDeployment, deleteDeployment
	const none, maybe, present = jobmanager.WorkloadNone, jobmanager.WorkloadMaybe, jobmanager.WorkloadPresent
	const created, progressing, finished, degraded = jobmanager.Created, jobmanager.Progressing, jobmanager.Finished, jobmanager.Degraded
	rows := []situation{
		row("create/created, handed out to a", c, created, none, handedOut(agentA, time.Second)),
		row("create/created, a stray of b", c, created, none, strayOf(agentB)),
		row("create/created, tried over REST before", c, created, maybe, retried, overREST, func(j *jobmanager.Job) { j.Last.Outcome = outcome(jobmanager.OutcomeExpired) }),
		row("create/progressing over REST", c, progressing, maybe, overREST),
		row("create/progressing over REST, outdated", c, progressing, maybe, overREST, outdated),
		row("create/progressing over REST, move chosen", c, progressing, maybe, overREST, moves("")),
		row("create/progressing over REST, crowded", c, progressing, maybe, crowded),
		row("create/progressing over REST, a stray of b", c, progressing, maybe, overREST, strayOf(agentB)),
		row("create/progressing over REST, lease over", c, progressing, maybe, leaseOver, overREST),
		row("create/progressing over REST, lease over, crowded", c, progressing, maybe, leaseOver, crowded),
		row("create/progressing over REST, lease over, move chosen", c, progressing, maybe, leaseOver, overREST, moves("")),
		row("create/progressing, ambiguous", c, progressing, maybe, ambiguous),
		row("create/progressing, ambiguous, outdated", c, progressing, maybe, ambiguous, outdated),
		row("create/progressing, ambiguous, lease due", c, progressing, maybe, ambiguous, leaseDue),
		row("create/progressing, ambiguous, lease due, outdated", c, progressing, maybe, ambiguous, leaseDue, outdated),
		row("create/progressing, ambiguous, lease over", c, progressing, maybe, leaseOver, ambiguous),
		row("create/progressing, ambiguous, lease over, outdated", c, progressing, maybe, leaseOver, ambiguous, outdated),
		row("create/progressing, ambiguous, lease over, a stray of b", c, progressing, maybe, leaseOver, ambiguous, strayOf(agentB)),
		row("create/finished, a stray of b", c, finished, present, overREST, strayOf(agentB)),
		row("create/degraded, exhausted over REST", c, degraded, maybe, leaseOver, exhausted, overREST),
		row("create/degraded, ambiguous", c, degraded, maybe, leaseOver, exhausted, ambiguous),
		row("update/progressing over REST, lease due", u, progressing, present, overREST, leaseDue),
		row("reallocation/progressing over REST, lease due", u, progressing, present, leavesTarget, overREST, leaseDue),
		row("reallocation/progressing, unconfirmed", u, progressing, present, leavesTarget, watched(0)),
		row("reallocation/progressing, unconfirmed, polled", u, progressing, present, leavesTarget, watched(1)),
		row("reallocation/progressing, unconfirmed, polled, a stray of b", u, progressing, present, leavesTarget, watched(1), strayOf(agentB)),
		row("delete/created, nobody knows its name", d, created, maybe, stoppedAtWork),
		row("delete/created, ambiguous", d, created, maybe, stoppedAtWork, ambiguous),
		row("delete/created, a stray of b", d, created, present, strayOf(agentB)),
		row("delete/progressing over REST", d, progressing, present, overREST),
		row("delete/progressing over REST, nobody knows its name", d, progressing, maybe, overREST),
		row("delete/progressing over REST, lease due", d, progressing, present, overREST, leaseDue),
		row("delete/progressing over REST, lease due, last attempt", d, progressing, present, overREST, leaseDue, lastAttempt),
		row("delete/progressing over REST, a stray of b", d, progressing, present, overREST, strayOf(agentB)),
		row("delete/progressing, ambiguous, lease due", d, progressing, maybe, ambiguous, leaseDue),
		row("delete/progressing, unconfirmed", d, progressing, present, watched(0)),
		row("delete/progressing, unconfirmed, polled", d, progressing, present, watched(1)),
		row("delete/progressing, unconfirmed, polled, last attempt", d, progressing, present, watched(1), lastAttempt),
		row("delete/progressing, unconfirmed, polled, nobody knows its name", d, progressing, maybe, watched(1)),
		row("delete/progressing, unconfirmed, polled, strays of a and b", d, progressing, present, watched(1), strayOf(agentA), strayOf(agentB)),
	}
	gone := row("delete/progressing, unconfirmed, polled, leaves", d, progressing, present, watched(1), leaves)
	back := row("delete/progressing, unconfirmed, polled, a stray of b, returns", d, progressing, present, watched(1), strayOf(agentB), returns)
	gone.beside, back.beside = true, true
	return append(rows, gone, back)
}

// legacyVerbs are those of agents that execute without asking, and of the admin who helps them out.
func legacyVerbs() []verb {
	report := func(name string, owner jobmanager.OwnerID, epoch func(*jobmanager.Job) int64) verb {
		return verb{name: name, do: func(s scene) ([]jobmanager.Event, error) {
			return s.j.ReportWork(workOf(owner, s.j.Type, epoch(s.j)), start)
		}}
	}
	quietly := func(name string, do func(*jobmanager.Job) []jobmanager.Event) verb {
		return verb{name: name, quiet: true, do: func(s scene) ([]jobmanager.Event, error) { return do(s.j), nil }}
	}
	recognize := func(name string, alone bool) verb {
		return quietly(name, func(j *jobmanager.Job) []jobmanager.Event {
			if !j.Fits(clientA, "web-x7k2p", start.Add(time.Second)) {
				return nil
			}
			return j.Recognize(seen("uid-z"), alone, start)
		})
	}
	return []verb{
		report("work done by a", agentA, func(j *jobmanager.Job) int64 { return j.Epoch }),
		report("work done by a, coming epoch", agentA, func(j *jobmanager.Job) int64 { return j.Epoch + 1 }),
		report("work done by b, coming epoch", agentB, func(j *jobmanager.Job) int64 { return j.Epoch + 1 }),
		report("work done by a, stale epoch", agentA, func(j *jobmanager.Job) int64 { return j.Epoch - 1 }),
		report("work done by a, no epoch", agentA, func(*jobmanager.Job) int64 { return 0 }),
		{name: "unlock by a", do: func(s scene) ([]jobmanager.Event, error) { return s.j.Unlock(agentA, life(), start) }},
		quietly("evidence of a", func(j *jobmanager.Job) []jobmanager.Event {
			return j.Evidence(agentA, evidenceOf(agentA, "uid-e"), start)
		}),
		quietly("evidence of b", func(j *jobmanager.Job) []jobmanager.Event {
			return j.Evidence(agentB, evidenceOf(agentB, "uid-e"), start)
		}),
		{name: "mistaken by a", do: func(s scene) ([]jobmanager.Event, error) {
			return s.j.Mistaken(fence(agentA, s.j.Epoch-1), start)
		}},
		quietly("poll by a", func(j *jobmanager.Job) []jobmanager.Event { return j.Polled(agentA, start) }),
		quietly("poll by b", func(j *jobmanager.Job) []jobmanager.Event { return j.Polled(agentB, start) }),
		{name: "sync of uid-1", quiet: true, do: func(s scene) ([]jobmanager.Event, error) {
			return s.j.Synced(jobmanager.ResourceReport{UID: "uid-1"}, life(), start)
		}},
		recognize("a workload fits it alone", true), recognize("a workload fits it and others", false),
		{name: "adopt uid-x", do: func(s scene) ([]jobmanager.Event, error) { return s.j.Adopt("uid-x", start) }},
		{name: "adopt b's stray", do: func(s scene) ([]jobmanager.Event, error) { return s.j.Adopt("stray-b", start) }},
	}
}
