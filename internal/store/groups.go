package store

import (
	"cmp"
	"context"
	"slices"

	"github.com/uptrace/bun"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// CreateGroup stores a group with its jobs, manifests and events; see jobmanager.Writer. Its jobs get their
// first version. CONFLICT when the id or the idempotency key is already there.
func (s *Store) CreateGroup(
	ctx context.Context, group *jobmanager.JobGroup, events []jobmanager.Event, request jobmanager.Idempotency,
) error {
	row, err := newGroupRow(group)
	if err != nil {
		return err
	}
	var jobs []jobRow
	var manifests []manifestRow
	for _, job := range group.Jobs {
		job.Version = 1
		jobs = append(jobs, newJobRow(job))
		manifests = append(manifests, manifestRows(job)...)
	}
	for _, event := range events {
		if event.Job != nil {
			event.Job.Version = 1
		}
	}
	return s.inWrite(ctx, "", func(ctx context.Context, w *writing) error {
		w.tell(events...)
		if _, err := w.tx.NewInsert().Model(&row).Exec(ctx); err != nil {
			return err
		}
		if len(jobs) > 0 {
			if _, err := w.tx.NewInsert().Model(&jobs).Exec(ctx); err != nil {
				return err
			}
		}
		if len(manifests) > 0 {
			if _, err := w.tx.NewInsert().Model(&manifests).Exec(ctx); err != nil {
				return err
			}
		}
		return w.remember(ctx, request)
	})
}

// ChangeGroup runs the rule on a group and all its jobs, and stores what it changed; see jobmanager.Writer.
//
// Errors: the rule's own, as they are; NOT_FOUND; CONFLICT when the idempotency key was used in between or
// others kept changing the group; UNAVAILABLE.
func (s *Store) ChangeGroup(
	ctx context.Context, scope jobmanager.Scope, id jobmanager.ID, change jobmanager.GroupChange,
) (*jobmanager.JobGroup, error) {
	if err := checkIDs(id); err != nil {
		return nil, err
	}
	var group *jobmanager.JobGroup
	err := s.inWrite(ctx, change.Actor, func(ctx context.Context, w *writing) error {
		var jobs []*tracked
		var err error
		if group, jobs, err = w.wholeGroup(ctx, scope, id); err != nil {
			return err
		}
		events, err := change.Rule(group, w.now)
		if err != nil {
			return ruleError{err}
		}
		if !group.Deleted {
			events = append(events, group.Settle(tallyOf(group.Jobs), w.now)...)
		}
		if err := w.storeGroup(ctx, group, jobs, events); err != nil {
			return err
		}
		return w.remember(ctx, change.Request)
	})
	if err != nil {
		return nil, err
	}
	return group, nil
}

// wholeGroup reads and locks a group with all its jobs: the jobs first, then the group, as everywhere. Once the
// group is locked no job can come or go; one that did so in between makes it a lost race.
func (w *writing) wholeGroup(
	ctx context.Context, scope jobmanager.Scope, id jobmanager.ID,
) (*jobmanager.JobGroup, []*tracked, error) {
	dialect := w.store.dialect
	list, err := w.lockedJobs(ctx, func(q *bun.SelectQuery) *bun.SelectQuery {
		return dialect.lock(within(q.Where("job.group_id = ?", id), "job", scope).Order("job.id"))
	})
	if err != nil {
		return nil, nil, err
	}
	var row []groupRow
	q := within(w.tx.NewSelect().Model(&row).Where("job_group.id = ?", id), "job_group", scope)
	if err := dialect.lock(q).Scan(ctx); err != nil {
		return nil, nil, err
	}
	if len(row) == 0 {
		return nil, nil, notFound("job group", id)
	}
	group, err := row[0].group()
	if err != nil {
		return nil, nil, err
	}
	var ids []jobmanager.ID
	if err := w.tx.NewSelect().Model((*jobRow)(nil)).Column("id").Where("job.group_id = ?", id).Order("job.id").Scan(ctx, &ids); err != nil {
		return nil, nil, err
	}
	if !slices.EqualFunc(list, ids, func(t *tracked, id jobmanager.ID) bool { return t.job.ID == id }) {
		return nil, nil, errLostRace
	}
	slices.SortStableFunc(list, func(a, b *tracked) int { // as the descriptor has them
		return cmp.Or(a.job.CreatedAt.Compare(b.job.CreatedAt), cmp.Compare(a.job.ID, b.job.ID))
	})
	for _, t := range list {
		group.Jobs = append(group.Jobs, t.job)
	}
	return group, list, nil
}

// storeGroup writes a group and its jobs after a rule, or removes them.
func (w *writing) storeGroup(ctx context.Context, group *jobmanager.JobGroup, jobs []*tracked, events []jobmanager.Event) error {
	if group.Deleted {
		w.tell(events...)
		return w.deleteGroups(ctx, []*jobmanager.JobGroup{group})
	}
	// The jobs' own events stand among the group's, in the rule's order; they are told with them below.
	byID := map[jobmanager.ID]*tracked{}
	for _, t := range jobs {
		byID[t.job.ID] = t
	}
	var attempts []attemptRow
	_, err := w.storeJobs(ctx, jobs)
	if err != nil {
		return err
	}
	for i := range events {
		event := &events[i]
		if event.Job == nil || byID[event.JobID] == nil {
			continue
		}
		event.Job.Version = byID[event.JobID].job.Version
		if event.Attempt != nil {
			attempts = append(attempts, newAttemptRow(event.JobID, event.Attempt))
		}
	}
	if err := w.writeAttempts(ctx, attempts); err != nil {
		return err
	}
	w.tell(events...)
	if len(events) == 0 {
		return nil
	}
	row, err := newGroupRow(group)
	if err != nil {
		return err
	}
	_, err = w.tx.NewUpdate().Model(&row).ExcludeColumn("tenant", "created_at").WherePK().Exec(ctx)
	return err
}

func tallyOf(jobs []*jobmanager.Job) jobmanager.Tally {
	var tally jobmanager.Tally
	for _, job := range jobs {
		tally.Count(job.Type, job.State, job.Resource.Unhealthy(), 1)
	}
	return tally
}
