package storetest

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// busy is for how long these tests have a notice to themselves.
const busy = 30 * time.Second

// MustDue takes what is due.
func (b *bench) MustDue() []*jobmanager.Notice {
	b.t.Helper()
	due, err := b.DueNotices(b.t.Context(), 100, busy)
	b.must(err)
	return due
}

// wantDue takes what is due, checks the kinds, and gives the first.
func (b *bench) wantDue(want ...jobmanager.NoticeKind) *jobmanager.Notice {
	b.t.Helper()
	var kinds []jobmanager.NoticeKind
	due := b.MustDue()
	for _, notice := range due {
		kinds = append(kinds, notice.Kind)
	}
	if !slices.Equal(kinds, want) {
		b.t.Fatalf("%q is due, want %q", kinds, want)
	}
	if len(due) == 0 {
		return nil
	}
	return due[0]
}

func (b *bench) settles(notice *jobmanager.Notice, result jobmanager.NoticeResult) {
	b.t.Helper()
	b.must(b.SettleNotice(b.t.Context(), notice, result))
}

func (b *bench) delivers(notice *jobmanager.Notice) {
	b.t.Helper()
	b.settles(notice, jobmanager.NoticeResult{Delivered: true})
}

// MustDelete deletes a group of which nothing stands.
func (b *bench) MustDelete(group *jobmanager.JobGroup) {
	b.t.Helper()
	_, err := b.ChangeGroup(b.t.Context(), everything(), group.ID, deleteChange(false))
	b.must(err)
}

// testNotices delivers what a new group is told of, one after the other.
func testNotices(t *testing.T, b *bench) {
	group := b.MustCreate("told", 2)
	deleted := b.wantDue(jobmanager.NoticeDeleted)
	same(t, deleted, &jobmanager.Notice{
		Revision: 1, GroupID: group.ID, Tenant: group.Tenant, Kind: jobmanager.NoticeDeleted, Descriptor: group.Descriptor,
	})
	b.wantDue() // somebody has it, and the rest waits behind it
	head := b.MustHead()
	b.settles(deleted, jobmanager.NoticeResult{Delivered: true, Message: "it was told"})
	event := b.MustEvents(head)[0]
	if event.Type != jobmanager.PolicyManagerNotified || event.GroupID != group.ID || event.Tenant != group.Tenant ||
		event.Message != "it was told" || event.Actor != "job-manager" {
		t.Errorf("the event is %+v", event)
	}
	created := b.wantDue(jobmanager.NoticeCreated)
	b.settles(created, jobmanager.NoticeResult{NotBefore: b.clock.Now().Add(2 * time.Second), Message: "it does not answer"})
	b.clock.Advance(2*time.Second - time.Microsecond)
	b.wantDue()
	b.clock.Advance(time.Microsecond)
	if created = b.wantDue(jobmanager.NoticeCreated); created.Attempts != 1 || created.Step != 1 || created.Revision != 1 {
		t.Errorf("the second try is %+v", created)
	}
	b.clock.Advance(busy) // nobody settled it
	late := created
	if created = b.wantDue(jobmanager.NoticeCreated); created.Attempts != 2 {
		t.Errorf("the third try is %+v", created)
	}
	b.settles(late, jobmanager.NoticeResult{GivenUp: true, Message: "too late"})
	b.settles(late, jobmanager.NoticeResult{NotBefore: b.clock.Now()})
	b.wantDue()
	_, err := b.ChangeGroup(t.Context(), everything(), group.ID, stopChange())
	b.must(err)
	b.delivers(created)
	b.delivers(created) // again is nothing
	for _, kind := range []jobmanager.NoticeKind{jobmanager.NoticeStarted, jobmanager.NoticeStopped} {
		b.delivers(b.wantDue(kind))
	}
	b.wantDue()
	for _, event := range b.MustEvents(head + 1) {
		if strings.HasPrefix(string(event.Type), "POLICY_MANAGER") {
			t.Errorf("%s tells of %q", event.Type, event.Message)
		}
	}
}

