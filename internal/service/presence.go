package service

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// presence remembers when this replica last noted each agent, and which clusters it then served, so that a call
// costs no write and no look-up each time.
type presence struct {
	mu sync.Mutex // guards seen
	// seen is bounded: when it is full, it begins anew, which costs one write for each agent.
	seen map[jobmanager.OwnerID]sighting
}

type sighting struct {
	at time.Time
	// named are the clusters that the agent itself names.
	named []string
	// known is the agent as the store gave it; its orchestrator is empty when it was only heard of by its owner id.
	known jobmanager.Agent
}

// mostAgents bounds the memory that presence takes.
const mostAgents = 50_000

// recent gives what was noted of the agent; ok is false when it is to be noted now.
func (p *presence) recent(agent jobmanager.Agent, every time.Duration) (known jobmanager.Agent, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	last, seen := p.seen[agent.OwnerID]
	changed := agent.Clusters != nil && !slices.Equal(agent.Clusters, last.named) ||
		agent.Orchestrator != "" && agent.Orchestrator != last.known.Orchestrator ||
		agent.Protocol != last.known.Protocol
	return last.known, seen && !changed && agent.LastSeenAt.Sub(last.at) < every
}

// note remembers the agent as the store gave it.
func (p *presence) note(agent, known jobmanager.Agent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.seen) >= mostAgents {
		clear(p.seen)
	}
	next := sighting{at: agent.LastSeenAt, named: agent.Clusters, known: known}
	if next.named == nil {
		next.named = p.seen[agent.OwnerID].named
	}
	p.seen[agent.OwnerID] = next
}

// forget lets the next call of the agent note it anew.
func (p *presence) forget(owner jobmanager.OwnerID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.seen, owner)
}

// agentCalls checks the caller's right to act as an agent, notes that the agent is there, and gives it with the
// clusters that it serves.
func (s *Service) agentCalls(ctx context.Context, p jobmanager.Principal, agent jobmanager.Agent) (jobmanager.Agent, error) {
	if err := p.Need(jobmanager.RoleAgent); err != nil {
		return agent, err
	}
	if err := agent.Check(); err != nil {
		return agent, err
	}
	return s.heard(ctx, agent), nil
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

// heard notes an agent's presence, coarsely, and gives the agent with the clusters that it serves. Presence is a
// hint: failing to note it fails no call.
func (s *Service) heard(ctx context.Context, agent jobmanager.Agent) jobmanager.Agent {
	agent.LastSeenAt = s.Clock.Now()
	if agent.Protocol == "" {
		agent.Protocol = jobmanager.ProtocolGraphQL
	}
	known, recent := s.presence.recent(agent, s.Pace.Seen)
	if !recent {
		seen, err := s.Store.SeeAgent(ctx, jobmanager.Sighting{Agent: agent, Present: agent.LastSeenAt.Add(-s.LifeCycle.Grace)})
		switch {
		case err != nil && ctx.Err() == nil:
			s.Logger.WarnContext(ctx, "an agent's presence was not noted", "agent", agent.OwnerID, "error", err)
		case err == nil && seen != nil:
			known = *seen
			s.presence.note(agent, known)
		}
	}
	if agent.Orchestrator == "" {
		agent.Orchestrator = known.Orchestrator
	}
	if len(agent.Clusters) == 0 && known.Orchestrator == agent.Orchestrator {
		agent.Clusters, agent.Others = known.Clusters, known.Others
	}
	return agent
}
