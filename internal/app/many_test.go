package app_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
)

// TestWhatAnAgentOfHundredsOfJobsLeavesIsMarkedAndGivenToItsHeir has more jobs than one batch of the server takes.
func TestWhatAnAgentOfHundredsOfJobsLeavesIsMarkedAndGivenToItsHeir(t *testing.T) {
	t.Parallel()
	apptest.EachDatabase(t, func(t *testing.T, url string) {
		clock := noon()
		s := apptest.Start(t, apptest.Options{DatabaseURL: url, Clock: clock})
		const all = 210
		s.Must(t, submit, apptest.Vars{"descriptor": crowd(all)}, nil)
		type jobs struct{ Jobs []jobSeen }
		claimAll := func(owner string) []jobSeen {
			t.Helper()
			input := map[string]any{"orchestrator": "ocm", "ownerId": owner, "first": 500}
			return change[jobs](t, s.Client, "claimJobs", input, `jobs { id component owner epoch }`).Jobs
		}
		settleAll(t, s.Client, claimAll("old"))
		count := func(query string) int {
			t.Helper()
			return len(ask[map[string]struct{ Nodes []struct{ ID string } }](t, s.Client, query, nil)["jobs"].Nodes)
		}
		if n := count(`{ jobs(filter: {ownerIds: ["old"], states: [FINISHED]}, first: 500) { nodes { id } } }`); n != all {
			t.Errorf("%d jobs are finished", n)
		}
		before := head(t, s.Client)
		until(t, clock, 5*time.Second, func() bool {
			return len(eventsAfter(t, s.Client, before, map[string]any{"types": []string{"RESOURCE_REPORTED"}})) == all
		})
		type payload struct{ Reassigned int }
		if p := change[payload](t, s.Client, "reassignJobs", map[string]any{"fromOwner": "old", "toOwner": "heir"}, "reassigned"); p.Reassigned != all {
			t.Errorf("%d jobs are reassigned", p.Reassigned)
		}
		group := ask[struct {
			JobGroups struct{ Nodes []struct{ ID, Phase string } }
		}](t, s.Client, `{ jobGroups { nodes { id phase } } }`, nil).JobGroups.Nodes[0]
		if group.Phase != "RUNNING" {
			t.Errorf("the group is %s", group.Phase)
		}
		change[map[string]any](t, s.Client, "stopJobGroup", map[string]any{"jobGroupId": group.ID}, "__typename")
		if n := len(claimAll("heir")); n != all {
			t.Errorf("the heir may remove %d", n)
		}
	})
}

// settleAll finishes claimed jobs, several at once.
func settleAll(t *testing.T, c *apptest.Client, claimed []jobSeen) {
	t.Helper()
	work := make(chan jobSeen)
	var finishing sync.WaitGroup
	for range 8 {
		finishing.Go(func() {
			for j := range work {
				input := map[string]any{"jobId": j.ID, "ownerId": j.Owner, "epoch": j.Epoch, "resource": map[string]any{"uid": "uid-" + j.ID}}
				answer, err := c.Do(context.WithoutCancel(t.Context()), mutation("finishJob", "__typename"), apptest.Vars{"input": input})
				if err != nil || answer.Code() != "" {
					t.Errorf("finish: %v %+v", err, answer.Errors)
				}
			}
		})
	}
	for _, j := range claimed {
		work <- j
	}
	close(work)
	finishing.Wait()
}
