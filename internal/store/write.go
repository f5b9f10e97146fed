package store

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/uptrace/bun"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// mostTries bounds how often a transaction is tried that loses to others.
const mostTries = 10

// writing is one try of a writing transaction.
type writing struct {
	store  *Store
	tx     bun.Tx
	now    time.Time // one time for the whole transaction
	actor  string    // written into the events; empty leaves the events' own
	events []jobmanager.Event
	// answers to an incompliance as it came in; what becomes of them later is told in events.
	answers []jobmanager.Remediation
}

// ruleError carries an error of a caller's rule out of a transaction untouched.
type ruleError struct{ error }

// inWrite runs do in a transaction and writes the events that it collected, with the next revisions, as the
// last statements. A transaction that lost to others is tried again; do may run more than once.
func (s *Store) inWrite(ctx context.Context, actor string, do func(context.Context, *writing) error) error {
	var newest jobmanager.Revision
	err := s.untilWon(ctx, func() (err error) {
		newest, err = s.tryWrite(ctx, actor, do)
		return err
	})
	if err == nil && newest > 0 && s.onCommit != nil {
		s.onCommit(newest)
	}
	return err
}

// untilWon tries again, within bounds, what lost to others, and makes the error that remains ours.
func (s *Store) untilWon(ctx context.Context, attempt func() error) error {
	for try := 1; ; try++ {
		err := attempt()
		if err == nil {
			return nil
		}
		if refusal, ok := errors.AsType[ruleError](err); ok {
			return refusal.error
		}
		if try == mostTries || !s.dialect.again(err) {
			return s.dialect.translate(err)
		}
		if err := pause(ctx, try); err != nil {
			return s.dialect.translate(err)
		}
	}
}

// pause waits for a random while, so that those who collided do not collide again.
func pause(ctx context.Context, try int) error {
	const shortest = time.Millisecond
	timer := time.NewTimer(shortest + rand.N(time.Duration(try)*4*shortest)) //nolint:gosec // not a secret
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// tryWrite is one try; it gives the newest revision that it wrote, 0 for none.
func (s *Store) tryWrite(ctx context.Context, actor string, do func(context.Context, *writing) error) (jobmanager.Revision, error) {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	w := &writing{store: s, tx: tx, now: s.clock.Now(), actor: actor}
	if err := do(ctx, w); err != nil {
		return 0, err
	}
	newest, err := w.writeEvents(ctx)
	if err != nil {
		return 0, err
	}
	return newest, tx.Commit()
}

// tell collects events for the end of the transaction.
func (w *writing) tell(events ...jobmanager.Event) { w.events = append(w.events, events...) }

// writeEvents stores what the events lead to, then takes the next revisions and stores the events with them, and
// their notices. The counter is locked from there to the commit, which makes revisions dense and in commit order;
// nothing may be locked after it.
func (w *writing) writeEvents(ctx context.Context) (jobmanager.Revision, error) {
	rows, err := w.eventRows()
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	if err := w.writeAnswers(ctx); err != nil {
		return 0, err
	}
	if err := w.writeClusters(ctx); err != nil {
		return 0, err
	}
	notices, err := w.pendingNotices(ctx)
	if err != nil {
		return 0, err
	}
	var newest jobmanager.Revision
	err = w.tx.NewRaw("UPDATE counter SET revision = revision + ? WHERE id = 1 RETURNING revision", len(rows)).Scan(ctx, &newest)
	if err != nil {
		return 0, err
	}
	for i := range rows {
		rows[i].Revision = newest - jobmanager.Revision(len(rows)-1-i)
	}
	if _, err := w.tx.NewInsert().Model(&rows).Exec(ctx); err != nil {
		return 0, err
	}
	return newest, w.writeNotices(ctx, notices, newest-jobmanager.Revision(len(rows)))
}

// eventRows are the rows of the events, by the transaction's actor where it has one, still without revisions.
func (w *writing) eventRows() ([]eventRow, error) {
	rows := make([]eventRow, len(w.events))
	for i := range w.events {
		if w.actor != "" {
			w.events[i].Actor = w.actor
		}
		row, err := newEventRow(&w.events[i])
		if err != nil {
			return nil, err
		}
		rows[i] = row
	}
	return rows, nil
}
