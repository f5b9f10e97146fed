package jobmanager_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

func TestGeneratedNamesTellTheirComponent(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"web-x7k2p": "web", "web-api-00000": "web-api", "web-": "", "web": "", "": "", "-abcde": "", "web-abcd": "", "web-abcdef": "",
		"web-ABCDE": "", "web-ab.de": "", "web-abcdé": "", "webxabcde": "", "web--abcde": "web-", "w-abcde": "w",
	} {
		if got := jobmanager.GeneratedFor(name); got != want {
			t.Errorf("%q was made for %q, want %q", name, got, want)
		}
	}
}

func TestOnlyWhatAnUnreportedAttemptMayHaveLeftFits(t *testing.T) {
	t.Parallel()
	type change = func(*jobmanager.Job)
	stop := func(j *jobmanager.Job) { j.Stop(afterLease) }
	expire := func(j *jobmanager.Job) { j.Expire(life(), afterLease) }
	none := func(*jobmanager.Job) {}
	for name, test := range map[string]struct {
		change       change
		client, name string
		after        time.Duration
		want         bool
	}{
		"an open attempt":                       {none, clientA, "web-x7k2p", 1, true},
		"one that ran out":                      {expire, clientA, "web-x7k2p", 1, true},
		"one that ran out and is retried":       {func(j *jobmanager.Job) { j.Attempt = 5; expire(j); j.Retry(afterLease) }, clientA, "web-x7k2p", 1, true},
		"another client's":                      {none, clientB, "web-x7k2p", 1, false},
		"no client's":                           {none, "", "web-x7k2p", 1, false},
		"another component's":                   {none, clientA, "api-x7k2p", 1, false},
		"a longer component's":                  {none, clientA, "web-api-x7k2p", 1, false},
		"the component's bare name":             {none, clientA, "web", 1, false},
		"seen as it was claimed":                {none, clientA, "web-x7k2p", 0, true},
		"seen before it was claimed":            {none, clientA, "web-x7k2p", -1, false},
		"one that failed":                       {func(j *jobmanager.Job) { _, _ = j.Fail(held(j), "broke", life(), start) }, clientA, "web-x7k2p", 1, false},
		"one that was released":                 {func(j *jobmanager.Job) { _, _ = j.Release(held(j), start) }, clientA, "web-x7k2p", 1, false},
		"one that reported":                     {func(j *jobmanager.Job) { _, _ = j.Finish(held(j), jobmanager.ResourceReport{}, start) }, clientA, "web-x7k2p", 1, false},
		"one whose workload has a uid":          {func(j *jobmanager.Job) { expire(j); j.Evidence(agentA, evidenceOf(agentA, "u"), start) }, clientA, "web-x7k2p", 1, false},
		"one that was stopped":                  {stop, clientA, "web-x7k2p", 1, true},
		"one that ran out and was stopped":      {func(j *jobmanager.Job) { expire(j); stop(j) }, clientA, "web-x7k2p", 1, true},
		"one that was stopped and is removed":   {func(j *jobmanager.Job) { stop(j); mustPromote(t, j, agentA, afterLease) }, clientA, "web-x7k2p", time.Hour, true},
		"one that was stopped and was removed":  {func(j *jobmanager.Job) { stop(j); mustPromoteAndEnd(t, j) }, clientA, "web-x7k2p", 2 * time.Hour, false},
		"one that was abandoned":                {func(j *jobmanager.Job) { j.Abandon("gone", start) }, clientA, "web-x7k2p", 1, false},
		"another's that it was taken over from": {func(j *jobmanager.Job) { expire(j); mustPromote(t, j, agentB, muchLater) }, clientA, "web-x7k2p", 1, false},
	} {
		j := promoted(t)
		test.change(j)
		if got := j.Fits(test.client, test.name, start.Add(test.after)); got != test.want {
			t.Errorf("%s: fits is %t, want %t", name, got, test.want)
		}
	}
	update := job(updateDeployment, jobmanager.Created, jobmanager.WorkloadPresent)
	mustPromote(t, update, agentA, start)
	if update.Fits(clientA, "web-x7k2p", muchLater) {
		t.Error("an Update adopts a workload")
	}
}

