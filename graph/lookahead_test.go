package graph_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/icos-jobmanager/jobmanager/graph"
	"github.com/icos-jobmanager/jobmanager/internal/descriptor"
	"github.com/icos-jobmanager/jobmanager/internal/feed"
	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/matchmaker"
	"github.com/icos-jobmanager/jobmanager/internal/service"
	"github.com/icos-jobmanager/jobmanager/internal/store"
)

// counted counts the reads of a real store: each costs a fixed number of statements, which the store's own
// suite counts, so a fixed number of reads is a fixed number of statements.
type counted struct {
	jobmanager.Store
	reads atomic.Int32
}

func (c *counted) JobGroups(ctx context.Context, q jobmanager.JobGroupQuery) (*jobmanager.JobGroupConnection, error) {
	c.reads.Add(1)
	return c.Store.JobGroups(ctx, q)
}

func (c *counted) JobGroup(ctx context.Context, scope jobmanager.Scope, id jobmanager.ID, load jobmanager.GroupLoad) (*jobmanager.JobGroup, error) {
	c.reads.Add(1)
	return c.Store.JobGroup(ctx, scope, id, load)
}

func (c *counted) Jobs(ctx context.Context, q jobmanager.JobQuery) (*jobmanager.JobConnection, error) {
	c.reads.Add(1)
	return c.Store.Jobs(ctx, q)
}

func (c *counted) Job(ctx context.Context, scope jobmanager.Scope, id jobmanager.ID, load jobmanager.JobLoad) (*jobmanager.Job, error) {
	c.reads.Add(1)
	return c.Store.Job(ctx, scope, id, load)
}

// door is the GraphQL door on a real SQLite database whose reads are counted.
func door(t *testing.T) (*counted, http.Handler) {
	t.Helper()
	logger := slog.New(slog.NewTextHandler(t.Output(), nil))
	opened, err := store.Open(t.Context(), store.Config{URL: "sqlite://" + filepath.Join(t.TempDir(), "jm.db"), Log: logger})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := opened.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := opened.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	log, err := feed.New(t.Context(), feed.Config{Source: opened, Clock: opened.Clock(), Logger: logger, Poll: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	targets, err := matchmaker.SampleInventory()
	if err != nil {
		t.Fatal(err)
	}
	reads := &counted{Store: opened}
	handler := graph.New(graph.Config{Logger: logger, BodyLimit: 1 << 20, Service: service.New(service.Config{
		Store: reads, Log: log, Clock: opened.Clock(), Parser: descriptor.New(descriptor.DefaultLimits()), Matchmaker: targets,
		IDs:       func() jobmanager.ID { return jobmanager.ID(uuid.Must(uuid.NewV7()).String()) },
		LifeCycle: jobmanager.DefaultLifeCycle(), Logger: logger, Pace: service.DefaultPace(),
	})})
	return reads, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(w, r.WithContext(jobmanager.WithPrincipal(r.Context(), jobmanager.LocalAdmin())))
	})
}

// post sends an operation and gives the text of the answer.
func post(t *testing.T, handler http.Handler, query string, variables map[string]any) string {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		t.Fatal(err)
	}
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/graphql", bytes.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, request)
	return answer.Body.String()
}

// run is post for an operation that must succeed.
func run(t *testing.T, handler http.Handler, query string, variables map[string]any) string {
	t.Helper()
	text := post(t, handler, query, variables)
	if strings.Contains(text, `"errors"`) {
		t.Fatalf("%s\n%s", query, text)
	}
	return text
}

// TestListsLoadEverythingAhead asks for pages with all that hangs on them, in the ways that clients write it:
// whatever the number of groups and jobs, the store is read once for each root field.
func TestListsLoadEverythingAhead(t *testing.T) {
	t.Parallel()
	reads, handler := door(t)
	const groups = 12
	for n := range groups {
		run(t, handler, `mutation($d: String!) { createJobGroup(input: {descriptor: $d}) { findings { code } } }`, map[string]any{"d": fmt.Sprintf(
			"name: app-%d\ncomponents:\n- name: a\n  manifests: [{name: m}]\n- name: b\n  manifests: [{name: m}]\nmanifests:\n- name: m\n  manifest:\n    apiVersion: v1\n    kind: Pod\n    metadata: {name: m}\n", n)})
	}
	const whole = `id component manifests { text } attempts { epoch } waiting { reason } resource { conditions { type } } target { cluster }`
	for name, test := range map[string]struct {
		query string
		vars  map[string]any
		reads int32
		jobs  int
	}{
		"nodes":     {`{ jobGroups { nodes { descriptor jobs { nodes { ` + whole + ` } } } } }`, nil, 1, 2 * groups},
		"edges":     {`{ jobGroups { edges { node { jobs(first: 10) { edges { node { ` + whole + ` } } } } } } }`, nil, 1, 2 * groups},
		"variables": {`query($n: Int) { jobGroups { nodes { jobs(first: $n) { nodes { ` + whole + ` } } } } }`, map[string]any{"n": 1}, 1, groups},
		"fragments": {`{ jobGroups { nodes { ...G } } } fragment G on JobGroup { jobs { nodes { ...J ... on Node { id } } } } fragment J on Job { ` + whole + ` }`, nil, 1, 2 * groups},
		"aliases":   {`{ jobGroups { nodes { few: jobs(first: 1) { nodes { id } } all: jobs { nodes { ` + whole + ` } } } } }`, nil, 1, 3 * groups},
		"jobs":      {`{ jobs { nodes { ` + whole + ` group { name } } } }`, nil, 1, 2 * groups},
		"two roots": {`{ a: jobs { nodes { ` + whole + ` } } b: jobs { nodes { ` + whole + ` } } }`, nil, 2, 4 * groups},
		"skipped":   {`query($no: Boolean!) { jobGroups { nodes { jobs @include(if: $no) { nodes { id } } } } }`, map[string]any{"no": false}, 1, 0},
	} {
		before := reads.reads.Load()
		text := run(t, handler, test.query, test.vars)
		if got := reads.reads.Load() - before; got != test.reads {
			t.Errorf("%s: the store was read %d times, want %d", name, got, test.reads)
		}
		if got := strings.Count(text, `"id":`); got != test.jobs {
			t.Errorf("%s: %d jobs came, want %d", name, got, test.jobs)
		}
	}
}
