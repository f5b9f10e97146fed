package store

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// The columns of the one row of vitals; 0 means never.
const (
	aliveAt     = "alive_at"
	pausedUntil = "paused_until"
)

// MarkAlive notes that the database is in use; see jobmanager.Writer. A mark that lies ahead, because the clock
// went back, is moved back and pardons nobody.
func (s *Store) MarkAlive(ctx context.Context, away time.Duration) (pardoned int, err error) {
	err = s.inWrite(ctx, jobmanager.System().Name, func(ctx context.Context, w *writing) error {
		pardoned = 0
		now := w.now.UnixMicro()
		seen, err := w.vital(ctx, aliveAt)
		if err != nil {
			return err
		}
		moved, err := w.moveVital(ctx, aliveAt, seen, now)
		gone := time.Duration(now-seen) * time.Microsecond
		if err != nil || !moved || seen == 0 || gone <= away {
			return err
		}
		if err := w.noteAbsence(ctx, seen, now); err != nil {
			return err
		}
		pardoned, err = w.moveLeases(ctx, func(q *bun.SelectQuery) *bun.SelectQuery {
			return q.Where("job.lease_until > ?", seen)
		}, "? + job.lease_seconds * 1000000", now)
		if err == nil && pardoned > 0 {
			w.tellOfLeases(jobmanager.LeasesExtended,
				fmt.Sprintf("the server was away for %s: %d leases that were live then got their full length anew", gone.Round(time.Second), pardoned))
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	return pardoned, nil
}

// noteAbsence keeps from when to when the server was away. One that goes away again soon after it came back was away
// for both times together: who was not heard of in between had no time to.
func (w *writing) noteAbsence(ctx context.Context, left, back int64) error {
	soon := time.Hour.Microseconds()
	_, err := w.tx.NewRaw("UPDATE vitals SET left_at = CASE WHEN back_at > ? THEN ? - (back_at - left_at) ELSE ? END, back_at = ? WHERE id = 1",
		left-soon, left, left, back).Exec(ctx)
	return err
}

// PauseTakeover lets every lease that ends within length from now end then instead; see jobmanager.Writer. Also
// those that are over already, as long as nobody wrote that down.
func (s *Store) PauseTakeover(ctx context.Context, length time.Duration, message string) (paused bool, err error) {
	err = s.inWrite(ctx, jobmanager.System().Name, func(ctx context.Context, w *writing) error {
		paused = false
		seen, err := w.vital(ctx, pausedUntil)
		if err != nil || seen != 0 && w.now.UnixMicro() < seen+length.Microseconds() {
			return err
		}
		if err := w.lockProgressing(ctx); err != nil {
			return err
		}
		until := w.now.Add(length).UnixMicro()
		if paused, err = w.moveVital(ctx, pausedUntil, seen, until); err != nil || !paused {
			return err
		}
		n, err := w.moveLeases(ctx, func(q *bun.SelectQuery) *bun.SelectQuery {
			return q.Where("job.lease_until < ?", until)
		}, "?", until)
		w.tellOfLeases(jobmanager.TakeoverPaused, fmt.Sprintf("%s; %d leases end then", message, n))
		if err != nil {
			return err
		}
		return w.keepForOwners(ctx, w.now.Add(length))
	})
	return paused && err == nil, err
}

// lessAbsence moves a time since which agents are looked for back by the server's last absence, where that lies
// behind it: nobody could be heard of meanwhile.
func (s *Store) lessAbsence(ctx context.Context, since time.Time) (time.Time, error) {
	var absence struct{ LeftAt, BackAt int64 }
	err := s.read.NewRaw("SELECT left_at, back_at FROM vitals WHERE id = 1").Scan(ctx, &absence)
	if absence.BackAt > since.UnixMicro() {
		since = since.Add(-time.Duration(absence.BackAt-absence.LeftAt) * time.Microsecond)
	}
	return micros(since), err
}

// lockProgressing locks all jobs in progress in the order of their ids, before two statements each change some.
func (w *writing) lockProgressing(ctx context.Context) error {
	var ids []jobmanager.ID
	q := w.tx.NewSelect().Model((*jobRow)(nil)).Column("id").Where("job.state = 'PROGRESSING'").Order("job.id")
	return w.store.dialect.lock(q).Scan(ctx, &ids)
}

// keepForOwners lets only the agents of their last attempts claim the jobs whose expiry is written already, until
// then. The jobs stay locked from their picking on, as with every other change.
func (w *writing) keepForOwners(ctx context.Context, until time.Time) error {
	expired := w.tx.NewSelect().Model((*jobRow)(nil)).Column("id").Where("job.state = 'PROGRESSING'").
		Where("job.lease_until IS NULL AND job.type = 'CREATE_DEPLOYMENT'").Order("job.id")
	_, err := w.tx.NewUpdate().With("_data", w.store.dialect.lock(expired)).Model((*jobRow)(nil)).TableExpr("_data").
		Set("turn_of = ?", jobmanager.TurnOfOwner).Set("turn_until = ?", micros(until)).
		Where("job.id = _data.id").Exec(ctx)
	return err
}

// tellOfLeases tells of something that is about no group.
func (w *writing) tellOfLeases(kind jobmanager.EventType, message string) {
	w.tell(jobmanager.Event{Type: kind, Tenant: jobmanager.DefaultTenant, At: w.now, Message: message})
}

func (w *writing) vital(ctx context.Context, column string) (microseconds int64, err error) {
	err = w.tx.NewRaw("SELECT ? FROM vitals WHERE id = 1", bun.Ident(column)).Scan(ctx, &microseconds)
	return microseconds, err
}

// moveVital moves a time, unless another replica did since it was seen.
func (w *writing) moveVital(ctx context.Context, column string, seen, next int64) (moved bool, err error) {
	name := bun.Ident(column)
	result, err := w.tx.NewRaw("UPDATE vitals SET ? = ? WHERE id = 1 AND ? = ?", name, next, name, seen).Exec(ctx)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n == 1, err
}

// moveLeases gives the picked leases another end and counts them: one statement, which locks the jobs in the order
// of their ids, as everyone does. Like a renewal it leaves the jobs' versions.
func (w *writing) moveLeases(
	ctx context.Context, pick func(*bun.SelectQuery) *bun.SelectQuery, end string, at int64,
) (int, error) {
	picked := pick(w.tx.NewSelect().Model((*jobRow)(nil)).Column("id").Where("job.state = 'PROGRESSING'")).Order("job.id")
	result, err := w.tx.NewUpdate().With("_data", w.store.dialect.lock(picked)).Model((*jobRow)(nil)).TableExpr("_data").
		Set("lease_until = "+end, at).Where("job.id = _data.id").Exec(ctx)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}

// ExpiringOwners counts the agents whose leases run out, and all that have a job in progress; see
// jobmanager.Reader. A job that another agent has taken over since tells of that one alone.
func (s *Store) ExpiringOwners(ctx context.Context, since time.Time) (expiring, all int, err error) {
	since = micros(since)
	jobs := func() *bun.SelectQuery { return s.read.NewSelect().Model((*jobRow)(nil)) }
	working := jobs().ColumnExpr("CASE WHEN job.lease_until <= ? THEN job.owner_id END AS expiring", s.clock.Now().UnixMicro()).
		ColumnExpr("job.owner_id AS working").Where("job.state = 'PROGRESSING'")
	// The end of an attempt is a change of its job: the index jobs_updated finds it.
	expired := jobs().ColumnExpr("job.claim_owner_id AS expiring").ColumnExpr("NULL AS working").
		Where("job.updated_at >= ?", since).Where("job.claim_outcome = 'EXPIRED' AND job.claim_ended_at >= ?", since)
	var count struct{ Expiring, Working int }
	err = s.read.NewSelect().TableExpr("(?) AS owner", working.UnionAll(expired)).
		ColumnExpr("count(DISTINCT expiring) AS expiring").ColumnExpr("count(DISTINCT working) AS working").Scan(ctx, &count)
	return count.Expiring, count.Working, s.dialect.translate(err)
}
