package app_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/testkit"
)

// TestProofKilledServerOwesNoNotice kills the server while applications are submitted. Each one that is there
// afterwards comes to be known to the Policy Manager: its notices are written with it, and delivered by whichever
// process is there.
func TestProofKilledServerOwesNoNotice(t *testing.T) {
	t.Parallel()
	apptest.EachDatabase(t, func(t *testing.T, database string) {
		chance := rand.New(rand.NewPCG(proofSeed(t), 1))
		peer := (&testkit.PolicyManager{}).Start(t)
		// Who takes a notice has it for 20 times the timeout: so long is one kept that a killed server had taken.
		p := startProcess(t, database, "TARGETS_FILE="+threeClusters(t), "POLICYMANAGER_URL="+peer.URL, "POLICYMANAGER_TIMEOUT=150ms")
		for round := range testkit.Rounds(3, 20) {
			client := apptest.NewClient(p.url)
			var submitting sync.WaitGroup
			taken := make(chan struct{}, 4*mostSubmitted)
			for n := range 4 {
				submitting.Go(func() { submitUntilGone(t, client, fmt.Sprintf("n-%d-%d", round, n), taken) })
			}
			if round == 0 {
				<-taken // on a slow machine the other rounds may be over before anything was taken
			}
			await(10*time.Millisecond + time.Duration(chance.Int64N(int64(200*time.Millisecond))))
			p.end(syscall.SIGKILL)
			submitting.Wait()
			client.Close()
			p.start()
		}
		client := apptest.NewClient(p.url)
		t.Cleanup(client.Close)
		awaitNotices(t, client, peer)
	})
}

// mostSubmitted is how many applications one submitter has.
const mostSubmitted = 12

// submitUntilGone submits some applications, or as many as the server takes before it is killed, and tells of each that
// was taken.
func submitUntilGone(t *testing.T, c *apptest.Client, name string, taken chan<- struct{}) {
	for n := range mostSubmitted {
		text := descriptorOf(fmt.Sprintf("%s-%d", name, n), 0)
		answer, err := c.Do(context.Background(), createOrder, apptest.Vars{"input": map[string]any{"descriptor": text}})
		if err != nil {
			return
		}
		if code := answer.Code(); code != "" {
			t.Errorf("a submission was refused: %s", code)
		}
		taken <- struct{}{}
	}
}

// awaitNotices waits until the Policy Manager knows all applications, which are active.
func awaitNotices(t *testing.T, c *apptest.Client, peer *testkit.PolicyManager) {
	t.Helper()
	groups := map[string]string{} // names by id
	for after, more := "", true; more; {
		var page struct {
			JobGroups struct {
				Nodes    []struct{ ID, Name string }
				PageInfo struct {
					HasNextPage bool
					EndCursor   string
				}
			}
		}
		c.Must(t, `query($after: String) { jobGroups(first: 500, after: $after) { nodes { id name } pageInfo { hasNextPage endCursor } } }`, apptest.Vars{"after": after}, &page)
		for _, g := range page.JobGroups.Nodes {
			groups[g.ID] = g.Name
		}
		after, more = page.JobGroups.PageInfo.EndCursor, page.JobGroups.PageInfo.HasNextPage
	}
	if len(groups) == 0 {
		t.Fatal("nothing was submitted")
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	const patience = time.Minute // longer than what a killed server had taken is kept, and a few tries
	var missing []string
	for least, since := len(groups)+1, time.Now(); time.Since(since) < patience; <-tick.C {
		missing = nil
		for id, name := range groups {
			if app, known := peer.App(jobmanager.ID(id)); !known || !app.Active || !strings.Contains(app.Descriptor, "name: "+name+"\n") {
				missing = append(missing, name)
			}
		}
		if len(missing) < least {
			least, since = len(missing), time.Now()
		}
		if len(missing) == 0 {
			t.Logf("the Policy Manager knows all %d applications, after %d calls", len(groups), len(peer.Calls()))
			return
		}
	}
	t.Errorf("the Policy Manager was never told of %d of %d applications: %s", len(missing), len(groups), strings.Join(missing, " "))
}