// testNoticeGivenUp holds back what stands behind a notice that was given up, until a deletion begins anew.
func testNoticeGivenUp(t *testing.T, b *bench) {
	group, other := b.MustCreate("given-up", 1), b.MustCreate("other", 1)
	due := b.MustDue()
	if len(due) != 2 || due[0].GroupID != group.ID || due[1].GroupID != other.ID {
		t.Fatalf("%d groups have a notice that is due", len(due))
	}
	b.delivers(due[1])
	head := b.MustHead()
	b.settles(due[0], jobmanager.NoticeResult{GivenUp: true, Message: "it is refused"})
	event := b.MustEvents(head)[0]
	if event.Type != jobmanager.PolicyManagerGaveUp || event.GroupID != group.ID || event.Message != "it is refused" {
		t.Errorf("the event is %+v", event)
	}
	b.delivers(b.wantDue(jobmanager.NoticeCreated)) // of the other group
	b.delivers(b.wantDue(jobmanager.NoticeStarted))
	_, err := b.ChangeGroup(t.Context(), everything(), group.ID, stopChange())
	b.must(err)
	b.clock.Advance(24 * time.Hour)
	b.wantDue()
	b.MustDelete(group)
	deleted := b.wantDue(jobmanager.NoticeDeleted)
	if deleted.GroupID != group.ID || deleted.Descriptor != "" {
		t.Errorf("after its deletion %+v is due", deleted)
	}
	b.delivers(deleted)
	b.wantDue()
	group = b.MustCreate("deleted-at-once", 1)
	b.settles(b.wantDue(jobmanager.NoticeDeleted), jobmanager.NoticeResult{GivenUp: true})
	b.MustDelete(group)
	b.delivers(b.wantDue(jobmanager.NoticeDeleted)) // nobody is delivering what was given up
}

// testNoticeAnew has a deletion do away with all that came before it, also within its own transaction.
func testNoticeAnew(t *testing.T, b *bench) {
	group, other := b.MustCreate("anew", 1), b.MustCreate("untouched", 1)
	both := jobmanager.GroupChange{Rule: func(g *jobmanager.JobGroup, now time.Time) ([]jobmanager.Event, error) {
		stopped := g.Stop(now)
		deleted, err := g.Delete(false, now)
		return append(stopped, deleted...), err
	}}
	_, err := b.ChangeGroup(t.Context(), everything(), group.ID, both)
	b.must(err)
	due := b.MustDue()
	if len(due) != 2 || due[0].GroupID != other.ID || due[1].GroupID != group.ID || due[1].Revision <= due[0].Revision || due[1].Descriptor != "" {
		t.Fatalf("after the deletion %d notices are due, the last %+v", len(due), due[len(due)-1])
	}
	b.delivers(due[1])
	b.delivers(due[0])
	if next := b.wantDue(jobmanager.NoticeCreated); next.GroupID != other.ID {
		t.Errorf("the deletion left %+v", next)
	}
}

// testNoticeOvertaking deletes a group while somebody delivers an earlier notice of it: the deletion comes after.
func testNoticeOvertaking(t *testing.T, b *bench) {
	inFlight := func(name string) (*jobmanager.JobGroup, *jobmanager.Notice) {
		group := b.MustCreate(name, 1)
		b.delivers(b.wantDue(jobmanager.NoticeDeleted))
		created := b.wantDue(jobmanager.NoticeCreated)
		b.MustDelete(group)
		b.wantDue()
		return group, created
	}
	group, created := inFlight("settled")
	head := b.MustHead()
	b.settles(created, jobmanager.NoticeResult{Delivered: true, Message: "it was told"})
	deleted := b.wantDue(jobmanager.NoticeDeleted)
	if deleted.GroupID != group.ID || deleted.Attempts != 0 || b.MustHead() != head {
		t.Errorf("the deletion is %+v", deleted)
	}
	b.settles(created, jobmanager.NoticeResult{GivenUp: true}) // again is nothing, the deletion is in other hands
	b.wantDue()
	b.delivers(deleted)
	_, _ = inFlight("never-settled")
	b.clock.Advance(busy - time.Microsecond)
	b.wantDue()
	b.clock.Advance(time.Microsecond)
	b.delivers(b.wantDue(jobmanager.NoticeDeleted))
}

