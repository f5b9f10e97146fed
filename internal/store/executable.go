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
	q = q.Where("job.hold = ''").
		Where("job.state <> 'FINISHED'").
		Where("job.target_cluster IS NOT NULL AND job.manifest_count > 0").
		Where("job.orchestrator = ?", plain(a.Orchestrator))
	if len(a.Clusters) > 0 {
		q = q.Where("job.target_cluster IN (?)", bun.List(plains(a.Clusters)))
	}
	owner := plain(a.OwnerID)
	return q.
		Where("(job.state <> 'PROGRESSING' OR job.lease_until IS NULL)").
		Where("(job.not_before IS NULL OR job.not_before <= ?)", micros(now)).
		Where("(job.reserved_by IN ('', ?) OR job.reserved_until IS NULL OR job.reserved_until <= ?)", owner, micros(now)).
		Where(`(job.owner_id = ? OR job.type = 'CREATE_DEPLOYMENT' AND (job.state = 'CREATED' OR job.workload <> 'PRESENT'))`, owner)
}

// leaseOver picks jobs in progress whose lease ran out, which is jobmanager.Job.Expire's condition.
func leaseOver(q *bun.SelectQuery, now time.Time) *bun.SelectQuery {
	return q.Where("job.state = 'PROGRESSING'").Where("job.lease_until <= ?", now.UnixMicro())
}

// unmatched picks jobs that wait for a target and are due to be matched again. The first line is that of the
// index jobs_unmatched.
func unmatched(q *bun.SelectQuery, now time.Time) *bun.SelectQuery {
	return q.Where("job.hold IN ('AwaitingForTarget', 'NoFittingTarget')").
		Where("(job.not_before IS NULL OR job.not_before <= ?)", micros(now))
}

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

// NextChance is when something becomes due by time alone; see jobmanager.Reader. Jobs that wait for a target
// count with the time of their next match.
func (s *Store) NextChance(ctx context.Context, since time.Time) (time.Time, error) {
	since = micros(since)
	var next struct {
		NotBefore  bun.NullTime
		Reserved   bun.NullTime
		LeaseUntil *int64
	}
	base := func() *bun.SelectQuery { return s.read.NewSelect().Model((*jobRow)(nil)) }
	err := s.read.NewSelect().
		ColumnExpr("(?) AS not_before", base().ColumnExpr("min(job.not_before)").
			Where("job.not_before > ?", since).Where("job.state <> 'FINISHED'").
			Where("job.hold IN ('', 'AwaitingForTarget', 'NoFittingTarget')")).
		ColumnExpr("(?) AS reserved", base().ColumnExpr("min(job.reserved_until)").
			Where("job.reserved_until > ?", since).Where("job.reserved_by <> ''").Where("job.state <> 'FINISHED'")).
		ColumnExpr("(?) AS lease_until", base().ColumnExpr("min(job.lease_until)").
			Where("job.state = 'PROGRESSING'").Where("job.lease_until IS NOT NULL")).
		Scan(ctx, &next)
	if err != nil {
		return time.Time{}, s.dialect.translate(err)
	}
	earliest := time.Time{}
	consider := func(at time.Time) {
		if !at.IsZero() && (earliest.IsZero() || at.Before(earliest)) {
			earliest = at.UTC()
		}
	}
	consider(next.NotBefore.Time)
	consider(next.Reserved.Time)
	if next.LeaseUntil != nil {
		consider(time.UnixMicro(*next.LeaseUntil))
	}
	return earliest, nil
}
