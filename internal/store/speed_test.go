package store_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/store"
)

// roundSize is how many jobs a queue is filled with at a time, in groups of groupSize.
const (
	roundSize = 500
	groupSize = 100
)

// BenchmarkClaim measures claims a second, for one claim and for many in one step, by one claimer; and beside them
// what the server makes of the very same SQL without us, see benchmarkPgbench. bench/store runs it.
//
// PostgreSQL is the tests' own; its fsync setting is the server's.
func BenchmarkClaim(b *testing.B) {
	sizes := []int{1, 10, 100}
	onEachDatabase(b, sizes, func(b *testing.B, s *store.Store, n int) {
		q := newQueue(s)
		claims := 0
		for b.Loop() {
			if q.waiting < n {
				untimed(b, func() { q.fill(b) })
			}
			claims += len(q.claim(b, n))
		}
		perSecond(b, claims, "claims/s")
	})
	for _, n := range sizes {
		b.Run(fmt.Sprintf("pgbench/%d", n), func(b *testing.B) { benchmarkPgbench(b, n) })
	}
}

// BenchmarkEightClaimers measures claims a second of eight agents that empty one queue together, the last jobs
// included, for which there are more claimers than jobs.
func BenchmarkEightClaimers(b *testing.B) {
	onEachDatabase(b, []int{1, 10, 100}, func(b *testing.B, s *store.Store, n int) {
		q := newQueue(s)
		claims := 0
		for b.Loop() {
			untimed(b, func() {
				for q.waiting < max(roundSize, 50*n) {
					q.fill(b)
				}
			})
			claims += q.empty(b, 8, n)
		}
		perSecond(b, claims, "claims/s")
	})
}

// BenchmarkRenew measures renewals a second, for one lease and for many in one step.
func BenchmarkRenew(b *testing.B) {
	onEachDatabase(b, []int{1, 100, roundSize}, func(b *testing.B, s *store.Store, n int) {
		q := newQueue(s)
		q.fill(b)
		var leases []jobmanager.Renewal
		for _, job := range q.claim(b, roundSize) {
			leases = append(leases, jobmanager.Renewal{JobID: job.ID, Epoch: job.Epoch})
		}
		at, renewals := 0, 0
		for b.Loop() {
			ends, err := s.RenewLeases(b.Context(), q.agent.OwnerID, leases[at:at+n])
			if err != nil || len(ends) != n {
				b.Fatalf("%d of %d leases were renewed: %v", len(ends), n, err)
			}
			at = (at + n) % len(leases)
			renewals += n
		}
		perSecond(b, renewals, "renewals/s")
	})
}

// BenchmarkFinish measures finished jobs a second, each with the resource that it brought, for one report and for
// many in one step.
func BenchmarkFinish(b *testing.B) {
	onEachDatabase(b, []int{1, 100}, func(b *testing.B, s *store.Store, n int) {
		q := newQueue(s)
		finish := func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
			report := jobmanager.ResourceReport{UID: string(j.ID), Name: j.Component}
			return j.Finish(jobmanager.Fence{OwnerID: q.agent.OwnerID, Epoch: j.Epoch}, report, now)
		}
		var claimed []jobmanager.ID
		finishes := 0
		for b.Loop() {
			if len(claimed) == 0 {
				untimed(b, func() {
					q.fill(b)
					for _, job := range q.claim(b, roundSize) {
						claimed = append(claimed, job.ID)
					}
				})
			}
			which := jobmanager.Which{IDs: claimed[:n], Scope: jobmanager.Scope{All: true}, Actor: string(q.agent.OwnerID)}
			jobs, err := s.UpdateJobs(b.Context(), which, finish)
			if err != nil || len(jobs) != n {
				b.Fatalf("%d of %d jobs were finished: %v", len(jobs), n, err)
			}
			claimed = claimed[n:]
			finishes += n
		}
		perSecond(b, finishes, "finishes/s")
	})
}

// onEachDatabase runs a benchmark for each number of jobs in one step, on a fresh database of each kind.
func onEachDatabase(b *testing.B, sizes []int, run func(b *testing.B, s *store.Store, n int)) {
	for _, database := range []struct {
		name string
		url  func(testing.TB) string
	}{{"SQLite", sqliteURL}, {"PostgreSQL", postgresURL}} {
		for _, n := range sizes {
			b.Run(fmt.Sprintf("%s/%d", database.name, n), func(b *testing.B) {
				run(b, mustMigrate(b, store.Config{URL: database.url(b)}), n)
			})
		}
	}
}

func untimed(b *testing.B, do func()) {
	b.StopTimer()
	do()
	b.StartTimer()
}

func perSecond(b *testing.B, n int, unit string) {
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), unit)
}

// queue is a store with jobs that wait for an agent.
type queue struct {
	store   *store.Store
	agent   jobmanager.Agent
	waiting int
}

func newQueue(s *store.Store) *queue {
	return &queue{store: s, agent: jobmanager.Agent{OwnerID: "hub-1", Orchestrator: "ocm"}}
}

func (q *queue) fill(b *testing.B) {
	b.Helper()
	for range roundSize / groupSize {
		mustCreate(b, q.store, groupSize)
		q.waiting += groupSize
	}
}

// claim takes n jobs in one step.
func (q *queue) claim(b *testing.B, n int) []*jobmanager.Job {
	b.Helper()
	jobs, err := q.claimAs(b.Context(), q.agent, n)
	if err != nil || len(jobs) != n {
		b.Fatalf("claimed %d of %d: %v", len(jobs), n, err)
	}
	q.waiting -= n
	return jobs
}

// claimAs lets an agent take up to n jobs in one step.
func (q *queue) claimAs(ctx context.Context, agent jobmanager.Agent, n int) ([]*jobmanager.Job, error) {
	claim := jobmanager.Claim{Agent: agent, Length: 15 * time.Minute}
	which := jobmanager.Which{ExecutableFor: &agent, Limit: n, Scope: jobmanager.Scope{All: true}, Actor: string(agent.OwnerID)}
	return q.store.UpdateJobs(ctx, which, func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
		return j.Claim(claim, now)
	})
}

// empty lets agents claim side by side, each n jobs in one step, until none finds any. It gives the number of jobs
// that they claimed.
func (q *queue) empty(b *testing.B, agents, n int) int {
	b.Helper()
	var claimed atomic.Int64
	var all sync.WaitGroup
	for i := range agents {
		agent := jobmanager.Agent{OwnerID: jobmanager.OwnerID(fmt.Sprintf("hub-%d", i+1)), Orchestrator: q.agent.Orchestrator}
		all.Go(func() {
			for {
				jobs, err := q.claimAs(b.Context(), agent, n)
				if err != nil {
					b.Error(err)
				}
				if len(jobs) == 0 {
					return
				}
				claimed.Add(int64(len(jobs)))
			}
		})
	}
	all.Wait()
	q.waiting -= int(claimed.Load())
	return int(claimed.Load())
}
