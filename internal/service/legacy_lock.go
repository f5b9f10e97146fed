package service

import (
	"context"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// anonymousLocker stands for the callers of a server without authentication, which say nothing of themselves.
const anonymousLocker jobmanager.OwnerID = "v0-agent"

// locker is an agent of the first dialect: it names no owner, so its client is the owner, and it sends no epoch. It
// knows Creates only.
func locker(p jobmanager.Principal, orchestrator string) jobmanager.Agent {
	agent := jobmanager.Agent{
		OwnerID: jobmanager.OwnerID(p.Name), Orchestrator: orchestrator, Blind: true, Client: p.Name, Protocol: jobmanager.ProtocolV0,
	}
	if p.Is(jobmanager.RoleAdmin) {
		agent.OwnerID = anonymousLocker
	}
	return agent
}

// HandOutGroup lists and reserves the Creates of one application on one target, which the agent launches together, to
// one caller at a time; the application whose last hand-out is the oldest comes last. Other work is never listed.
// Agents may.
func (s *Service) HandOutGroup(ctx context.Context, p jobmanager.Principal, orchestrator string, load jobmanager.JobLoad) ([]*jobmanager.Job, error) {
	agent, err := s.agentCalls(ctx, p, locker(p, orchestrator))
	if err != nil {
		return nil, err
	}
	return s.handOut(ctx, p, jobmanager.Which{ExecutableFor: &agent, HandOut: true, Together: true}, load)
}

// LockJob claims a job for the calling client. Agents may. NOT_CLAIMABLE says why not; NOT_FOUND.
func (s *Service) LockJob(ctx context.Context, p jobmanager.Principal, id jobmanager.ID, load jobmanager.JobLoad) (*jobmanager.Job, error) {
	job, err := s.take(ctx, p, locker(p, ""), id)
	return s.completed(ctx, job, err, load)
}

// FinishLockedJob says that the Create that the calling client has locked is done. Agents may. Errors as FinishJob.
func (s *Service) FinishLockedJob(ctx context.Context, p jobmanager.Principal, id jobmanager.ID, load jobmanager.JobLoad) (*jobmanager.Job, error) {
	agent, err := s.works(ctx, p, locker(p, ""))
	if err != nil {
		return nil, err
	}
	job, err := s.updateJob(ctx, p, agent.OwnerID, id, func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
		return j.ReportWork(jobmanager.WorkReport{
			Agent: agentOf(agent, j), Type: jobmanager.CreateDeployment, Length: s.LifeCycle.ReportedLease,
		}, now)
	})
	return s.completed(ctx, job, err, load)
}

// UnlockJob says that the work on the job which the calling client has locked failed: it counts as an attempt, and the
// next one is spaced. Agents may. Errors as FailJob.
func (s *Service) UnlockJob(ctx context.Context, p jobmanager.Principal, id jobmanager.ID, load jobmanager.JobLoad) (*jobmanager.Job, error) {
	agent, err := s.works(ctx, p, locker(p, ""))
	if err != nil {
		return nil, err
	}
	job, err := s.updateJob(ctx, p, agent.OwnerID, id, func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
		return j.Unlock(agent.OwnerID, s.LifeCycle, now)
	})
	return s.completed(ctx, job, err, load)
}

// completed loads what the answer shows beyond what the update gave.
func (s *Service) completed(ctx context.Context, job *jobmanager.Job, err error, load jobmanager.JobLoad) (*jobmanager.Job, error) {
	if err != nil {
		return nil, err
	}
	return job, s.complete(ctx, []*jobmanager.Job{job}, load)
}
