package storetest

import (
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

func testAgents(t *testing.T, b *bench) {
	start := b.clock.Now()
	see := func(a jobmanager.Agent) {
		t.Helper()
		b.must(b.SeeAgent(t.Context(), a))
	}
	see(jobmanager.Agent{OwnerID: "unknown", LastSeenAt: start}) // without an orchestrator nobody is made
	see(jobmanager.Agent{OwnerID: "a", Orchestrator: "ocm", Clusters: []string{"c2", "c1"}, LastSeenAt: start, Protocol: "graphql"})
	see(jobmanager.Agent{OwnerID: "b", Orchestrator: "ocm", LastSeenAt: start.Add(time.Second), Protocol: "graphql"})
	see(jobmanager.Agent{OwnerID: "a", LastSeenAt: start.Add(2 * time.Second), Protocol: "rest"})
	see(jobmanager.Agent{OwnerID: "a", Orchestrator: "ocm", LastSeenAt: start.Add(-time.Hour), Protocol: "rest"})
	see(jobmanager.Agent{OwnerID: "c", Orchestrator: "nuvla"})
	if head := b.MustHead(); head != 0 {
		t.Errorf("agents took %d revisions", head)
	}
	all, err := b.Agents(t.Context(), jobmanager.AgentQuery{Page: jobmanager.PageRequest{First: 10}})
	b.must(err)
	same(t, all.Nodes(), []*jobmanager.Agent{
		{OwnerID: "a", Orchestrator: "ocm", Clusters: []string{"c2", "c1"}, LastSeenAt: start.Add(2 * time.Second), Protocol: "rest"},
		{OwnerID: "b", Orchestrator: "ocm", Clusters: []string{}, LastSeenAt: start.Add(time.Second), Protocol: "graphql"},
		{OwnerID: "c", Orchestrator: "nuvla", Clusters: []string{}, LastSeenAt: start},
	})
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
	same(t, b.MustJob(job.ID).Presence, &jobmanager.Presence{Owner: start.Add(time.Second), Orchestrator: start.Add(2 * time.Second)})
	b.MustUpdate(b.claimRule("d"), b.MustCreate("absent", 1).Jobs...)
	see(jobmanager.Agent{OwnerID: "b", Orchestrator: "ocm", Clusters: []string{}, LastSeenAt: start.Add(3 * time.Second)})
}

func testAgentJobs(t *testing.T, b *bench) {
	for _, owner := range []string{"a", "b", "idle"} {
		seen := agent(owner)
		b.must(b.SeeAgent(t.Context(), seen))
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
