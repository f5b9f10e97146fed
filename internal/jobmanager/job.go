package jobmanager

import "time"

// JobType is what is to be done on the target.
type JobType string

// The job types.
const (
	CreateDeployment  JobType = "CREATE_DEPLOYMENT"
	DeleteDeployment  JobType = "DELETE_DEPLOYMENT"
	UpdateDeployment  JobType = "UPDATE_DEPLOYMENT"
	ReplaceDeployment JobType = "REPLACE_DEPLOYMENT"
)

// JobState is how the work on a job goes. How the workload does is told by conditions alone.
type JobState string

// The job states.
const (
	Created     JobState = "CREATED"
	Progressing JobState = "PROGRESSING"
	Finished    JobState = "FINISHED"
	Degraded    JobState = "DEGRADED"
)

// Workload is what is known to stand on the target for a job.
type Workload string

// What may stand on the target.
const (
	// WorkloadNone: nothing, for certain.
	WorkloadNone Workload = "NONE"
	// WorkloadMaybe: an attempt ran and did not say.
	WorkloadMaybe Workload = "MAYBE"
	// WorkloadPresent: reported or seen.
	WorkloadPresent Workload = "PRESENT"
)

// Job is the minimal executable unit: one component on one target. Its methods are the rules of its life;
// they do no I/O, take the time, and return the events they cause. JSON is what an event carries: the job
// after the change, without manifests.
type Job struct {
	ID        ID      `json:"id"`
	Tenant    Tenant  `json:"tenant"`
	GroupID   ID      `json:"groupId"`
	Component string  `json:"component"`
	Type      JobType `json:"type"`
	// SubType is the remediation that an Update carries out, as its policy names it.
	SubType  Text     `json:"subType,omitempty"`
	State    JobState `json:"state"`
	Workload Workload `json:"workload"`

	// Owner is the agent that holds the job; nobody while a Create waits.
	Owner OwnerID `json:"owner,omitempty"`
	// Epoch fences writes: it grows with each claim, takeover, stop, start, update, remediation, reassignment.
	Epoch int64 `json:"epoch"`
	// Generation is the number of the piece of work, the same over its attempts.
	Generation int64 `json:"generation"`
	// Attempt counts the attempts at this piece of work; 0 before the first.
	Attempt int `json:"attempt"`
	// Last is the newest attempt, open or ended; zero before the first.
	Last Attempt `json:"last"`
	// Lease holds while the job is Progressing and its expiry has not been written; nil otherwise.
	Lease *Lease `json:"lease,omitempty"`
	// NotBefore is the earliest time of the next claim; zero when now is early enough.
	NotBefore time.Time `json:"notBefore,omitzero"`
	// Turn says who may claim first; zero when everyone may at once.
	Turn Turn `json:"turn,omitzero"`
	// Reservation is the hand-out of the job to an agent that executes without asking; zero when none.
	Reservation Reservation `json:"reservation,omitzero"`

	// Target is nil until one is known.
	Target       *Target `json:"target,omitempty"`
	Orchestrator Text    `json:"orchestrator,omitempty"`
	Namespace    string  `json:"namespace"`
	Requirements Value   `json:"requirements,omitempty"`
	// ManifestCount is how many manifests the job has, also where they were not loaded.
	ManifestCount int `json:"manifestCount"`

	// Hold keeps the job from being executable until something outside changes; empty when nothing does.
	Hold        HoldReason `json:"hold,omitempty"`
	HoldMessage string     `json:"holdMessage,omitempty"`
	// MatchTries counts the fruitless tries to find a target; it spaces the next ones.
	MatchTries int `json:"matchTries,omitempty"`
	// Since is when the job came into its present state or hold.
	Since time.Time `json:"since"`
	// LastError is what the last failed attempt said.
	LastError string `json:"lastError,omitempty"`

	// Cause is the incompliance that the present Update answers; empty for anything else.
	Cause ID `json:"cause,omitempty"`
	// Queued is the remediation that waits for the work in progress; nil when none does.
	Queued *Remedy `json:"queued,omitempty"`
	// Cooling is the newest remediation that was taken on; the same one soon after is Coalesced.
	Cooling *Remedy `json:"cooling,omitempty"`
	// Move is a reallocation that is wanted or chosen; nil when none is.
	Move *Move `json:"move,omitempty"`
	// Outdated says that the manifests changed after the attempt in progress began, or after the hand-out: when
	// it has ended, work with the newer ones follows.
	Outdated bool `json:"outdated,omitempty"`
	// Sequel is what becomes of a Delete once it has finished; empty for one that stays.
	Sequel Sequel `json:"sequel,omitempty"`

	// Resource is what runs on the target; nil until an agent reported one.
	Resource *Resource `json:"resource,omitempty"`
	// Strays are workloads that may be the job's and are not its resource; at most 16.
	Strays []Stray `json:"strays,omitempty"`
	// Polls counts how often the owner asked for work since the lease of its removal ran out; see Polled.
	Polls int `json:"polls,omitempty"`

	CreatedAt time.Time `json:"createdAt"`
	UpdatedAt time.Time `json:"updatedAt"`
	// Version of the row; the store counts it with every change and guards each write with it.
	Version int64 `json:"version"`

	// Deleted tells the store to remove the job with the change.
	Deleted bool `json:"-"`
	// Manifests, Attempts, Group and Presence are nil where they were not loaded. A rule that sets Manifests
	// makes the store write them.
	Manifests []Manifest `json:"-"`
	Attempts  []Attempt  `json:"-"`
	Group     *JobGroup  `json:"-"`
	Presence  *Presence  `json:"-"`
}

