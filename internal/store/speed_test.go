package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/store"
)

// BenchmarkClaim measures claims a second, for one claim and for many in one step:
//
//	go test -run '^$' -bench Claim ./internal/store
//
// PostgreSQL is the tests' own; its fsync setting is the server's.
func BenchmarkClaim(b *testing.B) {
	for name, url := range map[string]func(testing.TB) string{"SQLite": sqliteURL, "PostgreSQL": postgresURL} {
		for _, first := range []int{1, 10, 100} {
			b.Run(fmt.Sprintf("%s/%d", name, first), func(b *testing.B) { benchmarkClaim(b, url(b), first) })
		}
	}
}

func benchmarkClaim(b *testing.B, url string, first int) {
	s := mustMigrate(b, store.Config{URL: url})
	agent := jobmanager.Agent{OwnerID: "hub-1", Orchestrator: "ocm"}
	claim := jobmanager.Claim{Agent: agent, Length: time.Minute}
	which := jobmanager.Which{ExecutableFor: &agent, Limit: first, Scope: jobmanager.Scope{All: true}, Actor: "hub-1"}
	claimed, waiting := 0, 0
	b.ResetTimer()
	for range b.N {
		if waiting < first {
			b.StopTimer()
			for range 5 {
				mustCreate(b, s, 100)
			}
			waiting += 500
			b.StartTimer()
		}
		jobs, err := s.UpdateJobs(b.Context(), which, func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) { return j.Claim(claim, now) })
		if err != nil || len(jobs) != first {
			b.Fatalf("claimed %d of %d: %v", len(jobs), first, err)
		}
		claimed += len(jobs)
		waiting -= len(jobs)
	}
	b.ReportMetric(float64(claimed)/b.Elapsed().Seconds(), "claims/s")
}
