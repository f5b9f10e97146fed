package graph

import (
	"context"

	"github.com/icos-jobmanager/jobmanager/graph/transport"
	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/service"
)

func (r subscriptionResolver) JobExecutable(ctx context.Context, orchestrator, ownerID string, clusters []string, parallel *int) (<-chan *jobmanager.Job, error) {
	agent := jobmanager.Agent{OwnerID: jobmanager.OwnerID(ownerID), Orchestrator: orchestrator, Clusters: clusters}
	if parallel != nil && *parallel < 1 {
		return nil, jobmanager.Errorf(jobmanager.CodeInvalid, "parallel must be at least 1: it is how many jobs the agent runs at once")
	}
	return r.Service.WatchExecutable(ctx, who(ctx), agent, ends(ctx))
}

func (r subscriptionResolver) ResourceStatusChanged(ctx context.Context, filter *jobmanager.ResourceFilter, after *string) (<-chan *service.ResourceMessage, error) {
	return r.Service.WatchResources(ctx, who(ctx), or(filter), jobLoad(selected(ctx).into("job")), options(ctx, after))
}

func (r subscriptionResolver) JobChanged(ctx context.Context, filter *jobmanager.JobFilter, after *string) (<-chan *service.JobMessage, error) {
	return r.Service.WatchJobs(ctx, who(ctx), or(filter), jobLoad(selected(ctx).into("job")), options(ctx, after))
}

func (r subscriptionResolver) JobGroupChanged(ctx context.Context, filter *jobmanager.JobGroupFilter, after *string) (<-chan *service.JobGroupMessage, error) {
	return r.Service.WatchJobGroups(ctx, who(ctx), or(filter), groupLoad(selected(ctx).into("jobGroup")), options(ctx, after))
}

func (r subscriptionResolver) IncomplianceReported(ctx context.Context, filter *jobmanager.IncomplianceFilter, after *string) (<-chan *service.IncomplianceMessage, error) {
	query := jobmanager.IncomplianceQuery{Filter: or(filter), Jobs: remediationJobs(selected(ctx).into("incompliance"))}
	return r.Service.WatchIncompliances(ctx, who(ctx), query, options(ctx, after))
}

// options of a watch as the client asked for it.
func options(ctx context.Context, after *string) service.WatchOptions {
	return service.WatchOptions{After: jobmanager.Cursor(or(after)), Ended: ends(ctx)}
}

// ends makes the reason why a watch ended the error that its client gets.
func ends(ctx context.Context) func(error) {
	return func(err error) { transport.EndWithError(ctx, err) }
}
