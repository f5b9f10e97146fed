package rest_test

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/icos-jobmanager/jobmanager/rest/oldclient"
)

// unknown tells a violation whose remediation nobody knows: it is recorded, and refused at both tries.
func (f *oldFleet) unknown(t *testing.T, violation oldclient.PolicyManagerViolation) {
	t.Helper()
	answers, err := f.policyManager().Tell(t.Context(), oldclient.PolicyManagerURI, violation)
	if err != nil || len(answers) != 2 || answers[0].Status != http.StatusUnprocessableEntity ||
		!strings.Contains(string(answers[0].Body), "UnknownRemediation") || !bytes.Equal(answers[0].Body, answers[1].Body) {
		t.Errorf("told with %+v, %v", answers, err)
	}
}

// TestARetryOfAViolationChangesNothing loses the first try on its way there, on its way back, and to a server that
// fails; and tells the same violation again much later.
func TestARetryOfAViolationChangesNothing(t *testing.T) {
	t.Parallel()
	eachOldFleet(t, nil, func(t *testing.T, f *oldFleet) {
		id, peer := f.running(t), f.policyManager()
		for n, when := range []string{beforeTheServer, afterTheServer} {
			violation := numbered(violationOf(id, []string{"front", "back"}[n], "scale-up"), n)
			f.transcript.drop(when, 1)
			answers, err := peer.Tell(t.Context(), oldclient.PolicyManagerURI, violation)
			if err != nil || len(answers) != 2 || answers[0].Status != 0 || answers[1].Status != http.StatusOK {
				t.Fatalf("lost %s the server: %+v, %v", when, answers, err)
			}
			if outcome := f.outcome(t, violation.ID); !strings.HasSuffix(outcome, " scale-up STARTED") {
				t.Errorf("lost %s the server, it is %q", when, outcome)
			}
			j := f.job(t, id, []string{"front", "back"}[n])
			first := answers[1].Body
			f.perform(t, j.ID)
			f.clock.Advance(time.Hour) // long after its cool-down
			again, err := peer.Tell(t.Context(), oldclient.PolicyManagerOldURI, violation)
			if err != nil || len(again) != 1 || again[0].Status != http.StatusOK || cmp.Diff(string(first), string(again[0].Body)) != "" {
				t.Errorf("told again: %+v, %v, first %s", again, err, first)
			}
			if now := f.job(t, id, j.Component); now.work() != "UPDATE_DEPLOYMENT/FINISHED" || now.Epoch != j.Epoch+1 {
				t.Errorf("a violation that was told again changed the job: %+v", now)
			}
		}
		if all := f.reports(t); len(all) != 2 {
			t.Errorf("%d violations are recorded, want 2: %+v", len(all), all)
		}
		expired := f.policyManager()
		expired.Login = func() string { return "" }
		answers, err := expired.Tell(t.Context(), oldclient.PolicyManagerURI, numbered(violationOf(id, "front", "scale-up"), 7))
		if err != nil || len(answers) != 2 || answers[0].Status != http.StatusInternalServerError || answers[1].Status != http.StatusInternalServerError {
			t.Errorf("without a token: %+v, %v", answers, err)
		}
		expired.Login = nil
		answers, err = expired.Tell(t.Context(), oldclient.PolicyManagerURI, numbered(violationOf(id, "front", "scale-up"), 7))
		if err != nil || len(answers) != 2 || answers[0].Status != http.StatusUnauthorized {
			t.Errorf("without the header: %+v, %v", answers, err)
		}
		if all := f.reports(t); len(all) != 2 {
			t.Errorf("what was refused is recorded: %+v", all)
		}
	})
}

// TestOneViolationToldByManyAtOnceIsRecordedOnce lets both tries of several alerts overtake each other.
func TestOneViolationToldByManyAtOnceIsRecordedOnce(t *testing.T) {
	t.Parallel()
	eachOldFleet(t, nil, func(t *testing.T, f *oldFleet) {
		id := f.running(t)
		before := f.job(t, id, "front")
		var all sync.WaitGroup
		for range 8 {
			peer := f.policyManager()
			all.Go(func() {
				answers, err := peer.Tell(context.WithoutCancel(t.Context()), oldclient.PolicyManagerURI, violationOf(id, "front", "scale-up"))
				if err != nil || len(answers) != 1 || answers[0].Status != http.StatusOK {
					t.Errorf("told with %+v, %v", answers, err)
				}
			})
		}
		all.Wait()
		if told := f.reports(t); len(told) != 1 {
			t.Errorf("%d violations are recorded: %+v", len(told), told)
		}
		if j := f.job(t, id, "front"); j.Epoch != before.Epoch+1 || f.outcome(t, firstViolation) != "front scale-up STARTED" {
			t.Errorf("the job is %+v, the violation %s", j, f.outcome(t, firstViolation))
		}
	})
}

