package service

import (
	"context"
	"slices"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// What only agents need that execute what they are listed, without asking: the clients of the REST door.
// legacy_lock.go has the ways of the first Nuvla agents, legacy_sync.go what a sync tells, legacy_group.go what the
// old verbs on groups lack.

// ClaimListedJobInput is a job that an agent says it executes now.
type ClaimListedJobInput struct {
	JobID   jobmanager.ID
	OwnerID jobmanager.OwnerID
}

// ReportJobInput is the word of an agent that the work on a job was done.
type ReportJobInput struct {
	JobID   jobmanager.ID
	OwnerID jobmanager.OwnerID
	// Type of the work and Epoch of its claim as the list named them; empty and 0 where the report does not say.
	Type  jobmanager.JobType
	Epoch int64
	// Target where the work was done; nil where the report does not say.
	Target *jobmanager.Target
	// Resource that now runs; its conditions are all there are.
	Resource ResourceInput
}

// HandOut lists what the agent may execute and reserves it: as good as claimed for stop, update and delete. At
// most as many jobs as the life cycle says, first those that are reserved for it already, the oldest hand-out
// last. An agent that let too many reservations lapse is listed without reserving, until it claims. A removal that it
// did not report is done when it has polled twice without naming the workload. Agents may.
func (s *Service) HandOut(ctx context.Context, p jobmanager.Principal, agent jobmanager.Agent, load jobmanager.JobLoad) ([]*jobmanager.Job, error) {
	agent.Client, agent.Protocol = p.Name, jobmanager.ProtocolREST
	agent, err := s.agentCalls(ctx, p, agent)
	if err != nil {
		return nil, err
	}
	polled := by(p, string(agent.OwnerID), jobmanager.Which{UnconfirmedBy: agent.OwnerID})
	_, err = s.Store.UpdateJobs(ctx, polled, func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
		if j.Last.Client != "" && j.Last.Client != agent.Client {
			return nil, nil // whoever calls itself so: it is not its syncs that would name the workload
		}
		return j.Polled(agent.OwnerID, now), nil
	})
	if err != nil {
		return nil, err
	}
	return s.handOut(ctx, p, jobmanager.Which{ExecutableFor: &agent, HandOut: true, Limit: s.LifeCycle.MostHandedOut}, load)
}

// handOut lists and reserves.
func (s *Service) handOut(ctx context.Context, p jobmanager.Principal, which jobmanager.Which, load jobmanager.JobLoad) ([]*jobmanager.Job, error) {
	agent := which.ExecutableFor
	jobs, err := s.Store.UpdateJobs(ctx, by(p, string(agent.OwnerID), which), func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
		j.HandOut(*agent, s.LifeCycle, now)
		return nil, nil
	})
	if err != nil {
		return nil, err
	}
	return jobs, s.complete(ctx, jobs, load)
}

// ClaimListedJob claims one job for an agent that names no orchestrator: the job's. Its lease has the default length, and
// nothing but a report ends it. What else was handed out to the agent stays so a while longer. Agents may.
// NOT_CLAIMABLE says why not; NOT_FOUND.
func (s *Service) ClaimListedJob(ctx context.Context, p jobmanager.Principal, input ClaimListedJobInput) (*jobmanager.Job, error) {
	agent := jobmanager.Agent{OwnerID: input.OwnerID, Client: p.Name, Protocol: jobmanager.ProtocolREST}
	return s.take(ctx, p, agent, input.JobID)
}

// take claims a job for an agent of the REST door.
func (s *Service) take(ctx context.Context, p jobmanager.Principal, agent jobmanager.Agent, id jobmanager.ID) (*jobmanager.Job, error) {
	agent, err := s.works(ctx, p, agent)
	if err != nil {
		return nil, err
	}
	return s.updateJob(ctx, p, agent.OwnerID, id, func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
		return j.Claim(jobmanager.Claim{Agent: agentOf(agent, j), Length: s.LifeCycle.ReportedLease}, now)
	})
}

// agentOf is the agent, as one of the job's orchestrator when it is not known what it runs.
func agentOf(agent jobmanager.Agent, j *jobmanager.Job) jobmanager.Agent {
	if agent.Orchestrator == "" {
		agent.Orchestrator = string(j.Orchestrator)
	}
	return agent
}

