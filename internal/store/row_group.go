package store

import (
	"cmp"
	"time"

	"github.com/uptrace/bun"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// groupRow is a group without its jobs.
type groupRow struct {
	bun.BaseModel `bun:"table:job_groups,alias:job_group"`

	ID                jobmanager.ID     `bun:"id,pk,type:uuid"`
	Tenant            jobmanager.Tenant `bun:"tenant"`
	Name              string            `bun:"name"`
	Description       string            `bun:"description"`
	Namespace         string            `bun:"namespace"`
	Phase             jobmanager.Phase  `bun:"phase"`
	Generation        int64             `bun:"generation"`
	Descriptor        string            `bun:"descriptor"`
	Components        jsonText          `bun:"components,type:json"`
	Policies          jsonText          `bun:"policies,nullzero,type:json"`
	Requirements      jsonText          `bun:"requirements,nullzero,type:json"`
	Dependencies      jsonText          `bun:"dependencies,nullzero,type:json"`
	Topology          jsonText          `bun:"topology,nullzero,type:json"`
	DeleteWhenStopped bool              `bun:"delete_when_stopped"`
	CreatedAt         time.Time         `bun:"created_at,type:timestamptz"`
	UpdatedAt         time.Time         `bun:"updated_at,type:timestamptz"`
}

func newGroupRow(g *jobmanager.JobGroup) (groupRow, error) {
	components, err := encoded(g.Components)
	policies, policiesErr := encodedList(g.Policies)
	topology, topologyErr := encodedList(g.Topology)
	return groupRow{
		ID: g.ID, Tenant: g.Tenant, Name: plain(g.Name), Description: plain(g.Description),
		Namespace: plain(g.Namespace), Phase: g.Phase, Generation: g.Generation, Descriptor: plain(g.Descriptor),
		Components: components, Policies: policies, Requirements: jsonText(g.Requirements),
		Dependencies: jsonText(g.Dependencies), Topology: topology, DeleteWhenStopped: g.DeleteWhenStopped,
		CreatedAt: micros(g.CreatedAt), UpdatedAt: micros(g.UpdatedAt),
	}, cmp.Or(err, policiesErr, topologyErr)
}

func (row *groupRow) group() (*jobmanager.JobGroup, error) {
	g := &jobmanager.JobGroup{
		ID: row.ID, Tenant: row.Tenant, Name: row.Name, Description: row.Description, Namespace: row.Namespace,
		Phase: row.Phase, Generation: row.Generation, Descriptor: row.Descriptor,
		Requirements: row.Requirements.value(), Dependencies: row.Dependencies.value(),
		DeleteWhenStopped: row.DeleteWhenStopped, CreatedAt: row.CreatedAt.UTC(), UpdatedAt: row.UpdatedAt.UTC(),
	}
	return g, cmp.Or(row.Components.decode(&g.Components), row.Policies.decode(&g.Policies), row.Topology.decode(&g.Topology))
}

// groupsOf makes groups of rows.
func groupsOf(rows []groupRow) ([]*jobmanager.JobGroup, error) {
	groups := make([]*jobmanager.JobGroup, len(rows))
	for i := range rows {
		group, err := rows[i].group()
		if err != nil {
			return nil, err
		}
		groups[i] = group
	}
	return groups, nil
}
