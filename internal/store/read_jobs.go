package store

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// Jobs gives a page of jobs; see jobmanager.Reader. INVALID for a cursor of another list or order.
func (s *Store) Jobs(ctx context.Context, query jobmanager.JobQuery) (*jobmanager.JobConnection, error) {
	if err := checkIDs(query.Filter.IDs...); err != nil {
		return nil, err
	}
	if err := checkIDs(query.Filter.JobGroupIDs...); err != nil {
		return nil, err
	}
	if err := checkIDs(query.ResourceIDs...); err != nil {
		return nil, err
	}
	order, err := newKeyset(jobOrder(query.Order), query.Page.After)
	if err != nil {
		return nil, err
	}
	var list *jobmanager.JobConnection
	err = s.snapshot(ctx, func(ctx context.Context, v *view) error {
		var rows []jobRow
		q := filterJobs(within(v.tx.NewSelect().Model(&rows), "job", query.Scope), query.Filter)
		if query.WithResource {
			q = q.Where("EXISTS (SELECT 1 FROM resources WHERE resources.job_id = job.id)")
		}
		if query.ResourceIDs != nil {
			q = q.Where("job.id IN (SELECT job_id FROM resources WHERE resources.id IN (?))", bun.List(query.ResourceIDs))
		}
		if err := order.page(q, query.Page.First).Scan(ctx); err != nil {
			return err
		}
		list, err = v.jobPage(ctx, rows, query.Page, order.column, query.Load)
		return err
	})
	return list, err
}

// Job gives one job; NOT_FOUND when it is not there or not in the scope.
func (s *Store) Job(ctx context.Context, scope jobmanager.Scope, id jobmanager.ID, load jobmanager.JobLoad) (*jobmanager.Job, error) {
	if err := checkIDs(id); err != nil {
		return nil, err
	}
	var found *jobmanager.Job
	err := s.snapshot(ctx, func(ctx context.Context, v *view) error {
		var rows []jobRow
		q := v.tx.NewSelect().Model(&rows).Where("job.id = ?", id)
		if err := within(q, "job", scope).Scan(ctx); err != nil {
			return err
		}
		if len(rows) == 0 {
			return notFound("job", id)
		}
		jobs, err := jobsOf(rows)
		if err != nil {
			return err
		}
		found = jobs[0]
		return v.load(ctx, jobs, load)
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// Resource comes with its Job; NOT_FOUND when it is not there or not in the scope.
func (s *Store) Resource(ctx context.Context, scope jobmanager.Scope, id jobmanager.ID) (*jobmanager.Resource, error) {
	if err := checkIDs(id); err != nil {
		return nil, err
	}
	var found *jobmanager.Resource
	err := s.snapshot(ctx, func(ctx context.Context, v *view) error {
		var rows []jobRow
		q := v.tx.NewSelect().Model(&rows).Join("JOIN resources AS resource ON resource.job_id = job.id").
			Where("resource.id = ?", id)
		if err := within(q, "job", scope).Scan(ctx); err != nil {
			return err
		}
		if len(rows) == 0 {
			return notFound("resource", id)
		}
		jobs, err := jobsOf(rows)
		if err != nil {
			return err
		}
		if err := v.load(ctx, jobs, jobmanager.JobLoad{}); err != nil {
			return err
		}
		found = jobs[0].Resource
		found.Job = jobs[0]
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// Kinds says of which kind each id is, in one statement; see jobmanager.Reader.
func (s *Store) Kinds(ctx context.Context, scope jobmanager.Scope, ids []jobmanager.ID) (map[jobmanager.ID]string, error) {
	kinds := map[jobmanager.ID]string{}
	if len(ids) == 0 {
		return kinds, nil
	}
	if err := checkIDs(ids...); err != nil {
		return nil, err
	}
	of := func(model any, alias, kind string) *bun.SelectQuery {
		q := s.read.NewSelect().Model(model).Column("id").ColumnExpr("? AS kind", kind)
		return within(q.Where("?.id IN (?)", bun.Ident(alias), bun.List(ids)), alias, scope)
	}
	var found []struct {
		ID   jobmanager.ID
		Kind string
	}
	all := of((*groupRow)(nil), "job_group", "JobGroup").
		UnionAll(of((*jobRow)(nil), "job", "Job")).
		UnionAll(of((*resourceRow)(nil), "resource", "Resource")).
		UnionAll(of((*incomplianceRow)(nil), "incompliance", "Incompliance"))
	if err := s.read.NewSelect().TableExpr("(?) AS node", all).Scan(ctx, &found); err != nil {
		return nil, s.dialect.translate(err)
	}
	for _, node := range found {
		if known := kinds[node.ID]; known == "" || known == "Incompliance" { // its id is its reporter's choice
			kinds[node.ID] = node.Kind
		}
	}
	return kinds, nil
}

// jobPage makes a page of rows and loads what is wanted for those that it shows.
func (v *view) jobPage(
	ctx context.Context, rows []jobRow, page jobmanager.PageRequest, order column, want jobmanager.JobLoad,
) (*jobmanager.JobConnection, error) {
	places := make(map[jobmanager.ID]string, len(rows))
	for i := range rows {
		places[rows[i].ID] = order.cursor(rows[i].orderValue(order), rows[i].ID)
	}
	jobs, err := jobsOf(rows)
	if err != nil {
		return nil, err
	}
	list := jobmanager.NewConnection(jobs, page, func(j *jobmanager.Job) string { return places[j.ID] })
	list.Revision = v.cursor()
	return list, v.load(ctx, list.Nodes(), want)
}

// orderValue is the row's value in the column of an order.
func (row *jobRow) orderValue(order column) any {
	switch order.name {
	case "job.queued_at":
		return row.QueuedAt
	case "job.updated_at":
		return row.UpdatedAt
	case "job.component":
		return row.Component
	}
	return row.CreatedAt
}

func filterJobs(q *bun.SelectQuery, f jobmanager.JobFilter) *bun.SelectQuery {
	q = among(q, "job.id", f.IDs)
	q = among(q, "job.group_id", f.JobGroupIDs)
	q = among(q, "job.component", f.Components)
	q = among(q, "job.type", f.Types)
	q = among(q, "job.state", f.States)
	q = among(q, "job.owner_id", f.OwnerIDs)
	q = among(q, "job.orchestrator", f.Orchestrators)
	if !slicesContainEmpty(f.Clusters) {
		return among(q, "job.target_cluster", f.Clusters)
	}
	return q.Where("(job.target_cluster IS NULL OR job.target_cluster IN (?))", bun.List(plains(f.Clusters)))
}

// slicesContainEmpty says whether a filter asks for the empty value, which a job without a target has.
func slicesContainEmpty(list []string) bool {
	for _, text := range list {
		if text == "" {
			return true
		}
	}
	return false
}

// among holds a column to a list of values; an empty list leaves it open.
func among[T ~string](q *bun.SelectQuery, name string, values []T) *bun.SelectQuery {
	if len(values) == 0 {
		return q
	}
	return q.Where("? IN (?)", bun.Ident(name), bun.List(plains(values)))
}