// TestLostReportIsAdopted: alone finishes the attempt, as its agent's report would have.
func TestLostReportIsAdopted(t *testing.T) {
	t.Parallel()
	for name, of := range map[string]func(testing.TB) *jobmanager.Job{
		"while it runs": promoted, "after its lease ran out": unreported,
		"after its attempts were exhausted": func(t testing.TB) *jobmanager.Job {
			j := promoted(t)
			j.Attempt = life().MaxAttempts
			j.Expire(life(), afterLease)
			return j
		},
	} {
		j := of(t)
		epoch := j.Epoch
		events := j.Recognize(seen("uid-x"), true, afterLease)
		if got := words(events); got != "JOB_FINISHED RESOURCE_REPORTED" {
			t.Errorf("%s: it tells %s", name, got)
		}
		if j.State != jobmanager.Finished || j.Workload != jobmanager.WorkloadPresent || j.Owner != agentA || j.Resource.UID != "uid-x" ||
			j.Resource.Name != "web-x7k2p" || j.Hold != "" || j.Epoch != epoch || !j.Last.Ended(jobmanager.OutcomeFinished) {
			t.Errorf("%s: it is %s of %q at epoch %d with %+v, held by %q", name, j.State, j.Owner, j.Epoch, j.Resource, j.Hold)
		}
		late := workOf(agentA, createDeployment, epoch)
		late.Resource.UID = "uid-x"
		if events, err := j.ReportWork(late, muchLater); err != nil || len(events) > 0 {
			t.Errorf("%s: the report that comes yet: %v, %v", name, told(events), err)
		}
		if again := j.Recognize(seen("uid-x"), true, muchLater); len(again) > 0 {
			t.Errorf("%s: seen again it tells %v", name, told(again))
		}
	}
}

func TestAdoptedWorkloadOfARetriedJobFencesWhoMayHaveIt(t *testing.T) {
	t.Parallel()
	j := promoted(t)
	j.Attempt = life().MaxAttempts
	j.Expire(life(), afterLease)
	j.Retry(afterLease)
	j.HandOut(lister(agentB), life(), afterLease)
	epoch := j.Epoch
	j.Recognize(seen("uid-x"), true, afterLease)
	if j.State != jobmanager.Finished || j.Owner != agentA || j.Epoch <= epoch {
		t.Fatalf("it is %s of %q at epoch %d, was %d", j.State, j.Owner, j.Epoch, epoch)
	}
	if _, err := j.ReportWork(workOf(agentB, createDeployment, epoch+1), afterLease); jobmanager.CodeOf(err) != jobmanager.CodeStaleOwner {
		t.Errorf("b, that it was handed out to, reports: %v", err)
	}
}

func TestAdoptedWorkloadOfOlderManifestsIsReplaced(t *testing.T) {
	t.Parallel()
	for name, tell := range map[string]func(*testing.T) *jobmanager.Job{
		"while it runs": func(t *testing.T) *jobmanager.Job {
			j := promoted(t)
			mustUpdate(t, j, web(newManifests))
			return j
		},
		"its lease ran out before the update": func(t *testing.T) *jobmanager.Job {
			j := unreported(t)
			mustUpdate(t, j, web(newManifests))
			return j
		},
		"its lease ran out after the update": func(t *testing.T) *jobmanager.Job {
			j := promoted(t)
			mustUpdate(t, j, web(newManifests))
			j.Expire(life(), afterLease)
			return j
		},
	} {
		j := tell(t)
		if !j.Fits(clientA, "web-x7k2p", start.Add(time.Second)) {
			t.Errorf("%s: what stands does not fit, and a second one would be made", name)
			continue
		}
		j.Recognize(seen("uid-x"), true, afterLease)
		if j.Type != replaceDeployment || j.Owner != agentA || j.Resource == nil || j.Resource.UID != "uid-x" {
			t.Errorf("%s: it is %s/%s, and the older manifests run", name, j.Type, j.State)
		}
	}
}

