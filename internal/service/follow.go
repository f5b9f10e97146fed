package service

import (
	"context"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// start begins a watch: its snapshot or its cursor is checked at once, so that a refusal is an answer and not
// a broken stream; then a goroutine follows the log until ctx ends.
func start[M any](ctx context.Context, s *Service, p jobmanager.Principal, w watch[M]) (<-chan *M, error) {
	if err := p.Need(readers()...); err != nil {
		return nil, err
	}
	var first []M
	at := w.After
	if at == "" {
		var err error
		if first, at, err = w.snapshot(ctx); err != nil {
			return nil, err
		}
		first = append(first, w.bookmark(at))
	}
	revision, err := s.place(ctx, at)
	if err != nil {
		return nil, err
	}
	out := make(chan *M)
	s.watchers.Go(func() {
		defer close(out)
		for i := range first {
			if !send(ctx, out, &first[i]) {
				return
			}
		}
		first = nil // the snapshot is not kept while the watch lives
		w.After = at
		follow(ctx, s, w, revision, out)
	})
	return out, nil
}

// follow sends what the log tells behind w.After, which is at that revision. It holds no more than one read of the log, however slow
// the receiver is.
func follow[M any](ctx context.Context, s *Service, w watch[M], revision jobmanager.Revision, out chan<- *M) {
	at, told := w.After, w.After
	idle := s.Clock.After(ctx, s.Pace.Bookmark) // one for many events, or a busy log would put it off for ever
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.Log.Changed(revision):
		case <-idle:
			idle = s.Clock.After(ctx, s.Pace.Bookmark)
			if at != told {
				bookmark := w.bookmark(at)
				send(ctx, out, &bookmark)
				told = at
			}
		}
		events, err := s.Log.Read(ctx, revision)
		if err != nil {
			if ctx.Err() == nil {
				s.Logger.ErrorContext(ctx, "a watch ended: the log cannot be read", "error", err)
				w.Ended(err)
			}
			return
		}
		for _, event := range events {
			revision, at = event.Revision, event.Cursor()
			if !visible(w.scope, event) {
				continue
			}
			message := w.message(event)
			if message == nil {
				continue
			}
			if !send(ctx, out, message) {
				return
			}
			told = at
		}
	}
}

// visible says whether an event is within the scope.
func visible(scope jobmanager.Scope, e *jobmanager.Event) bool {
	return scope.All || scope.Tenant == e.Tenant
}

// send gives up when ctx ends.
func send[M any](ctx context.Context, out chan<- *M, message *M) bool {
	select {
	case out <- message:
		return true
	case <-ctx.Done():
		return false
	}
}
