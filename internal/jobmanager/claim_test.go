package jobmanager_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

func TestRepeatedClaimGetsTheSameEpoch(t *testing.T) {
	t.Parallel()
	claim := claimOf(agentA)
	claim.ID = "try-1"
	j := job(createDeployment, jobmanager.Created, jobmanager.WorkloadNone)
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
	life := life()
	j := job(createDeployment, jobmanager.Created, jobmanager.WorkloadNone)
	now, waits := start, []time.Duration{}
	for attempt := range life.MaxAttempts {
		// Whoever let the last lease run out comes last, so the two take turns.
		mustClaim(t, j, []jobmanager.OwnerID{agentA, agentB}[attempt%2], now)
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
	life := life()
	j := job(createDeployment, jobmanager.Progressing, jobmanager.WorkloadMaybe)
	j.Attempt = life.MaxAttempts
	late := start.Add(time.Hour)
	j.Expire(life, late)
	if j.Hold != jobmanager.HoldAttemptsExhausted {
		t.Fatalf("the last attempt's end holds it with %q", j.Hold)
	}
	_, err := j.Finish(jobmanager.Fence{OwnerID: agentA, Epoch: 4}, jobmanager.ResourceReport{}, late)
	if err != nil || j.State != jobmanager.Finished || j.Hold != "" || !j.Last.Ended(jobmanager.OutcomeFinished) {
		t.Errorf("%v: %s, hold %q, last attempt %+v", err, j.State, j.Hold, j.Last)
	}
}

// claimers are those of a and b that may claim the job at a time.
func claimers(j *jobmanager.Job, now time.Time) string {
	var names []string
	for _, owner := range []jobmanager.OwnerID{agentA, agentB} {
		if j.Executable(agent(owner), now) {
			names = append(names, string(owner))
		}
	}
	return strings.Join(names, "")
}

func TestTurns(t *testing.T) {
	t.Parallel()
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	tests := map[string]struct {
		make func() *jobmanager.Job
		want map[int]string // who may claim it, by the seconds from start
	}{
		"the agent that let its lease run out comes last": {func() *jobmanager.Job {
			j := job(createDeployment, jobmanager.Progressing, jobmanager.WorkloadMaybe)
			j.Expire(life(), at(60))
			return j
		}, map[int]string{60: "", 65: "b", 94: "b", 95: "ab"}},
		"the agent that failed may try again as everyone": {func() *jobmanager.Job {
			j := job(createDeployment, jobmanager.Progressing, jobmanager.WorkloadMaybe)
			mustFail(t, j, at(60))
			return j
		}, map[int]string{60: "", 64: "", 65: "ab"}},
		"with newer manifests the agent that failed comes first": {func() *jobmanager.Job {
			j := job(createDeployment, jobmanager.Degraded, jobmanager.WorkloadMaybe)
			component := web(newManifests)
			if _, err := (scene{j: j}).update(&component, nil); err != nil {
				t.Fatal(err)
			}
			return j
		}, map[int]string{0: "a", 4: "a", 5: "ab"}},
		"what is known to stand waits for its owner": {func() *jobmanager.Job {
			j := job(createDeployment, jobmanager.Progressing, jobmanager.WorkloadPresent)
			j.Expire(life(), at(60))
			return j
		}, map[int]string{64: "", 65: "a", 1000: "a"}},
		"a Delete waits for its owner": {func() *jobmanager.Job {
			j := job(deleteDeployment, jobmanager.Progressing, jobmanager.WorkloadPresent)
			j.Expire(life(), at(60))
			return j
		}, map[int]string{64: "", 65: "a", 1000: "a"}},
		"a released Create is everyone's at once": {func() *jobmanager.Job {
			j := job(createDeployment, jobmanager.Progressing, jobmanager.WorkloadMaybe)
			if _, err := j.Release(held(j), at(1)); err != nil {
				t.Fatal(err)
			}
			return j
		}, map[int]string{1: "ab"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seconds, want := range test.want {
				if got := claimers(test.make(), at(seconds)); got != want {
					t.Errorf("after %d seconds %q may claim it, want %q", seconds, got, want)
				}
			}
		})
	}
}

func TestOnlyAgentsThatServeTheClusterMayClaim(t *testing.T) {
	t.Parallel()
	j := job(createDeployment, jobmanager.Created, jobmanager.WorkloadNone)
	for name, test := range map[string]struct {
		agent jobmanager.Agent
		want  bool
	}{
		"it names the cluster":                 {jobmanager.Agent{OwnerID: agentA, Orchestrator: "ocm", Clusters: []string{"c0", "c1"}}, true},
		"it names others":                      {jobmanager.Agent{OwnerID: agentA, Orchestrator: "ocm", Clusters: []string{"c2"}}, false},
		"it names none":                        {jobmanager.Agent{OwnerID: agentA, Orchestrator: "ocm"}, true},
		"it names none, another one serves it": {jobmanager.Agent{OwnerID: agentA, Orchestrator: "ocm", Others: []string{"c1"}}, false},
		"it is another orchestrator's":         {jobmanager.Agent{OwnerID: agentA, Orchestrator: "nuvla", Clusters: []string{"c1"}}, false},
	} {
		if got := j.Executable(test.agent, start); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestHandOutReservesForAWhile(t *testing.T) {
	t.Parallel()
	j := job(createDeployment, jobmanager.Created, jobmanager.WorkloadNone)
	j.HandOut(agent(agentA), life(), start)
	if got := claimers(j, start.Add(29*time.Second)); got != "a" {
		t.Errorf("while it is handed out to a, %q may claim it", got)
	}
	j.HandOut(agent(agentA), life(), start.Add(20*time.Second)) // it lists again without claiming
	if got := claimers(j, start.Add(30*time.Second)); got != "ab" {
		t.Errorf("after the hand-out lapsed %q may claim it", got)
	}
	if j.Epoch != 4 || j.Owner != "" || j.Reservation.OwnerID != agentA {
		t.Errorf("a hand-out alone changed more: %+v", j)
	}
}

func TestAgentThatLetHandOutsLapseReservesNothing(t *testing.T) {
	t.Parallel()
	for lapses, reserves := range map[int]bool{0: true, 2: true, 3: false, 4: false} {
		j := job(createDeployment, jobmanager.Created, jobmanager.WorkloadNone)
		lapsing := agent(agentA)
		lapsing.Lapses = lapses
		j.HandOut(lapsing, life(), start)
		if j.Reservation.HeldAt(start) != reserves {
			t.Errorf("after %d lapses: %+v", lapses, j.Reservation)
		}
	}
}

func TestWhatItsOwnerAloneMayDoIsNotReserved(t *testing.T) {
	t.Parallel()
	for _, kind := range []jobmanager.JobType{updateDeployment, replaceDeployment, deleteDeployment} {
		j := job(kind, jobmanager.Created, jobmanager.WorkloadPresent)
		j.HandOut(agent(agentA), life(), start)
		if j.Reservation.OwnerID != "" {
			t.Errorf("%s is reserved: nobody else may do it, and what changes it must not wait", kind)
		}
	}
}

func TestTakeoverForgetsWhatTheFormerOwnerSaid(t *testing.T) {
	t.Parallel()
	j := with(job(createDeployment, jobmanager.Progressing, jobmanager.WorkloadMaybe), func(j *jobmanager.Job) {
		j.Resource = &jobmanager.Resource{ID: "r", UID: "uid-1", Name: "web-1", Conditions: available(jobmanager.StatusTrue, nil).Conditions}
	}, leaseOver)
	again := *j
	mustClaim(t, &again, agentA, start)
	if len(again.Resource.Conditions) != 1 {
		t.Errorf("the owner's own claim forgot %+v", j.Resource.Conditions)
	}
	events, err := j.Claim(claimOf(agentB), start)
	if err != nil || len(events) != 2 || events[1].Type != jobmanager.ResourceReported {
		t.Errorf("%v, %v", told(events), err)
	}
	if r := j.Resource; len(r.Conditions) != 0 || r.UID != "uid-1" || r.Name != "web-1" {
		t.Errorf("after a takeover the resource is %+v: a Delete must be able to name it", r)
	}
}

func TestWhoMaySpeakOfTheResource(t *testing.T) {
	t.Parallel()
	stopped := with(job(createDeployment, jobmanager.Finished, jobmanager.WorkloadPresent), func(j *jobmanager.Job) { j.Stop(start) })
	takenOver := with(job(createDeployment, jobmanager.Progressing, jobmanager.WorkloadMaybe), leaseOver)
	mustClaim(t, takenOver, agentB, start)
	for name, test := range map[string]struct {
		of   *jobmanager.Job
		who  jobmanager.Fence
		want jobmanager.Code
	}{
		"the owner with the epoch of its claim":      {job(createDeployment, jobmanager.Finished, jobmanager.WorkloadPresent), fence(agentA, 4), ""},
		"with an older one":                          {job(createDeployment, jobmanager.Finished, jobmanager.WorkloadPresent), fence(agentA, 3), jobmanager.CodeStaleOwner},
		"with one that is yet to come":               {job(createDeployment, jobmanager.Finished, jobmanager.WorkloadPresent), fence(agentA, 5), jobmanager.CodeStaleOwner},
		"after a stop, with the epoch of its claim":  {stopped, fence(agentA, 4), ""},
		"after a stop, with the stop's":              {stopped, fence(agentA, 5), ""},
		"after a takeover":                           {takenOver, fence(agentA, 4), jobmanager.CodeStaleOwner},
		"after a takeover, the new owner":            {takenOver, fence(agentB, 5), ""},
		"the new owner with its predecessor's epoch": {takenOver, fence(agentB, 4), jobmanager.CodeStaleOwner},
		"once nothing stands any more":               {job(deleteDeployment, jobmanager.Finished, jobmanager.WorkloadNone), fence(agentA, 4), jobmanager.CodeWrongState},
		"somebody else":                              {job(createDeployment, jobmanager.Finished, jobmanager.WorkloadPresent), fence(agentB, 4), jobmanager.CodeStaleOwner},
	} {
		j := *test.of
		if _, err := j.ReportResource(test.who, available(jobmanager.StatusTrue, nil), start); jobmanager.CodeOf(err) != test.want {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
		if j.State != test.of.State || j.Epoch != test.of.Epoch || j.Workload != test.of.Workload {
			t.Errorf("%s: a report of the resource changed the job", name)
		}
	}
}

// TestOlderManifestsAreNeverTheLast: whoever was given the older manifests may finish them, and the newer ones follow.
func TestOlderManifestsAreNeverTheLast(t *testing.T) {
	t.Parallel()
	component := web(newManifests)
	tests := map[string]func(*testing.T, *jobmanager.Job) time.Time{
		"its lease ran out and another one claims it": func(t *testing.T, j *jobmanager.Job) time.Time {
			mustClaim(t, j, agentA, start)
			mustUpdate(t, j, component)
			j.Expire(life(), start.Add(time.Minute))
			return start.Add(time.Hour)
		},
		"its lease ran out before": func(t *testing.T, j *jobmanager.Job) time.Time {
			mustClaim(t, j, agentA, start)
			j.Expire(life(), start.Add(time.Minute))
			mustUpdate(t, j, component)
			return start.Add(time.Hour)
		},
		"it was handed out and lapsed": func(t *testing.T, j *jobmanager.Job) time.Time {
			j.HandOut(agent(agentA), life(), start)
			mustUpdate(t, j, component)
			return start.Add(time.Hour)
		},
	}
	for name, tell := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := job(createDeployment, jobmanager.Created, jobmanager.WorkloadNone)
			generation := j.Generation
			now := tell(t, j)
			mustClaim(t, j, agentB, now)
			if j.Outdated || j.Generation != generation+1 {
				t.Errorf("b is given generation %d, outdated %t: a driver that did generation %d does not do it again", j.Generation, j.Outdated, generation)
			}
			mustFinish(t, j, now)
			if j.Type != createDeployment || j.State != jobmanager.Finished {
				t.Errorf("after b applied the newest it is %s/%s", j.Type, j.State)
			}
		})
	}
	j := job(createDeployment, jobmanager.Created, jobmanager.WorkloadNone)
	j.HandOut(agent(agentA), life(), start)
	mustUpdate(t, j, component)
	mustClaim(t, j, agentA, start) // it executes what it was listed
	mustFinish(t, j, start)
	if j.Type != replaceDeployment || j.State != jobmanager.Created || j.Owner != agentA {
		t.Errorf("after a applied what it was handed out the job is %s/%s of %s", j.Type, j.State, j.Owner)
	}
}

// mustUpdate gives the job's application a new component web.
func mustUpdate(t testing.TB, j *jobmanager.Job, component jobmanager.Component) []jobmanager.Event {
	t.Helper()
	events, err := scene{j: j}.update(&component, nil)
	if err != nil {
		t.Fatal(err)
	}
	return events
}
