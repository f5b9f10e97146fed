package transport_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// audit is one of the server audits of npm graphql-http 1.23.1, by the id that it has there.
type audit struct {
	id       string
	get      url.Values // GET with these parameters; else POST
	accept   string
	body     any // marshalled, but for a string, which is sent as it is
	noType   bool
	statuses statuses
	media    string
	noErrors bool
	noData   bool
}

// statuses are those that an audit allows.
type statuses int

const (
	success   statuses = iota // 200
	badInput                  // 400
	clientErr                 // any 4xx
	failure                   // any 4xx or 5xx
	finished                  // 2xx, 4xx or 5xx
)

func (s statuses) allow(status int) bool {
	switch s {
	case success:
		return status == 200
	case badInput:
		return status == 400
	case clientErr:
		return status/100 == 4
	case failure:
		return status/100 == 4 || status/100 == 5
	default:
		return status/100 != 1 && status/100 != 3
	}
}

type object = map[string]any

// TestAuditsOfGraphQLHTTPHold keeps what the audits ask for without needing npm; the conformance suite runs
// the real ones.
func TestAuditsOfGraphQLHTTPHold(t *testing.T) {
	t.Parallel()
	target := newHTTP(nil)
	audits := append(mediaAudits(), parameterAudits()...)
	audits = append(audits, documentAudits()...)
	if len(audits) != 61 {
		t.Errorf("there are %d audits here, and 61 in graphql-http", len(audits))
	}
	for _, a := range audits {
		t.Run(a.id, func(t *testing.T) {
			t.Parallel()
			a.check(t, target)
		})
	}
}

func mediaAudits() []audit {
	typename := object{"query": "{ __typename }"}
	return []audit{
		{id: "22EB", accept: newMedia, body: typename, statuses: success, media: newMedia},
		{id: "4655", accept: oldMedia, body: typename, statuses: success, media: oldMedia},
		{id: "47DE", accept: "*/*", body: typename, statuses: success, media: oldMedia},
		{id: "80D8", body: typename, statuses: success, media: oldMedia},
		{id: "82A3", body: typename, statuses: success},
		{id: "BF61", body: object{"query": `{ __type(name: "Run🏃Swim🏊") { name } }`}, statuses: success},
		{id: "78D5", body: typename, statuses: success},
		{id: "2C94", body: typename, statuses: success},
		{id: "5A70", get: url.Values{"query": {"{ __typename }"}}, statuses: success},
		{id: "9C48", get: url.Values{"query": {"mutation { __typename }"}}, accept: newMedia, statuses: clientErr},
		{id: "9ABE", noType: true, body: typename, statuses: clientErr},
		{id: "03D4", body: typename, statuses: success},
		{id: "A5BF", body: "", statuses: badInput},
	}
}

func parameterAudits() []audit {
	byType := object{"query": "query Type($name: String!) { __type(name: $name) { name } }", "variables": object{"name": "T"}}
	named := object{"operationName": "Query", "query": "query Query { __typename }"}
	extended := object{"query": "{ __typename }", "extensions": object{"some": "value"}}
	inURL := url.Values{"query": {byType["query"].(string)}, "variables": {`{"name":"T"}`}}
	audits := []audit{
		{id: "423L", accept: newMedia, body: object{"notquery": "{ __typename }"}, statuses: badInput},
		{id: "34A2", accept: newMedia, body: object{"query": "{ __typename }"}, statuses: success},
		{id: "13EE", accept: oldMedia, body: object{"query": "{ __typename }"}, statuses: success, noErrors: true},
		{id: "8161", accept: newMedia, body: named, statuses: success},
		{id: "B8B3", accept: oldMedia, body: named, statuses: success, noErrors: true},
		{id: "2EA1", accept: newMedia, body: byType, statuses: success},
		{id: "28B9", accept: oldMedia, body: byType, statuses: success, noErrors: true},
		{id: "D6D5", accept: newMedia, get: inURL, statuses: success, noErrors: true},
		{id: "6A70", accept: oldMedia, get: inURL, statuses: success, noErrors: true},
		{id: "428F", accept: newMedia, body: extended, statuses: success},
		{id: "1B7A", accept: oldMedia, body: extended, statuses: success, noErrors: true},
	}
	wrong := []any{object{"an": "object"}, 0, false, []string{"array"}}
	wrongMap := []any{"string", 0, false, []string{"array"}}
	for i := range wrong {
		audits = append(audits,
			audit{id: fmt.Sprint("LKJ", i), body: object{"query": wrong[i]}, statuses: badInput},
			audit{id: fmt.Sprint("6C0", i), body: object{"query": "{ __typename }", "operationName": wrong[i]}, statuses: badInput},
			audit{id: fmt.Sprint("476", i), body: object{"query": "{ __typename }", "variables": wrongMap[i]}, statuses: badInput},
			audit{id: fmt.Sprint("58B", i), body: object{"query": "{ __typename }", "extensions": wrongMap[i]}, statuses: badInput},
		)
	}
	for i, name := range []string{"variables", "operationName", "extensions"} {
		null := object{"query": "{ __typename }", name: nil}
		audits = append(audits,
			audit{id: fmt.Sprint("94B", i), accept: newMedia, body: null, statuses: success, noErrors: true},
			audit{id: fmt.Sprint("022", i), accept: oldMedia, body: null, statuses: success, noErrors: true},
		)
	}
	return audits
}

