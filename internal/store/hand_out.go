package store

import (
	"context"
	"slices"
	"time"

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
	pick := w.handOutRows
	if which.Together {
		pick = w.togetherRows
	}
	rows, err := pick(ctx, which)
	if err != nil {
		return nil, err
	}
	list, err := w.track(ctx, rows)
	if err != nil {
		return nil, err
	}
	counted := lapses // one list that lapsed is one lapse, however many jobs it had
	for _, t := range list {
		if r := &t.job.Reservation; r.OwnerID == owner && !r.HeldAt(w.now) {
			r.OwnerID = ""
			counted = lapses + 1
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

// mostChoices bounds how often a hand-out of one group chooses anew where another caller was faster.
const mostChoices = 3

// togetherRows picks the Creates of one group on one target, and locks that group: two callers at once choose
// different ones. What the choice read may have been handed out by a caller that let go of the lock just then, so
// the jobs are picked by a second statement, with the same conditions; where it finds none, it is chosen anew.
func (w *writing) togetherRows(ctx context.Context, which jobmanager.Which) ([]jobRow, error) {
	for range mostChoices {
		first, err := w.firstTogether(ctx, which)
		if err != nil || len(first) == 0 {
			return nil, err
		}
		var rows []jobRow
		err = w.store.dialect.lockFree(w.together(w.tx.NewSelect().Model(&rows), which)).
			Where("job.group_id = ?", first[0].GroupID).Where("job.target_cluster = ?", first[0].TargetCluster).
			Where("job.target_node = ? AND job.target_orchestrator = ?", first[0].TargetNode, first[0].TargetOrchestrator).
			OrderExpr("job.reserved_until IS NOT NULL, job.reserved_until DESC, job.queued_at, job.id").
			Limit(int64(which.Limit)).Scan(ctx)
		if err != nil || len(rows) > 0 {
			return rows, err
		}
	}
	return nil, nil
}

// firstTogether chooses group and target by the first job of the list, and locks the group: what was never handed
// out comes first, then what was, the oldest hand-out last. The group is not waited for, and nothing is waited for
// while it is held, so it may be locked before its jobs.
func (w *writing) firstTogether(ctx context.Context, which jobmanager.Which) ([]jobRow, error) {
	for _, part := range []func(*bun.SelectQuery) *bun.SelectQuery{
		func(q *bun.SelectQuery) *bun.SelectQuery {
			return q.Where("job.reserved_until IS NULL").Order("job.queued_at", "job.id")
		},
		func(q *bun.SelectQuery) *bun.SelectQuery {
			return q.Where("job.reserved_until IS NOT NULL").OrderExpr("job.reserved_until DESC, job.id")
		},
	} {
		var first []jobRow
		q := w.together(w.tx.NewSelect().Model(&first), which).
			Column("job.id", "job.group_id", "job.target_cluster", "job.target_node", "job.target_orchestrator").
			Join("JOIN job_groups AS job_group ON job_group.id = job.group_id")
		if err := w.store.dialect.lockFreeOf(part(q).Limit(1), "job_group").Scan(ctx); err != nil || len(first) > 0 {
			return first, err
		}
	}
	return nil, nil
}

// together begins a pick of Creates whose group has nothing reserved on their target: not even for this agent, for
// who shares its owner id cannot be told from it.
func (w *writing) together(q *bun.SelectQuery, which jobmanager.Which) *bun.SelectQuery {
	reserved := w.tx.NewSelect().TableExpr("jobs AS reserved").
		Column("reserved.group_id", "reserved.target_cluster", "reserved.target_node", "reserved.target_orchestrator").
		Where("reserved.reserved_by <> ''").Where("reserved.reserved_until > ?", micros(w.now)).
		Where("reserved.target_cluster IS NOT NULL") // which would make the condition below neither true nor false
	return within(executable(q, *which.ExecutableFor, w.now), "job", which.Scope).
		Where("job.type = 'CREATE_DEPLOYMENT'").
		Where("(job.group_id, job.target_cluster, job.target_node, job.target_orchestrator) NOT IN (?)", reserved)
}

// Working notes that an agent works through what was handed out to it; see jobmanager.Writer. A reservation is only
// ever made longer; one whose job is in other hands right now stays as it is, for it is claimed or listed anew. It
// writes no event and leaves the jobs' versions, like a renewal.
func (s *Store) Working(ctx context.Context, owner jobmanager.OwnerID, until time.Time) error {
	owner, until = plain(owner), micros(until)
	_, err := s.write.NewUpdate().Model((*agentRow)(nil)).Set("lapses = 0").
		Where("agent.owner_id = ? AND agent.lapses <> 0", owner).Exec(ctx)
	if err != nil {
		return s.dialect.translate(err)
	}
	held := s.write.NewSelect().Model((*jobRow)(nil)).Column("id").Where("job.reserved_by = ? AND job.reserved_by <> ''", owner).
		Where("job.reserved_until > ? AND job.reserved_until < ?", s.clock.Now(), until).Order("job.id")
	_, err = s.write.NewUpdate().With("_data", s.dialect.lockFree(held)).Model((*jobRow)(nil)).TableExpr("_data").
		Set("reserved_until = ?", until).Where("job.id = _data.id").Exec(ctx)
	return s.dialect.translate(err)
}
