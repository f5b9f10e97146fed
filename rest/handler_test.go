package rest

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// quiet is a door without a service, whose log is the test's.
func quiet(t *testing.T, log *bytes.Buffer) *Door {
	t.Helper()
	if log == nil {
		log = &bytes.Buffer{}
	}
	return &Door{config: Config{Logger: slog.New(slog.NewTextHandler(log, nil)), BodyLimit: 1000}}
}

// TestEveryErrorHasItsStatus is the table of statuses with the exceptions of the routes.
func TestEveryErrorHasItsStatus(t *testing.T) {
	t.Parallel()
	ours := func(code jobmanager.Code) error { return jobmanager.Errorf(code, "a sentence") }
	const said = "a sentence"
	for name, test := range map[string]struct {
		of     faults
		err    error
		status int
		text   string
	}{
		"invalid":                   {nil, ours(jobmanager.CodeInvalid), 400, said},
		"malformed":                 {nil, ours(codeMalformed), 400, said},
		"unreadable":                {nil, ours(codeUnreadable), 400, said},
		"another state":             {nil, ours(jobmanager.CodeWrongState), 400, said},
		"not stopped":               {ofGroup, ours(jobmanager.CodeGroupNotStopped), 400, said},
		"not stopped, to delete":    {ofDelete, ours(jobmanager.CodeGroupNotStopped), 400, textNotStopped},
		"not found":                 {nil, ours(jobmanager.CodeNotFound), 404, said},
		"no such job":               {ofJob, ours(jobmanager.CodeNotFound), 404, "job not found"},
		"no such job to report":     {ofJobBody, ours(jobmanager.CodeNotFound), 404, "job not found"},
		"a report that is late":     {ofJobBody, ours(jobmanager.CodeStaleOwner), 400, said},
		"a report of another type":  {ofJobBody, ours(codeUnreadable), 422, said},
		"a report of what is no id": {ofJobBody, ours(codeMalformed), 400, said},
		"a lock that is refused":    {ofJobBody, ours(jobmanager.CodeNotClaimable), 400, "job cannot be promoted"},
		"a promote that is refused": {ofPromote, ours(jobmanager.CodeNotClaimable), 400, "job cannot be promoted"},
		"a promote of nothing":      {ofPromote, ours(jobmanager.CodeNotFound), 400, "job not found"},
		"no such group":             {ofGroup, ours(jobmanager.CodeNotFound), 404, "JobGroup not found"},
		"no such group to update":   {ofUpdate, ours(jobmanager.CodeNotFound), 404, "JobGroup not found"},
		"a refused descriptor":      {ofDescriptor, ours(jobmanager.CodeInvalid), 422, said},
		"a refused new descriptor":  {ofUpdate, ours(jobmanager.CodeInvalid), 422, said},
		"no matchmaker":             {ofDescriptor, ours(jobmanager.CodeUnavailable), 422, said},
		"a token for no matchmaker": {ofDescriptor, ours(jobmanager.CodeUnauthenticated), 422, said},
		"a descriptor that is long": {ofDescriptor, ours(jobmanager.CodeTooLarge), 413, said},
		"a submission by a viewer":  {ofDescriptor, ours(jobmanager.CodeForbidden), 403, said},
		"nobody's workload":         {ofStatus, ours(jobmanager.CodeNotFound), 400, "job not found"},
		"conditions of nothing":     {ofStatusRead, ours(jobmanager.CodeNotFound), 404, "record not found"},
		"an unknown remediation":    {ofIncompliance, ours(codeUnknownRemediation), 422, said},
		"nobody calls":              {nil, ours(jobmanager.CodeUnauthenticated), 401, said},
		"too much":                  {nil, ours(jobmanager.CodeTooLarge), 413, said},
		"too often":                 {nil, ours(jobmanager.CodeRateLimited), 429, said},
		"no database":               {nil, ours(jobmanager.CodeUnavailable), 503, said},
		"a defect":                  {nil, ours(jobmanager.CodeInternal), 500, said},
		"what a driver says":        {nil, errors.New("Error 1451 (23000)"), 500, "internal error: try again, and tell the operator if it stays"},
		"a cause that is not told":  {nil, jobmanager.Wrap(jobmanager.CodeInvalid, errors.New("secret"), said), 400, said},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := httptest.NewRecorder()
			fail := func(*http.Request) (any, error) { return nil, test.err }
			quiet(t, nil).answer(http.StatusOK, fail, test.of).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
			if want := `{"error":"` + test.text + `"}` + "\n"; w.Code != test.status || w.Body.String() != want {
				t.Errorf("%d %s, want %d %s", w.Code, w.Body, test.status, want)
			}
		})
	}
}

func TestOnlyOwnFaultsAreLogged(t *testing.T) {
	t.Parallel()
	gone, leave := context.WithCancel(t.Context())
	leave()
	for name, test := range map[string]struct {
		ctx    context.Context
		err    error
		logged bool
	}{
		"ours":                   {t.Context(), errors.New("the disk is full"), true},
		"no database":            {t.Context(), jobmanager.Errorf(jobmanager.CodeUnavailable, "no answer"), true},
		"the caller's":           {t.Context(), jobmanager.Errorf(jobmanager.CodeInvalid, "no"), false},
		"unreadable":             {t.Context(), jobmanager.Errorf(codeUnreadable, "no"), false},
		"its caller went away":   {gone, context.Canceled, false},
		"given up by the caller": {gone, jobmanager.Errorf(jobmanager.CodeUnavailable, "canceled"), false},
	} {
		log := &bytes.Buffer{}
		w := httptest.NewRecorder()
		w.Header().Set("X-Request-Id", "r-7")
		quiet(t, log).fail(w, httptest.NewRequestWithContext(test.ctx, http.MethodGet, "/jobmanager/jobs", nil), nil, test.err)
		if logged := strings.Contains(log.String(), "id=r-7") && strings.Contains(log.String(), test.err.Error()); logged != test.logged {
			t.Errorf("%s: the log is %q", name, log)
		}
	}
}

func TestARefusedDescriptorIsToldWithAllItsErrors(t *testing.T) {
	t.Parallel()
	refusal := jobmanager.Errorf(jobmanager.CodeInvalid, "the descriptor is refused: one")
	refusal.Findings = []jobmanager.Finding{{Severity: jobmanager.SeverityError, Message: "one", Line: 3, Column: 1}}
	if got := sentence(refusal); got != refusal.Message {
		t.Errorf("with one error it is %q", got)
	}
	refusal.Findings = append(refusal.Findings, jobmanager.Finding{Severity: jobmanager.SeverityWarning, Message: "a warning"},
		jobmanager.Finding{Severity: jobmanager.SeverityError, Message: "two"})
	if got, want := sentence(refusal), "the descriptor is refused: one (line 3, column 1); two"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	for range 30 {
		refusal.Findings = append(refusal.Findings, refusal.Findings[0])
	}
	if got := sentence(refusal); !strings.HasSuffix(got, "; and 12 more") {
		t.Errorf("with many errors it is %q", got)
	}
}

// errorOf is an error of ours with this code.
func errorOf(code string) error { return jobmanager.Errorf(jobmanager.Code(code), "a sentence") }
