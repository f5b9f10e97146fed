package rest_test

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
	"github.com/icos-jobmanager/jobmanager/internal/config"
	"github.com/icos-jobmanager/jobmanager/internal/testkit"
	"github.com/icos-jobmanager/jobmanager/rest/oldclient"
)

// send makes one call to the old fleet's server with a token, as any client would. err is that of the connection.
func (f *oldFleet) send(t *testing.T, method, path, token, body string) (status int, header http.Header, answer string, err error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, f.URL+"/jobmanager"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Origin", "https://shell.example")
	response, err := f.http().Do(request)
	if err != nil {
		return 0, nil, "", err
	}
	defer func() { _ = response.Body.Close() }() // it was read to its end
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, response.Header, string(text), err
}

// TestAClosedConnectionKeepsAHubFromExecutingWhateverItsTokenIs: where refused promotions are closed, so are those of a
// token that does not hold; nothing else is.
func TestAClosedConnectionKeepsAHubFromExecutingWhateverItsTokenIs(t *testing.T) {
	t.Parallel()
	eachOldFleet(t, func(c *config.Config) { c.RefusedPromote = "close" }, func(t *testing.T, f *oldFleet) {
		group := f.submit(t, described("app", component{name: "web", at: "hub-1 ocm"}))
		id := f.job(t, group, "web").ID
		good, expired := f.realm.Token("hub"), f.realm.Token("hub", testkit.Expires(f.clock.Now().Add(-time.Hour)))
		stranger := testkit.NewRealm(t).Token("hub")
		const promote, owner = "/jobs/promote/", `{"owner_id":"hub"}`
		for name, test := range map[string]struct{ id, token, body string }{
			"expired": {id, expired, owner}, "empty": {id, "", owner}, "of another realm": {id, stranger, owner}, "no token at all": {id, "x", owner},
			"an unknown job": {oldclient.NewUUID(), good, owner}, "no owner": {id, good, "{}"}, "no id": {"x", good, owner},
		} {
			if status, _, answer, err := f.send(t, http.MethodPatch, promote+test.id, test.token, test.body); err == nil {
				t.Errorf("%s: answered %d %s", name, status, answer)
			}
		}
		if j := f.job(t, group, "web"); j.work() != "CREATE_DEPLOYMENT/CREATED" {
			t.Errorf("refused promotions made the job %+v", j)
		}
		for path, want := range map[string]int{"/jobs": http.StatusInternalServerError, "/groups": http.StatusInternalServerError} {
			if status, _, answer, err := f.send(t, http.MethodGet, path, expired, ""); err != nil || status != want {
				t.Errorf("%s with an expired token is answered %d %s, %v", path, status, answer, err)
			}
		}
		if status, _, answer, err := f.send(t, http.MethodPatch, promote+id, good, owner); err != nil || status != http.StatusNoContent || answer != "" {
			t.Errorf("the good promotion is answered %d %s, %v", status, answer, err)
		}
	})
}

// TestAStartWhileTheMatchmakerFailsIsAnsweredAsASubmissionIs, and the application starts when it is back.
func TestAStartWhileTheMatchmakerFailsIsAnsweredAsASubmissionIs(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]int{"Failing": http.StatusInternalServerError, "Down": http.StatusServiceUnavailable, "WantingAToken": http.StatusUnauthorized} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			apptest.EachDatabase(t, func(t *testing.T, url string) { startsOnceItIsBack(t, url, failure) })
		})
	}
}

