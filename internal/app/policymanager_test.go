package app_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
	"github.com/icos-jobmanager/jobmanager/internal/config"
	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/testkit"
)

// toldOf lists what a Policy Manager was told of a group with success, in order, as one line.
func toldOf(peer *testkit.PolicyManager, group string) string {
	var all []string
	for _, call := range peer.Calls() {
		// A deletion of what it does not know is answered 404, and is no failure.
		if call.AppInstance == jobmanager.ID(group) && (call.Status == 200 || call.Status == 404 && call.Event == jobmanager.NoticeDeleted) {
			all = append(all, string(call.Event))
		}
	}
	return strings.Join(all, " ")
}

// awaitTold lets the server tell of a group until that is all.
func awaitTold(t *testing.T, clock *testkit.Clock, peer *testkit.PolicyManager, group, want string) {
	t.Helper()
	awaitCalls(t, clock, peer, func() bool { return len(toldOf(peer, group)) >= len(want) })
	if got := toldOf(peer, group); got != want {
		t.Errorf("the Policy Manager was told %q, want %q", got, want)
	}
}

// awaitCalls lets the server tell until it is done, looking with each call.
func awaitCalls(t *testing.T, clock *testkit.Clock, peer *testkit.PolicyManager, done func() bool) {
	t.Helper()
	advanceWhile(clock, time.Second, func() {
		for n := len(peer.Calls()); !done(); n++ {
			peer.Await(t, n+1)
		}
	})
}

// TestThePolicyManagerIsToldOfAnApplicationsWholeLife goes from create to delete.
func TestThePolicyManagerIsToldOfAnApplicationsWholeLife(t *testing.T) {
	t.Parallel()
	apptest.EachDatabase(t, func(t *testing.T, url string) {
		clock, peer := noon(), (&testkit.PolicyManager{RequireToken: true}).Start(t)
		token := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(token, []byte("the-server's-own\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		s := apptest.Start(t, apptest.Options{DatabaseURL: url, Clock: clock, Configure: func(c *config.Config) {
			c.PolicyManagerURL, c.ServiceTokenFile = peer.URL, token
		}})
		text := describe("app", pinned("web", "1"))
		group := create(t, s.Client, text)
		const made = "deleted created started"
		told := made
		awaitTold(t, clock, peer, group.ID, told)
		checkCreated(t, peer, group.ID, text)

		if err := os.WriteFile(token, []byte("renewed"), 0o600); err != nil {
			t.Fatal(err)
		}
		perform(t, s.Client, group.Jobs.Nodes[0].ID, "hub")
		update(t, s.Client, group.ID, describe("app", pinned("web", "2"))) // other manifests alone: nothing to tell
		watched := part{name: "web", text: "2", more: onOCM("c") + "  policies: [{security: high}]\n"}
		update(t, s.Client, group.ID, describe("app", watched))
		told += " " + made
		awaitTold(t, clock, peer, group.ID, told)
		wider := describe("app", watched, pinned("added", ""))
		update(t, s.Client, group.ID, wider)
		told += " " + made
		awaitTold(t, clock, peer, group.ID, told)
		checkCreated(t, peer, group.ID, wider)

		stop(t, s.Client, group.ID)
		told += " stopped"
		awaitTold(t, clock, peer, group.ID, told)
		if app, known := peer.App(jobmanager.ID(group.ID)); !known || app.Active {
			t.Errorf("after the stop it knows %v %+v", known, app)
		}
		narrow := describe("app", pinned("web", "3"))
		update(t, s.Client, group.ID, narrow) // kept for the next start: nothing to tell before
		perform(t, s.Client, group.Jobs.Nodes[0].ID, "hub")
		startUp(t, s.Client, group.ID)
		told += " " + made
		awaitTold(t, clock, peer, group.ID, told)
		checkCreated(t, peer, group.ID, narrow)
		before := head(t, s.Client)
		change[map[string]any](t, s.Client, "deleteJobGroup", map[string]any{"jobGroupId": group.ID, "stopFirst": true}, "deleted")
		told += " deleted"
		awaitTold(t, clock, peer, group.ID, told)
		if _, known := peer.App(jobmanager.ID(group.ID)); known {
			t.Error("after the deletion it is still known there")
		}
		for n, call := range peer.Calls() {
			want := "Bearer renewed"
			if n < 3 {
				want = "Bearer the-server's-own"
			}
			if call.Authorization != want {
				t.Errorf("call %d, %s, came with %q", n+1, call.Event, call.Authorization)
			}
		}
		until(t, clock, time.Second, func() bool {
			events := eventsAfter(t, s.Client, before, map[string]any{"types": []string{"POLICY_MANAGER_NOTIFIED"}})
			return len(events) > 0 && strings.Contains(events[len(events)-1].Message, "deleted") && events[0].JobGroupID == group.ID
		})
	})
}

// checkCreated looks at what the peer was told of an application at last.
func checkCreated(t *testing.T, peer *testkit.PolicyManager, group, descriptor string) {
	t.Helper()
	if app, known := peer.App(jobmanager.ID(group)); !known || !app.Active || app.Descriptor != descriptor {
		t.Errorf("it knows %v %+v, want the descriptor\n%s", known, app, descriptor)
	}
	for _, call := range peer.Calls() {
		if call.Event != jobmanager.NoticeCreated {
			continue
		}
		var body struct {
			Service  string
			Callback map[string]any
		}
		if err := json.Unmarshal([]byte(call.Body), &body); err != nil {
			t.Fatal(err)
		}
		want := map[string]any{
			"type": "icos-service", "uri": "/jobmanager/policies/incompliance", "http_method": "POST",
			"include_access_token": true, "extra_params": map[string]any{},
		}
		if diff := cmp.Diff(want, body.Callback); diff != "" || body.Service != "job-manager" {
			t.Errorf("created by %s, with callback (-want +got):\n%s", body.Service, diff)
		}
	}
}

// TestNobodyIsToldWithoutAPolicyManager runs without one: there is nothing to deliver, and nothing is kept for later.
func TestNobodyIsToldWithoutAPolicyManager(t *testing.T) {
	t.Parallel()
	apptest.EachDatabase(t, func(t *testing.T, url string) {
		clock, peer := noon(), (&testkit.PolicyManager{}).Start(t)
		s := apptest.Start(t, apptest.Options{DatabaseURL: url, Clock: clock})
		silent := create(t, s.Client, describe("silent", pinned("web", "")))
		s.Stop()
		s = apptest.Start(t, apptest.Options{DatabaseURL: url, Clock: clock, Configure: func(c *config.Config) { c.PolicyManagerURL = peer.URL }})
		told := create(t, s.Client, describe("told", pinned("web", "")))
		awaitTold(t, clock, peer, told.ID, "deleted created started")
		change[map[string]any](t, s.Client, "deleteJobGroup", map[string]any{"jobGroupId": silent.ID}, "deleted")
		awaitTold(t, clock, peer, silent.ID, "deleted") // of this one it hears for the first time
	})
}
