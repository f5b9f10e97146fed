package agent

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"
)

// take claims and works until ctx ends and all work has ended.
func (r *runner) take(ctx context.Context) {
	var works sync.WaitGroup
	defer works.Wait()
	for {
		for ctx.Err() == nil {
			next, ok := r.desk.next()
			if !ok {
				break
			}
			works.Go(func() { r.perform(ctx, next) })
		}
		select {
		case <-r.desk.changed:
		case <-ctx.Done():
			return
		}
	}
}

// perform claims what the task says and works on what it won. It returns the task's slots, each as soon as it
// is free, and ends with the last of the work.
func (r *runner) perform(ctx context.Context, t task) {
	if t.offer != nil {
		defer r.desk.release(1)
		since := time.Now()
		if job, won := r.claimOffered(ctx, *t.offer); won {
			r.work(ctx, job, since)
		}
		return
	}
	since := time.Now()
	jobs := r.claimAny(ctx, t.slots)
	r.desk.release(t.slots - len(jobs))
	var works sync.WaitGroup
	for _, job := range jobs {
		works.Go(func() {
			defer r.desk.release(1)
			r.work(ctx, job, since)
		})
	}
	works.Wait()
}

// claimOffered claims one job. That another agent was faster is normal.
func (r *runner) claimOffered(ctx context.Context, o offer) (Job, bool) {
	if r.memory.outrun(o) {
		return Job{}, false
	}
	input := r.claimInput()
	input.JobID = o.ID
	var job Job
	err := r.persistClaim(ctx, "claimJob", func(ctx context.Context) (err error) {
		job, err = r.client.claimJob(ctx, input)
		return err
	})
	switch {
	case err == nil:
		return job, true
	case codeOf(err) == codeNotClaimable || codeOf(err) == codeNotFound:
		r.Log.Debug("job went elsewhere", "job", o.ID, "answer", err)
	case ctx.Err() != nil:
	case transient(err):
		r.desk.miss()
	default:
		r.Log.Error("claim refused", "job", o.ID, "error", err)
	}
	return Job{}, false
}

// claimAny claims what is executable, for offers that were dropped.
func (r *runner) claimAny(ctx context.Context, slots int) []Job {
	input := r.claimInput()
	input.First = slots
	var jobs []Job
	err := r.persistClaim(ctx, "claimJobs", func(ctx context.Context) (err error) {
		jobs, err = r.client.claimJobs(ctx, input)
		return err
	})
	if err != nil && !transient(err) && ctx.Err() == nil {
		r.Log.Error("claims refused", "error", err)
	}
	r.desk.asked(len(jobs) == slots || (err != nil && transient(err)))
	return jobs
}

func (r *runner) claimInput() claimInput {
	return claimInput{
		Orchestrator: r.Orchestrator, OwnerID: r.OwnerID, Clusters: r.Clusters,
		LeaseSeconds: int(r.Lease / time.Second), ClaimID: uuid.NewString(),
	}
}

// persistClaim repeats a claim under the same claim id. It gives up when half a lease has gone, because the
// first try may have won without its answer coming through, and the lease runs since then.
func (r *runner) persistClaim(ctx context.Context, what string, call func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, r.Lease/2)
	defer cancel()
	return r.persist(ctx, what, call)
}
