package matchmaker

import (
	"slices"
	"strings"
	"testing"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

func FuzzAnswer(f *testing.F) {
	for _, body := range []string{
		`{"components":[{"name":"web","targets":{"cluster_name":"a","node_name":"b","orchestrator":"ocm"}},{"name":"db","targets":[]}]}`,
		`{"components":[{"name":"web","targets":[{"cluster_name":"a","orchestrator":"ocm"}]},{"name":"db","targets":null}]}`,
		`{"components":[]}`, `{"detail":[{"loc":["body"],"msg":"x"}]}`, `{"error":"x"}`, `null`, `[]`, `"x"`, `<html>`, ``, "\xff",
	} {
		f.Add(200, []byte(body))
		f.Add(500, []byte(body))
		f.Add(422, []byte(body))
	}
	components := []jobmanager.Component{{Name: "web"}, {Name: "db"}}
	token := jobmanager.NewToken("the-secret-token")
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		switch err := refusal(status, body, token); {
		case status == 400 || status == 422:
			checkRefusal(t, err, jobmanager.CodeInvalid)
		case err != nil:
			checkRefusal(t, err, jobmanager.CodeUnavailable, jobmanager.CodeUnauthenticated)
		}
		answer, err := decodeAnswer(body, token)
		if err != nil {
			checkRefusal(t, err, jobmanager.CodeUnavailable)
			return
		}
		matches, err := join(components, answer)
		if err != nil {
			checkRefusal(t, err, jobmanager.CodeUnavailable)
			return
		}
		if len(matches) != 2 || matches[0].Component != "web" || matches[1].Component != "db" {
			t.Fatalf("not joined by name: %v", matches)
		}
		for _, match := range matches {
			if (match.Reason == "") == (len(match.Targets) == 0) {
				t.Errorf("a reason and targets, or neither: %v", match)
			}
			for _, target := range match.Targets {
				if target.Cluster == "" || target.Orchestrator == "" || target.Pinned {
					t.Errorf("not a target: %v", target)
				}
			}
		}
	})
}

func checkRefusal(t *testing.T, err error, codes ...jobmanager.Code) {
	t.Helper()
	code := jobmanager.CodeOf(err)
	if !slices.Contains(codes, code) {
		t.Errorf("code %s of %v", code, err)
	}
	if ours, ok := err.(*jobmanager.Error); !ok || strings.Contains(ours.Message, "the-secret-token") || len(ours.Message) > 1200 { //nolint:errorlint // the error itself
		t.Errorf("not a sentence to show: %v", err)
	}
}

func FuzzParseStatic(f *testing.F) {
	f.Add(sample)
	for _, text := range []string{"", "~", "clusters: &a\n - *a", "clusters: [{name: a, nodes: [{cpu: x}]}]", "? [a]\n: b", "\xff", "a: ["} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		static, err := ParseStatic(text)
		if err != nil {
			ours, ok := err.(*jobmanager.Error) //nolint:errorlint // the error itself
			if !ok || ours.Code != jobmanager.CodeInvalid || len(ours.Findings) == 0 {
				t.Fatalf("not a refusal with findings: %v", err)
			}
			return
		}
		for _, n := range static.nodes {
			if n.target.Cluster == "" || n.target.Node == "" || n.target.Orchestrator == "" || n.cpu <= 0 || n.memory <= 0 {
				t.Errorf("an incomplete node was accepted: %+v", n)
			}
		}
	})
}
