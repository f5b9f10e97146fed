package store

import (
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

	// LeaseUntil in microseconds since 1970, so that a renewal is plain arithmetic; NULL without a lease.
	LeaseUntil   sql.NullInt64 `bun:"lease_until,type:bigint"`
	LeaseSeconds int64         `bun:"lease_seconds"`

	NotBefore time.Time `bun:"not_before,nullzero,type:timestamptz"`
	// QueuedAt orders the queue: NotBefore, else Since.
	QueuedAt      time.Time          `bun:"queued_at,type:timestamptz"`
	ReservedBy    jobmanager.OwnerID `bun:"reserved_by"`
	ReservedUntil time.Time          `bun:"reserved_until,nullzero,type:timestamptz"`

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
		"lease_until", "lease_seconds", "not_before", "queued_at", "reserved_by", "reserved_until",
		"target_cluster", "target_node", "target_orchestrator", "target_pinned", "orchestrator", "namespace",
		"requirements", "manifest_count", "hold", "hold_message", "match_tries", "since", "last_error",
		"unhealthy", "updated_at",
	}
}

func newJobRow(j *jobmanager.Job) jobRow {
	row := jobRow{
		ID: j.ID, Tenant: j.Tenant, GroupID: j.GroupID, Component: plain(j.Component),
		Type: j.Type, SubType: plain(j.SubType), State: j.State, Workload: j.Workload,
		OwnerID: plain(j.Owner), Epoch: j.Epoch, Generation: j.Generation, Attempt: int64(j.Attempt),
		ClaimEpoch: j.Last.Epoch, ClaimOwnerID: plain(j.Last.OwnerID), ClaimID: plain(j.Last.ClaimID),
		ClaimedAt: micros(j.Last.ClaimedAt), ClaimEndedAt: micros(j.Last.EndedAt), ClaimMessage: plain(j.Last.Message),
		NotBefore: micros(j.NotBefore), QueuedAt: micros(j.Since),
		ReservedBy: plain(j.Reservation.OwnerID), ReservedUntil: micros(j.Reservation.Until),
		Orchestrator: plain(j.Orchestrator), Namespace: plain(j.Namespace),
		Requirements: jsonText(j.Requirements), ManifestCount: int64(j.ManifestCount),
		Hold: j.Hold, HoldMessage: plain(j.HoldMessage), MatchTries: int64(j.MatchTries), Since: micros(j.Since),
		LastError: plain(j.LastError), Unhealthy: j.Resource.Unhealthy(),
		CreatedAt: micros(j.CreatedAt), UpdatedAt: micros(j.UpdatedAt), Version: j.Version,
	}
	if !j.NotBefore.IsZero() {
		row.QueuedAt = row.NotBefore
	}
	if j.Last.Outcome != nil {
		row.ClaimOutcome = *j.Last.Outcome
	}
	if j.Lease != nil {
		row.LeaseUntil = sql.NullInt64{Int64: j.Lease.ExpiresAt.UnixMicro(), Valid: true}
		row.LeaseSeconds = int64(j.Lease.Length / time.Second)
	}
	if j.Target != nil {
		row.TargetCluster = sql.NullString{String: plain(j.Target.Cluster), Valid: true}
		row.TargetNode, row.TargetOrchestrator = plain(j.Target.Node), plain(j.Target.Orchestrator)
		row.TargetPinned = j.Target.Pinned
	}
	return row
}

func (row *jobRow) job() *jobmanager.Job {
	j := &jobmanager.Job{
		ID: row.ID, Tenant: row.Tenant, GroupID: row.GroupID, Component: row.Component,
		Type: row.Type, SubType: row.SubType, State: row.State, Workload: row.Workload,
		Owner: row.OwnerID, Epoch: row.Epoch, Generation: row.Generation, Attempt: int(row.Attempt),
		Last: jobmanager.Attempt{
			Epoch: row.ClaimEpoch, OwnerID: row.ClaimOwnerID, ClaimID: row.ClaimID,
			ClaimedAt: row.ClaimedAt.UTC(), EndedAt: row.ClaimEndedAt.UTC(), Outcome: outcome(row.ClaimOutcome),
			Message: row.ClaimMessage,
		},
		NotBefore:    row.NotBefore.UTC(),
		Reservation:  jobmanager.Reservation{OwnerID: row.ReservedBy, Until: row.ReservedUntil.UTC()},
		Orchestrator: row.Orchestrator, Namespace: row.Namespace, Requirements: row.Requirements.value(),
		ManifestCount: int(row.ManifestCount), Hold: row.Hold, HoldMessage: row.HoldMessage,
		MatchTries: int(row.MatchTries), Since: row.Since.UTC(), LastError: row.LastError,
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
	return j
}

// outcome is nil while the attempt runs.
func outcome(stored jobmanager.Outcome) *jobmanager.Outcome {
	if stored == "" {
		return nil
	}
	return &stored
}
