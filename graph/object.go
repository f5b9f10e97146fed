package graph

import (
	"context"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// Fields that were not always loaded with their object: each gives what is there, else loads it. A list looks
// ahead, so the loading happens only for single objects.

func (r jobGroupResolver) Descriptor(ctx context.Context, g *jobmanager.JobGroup) (string, error) {
	if g.Descriptor != "" {
		return g.Descriptor, nil
	}
	full, err := r.Service.JobGroup(ctx, who(ctx), g.ID, jobmanager.GroupLoad{Descriptor: true})
	if err != nil || full == nil {
		return "", err
	}
	return full.Descriptor, nil
}

func (r jobGroupResolver) Jobs(ctx context.Context, g *jobmanager.JobGroup, first *int, after *string) (*jobmanager.JobConnection, error) {
	page, err := jobmanager.NewPageRequest(first, after)
	if err != nil {
		return nil, err
	}
	if loaded := g.JobPage.Give(page); loaded != nil {
		return loaded, nil
	}
	return r.Service.Jobs(ctx, who(ctx), jobmanager.JobQuery{
		Filter: jobmanager.JobFilter{JobGroupIDs: []jobmanager.ID{g.ID}},
		Order:  jobmanager.JobOrder{Field: jobmanager.JobsByCreatedAt, Direction: jobmanager.Ascending},
		Page:   page, Load: jobLoad(selected(ctx).objects()),
	})
}

func (r jobResolver) Group(ctx context.Context, j *jobmanager.Job) (*jobmanager.JobGroup, error) {
	if j.Group != nil {
		return j.Group, nil
	}
	return r.Service.JobGroup(ctx, who(ctx), j.GroupID, groupLoad(selected(ctx)))
}

func (r jobResolver) Attempts(ctx context.Context, j *jobmanager.Job) ([]jobmanager.Attempt, error) {
	if j.Attempts != nil {
		return j.Attempts, nil
	}
	full, err := r.Service.Job(ctx, who(ctx), j.ID, jobmanager.JobLoad{Attempts: true})
	if err != nil || full == nil {
		return nil, err
	}
	return full.Attempts, nil
}

func (r jobResolver) Manifests(ctx context.Context, j *jobmanager.Job) ([]jobmanager.Manifest, error) {
	if j.Manifests != nil || j.ManifestCount == 0 {
		return j.Manifests, nil
	}
	full, err := r.Service.Job(ctx, who(ctx), j.ID, jobmanager.JobLoad{Manifests: true})
	if err != nil || full == nil {
		return nil, err
	}
	return full.Manifests, nil
}

func (r jobResolver) Waiting(ctx context.Context, j *jobmanager.Job) (*jobmanager.Waiting, error) {
	waiting := j.Waiting(r.Service.Clock.Now())
	if waiting == nil || j.Presence != nil {
		return waiting, nil
	}
	full, err := r.Service.Job(ctx, who(ctx), j.ID, jobmanager.JobLoad{Presence: true})
	if err != nil {
		return nil, err
	}
	// The job of a message is as it was then, and many share it: only the agents' presence is of now.
	seen := *j
	if full != nil {
		seen.Presence = full.Presence
	}
	return seen.Waiting(r.Service.Clock.Now()), nil
}

// Resource gives the resource with its way back to the job, which saves it a look-up.
func (r jobResolver) Resource(_ context.Context, j *jobmanager.Job) (*jobmanager.Resource, error) {
	if j.Resource == nil {
		return nil, nil
	}
	resource := *j.Resource
	resource.Job = j
	return &resource, nil
}

func (r resourceResolver) Job(ctx context.Context, resource *jobmanager.Resource) (*jobmanager.Job, error) {
	if resource.Job != nil {
		return resource.Job, nil
	}
	return r.Service.Job(ctx, who(ctx), resource.JobID, jobLoad(selected(ctx)))
}

func (r agentResolver) Jobs(ctx context.Context, agent *jobmanager.Agent, first *int, after *string) (*jobmanager.JobConnection, error) {
	page, err := jobmanager.NewPageRequest(first, after)
	if err != nil {
		return nil, err
	}
	if loaded := agent.JobPage.Give(page); loaded != nil {
		return loaded, nil
	}
	return r.Service.Jobs(ctx, who(ctx), jobmanager.JobQuery{
		Filter: jobmanager.JobFilter{OwnerIDs: []jobmanager.OwnerID{agent.OwnerID}},
		Page:   page, Load: jobLoad(selected(ctx).objects()),
	})
}

func (r remediationResolver) Job(ctx context.Context, remediation *jobmanager.Remediation) (*jobmanager.Job, error) {
	if remediation.Job != nil {
		return remediation.Job, nil
	}
	return r.Service.Job(ctx, who(ctx), remediation.JobID, jobLoad(selected(ctx)))
}
