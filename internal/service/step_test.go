package service_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// step is one thing that somebody does, and what is to come of it.
type step struct {
	call
	what string
	// want is the code of the refusal; empty when it is to be accepted.
	want jobmanager.Code
	// leaves says that it may change something although it is refused: it leaves its evidence.
	leaves bool
	// either is another code that it may be answered with; empty for none.
	either jobmanager.Code
	// quiet says that it is accepted and changes nothing: it was done before, or there is nothing to do.
	quiet bool
	run   func() error
	// unaware are changes that are told to nobody, such as a renewal's; nil when there are none.
	unaware func()
	// extends is when the database was marked before the step, where that may find that the server was away.
	extends time.Time
	// about limits the jobs that may change; nil for any.
	about []jobmanager.ID
	// must are the jobs that must change; nil where the test does not know.
	must []jobmanager.ID
	// tell checks what was told beyond the table of verbs; may be nil.
	tell func(events []*jobmanager.Event) error
}

// do runs a step and checks what became of it: the answer, the events, the ledgers, and all invariants.
func (w *world) do(r *rapid.T, s step) {
	w.steps++
	s.now = w.clock.Now()
	s.manifests = map[jobmanager.ID]string{}
	for id, job := range w.seen.jobs {
		s.manifests[id] = manifestText(job.Manifests)
	}
	err := s.run()
	r.Logf("%d. %s %s: %v", w.steps, s.now.Format("15:04:05.000"), s.what, err)
	if code := jobmanager.CodeOf(err); code != s.want && (s.either == "" || code != s.either) {
		r.Fatalf("%s: the answer is %q %v, want %q", s.what, code, err, s.want)
	}
	after, err := readTables(w.ctx, w.server)
	if err != nil {
		r.Fatal(err)
	}
	events, err := readLog(w.ctx, w.server, w.replica.revision)
	if err != nil {
		r.Fatal(err)
	}
	if s.want != "" && !s.leaves || s.quiet {
		w.checkNothingHappened(r, &s, after, events)
	} else {
		w.follow(r, &s, events)
	}
	w.seen = after
	w.checkBooks(r)
	w.checkInvariants(r)
}

// checkNothingHappened is for what was refused, or done before: no event, and not a field of any row.
func (w *world) checkNothingHappened(r *rapid.T, s *step, after *tables, events []*jobmanager.Event) {
	if len(events) > 0 {
		r.Fatalf("%s: it told %s although it was to change nothing", s.what, names(events))
	}
	if diff := w.seen.changed(after); diff != "" {
		r.Fatalf("%s: it changed something (- before, + after):\n%s", s.what, diff)
	}
}

// follow writes what was told into the books.
func (w *world) follow(r *rapid.T, s *step, events []*jobmanager.Event) {
	var ofGroups []jobmanager.EventType
	ofJobs := map[jobmanager.ID][]jobmanager.EventType{}
	for _, e := range events {
		if err := w.replica.take(e); err != nil {
			r.Fatalf("%s: %v", s.what, err)
		}
		if aboutGroup(e) {
			ofGroups = append(ofGroups, e.Type)
			w.followGroup(r, s, e)
			continue
		}
		if e.Type != jobmanager.JobDeleted || w.groups[e.GroupID] != nil { // else it goes with its group
			ofJobs[e.JobID] = append(ofJobs[e.JobID], e.Type)
		}
		w.followJob(r, s, e)
	}
	row := tellings()[s.verb]
	for id, told := range ofJobs {
		if !fits(row.job, told) {
			r.Fatalf("%s: job %s was told %s, which a %s does not cause", s.what, id, told, s.verb)
		}
		if s.about != nil && !slices.Contains(s.about, id) {
			r.Fatalf("%s: job %s was told %s, and it was not about that", s.what, id, told)
		}
	}
	for _, id := range s.must {
		if len(ofJobs[id]) == 0 && w.jobs[id] != nil {
			r.Fatalf("%s: nothing was told of job %s", s.what, id)
		}
	}
	if !fits(row.group, ofGroups) {
		r.Fatalf("%s: %s was told, which a %s does not cause", s.what, ofGroups, s.verb)
	}
	if s.tell != nil {
		if err := s.tell(events); err != nil {
			r.Fatalf("%s: %v in %s", s.what, err, names(events))
		}
	}
	if s.unaware != nil {
		s.unaware()
	}
}

