package jobmanager_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

func TestReassignedWorkIsTheNewAgents(t *testing.T) {
	t.Parallel()
	for _, situation := range situations() {
		j := situation.make()
		before := *j
		former := held(j)
		events := j.Reassign(agentA, agentB, life(), start)
		if before.Owner != agentA && before.Reservation.OwnerID != agentA {
			if len(events) != 0 || !cmp.Equal(before, *j) {
				t.Errorf("%s: a job of somebody else changed: %v", situation.name, told(events))
			}
			continue
		}
		if j.Epoch <= before.Epoch || j.Owner == agentA || j.Reservation.OwnerID == agentA {
			t.Errorf("%s: it is still a's: %+v", situation.name, j)
		}
		if _, err := j.Finish(former, jobmanager.ResourceReport{}, start); err != nil && jobmanager.CodeOf(err) != jobmanager.CodeStaleOwner {
			t.Errorf("%s: what a reports afterwards: %v", situation.name, err)
		}
		if _, err := j.ReportResource(former, jobmanager.ResourceReport{}, start); before.Owner == agentA && jobmanager.CodeOf(err) != jobmanager.CodeStaleOwner {
			t.Errorf("%s: what a says of the resource afterwards: %v", situation.name, err)
		}
		if events := j.Reassign(agentA, agentB, life(), start); len(events) != 0 {
			t.Errorf("%s: the second time it told %v", situation.name, told(events))
		}
		if j.State != jobmanager.Finished && j.Hold == "" && claimers(j, start) != "b" {
			t.Errorf("%s: %q may claim it, want b", situation.name, claimers(j, start))
		}
	}
}

func TestHandedOutJobIsReassignedToo(t *testing.T) {
	t.Parallel()
	j := with(job(createDeployment, jobmanager.Created, jobmanager.WorkloadNone), handedOut(agentA, time.Minute))
	if events := j.Reassign(agentA, agentB, life(), start); len(events) != 1 || claimers(j, start) != "b" {
		t.Errorf("%v, %q may claim it", told(events), claimers(j, start))
	}
	if claimers(j, start.Add(life().HandOut)) != "ab" {
		t.Error("a Create that the new agent leaves alone is not open to all")
	}
}

func TestReassignedOwnerMaySpeakOfTheResource(t *testing.T) {
	t.Parallel()
	j := job(createDeployment, jobmanager.Finished, jobmanager.WorkloadPresent)
	j.Reassign(agentA, agentB, life(), start)
	if _, err := j.ReportResource(fence(agentB, j.Epoch), available(jobmanager.StatusTrue, nil), start); err != nil {
		t.Error(err)
	}
	if _, err := j.ReportResource(fence(agentB, j.Epoch-1), available(jobmanager.StatusTrue, nil), start); jobmanager.CodeOf(err) != jobmanager.CodeStaleOwner {
		t.Errorf("with an epoch that was never b's: %v", err)
	}
}

func TestAbandonedJobIsAFinishedDelete(t *testing.T) {
	t.Parallel()
	for _, situation := range situations() {
		j := situation.make()
		wasGone := j.Type == deleteDeployment && j.State == jobmanager.Finished
		events := j.Abandon("its cluster is gone", start)
		switch {
		case wasGone:
			if len(events) != 0 {
				t.Errorf("%s: %v", situation.name, told(events))
			}
		case j.Deleted: // its component had left the descriptor
		case j.Type == createDeployment: // its component had come back
			if j.State != jobmanager.Created || clusterOf(j.Target) == "c1" {
				t.Errorf("%s: it came back as %s on %+v", situation.name, j.State, j.Target)
			}
		case j.Type != deleteDeployment || j.State != jobmanager.Finished || j.Workload != jobmanager.WorkloadNone || j.Owner != "" || j.Resource != nil:
			t.Errorf("%s: it is %+v", situation.name, j)
		}
		if over := *j; over.Type == deleteDeployment && len(j.Abandon("again", start)) != 0 {
			t.Errorf("%s: it is given up a second time", situation.name)
		}
	}
}

func TestRetryBeginsAnew(t *testing.T) {
	t.Parallel()
	for _, kind := range []jobmanager.JobType{createDeployment, updateDeployment, replaceDeployment, deleteDeployment} {
		j := with(job(kind, jobmanager.Degraded, jobmanager.WorkloadMaybe), exhausted)
		owner := agentA
		if kind == createDeployment {
			owner = ""
		}
		events := j.Retry(start)
		if len(events) != 1 || j.State != jobmanager.Created || j.Attempt != 0 || j.Hold != "" || j.Owner != owner || j.Epoch != 4 || j.Generation != 2 {
			t.Errorf("%s: %+v", kind, j)
		}
		if again := j.Retry(start); len(again) != 0 {
			t.Errorf("%s: the second time it told %v", kind, told(again))
		}
	}
}

func TestRetryKeepsTheHandOut(t *testing.T) {
	t.Parallel()
	j := with(job(createDeployment, jobmanager.Degraded, jobmanager.WorkloadMaybe), handedOut(agentB, time.Minute))
	j.Retry(start)
	if claimers(j, start) != "b" {
		t.Errorf("%q may claim what b may be executing", claimers(j, start))
	}
}

func TestOnlyWhatDoesNotStandIsDeleted(t *testing.T) {
	t.Parallel()
	for _, situation := range situations() {
		j := situation.make()
		safe := j.Workload == jobmanager.WorkloadNone && strays(j) == "" && !j.Reservation.HeldAt(start) && (j.Type != deleteDeployment || j.State == jobmanager.Finished)
		events, err := j.Discard(start)
		if safe != (err == nil) || safe != j.Deleted || safe != (len(events) > 0) {
			t.Errorf("%s: %v, %v", situation.name, told(events), err)
		}
		if err != nil && jobmanager.CodeOf(err) != jobmanager.CodeWrongState {
			t.Errorf("%s: %v", situation.name, err)
		}
	}
}
