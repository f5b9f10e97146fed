package rest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
	"github.com/icos-jobmanager/jobmanager/internal/config"
	"github.com/icos-jobmanager/jobmanager/internal/testkit"
	"github.com/icos-jobmanager/jobmanager/rest/oldclient"
	"github.com/icos-jobmanager/jobmanager/rest/resttest"
)

// The world of the OCM agent's sessions: a server whose clock the test moves, hubs with clusters, and what is read of
// the server by GraphQL, which knows nothing of the old dialect.

// ocmInventory has two clusters of ocm that take everything.
const ocmInventory = `clusters:
- name: hill
  orchestrator: ocm
  nodes: [{name: hill-1, architecture: amd64, cpu: 8, memory: 16Gi}]
- name: valley
  orchestrator: ocm
  nodes: [{name: valley-1, architecture: amd64, cpu: 8, memory: 16Gi}]
`

// ocmPause is what lies between two ticks of the sidecar.
const ocmPause = 15 * time.Second

// ocmWorld is one server with its clock.
type ocmWorld struct {
	t     *testing.T
	s     *apptest.Server
	clock *testkit.Clock
	// http is what all clients' calls go through: every answer is as the OpenAPI document says.
	http *http.Client
}

// ocmEach runs a session on each database.
func ocmEach(t *testing.T, session func(w *ocmWorld)) { ocmEachWith(t, nil, session) }

// ocmEachWith is ocmEach with another configuration.
func ocmEachWith(t *testing.T, configure func(*config.Config), session func(w *ocmWorld)) {
	t.Helper()
	t.Parallel()
	apptest.EachDatabase(t, func(t *testing.T, url string) {
		inventory := filepath.Join(t.TempDir(), "targets.yaml")
		if err := os.WriteFile(inventory, []byte(ocmInventory), 0o600); err != nil {
			t.Fatal(err)
		}
		clock := testkit.NewClock(time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC))
		s := apptest.Start(t, apptest.Options{DatabaseURL: url, Clock: clock, Configure: func(c *config.Config) {
			c.TargetsFile = inventory
			if configure != nil {
				configure(c)
			}
		}})
		session(&ocmWorld{t: t, s: s, clock: clock, http: &http.Client{Transport: resttest.Checked(t, nil)}})
	})
}

// hub makes an agent that manages these clusters; without a name it manages both.
func (w *ocmWorld) hub(clusters ...string) *oldclient.Hub {
	if len(clusters) == 0 {
		clusters = []string{"hill", "valley"}
	}
	return &oldclient.Hub{
		Base: w.s.URL + "/", OwnerID: oldclient.NewUUID(), Token: "t", Fleet: oldclient.NewFleet(w.clock.Now, clusters...),
		Elapse: w.clock.Advance, HTTP: w.http,
	}
}

// tick lets a hub tick once, which must not break it.
func (w *ocmWorld) tick(h *oldclient.Hub) oldclient.Tick {
	w.t.Helper()
	t, err := h.Tick(w.t.Context())
	if err != nil {
		w.t.Fatalf("the tick breaks: %v", err)
	}
	return t
}

// execute and sync are the halves of a tick.
func (w *ocmWorld) execute(h *oldclient.Hub) oldclient.Tick {
	w.t.Helper()
	t, err := h.Execute(w.t.Context())
	if err != nil {
		w.t.Fatalf("the first half of the tick breaks: %v", err)
	}
	return t
}

func (w *ocmWorld) sync(h *oldclient.Hub) oldclient.Tick {
	w.t.Helper()
	t, err := h.Sync(w.t.Context())
	if err != nil {
		w.t.Fatalf("the sync breaks: %v", err)
	}
	return t
}

// ticks lets hubs tick in turn, every 15 s by the clock, until something holds.
func (w *ocmWorld) ticks(done func() bool, hubs ...*oldclient.Hub) {
	w.t.Helper()
	w.until(done, ocmPause, func() {
		for _, h := range hubs {
			w.tick(h)
		}
	})
}

// more lets hubs tick so many times more.
func (w *ocmWorld) more(times int, hubs ...*oldclient.Hub) (listed []oldclient.OCMJob) {
	w.t.Helper()
	for range times {
		w.clock.Advance(ocmPause)
		for _, h := range hubs {
			listed = append(listed, w.tick(h).Listed...)
		}
	}
	return listed
}

// past lets hubs tick on until every lease and hand-out that was given before would have run out, at a slower pace.
func (w *ocmWorld) past(hubs ...*oldclient.Hub) (listed []oldclient.OCMJob) {
	w.t.Helper()
	for range 10 {
		w.clock.Advance(3 * ocmPause)
		listed = append(listed, w.more(1, hubs...)...)
	}
	return listed
}

// until moves the clock by step, and does what is to be done at each, until something holds: the server's own
// goroutines come to it meanwhile.
func (w *ocmWorld) until(done func() bool, step time.Duration, each func()) {
	w.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); w.clock.Advance(step) {
		if time.Now().After(deadline) {
			w.t.Fatal("what the clock should bring about did not happen")
		}
		each()
	}
}

// expired waits until no lease runs on a job, while nobody polls.
func (w *ocmWorld) expired(job string) {
	w.t.Helper()
	w.until(func() bool { return w.job(job).Lease == nil }, 10*time.Second, func() {})
}

// only scripts a plan for the first execution that fits; everything else goes well.
func ocmOnce(fits func(oldclient.OCMJob) bool, plan func() oldclient.Plan) func(oldclient.OCMJob) oldclient.Plan {
	done := false
	return func(job oldclient.OCMJob) oldclient.Plan {
		if done || !fits(job) {
			return oldclient.Plan{}
		}
		done = true
		return plan()
	}
}

func ocmAny(oldclient.OCMJob) bool { return true }

// rest calls the REST door as no agent does.
func (w *ocmWorld) rest(method, path, contentType, body string) (status int, answer string) {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.t.Context(), method, w.s.URL+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer t")
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	response, err := w.http.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }() // it was read to its end
	text, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// violate tells of a broken policy about component web, as the Policy Manager does.
func (w *ocmWorld) violate(group, remediation string) (id string) {
	w.t.Helper()
	id = oldclient.NewUUID()
	w.violateAs(id, group, remediation)
	return id
}

func (w *ocmWorld) violateAs(id, group, remediation string) {
	w.t.Helper()
	body, err := json.Marshal(map[string]any{
		"id": id, "currentValue": "235.365", "threshold": "warning", "policyName": "p", "policyId": "67ab458f4db0f81f02e93821",
		"measurementBackend": "prom-1", "extraLabels": map[string]string{}, "remediation": remediation,
		"subject": map[string]any{"type": "app", "appName": "app", "appInstance": group, "appComponent": "web"},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if status, answer := w.rest(http.MethodPost, oldclient.PolicyManagerURI, "application/json", string(body)); status != http.StatusOK {
		w.t.Fatalf("the violation was answered %d %s", status, answer)
	}
}

// statuses of calls, each once, in order.
func ocmStatuses(calls []oldclient.Call) []int {
	var all []int
	for _, call := range calls {
		all = append(all, call.Status)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// ocmSays reads the error of a refusal.
func ocmSays(call oldclient.Call) string {
	var answer struct{ Error string }
	if err := json.Unmarshal(call.Answer, &answer); err != nil {
		return "no error object: " + string(call.Answer)
	}
	return answer.Error
}
