package rest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// walled is a door whose guard lets nobody in, and Docs that answer "docs".
func walled(t *testing.T) *Door {
	t.Helper()
	config := quiet(t, nil).config
	config.Guard = func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	}
	config.Docs = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "docs") })
	return New(config)
}

// asked gives the answer of a door.
func asked(t *testing.T, d http.Handler, method, target string, header http.Header) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, nil)
	for name, values := range header {
		r.Header[name] = values
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w
}

// served are the methods of each path, but for those that everyone may read.
func served() map[string][]string {
	const id = "0190c5a2-7b1e-7c3d-9f00-5b8d3e1a2c02"
	return map[string][]string{
		"/jobmanager/jobs":                             {"GET", "PUT"},
		"/jobmanager/jobs/" + id:                       {"DELETE", "GET", "PUT"},
		"/jobmanager/jobs/executable/ocm/hub":          {"GET"},
		"/jobmanager/jobs/executable/orchestrator/ocm": {"GET"},
		"/jobmanager/jobs/promote/" + id:               {"PATCH"},
		"/jobmanager/jobs/create/app":                  {"POST"},
		"/jobmanager/jobs/group/" + id:                 {"DELETE", "GET"},
		"/jobmanager/jobgroups":                        {"GET"},
		"/jobmanager/groups":                           {"GET", "POST", "PUT"},
		"/jobmanager/groups/" + id:                     {"DELETE", "GET", "PUT"},
		"/jobmanager/groups/undeploy/" + id:            {"PUT"},
		"/jobmanager/groups/stop/" + id:                {"PUT"},
		"/jobmanager/groups/start/" + id:               {"PUT"},
		"/jobmanager/resources/status":                 {"PUT"},
		"/jobmanager/resources/status/" + id:           {"GET", "PUT"},
		"/jobmanager/policies/incompliance":            {"POST"},
		"/jobmanager/policies/incompliance/create":     {"POST"},
	}
}

// TestRoutesAreGuardedAndOtherMethodsAreNone holds the whole table: each route is behind the guard, each other method
// is 405 without a body, HEAD and a bare OPTIONS too.
func TestRoutesAreGuardedAndOtherMethodsAreNone(t *testing.T) {
	t.Parallel()
	d := walled(t)
	for path, methods := range served() {
		for _, method := range []string{"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"} {
			w := asked(t, d, method, path, nil)
			switch {
			case slices.Contains(methods, method):
				if w.Code != http.StatusTeapot {
					t.Errorf("%s %s is %d: it is not behind the guard", method, path, w.Code)
				}
			case w.Code != http.StatusMethodNotAllowed || w.Body.Len() > 0:
				t.Errorf("%s %s is %d %q, want 405 and nothing", method, path, w.Code, w.Body)
			}
		}
	}
}

func TestUnknownPathsAreText(t *testing.T) {
	t.Parallel()
	d := walled(t)
	for _, path := range []string{
		"/jobmanager/", "/jobmanager/jobs/", "/jobmanager/groups/", "/jobmanager/jobs/executable/ocm", "/jobmanager/jobs/executable/ocm/",
		"/jobmanager/jobs/executable/ocm/nuvlabox%2Fone", "/jobmanager/healthz/", "/jobmanager/nothing", "/jobmanager/groups/undeploy/x/y", "/elsewhere",
	} {
		w := asked(t, d, http.MethodGet, path, nil)
		if w.Code != http.StatusNotFound || w.Body.String() != "404 page not found\n" || w.Header().Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("%s is %d %s %q", path, w.Code, w.Header().Get("Content-Type"), w.Body)
		}
	}
}

func TestWhatEveryoneMayRead(t *testing.T) {
	t.Parallel()
	d := walled(t)
	for path, want := range map[string]struct{ kind, body string }{
		"/jobmanager":                  {"application/json", `"Welcome To ICOS Job Manager API"` + "\n"},
		"/jobmanager/healthz":          {"text/plain; charset=utf-8", `"Job Manager working properly!"` + "\n"},
		"/jobmanager/swagger":          {"text/plain; charset=utf-8", "docs"},
		"/jobmanager/swagger/":         {"text/plain; charset=utf-8", "docs"},
		"/jobmanager/swagger/doc.json": {"text/plain; charset=utf-8", "docs"},
	} {
		w := asked(t, d, http.MethodGet, path, nil)
		if w.Code != http.StatusOK || w.Body.String() != want.body || w.Result().Header.Get("Content-Type") != want.kind {
			t.Errorf("%s is %d %v %q", path, w.Code, w.Result().Header, w.Body)
		}
	}
	if w := asked(t, New(quiet(t, nil).config), http.MethodGet, "/jobmanager/swagger/", nil); w.Code != http.StatusNotFound {
		t.Errorf("without Docs the page is %d", w.Code)
	}
}

