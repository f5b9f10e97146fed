package store

import (
	"cmp"
	"context"
	"slices"

	"github.com/uptrace/bun"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// agentClusterRow is a cluster that an agent has finished work on.
type agentClusterRow struct {
	bun.BaseModel `bun:"table:agent_clusters,alias:agent_cluster"`

	OwnerID jobmanager.OwnerID `bun:"owner_id,pk"`
	Cluster string             `bun:"cluster,pk"`
}

// writeClusters notes where agents have finished work: what they serve where they name no clusters. The rows are
// ordered, so that two transactions that meet here do not wait for each other.
func (w *writing) writeClusters(ctx context.Context) error {
	var rows []agentClusterRow
	for i := range w.events {
		event := &w.events[i]
		job := event.Job
		if event.Type != jobmanager.JobFinished || job == nil || job.Type == jobmanager.DeleteDeployment || job.Owner == "" || job.Target == nil {
			continue
		}
		rows = append(rows, agentClusterRow{OwnerID: plain(job.Owner), Cluster: plain(job.Target.Cluster)})
	}
	if len(rows) == 0 {
		return nil
	}
	slices.SortFunc(rows, func(a, b agentClusterRow) int {
		return cmp.Or(cmp.Compare(a.OwnerID, b.OwnerID), cmp.Compare(a.Cluster, b.Cluster))
	})
	_, err := w.tx.NewInsert().Model(new(slices.Compact(rows))).On("CONFLICT DO NOTHING").Exec(ctx)
	return err
}