func (w *world) followJob(r *rapid.T, s *step, e *jobmanager.Event) {
	l := w.jobs[e.JobID]
	if e.Type == jobmanager.JobCreated {
		if l != nil {
			r.Fatalf("%s: job %s was made twice", s.what, e.JobID)
		}
		l = newLedger(e.Job)
		w.jobs[e.JobID] = l
	}
	if l == nil {
		r.Fatalf("%s: %s tells of job %s, which is not there", s.what, e.Type, e.JobID)
	}
	if err := l.take(&s.call, e, w.seen.jobs[e.JobID], w.life); err != nil {
		r.Fatalf("%s: %s of job %s: %v", s.what, e.Type, e.JobID, err)
	}
	if e.Type == jobmanager.JobFinished && e.Job.Type != jobmanager.DeleteDeployment {
		if a := w.agents[e.Job.Owner]; a != nil {
			a.worked[e.Job.Target.Cluster] = true
		}
	}
	if e.Type == jobmanager.ResourceRemoved && strings.HasPrefix(string(e.Removed.UID), "work-") {
		w.removed[string(e.Removed.UID)] = true
	}
	if l.gone {
		delete(w.jobs, e.JobID)
		w.forgotten = append(w.forgotten, e.JobID)
	}
}

func (w *world) followGroup(r *rapid.T, s *step, e *jobmanager.Event) {
	g := w.groups[e.GroupID]
	switch e.Type {
	case jobmanager.JobGroupCreated:
		w.groups[e.GroupID] = &member{generation: 1}
		return
	case jobmanager.LeasesExtended, jobmanager.TakeoverPaused:
		if err := w.extend(e.Type, s.extends); err != nil {
			r.Fatalf("%s: %v", s.what, err)
		}
		return
	case jobmanager.IncomplianceReported:
		return
	case jobmanager.JobGroupUpdated, jobmanager.JobGroupStarted, jobmanager.JobGroupStopped:
		g.generation++
	case jobmanager.JobGroupDeletionRequested:
		g.marked = true
	case jobmanager.JobGroupDeleted:
		delete(w.groups, e.GroupID)
	case jobmanager.JobGroupPhaseChanged:
		if e.Group.Phase == e.Former.Phase {
			r.Fatalf("%s: the phase changed from %s to itself", s.what, e.Former.Phase)
		}
	default:
		r.Fatalf("%s: %s is about no group", s.what, e.Type)
	}
	if e.Group.Generation != g.generation {
		r.Fatalf("%s: %s at generation %d, want %d", s.what, e.Type, e.Group.Generation, g.generation)
	}
}

// checkBooks compares the ledgers with the tables, and the tables with what a watcher knows from the events.
func (w *world) checkBooks(r *rapid.T) {
	for id, job := range w.seen.jobs {
		l := w.jobs[id]
		if l == nil {
			r.Fatalf("job %s stands in the table and was never told of", id)
		}
		if wrong := l.differs(job); wrong != "" {
			r.Fatalf("job %s in the table: %s", id, wrong)
		}
	}
	for id := range w.jobs {
		if w.seen.jobs[id] == nil {
			r.Fatalf("job %s is gone from the table, and nobody was told", id)
		}
	}
	if diff := w.replica.differs(w.seen); diff != "" {
		r.Fatalf("who follows the events knows otherwise: %s", diff)
	}
}

func names(events []*jobmanager.Event) string {
	var words []string
	for _, e := range events {
		words = append(words, string(e.Type))
	}
	return fmt.Sprint(words)
}
