package agent

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"
)

const (
	// reportLimit is how long a report is tried while the server is out of reach. What it could not report is
	// remembered, and reported when the job is claimed again.
	reportLimit = 15 * time.Minute
	// reportGrace is how long one is tried after Run was told to end.
	reportGrace = 10 * time.Second
	// longestReason is what the server takes, in bytes.
	longestReason = 4096
)

// work is one claimed job in the driver's hands, until its outcome is reported.
type work struct {
	job Job
	// ctx is the driver's. It ends with Run, with the lease, or with the fence.
	ctx    context.Context
	cancel context.CancelCauseFunc
	// fence ends when the epoch is stale: then there is nothing left to report either.
	fence     context.Context
	fall      context.CancelCauseFunc
	lease     *time.Timer
	reporting atomic.Bool
	done      chan struct{} // closed when the driver has let go
}

// outdate tells the work that its epoch is stale.
func (w *work) outdate() {
	w.fall(ErrStale)
	w.cancel(ErrStale)
}

// expire tells the work that its lease ran out. It may be over already; then nothing happens.
func (w *work) expire() { w.cancel(ErrLeaseLost) }

// prolong moves the end of the lease. A lease that ran out by our clock stays lost: the driver was told so.
func (w *work) prolong(until time.Time) { w.lease.Reset(time.Until(until)) }

// work lets the driver do a claimed job and reports the outcome. The claim was sent at since: by this agent's
// clock the lease runs from there, which is never later than by the server's.
func (r *runner) work(ctx context.Context, job Job, since time.Time) {
	log := r.Log.With("job", job.ID, "type", job.Type, "generation", job.Generation, "epoch", job.Epoch)
	log.Info("claimed", "component", job.Component, "cluster", job.Target.Cluster, "attempt", job.Attempt)
	r.memory.claimed(job)
	w := &work{job: job, done: make(chan struct{})}
	w.fence, w.fall = context.WithCancelCause(context.WithoutCancel(ctx))
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	w.lease = time.AfterFunc(time.Until(since.Add(r.Lease)), w.expire)
	former := r.desk.begin(w)
	defer func() {
		r.desk.end(w)
		w.lease.Stop()
		w.cancel(nil)
		w.fall(nil)
	}()
	if former != nil {
		<-former.done
	}
	result, err := r.once(w)
	w.reporting.Store(true)
	close(w.done)
	told, err := r.tell(ctx, w, result, err)
	if err != nil {
		log.Warn(told, "reason", err)
		return
	}
	log.Info(told)
}

// once calls the driver, unless it has finished this very work before or is not to begin any more.
func (r *runner) once(w *work) (Result, error) {
	if result, known := r.memory.recall(w.job); known {
		return result, nil
	}
	if w.ctx.Err() != nil {
		return Result{}, context.Cause(w.ctx)
	}
	result, err := r.drive(w.ctx, w.job)
	if err == nil {
		r.memory.finished(w.job, result)
	}
	return result, err
}

// drive calls the driver's method for the job. A panic is an error of this job alone.
func (r *runner) drive(ctx context.Context, job Job) (result Result, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			r.Log.Error("the driver panicked", "job", job.ID, "panic", cause, "stack", string(debug.Stack()))
			result, err = Result{}, fmt.Errorf("the driver panicked: %v", cause)
		}
	}()
	switch job.Type {
	case CreateDeployment:
		return r.Driver.Apply(ctx, job)
	case UpdateDeployment:
		return r.Driver.Update(ctx, job)
	case ReplaceDeployment:
		return r.Driver.Replace(ctx, job)
	case DeleteDeployment:
		return Result{}, r.Driver.Delete(ctx, job)
	default:
		return Result{}, fmt.Errorf("this agent does not know jobs of type %q; it needs a newer SDK", job.Type)
	}
}

// tell reports the outcome of a work as the Driver's contract has it. It gives what became of the work, for
// the log, with the error that led there.
func (r *runner) tell(ctx context.Context, w *work, result Result, outcome error) (string, error) {
	who := fence{JobID: w.job.ID, OwnerID: r.OwnerID, Epoch: w.job.Epoch}
	switch {
	case w.fence.Err() != nil:
		r.memory.outdated(w.job.ID, w.job.Epoch)
		return "stale: the outcome is thrown away", ErrStale
	case outcome == nil:
		err := r.send(ctx, w, finishJobDocument, finishInput{who, finishResource(result)})
		if code := codeOf(err); code == codeInvalid || code == codeTooLarge {
			// Without another report the job would run into its lease again and again, and nobody would know why.
			return r.fail(ctx, w, fmt.Errorf("the work is done, but the server refused the driver's result: %w", err))
		}
		return said("finished", err), err
	case w.ctx.Err() == nil:
		return r.fail(ctx, w, outcome)
	case errors.Is(outcome, ErrUntouched):
		err := r.send(ctx, w, releaseJobDocument, who)
		return said("given back", err), err
	default:
		return "cut short: nothing is reported", outcome
	}
}

func (r *runner) fail(ctx context.Context, w *work, outcome error) (string, error) {
	who := fence{JobID: w.job.ID, OwnerID: r.OwnerID, Epoch: w.job.Epoch}
	err := r.send(ctx, w, failJobDocument, failInput{who, reason(outcome)})
	return said("failed", err), errors.Join(outcome, err)
}

func said(what string, err error) string {
	if err != nil {
		return what + ", but not reported"
	}
	return what
}

// send makes a report. A stale answer silences the job's statuses too.
func (r *runner) send(ctx context.Context, w *work, document string, input any) error {
	trying, cancel := context.WithTimeout(w.fence, reportLimit)
	defer cancel()
	trying, cancelGrace := graceAfter(ctx, trying, reportGrace)
	defer cancelGrace()
	err := r.persist(trying, "report", func(ctx context.Context) error {
		return r.client.write(ctx, document, input)
	})
	if code := codeOf(err); code == codeStaleOwner || code == codeNotFound || errors.Is(err, ErrStale) {
		r.memory.outdated(w.job.ID, w.job.Epoch)
	}
	return err
}

// reason is the driver's error as the server takes it: not empty, and not too long.
func reason(err error) string {
	text := strings.ToValidUTF8(err.Error(), "�")
	if text == "" {
		return "the driver gave no reason"
	}
	if len(text) > longestReason {
		text = strings.ToValidUTF8(text[:longestReason], "")
	}
	return text
}
