package jobmanager_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// kubernetes is the oracle: the conditions as the Kubernetes API machinery sets them, and where DESIGN.md 5 wants
// something else, what it wants.
type kubernetes struct {
	uid        string
	known      bool // there is a resource
	conditions []metav1.Condition
}

// report takes a report as the oracle would, and says whether anything changed.
func (k *kubernetes) report(r jobmanager.ResourceReport, now time.Time) bool {
	changed := !k.known || r.UID != "" && r.UID != k.uid
	if r.UID != "" && k.uid != "" && r.UID != k.uid {
		k.conditions = nil // ours: another uid begins with no conditions
	}
	if r.UID != "" {
		k.uid = r.UID
	}
	silenced := k.silent()
	for _, c := range r.Conditions {
		if adapted, taken := k.adapt(c, now); taken {
			changed = meta.SetStatusCondition(&k.conditions, adapted) || changed
		}
	}
	if silenced && k.silent() { // ours: an agent that is heard again no longer counts as silent
		changed = meta.RemoveStatusCondition(&k.conditions, "Available") || changed
	}
	k.known = true
	return changed
}

// adapt is where ours differs on purpose: a time in the future becomes now, as a missing one does; one that names no
// generation speaks of the current one; an older generation never overwrites a newer one.
func (k *kubernetes) adapt(c jobmanager.Condition, now time.Time) (metav1.Condition, bool) {
	if c.LastTransitionTime.IsZero() || c.LastTransitionTime.After(now) {
		c.LastTransitionTime = now
	}
	if current := meta.FindStatusCondition(k.conditions, c.Type); current != nil {
		if c.ObservedGeneration == 0 {
			c.ObservedGeneration = current.ObservedGeneration
		}
		if c.ObservedGeneration < current.ObservedGeneration {
			return metav1.Condition{}, false
		}
	}
	return theirs(c), true
}

// silence is what a silent agent makes of the conditions: ours alone.
func (k *kubernetes) silence(now time.Time) bool {
	if !k.known || k.silent() {
		return false
	}
	adapted, _ := k.adapt(jobmanager.Condition{
		Type: "Available", Status: jobmanager.StatusUnknown, Reason: "AgentLeaseExpired", Message: "its agent a is silent",
	}, now)
	return meta.SetStatusCondition(&k.conditions, adapted)
}

func (k *kubernetes) silent() bool {
	c := meta.FindStatusCondition(k.conditions, "Available")
	return c != nil && c.Status == metav1.ConditionUnknown && c.Reason == "AgentLeaseExpired"
}

// theirs is a condition in the words of Kubernetes.
func theirs(c jobmanager.Condition) metav1.Condition {
	status := map[jobmanager.ConditionStatus]metav1.ConditionStatus{
		jobmanager.StatusTrue: metav1.ConditionTrue, jobmanager.StatusFalse: metav1.ConditionFalse, jobmanager.StatusUnknown: metav1.ConditionUnknown,
	}[c.Status]
	return metav1.Condition{
		Type: c.Type, Status: status, Reason: c.Reason, Message: c.Message,
		ObservedGeneration: c.ObservedGeneration, LastTransitionTime: metav1.NewTime(c.LastTransitionTime),
	}
}

// drawReport is any report; its conditions often say again what was said.
func drawReport(r *rapid.T, now time.Time) jobmanager.ResourceReport {
	report := jobmanager.ResourceReport{UID: rapid.SampledFrom([]string{"", "uid-1", "uid-1", "uid-1", "uid-2"}).Draw(r, "uid")}
	types := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"Available", "Applied", "Degraded"}), 0, 3, rapid.ID).Draw(r, "types")
	for _, kind := range types {
		c := jobmanager.Condition{
			Type:               kind,
			Status:             rapid.SampledFrom([]jobmanager.ConditionStatus{jobmanager.StatusTrue, jobmanager.StatusFalse, jobmanager.StatusUnknown}).Draw(r, "status"),
			Reason:             rapid.SampledFrom([]string{"Ready", "Waiting"}).Draw(r, "reason"),
			Message:            rapid.SampledFrom([]string{"", "soon"}).Draw(r, "message"),
			ObservedGeneration: rapid.Int64Range(0, 3).Draw(r, "generation"),
		}
		if rapid.Bool().Draw(r, "dated") {
			c.LastTransitionTime = now.Add(time.Duration(rapid.IntRange(-120, 60).Draw(r, "age")) * time.Second)
		}
		report.Conditions = append(report.Conditions, c)
	}
	return report
}

func TestConditionsAreThoseOfKubernetes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		j := job(createDeployment, jobmanager.Finished, jobmanager.WorkloadPresent)
		j.Resource = nil
		oracle, now := &kubernetes{}, start
		for step := range rapid.IntRange(1, 12).Draw(r, "reports") {
			now = now.Add(time.Duration(rapid.IntRange(0, 90).Draw(r, "seconds")) * time.Second)
			if rapid.IntRange(0, 5).Draw(r, "kind") == 0 {
				compareConditions(r, j, oracle, len(j.Silence(now)) > 0, oracle.silence(now))
				continue
			}
			report := drawReport(r, now)
			events, err := j.ReportResource(fence(agentA, 4), report, now)
			if err != nil {
				r.Fatalf("report %d: %v", step, err)
			}
			compareConditions(r, j, oracle, len(events) > 0, oracle.report(report, now))
		}
	})
}

