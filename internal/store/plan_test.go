package store_test

import (
	"context"
	"database/sql"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/store"
)

// reading keeps the text of every statement that reads or changes jobs, or the workloads that are or were theirs.
type reading struct {
	mu   sync.Mutex // guards list
	list []string
}

func (r *reading) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context { return ctx }

func (r *reading) AfterQuery(_ context.Context, e *bun.QueryEvent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	ours := strings.Contains(e.Query, `"jobs"`) || strings.Contains(e.Query, `"past_resources"`) || strings.Contains(e.Query, `"strangers"`)
	if ours && (!strings.HasPrefix(e.Query, "INSERT") || strings.Contains(e.Query, "SELECT")) {
		r.list = append(r.list, e.Query)
	}
}

// TestFrequentStatementsReadIndexes asks SQLite how it carries out what agents and the server's duties do all the
// time. Its plans do not depend on the number of rows, and its partial indexes serve only queries that repeat their
// conditions word for word.
func TestFrequentStatementsReadIndexes(t *testing.T) {
	t.Parallel()
	url := sqliteURL(t)
	s := mustMigrate(t, store.Config{URL: url})
	group := mustCreate(t, s, 2)
	seen := &reading{}
	s.Watch(seen)
	agent := jobmanager.Agent{OwnerID: "a", Orchestrator: "ocm", Clusters: []string{"c", "d"}}
	ids := []jobmanager.ID{group.Jobs[0].ID}
	for name, which := range map[string]jobmanager.Which{
		"claim": {ExecutableFor: &agent, Limit: 1}, "retry": {ExecutableFor: &agent, ClaimID: "c", Limit: 1},
		"hand-out": {ExecutableFor: &agent, HandOut: true, Limit: 10}, "expiry": {LeaseOver: true, Limit: 10},
		"hand-out of one group": {ExecutableFor: &agent, HandOut: true, Together: true, Limit: 10},
		"polls":                 {UnconfirmedBy: "a", Limit: 10},
		"what is held":          {HeldBy: "a", After: group.Jobs[0].ID, Limit: 10}, "one job": {IDs: ids},
	} {
		which.Scope = jobmanager.Scope{All: true}
		_, err := s.UpdateJobs(t.Context(), which, func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
			return j.Claim(jobmanager.Claim{Agent: agent, ID: "c", Length: time.Minute}, now)
		})
		if err != nil && jobmanager.CodeOf(err) != jobmanager.CodeNotClaimable {
			t.Fatalf("%s: %v", name, err)
		}
	}
	incompliance := &jobmanager.Incompliance{ID: newID(), Subject: jobmanager.Subject{ResourceID: "u"}}
	_, listErr := s.Executable(t.Context(), agent, jobmanager.PageRequest{First: 10})
	_, chanceErr := s.NextChance(t.Context(), s.Clock().Now())
	_, matchErr := s.Unmatched(t.Context(), 10)
	recordErr := s.RecordIncompliance(t.Context(), jobmanager.Scope{All: true}, "p", incompliance, nil)
	_, uidErr := s.ByUID(t.Context(), jobmanager.Scope{All: true}, "u")
	_, adoptErr := s.Adoptable(t.Context(), jobmanager.Scope{All: true}, "client", "web")
	_, wasErr := s.WasResource(t.Context(), ids[0], "u")
	_, strangerErr := s.Stranger(t.Context(), "client", "u", "web-x1y2z")
	workErr := s.Working(t.Context(), "a", s.Clock().Now())
	_, goneErr := s.ChangeGroup(t.Context(), jobmanager.Scope{All: true}, group.ID, jobmanager.GroupChange{
		Rule: func(g *jobmanager.JobGroup, _ time.Time) ([]jobmanager.Event, error) {
			g.Deleted = true
			return nil, nil
		},
	})
	for _, err := range []error{listErr, chanceErr, matchErr, recordErr, uidErr, adoptErr, wasErr, strangerErr, workErr, goneErr} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(seen.list) < 20 {
		t.Fatalf("only %d statements were seen", len(seen.list))
	}
	checkPlans(t, strings.TrimPrefix(url, "sqlite://"), seen.list)
}

func checkPlans(t *testing.T, path string, statements []string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	used := map[string]bool{}
	for _, statement := range statements {
		for _, step := range plan(t, db, statement) {
			for _, word := range strings.Fields(step) {
				used[word] = true
			}
			partial := strings.Contains(step, "USING") && !strings.Contains(step, "autoindex") // of the whole table
			if scans(step) && !partial {
				t.Errorf("%s: %s", step, statement)
			}
		}
	}
	for _, index := range []string{"jobs_unconfirmed", "jobs_adoptable", "jobs_reserved_by", "resources_uid", "past_resources_uid", "strangers_seen"} {
		if !used[index] {
			t.Errorf("no statement uses the index %s", index)
		}
	}
}

// scans says whether a step reads a whole table or index of those that grow with the jobs.
func scans(step string) bool {
	for _, table := range []string{"job", "reserved", "resource", "past_resource", "stranger"} {
		if strings.HasPrefix(step, "SCAN "+table) {
			return true
		}
	}
	return false
}

func plan(t *testing.T, db *sql.DB, statement string) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+statement)
	if err != nil {
		t.Fatalf("%v in %s", err, statement)
	}
	defer func() { _ = rows.Close() }()
	var steps []string
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, step)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return steps
}
