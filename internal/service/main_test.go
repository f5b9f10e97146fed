package service_test

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/icos-jobmanager/jobmanager/internal/descriptor"
	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/service"
	"github.com/icos-jobmanager/jobmanager/internal/store"
	"github.com/icos-jobmanager/jobmanager/internal/testkit"
)

// TestMain sets how long one round of the model test is, unless the command line does. The number of rounds is
// testkit.Rounds'.
func TestMain(m *testing.M) {
	flag.Parse()
	given := map[string]bool{}
	flag.Visit(func(f *flag.Flag) { given[f.Name] = true })
	for name, value := range map[string]int{"rapid.checks": checksOfARound * testkit.Rounds(1, 8), "rapid.steps": stepsOfACheck} {
		if !given[name] {
			_ = flag.Set(name, strconv.Itoa(value)) // both are numbers
		}
	}
	goleak.VerifyTestMain(m)
}

// database makes the URL of a fresh database.
type database func(t testing.TB) string

// onBoth runs a test on each kind of database.
func onBoth(t *testing.T, test func(t *testing.T, fresh database)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, func(t testing.TB) string { return "sqlite://" + filepath.Join(t.TempDir(), "jobs.db") })
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, testkit.PostgresURL)
	})
}

// server is a service on a database, with a clock that the test moves and a Matchmaker whose answers it changes.
type server struct {
	*service.Service
	store      *store.Store
	clock      *testkit.Clock
	matchmaker *oracle
	life       jobmanager.LifeCycle
}

// setting is what differs between the servers of the tests.
type setting struct {
	url  string
	life jobmanager.LifeCycle
	// connections to PostgreSQL; 0 means the store's default.
	connections int
}

// serve opens the database and makes the service; close ends both. It is for use inside a check of rapid, whose T is
// no testing.TB.
func serve(ctx context.Context, s setting) (_ *server, closeStore func() error, err error) {
	b := &server{
		clock: testkit.NewClock(time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)), matchmaker: newOracle(), life: s.life,
	}
	b.store, err = store.Open(ctx, store.Config{URL: s.url, Clock: b.clock, MaxConns: s.connections, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, nil, err
	}
	if _, err := b.store.Migrate(ctx); err != nil {
		return nil, nil, err
	}
	metrics, err := service.NewMetrics(prometheus.NewRegistry())
	if err != nil {
		return nil, nil, err
	}
	b.Service = service.New(service.Config{
		Store: b.store, Clock: b.clock, IDs: countedIDs(), Parser: descriptor.New(descriptor.DefaultLimits()),
		Matchmaker: b.matchmaker, Token: func() (jobmanager.Token, error) { return jobmanager.Token{}, nil },
		LifeCycle: s.life, Metrics: metrics, Logger: slog.New(slog.DiscardHandler), Pace: pace(),
	})
	return b, b.store.Close, nil
}

// away is how long the database may go unmarked in the tests: their clocks leap further than a server sleeps.
const away = 10 * time.Minute

// pace notes each call of an agent, so that the test knows when each was last heard of.
func pace() service.Pace {
	p := service.DefaultPace()
	p.Seen, p.Away = 0, away
	return p
}

// countedIDs gives ids that sort in the order of their making and are the same in every run.
func countedIDs() jobmanager.IDs {
	var n atomic.Int64
	return func() jobmanager.ID { return numberedID(n.Add(1)) }
}

func numberedID(n int64) jobmanager.ID {
	return jobmanager.ID(fmt.Sprintf("01900000-0000-7000-8000-%012x", n))
}

// mustServe is serve for a test; the store is closed with it.
func mustServe(t *testing.T, s setting) *server {
	t.Helper()
	b, closeStore, err := serve(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := closeStore(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// The callers of the tests.

func integrator() jobmanager.Principal {
	return jobmanager.Principal{Name: "ada", Tenant: jobmanager.DefaultTenant, Roles: []jobmanager.Role{jobmanager.RoleIntegrator}}
}

func admin() jobmanager.Principal {
	return jobmanager.Principal{Name: "root", Tenant: jobmanager.DefaultTenant, Roles: []jobmanager.Role{jobmanager.RoleAdmin}}
}

func fleet() jobmanager.Principal {
	return jobmanager.Principal{Name: "fleet", Tenant: jobmanager.DefaultTenant, Roles: []jobmanager.Role{jobmanager.RoleAgent}}
}

func policyManager() jobmanager.Principal {
	return jobmanager.Principal{Name: "dpm", Tenant: jobmanager.DefaultTenant, Roles: []jobmanager.Role{jobmanager.RolePolicyManager}}
}

// everything is the scope of the tests' own look.
func everything() jobmanager.Scope { return jobmanager.Scope{All: true} }
