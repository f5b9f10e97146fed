package jobmanager_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// The clients that the agents a and b call as.
const (
	clientA = "hub-a"
	clientB = "hub-b"
)

// lister is an agent that executes what it is listed.
func lister(owner jobmanager.OwnerID) jobmanager.Agent {
	a := agent(owner)
	a.Client, a.Protocol = "hub-"+string(owner), jobmanager.ProtocolREST
	return a
}

// workOf is a report that names the workload uid-a for a, with the conditions that there are.
func workOf(owner jobmanager.OwnerID, kind jobmanager.JobType, epoch int64) jobmanager.WorkReport {
	report := available(jobmanager.StatusTrue, nil)
	report.UID, report.Name, report.Whole = "uid-"+string(owner), "web-aaaa"+string(owner), true
	return jobmanager.WorkReport{Agent: lister(owner), Type: kind, Epoch: epoch, Length: 5 * time.Minute, Resource: report}
}

// listed is a Create that nobody has, and that a was handed out.
func listed() *jobmanager.Job {
	j := job(createDeployment, jobmanager.Created, jobmanager.WorkloadNone)
	j.HandOut(lister(agentA), life(), start)
	return j
}

// promoted is a Create at epoch 5 that a has claimed over REST.
func promoted(t testing.TB) *jobmanager.Job {
	t.Helper()
	j := listed()
	mustPromote(t, j, agentA, start)
	return j
}

func mustPromote(t testing.TB, j *jobmanager.Job, owner jobmanager.OwnerID, now time.Time) {
	t.Helper()
	if _, err := j.Claim(jobmanager.Claim{Agent: lister(owner), Length: 5 * time.Minute}, now); err != nil {
		t.Fatal(err)
	}
}

// unreported is a promoted Create whose lease ran out.
func unreported(t testing.TB) *jobmanager.Job {
	t.Helper()
	j := promoted(t)
	j.Expire(life(), afterLease)
	return j
}

// afterLease is when the lease of a promoted job is over, and muchLater when whatever is spaced is due.
var (
	afterLease = start.Add(5 * time.Minute)
	muchLater  = start.Add(time.Hour)
)

// mustReport lets the agent say that the work was done, and gives what that told.
func mustReport(t testing.TB, j *jobmanager.Job, r jobmanager.WorkReport, now time.Time) []jobmanager.Event {
	t.Helper()
	events, err := j.ReportWork(r, now)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func TestReportNamesItsAttemptOrIsStale(t *testing.T) {
	t.Parallel()
	const kind = createDeployment
	unlisted := func(testing.TB) *jobmanager.Job { return job(kind, jobmanager.Created, jobmanager.WorkloadNone) }
	toA := func(testing.TB) *jobmanager.Job { return listed() }
	taken := func(t testing.TB) *jobmanager.Job {
		j := unreported(t)
		mustPromote(t, j, agentB, muchLater)
		return j
	}
	stopped := func(t testing.TB) *jobmanager.Job {
		j := promoted(t)
		j.Stop(start)
		return j
	}
	const done, claimedToo, stale = "JOB_FINISHED RESOURCE_REPORTED", "JOB_CLAIMED JOB_FINISHED RESOURCE_REPORTED", "STALE_OWNER"
	for name, test := range map[string]struct {
		of    func(testing.TB) *jobmanager.Job
		owner jobmanager.OwnerID
		kind  jobmanager.JobType
		epoch int64
		want  string
	}{
		"with the epoch of the claim":               {promoted, agentA, kind, 5, done},
		"with the epoch, without a type":            {promoted, agentA, "", 5, done},
		"without an epoch":                          {promoted, agentA, kind, 0, done},
		"without epoch and type":                    {promoted, agentA, "", 0, stale},
		"without an epoch, of other work":           {promoted, agentA, deleteDeployment, 0, stale},
		"with the epoch, of other work":             {promoted, agentA, updateDeployment, 5, stale},
		"somebody else with the owner's epoch":      {promoted, agentB, kind, 5, stale},
		"somebody else without an epoch":            {promoted, agentB, kind, 0, stale},
		"somebody else with the coming epoch":       {promoted, agentB, kind, 6, stale},
		"the owner with an epoch that never was":    {promoted, agentA, kind, 9, stale},
		"the owner with an epoch that was":          {promoted, agentA, kind, 4, stale},
		"listed, with the coming epoch":             {toA, agentA, kind, 5, claimedToo},
		"listed, without an epoch":                  {toA, agentA, kind, 0, claimedToo},
		"listed, with the epoch before the coming":  {toA, agentA, kind, 4, stale},
		"listed, of other work":                     {toA, agentA, deleteDeployment, 5, stale},
		"listed to somebody else, with the coming":  {toA, agentB, kind, 5, stale},
		"listed to somebody else, without an epoch": {toA, agentB, kind, 0, stale},
		"not reserved, with the coming epoch":       {unlisted, agentA, kind, 5, claimedToo},
		"not reserved, without an epoch":            {unlisted, agentA, kind, 0, stale},
		"after its lease ran out":                   {unreported, agentA, kind, 5, done},
		"after its lease ran out, without an epoch": {unreported, agentA, kind, 0, done},
		"after a takeover":                          {taken, agentA, kind, 5, stale},
		"after a takeover, without an epoch":        {taken, agentA, kind, 0, stale},
		"after a stop":                              {stopped, agentA, kind, 5, stale},
		"after a stop, with the coming epoch":       {stopped, agentA, kind, 7, stale},
		"after a stop, without an epoch":            {stopped, agentA, kind, 0, stale},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := test.of(t)
			before := *j
			events, err := j.ReportWork(workOf(test.owner, test.kind, test.epoch), start.Add(10*time.Second))
			got := string(jobmanager.CodeOf(err))
			if err == nil {
				got = words(events)
			}
			if got != test.want {
				t.Errorf("it comes out as %q (%v), want %q", got, err, test.want)
			}
			if err != nil && (!cmp.Equal(before, *j) || len(events) > 0) {
				t.Errorf("a refusal changed it: %s, and told %v", cmp.Diff(before, *j), told(events))
			}
			if err == nil && (j.State != jobmanager.Finished || j.Owner != agentA || j.Epoch != 5 || j.Resource.UID != "uid-a") {
				t.Errorf("it is %s of %q at epoch %d with %+v", j.State, j.Owner, j.Epoch, j.Resource)
			}
		})
	}
}

