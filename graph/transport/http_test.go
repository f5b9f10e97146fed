package transport_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/icos-jobmanager/jobmanager/graph/transport"
)

const (
	newMedia = "application/graphql-response+json"
	oldMedia = "application/json"
)

// call is one request and what must come back. Zero members of the answer are not looked at.
type call struct {
	name                            string
	method, query, contentType      string
	accept                          []string
	body                            string
	status                          int
	media, code, allow, want, never string
}

func (c call) check(t *testing.T, target http.Handler) {
	t.Helper()
	method := c.method
	if method == "" {
		method = http.MethodPost
	}
	request := httptest.NewRequestWithContext(t.Context(), method, "/graphql"+c.query, strings.NewReader(c.body))
	switch c.contentType {
	case "":
		request.Header.Set("Content-Type", oldMedia)
	case "none":
	default:
		request.Header.Set("Content-Type", c.contentType)
	}
	for _, accept := range c.accept {
		request.Header.Add("Accept", accept)
	}
	recorder := httptest.NewRecorder()
	target.ServeHTTP(recorder, request)
	body := recorder.Body.String()
	if recorder.Code != c.status {
		t.Fatalf("status %d, want %d; body %s", recorder.Code, c.status, body)
	}
	if got := recorder.Header().Get("Content-Type"); c.media != "" && got != c.media+"; charset=utf-8" {
		t.Errorf("content type %q, want %q", got, c.media)
	}
	if got := recorder.Header().Get("Allow"); got != c.allow {
		t.Errorf("Allow %q, want %q", got, c.allow)
	}
	if got := codeIn(t, body); got != c.code {
		t.Errorf("code %q, want %q; body %s", got, c.code, body)
	}
	if !strings.Contains(body, c.want) {
		t.Errorf("body %s lacks %s", body, c.want)
	}
	if c.never != "" && strings.Contains(body, c.never) {
		t.Errorf("body %s holds %s", body, c.never)
	}
}

// codeIn is the code of the first error of a response, "" when it has none.
func codeIn(t *testing.T, body string) string {
	t.Helper()
	var response struct {
		Errors gqlerror.List `json:"errors"`
	}
	if err := json.Unmarshal([]byte(body), &response); err != nil {
		t.Fatalf("body %q: %v", body, err)
	}
	if len(response.Errors) == 0 {
		return ""
	}
	code, _ := response.Errors[0].Extensions["code"].(string)
	return code
}

func newHTTP(fields map[string]field) http.Handler {
	server := newHandler(fields)
	server.AddTransport(transport.HTTP{ReadLimit: 1000})
	return server
}

func TestRequestsThatCannotBeReadAreRefused(t *testing.T) {
	t.Parallel()
	target := newHTTP(nil)
	secret := "s3cret"
	for _, c := range []call{
		{name: "no JSON", body: `{"` + secret, status: 400, code: "INVALID", never: secret, media: oldMedia},
		{name: "no JSON, new media type", body: `{`, accept: []string{newMedia}, status: 400, code: "INVALID", media: newMedia},
		{name: "trailing data", body: `{"query":"{hello}"} {}`, status: 400, code: "INVALID"},
		{name: "empty body", status: 400, code: "INVALID"},
		{name: "null", body: `null`, status: 400, code: "INVALID"},
		{name: "batch", body: `[{"query":"{hello}"}]`, status: 400, code: "INVALID", want: "batches"},
		{name: "not UTF-8", body: "{\"query\":\"{hello}\xff\"}", status: 400, code: "INVALID"},
		{name: "query null", body: `{"query":null}`, status: 400, code: "INVALID"},
		{name: "too large", body: `{"query":"{hello}` + strings.Repeat(" ", 1000) + `"}`, status: 413, code: "TOO_LARGE", want: "1000 bytes"},
		{name: "form", contentType: "application/x-www-form-urlencoded", body: `query={hello}`, status: 415, code: "INVALID"},
		{name: "plain text", contentType: "text/plain", body: `{"query":"{hello}"}`, status: 415, code: "INVALID"},
		{name: "no content type", contentType: "none", body: `{"query":"{hello}"}`, status: 415, code: "INVALID"},
		{name: "other charset", contentType: "application/json; charset=latin1", body: `{}`, status: 415, code: "INVALID"},
		{name: "PUT", method: "PUT", status: 405, allow: "GET, POST", code: "INVALID"},
		{name: "DELETE", method: "DELETE", status: 405, allow: "GET, POST", code: "INVALID"},
		{name: "OPTIONS", method: "OPTIONS", status: 405, allow: "GET, POST", code: "INVALID"},
		{name: "GET without query", method: "GET", status: 400, code: "INVALID"},
		{name: "GET with broken variables", method: "GET", query: "?query={hello}&variables=%7B" + secret, status: 400, code: "INVALID", never: secret},
		{name: "GET with variables that are no object", method: "GET", query: "?query={hello}&variables=1", status: 400, code: "INVALID"},
		{name: "no media type fits", accept: []string{"text/html"}, body: `{"query":"{hello}"}`, status: 406, code: "INVALID", media: oldMedia},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.check(t, target)
		})
	}
}

