package store

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// noticeRow is one thing that the Policy Manager is still to be told.
type noticeRow struct {
	bun.BaseModel `bun:"table:notices,alias:notice"`

	Revision jobmanager.Revision   `bun:"revision,pk"`
	Step     int64                 `bun:"step,pk"`
	GroupID  jobmanager.ID         `bun:"group_id,type:uuid"`
	Tenant   jobmanager.Tenant     `bun:"tenant"`
	Kind     jobmanager.NoticeKind `bun:"kind"`
	// Attempts counts how often it was taken; 0 for one that nobody ever had.
	Attempts int64 `bun:"attempts"`
	// NotBefore is when it may be taken next: whoever takes it moves it on, and so does a failure.
	NotBefore time.Time `bun:"not_before,type:timestamptz"`
	GivenUp   bool      `bun:"given_up"`

	// Descriptor of the group; NULL when the group is gone. No column of the table.
	Descriptor sql.NullString `bun:"descriptor,scanonly"`
}

func (row *noticeRow) notice() *jobmanager.Notice {
	return &jobmanager.Notice{
		Revision: row.Revision, Step: int(row.Step), GroupID: row.GroupID, Tenant: row.Tenant, Kind: row.Kind,
		Descriptor: row.Descriptor.String, Attempts: int(row.Attempts),
	}
}

// pendingNotices gives the notices of the events that were told, with the events' places, from 1, as revisions,
// and removes those that they make pointless. It runs before the counter is taken, for it locks rows.
func (w *writing) pendingNotices(ctx context.Context) ([]noticeRow, error) {
	if !w.store.notices {
		return nil, nil
	}
	var rows []noticeRow
	anew := map[jobmanager.ID]int{} // where the last deletion of a group stands among the rows
	for i := range w.events {
		event := &w.events[i]
		for step, kind := range event.Notices {
			if kind == jobmanager.NoticeDeleted {
				anew[event.GroupID] = len(rows)
			}
			rows = append(rows, noticeRow{
				Revision: jobmanager.Revision(i + 1), Step: int64(step), GroupID: event.GroupID, Tenant: event.Tenant,
				Kind: kind, NotBefore: w.now,
			})
		}
	}
	if len(anew) == 0 {
		return rows, nil
	}
	held, err := w.beginAnew(ctx, slices.Sorted(maps.Keys(anew)))
	pending := make([]noticeRow, 0, len(rows))
	for i, row := range rows {
		if i < anew[row.GroupID] {
			continue
		}
		if until := held[row.GroupID]; until.After(w.now) {
			row.NotBefore = until
		}
		pending = append(pending, row)
	}
	return pending, err
}

// beginAnew removes all notices of groups, because a deletion makes what came before it pointless, and gives for
// each group until when one of them was held back. The deletion is held back as long: somebody may be delivering
// the removed one at this moment, and must not be overtaken.
func (w *writing) beginAnew(ctx context.Context, groups []jobmanager.ID) (map[jobmanager.ID]time.Time, error) {
	var removed []noticeRow
	err := w.tx.NewDelete().Model((*noticeRow)(nil)).Where("group_id IN (?)", bun.List(groups)).
		Returning("group_id, not_before").Scan(ctx, &removed)
	held := map[jobmanager.ID]time.Time{}
	for _, row := range removed {
		if row.NotBefore.After(held[row.GroupID]) {
			held[row.GroupID] = row.NotBefore.UTC()
		}
	}
	return held, ignoreNoRows(err)
}

// writeNotices stores pending notices, now that the revision before the first event is known.
func (w *writing) writeNotices(ctx context.Context, rows []noticeRow, before jobmanager.Revision) error {
	if len(rows) == 0 {
		return nil
	}
	for i := range rows {
		rows[i].Revision += before
	}
	_, err := w.tx.NewInsert().Model(&rows).Exec(ctx)
	return err
}

