package store

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// settle brings the phases of groups up to date, and deletes those that were only waiting to come to a stop.
// The groups are locked first, in the order of their ids; the count that follows then sees what every earlier
// holder of the lock did to its jobs. Only a group that changes is read: most changes of a job move no phase.
func (w *writing) settle(ctx context.Context, ids []jobmanager.ID) error {
	if len(ids) == 0 {
		return nil
	}
	standing, err := w.lockedGroups(ctx, ids)
	if err != nil {
		return err
	}
	tallies, err := w.tallies(ctx, ids)
	if err != nil {
		return err
	}
	var moved []jobmanager.ID
	for _, row := range standing {
		group := jobmanager.JobGroup{Phase: row.Phase, DeleteWhenStopped: row.DeleteWhenStopped}
		if len(group.Settle(tallies[row.ID], w.now)) > 0 {
			moved = append(moved, row.ID)
		}
	}
	groups, err := w.groupsWithoutDescriptor(ctx, moved)
	if err != nil {
		return err
	}
	var changed, deleted []*jobmanager.JobGroup
	for _, group := range groups {
		w.tell(group.Settle(tallies[group.ID], w.now)...)
		if group.Deleted {
			deleted = append(deleted, group)
		} else {
			changed = append(changed, group)
		}
	}
	if err := w.updatePhases(ctx, changed); err != nil {
		return err
	}
	return w.deleteSettled(ctx, deleted)
}

// lockedGroups locks groups and gives what decides whether they move. One that was deleted meanwhile is not
// there.
func (w *writing) lockedGroups(ctx context.Context, ids []jobmanager.ID) ([]groupRow, error) {
	var rows []groupRow
	q := w.tx.NewSelect().Model(&rows).Column("id", "phase", "delete_when_stopped").
		Where("job_group.id IN (?)", bun.List(ids)).Order("job_group.id")
	err := w.store.dialect.lock(q).Scan(ctx)
	return rows, err
}

// groupsWithoutDescriptor reads groups that are locked already, in the order of their ids.
func (w *writing) groupsWithoutDescriptor(ctx context.Context, ids []jobmanager.ID) ([]*jobmanager.JobGroup, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	return scanGroups(ctx, w.tx.NewSelect().Model((*groupRow)(nil)).ExcludeColumn("descriptor").
		Where("job_group.id IN (?)", bun.List(ids)).Order("job_group.id"))
}

// tallies counts the jobs of groups.
func (w *writing) tallies(ctx context.Context, ids []jobmanager.ID) (map[jobmanager.ID]jobmanager.Tally, error) {
	var counts []struct {
		GroupID   jobmanager.ID
		Type      jobmanager.JobType
		State     jobmanager.JobState
		Unhealthy bool
		N         int
	}
	err := w.tx.NewSelect().Model((*jobRow)(nil)).
		Column("group_id", "type", "state", "unhealthy").ColumnExpr("count(*) AS n").
		Where("job.group_id IN (?)", bun.List(ids)).
		Group("group_id", "type", "state", "unhealthy").Scan(ctx, &counts)
	if err != nil {
		return nil, err
	}
	tallies := map[jobmanager.ID]jobmanager.Tally{}
	for _, c := range counts {
		tally := tallies[c.GroupID]
		tally.Count(c.Type, c.State, c.Unhealthy, c.N)
		tallies[c.GroupID] = tally
	}
	return tallies, nil
}

// updatePhases writes what Settle changes.
func (w *writing) updatePhases(ctx context.Context, groups []*jobmanager.JobGroup) error {
	if len(groups) == 0 {
		return nil
	}
	rows := make([]groupRow, len(groups))
	for i, group := range groups {
		rows[i] = groupRow{ID: group.ID, Phase: group.Phase, UpdatedAt: micros(group.UpdatedAt)}
	}
	_, err := w.tx.NewUpdate().With("_data", w.tx.NewValues(&rows).Column("id", "phase", "updated_at")).
		Model((*groupRow)(nil)).TableExpr("_data").
		Set("phase = _data.phase").Set("updated_at = _data.updated_at").
		Where("job_group.id = _data.id").Exec(ctx)
	return err
}

// deleteSettled removes groups whose last job came to rest, and tells of each job that goes.
func (w *writing) deleteSettled(ctx context.Context, groups []*jobmanager.JobGroup) error {
	if len(groups) == 0 {
		return nil
	}
	ids := make([]jobmanager.ID, len(groups))
	for i, group := range groups {
		ids[i] = group.ID
	}
	// The groups are locked already: to wait for a job here would be to wait for somebody who waits for its group.
	gone, err := w.lockedJobs(ctx, func(q *bun.SelectQuery) *bun.SelectQuery {
		q = q.Where("job.group_id IN (?)", bun.List(ids)).Order("job.group_id", "job.created_at", "job.id")
		return w.store.dialect.lockFree(q)
	})
	if err != nil {
		return err
	}
	all, err := w.tx.NewSelect().Model((*jobRow)(nil)).Where("job.group_id IN (?)", bun.List(ids)).Count(ctx)
	if err != nil {
		return err
	}
	if all != int64(len(gone)) {
		return errLostRace
	}
	return w.deleteGroups(ctx, ids, gone)
}

// deleteGroups removes groups with everything that is theirs.
func (w *writing) deleteGroups(ctx context.Context, ids []jobmanager.ID, jobs []*tracked) error {
	for _, t := range jobs {
		if !t.job.Deleted { // a rule that took it out of the group has told of it
			w.tell(t.job.GoWithGroup(w.now))
		}
	}
	if err := w.keepUIDs(ctx, w.tx.NewSelect().Model((*jobRow)(nil)).Column("id").Where("job.group_id IN (?)", bun.List(ids))); err != nil {
		return err
	}
	_, err := w.tx.NewDelete().Model((*groupRow)(nil)).Where("id IN (?)", bun.List(ids)).Exec(ctx)
	return err
}
