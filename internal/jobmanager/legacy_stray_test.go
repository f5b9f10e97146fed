package jobmanager_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// evidenceOf is what a stale report of an agent names.
func evidenceOf(owner jobmanager.OwnerID, uid string) jobmanager.ResourceReport {
	return jobmanager.ResourceReport{UID: uid, Name: "web-ev" + string(owner)}
}

// seen is a workload as a sync shows it.
func seen(uid string) jobmanager.Stray {
	return jobmanager.Stray{UID: jobmanager.Text(uid), Name: "web-x7k2p", SeenAt: start.Add(time.Second)}
}

func TestStaleReportIsTheResourceOrAStray(t *testing.T) {
	t.Parallel()
	stopped := promoted(t)
	stopped.Stop(start)
	taken := unreported(t)
	mustPromote(t, taken, agentB, muchLater)
	open := job(createDeployment, jobmanager.Created, jobmanager.WorkloadNone)
	present := job(deleteDeployment, jobmanager.Created, jobmanager.WorkloadPresent)
	for name, test := range map[string]struct {
		of               *jobmanager.Job
		uid              string
		want             string
		resource, strays string
	}{
		"of the owner of a Delete that knew none": {stopped, "uid-9", "RESOURCE_REPORTED", "uid-9", ""},
		"of whom it was taken over from":          {taken, "uid-9", "STRAY_REPORTED", "", "uid-9*"},
		"while nobody has it":                     {open, "uid-9", "STRAY_REPORTED", "", "uid-9*"},
		"of a second workload":                    {present, "uid-9", "STRAY_REPORTED", "uid-1", "uid-9*"},
		"of the workload that is known":           {present, "uid-1", "", "uid-1", ""},
		"without a workload":                      {present, "", "", "uid-1", ""},
	} {
		j := *test.of
		events := j.Evidence(agentA, evidenceOf(agentA, test.uid), start)
		uid := ""
		if j.Resource != nil {
			uid = string(j.Resource.UID)
		}
		if words(events) != test.want || uid != test.resource || strays(&j) != test.strays {
			t.Errorf("%s: %s, resource %q, strays %q, want %s, %q, %q", name, words(events), uid, strays(&j), test.want, test.resource, test.strays)
		}
		if j.State != test.of.State || j.Epoch != test.of.Epoch || j.Owner != test.of.Owner || j.Workload != test.of.Workload {
			t.Errorf("%s: evidence changed the job", name)
		}
		before := j
		if again := j.Evidence(agentA, evidenceOf(agentA, test.uid), muchLater); len(again) > 0 || !cmp.Equal(before, j) {
			t.Errorf("%s: the same again tells %v and changes %s", name, told(again), cmp.Diff(before, j))
		}
	}
}

func TestEvidenceIsBounded(t *testing.T) {
	t.Parallel()
	const most = 16
	j := job(createDeployment, jobmanager.Finished, jobmanager.WorkloadPresent)
	tell := func(n int) []jobmanager.Event {
		return j.Evidence(agentB, evidenceOf(agentB, fmt.Sprintf("uid-b%d", n)), start)
	}
	for n := range most + 1 {
		tell(n)
	}
	if len(j.Strays) != most {
		t.Errorf("%d strays are kept", len(j.Strays))
	}
	if events := tell(most); len(events) > 0 {
		t.Errorf("what was told of a workload beyond the bound is told with each repetition: %v", told(events))
	}
}