// DueNotices takes notices for delivery; see jobmanager.Writer. It takes three statements at most. What a group
// that is gone was still to be told of, but for its deletion, is removed instead.
func (s *Store) DueNotices(ctx context.Context, limit int, busy time.Duration) ([]*jobmanager.Notice, error) {
	var due []*jobmanager.Notice
	err := s.inWrite(ctx, "", func(ctx context.Context, w *writing) error {
		due = nil
		rows, err := w.heads(ctx, limit)
		if err != nil {
			return err
		}
		var taken []noticeRow
		var gone []jobmanager.ID
		for _, row := range rows {
			if !row.Descriptor.Valid && row.Kind != jobmanager.NoticeDeleted {
				gone = append(gone, row.GroupID)
				continue
			}
			taken, due = append(taken, row), append(due, row.notice())
		}
		if err := w.take(ctx, taken, w.now.Add(busy)); err != nil || len(gone) == 0 {
			return err
		}
		_, err = w.tx.NewDelete().Model((*noticeRow)(nil)).Where("group_id IN (?)", bun.List(gone)).
			Where("kind <> ?", jobmanager.NoticeDeleted).Exec(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	return due, nil
}

// heads reads and locks the oldest notice of each group where that is due, with the group's descriptor.
func (w *writing) heads(ctx context.Context, limit int) ([]noticeRow, error) {
	older := w.tx.NewSelect().TableExpr("notices AS older").ColumnExpr("1").Where("older.group_id = notice.group_id").
		Where("(older.revision, older.step) < (notice.revision, notice.step)")
	descriptor := w.tx.NewSelect().Model((*groupRow)(nil)).Column("descriptor").Where("job_group.id = notice.group_id")
	var rows []noticeRow
	q := w.tx.NewSelect().Model(&rows).Column("revision", "step", "group_id", "tenant", "kind", "attempts").
		ColumnExpr("(?) AS descriptor", descriptor).
		Where("NOT notice.given_up").Where("notice.not_before <= ?", w.now).Where("NOT EXISTS (?)", older).
		Order("notice.not_before", "notice.revision", "notice.step").Limit(int64(limit))
	err := w.store.dialect.lockFree(q).Scan(ctx)
	return rows, err
}

// take keeps others from taking the notices until then, and counts the attempt.
func (w *writing) take(ctx context.Context, rows []noticeRow, until time.Time) error {
	if len(rows) == 0 {
		return nil
	}
	_, err := w.tx.NewUpdate().With("_data", w.tx.NewValues(&rows).Column("revision", "step")).
		Model((*noticeRow)(nil)).TableExpr("_data").
		Set("not_before = ?", until).Set("attempts = notice.attempts + 1").
		Where("notice.revision = _data.revision AND notice.step = _data.step").Exec(ctx)
	return err
}

// SettleNotice stores what became of a try to deliver; see jobmanager.Writer. A notice that is not there any more
// was made pointless by a deletion, or somebody else has delivered it: it is not told of, and what waited for this
// try to end need wait no longer.
func (s *Store) SettleNotice(ctx context.Context, notice *jobmanager.Notice, result jobmanager.NoticeResult) error {
	if err := checkIDs(notice.GroupID); err != nil {
		return err
	}
	return s.inWrite(ctx, jobmanager.System().Name, func(ctx context.Context, w *writing) error {
		settled, err := w.settleNotice(ctx, notice, result)
		if err != nil {
			return err
		}
		if !settled {
			// Nobody ever had these, so nothing but this try holds them back.
			_, err := w.tx.NewUpdate().Model((*noticeRow)(nil)).Set("not_before = ?", w.now).
				Where("notice.group_id = ?", notice.GroupID).
				Where("notice.attempts = 0 AND notice.not_before > ?", w.now).Exec(ctx)
			return err
		}
		if kind := eventOf(result); kind != "" && result.Message != "" {
			w.tell(jobmanager.Event{
				Type: kind, Tenant: notice.Tenant, At: w.now, GroupID: notice.GroupID, Message: result.Message,
			})
		}
		return nil
	})
}

// settleNotice writes the notice's row; settled is false where there is none, or where a failure comes too late.
func (w *writing) settleNotice(
	ctx context.Context, notice *jobmanager.Notice, result jobmanager.NoticeResult,
) (settled bool, err error) {
	var written sql.Result
	if result.Delivered {
		written, err = w.tx.NewDelete().Model((*noticeRow)(nil)).
			Where("revision = ? AND step = ?", notice.Revision, notice.Step).Exec(ctx)
	} else {
		next := micros(result.NotBefore)
		if result.GivenUp {
			next = w.now
		}
		written, err = w.tx.NewUpdate().Model((*noticeRow)(nil)).
			Set("given_up = ?", result.GivenUp).Set("not_before = ?", next).
			Where("revision = ? AND step = ?", notice.Revision, notice.Step).
			Where("attempts = ?", notice.Attempts+1).Exec(ctx) // nobody has taken it since
	}
	if err != nil {
		return false, err
	}
	n, err := written.RowsAffected()
	return n == 1, err
}

// eventOf is empty for a try that is to be followed by another.
func eventOf(result jobmanager.NoticeResult) jobmanager.EventType {
	switch {
	case result.Delivered:
		return jobmanager.PolicyManagerNotified
	case result.GivenUp:
		return jobmanager.PolicyManagerGaveUp
	}
	return ""
}
