package app_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
)

// chronicle is what a watcher knows that has followed the log from its first event: it reads on where it stopped,
// whichever process serves by then.
type chronicle struct {
	cursor   string // of the newest event that was read
	revision int64
	jobs     map[string]jobTold
	groups   map[string]groupTold
	kinds    map[string]int // events by type

	owners   map[ofEpoch]string // who claimed
	finished map[ofEpoch]int
	moves    map[ofGeneration][]string // the users' changes that brought a group to a generation
}

// jobTold is what events tell of a job, and tables as well. Renewals write no event, so it has no end of a lease.
type jobTold struct {
	ID, Component, Type, SubType, State, Workload, Owner string

	Epoch, Generation int64
	Attempt           int

	Target *struct{ Cluster string }
	Lease  *struct {
		OwnerID string
		Epoch   int64
	}
	Resource *struct {
		UID, Name  string
		Conditions []struct{ Type, Status, LastTransitionTime string }
	}
}

const jobToldView = `id component type subType state workload owner epoch generation attempt target { cluster }
	lease { ownerId epoch } resource { uid name conditions { type status lastTransitionTime } }`

// groupTold is the same of a group.
type groupTold struct {
	ID, Name, Phase   string
	Generation        int64
	DeleteWhenStopped bool
}

const groupToldView = `id name phase generation deleteWhenStopped`

func newChronicle() *chronicle {
	return &chronicle{
		jobs: map[string]jobTold{}, groups: map[string]groupTold{}, kinds: map[string]int{},
		owners: map[ofEpoch]string{}, finished: map[ofEpoch]int{}, moves: map[ofGeneration][]string{},
	}
}

// eventTold is one event, as the list has it.
type eventTold struct {
	Revision            int64
	Cursor, Type, Actor string
	JobGroupID, JobID   string
}

// follow reads on to the end of the log, and gives that end as a cursor. The list of events and both watches tell
// the same events, each once and in one order.
func (l *chronicle) follow(t *testing.T, c *apptest.Client) {
	t.Helper()
	if l.cursor == "" {
		var info struct{ ServerInfo struct{ Incarnation string } }
		c.Must(t, `{ serverInfo { incarnation } }`, nil, &info)
		l.cursor = info.ServerInfo.Incarnation + ":0"
	}
	from := l.cursor
	events := l.read(t, c)
	var ofJobs, ofGroups []eventTold
	for _, e := range events {
		l.kinds[e.Type]++
		if e.JobID != "" {
			ofJobs = append(ofJobs, e)
		}
		if strings.HasPrefix(e.Type, "JOB_GROUP_") {
			ofGroups = append(ofGroups, e)
		}
	}
	l.replayJobs(t, c, from, ofJobs)
	l.replayGroups(t, c, from, ofGroups)
}

// read lists the events behind the cursor and moves it; they have no gap.
func (l *chronicle) read(t *testing.T, c *apptest.Client) []eventTold {
	t.Helper()
	var all []eventTold
	for more := true; more; {
		var page struct {
			Events struct {
				Nodes    []eventTold
				PageInfo struct{ HasNextPage bool }
			}
		}
		c.Must(t, `query($after: String) { events(after: $after, first: 500) {
			nodes { revision cursor type actor jobGroupId jobId } pageInfo { hasNextPage } } }`, apptest.Vars{"after": l.cursor}, &page)
		for _, e := range page.Events.Nodes {
			if e.Revision != l.revision+1 || !strings.HasSuffix(e.Cursor, ":"+strconv.FormatInt(e.Revision, 10)) {
				t.Fatalf("revision %d (%s) follows %d", e.Revision, e.Cursor, l.revision)
			}
			l.revision, l.cursor = e.Revision, e.Cursor
		}
		all = append(all, page.Events.Nodes...)
		more = page.Events.PageInfo.HasNextPage
	}
	return all
}

// replayJobs watches the jobs from the cursor on, and takes over what each event left.
func (l *chronicle) replayJobs(t *testing.T, c *apptest.Client, from string, events []eventTold) {
	t.Helper()
	if len(events) == 0 {
		return
	}
	watch := c.Subscribe(t, `subscription($after: String) { jobChanged(after: $after) { kind cursor job { `+jobToldView+` } } }`, apptest.Vars{"after": from})
	defer watch.Close()
	for _, e := range events {
		var m struct {
			JobChanged struct {
				Kind, Cursor string
				Job          *jobTold
			}
		}
		for watch.Next(&m); m.JobChanged.Kind == "BOOKMARK"; {
			watch.Next(&m)
		}
		if m.JobChanged.Cursor != e.Cursor || m.JobChanged.Job == nil || m.JobChanged.Job.ID != e.JobID {
			t.Fatalf("the watch tells %+v, the list has %+v next", m.JobChanged, e)
		}
		l.takeJob(t, e, m.JobChanged.Kind, *m.JobChanged.Job)
	}
}

