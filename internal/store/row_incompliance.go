package store

import (
	"time"

	"github.com/uptrace/bun"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// incomplianceRow is an incompliance without its remediations.
type incomplianceRow struct {
	bun.BaseModel `bun:"table:incompliances,alias:incompliance"`

	ID         jobmanager.ID     `bun:"id,pk,type:uuid"`
	Tenant     jobmanager.Tenant `bun:"tenant"`
	JobGroupID jobmanager.ID     `bun:"job_group_id,nullzero,type:uuid"`
	Body       jsonText          `bun:"body,type:json"`
	Reason     jobmanager.Text   `bun:"reason"`
	CreatedAt  time.Time         `bun:"created_at,type:timestamptz"`
}

// incomplianceBody is what was reported, which never changes. Its JSON is stored: names stay, fields are only
// added.
type incomplianceBody struct {
	Remediation        string             `json:"remediation"`
	PolicyName         string             `json:"policyName"`
	PolicyID           jobmanager.Text    `json:"policyId,omitempty"`
	CurrentValue       jobmanager.Text    `json:"currentValue,omitempty"`
	Threshold          jobmanager.Text    `json:"threshold,omitempty"`
	MeasurementBackend jobmanager.Text    `json:"measurementBackend,omitempty"`
	ExtraLabels        []jobmanager.Label `json:"extraLabels,omitempty"`
	Subject            jobmanager.Subject `json:"subject"`
}

func newIncomplianceRow(i *jobmanager.Incompliance) (incomplianceRow, error) {
	body, err := encoded(incomplianceBody{
		Remediation: i.Remediation, PolicyName: i.PolicyName, PolicyID: i.PolicyID, CurrentValue: i.CurrentValue,
		Threshold: i.Threshold, MeasurementBackend: i.MeasurementBackend, ExtraLabels: i.ExtraLabels, Subject: i.Subject,
	})
	return incomplianceRow{
		ID: i.ID, Tenant: i.Tenant, JobGroupID: i.GroupID, Body: body, Reason: plain(i.Reason), CreatedAt: micros(i.CreatedAt),
	}, err
}

func (row *incomplianceRow) incompliance() (*jobmanager.Incompliance, error) {
	var body incomplianceBody
	err := row.Body.decode(&body)
	return &jobmanager.Incompliance{
		ID: row.ID, Tenant: row.Tenant, GroupID: row.JobGroupID, Remediation: body.Remediation,
		PolicyName: body.PolicyName, PolicyID: body.PolicyID, CurrentValue: body.CurrentValue, Threshold: body.Threshold,
		MeasurementBackend: body.MeasurementBackend, ExtraLabels: body.ExtraLabels, Subject: body.Subject,
		Remediations: []jobmanager.Remediation{}, Reason: row.Reason, CreatedAt: row.CreatedAt.UTC(),
	}, err
}

// remediationRow is the answer to an incompliance at one job, as it is by now.
type remediationRow struct {
	bun.BaseModel `bun:"table:remediations,alias:remediation"`

	IncomplianceID jobmanager.ID                 `bun:"incompliance_id,pk,type:uuid"`
	JobID          jobmanager.ID                 `bun:"job_id,pk,type:uuid"`
	Component      string                        `bun:"component"`
	SubType        jobmanager.Text               `bun:"sub_type"`
	Outcome        jobmanager.RemediationOutcome `bun:"outcome"`
	Reason         jobmanager.Text               `bun:"reason"`
	Generation     int64                         `bun:"generation"`
	UpdatedAt      time.Time                     `bun:"updated_at,type:timestamptz"`
}

func newRemediationRow(r jobmanager.Remediation) remediationRow {
	return remediationRow{
		IncomplianceID: r.IncomplianceID, JobID: r.JobID, Component: plain(r.Component), SubType: plain(r.SubType),
		Outcome: r.Outcome, Reason: plain(r.Reason), Generation: r.Generation, UpdatedAt: micros(r.UpdatedAt),
	}
}

func (row *remediationRow) remediation() jobmanager.Remediation {
	return jobmanager.Remediation{
		IncomplianceID: row.IncomplianceID, JobID: row.JobID, Component: row.Component, SubType: row.SubType,
		Outcome: row.Outcome, Reason: row.Reason, Generation: row.Generation, UpdatedAt: row.UpdatedAt.UTC(),
	}
}
