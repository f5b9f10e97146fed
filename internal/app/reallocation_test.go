package app_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/icos-jobmanager/jobmanager/agent/simulated"
	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
	"github.com/icos-jobmanager/jobmanager/internal/config"
	"github.com/icos-jobmanager/jobmanager/internal/testkit"
)

// guide is a Matchmaker whose answers a test changes.
type guide struct {
	*testkit.Matchmaker

	mu sync.Mutex // guards the fields below
	// names is the target of every component, as "cluster/orchestrator"; empty for none.
	names string
	down  bool
}

// newGuide starts a Matchmaker that sends every component to one target.
func newGuide(t *testing.T, target string) *guide {
	t.Helper()
	g := &guide{names: target}
	g.Matchmaker = (&testkit.Matchmaker{Answer: g.answer}).Start(t)
	return g
}

// use makes it the server's Matchmaker.
func (g *guide) use(c *config.Config) { c.Matchmaking.URL = g.URL }

// point changes the answer; fall makes the peer unavailable, or well again.
func (g *guide) point(target string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.names = target
}

func (g *guide) fall(down bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.down = down
}

func (g *guide) answer(descriptor string) (status int, body string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.down {
		return http.StatusServiceUnavailable, `{"error":"Error calling the agregator API"}`
	}
	var targets any = []any{}
	if cluster, orchestrator, found := strings.Cut(g.names, "/"); found {
		targets = map[string]string{"cluster_name": cluster, "node_name": "n1", "orchestrator": orchestrator}
	}
	components := []any{}
	header, _, _ := strings.Cut(descriptor, "\nmanifests:")
	for _, name := range regexp.MustCompile(`(?m)^- name: (\S+)$`).FindAllStringSubmatch(header, -1) {
		components = append(components, map[string]any{"name": name[1], "targets": targets})
	}
	text, err := json.Marshal(map[string]any{"components": components})
	if err != nil {
		return http.StatusInternalServerError, err.Error()
	}
	return http.StatusOK, string(text)
}

// TestAMigrationMovesTheWorkloadToAnotherOrchestrator reports a broken policy that wants a component elsewhere: its
// agent of ocm removes the workload, one of nuvla makes it, and the old uid still finds the job.
func TestAMigrationMovesTheWorkloadToAnotherOrchestrator(t *testing.T) {
	t.Parallel()
	apptest.EachDatabase(t, func(t *testing.T, url string) {
		peer := newGuide(t, "hill/ocm")
		s := apptest.Start(t, apptest.Options{DatabaseURL: url, Configure: peer.use})
		hill, valley := &puppet{world: simulated.New(simulated.Config{})}, &puppet{world: simulated.New(simulated.Config{Seed: 2})}
		runAgent(t, agentConfig(s.URL, "of-ocm", hill))
		nuvla := agentConfig(s.URL, "of-nuvla", valley)
		nuvla.Orchestrator = "nuvla"
		runAgent(t, nuvla)
		group := create(t, s.Client, describe("app", part{name: "web"}))
		awaitPhase(t, s.Client, group.ID, "RUNNING")
		before := seeJob(t, s.Client, group.Jobs.Nodes[0].ID)

		peer.point("valley/nuvla")
		report := incompliance(t, s.Client, map[string]any{"remediation": "migrate", "subject": map[string]any{"appInstance": group.ID, "appComponent": "web"}})
		if told := report.outcomes(); told != "web reallocation WAITING" {
			t.Errorf("the report is answered with %q", told)
		}
		awaitTarget(t, s.Client, before.ID, "valley")
		awaitJobs(t, s.Client, group.ID, "web CREATE_DEPLOYMENT/FINISHED")
		j := seeJob(t, s.Client, before.ID)
		if j.Owner != "of-nuvla" || j.Target.Orchestrator != "nuvla" || j.Resource.UID == before.Resource.UID || j.Workload != "PRESENT" {
			t.Errorf("after the move the job is %+v", j)
		}
		if left, stands := hill.world.Workloads(), valley.world.Workloads(); len(left) != 0 || len(stands) != 1 || stands[0].UID != j.Resource.UID {
			t.Errorf("there stand %+v and %+v", left, stands)
		}
		if told := seeIncompliance(t, s.Client, report.ID).outcomes(); told != "web reallocation FINISHED" {
			t.Errorf("the incompliance ended as %q", told)
		}
		for name, uid := range map[string]string{"past": before.Resource.UID, "present": j.Resource.UID} {
			found := incompliance(t, s.Client, map[string]any{"remediation": "none", "subject": map[string]any{"resourceId": uid}})
			if found.outcomes() != "web - RECORDED" || found.Remediations[0].JobID != j.ID {
				t.Errorf("by its %s uid the job is found as %q", name, found.outcomes())
			}
		}
		stop(t, s.Client, group.ID)
		awaitPhase(t, s.Client, group.ID, "STOPPED")
		if stands := valley.world.Workloads(); len(stands) != 0 {
			t.Errorf("after the stop there stand %+v", stands)
		}
	})
}

// awaitTarget watches a job until its target is on the cluster.
func awaitTarget(t *testing.T, c *apptest.Client, job, cluster string) {
	t.Helper()
	watch := c.Subscribe(t, `subscription($id: ID!, $cluster: String!) { jobChanged(filter: {ids: [$id], clusters: [$cluster]}) { job { id } } }`,
		apptest.Vars{"id": job, "cluster": cluster})
	defer watch.Close()
	for {
		var m struct {
			JobChanged struct{ Job *struct{ ID string } }
		}
		if watch.Next(&m); m.JobChanged.Job != nil {
			return
		}
	}
}
