package app_test

import (
	"strings"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/agent/simulated"
	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
	"github.com/icos-jobmanager/jobmanager/internal/config"
)

// TestWhatASilentAgentRunsIsUnknownUntilItSpeaks lets an agent fall silent for its grace time.
func TestWhatASilentAgentRunsIsUnknownUntilItSpeaks(t *testing.T) {
	t.Parallel()
	apptest.EachDatabase(t, func(t *testing.T, url string) {
		clock := noon()
		s := apptest.Start(t, apptest.Options{DatabaseURL: url, Clock: clock})
		group := create(t, s.Client, describe("app", pinned("web", ""), pinned("db", "")))
		web, db := perform(t, s.Client, group.job(t, "web").ID, "hub"), perform(t, s.Client, group.job(t, "db").ID, "hub")
		watch := s.Subscribe(t, `subscription { resourceStatusChanged { kind cursor resource { uid } job { component state } } }`, nil)
		expect(t, watch, "resourceStatusChanged", "SNAPSHOT uid-"+db.ID+" db FINISHED", "SNAPSHOT uid-"+web.ID+" web FINISHED", "BOOKMARK")

		until(t, clock, 5*time.Second, func() bool {
			g := seeGroup(t, s.Client, group.ID)
			return g.job(t, "web").why() == "AgentSilent" && g.job(t, "db").why() == "AgentSilent"
		})
		if silent := clock.Now().Sub(noon().Now()); silent < 300*time.Second {
			t.Errorf("the agent counts as silent after %s", silent)
		}
		g := seeGroup(t, s.Client, group.ID)
		for _, j := range g.Jobs.Nodes {
			if j.condition("Available") != "UNKNOWN/AgentLeaseExpired" || j.State != "FINISHED" || j.Owner != "hub" || !strings.Contains(j.Waiting.Message, "hub") || j.Waiting.AgentLastSeenAt == nil {
				t.Errorf("job %+v", j)
			}
		}
		if g.Phase != "RUNNING" {
			t.Errorf("the group is %s", g.Phase)
		}
		for range 2 {
			var m struct{ ResourceStatusChanged struct{ Kind string } }
			if watch.Next(&m); m.ResourceStatusChanged.Kind != "CHANGED" {
				t.Errorf("the watcher is told %s", m.ResourceStatusChanged.Kind)
			}
		}
		before := head(t, s.Client)
		clock.Advance(time.Hour)
		status := map[string]any{"conditions": []any{map[string]any{"type": "Available", "status": "TRUE", "reason": "Ready"}}}
		change[map[string]any](t, s.Client, "reportResource", map[string]any{"jobId": web.ID, "ownerId": "hub", "epoch": web.Epoch, "resource": status}, "__typename")
		if j := seeJob(t, s.Client, web.ID); j.condition("Available") != "TRUE/Ready" || j.Waiting != nil {
			t.Errorf("after its report the job is %+v", j)
		}
		if j := seeJob(t, s.Client, db.ID); j.condition("Available") != "UNKNOWN/AgentLeaseExpired" {
			t.Errorf("what it did not report is %+v", j)
		}
		if told := types(eventsAfter(t, s.Client, before, nil)); strings.Join(told, " ") != "RESOURCE_REPORTED" {
			t.Errorf("one that stays silent is written down again: %v", told)
		}
		until(t, clock, 5*time.Second, func() bool { return seeJob(t, s.Client, web.ID).why() == "AgentSilent" }) // and once more
	})
}

// TestAnOpenSubscriptionIsAnAgentsPresence keeps an agent that says nothing else from counting as silent.
func TestAnOpenSubscriptionIsAnAgentsPresence(t *testing.T) {
	t.Parallel()
	apptest.EachDatabase(t, func(t *testing.T, url string) {
		clock := noon()
		s := apptest.Start(t, apptest.Options{DatabaseURL: url, Clock: clock, Configure: func(c *config.Config) { c.AgentGrace = time.Minute }})
		group := create(t, s.Client, describe("app", part{name: "here", more: onOCM("a")}, part{name: "gone", more: onOCM("b")}))
		here, gone := perform(t, s.Client, group.job(t, "here").ID, "here"), perform(t, s.Client, group.job(t, "gone").ID, "gone")
		watch := s.Subscribe(t, executable, apptest.Vars{"owner": "here"})
		until(t, clock, time.Second, func() bool { return seeJob(t, s.Client, gone.ID).why() == "AgentSilent" })
		if j := seeJob(t, s.Client, here.ID); j.Waiting != nil || j.condition("Available") != "TRUE/Ready" {
			t.Errorf("the one that listens: %+v", j)
		}
		watch.Close()
		until(t, clock, time.Second, func() bool { return seeJob(t, s.Client, here.ID).why() == "AgentSilent" })
	})
}

// TestAnAgentThatComesBackSetsRightWhatCountedAsUnknown cuts an SDK's agent off for longer than its grace time, while
// nothing changes where its workload runs.
func TestAnAgentThatComesBackSetsRightWhatCountedAsUnknown(t *testing.T) {
	t.Parallel()
	apptest.EachDatabase(t, func(t *testing.T, url string) {
		clock, line := noon(), &cable{}
		s := apptest.Start(t, apptest.Options{DatabaseURL: url, Clock: clock})
		config := agentConfig(s.URL, "hub", simulated.New(simulated.Config{StatusEvery: 5 * time.Millisecond, RepeatEvery: 50 * time.Millisecond}))
		config.HTTPClient = line.client(t)
		runAgent(t, config)
		group := create(t, s.Client, describe("app", pinned("web", "")))
		id := group.Jobs.Nodes[0].ID
		until(t, clock, time.Microsecond, func() bool { return seeJob(t, s.Client, id).condition("Available") == "TRUE/AllReplicasReady" })
		line.sever()
		until(t, clock, 5*time.Second, func() bool { return seeJob(t, s.Client, id).why() == "AgentSilent" })
		line.mend()
		until(t, clock, time.Microsecond, func() bool { return seeJob(t, s.Client, id).condition("Available") == "TRUE/AllReplicasReady" })
		if j := seeJob(t, s.Client, id); j.Waiting != nil || j.outcomes() != "FINISHED hub" || j.condition("Applied") != "TRUE/ManifestsApplied" {
			t.Errorf("in the end %+v", j)
		}
	})
}
