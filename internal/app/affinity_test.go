package app_test

import (
	"strings"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
)

// executableFor lists the components that an agent may claim, oldest first, as one line.
func executableFor(t *testing.T, c *apptest.Client, owner string, clusters ...string) string {
	t.Helper()
	list := ask[struct{ ExecutableJobs struct{ Nodes []jobSeen } }](t, c, `query($owner: String!, $clusters: [String!]) {
		executableJobs(orchestrator: "ocm", ownerId: $owner, clusters: $clusters) { nodes { component } } }`, apptest.Vars{"owner": owner, "clusters": clusters})
	names := []string{}
	for _, j := range list.ExecutableJobs.Nodes {
		names = append(names, j.Component)
	}
	return strings.Join(names, " ")
}

// onEach has a component on each of some clusters, of its name.
func onEach(clusters ...string) string {
	var parts []part
	for _, cluster := range clusters {
		parts = append(parts, part{name: cluster, more: onOCM(cluster)})
	}
	return describe("app", parts...)
}

// TestAClusterIsOfferedToThePresentAgentThatNamesIt lets an agent that names no clusters stand beside one that does,
// until that falls silent.
func TestAClusterIsOfferedToThePresentAgentThatNamesIt(t *testing.T) {
	t.Parallel()
	apptest.EachDatabase(t, func(t *testing.T, url string) {
		clock := noon()
		s := apptest.Start(t, apptest.Options{DatabaseURL: url, Clock: clock})
		if none := executableFor(t, s.Client, "north", "north"); none != "" {
			t.Errorf("offered %s before anything is there", none)
		}
		group := create(t, s.Client, onEach("north", "south"))
		north := group.job(t, "north").ID
		offers := s.Subscribe(t, executable, apptest.Vars{"owner": "any"})
		var offer offered
		if offers.Next(&offer); offer.JobExecutable.Component != "south" {
			t.Errorf("pushed %+v", offer)
		}
		if got := executableFor(t, s.Client, "any"); got != "south" {
			t.Errorf("one that names none is offered %q", got)
		}
		if got := executableFor(t, s.Client, "north", "north"); got != "north" {
			t.Errorf("the one that names it is offered %q", got)
		}
		input := map[string]any{"jobId": north, "orchestrator": "ocm", "ownerId": "any"}
		if problem := refused(t, s.Client, "claimJob", input, "NOT_CLAIMABLE"); !strings.Contains(problem.Message, `"north"`) {
			t.Errorf("the claim of another's is refused with %q", problem.Message)
		}
		type payload struct{ Jobs []jobSeen }
		won := change[payload](t, s.Client, "claimJobs", map[string]any{"orchestrator": "ocm", "ownerId": "any", "first": 10}, `jobs { component }`)
		if len(won.Jobs) != 1 || won.Jobs[0].Component != "south" {
			t.Errorf("claimed %+v", won)
		}
		advanceWhile(clock, 5*time.Second, func() { // the grace time of north
			for offer.JobExecutable.Component != "north" {
				offers.Next(&offer)
			}
		})
		if silent := clock.Now().Sub(noon().Now()); silent < 300*time.Second {
			t.Errorf("offered to another after %s of silence", silent)
		}
		if j := perform(t, s.Client, north, "any"); j.State != "FINISHED" {
			t.Errorf("taken by the other: %+v", j)
		}
	})
}

