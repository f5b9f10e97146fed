package service_test

import (
	"context"
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// world is one run of the model test: a server, what the test believes about it, and who lives there. Each action is a
// step; see step_test.go for what is checked after each.
type world struct {
	*server
	ctx context.Context
	// seen are the tables after the last step.
	seen *tables
	// jobs are the test's own books, and groups what it knows of each application.
	jobs    map[jobmanager.ID]*ledger
	groups  map[jobmanager.ID]*member
	replica *replica
	agents  map[jobmanager.OwnerID]*acquaintance
	// forgotten are jobs that are gone: agents may still name them.
	forgotten []jobmanager.ID
	reports   []jobmanager.ID
	submitted *submission
	// marked is when the database was last marked as in use, paused until when takeover was paused.
	marked, paused time.Time
	// left and back are when the database was last in use before an absence, and when it was again.
	left, back  time.Time
	steps, made int
	size        size
	// stands are the workloads that old agents made, and removed the uids of the resources that are gone.
	stands  []*workload
	removed map[string]bool
}

// size bounds a world: in a small one, more befalls each job.
type size struct {
	groups, parts int
	// agents are those that act; the others are there and never call.
	agents []jobmanager.OwnerID
}

func sizes() []size {
	return []size{
		{1, 1, []jobmanager.OwnerID{"o-both", "o-any"}},
		{1, 2, []jobmanager.OwnerID{"o-both", "o-one", "n-both"}},
		{3, 3, owners()},
	}
}

// member is an application as the test submitted it.
type member struct {
	application
	generation int64
	marked     bool // to be deleted when it has stopped
}

// submission is a request of its own name, to be repeated.
type submission struct {
	key   string
	text  string
	group jobmanager.ID
}

// acquaintance is what is known of an agent.
type acquaintance struct {
	owner        jobmanager.OwnerID
	orchestrator string
	// named are the clusters that it names in each call; set are an admin's; worked are those that it finished work on.
	named, set []string
	worked     map[string]bool
	// known says that the server has heard of it, or an admin told; seenAt is zero where it never called.
	known  bool
	seenAt time.Time
	// done says that its silence was written down, or that it never called.
	done bool
}

func newWorld(ctx context.Context, s *server, size size) (*world, error) {
	w := &world{
		server: s, ctx: ctx, jobs: map[jobmanager.ID]*ledger{}, groups: map[jobmanager.ID]*member{}, replica: newReplica(s.life),
		size: size, agents: map[jobmanager.OwnerID]*acquaintance{}, removed: map[string]bool{},
	}
	for _, a := range []acquaintance{
		{owner: "o-both", orchestrator: "ocm", named: []string{"o-1", "o-2"}},
		{owner: "o-one", orchestrator: "ocm", named: []string{"o-1"}},
		{owner: "o-any", orchestrator: "ocm"},
		{owner: "n-both", orchestrator: "nuvla", named: []string{"n-2", "n-1"}},
		{owner: "n-any", orchestrator: "nuvla"},
	} {
		a.worked = map[string]bool{}
		w.agents[a.owner] = &a
	}
	s.matchmaker.learn(1, "o-1", "o-2")
	s.matchmaker.learn(2, "n-1", "o-2", "n-2")
	s.matchmaker.learn(3)
	s.Begin(ctx)
	w.marked = s.clock.Now()
	var err error
	w.seen, err = readTables(ctx, s)
	return w, err
}

func owners() []jobmanager.OwnerID {
	return []jobmanager.OwnerID{"n-any", "n-both", "o-any", "o-both", "o-one"}
}

// heard notes that an agent called. One that names no orchestrator is noted where it is known already.
func (w *world) heard(owner jobmanager.OwnerID, namesItself bool) {
	a := w.agents[owner]
	if a.known || namesItself {
		a.known, a.seenAt, a.done = true, w.clock.Now(), false
	}
}

// view is the agent with the clusters that it serves: those it names, else an admin's; one that has neither serves all
// but those of agents that are present.
func (w *world) view(owner jobmanager.OwnerID) jobmanager.Agent {
	a := w.agents[owner]
	view := jobmanager.Agent{OwnerID: owner, Orchestrator: a.orchestrator, Clusters: a.clusters()}
	if len(view.Clusters) > 0 {
		return view
	}
	present := w.heardSince()
	for _, name := range owners() {
		other := w.agents[name]
		if other == a || !other.known || other.orchestrator != a.orchestrator || other.seenAt.Before(present) {
			continue
		}
		view.Others = append(view.Others, other.clusters()...)
		if len(other.clusters()) > 0 {
			continue
		}
		for cluster := range other.worked {
			if !a.worked[cluster] {
				view.Others = append(view.Others, cluster)
			}
		}
	}
	slices.Sort(view.Others)
	return view
}

// heardSince is since when an agent must have been heard of to be there: for its grace time, and while the server was
// away nobody could be heard.
func (w *world) heardSince() time.Time {
	since := w.clock.Now().Add(-w.life.Grace)
	if w.back.After(since) {
		since = since.Add(w.left.Sub(w.back))
	}
	return since
}

// mark notes that the database is in use, and for how long it was not. A server that goes away again within an hour
// was away for both times together.
func (w *world) mark() {
	now := w.clock.Now()
	if now.Sub(w.marked) > away {
		former := time.Duration(0)
		if w.back.After(w.marked.Add(-time.Hour)) {
			former = w.back.Sub(w.left)
		}
		w.left, w.back = w.marked.Add(-former), now
	}
	w.marked = now
}

func (a *acquaintance) clusters() []string {
	if len(a.named) > 0 {
		return a.named
	}
	return a.set
}

// serves says whether an agent takes jobs of a cluster.
func serves(a jobmanager.Agent, cluster string) bool {
	if len(a.Clusters) > 0 {
		return slices.Contains(a.Clusters, cluster)
	}
	return orchestratorOf(cluster) == a.Orchestrator && !slices.Contains(a.Others, cluster)
}

// claimable is the test's own rule of who may claim a job now. Who owns it and what stands comes from the ledger; when
// it may be claimed, and where it is to run, from the row.
func (w *world) claimable(l *ledger, a jobmanager.Agent) bool {
	row, now := w.seen.jobs[l.id], w.clock.Now()
	removes := l.kind == jobmanager.DeleteDeployment || l.kind == jobmanager.UpdateDeployment && row.SubType == jobmanager.Reallocation
	switch {
	case row.Hold != "" || row.Target == nil || len(row.Manifests) == 0 && !removes:
		return false
	case row.Target.Orchestrator != a.Orchestrator || !w.its(row, l, a.OwnerID) && !serves(a, row.Target.Cluster):
		return false
	case l.lease != nil || l.state == jobmanager.Finished || row.NotBefore.After(now):
		return false
	}
	if by := held(row, now); by != "" && by != a.OwnerID {
		return false
	}
	if row.Turn.Until.After(now) {
		formerly := l.last().owner == a.OwnerID
		if formerly != (row.Turn.Of == jobmanager.TurnOfOwner) {
			return false
		}
	}
	return l.owner == a.OwnerID ||
		l.kind == jobmanager.CreateDeployment && (l.state == jobmanager.Created || l.workload != jobmanager.WorkloadPresent)
}

// someJob draws a job that is there; nil when there is none.
func (w *world) someJob(r *rapid.T) *ledger {
	if len(w.seen.order) == 0 {
		return nil
	}
	return w.jobs[oneOf(r, "job", w.seen.order...)]
}

// someJobWith prefers jobs that a condition holds for.
func (w *world) someJobWith(r *rapid.T, holds func(*ledger) bool) *ledger {
	var preferred []jobmanager.ID
	for _, id := range w.seen.order {
		if holds(w.jobs[id]) {
			preferred = append(preferred, id)
		}
	}
	if len(preferred) == 0 || once(r, "any job", 6) {
		return w.someJob(r)
	}
	return w.jobs[oneOf(r, "job", preferred...)]
}

// someGroup draws an application that is there; empty when there is none.
func (w *world) someGroup(r *rapid.T) (jobmanager.ID, *member) {
	ids := make([]jobmanager.ID, 0, len(w.groups))
	for id := range w.groups {
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return "", nil
	}
	slices.Sort(ids)
	id := oneOf(r, "group", ids...)
	return id, w.groups[id]
}

func (w *world) someOwner(r *rapid.T) jobmanager.OwnerID {
	return oneOf(r, "agent", w.size.agents...)
}

// membersOf are the jobs of a group, the oldest first.
func (w *world) membersOf(group jobmanager.ID) []*ledger {
	var members []*ledger
	for _, id := range w.seen.order {
		if w.jobs[id].group == group {
			members = append(members, w.jobs[id])
		}
	}
	return members
}

// row is the job as the tables have it.
func (w *world) row(l *ledger) *jobmanager.Job { return w.seen.jobs[l.id] }

// someExpected draws an expected version, mostly none, and says whether it is the group's.
func someExpected(r *rapid.T, generation int64) (*int64, bool) {
	switch below(r, "expected version", 12) {
	case 11:
		wrong := generation + 1
		return &wrong, false
	case 10:
		return &generation, true
	}
	return nil, true
}

func (w *world) newName(what string) string {
	w.made++
	return fmt.Sprintf("%s-%d", what, w.made)
}

// its says whether a job is an agent's own, or kept for it.
func (w *world) its(row *jobmanager.Job, l *ledger, owner jobmanager.OwnerID) bool {
	return l.owner == owner || row.Reservation.OwnerID == owner && row.Reservation.Until.After(w.clock.Now())
}
