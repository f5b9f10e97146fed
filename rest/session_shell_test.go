package rest_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/icos-jobmanager/jobmanager/internal/config"
	"github.com/icos-jobmanager/jobmanager/internal/testkit"
	"github.com/icos-jobmanager/jobmanager/rest/oldclient"
)

// shell is the backend with a user who is logged in.
func (f *oldFleet) shell() *oldclient.Shell {
	return &oldclient.Shell{URL: f.URL + "/jobmanager/groups", HTTP: f.http(), Login: f.login("shell-backend")}
}

// submit creates an application and gives its id.
func (f *oldFleet) submit(t *testing.T, descriptor string) string {
	t.Helper()
	group, err := f.shell().Create(t.Context(), descriptor)
	if err != nil {
		t.Fatal(err)
	}
	return idOf(t, group)
}

// idOf is the id of an object of the REST view, which has it under two keys.
func idOf(t *testing.T, object map[string]any) string {
	t.Helper()
	id, _ := object["ID"].(string) // checked below
	if id == "" || object["id"] != id {
		t.Fatalf("ID %v and id %v are not the same id", object["ID"], object["id"])
	}
	return id
}

// refusedShell is the refusal that an operation of the Shell ended with.
func refusedShell(t *testing.T, answer any, err error) *oldclient.ShellRefusal {
	t.Helper()
	var refusal *oldclient.ShellRefusal
	if !errors.As(err, &refusal) {
		t.Fatalf("instead of a refusal came %v, %v", answer, err)
	}
	if !strings.HasPrefix(refusal.Body, `{"error":"`) || !strings.HasSuffix(refusal.Body, "\"}\n") {
		t.Errorf("a refusal is no error object: %d %q", refusal.Status, refusal.Body)
	}
	return refusal
}

// firstDocument is what the Shell sends for an update: the first document of a descriptor.
func firstDocument(t *testing.T, descriptor string) map[string]any {
	t.Helper()
	header, _, _ := strings.Cut(descriptor, "\n---\n")
	var document map[string]any
	if err := yaml.Load([]byte(header), &document); err != nil {
		t.Fatal(err)
	}
	return document
}

// edgeOrCore is a Matchmaker with two clusters: components that require arm64 fit the edge, all others the core.
func edgeOrCore(t *testing.T) (peer *testkit.Matchmaker, use func(*config.Config)) {
	t.Helper()
	peer = &testkit.Matchmaker{RequireToken: true, Answer: func(descriptor string) (int, string) {
		var all []string
		for _, c := range firstDocument(t, descriptor)["components"].([]any) {
			name := c.(map[string]any)["name"].(string)
			requirements, _ := c.(map[string]any)["requirements"].(map[string]any) // none is the core's
			cluster := "core"
			if requirements["architecture"] == "arm64" {
				cluster = "edge"
			}
			all = append(all, `{"name":"`+name+`","targets":{"cluster_name":"`+cluster+`","node_name":"`+cluster+`-1","orchestrator":"ocm"}}`)
		}
		return http.StatusOK, `{"components":[` + strings.Join(all, ",") + `]}`
	}}
	peer.Start(t)
	return peer, func(c *config.Config) { c.Matchmaking.URL = peer.URL }
}

