package store_test

import (
	"database/sql"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"github.com/uptrace/bun/migrate"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/store"
	"github.com/icos-jobmanager/jobmanager/migrations"
)

// firstVersion is a database as the first release left it, with a group, a job in progress, and events.
type firstVersion struct {
	db         *bun.DB
	group, job jobmanager.ID
	claimed    time.Time
}

func newFirstVersion(t *testing.T, url string) *firstVersion {
	t.Helper()
	kind, pool := "postgres", (*sql.DB)(nil)
	var err error
	v := &firstVersion{group: newID(), job: newID(), claimed: time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC)}
	if path, found := strings.CutPrefix(url, "sqlite://"); found {
		kind = "sqlite"
		pool, err = sql.Open("sqlite", "file:"+path+"?_pragma=foreign_keys(1)&_pragma=busy_timeout(5000)")
	} else {
		pool, err = sql.Open("pgx", url)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Close() })
	v.db = bun.NewDB(pool, sqlitedialect.New())
	if kind == "postgres" {
		v.db = bun.NewDB(pool, pgdialect.New())
	}
	v.migrate(t, kind)
	v.insert(t)
	return v
}

// migrate applies the first migration alone.
func (v *firstVersion) migrate(t *testing.T, kind string) {
	t.Helper()
	all, err := migrations.For(kind)
	if err != nil {
		t.Fatal(err)
	}
	names, err := fs.Glob(all, "20260101000000_*")
	if err != nil || len(names) != 2 {
		t.Fatalf("the first migration is %v, %v", names, err)
	}
	first := fstest.MapFS{}
	for _, name := range names {
		text, err := fs.ReadFile(all, name)
		if err != nil {
			t.Fatal(err)
		}
		first[name] = &fstest.MapFile{Data: text}
	}
	set := migrate.NewMigrations()
	if err := set.Discover(first); err != nil {
		t.Fatal(err)
	}
	migrator := migrate.NewMigrator(v.db, set, migrate.WithMarkAppliedOnSuccess(true))
	if err := migrator.Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := migrator.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (v *firstVersion) insert(t *testing.T) {
	t.Helper()
	at := v.claimed
	payload := fmt.Sprintf(`{"job":{"id":%q,"groupId":%q,"component":"web","epoch":1}}`, v.job, v.group)
	for _, row := range []struct {
		table  string
		values map[string]any
	}{
		{"identity", map[string]any{"id": 1, "incarnation": "old"}},
		{"job_groups", map[string]any{
			"id": v.group, "tenant": "default", "name": "shop", "description": "", "namespace": "ns", "phase": "DEPLOYING",
			"generation": 1, "descriptor": "name: shop\n", "components": `[]`, "delete_when_stopped": false, "created_at": at, "updated_at": at,
		}},
		{"jobs", map[string]any{
			"id": v.job, "tenant": "default", "group_id": v.group, "component": "web", "type": "CREATE_DEPLOYMENT", "sub_type": "",
			"state": "PROGRESSING", "workload": "MAYBE", "owner_id": "a", "epoch": 1, "generation": 1, "attempt": 1, "claim_epoch": 1,
			"claim_owner_id": "a", "claim_id": "c", "claimed_at": at, "claim_outcome": "", "claim_message": "",
			"lease_until": at.Add(time.Minute).UnixMicro(), "lease_seconds": 60, "queued_at": at, "reserved_by": "", "target_cluster": "edge",
			"target_node": "", "target_orchestrator": "ocm", "target_pinned": true, "orchestrator": "ocm", "namespace": "ns",
			"manifest_count": 1, "hold": "", "hold_message": "", "match_tries": 0, "since": at, "last_error": "", "unhealthy": false,
			"created_at": at, "updated_at": at, "version": 2,
		}},
		{"manifests", map[string]any{"job_id": v.job, "position": 0, "name": "web", "api_version": "v1", "kind": "Pod", "text": "kind: Pod\n"}},
		{"attempts", map[string]any{
			"job_id": v.job, "epoch": 1, "owner_id": "a", "claim_id": "c", "claimed_at": at, "outcome": "", "message": "",
		}},
		{"resources", map[string]any{
			"id": newID(), "job_id": v.job, "tenant": "default", "uid": "u", "name": "web", "conditions": `[]`, "seen_at": at,
		}},
		{"agents", map[string]any{"orchestrator": "ocm", "owner_id": "a", "clusters": `["edge"]`, "last_seen_at": at, "protocol": "graphql"}},
		{"events", map[string]any{
			"revision": 1, "tenant": "default", "type": "JOB_CREATED", "at": at, "actor": "ada", "job_group_id": v.group, "job_id": v.job,
			"message": "for component web", "payload": payload,
		}},
		{"events", map[string]any{
			"revision": 2, "tenant": "default", "type": "JOB_GROUP_PHASE_CHANGED", "at": at, "actor": "a", "job_group_id": v.group,
			"message": "shop", "payload": `{}`,
		}},
	} {
		if _, err := v.db.NewInsert().Model(&row.values).Table(row.table).Exec(t.Context()); err != nil {
			t.Fatalf("%s: %v", row.table, err)
		}
	}
	if _, err := v.db.ExecContext(t.Context(), "UPDATE counter SET revision = 2"); err != nil {
		t.Fatal(err)
	}
}

// rows lists everything that stands in the tables.
func (v *firstVersion) rows(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, table := range []string{"counter", "job_groups", "jobs", "manifests", "attempts", "resources", "agents", "events"} {
		var rows []map[string]any
		if err := v.db.NewSelect().Table(table).Scan(t.Context(), &rows); err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			all = append(all, table+" "+fmt.Sprint(row))
		}
	}
	slices.Sort(all)
	return all
}

