package service

import (
	"context"
	"errors"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// UpdateJobGroupInput is a new descriptor for an application.
type UpdateJobGroupInput struct {
	JobGroupID       jobmanager.ID
	Descriptor       string
	OnMatchmakerDown *OnMatchmakerDown
	DryRun           *bool
	ExpectedVersion  *int64
	IdempotencyKey   jobmanager.Text
}

// UpdateJobGroupPayload is what became of it.
type UpdateJobGroupPayload struct {
	JobGroup *jobmanager.JobGroup
	Findings []jobmanager.Finding
}

// StartJobGroupInput is an application to start.
type StartJobGroupInput struct {
	JobGroupID       jobmanager.ID
	OnMatchmakerDown *OnMatchmakerDown
	ExpectedVersion  *int64
	IdempotencyKey   jobmanager.Text
}

// StartJobGroupPayload is the application after the start.
type StartJobGroupPayload struct {
	JobGroup *jobmanager.JobGroup
}

// UpdateJobGroup gives an application a new descriptor. The Matchmaker is asked, before anything changes, where a
// component was added or may have to move. Integrators may. Errors as CreateJobGroup and
// jobmanager.JobGroup.Update; NOT_FOUND, VERSION_CONFLICT.
func (s *Service) UpdateJobGroup(ctx context.Context, p jobmanager.Principal, input UpdateJobGroupInput) (*UpdateJobGroupPayload, error) {
	if err := p.Need(jobmanager.RoleIntegrator); err != nil {
		return nil, err
	}
	descriptor, findings := s.Parser.Parse(input.Descriptor)
	payload := &UpdateJobGroupPayload{Findings: findings}
	dry, refusals := input.DryRun != nil && *input.DryRun, jobmanager.Refusals(findings)
	switch {
	case dry && len(refusals) > 0:
		return payload, nil
	case dry:
		return payload, s.rehearse(ctx, p, input, descriptor)
	case len(refusals) > 0:
		return nil, refusal(refusals[0], findings)
	}
	request, err := idempotency(p, "updateJobGroup", string(input.IdempotencyKey), input)
	if err != nil {
		return nil, err
	}
	payload.JobGroup, err = s.once(ctx, p, request, func() (*jobmanager.JobGroup, error) {
		return s.replan(ctx, p, plan{
			group: input.JobGroupID, expected: input.ExpectedVersion, later: accepts(input.OnMatchmakerDown), request: request, replaces: true,
			submission: func(*jobmanager.JobGroup, jobmanager.Descriptor) jobmanager.Submission {
				return jobmanager.Submission{Descriptor: descriptor, Text: input.Descriptor}
			},
			asks: func(g *jobmanager.JobGroup, former jobmanager.Descriptor) bool {
				stands := g.Phase != jobmanager.PhaseStopped && g.Phase != jobmanager.PhaseStopping
				return stands && g.Name == descriptor.Name && descriptor.NeedsMatch(former)
			},
			apply: func(g *jobmanager.JobGroup, former jobmanager.Descriptor, next jobmanager.Submission, now time.Time) ([]jobmanager.Event, error) {
				return g.Update(former, next, s.LifeCycle, s.IDs, now)
			},
		})
	})
	if err != nil {
		return nil, err
	}
	return payload, nil
}

// errRehearsed takes back a change that was only tried.
var errRehearsed = errors.New("only a rehearsal")

// rehearse makes the update and takes it back: it answers what the update itself would be refused with, but for the
// Matchmaker, which is not asked.
func (s *Service) rehearse(ctx context.Context, p jobmanager.Principal, input UpdateJobGroupInput, descriptor jobmanager.Descriptor) error {
	base, err := s.Store.JobGroup(ctx, p.Scope(), input.JobGroupID, jobmanager.GroupLoad{Descriptor: true})
	if err != nil {
		return err
	}
	present, _ := s.Parser.Parse(base.Descriptor)
	_, err = s.change(ctx, p, input.JobGroupID, jobmanager.Idempotency{}, func(g *jobmanager.JobGroup, now time.Time) ([]jobmanager.Event, error) {
		if err := g.CheckVersion(input.ExpectedVersion); err != nil {
			return nil, err
		}
		next := jobmanager.Submission{Descriptor: descriptor, Text: input.Descriptor}
		if _, err := g.Update(present, next, s.LifeCycle, s.IDs, now); err != nil {
			return nil, err
		}
		return nil, errRehearsed
	})
	if errors.Is(err, errRehearsed) {
		return nil
	}
	return err
}

// StartJobGroup brings a stopped application up again, as its descriptor is by now; a running one stays as it is.
// Integrators may. NOT_FOUND, VERSION_CONFLICT, GROUP_NOT_STOPPED; UNAVAILABLE when the Matchmaker is down and
// the caller wants that to fail.
func (s *Service) StartJobGroup(ctx context.Context, p jobmanager.Principal, input StartJobGroupInput) (*StartJobGroupPayload, error) {
	if err := p.Need(jobmanager.RoleIntegrator); err != nil {
		return nil, err
	}
	request, err := idempotency(p, "startJobGroup", string(input.IdempotencyKey), input)
	if err != nil {
		return nil, err
	}
	group, err := s.once(ctx, p, request, func() (*jobmanager.JobGroup, error) {
		return s.replan(ctx, p, plan{
			group: input.JobGroupID, expected: input.ExpectedVersion, later: accepts(input.OnMatchmakerDown), request: request,
			submission: func(g *jobmanager.JobGroup, present jobmanager.Descriptor) jobmanager.Submission {
				return jobmanager.Submission{Descriptor: present, Text: g.Descriptor}
			},
			asks: func(g *jobmanager.JobGroup, _ jobmanager.Descriptor) bool {
				return g.Phase == jobmanager.PhaseStopped && !g.DeleteWhenStopped
			},
			apply: func(g *jobmanager.JobGroup, _ jobmanager.Descriptor, next jobmanager.Submission, now time.Time) ([]jobmanager.Event, error) {
				return g.Start(next, s.LifeCycle, s.IDs, now)
			},
		})
	})
	return &StartJobGroupPayload{group}, err
}

// plan is a change of an application that needs the Matchmaker's answer, which no transaction may wait for.
type plan struct {
	group    jobmanager.ID
	expected *int64
	// replaces says that the present text is given up, so that it may be one that is refused by now.
	replaces bool
	// later lets components be matched later when the Matchmaker is down.
	later   bool
	request jobmanager.Idempotency
	// submission is what the group is to be, given the group and what its present text says.
	submission func(*jobmanager.JobGroup, jobmanager.Descriptor) jobmanager.Submission
	// asks says whether the Matchmaker is needed.
	asks func(*jobmanager.JobGroup, jobmanager.Descriptor) bool
	// apply makes the change, on the group as the plan was made for.
	apply func(*jobmanager.JobGroup, jobmanager.Descriptor, jobmanager.Submission, time.Time) ([]jobmanager.Event, error)
}

// errMoved says that the application changed after the plan was made.
var errMoved = jobmanager.Errorf(jobmanager.CodeConflict, "others kept changing the application: read it again and retry")

// refusedByNow says that a descriptor that was accepted once cannot be used any more, for the server's limits or its
// parser changed since.
func refusedByNow(g *jobmanager.JobGroup, first jobmanager.Finding) error {
	return jobmanager.Errorf(jobmanager.CodeWrongState,
		"the descriptor of group %s, accepted once, is refused by now: %s; stop the group and update its descriptor", g.ID, first.Message)
}

// mostPlans bounds how often a plan is made anew.
const mostPlans = 5

// replan reads the application, asks the Matchmaker, and applies the change unless the application changed in
// between: then the plan is made anew.
func (s *Service) replan(ctx context.Context, p jobmanager.Principal, change plan) (*jobmanager.JobGroup, error) {
	for range mostPlans {
		group, err := s.tryPlan(ctx, p, change)
		if !errors.Is(err, errMoved) {
			return group, err
		}
	}
	return nil, errMoved
}

func (s *Service) tryPlan(ctx context.Context, p jobmanager.Principal, change plan) (*jobmanager.JobGroup, error) {
	base, err := s.Store.JobGroup(ctx, p.Scope(), change.group, jobmanager.GroupLoad{Descriptor: true})
	if err != nil {
		return nil, err
	}
	if err := base.CheckVersion(change.expected); err != nil {
		return nil, err
	}
	present, findings := s.Parser.Parse(base.Descriptor)
	refusals := jobmanager.Refusals(findings)
	if len(refusals) > 0 && (!change.replaces || base.Phase != jobmanager.PhaseStopped) {
		return nil, refusedByNow(base, refusals[0])
	}
	submission := change.submission(base, present)
	if change.asks(base, present) {
		if err := s.match(ctx, p, &submission, change.later); err != nil {
			return nil, err
		}
	}
	return s.change(ctx, p, change.group, change.request, func(g *jobmanager.JobGroup, now time.Time) ([]jobmanager.Event, error) {
		if g.Generation != base.Generation || g.Phase == jobmanager.PhaseStopped != (base.Phase == jobmanager.PhaseStopped) {
			return nil, errMoved
		}
		return change.apply(g, present, submission, now)
	})
}