// TestAShellUserRunsAnApplicationFromCreateToDelete replays all six operations of the Shell.
func TestAShellUserRunsAnApplicationFromCreateToDelete(t *testing.T) {
	t.Parallel()
	peer, use := edgeOrCore(t)
	eachOldFleet(t, use, func(t *testing.T, f *oldFleet) {
		s, ctx := f.shell(), t.Context()
		descriptor := described("shop", component{name: "front", manifests: []string{"front", "front-service"}}, component{name: "back"})
		f.chapter("create")
		created, err := s.Create(ctx, descriptor)
		if err != nil {
			t.Fatal(err)
		}
		id := idOf(t, created)
		f.chapter("list")
		if all, err := s.List(ctx); err != nil || len(all) != 1 || idOf(t, all[0]) != id {
			t.Errorf("the list is %v, %v", all, err)
		}
		f.chapter("get")
		if got, err := s.Get(ctx, id); err != nil || idOf(t, got) != id || got["appName"] != "shop" {
			t.Errorf("the application is %v, %v", got, err)
		}
		f.chapter("update, with the first document of the descriptor alone")
		changed := firstDocument(t, strings.Replace(descriptor, "shop of the tests", "now described otherwise", 1))
		if got, err := s.Update(ctx, id, changed); err != nil || got["appDescription"] != "now described otherwise" {
			t.Errorf("updated: %v, %v", got, err)
		}
		for _, component := range []string{"front", "back"} {
			if done := f.perform(t, f.job(t, id, component).ID); done.work() != "CREATE_DEPLOYMENT/FINISHED" {
				t.Errorf("deployed: %+v", done)
			}
		}
		f.chapter("get while it runs")
		if _, err := s.Get(ctx, id); err != nil {
			t.Error(err)
		}
		f.chapter("delete before stop")
		got, err := s.Delete(ctx, id)
		if refusal := refusedShell(t, got, err); refusal.Status != http.StatusBadRequest {
			t.Errorf("a deletion before the stop is answered %d", refusal.Status)
		}
		f.chapter("stop")
		if got, err := s.Stop(ctx, id); err != nil || idOf(t, got) != id {
			t.Errorf("stopped: %v, %v", got, err)
		}
		for _, component := range []string{"front", "back"} {
			if done := f.perform(t, f.job(t, id, component).ID); done.work() != "DELETE_DEPLOYMENT/FINISHED" {
				t.Errorf("removed: %+v", done)
			}
		}
		f.chapter("stop again")
		if _, err := s.Stop(ctx, id); err != nil {
			t.Error(err)
		}
		f.chapter("delete")
		if got, err := s.Delete(ctx, id); err != nil || idOf(t, got) != id {
			t.Errorf("deleted: %v, %v", got, err)
		}
		f.chapter("list, with nothing left")
		if all, err := s.List(ctx); err != nil || len(all) != 0 {
			t.Errorf("in the end: %v, %v", all, err)
		}
		f.chapter("get, stop, delete and update what is gone")
		for _, call := range []func() (map[string]any, error){
			func() (map[string]any, error) { return s.Get(ctx, id) },
			func() (map[string]any, error) { return s.Stop(ctx, id) },
			func() (map[string]any, error) { return s.Delete(ctx, id) },
			func() (map[string]any, error) { return s.Update(ctx, id, changed) },
		} {
			got, err := call()
			if refusal := refusedShell(t, got, err); refusal.Status != http.StatusNotFound {
				t.Errorf("an application that is gone is answered %d", refusal.Status)
			}
		}
		f.chapter("without a token")
		s.Login = func() string { return "" }
		if all, err := s.List(ctx); refusedShell(t, all, err).Status != http.StatusInternalServerError {
			t.Errorf("without a token: %v, %v", all, err)
		}
		f.transcript.compare("shell")
	})
	for _, asked := range peer.Requests() {
		if asked.ContentType != "application/x-yaml" || !strings.HasPrefix(asked.Authorization, "Bearer ey") {
			t.Errorf("the Matchmaker was asked as %q with %.20q", asked.ContentType, asked.Authorization)
		}
	}
}