// startsOnceItIsBack starts a stopped application twice: while the Matchmaker answers with a failure, and then.
func startsOnceItIsBack(t *testing.T, url string, failure int) {
	t.Helper()
	var broken atomic.Bool
	peer := (&testkit.Matchmaker{Answer: func(string) (int, string) {
		if broken.Load() {
			return failure, `{"detail":"broken"}`
		}
		return http.StatusOK, `{"components":[{"name":"front","targets":{"cluster_name":"core","node_name":"core-1","orchestrator":"ocm"}}]}`
	}}).Start(t)
	f := startOldFleet(t, url, func(c *config.Config) { c.Matchmaking.URL = peer.URL })
	id := f.submit(t, described("shop", component{name: "front"}))
	if _, err := f.shell().Stop(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	token := f.login("shell-backend")()
	for _, try := range []struct {
		broken      bool
		status      int
		phase, work string
	}{{true, http.StatusUnprocessableEntity, "STOPPED", "DELETE_DEPLOYMENT/FINISHED"}, {false, http.StatusOK, "PENDING", "CREATE_DEPLOYMENT/CREATED"}} {
		broken.Store(try.broken)
		if status, _, answer, err := f.send(t, http.MethodPut, "/groups/start/"+id, token, ""); err != nil || status != try.status {
			t.Errorf("broken %t: the start is answered %d %s, %v", try.broken, status, answer, err)
		}
		if group, j := f.group(t, id), f.job(t, id, "front"); group.Phase != try.phase || j.work() != try.work {
			t.Errorf("broken %t: the group is %s and the job %s", try.broken, group.Phase, j.work())
		}
	}
}

// TestAnUnlockedJobIsListedAsOneToBeTaken whatever was tried before: the first agents take what is new and not locked.
func TestAnUnlockedJobIsListedAsOneToBeTaken(t *testing.T) {
	t.Parallel()
	eachOldFleet(t, nil, func(t *testing.T, f *oldFleet) {
		f.submit(t, described("app", component{name: "web", at: hillBox}))
		agent, token := f.nuvla(), f.login("nuvla-agent")()
		jobs, err := agent.List(t.Context())
		if err != nil || len(jobs) != 1 {
			t.Fatalf("listed %v, %v", jobs, err)
		}
		id := idsOf(jobs)
		agent.Lock(t.Context(), id)
		status, _, answer, err := f.send(t, http.MethodPut, "/jobs/"+id, token, `{"locker":false,"state":1}`)
		if err != nil || status != http.StatusOK || decoded[map[string]any](t, answer)["locker"] != false {
			t.Errorf("the unlock is answered %d %s, %v", status, answer, err)
		}
		f.clock.Advance(time.Minute)
		again, err := agent.List(t.Context())
		if err != nil || idsOf(again) != id {
			t.Fatalf("listed again %v, %v", again, err)
		}
		want := map[string]any{"state": 1.0, "locker": false}
		if diff := cmp.Diff(want, map[string]any{"state": again[0]["state"], "locker": again[0]["locker"]}); diff != "" {
			t.Errorf("it is listed again with (-want +got):\n%s", diff)
		}
		agent.Lock(t.Context(), id)
		agent.Complete(t.Context(), id)
		sound(t, agent)
	})
}

// TestAWebPageMayReadWhereTheNextPageIs: a browser shows a page of another origin only what it is told to.
func TestAWebPageMayReadWhereTheNextPageIs(t *testing.T) {
	t.Parallel()
	eachOldFleet(t, nil, func(t *testing.T, f *oldFleet) {
		f.submit(t, described("app", component{name: "web", at: hillBox}, component{name: "db", at: hillBox}))
		status, header, answer, err := f.send(t, http.MethodGet, "/jobs?limit=1", f.login("dashboard")(), "")
		if err != nil || status != http.StatusOK || header.Get("Link") == "" || header.Get("X-Next-After") == "" {
			t.Fatalf("the first page is answered %d %s with %v, %v", status, answer, header, err)
		}
		exposed := strings.ToLower(strings.Join(header.Values("Access-Control-Expose-Headers"), ", "))
		if header.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(exposed, "link") || !strings.Contains(exposed, "x-next-after") {
			t.Errorf("the headers are %v", header)
		}
	})
}

// TestAViolationThatAsksForTheUnknownIsToldWhateverItIsAbout: also where it fits no job, and then it is recorded too.
func TestAViolationThatAsksForTheUnknownIsToldWhateverItIsAbout(t *testing.T) {
	t.Parallel()
	eachOldFleet(t, nil, func(t *testing.T, f *oldFleet) {
		token := f.login("policy-manager")()
		const path = "/policies/incompliance"
		for _, subject := range []string{`{"type":"host"}`, `{"type":"app","appInstance":"` + oldclient.NewUUID() + `","appComponent":"web"}`} {
			violation := func(remediation string) string {
				return `{"id":"` + oldclient.NewUUID() + `","policyName":"p","remediation":"` + remediation + `","subject":` + subject + `}`
			}
			told := violation("levitate")
			for range 2 {
				if status, _, answer, err := f.send(t, http.MethodPost, path, token, told); err != nil || status != http.StatusUnprocessableEntity || !strings.Contains(answer, "UnknownRemediation") {
					t.Errorf("about %s it is answered %d %s, %v", subject, status, answer, err)
				}
			}
			if status, _, answer, err := f.send(t, http.MethodPost, path, token, violation("scale-up")); err != nil || status != http.StatusOK {
				t.Errorf("what is known, about %s, is answered %d %s, %v", subject, status, answer, err)
			}
		}
		if n := len(f.reports(t)); n != 4 {
			t.Errorf("%d incompliances are recorded, want 4", n)
		}
	})
}
