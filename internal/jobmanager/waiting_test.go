package jobmanager_test

import (
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

func TestEveryJobSaysWhatItWaitsFor(t *testing.T) {
	t.Parallel()
	soon := start.Add(time.Second)
	type want struct {
		reason string
		until  time.Time
		seen   time.Time // of the agent that it waits for
	}
	wants := map[string]want{
		"create/created":                          {"AwaitingForExecution", time.Time{}, soon},
		"create/created, no target":               {"AwaitingForTarget", start, time.Time{}},
		"create/created, no fitting target":       {"NoFittingTarget", start, time.Time{}},
		"create/created, no manifests":            {"NoManifests", time.Time{}, time.Time{}},
		"create/created, handed out to b":         {"HandedOut", soon, time.Time{}},
		"create/progressing":                      {"InProgress", start.Add(time.Minute), start},
		"create/progressing, lease over":          {"AwaitingForExecution", time.Time{}, soon},
		"create/progressing, lease over, present": {"AwaitingForOwner", time.Time{}, start},
		"create/degraded":                         {"AwaitingForExecution", time.Time{}, soon},
		"create/degraded, backing off":            {"BackingOff", soon, time.Time{}},
		"create/degraded, exhausted":              {"AttemptsExhausted", time.Time{}, time.Time{}},
		"create/degraded, present":                {"AwaitingForOwner", time.Time{}, start},
		"update/created":                          {"AwaitingForOwner", time.Time{}, start},
		"update/degraded, no report":              {"NoReport", time.Time{}, time.Time{}},
		"replace/created, no manifests":           {"NoManifests", time.Time{}, time.Time{}},
		"delete/created":                          {"AwaitingForOwner", time.Time{}, start},
		"delete/created, manifests gone":          {"AwaitingForOwner", time.Time{}, start},
		"create/finished":                         {},
		"create/finished, to move":                {"AwaitingForOtherTarget", start, time.Time{}},
		"create/finished, to move by policy":      {"AwaitingForOtherTarget", start, time.Time{}},
		"create/finished, agent silent":           {"AgentSilent", time.Time{}, start},
		"delete/finished":                         {},
	}
	for _, situation := range situations() {
		want, listed := wants[situation.name]
		if !listed {
			continue
		}
		delete(wants, situation.name)
		j := situation.make()
		j.Presence = &jobmanager.Presence{Owner: start, Orchestrator: soon}
		waiting := j.Waiting(start)
		if want.reason == "" {
			if waiting != nil {
				t.Errorf("%s waits with %+v", situation.name, waiting)
			}
			continue
		}
		if waiting == nil || waiting.Reason != want.reason || waiting.Message == "" || waiting.Since.IsZero() ||
			!waiting.Until.Equal(want.until) || !waiting.AgentLastSeenAt.Equal(want.seen) {
			t.Errorf("%s waits with %+v, want %+v", situation.name, waiting, want)
		}
	}
	for name := range wants {
		t.Errorf("there is no situation %q", name)
	}
}

func TestManifestsThatWentDuringAHandOutAreWaitedFor(t *testing.T) {
	t.Parallel()
	j := with(job(createDeployment, jobmanager.Created, jobmanager.WorkloadNone), handedOut(agentB, time.Second))
	component := web(noManifests)
	mustUpdate(t, j, component)
	if waiting := j.Waiting(start.Add(time.Minute)); waiting.Reason != "NoManifests" {
		t.Errorf("it waits with %+v", waiting)
	}
}
