package store

import (
	"cmp"
	"database/sql"
	"time"

	"github.com/uptrace/bun"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// jobRow is a job without its manifests and its resource. Rows hold plain values only, so that == tells
// whether a rule changed anything.
type jobRow struct {
	bun.BaseModel `bun:"table:jobs,alias:job"`

	ID        jobmanager.ID       `bun:"id,pk,type:uuid"`
	Tenant    jobmanager.Tenant   `bun:"tenant"`
	GroupID   jobmanager.ID       `bun:"group_id,type:uuid"`
	Component string              `bun:"component"`
	Type      jobmanager.JobType  `bun:"type"`
	SubType   jobmanager.Text     `bun:"sub_type"`
	State     jobmanager.JobState `bun:"state"`
	Workload  jobmanager.Workload `bun:"workload"`

	OwnerID    jobmanager.OwnerID `bun:"owner_id"`
	Epoch      int64              `bun:"epoch"`
	Generation int64              `bun:"generation"`
	Attempt    int64              `bun:"attempt"`

	// The newest attempt, open or ended.
	ClaimEpoch   int64              `bun:"claim_epoch"`
	ClaimOwnerID jobmanager.OwnerID `bun:"claim_owner_id"`
	ClaimID      string             `bun:"claim_id"`
	ClaimedAt    time.Time          `bun:"claimed_at,nullzero,type:timestamptz"`
	ClaimEndedAt time.Time          `bun:"claim_ended_at,nullzero,type:timestamptz"`
	ClaimOutcome jobmanager.Outcome `bun:"claim_outcome"`
	ClaimMessage jobmanager.Text    `bun:"claim_message"`
	ClaimBlind   bool               `bun:"claim_blind"`
	ClaimClient  string             `bun:"claim_client"`
	ClaimAlone   bool               `bun:"claim_alone"`

	// LeaseUntil in microseconds since 1970, so that a renewal is plain arithmetic; NULL without a lease.
	LeaseUntil   sql.NullInt64 `bun:"lease_until,type:bigint"`
	LeaseSeconds int64         `bun:"lease_seconds"`

	NotBefore time.Time `bun:"not_before,nullzero,type:timestamptz"`
	// QueuedAt orders the queue: NotBefore, else Since.
	QueuedAt      time.Time          `bun:"queued_at,type:timestamptz"`
	ReservedBy    jobmanager.OwnerID `bun:"reserved_by"`
	ReservedUntil time.Time          `bun:"reserved_until,nullzero,type:timestamptz"`
	TurnOf        jobmanager.TurnOf  `bun:"turn_of"`
	TurnUntil     time.Time          `bun:"turn_until,nullzero,type:timestamptz"`

	// TargetCluster is NULL while the job has no target.
	TargetCluster      sql.NullString  `bun:"target_cluster,type:text"`
	TargetNode         jobmanager.Text `bun:"target_node"`
	TargetOrchestrator string          `bun:"target_orchestrator"`
	TargetPinned       bool            `bun:"target_pinned"`
	Orchestrator       jobmanager.Text `bun:"orchestrator"`
	Namespace          string          `bun:"namespace"`
	Requirements       jsonText        `bun:"requirements,nullzero,type:json"`
	ManifestCount      int64           `bun:"manifest_count"`

	Hold        jobmanager.HoldReason `bun:"hold"`
	HoldMessage string                `bun:"hold_message"`
	MatchTries  int64                 `bun:"match_tries"`
	Since       time.Time             `bun:"since,type:timestamptz"`
	LastError   string                `bun:"last_error"`

	// Cause is empty, not NULL, while the job answers no incompliance.
	Cause   string   `bun:"cause"`
	Queued  jsonText `bun:"queued,nullzero,type:json"`
	Cooling jsonText `bun:"cooling,nullzero,type:json"`
	Move    jsonText `bun:"move,nullzero,type:json"`
	// MoveDue is when the Matchmaker is to be asked for another target: Job.NextAsk.
	MoveDue  time.Time         `bun:"move_due,nullzero,type:timestamptz"`
	Outdated bool              `bun:"outdated"`
	Sequel   jobmanager.Sequel `bun:"sequel"`
	// Strays is NULL while there are none.
	Strays jsonText `bun:"strays,nullzero,type:json"`
	Polls  int64    `bun:"polls"`

	// Unhealthy says what the resource's conditions do, for a group's tally.
	Unhealthy bool      `bun:"unhealthy"`
	CreatedAt time.Time `bun:"created_at,type:timestamptz"`
	UpdatedAt time.Time `bun:"updated_at,type:timestamptz"`
	Version   int64     `bun:"version"`

	// Place of the job in its group's page; no column of the table.
	Place int64 `bun:"place,scanonly"`
}

// changeableJobColumns are what an update writes; the rest of a job never changes.
func changeableJobColumns() []string {
	return []string{
		"type", "sub_type", "state", "workload", "owner_id", "epoch", "generation", "attempt",
		"claim_epoch", "claim_owner_id", "claim_id", "claimed_at", "claim_ended_at", "claim_outcome", "claim_message",
		"claim_blind", "claim_client", "claim_alone", "lease_until", "lease_seconds", "not_before", "queued_at", "reserved_by", "reserved_until",
		"turn_of", "turn_until",
		"target_cluster", "target_node", "target_orchestrator", "target_pinned", "orchestrator", "namespace",
		"requirements", "manifest_count", "hold", "hold_message", "match_tries", "since", "last_error",
		"cause", "queued", "cooling", "move", "move_due", "outdated", "sequel", "strays", "polls", "unhealthy", "updated_at",
	}
}

func newJobRow(j *jobmanager.Job) (jobRow, error) {
	queued, err := encodedPointer(j.Queued)
	cooling, coolingErr := encodedPointer(j.Cooling)
	move, moveErr := encodedPointer(j.Move)
	strays, straysErr := encodedStrays(j.Strays)
	row := jobRow{
		ID: j.ID, Tenant: j.Tenant, GroupID: j.GroupID, Component: plain(j.Component),
		Type: j.Type, SubType: plain(j.SubType), State: j.State, Workload: j.Workload,
		OwnerID: plain(j.Owner), Epoch: j.Epoch, Generation: j.Generation, Attempt: int64(j.Attempt),
		NotBefore: micros(j.NotBefore), QueuedAt: micros(j.Since),
		ReservedBy: plain(j.Reservation.OwnerID), ReservedUntil: micros(j.Reservation.Until),
		TurnOf: j.Turn.Of, TurnUntil: micros(j.Turn.Until),
		Orchestrator: plain(j.Orchestrator), Namespace: plain(j.Namespace),
		Requirements: jsonText(j.Requirements), ManifestCount: int64(j.ManifestCount),
		Hold: j.Hold, HoldMessage: plain(j.HoldMessage), MatchTries: int64(j.MatchTries), Since: micros(j.Since),
		LastError: plain(j.LastError), Cause: string(j.Cause), Queued: queued, Cooling: cooling, Move: move,
		MoveDue: micros(j.NextAsk()), Outdated: j.Outdated, Sequel: j.Sequel,
		Strays: strays, Polls: int64(j.Polls), Unhealthy: j.Resource.Unhealthy(),
		CreatedAt: micros(j.CreatedAt), UpdatedAt: micros(j.UpdatedAt), Version: j.Version,
	}
	if !j.NotBefore.IsZero() {
		row.QueuedAt = row.NotBefore
	}
	row.setClaim(j)
	row.setTarget(j.Target)
	return row, cmp.Or(err, coolingErr, moveErr, straysErr)
}

// encodedStrays is NULL for none: a rule that drops the last one leaves an empty list.
func encodedStrays(strays []jobmanager.Stray) (jsonText, error) {
	if len(strays) == 0 {
		return "", nil
	}
	return encoded(strays)
}

func (row *jobRow) setClaim(j *jobmanager.Job) {
	row.ClaimEpoch, row.ClaimOwnerID, row.ClaimID = j.Last.Epoch, plain(j.Last.OwnerID), plain(j.Last.ClaimID)
	row.ClaimedAt, row.ClaimEndedAt = micros(j.Last.ClaimedAt), micros(j.Last.EndedAt)
	row.ClaimMessage, row.ClaimBlind = plain(j.Last.Message), j.Last.Blind
	row.ClaimClient, row.ClaimAlone = plain(j.Last.Client), j.Last.Alone
	if j.Last.Outcome != nil {
		row.ClaimOutcome = *j.Last.Outcome
	}
	if j.Lease != nil {
		row.LeaseUntil = sql.NullInt64{Int64: j.Lease.ExpiresAt.UnixMicro(), Valid: true}
		row.LeaseSeconds = int64(j.Lease.Length / time.Second)
	}
}

func (row *jobRow) setTarget(target *jobmanager.Target) {
	if target == nil {
		return
	}
	row.TargetCluster = sql.NullString{String: plain(target.Cluster), Valid: true}
	row.TargetNode, row.TargetOrchestrator = plain(target.Node), plain(target.Orchestrator)
	row.TargetPinned = target.Pinned
}

func (row *jobRow) job() (*jobmanager.Job, error) {
	j := &jobmanager.Job{
		ID: row.ID, Tenant: row.Tenant, GroupID: row.GroupID, Component: row.Component,
		Type: row.Type, SubType: row.SubType, State: row.State, Workload: row.Workload,
		Owner: row.OwnerID, Epoch: row.Epoch, Generation: row.Generation, Attempt: int(row.Attempt),
		Last: jobmanager.Attempt{
			Epoch: row.ClaimEpoch, OwnerID: row.ClaimOwnerID, ClaimID: row.ClaimID, Blind: row.ClaimBlind,
			ClaimedAt: row.ClaimedAt.UTC(), EndedAt: row.ClaimEndedAt.UTC(), Outcome: outcome(row.ClaimOutcome),
			Message: row.ClaimMessage, Client: row.ClaimClient, Alone: row.ClaimAlone,
		},
		NotBefore:    row.NotBefore.UTC(),
		Turn:         jobmanager.Turn{Of: row.TurnOf, Until: row.TurnUntil.UTC()},
		Reservation:  jobmanager.Reservation{OwnerID: row.ReservedBy, Until: row.ReservedUntil.UTC()},
		Orchestrator: row.Orchestrator, Namespace: row.Namespace, Requirements: row.Requirements.value(),
		ManifestCount: int(row.ManifestCount), Hold: row.Hold, HoldMessage: row.HoldMessage,
		MatchTries: int(row.MatchTries), Since: row.Since.UTC(), LastError: row.LastError,
		Cause: jobmanager.ID(row.Cause), Outdated: row.Outdated, Sequel: row.Sequel, Polls: int(row.Polls),
		CreatedAt: row.CreatedAt.UTC(), UpdatedAt: row.UpdatedAt.UTC(), Version: row.Version,
	}
	if row.LeaseUntil.Valid {
		j.Lease = &jobmanager.Lease{
			OwnerID: row.ClaimOwnerID, Epoch: row.ClaimEpoch, // a lease is that of the open attempt
			Length: time.Duration(row.LeaseSeconds) * time.Second, ExpiresAt: time.UnixMicro(row.LeaseUntil.Int64).UTC(),
		}
	}
	if row.TargetCluster.Valid {
		j.Target = &jobmanager.Target{
			Cluster: row.TargetCluster.String, Node: row.TargetNode,
			Orchestrator: row.TargetOrchestrator, Pinned: row.TargetPinned,
		}
	}
	return j, cmp.Or(row.Queued.decode(&j.Queued), row.Cooling.decode(&j.Cooling), row.Move.decode(&j.Move), row.Strays.decode(&j.Strays))
}

// outcome is nil while the attempt runs.
func outcome(stored jobmanager.Outcome) *jobmanager.Outcome {
	if stored == "" {
		return nil
	}
	return &stored
}