// TestDoubtAdoptsNothing: the job waits for an admin, and is offered to nobody.
func TestDoubtAdoptsNothing(t *testing.T) {
	t.Parallel()
	second := unreported(t)
	mustPromote(t, second, agentA, muchLater)
	candidate := unreported(t)
	candidate.Recognize(seen("uid-w"), false, afterLease)
	for name, test := range map[string]struct {
		of    *jobmanager.Job
		alone bool
	}{
		"it may be another job's":          {promoted(t), false},
		"it may be a former attempt's":     {second, true},
		"another one may be the job's own": {candidate, true},
	} {
		j := test.of
		events := j.Recognize(seen("uid-x"), test.alone, muchLater)
		if got := words(events); got != "STRAY_REPORTED" {
			t.Errorf("%s: it tells %s", name, got)
		}
		if last := events[len(events)-1].Job; last.Hold != jobmanager.HoldAmbiguousWorkload {
			t.Errorf("%s: who follows the events believes that it is held by %q", name, last.Hold)
		}
		waiting := j.Waiting(muchLater)
		if j.State == jobmanager.Finished || j.Resource != nil || waiting.Reason != "AmbiguousWorkload" || !strings.Contains(waiting.Message, "uid-x") {
			t.Errorf("%s: it is %s with %+v and waits with %+v", name, j.State, j.Resource, waiting)
		}
		for _, owner := range []jobmanager.OwnerID{agentA, agentB} {
			if j.Executable(lister(owner), muchLater.Add(time.Hour)) {
				t.Errorf("%s: %s may claim it", name, owner)
			}
		}
	}
}

// TestOnlyAnAdminEndsADoubt: no other verb offers the job while it is not known which workload is its own.
func TestOnlyAnAdminEndsADoubt(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(*testing.T, *jobmanager.Job){
		"its lease runs out": func(_ *testing.T, j *jobmanager.Job) { j.Expire(life(), muchLater) },
		"new manifests":      func(t *testing.T, j *jobmanager.Job) { mustUpdate(t, j, web(newManifests)) },
		"a stop":             func(_ *testing.T, j *jobmanager.Job) { j.Stop(muchLater) },
		"reassigned":         func(_ *testing.T, j *jobmanager.Job) { j.Reassign(agentA, agentB, life(), muchLater) },
		"other requirements": func(t *testing.T, j *jobmanager.Job) {
			component, match := web(newRequirements), answer("c2")
			if _, err := (scene{j: j}).updateAt(muchLater, &component, &match, false); err != nil {
				t.Fatal(err)
			}
		},
	} {
		for lease, of := range map[string]func(testing.TB) *jobmanager.Job{"under a lease": promoted, "its lease over": unreported} {
			j := of(t)
			j.Recognize(seen("uid-x"), false, afterLease)
			do(t, j)
			if j.Hold != jobmanager.HoldAmbiguousWorkload || strays(j) != "uid-x" {
				t.Errorf("%s, %s: it is %s/%s, held by %q, candidates %q", name, lease, j.Type, j.State, j.Hold, strays(j))
			}
		}
	}
}

func TestRetryGoesOnWithoutTheCandidates(t *testing.T) {
	t.Parallel()
	for name, of := range map[string]func(testing.TB) *jobmanager.Job{"under a lease": promoted, "its lease over": unreported} {
		j := of(t)
		j.Recognize(seen("uid-x"), false, afterLease.Add(-time.Second))
		j.Evidence(agentB, evidenceOf(agentB, "uid-b"), afterLease.Add(-time.Second))
		lease, epoch := j.Lease, j.Epoch
		if got := words(j.Retry(afterLease)); got != "JOB_RETRIED" || j.Hold != "" || strays(j) != "uid-x! uid-b*" || j.Lease != lease || j.Epoch != epoch {
			t.Errorf("%s: %s, held by %q, strays %q, lease %+v", name, got, j.Hold, strays(j), j.Lease)
		}
		if lease == nil && !j.Executable(lister(agentB), muchLater) {
			t.Errorf("%s: b may not claim it: it is %s/%s of %q", name, j.Type, j.State, j.Owner)
		}
		if again := j.Retry(afterLease); len(again) > 0 {
			t.Errorf("%s: again it tells %v", name, told(again))
		}
	}
}

