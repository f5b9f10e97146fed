package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// MustSee notes that an agent was heard of; others count as present when they were heard of within its grace time.
func (b *bench) MustSee(a jobmanager.Agent) *jobmanager.Agent {
	b.t.Helper()
	seen, err := b.SeeAgent(b.t.Context(), jobmanager.Sighting{Agent: a, Present: b.clock.Now().Add(-b.life.Grace)})
	b.must(err)
	return seen
}

// MustAgents lists all agents.
func (b *bench) MustAgents() []*jobmanager.Agent {
	b.t.Helper()
	list, err := b.Agents(b.t.Context(), jobmanager.AgentQuery{Page: jobmanager.PageRequest{First: 100}})
	b.must(err)
	return list.Nodes()
}

func testAgents(t *testing.T, b *bench) {
	start := b.clock.Now()
	if seen := b.MustSee(jobmanager.Agent{OwnerID: "unknown", LastSeenAt: start}); seen != nil {
		t.Errorf("without an orchestrator %+v was made", seen)
	}
	b.MustSee(jobmanager.Agent{OwnerID: "a", Orchestrator: "ocm", Clusters: []string{"c2", "c1"}, LastSeenAt: start, Protocol: "graphql"})
	b.MustSee(jobmanager.Agent{OwnerID: "b", Orchestrator: "ocm", LastSeenAt: start.Add(time.Second), Protocol: "graphql"})
	b.MustSee(jobmanager.Agent{OwnerID: "a", LastSeenAt: start.Add(2 * time.Second), Protocol: "rest"})
	a := b.MustSee(jobmanager.Agent{OwnerID: "a", Orchestrator: "ocm", LastSeenAt: start.Add(-time.Hour), Protocol: "rest"})
	b.MustSee(jobmanager.Agent{OwnerID: "c", Orchestrator: "nuvla"})
	if head := b.MustHead(); head != 0 {
		t.Errorf("agents took %d revisions", head)
	}
	want := []*jobmanager.Agent{
		{OwnerID: "a", Orchestrator: "ocm", Clusters: []string{"c2", "c1"}, LastSeenAt: start.Add(2 * time.Second), Protocol: "rest"},
		{OwnerID: "b", Orchestrator: "ocm", Clusters: []string{}, LastSeenAt: start.Add(time.Second), Protocol: "graphql"},
		{OwnerID: "c", Orchestrator: "nuvla", Clusters: []string{}, LastSeenAt: start},
	}
	same(t, a, want[0])
	same(t, b.MustAgents(), want)
	got := walk(b, 2, func(request jobmanager.PageRequest) ([]jobmanager.ID, jobmanager.PageInfo) {
		page, err := b.Agents(t.Context(), jobmanager.AgentQuery{Page: request})
		b.must(err)
		var names []jobmanager.ID
		for _, a := range page.Nodes() {
			names = append(names, jobmanager.ID(a.OwnerID))
		}
		return names, page.PageInfo
	})
	same(t, got, []jobmanager.ID{"a", "b", "c"})
	job := b.MustCreate("present", 1).Jobs[0]
	same(t, b.MustJob(job.ID).Presence, &jobmanager.Presence{Orchestrator: start.Add(2 * time.Second)})
	b.MustUpdate(b.claimRule("b"), job)
	same(t, b.MustJob(job.ID).Presence, &jobmanager.Presence{
		Owner: start.Add(time.Second), Orchestrator: start.Add(2 * time.Second), OwnerProtocol: "graphql",
	})
	b.MustUpdate(b.claimRule("d"), b.MustCreate("absent", 1).Jobs...)
	if a := b.MustSee(jobmanager.Agent{OwnerID: "a", Orchestrator: "nuvla", Clusters: []string{}}); a.Orchestrator != "nuvla" || len(a.Clusters) != 0 {
		t.Errorf("an agent that names no clusters any more, at another orchestrator, is %+v", a)
	}
}

// worked has an agent finish a job on a cluster.
func (b *bench) worked(owner, cluster string) {
	b.t.Helper()
	s := submission(owner+"-on-"+cluster, 1)
	s.Matches[0].Targets[0].Cluster = cluster
	jobs := b.MustUpdate(b.claimRule(owner), b.MustSubmit(s).Jobs...)
	b.MustUpdate(finishRule(owner), jobs...)
}

