package storetest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// checkSentence fails when an error's sentence shows a driver's text.
func checkSentence(t testing.TB, err error) {
	t.Helper()
	ours, ok := errors.AsType[*jobmanager.Error](err)
	if !ok {
		if err != nil {
			t.Errorf("an error that is not the domain's left the store: %T %v", err, err)
		}
		return
	}
	for _, word := range []string{"SQLSTATE", "ERROR:", "SQL logic", "constraint", "syntax", "sqlite3", "pq:", "pgx", "sql:", "database is locked"} {
		if strings.Contains(ours.Message, word) {
			t.Errorf("the sentence %q shows the driver's %q", ours.Message, word)
		}
	}
}

// lookups are all reads and writes of one object by its id.
func (b *bench) lookups(scope jobmanager.Scope, id jobmanager.ID) map[string]error {
	ctx := b.t.Context()
	nothing := func(*jobmanager.Job, time.Time) ([]jobmanager.Event, error) { return nil, nil }
	noChange := func(*jobmanager.JobGroup, time.Time) ([]jobmanager.Event, error) { return nil, nil }
	_, group := b.JobGroup(ctx, scope, id, jobmanager.GroupLoad{})
	_, job := b.Job(ctx, scope, id, jobmanager.JobLoad{})
	_, resource := b.Resource(ctx, scope, id)
	_, update := b.UpdateJobs(ctx, jobmanager.Which{IDs: []jobmanager.ID{id}, Scope: scope}, nothing)
	_, change := b.ChangeGroup(ctx, scope, id, jobmanager.GroupChange{Rule: noChange})
	return map[string]error{"JobGroup": group, "Job": job, "Resource": resource, "UpdateJobs": update, "ChangeGroup": change}
}

func testNotFound(t *testing.T, b *bench) {
	group := b.MustCreate("hidden", 1)
	job := b.MustClaim("a", 1)[0]
	job = b.MustUpdate(finishRule("a"), job)[0]
	missing := newID()
	for name, err := range b.lookups(everything(), missing) {
		b.wantCode(err, jobmanager.CodeNotFound)
		if !strings.Contains(err.Error(), string(missing)) {
			t.Errorf("%s does not name the id: %v", name, err)
		}
	}
	for _, scope := range []jobmanager.Scope{{}, {Tenant: "other"}} {
		for _, id := range []jobmanager.ID{group.ID, job.ID, job.Resource.ID} {
			for _, err := range b.lookups(scope, id) {
				b.wantCode(err, jobmanager.CodeNotFound)
			}
		}
		kinds, err := b.Kinds(t.Context(), scope, []jobmanager.ID{group.ID, job.ID})
		b.must(err)
		if len(kinds) != 0 {
			t.Errorf("scope %v sees %v", scope, kinds)
		}
	}
	kinds, err := b.Kinds(t.Context(), jobmanager.Scope{Tenant: jobmanager.DefaultTenant}, []jobmanager.ID{group.ID, job.ID, job.Resource.ID, missing})
	b.must(err)
	same(t, kinds, map[jobmanager.ID]string{group.ID: "JobGroup", job.ID: "Job", job.Resource.ID: "Resource"})
	resource, err := b.Resource(t.Context(), everything(), job.Resource.ID)
	b.must(err)
	if resource.Job == nil || resource.Job.ID != job.ID {
		t.Errorf("the resource came without its job")
	}
}

func testMalformed(t *testing.T, b *bench) {
	b.MustCreate("one", 1)
	for _, id := range []jobmanager.ID{"x", "", "0190c5a2-7b1e-7c3d-9f00-5b8d3e1a2c4z"} {
		for _, err := range b.lookups(everything(), id) {
			b.wantCode(err, jobmanager.CodeInvalid)
		}
	}
	_, err := b.Kinds(t.Context(), everything(), []jobmanager.ID{"x"})
	b.wantCode(err, jobmanager.CodeInvalid)
	page, err := b.Jobs(t.Context(), jobmanager.JobQuery{Scope: everything(), Page: jobmanager.PageRequest{First: 1}})
	b.must(err)
	ofAnotherOrder := page.Edges[0].Cursor
	for _, cursor := range []string{"x", "!!", "YWJj", ofAnotherOrder + "A"} {
		request := jobmanager.PageRequest{First: 5, After: cursor}
		_, err := b.Jobs(t.Context(), jobmanager.JobQuery{Scope: everything(), Page: request})
		b.wantCode(err, jobmanager.CodeInvalid)
		_, err = b.JobGroups(t.Context(), jobmanager.JobGroupQuery{Scope: everything(), Page: request})
		b.wantCode(err, jobmanager.CodeInvalid)
		_, err = b.Executable(t.Context(), agent("a"), request)
		b.wantCode(err, jobmanager.CodeInvalid)
		_, err = b.Agents(t.Context(), jobmanager.AgentQuery{Page: request})
		b.wantCode(err, jobmanager.CodeInvalid)
	}
	_, err = b.Jobs(t.Context(), jobmanager.JobQuery{
		Scope: everything(), Order: jobmanager.JobOrder{Field: jobmanager.JobsByComponent},
		Page: jobmanager.PageRequest{First: 1, After: ofAnotherOrder},
	})
	b.wantCode(err, jobmanager.CodeInvalid)
}

func testClosed(t *testing.T, b *bench) {
	group := b.MustCreate("closed", 1)
	b.must(b.Close())
	b.wantCode(b.Ping(t.Context()), jobmanager.CodeUnavailable)
	for _, err := range b.lookups(everything(), group.ID) {
		b.wantCode(err, jobmanager.CodeUnavailable)
	}
	b.must(b.Close()) // again is nothing
}
