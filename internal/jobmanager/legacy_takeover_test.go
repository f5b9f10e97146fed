package jobmanager_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// TestDeleteOfAnotherHubsWorkloadLeavesItsStray: the Create of a ran out, was handed out to b and is stopped, so its
// Delete is b's. What a's sync names then, b cannot remove.
func TestDeleteOfAnotherHubsWorkloadLeavesItsStray(t *testing.T) {
	t.Parallel()
	j := unreported(t)
	j.HandOut(lister(agentB), life(), muchLater)
	j.Stop(muchLater)
	if j.Owner != agentB || !j.Fits(clientA, "web-x7k2p", muchLater) {
		t.Fatalf("the Delete is %s's, and what a may have left fits: %t", j.Owner, j.Fits(clientA, "web-x7k2p", muchLater))
	}
	events := j.Recognize(seen("uid-x"), true, muchLater)
	if got := words(events); got != "STRAY_REPORTED" || j.Resource != nil && j.Resource.UID != "" || strays(j) != "uid-x*" || j.Strays[0].OwnerID != agentA {
		t.Fatalf("it tells %s, b is to remove %+v, the strays are %+v", got, j.Resource, j.Strays)
	}
	mustPromote(t, j, agentB, muchLater)
	mustReport(t, j, jobmanager.WorkReport{Agent: lister(agentB), Type: deleteDeployment, Epoch: j.Epoch}, muchLater)
	if j.Type != deleteDeployment || j.State != jobmanager.Created || j.Owner != agentA || j.Resource.UID != "uid-x" {
		t.Errorf("after b's Delete it is %s/%s of %q with %+v, want a Delete of what a left", j.Type, j.State, j.Owner, j.Resource)
	}
}

// TestDeleteOfItsOwnHubNamesWhatItsSyncShows: the same where the Delete is the hub's own.
func TestDeleteOfItsOwnHubNamesWhatItsSyncShows(t *testing.T) {
	t.Parallel()
	j := unreported(t)
	j.Stop(muchLater)
	j.Recognize(seen("uid-x"), true, muchLater)
	if j.Owner != agentA || j.Resource == nil || j.Resource.UID != "uid-x" || len(j.Strays) != 0 {
		t.Errorf("the Delete of %s names %+v, strays %q", j.Owner, j.Resource, strays(j))
	}
}

// TestTakeoverOfAnotherProtocolsWorkloadLeavesItToItsAgent: an agent with epochs named what it made, and fell silent.
func TestTakeoverOfAnotherProtocolsWorkloadLeavesItToItsAgent(t *testing.T) {
	t.Parallel()
	j := job(createDeployment, jobmanager.Created, jobmanager.WorkloadNone)
	mustClaim(t, j, agentA, start)
	if _, err := j.ReportResource(held(j), jobmanager.ResourceReport{UID: "uid-of-a", Name: "web"}, start); err != nil {
		t.Fatal(err)
	}
	j.Expire(life(), afterLease)
	mustPromote(t, j, agentB, muchLater)
	if j.Resource.UID != "" || strays(j) != "uid-of-a*" || j.Strays[0].OwnerID != agentA {
		t.Fatalf("as b takes it over, its resource is %+v and its strays %+v", j.Resource, j.Strays)
	}
	mustReport(t, j, workOf(agentB, createDeployment, j.Epoch), muchLater)
	if j.Resource.UID != "uid-b" || strays(j) != "uid-of-a*" || j.Strays[0].OwnerID != agentA {
		t.Errorf("after b's report its resource is %+v and its strays %+v", j.Resource, j.Strays)
	}
}

// TestAgentThatGoesOnWithItsOwnWorkloadKeepsIt: only another agent's claim sets the workload aside.
func TestAgentThatGoesOnWithItsOwnWorkloadKeepsIt(t *testing.T) {
	t.Parallel()
	j := job(createDeployment, jobmanager.Created, jobmanager.WorkloadNone)
	mustClaim(t, j, agentA, start)
	if _, err := j.ReportResource(held(j), jobmanager.ResourceReport{UID: "uid-of-a", Name: "web"}, start); err != nil {
		t.Fatal(err)
	}
	j.Expire(life(), afterLease)
	mustPromote(t, j, agentA, muchLater)
	if j.Resource.UID != "uid-of-a" || len(j.Strays) != 0 {
		t.Errorf("its resource is %+v and its strays %q", j.Resource, strays(j))
	}
}

// TestStopAfterAReassignmentWaitsForTheNewAgent, whether or not the hand-out to it has lapsed: the former one is gone.
func TestStopAfterAReassignmentWaitsForTheNewAgent(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]time.Duration{"in time": time.Second, "after the hand-out lapsed": time.Hour} {
		j := promoted(t)
		j.Reassign(agentA, agentB, life(), start)
		j.Stop(start.Add(after))
		if j.Type != deleteDeployment || j.Owner != agentB {
			t.Errorf("%s: the %s waits for %q", name, j.Type, j.Owner)
		}
	}
}

