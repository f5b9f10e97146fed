package store

import (
	"context"
	"slices"

	"github.com/uptrace/bun"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// handOut picks for an agent that executes without asking; see jobmanager.Which. The agent's row is locked first,
// so that two of its calls at once do not each reserve as much as one may.
//
// A hand-out that lapsed and was counted keeps its time in the row, which orders the list, and loses its name:
// so it is not counted again where the rule does not renew it.
func (w *writing) handOut(ctx context.Context, which jobmanager.Which) ([]*tracked, error) {
	agent := which.ExecutableFor
	owner := plain(agent.OwnerID)
	lapses, err := w.lockedLapses(ctx, owner)
	if err != nil {
		return nil, err
	}
	rows, err := w.handOutRows(ctx, which)
	if err != nil {
		return nil, err
	}
	list, err := w.track(ctx, rows)
	if err != nil {
		return nil, err
	}
	counted := lapses
	for _, t := range list {
		if r := &t.job.Reservation; r.OwnerID == owner && !r.HeldAt(w.now) {
			r.OwnerID = ""
			counted++
		}
	}
	agent.Lapses = counted
	if counted == lapses {
		return list, nil
	}
	_, err = w.tx.NewUpdate().Model((*agentRow)(nil)).Set("lapses = ?", counted).Where("agent.owner_id = ?", owner).Exec(ctx)
	return list, err
}

// handOutRows picks what is the agent's already, then what was never handed out, then what was, the oldest
// hand-out last: each from an index of its own, as many as are still wanted.
func (w *writing) handOutRows(ctx context.Context, which jobmanager.Which) ([]jobRow, error) {
	owner := plain(which.ExecutableFor.OwnerID)
	var picked []jobRow
	for _, part := range []func(*bun.SelectQuery) *bun.SelectQuery{
		func(q *bun.SelectQuery) *bun.SelectQuery {
			return q.Where("job.reserved_by = ? AND job.reserved_by <> ''", owner).Order("job.queued_at", "job.id")
		},
		func(q *bun.SelectQuery) *bun.SelectQuery {
			return q.Where("job.reserved_until IS NULL AND job.reserved_by <> ?", owner).Order("job.queued_at", "job.id")
		},
		func(q *bun.SelectQuery) *bun.SelectQuery {
			return q.Where("job.reserved_until IS NOT NULL AND job.reserved_by <> ?", owner).OrderExpr("job.reserved_until DESC, job.id")
		},
	} {
		wanted := which.Limit - len(picked)
		if wanted == 0 {
			break
		}
		var rows []jobRow
		if err := part(w.executable(w.tx.NewSelect().Model(&rows), which)).Limit(int64(wanted)).Scan(ctx); err != nil {
			return nil, err
		}
		picked = slices.Concat(picked, rows)
	}
	return picked, nil
}