func TestStraysAreRemovedOneByOneByTheirAgents(t *testing.T) {
	t.Parallel()
	j := job(createDeployment, jobmanager.Finished, jobmanager.WorkloadPresent)
	j.Evidence(agentB, evidenceOf(agentB, "uid-b"), start)
	j.Evidence(agentA, evidenceOf(agentA, "uid-a"), start)
	j.Stop(start)
	for _, next := range []struct {
		owner jobmanager.OwnerID
		uid   jobmanager.Text
	}{{agentA, "uid-1"}, {agentB, "uid-b"}, {agentA, "uid-a"}} {
		if j.Type != deleteDeployment || j.State != jobmanager.Created || j.Owner != next.owner || j.Resource == nil || j.Resource.UID != next.uid {
			t.Fatalf("it is %s/%s of %s with %+v, want a Delete of %s by %s", j.Type, j.State, j.Owner, j.Resource, next.uid, next.owner)
		}
		mustReport(t, j, workOf(next.owner, deleteDeployment, j.Epoch+1), start)
	}
	if j.State != jobmanager.Finished || j.Workload != jobmanager.WorkloadNone || j.Resource != nil || len(j.Strays) > 0 {
		t.Errorf("at the end it is %s/%s, %s, %+v, strays %q", j.Type, j.State, j.Workload, j.Resource, strays(j))
	}
}

func TestWorkloadReportedAfterItsDeleteIsRemovedToo(t *testing.T) {
	t.Parallel()
	j := job(deleteDeployment, jobmanager.Finished, jobmanager.WorkloadNone)
	epoch := j.Epoch
	events := j.Evidence(agentB, evidenceOf(agentB, "uid-b"), start)
	if got := words(events); got != "STRAY_REPORTED JOB_STOPPED RESOURCE_REPORTED" {
		t.Errorf("it tells %s", got)
	}
	if j.State != jobmanager.Created || j.Owner != agentB || j.Workload != jobmanager.WorkloadPresent || j.Resource.UID != "uid-b" || j.Epoch <= epoch {
		t.Errorf("it is %s/%s of %s at epoch %d with %+v", j.Type, j.State, j.Owner, j.Epoch, j.Resource)
	}
}

// TestStrayOfACreateOutlivesNoStop: nothing stands by the job's own work, and a stray does.
func TestStrayOfACreateOutlivesNoStop(t *testing.T) {
	t.Parallel()
	j := job(createDeployment, jobmanager.Created, jobmanager.WorkloadNone)
	j.Evidence(agentB, evidenceOf(agentB, "uid-b"), start)
	kept := *j
	if _, err := kept.Discard(start); jobmanager.CodeOf(err) != jobmanager.CodeWrongState {
		t.Errorf("the job may be deleted while its stray stands: %v", err)
	}
	group := scene{j: &kept}.group()
	if _, err := group.Delete(false, start); jobmanager.CodeOf(err) != jobmanager.CodeGroupNotStopped {
		t.Errorf("the group may be deleted while a stray stands: %v", err)
	}
	j.Stop(start)
	if j.State != jobmanager.Created || j.Owner != agentB || j.Resource == nil || j.Resource.UID != "uid-b" {
		t.Errorf("after the stop it is %s/%s of %q with %+v: nobody removes the stray", j.Type, j.State, j.Owner, j.Resource)
	}
}

func TestStrayOnAFormerTargetIsNotForgotten(t *testing.T) {
	t.Parallel()
	j := with(job(updateDeployment, jobmanager.Created, jobmanager.WorkloadPresent), leavesTarget)
	j.Evidence(agentB, evidenceOf(agentB, "uid-b"), start)
	mustReport(t, j, workOf(agentA, updateDeployment, j.Epoch+1), start)
	if j.Type != createDeployment || strays(j) != "uid-b*" {
		t.Errorf("after the move it is %s/%s with the strays %q", j.Type, j.State, strays(j))
	}
}

// TestStrayIsRemovedWhereItStands: not where its job is by now.
func TestStrayIsRemovedWhereItStands(t *testing.T) {
	t.Parallel()
	for name, to := range map[string]*jobmanager.Target{
		"another cluster":      target("c3"),
		"another orchestrator": {Cluster: "n1", Orchestrator: "nuvla"},
	} {
		j := with(job(updateDeployment, jobmanager.Created, jobmanager.WorkloadPresent), leavesTarget, func(j *jobmanager.Job) { j.Move.To = to })
		j.Evidence(agentA, evidenceOf(agentA, "uid-b"), start)
		mustReport(t, j, workOf(agentA, updateDeployment, j.Epoch+1), start)
		j.Stop(start)
		if clusterOf(j.Target) != "c1" || !j.Executable(lister(agentA), start) {
			t.Errorf("%s: it is %s/%s of %q on %s, its stray stands on c1", name, j.Type, j.State, j.Owner, clusterOf(j.Target))
		}
	}
}