// TestNameCutAtAHyphenIsItsComponents: what is appended to is cut to 58 characters, of which the last may be the
// component's own hyphen, or the one before the suffix.
func TestNameCutAtAHyphenIsItsComponents(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 56)
	for component, base := range map[string]string{
		long: long + "-", long + "b": long + "b-", long + "b-c": long + "b-", long + "bc": long + "bc", long + "bcd": long + "bc", long + "-bcd": long + "-b",
	} {
		j := promoted(t)
		j.Component = component
		if !j.Fits(clientA, base+"x7k2p", muchLater) {
			t.Errorf("%s is not recognized as that of %s: it counts as made for %q", base+"x7k2p", component, jobmanager.GeneratedFor(base+"x7k2p"))
		}
	}
	j := promoted(t)
	j.Component = long + "b"
	if name := long + "bc" + "x7k2p"; j.Fits(clientA, name, muchLater) {
		t.Errorf("%s counts as that of %s", name, j.Component)
	}
}

// TestPollRepeatedAtOnceEndsNoRemoval: a client library repeats a call by itself; an agent comes again 15 s later.
func TestPollRepeatedAtOnceEndsNoRemoval(t *testing.T) {
	t.Parallel()
	for name, j := range unconfirmed(t) {
		since := j.Since
		for _, passed := range []time.Duration{0, 0, time.Second, 10*time.Second - 1} {
			if events := j.Polled(agentA, since.Add(passed)); len(events) > 0 || j.Hold != jobmanager.HoldRemovalUnconfirmed {
				t.Errorf("%s: a poll %s after the lease ran out tells %v", name, passed, told(events))
			}
		}
		if events := j.Polled(agentA, since.Add(10*time.Second)); len(events) == 0 || j.Hold == jobmanager.HoldRemovalUnconfirmed {
			t.Errorf("%s: the poll 10 s after ends nothing", name)
		}
	}
}

// TestReportAgainIsCheckedAsTheFirstWas: what it names may become a stray.
func TestReportAgainIsCheckedAsTheFirstWas(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 254)
	for name, change := range map[string]func(*jobmanager.ResourceReport){
		"uid": func(r *jobmanager.ResourceReport) { r.UID = long }, "name": func(r *jobmanager.ResourceReport) { r.Name = long },
		"uid with a NUL":      func(r *jobmanager.ResourceReport) { r.UID = "uid\x00" },
		"cluster":             func(r *jobmanager.ResourceReport) { r.Target = target(long) },
		"node":                func(r *jobmanager.ResourceReport) { r.Target = &jobmanager.Target{Node: jobmanager.Text(long)} },
		"orchestrator":        func(r *jobmanager.ResourceReport) { r.Target = &jobmanager.Target{Orchestrator: long} },
		"cluster with a NUL":  func(r *jobmanager.ResourceReport) { r.Target = target("c\x001") },
		"cluster not in UTF8": func(r *jobmanager.ResourceReport) { r.Target = target("c\xff1") },
	} {
		j := promoted(t)
		report := workOf(agentA, createDeployment, j.Epoch)
		mustReport(t, j, report, start)
		report.Resource.UID = "uid-2nd"
		change(&report.Resource)
		if events, err := j.ReportWork(report, start); jobmanager.CodeOf(err) != jobmanager.CodeInvalid || len(j.Strays) > 0 {
			t.Errorf("%s: the report again tells %v, %v, and leaves %d strays", name, told(events), err, len(j.Strays))
		}
	}
}

// TestConditionsOfAnOldAgentAreMadeToFit, whatever they are: it heeds no refusal.
func TestConditionsOfAnOldAgentAreMadeToFit(t *testing.T) {
	t.Parallel()
	text := func(most int) *rapid.Generator[string] {
		return rapid.Custom(func(r *rapid.T) string {
			piece := rapid.SampledFrom([]string{"", "m", "é", "\x00", "\xff", "words "}).Draw(r, "piece")
			return strings.Repeat(piece, rapid.SampledFrom([]int{0, 1, most / 2, most}).Draw(r, "times"))
		})
	}
	condition := rapid.Custom(func(r *rapid.T) jobmanager.Condition {
		return jobmanager.Condition{
			Type:               rapid.OneOf(rapid.StringMatching("[A-C]"), text(320)).Draw(r, "type"),
			Status:             rapid.SampledFrom([]jobmanager.ConditionStatus{"TRUE", "FALSE", "UNKNOWN", "BAD", ""}).Draw(r, "status"),
			Reason:             text(1100).Draw(r, "reason"),
			Message:            text(40<<10).Draw(r, "message"),
			ObservedGeneration: rapid.Int64Range(-2, 2).Draw(r, "generation"),
		}
	})
	rapid.Check(t, func(r *rapid.T) {
		report := jobmanager.ResourceReport{UID: "uid-1", Name: "web-x7k2p", Conditions: rapid.SliceOfN(condition, 0, 70).Draw(r, "conditions")}
		if err := report.Fitted().Check(); err != nil {
			r.Fatal(err)
		}
	})
}

