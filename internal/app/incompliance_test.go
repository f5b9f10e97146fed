package app_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
)

// about is the subject of a report: a component of an application.
func about(group, component string) map[string]any {
	return map[string]any{"type": "app", "appInstance": group, "appComponent": component}
}

// remedy reports that a component is to be remedied.
func remedy(t *testing.T, c *apptest.Client, group, component, remediation string) incomplianceSeen {
	t.Helper()
	return incompliance(t, c, map[string]any{"subject": about(group, component), "remediation": remediation, "policyName": "p"})
}

// TestABrokenPolicyBecomesAnUpdateForTheOwner follows one report from its arrival to its outcome.
func TestABrokenPolicyBecomesAnUpdateForTheOwner(t *testing.T) {
	t.Parallel()
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		group := create(t, s.Client, describe("app", pinned("web", ""), pinned("idle", "")))
		web := perform(t, s.Client, group.job(t, "web").ID, "hub")
		before := head(t, s.Client)
		const id = "0190c5a2-7b1e-7c3d-9f00-5b8d3e1a2c01"
		report := map[string]any{
			"id": id, "subject": map[string]any{"type": "app", "appName": "app", "appInstance": group.ID, "appComponent": "web"},
			"remediation": "scale-up", "policyName": "cpu", "policyId": "67ab458f4db0f81f02e93821", "currentValue": "235.365",
			"threshold": "warning", "measurementBackend": "prom-1", "extraLabels": []any{map[string]any{"name": "k8s_pod", "value": "web-1"}},
		}
		told := incompliance(t, s.Client, report)
		want := told
		want.ID, want.JobGroupID, want.Remediation, want.PolicyName, want.PolicyID = id, group.ID, "scale-up", "cpu", "67ab458f4db0f81f02e93821"
		want.CurrentValue, want.Threshold, want.MeasurementBackend = "235.365", "warning", "prom-1"
		want.ExtraLabels = []struct{ Name, Value string }{{"k8s_pod", "web-1"}}
		want.Subject.Type, want.Subject.AppName, want.Subject.AppInstance, want.Subject.AppComponent = "app", "app", group.ID, "web"
		if diff := cmp.Diff(want, told); diff != "" || told.outcomes() != "web scale-up STARTED" || told.Remediations[0].JobID != web.ID || told.Reason != "" {
			t.Errorf("recorded as %q (-want +got):\n%s", told.outcomes(), diff)
		}
		j := seeJob(t, s.Client, web.ID)
		if j.work() != "UPDATE_DEPLOYMENT/CREATED" || j.SubType != "scale-up" || j.Owner != "hub" || j.Epoch != web.Epoch+1 || j.Generation != web.Generation+1 || j.Resource.UID != web.Resource.UID {
			t.Errorf("the job is %+v", j)
		}
		refused(t, s.Client, "claimJob", map[string]any{"jobId": web.ID, "orchestrator": "ocm", "ownerId": "other"}, "NOT_CLAIMABLE")
		if again := incompliance(t, s.Client, report); cmp.Diff(told, again) != "" {
			t.Errorf("the Policy Manager's retry is answered otherwise (-first +second):\n%s", cmp.Diff(told, again))
		}
		if done := perform(t, s.Client, web.ID, "hub"); done.work() != "UPDATE_DEPLOYMENT/FINISHED" || done.Workload != "PRESENT" {
			t.Errorf("updated: %+v", done)
		}
		if now := seeIncompliance(t, s.Client, id); now.outcomes() != "web scale-up FINISHED" || now.Remediations[0].Generation != j.Generation || now.Remediations[0].Job.State != "FINISHED" {
			t.Errorf("in the end the report is %+v", now)
		}
		got := slices.DeleteFunc(types(eventsAfter(t, s.Client, before, nil)), func(kind string) bool { return kind == "JOB_GROUP_PHASE_CHANGED" })
		if diff := cmp.Diff([]string{"INCOMPLIANCE_REPORTED", "JOB_REMEDIATED", "JOB_CLAIMED", "JOB_FINISHED", "REMEDIATION_CHANGED"}, got); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

// TestAJobInProgressKeepsOneRemediationWaiting reports several broken policies while an agent works.
func TestAJobInProgressKeepsOneRemediationWaiting(t *testing.T) {
	t.Parallel()
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		group := create(t, s.Client, describe("app", pinned("web", "")))
		web := take(t, s.Client, group.Jobs.Nodes[0].ID, "hub")
		first := remedy(t, s.Client, group.ID, "web", "scale-up")
		second := remedy(t, s.Client, group.ID, "web", "patch")
		if first.outcomes() != "web scale-up WAITING" || second.outcomes() != "web patch WAITING" {
			t.Errorf("during the work: %q and %q", first.outcomes(), second.outcomes())
		}
		if now := seeIncompliance(t, s.Client, first.ID); now.outcomes() != "web scale-up SUPERSEDED" {
			t.Errorf("the older one is %q", now.outcomes())
		}
		if j := seeJob(t, s.Client, web.ID); j.Epoch != web.Epoch || j.work() != "CREATE_DEPLOYMENT/PROGRESSING" {
			t.Errorf("what waits disturbs the work: %+v", j)
		}
		if j := settle(t, s.Client, web, "u"); j.work() != "UPDATE_DEPLOYMENT/CREATED" || j.SubType != "patch" {
			t.Errorf("after the work: %+v", j)
		}
		third := remedy(t, s.Client, group.ID, "web", "scale-in")
		if now := seeIncompliance(t, s.Client, second.ID); third.outcomes() != "web scale-in STARTED" || now.outcomes() != "web patch SUPERSEDED" {
			t.Errorf("the newest wins before anybody claims: %q, then %q", third.outcomes(), now.outcomes())
		}
		working := take(t, s.Client, web.ID, "hub")
		waits := remedy(t, s.Client, group.ID, "web", "scale-down")
		update(t, s.Client, group.ID, describe("app", pinned("web", "2")))
		if j := settle(t, s.Client, working, ""); j.work() != "REPLACE_DEPLOYMENT/CREATED" {
			t.Errorf("new manifests come before what waits: %+v", j)
		}
		if now := seeIncompliance(t, s.Client, third.ID); now.outcomes() != "web scale-in FINISHED" {
			t.Errorf("the one in progress became %q", now.outcomes())
		}
		if now := seeIncompliance(t, s.Client, waits.ID); now.outcomes() != "web scale-down DROPPED" {
			t.Errorf("the one that waited became %q", now.outcomes())
		}
		last := remedy(t, s.Client, group.ID, "web", "scale-out")
		if last.outcomes() != "web scale-out WAITING" {
			t.Errorf("before a Replace is done: %q", last.outcomes())
		}
		stop(t, s.Client, group.ID)
		if now := seeIncompliance(t, s.Client, last.ID); now.outcomes() != "web scale-out DROPPED" {
			t.Errorf("a stop makes it %q", now.outcomes())
		}
	})
}

