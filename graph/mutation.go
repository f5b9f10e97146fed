package graph

import (
	"context"

	"github.com/icos-jobmanager/jobmanager/internal/service"
)

func (r mutationResolver) CreateJobGroup(ctx context.Context, input service.CreateJobGroupInput) (*service.CreateJobGroupPayload, error) {
	return r.Service.CreateJobGroup(ctx, who(ctx), input)
}

func (r mutationResolver) StopJobGroup(ctx context.Context, input service.StopJobGroupInput) (*service.StopJobGroupPayload, error) {
	return r.Service.StopJobGroup(ctx, who(ctx), input)
}

func (r mutationResolver) DeleteJobGroup(ctx context.Context, input service.DeleteJobGroupInput) (*service.DeleteJobGroupPayload, error) {
	return r.Service.DeleteJobGroup(ctx, who(ctx), input)
}

func (r mutationResolver) ClaimJob(ctx context.Context, input service.ClaimJobInput) (*service.ClaimJobPayload, error) {
	return r.Service.ClaimJob(ctx, who(ctx), input, jobLoad(selected(ctx).into("job")))
}

func (r mutationResolver) ClaimJobs(ctx context.Context, input service.ClaimJobsInput) (*service.ClaimJobsPayload, error) {
	return r.Service.ClaimJobs(ctx, who(ctx), input, jobLoad(selected(ctx).into("jobs")))
}

func (r mutationResolver) RenewLeases(ctx context.Context, input service.RenewLeasesInput) (*service.RenewLeasesPayload, error) {
	return r.Service.RenewLeases(ctx, who(ctx), input)
}

func (r mutationResolver) ReleaseJob(ctx context.Context, input service.ReleaseJobInput) (*service.ReleaseJobPayload, error) {
	return r.Service.ReleaseJob(ctx, who(ctx), input)
}

func (r mutationResolver) FinishJob(ctx context.Context, input service.FinishJobInput) (*service.FinishJobPayload, error) {
	return r.Service.FinishJob(ctx, who(ctx), input)
}

func (r mutationResolver) FailJob(ctx context.Context, input service.FailJobInput) (*service.FailJobPayload, error) {
	return r.Service.FailJob(ctx, who(ctx), input)
}

func (r mutationResolver) ReportResource(ctx context.Context, input service.ReportResourceInput) (*service.ReportResourcePayload, error) {
	return r.Service.ReportResource(ctx, who(ctx), input)
}

func (r mutationResolver) UpdateJobGroup(ctx context.Context, input service.UpdateJobGroupInput) (*service.UpdateJobGroupPayload, error) {
	return r.Service.UpdateJobGroup(ctx, who(ctx), input)
}

func (r mutationResolver) StartJobGroup(ctx context.Context, input service.StartJobGroupInput) (*service.StartJobGroupPayload, error) {
	return r.Service.StartJobGroup(ctx, who(ctx), input)
}

func (r mutationResolver) RetryJob(ctx context.Context, input service.RetryJobInput) (*service.RetryJobPayload, error) {
	return r.Service.RetryJob(ctx, who(ctx), input)
}

func (r mutationResolver) DeleteJob(ctx context.Context, input service.DeleteJobInput) (*service.DeleteJobPayload, error) {
	return r.Service.DeleteJob(ctx, who(ctx), input)
}

func (r mutationResolver) ReassignJobs(ctx context.Context, input service.ReassignJobsInput) (*service.ReassignJobsPayload, error) {
	return r.Service.ReassignJobs(ctx, who(ctx), input)
}

func (r mutationResolver) AdoptResource(ctx context.Context, input service.AdoptResourceInput) (*service.AdoptResourcePayload, error) {
	return r.Service.AdoptResource(ctx, who(ctx), input)
}

func (r mutationResolver) AbandonJob(ctx context.Context, input service.AbandonJobInput) (*service.AbandonJobPayload, error) {
	return r.Service.AbandonJob(ctx, who(ctx), input)
}

func (r mutationResolver) SetAgent(ctx context.Context, input service.SetAgentInput) (*service.SetAgentPayload, error) {
	return r.Service.SetAgent(ctx, who(ctx), input)
}

func (r mutationResolver) ReportIncompliance(ctx context.Context, input service.ReportIncomplianceInput) (*service.ReportIncompliancePayload, error) {
	return r.Service.ReportIncompliance(ctx, who(ctx), input)
}