func compareConditions(r *rapid.T, j *jobmanager.Job, oracle *kubernetes, told, changed bool) {
	var ours []metav1.Condition
	if j.Resource != nil {
		for _, c := range j.Resource.Conditions {
			ours = append(ours, theirs(c))
		}
	}
	want := append([]metav1.Condition(nil), oracle.conditions...)
	if diff := cmp.Diff(want, ours); diff != "" {
		r.Fatalf("our conditions differ (-oracle +ours):\n%s", diff)
	}
	if told != changed {
		r.Fatalf("an event: %t; a change: %t", told, changed)
	}
}

// TestLastTransitionTimeMovesWithStatusAlone needs no oracle: whatever is reported, a condition that kept its status
// kept its time.
func TestLastTransitionTimeMovesWithStatusAlone(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		j, now := job(createDeployment, jobmanager.Finished, jobmanager.WorkloadPresent), start
		for range rapid.IntRange(1, 12).Draw(r, "reports") {
			now = now.Add(time.Minute)
			before := *j.Resource
			report := drawReport(r, now)
			report.UID = "uid-1"
			if _, err := j.ReportResource(fence(agentA, 4), report, now); err != nil {
				r.Fatal(err)
			}
			for _, was := range before.Conditions {
				for _, is := range j.Resource.Conditions {
					if is.Type != was.Type {
						continue
					}
					if is.Status == was.Status && !is.LastTransitionTime.Equal(was.LastTransitionTime) {
						r.Fatalf("%s is %s still and its time moved from %s to %s", is.Type, is.Status, was.LastTransitionTime, is.LastTransitionTime)
					}
					if is.LastTransitionTime.After(now) || is.ObservedGeneration < was.ObservedGeneration {
						r.Fatalf("%+v after %+v", is, was)
					}
				}
			}
		}
	})
}

func TestSameReportAgainChangesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		j := job(createDeployment, jobmanager.Finished, jobmanager.WorkloadPresent)
		report := drawReport(r, start)
		for try := range 3 {
			was := fmt.Sprintf("%+v", *j.Resource)
			events, err := j.ReportResource(fence(agentA, 4), report, start.Add(time.Duration(try)*time.Second))
			if err != nil {
				r.Fatal(err)
			}
			if try > 0 && (len(events) > 0 || fmt.Sprintf("%+v", *j.Resource) != was) {
				r.Fatalf("the same report again told %v and made %+v of %s", told(events), *j.Resource, was)
			}
		}
	})
}

func TestLastSeenIsKeptCoarselyAndWithoutAnEvent(t *testing.T) {
	t.Parallel()
	j, _ := reportTo(t, start, available(jobmanager.StatusTrue, nil))
	for after, want := range map[time.Duration]time.Duration{59 * time.Second: 0, 60 * time.Second: 60 * time.Second} {
		seen := *j
		events, err := seen.ReportResource(fence(agentA, 4), available(jobmanager.StatusTrue, nil), start.Add(after))
		if err != nil || len(events) != 0 || !seen.Resource.SeenAt.Equal(start.Add(want)) {
			t.Errorf("seen again after %s: %v, %v, last seen %s", after, err, told(events), seen.Resource.SeenAt)
		}
	}
}

func TestSilentAgentsNextReportSetsItRight(t *testing.T) {
	t.Parallel()
	applied := jobmanager.ResourceReport{Conditions: []jobmanager.Condition{{Type: "Applied", Status: jobmanager.StatusTrue}}}
	tests := map[string]struct {
		before, after jobmanager.ResourceReport
		want          jobmanager.ConditionStatus // of Available; empty when nothing is said of it
	}{
		"it says so again":              {available(jobmanager.StatusTrue, nil), available(jobmanager.StatusTrue, nil), jobmanager.StatusTrue},
		"it says otherwise":             {available(jobmanager.StatusTrue, nil), available(jobmanager.StatusFalse, nil), jobmanager.StatusFalse},
		"it never spoke of Available":   {applied, applied, ""},
		"it no longer speaks of it":     {available(jobmanager.StatusTrue, nil), applied, ""},
		"it says only that it is there": {available(jobmanager.StatusTrue, nil), jobmanager.ResourceReport{}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j, _ := reportTo(t, start, test.before)
			events := j.Silence(start.Add(time.Minute))
			if len(events) != 1 || availability(j) != jobmanager.StatusUnknown || len(j.Silence(start.Add(time.Hour))) != 0 {
				t.Fatalf("the silence told %v and left %+v", told(events), j.Resource.Conditions)
			}
			if waiting := j.Waiting(start); waiting == nil || waiting.Reason != "AgentSilent" {
				t.Errorf("it waits with %+v", waiting)
			}
			if _, err := j.ReportResource(fence(agentA, 4), test.after, start.Add(2*time.Minute)); err != nil {
				t.Fatal(err)
			}
			if got := availability(j); got != test.want || j.Waiting(start) != nil {
				t.Errorf("Available is %q, want %q; it waits with %+v", got, test.want, j.Waiting(start))
			}
		})
	}
}

// availability is what the resource's condition Available says; empty when it has none.
func availability(j *jobmanager.Job) jobmanager.ConditionStatus {
	for _, c := range j.Resource.Conditions {
		if c.Type == jobmanager.ConditionAvailable {
			return c.Status
		}
	}
	return ""
}