// TestAShellUserIsToldWhatToDo holds the texts that scripts and people read, though the Shell drops them.
func TestAShellUserIsToldWhatToDo(t *testing.T) {
	t.Parallel()
	_, use := edgeOrCore(t)
	eachOldFleet(t, use, func(t *testing.T, f *oldFleet) {
		s, ctx := f.shell(), t.Context()
		id := f.submit(t, described("shop", component{name: "front"}))
		f.perform(t, f.job(t, id, "front").ID)
		for _, when := range []string{"it runs", "its removal waits"} {
			got, err := s.Delete(ctx, id)
			refusal := refusedShell(t, got, err)
			if refusal.Status != http.StatusBadRequest || !strings.Contains(refusal.Body, "stop") && !strings.Contains(refusal.Body, "undeploy") {
				t.Errorf("a deletion while %s is answered %d %s", when, refusal.Status, refusal.Body)
			}
			if _, err := s.Stop(ctx, id); err != nil {
				t.Fatal(err)
			}
		}
		for name, test := range map[string]struct {
			descriptor, word string
		}{
			"no YAML":               {"name: [", "line"},
			"nothing":               {"", "empty"},
			"a manifest is missing": {"name: shop\ndescription: d\ncomponents:\n- name: front\n  manifests: [{name: other}]\n---\nkind: ConfigMap\napiVersion: v1\nmetadata: {name: third}\n", "other"},
		} {
			got, err := s.Create(ctx, test.descriptor)
			if refusal := refusedShell(t, got, err); refusal.Status != http.StatusUnprocessableEntity || !strings.Contains(refusal.Body, test.word) {
				t.Errorf("%s is answered %d %s", name, refusal.Status, refusal.Body)
			}
		}
		const unknown = "0190c5a2-7b1e-7c3d-9f00-5b8d3e1a2c01"
		for want, ids := range map[int][]string{http.StatusNotFound: {unknown}, http.StatusBadRequest: {"seven"}} {
			for _, id := range ids {
				for _, call := range []func() (map[string]any, error){
					func() (map[string]any, error) { return s.Get(ctx, id) },
					func() (map[string]any, error) { return s.Stop(ctx, id) },
					func() (map[string]any, error) { return s.Delete(ctx, id) },
					func() (map[string]any, error) {
						return s.Update(ctx, id, firstDocument(t, described("shop", component{name: "front"})))
					},
				} {
					got, err := call()
					if refusal := refusedShell(t, got, err); refusal.Status != want {
						t.Errorf("%s is answered %d %s, want %d", id, refusal.Status, refusal.Body, want)
					}
				}
			}
		}
		got, err := s.Update(ctx, id, firstDocument(t, described("market", component{name: "front"})))
		if refusal := refusedShell(t, got, err); refusal.Status != http.StatusUnprocessableEntity || !strings.Contains(refusal.Body, "name") {
			t.Errorf("another name is answered %d %s", refusal.Status, refusal.Body)
		}
		if all, err := s.List(ctx); err != nil || len(all) != 1 {
			t.Errorf("what was refused left %v, %v", all, err)
		}
	})
}

// TestAShellWithoutATokenIsToldToLogIn makes every call as the Shell does when Keycloak refused: with an empty token.
func TestAShellWithoutATokenIsToldToLogIn(t *testing.T) {
	t.Parallel()
	eachOldFleet(t, nil, func(t *testing.T, f *oldFleet) {
		s, ctx := f.shell(), t.Context()
		calls := map[string]func() (any, error){
			"create": func() (any, error) { return s.Create(ctx, described("shop", component{name: "front"})) },
			"list":   func() (any, error) { return s.List(ctx) },
			"get":    func() (any, error) { return s.Get(ctx, "seven") },
			"update": func() (any, error) { return s.Update(ctx, "seven", map[string]any{}) },
			"stop":   func() (any, error) { return s.Stop(ctx, "seven") },
			"delete": func() (any, error) { return s.Delete(ctx, "seven") },
		}
		for name, token := range map[string]string{
			"no token":         "",
			"a broken one":     "not.a.token",
			"an expired one":   f.realm.Token("shell-backend", testkit.Expires(f.clock.Now().Add(-time.Minute))),
			"one of elsewhere": testkit.NewRealm(t).Token("shell-backend"),
		} {
			s.Login = func() string { return token }
			for operation, call := range calls {
				got, err := call()
				if refusal := refusedShell(t, got, err); refusal.Status != http.StatusInternalServerError || !strings.Contains(refusal.Body, "token") {
					t.Errorf("%s with %s is answered %d %s", operation, name, refusal.Status, refusal.Body)
				}
			}
		}
		s.Login = f.login("shell-backend")
		if all, err := s.List(ctx); err != nil || len(all) != 0 {
			t.Errorf("logged in again: %v, %v", all, err)
		}
	})
}
