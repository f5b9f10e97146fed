package service

import (
	"context"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// StopJobGroupInput is an application to stop.
type StopJobGroupInput struct {
	JobGroupID      jobmanager.ID
	ExpectedVersion *int64
	IdempotencyKey  jobmanager.Text
}

// StopJobGroupPayload is the application after the stop.
type StopJobGroupPayload struct {
	JobGroup *jobmanager.JobGroup
}

// StopJobGroup undeploys an application; a stopped one stays as it is. Integrators may. NOT_FOUND,
// VERSION_CONFLICT.
func (s *Service) StopJobGroup(ctx context.Context, p jobmanager.Principal, input StopJobGroupInput) (*StopJobGroupPayload, error) {
	if err := p.Need(jobmanager.RoleIntegrator); err != nil {
		return nil, err
	}
	request, err := idempotency(p, "stopJobGroup", string(input.IdempotencyKey), input)
	if err != nil {
		return nil, err
	}
	group, err := s.once(ctx, p, request, func() (*jobmanager.JobGroup, error) {
		return s.change(ctx, p, input.JobGroupID, request, stopRule(input.ExpectedVersion))
	})
	return &StopJobGroupPayload{group}, err
}

// change runs a person's rule on one application, under the name of its request.
func (s *Service) change(ctx context.Context, p jobmanager.Principal, id jobmanager.ID, request jobmanager.Idempotency, rule jobmanager.GroupRule) (*jobmanager.JobGroup, error) {
	request.Result = id
	return s.Store.ChangeGroup(ctx, p.Scope(), id, jobmanager.GroupChange{Actor: p.Name, Request: request, Rule: rule})
}

// once does what a request asks, unless an earlier one with the same key did it, also one that overtook this: then
// the group is given as it is.
func (s *Service) once(ctx context.Context, p jobmanager.Principal, request jobmanager.Idempotency, do func() (*jobmanager.JobGroup, error)) (*jobmanager.JobGroup, error) {
	if group, err := s.earlier(ctx, p, request); err != nil || group != nil {
		return group, err
	}
	group, err := do()
	if overtaken(request, err) {
		if done, again := s.earlier(ctx, p, request); done != nil || again != nil {
			return done, again
		}
	}
	return group, err
}

// DeleteJobGroupInput is an application to delete.
type DeleteJobGroupInput struct {
	JobGroupID      jobmanager.ID
	StopFirst       *bool
	ExpectedVersion *int64
	IdempotencyKey  jobmanager.Text
}

// DeleteJobGroupPayload is a deleted application.
type DeleteJobGroupPayload struct {
	JobGroupID jobmanager.ID
	Deleted    bool
	JobGroup   *jobmanager.JobGroup
}

// DeleteJobGroup removes an application of which nothing stands; with StopFirst it is stopped, and removed
// when the last Delete has finished. Integrators may. NOT_FOUND, VERSION_CONFLICT, GROUP_NOT_STOPPED.
func (s *Service) DeleteJobGroup(ctx context.Context, p jobmanager.Principal, input DeleteJobGroupInput) (*DeleteJobGroupPayload, error) {
	if err := p.Need(jobmanager.RoleIntegrator); err != nil {
		return nil, err
	}
	request, err := idempotency(p, "deleteJobGroup", string(input.IdempotencyKey), input)
	if err != nil {
		return nil, err
	}
	if done, err := s.deletedEarlier(ctx, p, request); err != nil || done != nil {
		return done, err
	}
	request.Result = input.JobGroupID
	stopFirst := input.StopFirst != nil && *input.StopFirst
	group, err := s.Store.ChangeGroup(ctx, p.Scope(), input.JobGroupID, jobmanager.GroupChange{
		Actor: p.Name, Request: request, Rule: deleteRule(input.ExpectedVersion, stopFirst),
	})
	if overtaken(request, err) {
		if done, again := s.deletedEarlier(ctx, p, request); done != nil || again != nil {
			return done, again
		}
	}
	if err != nil {
		return nil, err
	}
	return &DeleteJobGroupPayload{JobGroupID: group.ID, Deleted: group.Deleted, JobGroup: group}, nil
}

// deletedEarlier answers a retried deletion; nil when this is the first call with its key.
func (s *Service) deletedEarlier(ctx context.Context, p jobmanager.Principal, request jobmanager.Idempotency) (*DeleteJobGroupPayload, error) {
	if request.Key == "" {
		return nil, nil
	}
	id, err := s.Store.Idempotent(ctx, request)
	if err != nil || id == "" {
		return nil, err
	}
	group, err := s.Store.JobGroup(ctx, p.Scope(), id, jobmanager.GroupLoad{})
	if jobmanager.CodeOf(err) == jobmanager.CodeNotFound {
		return &DeleteJobGroupPayload{JobGroupID: id, Deleted: true}, nil
	}
	return &DeleteJobGroupPayload{JobGroupID: id, JobGroup: group}, err
}
