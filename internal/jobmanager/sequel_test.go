package jobmanager_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// TestWhatWaitedFollows plays what ends an attempt on a job for which something waits. The weightiest comes first: a
// move, newer manifests, a remediation.
func TestWhatWaitedFollows(t *testing.T) {
	t.Parallel()
	finish := func(t *testing.T, j *jobmanager.Job) []jobmanager.Event { return mustFinish(t, j, start) }
	fail := func(t *testing.T, j *jobmanager.Job) []jobmanager.Event { return mustFail(t, j, start) }
	expire := func(_ *testing.T, j *jobmanager.Job) []jobmanager.Event {
		return j.Expire(life(), start.Add(time.Minute))
	}
	release := func(t *testing.T, j *jobmanager.Job) []jobmanager.Event {
		events, err := j.Release(held(j), start)
		if err != nil {
			t.Fatal(err)
		}
		return events
	}
	type end func(*testing.T, *jobmanager.Job) []jobmanager.Event
	const create, update, replace = createDeployment, updateDeployment, replaceDeployment
	tests := map[string]struct {
		kind  jobmanager.JobType
		waits []func(*jobmanager.Job)
		end   end
		want  string // type, sub-type, state and owner
		told  []string
	}{
		"finish, nothing waits": {create, nil, finish, "CREATE_DEPLOYMENT/FINISHED a", []string{"JOB_FINISHED", "RESOURCE_REPORTED"}},
		"finish, outdated": {create, change(outdated), finish, "REPLACE_DEPLOYMENT/CREATED a",
			[]string{"JOB_FINISHED", "RESOURCE_REPORTED", "JOB_UPDATED"}},
		"finish, queued": {create, change(queued), finish, "UPDATE_DEPLOYMENT scale-out/CREATED a",
			[]string{"JOB_FINISHED", "RESOURCE_REPORTED", "JOB_REMEDIATED(STARTED)"}},
		"finish, outdated and queued": {create, change(outdated, queued), finish, "REPLACE_DEPLOYMENT/CREATED a",
			[]string{"JOB_FINISHED", "RESOURCE_REPORTED", "REMEDIATION_CHANGED(DROPPED)", "JOB_UPDATED"}},
		"finish, all at once": {create, change(moves(""), outdated, queued), finish, "UPDATE_DEPLOYMENT reallocation/CREATED a",
			[]string{"JOB_FINISHED", "RESOURCE_REPORTED", "REMEDIATION_CHANGED(DROPPED)", "JOB_REALLOCATED"}},
		"finish of a move": {update, change(leavesTarget, queued), finish, "CREATE_DEPLOYMENT/CREATED ",
			[]string{"JOB_FINISHED", "REMEDIATION_CHANGED(FINISHED)", "REMEDIATION_CHANGED(DROPPED)", "JOB_REALLOCATED"}},
		"failure, nothing waits": {create, nil, fail, "CREATE_DEPLOYMENT/DEGRADED a", []string{"JOB_FAILED"}},
		"failure of a Create, outdated": {create, change(outdated), fail, "CREATE_DEPLOYMENT/CREATED ",
			[]string{"JOB_FAILED", "JOB_UPDATED"}},
		"failure of an Update, outdated": {update, change(outdated), fail, "REPLACE_DEPLOYMENT/CREATED a",
			[]string{"JOB_FAILED", "REMEDIATION_CHANGED(SUPERSEDED)", "JOB_UPDATED"}},
		"failure of an Update, queued": {update, change(queued), fail, "UPDATE_DEPLOYMENT scale-out/CREATED a",
			[]string{"JOB_FAILED", "REMEDIATION_CHANGED(FAILED)", "JOB_REMEDIATED(STARTED)"}},
		"failure of a Create, queued":  {create, change(queued), fail, "CREATE_DEPLOYMENT/DEGRADED a", []string{"JOB_FAILED"}},
		"failure of a Replace, queued": {replace, change(queued), fail, "REPLACE_DEPLOYMENT/DEGRADED a", []string{"JOB_FAILED"}},
		"failure, move chosen": {replace, change(moves("")), fail, "UPDATE_DEPLOYMENT reallocation/CREATED a",
			[]string{"JOB_FAILED", "JOB_REALLOCATED"}},
		"expiry, nothing waits": {create, nil, expire, "CREATE_DEPLOYMENT/PROGRESSING a", []string{"JOB_LEASE_EXPIRED"}},
		"expiry of a Create, outdated": {create, change(outdated), expire, "CREATE_DEPLOYMENT/CREATED ",
			[]string{"JOB_LEASE_EXPIRED", "JOB_UPDATED"}},
		"expiry of a Replace, outdated": {replace, change(outdated), expire, "REPLACE_DEPLOYMENT/CREATED a",
			[]string{"JOB_LEASE_EXPIRED", "JOB_UPDATED"}},
		"expiry of an Update, queued: it may have been done": {update, change(queued), expire, "UPDATE_DEPLOYMENT scale-up/PROGRESSING a",
			[]string{"JOB_LEASE_EXPIRED"}},
		"expiry of a Create, move chosen: another agent may take it over": {create, change(moves("")), expire, "CREATE_DEPLOYMENT/PROGRESSING a",
			[]string{"JOB_LEASE_EXPIRED"}},
		"last expiry of a Create, move chosen": {create, change(moves(""), lastAttempt), expire, "UPDATE_DEPLOYMENT reallocation/CREATED a",
			[]string{"JOB_LEASE_EXPIRED", "JOB_REALLOCATED"}},
		"expiry of an Update, move chosen": {update, change(moves(queueID)), expire, "UPDATE_DEPLOYMENT reallocation/CREATED a",
			[]string{"JOB_LEASE_EXPIRED", "REMEDIATION_CHANGED(SUPERSEDED)", "JOB_REALLOCATED(STARTED)"}},
		"release of a Create, outdated": {create, change(outdated), release, "CREATE_DEPLOYMENT/CREATED ",
			[]string{"JOB_RELEASED", "JOB_UPDATED"}},
		"release of a Create, queued": {create, change(queued), release, "CREATE_DEPLOYMENT/CREATED ",
			[]string{"JOB_RELEASED", "REMEDIATION_CHANGED(DROPPED)"}},
		"release of a Create, to move by policy": {create, change(toMove(causeID)), release, "CREATE_DEPLOYMENT/CREATED ",
			[]string{"JOB_RELEASED", "REMEDIATION_CHANGED(DROPPED)"}},
		"release of a Create, move chosen by policy": {create, change(moves(causeID), queued), release, "CREATE_DEPLOYMENT/CREATED ",
			[]string{"JOB_RELEASED", "REMEDIATION_CHANGED(DROPPED)", "JOB_REALLOCATED", "REMEDIATION_CHANGED(FINISHED)"}},
		"release of an Update, queued": {update, change(queued), release, "UPDATE_DEPLOYMENT scale-out/CREATED a",
			[]string{"JOB_RELEASED", "REMEDIATION_CHANGED(SUPERSEDED)", "JOB_REMEDIATED(STARTED)"}},
		"release of a Replace, outdated": {replace, change(outdated), release, "REPLACE_DEPLOYMENT/CREATED a",
			[]string{"JOB_RELEASED", "JOB_UPDATED"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := with(job(test.kind, jobmanager.Progressing, jobmanager.WorkloadMaybe), test.waits...)
			events := test.end(t, j)
			got := string(j.Type)
			if j.SubType != "" {
				got += " " + string(j.SubType)
			}
			got += "/" + string(j.State) + " " + string(j.Owner)
			if got != test.want {
				t.Errorf("it is %s, want %s", got, test.want)
			}
			if diff := cmp.Diff(test.told, told(events)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// change lists what is special about a job.
func change(changes ...func(*jobmanager.Job)) []func(*jobmanager.Job) { return changes }

func TestLateReportsOfAReplacedAttemptAreFenced(t *testing.T) {
	t.Parallel()
	for _, kind := range []jobmanager.JobType{createDeployment, updateDeployment, replaceDeployment} {
		j := with(job(kind, jobmanager.Progressing, jobmanager.WorkloadMaybe), outdated)
		former := held(j)
		j.Expire(life(), start.Add(time.Minute))
		_, err := j.Finish(former, jobmanager.ResourceReport{}, start.Add(time.Minute))
		if jobmanager.CodeOf(err) != jobmanager.CodeStaleOwner {
			t.Errorf("%s: a late report of what was done with older manifests: %v", kind, err)
		}
	}
}

func TestLateReleaseAfterARetryCountsNoAttemptBelowZero(t *testing.T) {
	t.Parallel()
	j := with(job(updateDeployment, jobmanager.Degraded, jobmanager.WorkloadPresent), leaseOver, exhausted)
	j.Retry(start)
	if _, err := j.Release(held(j), start); err != nil || j.Attempt != 0 {
		t.Errorf("%v, %d attempts", err, j.Attempt)
	}
}

func TestFinishedWorkIsHandedOutToNobody(t *testing.T) {
	t.Parallel()
	j := with(job(createDeployment, jobmanager.Progressing, jobmanager.WorkloadMaybe), leaseOver, handedOut(agentB, time.Minute))
	mustFinish(t, j, start) // late, by a
	if j.Reservation.HeldAt(start) {
		t.Errorf("it is handed out as %+v", j.Reservation)
	}
	if answer, _ := j.Remediate(incompliance(newID, "scale-up"), life(), start); answer.Outcome != jobmanager.RemediationStarted {
		t.Errorf("an incompliance is %s: %s", answer.Outcome, answer.Reason)
	}
}

func TestADeleteNeedsNoManifests(t *testing.T) {
	t.Parallel()
	component := web(noManifests)
	j := job(createDeployment, jobmanager.Finished, jobmanager.WorkloadPresent)
	mustUpdate(t, j, component)
	if waiting := j.Waiting(start); waiting.Reason != "NoManifests" || j.Executable(agent(agentA), start) {
		t.Errorf("a Replace without manifests waits with %+v", waiting)
	}
	j.Stop(start)
	if !j.Executable(agent(agentA), start) {
		t.Errorf("nobody removes what stands: %+v", j.Waiting(start))
	}
}
