package service

import (
	"context"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// SetAgentInput are the clusters of an agent.
type SetAgentInput struct {
	OwnerID      jobmanager.OwnerID
	Orchestrator jobmanager.Text
	Clusters     []string
}

// SetAgentPayload is the agent after the change.
type SetAgentPayload struct{ Agent *jobmanager.Agent }

// SetAgent sets the clusters that an agent serves while it names none itself. Admins may. NOT_FOUND for an agent
// that was never heard of and comes without an orchestrator; INVALID, also for another orchestrator than its own.
func (s *Service) SetAgent(ctx context.Context, p jobmanager.Principal, input SetAgentInput) (*SetAgentPayload, error) {
	if err := p.Need(); err != nil {
		return nil, err
	}
	agent := jobmanager.Agent{OwnerID: input.OwnerID, Orchestrator: string(input.Orchestrator), Clusters: input.Clusters}
	checked := agent
	if checked.Orchestrator == "" {
		checked.Orchestrator = "known" // only the rest is to be checked: the store knows it
	}
	if err := checked.Check(); err != nil {
		return nil, err
	}
	if err := s.keepsOrchestrator(ctx, agent); err != nil {
		return nil, err
	}
	set, err := s.Store.SetAgent(ctx, agent)
	if err != nil {
		return nil, err
	}
	s.presence.forget(input.OwnerID)
	return &SetAgentPayload{set}, nil
}

// keepsOrchestrator refuses an orchestrator that is not the one the agent is known by: only the agent itself says so.
func (s *Service) keepsOrchestrator(ctx context.Context, agent jobmanager.Agent) error {
	if agent.Orchestrator == "" {
		return nil
	}
	known, err := s.Store.Agents(ctx, jobmanager.AgentQuery{
		OwnerIDs: []jobmanager.OwnerID{agent.OwnerID}, Page: jobmanager.PageRequest{First: 1},
	})
	if err != nil || len(known.Edges) == 0 || known.Edges[0].Node.Orchestrator == agent.Orchestrator {
		return err
	}
	return jobmanager.Errorf(jobmanager.CodeInvalid, "%s is an agent of %s, not of %s: leave the orchestrator out",
		agent.OwnerID, known.Edges[0].Node.Orchestrator, agent.Orchestrator)
}
