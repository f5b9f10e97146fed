package jobmanager_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// reportTo gives a job with a resource after the reports, and how many events the last one caused.
func reportTo(t *testing.T, now time.Time, reports ...jobmanager.ResourceReport) (*jobmanager.Job, int) {
	t.Helper()
	j := job(jobmanager.CreateDeployment, jobmanager.Finished, jobmanager.WorkloadPresent)
	ids := func() jobmanager.ID { return "00000000-0000-7000-8000-00000000000f" }
	last := 0
	for i, report := range reports {
		events, err := j.ReportResource(jobmanager.Fence{OwnerID: agentA, Epoch: 4}, report, ids, now.Add(time.Duration(i)*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		last = len(events)
	}
	return j, last
}

func available(status jobmanager.ConditionStatus, change func(*jobmanager.Condition)) jobmanager.ResourceReport {
	c := jobmanager.Condition{Type: "Available", Status: status, Reason: "Ready", ObservedGeneration: 2}
	if change != nil {
		change(&c)
	}
	return jobmanager.ResourceReport{UID: "uid-1", Conditions: []jobmanager.Condition{c}}
}

func TestConditionsFollowTheKubernetesConventions(t *testing.T) {
	t.Parallel()
	const yes, no = jobmanager.StatusTrue, jobmanager.StatusFalse
	first := available(yes, nil)
	tests := map[string]struct {
		second     jobmanager.ResourceReport
		transition time.Time // of the condition after the second report
		status     jobmanager.ConditionStatus
		events     int
	}{
		"same content again is no event": {first, start, yes, 0},
		"another reason keeps the transition time": {
			available(yes, func(c *jobmanager.Condition) { c.Reason = "StillReady" }), start, yes, 1,
		},
		"another status moves it to now": {available(no, nil), start.Add(time.Second), no, 1},
		"the reporter's own time counts": {
			available(no, func(c *jobmanager.Condition) { c.LastTransitionTime = start.Add(-time.Hour) }), start.Add(-time.Hour), no, 1,
		},
		"a time in the future does not": {
			available(no, func(c *jobmanager.Condition) { c.LastTransitionTime = start.Add(time.Hour) }), start.Add(time.Second), no, 1,
		},
		"one that names no generation counts": {
			available(no, func(c *jobmanager.Condition) { c.ObservedGeneration = 0 }), start.Add(time.Second), no, 1,
		},
		"an older observation changes nothing": {
			available(no, func(c *jobmanager.Condition) { c.ObservedGeneration = 1 }), start, yes, 0,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j, events := reportTo(t, start, first, test.second)
			got := j.Resource.Conditions[0]
			if got.Status != test.status || !got.LastTransitionTime.Equal(test.transition) || events != test.events {
				t.Errorf("status %s since %s, %d events; want %s since %s, %d", got.Status, got.LastTransitionTime, events, test.status, test.transition, test.events)
			}
		})
	}
}

func TestOtherConditionTypesStay(t *testing.T) {
	t.Parallel()
	applied := jobmanager.ResourceReport{Conditions: []jobmanager.Condition{{Type: "Applied", Status: jobmanager.StatusTrue}}}
	j, _ := reportTo(t, start, available(jobmanager.StatusTrue, nil), applied)
	if len(j.Resource.Conditions) != 2 {
		t.Errorf("conditions are %+v, want Available and Applied", j.Resource.Conditions)
	}
}

func TestAnotherUIDBeginsWithoutConditions(t *testing.T) {
	t.Parallel()
	j, events := reportTo(t, start, available(jobmanager.StatusTrue, nil), jobmanager.ResourceReport{UID: "uid-2"})
	if len(j.Resource.Conditions) != 0 || j.Resource.UID != "uid-2" || events != 1 {
		t.Errorf("uid %s with %+v, %d events", j.Resource.UID, j.Resource.Conditions, events)
	}
}

func TestReportsThatDoNotFitAreInvalid(t *testing.T) {
	t.Parallel()
	twice := []jobmanager.Condition{{Type: "Available", Status: jobmanager.StatusTrue}, {Type: "Available", Status: jobmanager.StatusTrue}}
	for name, report := range map[string]jobmanager.ResourceReport{
		"no type":        {Conditions: []jobmanager.Condition{{}}},
		"a type twice":   {Conditions: twice},
		"no status":      {Conditions: []jobmanager.Condition{{Type: "Available", Status: "True"}}},
		"a NUL":          {Name: "a\x00"},
		"too many":       {Conditions: make([]jobmanager.Condition, 65)},
		"too long a uid": {UID: string(make([]byte, 254))},
	} {
		if err := report.Check(); jobmanager.CodeOf(err) != jobmanager.CodeInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPhaseIsTheFirstThatFits(t *testing.T) {
	t.Parallel()
	const c, d = jobmanager.CreateDeployment, jobmanager.DeleteDeployment
	type kind struct {
		kind      jobmanager.JobType
		state     jobmanager.JobState
		unhealthy bool
	}
	tests := map[string]struct {
		jobs []kind
		want jobmanager.Phase
	}{
		"nothing left":            {[]kind{{d, jobmanager.Finished, false}}, jobmanager.PhaseStopped},
		"only deletes":            {[]kind{{d, jobmanager.Created, false}, {d, jobmanager.Finished, false}}, jobmanager.PhaseStopping},
		"a delete that failed":    {[]kind{{d, jobmanager.Degraded, false}}, jobmanager.PhaseStopping},
		"one degraded":            {[]kind{{c, jobmanager.Degraded, false}, {c, jobmanager.Finished, false}}, jobmanager.PhaseDegraded},
		"one unhealthy":           {[]kind{{c, jobmanager.Finished, true}, {c, jobmanager.Finished, false}}, jobmanager.PhaseDegraded},
		"all finished":            {[]kind{{c, jobmanager.Finished, false}, {d, jobmanager.Finished, false}}, jobmanager.PhaseRunning},
		"one progressing":         {[]kind{{c, jobmanager.Progressing, false}, {c, jobmanager.Created, false}}, jobmanager.PhaseDeploying},
		"one finished of two":     {[]kind{{c, jobmanager.Finished, false}, {c, jobmanager.Created, false}}, jobmanager.PhaseDeploying},
		"none taken up":           {[]kind{{c, jobmanager.Created, false}}, jobmanager.PhasePending},
		"a delete beside a start": {[]kind{{d, jobmanager.Created, false}, {c, jobmanager.Created, false}}, jobmanager.PhasePending},
	}
	for name, test := range tests {
		var tally jobmanager.Tally
		for _, j := range test.jobs {
			tally.Count(j.kind, j.state, j.unhealthy, 1)
		}
		if got := tally.Phase(); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

func TestRepeatedClaimGetsTheSameEpoch(t *testing.T) {
	t.Parallel()
	claim := jobmanager.Claim{Agent: jobmanager.Agent{OwnerID: agentA, Orchestrator: "ocm"}, ID: "try-1", Length: time.Minute}
	j := job(jobmanager.CreateDeployment, jobmanager.Created, jobmanager.WorkloadNone)
	if _, err := j.Claim(claim, start); err != nil {
		t.Fatal(err)
	}
	before := *j
	events, err := j.Claim(claim, start.Add(time.Second))
	if err != nil || len(events) != 0 || !cmp.Equal(before, *j) {
		t.Errorf("the retry gave %v, %v and changed %s", events, err, cmp.Diff(before, *j))
	}
	claim.ID = "try-2"
	if _, err := j.Claim(claim, start); jobmanager.CodeOf(err) != jobmanager.CodeNotClaimable {
		t.Errorf("another claim while the lease lives: %v", err)
	}
}

func TestAttemptsAreBoundedAndSpaced(t *testing.T) {
	t.Parallel()
	life := jobmanager.DefaultLifeCycle()
	claim := jobmanager.Claim{Agent: jobmanager.Agent{OwnerID: agentA, Orchestrator: "ocm"}, Length: time.Minute}
	j := job(jobmanager.CreateDeployment, jobmanager.Created, jobmanager.WorkloadNone)
	now, waits := start, []time.Duration{}
	for range life.MaxAttempts {
		if _, err := j.Claim(claim, now); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Minute)
		if events := j.Expire(life, now); len(events) != 1 {
			t.Fatalf("%d events for a lease that ran out", len(events))
		}
		if j.Hold == "" {
			waits = append(waits, j.NotBefore.Sub(now))
			now = j.NotBefore
		}
	}
	want := []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second}
	if diff := cmp.Diff(want, waits); diff != "" {
		t.Error(diff)
	}
	waiting := j.Waiting(now)
	if j.State != jobmanager.Degraded || waiting.Reason != "AttemptsExhausted" {
		t.Errorf("after the last attempt it is %s, waiting %+v", j.State, waiting)
	}
}

func TestLateFinishIsTakenWhileNobodyElseClaimed(t *testing.T) {
	t.Parallel()
	life := jobmanager.DefaultLifeCycle()
	j := job(jobmanager.CreateDeployment, jobmanager.Progressing, jobmanager.WorkloadMaybe)
	j.Attempt = life.MaxAttempts
	late := start.Add(time.Hour)
	j.Expire(life, late)
	if j.Hold != jobmanager.HoldAttemptsExhausted {
		t.Fatalf("the last attempt's end holds it with %q", j.Hold)
	}
	ids := func() jobmanager.ID { return "00000000-0000-7000-8000-00000000000f" }
	_, err := j.Finish(jobmanager.Fence{OwnerID: agentA, Epoch: 4}, jobmanager.ResourceReport{}, ids, late)
	if err != nil || j.State != jobmanager.Finished || j.Hold != "" || !j.Last.Ended(jobmanager.OutcomeFinished) {
		t.Errorf("%v: %s, hold %q, last attempt %+v", err, j.State, j.Hold, j.Last)
	}
}
