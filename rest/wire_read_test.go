package rest

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/mux"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/service"
)

// sent is a request with a body, and with an id in its path where one is given.
func sent(t *testing.T, body string, id ...string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPut, "/jobmanager/jobs?id=other&orchestrator=ocm", strings.NewReader(body))
	if len(id) > 0 {
		r = mux.SetURLVars(r, map[string]string{"id": id[0]})
	}
	return r
}

// refused tells how a body is refused: its code and sentence.
func refused(err error) string {
	if err == nil {
		return ""
	}
	return string(jobmanager.CodeOf(err)) + ": " + jobmanager.Sentence(err)
}

// echoed is a job as the OCM agent sends it back after a Create.
const echoed = `{"created_at":"0001-01-01T00:00:00Z","updated_at":"2026-11-22T10:45:03.42Z","id":"` + jobID + `","job_group_id":"stale",
	"owner_id":"hub","job_group_name":"stale","type":5,"sub_type":"","state":1,"manifests":[{"id":1,"yamlString":"stale"}],
	"targets":{"created_at":"2026-11-22T10:45:03.42Z","id":4,"cluster_name":"hill","node_name":"n","orchestrator":"ocm"},"orchestrator":"ocm",
	"resource":{"id":"r","job_id":"j","resource_uuid":"uid","resource_name":"web-x7k2p","conditions":[
		{"type":"Applied","status":"True","observedGeneration":2,"lastTransitionTime":"2026-11-22T10:45:03Z","reason":"r","message":"m"}]},
	"namespace":"ns","unknown":[{}]}`

