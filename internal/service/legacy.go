package service

import (
	"context"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// What only agents need that execute what they are listed, without asking.

// HandOut lists what the agent may execute and reserves it: as good as claimed for stop, update and delete. At
// most as many jobs as the life cycle says, first those that are reserved for it already, the oldest hand-out
// last. An agent that let too many reservations lapse is listed without reserving, until it claims. Agents may.
func (s *Service) HandOut(ctx context.Context, p jobmanager.Principal, agent jobmanager.Agent, load jobmanager.JobLoad) ([]*jobmanager.Job, error) {
	agent, err := s.agentCalls(ctx, p, agent)
	if err != nil {
		return nil, err
	}
	which := by(p, string(agent.OwnerID), jobmanager.Which{ExecutableFor: &agent, HandOut: true, Limit: s.LifeCycle.MostHandedOut})
	jobs, err := s.Store.UpdateJobs(ctx, which, func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
		j.HandOut(agent, s.LifeCycle, now)
		return nil, nil
	})
	if err != nil {
		return nil, err
	}
	return jobs, s.complete(ctx, jobs, load)
}