func TestMigratingKeepsWhatIsThere(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string) {
		v := newFirstVersion(t, url)
		before := v.rows(t)
		if len(before) != 9 {
			t.Fatalf("the first version has %d rows", len(before))
		}
		s := mustOpen(t, store.Config{URL: url})
		up, err := s.Migrate(t.Context())
		if err != nil || len(up) != 2 {
			t.Fatalf("the later migrations applied %v, %v", up, err)
		}
		v.checkMigrated(t, s)
		// What only later versions can tell of goes with them.
		nobodys := &jobmanager.Incompliance{ID: newID(), Tenant: jobmanager.DefaultTenant}
		if err := s.RecordIncompliance(t.Context(), jobmanager.Scope{All: true}, "p", nobodys, nil); err != nil {
			t.Fatal(err)
		}
		down, err := s.Rollback(t.Context())
		if err != nil || !slices.Equal(down, up) {
			t.Fatalf("the rollback took back %v, %v", down, err)
		}
		if _, err := v.db.ExecContext(t.Context(), "UPDATE counter SET revision = 2"); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, v.rows(t)); diff != "" {
			t.Errorf("up and down changed what was there:\n%s", diff)
		}
		if again, err := s.Migrate(t.Context()); err != nil || len(again) != 2 {
			t.Fatalf("the later migrations applied %v, %v", again, err)
		}
		v.checkMigrated(t, s)
	})
}

// checkMigrated reads what the first version wrote, and works on with it.
func (v *firstVersion) checkMigrated(t *testing.T, s *store.Store) {
	t.Helper()
	all := jobmanager.Scope{All: true}
	job, err := s.Job(t.Context(), all, v.job, jobmanager.JobLoad{Manifests: true, Attempts: true, Group: &jobmanager.GroupLoad{}})
	if err != nil {
		t.Fatal(err)
	}
	if job.Owner != "a" || !job.Last.ClaimedAt.Equal(v.claimed) || job.Lease == nil || job.Resource.UID != "u" || len(job.Attempts) != 1 ||
		len(job.Manifests) != 1 || job.Group.Name != "shop" || job.Turn != (jobmanager.Turn{}) || job.Move != nil || job.Outdated || job.Sequel != "" ||
		job.Last.Client != "" || job.Last.Alone || job.Polls != 0 || job.Strays != nil {
		t.Errorf("the job is %+v", job)
	}
	events, err := s.Events(t.Context(), 0, 10)
	if err != nil || len(events) != 2 {
		t.Fatalf("%d events are left: %v", len(events), err)
	}
	if events[0].Job.Component != "web" || events[0].GroupID != v.group || events[1].JobID != "" || !events[1].At.Equal(v.claimed) {
		t.Errorf("the events are %+v and %+v", events[0], events[1])
	}
	agents, err := s.Agents(t.Context(), jobmanager.AgentQuery{Page: jobmanager.PageRequest{First: 5}})
	if err != nil || len(agents.Edges) != 1 || !slices.Equal(agents.Nodes()[0].Clusters, []string{"edge"}) {
		t.Errorf("the agents are %+v, %v", agents, err)
	}
}

// TestRollbackLetsGoWhatOnlyLaterVersionsEnd: a job that is held for a reason which the older version does not know would
// be held for ever.
func TestRollbackLetsGoWhatOnlyLaterVersionsEnd(t *testing.T) {
	t.Parallel()
	for hold, want := range map[jobmanager.HoldReason]jobmanager.HoldReason{
		jobmanager.HoldRemovalUnconfirmed: "", jobmanager.HoldAmbiguousWorkload: "", jobmanager.HoldNoTarget: jobmanager.HoldNoTarget,
	} {
		t.Run(string(hold), func(t *testing.T) {
			onBoth(t, func(t *testing.T, url string) {
				v := newFirstVersion(t, url)
				s := mustOpen(t, store.Config{URL: url})
				if _, err := s.Migrate(t.Context()); err != nil {
					t.Fatal(err)
				}
				if _, err := v.db.NewUpdate().Table("jobs").Set("hold = ?", hold).Set("hold_message = 'because'").Where("id = ?", v.job).Exec(t.Context()); err != nil {
					t.Fatal(err)
				}
				if _, err := s.Rollback(t.Context()); err != nil {
					t.Fatal(err)
				}
				var left, message string
				if err := v.db.NewSelect().Table("jobs").Column("hold", "hold_message").Scan(t.Context(), &left, &message); err != nil {
					t.Fatal(err)
				}
				if left != string(want) || (message == "") != (want == "") {
					t.Errorf("after the rollback the job is held by %q: %q, want %q", left, message, want)
				}
			})
		})
	}
}
