package service

import (
	"context"
	"sync"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// batch is how many jobs one round of a duty takes on.
const batch = 200

// Run does what the server does by itself until ctx ends: it writes down leases that ran out, wakes the
// agents' subscriptions when time alone has made jobs executable, and asks again for targets. Every replica may
// run it: each change is guarded by the store.
func (s *Service) Run(ctx context.Context) error {
	head, err := s.Store.Head(ctx)
	if err != nil {
		return err
	}
	_, revision, err := head.Parse()
	if err != nil {
		return err
	}
	// The Matchmaker may take its time; leases do not wait for it.
	matchDue := make(chan struct{}, 1)
	var matching sync.WaitGroup
	matching.Go(func() { s.rematchWhen(ctx, matchDue) })
	defer matching.Wait()

	since := s.Clock.Now()
	for ctx.Err() == nil {
		next, err := s.Store.NextChance(ctx, since)
		s.tried(ctx, "look for what is due", err)
		now := s.Clock.Now()
		if err == nil && !next.IsZero() && !next.After(now) && s.perform(ctx, matchDue) {
			since = now // all that was due by then is done or on its way
			s.chance.ring()
			continue
		}
		idle, stop := context.WithCancel(ctx)
		select {
		case <-ctx.Done():
		case <-s.Log.Changed(revision):
			revision = s.skip(ctx, revision)
		case <-s.Clock.After(idle, s.untilNext(next, now)):
			s.perform(ctx, matchDue)
		}
		stop()
	}
	return nil
}

// perform does what is due and says whether it could be done.
func (s *Service) perform(ctx context.Context, matchDue chan<- struct{}) bool {
	select {
	case matchDue <- struct{}{}:
	default: // it is asked already
	}
	err := s.expire(ctx)
	s.tried(ctx, "expire leases", err)
	return err == nil
}

// rematchWhen asks for targets each time it is told to.
func (s *Service) rematchWhen(ctx context.Context, due <-chan struct{}) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-due:
			s.tried(ctx, "match jobs again", s.rematch(ctx))
		}
	}
}

// tried logs a duty that failed; it is tried again at the next round.
func (s *Service) tried(ctx context.Context, duty string, err error) {
	if err != nil && ctx.Err() == nil {
		s.Logger.ErrorContext(ctx, "could not "+duty, "error", err)
	}
}

// untilNext is how long to wait: to the moment when something is due, at most the slow poll, which is also
// what a duty waits that failed.
func (s *Service) untilNext(next, now time.Time) time.Duration {
	if !next.After(now) { // also when nothing is due ever
		return s.Pace.Poll
	}
	return min(next.Sub(now), s.Pace.Poll)
}

// skip reads the log up to its present end; what was read in vain is no loss, the duties look at the tables.
func (s *Service) skip(ctx context.Context, revision jobmanager.Revision) jobmanager.Revision {
	for {
		events, err := s.Log.Read(ctx, revision)
		if err != nil || len(events) == 0 {
			s.tried(ctx, "read the log", err)
			return revision
		}
		revision = events[len(events)-1].Revision
	}
}

// expire writes down every lease that ran out.
func (s *Service) expire(ctx context.Context) error {
	for {
		which := by(jobmanager.System(), jobmanager.Which{LeaseOver: true, Limit: batch})
		jobs, err := s.Store.UpdateJobs(ctx, which, expireRule(s.LifeCycle))
		if err != nil || len(jobs) < batch {
			return err
		}
	}
}

// rematch asks for targets for the jobs that wait for one and are due, one call of the Matchmaker for each
// group, with the service's own token (none, until the server has one of its own). A Matchmaker that is down
// ends the round: the other groups are due at the next one.
func (s *Service) rematch(ctx context.Context) error {
	groups, err := s.Store.Unmatched(ctx, batch)
	if err != nil {
		return err
	}
	for _, group := range groups {
		down, err := s.rematchGroup(ctx, group)
		if err != nil || down {
			return err
		}
	}
	return nil
}

// rematchGroup asks once for the whole group and takes the answer for those of its jobs that wait. down says
// that the Matchmaker could not be asked.
func (s *Service) rematchGroup(ctx context.Context, group *jobmanager.JobGroup) (down bool, err error) {
	descriptor, _ := s.Parser.Parse(group.Descriptor) // it was accepted when the group was made
	matches, refusal := s.Matchmaker.Match(ctx, descriptor, group.Descriptor, jobmanager.Token{})
	if refusal != nil && ctx.Err() == nil {
		s.Logger.WarnContext(ctx, "no targets for a group that waits for them; trying again later", "group", group.ID, "error", refusal)
	}
	byComponent := map[string]jobmanager.Match{}
	for _, match := range matches {
		byComponent[match.Component] = match
	}
	types := map[string]string{}
	for _, component := range group.Components {
		types[component.Name] = component.Type
	}
	which := by(jobmanager.System(), jobmanager.Which{})
	for _, job := range group.Jobs {
		which.IDs = append(which.IDs, job.ID)
	}
	_, err = s.Store.UpdateJobs(ctx, which, func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
		match := byComponent[j.Component]
		if refusal != nil {
			match.Reason = jobmanager.Sentence(refusal)
		}
		return j.Rematch(match, types[j.Component], s.LifeCycle, now), nil
	})
	if jobmanager.CodeOf(err) == jobmanager.CodeNotFound {
		err = nil // deleted meanwhile
	}
	return jobmanager.CodeOf(refusal) == jobmanager.CodeUnavailable, err
}