// TestAViolationThatKeepsFiringIsRemediedOnceEachCoolDown tells the same policy's violation with new ids, as each of
// the alerts does.
func TestAViolationThatKeepsFiringIsRemediedOnceEachCoolDown(t *testing.T) {
	t.Parallel()
	eachOldFleet(t, nil, func(t *testing.T, f *oldFleet) {
		id := f.running(t)
		fire := func(n int, want string) {
			t.Helper()
			violation := numbered(violationOf(id, "front", "scale-up"), n)
			f.violate(t, violation)
			if outcome := f.outcome(t, violation.ID); outcome != want {
				t.Errorf("violation %d is %q, want %q", n, outcome, want)
			}
		}
		fire(1, "front scale-up STARTED")
		fire(2, "front scale-up COALESCED")
		f.perform(t, f.job(t, id, "front").ID)
		f.clock.Advance(50 * time.Second)
		fire(3, "front scale-up COALESCED")
		f.clock.Advance(11 * time.Second)
		fire(4, "front scale-up STARTED")
	})
}

// TestEveryRemediationIsAnsweredAndRecorded tells all the names that policies use, and some that nobody knows.
func TestEveryRemediationIsAnsweredAndRecorded(t *testing.T) {
	t.Parallel()
	eachOldFleet(t, nil, func(t *testing.T, f *oldFleet) {
		id, n := f.running(t), 0
		for _, test := range []struct{ remediation, want string }{
			{"none", "front RECORDED"},
			{"", "front RECORDED"},
			{"levitate", "front REFUSED"},
			{"secure", "front REFUSED"},
		} {
			n++
			violation := numbered(violationOf(id, "front", test.remediation), n)
			if test.want == "front REFUSED" {
				f.unknown(t, violation)
			} else {
				f.violate(t, violation)
			}
			if outcome := f.outcome(t, violation.ID); outcome != test.want {
				t.Errorf("%q is %q, want %q", test.remediation, outcome, test.want)
			}
			if j := f.job(t, id, "front"); j.work() != "CREATE_DEPLOYMENT/FINISHED" || j.SubType != "" {
				t.Errorf("%q makes the job %+v", test.remediation, j)
			}
		}
		for _, remediation := range []string{"scale-up", "scale-down", "scale-out", "scale-in", "patch"} {
			n++
			violation := numbered(violationOf(id, "front", remediation), n)
			f.violate(t, violation)
			if j := f.job(t, id, "front"); j.work() != "UPDATE_DEPLOYMENT/CREATED" || j.SubType != remediation {
				t.Errorf("%s makes the job %+v", remediation, j)
			}
			f.perform(t, f.job(t, id, "front").ID)
			f.clock.Advance(2 * time.Minute)
		}
		for _, remediation := range []string{"redeploy", "migrate", "reallocation", "reallocate"} {
			n++
			other := f.running(t)
			violation := numbered(violationOf(other, "front", remediation), n)
			f.violate(t, violation)
			// Pinned as it is, it has no other target: nothing is removed.
			if outcome := f.outcome(t, violation.ID); !strings.HasPrefix(outcome, "front reallocation ") {
				t.Errorf("%s is %q", remediation, outcome)
			}
			if j := f.job(t, other, "front"); j.work() != "CREATE_DEPLOYMENT/FINISHED" || j.why() != "AwaitingForOtherTarget" {
				t.Errorf("%s makes the job %+v, it waits: %+v", remediation, j, j.Waiting)
			}
		}
	})
}

// TestAViolationOfWhatDoesNotRunIsRecordedAndRefused tells of an application that nobody deployed yet.
func TestAViolationOfWhatDoesNotRunIsRecordedAndRefused(t *testing.T) {
	t.Parallel()
	eachOldFleet(t, nil, func(t *testing.T, f *oldFleet) {
		id := f.submit(t, described("shop", component{name: "front", at: "core ocm"}))
		f.violate(t, violationOf(id, "front", "scale-up"))
		if outcome := f.outcome(t, firstViolation); outcome != "front scale-up REFUSED" {
			t.Errorf("it is %q", outcome)
		}
		if j := f.job(t, id, "front"); j.work() != "CREATE_DEPLOYMENT/CREATED" || j.SubType != "" {
			t.Errorf("the job is %+v", j)
		}
	})
}

// TestAMalformedViolationIsRefusedTwice tells what cannot be read, or has an id that is none.
func TestAMalformedViolationIsRefusedTwice(t *testing.T) {
	t.Parallel()
	eachOldFleet(t, nil, func(t *testing.T, f *oldFleet) {
		id := f.running(t)
		wrong := violationOf(id, "front", "scale-up")
		wrong.ID = "seven"
		for name, violation := range map[string]any{
			"no object":      []string{"seven"},
			"an id of seven": wrong,
			"a number":       map[string]any{"id": firstViolation, "currentValue": 7, "policyName": "p", "policyId": "q", "remediation": "scale-up"},
		} {
			for _, uri := range []string{oldclient.PolicyManagerURI, oldclient.PolicyManagerOldURI} {
				answers, err := f.policyManager().Tell(t.Context(), uri, violation)
				if err != nil || len(answers) != 2 || answers[0].Status != http.StatusBadRequest || !strings.HasPrefix(string(answers[0].Body), `{"error":"`) {
					t.Errorf("%s at %s: %+v, %v", name, uri, answers, err)
				}
			}
		}
		if all := f.reports(t); len(all) != 0 {
			t.Errorf("recorded %+v", all)
		}
	})
}
