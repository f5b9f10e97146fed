package store

import (
	"context"
	"encoding/base64"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// agentRow is an agent as it was last heard of.
type agentRow struct {
	bun.BaseModel `bun:"table:agents,alias:agent"`

	Orchestrator string             `bun:"orchestrator"`
	OwnerID      jobmanager.OwnerID `bun:"owner_id,pk"`
	// Clusters that it names, and those that an admin set.
	Clusters     jsonText  `bun:"clusters,type:jsonb"`
	SetClusters  jsonText  `bun:"set_clusters,type:jsonb"`
	LastSeenAt   time.Time `bun:"last_seen_at,type:timestamptz"`
	Protocol     string    `bun:"protocol"`
	Lapses       int64     `bun:"lapses"`
	MarkedSilent bool      `bun:"marked_silent"`
}

// noClusters is how an agent without any stands in the table.
const noClusters jsonText = "[]"

// agentColumns are what a statement gives back of an agent.
const agentColumns = "orchestrator, owner_id, clusters, set_clusters, last_seen_at, protocol, lapses"

// agent serves what it names, else what was set for it.
func (row *agentRow) agent() (*jobmanager.Agent, error) {
	a := &jobmanager.Agent{
		OwnerID: row.OwnerID, Orchestrator: row.Orchestrator, LastSeenAt: row.LastSeenAt.UTC(),
		Protocol: row.Protocol, Lapses: int(row.Lapses),
	}
	if err := row.Clusters.decode(&a.Clusters); err != nil || len(a.Clusters) > 0 {
		return a, err
	}
	return a, row.SetClusters.decode(&a.Clusters)
}

func agentsOf(rows []agentRow) ([]*jobmanager.Agent, error) {
	agents := make([]*jobmanager.Agent, len(rows))
	for i := range rows {
		agent, err := rows[i].agent()
		if err != nil {
			return nil, err
		}
		agents[i] = agent
	}
	return agents, nil
}

// SeeAgent notes that an agent was heard of, and gives it; see jobmanager.Writer. It takes no revision. A time
// that is not set is now; an older one than is known is not taken.
func (s *Store) SeeAgent(ctx context.Context, sighting jobmanager.Sighting) (*jobmanager.Agent, error) {
	row, err := s.seenRow(sighting.Agent)
	if err != nil {
		return nil, err
	}
	var rows []agentRow
	if row.Orchestrator == "" {
		err = setSeen(s.write.NewUpdate().Model((*agentRow)(nil)), sighting, row).
			Where("agent.owner_id = ?", row.OwnerID).Returning(agentColumns).Scan(ctx, &rows)
	} else {
		err = setSeen(s.write.NewInsert().Model(&row).On("CONFLICT (owner_id) DO UPDATE"), sighting, row).
			Set("orchestrator = EXCLUDED.orchestrator").Returning(agentColumns).Scan(ctx, &rows)
	}
	if err := ignoreNoRows(err); err != nil || len(rows) == 0 {
		return nil, s.dialect.translate(err)
	}
	agent, err := rows[0].agent()
	if err != nil || len(agent.Clusters) > 0 {
		return agent, err
	}
	agent.Others, err = s.others(ctx, agent, sighting.Present)
	return agent, s.dialect.translate(err)
}

func (s *Store) seenRow(agent jobmanager.Agent) (agentRow, error) {
	clusters, err := encoded(append([]string{}, plains(agent.Clusters)...))
	row := agentRow{
		Orchestrator: plain(agent.Orchestrator), OwnerID: plain(agent.OwnerID), Clusters: clusters, SetClusters: noClusters,
		LastSeenAt: micros(agent.LastSeenAt), Protocol: plain(agent.Protocol),
	}
	if agent.LastSeenAt.IsZero() {
		row.LastSeenAt = s.clock.Now()
	}
	return row, err
}

// setSeen writes into a row of an agent that it was heard of: the same for an INSERT's conflict and an UPDATE.
func setSeen[Q interface {
	Set(query string, args ...any) Q
}](q Q, sighting jobmanager.Sighting, row agentRow) Q {
	q = q.Set("last_seen_at = CASE WHEN agent.last_seen_at < ? THEN ? ELSE agent.last_seen_at END", row.LastSeenAt, row.LastSeenAt).
		Set("protocol = ?", row.Protocol).Set("marked_silent = ?", false)
	if sighting.Agent.Clusters != nil {
		q = q.Set("clusters = ?", row.Clusters)
	}
	return q
}

// others are the clusters that present agents of the same orchestrator serve: what one names, or what was set for
// it; of one that has neither, what it has finished work on, unless this agent has as well. It takes three
// statements, however many agents there are.
func (s *Store) others(ctx context.Context, agent *jobmanager.Agent, present time.Time) ([]string, error) {
	const most = 1000 // it is a hint: the claim decides
	present, err := s.lessAbsence(ctx, present)
	if err != nil {
		return nil, err
	}
	there := func() *bun.SelectQuery {
		return s.read.NewSelect().Model((*agentRow)(nil)).Where("agent.orchestrator = ?", agent.Orchestrator).
			Where("agent.last_seen_at >= ?", present).Where("agent.owner_id <> ?", agent.OwnerID)
	}
	var rows []agentRow
	err = there().Column("clusters", "set_clusters").
		Where("(agent.clusters <> ? OR agent.set_clusters <> ?)", noClusters, noClusters).
		Order("agent.owner_id").Limit(most).Scan(ctx, &rows)
	if err != nil {
		return nil, err
	}
	serving, err := agentsOf(rows)
	if err != nil {
		return nil, err
	}
	var others []string
	unbound := there().Column("owner_id").Where("agent.clusters = ? AND agent.set_clusters = ?", noClusters, noClusters)
	worked := func() *bun.SelectQuery { return s.read.NewSelect().Model((*agentClusterRow)(nil)) }
	err = worked().ColumnExpr("DISTINCT agent_cluster.cluster").Where("agent_cluster.owner_id IN (?)", unbound).
		Where("agent_cluster.cluster NOT IN (?)", worked().Column("cluster").Where("agent_cluster.owner_id = ?", agent.OwnerID)).
		Order("agent_cluster.cluster").Limit(most).Scan(ctx, &others)
	for _, other := range serving {
		others = append(others, other.Clusters...)
	}
	slices.Sort(others)
	return slices.Compact(others), err
}

// SetAgent keeps the clusters that an admin set for an agent, and gives the agent; see jobmanager.Writer. One that
// was never heard of has a LastSeenAt of zero.
func (s *Store) SetAgent(ctx context.Context, agent jobmanager.Agent) (*jobmanager.Agent, error) {
	clusters, err := encoded(append([]string{}, plains(agent.Clusters)...))
	if err != nil {
		return nil, err
	}
	row := agentRow{
		Orchestrator: plain(agent.Orchestrator), OwnerID: plain(agent.OwnerID), Clusters: noClusters, SetClusters: clusters,
		MarkedSilent: true, // nothing of it can be marked
	}
	var rows []agentRow
	if row.Orchestrator == "" {
		err = s.write.NewUpdate().Model((*agentRow)(nil)).Set("set_clusters = ?", clusters).
			Where("agent.owner_id = ?", row.OwnerID).Returning(agentColumns).Scan(ctx, &rows)
	} else {
		err = s.write.NewInsert().Model(&row).On("CONFLICT (owner_id) DO UPDATE").
			Set("set_clusters = EXCLUDED.set_clusters").Returning(agentColumns).Scan(ctx, &rows)
	}
	if err := ignoreNoRows(err); err != nil {
		return nil, s.dialect.translate(err)
	}
	if len(rows) == 0 {
		return nil, jobmanager.Errorf(jobmanager.CodeNotFound,
			"there is no agent %q: name its orchestrator to set its clusters before it was ever heard of", row.OwnerID)
	}
	return rows[0].agent()
}

// SilentAgents lists agents whose resources are to be marked, the longest silent first; see jobmanager.Reader.
func (s *Store) SilentAgents(ctx context.Context, since time.Time, limit int) ([]*jobmanager.Agent, error) {
	since, err := s.lessAbsence(ctx, since)
	if err != nil {
		return nil, s.dialect.translate(err)
	}
	var rows []agentRow
	err = s.read.NewSelect().Model(&rows).Where("NOT agent.marked_silent").
		Where("agent.last_seen_at <= ?", since).Order("agent.last_seen_at", "agent.owner_id").
		Limit(int64(limit)).Scan(ctx)
	if err != nil {
		return nil, s.dialect.translate(err)
	}
	return agentsOf(rows)
}

// MarkSilent notes that the resources of an agent were marked; see jobmanager.Writer. An agent that was heard of
// since seenAt, or that is not known, is left alone.
func (s *Store) MarkSilent(ctx context.Context, owner jobmanager.OwnerID, seenAt time.Time) error {
	_, err := s.write.NewUpdate().Model((*agentRow)(nil)).Set("marked_silent = ?", true).
		Where("agent.owner_id = ?", plain(owner)).Where("agent.last_seen_at <= ?", micros(seenAt)).Exec(ctx)
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
		err := among(v.tx.NewSelect().Model(&rows), "agent.owner_id", query.OwnerIDs).
			Where("agent.owner_id > ?", after).Order("agent.owner_id").Limit(int64(page.First) + 1).Scan(ctx)
		if err != nil {
			return err
		}
		agents, err := agentsOf(rows)
		if err != nil {
			return err
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
	jobs, err := jobsOf(rows)
	if err != nil {
		return err
	}
	owned := map[jobmanager.OwnerID][]*jobmanager.Job{}
	for _, job := range jobs {
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

// loadPresence tells for each job when its owner, and any agent of its orchestrator, was last heard of, and at which
// door its owner was.
func (v *view) loadPresence(ctx context.Context, jobs []*jobmanager.Job) error {
	orchestrators, owners := map[jobmanager.Text]bool{}, map[jobmanager.OwnerID]bool{}
	for _, job := range jobs {
		orchestrators[job.Orchestrator], owners[job.Owner] = true, true
	}
	agents := func() *bun.SelectQuery { return v.tx.NewSelect().Model((*agentRow)(nil)) }
	newest := agents().Column("orchestrator").ColumnExpr("'' AS owner_id").ColumnExpr("max(agent.last_seen_at) AS last_seen_at").
		ColumnExpr("'' AS protocol").
		Where("agent.orchestrator IN (?)", bun.List(slices.Collect(maps.Keys(orchestrators)))).Group("orchestrator")
	one := agents().ColumnExpr("'' AS orchestrator").Column("owner_id", "last_seen_at", "protocol").
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
			Owner:         byOwner[job.Owner].LastSeenAt.UTC(),
			Orchestrator:  byOrchestrator[string(job.Orchestrator)].LastSeenAt.UTC(),
			OwnerProtocol: byOwner[job.Owner].Protocol,
		}
	}
	return nil
}
