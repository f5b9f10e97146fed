package store

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/uptrace/bun"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// jobChanges are what rules made of jobs, each kind of row to be written by one statement.
type jobChanges struct {
	insert, update, remove []jobRow
	manifests              []manifestRow
	rewritten              []jobmanager.ID // jobs whose manifests are no longer those of the database
	attempts               []attemptRow
	resources              resourceChanges
	groups                 map[jobmanager.ID]bool // whose tally may have changed
}

// storeJobs writes what rules changed, with the same number of statements for 1 or 500 jobs, and gives the
// groups whose tally may have changed, ordered. The jobs and the events about them get their new versions; the
// jobs are without manifests afterwards, as they were read.
func (w *writing) storeJobs(ctx context.Context, list []*tracked) ([]jobmanager.ID, error) {
	c := jobChanges{groups: map[jobmanager.ID]bool{}}
	for _, t := range list {
		if err := c.note(t); err != nil {
			return nil, err
		}
	}
	for _, write := range []func(context.Context, jobChanges) error{
		w.removeJobRows, w.updateJobRows, w.insertJobRows, w.writeManifests, w.writeAttempts,
	} {
		if err := write(ctx, c); err != nil {
			return nil, err
		}
	}
	return slices.Sorted(maps.Keys(c.groups)), w.writeResources(ctx, c.resources)
}

// note collects what became of one job.
func (c *jobChanges) note(t *tracked) error {
	row, err := newJobRow(t.job)
	if err != nil {
		return err
	}
	manifests, rewritten := manifestRows(t.job), t.job.Manifests != nil
	t.job.Manifests = nil
	changed := row != t.row || len(t.events) > 0 || rewritten || t.job.Deleted // a report may change the resource alone
	if changed {
		t.job.Version++
	}
	attempts := t.settleEvents()
	if t.job.Deleted { // whatever is its own goes with it
		if !t.isNew() {
			c.remove, c.groups[row.GroupID] = append(c.remove, t.row), true
		}
		return nil
	}
	if row.Type != t.row.Type || row.State != t.row.State || row.Unhealthy != t.row.Unhealthy {
		c.groups[row.GroupID] = true
	}
	switch {
	case t.isNew():
		row.Version = t.job.Version
		c.insert = append(c.insert, row)
	case changed:
		c.update = append(c.update, row)
	}
	if rewritten && !t.isNew() {
		c.rewritten = append(c.rewritten, row.ID)
	}
	c.manifests = append(c.manifests, manifests...)
	c.attempts = append(c.attempts, attempts...)
	return c.resources.note(t)
}

// removeJobRows deletes jobs at the version that was read. What refers to them goes too, but for the uids of their
// resources.
func (w *writing) removeJobRows(ctx context.Context, c jobChanges) error {
	if len(c.remove) == 0 {
		return nil
	}
	ids := make([]jobmanager.ID, len(c.remove))
	for i := range c.remove {
		ids[i] = c.remove[i].ID
	}
	if err := w.keepUIDs(ctx, bun.List(ids)); err != nil {
		return err
	}
	result, err := w.tx.NewDelete().With("_data", w.tx.NewValues(&c.remove).Column("id", "version")).Model((*jobRow)(nil)).
		Where("(job.id, job.version) IN (SELECT id, version FROM _data)").Exec(ctx)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n != int64(len(c.remove)) {
		return cmp.Or(err, errLostRace)
	}
	return nil
}

// updateJobRows writes rows that carry the version that was read; a row that another transaction changed
// since makes the whole a lost race.
func (w *writing) updateJobRows(ctx context.Context, c jobChanges) error {
	if len(c.update) == 0 {
		return nil
	}
	columns := changeableJobColumns()
	values := w.tx.NewValues(&c.update).Column(append([]string{"id", "version"}, columns...)...)
	q := w.tx.NewUpdate().With("_data", values).Model((*jobRow)(nil)).TableExpr("_data").
		Set("version = job.version + 1").
		Where("job.id = _data.id AND job.version = _data.version")
	for _, column := range columns {
		q = q.Set("? = _data.?", bun.Ident(column), bun.Ident(column))
	}
	result, err := q.Exec(ctx)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n != int64(len(c.update)) {
		return cmp.Or(err, errLostRace)
	}
	return nil
}

func (w *writing) insertJobRows(ctx context.Context, c jobChanges) error {
	if len(c.insert) == 0 {
		return nil
	}
	_, err := w.tx.NewInsert().Model(&c.insert).Exec(ctx)
	return err
}

// writeManifests puts newer manifests in the place of older ones.
func (w *writing) writeManifests(ctx context.Context, c jobChanges) error {
	if len(c.rewritten) > 0 {
		if _, err := w.tx.NewDelete().Model((*manifestRow)(nil)).Where("job_id IN (?)", bun.List(c.rewritten)).Exec(ctx); err != nil {
			return err
		}
	}
	if len(c.manifests) == 0 {
		return nil
	}
	_, err := w.tx.NewInsert().Model(&c.manifests).Exec(ctx)
	return err
}

func (w *writing) writeAttempts(ctx context.Context, c jobChanges) error {
	if len(c.attempts) == 0 {
		return nil
	}
	_, err := w.tx.NewInsert().Model(&c.attempts).On("CONFLICT (job_id, epoch) DO UPDATE").
		Set("ended_at = EXCLUDED.ended_at").Set("outcome = EXCLUDED.outcome").Set("message = EXCLUDED.message").
		Exec(ctx)
	return err
}
