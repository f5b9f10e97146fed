package store

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// Incompliances gives a page of incompliances with their remediations; see jobmanager.Reader. The jobs that are
// wanted with them cost a fixed number of statements. INVALID for a cursor of another list.
func (s *Store) Incompliances(ctx context.Context, query jobmanager.IncomplianceQuery) (*jobmanager.IncomplianceConnection, error) {
	for _, ids := range [][]jobmanager.ID{query.Filter.IDs, query.Filter.JobGroupIDs, query.Filter.JobIDs} {
		if err := checkIDs(ids...); err != nil {
			return nil, err
		}
	}
	order, err := newKeyset(incomplianceOrder(), query.Page.After)
	if err != nil {
		return nil, err
	}
	var list *jobmanager.IncomplianceConnection
	err = s.snapshot(ctx, func(ctx context.Context, v *view) error {
		var rows []incomplianceRow
		q := filterIncompliances(within(v.tx.NewSelect().Model(&rows), "incompliance", query.Scope), query.Filter)
		if err := order.page(q, query.Page.First).Scan(ctx); err != nil {
			return err
		}
		incompliances := make([]*jobmanager.Incompliance, len(rows))
		for i := range rows {
			incompliance, err := rows[i].incompliance()
			if err != nil {
				return err
			}
			incompliances[i] = incompliance
		}
		list = jobmanager.NewConnection(incompliances, query.Page, func(i *jobmanager.Incompliance) string {
			return order.cursor(i.CreatedAt, i.ID)
		})
		list.Revision = v.cursor()
		return v.loadRemediations(ctx, list.Nodes(), query)
	})
	return list, err
}

// incomplianceOrder is newest first.
func incomplianceOrder() column {
	return column{name: "incompliance.created_at", id: "incompliance.id", moves: true, desc: true}
}

// filterIncompliances holds a query to a filter. Job and outcome must be those of one remediation.
func filterIncompliances(q *bun.SelectQuery, f jobmanager.IncomplianceFilter) *bun.SelectQuery {
	q = among(q, "incompliance.id", f.IDs)
	q = among(q, "incompliance.job_group_id", f.JobGroupIDs)
	if len(f.JobIDs) == 0 && len(f.Outcomes) == 0 {
		return q
	}
	answers := q.NewSelect().Model((*remediationRow)(nil)).ColumnExpr("1").Where("remediation.incompliance_id = incompliance.id")
	return q.Where("EXISTS (?)", among(among(answers, "remediation.job_id", f.JobIDs), "remediation.outcome", f.Outcomes))
}

// loadRemediations gives incompliances their answers, in the order of the jobs' ids, and those their jobs where
// they are wanted.
func (v *view) loadRemediations(ctx context.Context, incompliances []*jobmanager.Incompliance, query jobmanager.IncomplianceQuery) error {
	if len(incompliances) == 0 {
		return nil
	}
	byID := make(map[jobmanager.ID]*jobmanager.Incompliance, len(incompliances))
	ids := make([]jobmanager.ID, len(incompliances))
	for i, incompliance := range incompliances {
		byID[incompliance.ID], ids[i] = incompliance, incompliance.ID
	}
	var rows []remediationRow
	err := v.tx.NewSelect().Model(&rows).Where("remediation.incompliance_id IN (?)", bun.List(ids)).
		Order("remediation.incompliance_id", "remediation.job_id").Scan(ctx)
	if err != nil {
		return err
	}
	jobs, err := v.remediatedJobs(ctx, rows, query)
	if err != nil {
		return err
	}
	for i := range rows {
		answer := rows[i].remediation()
		answer.Job = jobs[answer.JobID]
		incompliance := byID[answer.IncomplianceID]
		incompliance.Remediations = append(incompliance.Remediations, answer)
	}
	return nil
}

// remediatedJobs gives the jobs that answers are about, with what is wanted of them; nothing when none are.
func (v *view) remediatedJobs(
	ctx context.Context, answers []remediationRow, query jobmanager.IncomplianceQuery,
) (map[jobmanager.ID]*jobmanager.Job, error) {
	if query.Jobs == nil || len(answers) == 0 {
		return nil, nil
	}
	ids := make([]jobmanager.ID, len(answers))
	for i := range answers {
		ids[i] = answers[i].JobID
	}
	var rows []jobRow
	q := v.tx.NewSelect().Model(&rows).Where("job.id IN (?)", bun.List(ids))
	if err := within(q, "job", query.Scope).Scan(ctx); err != nil {
		return nil, err
	}
	jobs, err := jobsOf(rows)
	if err != nil {
		return nil, err
	}
	byID, _ := index(jobs)
	return byID, v.load(ctx, jobs, *query.Jobs)
}