func words(events []jobmanager.Event) string {
	return strings.Join(told(events), " ")
}

func TestRepeatedReportChangesNothing(t *testing.T) {
	t.Parallel()
	for name, epoch := range map[string]int64{"with its epoch": 5, "without an epoch": 0} {
		j := promoted(t)
		mustReport(t, j, workOf(agentA, createDeployment, epoch), start)
		before := *j
		events, err := j.ReportWork(workOf(agentA, createDeployment, epoch), muchLater)
		if err != nil || len(events) > 0 || !cmp.Equal(before, *j) {
			t.Errorf("%s: %v, %v, %s", name, told(events), err, cmp.Diff(before, *j))
		}
	}
	j := promoted(t)
	mustReport(t, j, workOf(agentA, createDeployment, 5), start)
	j.Stop(start)
	if events, err := j.ReportWork(workOf(agentA, createDeployment, 5), muchLater); err != nil || len(events) > 0 || j.Type != deleteDeployment {
		t.Errorf("again after a stop: %v, %v", told(events), err)
	}
}

// TestRepeatedReportOfAnotherWorkloadLeavesItsEvidence: two processes of one agent executed the same listing.
func TestRepeatedReportOfAnotherWorkloadLeavesItsEvidence(t *testing.T) {
	t.Parallel()
	j := promoted(t)
	mustReport(t, j, workOf(agentA, createDeployment, 5), start)
	second := workOf(agentA, createDeployment, 5)
	second.Resource.UID, second.Resource.Name = "uid-second", "web-bbbbb"
	if _, err := j.ReportWork(second, start); err != nil {
		t.Fatal(err)
	}
	if j.Resource.UID != "uid-a" || strays(j) != "uid-second*" {
		t.Errorf("its resource is %s, its strays are %q: the second workload would never be removed", j.Resource.UID, strays(j))
	}
}

// strays lists the uids of a job's strays; those that were reported have a star, those that were
// dismissed an exclamation mark.
func strays(j *jobmanager.Job) string {
	var uids []string
	for _, s := range j.Strays {
		mark := ""
		switch {
		case s.Reported:
			mark = "*"
		case s.Dismissed:
			mark = "!"
		}
		uids = append(uids, string(s.UID)+mark)
	}
	return strings.Join(uids, " ")
}

func TestReportEndsWhateverWorkWasListed(t *testing.T) {
	t.Parallel()
	const present = jobmanager.WorkloadPresent
	for name, test := range map[string]struct {
		kind    jobmanager.JobType
		changes []func(*jobmanager.Job)
		want    string
		stands  jobmanager.Workload
	}{
		"an update":             {updateDeployment, nil, "JOB_CLAIMED JOB_FINISHED RESOURCE_REPORTED REMEDIATION_CHANGED(FINISHED)", present},
		"a replace":             {replaceDeployment, nil, "JOB_CLAIMED JOB_FINISHED RESOURCE_REPORTED", present},
		"a delete":              {deleteDeployment, nil, "JOB_CLAIMED JOB_FINISHED RESOURCE_REMOVED", jobmanager.WorkloadNone},
		"the removal of a move": {updateDeployment, []func(*jobmanager.Job){leavesTarget}, "JOB_CLAIMED JOB_FINISHED RESOURCE_REMOVED REMEDIATION_CHANGED(FINISHED) JOB_REALLOCATED", jobmanager.WorkloadNone},
	} {
		j := with(job(test.kind, jobmanager.Created, present), test.changes...)
		report := workOf(agentA, test.kind, j.Epoch+1)
		report.Resource.UID = "uid-1" // a full echo, also of what was removed
		if got := words(mustReport(t, j, report, start)); got != test.want || j.Workload != test.stands {
			t.Errorf("%s: %s with its workload %s, want %s", name, got, j.Workload, test.want)
		}
	}
}

