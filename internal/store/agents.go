package store

import (
	"context"
	"encoding/base64"
	"maps"
	"slices"
	"strings"

	"github.com/uptrace/bun"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// SeeAgent notes that an agent was heard of; see jobmanager.Writer. It takes no revision. A time that is not
// set is now; an older one than is known is not taken.
func (s *Store) SeeAgent(ctx context.Context, agent jobmanager.Agent) error {
	clusters, err := encoded(append([]string{}, plains(agent.Clusters)...))
	if err != nil {
		return err
	}
	row := agentRow{
		Orchestrator: plain(agent.Orchestrator), OwnerID: plain(agent.OwnerID), Clusters: clusters,
		LastSeenAt: micros(agent.LastSeenAt), Protocol: plain(agent.Protocol),
	}
	if agent.LastSeenAt.IsZero() {
		row.LastSeenAt = s.clock.Now()
	}
	if agent.Orchestrator == "" {
		_, err = s.write.NewUpdate().Model((*agentRow)(nil)).
			Set("last_seen_at = CASE WHEN agent.last_seen_at < ? THEN ? ELSE agent.last_seen_at END", row.LastSeenAt, row.LastSeenAt).
			Set("protocol = ?", row.Protocol).Where("agent.owner_id = ?", row.OwnerID).Exec(ctx)
		return s.dialect.translate(err)
	}
	q := s.write.NewInsert().Model(&row).On("CONFLICT (owner_id) DO UPDATE").
		Set("last_seen_at = CASE WHEN EXCLUDED.last_seen_at > agent.last_seen_at THEN EXCLUDED.last_seen_at ELSE agent.last_seen_at END").
		Set("protocol = EXCLUDED.protocol").Set("orchestrator = EXCLUDED.orchestrator")
	if agent.Clusters != nil {
		q = q.Set("clusters = EXCLUDED.clusters")
	}
	_, err = q.Exec(ctx)
	return s.dialect.translate(err)
}

// Agents gives a page of agents, by owner id. INVALID for a cursor of another list.
func (s *Store) Agents(ctx context.Context, query jobmanager.AgentQuery) (*jobmanager.AgentConnection, error) {
	page := query.Page
	after, err := readAgentPlace(page.After)
	if err != nil {
		return nil, err
	}
	var list *jobmanager.AgentConnection
	err = s.snapshot(ctx, func(ctx context.Context, v *view) error {
		var rows []agentRow
		err := v.tx.NewSelect().Model(&rows).Where("agent.owner_id > ?", after).
			Order("agent.owner_id").Limit(int64(page.First) + 1).Scan(ctx)
		if err != nil {
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
		return v.loadAgentJobs(ctx, list.Nodes(), query)
	})
	return list, err
}

// loadAgentJobs gives agents the wanted page of the jobs that they own, newest first: one statement for all.
func (v *view) loadAgentJobs(ctx context.Context, agents []*jobmanager.Agent, query jobmanager.AgentQuery) error {
	if query.Jobs == nil || len(agents) == 0 {
		return nil
	}
	order, err := newKeyset(jobOrder(jobmanager.JobOrder{}), query.Jobs.After)
	if err != nil {
		return err
	}
	owners := make([]jobmanager.OwnerID, len(agents))
	for i, agent := range agents {
		owners[i] = agent.OwnerID
	}
	q := within(v.tx.NewSelect().Model((*jobRow)(nil)).Where("job.owner_id IN (?)", bun.List(owners)), "job", query.Scope)
	rows, err := v.firstOfEach(ctx, order, q, "job.owner_id", query.Jobs.First)
	if err != nil {
		return err
	}
	owned := map[jobmanager.OwnerID][]*jobmanager.Job{}
	for _, job := range jobsOf(rows) {
		owned[job.Owner] = append(owned[job.Owner], job)
	}
	var shown []*jobmanager.Job
	for _, agent := range agents {
		page := jobmanager.NewConnection(owned[agent.OwnerID], *query.Jobs, func(j *jobmanager.Job) string {
			return order.cursor(j.CreatedAt, j.ID)
		})
		page.Revision = v.cursor()
		agent.JobPage = &jobmanager.JobPage{Request: *query.Jobs, Connection: page}
		shown = append(shown, page.Nodes()...)
	}
	return v.load(ctx, shown, query.JobLoad)
}

// agentList marks the cursors of this list.
const agentList = "agent|"

func agentPlace(a *jobmanager.Agent) string {
	return base64.RawURLEncoding.EncodeToString([]byte(agentList + string(a.OwnerID)))
}

// readAgentPlace gives the owner id that a cursor stands at; it is empty before the first, whose id never is.
func readAgentPlace(cursor string) (string, error) {
	if cursor == "" {
		return "", nil
	}
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	owner, ours := strings.CutPrefix(string(text), agentList)
	if err != nil || !ours {
		return "", jobmanager.Errorf(jobmanager.CodeInvalid, "after is not a cursor of this list: send back one that the list gave, or none")
	}
	return plain(owner), nil
}

// loadPresence tells for each job when its owner, and any agent of its orchestrator, was last heard of.
func (v *view) loadPresence(ctx context.Context, jobs []*jobmanager.Job) error {
	orchestrators, owners := map[jobmanager.Text]bool{}, map[jobmanager.OwnerID]bool{}
	for _, job := range jobs {
		orchestrators[job.Orchestrator], owners[job.Owner] = true, true
	}
	agents := func() *bun.SelectQuery { return v.tx.NewSelect().Model((*agentRow)(nil)) }
	newest := agents().Column("orchestrator").ColumnExpr("'' AS owner_id").ColumnExpr("max(agent.last_seen_at) AS last_seen_at").
		Where("agent.orchestrator IN (?)", bun.List(slices.Collect(maps.Keys(orchestrators)))).Group("orchestrator")
	one := agents().ColumnExpr("'' AS orchestrator").Column("owner_id", "last_seen_at").
		Where("agent.owner_id IN (?)", bun.List(slices.Collect(maps.Keys(owners))))
	var rows []agentRow
	if err := v.tx.NewSelect().TableExpr("(?) AS seen", newest.UnionAll(one)).Scan(ctx, &rows); err != nil {
		return err
	}
	byOrchestrator, byOwner := map[string]agentRow{}, map[jobmanager.OwnerID]agentRow{}
	for _, row := range rows {
		if row.OwnerID == "" {
			byOrchestrator[row.Orchestrator] = row
			continue
		}
		byOwner[row.OwnerID] = row
	}
	for _, job := range jobs {
		job.Presence = &jobmanager.Presence{
			Owner:        byOwner[job.Owner].LastSeenAt.UTC(),
			Orchestrator: byOrchestrator[string(job.Orchestrator)].LastSeenAt.UTC(),
		}
	}
	return nil
}
