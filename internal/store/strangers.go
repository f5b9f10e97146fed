package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// strangerRow is a workload that a sync named and that is no job's resource.
type strangerRow struct {
	bun.BaseModel `bun:"table:strangers,alias:stranger"`

	UID    string `bun:"uid,pk"`
	Client string `bun:"client"`
	Name   string `bun:"name"`
	// FirstSeenAt is NULL for what was the resource of a job that is gone.
	FirstSeenAt time.Time `bun:"first_seen_at,nullzero,type:timestamptz"`
	SeenAt      time.Time `bun:"seen_at,type:timestamptz"`
}

const (
	// refreshStranger is how old the note of a stranger's last sight may grow before it is written anew.
	refreshStranger = 24 * time.Hour
	// forgetStranger is how long one that nobody names is remembered.
	forgetStranger = 30 * 24 * time.Hour
	// mostForgotten bounds what one call forgets; the next one goes on.
	mostForgotten = 100
)

// Stranger notes a workload that is no job's resource and says since when it is known; see jobmanager.Writer. What
// is a job's resource is zero as well, for a caller that may not see that job. One statement for a stranger that is
// known, three with each new one and once a day. It writes no event.
func (s *Store) Stranger(ctx context.Context, client, uid, name string) (first time.Time, err error) {
	now := s.clock.Now()
	row := strangerRow{UID: plain(uid), Client: plain(client), Name: plain(name), FirstSeenAt: now, SeenAt: now}
	ours, known, err := s.knownStranger(ctx, row.UID)
	switch {
	case err != nil || ours:
		return time.Time{}, s.dialect.translate(err)
	case !known.SeenAt.IsZero() && now.Sub(known.SeenAt) <= refreshStranger:
		return known.FirstSeenAt, nil
	}
	var noted []strangerRow
	err = s.write.NewInsert().Model(&row).On("CONFLICT (uid) DO UPDATE").Set("seen_at = EXCLUDED.seen_at").
		Returning("first_seen_at").Scan(ctx, &noted)
	if err != nil {
		return time.Time{}, s.dialect.translate(err)
	}
	if len(noted) == 1 {
		first = noted[0].FirstSeenAt.UTC()
	}
	return first, s.dialect.translate(s.forgetStrangers(ctx, now))
}

// knownStranger looks a workload up: whether it is or was a job's resource, else what is known of it.
func (s *Store) knownStranger(ctx context.Context, uid string) (ours bool, known strangerRow, err error) {
	of := func(model any) *bun.SelectQuery { return s.read.NewSelect().Model(model).Where("uid = ?", uid) }
	var found struct {
		Ours        bool
		FirstSeenAt bun.NullTime
		SeenAt      bun.NullTime
	}
	err = s.read.NewSelect().
		ColumnExpr("EXISTS (?) OR EXISTS (?) AS ours", of((*pastResourceRow)(nil)).ColumnExpr("1"), of((*resourceRow)(nil)).ColumnExpr("1")).
		ColumnExpr("(?) AS first_seen_at", of((*strangerRow)(nil)).Column("first_seen_at")).
		ColumnExpr("(?) AS seen_at", of((*strangerRow)(nil)).Column("seen_at")).
		Scan(ctx, &found)
	if !found.SeenAt.IsZero() {
		known.SeenAt = found.SeenAt.UTC()
	}
	if !found.FirstSeenAt.IsZero() {
		known.FirstSeenAt = found.FirstSeenAt.UTC()
	}
	return found.Ours, known, err
}

// forgetStrangers deletes some of those that nobody named for long; rows in other hands are left to their holders.
func (s *Store) forgetStrangers(ctx context.Context, now time.Time) error {
	old := s.write.NewSelect().Model((*strangerRow)(nil)).Column("uid").
		Where("stranger.seen_at < ?", micros(now.Add(-forgetStranger))).Order("stranger.seen_at").Limit(mostForgotten)
	_, err := s.write.NewDelete().With("_data", s.dialect.lockFree(old)).Model((*strangerRow)(nil)).
		Where("uid IN (SELECT uid FROM _data)").Exec(ctx)
	return err
}

// keepUIDs remembers the resources, present and past, of jobs that are about to be removed: what their uids name may
// still be going away when the next job of that component is claimed, and is none of its own. One statement. The
// rows are taken in the order of their uids, as everyone does.
func (w *writing) keepUIDs(ctx context.Context, jobs any) error {
	of := func(model any) *bun.SelectQuery {
		return w.tx.NewSelect().Model(model).Column("uid").Where("job_id IN (?)", jobs).Where("uid <> ''")
	}
	gone := w.tx.NewSelect().TableExpr("(?) AS gone", of((*pastResourceRow)(nil)).Union(of((*resourceRow)(nil)))).
		Column("gone.uid").ColumnExpr("'' AS client, '' AS name").ColumnExpr("? AS seen_at", micros(w.now)).
		Where("gone.uid <> ''").Order("gone.uid")
	_, err := w.tx.NewRaw("INSERT INTO strangers (uid, client, name, seen_at) ? "+
		"ON CONFLICT (uid) DO UPDATE SET first_seen_at = NULL, seen_at = EXCLUDED.seen_at", gone).Exec(ctx)
	return err
}