func TestReportsAreReadAsAgentsSendThem(t *testing.T) {
	t.Parallel()
	generation, none, at := int64(2), int64(0), time.Date(2026, 11, 22, 10, 45, 3, 0, time.UTC)
	applied := service.ConditionInput{Type: "Applied", Status: jobmanager.StatusTrue, Reason: "r", Message: "m", ObservedGeneration: &generation, LastTransitionTime: &at}
	of := func(change func(*service.ReportJobInput)) service.ReportJobInput {
		input := service.ReportJobInput{JobID: jobID, OwnerID: "hub"}
		change(&input)
		return input
	}
	for name, test := range map[string]struct {
		body string
		path []string
		want service.ReportJobInput
	}{
		"a whole echo with stale fields": {echoed, nil, of(func(i *service.ReportJobInput) {
			i.Type, i.Epoch = jobmanager.CreateDeployment, 4
			i.Target = &jobmanager.Target{Cluster: "hill", Node: "n", Orchestrator: "ocm"}
			i.Resource = service.ResourceInput{UID: "uid", Name: "web-x7k2p", Conditions: []service.ConditionInput{applied}}
		})},
		"no more than it needs": {`{"ID":"` + jobID + `","owner_id":"hub"}`, nil, of(func(*service.ReportJobInput) {})},
		"keys in any case": {`{"Id":"` + strings.ToUpper(jobID) + `","OWNER_ID":"hub","Type":6,"TARGETS":{"ID":7}}`, nil, of(func(i *service.ReportJobInput) {
			i.Type, i.Epoch = jobmanager.DeleteDeployment, 7
		})},
		"the id is in the path":              {`{"owner_id":"hub"}`, []string{jobID}, of(func(*service.ReportJobInput) {})},
		"the id is in the path and the body": {`{"id":"` + jobID + `","owner_id":"hub"}`, []string{jobID}, of(func(*service.ReportJobInput) {})},
		"nulls and empty times": {`{"id":"` + jobID + `","owner_id":"hub","created_at":"","updated_at":null,"targets":null,"resource":null,"manifests":null}`, nil,
			of(func(*service.ReportJobInput) {})},
		"a removal, with a condition that says nothing": {`{"id":"` + jobID + `","owner_id":"hub","type":6,"state":1,"resource":{"resource_uuid":"` + noUID + `","resource_name":"web",
			"conditions":[{"type":"Applied","status":"","lastTransitionTime":null,"reason":"","message":""},{"type":"Applied"},{"status":"True"},{"type":"Gone","status":"unknown"}]}}`, nil,
			of(func(i *service.ReportJobInput) {
				i.Type = jobmanager.DeleteDeployment
				i.Resource = service.ResourceInput{Name: "web", Conditions: []service.ConditionInput{{Type: "Gone", Status: jobmanager.StatusUnknown, ObservedGeneration: &none}}}
			})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := readReport(sent(t, test.body, test.path...))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestReportsThatCannotBeReadAreRefused(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		``:                                "UNREADABLE: EOF",
		`{`:                               "UNREADABLE: the body is no JSON: unexpected end of JSON input",
		`[]`:                              "UNREADABLE: the body must not be a JSON array",
		`{"state":"Created"}`:             "UNREADABLE: state must not be a JSON string",
		`{"type":5.5}`:                    "UNREADABLE: type must not be a JSON number 5.5",
		`{"targets":[{"id":1}]}`:          "UNREADABLE: targets must not be a JSON array",
		`{"targets":{"id":"1"}}`:          "UNREADABLE: targets.id must not be a JSON string",
		`{"manifests":"text"}`:            "UNREADABLE: manifests must not be a JSON string",
		`{"created_at":"yesterday"}`:      "UNREADABLE: the body has a time that is none of RFC 3339",
		`{"created_at":7}`:                "UNREADABLE: the body has a time that is none of RFC 3339",
		`{"owner_id":"hub"}`:              `MALFORMED: "" is not an id: a UUID such as 0190c5a2-7b1e-7c3d-9f00-5b8d3e1a2c44 is expected`,
		`{"id":"seven","owner_id":"hub"}`: `MALFORMED: "seven" is not an id: a UUID such as 0190c5a2-7b1e-7c3d-9f00-5b8d3e1a2c44 is expected`,
		`{"id":"` + jobID + `"}`:          "MALFORMED: owner ID Cannot be empty",
		`{"id":"` + jobID + `","owner_id":"hub","type":4}`:   "MALFORMED: type must be a number between 5 and 8",
		`{"id":"` + jobID + `","owner_id":"hub","type":-3}`:  "MALFORMED: type must be a number between 5 and 8",
		`{"id":"` + jobID + `","owner_id":"hub","state":99}`: "MALFORMED: state must be a number between 1 and 4",
		`{"id":"` + jobID + `","owner_id":"hub","state":-1}`: "MALFORMED: state must be a number between 1 and 4",
	} {
		if _, err := readReport(sent(t, body)); refused(err) != want {
			t.Errorf("%s\nis refused with %s\nwant %s", body, refused(err), want)
		}
	}
	if _, err := readReport(sent(t, `{"id":"`+jobID+`","owner_id":"hub"}`, groupID)); jobmanager.CodeOf(err) != codeMalformed {
		t.Errorf("a body about another job than the path: %v", err)
	}
}

func TestLocksAreWordsOfTheFirstDialect(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]lockVerb{
		`{"ID":"` + jobID + `","uuid":"` + jobID + `","locker":true,"state":2}`:  saysLock,
		`{"ID":"` + jobID + `","uuid":"` + jobID + `","locker":true,"state":3}`:  saysDone,
		`{"ID":"` + jobID + `","uuid":"` + jobID + `","locker":false,"state":1}`: saysUnlock,
		`{"Locker":false}`:           saysUnlock,
		`{"locker":true,"state":4}`:  saysUnlock,
		`{"locker":true,"state":1}`:  "",
		`{"locker":"yes","state":2}`: "",
	} {
		if !isLock([]byte(body)) {
			t.Errorf("%s is no lock", body)
		}
		got, err := readLock(sent(t, body, jobID))
		if got.says != want || (err == nil) != (want != "") {
			t.Errorf("%s says %q, %v; want %q", body, got.says, err, want)
		}
	}
	for _, body := range []string{echoed, ``, `[]`, `{"lockers":true}`} {
		if isLock([]byte(body)) {
			t.Errorf("%s is a lock", body)
		}
	}
}

func TestABodyIsAGroupWhenItHasJobsOrAnID(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]bool{
		`{"ID":"x"}`: true, `{"jobs":[]}`: true, `{"Jobs":null}`: true, `{"appName":"a"}`: false,
		`{"name":"a","components":[]}`: false, "name: a\njobs: []\n": false, ``: false, `[]`: false,
	} {
		if got := isGroup([]byte(body)); got != want {
			t.Errorf("%s: %t, want %t", body, got, want)
		}
	}
}

