package oldclient_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/rest/oldclient"
)

// listed is a list with one job, as a server may write it: with keys that the agent does not know, and ids twice.
const listed = `[{"created_at":"2026-01-31T12:00:00.42Z","updated_at":"2026-01-31T12:00:01Z","ID":"j","id":"j","job_group_id":"g",
"job_group_name":"app","type":%d,%s"state":1,"manifests":[{"created_at":"2026-01-31T12:00:00.42Z","updated_at":"2026-01-31T12:00:00.42Z","ID":7,"id":7,
"yamlString":"apiVersion: apps/v1\nkind: Deployment\nspec:\n  replicas: 2"},{"ID":8,"yamlString":"apiVersion: batch/v1\nkind: Job"}],
"targets":{"created_at":"2026-01-31T12:00:00.42Z","updated_at":"2026-01-31T12:00:00.42Z","ID":3,"id":3,"cluster_name":"c","node_name":"n","orchestrator":"ocm"},
"orchestrator":"ocm","resource":%s,"namespace":"ns","news":true}]`

// world is a server that hands out one list once and keeps what it is sent.
type world struct {
	mu   sync.Mutex // guards the fields below
	list string
	seen []string
}

func (w *world) ServeHTTP(answer http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // a broken body is an empty one
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, fmt.Sprintf("%s %s [%s|%s] %s", r.Method, r.RequestURI, r.Header.Get("Authorization"), r.Header.Get("Content-Type"), body))
	if r.Method != http.MethodGet {
		answer.WriteHeader(http.StatusTeapot)
		return
	}
	list := w.list
	if w.list = "[]"; list == "" {
		list = "[]"
	}
	_, _ = io.WriteString(answer, list) // the test would see it
}

func start(t *testing.T) (*world, *oldclient.Hub) {
	t.Helper()
	w := &world{}
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	now := func() time.Time { return time.Date(2026, 1, 31, 12, 0, 0, 999, time.UTC) }
	return w, &oldclient.Hub{Base: server.URL + "/", OwnerID: "o", Token: "tok", HTTP: server.Client(), Fleet: oldclient.NewFleet(now, "c")}
}

const fresh = `{"created_at":"2026-01-31T12:00:00Z","updated_at":"2026-01-31T12:00:00Z","ID":"r","job_id":"j","resource_name":"web"}`

func TestTheHubSendsWhatTheAgentSends(t *testing.T) {
	t.Parallel()
	w, h := start(t)
	w.list = fmt.Sprintf(listed, oldclient.OCMCreate, "", fresh)
	if _, err := h.Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
	work := h.Fleet.Works()[0]
	if !regexp.MustCompile(`^web-[bcdfghjklmnpqrstvwxz2456789]{5}$`).MatchString(work.Name) || work.Component() != "web" || len(work.Manifests) != 2 || work.Annotations["jobmanager.icos.eu/manifest"] != "r" {
		t.Errorf("made %+v", work)
	}
	conditions := `[{"type":"Applied","status":"True","observedGeneration":1,"lastTransitionTime":"2026-01-31T12:00:00Z","reason":"AppliedManifestWorkComplete","message":"Apply manifest work complete"},` +
		`{"type":"Available","status":"True","observedGeneration":1,"lastTransitionTime":"2026-01-31T12:00:00Z","reason":"ResourcesAvailable","message":"All resources are available"}]`
	want := []string{
		"GET /jobmanager/jobs/executable/ocm/o [Bearer tok|] ",
		`PATCH /jobmanager/jobs/promote/j [Bearer tok|application/json] {"owner_id":"o"}`,
		`PUT /jobmanager/jobs?id=j&orchestrator=ocm [Bearer tok|] {"created_at":"2026-01-31T12:00:00.42Z","updated_at":"2026-01-31T12:00:01Z","id":"j","job_group_id":"g","owner_id":"o","job_group_name":"app","type":5,"state":3,` +
			`"manifests":[{"created_at":"2026-01-31T12:00:00.42Z","updated_at":"2026-01-31T12:00:00.42Z","id":7,"yamlString":"apiVersion: apps/v1\nkind: Deployment\nspec:\n  replicas: 2"},{"created_at":"0001-01-01T00:00:00Z","updated_at":"0001-01-01T00:00:00Z","id":8,"yamlString":"apiVersion: batch/v1\nkind: Job"}],` +
			`"targets":{"created_at":"2026-01-31T12:00:00.42Z","updated_at":"2026-01-31T12:00:00.42Z","id":3,"cluster_name":"c","node_name":"n","orchestrator":"ocm"},"orchestrator":"ocm",` +
			`"resource":{"created_at":"2026-01-31T12:00:00Z","updated_at":"2026-01-31T12:00:00Z","id":"r","job_id":"j","resource_uuid":"` + work.UID + `","resource_name":"` + work.Name + `","conditions":` + conditions + `},"namespace":"ns"}`,
		`PUT /jobmanager/resources/status [Bearer tok|] {"created_at":"0001-01-01T00:00:00Z","updated_at":"0001-01-01T00:00:00Z","id":"","job_id":"","resource_uuid":"` + work.UID + `","resource_name":"` + work.Name + `","conditions":` + conditions + `}`,
	}
	compare(t, want, w.seen)
}

func compare(t *testing.T, want, got []string) {
	t.Helper()
	for i := range max(len(want), len(got)) {
		switch {
		case i >= len(want):
			t.Errorf("too much is sent: %s", got[i])
		case i >= len(got):
			t.Errorf("not sent: %s", want[i])
		case want[i] != got[i]:
			t.Errorf("sent\n%s\nwant\n%s", got[i], want[i])
		}
	}
}

