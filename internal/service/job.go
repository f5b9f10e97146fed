package service

import (
	"context"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// RetryJobInput is a job to try again.
type RetryJobInput struct {
	JobID           jobmanager.ID
	ExpectedVersion *int64
	IdempotencyKey  jobmanager.Text
}

// RetryJobPayload is a job that is tried again.
type RetryJobPayload struct{ Job *jobmanager.Job }

// DeleteJobInput is a job to delete.
type DeleteJobInput struct {
	JobID           jobmanager.ID
	ExpectedVersion *int64
	IdempotencyKey  jobmanager.Text
}

// DeleteJobPayload is a deleted job.
type DeleteJobPayload struct {
	JobID    jobmanager.ID
	JobGroup *jobmanager.JobGroup
}

// AbandonJobInput is a job to give up.
type AbandonJobInput struct {
	JobID           jobmanager.ID
	Reason          string
	ExpectedVersion *int64
	IdempotencyKey  jobmanager.Text
}

// AbandonJobPayload is a job that was given up.
type AbandonJobPayload struct{ Job *jobmanager.Job }

// ReassignJobsInput is what one agent holds, for another.
type ReassignJobsInput struct {
	FromOwner jobmanager.OwnerID
	ToOwner   jobmanager.OwnerID
}

// ReassignJobsPayload is what was given.
type ReassignJobsPayload struct{ Reassigned int }

// RetryJob lets a degraded job be tried again from its first attempt. Integrators may. NOT_FOUND,
// VERSION_CONFLICT.
func (s *Service) RetryJob(ctx context.Context, p jobmanager.Principal, input RetryJobInput) (*RetryJobPayload, error) {
	if err := p.Need(jobmanager.RoleIntegrator); err != nil {
		return nil, err
	}
	request, err := idempotency(p, "retryJob", string(input.IdempotencyKey), input)
	if err != nil {
		return nil, err
	}
	job, _, err := s.changeJob(ctx, p, jobChange{input.JobID, input.ExpectedVersion, request, func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
		return j.Retry(now), nil
	}})
	return &RetryJobPayload{job}, err
}

// DeleteJob removes one job of which nothing stands. Integrators may. NOT_FOUND, VERSION_CONFLICT, WRONG_STATE.
func (s *Service) DeleteJob(ctx context.Context, p jobmanager.Principal, input DeleteJobInput) (*DeleteJobPayload, error) {
	if err := p.Need(jobmanager.RoleIntegrator); err != nil {
		return nil, err
	}
	request, err := idempotency(p, "deleteJob", string(input.IdempotencyKey), input)
	if err != nil {
		return nil, err
	}
	_, group, err := s.changeJob(ctx, p, jobChange{input.JobID, input.ExpectedVersion, request, (*jobmanager.Job).Discard})
	return &DeleteJobPayload{input.JobID, group}, err
}

// AbandonJob gives up a job that no agent can do any more. Admins may. NOT_FOUND, VERSION_CONFLICT, INVALID
// without a reason.
func (s *Service) AbandonJob(ctx context.Context, p jobmanager.Principal, input AbandonJobInput) (*AbandonJobPayload, error) {
	if err := p.Need(); err != nil {
		return nil, err
	}
	if err := checkReason(input.Reason); err != nil {
		return nil, err
	}
	request, err := idempotency(p, "abandonJob", string(input.IdempotencyKey), input)
	if err != nil {
		return nil, err
	}
	job, _, err := s.changeJob(ctx, p, jobChange{input.JobID, input.ExpectedVersion, request, func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
		return j.Abandon(input.Reason, now), nil
	}})
	return &AbandonJobPayload{job}, err
}

// jobChange is a person's change of one job.
type jobChange struct {
	id jobmanager.ID
	// expected generation of the job's group.
	expected *int64
	request  jobmanager.Idempotency
	rule     jobmanager.JobRule
}