func TestDocumentErrorsHaveTheStatusOfTheMediaTypeAndNoData(t *testing.T) {
	t.Parallel()
	target := newHTTP(map[string]field{
		"field": func(context.Context, map[string]any) graphql.ResponseHandler {
			return graphql.OneShot(&graphql.Response{Data: []byte("null"), Errors: gqlerror.List{{Message: "no"}}})
		},
	})
	for _, c := range []call{
		{name: "parse error", body: `{"query":"{"}`, code: "GRAPHQL_PARSE_FAILED", never: `"data"`},
		{name: "unknown field", body: `{"query":"{nothing}"}`, code: "GRAPHQL_VALIDATION_FAILED", never: `"data"`},
		{name: "empty query", body: `{"query":""}`, code: "GRAPHQL_VALIDATION_FAILED", never: `"data"`},
		{name: "bad variable", body: `{"query":"query($a:Int!){echo(value:$a)}"}`, code: "GRAPHQL_VALIDATION_FAILED", never: `"data"`},
		{name: "unknown operation", body: `{"query":"{hello}","operationName":"B"}`, code: "GRAPHQL_VALIDATION_FAILED", never: `"data"`},
		{name: "subscription", body: `{"query":"subscription{stream}"}`, code: "INVALID", want: "graphql-transport-ws", never: `"data"`},
		{name: "defer", body: `{"query":"{...@defer{hello}}"}`, code: "INVALID", want: "@defer", never: `"data"`},
		{name: "defer in a fragment", body: `{"query":"{...A} fragment A on Query{...B @defer} fragment B on Query{hello}"}`, code: "INVALID", never: `"data"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			old := c
			old.accept, old.status, old.media = []string{oldMedia}, 200, oldMedia
			old.check(t, target)
			c.accept, c.status, c.media = []string{newMedia}, 400, newMedia
			c.check(t, target)
		})
	}
	executed := call{body: `{"query":"{field}"}`, accept: []string{newMedia}, status: 200, want: `"data":null`}
	executed.check(t, target)
}

func TestAcceptDecidesTheMediaType(t *testing.T) {
	t.Parallel()
	target := newHTTP(nil)
	for _, c := range []struct {
		accept []string
		media  string
	}{
		{nil, oldMedia},
		{[]string{""}, oldMedia},
		{[]string{"*/*"}, oldMedia},
		{[]string{"application/*"}, oldMedia},
		{[]string{newMedia}, newMedia},
		{[]string{"Application/GraphQL-Response+JSON"}, newMedia},
		{[]string{newMedia + ", " + oldMedia + ";q=0.9"}, newMedia},
		{[]string{newMedia + ";q=0.8, " + oldMedia}, oldMedia},
		{[]string{oldMedia + ", " + newMedia}, oldMedia},
		{[]string{newMedia + ", " + oldMedia}, newMedia},
		{[]string{oldMedia + ";q=0.1", newMedia + ";q=0.2"}, newMedia},
		{[]string{"text/html, */*;q=0.1"}, oldMedia},
		{[]string{oldMedia + ";q=0, */*"}, newMedia},
		{[]string{newMedia + "; charset=utf-8"}, newMedia},
		{[]string{newMedia + "; charset=latin1, " + oldMedia}, oldMedia},
		{[]string{newMedia + ";q=nonsense, " + oldMedia}, oldMedia},
	} {
		t.Run(strings.Join(c.accept, "|"), func(t *testing.T) {
			t.Parallel()
			call{body: `{"query":"{hello}"}`, accept: c.accept, status: 200, media: c.media}.check(t, target)
		})
	}
	call{body: `{"query":"{hello}"}`, accept: []string{oldMedia + ";q=0"}, status: 406, code: "INVALID"}.check(t, target)
}

func TestWhatCanBeExecutedIsExecuted(t *testing.T) {
	t.Parallel()
	target := newHTTP(nil)
	parameters := url.Values{
		"query":     {`query A($value:Any){echo(value:$value)} query B{hello}`},
		"variables": {`{"value":9007199254740993}`}, "operationName": {"A"}, "extensions": {"{}"},
	}
	for _, c := range []call{
		{name: "POST", body: `{"query":"{hello}"}`, status: 200, want: `{"data":{"hello":"world"}}`},
		{name: "POST mutation", body: `{"query":"mutation{bump}"}`, status: 200, want: `{"data":{"bump":1}}`},
		{name: "POST with charset", contentType: "application/json; charset=UTF-8", body: `{"query":"{hello}"}`, status: 200},
		{name: "GET", method: "GET", query: "?" + parameters.Encode(), status: 200, want: `{"echo":9007199254740993}`},
		{name: "large integers keep their digits", status: 200, want: `{"echo":9007199254740993}`,
			body: `{"query":"query($v:Any){echo(value:$v)}","variables":{"v":9007199254740993}}`},
		{name: "GET mutation", method: "GET", query: "?query=mutation{bump}", status: 405, allow: "POST", code: "INVALID"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.check(t, target)
		})
	}
}

func TestAPanicOfTheExecutorBecomesAnInternalError(t *testing.T) {
	t.Parallel()
	target := newHTTP(map[string]field{"field": panicking})
	call{body: `{"query":"{field}"}`, status: 500, code: "INTERNAL", media: oldMedia}.check(t, target)
}

func TestAnExecutorThatAnswersNothingBecomesAnInternalError(t *testing.T) {
	t.Parallel()
	target := newHTTP(map[string]field{
		"field": func(context.Context, map[string]any) graphql.ResponseHandler { return graphql.OneShot(nil) },
	})
	call{body: `{"query":"{field}"}`, status: 500, code: "INTERNAL", media: oldMedia}.check(t, target)
}

func TestAResultThatIsNoJSONBecomesAnInternalError(t *testing.T) {
	t.Parallel()
	target := newHTTP(map[string]field{"field": value(`{"field":`)})
	call{body: `{"query":"{field}"}`, status: 500, code: "INTERNAL", media: oldMedia}.check(t, target)
}

func TestARequestThatEndedIsUnavailable(t *testing.T) {
	t.Parallel()
	target := newHTTP(nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	request := httptest.NewRequestWithContext(ctx, http.MethodPost, "/graphql", strings.NewReader(`{"query":"{hello}"}`))
	request.Header.Set("Content-Type", oldMedia)
	recorder := httptest.NewRecorder()
	target.ServeHTTP(recorder, request)
	if code := codeIn(t, recorder.Body.String()); recorder.Code != 503 || code != "UNAVAILABLE" {
		t.Errorf("got %d %s", recorder.Code, recorder.Body)
	}
}

func TestABodyThatBreaksOffIsRefused(t *testing.T) {
	t.Parallel()
	body := io.MultiReader(strings.NewReader(`{`), brokenReader{})
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/graphql", body)
	request.Header.Set("Content-Type", oldMedia)
	recorder := httptest.NewRecorder()
	newHTTP(nil).ServeHTTP(recorder, request)
	if code := codeIn(t, recorder.Body.String()); recorder.Code != 400 || code != "INVALID" {
		t.Errorf("got %d %s", recorder.Code, recorder.Body)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