// Lease is how long a claim holds without renewal. Only a renewal or a report about this very job extends it.
type Lease struct {
	OwnerID OwnerID `json:"ownerId"`
	Epoch   int64   `json:"epoch"`
	// Length of each renewal; whole seconds.
	Length    time.Duration `json:"length"`
	ExpiresAt time.Time     `json:"expiresAt"`
}

// Reservation is a hand-out: the job was listed to an agent that executes without asking. One that lapsed stays
// until the next, for it orders the list: see Which.HandOut.
type Reservation struct {
	OwnerID OwnerID   `json:"ownerId,omitempty"`
	Until   time.Time `json:"until,omitzero"`
}

// Turn says who may claim a Create first, until a moment: the agent of its last attempt, or everyone else.
type Turn struct {
	Of    TurnOf    `json:"of,omitempty"`
	Until time.Time `json:"until,omitzero"`
}

// TurnOf is whose turn it is.
type TurnOf string

// The turns.
const (
	// TurnOfOwner: the agent of the last attempt, whose workload may stand there.
	TurnOfOwner TurnOf = "OWNER"
	// TurnOfOthers: everyone but the agent of the last attempt, which ended without a report.
	TurnOfOthers TurnOf = "OTHERS"
)

// Sequel is what becomes of a Delete once it has finished.
type Sequel string

// The sequels.
const (
	// SequelLeave: its component left the descriptor, and the job leaves the group.
	SequelLeave Sequel = "LEAVE"
	// SequelReturn: its component came back meanwhile, and the job becomes a Create again.
	SequelReturn Sequel = "RETURN"
)

// HeldAt says whether somebody is known to hold the reservation.
func (r Reservation) HeldAt(now time.Time) bool { return r.OwnerID != "" && r.Until.After(now) }

// Outcome is how an attempt ended.
type Outcome string

// The outcomes.
const (
	OutcomeFinished Outcome = "FINISHED"
	OutcomeFailed   Outcome = "FAILED"
	OutcomeReleased Outcome = "RELEASED"
	// OutcomeExpired: its lease ran out without a report.
	OutcomeExpired Outcome = "EXPIRED"
	// OutcomeStopped: a stop, an update or a reassignment took the job away from it.
	OutcomeStopped Outcome = "STOPPED"
)

// Attempt is one owner's try at one piece of work.
type Attempt struct {
	Epoch   int64   `json:"epoch"`
	OwnerID OwnerID `json:"ownerId"`
	// ClaimID is the client's own name for the claim; a retry with the same one gets the same epoch.
	ClaimID string `json:"claimId,omitempty"`
	// Blind says that its agent sends no epoch back: a report cannot be told from that of a former attempt.
	Blind bool `json:"blind,omitempty"`
	// Client is who called, where the agent executes without asking: only this client's syncs may tell what the
	// attempt left. Known of a job's newest attempt only.
	Client string `json:"client,omitempty"`
	// Alone says that for certain nothing stood when it was claimed: whatever stands is its own. As Client.
	Alone     bool      `json:"alone,omitempty"`
	ClaimedAt time.Time `json:"claimedAt"`
	// EndedAt is zero and Outcome nil while the attempt runs.
	EndedAt time.Time `json:"endedAt,omitzero"`
	Outcome *Outcome  `json:"outcome,omitempty"`
	// Message is the reason of a failure.
	Message Text `json:"message,omitempty"`
}