func TestReportThatDoesNotFitChangesNothing(t *testing.T) {
	t.Parallel()
	for name, of := range map[string]*jobmanager.Job{"listed": listed(), "promoted": promoted(t)} {
		before := *of
		report := workOf(agentA, createDeployment, 5)
		report.Resource.Conditions[0].Status = "PERHAPS"
		events, err := of.ReportWork(report, start)
		if jobmanager.CodeOf(err) != jobmanager.CodeInvalid || len(events) > 0 || !cmp.Equal(before, *of) {
			t.Errorf("%s: %v, %v, %s", name, err, told(events), cmp.Diff(before, *of))
		}
	}
}

// TestWhatWasDoneWithOlderManifestsIsReplaced: an agent that executes before it asks may have had older ones.
func TestWhatWasDoneWithOlderManifestsIsReplaced(t *testing.T) {
	t.Parallel()
	lapsed := start.Add(life().HandOut)
	for name, tell := range map[string]func(*testing.T) *jobmanager.Job{
		"its own hand-out": func(t *testing.T) *jobmanager.Job {
			j := listed()
			mustUpdate(t, j, web(newManifests))
			return j
		},
		"its hand-out lapsed and another's was outdated": func(t *testing.T) *jobmanager.Job {
			j := listed()
			j.HandOut(lister(agentB), life(), lapsed)
			component := web(newManifests)
			if _, err := (scene{j: j}).updateAt(lapsed, &component, nil, false); err != nil {
				t.Fatal(err)
			}
			return j
		},
	} {
		j := tell(t)
		mustReport(t, j, workOf(agentA, createDeployment, 5), lapsed.Add(life().HandOut))
		if j.Type != replaceDeployment || j.Owner != agentA {
			t.Errorf("%s: it is %s/%s, and the older manifests run", name, j.Type, j.State)
		}
	}
}

func TestUnlockIsAFailureThatIsSpacedAndCounted(t *testing.T) {
	t.Parallel()
	j := promoted(t)
	events, err := j.Unlock(agentA, life(), start)
	if err != nil || words(events) != "JOB_FAILED" || j.State != jobmanager.Degraded || j.Attempt != 1 || !j.NotBefore.After(start) || j.LastError == "" {
		t.Errorf("%v, %v: %s, attempt %d, not before %s, %q", err, told(events), j.State, j.Attempt, j.NotBefore, j.LastError)
	}
	if again, err := j.Unlock(agentA, life(), start); err != nil || len(again) > 0 {
		t.Errorf("again: %v, %v", told(again), err)
	}
	for name, of := range map[string]func(*jobmanager.Job){
		"somebody else":   func(*jobmanager.Job) {},
		"after a stop":    func(j *jobmanager.Job) { j.Stop(start) },
		"once it is done": func(j *jobmanager.Job) { _, _ = j.Finish(held(j), jobmanager.ResourceReport{}, start) },
	} {
		j, owner, want := promoted(t), agentA, jobmanager.CodeStaleOwner
		of(j)
		switch name {
		case "somebody else":
			owner = agentB
		case "once it is done":
			want = jobmanager.CodeWrongState
		}
		if _, err := j.Unlock(owner, life(), start); jobmanager.CodeOf(err) != want {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
}

func TestResourceIDIsKnownBeforeThereIsAResource(t *testing.T) {
	t.Parallel()
	j := promoted(t)
	early := j.ResourceID()
	if _, err := jobmanager.ParseID(string(early)); err != nil || early == j.ID {
		t.Errorf("%s, %v", early, err)
	}
	mustReport(t, j, workOf(agentA, createDeployment, 5), start)
	if j.Resource.ID != early {
		t.Errorf("the resource has the id %s, it was shown as %s", j.Resource.ID, early)
	}
	seen := []jobmanager.ID{}
	for _, digit := range "0123456789abcdef" {
		id := (&jobmanager.Job{ID: jobmanager.ID("00000000-0000-7000-8000-" + string(digit) + "00000000001")}).ResourceID()
		if slices.Contains(seen, id) {
			t.Errorf("two jobs share the resource id %s", id)
		}
		seen = append(seen, id)
	}
}

func TestAgentsWithoutAnEpochAreAlwaysReservedWhatTheyAreListed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		blind bool
		want  jobmanager.OwnerID
	}{"blind": {true, agentA}, "with epochs": {false, ""}} {
		a := lister(agentA)
		a.Blind, a.Lapses = test.blind, life().MostLapses
		j := job(createDeployment, jobmanager.Created, jobmanager.WorkloadNone)
		j.HandOut(a, life(), start)
		if j.Reservation.OwnerID != test.want {
			t.Errorf("%s: reserved for %q, want %q", name, j.Reservation.OwnerID, test.want)
		}
	}
}
