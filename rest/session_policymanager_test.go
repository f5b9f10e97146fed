package rest_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
	"github.com/icos-jobmanager/jobmanager/rest/oldclient"
)

// policyManager is the Policy Manager with its own client's token.
func (f *oldFleet) policyManager() *oldclient.PolicyManager {
	return &oldclient.PolicyManager{URL: f.URL, HTTP: f.http(), Login: f.login("policy-manager"), Pause: func() { f.clock.Advance(2 * time.Second) }}
}

// firstViolation is the id of a violation: version 4, as the Policy Manager makes them.
const firstViolation = "0c2f0381-b4ef-40b6-9ff0-b66ebf0ddeff"

// violationOf is a violation of a component, as a policy of the application tells it.
func violationOf(group, component, remediation string) oldclient.PolicyManagerViolation {
	threshold := "warning"
	return oldclient.PolicyManagerViolation{
		ID: firstViolation, CurrentValue: "235.365", Threshold: &threshold, PolicyName: "shop-" + group + "-0",
		PolicyID: "67ab458f4db0f81f02e93821", MeasurementBackend: "prom-1",
		ExtraLabels: map[string]string{"k8s_pod_name": "front-x7k2p", "icos_host_id": "host-7"},
		Subject:     oldclient.PolicyManagerApp{Type: "app", AppName: "shop", AppInstance: group, AppComponent: component},
		Remediation: &remediation,
	}
}

// numbered is the violation with the n-th of many ids.
func numbered(violation oldclient.PolicyManagerViolation, n int) oldclient.PolicyManagerViolation {
	violation.ID = strings.TrimSuffix(firstViolation, "ff") + string(rune('0'+n/10)) + string(rune('0'+n%10))
	return violation
}

// violate tells a violation that must be taken at the first try, and gives the answer's object.
func (f *oldFleet) violate(t *testing.T, violation oldclient.PolicyManagerViolation) map[string]any {
	t.Helper()
	answers, err := f.policyManager().Tell(t.Context(), oldclient.PolicyManagerURI, violation)
	if err != nil || len(answers) != 1 || answers[0].Status != http.StatusOK {
		t.Fatalf("told with %+v, %v", answers, err)
	}
	var object map[string]any
	if err := json.Unmarshal(answers[0].Body, &object); err != nil {
		t.Fatalf("the answer is %s: %v", answers[0].Body, err)
	}
	return object
}

// report is what the tests read of an incompliance.
type report struct {
	ID, JobGroupID, PolicyID, PolicyName, CurrentValue, Threshold, MeasurementBackend, Remediation, Reason string

	ExtraLabels  []struct{ Name, Value string }
	Subject      struct{ Type, AppName, AppComponent, AppInstance, ResourceID string }
	Remediations []struct{ Component, SubType, Outcome, Reason string }
}

// reports of the server, the newest first.
func (f *oldFleet) reports(t testing.TB) []report {
	t.Helper()
	type answer struct{ Incompliances struct{ Nodes []report } }
	return asked[answer](t, f, `{ incompliances(first: 100) { nodes { id jobGroupId policyId policyName currentValue threshold measurementBackend remediation reason
		extraLabels { name value } subject { type appName appComponent appInstance resourceId } remediations { component subType outcome reason } } } }`, apptest.Vars{}).Incompliances.Nodes
}

// outcome of one report: "front scale-up STARTED", or the reason why it is about no job.
func (f *oldFleet) outcome(t testing.TB, id string) string {
	t.Helper()
	all := f.reports(t)
	at := slices.IndexFunc(all, func(r report) bool { return r.ID == id })
	if at < 0 {
		t.Fatalf("violation %s was not recorded: %+v", id, all)
	}
	var words []string
	for _, answer := range all[at].Remediations {
		words = append(words, strings.Join(slices.DeleteFunc([]string{answer.Component, answer.SubType, answer.Outcome}, func(word string) bool { return word == "" }), " "))
	}
	slices.Sort(words)
	reason, _, _ := strings.Cut(all[at].Reason, ":")
	return strings.Join(words, ", ") + reason
}

// running is an application with the components front and back, deployed by hub.
func (f *oldFleet) running(t *testing.T) (id string) {
	t.Helper()
	id = f.submit(t, described("shop", component{name: "front", at: "core ocm"}, component{name: "back", at: "core ocm"}))
	for _, name := range []string{"front", "back"} {
		f.perform(t, f.job(t, id, name).ID)
	}
	return id
}

