package jobmanager_test

import (
	"strings"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// removals are the works that remove a workload, promoted by a at start; by their names.
func removals(t testing.TB) map[string]*jobmanager.Job {
	t.Helper()
	of := map[string]*jobmanager.Job{
		"a Delete": job(deleteDeployment, jobmanager.Created, jobmanager.WorkloadPresent),
		"a move":   with(job(updateDeployment, jobmanager.Created, jobmanager.WorkloadPresent), leavesTarget),
	}
	for _, j := range of {
		mustPromote(t, j, agentA, start)
	}
	return of
}

// unconfirmed are removals whose lease ran out.
func unconfirmed(t testing.TB) map[string]*jobmanager.Job {
	t.Helper()
	of := removals(t)
	for _, j := range of {
		j.Expire(life(), afterLease)
	}
	return of
}

func TestUnreportedRemovalIsWatched(t *testing.T) {
	t.Parallel()
	for name, j := range removals(t) {
		if got := words(j.Expire(life(), afterLease)); got != "JOB_LEASE_EXPIRED" {
			t.Errorf("%s: it tells %s", name, got)
		}
		waiting := j.Waiting(afterLease)
		if waiting.Reason != "RemovalUnconfirmed" || waiting.Message == "" || j.Executable(lister(agentA), muchLater) || !j.NotBefore.IsZero() {
			t.Errorf("%s: it waits with %+v, not before %s", name, waiting, j.NotBefore)
		}
	}
	for name, change := range map[string]func(*jobmanager.Attempt){
		"by an agent that reports": func(a *jobmanager.Attempt) { a.Client = "" },
		"by one without epochs":    func(a *jobmanager.Attempt) { a.Blind = true },
	} {
		for kind, j := range removals(t) {
			change(&j.Last)
			j.Expire(life(), afterLease)
			if j.Hold != "" || !j.Executable(lister(agentA), muchLater) {
				t.Errorf("%s, %s: it is held by %q", kind, name, j.Hold)
			}
		}
	}
	create := unreported(t)
	if create.Hold != "" {
		t.Errorf("a Create whose lease ran out is held by %q", create.Hold)
	}
}

func TestSecondPollAfterTheLeaseEndsARemoval(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"a Delete": "JOB_FINISHED RESOURCE_REMOVED",
		"a move":   "JOB_FINISHED RESOURCE_REMOVED REMEDIATION_CHANGED(FINISHED) JOB_REALLOCATED",
	}
	for name, j := range unconfirmed(t) {
		if events := append(j.Polled(agentB, muchLater), j.Polled(agentB, muchLater)...); len(events) > 0 || j.Polls != 0 {
			t.Errorf("%s: another agent's polls count", name)
		}
		if events := j.Polled(agentA, muchLater); len(events) > 0 || j.Hold != jobmanager.HoldRemovalUnconfirmed {
			t.Errorf("%s: after one poll it tells %v and is held by %q", name, told(events), j.Hold)
		}
		events := j.Polled(agentA, muchLater)
		if words(events) != want[name] || j.Workload != jobmanager.WorkloadNone || j.Resource != nil || j.Hold != "" || j.Polls != 0 {
			t.Errorf("%s: after two it tells %s, %s, %+v, held by %q, polls %d", name, words(events), j.Workload, j.Resource, j.Hold, j.Polls)
		}
		if attempt := events[0].Attempt; attempt == nil || attempt.Message != "ObservedAbsent" || !attempt.Ended(jobmanager.OutcomeFinished) {
			t.Errorf("%s: its attempt ended as %+v", name, attempt)
		}
		if again := j.Polled(agentA, muchLater); len(again) > 0 {
			t.Errorf("%s: one more poll tells %v", name, told(again))
		}
	}
}

func TestPollsBeforeTheLeaseRanOutDoNotCount(t *testing.T) {
	t.Parallel()
	for name, j := range removals(t) {
		for range 5 {
			if events := j.Polled(agentA, start.Add(time.Minute)); len(events) > 0 || j.Polls != 0 {
				t.Errorf("%s: it tells %v, polls %d", name, told(events), j.Polls)
			}
		}
	}
}