// TestTheSameRemediationCoolsDown reports the same broken policy again and again, as the Policy Manager does.
func TestTheSameRemediationCoolsDown(t *testing.T) {
	t.Parallel()
	apptest.EachDatabase(t, func(t *testing.T, url string) {
		clock := noon()
		s := apptest.Start(t, apptest.Options{DatabaseURL: url, Clock: clock})
		group := create(t, s.Client, describe("app", pinned("web", "")))
		id := perform(t, s.Client, group.Jobs.Nodes[0].ID, "hub").ID
		if told := remedy(t, s.Client, group.ID, "web", "scale-up"); told.outcomes() != "web scale-up STARTED" {
			t.Errorf("first: %q", told.outcomes())
		}
		generation := perform(t, s.Client, id, "hub").Generation
		clock.Advance(59 * time.Second)
		told := remedy(t, s.Client, group.ID, "web", "scale-up")
		if told.outcomes() != "web scale-up COALESCED" || !strings.Contains(told.Remediations[0].Reason, "12:00") || seeJob(t, s.Client, id).Generation != generation {
			t.Errorf("inside its cool-down: %+v", told)
		}
		if other := remedy(t, s.Client, group.ID, "web", "scale-down"); other.outcomes() != "web scale-down STARTED" {
			t.Errorf("another one: %q", other.outcomes())
		}
		perform(t, s.Client, id, "hub")
		clock.Advance(2 * time.Second)
		if again := remedy(t, s.Client, group.ID, "web", "scale-up"); again.outcomes() != "web scale-up STARTED" {
			t.Errorf("after its cool-down: %q", again.outcomes())
		}
	})
}

