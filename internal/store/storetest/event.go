package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// testFollow has writers of every kind at work while a reader follows the log by its revision alone.
func testFollow(t *testing.T, b *bench) {
	const writers, rounds = 6, 8
	done := make(chan struct{})
	followed := make(chan []*jobmanager.Event)
	go func() {
		var all []*jobmanager.Event
		for last := false; ; {
			select {
			case <-done:
				last = true // everything is committed: one more read is the end
			default:
			}
			events, err := b.Events(t.Context(), jobmanager.Revision(len(all)), 7)
			if err != nil {
				t.Error(err)
			}
			all = append(all, events...)
			if err != nil || last && len(events) == 0 {
				followed <- all
				return
			}
		}
	}()
	together(writers, func(i int) {
		for n := range rounds {
			b.workOnce(fmt.Sprintf("w%d-%d", i, n))
		}
	})
	close(done)
	all := <-followed
	for i, event := range all {
		if event.Revision != jobmanager.Revision(i+1) {
			t.Fatalf("the reader got revision %d where %d was next", event.Revision, i+1)
		}
	}
	if head := b.MustHead(); int(head) != len(all) || len(all) < writers*rounds*5 {
		t.Errorf("the reader saw %d events, the head is %d", len(all), head)
	}
}

// workOnce creates, claims, finishes and stops one group of two jobs.
func (b *bench) workOnce(name string) {
	group, events := jobmanager.NewJobGroup(submission(name, 2), b.life, newID, b.clock.Now())
	err := b.CreateGroup(b.t.Context(), group, events, jobmanager.Idempotency{})
	which := jobmanager.Which{IDs: ids(group.Jobs), Scope: everything(), Actor: name}
	if err == nil {
		_, err = b.UpdateJobs(b.t.Context(), which, b.claimRule(name))
	}
	if err == nil {
		_, err = b.UpdateJobs(b.t.Context(), which, finishRule(name))
	}
	if err == nil {
		_, err = b.ChangeGroup(b.t.Context(), everything(), group.ID, stopChange())
	}
	if err != nil {
		b.t.Errorf("%s: %v", name, err)
	}
}

func testEventContent(t *testing.T, b *bench) {
	group := b.MustSubmit(fullSubmission())
	job := b.MustUpdate(b.claimRule("a"), group.Jobs[1])[0]
	head, err := b.Head(t.Context())
	b.must(err)
	events := b.MustEvents(0)
	created, claimed, phase := events[0], events[3], events[4]
	if created.Type != jobmanager.JobGroupCreated || created.Actor != "ada" || created.JobID != "" || created.Job != nil {
		t.Errorf("the first event is %+v", created)
	}
	same(t, created.Group, group, cmpopts.IgnoreFields(jobmanager.JobGroup{}, "Jobs", "Descriptor"),
		cmpopts.IgnoreFields(jobmanager.Component{}, "Manifests"))
	want := &jobmanager.Event{
		Revision: 4, Incarnation: created.Incarnation, Type: jobmanager.JobClaimed, Tenant: jobmanager.DefaultTenant,
		At: b.clock.Now(), Actor: "test", GroupID: group.ID, JobID: job.ID, Message: "a claimed it, attempt 1", Job: job,
		Former:  jobmanager.Former{Existed: true, Type: jobmanager.CreateDeployment, State: jobmanager.Created, Orchestrator: "ocm", Cluster: "edge"},
		Attempt: &job.Last,
	}
	same(t, claimed, want, cmpopts.IgnoreFields(jobmanager.Event{}, "Size"))
	if claimed.Size < 100 {
		t.Errorf("an event with a job counts %d bytes", claimed.Size)
	}
	if phase.Type != jobmanager.JobGroupPhaseChanged || phase.Actor != "test" || phase.Group.Phase != jobmanager.PhaseDeploying {
		t.Errorf("the last event is %+v", phase)
	}
	if phase.Cursor() != head {
		t.Errorf("the last event's cursor is %s, the head %s", phase.Cursor(), head)
	}
	b.MustUpdate(finishRule("a"), job)
	b.MustUpdate(func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) { return j.Stop(now), nil }, job)
	b.MustUpdate(b.claimRule("a"), job)
	b.MustUpdate(finishRule("a"), job)
	removed := b.MustEvents(phase.Revision)
	at := slices.IndexFunc(removed, func(e *jobmanager.Event) bool { return e.Type == jobmanager.ResourceRemoved })
	if at < 0 || removed[at].Removed == nil || removed[at].Removed.UID != "uid-part-001" {
		t.Errorf("no event carries the removed resource")
	}
}

