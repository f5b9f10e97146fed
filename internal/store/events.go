package store

import (
	"context"
	"database/sql"

	"github.com/uptrace/bun"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// Events gives events after a revision, oldest first, without a gap; see jobmanager.Reader. CURSOR_EXPIRED also
// for a revision that this database has not reached.
func (s *Store) Events(ctx context.Context, after jobmanager.Revision, limit int) ([]*jobmanager.Event, error) {
	var rows []eventRow
	err := s.read.NewSelect().Model(&rows).Where("event.revision > ?", after).Order("event.revision").Limit(int64(limit)).Scan(ctx)
	if err != nil {
		return nil, s.dialect.translate(err)
	}
	if len(rows) == 0 || rows[0].Revision != after+1 {
		// The first statement saw nothing or a gap; this one sees head and tail of the log at one moment.
		if err := checkKept(ctx, s.read, after); err != nil {
			return nil, s.dialect.translate(err)
		}
		if len(rows) == 0 {
			return nil, nil
		}
	}
	incarnation, err := s.incarnation(ctx, s.read)
	if err != nil {
		return nil, s.dialect.translate(err)
	}
	return eventsOf(rows, incarnation)
}

// EventPage gives a page of events; see jobmanager.Reader.
func (s *Store) EventPage(
	ctx context.Context, scope jobmanager.Scope, filter jobmanager.EventFilter, after jobmanager.Revision, first int,
) (*jobmanager.EventConnection, error) {
	if err := checkIDs(append(append([]jobmanager.ID{}, filter.JobGroupIDs...), filter.JobIDs...)...); err != nil {
		return nil, err
	}
	var list *jobmanager.EventConnection
	err := s.snapshot(ctx, func(ctx context.Context, v *view) error {
		if after > 0 { // 0 begins with the oldest that is kept
			if err := checkKept(ctx, v.tx, after); err != nil {
				return err
			}
		}
		var rows []eventRow
		q := within(v.tx.NewSelect().Model(&rows).Where("event.revision > ?", after), "event", scope)
		q = among(q, "event.type", filter.Types)
		q = among(q, "event.job_group_id", filter.JobGroupIDs)
		q = among(q, "event.job_id", filter.JobIDs)
		if err := q.Order("event.revision").Limit(int64(first) + 1).Scan(ctx); err != nil {
			return err
		}
		events, err := eventsOf(rows, v.incarnation)
		if err != nil {
			return err
		}
		request := jobmanager.PageRequest{First: first}
		if after > 0 {
			request.After = string(jobmanager.NewCursor(v.incarnation, after))
		}
		list = jobmanager.NewConnection(events, request, func(e *jobmanager.Event) string { return string(e.Cursor()) })
		list.Revision = v.cursor()
		return nil
	})
	return list, err
}

// checkKept answers CURSOR_EXPIRED when an event after the revision was deleted, or the revision was never
// reached: the reader has to list again.
func checkKept(ctx context.Context, db bun.IDB, after jobmanager.Revision) error {
	var log struct {
		Newest jobmanager.Revision
		Oldest sql.NullInt64
	}
	err := db.NewRaw("SELECT revision AS newest, (SELECT min(revision) FROM events) AS oldest FROM counter WHERE id = 1").Scan(ctx, &log)
	if err != nil {
		return err
	}
	oldest := log.Newest + 1
	if log.Oldest.Valid {
		oldest = jobmanager.Revision(log.Oldest.Int64)
	}
	switch {
	case after > log.Newest:
		return jobmanager.Errorf(jobmanager.CodeCursorExpired,
			"the cursor is ahead of this database, which was put back to an earlier state: list again and follow from there")
	case after < oldest-1:
		return jobmanager.Errorf(jobmanager.CodeCursorExpired, "the events after this cursor are no longer kept: list again and follow from there")
	}
	return nil
}
