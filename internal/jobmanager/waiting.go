package jobmanager

import (
	"fmt"
	"time"
)

// Waiting tells why a job is not finished.
type Waiting struct {
	// Reason is one word: a hold's, or InProgress, BackingOff, HandedOut, AwaitingForExecution, AwaitingForOwner,
	// AgentCannot;
	// of a finished job AwaitingForOtherTarget or AgentSilent.
	Reason  string
	Message string
	Since   time.Time
	// Until is when something happens next by itself; zero when nothing does.
	Until time.Time
	// AgentLastSeenAt is when the agent that it waits for was last heard of; zero when never.
	AgentLastSeenAt time.Time
}

// Presence is when the agents that a job may wait for were last heard of; zero times mean never.
type Presence struct {
	// Owner of the job.
	Owner time.Time
	// Orchestrator: the newest of all agents of the job's orchestrator.
	Orchestrator time.Time
	// OwnerProtocol is the door that the owner was last heard at.
	OwnerProtocol string
}

// Waiting says why the job is not finished; nil when it is and nothing about it is open. Without presence, agents
// count as never seen.
func (j *Job) Waiting(now time.Time) *Waiting {
	if j.State == Finished {
		return j.waitingFinished()
	}
	seen := Presence{}
	if j.Presence != nil {
		seen = *j.Presence
	}
	w := &Waiting{Since: j.Since}
	switch {
	case j.Hold != "":
		w.Reason, w.Message, w.Until = string(j.Hold), j.HoldMessage, j.NotBefore
	case j.State == Progressing && j.Lease != nil:
		w.Reason, w.Until, w.AgentLastSeenAt = "InProgress", j.Lease.ExpiresAt, seen.Owner
		w.Message = fmt.Sprintf("in progress by %s, attempt %d", j.Owner, j.Attempt)
	case seen.OwnerProtocol == ProtocolV0 && j.Type != CreateDeployment:
		w.Reason, w.AgentLastSeenAt = "AgentCannot", seen.Owner
		w.Message = fmt.Sprintf("its agent %s cannot do this kind of work: give it to another with reassignJobs, or end it with abandonJob", j.Owner)
	case j.NotBefore.After(now):
		w.Reason, w.Until = "BackingOff", j.NotBefore
		w.Message = fmt.Sprintf("attempt %d ended: %s", j.Attempt, j.LastError)
	case j.Reservation.HeldAt(now):
		w.Reason, w.Until = "HandedOut", j.Reservation.Until
		w.Message = fmt.Sprintf("handed out to %s", j.Reservation.OwnerID)
	case j.lacksManifests(): // they went while the job was handed out
		w.Reason, w.Message = string(HoldNoManifests), "the descriptor carries no manifest for component "+j.Component+": submit one that does"
	case j.Owner == "" || j.openTo(""):
		w.Reason, w.AgentLastSeenAt = "AwaitingForExecution", seen.Orchestrator
		w.Message = fmt.Sprintf("waiting for an agent of orchestrator %s on %s: %s", j.Orchestrator, j.cluster(), lastSeen(seen.Orchestrator))
	default:
		w.Reason, w.AgentLastSeenAt = "AwaitingForOwner", seen.Owner
		w.Message = fmt.Sprintf("waiting for its owner %s: %s", j.Owner, lastSeen(seen.Owner))
	}
	return w
}

// waitingFinished says what is open about a job whose work is done: it is to move and has no other target yet, or
// its agent is silent.
func (j *Job) waitingFinished() *Waiting {
	seen := Presence{}
	if j.Presence != nil {
		seen = *j.Presence
	}
	switch {
	case !j.NextAsk().IsZero():
		message := "it is to move: the Matchmaker is asked for another target"
		if j.Move.Reason != "" {
			message = "it is to move: " + j.Move.Reason
		}
		return &Waiting{Reason: "AwaitingForOtherTarget", Message: message, Since: j.Since, Until: j.Move.NotBefore}
	case j.Resource.silent():
		return &Waiting{
			Reason: "AgentSilent", Since: j.Since, AgentLastSeenAt: seen.Owner,
			Message: fmt.Sprintf("nobody knows how it does: its agent %s is silent, %s", j.Owner, lastSeen(seen.Owner)),
		}
	}
	return nil
}

func lastSeen(at time.Time) string {
	if at.IsZero() {
		return "none was ever seen"
	}
	return "last seen " + at.UTC().Format(time.RFC3339)
}