// TestAViolationIsAnsweredAndRemedied replays the Policy Manager's calls.
func TestAViolationIsAnsweredAndRemedied(t *testing.T) {
	t.Parallel()
	eachOldFleet(t, nil, func(t *testing.T, f *oldFleet) {
		peer := f.policyManager()
		tell := func(title, uri string, violation any, tries int) {
			t.Helper()
			f.chapter(title)
			answers, err := peer.Tell(t.Context(), uri, violation)
			if err != nil || len(answers) != tries {
				t.Errorf("%s: %+v, %v", title, answers, err)
			}
		}
		f.chapter("the application")
		id := f.running(t)
		scaleUp := violationOf(id, "front", "scale-up")
		tell("a component is to be scaled up", oldclient.PolicyManagerURI, scaleUp, 1)
		tell("the same violation, at the address that the old service named", oldclient.PolicyManagerOldURI, scaleUp, 1)
		free := numbered(violationOf(id, "back", "none"), 1)
		free.Threshold, free.ExtraLabels = nil, map[string]string{}
		tell("no threshold, no labels, and nothing to do", oldclient.PolicyManagerURI, free, 1)
		host := numbered(violationOf(id, "", "migrate"), 2)
		host.Subject = oldclient.PolicyManagerHost{Type: "host", HostID: "host-7", AgentID: "agent-7"}
		tell("a host", oldclient.PolicyManagerURI, host, 1)
		bare := numbered(violationOf(id, "", ""), 3)
		bare.Subject, bare.Remediation = map[string]any{"type": "custom", "room": "kitchen"}, nil
		tell("a subject of its own and no remediation", oldclient.PolicyManagerURI, bare, 1)
		tell("a remediation that nobody knows", oldclient.PolicyManagerURI, numbered(violationOf(id, "front", "levitate"), 5), 2)
		f.chapter("a violation whose answer is lost: the same once more")
		f.transcript.drop(afterTheServer, 1)
		lost := numbered(violationOf(id, "back", "redeploy"), 4)
		if answers, err := peer.Tell(t.Context(), oldclient.PolicyManagerURI, lost); err != nil || len(answers) != 2 || answers[1].Status != http.StatusOK {
			t.Errorf("retried: %+v, %v", answers, err)
		}
		f.transcript.compare("policymanager")
	})
}

// TestScaleUpBecomesAnUpdateForTheOwner follows a violation to its outcome.
func TestScaleUpBecomesAnUpdateForTheOwner(t *testing.T) {
	t.Parallel()
	eachOldFleet(t, nil, func(t *testing.T, f *oldFleet) {
		id := f.running(t)
		before := f.job(t, id, "front")
		answer := f.violate(t, violationOf(id, "front", "scale-up"))
		j := f.job(t, id, "front")
		if j.work() != "UPDATE_DEPLOYMENT/CREATED" || j.SubType != "scale-up" || j.Owner != "hub" || j.Epoch != before.Epoch+1 {
			t.Errorf("the job is %+v", j)
		}
		if outcome := f.outcome(t, firstViolation); outcome != "front scale-up STARTED" {
			t.Errorf("the violation is %q", outcome)
		}
		if other := f.job(t, id, "back"); other.work() != "CREATE_DEPLOYMENT/FINISHED" {
			t.Errorf("the other component is %+v", other)
		}
		recorded := f.reports(t)[0]
		for got, want := range map[string]string{
			recorded.JobGroupID: id, recorded.PolicyID: "67ab458f4db0f81f02e93821", recorded.PolicyName: "shop-" + id + "-0",
			recorded.CurrentValue: "235.365", recorded.Threshold: "warning", recorded.MeasurementBackend: "prom-1", recorded.Remediation: "scale-up",
			recorded.Subject.AppComponent: "front", recorded.Subject.Type: "app", recorded.Subject.AppName: "shop",
		} {
			if got != want {
				t.Errorf("recorded %q, want %q", got, want)
			}
		}
		labels := []struct{ Name, Value string }{{"icos_host_id", "host-7"}, {"k8s_pod_name", "front-x7k2p"}}
		if diff := cmp.Diff(labels, recorded.ExtraLabels); diff != "" {
			t.Errorf("the labels (-want +got):\n%s", diff)
		}
		sent := map[string]any{
			"ID": firstViolation, "id": firstViolation, "currentValue": "235.365", "threshold": "warning", "policyName": "shop-" + id + "-0",
			"policyId": "67ab458f4db0f81f02e93821", "measurementBackend": "prom-1", "remediation": "scale-up",
			"extraLabels": map[string]any{"k8s_pod_name": "front-x7k2p", "icos_host_id": "host-7"},
		}
		for key, want := range sent {
			if diff := cmp.Diff(want, answer[key]); diff != "" {
				t.Errorf("the answer's %s (-want +got):\n%s", key, diff)
			}
		}
		subject, _ := answer["subject"].(map[string]any) // nil lacks all
		for key, want := range map[string]any{"type": "app", "appName": "shop", "appInstance": id, "appComponent": "front"} {
			if subject[key] != want {
				t.Errorf("the answer's subject.%s is %v", key, subject[key])
			}
		}
		if done := f.perform(t, j.ID); done.work() != "UPDATE_DEPLOYMENT/FINISHED" {
			t.Errorf("remedied: %+v", done)
		}
		if outcome := f.outcome(t, firstViolation); outcome != "front scale-up FINISHED" {
			t.Errorf("in the end the violation is %q", outcome)
		}
	})
}

