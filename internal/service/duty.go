package service

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// batch is how many jobs one round of a duty takes on.
const batch = 200

// Run does what the server does by itself until ctx ends: it writes down leases that ran out and agents that fell
// silent, wakes the agents' subscriptions when time alone has made jobs executable, asks again for targets, and
// tells the Policy Manager. Every replica may run it: each change is guarded by the store. A database that is away
// delays it and does not end it.
func (s *Service) Run(ctx context.Context) error {
	// Peers may take their time; leases do not wait for them.
	peers := []*errand{
		{name: "match jobs again", do: s.rematch, due: make(chan struct{}, 1)},
		{name: "tell the Policy Manager", do: s.notify, due: make(chan struct{}, 1)},
	}
	var running sync.WaitGroup
	defer running.Wait()
	for _, e := range peers {
		running.Go(func() { s.runWhenDue(ctx, e) })
	}
	for ctx.Err() == nil {
		if err := s.watchTime(ctx, peers); err != nil {
			s.tried(ctx, "look for what is due", err)
			s.pause(ctx)
		}
	}
	return nil
}

// errand is a duty that asks a peer, in a goroutine of its own.
type errand struct {
	name string
	do   func(context.Context) error
	due  chan struct{}
}

// runWhenDue does the errand each time it is due.
func (s *Service) runWhenDue(ctx context.Context, e *errand) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.due:
			s.tried(ctx, e.name, e.do(ctx))
		}
	}
}

// watchTime does what is due, moment after moment, until ctx ends or the database fails.
func (s *Service) watchTime(ctx context.Context, peers []*errand) error {
	revision, err := s.head(ctx)
	if err != nil {
		return err
	}
	since, poll := s.Clock.Now(), s.Clock.After(ctx, s.Pace.Poll)
	if err := s.perform(ctx, peers); err != nil { // first of all: was the server away?
		return err
	}
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
			if err := s.perform(ctx, peers); err != nil {
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
			err = s.perform(ctx, peers)
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

// perform does what is due. The mark that the database is in use comes first: leases that were live when the
// server went away must not run out before they got their time again.
func (s *Service) perform(ctx context.Context, peers []*errand) error {
	if err := s.markAlive(ctx); err != nil {
		return err
	}
	for _, e := range peers {
		select {
		case e.due <- struct{}{}:
		default: // it is asked already
		}
	}
	if err := s.silence(ctx); err != nil {
		return err
	}
	return s.expire(ctx)
}

// Begin notes that the server is there, before it serves anybody: what happened while it was away is nobody's fault.
// A database that does not answer is no error; the duties note it as soon as it does.
func (s *Service) Begin(ctx context.Context) {
	s.tried(ctx, "note that the server is there", s.markAlive(ctx))
}

func (s *Service) markAlive(ctx context.Context) error {
	now := s.Clock.Now()
	pardoned, err := s.Store.MarkAlive(ctx, s.Pace.Away)
	if err == nil {
		s.marked.Store(now.UnixMicro())
	}
	if pardoned > 0 {
		s.Metrics.LeasesPardoned.Add(float64(pardoned))
		s.Logger.WarnContext(ctx, "the server was away: leases that were live then got their full length anew", "leases", pardoned)
	}
	return err
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

// expire writes down every lease that ran out, unless so many agents fell silent at once that the fault is
// rather on this side.
func (s *Service) expire(ctx context.Context) error {
	if paused, err := s.brake(ctx); err != nil || paused {
		return err
	}
	for {
		which := byServer(jobmanager.Which{LeaseOver: true, Limit: batch})
		jobs, err := s.Store.UpdateJobs(ctx, which, expireRule(s.LifeCycle))
		s.Metrics.LeasesExpired.Add(float64(len(jobs)))
		if err != nil || len(jobs) < batch {
			return err
		}
	}
}

// brake pauses takeover for one lease length, once, when too many agents let their leases run out within one.
func (s *Service) brake(ctx context.Context) (paused bool, err error) {
	length := s.LifeCycle.Lease
	expiring, all, err := s.Store.ExpiringOwners(ctx, s.Clock.Now().Add(-length))
	if err != nil || !jobmanager.TooManyExpiring(expiring, all) {
		return false, err
	}
	message := fmt.Sprintf("the leases of %d of %d agents ran out within %s: takeover pauses for as long", expiring, all, length)
	paused, err = s.Store.PauseTakeover(ctx, length, message)
	if paused {
		s.Metrics.TakeoverPauses.Inc()
		s.Logger.ErrorContext(ctx, "takeover pauses: too many agents fell silent at once", "agents", expiring, "of", all, "for", length)
	}
	return paused, err
}

// silence marks the resources of agents that were not heard of for their grace time. An agent is done with once
// all its resources are: one that speaks up meanwhile sets them right itself.
func (s *Service) silence(ctx context.Context) error {
	agents, err := s.Store.SilentAgents(ctx, s.Clock.Now().Add(-s.LifeCycle.Grace), batch)
	if err != nil {
		return err
	}
	for _, agent := range agents {
		if err := s.silenceAgent(ctx, agent); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) silenceAgent(ctx context.Context, agent *jobmanager.Agent) error {
	which := byServer(jobmanager.Which{HeldBy: agent.OwnerID, Limit: batch})
	for {
		jobs, err := s.Store.UpdateJobs(ctx, which, func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
			if j.Owner != agent.OwnerID {
				return nil, nil // only handed out to it
			}
			return j.Silence(now), nil
		})
		if err != nil {
			return err
		}
		if len(jobs) < batch {
			return s.Store.MarkSilent(ctx, agent.OwnerID, agent.LastSeenAt)
		}
		which.After = jobs[len(jobs)-1].ID
	}
}

// rematch asks for targets for the jobs that wait for one and are due, one call of the Matchmaker for each
// group, with the service's own token. A Matchmaker that is down
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
	descriptor, findings := s.Parser.Parse(group.Descriptor)
	if refusals := jobmanager.Refusals(findings); len(refusals) > 0 {
		return false, refusedByNow(group, refusals[0])
	}
	token, err := s.Token()
	if err != nil {
		return false, err
	}
	matches, refusal := s.Matchmaker.Match(ctx, descriptor, group.Descriptor, token)
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
	which, asked := byServer(jobmanager.Which{}), map[jobmanager.ID]int64{}
	for _, job := range group.Jobs {
		which.IDs, asked[job.ID] = append(which.IDs, job.ID), job.Version
	}
	_, err = s.Store.UpdateJobs(ctx, which, func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
		if j.Version != asked[j.ID] {
			return nil, nil // it changed meanwhile: the answer may be one to another question
		}
		match := byComponent[j.Component]
		if refusal != nil {
			match.Reason = jobmanager.Sentence(refusal)
		}
		events := j.Rematch(match, types[j.Component], s.LifeCycle, now)
		return append(events, j.Relocate(match, types[j.Component], s.LifeCycle, now)...), nil
	})
	if jobmanager.CodeOf(err) == jobmanager.CodeNotFound {
		err = nil // deleted meanwhile
	}
	return jobmanager.CodeOf(refusal) == jobmanager.CodeUnavailable, err
}