func TestARemovalIsReportedAsTheAgentDoes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		empties    bool
		begin, end string
	}{
		"as released":           {false, `"resource_uuid":"`, `"conditions":[]`},
		"emptying the resource": {true, `"job_id":"j","resource_uuid":"`, `","conditions":[{"type":"Applied","status":"","lastTransitionTime":null,"reason":"","message":""}]`},
	} {
		w, h := start(t)
		h.EmptiesDeleted = test.empties
		w.list = fmt.Sprintf(listed, oldclient.OCMCreate, "", fresh)
		if _, err := h.Execute(t.Context()); err != nil {
			t.Fatal(err)
		}
		work := h.Fleet.Works()[0]
		known := fmt.Sprintf(`{"ID":"r","job_id":"j","resource_uuid":%q,"resource_name":%q}`, work.UID, work.Name)
		w.list, w.seen = fmt.Sprintf(listed, oldclient.OCMDelete, "", known), nil
		if _, err := h.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(w.seen) != 3 || len(h.Fleet.Works()) != 0 {
			t.Fatalf("%s: sent %q, there stand %+v", name, w.seen, h.Fleet.Works())
		}
		report := w.seen[2]
		kept := strings.Contains(report, `"resource_name":"`+work.Name+`"`)
		if !strings.Contains(report, `"type":6,"state":1,`) || !strings.Contains(report, test.begin+work.UID) || kept == test.empties || strings.Contains(report, test.end) != test.empties {
			t.Errorf("%s: reported %s", name, report)
		}
		w.list, w.seen = fmt.Sprintf(listed, oldclient.OCMDelete, "", known), nil
		if _, err := h.Tick(t.Context()); err != nil || len(w.seen) != 2 {
			t.Errorf("%s: what is not there is reported: %q %v", name, w.seen, err)
		}
	}
}

func TestNothingIsReportedThatFailedOrTimedOut(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		plan   oldclient.Plan
		stands int
		sent   int
	}{
		"fails":       {oldclient.Plan{Outcome: oldclient.Fails}, 0, 2},
		"times out":   {oldclient.Plan{Outcome: oldclient.TimesOut}, 1, 2},
		"lost before": {oldclient.Plan{Report: oldclient.LostBefore}, 1, 2},
		"lost after":  {oldclient.Plan{Report: oldclient.LostAfter}, 1, 3},
	} {
		w, h := start(t)
		var waited time.Duration
		h.Elapse = func(d time.Duration) { waited += d }
		h.Script = func(oldclient.OCMJob) oldclient.Plan { return test.plan }
		w.list = fmt.Sprintf(listed, oldclient.OCMCreate, "", fresh)
		if _, err := h.Execute(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(w.seen) != test.sent || len(h.Fleet.Works()) != test.stands {
			t.Errorf("%s: sent %q, there stand %+v", name, w.seen, h.Fleet.Works())
		}
		if name == "times out" && waited < 5*time.Second {
			t.Errorf("waited %s", waited)
		}
	}
}

func TestScalingChangesReplicasAndDropsTheRest(t *testing.T) {
	t.Parallel()
	w, h := start(t)
	w.list = fmt.Sprintf(listed, oldclient.OCMCreate, "", fresh)
	if _, err := h.Execute(t.Context()); err != nil {
		t.Fatal(err)
	}
	work := h.Fleet.Works()[0]
	known := fmt.Sprintf(`{"ID":"r","resource_uuid":%q,"resource_name":%q}`, work.UID, work.Name)
	for _, step := range [][2]string{{"scale-up", "replicas: 3"}, {"scale-down", "replicas: 2"}} {
		w.list = fmt.Sprintf(listed, oldclient.OCMUpdate, `"sub_type":"`+step[0]+`",`, known)
		_, err := h.Execute(t.Context())
		if scaled := h.Fleet.Works()[0].Manifests; err != nil || len(scaled) != 2 || !strings.Contains(scaled[1], step[1]) {
			t.Errorf("%s: %v %q", step[0], err, scaled)
		}
	}
	w.list = fmt.Sprintf(listed, oldclient.OCMUpdate, `"sub_type":"reallocation",`, known)
	if _, err := h.Execute(t.Context()); err != nil || len(h.Fleet.Works()) != 0 {
		t.Errorf("after the reallocation there stand %+v: %v", h.Fleet.Works(), err)
	}
}

func TestWhatBreaksTheAgentBreaksTheTick(t *testing.T) {
	t.Parallel()
	w, h := start(t)
	w.list = fmt.Sprintf(listed, oldclient.OCMCreate, "", "null")
	var stumble *oldclient.AgentPanicError
	if _, err := h.Tick(t.Context()); !errors.As(err, &stumble) {
		t.Errorf("a job without a resource: %v", err)
	}
	w.list = `{"error":"no"}`
	if _, err := h.Tick(t.Context()); err == nil || errors.As(err, &stumble) {
		t.Errorf("an error object: %v", err)
	}
	w.list, w.seen = strings.Replace(fmt.Sprintf(listed, oldclient.OCMCreate, "", fresh), `"node_name":"n",`, "", 1), nil
	if _, err := h.Tick(t.Context()); err != nil || len(w.seen) != 1 {
		t.Errorf("a job without a node is worked: %q %v", w.seen, err)
	}
}
