package store

import (
	"context"
	"slices"

	"github.com/uptrace/bun"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// tracked is a job in the hands of a rule, with what stood in the database before.
type tracked struct {
	job      *jobmanager.Job
	row      jobRow      // zero for a job that the rule made
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
	return w.track(ctx, rows)
}

// track puts rows that are locked in the hands of a rule.
func (w *writing) track(ctx context.Context, rows []jobRow) ([]*tracked, error) {
	jobs, err := jobsOf(rows)
	if err != nil {
		return nil, err
	}
	if err := loadResources(ctx, w.tx, jobs); err != nil {
		return nil, err
	}
	list := make([]*tracked, len(jobs))
	for i, job := range jobs {
		// Not the row as it was read, but the job's: so that == compares like with like.
		row, err := newJobRow(job)
		if err != nil {
			return nil, err
		}
		resource, err := newResourceRow(job)
		if err != nil {
			return nil, err
		}
		list[i] = &tracked{job: job, row: row, resource: resource}
	}
	return list, nil
}

// isNew says whether the rule made the job.
func (t *tracked) isNew() bool { return t.row.ID == "" }

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