// works checks the caller's right to act as an agent, and notes that it works through what was handed out to it. That
// is a hint like presence: failing to note it fails no call.
func (s *Service) works(ctx context.Context, p jobmanager.Principal, agent jobmanager.Agent) (jobmanager.Agent, error) {
	if err := p.Need(jobmanager.RoleAgent); err != nil {
		return agent, err
	}
	if err := agent.OwnerID.Check(); err != nil {
		return agent, err
	}
	if err := s.Store.Working(ctx, agent.OwnerID, s.Clock.Now().Add(s.LifeCycle.HandOut)); err != nil && ctx.Err() == nil {
		s.Logger.WarnContext(ctx, "an agent's hand-outs were not extended", "agent", agent.OwnerID, "error", err)
	}
	return s.heard(ctx, agent), nil
}

// updateJob runs a rule on one job.
func (s *Service) updateJob(ctx context.Context, p jobmanager.Principal, actor jobmanager.OwnerID, id jobmanager.ID, rule jobmanager.JobRule) (*jobmanager.Job, error) {
	jobs, err := s.Store.UpdateJobs(ctx, by(p, string(actor), jobmanager.Which{IDs: []jobmanager.ID{id}}), rule)
	if err != nil {
		return nil, err
	}
	return jobs[0], nil
}

// ReportJob finishes the work on a job, whatever state its agent says; a job that was only listed to the agent is
// claimed with it. A report that comes too late changes no state and leaves its evidence. Agents may. STALE_OWNER,
// WRONG_STATE, NOT_FOUND; INVALID for conditions that do not fit.
func (s *Service) ReportJob(ctx context.Context, p jobmanager.Principal, input ReportJobInput, load jobmanager.JobLoad) (*jobmanager.Job, error) {
	agent, err := s.works(ctx, p, jobmanager.Agent{OwnerID: input.OwnerID, Client: p.Name, Protocol: jobmanager.ProtocolREST})
	if err != nil {
		return nil, err
	}
	report := input.Resource.whole()
	report.Target = input.Target
	job, err := s.updateJob(ctx, p, input.OwnerID, input.JobID, func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
		return j.ReportWork(jobmanager.WorkReport{
			Agent: agent, Type: input.Type, Epoch: input.Epoch, Length: s.LifeCycle.ReportedLease, Resource: report,
		}, now)
	})
	if code := jobmanager.CodeOf(err); code == jobmanager.CodeStaleOwner || code == jobmanager.CodeWrongState {
		if kept := s.keepEvidence(ctx, p, agent, input, report); kept != nil {
			return nil, kept
		}
	}
	s.strangers.drop(stranger{p.Name, report.UID})
	return s.completed(ctx, job, err, load)
}

// keepEvidence remembers the workload that a stale report names, where the job was listed to the reporter, which the
// report of an agent that asks for such jobs shows by the epoch, or the job by its attempts, and where the workload is
// not one that was removed.
func (s *Service) keepEvidence(ctx context.Context, p jobmanager.Principal, agent jobmanager.Agent, input ReportJobInput, report jobmanager.ResourceReport) error {
	if err := report.Check(); err != nil {
		return err
	}
	job, err := s.Store.Job(ctx, p.Scope(), input.JobID, jobmanager.JobLoad{Attempts: true})
	if err != nil {
		return err
	}
	asks := agent.Orchestrator == string(job.Orchestrator)
	if report.Target != nil && report.Target.Orchestrator != agent.Orchestrator {
		report.Target = nil
	}
	listed := asks && input.Epoch > 0 && input.Epoch <= job.Epoch+1 || job.Owner == input.OwnerID || job.Reservation.OwnerID == input.OwnerID ||
		slices.ContainsFunc(job.Attempts, func(a jobmanager.Attempt) bool { return a.OwnerID == input.OwnerID })
	if !listed {
		return nil
	}
	past, err := s.Store.WasResource(ctx, job.ID, report.UID)
	if err != nil {
		return err
	}
	_, err = s.updateJob(ctx, p, input.OwnerID, input.JobID, func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
		var events []jobmanager.Event
		if !past {
			events = j.Evidence(input.OwnerID, report, now)
		}
		mistaken, err := j.Mistaken(jobmanager.Fence{OwnerID: input.OwnerID, Epoch: input.Epoch}, now)
		return append(events, mistaken...), err
	})
	return err
}

// whole is what an old agent sent: its conditions are all there are, and are made to fit.
func (r ResourceInput) whole() jobmanager.ResourceReport { return r.report().Fitted() }
