package service

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// presence remembers when this replica last noted each agent, so that a call costs no write each time.
type presence struct {
	mu sync.Mutex // guards seen
	// seen is bounded: when it is full, it begins anew, which costs one write for each agent.
	seen map[jobmanager.OwnerID]sighting
}

type sighting struct {
	at           time.Time
	orchestrator string
	clusters     []string
}

// mostAgents bounds the memory that presence takes.
const mostAgents = 50_000

// due says whether the agent is to be noted now, and remembers that it was.
func (p *presence) due(agent jobmanager.Agent, every time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	last, known := p.seen[agent.OwnerID]
	changed := agent.Clusters != nil && !slices.Equal(agent.Clusters, last.clusters) ||
		agent.Orchestrator != "" && agent.Orchestrator != last.orchestrator
	if known && !changed && agent.LastSeenAt.Sub(last.at) < every {
		return false
	}
	if len(p.seen) >= mostAgents {
		clear(p.seen)
	}
	next := sighting{at: agent.LastSeenAt, orchestrator: agent.Orchestrator, clusters: agent.Clusters}
	if next.clusters == nil {
		next.clusters = last.clusters
	}
	if next.orchestrator == "" {
		next.orchestrator = last.orchestrator
	}
	p.seen[agent.OwnerID] = next
	return true
}

// agentCalls checks the caller's right to act as an agent and notes that the agent is there.
func (s *Service) agentCalls(ctx context.Context, p jobmanager.Principal, agent jobmanager.Agent) error {
	if err := p.Need(jobmanager.RoleAgent); err != nil {
		return err
	}
	if err := agent.Check(); err != nil {
		return err
	}
	s.heard(ctx, agent)
	return nil
}

// ownerCalls is agentCalls for a call that names no orchestrator.
func (s *Service) ownerCalls(ctx context.Context, p jobmanager.Principal, owner jobmanager.OwnerID) error {
	if err := p.Need(jobmanager.RoleAgent); err != nil {
		return err
	}
	if err := owner.Check(); err != nil {
		return err
	}
	s.heard(ctx, jobmanager.Agent{OwnerID: owner})
	return nil
}

// heard notes an agent's presence, coarsely. Presence is a hint: failing to note it fails no call.
func (s *Service) heard(ctx context.Context, agent jobmanager.Agent) {
	agent.LastSeenAt, agent.Protocol = s.Clock.Now(), "graphql"
	if !s.presence.due(agent, s.Pace.Seen) {
		return
	}
	if err := s.Store.SeeAgent(ctx, agent); err != nil && ctx.Err() == nil {
		s.Logger.WarnContext(ctx, "an agent's presence was not noted", "agent", agent.OwnerID, "error", err)
	}
}