// testOthers asks what is kept from an agent that names no clusters.
func testOthers(t *testing.T, b *bench) {
	blank := func() []string {
		t.Helper()
		seen := b.MustSee(agent("blank"))
		if len(seen.Clusters) != 0 {
			t.Errorf("an agent that names no clusters has %q", seen.Clusters)
		}
		return seen.Others
	}
	same(t, blank(), []string(nil))
	gone := agent("gone")
	gone.Clusters, gone.LastSeenAt = []string{"attic"}, b.clock.Now().Add(-b.life.Grace-time.Microsecond)
	b.MustSee(gone)
	b.worked("gone", "cellar")
	edge := agent("just-present")
	edge.Clusters, edge.LastSeenAt = []string{"c1"}, b.clock.Now().Add(-b.life.Grace)
	b.MustSee(edge)
	b.MustSee(jobmanager.Agent{OwnerID: "elsewhere", Orchestrator: "nuvla", Clusters: []string{"c9"}})
	b.MustSee(agent("set"))
	set := agent("set")
	set.Clusters = []string{"c3", "c1"}
	_, err := b.SetAgent(t.Context(), set)
	b.must(err)
	named := agent("named")
	named.Clusters = []string{"named-and-worked"}
	b.MustSee(named)
	b.MustSee(agent("worker"))
	for owner, clusters := range map[string][]string{
		"named":  {"no-longer-served"},
		"worker": {"field", "both"},
		"blank":  {"own", "both", "named-and-worked"},
	} {
		for _, cluster := range clusters {
			b.worked(owner, cluster)
		}
	}
	same(t, blank(), []string{"c1", "c3", "field", "named-and-worked"})
	if seen := b.MustSee(jobmanager.Agent{OwnerID: "blank"}); len(seen.Others) != 4 {
		t.Errorf("known by its owner id alone, it is kept from %q", seen.Others)
	}
	if seen := b.MustSee(named); seen.Others != nil {
		t.Errorf("an agent that names clusters is kept from %q", seen.Others)
	}
	b.clock.Advance(b.life.Grace)
	b.MustSee(agent("worker"))
	b.clock.Advance(time.Microsecond)
	same(t, blank(), []string{"field"})
}

func testSetAgent(t *testing.T, b *bench) {
	a := agent("new")
	a.Clusters = []string{"c1"}
	unknown := a
	unknown.Orchestrator = ""
	_, err := b.SetAgent(t.Context(), unknown)
	b.wantCode(err, jobmanager.CodeNotFound)
	set := func(a jobmanager.Agent, want []string) {
		t.Helper()
		got, err := b.SetAgent(t.Context(), a)
		b.must(err)
		same(t, got.Clusters, want)
		same(t, b.MustAgents()[0], got)
	}
	set(a, []string{"c1"})
	if listed := b.MustAgents()[0]; !listed.LastSeenAt.IsZero() {
		t.Errorf("an agent that was never heard of was last heard of at %s", listed.LastSeenAt)
	}
	same(t, b.MustSee(agent("new")).Clusters, []string{"c1"})
	unknown.Clusters = []string{"c2", "c3"} // it is known by now
	set(unknown, []string{"c2", "c3"})
	naming := agent("new")
	naming.Clusters = []string{"own"}
	same(t, b.MustSee(naming).Clusters, []string{"own"})
	set(a, []string{"own"})
	naming.Clusters = []string{}
	same(t, b.MustSee(naming).Clusters, []string{"c1"})
	a.Clusters = nil
	set(a, []string{})
	if head := b.MustHead(); head != 0 {
		t.Errorf("setting an agent took %d revisions", head)
	}
}

