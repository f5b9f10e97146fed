package store

import (
	"context"
	"slices"

	"github.com/uptrace/bun"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// Whose is this workload? What an agent's sync shows is looked up here, a thousand foreign ones every few seconds:
// one that is nobody's costs one statement for each look.

// ByUID gives the jobs whose present resource has this uid; see jobmanager.Reader. None for an empty uid.
func (s *Store) ByUID(ctx context.Context, scope jobmanager.Scope, uid string) ([]*jobmanager.Job, error) {
	if uid == "" {
		return nil, nil
	}
	jobs, err := s.meant(ctx, scope, func(q *bun.SelectQuery) *bun.SelectQuery {
		return q.Join("JOIN resources AS resource ON resource.job_id = job.id").Where("resource.uid = ?", plain(uid))
	})
	return slices.DeleteFunc(jobs, func(j *jobmanager.Job) bool { // it changed between the two statements
		return j.Resource == nil || j.Resource.UID != jobmanager.Text(plain(uid))
	}), err
}

// Adoptable gives the unfinished jobs of a component that this client claimed last; see jobmanager.Reader. None for
// an empty client: that is every agent which claims by itself.
func (s *Store) Adoptable(ctx context.Context, scope jobmanager.Scope, client, component string) ([]*jobmanager.Job, error) {
	if client == "" {
		return nil, nil
	}
	return s.meant(ctx, scope, func(q *bun.SelectQuery) *bun.SelectQuery {
		q = q.Where("job.claim_client = ? AND job.claim_client <> ''", plain(client)).Where("job.state <> 'FINISHED'").
			Where("job.workload = 'MAYBE' AND job.type IN ('CREATE_DEPLOYMENT', 'DELETE_DEPLOYMENT')")
		if len(component) == jobmanager.LongestGenerated {
			return q.Where("substr(job.component || '-', 1, ?) = ?", jobmanager.LongestGenerated, plain(component))
		}
		return q.Where("job.component = ?", plain(component))
	})
}

// meant reads the picked jobs, ordered by id, and their resources. The two statements are no consistent view: who
// changes a job by what it reads here decides again inside the change.
func (s *Store) meant(ctx context.Context, scope jobmanager.Scope, pick func(*bun.SelectQuery) *bun.SelectQuery) ([]*jobmanager.Job, error) {
	var rows []jobRow
	q := within(pick(s.read.NewSelect().Model(&rows)), "job", scope)
	if err := q.Order("job.id").Limit(jobmanager.MostMeant).Scan(ctx); err != nil {
		return nil, s.dialect.translate(err)
	}
	jobs, err := jobsOf(rows)
	if err != nil {
		return nil, err
	}
	if err := loadResources(ctx, s.read, jobs); err != nil {
		return nil, s.dialect.translate(err)
	}
	return jobs, nil
}

// WasResource says whether the job once had a resource with this uid, and has another or none by now; see
// jobmanager.Reader. INVALID for an id that is none.
func (s *Store) WasResource(ctx context.Context, job jobmanager.ID, uid string) (bool, error) {
	if err := checkIDs(job); err != nil || uid == "" {
		return false, err
	}
	of := func(model any) *bun.SelectQuery {
		return s.read.NewSelect().Model(model).ColumnExpr("1").Where("job_id = ?", job).Where("uid = ?", plain(uid))
	}
	var was bool
	err := s.read.NewSelect().ColumnExpr("EXISTS (?) AND NOT EXISTS (?)", of((*pastResourceRow)(nil)), of((*resourceRow)(nil))).Scan(ctx, &was)
	return was, s.dialect.translate(err)
}
