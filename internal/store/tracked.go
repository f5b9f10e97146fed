package store

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/uptrace/bun"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// tracked is a job in the hands of a rule, with what stood in the database before.
type tracked struct {
	job      *jobmanager.Job
	row      jobRow
	resource resourceRow // zero when there was none
	events   []jobmanager.Event
}

// lockedJobs reads the jobs of a query, which locks their rows, and then their resources. It takes two
// statements: one with a join would, after waiting for a lock, see the newest job beside an old resource.
func (w *writing) lockedJobs(ctx context.Context, q func(*bun.SelectQuery) *bun.SelectQuery) ([]*tracked, error) {
	var rows []jobRow
	if err := q(w.tx.NewSelect().Model(&rows)).Scan(ctx); err != nil {
		return nil, err
	}
	jobs := jobsOf(rows)
	if err := loadResources(ctx, w.tx, jobs); err != nil {
		return nil, err
	}
	list := make([]*tracked, len(jobs))
	for i, job := range jobs {
		resource, err := newResourceRow(job)
		if err != nil {
			return nil, err
		}
		// Not the row as it was read, but the job's: so that == compares like with like.
		list[i] = &tracked{job: job, row: newJobRow(job), resource: resource}
	}
	return list, nil
}

// storeJobs writes what rules changed, with the same number of statements for 1 or 500 jobs, and gives the
// groups whose tally may have changed, ordered.
func (w *writing) storeJobs(ctx context.Context, list []*tracked) ([]jobmanager.ID, error) {
	var jobs []jobRow
	var attempts []attemptRow
	var resources resourceChanges
	groups := map[jobmanager.ID]bool{}
	for _, t := range list {
		row := newJobRow(t.job)
		if row != t.row || len(t.events) > 0 { // a report may change the resource alone
			jobs = append(jobs, row)
			t.job.Version++
		}
		if row.Type != t.row.Type || row.State != t.row.State || row.Unhealthy != t.row.Unhealthy {
			groups[row.GroupID] = true
		}
		attempts = append(attempts, t.settleEvents()...)
		if err := resources.note(t); err != nil {
			return nil, err
		}
		w.tell(t.events...)
	}
	if err := w.updateJobRows(ctx, jobs); err != nil {
		return nil, err
	}
	if err := w.writeAttempts(ctx, attempts); err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(groups)), w.writeResources(ctx, resources)
}

// settleEvents gives the events the job's new version, and takes the attempts out of them: each once, as the
// last event that tells of it has it, for one statement may not write a row twice.
func (t *tracked) settleEvents() []attemptRow {
	var rows []attemptRow
	for i := range t.events {
		event := &t.events[i]
		if event.Job != nil {
			event.Job.Version = t.job.Version
		}
		if event.Attempt == nil {
			continue
		}
		row := newAttemptRow(t.job.ID, event.Attempt)
		rows = slices.DeleteFunc(rows, func(other attemptRow) bool { return other.Epoch == row.Epoch })
		rows = append(rows, row)
	}
	return rows
}

// updateJobRows writes rows that carry the version that was read; a row that another transaction changed
// since makes the whole a lost race.
func (w *writing) updateJobRows(ctx context.Context, rows []jobRow) error {
	if len(rows) == 0 {
		return nil
	}
	columns := changeableJobColumns()
	values := w.tx.NewValues(&rows).Column(append([]string{"id", "version"}, columns...)...)
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
	if n, err := result.RowsAffected(); err != nil || n != int64(len(rows)) {
		return cmp.Or(err, errLostRace)
	}
	return nil
}

func (w *writing) writeAttempts(ctx context.Context, rows []attemptRow) error {
	if len(rows) == 0 {
		return nil
	}
	_, err := w.tx.NewInsert().Model(&rows).On("CONFLICT (job_id, epoch) DO UPDATE").
		Set("ended_at = EXCLUDED.ended_at").Set("outcome = EXCLUDED.outcome").Set("message = EXCLUDED.message").
		Exec(ctx)
	return err
}

// resourceChanges are the resources that rules changed or dropped.
type resourceChanges struct {
	set  []resourceRow
	drop []jobmanager.ID
}

func (c *resourceChanges) note(t *tracked) error {
	row, err := newResourceRow(t.job)
	if err != nil || row == t.resource {
		return err
	}
	if t.resource.ID != "" && t.resource.ID != row.ID {
		c.drop = append(c.drop, t.resource.ID)
	}
	if row.ID != "" {
		c.set = append(c.set, row)
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
	if len(c.set) == 0 {
		return nil
	}
	_, err := w.tx.NewInsert().Model(&c.set).On("CONFLICT (id) DO UPDATE").
		Set("uid = EXCLUDED.uid").Set("name = EXCLUDED.name").
		Set("conditions = EXCLUDED.conditions").Set("seen_at = EXCLUDED.seen_at").
		Exec(ctx)
	return err
}