// TestMistakenClaimIsGivenBack: the agent promoted what took the place of the work that it was listed.
func TestMistakenClaimIsGivenBack(t *testing.T) {
	t.Parallel()
	j := promoted(t)
	j.Stop(start)
	mustPromote(t, j, agentA, start) // it goes on with its list
	late := workOf(agentA, createDeployment, 5)
	if _, err := j.ReportWork(late, start); jobmanager.CodeOf(err) != jobmanager.CodeStaleOwner {
		t.Fatalf("its Create is taken for the Delete: %v", err)
	}
	j.Evidence(agentA, late.Resource, start)
	events, err := j.Mistaken(fence(agentA, 5), start)
	if err != nil || words(events) != "JOB_RELEASED" || !j.Executable(lister(agentA), start) || j.Attempt != 0 {
		t.Errorf("%v, %v: it is %s/%s of %s, attempt %d", err, told(events), j.Type, j.State, j.Owner, j.Attempt)
	}
	if j.Resource == nil || j.Resource.UID != "uid-a" || j.Owner != agentA {
		t.Errorf("%s is to remove %+v", j.Owner, j.Resource)
	}
	for name, test := range map[string]struct {
		of *jobmanager.Job
		f  jobmanager.Fence
	}{
		"a Create":                      {promoted(t), fence(agentA, 4)},
		"of somebody else":              {removals(t)["a Delete"], fence(agentB, 4)},
		"with the epoch of its claim":   {removals(t)["a Delete"], fence(agentA, 6)},
		"without an epoch":              {removals(t)["a Delete"], fence(agentA, 0)},
		"once its lease ran out":        {unconfirmed(t)["a Delete"], fence(agentA, 4)},
		"by an agent that never errs":   {job(deleteDeployment, jobmanager.Progressing, jobmanager.WorkloadPresent), fence(agentA, 3)},
		"that is in nobody's hands yet": {job(deleteDeployment, jobmanager.Created, jobmanager.WorkloadPresent), fence(agentA, 4)},
	} {
		before := *test.of
		if events, err := test.of.Mistaken(test.f, start); err != nil || len(events) > 0 || !cmp.Equal(before, *test.of) {
			t.Errorf("%s: %v, %v", name, err, told(events))
		}
	}
}

func TestNewLifeBeginsWithoutStrays(t *testing.T) {
	t.Parallel()
	ambiguous := func(t *testing.T) *jobmanager.Job {
		j := unreported(t)
		j.Recognize(seen("uid-x"), false, afterLease)
		return j
	}
	abandoned := ambiguous(t)
	abandoned.Abandon("its cluster is gone", afterLease)
	if len(abandoned.Strays) > 0 || abandoned.State != jobmanager.Finished {
		t.Errorf("abandoned it is %s with the strays %q", abandoned.State, strays(abandoned))
	}
	started := ambiguous(t)
	started.Stop(afterLease)
	started.Retry(afterLease) // without the candidates
	started.Recognize(seen("uid-y"), false, afterLease)
	mustPromoteAndEnd(t, started)
	component, match := web(nil), answer("c2")
	if _, err := (scene{j: started}).updateAt(muchLater, &component, &match, true); err != nil {
		t.Fatal(err)
	}
	if started.Type != createDeployment || len(started.Strays) > 0 {
		t.Errorf("started it is %s/%s with the strays %q", started.Type, started.State, strays(started))
	}
}

// mustPromoteAndEnd lets an admin go on without candidates and the owner do the work.
func mustPromoteAndEnd(t testing.TB, j *jobmanager.Job) {
	t.Helper()
	if j.Hold != "" {
		j.Hold, j.HoldMessage = "", "" // as a retry does, which would drop the candidates
	}
	mustPromote(t, j, j.Owner, muchLater)
	if _, err := j.Finish(held(j), jobmanager.ResourceReport{}, muchLater); err != nil {
		t.Fatal(err)
	}
}

