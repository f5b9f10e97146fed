package app_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
	"github.com/icos-jobmanager/jobmanager/internal/config"
	"github.com/icos-jobmanager/jobmanager/internal/testkit"
)

// crowd is a descriptor of so many components.
func crowd(components int) string {
	var descriptor strings.Builder
	descriptor.WriteString("name: crowd\ndescription: many\ncomponents:\n")
	for n := range components {
		fmt.Fprintf(&descriptor, "- name: c%d\n  manifests: [{name: m}]\n  targets: {cluster_name: c, orchestrator: ocm}\n", n)
	}
	descriptor.WriteString("manifests:\n- name: m\n  manifest:\n    apiVersion: v1\n    kind: Pod\n    metadata: {name: m}\n")
	return descriptor.String()
}

// TestLongQueueIsOfferedToItsEnd offers more jobs than one list holds: the rest comes as the first are taken.
func TestLongQueueIsOfferedToItsEnd(t *testing.T) {
	t.Parallel()
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		const all = 620
		s.Must(t, submit, apptest.Vars{"descriptor": crowd(all)}, nil)
		agent := s.Subscribe(t, `subscription { jobExecutable(orchestrator: "ocm", ownerId: "hub-1") { id } }`, nil)
		seen := map[string]bool{}
		next := func() {
			var offer offered
			agent.Next(&offer)
			if seen[offer.JobExecutable.ID] {
				t.Errorf("job %s was offered twice", offer.JobExecutable.ID)
			}
			seen[offer.JobExecutable.ID] = true
		}
		for range 500 {
			next()
		}
		s.Must(t, `mutation { claimJobs(input: {orchestrator: "ocm", ownerId: "hub-2", first: 400}) { jobs { id } } }`, nil, nil)
		for len(seen) < all {
			next()
		}
	})
}

// TestHangingMatchmakerDelaysNoLease lets a lease run out while the Matchmaker does not answer.
func TestHangingMatchmakerDelaysNoLease(t *testing.T) {
	t.Parallel()
	var hangs atomic.Bool
	asked := make(chan struct{}, 100)
	peer := &testkit.Matchmaker{Answer: func(string) (int, string) {
		if hangs.Load() {
			asked <- struct{}{}
			return 0, ""
		}
		return http.StatusServiceUnavailable, "{}"
	}}
	peer.Start(t)
	clock := testkit.NewClock(time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC))
	s := apptest.Start(t, apptest.Options{Clock: clock, Configure: func(c *config.Config) { c.Matchmaking.URL = peer.URL }})
	s.Must(t, submitAs, apptest.Vars{"input": map[string]any{"descriptor": shop, "onMatchmakerDown": "ACCEPT"}}, nil)
	var group created
	s.Must(t, submit, apptest.Vars{"descriptor": crowd(1)}, &group)
	job := group.CreateJobGroup.JobGroup.Jobs.Nodes[0].ID
	s.Must(t, claim, apptest.Vars{"job": job, "owner": "silent"}, nil)
	hangs.Store(true)
	advanceWhile(clock, time.Second, func() { <-asked }) // it hangs now
	advanceUntil(t, clock, 61*time.Second, func() bool {
		var seen struct{ Job watchedJob }
		s.Must(t, `query($id: ID!) { job(id: $id) { state owner lease { epoch } waiting { reason } } }`, apptest.Vars{"id": job}, &seen)
		return seen.Job.Lease == nil
	})
}
