package service

import (
	"context"
	"slices"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// ExecutableJobs lists what the agent may claim now, oldest first. Agents may.
func (s *Service) ExecutableJobs(ctx context.Context, p jobmanager.Principal, agent jobmanager.Agent, page jobmanager.PageRequest) (*jobmanager.JobConnection, error) {
	agent, err := s.agentCalls(ctx, p, agent)
	if err != nil {
		return nil, err
	}
	return s.Store.Executable(ctx, agent, page)
}

// offering is one agent's subscription to executable jobs.
type offering struct {
	// agent is with the clusters that it serves; named are those that it names itself.
	agent jobmanager.Agent
	named []string
	// revision up to which the log was looked at.
	revision jobmanager.Revision
	// offered are the jobs that were sent and are still executable; they are not sent again.
	offered map[jobmanager.ID]bool
	// more says that the last list had more than a page: the rest is offered once half of that page is gone,
	// so that a long queue costs neither side its whole length at once.
	more bool
	out  chan<- *jobmanager.Job
}

// WatchExecutable sends what the agent may claim: first all that is executable now, oldest first, then each
// job the moment it becomes so. An open watch is the agent's presence. Agents may. The channel is closed
// when ctx ends; ended is told why when it is closed before.
func (s *Service) WatchExecutable(ctx context.Context, p jobmanager.Principal, agent jobmanager.Agent, ended func(error)) (<-chan *jobmanager.Job, error) {
	clusters := agent.Clusters
	agent, err := s.agentCalls(ctx, p, agent)
	if err != nil {
		return nil, err
	}
	revision, err := s.head(ctx)
	if err != nil {
		return nil, err
	}
	out := make(chan *jobmanager.Job)
	watch := &offering{agent: agent, named: clusters, revision: revision, offered: map[jobmanager.ID]bool{}, out: out}
	s.watchers.Go(func() {
		defer close(out)
		if err := s.offer(ctx, watch); err != nil && ctx.Err() == nil {
			s.Logger.ErrorContext(ctx, "an agent's subscription ended", "agent", agent.OwnerID, "error", err)
			ended(err)
		}
	})
	return out, nil
}

// offer lists, then follows the log, and lists again when time alone may have made something executable, or
// when the database was away for a while.
func (s *Service) offer(ctx context.Context, w *offering) error {
	rung := s.chance.heard() // before the first list: what rings during it is listed again
	seen := s.Clock.After(ctx, s.Pace.Seen)
	for list := true; ; {
		err := s.offerWhatIsThere(ctx, w, list)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // its end is what broke the read
		}
		switch {
		case jobmanager.CodeOf(err) == jobmanager.CodeUnavailable:
			s.Logger.WarnContext(ctx, "an agent's subscription waits for the database", "agent", w.agent.OwnerID, "error", err)
			s.pause(ctx)
			list = true
			continue
		case err != nil:
			return err
		}
		if list = w.more && len(w.offered) <= jobmanager.LongestPage/2; list {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.Log.Changed(w.revision):
		case <-rung: // one that the select passes over stays in rung
			rung = s.chance.heard()
			list = true
		case <-seen:
			seen = s.Clock.After(ctx, s.Pace.Seen)
			list = s.stillThere(ctx, w)
		}
	}
}

// stillThere notes the agent's presence and says whether it serves other clusters than before.
func (s *Service) stillThere(ctx context.Context, w *offering) bool {
	agent := s.heard(ctx, jobmanager.Agent{OwnerID: w.agent.OwnerID, Orchestrator: w.agent.Orchestrator, Clusters: w.named})
	same := slices.Equal(agent.Clusters, w.agent.Clusters) && slices.Equal(agent.Others, w.agent.Others)
	w.agent = agent
	return !same
}

// offerWhatIsThere offers the whole list, or only what the log tells.
func (s *Service) offerWhatIsThere(ctx context.Context, w *offering, list bool) error {
	if list {
		return s.offerAll(ctx, w)
	}
	return s.offerNew(ctx, w)
}

// offerAll sends all that is executable and was not sent yet.
func (s *Service) offerAll(ctx context.Context, w *offering) error {
	page, err := s.Store.Executable(ctx, w.agent, jobmanager.PageRequest{First: jobmanager.LongestPage})
	if err != nil {
		return err
	}
	still := map[jobmanager.ID]bool{}
	for _, job := range page.Nodes() {
		if !w.offered[job.ID] && !send(ctx, w.out, job) {
			return nil
		}
		still[job.ID] = true
	}
	if w.more = page.PageInfo.HasNextPage; !w.more {
		w.offered = still
		return nil
	}
	for id := range still {
		w.offered[id] = true
	}
	return nil
}

// offerNew looks at what changed: a job that is no longer executable may be offered again later; one that
// became executable is read as it is now, with its manifests, in one statement for all of them.
func (s *Service) offerNew(ctx context.Context, w *offering) error {
	events, err := s.Log.Read(ctx, w.revision)
	if err != nil {
		return err
	}
	now := s.Clock.Now()
	var candidates []jobmanager.ID
	for _, event := range events {
		w.revision = event.Revision
		job := event.Job
		if job == nil {
			continue
		}
		candidates = slices.DeleteFunc(candidates, func(id jobmanager.ID) bool { return id == job.ID })
		switch {
		case event.Type == jobmanager.JobDeleted || !job.Executable(w.agent, now):
			delete(w.offered, job.ID)
		case !w.offered[job.ID]:
			candidates = append(candidates, job.ID)
		}
	}
	if len(candidates) == 0 {
		return nil
	}
	page, err := s.Store.Jobs(ctx, jobmanager.JobQuery{
		Scope: jobmanager.System().Scope(), Filter: jobmanager.JobFilter{IDs: candidates},
		Order: jobmanager.JobOrder{Field: jobmanager.JobsByCreatedAt, Direction: jobmanager.Ascending},
		Page:  jobmanager.PageRequest{First: len(candidates)}, Load: jobmanager.JobLoad{Manifests: true, Group: &jobmanager.GroupLoad{}},
	})
	if err != nil {
		return err
	}
	for _, job := range page.Nodes() {
		if !job.Executable(w.agent, s.Clock.Now()) {
			continue
		}
		if !send(ctx, w.out, job) {
			return nil
		}
		w.offered[job.ID] = true
	}
	return nil
}
