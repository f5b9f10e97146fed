package graph

import (
	"context"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/service"
)

func (r queryResolver) Node(ctx context.Context, id jobmanager.ID) (jobmanager.Node, error) {
	nodes, err := r.Service.Nodes(ctx, who(ctx), []jobmanager.ID{id}, groupLoad(selected(ctx)), jobLoad(selected(ctx)))
	if err != nil {
		return nil, err
	}
	return nodes[0], nil
}

func (r queryResolver) Nodes(ctx context.Context, ids []jobmanager.ID) ([]jobmanager.Node, error) {
	return r.Service.Nodes(ctx, who(ctx), ids, groupLoad(selected(ctx)), jobLoad(selected(ctx)))
}

func (r queryResolver) JobGroup(ctx context.Context, id jobmanager.ID) (*jobmanager.JobGroup, error) {
	return r.Service.JobGroup(ctx, who(ctx), id, groupLoad(selected(ctx)))
}

func (r queryResolver) JobGroups(ctx context.Context, filter *jobmanager.JobGroupFilter, orderBy *jobmanager.JobGroupOrder, first *int, after *string) (*jobmanager.JobGroupConnection, error) {
	page, err := jobmanager.NewPageRequest(first, after)
	if err != nil {
		return nil, err
	}
	return r.Service.JobGroups(ctx, who(ctx), jobmanager.JobGroupQuery{
		Filter: or(filter), Order: or(orderBy), Page: page, Load: groupLoad(selected(ctx).objects()),
	})
}

func (r queryResolver) Job(ctx context.Context, id jobmanager.ID) (*jobmanager.Job, error) {
	return r.Service.Job(ctx, who(ctx), id, jobLoad(selected(ctx)))
}

func (r queryResolver) Jobs(ctx context.Context, filter *jobmanager.JobFilter, orderBy *jobmanager.JobOrder, first *int, after *string) (*jobmanager.JobConnection, error) {
	page, err := jobmanager.NewPageRequest(first, after)
	if err != nil {
		return nil, err
	}
	return r.Service.Jobs(ctx, who(ctx), jobmanager.JobQuery{
		Filter: or(filter), Order: or(orderBy), Page: page, Load: jobLoad(selected(ctx).objects()),
	})
}

func (r queryResolver) ExecutableJobs(ctx context.Context, orchestrator, ownerID string, clusters []string, first *int) (*jobmanager.JobConnection, error) {
	page, err := jobmanager.NewPageRequest(first, nil)
	if err != nil {
		return nil, err
	}
	agent := jobmanager.Agent{OwnerID: jobmanager.OwnerID(ownerID), Orchestrator: orchestrator, Clusters: clusters}
	return r.Service.ExecutableJobs(ctx, who(ctx), agent, page)
}

func (r queryResolver) Resource(ctx context.Context, id jobmanager.ID) (*jobmanager.Resource, error) {
	return r.Service.Resource(ctx, who(ctx), id)
}

func (r queryResolver) Agents(ctx context.Context, first *int, after *string) (*jobmanager.AgentConnection, error) {
	page, err := jobmanager.NewPageRequest(first, after)
	if err != nil {
		return nil, err
	}
	objects := selected(ctx).objects()
	return r.Service.Agents(ctx, who(ctx), jobmanager.AgentQuery{
		Page: page, Jobs: objects.firstPage("jobs"), JobLoad: jobLoad(objects.into("jobs").objects()),
	})
}

func (r queryResolver) Incompliances(ctx context.Context, filter *jobmanager.IncomplianceFilter, first *int, after *string) (*jobmanager.IncomplianceConnection, error) {
	page, err := jobmanager.NewPageRequest(first, after)
	if err != nil {
		return nil, err
	}
	return r.Service.Incompliances(ctx, who(ctx), jobmanager.IncomplianceQuery{
		Filter: or(filter), Page: page, Jobs: remediationJobs(selected(ctx).objects()),
	})
}

func (r queryResolver) Events(ctx context.Context, after *string, first *int, filter *jobmanager.EventFilter) (*jobmanager.EventConnection, error) {
	page, err := jobmanager.NewPageRequest(first, after)
	if err != nil {
		return nil, err
	}
	return r.Service.Events(ctx, who(ctx), jobmanager.Cursor(page.After), or(filter), page.First)
}

func (r queryResolver) ServerInfo(ctx context.Context) (*service.ServerInfo, error) {
	return r.Service.ServerInfo(ctx, who(ctx))
}
