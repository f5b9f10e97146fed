package matchmaker_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/testkit"
)

// answer is a whole answer in which web has these targets and db has none.
func answer(targets string) string {
	return `{"components":[{"name":"db","targets":[]},{"name":"web","type":"kubernetes","requirements":{"cpu":0.5},"targets":` +
		targets + `}]}`
}

func TestAnswerShapesAreUnderstood(t *testing.T) {
	t.Parallel()
	edge := jobmanager.Target{Cluster: "edge", Node: "n1", Orchestrator: "ocm"}
	boat := jobmanager.Target{Cluster: "nuvlabox/7", Orchestrator: "nuvla"}
	const edgeText = `{"cluster_name":"edge","node_name":"n1","orchestrator":"ocm"}`
	for name, test := range map[string]struct {
		body string
		want []jobmanager.Target
	}{
		"object":                   {answer(edgeText), []jobmanager.Target{edge}},
		"object with other keys":   {answer(`{"id":5,"Cluster_Name":"x",` + edgeText[1:]), []jobmanager.Target{edge}},
		"object without a node":    {answer(`{"cluster_name":"nuvlabox/7","orchestrator":"nuvla"}`), []jobmanager.Target{boat}},
		"object with a null node":  {answer(`{"cluster_name":"nuvlabox/7","node_name":null,"orchestrator":"nuvla"}`), []jobmanager.Target{boat}},
		"numeric cluster name":     {answer(`{"cluster_name":7,"orchestrator":"ocm"}`), []jobmanager.Target{{Cluster: "7", Orchestrator: "ocm"}}},
		"list of one":              {answer(`[` + edgeText + `]`), []jobmanager.Target{edge}},
		"list of two":              {answer(`[` + edgeText + `,{"cluster_name":"nuvlabox/7","orchestrator":"nuvla"}]`), []jobmanager.Target{edge, boat}},
		"empty list":               {answer(` [ ] `), nil},
		"null":                     {answer(`null`), nil},
		"absent":                   {`{"components":[{"name":"web"},{"name":"db"}]}`, nil},
		"nothing fits anyone":      {`{"components":[]}`, nil},
		"extra keys of the answer": {`{"name":"other","manifests":[],"components":[{"name":"web","targets":` + edgeText + `},{"name":"db"}]}`, []jobmanager.Target{edge}},
		"a user's key Targets":     {`{"components":[{"name":"web","targets":` + edgeText + `,"Targets":5,"NAME":[]},{"name":"db"}]}`, []jobmanager.Target{edge}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			matches, err := ask(t, 200, test.body)
			if err != nil {
				t.Fatal(err)
			}
			if len(matches) != 2 || matches[0].Component != "web" || matches[1].Component != "db" {
				t.Fatalf("not in the descriptor's order: %v", matches)
			}
			if diff := cmp.Diff(test.want, matches[0].Targets); diff != "" {
				t.Error(diff)
			}
			if (matches[0].Reason == "") != (len(test.want) > 0) {
				t.Errorf("reason %q", matches[0].Reason)
			}
		})
	}
}

func TestNumericComponentNameIsJoined(t *testing.T) {
	t.Parallel()
	// YAML's `name: 7` is a text for the descriptor and a number in the peer's JSON.
	peer := (&testkit.Matchmaker{}).Start(t)
	descriptor := jobmanager.Descriptor{Components: []jobmanager.Component{{Name: "7"}}}
	matches, err := newHTTP(t, peer.URL, 0).Match(t.Context(), descriptor, "components:\n- name: 7\n", jobmanager.Token{})
	if err != nil || len(matches) != 1 || len(matches[0].Targets) != 1 {
		t.Errorf("got %v, %v", matches, err)
	}
}

func TestManyTargetsAreCut(t *testing.T) {
	t.Parallel()
	list := make([]string, 500)
	for i := range list {
		list[i] = `{"cluster_name":"c` + strconv.Itoa(i) + `","orchestrator":"ocm"}`
	}
	matches, err := ask(t, 200, answer("["+strings.Join(list, ",")+"]"))
	if err != nil || len(matches[0].Targets) != 32 || matches[0].Targets[31].Cluster != "c31" {
		t.Errorf("%d targets, %v", len(matches[0].Targets), err)
	}
}