func TestAdminSaysWhichWorkloadIsItsOwn(t *testing.T) {
	t.Parallel()
	under := promoted(t)
	over := unreported(t)
	other := promoted(t)
	taken := unreported(t)
	for _, j := range []*jobmanager.Job{under, over} {
		j.Recognize(seen("uid-x"), false, afterLease)
		j.Recognize(seen("uid-y"), false, afterLease)
	}
	other.Evidence(agentB, evidenceOf(agentB, "uid-x"), afterLease)
	mustPromote(t, taken, agentB, muchLater)
	taken.Evidence(agentA, evidenceOf(agentA, "uid-x"), muchLater)
	for name, test := range map[string]struct {
		of     *jobmanager.Job
		owner  jobmanager.OwnerID
		fenced bool
		want   string
	}{
		"its own attempt's, under its lease": {under, agentA, false, "JOB_FINISHED RESOURCE_REPORTED"},
		"its own attempt's, its lease over":  {over, agentA, false, "JOB_FINISHED RESOURCE_REPORTED"},
		// What was reported too late may have been made of older manifests.
		"another agent's, while the owner works": {other, agentB, true, "JOB_FINISHED RESOURCE_REPORTED JOB_UPDATED"},
		"a former owner's":                       {taken, agentA, true, "JOB_FINISHED RESOURCE_REPORTED JOB_UPDATED"},
	} {
		j := test.of
		epoch, former := j.Epoch, held(j)
		events, err := j.Adopt("uid-x", muchLater)
		if err != nil || words(events) != test.want || events[0].Job.State != jobmanager.Finished {
			t.Errorf("%s: %v, %v", name, err, told(events))
			continue
		}
		if done := j.Type == createDeployment; done != (j.State == jobmanager.Finished) || done == test.fenced || j.Owner != test.owner || j.Resource.UID != "uid-x" || j.Workload != jobmanager.WorkloadPresent || j.Lease != nil {
			t.Errorf("%s: it is %s/%s of %s with %+v", name, j.Type, j.State, j.Owner, j.Resource)
		}
		if (j.Epoch > epoch) != test.fenced {
			t.Errorf("%s: the epoch went from %d to %d", name, epoch, j.Epoch)
		}
		if _, err := j.Finish(former, jobmanager.ResourceReport{}, muchLater); test.fenced && jobmanager.CodeOf(err) != jobmanager.CodeStaleOwner {
			t.Errorf("%s: who was at it reports: %v", name, err)
		}
		if again, err := j.Adopt("uid-x", muchLater); err != nil || len(again) > 0 {
			t.Errorf("%s: again: %v, %v", name, told(again), err)
		}
	}
}