func TestEveryOriginIsWelcome(t *testing.T) {
	t.Parallel()
	d := walled(t)
	from := http.Header{"Origin": {"https://dashboard.example"}}
	for _, path := range []string{"/jobmanager", "/jobmanager/jobs", "/jobmanager/nothing"} {
		if w := asked(t, d, http.MethodGet, path, from); w.Header().Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("GET %s has %v", path, w.Header())
		}
	}
	from.Set("Access-Control-Request-Method", http.MethodPut)
	from.Set("Access-Control-Request-Headers", "authorization,content-type")
	w := asked(t, d, http.MethodOptions, "/jobmanager/groups", from)
	if w.Code != http.StatusNoContent || w.Header().Get("Access-Control-Allow-Origin") != "*" || w.Header().Get("Access-Control-Allow-Methods") != http.MethodPut ||
		w.Header().Get("Access-Control-Allow-Headers") != "authorization,content-type" {
		t.Errorf("a preflight is %d %v", w.Code, w.Header())
	}
}

func TestABodyThatIsTooLargeIsRefused(t *testing.T) {
	t.Parallel()
	d := New(quiet(t, nil).config)
	for path, methods := range served() {
		for _, method := range methods {
			if method == http.MethodGet || method == http.MethodDelete || strings.Contains(path, "/groups/st") || strings.Contains(path, "/undeploy/") {
				continue // it has no body
			}
			w := httptest.NewRecorder()
			d.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(strings.Repeat(" ", 1001))))
			if want := `{"error":"the body is larger than 1000 bytes"}` + "\n"; w.Code != http.StatusRequestEntityTooLarge || w.Body.String() != want {
				t.Errorf("%s %s is %d %s", method, path, w.Code, w.Body)
			}
		}
	}
}

func TestOrchestratorsAreLowerCaseNames(t *testing.T) {
	t.Parallel()
	d := New(quiet(t, nil).config)
	for _, name := range []string{"OCM", "Nuvla", "-", "o_c_m", "%20"} {
		for _, path := range []string{"/jobmanager/jobs/executable/" + name + "/hub", "/jobmanager/jobs/executable/orchestrator/" + name} {
			w := asked(t, d, http.MethodGet, path, nil)
			if want := `{"error":"no valid orchestrator type provided"}` + "\n"; w.Code != http.StatusBadRequest || w.Body.String() != want {
				t.Errorf("%s is %d %s", path, w.Code, w.Body)
			}
		}
	}
}

func TestMalformedIDsAreRefused(t *testing.T) {
	t.Parallel()
	d := New(quiet(t, nil).config)
	for path, methods := range served() {
		path, hasID := strings.CutSuffix(path, "0190c5a2-7b1e-7c3d-9f00-5b8d3e1a2c02")
		if !hasID {
			continue
		}
		for _, method := range methods {
			if strings.Contains(path, "/resources/") && method == http.MethodPut {
				continue // there it is a uid
			}
			w := httptest.NewRecorder()
			d.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path+"seven", bytes.NewReader([]byte("{}"))))
			if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "is not an id") || w.Header().Get("Content-Type") != "application/json" {
				t.Errorf("%s %sseven is %d %s", method, path, w.Code, w.Body)
			}
		}
	}
}

// TestARefusedPromoteIsAnsweredOrDropped has both settings, and what is answered in any case.
func TestARefusedPromoteIsAnsweredOrDropped(t *testing.T) {
	t.Parallel()
	refuse := func(err error) action { return func(*http.Request) (any, error) { return nil, err } }
	call := func(setting string, do action) (status int, body string, broken error) {
		handler := quiet(t, nil).promote(do)
		if setting == RefusedPromoteClose {
			handler = closing(handler)
		}
		server := httptest.NewServer(handler)
		defer server.Close()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := server.Client().Do(request)
		if err != nil {
			return 0, "", err
		}
		defer func() { _ = response.Body.Close() }() // it was read to its end
		text, err := io.ReadAll(response.Body)
		return response.StatusCode, string(text), err
	}
	held := refuse(errorOf("NOT_CLAIMABLE"))
	if status, body, err := call("", held); status != http.StatusBadRequest || body != `{"error":"job cannot be promoted"}`+"\n" || err != nil {
		t.Errorf("answered: %d %s, %v", status, body, err)
	}
	for _, code := range []string{"NOT_CLAIMABLE", "NOT_FOUND", "UNAVAILABLE", "INTERNAL", string(codeUnreadable)} {
		if status, body, err := call(RefusedPromoteClose, refuse(errorOf(code))); err == nil {
			t.Errorf("%s is not dropped: %d %s", code, status, body)
		}
	}
	if status, body, err := call(RefusedPromoteClose, refuse(nil)); status != http.StatusNoContent || body != "" || err != nil {
		t.Errorf("granted: %d %q, %v", status, body, err)
	}
	w := httptest.NewRecorder() // it cannot be hijacked, as HTTP/2 cannot
	closing(quiet(t, nil).promote(held)).ServeHTTP(w, httptest.NewRequestWithContext(context.Background(), http.MethodPatch, "/", nil))
	if w.Code != http.StatusBadRequest {
		t.Errorf("a connection that cannot be dropped gets %d", w.Code)
	}
}
