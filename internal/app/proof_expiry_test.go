package app_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
	"github.com/icos-jobmanager/jobmanager/internal/config"
	"github.com/icos-jobmanager/jobmanager/internal/testkit"
)

// TestProofExpiryUndoesNoReport lets the leases of many jobs run out at the very moment when their agents report
// them finished: whichever comes first, a report that was acknowledged stands, and a lease that runs out afterwards
// is none.
func TestProofExpiryUndoesNoReport(t *testing.T) {
	t.Parallel()
	clusters := threeClusters(t)
	apptest.EachDatabase(t, func(t *testing.T, database string) {
		clock := noon()
		s := apptest.Start(t, apptest.Options{DatabaseURL: database, Clock: clock, Configure: func(c *config.Config) { c.TargetsFile = clusters }})
		for round := range testkit.Rounds(2, 20) {
			s.Must(t, createOrder, apptest.Vars{"input": map[string]any{"descriptor": manyParts(fmt.Sprintf("race-%d", round), 60)}}, nil)
			var reporting sync.WaitGroup
			begin := make(chan struct{})
			for n := range 3 {
				owner := fmt.Sprintf("hub-%d", n)
				held := claimSome(t, s.Client, owner, 20)
				reporting.Go(func() {
					<-begin
					finishAll(t, s.Client, owner, held)
				})
			}
			close(begin)
			clock.Advance(15 * time.Second)
			reporting.Wait()
			checkFinished(t, s.Client, round)
		}
	})
}

// manyParts is a descriptor of so many components.
func manyParts(name string, parts int) string {
	var components, manifests strings.Builder
	for n := range parts {
		fmt.Fprintf(&components, "  - {name: c%d, type: kubernetes, manifests: [{name: c%d}]}\n", n, n)
		fmt.Fprintf(&manifests, "  - {name: c%d, manifest: {apiVersion: v1, kind: Pod, metadata: {name: c%d}}}\n", n, n)
	}
	return "name: " + name + "\ncomponents:\n" + components.String() + "manifests:\n" + manifests.String()
}

func claimSome(t *testing.T, c *apptest.Client, owner string, first int) []*holding {
	t.Helper()
	var won struct{ Done claimedJobs }
	c.Must(t, claimOrder, apptest.Vars{"input": map[string]any{
		"orchestrator": "ocm", "ownerId": owner, "clusters": clusterNames(), "first": first, "leaseSeconds": 15,
	}}, &won)
	if len(won.Done.Jobs) != first {
		t.Fatalf("%s claimed %d jobs, want %d", owner, len(won.Done.Jobs), first)
	}
	return won.Done.Jobs
}

// finishAll reports one job after the other; each report must be taken, for nobody else has claimed.
func finishAll(t *testing.T, c *apptest.Client, owner string, held []*holding) {
	for _, h := range held {
		input := map[string]any{"jobId": h.ID, "ownerId": owner, "epoch": h.Epoch}
		answer, err := c.Do(context.Background(), finishOrder, apptest.Vars{"input": input})
		if err != nil || answer.Code() != "" {
			t.Errorf("%s finished %s at epoch %d: %+v, %v", owner, h.ID, h.Epoch, answer.Errors, err)
		}
	}
}

func checkFinished(t *testing.T, c *apptest.Client, round int) {
	t.Helper()
	var all struct {
		Jobs struct {
			Nodes []struct {
				ID, State, Workload string
				Lease               *struct{ Epoch int }
				Attempts            []struct{ Outcome string }
			}
		}
	}
	c.Must(t, `{ jobs(first: 60) { nodes { id state workload lease { epoch } attempts { outcome } } } }`, nil, &all) // the newest
	for _, j := range all.Jobs.Nodes {
		if j.State != "FINISHED" || j.Workload != "PRESENT" || j.Lease != nil || fmt.Sprint(j.Attempts) != "[{FINISHED}]" {
			t.Fatalf("round %d: a job that was reported finished is %+v", round, j)
		}
	}
}
