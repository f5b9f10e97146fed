package rest_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
	"github.com/icos-jobmanager/jobmanager/internal/config"
	"github.com/icos-jobmanager/jobmanager/internal/testkit"
	"github.com/icos-jobmanager/jobmanager/rest"
	"github.com/icos-jobmanager/jobmanager/rest/resttest"
)

// strange is a request that is odd in one way.
type strange struct {
	token, id, body string
}

// strangers are odd requests to any operation; the sessions are what goes well.
func strangers(realm *testkit.Realm) []strange {
	const unknown = "019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6a7b"
	token := "Bearer " + realm.Token("a-client")
	odd := []strange{
		{"", unknown, ""}, {"Bearer ", unknown, ""}, {"Bearer x.y", unknown, ""}, {"bearer " + token, unknown, ""},
		{token, "no-uuid", "{}"}, {token, unknown, ""}, {token, unknown, strings.Repeat(" ", 5<<20) + "{}"},
	}
	for _, body := range []string{
		"{", "[]", "null", "1", "{}", `{"locker":true}`, `{"locker":true,"state":2}`, `{"locker":false,"state":1}`, `{"locker":1}`,
		`{"owner_id":""}`, `{"owner_id":"a"}`, `{"owner_id":1}`, `{"ID":"` + unknown + `","owner_id":"a","type":5,"state":1}`,
		`{"ID":"` + unknown + `","jobs":[]}`, `{"jobs":[{"id":"x"}]}`, `{"state":"1"}`, `{"state":99}`, `{"created_at":"never"}`,
		`{"name":"app","description":"d","components":[]}`, `{"name":"app","description":"d","components":[{"name":"web","type":"kubernetes"}]}`,
		`{"resource_uuid":"` + unknown + `","conditions":null}`, `{"policyName":"p","policyId":"i","subject":{"appInstance":"` + unknown + `"},"remediation":"scale-up"}`,
		`{"policyName":"p","policyId":"i","subject":{},"remediation":"explode"}`,
	} {
		odd = append(odd, strange{token, unknown, body})
	}
	return odd
}

func TestEveryOperationAnswersOddRequestsAsTheDocumentSays(t *testing.T) {
	t.Parallel()
	realm := testkit.NewRealm(t)
	s := apptest.Start(t, apptest.Options{Configure: func(c *config.Config) { c.KeycloakPublicKey = realm.PublicKey() }})
	client := &http.Client{Transport: resttest.Checked(t, nil)}
	for path, item := range documentOf(t).Paths.Map() {
		for method := range item.Operations() {
			for _, odd := range strangers(realm) {
				ask(t, client, method, s.URL+fill(path, odd.id), odd)
			}
		}
		for _, method := range []string{"HEAD", "PATCH", "OPTIONS", "TRACE"} {
			ask(t, client, method, s.URL+fill(path, "x"), strange{})
		}
		ask(t, client, "GET", s.URL+fill(path, "x")+"/", strange{})
		ask(t, client, "GET", s.URL+path+"?limit=0", strange{token: "Bearer " + realm.Token("a-client")})
		ask(t, client, "GET", s.URL+path+"?limit=1", strange{token: "Bearer " + realm.Token("a-client")})
	}
}

// documentOf loads the OpenAPI document.
func documentOf(t *testing.T) *openapi3.T {
	t.Helper()
	text, err := rest.Document()
	if err != nil {
		t.Fatal(err)
	}
	document, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	return document
}

// fill puts an id into a path for each of its variables.
func fill(path, id string) string {
	for strings.Contains(path, "{") {
		before, rest, _ := strings.Cut(path, "{")
		_, after, _ := strings.Cut(rest, "}")
		path = before + id + after
	}
	return path
}

// ask sends a request; what comes back is the client's to check.
func ask(t *testing.T, client *http.Client, method, url string, odd strange) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(odd.body))
	if err != nil {
		t.Fatal(err)
	}
	if odd.token != "" {
		request.Header.Set("Authorization", odd.token)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	_, _ = io.Copy(io.Discard, response.Body) // it was checked
	_ = response.Body.Close()
}
