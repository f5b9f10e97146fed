package store

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// pick reads and locks the jobs of an update.
func (w *writing) pick(ctx context.Context, which jobmanager.Which) ([]*tracked, error) {
	if which.Limit <= 0 || which.Limit > jobmanager.LongestPage {
		which.Limit = jobmanager.LongestPage
	}
	switch {
	case which.ExecutableFor != nil && which.HandOut:
		return w.handOut(ctx, which)
	case which.ExecutableFor != nil:
		if won, err := w.wonEarlier(ctx, which); err != nil || len(won) > 0 {
			return won, err
		}
		return w.lockedJobs(ctx, func(q *bun.SelectQuery) *bun.SelectQuery {
			return w.executable(q, which).Order("job.queued_at", "job.id").Limit(int64(which.Limit))
		})
	case which.UnconfirmedBy != "":
		return w.lockedJobs(ctx, func(q *bun.SelectQuery) *bun.SelectQuery {
			q = within(unconfirmedBy(q, plain(which.UnconfirmedBy)), "job", which.Scope)
			return w.store.dialect.lockFree(q.Order("job.id").Limit(int64(which.Limit)))
		})
	case which.LeaseOver:
		return w.lockedJobs(ctx, func(q *bun.SelectQuery) *bun.SelectQuery {
			q = within(leaseOver(q, w.now), "job", which.Scope)
			return w.store.dialect.lockFree(q.Order("job.lease_until", "job.id").Limit(int64(which.Limit)))
		})
	case which.HeldBy != "":
		return w.heldBy(ctx, which)
	case len(which.IDs) == 0:
		return nil, nil
	}
	list, err := w.lockedJobs(ctx, func(q *bun.SelectQuery) *bun.SelectQuery {
		q = within(q.Where("job.id IN (?)", bun.List(which.IDs)), "job", which.Scope)
		return w.store.dialect.lock(q.Order("job.id"))
	})
	if err != nil {
		return nil, err
	}
	return list, allThere(which.IDs, list)
}

// executable begins a pick of what the agent may claim. Jobs in other hands are passed over, not waited for.
func (w *writing) executable(q *bun.SelectQuery, which jobmanager.Which) *bun.SelectQuery {
	return w.store.dialect.lockFree(within(executable(q, *which.ExecutableFor, w.now), "job", which.Scope))
}

// wonEarlier picks what the agent holds already under the claim id. The agent's row is locked first, so that a
// retry beside its first try waits for it.
func (w *writing) wonEarlier(ctx context.Context, which jobmanager.Which) ([]*tracked, error) {
	if which.ClaimID == "" {
		return nil, nil
	}
	owner := plain(which.ExecutableFor.OwnerID)
	if _, err := w.lockedLapses(ctx, owner); err != nil {
		return nil, err
	}
	return w.lockedJobs(ctx, func(q *bun.SelectQuery) *bun.SelectQuery {
		q = within(q.Where("job.owner_id = ? AND job.claim_id = ?", owner, plain(which.ClaimID)), "job", which.Scope)
		return w.store.dialect.lock(q.Where("job.state = 'PROGRESSING' AND job.claim_outcome = ''").Order("job.id"))
	})
}

// lockedLapses locks the agent's row and gives the hand-outs that it let lapse; 0 for an agent that is not known.
func (w *writing) lockedLapses(ctx context.Context, owner jobmanager.OwnerID) (int, error) {
	var lapses []int
	q := w.tx.NewSelect().Model((*agentRow)(nil)).Column("lapses").Where("agent.owner_id = ?", owner)
	if err := w.store.dialect.lock(q).Scan(ctx, &lapses); err != nil || len(lapses) == 0 {
		return 0, err
	}
	return lapses[0], nil
}

// heldBy picks what the agent owns or has reserved: the first ids by one index and by the other, then their jobs.
// One that changed hands in between makes it a lost race: fewer jobs than the limit would look like the last ones.
func (w *writing) heldBy(ctx context.Context, which jobmanager.Which) ([]*tracked, error) {
	const owned, reserved = "job.owner_id = ?", "job.reserved_by = ? AND job.reserved_by <> ''"
	owner := plain(which.HeldBy)
	firstOf := func(condition string) *bun.SelectQuery {
		q := within(w.tx.NewSelect().Model((*jobRow)(nil)).Column("id").Where(condition, owner), "job", which.Scope)
		if which.After != "" {
			q = q.Where("job.id > ?", which.After)
		}
		return w.tx.NewSelect().TableExpr("(?) AS held", q.Order("job.id").Limit(int64(which.Limit))).Column("id")
	}
	var ids []jobmanager.ID
	err := w.tx.NewSelect().TableExpr("(?) AS held", firstOf(owned).Union(firstOf(reserved))).Column("id").
		Order("id").Limit(int64(which.Limit)).Scan(ctx, &ids)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	list, err := w.lockedJobs(ctx, func(q *bun.SelectQuery) *bun.SelectQuery {
		q = q.Where("job.id IN (?)", bun.List(ids)).Where(owned+" OR "+reserved, owner, owner)
		return w.store.dialect.lock(q.Order("job.id"))
	})
	if err == nil && len(list) != len(ids) {
		err = errLostRace
	}
	return list, err
}
