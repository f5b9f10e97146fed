package store

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// pastResourceRow is what the resource of a job was called before.
type pastResourceRow struct {
	bun.BaseModel `bun:"table:past_resources,alias:past_resource"`

	JobID jobmanager.ID   `bun:"job_id,pk,type:uuid"`
	UID   jobmanager.Text `bun:"uid,pk"`
	Name  string          `bun:"name,pk"`
}

// resourceChanges are the resources that rules changed or dropped, and what those were called before.
type resourceChanges struct {
	set  []resourceRow
	drop []jobmanager.ID
	past []pastResourceRow
}

func (c *resourceChanges) note(t *tracked) error {
	for _, event := range t.events {
		for _, stray := range t.job.Strays {
			if event.Type == jobmanager.StrayReported && stray.Reported { // no other job may adopt it
				c.past = append(c.past, pastResourceRow{JobID: t.job.ID, UID: plain(stray.UID), Name: plain(stray.Name)})
			}
		}
	}
	row, err := newResourceRow(t.job)
	if err != nil || row == t.resource {
		return err
	}
	was := t.resource
	if was.ID != "" && was.ID != row.ID {
		c.drop = append(c.drop, was.ID)
	}
	if row.ID != "" {
		c.set = append(c.set, row)
	}
	if was.ID != "" && (was.Name != row.Name || was.UID != "" && was.UID != row.UID) {
		c.past = append(c.past, pastResourceRow{JobID: t.job.ID, UID: was.UID, Name: was.Name})
	}
	return nil
}

// writeResources drops before it sets: a job has at most one resource.
func (w *writing) writeResources(ctx context.Context, c resourceChanges) error {
	if len(c.drop) > 0 {
		if _, err := w.tx.NewDelete().Model((*resourceRow)(nil)).Where("id IN (?)", bun.List(c.drop)).Exec(ctx); err != nil {
			return err
		}
	}
	if len(c.past) > 0 {
		if _, err := w.tx.NewInsert().Model(&c.past).On("CONFLICT DO NOTHING").Exec(ctx); err != nil {
			return err
		}
	}
	if len(c.set) == 0 {
		return nil
	}
	_, err := w.tx.NewInsert().Model(&c.set).On("CONFLICT (id) DO UPDATE").
		Set("uid = EXCLUDED.uid").Set("name = EXCLUDED.name").
		Set("conditions = EXCLUDED.conditions").Set("seen_at = EXCLUDED.seen_at").
		Exec(ctx)
	return err
}
