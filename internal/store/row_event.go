package store

import (
	"time"

	"github.com/uptrace/bun"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// eventRow is an event; what it carries stands in the payload.
type eventRow struct {
	bun.BaseModel `bun:"table:events,alias:event"`

	Revision   jobmanager.Revision  `bun:"revision,pk"`
	Tenant     jobmanager.Tenant    `bun:"tenant"`
	Type       jobmanager.EventType `bun:"type"`
	At         time.Time            `bun:"at,type:timestamptz"`
	Actor      string               `bun:"actor"`
	JobGroupID jobmanager.ID        `bun:"job_group_id,nullzero,type:uuid"`
	JobID      jobmanager.ID        `bun:"job_id,nullzero,type:uuid"`
	Message    string               `bun:"message"`
	Payload    jsonText             `bun:"payload,type:json"`
}

// eventPayload is the part of an event that no query looks at. Its JSON is stored for as long as events are
// kept: names stay, fields are only added.
type eventPayload struct {
	Group   *jobmanager.JobGroup `json:"group,omitempty"`
	Job     *jobmanager.Job      `json:"job,omitempty"`
	Removed *jobmanager.Resource `json:"removed,omitempty"`
	Former  jobmanager.Former    `json:"former,omitzero"`
	Attempt *jobmanager.Attempt  `json:"attempt,omitempty"`

	Incompliance *jobmanager.Incompliance `json:"incompliance,omitempty"`
	Remediation  *jobmanager.Remediation  `json:"remediation,omitempty"`
}

func newEventRow(e *jobmanager.Event) (eventRow, error) {
	payload, err := encoded(eventPayload{
		Group: e.Group, Job: e.Job, Removed: e.Removed, Former: e.Former, Attempt: e.Attempt,
		Incompliance: e.Incompliance, Remediation: e.Remediation,
	})
	return eventRow{
		Revision: e.Revision, Tenant: e.Tenant, Type: e.Type, At: micros(e.At), Actor: plain(e.Actor),
		JobGroupID: e.GroupID, JobID: e.JobID, Message: plain(e.Message), Payload: payload,
	}, err
}

func (row *eventRow) event(incarnation string) (*jobmanager.Event, error) {
	var payload eventPayload
	if err := row.Payload.decode(&payload); err != nil {
		return nil, err
	}
	return &jobmanager.Event{
		Revision: row.Revision, Incarnation: incarnation, Type: row.Type, Tenant: row.Tenant, At: row.At.UTC(),
		Actor: row.Actor, GroupID: row.JobGroupID, JobID: row.JobID, Message: row.Message,
		Size:  len(row.Payload) + len(row.Message),
		Group: payload.Group, Job: payload.Job, Removed: payload.Removed, Former: payload.Former, Attempt: payload.Attempt,
		Incompliance: payload.Incompliance, Remediation: payload.Remediation,
	}, nil
}

// eventsOf makes events of rows.
func eventsOf(rows []eventRow, incarnation string) ([]*jobmanager.Event, error) {
	events := make([]*jobmanager.Event, len(rows))
	for i := range rows {
		event, err := rows[i].event(incarnation)
		if err != nil {
			return nil, err
		}
		events[i] = event
	}
	return events, nil
}
