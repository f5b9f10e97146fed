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
		jobRow, err := newJobRow(job)
		if err != nil {
			return err
		}
		jobs, manifests = append(jobs, jobRow), append(manifests, manifestRows(job)...)
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
		if err := w.applyGroupRule(ctx, group, jobs, change.Rule); err != nil {
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

// applyGroupRule runs the rule and stores what it made of the group and its jobs. All jobs are here and locked,
// so they are counted here. Events are told in this order: the group's own, its jobs', the new phase.
func (w *writing) applyGroupRule(ctx context.Context, group *jobmanager.JobGroup, jobs []*tracked, rule jobmanager.GroupRule) error {
	before, err := newGroupRow(group)
	if err != nil {
		return err
	}
	events, err := rule(group, w.now)
	if err != nil {
		return ruleError{err}
	}
	jobs = withAdded(jobs, group.Jobs)
	w.tellOfGroup(events, jobs)
	var settled []jobmanager.Event
	if !group.Deleted {
		settled = group.Settle(tallyOf(group.Jobs), w.now)
	}
	w.tell(settled...)
	if group.Deleted {
		return w.deleteGroups(ctx, []jobmanager.ID{group.ID}, jobs)
	}
	if _, err := w.storeJobs(ctx, jobs); err != nil {
		return err
	}
	group.Jobs = slices.DeleteFunc(group.Jobs, func(j *jobmanager.Job) bool { return j.Deleted })
	after, err := newGroupRow(group)
	if err != nil || after == before {
		return err
	}
	_, err = w.tx.NewUpdate().Model(&after).ExcludeColumn("tenant", "name", "created_at").WherePK().Exec(ctx)
	return err
}

// withAdded adds the jobs that a rule made to those that stand in the database.
func withAdded(list []*tracked, jobs []*jobmanager.Job) []*tracked {
	known := make(map[jobmanager.ID]bool, len(list))
	for _, t := range list {
		known[t.job.ID] = true
	}
	for _, job := range jobs {
		if !known[job.ID] {
			list = append(list, &tracked{job: job})
		}
	}
	return list
}

// tellOfGroup tells the events of a group's rule, those about the group itself first, and gives those about its
// jobs to the jobs too: their versions and attempts are settled with them.
func (w *writing) tellOfGroup(events []jobmanager.Event, jobs []*tracked) {
	byID := make(map[jobmanager.ID]*tracked, len(jobs))
	for _, t := range jobs {
		byID[t.job.ID] = t
	}
	var ofJobs []jobmanager.Event
	for _, event := range events {
		if event.JobID == "" {
			w.tell(event)
			continue
		}
		ofJobs = append(ofJobs, event)
		if t := byID[event.JobID]; t != nil {
			t.events = append(t.events, event)
		}
	}
	w.tell(ofJobs...)
}

// tallyOf counts the jobs that stay.
func tallyOf(jobs []*jobmanager.Job) jobmanager.Tally {
	var tally jobmanager.Tally
	for _, job := range jobs {
		if !job.Deleted {
			tally.Count(job.Type, job.State, job.Resource.Unhealthy(), 1)
		}
	}
	return tally
}