func testCursorExpired(t *testing.T, b *bench) {
	if events := b.MustEvents(0); len(events) != 0 {
		t.Fatalf("an empty log has %d events", len(events))
	}
	b.MustCreate("three", 2)
	if events := b.MustEvents(3); len(events) != 0 {
		t.Errorf("%d events stand after the newest", len(events))
	}
	_, err := b.Events(t.Context(), 4, 10)
	b.wantCode(err, jobmanager.CodeCursorExpired)
	_, err = b.EventPage(t.Context(), everything(), jobmanager.EventFilter{}, 4, 10)
	b.wantCode(err, jobmanager.CodeCursorExpired)
}

func testEventPage(t *testing.T, b *bench) {
	first := b.MustCreate("first", 3)
	other := submission("second", 1)
	other.Tenant = "other"
	second := b.MustSubmit(other)
	page := func(scope jobmanager.Scope, filter jobmanager.EventFilter, after jobmanager.Revision, n int) *jobmanager.EventConnection {
		t.Helper()
		list, err := b.EventPage(t.Context(), scope, filter, after, n)
		b.must(err)
		return list
	}
	all := page(everything(), jobmanager.EventFilter{}, 0, 4)
	if len(all.Edges) != 4 || !all.PageInfo.HasNextPage || all.PageInfo.HasPreviousPage {
		t.Errorf("the first page has %d events, %+v", len(all.Edges), all.PageInfo)
	}
	_, revision, err := jobmanager.Cursor(all.PageInfo.EndCursor).Parse()
	b.must(err)
	rest := page(everything(), jobmanager.EventFilter{}, revision, 4)
	if len(rest.Edges) != 2 || rest.PageInfo.HasNextPage || !rest.PageInfo.HasPreviousPage || rest.Nodes()[0].GroupID != second.ID {
		t.Errorf("the second page has %d events, %+v", len(rest.Edges), rest.PageInfo)
	}
	for name, count := range map[string]struct{ got, want int }{
		"of the other tenant": {len(page(jobmanager.Scope{Tenant: "other"}, jobmanager.EventFilter{}, 0, 50).Edges), 2},
		"of nobody":           {len(page(jobmanager.Scope{}, jobmanager.EventFilter{}, 0, 50).Edges), 0},
		"of a group":          {len(page(everything(), jobmanager.EventFilter{JobGroupIDs: []jobmanager.ID{first.ID}}, 0, 50).Edges), 4},
		"of two jobs":         {len(page(everything(), jobmanager.EventFilter{JobIDs: ids(first.Jobs[:2])}, 0, 50).Edges), 2},
		"of a type":           {len(page(everything(), jobmanager.EventFilter{Types: []jobmanager.EventType{jobmanager.JobCreated}}, 0, 50).Edges), 4},
	} {
		if count.got != count.want {
			t.Errorf("%d events %s, want %d", count.got, name, count.want)
		}
	}
}

func testOnCommit(t *testing.T, b *bench) {
	group := b.MustCreate("told", 2)
	b.MustUpdate(b.claimRule("a"), group.Jobs...)
	b.MustUpdate(func(*jobmanager.Job, time.Time) ([]jobmanager.Event, error) { return nil, nil }, group.Jobs...)
	b.mu.Lock()
	defer b.mu.Unlock()
	same(t, b.committed, []jobmanager.Revision{3, 6}) // group and jobs; two claims and the phase
}
