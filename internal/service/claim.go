package service

import (
	"context"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// ClaimJobInput is a job to claim.
type ClaimJobInput struct {
	JobID        jobmanager.ID
	Orchestrator string
	OwnerID      jobmanager.OwnerID
	Clusters     []string
	LeaseSeconds *int
	ClaimID      jobmanager.Text
}

// ClaimJobPayload is a claimed job.
type ClaimJobPayload struct {
	Job *jobmanager.Job
}

// ClaimJobsInput are jobs to claim.
type ClaimJobsInput struct {
	Orchestrator string
	OwnerID      jobmanager.OwnerID
	Clusters     []string
	First        *int
	LeaseSeconds *int
	ClaimID      jobmanager.Text
}

// ClaimJobsPayload are claimed jobs.
type ClaimJobsPayload struct {
	Jobs []*jobmanager.Job
}

// ClaimJob makes the agent the owner of one executable job: of many concurrent claimers exactly one wins.
// Agents may. NOT_CLAIMABLE says why not; NOT_FOUND.
func (s *Service) ClaimJob(ctx context.Context, p jobmanager.Principal, input ClaimJobInput, load jobmanager.JobLoad) (*ClaimJobPayload, error) {
	agent := jobmanager.Agent{OwnerID: input.OwnerID, Orchestrator: input.Orchestrator, Clusters: input.Clusters}
	claim, err := s.claim(ctx, p, agent, input.LeaseSeconds, input.ClaimID)
	if err != nil {
		return nil, err
	}
	which := by(p, string(agent.OwnerID), jobmanager.Which{IDs: []jobmanager.ID{input.JobID}})
	jobs, err := s.Store.UpdateJobs(ctx, which, claimRule(claim))
	if err != nil {
		return nil, err
	}
	if err := s.complete(ctx, jobs, load); err != nil {
		return nil, err
	}
	return &ClaimJobPayload{jobs[0]}, nil
}

// ClaimJobs claims up to First executable jobs in one step, the oldest first; none is no error. A retry with
// the same claim id gets the jobs that the first call won. Agents may.
func (s *Service) ClaimJobs(ctx context.Context, p jobmanager.Principal, input ClaimJobsInput, load jobmanager.JobLoad) (*ClaimJobsPayload, error) {
	agent := jobmanager.Agent{OwnerID: input.OwnerID, Orchestrator: input.Orchestrator, Clusters: input.Clusters}
	claim, err := s.claim(ctx, p, agent, input.LeaseSeconds, input.ClaimID)
	if err != nil {
		return nil, err
	}
	first := 1
	if input.First != nil {
		first = *input.First
	}
	if _, err := jobmanager.NewPageRequest(&first, nil); err != nil {
		return nil, err
	}
	which := by(p, string(agent.OwnerID), jobmanager.Which{ExecutableFor: &claim.Agent, ClaimID: claim.ID, Limit: first})
	jobs, err := s.Store.UpdateJobs(ctx, which, claimRule(claim))
	if err != nil {
		return nil, err
	}
	return &ClaimJobsPayload{jobs}, s.complete(ctx, jobs, load)
}

// claim checks what an agent sent with a claim.
func (s *Service) claim(ctx context.Context, p jobmanager.Principal, agent jobmanager.Agent, leaseSeconds *int, id jobmanager.Text) (jobmanager.Claim, error) {
	agent, err := s.agentCalls(ctx, p, agent)
	claim := jobmanager.Claim{Agent: agent, ID: string(id)}
	if err != nil {
		return claim, err
	}
	if err := jobmanager.CheckText("claimId", string(id), longestKey); err != nil {
		return claim, err
	}
	claim.Length, err = s.LifeCycle.LeaseLength(leaseSeconds)
	return claim, err
}

// complete loads what the answer shows beyond what the update gave, in place and in one read.
func (s *Service) complete(ctx context.Context, jobs []*jobmanager.Job, load jobmanager.JobLoad) error {
	if load == (jobmanager.JobLoad{}) || len(jobs) == 0 {
		return nil
	}
	byID := map[jobmanager.ID]*jobmanager.Job{}
	query := jobmanager.JobQuery{Scope: jobmanager.System().Scope(), Load: load, Page: jobmanager.PageRequest{First: len(jobs)}}
	for _, job := range jobs {
		byID[job.ID] = job
		query.Filter.IDs = append(query.Filter.IDs, job.ID)
	}
	loaded, err := s.Store.Jobs(ctx, query)
	if err != nil {
		return err
	}
	for _, full := range loaded.Nodes() {
		job := byID[full.ID]
		job.Manifests, job.Attempts, job.Group, job.Presence = full.Manifests, full.Attempts, full.Group, full.Presence
	}
	return nil
}
