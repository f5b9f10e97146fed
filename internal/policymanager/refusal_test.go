package policymanager_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/policymanager"
	"github.com/icos-jobmanager/jobmanager/internal/testkit"
)

// answered tells a peer that answers everything with this status and body.
func answered(t *testing.T, kind jobmanager.NoticeKind, status int, body string) error {
	t.Helper()
	peer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(peer.Close)
	return tell(t, newClient(t, policymanager.Config{BaseURL: peer.URL}), kind)
}

func TestEveryStatusHasItsCode(t *testing.T) {
	t.Parallel()
	const unknown = `{"status_code":404,"detail":"no such app"}`
	for name, test := range map[string]struct {
		kind   jobmanager.NoticeKind
		status int
		body   string
		code   jobmanager.Code
		parts  []string
	}{
		"done":                             {"created", 200, `[{"id":"1"}]`, "", nil},
		"done, no words":                   {"started", 204, "", "", nil},
		"done, and whatever is said":       {"deleted", 201, "<html>", "", nil},
		"not modified":                     {"started", 304, "", jobmanager.CodeUnavailable, []string{"redirects (status 304)"}},
		"bad request":                      {"created", 400, `{"error":"too odd"}`, jobmanager.CodeInvalid, []string{"the descriptor", "400", "too odd", "update the group"}},
		"bad request to stop":              {"stopped", 400, `{"message":"too odd"}`, jobmanager.CodeInvalid, []string{`"stopped"`, "too odd", "its log"}},
		"token refused":                    {"created", 401, `{"detail":"Token has expired"}`, jobmanager.CodeUnauthenticated, []string{"own token", "Token has expired"}},
		"no permission":                    {"created", 403, `{"detail":"Not Authorized"}`, jobmanager.CodeUnauthenticated, []string{"icos-app:write", "Not Authorized"}},
		"deleted what is not known":        {"deleted", 404, unknown, "", nil},
		"started what is not known":        {"started", 404, unknown, jobmanager.CodeInvalid, []string{"no such app", "stop and start"}},
		"stopped what is not known":        {"stopped", 404, unknown, jobmanager.CodeInvalid, []string{"no such app"}},
		"created, and something not known": {"created", 404, unknown, jobmanager.CodeInvalid, []string{"no such app"}},
		"deleted at no such path":          {"deleted", 404, `{"detail":"Not Found"}`, jobmanager.CodeUnavailable, []string{"nothing takes events", "POLICYMANAGER_URL"}},
		"deleted at a proxy":               {"deleted", 404, "default backend - 404", jobmanager.CodeUnavailable, []string{"nothing takes events"}},
		"created at a proxy":               {"created", 404, "<html>nginx</html>", jobmanager.CodeUnavailable, []string{"nothing takes events"}},
		"deleted at a silent 404":          {"deleted", 404, "", jobmanager.CodeUnavailable, []string{"nothing takes events"}},
		"not for POST":                     {"started", 405, `{"detail":"Method Not Allowed"}`, jobmanager.CodeUnavailable, []string{"405", "POLICYMANAGER_URL"}},
		"no time to read":                  {"created", 408, "", jobmanager.CodeUnavailable, []string{"408", "overloaded"}},
		"known already":                    {"created", 409, `{"detail":"there is one"}`, jobmanager.CodeInvalid, []string{"there is one", "stop and start"}},
		"too long":                         {"created", 413, "<html>", jobmanager.CodeInvalid, []string{"413"}},
		"too many":                         {"started", 429, `{"detail":"slow down"}`, jobmanager.CodeUnavailable, []string{"slow down"}},
		"broke on a descriptor":            {"created", 500, "Internal Server Error", jobmanager.CodeUnavailable, []string{"Internal Server Error", "descriptor"}},
		"broke":                            {"started", 500, `{"status_code":500,"detail":"no backend"}`, jobmanager.CodeUnavailable, []string{"no backend", "its log"}},
		"gateway":                          {"deleted", 502, "<html>", jobmanager.CodeUnavailable, []string{"502"}},
		"cannot validate the token":        {"created", 503, `{"detail":"see logs"}`, jobmanager.CodeUnavailable, []string{"503", "see logs"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := answered(t, test.kind, test.status, test.body)
			if test.code == "" {
				if err != nil {
					t.Errorf("got %v, want no error", err)
				}
				return
			}
			wantError(t, err, test.code, test.parts...)
			if strings.Contains(err.Error(), "html") {
				t.Errorf("a proxy's page stands in %q", err)
			}
		})
	}
}

