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
	if which.After != "" {
		if err := checkIDs(which.After); err != nil {
			return nil, err
		}
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
		return w.storeAndSettle(ctx, list)
	})
	if err != nil {
		return nil, err
	}
	return jobs, nil
}

// storeAndSettle writes what rules changed, tells of it in the order of the jobs, and brings the phases of their
// groups up to date.
func (w *writing) storeAndSettle(ctx context.Context, list []*tracked) error {
	groups, err := w.storeJobs(ctx, list)
	if err != nil {
		return err
	}
	for _, t := range list {
		w.tell(t.events...)
	}
	return w.settle(ctx, groups)
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
