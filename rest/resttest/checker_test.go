package resttest_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/icos-jobmanager/jobmanager/rest/resttest"
)

// witness is a test that only notes what it is told.
type witness struct {
	testing.TB
	complaints []string
}

func (w *witness) Errorf(format string, args ...any) {
	w.complaints = append(w.complaints, fmt.Sprintf(format, args...))
}

// answer is what a server says to everything.
type answer struct {
	status    int
	mediaType string
	body      string
}

func (a answer) RoundTrip(request *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: a.status, Header: http.Header{"Content-Type": {a.mediaType}},
		Body: io.NopCloser(strings.NewReader(a.body)), Request: request,
	}, nil
}

// complaints lets a checked client meet the answer, sees that it comes through unchanged, and gives what was said.
func complaints(t *testing.T, method, path string, a answer) []string {
	t.Helper()
	w := &witness{TB: t}
	request := httptest.NewRequestWithContext(t.Context(), method, "http://10.1.2.3:32300"+path, nil)
	if method == http.MethodOptions {
		request.Header.Set("Access-Control-Request-Method", "PUT")
	}
	response, err := resttest.Checked(w, a).RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if body, err := io.ReadAll(response.Body); err != nil || string(body) != a.body || response.StatusCode != a.status {
		t.Errorf("the client got %d %q (%v)", response.StatusCode, body, err)
	}
	return w.complaints
}

const (
	jsonType = "application/json"
	textType = "text/plain; charset=utf-8"
	aJob     = "/jobmanager/jobs/019ab3c4-5d6f-7a01-8b2c-3d4e5f6a7b8c"
	// condition is one with a place for more keys.
	condition = `[{"created_at":"2026-11-22T10:45:03Z","updated_at":"2026-11-22T10:45:03Z","ID":1,"id":1,"type":"Available","status":"True","lastTransitionTime":"2026-11-22T10:45:03Z","reason":"r","message":""%s}]`
)

func TestCheckedIsContentWithWhatTheDocumentDescribes(t *testing.T) {
	t.Parallel()
	for _, right := range []struct {
		method, path string
		answer       answer
	}{
		{"GET", "/jobmanager/jobs", answer{200, jsonType, "[]\n"}},
		{"GET", aJob, answer{404, jsonType, `{"error":"job not found"}` + "\n"}},
		{"GET", aJob, answer{401, textType, `{"error":"not authorized"}` + "\n"}},
		{"GET", aJob, answer{500, textType, `{"error":"token is malformed"}` + "\n"}},
		{"DELETE", aJob, answer{200, jsonType, "1\n"}},
		{"PATCH", "/jobmanager/jobs/promote/x", answer{204, jsonType, ""}},
		{"GET", "/jobmanager/jobs/executable/orchestrator/nuvla", answer{200, jsonType, "[]\n"}},
		{"GET", "/jobmanager/resources/status/x", answer{200, jsonType, fmt.Sprintf(condition, "")}},
		{"GET", "/jobmanager/healthz", answer{200, textType, "Job Manager working properly!"}},
		{"GET", "/jobmanager/nothing", answer{404, textType, "404 page not found\n"}},
		{"GET", "/jobmanager/", answer{404, textType, "404 page not found\n"}},
		{"HEAD", "/jobmanager/jobs", answer{405, "", ""}},
		{"POST", aJob, answer{405, "", ""}},
		{"OPTIONS", aJob, answer{204, "", ""}},
		{"GET", "/jobmanager/swagger/", answer{200, "text/html", "<html>"}},
		{"POST", "/graphql", answer{200, "anything", "x"}},
	} {
		if said := complaints(t, right.method, right.path, right.answer); len(said) != 0 {
			t.Errorf("%s %s with %v: %v", right.method, right.path, right.answer, said)
		}
	}
}

func TestCheckedComplainsOfWhatTheDocumentDoesNotDescribe(t *testing.T) {
	t.Parallel()
	for name, wrong := range map[string]struct {
		method, path string
		answer       answer
	}{
		"a status":             {"GET", "/jobmanager/jobs", answer{418, jsonType, "[]"}},
		"a media type":         {"GET", "/jobmanager/jobs", answer{200, textType, "[]"}},
		"no media type":        {"GET", "/jobmanager/jobs", answer{200, "", "[]"}},
		"null for a list":      {"GET", "/jobmanager/jobs", answer{200, jsonType, "null"}},
		"no JSON":              {"GET", "/jobmanager/jobs", answer{200, jsonType, "["}},
		"a missing key":        {"GET", "/jobmanager/jobs", answer{200, jsonType, "[{}]"}},
		"a key more":           {"GET", "/jobmanager/resources/status/x", answer{200, jsonType, fmt.Sprintf(condition, `,"more":1`)}},
		"a body where none is": {"PATCH", "/jobmanager/jobs/promote/x", answer{204, jsonType, "{}"}},
		"a path":               {"GET", "/jobmanager/nothing", answer{200, jsonType, "{}"}},
		"a method":             {"POST", aJob, answer{200, jsonType, "{}"}},
		"a body of 405":        {"POST", aJob, answer{405, "", "Method Not Allowed"}},
		"a preflight":          {"OPTIONS", aJob, answer{200, "", ""}},
		"a number":             {"DELETE", aJob, answer{200, jsonType, `"1"`}},
	} {
		if said := complaints(t, wrong.method, wrong.path, wrong.answer); len(said) != 1 {
			t.Errorf("%s: %q", name, said)
		}
	}
}
