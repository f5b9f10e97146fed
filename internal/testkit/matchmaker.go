package testkit

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// Matchmaker is a fake of the ICOS Matchmaker 1.0.1 on loopback. Set the fields, then Start.
//
// Without an Answer it behaves as the real one does in a world of one cluster: it echoes every component of
// the first YAML document and adds MatchmakerTarget; it answers 500 to what it cannot read. Unlike the real
// one it asks for no token unless RequireToken is set.
type Matchmaker struct {
	// Answer replaces the behaviour. Status 0 means that the peer never answers: the request is held until
	// the caller gives up. To change the answer during a test, let the function look at a variable of the
	// test's own.
	Answer func(descriptor string) (status int, body string)
	// RequireToken answers 401 to a request without a bearer token, as the real one does.
	RequireToken bool
	// URL is the base address, without a slash at its end; Start sets it.
	URL string

	mu sync.Mutex // guards requests
	// requests in the order of their arrival.
	requests []MatchmakerRequest
}

// MatchmakerRequest is what the fake was asked.
type MatchmakerRequest struct {
	// Authorization is the whole header; empty when none was sent.
	Authorization string
	ContentType   string
	Body          string
}

// MatchmakerTarget is the one target of the default answer.
func MatchmakerTarget() jobmanager.Target {
	return jobmanager.Target{Cluster: "cluster-1", Node: "node-1", Orchestrator: "ocm"}
}

// Start listens on a free loopback port until the test ends, and returns the fake itself.
func (m *Matchmaker) Start(t testing.TB) *Matchmaker {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /matchmake", m.serve)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	m.URL = server.URL
	return m
}

// Requests that came so far.
func (m *Matchmaker) Requests() []MatchmakerRequest {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]MatchmakerRequest(nil), m.requests...)
}

func (m *Matchmaker) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the caller went away
	}
	m.mu.Lock()
	m.requests = append(m.requests, MatchmakerRequest{
		Authorization: r.Header.Get("Authorization"),
		ContentType:   r.Header.Get("Content-Type"),
		Body:          string(body),
	})
	m.mu.Unlock()

	status, answer := m.answer(r, string(body))
	if status == 0 {
		<-r.Context().Done()
		return
	}
	if json.Valid([]byte(answer)) {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, answer) // a caller that went away is the test's affair
}

func (m *Matchmaker) answer(r *http.Request, descriptor string) (status int, body string) {
	if m.RequireToken && !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") {
		return http.StatusUnauthorized, `{"detail":"Not authenticated"}`
	}
	if m.Answer != nil {
		return m.Answer(descriptor)
	}
	if kind := r.Header.Get("Content-Type"); kind == "" || strings.HasPrefix(kind, "application/json") {
		return http.StatusUnprocessableEntity, `{"detail":[{"loc":["body"],"msg":"str type expected","type":"type_error.str"}]}`
	}
	return echoComponents(descriptor)
}

// echoComponents is what the real one answers when its first node always fits.
func echoComponents(descriptor string) (status int, body string) {
	var document struct {
		Components []map[string]any `yaml:"components"`
	}
	err := yaml.Load([]byte(descriptor), &document, yaml.WithSingleDocument())
	if err != nil || document.Components == nil {
		return http.StatusInternalServerError, "Internal Server Error"
	}
	target := MatchmakerTarget()
	for _, component := range document.Components {
		if component == nil {
			return http.StatusInternalServerError, "Internal Server Error"
		}
		component["targets"] = map[string]any{
			"cluster_name": target.Cluster, "node_name": target.Node, "orchestrator": target.Orchestrator,
		}
	}
	text, err := json.Marshal(map[string]any{"components": document.Components})
	if err != nil {
		return http.StatusInternalServerError, "Internal Server Error"
	}
	return http.StatusOK, string(text)
}
