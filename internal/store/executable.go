package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// executable is jobmanager.Job.Executable as a WHERE clause, line by line in the rule's order; a test holds the
// two equal. The first two lines are also those of the index jobs_queue. now is a parameter: the database's own
// clock plays no part.
func executable(q *bun.SelectQuery, a jobmanager.Agent, now time.Time) *bun.SelectQuery {
	owner := plain(a.OwnerID)
	q = q.Where("job.hold = ''").
		Where("job.state <> 'FINISHED'").
		Where("job.target_cluster IS NOT NULL").
		Where(`(job.manifest_count > 0 OR job.type = 'DELETE_DEPLOYMENT' OR
			job.type = 'UPDATE_DEPLOYMENT' AND job.sub_type = 'reallocation')`). // what removes takes no manifests
		Where("job.orchestrator = ?", plain(a.Orchestrator))
	const its = "job.owner_id = ? OR job.reserved_by = ? AND job.reserved_until > ?"
	if len(a.Clusters) > 0 {
		q = q.Where("("+its+" OR job.target_cluster IN (?))", owner, owner, micros(now), bun.List(plains(a.Clusters)))
	} else if len(a.Others) > 0 {
		q = q.Where("("+its+" OR job.target_cluster NOT IN (?))", owner, owner, micros(now), bun.List(plains(a.Others)))
	}
	now = micros(now)
	if a.Protocol == jobmanager.ProtocolV0 {
		q = q.Where("job.type = 'CREATE_DEPLOYMENT'")
	}
	return q.
		Where("(job.state <> 'PROGRESSING' OR job.lease_until IS NULL)").
		Where("(job.not_before IS NULL OR job.not_before <= ?)", now).
		Where("(job.reserved_by IN ('', ?) OR job.reserved_until IS NULL OR job.reserved_until <= ?)", owner, now).
		Where("(job.turn_until IS NULL OR job.turn_until <= ? OR (job.turn_of = 'OWNER') = (job.claim_owner_id = ?))", now, owner).
		Where(`(job.owner_id = ? OR job.type = 'CREATE_DEPLOYMENT' AND (job.state = 'CREATED' OR job.workload <> 'PRESENT'))`, owner)
}

// leaseOver picks jobs in progress whose lease ran out, which is jobmanager.Job.Expire's condition.
func leaseOver(q *bun.SelectQuery, now time.Time) *bun.SelectQuery {
	return q.Where("job.state = 'PROGRESSING'").Where("job.lease_until <= ?", now.UnixMicro())
}

// unconfirmedBy picks the removals of an agent that it did not report.
func unconfirmedBy(q *bun.SelectQuery, owner jobmanager.OwnerID) *bun.SelectQuery {
	return q.Where("job.hold = 'RemovalUnconfirmed'").Where("job.owner_id = ?", owner)
}

// Jobs that are due to be matched again: those that wait for a target, and those that want another one. Each is
// what one index is about; the argument is the time.
const (
	waitsForTarget = "job.hold IN ('AwaitingForTarget', 'NoFittingTarget') AND (job.not_before IS NULL OR job.not_before <= ?)"
	wantsToMove    = "job.move_due <= ?"
)

// Executable lists what the agent may claim now, the oldest first, with manifests and groups; see
// jobmanager.Reader.
func (s *Store) Executable(ctx context.Context, agent jobmanager.Agent, page jobmanager.PageRequest) (*jobmanager.JobConnection, error) {
	order, err := newKeyset(queueOrder(), page.After)
	if err != nil {
		return nil, err
	}
	var list *jobmanager.JobConnection
	err = s.snapshot(ctx, func(ctx context.Context, v *view) error {
		var rows []jobRow
		q := executable(v.tx.NewSelect().Model(&rows), agent, s.clock.Now())
		if err := order.page(q, page.First).Scan(ctx); err != nil {
			return err
		}
		list, err = v.jobPage(ctx, rows, page, order.column, jobmanager.JobLoad{Manifests: true, Group: &jobmanager.GroupLoad{}})
		return err
	})
	return list, err
}

// NextChance is when something becomes due by time alone; see jobmanager.Reader. Jobs that wait for a target, or
// want another one, count with the time of their next match. Each part reads the first entries of one index.
func (s *Store) NextChance(ctx context.Context, since time.Time) (time.Time, error) {
	since = micros(since)
	var next struct {
		NotBefore  bun.NullTime
		Reserved   bun.NullTime
		Turn       bun.NullTime
		Move       bun.NullTime
		Notice     bun.NullTime
		LeaseUntil *int64
	}
	least := func(column string) *bun.SelectQuery {
		return s.read.NewSelect().Model((*jobRow)(nil)).ColumnExpr("min(?)", bun.Ident(column))
	}
	later := func(column string) *bun.SelectQuery {
		return least(column).Where("? > ?", bun.Ident(column), since)
	}
	err := s.read.NewSelect().
		ColumnExpr("(?) AS not_before", later("job.not_before").Where("job.state <> 'FINISHED'").
			Where("job.hold IN ('', 'AwaitingForTarget', 'NoFittingTarget')")).
		ColumnExpr("(?) AS reserved", later("job.reserved_until").Where("job.reserved_by <> ''").Where("job.hold = ''").Where("job.state <> 'FINISHED'")).
		ColumnExpr("(?) AS turn", later("job.turn_until").Where("job.hold = ''").Where("job.state <> 'FINISHED'")).
		ColumnExpr("(?) AS move", later("job.move_due")).
		ColumnExpr("(SELECT min(not_before) FROM notices WHERE NOT given_up AND not_before > ?) AS notice", since).
		ColumnExpr("(?) AS lease_until", least("job.lease_until").
			Where("job.state = 'PROGRESSING'").Where("job.lease_until IS NOT NULL")).
		Scan(ctx, &next)
	if err != nil {
		return time.Time{}, s.dialect.translate(err)
	}
	times := []time.Time{next.NotBefore.Time, next.Reserved.Time, next.Turn.Time, next.Move.Time, next.Notice.Time}
	if next.LeaseUntil != nil {
		times = append(times, time.UnixMicro(*next.LeaseUntil))
	}
	return earliest(times), nil
}

// earliest is the first of the times that are set; zero when none is.
func earliest(times []time.Time) time.Time {
	var first time.Time
	for _, at := range times {
		if !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at.UTC()
		}
	}
	return first
}
