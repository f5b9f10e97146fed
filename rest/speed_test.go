package rest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
	"github.com/icos-jobmanager/jobmanager/internal/testkit"
)

// The crowd of the benchmark: this many jobs of an orchestrator that nobody asks for, in groups of so many.
const (
	crowd      = 10_000
	groupSize  = 200
	executable = 10
)

// BenchmarkREST measures requests a second, and how long the slowest one of a hundred takes, as the old clients send
// them, with 10,000 jobs in the database: one job, the list of an agent that may execute ten of them, the claim of one
// job, and a new application of two components.
func BenchmarkREST(b *testing.B) {
	for _, database := range []struct {
		name string
		url  func(testing.TB) string
	}{{"SQLite", apptest.SQLite}, {"PostgreSQL", testkit.PostgresURL}} {
		b.Run(database.name, func(b *testing.B) {
			s := apptest.Start(b, apptest.Options{DatabaseURL: database.url(b)})
			load := &load{url: s.URL + "/jobmanager"}
			for i := range crowd / groupSize {
				load.submit(b, fmt.Sprintf("crowd-%d", i), groupSize, "nuvla")
			}
			wanted := load.submit(b, "wanted", executable, "ocm")
			b.Run("job", func(b *testing.B) {
				load.measure(b, func(i int64) *http.Request {
					return load.request(b, http.MethodGet, "/jobs/"+wanted[int(i)%len(wanted)], "")
				})
			})
			b.Run("executable", func(b *testing.B) {
				load.measure(b, func(int64) *http.Request {
					return load.request(b, http.MethodGet, "/jobs/executable/ocm/0190c5a2-7b1e-7c3d-9f00-5b8d3e1a2c44", "")
				})
			})
			b.Run("promote", func(b *testing.B) {
				var free []string
				for i := 0; len(free) < b.N; i++ {
					free = slices.Concat(free, load.submit(b, fmt.Sprintf("free-%d-%d", b.N, i), groupSize, "other"))
				}
				load.measure(b, func(i int64) *http.Request {
					return load.request(b, http.MethodPatch, "/jobs/promote/"+free[i], `{"owner_id":"`+free[i]+`"}`)
				})
			})
			b.Run("create", func(b *testing.B) {
				load.measure(b, func(i int64) *http.Request {
					return load.request(b, http.MethodPost, "/groups", application(fmt.Sprintf("created-%d", i), 2, "nuvla"))
				})
			})
		})
	}
}

// load sends requests to one server.
type load struct{ url string }

func (l *load) request(b *testing.B, method, path, body string) *http.Request {
	request, err := http.NewRequestWithContext(b.Context(), method, l.url+path, strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	return request
}

// submit creates an application and gives the ids of its jobs.
func (l *load) submit(b *testing.B, name string, components int, orchestrator string) []string {
	b.Helper()
	response, err := http.DefaultClient.Do(l.request(b, http.MethodPost, "/groups", application(name, components, orchestrator)))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var group struct{ Jobs []struct{ ID string } }
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusCreated || json.NewDecoder(bytes.NewReader(body)).Decode(&group) != nil {
		b.Fatalf("%s %s %v", response.Status, body, err)
	}
	ids := make([]string, len(group.Jobs))
	for i, job := range group.Jobs {
		ids[i] = job.ID
	}
	return ids
}

// application is a descriptor with its targets pinned, so that no Matchmaker has a part in it.
func application(name string, components int, orchestrator string) string {
	var header, manifests strings.Builder
	fmt.Fprintf(&header, "name: %s\ndescription: for the benchmark\ncomponents:\n", name)
	for i := range components {
		fmt.Fprintf(&header, "  - name: c%d\n    type: kubernetes\n    manifests:\n      - name: m%d\n    targets:\n      - {cluster_name: bench, node_name: n, orchestrator: %s}\n", i, i, orchestrator)
		fmt.Fprintf(&manifests, "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: m%d\n", i)
	}
	return header.String() + manifests.String()
}

// measure sends the requests of b.N rounds, eight at a time.
func (l *load) measure(b *testing.B, request func(i int64) *http.Request) {
	b.Helper()
	const clients = 8
	var next atomic.Int64
	took := make([]time.Duration, b.N)
	b.SetParallelism(max(1, clients/runtime.GOMAXPROCS(0)))
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := next.Add(1) - 1
			r := request(i)
			begin := time.Now()
			response, err := http.DefaultClient.Do(r)
			if err != nil {
				b.Error(err)
				return
			}
			_, err = io.Copy(io.Discard, response.Body)
			took[i] = time.Since(begin)
			if _ = response.Body.Close(); err != nil || response.StatusCode >= http.StatusBadRequest {
				b.Errorf("%s %s: %s, %v", r.Method, r.URL, response.Status, err)
				return
			}
		}
	})
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}
