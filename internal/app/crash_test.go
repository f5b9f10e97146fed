package app_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/agent"
	"github.com/icos-jobmanager/jobmanager/agent/simulated"
	"github.com/icos-jobmanager/jobmanager/internal/app"
	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
	"github.com/icos-jobmanager/jobmanager/internal/config"
	"github.com/icos-jobmanager/jobmanager/internal/testkit"
)

// serveEnv makes this test binary a server process, so that a test can kill it.
const serveEnv = "JOBMANAGER_TEST_SERVE"

// serveInstead does what the environment asks this process to be instead of a test: a server until SIGTERM, or
// an agent (proof_zombie_process_test.go).
func serveInstead() bool {
	if os.Getenv(zombieEnv) != "" {
		beZombie()
		return true
	}
	if os.Getenv(serveEnv) == "" {
		return false
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	c, _, err := config.Load([]string{"serve"}, os.Stderr)
	if err == nil {
		err = app.Serve(ctx, c, "test")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err) // the test sees that it never becomes ready
	}
	return true
}

// process is a server process on one port and one database.
type process struct {
	t       *testing.T
	command *exec.Cmd
	url     string
	env     []string
}

// startProcess runs a server process until the test ends; the settings are variables of its environment.
func startProcess(t *testing.T, database string, settings ...string) *process {
	t.Helper()
	port := strconv.Itoa(quietPort(t))
	env := append(os.Environ(), serveEnv+"=1", "SERVER_PORT="+port, "DATABASE_URL="+database, "LOG_LEVEL=warn")
	p := &process{t: t, url: "http://127.0.0.1:" + port, env: append(env, settings...)}
	p.start()
	t.Cleanup(func() { p.end(syscall.SIGTERM) })
	return p
}

// quietPort is a free port below those that systems give to outgoing connections: while a killed server is down,
// one of its clients could be given a port from among those as its own, and the server could not come back.
func quietPort(t *testing.T) int {
	t.Helper()
	const lowest, count, tries = 12_000, 18_000, 100
	for range tries {
		port := lowest + rand.IntN(count)
		listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue // taken
		}
		if err := listener.Close(); err != nil {
			t.Fatal(err)
		}
		return port
	}
	t.Fatalf("none of %d ports was free", tries)
	return 0
}

// launch starts the process and does not wait for it to be ready.
func (p *process) launch() {
	p.t.Helper()
	p.command = exec.Command(os.Args[0]) //nolint:noctx // it ends by signals
	p.command.Env, p.command.Stdout, p.command.Stderr = p.env, p.t.Output(), p.t.Output()
	if err := p.command.Start(); err != nil {
		p.t.Fatal(err)
	}
}

// start runs the process and returns when it is ready.
func (p *process) start() {
	p.t.Helper()
	p.launch()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); <-ticker.C {
		request, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.url+"/readyz", nil)
		if err != nil {
			p.t.Fatal(err)
		}
		if answer, err := client.Do(request); err == nil {
			_ = answer.Body.Close() // only the status is read
			if answer.StatusCode == http.StatusOK {
				return
			}
		}
	}
	p.t.Fatal("the server process never became ready")
}

// end sends the signal and waits.
func (p *process) end(s syscall.Signal) {
	if p.command.ProcessState != nil {
		return
	}
	_ = p.command.Process.Signal(s) // it may have ended by itself
	_ = p.command.Wait()            // its exit code is the signal's
}

// TestProofKilledServerFindsItsAgentsAgain kills the server with SIGKILL while the SDK's agents work, starts it
// again, and finds everything that was acknowledged; the agents come back by themselves and finish the rest.
func TestProofKilledServerFindsItsAgentsAgain(t *testing.T) {
	t.Parallel()
	apptest.EachDatabase(t, func(t *testing.T, database string) {
		p := startProcess(t, database, "TARGETS_FILE="+threeClusters(t))
		client := apptest.NewClient(p.url)
		t.Cleanup(client.Close)
		driver := simulated.New(simulated.Config{Latency: 40 * time.Millisecond, Jitter: 40 * time.Millisecond, StatusEvery: 50 * time.Millisecond})
		runAgents(t, p.url, driver, 2)

		var acknowledged []string
		rounds := testkit.Rounds(3, 15)
		for round := range rounds {
			for range 4 {
				var group created
				client.Must(t, submit, apptest.Vars{"descriptor": shop}, &group)
				acknowledged = append(acknowledged, group.CreateJobGroup.JobGroup.ID)
			}
			if round < rounds-1 { // in the middle of the work
				p.end(syscall.SIGKILL)
				p.start()
			}
		}
		for _, id := range acknowledged {
			awaitPhase(t, client, id, "RUNNING")
		}
		checkWorkOnce(t, client, driver)
	})
}

// runAgents runs agents of one orchestrator until the test ends.
func runAgents(t *testing.T, url string, driver agent.Driver, agents int) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, agents)
	for n := range agents {
		go func() {
			ended <- agent.Run(ctx, agent.Config{
				URL: url, Orchestrator: "ocm", OwnerID: fmt.Sprintf("hub-%d", n), Parallel: 4, Driver: driver,
				Lease: 15 * time.Second, MinBackoff: 10 * time.Millisecond, MaxBackoff: 200 * time.Millisecond,
			})
		}()
	}
	t.Cleanup(func() {
		cancel()
		for range agents {
			if err := <-ended; err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		}
	})
}

// awaitPhase watches a group until it has the phase, by the subscription that dashboards use.
func awaitPhase(t *testing.T, client *apptest.Client, group, phase string) {
	t.Helper()
	watch := client.Subscribe(t, `subscription($id: ID!) { jobGroupChanged(filter: {ids: [$id]}) { kind jobGroup { phase } } }`, apptest.Vars{"id": group})
	defer watch.Close()
	for {
		var m struct {
			JobGroupChanged struct {
				Kind     string
				JobGroup *struct{ Phase string }
			}
		}
		watch.Next(&m)
		if g := m.JobGroupChanged.JobGroup; g != nil && g.Phase == phase {
			return
		}
	}
}

// checkWorkOnce looks at each job: finished, one workload for it on the simulated clusters, no attempt open.
func checkWorkOnce(t *testing.T, client *apptest.Client, driver *simulated.Driver) {
	t.Helper()
	stands := map[string]int{}
	for _, w := range driver.Workloads() {
		stands[w.JobID]++
	}
	var all struct {
		Jobs struct {
			Nodes []struct {
				ID, State string
				Attempts  []struct{ Outcome *string }
			}
		}
	}
	client.Must(t, `{ jobs(first: 500) { nodes { id state attempts { outcome } } } }`, nil, &all)
	for _, j := range all.Jobs.Nodes {
		last := j.Attempts[len(j.Attempts)-1]
		if j.State != "FINISHED" || stands[j.ID] != 1 || last.Outcome == nil || *last.Outcome != "FINISHED" {
			t.Errorf("job %s is %s with %d workloads, its last attempt %v", j.ID, j.State, stands[j.ID], last.Outcome)
		}
	}
	if len(stands) != len(all.Jobs.Nodes) {
		t.Errorf("%d workloads stand for %d jobs", len(stands), len(all.Jobs.Nodes))
	}
}