// TestWhatCannotBeRemediedIsRecordedAndSaysWhy reports what nobody can do anything about.
func TestWhatCannotBeRemediedIsRecordedAndSaysWhy(t *testing.T) {
	t.Parallel()
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		group := create(t, s.Client, describe("app", pinned("web", ""), pinned("idle", "")))
		web := perform(t, s.Client, group.job(t, "web").ID, "hub")
		for _, test := range []struct{ component, remediation, outcome, reason string }{
			{"web", "levitate", "web - REFUSED", "UnknownRemediation"},
			{"web", "none", "web - RECORDED", "no remediation"},
			{"web", "", "web - RECORDED", "no remediation"},
			{"idle", "scale-up", "idle scale-up REFUSED", "NotRunning"},
		} {
			told := remedy(t, s.Client, group.ID, test.component, test.remediation)
			if told.outcomes() != test.outcome || !strings.Contains(told.Remediations[0].Reason, test.reason) {
				t.Errorf("%s for %s: %q, %+v", test.remediation, test.component, told.outcomes(), told.Remediations)
			}
		}
		for name, subject := range map[string]map[string]any{
			"a component of nobody":   about(group.ID, "nobody"),
			"an unknown application":  about(unknownID, "web"),
			"a resource of nobody":    {"resourceId": "uid-of-nobody"},
			"a host":                  {"type": "host"},
			"an empty component":      about(group.ID, ""),
			"an application's name":   {"type": "app", "appName": "app", "appComponent": "web"},
			"an instance of no form":  about("seven", "web"),
			"part of the name":        about(group.ID, "we"),
			"an expression's part":    about(group.ID, "/we/"),
			"a resource without uid":  {"resourceId": ""},
			"an instance and no more": {"appInstance": group.ID},
		} {
			told := incompliance(t, s.Client, map[string]any{"subject": subject, "remediation": "scale-up"})
			if len(told.Remediations) != 0 || !strings.Contains(told.Reason, "NoSuchJob") || told.PolicyName != "" {
				t.Errorf("%s: %+v", name, told)
			}
		}
		if j := seeJob(t, s.Client, web.ID); j.Epoch != web.Epoch || j.work() != "CREATE_DEPLOYMENT/FINISHED" {
			t.Errorf("what was only recorded changed the job: %+v", j)
		}
		for name, input := range map[string]map[string]any{
			"a long name":     {"subject": about(group.ID, "web"), "remediation": "none", "policyName": strings.Repeat("p", 501)},
			"no expression":   {"subject": about(group.ID, "/we(b/"), "remediation": "scale-up"},
			"a huge one":      {"subject": about(group.ID, "/"+strings.Repeat("(.?){999}", 20)+"/"), "remediation": "scale-up"},
			"a malformed id":  {"subject": about(group.ID, "web"), "remediation": "none", "id": "seven"},
			"too many labels": {"subject": about(group.ID, "web"), "remediation": "none", "extraLabels": slices.Repeat([]map[string]any{{"name": "n", "value": "v"}}, 65)},
		} {
			if problem := refused(t, s.Client, "reportIncompliance", input, "INVALID"); problem.Message == "" {
				t.Errorf("%s is refused without a word", name)
			}
		}
	})
}