// testNoticeRace has many replicas ask at once: each notice is one's.
func testNoticeRace(t *testing.T, b *bench) {
	const groups = 20
	for range groups {
		b.MustCreate("raced", 1)
	}
	var mu sync.Mutex // guards taken
	taken := map[jobmanager.ID]int{}
	together(8, func(int) {
		for {
			due, err := b.DueNotices(t.Context(), 3, busy)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			for _, notice := range due {
				taken[notice.GroupID]++
			}
			mu.Unlock()
			if len(due) > 3 {
				t.Errorf("%d notices were taken, want 3 at most", len(due))
			}
			if len(due) == 0 {
				return
			}
		}
	})
	for id, n := range taken {
		if n != 1 {
			t.Errorf("the notice of %s was taken %d times", id, n)
		}
	}
	if len(taken) != groups {
		t.Errorf("the notices of %d groups were taken, want %d", len(taken), groups)
	}
}

// listener is a Policy Manager that checks whether it is told in order.
type listener struct {
	mu      sync.Mutex // guards the fields below
	telling map[jobmanager.ID]bool
	known   map[jobmanager.ID]bool
}

func (l *listener) begin(t *testing.T, notice *jobmanager.Notice) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.telling[notice.GroupID] {
		t.Errorf("%s of %s is told while another notice is", notice.Kind, notice.GroupID)
	}
	l.telling[notice.GroupID] = true
}

func (l *listener) end(t *testing.T, notice *jobmanager.Notice) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.telling[notice.GroupID] = false
	switch notice.Kind {
	case jobmanager.NoticeDeleted:
		delete(l.known, notice.GroupID)
	case jobmanager.NoticeCreated:
		l.known[notice.GroupID] = true
	case jobmanager.NoticeStarted, jobmanager.NoticeStopped:
		if !l.known[notice.GroupID] {
			t.Errorf("%s is told of %s, which is not known", notice.Kind, notice.GroupID)
		}
	}
}

// deliver takes and delivers until nothing is due.
func (b *bench) deliver(l *listener) {
	for {
		due, err := b.DueNotices(b.t.Context(), 5, busy)
		for _, notice := range due {
			l.begin(b.t, notice)
		}
		for _, notice := range due {
			l.end(b.t, notice)
			if err == nil {
				err = b.SettleNotice(b.t.Context(), notice, jobmanager.NoticeResult{Delivered: true, Message: "told"})
			}
		}
		if err != nil {
			b.t.Error(err)
		}
		if err != nil || len(due) == 0 {
			return
		}
	}
}

// testNoticeOrder has groups come, stop and go while several replicas deliver: the Policy Manager is told of each
// group in order, and knows none in the end.
func testNoticeOrder(t *testing.T, b *bench) {
	const rounds = 10
	l := &listener{telling: map[jobmanager.ID]bool{}, known: map[jobmanager.ID]bool{}}
	together(6, func(i int) {
		for range rounds {
			if i%2 == 0 {
				b.deliver(l)
				continue
			}
			group, events := jobmanager.NewJobGroup(submission("passing", 1), b.life, newID, b.clock.Now())
			err := b.CreateGroup(t.Context(), group, events, jobmanager.Idempotency{})
			for _, change := range []jobmanager.GroupChange{stopChange(), deleteChange(false)} {
				b.deliver(l)
				if err == nil {
					_, err = b.ChangeGroup(t.Context(), everything(), group.ID, change)
				}
			}
			if err != nil {
				t.Error(err)
			}
		}
	})
	b.deliver(l)
	if len(l.known) != 0 {
		t.Errorf("the Policy Manager still knows %d groups that are gone", len(l.known))
	}
}
