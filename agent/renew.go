package agent

import (
	"context"
	"time"
)

// renew keeps the leases of all work in progress until ctx ends: in one call, at a third of the lease.
func (r *runner) renew(ctx context.Context) {
	interval := r.Lease / 3
	failures, wait := 0, interval
	for pause(ctx, wait) {
		if r.renewAll(ctx) {
			failures, wait = 0, interval
			continue
		}
		wait = min(r.backoff(failures), interval/2)
		failures++
	}
}

// renewAll says whether the server answered.
func (r *runner) renewAll(ctx context.Context) bool {
	for _, works := range r.desk.current() {
		sent := time.Now()
		results, err := r.renewSome(ctx, works)
		if err != nil {
			if !r.refuse(err) && ctx.Err() == nil {
				r.Log.Warn("leases not renewed; trying again", "jobs", len(works), "error", err)
			}
			return false
		}
		for i, w := range works {
			if i < len(results) && results[i].JobID == w.job.ID {
				r.renewed(w, results[i], sent.Add(r.Lease))
			}
		}
	}
	return true
}

func (r *runner) renewSome(ctx context.Context, works []*work) ([]renewalResult, error) {
	// A call that hangs must leave time for another try before the leases run out.
	ctx, cancel := context.WithTimeout(ctx, r.Lease/6)
	defer cancel()
	input := renewLeasesInput{OwnerID: r.OwnerID}
	for _, w := range works {
		input.Leases = append(input.Leases, leaseInput{w.job.ID, w.job.Epoch})
	}
	return r.client.renewLeases(ctx, input)
}

// renewed takes the answer about one lease.
func (r *runner) renewed(w *work, result renewalResult, until time.Time) {
	switch result.Code {
	case "":
		w.prolong(until)
	case codeStaleOwner, codeNotFound:
		r.lose(w, result)
	case codeWrongState:
		// While the work reports, this is its own report that was faster.
		if !w.reporting.Load() {
			r.lose(w, result)
		}
	case codeLeaseExpired:
		w.expire()
	default:
		r.Log.Warn("lease not renewed", "job", w.job.ID, "code", result.Code, "message", result.Message)
	}
}

func (r *runner) lose(w *work, result renewalResult) {
	r.Log.Warn("the claim is stale", "job", w.job.ID, "epoch", w.job.Epoch, "message", result.Message)
	r.memory.outdated(w.job.ID, w.job.Epoch)
	w.outdate()
}
