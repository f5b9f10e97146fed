package rest_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/rest"
)

func TestRefusedCallersAreAnsweredAsTheOldServiceDid(t *testing.T) {
	t.Parallel()
	type answer func(http.ResponseWriter, *http.Request, *jobmanager.Error)
	old, strict := rest.Refuser{}, rest.Refuser{Strict: true}
	unauthenticated := jobmanager.Errorf(jobmanager.CodeUnauthenticated, "the token has expired")
	forbidden := jobmanager.Errorf(jobmanager.CodeForbidden, "not under this name")
	for name, test := range map[string]struct {
		refuse answer
		why    *jobmanager.Error
		status int
		body   string
	}{
		"no token":                  {old.MissingToken, unauthenticated, 401, `{"error":"not authorized"}`},
		"no token, strict":          {strict.MissingToken, unauthenticated, 401, `{"error":"not authorized"}`},
		"invalid token":             {old.InvalidToken, unauthenticated, 500, `{"error":"the token has expired"}`},
		"invalid token, strict":     {strict.InvalidToken, unauthenticated, 401, `{"error":"the token has expired"}`},
		"a server that takes none":  {old.Shut, unauthenticated, 401, `{"error":"the token has expired"}`},
		"a host that is not served": {old.Shut, forbidden, 403, `{"error":"not under this name"}`},
	} {
		recorder := httptest.NewRecorder()
		test.refuse(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/jobmanager/jobs", nil), test.why)
		if recorder.Code != test.status || recorder.Body.String() != test.body+"\n" {
			t.Errorf("%s: %d %q", name, recorder.Code, recorder.Body)
		}
		if kind := recorder.Header().Get("Content-Type"); kind != "text/plain; charset=utf-8" {
			t.Errorf("%s: Content-Type %q", name, kind)
		}
	}
}