func TestSyncThatNamesTheWorkloadHasItsRemovalTriedAgain(t *testing.T) {
	t.Parallel()
	for name, j := range unconfirmed(t) {
		j.Polled(agentA, muchLater)
		events, err := j.Synced(jobmanager.ResourceReport{UID: "uid-1"}, life(), muchLater)
		if err != nil || words(events) != "JOB_UPDATED" || j.Hold != "" || j.Resource == nil {
			t.Errorf("%s: %v, %v, held by %q", name, err, told(events), j.Hold)
		}
		if !j.NotBefore.After(muchLater) || !j.Executable(lister(agentA), j.NotBefore) || j.Executable(lister(agentB), j.NotBefore) {
			t.Errorf("%s: it is tried again at %s, and who may is wrong", name, j.NotBefore)
		}
		again := j.NotBefore
		mustPromote(t, j, agentA, again)
		j.Expire(life(), again.Add(5*time.Minute))
		if events := j.Polled(agentA, again.Add(6*time.Minute)); len(events) > 0 {
			t.Errorf("%s: one poll after the second attempt ends it: the first attempt's still counts", name)
		}
	}
}

func TestRemovalThatNeverWorksIsGivenUp(t *testing.T) {
	t.Parallel()
	for name, j := range removals(t) {
		now := start
		for range life().MaxAttempts {
			now = now.Add(5 * time.Minute)
			j.Expire(life(), now)
			if _, err := j.Synced(jobmanager.ResourceReport{UID: "uid-1"}, life(), now); err != nil {
				t.Fatal(err)
			}
			if j.Hold == "" {
				now = j.NotBefore
				mustPromote(t, j, agentA, now)
			}
		}
		if j.State != jobmanager.Degraded || j.Hold != jobmanager.HoldAttemptsExhausted || j.Attempt != life().MaxAttempts {
			t.Errorf("%s: it is %s after %d attempts, held by %q", name, j.State, j.Attempt, j.Hold)
		}
		if events := append(j.Polled(agentA, now), j.Polled(agentA, now)...); len(events) > 0 {
			t.Errorf("%s: polls end it although its workload was seen last", name)
		}
		j.Retry(now)
		if j.State != jobmanager.Created || j.Attempt != 0 || !j.Executable(lister(agentA), now) {
			t.Errorf("%s: retried it is %s, attempt %d", name, j.State, j.Attempt)
		}
	}
}

func TestUnconfirmedRemovalEndsInOtherWaysToo(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(*testing.T, *jobmanager.Job){
		"its late report": func(t *testing.T, j *jobmanager.Job) {
			mustReport(t, j, workOf(agentA, j.Type, j.Epoch), muchLater)
			if j.Workload != jobmanager.WorkloadNone {
				t.Errorf("after its late report %s stands", j.Workload)
			}
		},
		"a retry": func(t *testing.T, j *jobmanager.Job) {
			if j.Retry(muchLater); j.State != jobmanager.Created || !j.Executable(lister(agentA), muchLater) {
				t.Errorf("retried it is %s of %s", j.State, j.Owner)
			}
		},
		"another agent in its place": func(t *testing.T, j *jobmanager.Job) {
			if j.Reassign(agentA, agentB, life(), muchLater); !j.Executable(lister(agentB), muchLater) {
				t.Errorf("reassigned it is %s of %s", j.State, j.Owner)
			}
		},
		"given up": func(t *testing.T, j *jobmanager.Job) {
			if j.Abandon("gone", muchLater); j.State != jobmanager.Finished || j.Resource != nil {
				t.Errorf("abandoned it is %s with %+v", j.State, j.Resource)
			}
		},
		"a stop": func(t *testing.T, j *jobmanager.Job) {
			held := j.Type == deleteDeployment // stays as it is
			if j.Stop(muchLater); j.Type != deleteDeployment || j.Executable(lister(agentA), muchLater) == held {
				t.Errorf("stopped it is %s/%s, held by %q", j.Type, j.State, j.Hold)
			}
		},
	} {
		for kind, j := range unconfirmed(t) {
			j.Polled(agentA, muchLater)
			do(t, j)
			if name != "a stop" && j.Hold != "" {
				t.Errorf("%s, %s: it is held by %q", kind, name, j.Hold)
			}
		}
	}
}