// TestFittedConditionsSayWhatTheyCan: what fits stays as it is, and what does not is cut or left out.
func TestFittedConditionsSayWhatTheyCan(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("m", 30<<10)
	report := jobmanager.ResourceReport{UID: "uid-1", Conditions: []jobmanager.Condition{
		{Type: "Applied", Status: jobmanager.StatusTrue, Reason: "Done", Message: "as it is"},
		{Type: "Odd", Status: "BAD"},
		{Type: "Available", Status: jobmanager.StatusFalse},
		{Type: "Available", Status: jobmanager.StatusTrue, Message: long, ObservedGeneration: -1},
		{Type: "Ready", Status: jobmanager.StatusUnknown, Message: "a\x00b" + long},
	}}
	fitted := report.Fitted()
	if err := fitted.Check(); err != nil || !fitted.Whole || len(fitted.Conditions) != 3 {
		t.Fatalf("%d conditions are left, all there are: %t, %v", len(fitted.Conditions), fitted.Whole, err)
	}
	first, second, third := fitted.Conditions[0], fitted.Conditions[1], fitted.Conditions[2]
	if first != report.Conditions[0] || second.Status != jobmanager.StatusTrue || second.ObservedGeneration != 0 {
		t.Errorf("the first is %+v, the second %s at generation %d", first, second.Status, second.ObservedGeneration)
	}
	if len(second.Message) < 16<<10 || !strings.HasPrefix(third.Message, "ab") || len(third.Message) < 16<<10 {
		t.Errorf("of the messages %d and %d bytes are left", len(second.Message), len(third.Message))
	}
	if nothing := (jobmanager.ResourceReport{Conditions: report.Conditions[1:2]}).Fitted(); nothing.Whole || len(nothing.Conditions) != 0 {
		t.Errorf("conditions that say nothing take others away: %+v", nothing)
	}
}

// TestConditionThatChangedLongBeforeAClaimTellsThatTheWorkloadPredatesIt; clocks may differ by a minute.
func TestConditionThatChangedLongBeforeAClaimTellsThatTheWorkloadPredatesIt(t *testing.T) {
	t.Parallel()
	at := func(times ...time.Time) jobmanager.ResourceReport {
		var r jobmanager.ResourceReport
		for _, one := range times {
			r.Conditions = append(r.Conditions, jobmanager.Condition{LastTransitionTime: one})
		}
		return r
	}
	for name, test := range map[string]struct {
		report jobmanager.ResourceReport
		want   bool
	}{
		"no condition": {at(), false}, "no time": {at(time.Time{}), false}, "a minute before": {at(start.Add(-time.Minute)), false},
		"longer before": {at(start.Add(-time.Minute - 1)), true}, "after": {at(start.Add(time.Second)), false},
		"one of two": {at(start.Add(time.Second), start.Add(-time.Hour)), true},
	} {
		if got := test.report.Predates(start); got != test.want {
			t.Errorf("%s: predates is %t, want %t", name, got, test.want)
		}
	}
}

// TestTakeoverAfterARetryLeavesTheWorkloadToItsMaker: the job has no owner any more, and what stands is
// still on the side of the agent that named it.
func TestTakeoverAfterARetryLeavesTheWorkloadToItsMaker(t *testing.T) {
	t.Parallel()
	for name, take := range map[string]func(*jobmanager.Job){
		"retried": func(j *jobmanager.Job) {
			j.Attempt = life().MaxAttempts
			j.Expire(life(), afterLease)
			j.Retry(afterLease)
		},
	} {
		j := job(createDeployment, jobmanager.Created, jobmanager.WorkloadNone)
		mustClaim(t, j, agentA, start)
		if _, err := j.ReportResource(held(j), jobmanager.ResourceReport{UID: "uid-of-a", Name: "web"}, start); err != nil {
			t.Fatal(err)
		}
		take(j)
		mustPromote(t, j, agentB, muchLater)
		mustReport(t, j, workOf(agentB, createDeployment, j.Epoch), muchLater)
		if j.Resource.UID != "uid-b" || strays(j) != "uid-of-a*" || j.Strays[0].OwnerID != agentA {
			t.Errorf("%s: its resource is %+v and its strays %+v", name, j.Resource, j.Strays)
		}
	}
}