// TestAnAnswerHasItsKeysInTheOldOrder holds the order of the keys, with all of them and with the fewest.
func TestAnAnswerHasItsKeysInTheOldOrder(t *testing.T) {
	t.Parallel()
	eachOldFleet(t, nil, func(t *testing.T, f *oldFleet) {
		id, peer := f.running(t), f.policyManager()
		few := numbered(violationOf(id, "front", "none"), 1)
		few.Threshold, few.ExtraLabels, few.MeasurementBackend, few.CurrentValue = nil, map[string]string{}, "", ""
		for _, test := range []struct {
			violation oldclient.PolicyManagerViolation
			keys      string
		}{
			{violationOf(id, "front", "scale-up"), "created_at updated_at ID id currentValue threshold policyName policyId measurementBackend extraLabels subject remediation"},
			{few, "created_at updated_at ID id policyName policyId subject remediation"},
		} {
			answers, err := peer.Tell(t.Context(), oldclient.PolicyManagerURI, test.violation)
			if err != nil || len(answers) != 1 || answers[0].Status != http.StatusOK {
				t.Fatalf("answered %+v, %v", answers, err)
			}
			if keys := strings.Join(keysOf(t, answers[0].Body), " "); keys != test.keys {
				t.Errorf("the keys are %s, want %s", keys, test.keys)
			}
			var object struct{ Subject json.RawMessage }
			if err := json.Unmarshal(answers[0].Body, &object); err != nil {
				t.Fatal(err)
			}
			if keys := strings.Join(keysOf(t, object.Subject), " "); keys != "created_at updated_at ID id type appName appComponent appInstance" {
				t.Errorf("the subject's keys are %s", keys)
			}
		}
	})
}

// TestAViolationFindsItsJob resolves by application instance and the name of a component or of a resource.
func TestAViolationFindsItsJob(t *testing.T) {
	t.Parallel()
	eachOldFleet(t, nil, func(t *testing.T, f *oldFleet) {
		id := f.running(t)
		const elsewhere = "0190c5a2-7b1e-7c3d-9f00-5b8d3e1a2c01"
		for n, test := range []struct{ instance, component, want string }{
			{id, "front", "front RECORDED"},
			{id, "front-x7k2p", "front RECORDED"}, // as its resource is called
			{id, "*", "back RECORDED, front RECORDED"},
			{id, "/front|back/", "back RECORDED, front RECORDED"},
			{id, "nobody", "NoSuchJob"},
			{elsewhere, "front", "NoSuchJob"},
			{"compss-example-app-002", "front", "NoSuchJob"},
		} {
			violation := numbered(violationOf(test.instance, test.component, "none"), n)
			f.violate(t, violation)
			if outcome := f.outcome(t, violation.ID); outcome != test.want {
				t.Errorf("%s of %s is %q, want %q", test.component, test.instance, outcome, test.want)
			}
		}
		for n, subject := range []any{
			oldclient.PolicyManagerHost{Type: "host", HostID: "host-7", AgentID: "agent-7"},
			map[string]any{"type": "custom", "room": "kitchen", "floor": "2"},
			map[string]any{"type": "custom"},
		} {
			violation := numbered(violationOf(id, "", "scale-up"), 20+n)
			violation.Subject = subject
			f.violate(t, violation)
			if outcome := f.outcome(t, violation.ID); outcome != "NoSuchJob" {
				t.Errorf("about %v: %q", subject, outcome)
			}
		}
		for _, name := range []string{"front", "back"} {
			if j := f.job(t, id, name); j.work() != "CREATE_DEPLOYMENT/FINISHED" {
				t.Errorf("what asks for nothing changed %+v", j)
			}
		}
	})
}
