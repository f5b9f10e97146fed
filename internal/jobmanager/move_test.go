package jobmanager_test

import (
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// stands is what an agent would find changed about a job: its work and where it is.
func stands(j *jobmanager.Job) [5]string {
	return [5]string{string(j.Type), string(j.State), string(j.SubType), clusterOf(j.Target), string(j.Owner)}
}

func TestReallocationLooksBeforeItLeaps(t *testing.T) {
	t.Parallel()
	j := with(job(createDeployment, jobmanager.Finished, jobmanager.WorkloadPresent), toMove(causeID))
	before, now := stands(j), start
	waits := []time.Duration{10 * time.Second, 20 * time.Second, 40 * time.Second, 80 * time.Second, 160 * time.Second, 5 * time.Minute, 5 * time.Minute}
	for try, wait := range waits {
		match := answer() // no answer and the old target alone are the same
		if try%2 == 0 {
			match = answer("c1")
		}
		events := j.Relocate(match, "kubernetes", life(), now)
		if (len(events) > 0) != (try == 0) {
			t.Errorf("try %d told %v", try, told(events))
		}
		if stands(j) != before || j.Epoch != 4 || !j.NextAsk().Equal(now.Add(wait)) {
			t.Errorf("after try %d it is %v at epoch %d, asked again at %s", try, stands(j), j.Epoch, j.NextAsk())
		}
		waiting := j.Waiting(now)
		if waiting == nil || waiting.Reason != "AwaitingForOtherTarget" || !waiting.Until.Equal(j.NextAsk()) {
			t.Errorf("after try %d it waits with %+v", try, waiting)
		}
		now = j.NextAsk()
	}
	j.Relocate(answer("c1", "c2"), "kubernetes", life(), now)
	if want := [5]string{"UPDATE_DEPLOYMENT", "CREATED", "reallocation", "c1", "a"}; stands(j) != want || j.Epoch != 5 || !j.NextAsk().IsZero() {
		t.Errorf("with another target it is %v at epoch %d", stands(j), j.Epoch)
	}
}

func TestMoveArrivesWithNothingOfItsFormerLife(t *testing.T) {
	t.Parallel()
	j := with(job(createDeployment, jobmanager.Finished, jobmanager.WorkloadPresent), toMove(causeID))
	other := jobmanager.Match{Targets: []jobmanager.Target{*target("c1"), {Cluster: "n1", Orchestrator: "nuvla"}}}
	j.Relocate(other, "kubernetes", life(), start)
	mustClaim(t, j, agentA, start)
	j.Cooling = &jobmanager.Remedy{SubType: jobmanager.ScaleUp, At: start}
	events := mustFinish(t, j, start)
	if j.Type != createDeployment || j.State != jobmanager.Created || j.Workload != jobmanager.WorkloadNone || j.Owner != "" || j.Attempt != 0 ||
		j.Resource != nil || j.Move != nil || j.Cooling != nil || j.Cause != "" || j.SubType != "" {
		t.Errorf("it arrived as %+v", j)
	}
	if j.Target.Cluster != "n1" || j.Orchestrator != "nuvla" {
		t.Errorf("it arrived at %+v for %s", j.Target, j.Orchestrator)
	}
	nuvla := jobmanager.Agent{OwnerID: agentB, Orchestrator: "nuvla"}
	if !j.Executable(nuvla, start) || j.Executable(agent(agentA), start) {
		t.Error("it is not for the agents of its new orchestrator alone")
	}
	var removed *jobmanager.Resource
	for _, event := range events {
		if event.Type == jobmanager.ResourceRemoved {
			removed = event.Removed
		}
	}
	if removed == nil || removed.UID != "uid-1" {
		t.Errorf("the past uid is forgotten: %v", told(events))
	}
}

func TestMoveTakesOnlyATargetThatFitsTheComponent(t *testing.T) {
	t.Parallel()
	match := jobmanager.Match{Targets: []jobmanager.Target{{Cluster: "n1", Orchestrator: "nuvla"}, *target("c1"), *target("c2")}}
	for componentType, want := range map[string]string{"helm": "c2", "kubernetes": "n1"} {
		j := with(job(createDeployment, jobmanager.Finished, jobmanager.WorkloadPresent), toMove(causeID))
		j.Relocate(match, componentType, life(), start)
		if moveTo(j.Move) != want {
			t.Errorf("%s goes to %q, want %s", componentType, moveTo(j.Move), want)
		}
	}
}

func TestUsersMoveIsGivenUpWhenTheAnswerIsTheSameTarget(t *testing.T) {
	t.Parallel()
	j := with(job(createDeployment, jobmanager.Finished, jobmanager.WorkloadPresent), toMove(""))
	before := stands(j)
	events := j.Relocate(answer("c1", "c2"), "kubernetes", life(), start)
	if j.Move != nil || stands(j) != before || j.Epoch != 4 || j.Waiting(start) != nil {
		t.Errorf("it is %v with %+v, waiting %+v", stands(j), j.Move, j.Waiting(start))
	}
	if len(events) != 1 || events[0].Type != jobmanager.JobMatched {
		t.Errorf("nobody who watches it is told: %v", told(events))
	}
}

func TestMoveOfWhatNeverStoodIsDoneAtOnce(t *testing.T) {
	t.Parallel()
	j := with(job(createDeployment, jobmanager.Created, jobmanager.WorkloadNone), toMove(""))
	j.Relocate(answer("c2"), "kubernetes", life(), start)
	if want := [5]string{"CREATE_DEPLOYMENT", "CREATED", "", "c2", ""}; stands(j) != want || j.Move != nil {
		t.Errorf("it is %v, %+v", stands(j), j.Move)
	}
}

func TestMoveWaitsForWhatIsInHand(t *testing.T) {
	t.Parallel()
	for name, j := range map[string]*jobmanager.Job{
		"in progress":              job(createDeployment, jobmanager.Progressing, jobmanager.WorkloadMaybe),
		"handed out":               with(job(createDeployment, jobmanager.Created, jobmanager.WorkloadNone), handedOut(agentB, time.Second)),
		"to be taken over":         with(job(createDeployment, jobmanager.Progressing, jobmanager.WorkloadMaybe), leaseOver),
		"in progress by an update": job(updateDeployment, jobmanager.Progressing, jobmanager.WorkloadPresent),
	} {
		toMove("")(j)
		before := stands(j)
		events := j.Relocate(answer("c2"), "kubernetes", life(), start)
		if stands(j) != before || moveTo(j.Move) != "c2" || len(events) != 1 || events[0].Type != jobmanager.JobMatched {
			t.Errorf("%s: it is %v, told %v", name, stands(j), told(events))
		}
	}
}

// TestNewRequirementsRedirectAMoveUnderWay: what was chosen before may not meet them.
func TestNewRequirementsRedirectAMoveUnderWay(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		match *jobmanager.Match
		want  string // the cluster that it arrives at; empty when it waits for a target
	}{
		"another target":          {match("c2"), "c2"},
		"back where it came from": {match("c1"), "c1"},
		"no answer":               {nil, ""},
		"nothing that meets them": {match(), ""},
	} {
		j := with(job(updateDeployment, jobmanager.Progressing, jobmanager.WorkloadPresent), leavesTarget)
		component := web(newRequirements)
		if _, err := (scene{j: j}).update(&component, test.match); err != nil {
			t.Fatal(err)
		}
		mustFinish(t, j, start)
		if clusterOf(j.Target) != test.want || (j.Hold == jobmanager.HoldNoTarget) != (test.want == "") {
			t.Errorf("%s: it arrives at %q, held by %q", name, clusterOf(j.Target), j.Hold)
		}
		if j.Hold != "" && (j.Waiting(start).Message == "" || j.NotBefore.After(start)) {
			t.Errorf("%s: it waits with %+v", name, j.Waiting(start))
		}
	}
}

func match(clusters ...string) *jobmanager.Match {
	answered := answer(clusters...)
	return &answered
}