func documentAudits() []audit {
	unknown := object{"query": "{ 8f31403dfe404bccbb0e835f2629c6a7 }"}
	unread := object{"query": "{"}
	uncoerced := object{"query": "query CoerceFailure($id: ID!){ __typename }", "variables": object{"id": nil}}
	return []audit{
		{id: "B6DC", accept: oldMedia, body: `{ "not a JSON`, statuses: finished},
		{id: "BCF8", accept: oldMedia, body: `{ "not a JSON`, statuses: badInput},
		{id: "B7N8", accept: newMedia, body: `{ "not a JSON`, statuses: badInput},
		{id: "8764", body: object{"qeury": "{ __typename }"}, statuses: failure},
		{id: "3E3A", body: object{"qeury": "{ __typename }"}, statuses: badInput},
		{id: "572B", accept: oldMedia, body: unread, statuses: success},
		{id: "FDE2", accept: oldMedia, body: unknown, statuses: success},
		{id: "7B9B", accept: oldMedia, body: uncoerced, statuses: success},
		{id: "865D", accept: newMedia, body: unread, statuses: failure},
		{id: "556A", accept: newMedia, body: unread, statuses: badInput},
		{id: "D586", accept: newMedia, body: unread, statuses: badInput, noData: true},
		{id: "51FE", accept: newMedia, body: unknown, statuses: failure},
		{id: "74FF", accept: newMedia, body: unknown, statuses: badInput},
		{id: "5E5B", accept: newMedia, body: unknown, statuses: badInput, noData: true},
		{id: "86EE", accept: newMedia, body: uncoerced, statuses: badInput},
	}
}

func (a audit) request(t *testing.T) *http.Request {
	t.Helper()
	method, target := http.MethodPost, "/graphql"
	if a.get != nil {
		method, target = http.MethodGet, "/graphql?"+a.get.Encode()
	}
	text, plain := a.body.(string)
	if !plain {
		marshalled, err := json.Marshal(a.body)
		if err != nil {
			t.Fatal(err)
		}
		text = string(marshalled)
	}
	request := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(text))
	if !a.noType {
		request.Header.Set("Content-Type", oldMedia)
	}
	if a.accept != "" {
		request.Header.Set("Accept", a.accept)
	}
	return request
}

func (a audit) check(t *testing.T, target http.Handler) {
	t.Helper()
	recorder := httptest.NewRecorder()
	target.ServeHTTP(recorder, a.request(t))
	body := recorder.Body.String()
	if !a.statuses.allow(recorder.Code) {
		t.Fatalf("status %d, want kind %d; body %s", recorder.Code, a.statuses, body)
	}
	if got := recorder.Header().Get("Content-Type"); !strings.Contains(got, a.media) {
		t.Errorf("content type %q lacks %s", got, a.media)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(recorder.Body.Bytes(), &members); err != nil {
		t.Fatalf("body %s: %v", body, err)
	}
	if a.noErrors && members["errors"] != nil {
		t.Errorf("body %s has errors", body)
	}
	if a.noData && members["data"] != nil {
		t.Errorf("body %s has data", body)
	}
}
