package store

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// UpdateJobs runs the rule on each job and stores what it changed; see jobmanager.Writer. The scope bounds
// every pick, also those of agents and of the server itself, who see all tenants.
//
// Errors: the rule's own, as they are; NOT_FOUND names the id that is not there; CONFLICT when others kept
// changing the same jobs; UNAVAILABLE.
func (s *Store) UpdateJobs(ctx context.Context, which jobmanager.Which, rule jobmanager.JobRule) ([]*jobmanager.Job, error) {
	if err := checkIDs(which.IDs...); err != nil {
		return nil, err
	}
	var jobs []*jobmanager.Job
	err := s.inWrite(ctx, which.Actor, func(ctx context.Context, w *writing) error {
		list, err := w.pick(ctx, which)
		if err != nil {
			return err
		}
		jobs = make([]*jobmanager.Job, len(list))
		for i, t := range list {
			jobs[i] = t.job
			if t.events, err = rule(t.job, w.now); err != nil {
				return ruleError{err}
			}
		}
		groups, err := w.storeJobs(ctx, list)
		if err != nil {
			return err
		}
		return w.settle(ctx, groups)
	})
	if err != nil {
		return nil, err
	}
	return jobs, nil
}

// pick reads and locks the jobs of an update.
func (w *writing) pick(ctx context.Context, which jobmanager.Which) ([]*tracked, error) {
	limit := which.Limit
	if limit <= 0 || limit > jobmanager.LongestPage {
		limit = jobmanager.LongestPage
	}
	dialect := w.store.dialect
	switch {
	case which.ExecutableFor != nil:
		if won, err := w.wonEarlier(ctx, which); err != nil || len(won) > 0 {
			return won, err
		}
		return w.lockedJobs(ctx, func(q *bun.SelectQuery) *bun.SelectQuery {
			q = within(executable(q, *which.ExecutableFor, w.now), "job", which.Scope)
			return dialect.lockFree(q.Order("job.queued_at", "job.id").Limit(int64(limit)))
		})
	case which.LeaseOver:
		return w.lockedJobs(ctx, func(q *bun.SelectQuery) *bun.SelectQuery {
			q = within(leaseOver(q, w.now), "job", which.Scope)
			return dialect.lockFree(q.Order("job.id").Limit(int64(limit)))
		})
	case len(which.IDs) == 0:
		return nil, nil
	}
	list, err := w.lockedJobs(ctx, func(q *bun.SelectQuery) *bun.SelectQuery {
		q = within(q.Where("job.id IN (?)", bun.List(which.IDs)), "job", which.Scope)
		return dialect.lock(q.Order("job.id"))
	})
	if err != nil {
		return nil, err
	}
	return list, allThere(which.IDs, list)
}

// wonEarlier picks what the agent holds already under the claim id. The agent's row is locked first, so that a
// retry beside its first try waits for it.
func (w *writing) wonEarlier(ctx context.Context, which jobmanager.Which) ([]*tracked, error) {
	if which.ClaimID == "" {
		return nil, nil
	}
	owner := plain(which.ExecutableFor.OwnerID)
	var agents []agentRow
	if err := w.store.dialect.lock(w.tx.NewSelect().Model(&agents).Where("agent.owner_id = ?", owner)).Scan(ctx); err != nil {
		return nil, err
	}
	return w.lockedJobs(ctx, func(q *bun.SelectQuery) *bun.SelectQuery {
		q = within(q.Where("job.owner_id = ? AND job.claim_id = ?", owner, plain(which.ClaimID)), "job", which.Scope)
		return w.store.dialect.lock(q.Where("job.state = 'PROGRESSING' AND job.claim_outcome = ''").Order("job.id"))
	})
}

// allThere answers NOT_FOUND with the first id that was not found.
func allThere(ids []jobmanager.ID, list []*tracked) error {
	there := make(map[jobmanager.ID]bool, len(list))
	for _, t := range list {
		there[t.job.ID] = true
	}
	for _, id := range ids {
		if !there[id] {
			return notFound("job", id)
		}
	}
	return nil
}

// within bounds a query to what the scope may see.
func within(q *bun.SelectQuery, alias string, scope jobmanager.Scope) *bun.SelectQuery {
	if scope.All {
		return q
	}
	return q.Where("?.tenant = ?", bun.Ident(alias), scope.Tenant)
}

func notFound(what string, id jobmanager.ID) error {
	return jobmanager.Errorf(jobmanager.CodeNotFound, "there is no %s %s", what, id)
}

// checkIDs answers INVALID for an id that is none: on one database it would be an error, on the other nothing.
func checkIDs(ids ...jobmanager.ID) error {
	for _, id := range ids {
		if _, err := jobmanager.ParseID(string(id)); err != nil {
			return err
		}
	}
	return nil
}
