package store

import (
	"context"
	"encoding/base64"
	"encoding/json"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// SeeAgent notes that an agent was heard of; see jobmanager.Writer. It takes no revision. A time that is not
// set is now; an older one than is known is not taken.
func (s *Store) SeeAgent(ctx context.Context, agent jobmanager.Agent) error {
	if agent.LastSeenAt.IsZero() {
		agent.LastSeenAt = s.clock.Now()
	}
	if agent.Orchestrator == "" {
		_, err := s.write.NewUpdate().Model((*agentRow)(nil)).
			Set("last_seen_at = ?", micros(agent.LastSeenAt)).Set("protocol = ?", agent.Protocol).
			Where("owner_id = ? AND last_seen_at < ?", plain(agent.OwnerID), micros(agent.LastSeenAt)).Exec(ctx)
		return s.dialect.translate(err)
	}
	clusters, err := encoded(append([]string{}, plains(agent.Clusters)...))
	if err != nil {
		return err
	}
	row := agentRow{
		Orchestrator: plain(agent.Orchestrator), OwnerID: plain(agent.OwnerID), Clusters: clusters,
		LastSeenAt: micros(agent.LastSeenAt), Protocol: agent.Protocol,
	}
	q := s.write.NewInsert().Model(&row).On("CONFLICT (owner_id) DO UPDATE").
		Set("orchestrator = EXCLUDED.orchestrator").
		Set("last_seen_at = CASE WHEN EXCLUDED.last_seen_at > agent.last_seen_at THEN EXCLUDED.last_seen_at ELSE agent.last_seen_at END").
		Set("protocol = EXCLUDED.protocol")
	if agent.Clusters != nil {
		q = q.Set("clusters = EXCLUDED.clusters")
	}
	_, err = q.Exec(ctx)
	return s.dialect.translate(err)
}

// Agents gives a page of agents, by orchestrator and owner id. INVALID for a cursor of another list.
func (s *Store) Agents(ctx context.Context, page jobmanager.PageRequest) (*jobmanager.AgentConnection, error) {
	after, err := readAgentPlace(page.After)
	if err != nil {
		return nil, err
	}
	var list *jobmanager.AgentConnection
	err = s.snapshot(ctx, func(ctx context.Context, v *view) error {
		var rows []agentRow
		q := v.tx.NewSelect().Model(&rows).Order("agent.orchestrator", "agent.owner_id").Limit(int64(page.First) + 1)
		if page.After != "" {
			q = q.Where("(agent.orchestrator, agent.owner_id) > (?, ?)", plain(after[0]), plain(after[1]))
		}
		if err := q.Scan(ctx); err != nil {
			return err
		}
		agents := make([]*jobmanager.Agent, len(rows))
		for i := range rows {
			if agents[i], err = rows[i].agent(); err != nil {
				return err
			}
		}
		list = jobmanager.NewConnection(agents, page, agentPlace)
		list.Revision = v.cursor()
		return nil
	})
	return list, err
}

// agentPlace is the cursor of an agent: its key as a JSON list, for both parts may hold any character.
func agentPlace(a *jobmanager.Agent) string {
	key, _ := json.Marshal([2]string{a.Orchestrator, string(a.OwnerID)}) // strings cannot fail
	return base64.RawURLEncoding.EncodeToString(key)
}

func readAgentPlace(cursor string) (key [2]string, err error) {
	if cursor == "" {
		return key, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err == nil {
		err = json.Unmarshal(text, &key)
	}
	if err != nil {
		return key, jobmanager.Wrap(jobmanager.CodeInvalid, err, "after is not a cursor of this list: send back one that the list gave, or none")
	}
	return key, nil
}
