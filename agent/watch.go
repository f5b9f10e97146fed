package agent

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
)

// watch runs the driver's status stream until ctx ends or the driver has none.
func (r *runner) watch(ctx context.Context) {
	for failures := 0; ; failures++ {
		err := r.watchOnce(ctx)
		if err == nil || ctx.Err() != nil {
			return
		}
		r.Log.Error("the driver's status stream ended; starting it again", "error", err)
		if !pause(ctx, r.backoff(failures)) {
			return
		}
	}
}

func (r *runner) watchOnce(ctx context.Context) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			r.Log.Error("the driver's status stream panicked", "panic", cause, "stack", string(debug.Stack()))
			err = fmt.Errorf("the status stream panicked: %v", cause)
		}
	}()
	return r.Driver.Watch(ctx, func(s Status) error { return r.status(ctx, s) })
}

// status hands one status to the server, with the epoch of the agent's own last claim.
func (r *runner) status(ctx context.Context, s Status) error {
	for {
		epoch, err := r.memory.epoch(s.JobID)
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		input := reportInput{
			fence:    fence{JobID: s.JobID, OwnerID: r.OwnerID, Epoch: epoch},
			Resource: resourceOf(s.UID, s.Name, s.Conditions),
		}
		err = r.persist(ctx, "reportResource", func(ctx context.Context) error {
			return r.client.write(ctx, reportResourceDocument, input)
		})
		switch codeOf(err) {
		case codeStaleOwner, codeNotFound, codeWrongState:
			r.Log.Debug("status refused", "job", s.JobID, "epoch", epoch, "answer", err)
			r.memory.outdated(s.JobID, epoch)
			// The job may have been claimed anew in the meantime; then the status goes with that epoch.
			if now, known := r.memory.epoch(s.JobID); known == nil && now != epoch {
				continue
			}
			return errors.Join(ErrStale, err)
		}
		return err
	}
}