// TestWhatAnAdminSetIsWhatAnAgentServesThatNamesNone sets clusters, changes them and takes them back.
func TestWhatAnAdminSetIsWhatAnAgentServesThatNamesNone(t *testing.T) {
	t.Parallel()
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		type payload struct {
			Agent struct {
				OwnerID, Orchestrator string
				Clusters              []string
			}
		}
		set := func(input map[string]any) payload {
			t.Helper()
			return change[payload](t, s.Client, "setAgent", input, `agent { ownerId orchestrator clusters lastSeenAt protocol }`)
		}
		create(t, s.Client, onEach("north", "south"))
		refused(t, s.Client, "setAgent", map[string]any{"ownerId": "new", "clusters": []string{"north"}}, "NOT_FOUND")
		refused(t, s.Client, "setAgent", map[string]any{"ownerId": "", "orchestrator": "ocm", "clusters": []string{"north"}}, "INVALID")
		refused(t, s.Client, "setAgent", map[string]any{"ownerId": "new", "orchestrator": "ocm", "clusters": []string{strings.Repeat("n", 254)}}, "INVALID")
		if p := set(map[string]any{"ownerId": "new", "orchestrator": "ocm", "clusters": []string{"north"}}); p.Agent.Orchestrator != "ocm" || len(p.Agent.Clusters) != 1 {
			t.Errorf("set for one that was never heard of: %+v", p)
		}
		if got := executableFor(t, s.Client, "new"); got != "north" {
			t.Errorf("with north set it is offered %q", got)
		}
		if got := executableFor(t, s.Client, "other"); got != "south" {
			t.Errorf("another one is offered %q", got)
		}
		set(map[string]any{"ownerId": "new", "clusters": []string{"south"}})
		if got := executableFor(t, s.Client, "new"); got != "south" {
			t.Errorf("with south set it is offered %q", got)
		}
		if got := executableFor(t, s.Client, "new", "north"); got != "north" {
			t.Errorf("what it names itself counts first, and it is offered %q", got)
		}
		set(map[string]any{"ownerId": "other", "clusters": []string{}})
		if p := set(map[string]any{"ownerId": "new", "clusters": []string{}}); p.Agent.Orchestrator != "ocm" {
			t.Errorf("taken back: %+v", p)
		}
		agents := ask[struct {
			Agents struct{ Nodes []struct{ OwnerID string } }
		}](t, s.Client, `{ agents { nodes { ownerId clusters lastSeenAt } } }`, nil)
		if len(agents.Agents.Nodes) != 2 {
			t.Errorf("agents %+v", agents)
		}
	})
}

// TestAnOpenSubscriptionFollowsWhatAnAdminSets changes the clusters of an agent that listens.
func TestAnOpenSubscriptionFollowsWhatAnAdminSets(t *testing.T) {
	t.Parallel()
	apptest.EachDatabase(t, func(t *testing.T, url string) {
		clock := noon()
		s := apptest.Start(t, apptest.Options{DatabaseURL: url, Clock: clock})
		set := func(cluster string) {
			t.Helper()
			change[map[string]any](t, s.Client, "setAgent", map[string]any{"ownerId": "hub", "orchestrator": "ocm", "clusters": []string{cluster}}, "__typename")
		}
		set("north")
		create(t, s.Client, onEach("north", "south"))
		offers := s.Subscribe(t, executable, apptest.Vars{"owner": "hub"})
		var offer offered
		if offers.Next(&offer); offer.JobExecutable.Component != "north" {
			t.Errorf("first offered %+v", offer)
		}
		set("south")
		advanceWhile(clock, time.Second, func() { offers.Next(&offer) })
		if offer.JobExecutable.Component != "south" {
			t.Errorf("then offered %+v", offer)
		}
	})
}

// TestAnAgentMayRemoveWhatItMadeOnAClusterThatAnotherServes stops an application whose agents of one orchestrator
// name no clusters: one has finished its work on the cluster, which so is its own, the other is in the middle.
func TestAnAgentMayRemoveWhatItMadeOnAClusterThatAnotherServes(t *testing.T) {
	t.Parallel()
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		group := create(t, s.Client, describe("app", pinned("web", ""), pinned("db", "")))
		web, db := take(t, s.Client, group.job(t, "web").ID, "one"), take(t, s.Client, group.job(t, "db").ID, "two")
		settle(t, s.Client, web, "u")
		stop(t, s.Client, group.ID)
		// What is known of an agent's clusters is looked up every ten seconds: here anew, by another server call.
		change[map[string]any](t, s.Client, "setAgent", map[string]any{"ownerId": "two", "clusters": []string{}}, "__typename")
		if got := executableFor(t, s.Client, "two"); got != "db" {
			t.Errorf("the one in the middle may remove %q", got)
		}
		for _, j := range []jobSeen{web, db} {
			if done := perform(t, s.Client, j.ID, j.Owner); done.work() != "DELETE_DEPLOYMENT/FINISHED" {
				t.Errorf("removed: %+v", done)
			}
		}
		if g := seeGroup(t, s.Client, group.ID); g.Phase != "STOPPED" {
			t.Errorf("the group is %s", g.Phase)
		}
	})
}