func TestDescriptorThatThePeerCannotReadSaysWhatToAdd(t *testing.T) {
	t.Parallel()
	peer := (&testkit.PolicyManager{}).Start(t)
	c := newClient(t, policymanager.Config{BaseURL: peer.URL})
	for name, test := range map[string]struct {
		text  string
		code  jobmanager.Code
		parts []string
	}{
		"no description": {
			"name: shop\ncomponents:\n- name: web\n  type: docker\n", jobmanager.CodeInvalid,
			[]string{"422", "app_descriptor.description: Field required", "add a description"},
		},
		"description is no text": {
			"name: shop\ndescription: 7\ncomponents: []\n", jobmanager.CodeInvalid,
			[]string{"app_descriptor.description: Input should be a valid string", "add a description"},
		},
		"component without a type": {
			"name: shop\ndescription: sells\ncomponents:\n- name: web\n", jobmanager.CodeInvalid,
			[]string{"components.type: Field required", "each with name and type"},
		},
		"no components":        {"name: shop\ndescription: sells\n", jobmanager.CodeUnavailable, []string{"500", "cannot read"}},
		"no YAML":              {"name: [", jobmanager.CodeUnavailable, []string{"500", "cannot read"}},
		"nothing before a ---": {"---\n---\n" + descriptor, jobmanager.CodeUnavailable, []string{"500", "cannot read"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			notice := jobmanager.Notice{GroupID: jobmanager.ID(name), Kind: jobmanager.NoticeCreated, Descriptor: test.text}
			err := c.Notify(t.Context(), notice, jobmanager.NewToken(secret))
			wantError(t, err, test.code, test.parts...)
			if strings.Contains(err.Error(), "ICOSAppStartedEvent") {
				t.Errorf("what is wrong for other events stands in %q", err)
			}
			if _, known := peer.App(notice.GroupID); known {
				t.Error("the peer knows it now")
			}
		})
	}
	second := jobmanager.Notice{GroupID: "second", Kind: jobmanager.NoticeCreated, Descriptor: "kind: Pod\n---\n" + descriptor}
	if err := c.Notify(t.Context(), second, jobmanager.Token{}); err != nil {
		t.Errorf("a header in the second document: %v", err)
	}
}

func TestWordsOfThePeerAreCleanedAndCut(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ body, want string }{
		"one line":                 {`{"detail":"first\n\tsecond\u0000\u202e third"}`, "(it says: first second third)"},
		"not the token":            {`{"detail":"` + secret + ` is old"}`, "(it says: … is old)"},
		"no other token":           {`{"detail":"sent bearer abc, had eyJhbGciOiJub25lIn0.e30."}`, "(it says: sent … had …)"},
		"not UTF-8":                {"bad \xff byte", "(it says: bad byte)"},
		"two hundred characters":   {`{"detail":"` + strings.Repeat("ä", 500) + `"}`, strings.Repeat("ä", 200) + "…)"},
		"three faults of its own":  {faults(5), "body.x: no; body.x: no; body.x: no)"},
		"faults without a place":   {`{"detail":[{"msg":"no"}]}`, "(it says: no)"},
		"half an answer":           {`{"detail":"unfin`, "status 400: "},
		"an object of other shape": {`{"detail":{"why":1},"error":7}`, "status 400: "},
		"a list":                   {`["no"]`, "status 400: "},
		"nothing":                  {"", "status 400: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantError(t, answered(t, jobmanager.NoticeStarted, http.StatusBadRequest, test.body), jobmanager.CodeInvalid, test.want)
		})
	}
}

func faults(n int) string {
	return `{"detail":[` + strings.TrimSuffix(strings.Repeat(`{"loc":["body","x"],"msg":"no"},`, n), ",") + `]}`
}

// TestBigAnswersAreNotReadToTheirEnd has a peer that never stops to talk; were it read to the end, nothing would
// come back.
func TestBigAnswersAreNotReadToTheirEnd(t *testing.T) {
	t.Parallel()
	for status, code := range map[int]jobmanager.Code{
		http.StatusOK: "", http.StatusBadRequest: jobmanager.CodeInvalid, http.StatusBadGateway: jobmanager.CodeUnavailable,
	} {
		for opening, shown := range map[string]string{"": "blah", `{"detail":"`: ""} {
			peer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(status)
				_, err := w.Write([]byte(opening))
				for err == nil {
					_, err = w.Write([]byte(strings.Repeat("blah ", 10_000)))
				}
			}))
			err := tell(t, newClient(t, policymanager.Config{BaseURL: peer.URL}), jobmanager.NoticeCreated)
			peer.Close()
			if code != "" {
				wantError(t, err, code, shown)
			} else if err != nil {
				t.Errorf("status %d: %v", status, err)
			}
		}
	}
}

func TestAnswerThatBreaksOffIsJudgedByItsStatus(t *testing.T) {
	t.Parallel()
	for status, code := range map[int]jobmanager.Code{http.StatusOK: "", http.StatusConflict: jobmanager.CodeInvalid} {
		peer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			w.WriteHeader(status)
			_, _ = w.Write([]byte(`{"detail":`))
		}))
		err := tell(t, newClient(t, policymanager.Config{BaseURL: peer.URL}), jobmanager.NoticeCreated)
		peer.Close()
		if got := jobmanager.CodeOf(err); got != code {
			t.Errorf("status %d: %v", status, err)
		}
	}
}