func TestAdminAdoptsNothingElse(t *testing.T) {
	t.Parallel()
	withStray := func(j *jobmanager.Job) *jobmanager.Job {
		j.Strays = []jobmanager.Stray{{UID: "uid-x", Name: "web-x7k2p", OwnerID: agentA}}
		return j
	}
	const none, present = jobmanager.WorkloadNone, jobmanager.WorkloadPresent
	for name, test := range map[string]struct {
		of   *jobmanager.Job
		uid  string
		want jobmanager.Code
	}{
		"nothing":                     {withStray(job(createDeployment, jobmanager.Created, none)), "", jobmanager.CodeInvalid},
		"what is none of the strays":  {withStray(job(createDeployment, jobmanager.Created, none)), "uid-z", jobmanager.CodeInvalid},
		"for a job that is done":      {withStray(job(createDeployment, jobmanager.Finished, present)), "uid-x", jobmanager.CodeWrongState},
		"for a Delete that is done":   {withStray(job(deleteDeployment, jobmanager.Finished, none)), "uid-x", jobmanager.CodeWrongState},
		"for an Update":               {withStray(job(updateDeployment, jobmanager.Created, present)), "uid-x", jobmanager.CodeWrongState},
		"for a Replace":               {withStray(job(replaceDeployment, jobmanager.Created, present)), "uid-x", jobmanager.CodeWrongState},
		"nothing for a bare resource": {with(job(createDeployment, jobmanager.Progressing, present), func(j *jobmanager.Job) { j.Resource.UID = "" }), "", jobmanager.CodeInvalid},
	} {
		before := *test.of
		events, err := test.of.Adopt(test.uid, start)
		if jobmanager.CodeOf(err) != test.want || len(events) > 0 || !cmp.Equal(before, *test.of) {
			t.Errorf("%s: %v, %v, %s", name, err, told(events), cmp.Diff(before, *test.of))
		}
	}
}

// TestAdoptionForgetsNoKnownWorkload: what was known to be the job's stays known, or the adoption is refused.
func TestAdoptionForgetsNoKnownWorkload(t *testing.T) {
	t.Parallel()
	for name, of := range map[string]*jobmanager.Job{
		"a Delete": job(deleteDeployment, jobmanager.Created, jobmanager.WorkloadPresent),
		"a Create": job(createDeployment, jobmanager.Progressing, jobmanager.WorkloadPresent),
	} {
		of.Evidence(agentB, evidenceOf(agentB, "uid-b"), start)
		_, err := of.Adopt("uid-b", start)
		if err == nil && strays(of) != "uid-1*" || err != nil && jobmanager.CodeOf(err) != jobmanager.CodeWrongState {
			t.Errorf("%s: %v, its resource is %s, its strays %q: nobody would remove uid-1", name, err, of.Resource.UID, strays(of))
		}
	}
}

func TestStopDuringADoubtWaitsForAnAdminAndGoesOn(t *testing.T) {
	t.Parallel()
	ambiguous := func() *jobmanager.Job {
		j := unreported(t)
		j.Recognize(seen("uid-x"), false, afterLease)
		j.Stop(afterLease)
		return j
	}
	j := ambiguous()
	if j.Type != deleteDeployment || j.Hold != jobmanager.HoldAmbiguousWorkload || j.Executable(lister(agentA), muchLater) {
		t.Fatalf("stopped it is %s/%s, held by %q", j.Type, j.State, j.Hold)
	}
	events, err := j.Adopt("uid-x", muchLater)
	if err != nil || words(events) != "JOB_STOPPED RESOURCE_REPORTED" || j.State != jobmanager.Created || j.Resource.UID != "uid-x" || !j.Executable(lister(agentA), muchLater) {
		t.Errorf("adopted: %v, %v: %s/%s of %s with %+v", err, told(events), j.Type, j.State, j.Owner, j.Resource)
	}
	j = ambiguous()
	j.Retry(muchLater)
	if j.Type != deleteDeployment || j.State != jobmanager.Created || !j.Executable(lister(agentA), muchLater) || strays(j) != "uid-x!" {
		t.Errorf("retried it is %s/%s of %s, held by %q", j.Type, j.State, j.Owner, j.Hold)
	}
	j = promoted(t)
	j.Stop(start.Add(time.Minute))
	if got := words(j.Recognize(seen("uid-x"), true, afterLease)); got != "RESOURCE_REPORTED" || j.Type != deleteDeployment || j.Resource.UID != "uid-x" || j.Hold != "" {
		t.Errorf("a Delete that recognizes what it is to remove tells %s, is %s/%s with %+v", got, j.Type, j.State, j.Resource)
	}
}