func TestSyncTellsOfTheJobsOwnWorkloadAlone(t *testing.T) {
	t.Parallel()
	done := job(createDeployment, jobmanager.Finished, jobmanager.WorkloadPresent)
	report := available(jobmanager.StatusFalse, nil)
	report.UID, report.Whole = "uid-1", true
	before := done.Last
	events, err := done.Synced(report, life(), start)
	if err != nil || words(events) != "RESOURCE_REPORTED" || availability(done) != jobmanager.StatusFalse || done.State != jobmanager.Finished || done.Last != before {
		t.Errorf("%v, %v, Available=%s", err, told(events), availability(done))
	}
	working := job(createDeployment, jobmanager.Progressing, jobmanager.WorkloadPresent)
	lease := *working.Lease
	if _, err := working.Synced(report, life(), start.Add(time.Minute)); err != nil || *working.Lease != lease || working.State != jobmanager.Progressing {
		t.Errorf("a sync extends a lease: %v, %+v", err, working.Lease)
	}
	for name, of := range map[string]*jobmanager.Job{
		"another uid": job(createDeployment, jobmanager.Finished, jobmanager.WorkloadPresent),
		"one removed": job(deleteDeployment, jobmanager.Finished, jobmanager.WorkloadNone),
		"none":        job(createDeployment, jobmanager.Created, jobmanager.WorkloadNone),
	} {
		if _, err := of.Synced(jobmanager.ResourceReport{UID: "uid-9"}, life(), start); jobmanager.CodeOf(err) != jobmanager.CodeNotFound {
			t.Errorf("%s: %v", name, err)
		}
	}
	bare := with(job(createDeployment, jobmanager.Finished, jobmanager.WorkloadPresent), func(j *jobmanager.Job) { j.Resource.UID = "" })
	if _, err := bare.Synced(jobmanager.ResourceReport{}, life(), start); jobmanager.CodeOf(err) != jobmanager.CodeNotFound {
		t.Errorf("no uid is the uid of a resource without one: %v", err)
	}
}

func TestAllConditionsThereAreReplaceTheFormer(t *testing.T) {
	t.Parallel()
	condition := func(kind string) jobmanager.Condition {
		return jobmanager.Condition{Type: kind, Status: jobmanager.StatusTrue}
	}
	for name, test := range map[string]struct {
		whole    bool
		reported []string
		want     string
		told     bool
	}{
		"fewer":          {true, []string{"Applied"}, "Applied", true},
		"others":         {true, []string{"Degraded"}, "Degraded", true},
		"the same":       {true, []string{"Applied", "Available"}, "Applied Available", false},
		"one of several": {false, []string{"Degraded"}, "Applied Available Degraded", true},
		"some, not all":  {false, []string{"Applied"}, "Applied Available", false},
	} {
		j, _ := reportTo(t, start, jobmanager.ResourceReport{UID: "uid-1", Conditions: []jobmanager.Condition{condition("Applied"), condition("Available")}})
		report := jobmanager.ResourceReport{UID: "uid-1", Whole: test.whole}
		for _, kind := range test.reported {
			report.Conditions = append(report.Conditions, condition(kind))
		}
		events, err := j.Synced(report, life(), start.Add(time.Second))
		var kinds []string
		for _, c := range j.Resource.Conditions {
			kinds = append(kinds, c.Type)
		}
		got := strings.Join(kinds, " ")
		if err != nil || got != test.want || (len(events) > 0) != test.told {
			t.Errorf("%s: %v, %q, %v, want %q", name, err, got, told(events), test.want)
		}
	}
}

func TestWorkThatItsAgentCannotDoSaysSo(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		of       *jobmanager.Job
		protocol string
		want     string
	}{
		"a Delete of the first dialect's agent":  {job(deleteDeployment, jobmanager.Created, jobmanager.WorkloadPresent), jobmanager.ProtocolV0, "AgentCannot"},
		"an Update":                              {job(updateDeployment, jobmanager.Created, jobmanager.WorkloadPresent), jobmanager.ProtocolV0, "AgentCannot"},
		"a Create":                               {unreported(t), jobmanager.ProtocolV0, "BackingOff"},
		"a Delete of another dialect's agent":    {job(deleteDeployment, jobmanager.Created, jobmanager.WorkloadPresent), jobmanager.ProtocolREST, "AwaitingForOwner"},
		"a Delete that is in progress all along": {job(deleteDeployment, jobmanager.Progressing, jobmanager.WorkloadPresent), jobmanager.ProtocolV0, "InProgress"},
	} {
		test.of.Presence = &jobmanager.Presence{Owner: start, OwnerProtocol: test.protocol}
		if waiting := test.of.Waiting(afterLease); waiting == nil || waiting.Reason != test.want || waiting.Message == "" {
			t.Errorf("%s: it waits with %+v, want %s", name, waiting, test.want)
		}
	}
}
