package app_test

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
	"github.com/icos-jobmanager/jobmanager/internal/config"
	"github.com/icos-jobmanager/jobmanager/internal/service"
	"github.com/icos-jobmanager/jobmanager/internal/testkit"
)

// TestEveryKindOfEventIsTold lets happen whatever can, and finds each kind of event of the schema in the log, which
// has no gap.
func TestEveryKindOfEventIsTold(t *testing.T) {
	t.Parallel()
	apptest.EachDatabase(t, func(t *testing.T, url string) {
		clock, guide, peer := noon(), newGuide(t, ""), (&testkit.PolicyManager{}).Start(t)
		pace := service.DefaultPace()
		pace.Away = 10 * time.Minute // no step of the clock is as long, but for one
		s := apptest.Start(t, apptest.Options{DatabaseURL: url, Clock: clock, Pace: pace, Configure: func(c *config.Config) {
			guide.use(c)
			c.PolicyManagerURL, c.Lease = peer.URL, time.Minute
		}})
		liveOneLife(t, s.Client, clock, guide)
		refusePolicies(t, s.Client, clock, peer)
		doTwice(t, s)
		fallSilentTogether(t, s.Client, clock)

		kinds := ask[struct {
			Type struct{ EnumValues []struct{ Name string } }
		}](t, s.Client, `{ type: __type(name: "EventType") { enumValues { name } } }`, nil).Type.EnumValues
		log := wholeLog(t, s.Client)
		for _, kind := range kinds {
			var want []string
			for _, event := range log {
				if event.Type == kind.Name {
					want = append(want, event.Cursor)
				}
			}
			if len(want) == 0 {
				t.Errorf("no event of type %s", kind.Name)
			}
			var got []string
			for _, event := range eventsAfter(t, s.Client, "", map[string]any{"types": []string{kind.Name}}) {
				got = append(got, event.Cursor)
			}
			got = got[:min(len(got), len(want))] // the server goes on meanwhile
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("filtered by %s (-want +got):\n%s", kind.Name, diff)
			}
		}
	})
}

// doTwice lets an old agent do its work twice and report both: what it did the second time is a stray.
func doTwice(t *testing.T, s *apptest.Server) {
	t.Helper()
	job := create(t, s.Client, describe("twice", part{name: "web", more: onOCM("its-own")})).Jobs.Nodes[0].ID
	send := func(method, path, body string) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), method, s.URL+"/jobmanager"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		if _ = answer.Body.Close(); answer.StatusCode >= http.StatusBadRequest { // the status says it all
			t.Fatalf("%s %s: %s", method, path, answer.Status)
		}
	}
	send(http.MethodPatch, "/jobs/promote/"+job, `{"owner_id":"old"}`)
	for _, uid := range []string{"one", "two"} {
		send(http.MethodPut, "/jobs", fmt.Sprintf(`{"id":%q,"owner_id":"old","type":5,"state":3,"targets":{"id":1},"resource":{"resource_uuid":%q}}`, job, uid))
	}
}

// wholeLog reads the log page by page, and checks that it has no gap and that each event says what happened.
func wholeLog(t *testing.T, c *apptest.Client) []eventSeen {
	t.Helper()
	var log []eventSeen
	for after := ""; ; {
		page := eventsAfter(t, c, after, nil)
		if len(page) == 0 {
			return log
		}
		log = append(log, page...)
		after = page[len(page)-1].Cursor
		for _, event := range page {
			_, revision, _ := strings.Cut(event.Cursor, ":")
			if at := 1 + slices.Index(log, event); revision != strconv.Itoa(at) || event.Actor == "" || event.Message == "" {
				t.Errorf("event %d of the log is %+v", at, event)
			}
		}
	}
}

// liveOneLife takes an application through all that people and agents can do with it.
func liveOneLife(t *testing.T, c *apptest.Client, clock *testkit.Clock, guide *guide) {
	t.Helper()
	group := create(t, c, describe("app", part{name: "web"}))
	web := group.Jobs.Nodes[0].ID
	guide.point("hill/ocm")
	until(t, clock, time.Second, func() bool { return seeJob(t, c, web).Target != nil })
	j := take(t, c, web, "hub")
	change[map[string]any](t, c, "releaseJob", map[string]any{"jobId": web, "ownerId": "hub", "epoch": j.Epoch}, "__typename")
	fail(t, c, take(t, c, web, "hub"))
	change[map[string]any](t, c, "retryJob", map[string]any{"jobId": web}, "__typename")
	take(t, c, web, "hub")
	until(t, clock, time.Second, func() bool { return seeJob(t, c, web).Lease == nil })
	until(t, clock, time.Second, func() bool { return claimable(t, c, web, "hub") })
	perform(t, c, web, "hub")
	remedy(t, c, group.ID, "web", "scale-up")
	perform(t, c, web, "hub")
	guide.point("valley/ocm")
	remedy(t, c, group.ID, "web", "migrate")
	until(t, clock, time.Second, func() bool { return seeJob(t, c, web).Type == "UPDATE_DEPLOYMENT" && claimable(t, c, web, "hub") })
	perform(t, c, web, "hub")
	perform(t, c, web, "hub")
	change[map[string]any](t, c, "reassignJobs", map[string]any{"fromOwner": "hub", "toOwner": "heir"}, "__typename")
	update(t, c, group.ID, describe("app", part{name: "web", text: "2"}))
	stop(t, c, group.ID)
	change[map[string]any](t, c, "abandonJob", map[string]any{"jobId": web, "reason": "lost"}, "__typename")
	startUp(t, c, group.ID)
	change[map[string]any](t, c, "deleteJob", map[string]any{"jobId": web}, "__typename")
	other := create(t, c, describe("other", pinned("db", "")))
	perform(t, c, other.Jobs.Nodes[0].ID, "hub")
	change[map[string]any](t, c, "deleteJobGroup", map[string]any{"jobGroupId": other.ID, "stopFirst": true}, "__typename")
	perform(t, c, other.Jobs.Nodes[0].ID, "hub")
}

// refusePolicies lets the Policy Manager refuse an application for good.
func refusePolicies(t *testing.T, c *apptest.Client, clock *testkit.Clock, peer *testkit.PolicyManager) {
	t.Helper()
	peer.Fail(http.StatusUnprocessableEntity, 1)
	create(t, c, describe("refused", pinned("db", "")))
	until(t, clock, time.Second, func() bool {
		return len(eventsAfter(t, c, "", map[string]any{"types": []string{"POLICY_MANAGER_GAVE_UP"}})) > 0
	})
}

// fallSilentTogether lets the server count as away while five agents work, and then all of them be away.
func fallSilentTogether(t *testing.T, c *apptest.Client, clock *testkit.Clock) {
	t.Helper()
	for n := range 5 {
		group := create(t, c, describe("crowd", part{name: "db", more: onOCM(fmt.Sprintf("far-%d", n))}))
		take(t, c, group.Jobs.Nodes[0].ID, fmt.Sprintf("far-%d", n))
	}
	clock.Advance(time.Hour)
	for _, kind := range []string{"LEASES_EXTENDED", "TAKEOVER_PAUSED"} {
		until(t, clock, time.Second, func() bool {
			return len(eventsAfter(t, c, "", map[string]any{"types": []string{kind}})) > 0
		})
	}
}