func testSilentAgents(t *testing.T, b *bench) {
	start := b.clock.Now()
	silent := func(want ...jobmanager.OwnerID) {
		t.Helper()
		agents, err := b.SilentAgents(t.Context(), b.clock.Now().Add(-b.life.Grace), 2)
		b.must(err)
		var got []jobmanager.OwnerID
		for _, a := range agents {
			got = append(got, a.OwnerID)
		}
		same(t, got, want, cmpopts.EquateEmpty())
	}
	never := agent("never")
	never.Clusters = []string{"c1"}
	_, err := b.SetAgent(t.Context(), never)
	b.must(err)
	for _, owner := range []string{"a", "b", "c"} {
		b.MustSee(agent(owner))
	}
	b.clock.Advance(b.life.Grace - time.Microsecond)
	silent()
	b.clock.Advance(time.Microsecond)
	silent("a", "b") // by the limit
	b.must(b.MarkSilent(t.Context(), "a", start))
	silent("b", "c")
	b.MustSee(agent("b"))
	b.must(b.MarkSilent(t.Context(), "b", start)) // it was heard of meanwhile
	b.must(b.MarkSilent(t.Context(), "nobody", start))
	b.MustSee(jobmanager.Agent{OwnerID: "a"}) // heard of again
	silent("c")
	b.clock.Advance(b.life.Grace)
	agents, err := b.SilentAgents(t.Context(), b.clock.Now().Add(-b.life.Grace), 10)
	b.must(err)
	if len(agents) != 3 || agents[0].OwnerID != "c" || !agents[1].LastSeenAt.Equal(start.Add(b.life.Grace)) {
		t.Errorf("%d agents are silent: %+v", len(agents), agents)
	}
}

// testLapses lets a hand-out lapse: it is counted until the agent works.
func testLapses(t *testing.T, b *bench) {
	b.MustCreate("handed-out", 2)
	b.MustSee(agent("rest"))
	for range 2 {
		a := agent("rest")
		which := jobmanager.Which{ExecutableFor: &a, HandOut: true, Limit: 1, Scope: everything()}
		_, err := b.UpdateJobs(t.Context(), which, func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
			j.HandOut(a, b.life, now)
			return nil, nil
		})
		b.must(err)
		b.clock.Advance(b.life.HandOut)
	}
	if seen := b.MustSee(agent("rest")); seen.Lapses != 1 || b.MustAgents()[0].Lapses != 1 {
		t.Errorf("the agent has %d lapses, want 1", seen.Lapses)
	}
	b.must(b.Working(t.Context(), "rest", b.clock.Now()))
	if working := b.MustSee(jobmanager.Agent{OwnerID: "rest"}); working.Lapses != 0 || b.MustAgents()[0].Lapses != 0 {
		t.Errorf("the agent has %d lapses although it works", working.Lapses)
	}
}

func testAgentJobs(t *testing.T, b *bench) {
	for _, owner := range []string{"a", "b", "idle"} {
		b.MustSee(agent(owner))
	}
	held := map[jobmanager.OwnerID][]jobmanager.ID{"idle": {}}
	for i, job := range b.MustCreate("held", 5).Jobs {
		owner := []string{"a", "b"}[i%2]
		b.MustUpdate(b.claimRule(owner), job)
		held[jobmanager.OwnerID(owner)] = append([]jobmanager.ID{job.ID}, held[jobmanager.OwnerID(owner)]...) // newest first
	}
	list, err := b.Agents(t.Context(), jobmanager.AgentQuery{
		Scope: everything(), Page: jobmanager.PageRequest{First: 10}, Jobs: &jobmanager.PageRequest{First: 2},
		JobLoad: jobmanager.JobLoad{Manifests: true},
	})
	b.must(err)
	for _, a := range list.Nodes() {
		page := a.JobPage.Connection
		same(t, ids(page.Nodes()), held[a.OwnerID][:min(2, len(held[a.OwnerID]))])
		if page.PageInfo.HasNextPage != (len(held[a.OwnerID]) > 2) || page.Revision != list.Revision {
			t.Errorf("%s: %+v at %s", a.OwnerID, page.PageInfo, page.Revision)
		}
		for _, job := range page.Nodes() {
			if job.Manifests == nil {
				t.Errorf("a job of %s came without its manifests", a.OwnerID)
			}
		}
	}
	next, err := b.Jobs(t.Context(), jobmanager.JobQuery{
		Scope: everything(), Filter: jobmanager.JobFilter{OwnerIDs: []jobmanager.OwnerID{"a"}},
		Page: jobmanager.PageRequest{First: 2, After: string(list.Nodes()[0].JobPage.Connection.PageInfo.EndCursor)},
	})
	b.must(err)
	same(t, ids(next.Nodes()), held["a"][2:])
}