// Ended says whether the attempt ended, and with this outcome.
func (a Attempt) Ended(outcome Outcome) bool { return a.Outcome != nil && *a.Outcome == outcome }

// HoldReason is why a job cannot be offered to any agent, whatever the time.
type HoldReason string

// The holds; the spelling is the old service's where it had one.
const (
	HoldNoTarget          HoldReason = "AwaitingForTarget"
	HoldNoManifests       HoldReason = "NoManifests"
	HoldNoFittingTarget   HoldReason = "NoFittingTarget"
	HoldAttemptsExhausted HoldReason = "AttemptsExhausted"
	// HoldNoReport: relative work may or may not have been done, so it is not tried again by itself.
	HoldNoReport HoldReason = "NoReport"
	// HoldAmbiguousWorkload: more than one workload or attempt may be meant, so an admin decides.
	HoldAmbiguousWorkload HoldReason = "AmbiguousWorkload"
	// HoldRemovalUnconfirmed: a removal was not reported; whether the workload is gone is being watched.
	HoldRemovalUnconfirmed HoldReason = "RemovalUnconfirmed"
)

// closeAttempt ends the open attempt, if there is one, and gives it for the event to carry.
func (j *Job) closeAttempt(outcome Outcome, message string, now time.Time) *Attempt {
	j.Lease = nil
	if j.Last.Epoch == 0 || j.Last.Outcome != nil {
		return nil
	}
	j.Last.EndedAt, j.Last.Outcome, j.Last.Message = now, &outcome, Text(message)
	closed := j.Last
	return &closed
}

// begin makes another piece of work of the job: a new epoch, so that an attempt in flight is fenced, a new
// generation, no attempts. The attempt in flight is closed; its event carries what begin gives.
func (j *Job) begin(kind JobType, subType Text, message string, now time.Time) *Attempt {
	closed := j.closeAttempt(OutcomeStopped, message, now)
	j.Type, j.SubType, j.Cause = kind, subType, ""
	j.Epoch++
	j.Generation++
	j.afresh(now)
	j.Outdated = false
	return closed
}

// afresh makes the job claimable again as if nothing had been tried, unless it lacks what its work needs.
func (j *Job) afresh(now time.Time) {
	j.Attempt, j.NotBefore, j.Turn, j.Reservation = 0, time.Time{}, Turn{}, Reservation{}
	j.LastError, j.MatchTries = "", 0
	switch {
	case j.lacksManifests():
		j.holdNoManifests(now)
	case j.Target == nil && !j.removes():
		j.awaitMatch(now)
	case j.candidates():
		j.holdAmbiguous(now)
	default:
		j.hold("", "", now)
	}
	j.enter(Created, now)
}

// awaitMatch holds the job until the Matchmaker was asked, which is due now.
func (j *Job) awaitMatch(now time.Time) {
	j.NotBefore = now
	j.hold(HoldNoTarget, "the Matchmaker is asked for a target", now)
}

// lacksManifests says whether the present work needs manifests and there are none.
func (j *Job) lacksManifests() bool { return j.ManifestCount == 0 && !j.removes() }

// removes says whether the present work is to remove the workload: that takes no manifests.
func (j *Job) removes() bool {
	return j.Type == DeleteDeployment || j.Type == UpdateDeployment && j.SubType == Reallocation
}

// formerOwner is who may know of a workload: the owner, else who the job was given to or listed to after its last
// attempt was taken away, else the agent of that attempt.
func (j *Job) formerOwner() OwnerID {
	switch {
	case j.Owner != "":
		return j.Owner
	case j.Last.Ended(OutcomeStopped) && j.Reservation.OwnerID != "":
		return j.Reservation.OwnerID
	}
	return j.Last.OwnerID
}

// enter moves the job into a state and notes since when.
func (j *Job) enter(state JobState, now time.Time) {
	j.State, j.Since = state, now
}

// hold keeps the job back for a reason; an empty one lets it go.
func (j *Job) hold(reason HoldReason, message string, now time.Time) {
	if j.Hold != reason {
		j.Since = now
	}
	if reason != HoldRemovalUnconfirmed {
		j.Polls = 0
	}
	j.Hold, j.HoldMessage = reason, message
}

// holdNoManifests keeps the job back until its component has manifests: time alone changes nothing.
func (j *Job) holdNoManifests(now time.Time) {
	j.NotBefore = time.Time{}
	j.hold(HoldNoManifests, "the descriptor carries no manifest for component "+j.Component+": submit one that does", now)
}
