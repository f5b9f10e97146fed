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
// that was never heard of and comes without an orchestrator; INVALID.
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
	set, err := s.Store.SetAgent(ctx, agent)
	if err != nil {
		return nil, err
	}
	s.presence.forget(input.OwnerID)
	return &SetAgentPayload{set}, nil
}
