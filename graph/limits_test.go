package graph_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// codeOf runs an operation that must be refused and gives its code and sentence.
func codeOf(t *testing.T, handler http.Handler, query string, variables map[string]any) (code, sentence string) {
	t.Helper()
	text := post(t, handler, query, variables)
	var answer struct {
		Errors []struct {
			Message    string
			Extensions struct{ Code string }
		}
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil || len(answer.Errors) == 0 {
		t.Fatalf("%.200s\nwas answered %s", query, text)
	}
	return answer.Errors[0].Extensions.Code, answer.Errors[0].Message
}

func TestOperationsThatAskForTooMuchAreRefused(t *testing.T) {
	t.Parallel()
	_, handler := door(t)
	var doubling, aliases strings.Builder
	doubling.WriteString("{ ...F0 } fragment F40 on Query { serverInfo { time } }")
	for n := range 40 {
		fmt.Fprintf(&doubling, " fragment F%d on Query { ...F%d ...F%d }", n, n+1, n+1)
	}
	for n := range 51 {
		fmt.Fprintf(&aliases, " a%d: serverInfo { time }", n)
	}
	for name, test := range map[string]struct {
		query string
		vars  map[string]any
	}{
		"pages in pages":       {`{ jobGroups(first: 500) { nodes { jobs(first: 500) { nodes { id } } } } }`, nil},
		"pages by variables":   {`query($n: Int) { jobGroups(first: $n) { nodes { jobs(first: $n) { nodes { id } } } } }`, map[string]any{"n": 500}},
		"pages by aliases":     {`{ jobGroups(first: 500) { nodes { a: jobs(first: 150) { nodes { id } } b: jobs(first: 150) { nodes { id } } } } }`, nil},
		"descriptors":          {`{ jobGroups(first: 100) { nodes { a: descriptor b: descriptor } } }`, nil},
		"nodes by ids":         {`query($ids: [ID!]!) { nodes(ids: $ids) { ... on JobGroup { a: jobs(first: 500) { nodes { id } } b: jobs(first: 500) { nodes { id } } c: jobs(first: 500) { nodes { id } } } } }`, map[string]any{"ids": make100()}},
		"a watch's snapshot":   {`subscription { jobGroupChanged { jobGroup { jobs(first: 500) { nodes { id } } } } }`, nil},
		"too deep":             {`{ job(id: "0190c5a2-7b1e-7c3d-9f00-5b8d3e1a2c44") ` + strings.Repeat("{ resource { job ", 12) + "{ id }" + strings.Repeat(" } }", 12) + " }", nil},
		"doubling fragments":   {doubling.String(), nil},
		"too many root fields": {"{" + aliases.String() + " }", nil},
	} {
		if code, sentence := codeOf(t, handler, test.query, test.vars); code != "TOO_LARGE" {
			t.Errorf("%s: %s %s", name, code, sentence)
		}
	}
	if code, _ := codeOf(t, handler, "{ "+strings.Repeat("serverInfo { time } ", 8000)+"}", nil); code != "GRAPHQL_PARSE_FAILED" {
		t.Errorf("a document of too many tokens: %s", code)
	}
}

func make100() []string {
	ids := make([]string, 100)
	for i := range ids {
		ids[i] = fmt.Sprintf("0190c5a2-7b1e-7c3d-9f00-%012d", i)
	}
	return ids
}

func TestWhatGraphiQLAsksAtItsStartIsAllowed(t *testing.T) {
	t.Parallel()
	_, handler := door(t)
	ofType := "kind name"
	for range 9 {
		ofType = "kind name ofType { " + ofType + " }"
	}
	text := run(t, handler, `{ __schema { types { name fields { args { type { `+ofType+` } } type { `+ofType+` } } } } }`, nil)
	if !strings.Contains(text, "JobGroupConnection") {
		t.Errorf("introspection gave %.200s", text)
	}
}

func TestValuesThatDoNotFitAreInvalid(t *testing.T) {
	t.Parallel()
	_, handler := door(t)
	const report = `mutation($v: %s) { reportResource(input: {jobId: "0190c5a2-7b1e-7c3d-9f00-5b8d3e1a2c44", ownerId: "a", epoch: 1, resource: {conditions: [{type: "A", status: TRUE, %s: $v}]}}) { resource { id } } }`
	const status = `mutation($v: ConditionStatus!) { reportResource(input: {jobId: "0190c5a2-7b1e-7c3d-9f00-5b8d3e1a2c44", ownerId: "a", epoch: 1, resource: {conditions: [{type: "A", status: $v}]}}) { resource { id } } }`
	for name, test := range map[string]struct {
		query string
		value any
	}{
		"an enum in another case":     {status, "True"},
		"an enum in a list":           {`query($v: [JobState!]) { jobs(filter: {states: $v}) { nodes { id } } }`, []string{"CREATED", "created"}},
		"an enum alone in a list":     {`query($v: [JobState!]) { jobs(filter: {states: $v}) { nodes { id } } }`, "created"},
		"an enum in an object":        {`query($v: JobFilter) { jobs(filter: $v) { nodes { id } } }`, map[string]any{"states": []string{"created"}}},
		"a text for a number":         {`query($v: Int) { jobs(first: $v) { nodes { id } } }`, "5"},
		"a number for a text":         {`query($v: String!) { executableJobs(orchestrator: "ocm", ownerId: $v) { nodes { id } } }`, 5},
		"a NUL in an owner":           {`query($v: String!) { executableJobs(orchestrator: "ocm", ownerId: $v) { nodes { id } } }`, "a\x00b"},
		"a blank owner":               {`query($v: String!) { executableJobs(orchestrator: "ocm", ownerId: $v) { nodes { id } } }`, " "},
		"a NUL in an orchestrator":    {`query($v: String!) { executableJobs(orchestrator: $v, ownerId: "a") { nodes { id } } }`, "a\x00b"},
		"a NUL in a uid":              {`mutation($v: String) { reportResource(input: {jobId: "0190c5a2-7b1e-7c3d-9f00-5b8d3e1a2c44", ownerId: "a", epoch: 1, resource: {uid: $v}}) { resource { id } } }`, "u\x00"},
		"a negative generation":       {`mutation($v: Int) { reportResource(input: {jobId: "0190c5a2-7b1e-7c3d-9f00-5b8d3e1a2c44", ownerId: "a", epoch: 1, resource: {conditions: [{type: "A", status: TRUE, observedGeneration: $v}]}}) { resource { id } } }`, -1},
		"a NUL in a claim id":         {`mutation($v: String) { claimJobs(input: {orchestrator: "ocm", ownerId: "a", claimId: $v}) { jobs { id } } }`, "c\x00"},
		"a NUL in a reason":           {`mutation($v: String!) { failJob(input: {jobId: "0190c5a2-7b1e-7c3d-9f00-5b8d3e1a2c44", ownerId: "a", epoch: 1, reason: $v}) { job { id } } }`, "r\x00"},
		"a NUL in an idempotency key": {`mutation($v: String) { stopJobGroup(input: {jobGroupId: "0190c5a2-7b1e-7c3d-9f00-5b8d3e1a2c44", idempotencyKey: $v}) { jobGroup { id } } }`, "k\x00"},
		"no time":                     {fmt.Sprintf(report, "Time", "lastTransitionTime"), "yesterday"},
		"a time by number":            {fmt.Sprintf(report, "Time", "lastTransitionTime"), 7},
		"no id":                       {`query($v: ID!) { job(id: $v) { id } }`, "x"},
		"an id by number":             {`query($v: ID!) { job(id: $v) { id } }`, 7},
		"a huge number":               {`query($v: Int) { jobs(first: $v) { nodes { id } } }`, 1 << 40},
		"no page at all":              {`query($v: Int) { jobs(first: $v) { nodes { id } } }`, 0},
	} {
		code, sentence := codeOf(t, handler, test.query, map[string]any{"v": test.value})
		if code != "INVALID" && code != "GRAPHQL_VALIDATION_FAILED" || sentence == "" {
			t.Errorf("%s: %s %s", name, code, sentence)
		}
	}
}