func TestBrokenAnswersAreRefused(t *testing.T) {
	t.Parallel()
	const good = `{"name":"web","targets":[]},{"name":"db","targets":[]}`
	for name, test := range map[string]struct {
		body string
		says []string
	}{
		"empty":                      {``, []string{"not JSON"}},
		"text":                       {`Internal Server Error`, []string{"not JSON"}},
		"page":                       {`<html><body>hello</body></html>`, []string{"not JSON"}},
		"cut short":                  {`{"components":[`, []string{"not JSON"}},
		"two documents":              {`{"components":[]}{"components":[]}`, []string{"not JSON"}},
		"deep":                       {strings.Repeat("[", 20000), []string{"not JSON"}},
		"null":                       {`null`, []string{"no list of components"}},
		"number":                     {`7`, []string{"no list of components"}},
		"list":                       {`[]`, []string{"no list of components"}},
		"empty object":               {`{}`, []string{"no list of components"}},
		"null components":            {`{"components":null}`, []string{"no list of components"}},
		"components as an object":    {`{"components":{}}`, []string{"no list of components"}},
		"detail":                     {`{"detail":"Token inválido"}`, []string{"Token inválido"}},
		"error":                      {`{"error":"Error calling the agregator API"}`, []string{"Error calling the agregator API"}},
		"nested error":               {`{"error":{"message":"no taxonomy"}}`, []string{"no taxonomy"}},
		"a lone string":              {`"no taxonomy"`, []string{"no taxonomy"}},
		"component null":             {`{"components":[null]}`, []string{"component 1", "no name"}},
		"component a list":           {`{"components":[` + good + `,[]]}`, []string{"component 3", "no name"}},
		"component without a name":   {`{"components":[{"targets":[]}]}`, []string{"component 1", "no name"}},
		"component name an object":   {`{"components":[{"name":{}}]}`, []string{"component 1", "no name"}},
		"lacks a component":          {`{"components":[{"name":"web","targets":[]}]}`, []string{`lacks component "db"`}},
		"twice":                      {`{"components":[` + good + `,{"name":"db"}]}`, []string{`names component "db" twice`}},
		"a stranger":                 {`{"components":[` + good + `,{"name":"cache"}]}`, []string{`component "cache"`, "does not have"}},
		"other capitals":             {`{"components":[{"name":"Web"},{"name":"db"}]}`, []string{`component "Web"`}},
		"targets a number":           {answer(`7`), []string{`"web"`, "not an object"}},
		"targets a text":             {answer(`"edge"`), []string{`"web"`, "not an object"}},
		"targets a list of null":     {answer(`[null]`), []string{`"web"`, "not an object"}},
		"targets a list of a list":   {answer(`[[]]`), []string{`"web"`, "not an object"}},
		"empty target":               {answer(`{}`), []string{`"web"`, "no cluster_name"}},
		"no cluster":                 {answer(`{"orchestrator":"ocm"}`), []string{`"web"`, "no cluster_name"}},
		"no orchestrator":            {answer(`{"cluster_name":"edge"}`), []string{`"web"`, "no orchestrator"}},
		"null orchestrator":          {answer(`{"cluster_name":"edge","orchestrator":null}`), []string{"no orchestrator"}},
		"second lacks orchestrator":  {answer(`[{"cluster_name":"a","orchestrator":"ocm"},{"cluster_name":"b"}]`), []string{"no orchestrator"}},
		"cluster an object":          {answer(`{"cluster_name":{},"orchestrator":"ocm"}`), []string{"cluster_name that is no name"}},
		"zero byte in a name":        {answer(`{"cluster_name":"a\u0000b","orchestrator":"ocm"}`), []string{"cluster_name that is no name"}},
		"overlong name":              {answer(`{"cluster_name":"` + strings.Repeat("a", 300) + `","orchestrator":"ocm"}`), []string{"no name"}},
		"node a list":                {answer(`{"cluster_name":"a","orchestrator":"ocm","node_name":[]}`), []string{"node_name that is no name"}},
		"more than 8 MiB":            {`{"components":[],"x":"` + strings.Repeat("x", 8<<20) + `"}`, []string{"longer than 8 MiB"}},
		"a token in the explanation": {`{"error":"` + secret + ` is bad, Bearer abcdef too"}`, []string{"is bad, … too"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := ask(t, 200, test.body)
			wantError(t, err, jobmanager.CodeUnavailable, test.says...)
		})
	}
}

func TestErrorStatusesAreTold(t *testing.T) {
	t.Parallel()
	const located = `{"detail":[{"loc":["body",0],"msg":"field required","type":"missing"},{"msg":"str expected"}]}`
	for name, test := range map[string]struct {
		status int
		body   string
		code   jobmanager.Code
		says   []string
	}{
		"401":                      {401, `{"detail":"Token inválido"}`, jobmanager.CodeUnauthenticated, []string{"log in again", "Token inválido"}},
		"403":                      {403, `{"detail":"Not authenticated"}`, jobmanager.CodeUnauthenticated, []string{"log in again"}},
		"401 without a body":       {401, ``, jobmanager.CodeUnauthenticated, []string{"refused the token: log in again"}},
		"400":                      {400, `{"detail":"no components"}`, jobmanager.CodeInvalid, []string{"refused the descriptor with status 400", "no components", "correct"}},
		"400 without a body":       {400, ``, jobmanager.CodeInvalid, []string{"status 400: correct"}},
		"404":                      {404, `{"detail":"Not Found"}`, jobmanager.CodeUnavailable, []string{"404", "Not Found"}},
		"422":                      {422, located, jobmanager.CodeInvalid, []string{"422", "field required at body.0; str expected", "correct"}},
		"429":                      {429, ``, jobmanager.CodeUnavailable, []string{"429", "later"}},
		"500":                      {500, `Internal Server Error`, jobmanager.CodeUnavailable, []string{"500", "Internal Server Error", "Mi or Gi"}},
		"502 with a page":          {502, `<html>nginx</html>`, jobmanager.CodeUnavailable, []string{"failed with status 502: try"}},
		"503 aggregator":           {503, `{"error":"Error calling the agregator API"}`, jobmanager.CodeUnavailable, []string{"503", "agregator"}},
		"503 with a good answer":   {503, answer(`[]`), jobmanager.CodeUnavailable, []string{"503"}},
		"500 with control letters": {500, "a\x00b\r\n\tc\x1b[31m", jobmanager.CodeUnavailable, []string{"(it says: a b c [31m)"}},
		"500 not UTF-8":            {500, "\xff\xfe", jobmanager.CodeUnavailable, []string{"500"}},
		"500 long":                 {500, strings.Repeat("long", 1000), jobmanager.CodeUnavailable, []string{"longlong…"}},
		"500 huge":                 {500, strings.Repeat("word ", 100000), jobmanager.CodeUnavailable, []string{"status 500:"}},
		"500 with the token":       {500, "cannot introspect " + secret, jobmanager.CodeUnavailable, []string{"cannot introspect …"}},
		"204":                      {204, ``, jobmanager.CodeUnavailable, []string{"not JSON"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := ask(t, test.status, test.body)
			wantError(t, err, test.code, test.says...)
		})
	}
}
