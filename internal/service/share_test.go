package service_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/service"
)

// mustSubmit submits an application of n components on cluster o-1 and gives its jobs.
func mustSubmit(t *testing.T, s *server, name string, n int) []jobmanager.ID {
	t.Helper()
	app := application{name: name}
	for i := range n {
		app.parts = append(app.parts, part{name: fmt.Sprintf("part-%03d", i), kind: "kubernetes", manifest: 1, demand: 1})
	}
	payload, err := s.CreateJobGroup(t.Context(), integrator(), service.CreateJobGroupInput{Descriptor: app.text()})
	if err != nil {
		t.Fatal(err)
	}
	return idsOf(payload.JobGroup.Jobs)
}

// mustAgreeWithLog follows the log from its beginning: revisions are dense, each event begins where the last one
// ended, and what a watcher then knows is what the tables say. Of a request that was cut off the database may learn
// later, so it looks until nothing moves.
func mustAgreeWithLog(t *testing.T, s *server) *replica {
	t.Helper()
	for r := newReplica(s.life); ; {
		if err := r.catchUp(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		tables, err := readTables(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		known := r.revision
		if err := r.catchUp(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		if known != r.revision {
			continue
		}
		if diff := r.differs(tables); diff != "" {
			t.Errorf("who follows the events knows otherwise: %s", diff)
		}
		return r
	}
}

// catchUp reads on to the end of the log.
func (r *replica) catchUp(ctx context.Context, s *server) error {
	events, err := readLog(ctx, s, r.revision)
	if err != nil {
		return err
	}
	for _, e := range events {
		if err := r.take(e); err != nil {
			return err
		}
	}
	return nil
}

// claims gives who claimed each job at each epoch, from the log; nobody may have claimed one that another did.
func claims(t *testing.T, s *server) map[jobmanager.ID]map[int64]jobmanager.OwnerID {
	t.Helper()
	events, err := readLog(t.Context(), s, 0)
	if err != nil {
		t.Fatal(err)
	}
	owners := map[jobmanager.ID]map[int64]jobmanager.OwnerID{}
	for i, e := range events {
		if e.Revision != jobmanager.Revision(i+1) {
			t.Fatalf("event %d has revision %d", i+1, e.Revision)
		}
		if e.Type != jobmanager.JobClaimed {
			continue
		}
		if owners[e.JobID] == nil {
			owners[e.JobID] = map[int64]jobmanager.OwnerID{}
		}
		if other := owners[e.JobID][e.Job.Epoch]; other != "" {
			t.Errorf("job %s was claimed twice at epoch %d: by %s and by %s", e.JobID, e.Job.Epoch, other, e.Job.Owner)
		}
		if string(e.Job.Owner) != e.Actor {
			t.Errorf("%s claimed job %s for %s", e.Actor, e.JobID, e.Job.Owner)
		}
		owners[e.JobID][e.Job.Epoch] = e.Job.Owner
	}
	return owners
}

// together runs do n times at once and waits for all.
func together(n int, do func(i int)) {
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-start
			do(i)
		})
	}
	close(start)
	all.Wait()
}

func TestEightAgentsOnTwoThousandJobsShareThemWithoutADouble(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, fresh database) {
		const agents, groups, each = 8, 20, 100
		s := mustServe(t, setting{url: fresh(t), life: jobmanager.DefaultLifeCycle()})
		s.matchmaker.learn(1, "o-1")
		for i := range groups {
			mustSubmit(t, s, fmt.Sprintf("app-%d", i), each)
		}
		var mu sync.Mutex
		won := map[jobmanager.ID]jobmanager.OwnerID{}
		together(agents, func(i int) {
			owner := jobmanager.OwnerID(fmt.Sprintf("agent-%d", i))
			for {
				jobs, err := claimAll(t.Context(), s, owner)
				if err != nil || jobs == nil {
					if err != nil {
						t.Errorf("%s: %v", owner, err)
					}
					return
				}
				mu.Lock()
				for _, job := range jobs {
					if other := won[job.ID]; other != "" {
						t.Errorf("job %s was given to %s and to %s", job.ID, other, owner)
					}
					won[job.ID] = owner
				}
				mu.Unlock()
			}
		})
		byLog := claims(t, s)
		if len(won) != groups*each || len(byLog) != groups*each {
			t.Errorf("%d jobs were given, %d claimed by the log, want %d", len(won), len(byLog), groups*each)
		}
		for id, owner := range won {
			if len(byLog[id]) != 1 || byLog[id][1] != owner {
				t.Errorf("job %s was given to %s, the log says %v", id, owner, byLog[id])
			}
		}
	})
}

// claimAll claims a batch of 100; nil when there is nothing left. A batch that comes back empty may only have met jobs
// in other hands.
func claimAll(ctx context.Context, s *server, owner jobmanager.OwnerID) ([]*jobmanager.Job, error) {
	first := 100
	clusters := []string{"o-1"}
	payload, err := s.ClaimJobs(ctx, fleet(), service.ClaimJobsInput{
		Orchestrator: "ocm", OwnerID: owner, Clusters: clusters, First: &first,
	}, jobmanager.JobLoad{})
	if err != nil {
		return nil, err
	}
	if len(payload.Jobs) > 0 {
		return payload.Jobs, nil
	}
	left, err := s.ExecutableJobs(ctx, fleet(), jobmanager.Agent{OwnerID: owner, Orchestrator: "ocm", Clusters: clusters}, jobmanager.PageRequest{First: 1})
	if err != nil || len(left.Edges) == 0 {
		return nil, err
	}
	return []*jobmanager.Job{}, nil
}

func TestFiftyClaimersOfOneJobHaveOneWinner(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, fresh database) {
		const claimers = 50
		s := mustServe(t, setting{url: fresh(t), life: jobmanager.DefaultLifeCycle()})
		s.matchmaker.learn(1, "o-1")
		id := mustSubmit(t, s, "wanted", 1)[0]
		errs := make([]error, claimers)
		owner := func(i int) jobmanager.OwnerID { return jobmanager.OwnerID(fmt.Sprintf("agent-%d", i)) }
		together(claimers, func(i int) {
			_, errs[i] = s.ClaimJob(t.Context(), fleet(), service.ClaimJobInput{JobID: id, Orchestrator: "ocm", OwnerID: owner(i)}, jobmanager.JobLoad{})
		})
		winner := claims(t, s)[id][1]
		for i, err := range errs {
			refusal, ours := errors.AsType[*jobmanager.Error](err)
			switch {
			case err == nil && owner(i) != winner:
				t.Errorf("%s was told that it won, the log says %s", owner(i), winner)
			case err == nil:
			case !ours || refusal.Code != jobmanager.CodeNotClaimable || refusal.Owner != winner || refusal.Epoch != 1:
				t.Errorf("%s was told %v, want that %s owns it at epoch 1", owner(i), err, winner)
			case owner(i) == winner:
				t.Errorf("%s won and was refused: %v", winner, err)
			}
		}
		job := mustAgreeWithLog(t, s).jobs[id]
		if winner == "" || job.Owner != winner || job.Epoch != 1 || len(claims(t, s)[id]) != 1 {
			t.Errorf("the job is %s's at epoch %d, the log says %v", job.Owner, job.Epoch, claims(t, s)[id])
		}
	})
}