func (l *chronicle) takeJob(t *testing.T, e eventTold, kind string, j jobTold) {
	t.Helper()
	former, known := l.jobs[j.ID]
	if known == (kind == "ENTERED") || j.Epoch < former.Epoch || j.Generation < former.Generation {
		t.Errorf("revision %d, %s: job %s (%s) was %+v and is %+v", e.Revision, e.Type, j.ID, kind, former, j)
	}
	at := ofEpoch{j.ID, j.Epoch}
	switch e.Type {
	case "JOB_CLAIMED":
		if owner, twice := l.owners[at]; twice {
			t.Errorf("epoch %d of job %s was given to %s and to %s", j.Epoch, j.ID, owner, j.Owner)
		}
		if e.Actor != j.Owner {
			t.Errorf("revision %d: %s claimed in the name of %s", e.Revision, e.Actor, j.Owner)
		}
		l.owners[at] = j.Owner
	case "JOB_FINISHED":
		l.finished[at]++
		if l.owners[at] != e.Actor || l.finished[at] > 1 {
			t.Errorf("revision %d: %s finished epoch %d of job %s for the %d. time, %q claimed it", e.Revision, e.Actor, j.Epoch, j.ID, l.finished[at], l.owners[at])
		}
	}
	if j.Lease != nil && l.owners[at] != j.Owner {
		t.Errorf("revision %d: %s holds epoch %d of job %s, %q claimed it", e.Revision, j.Owner, j.Epoch, j.ID, l.owners[at])
	}
	l.jobs[j.ID] = j
	if kind == "LEFT" {
		delete(l.jobs, j.ID)
	}
}

// replayGroups is replayJobs for groups.
func (l *chronicle) replayGroups(t *testing.T, c *apptest.Client, from string, events []eventTold) {
	t.Helper()
	if len(events) == 0 {
		return
	}
	watch := c.Subscribe(t, `subscription($after: String) { jobGroupChanged(after: $after) { kind cursor jobGroup { `+groupToldView+` } } }`, apptest.Vars{"after": from})
	defer watch.Close()
	for _, e := range events {
		var m struct {
			JobGroupChanged struct {
				Kind, Cursor string
				JobGroup     *groupTold
			}
		}
		for watch.Next(&m); m.JobGroupChanged.Kind == "BOOKMARK"; {
			watch.Next(&m)
		}
		g := m.JobGroupChanged.JobGroup
		if m.JobGroupChanged.Cursor != e.Cursor || g == nil || g.ID != e.JobGroupID {
			t.Fatalf("the watch tells %+v, the list has %+v next", m.JobGroupChanged, e)
		}
		if slices.Contains([]string{"JOB_GROUP_CREATED", "JOB_GROUP_UPDATED", "JOB_GROUP_STARTED", "JOB_GROUP_STOPPED"}, e.Type) {
			at := ofGeneration{g.ID, g.Generation}
			if l.moves[at] = append(l.moves[at], e.Type); len(l.moves[at]) > 1 {
				t.Errorf("revision %d: group %s came to generation %d by %v", e.Revision, g.ID, g.Generation, l.moves[at])
			}
		}
		l.groups[g.ID] = *g
		if m.JobGroupChanged.Kind == "LEFT" {
			delete(l.groups, g.ID)
		}
	}
}

// tables is what the database holds at one revision.
type tables struct {
	Jobs struct {
		Revision string
		Nodes    []tableJob
		PageInfo struct{ HasNextPage bool }
	}
	JobGroups struct {
		Revision string
		Nodes    []tableGroup
		PageInfo struct{ HasNextPage bool }
	}
}

// tableJob is a job with what events do not tell.
type tableJob struct {
	jobTold
	Held     *struct{ ExpiresAt time.Time }
	Attempts []struct {
		Epoch   int64
		OwnerID string
		Outcome string
	}
	Group struct{ ID string }
}

// tableGroup is a group with what events do not tell.
type tableGroup struct {
	groupTold
	Descriptor string
}

// tablesAtTheEnd follows the log and reads the tables at its very end, and holds that both say the same.
func (l *chronicle) tablesAtTheEnd(t *testing.T, c *apptest.Client) tables {
	t.Helper()
	const tries = 50 // the server goes on with its own duties meanwhile
	for range tries {
		l.follow(t, c)
		var read tables
		c.Must(t, `{ jobs(first: 500) { revision pageInfo { hasNextPage } nodes { `+jobToldView+` held: lease { expiresAt } attempts { epoch ownerId outcome } group { id } } } }`, nil, &read)
		c.Must(t, `{ jobGroups(first: 90) { revision pageInfo { hasNextPage } nodes { `+groupToldView+` descriptor } } }`, nil, &read)
		if read.Jobs.Revision != l.cursor || read.JobGroups.Revision != l.cursor {
			continue
		}
		if read.Jobs.PageInfo.HasNextPage || read.JobGroups.PageInfo.HasNextPage {
			t.Fatal("the proof has more groups or jobs than one page")
		}
		l.compare(t, read)
		return read
	}
	t.Fatal("the log never came to rest")
	return tables{}
}

func (l *chronicle) compare(t *testing.T, read tables) {
	t.Helper()
	jobs, groups := map[string]jobTold{}, map[string]groupTold{}
	for _, j := range read.Jobs.Nodes {
		jobs[j.ID] = j.jobTold
	}
	for _, g := range read.JobGroups.Nodes {
		groups[g.ID] = g.groupTold
	}
	if diff := cmp.Diff(l.jobs, jobs); diff != "" {
		t.Errorf("the log tells of other jobs than the tables have (-log +tables):\n%s", diff)
	}
	if diff := cmp.Diff(l.groups, groups); diff != "" {
		t.Errorf("the log tells of other groups than the tables have (-log +tables):\n%s", diff)
	}
}
