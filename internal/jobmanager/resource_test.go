package jobmanager_test

import (
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// reportTo gives a job with a resource after the reports, and how many events the last one caused.
func reportTo(t *testing.T, now time.Time, reports ...jobmanager.ResourceReport) (*jobmanager.Job, int) {
	t.Helper()
	j := job(jobmanager.CreateDeployment, jobmanager.Finished, jobmanager.WorkloadPresent)
	last := 0
	for i, report := range reports {
		events, err := j.ReportResource(jobmanager.Fence{OwnerID: agentA, Epoch: 4}, report, now.Add(time.Duration(i)*time.Second))
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