// TestSecondWorkloadOfAnAttemptTakesNoneAway: a stale report named the first, and the attempt that ran reports another.
func TestSecondWorkloadOfAnAttemptTakesNoneAway(t *testing.T) {
	t.Parallel()
	j := unreported(t)
	mustPromote(t, j, agentA, muchLater)
	j.Evidence(agentA, evidenceOf(agentA, "uid-1st"), muchLater)
	second := workOf(agentA, createDeployment, j.Epoch)
	second.Resource.UID = "uid-2nd"
	mustReport(t, j, second, muchLater)
	if j.Resource.UID != "uid-2nd" || strays(j) != "uid-1st*" {
		t.Errorf("its resource is %s, its strays %q: the first workload would never be removed", j.Resource.UID, strays(j))
	}
}

// TestStaleReportOfWhatRanOutIsNotMadeAgain: the workload is known before anybody takes the Create over. Whether it has
// the newest manifests is not, so it is replaced.
func TestStaleReportOfWhatRanOutIsNotMadeAgain(t *testing.T) {
	t.Parallel()
	j := unreported(t)
	j.Evidence(agentA, evidenceOf(agentA, "uid-1st"), muchLater)
	if j.Type != jobmanager.ReplaceDeployment || j.Owner != agentA || j.Resource.UID != "uid-1st" || j.Workload != jobmanager.WorkloadPresent {
		t.Errorf("it is %s of %q with %+v", j.Type, j.Owner, j.Resource)
	}
}

// TestTakeoverKeepsWhatTheFormerAgentMade: who takes a Create over makes another workload, and the first is its agent's
// to remove.
func TestTakeoverKeepsWhatTheFormerAgentMade(t *testing.T) {
	t.Parallel()
	j := unreported(t)
	j.Resource = &jobmanager.Resource{ID: j.ResourceID(), JobID: j.ID, UID: "uid-of-a", Name: "web-aaaaa"}
	mustPromote(t, j, agentB, muchLater)
	second := workOf(agentB, createDeployment, j.Epoch)
	second.Resource.UID = "uid-of-b"
	mustReport(t, j, second, muchLater)
	if j.Resource.UID != "uid-of-b" || strays(j) != "uid-of-a*" || j.Strays[0].OwnerID != agentA {
		t.Errorf("its resource is %s, its strays are %+v", j.Resource.UID, j.Strays)
	}
}

func TestReportedWorkloadIsNoStrayAnyMore(t *testing.T) {
	t.Parallel()
	j := unreported(t)
	j.Recognize(seen("uid-a"), false, afterLease)
	j.Recognize(seen("uid-x"), false, afterLease)
	mustReport(t, j, workOf(agentA, createDeployment, 5), muchLater) // late, and nobody has claimed since
	if j.State != jobmanager.Finished || j.Hold != "" || j.Resource.UID != "uid-a" {
		t.Fatalf("it is %s, held by %q, with %+v", j.State, j.Hold, j.Resource)
	}
	if len(j.Strays) > 0 {
		t.Errorf("it is decided which workload is its own, and %q still may be", strays(j))
	}
	j.Stop(muchLater)
	if j.Hold != "" {
		t.Errorf("stopped afterwards it is held by %q", j.Hold)
	}
}

// TestDismissedWorkloadMayBeOfOlderManifests: it was made by an attempt before the newest one.
func TestDismissedWorkloadMayBeOfOlderManifests(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*jobmanager.Job){
		"while the newest attempt runs": func(*jobmanager.Job) {},
		"after it failed":               func(j *jobmanager.Job) { mustFail(t, j, muchLater) },
	} {
		j := unreported(t)
		j.Recognize(seen("uid-x"), false, afterLease)
		j.Retry(afterLease)
		mustPromote(t, j, agentA, muchLater)
		end(j)
		if _, err := j.Adopt("uid-x", muchLater); err != nil || j.Type != replaceDeployment || j.Owner != agentA {
			t.Errorf("%s: %v: it is %s/%s of %s", name, err, j.Type, j.State, j.Owner)
		}
	}
}