// changeJob runs the rule on one job, within its group: whatever a person changes is bound to the group's
// generation. The job is nil when it is gone.
func (s *Service) changeJob(ctx context.Context, p jobmanager.Principal, c jobChange) (*jobmanager.Job, *jobmanager.JobGroup, error) {
	group, err := s.once(ctx, p, c.request, func() (*jobmanager.JobGroup, error) {
		job, err := s.Store.Job(ctx, p.Scope(), c.id, jobmanager.JobLoad{})
		if err != nil {
			return nil, err
		}
		return s.change(ctx, p, job.GroupID, c.request, c.within)
	})
	if jobmanager.CodeOf(err) == jobmanager.CodeNotFound && s.done(ctx, c.request) {
		return nil, nil, nil // the group is gone since
	}
	if err != nil {
		return nil, nil, err
	}
	job, err := found(s.Store.Job(ctx, p.Scope(), c.id, jobmanager.JobLoad{}))
	return job, group, err
}

// done says whether a request was carried out before, whatever became of its group since.
func (s *Service) done(ctx context.Context, request jobmanager.Idempotency) bool {
	if request.Key == "" {
		return false
	}
	id, err := s.Store.Idempotent(ctx, request)
	return err == nil && id != ""
}

// within runs the rule on the job in its group.
func (c jobChange) within(g *jobmanager.JobGroup, now time.Time) ([]jobmanager.Event, error) {
	if err := g.CheckVersion(c.expected); err != nil {
		return nil, err
	}
	for _, j := range g.Jobs {
		if j.ID == c.id {
			return c.rule(j, now)
		}
	}
	return nil, jobmanager.Errorf(jobmanager.CodeNotFound, "there is no job %s", c.id) // it went in between
}

// ReassignJobs gives everything that one agent holds to another that took its place, in batches; a call that was
// cut short is repeated. Admins may. INVALID for owners that are missing or the same.
func (s *Service) ReassignJobs(ctx context.Context, p jobmanager.Principal, input ReassignJobsInput) (*ReassignJobsPayload, error) {
	if err := p.Need(); err != nil {
		return nil, err
	}
	for _, owner := range []jobmanager.OwnerID{input.FromOwner, input.ToOwner} {
		if err := owner.Check(); err != nil {
			return nil, err
		}
	}
	if input.FromOwner == input.ToOwner {
		return nil, jobmanager.Errorf(jobmanager.CodeInvalid, "fromOwner and toOwner are the same agent")
	}
	if err := s.sameOrchestrator(ctx, input.FromOwner, input.ToOwner); err != nil {
		return nil, err
	}
	payload := &ReassignJobsPayload{}
	which := by(p, p.Name, jobmanager.Which{HeldBy: input.FromOwner, Limit: batch})
	for {
		jobs, err := s.Store.UpdateJobs(ctx, which, func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
			return j.Reassign(input.FromOwner, input.ToOwner, s.LifeCycle, now), nil
		})
		if err != nil {
			return nil, err
		}
		for _, j := range jobs {
			if j.Owner == input.ToOwner || j.Owner == "" && j.Reservation.OwnerID == input.ToOwner {
				payload.Reassigned++
			}
		}
		if len(jobs) < batch {
			return payload, nil
		}
		which.After = jobs[len(jobs)-1].ID
	}
}

// sameOrchestrator refuses two agents that are known to be of different ones: neither could do the other's jobs.
func (s *Service) sameOrchestrator(ctx context.Context, from, to jobmanager.OwnerID) error {
	agents, err := s.Store.Agents(ctx, jobmanager.AgentQuery{
		OwnerIDs: []jobmanager.OwnerID{from, to}, Page: jobmanager.PageRequest{First: 2},
	})
	if err != nil || len(agents.Edges) < 2 || agents.Edges[0].Node.Orchestrator == agents.Edges[1].Node.Orchestrator {
		return err
	}
	one, other := agents.Edges[0].Node, agents.Edges[1].Node
	return jobmanager.Errorf(jobmanager.CodeInvalid, "%s is an agent of %s and %s of %s: neither can do the other's jobs",
		one.OwnerID, one.Orchestrator, other.OwnerID, other.Orchestrator)
}
