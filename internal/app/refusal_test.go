package app_test

import (
	"strings"
	"testing"

	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
)

// TestMistakesGetATypedError goes through what clients do wrong: each gets a code and a sentence, none a 500.
func TestMistakesGetATypedError(t *testing.T) {
	t.Parallel()
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		var group created
		s.Must(t, submit, apptest.Vars{"descriptor": shop}, &group)
		job := group.CreateJobGroup.JobGroup.Jobs.Nodes[0].ID
		var won claimed
		s.Must(t, claim, apptest.Vars{"job": job, "owner": "hub-1"}, &won)
		epoch := won.ClaimJob.Job.Epoch
		const unknown = "0190c5a2-7b1e-7c3d-9f00-5b8d3e1a2c44"
		const stop = `mutation($id: ID!, $v: Int) { stopJobGroup(input: {jobGroupId: $id, expectedVersion: $v}) { jobGroup { id } } }`
		const fail = `mutation($job: ID!, $epoch: Int!, $reason: String!) { failJob(input: {jobId: $job, ownerId: "hub-1", epoch: $epoch, reason: $reason}) { job { id } } }`
		for name, test := range map[string]struct {
			query string
			vars  apptest.Vars
			code  string
			words string
		}{
			"a stale epoch":          {finish, apptest.Vars{"job": job, "owner": "hub-1", "epoch": epoch - 1}, "STALE_OWNER", "stop working on it"},
			"another owner":          {finish, apptest.Vars{"job": job, "owner": "hub-2", "epoch": epoch}, "STALE_OWNER", "no longer yours"},
			"an unknown job":         {finish, apptest.Vars{"job": unknown, "owner": "hub-1", "epoch": 1}, "NOT_FOUND", unknown},
			"an unknown group":       {stop, apptest.Vars{"id": unknown}, "NOT_FOUND", unknown},
			"a malformed id":         {stop, apptest.Vars{"id": "seven"}, "INVALID", "UUID"},
			"a version long past":    {stop, apptest.Vars{"id": group.CreateJobGroup.JobGroup.ID, "v": 0}, "VERSION_CONFLICT", "read it again"},
			"a job in progress":      {claim, apptest.Vars{"job": job, "owner": "hub-2"}, "NOT_CLAIMABLE", "hub-1"},
			"no owner":               {claim, apptest.Vars{"job": job, "owner": ""}, "INVALID", "ownerId"},
			"no reason":              {fail, apptest.Vars{"job": job, "epoch": epoch, "reason": ""}, "INVALID", "reason"},
			"an empty descriptor":    {submit, apptest.Vars{"descriptor": ""}, "INVALID", "descriptor"},
			"no YAML":                {submit, apptest.Vars{"descriptor": "name: [a"}, "INVALID", "line"},
			"a long descriptor":      {submit, apptest.Vars{"descriptor": "name: " + strings.Repeat("a", 2<<20)}, "TOO_LARGE", "bytes"},
			"20 MB":                  {submit, apptest.Vars{"descriptor": strings.Repeat("a", 20<<20)}, "TOO_LARGE", "bytes"},
			"a page too long":        {`{ jobs(first: 501) { nodes { id } } }`, nil, "INVALID", "500"},
			"a page of another list": {`{ jobs(after: "bm9uc2Vuc2U") { nodes { id } } }`, nil, "INVALID", "cursor"},
			"a cursor of nobody":     {`{ events(after: "x:1") { nodes { type } } }`, nil, "CURSOR_EXPIRED", "list again"},
			"no cursor":              {`{ events(after: "seven") { nodes { type } } }`, nil, "INVALID", "cursor"},
			"too many objects":       {`{ jobGroups(first: 500) { nodes { jobs(first: 500) { nodes { id } } } } }`, nil, "TOO_LARGE", "smaller pages"},
			"an unknown field":       {`{ jobs { nodes { nonsense } } }`, nil, "GRAPHQL_VALIDATION_FAILED", "nonsense"},
			"no GraphQL":             {`{ jobs {`, nil, "GRAPHQL_PARSE_FAILED", ""},
			"a number too large":     {finish, apptest.Vars{"job": job, "owner": "hub-1", "epoch": 1e30}, "GRAPHQL_VALIDATION_FAILED", "Int"},
			"a short lease": {`mutation($job: ID!) { claimJob(input: {jobId: $job, orchestrator: "ocm", ownerId: "x", leaseSeconds: 1}) { job { id } } }`,
				apptest.Vars{"job": job}, "INVALID", "between 15 and 900"},
		} {
			problem := s.Refused(t, test.query, test.vars)
			if problem.Extensions.Code != test.code || !strings.Contains(problem.Message, test.words) {
				t.Errorf("%s: code %s, %q; want %s and a sentence with %q", name, problem.Extensions.Code, problem.Message, test.code, test.words)
			}
			for _, leak := range []string{"SQLSTATE", "pq:", "sqlite", "goroutine", "\"{"} {
				if strings.Contains(problem.Message, leak) {
					t.Errorf("%s: the sentence leaks %q: %s", name, leak, problem.Message)
				}
			}
		}
		var still struct {
			Job struct {
				State string
				Epoch int64
			}
		}
		s.Must(t, `query($id: ID!) { job(id: $id) { state epoch } }`, apptest.Vars{"id": job}, &still)
		if still.Job.State != "PROGRESSING" || still.Job.Epoch != epoch {
			t.Errorf("after all that was refused the job is %+v", still)
		}
	})
}

func TestStaleWriterIsToldWhoOwnsTheJob(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Options{})
	var group created
	s.Must(t, submit, apptest.Vars{"descriptor": shop}, &group)
	job := group.CreateJobGroup.JobGroup.Jobs.Nodes[0].ID
	var won claimed
	s.Must(t, claim, apptest.Vars{"job": job, "owner": "hub-1"}, &won)
	problem := s.Refused(t, finish, apptest.Vars{"job": job, "owner": "hub-2", "epoch": 9})
	if problem.Extensions.Owner != "hub-1" || problem.Extensions.Epoch != won.ClaimJob.Job.Epoch {
		t.Errorf("told %+v", problem.Extensions)
	}
}

func TestRefusedDescriptorComesWithAllFindings(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Options{})
	problem := s.Refused(t, submit, apptest.Vars{"descriptor": "components:\n- name: Web_1\n  manifests:\n  - name: gone\n---\napiVersion: v1\nkind: Pod\n"})
	codes := map[string]bool{}
	for _, finding := range problem.Extensions.Findings {
		codes[finding.Code] = true
		if finding.Message == "" || finding.Hint == "" {
			t.Errorf("a finding without words: %+v", finding)
		}
	}
	for _, code := range []string{"MISSING_NAME", "INVALID_NAME", "UNRESOLVED_REFERENCE", "MANIFEST_INCOMPLETE"} {
		if !codes[code] {
			t.Errorf("%s is not among the findings %v", code, codes)
		}
	}
}
