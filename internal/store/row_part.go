package store

import (
	"time"

	"github.com/uptrace/bun"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// manifestRow is one manifest of a job; Position keeps their order.
type manifestRow struct {
	bun.BaseModel `bun:"table:manifests,alias:manifest"`

	JobID      jobmanager.ID `bun:"job_id,pk,type:uuid"`
	Position   int64         `bun:"position,pk"`
	Name       string        `bun:"name"`
	APIVersion string        `bun:"api_version"`
	Kind       string        `bun:"kind"`
	Text       string        `bun:"text"`
}

func manifestRows(j *jobmanager.Job) []manifestRow {
	rows := make([]manifestRow, len(j.Manifests))
	for i, m := range j.Manifests {
		rows[i] = manifestRow{
			JobID: j.ID, Position: int64(i), Name: plain(m.Name), APIVersion: plain(m.APIVersion),
			Kind: plain(m.Kind), Text: plain(m.Text),
		}
	}
	return rows
}

// attemptRow is one try at a piece of work of a job.
type attemptRow struct {
	bun.BaseModel `bun:"table:attempts,alias:attempt"`

	JobID     jobmanager.ID      `bun:"job_id,pk,type:uuid"`
	Epoch     int64              `bun:"epoch,pk"`
	OwnerID   jobmanager.OwnerID `bun:"owner_id"`
	ClaimID   string             `bun:"claim_id"`
	ClaimedAt time.Time          `bun:"claimed_at,type:timestamptz"`
	EndedAt   time.Time          `bun:"ended_at,nullzero,type:timestamptz"`
	Outcome   jobmanager.Outcome `bun:"outcome"`
	Message   jobmanager.Text    `bun:"message"`
	Blind     bool               `bun:"blind"`

	Place int64 `bun:"place,scanonly"`
}

func newAttemptRow(job jobmanager.ID, a *jobmanager.Attempt) attemptRow {
	row := attemptRow{
		JobID: job, Epoch: a.Epoch, OwnerID: plain(a.OwnerID), ClaimID: plain(a.ClaimID),
		ClaimedAt: micros(a.ClaimedAt), EndedAt: micros(a.EndedAt), Message: plain(a.Message), Blind: a.Blind,
	}
	if a.Outcome != nil {
		row.Outcome = *a.Outcome
	}
	return row
}

func (row *attemptRow) attempt() jobmanager.Attempt {
	return jobmanager.Attempt{
		Epoch: row.Epoch, OwnerID: row.OwnerID, ClaimID: row.ClaimID, ClaimedAt: row.ClaimedAt.UTC(),
		EndedAt: row.EndedAt.UTC(), Outcome: outcome(row.Outcome), Message: row.Message, Blind: row.Blind,
	}
}

// resourceRow is what runs for a job.
type resourceRow struct {
	bun.BaseModel `bun:"table:resources,alias:resource"`

	ID         jobmanager.ID     `bun:"id,pk,type:uuid"`
	JobID      jobmanager.ID     `bun:"job_id,type:uuid"`
	Tenant     jobmanager.Tenant `bun:"tenant"`
	UID        jobmanager.Text   `bun:"uid"`
	Name       string            `bun:"name"`
	Conditions jsonText          `bun:"conditions,type:jsonb"`
	SeenAt     time.Time         `bun:"seen_at,type:timestamptz"`
}

// newResourceRow is the zero row for a job without a resource.
func newResourceRow(j *jobmanager.Job) (resourceRow, error) {
	r := j.Resource
	if r == nil {
		return resourceRow{}, nil
	}
	conditions := make([]jobmanager.Condition, len(r.Conditions))
	for i, c := range r.Conditions {
		c.Type, c.Reason, c.Message = plain(c.Type), plain(c.Reason), plain(c.Message)
		conditions[i] = c
	}
	text, err := encoded(conditions)
	return resourceRow{
		ID: r.ID, JobID: j.ID, Tenant: j.Tenant, UID: plain(r.UID), Name: plain(r.Name),
		Conditions: text, SeenAt: micros(r.SeenAt),
	}, err
}

func (row *resourceRow) resource() (*jobmanager.Resource, error) {
	r := &jobmanager.Resource{ID: row.ID, JobID: row.JobID, UID: row.UID, Name: row.Name, SeenAt: row.SeenAt.UTC()}
	return r, row.Conditions.decode(&r.Conditions)
}

// idempotencyRow is a client's key and what its request made.
type idempotencyRow struct {
	bun.BaseModel `bun:"table:idempotency_keys,alias:idempotency_key"`

	Tenant    jobmanager.Tenant `bun:"tenant,pk"`
	Operation string            `bun:"operation,pk"`
	Key       string            `bun:"key,pk"`
	Hash      string            `bun:"hash"`
	Result    jobmanager.ID     `bun:"result,type:uuid"`
	CreatedAt time.Time         `bun:"created_at,type:timestamptz"`
}
