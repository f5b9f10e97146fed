package service

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// batch is how many jobs one round of a duty takes on.
const batch = 200

// Run does what the server does by itself until ctx ends: it writes down leases that ran out, wakes the
// agents' subscriptions when time alone has made jobs executable, and asks again for targets. Every replica may
// run it: each change is guarded by the store. A database that is away delays it and does not end it.
func (s *Service) Run(ctx context.Context) error {
	// The Matchmaker may take its time; leases do not wait for it.
	matchDue := make(chan struct{}, 1)
	var matching sync.WaitGroup
	matching.Go(func() { s.rematchWhen(ctx, matchDue) })
	defer matching.Wait()
	for ctx.Err() == nil {
		if err := s.watchTime(ctx, matchDue); err != nil {
			s.tried(ctx, "look for what is due", err)
			s.pause(ctx)
		}
	}
	return nil
}

// watchTime does what is due, moment after moment, until ctx ends or the database fails.
func (s *Service) watchTime(ctx context.Context, matchDue chan<- struct{}) error {
	revision, err := s.head(ctx)
	if err != nil {
		return err
	}
	since, poll := s.Clock.Now(), s.Clock.After(ctx, s.Pace.Poll)
	s.chance.ring() // whatever became due while nobody looked
	for ctx.Err() == nil {
		next, err := s.Store.NextChance(ctx, since)
		if err != nil {
			return err
		}
		now := s.Clock.Now()
		if now.Before(since) {
			since = now // the clock was set back
			continue
		}
		if next.After(since) && !next.After(now) {
			since = now // what is due by then is done now, or somebody else does it
			if err := s.perform(ctx, matchDue); err != nil {
				return err
			}
			s.chance.ring()
			continue
		}
		soon, stop := context.WithCancel(ctx)
		select {
		case <-ctx.Done():
		case <-s.Log.Changed(revision):
			revision, err = s.skip(ctx, revision)
		case <-s.Clock.After(soon, s.untilNext(next, now)):
		case <-poll:
			poll = s.Clock.After(ctx, s.Pace.Poll)
			err = s.perform(ctx, matchDue)
		}
		stop()
		if err != nil {
			return err
		}
	}
	return nil
}

// head is the newest revision.
func (s *Service) head(ctx context.Context) (jobmanager.Revision, error) {
	cursor, err := s.Store.Head(ctx)
	if err != nil {
		return 0, err
	}
	_, revision, err := cursor.Parse()
	return revision, err
}

// pause waits for a poll's length.
func (s *Service) pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-s.Clock.After(ctx, s.Pace.Poll):
	}
}

// perform does what is due.
func (s *Service) perform(ctx context.Context, matchDue chan<- struct{}) error {
	select {
	case matchDue <- struct{}{}:
	default: // it is asked already
	}
	return s.expire(ctx)
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

// untilNext is how long to wait: to the moment when something is due, at most the slow poll. A moment that has
// passed is in other hands: a lease whose job another transaction holds.
func (s *Service) untilNext(next, now time.Time) time.Duration {
	if !next.After(now) {
		return s.Pace.Poll
	}
	return min(next.Sub(now), s.Pace.Poll)
}

// skip reads the log up to its present end; what was read in vain is no loss, the duties look at the tables.
func (s *Service) skip(ctx context.Context, revision jobmanager.Revision) (jobmanager.Revision, error) {
	for {
		events, err := s.Log.Read(ctx, revision)
		if err != nil || len(events) == 0 {
			return revision, err
		}
		revision = events[len(events)-1].Revision
	}
}

// expire writes down every lease that ran out.
func (s *Service) expire(ctx context.Context) error {
	for {
		which := byServer(jobmanager.Which{LeaseOver: true, Limit: batch})
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
	var failed error
	for _, group := range groups {
		down, err := s.rematchGroup(ctx, group)
		failed = errors.Join(failed, err)
		if down {
			break
		}
	}
	return failed
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
	which := byServer(jobmanager.Which{})
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