func TestAPatchNamesItsJobsAndTheirManifests(t *testing.T) {
	t.Parallel()
	const other = "0190c5a2-7b1e-7c3d-9f00-5b8d3e1a2c03"
	body := `{"ID":"` + groupID + `","appName":7,"jobs":[{"ID":"` + jobID + `","state":"x","manifests":[{"ID":1,"yamlString":"a"},{"yamlString":"b"}]},{"id":"` + other + `"}]}`
	want := service.PatchJobGroupInput{JobGroupID: groupID, Manifests: map[jobmanager.ID][]string{jobID: {"a", "b"}, other: nil}}
	got, err := readPatch(sent(t, body))
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	for body, want := range map[string]jobmanager.Code{
		`{"jobs":[]}`: codeMalformed, `{"id":"x"}`: codeMalformed, `{"id":"` + groupID + `","jobs":[{}]}`: codeMalformed,
		`{"id":"` + groupID + `","jobs":{}}`: codeUnreadable, `{"id":7}`: codeUnreadable, ``: codeUnreadable,
	} {
		if _, err := readPatch(sent(t, body)); jobmanager.CodeOf(err) != want {
			t.Errorf("%s: %v, want %s", body, err, want)
		}
	}
}

func TestASyncNamesItsWorkloadInTheBodyElseInThePath(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		body string
		path []string
		want jobmanager.Text
	}{
		"as the OCM agent sends it":      {`{"created_at":"0001-01-01T00:00:00Z","updated_at":"0001-01-01T00:00:00Z","id":"","job_id":"","resource_uuid":"uid","resource_name":"n","conditions":[]}`, nil, "uid"},
		"in both":                        {`{"resource_uuid":"uid"}`, []string{"other"}, "uid"},
		"in the path":                    {`{"resource_name":"n"}`, []string{"uid"}, "uid"},
		"in the path, zeros in the body": {`{"resource_uuid":"` + noUID + `"}`, []string{"uid"}, "uid"},
		"in neither":                     {`{}`, nil, ""},
	} {
		if got, err := readStatus(sent(t, test.body, test.path...)); got.UID != test.want || err != nil {
			t.Errorf("%s: %q, %v; want %q", name, got.UID, err, test.want)
		}
	}
}

func TestAPromoteNeedsAnOwner(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"owner_id":"hub"}`: "", ``: "UNREADABLE: EOF", `{}`: "MALFORMED: owner ID Cannot be empty", `null`: "MALFORMED: owner ID Cannot be empty",
		`{"owner_id":7}`: "UNREADABLE: owner_id must not be a JSON number",
	} {
		if _, err := readPromote(sent(t, body, jobID)); refused(err) != want {
			t.Errorf("%s: %s, want %s", body, refused(err), want)
		}
	}
}

func TestAViolationIsReadAsThePolicyManagerSendsIt(t *testing.T) {
	t.Parallel()
	body := `{"id":"` + jobID + `","currentValue":"235.365","threshold":null,"policyName":"p","policyId":"67ab","measurementBackend":"prom-1",
		"extraLabels":{"b":"2","a":"1"},"subject":{"type":"app","appName":"n","appInstance":"` + groupID + `","appComponent":"web","hostId":"h"},"remediation":"scale-up","more":{}}`
	id := jobmanager.ID(jobID)
	want := service.ReportIncomplianceInput{
		ID: &id, Subject: service.SubjectInput{Type: "app", AppName: "n", AppComponent: "web", AppInstance: groupID}, Remediation: "scale-up",
		PolicyName: "p", PolicyID: "67ab", CurrentValue: "235.365", MeasurementBackend: "prom-1",
		ExtraLabels: []service.LabelInput{{Name: "a", Value: "1"}, {Name: "b", Value: "2"}},
	}
	got, err := readIncompliance(sent(t, body))
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	if _, err := readIncompliance(sent(t, `{"id":"seven"}`)); jobmanager.CodeOf(err) != codeMalformed {
		t.Errorf("an id that is none: %v", err)
	}
}
