package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// JobGroups gives a page of groups; see jobmanager.Reader. What comes with them costs a fixed number of
// statements, however many groups and jobs there are. INVALID for a cursor of another list or order.
func (s *Store) JobGroups(ctx context.Context, query jobmanager.JobGroupQuery) (*jobmanager.JobGroupConnection, error) {
	if err := checkIDs(query.Filter.IDs...); err != nil {
		return nil, err
	}
	order, err := newKeyset(groupOrder(query.Order), query.Page.After)
	if err != nil {
		return nil, err
	}
	var list *jobmanager.JobGroupConnection
	err = s.snapshot(ctx, func(ctx context.Context, v *view) error {
		q := filterGroups(within(v.groups(query.Load), "job_group", query.Scope), query.Filter)
		groups, err := scanGroups(ctx, order.page(q, query.Page.First))
		if err != nil {
			return err
		}
		list = jobmanager.NewConnection(groups, query.Page, func(g *jobmanager.JobGroup) string {
			return order.cursor(groupValue(g, order.column), g.ID)
		})
		list.Revision = v.cursor()
		return v.loadGroupParts(ctx, list.Nodes(), query.Load)
	})
	return list, err
}

// JobGroup gives one group; NOT_FOUND when it is not there or not in the scope.
func (s *Store) JobGroup(
	ctx context.Context, scope jobmanager.Scope, id jobmanager.ID, load jobmanager.GroupLoad,
) (*jobmanager.JobGroup, error) {
	if err := checkIDs(id); err != nil {
		return nil, err
	}
	var found *jobmanager.JobGroup
	err := s.snapshot(ctx, func(ctx context.Context, v *view) error {
		groups, err := scanGroups(ctx, within(v.groups(load).Where("job_group.id = ?", id), "job_group", scope))
		if err != nil {
			return err
		}
		if len(groups) == 0 {
			return notFound("job group", id)
		}
		found = groups[0]
		return v.loadGroupParts(ctx, groups, load)
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// Unmatched lists groups with jobs that wait for a target or want another one and are due to be matched again,
// the longest due first, each with those jobs; see jobmanager.Reader.
func (s *Store) Unmatched(ctx context.Context, limit int) ([]*jobmanager.JobGroup, error) {
	now := s.clock.Now()
	var groups []*jobmanager.JobGroup
	err := s.snapshot(ctx, func(ctx context.Context, v *view) error {
		due, err := v.groupsToMatch(ctx, now, limit)
		if err != nil || len(due) == 0 {
			return err
		}
		found, err := scanGroups(ctx, v.groups(jobmanager.GroupLoad{Descriptor: true}).Where("job_group.id IN (?)", bun.List(due)))
		if err != nil {
			return err
		}
		byID := groupsByID(found)
		for _, id := range due {
			groups = append(groups, byID[id])
		}
		var rows []jobRow
		err = v.tx.NewSelect().Model(&rows).Where("job.group_id IN (?)", bun.List(due)).
			Where(waitsForTarget+" OR "+wantsToMove, now, now).Order("job.created_at", "job.id").Scan(ctx)
		if err != nil {
			return err
		}
		jobs, err := jobsOf(rows)
		for _, job := range jobs {
			byID[job.GroupID].Jobs = append(byID[job.GroupID].Jobs, job)
		}
		return err
	})
	return groups, err
}

// groupsToMatch picks the groups that Unmatched lists, by one index for each of the two reasons.
func (v *view) groupsToMatch(ctx context.Context, now time.Time, limit int) ([]jobmanager.ID, error) {
	job := func(due string) *bun.SelectQuery {
		return v.tx.NewSelect().Model((*jobRow)(nil)).Column("group_id").ColumnExpr("? AS due", bun.Ident(due))
	}
	wanted := job("job.queued_at").Where(waitsForTarget, now).UnionAll(job("job.move_due").Where(wantsToMove, now))
	var due []jobmanager.ID
	err := v.tx.NewSelect().TableExpr("(?) AS wanted", wanted).Column("group_id").
		Group("group_id").OrderExpr("min(wanted.due), wanted.group_id").Limit(int64(limit)).Scan(ctx, &due)
	return due, err
}

// groups begins a query of groups, with the descriptor's text only where it is wanted.
func (v *view) groups(load jobmanager.GroupLoad) *bun.SelectQuery {
	q := v.tx.NewSelect().Model((*groupRow)(nil))
	if !load.Descriptor {
		q = q.ExcludeColumn("descriptor")
	}
	return q
}

func scanGroups(ctx context.Context, q *bun.SelectQuery) ([]*jobmanager.JobGroup, error) {
	var rows []groupRow
	if err := q.Scan(ctx, &rows); err != nil {
		return nil, err
	}
	return groupsOf(rows)
}

// loadGroupParts gives groups the page of their jobs that is wanted.
func (v *view) loadGroupParts(ctx context.Context, groups []*jobmanager.JobGroup, load jobmanager.GroupLoad) error {
	if load.Jobs == nil || len(groups) == 0 {
		return nil
	}
	order, err := newKeyset(memberOrder(), load.Jobs.After)
	if err != nil {
		return err
	}
	byID := groupsByID(groups)
	ids := make([]jobmanager.ID, len(groups))
	for i, group := range groups {
		ids[i] = group.ID
	}
	rows, err := v.firstOfEach(ctx, order, v.tx.NewSelect().Model((*jobRow)(nil)).Where("job.group_id IN (?)", bun.List(ids)), "job.group_id", load.Jobs.First)
	if err != nil {
		return err
	}
	return v.shareOut(ctx, rows, byID, load)
}

// firstOfEach reads the first jobs in an order for each value of a column, and one more each, to see whether
// more follow: one statement for all.
func (v *view) firstOfEach(ctx context.Context, order keyset, q *bun.SelectQuery, column string, first int) ([]jobRow, error) {
	place := "row_number() OVER (PARTITION BY ? ORDER BY ?, ?) AS place"
	if order.desc {
		place = "row_number() OVER (PARTITION BY ? ORDER BY ? DESC, ? DESC) AS place"
	}
	ranked := order.beyond(q).Column("*").ColumnExpr(place, bun.Ident(column), bun.Ident(order.name), bun.Ident(order.column.id))
	var rows []jobRow
	err := v.tx.NewSelect().Model(&rows).ModelTableExpr("(?) AS job", ranked).
		Where("job.place <= ?", first+1).OrderExpr("?, job.place", bun.Ident(column)).Scan(ctx)
	return rows, err
}

// shareOut gives each group the page of its own jobs. Jobs are loaded all together.
func (v *view) shareOut(
	ctx context.Context, rows []jobRow, groups map[jobmanager.ID]*jobmanager.JobGroup, load jobmanager.GroupLoad,
) error {
	jobs, err := jobsOf(rows)
	if err != nil {
		return err
	}
	members := map[jobmanager.ID][]*jobmanager.Job{}
	for _, job := range jobs {
		members[job.GroupID] = append(members[job.GroupID], job)
	}
	var shown []*jobmanager.Job
	for id, group := range groups {
		page := jobmanager.NewConnection(members[id], *load.Jobs, func(j *jobmanager.Job) string {
			return memberOrder().cursor(j.CreatedAt, j.ID)
		})
		page.Revision = v.cursor()
		group.JobPage = &jobmanager.JobPage{Request: *load.Jobs, Connection: page}
		shown = append(shown, page.Nodes()...)
	}
	want := load.JobLoad
	if want.Group != nil { // they are here already
		want.Group = nil
		for _, job := range shown {
			job.Group = groups[job.GroupID]
		}
	}
	return v.load(ctx, shown, want)
}

func groupsByID(groups []*jobmanager.JobGroup) map[jobmanager.ID]*jobmanager.JobGroup {
	byID := make(map[jobmanager.ID]*jobmanager.JobGroup, len(groups))
	for _, group := range groups {
		byID[group.ID] = group
	}
	return byID
}

// groupValue is the group's value in the column of an order.
func groupValue(g *jobmanager.JobGroup, order column) any {
	switch order.name {
	case "job_group.updated_at":
		return g.UpdatedAt
	case "job_group.name":
		return g.Name
	}
	return g.CreatedAt
}

func filterGroups(q *bun.SelectQuery, f jobmanager.JobGroupFilter) *bun.SelectQuery {
	q = among(q, "job_group.id", f.IDs)
	q = among(q, "job_group.name", f.Names)
	q = among(q, "job_group.namespace", f.Namespaces)
	return among(q, "job_group.phase", f.Phases)
}
