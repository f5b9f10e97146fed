package jobmanager_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// outcomes are what became of one incompliance, in the order in which it was told.
func outcomes(id jobmanager.ID, events []jobmanager.Event) []jobmanager.RemediationOutcome {
	list := []jobmanager.RemediationOutcome{}
	for _, event := range events {
		if r := event.Remediation; r != nil && r.IncomplianceID == id {
			list = append(list, r.Outcome)
		}
	}
	return list
}

// story is what happens to a job after an incompliance; each step gives what it told.
type story []func(*testing.T, *jobmanager.Job) []jobmanager.Event

// The steps of a remediation's life.

func claimedByA(t *testing.T, j *jobmanager.Job) []jobmanager.Event {
	t.Helper()
	mustClaim(t, j, agentA, start)
	return nil
}

func finished(t *testing.T, j *jobmanager.Job) []jobmanager.Event {
	t.Helper()
	return mustFinish(t, j, start)
}

func failedUntilExhausted(t *testing.T, j *jobmanager.Job) []jobmanager.Event {
	t.Helper()
	var events []jobmanager.Event
	for j.Hold == "" {
		mustClaim(t, j, agentA, j.NotBefore)
		events = append(events, mustFail(t, j, start)...)
	}
	return events
}

func leaseRanOut(_ *testing.T, j *jobmanager.Job) []jobmanager.Event {
	return j.Expire(life(), start.Add(time.Hour))
}

func claimedBlindly(t *testing.T, j *jobmanager.Job) []jobmanager.Event {
	t.Helper()
	claim := claimOf(agentA)
	claim.Agent.Blind = true
	if _, err := j.Claim(claim, start); err != nil {
		t.Fatal(err)
	}
	return nil
}

func remedied(remediation string) func(*testing.T, *jobmanager.Job) []jobmanager.Event {
	return func(_ *testing.T, j *jobmanager.Job) []jobmanager.Event {
		_, events := j.Remediate(incompliance(queueID, remediation), life(), start.Add(time.Hour))
		return events
	}
}

func stopped(_ *testing.T, j *jobmanager.Job) []jobmanager.Event { return j.Stop(start) }

func retriedByUser(_ *testing.T, j *jobmanager.Job) []jobmanager.Event { return j.Retry(start) }

func updatedWith(change func(*jobmanager.Component)) func(*testing.T, *jobmanager.Job) []jobmanager.Event {
	return func(t *testing.T, j *jobmanager.Job) []jobmanager.Event {
		t.Helper()
		return mustUpdate(t, j, web(change))
	}
}

func answered(clusters ...string) func(*testing.T, *jobmanager.Job) []jobmanager.Event {
	return func(_ *testing.T, j *jobmanager.Job) []jobmanager.Event {
		return j.Relocate(answer(clusters...), "kubernetes", life(), start)
	}
}

// TestLifeOfARemediation reaches every outcome, and every way to it.
func TestLifeOfARemediation(t *testing.T) {
	t.Parallel()
	const (
		recorded, refused, coalesced, waiting = jobmanager.RemediationRecorded, jobmanager.RemediationRefused, jobmanager.RemediationCoalesced, jobmanager.RemediationWaiting
		started, done, failed, nowhere        = jobmanager.RemediationStarted, jobmanager.RemediationFinished, jobmanager.RemediationFailed, jobmanager.RemediationNoOtherTarget
		superseded, dropped                   = jobmanager.RemediationSuperseded, jobmanager.RemediationDropped
	)
	running := func() *jobmanager.Job { return job(createDeployment, jobmanager.Finished, jobmanager.WorkloadPresent) }
	inProgress := func() *jobmanager.Job { return job(createDeployment, jobmanager.Progressing, jobmanager.WorkloadMaybe) }
	cooling := func() *jobmanager.Job {
		j := running()
		j.Cooling = &jobmanager.Remedy{SubType: jobmanager.ScaleUp, At: start.Add(-59 * time.Second)}
		return j
	}
	type outcomesOf = []jobmanager.RemediationOutcome
	tests := map[string]struct {
		of     func() *jobmanager.Job
		policy string
		then   story
		want   outcomesOf // the answer first
	}{
		"none is only recorded":                       {running, "none", nil, outcomesOf{recorded}},
		"no remediation is only recorded":             {running, "", nil, outcomesOf{recorded}},
		"an unknown one is refused":                   {running, "dance", nil, outcomesOf{refused}},
		"a job that is not running refuses it":        {func() *jobmanager.Job { return job(deleteDeployment, jobmanager.Created, jobmanager.WorkloadPresent) }, "scale-up", nil, outcomesOf{refused}},
		"the same one soon after is coalesced":        {cooling, "scale-up", nil, outcomesOf{coalesced}},
		"another one soon after is not":               {cooling, "scale-down", nil, outcomesOf{started}},
		"it starts and is finished":                   {running, "scale-up", story{claimedByA, finished}, outcomesOf{started, done}},
		"it waits for the work in progress":           {inProgress, "patch", story{finished, claimedByA, finished}, outcomesOf{waiting, started, done}},
		"its attempts are exhausted":                  {running, "scale-up", story{failedUntilExhausted}, outcomesOf{started, failed}},
		"it was exhausted and a late report finished": {running, "scale-out", story{claimedByA, lastAttemptRuns, leaseRanOut, finished}, outcomesOf{started, failed, done}},
		"it was exhausted, retried and finished":      {running, "scale-out", story{failedUntilExhausted, retriedByUser, claimedByA, finished}, outcomesOf{started, failed, done}},
		"it was exhausted and then stopped":           {running, "scale-out", story{failedUntilExhausted, stopped}, outcomesOf{started, failed}},
		"a blind agent did not report it":             {running, "scale-in", story{claimedBlindly, leaseRanOut}, outcomesOf{started, failed}},
		"a newer one comes before its agent":          {running, "scale-up", story{remedied("scale-down")}, outcomesOf{started, superseded}},
		"a newer one comes while it waits":            {inProgress, "scale-up", story{remedied("scale-down")}, outcomesOf{waiting, superseded}},
		"a newer one comes and it fails":              {running, "scale-up", story{claimedByA, remedied("scale-down"), failsOnce}, outcomesOf{started, failed}},
		"new manifests come before its agent":         {running, "scale-up", story{updatedWith(newManifests)}, outcomesOf{started, superseded}},
		"new manifests come while it waits":           {inProgress, "scale-up", story{updatedWith(newManifests), finished}, outcomesOf{waiting, dropped}},
		"the job is stopped before its agent":         {running, "scale-up", story{stopped}, outcomesOf{started, dropped}},
		"the job is stopped while it waits":           {inProgress, "scale-up", story{stopped}, outcomesOf{waiting, dropped}},
		"the job is released while it waits":          {inProgress, "scale-up", story{releasedByA}, outcomesOf{waiting, dropped}},
		"the job moves while it waits":                {inProgress, "scale-up", story{movesElsewhere, finished}, outcomesOf{waiting, dropped}},
		"a reallocation is asked for, starts, ends":   {running, "reallocation", story{answered("c1", "c2"), claimedByA, finished}, outcomesOf{waiting, started, done}},
		"a reallocation has nowhere to go, told once": {running, "migrate", story{answered("c1"), answered()}, outcomesOf{waiting, nowhere}},
		"and goes once it has":                        {running, "redeploy", story{answered(), answered("c2")}, outcomesOf{waiting, nowhere, started}},
		"a reallocation waits for the work as well":   {inProgress, "reallocate", story{answered("c2"), finished}, outcomesOf{waiting, started}},
		"a newer one comes before it has begun":       {inProgress, "reallocation", story{answered("c2"), remedied("scale-up")}, outcomesOf{waiting, superseded}},
		"it is stopped before it has begun":           {inProgress, "reallocation", story{answered("c2"), stopped}, outcomesOf{waiting, dropped}},
		"it is stopped on its way":                    {running, "reallocation", story{answered("c2"), stopped}, outcomesOf{waiting, started, dropped}},
		"new requirements come before it has begun":   {running, "reallocation", story{updatedWith(newRequirements)}, outcomesOf{waiting, superseded}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := test.of()
			first, events := j.Remediate(incompliance(newID, test.policy), life(), start)
			if len(events) == 0 {
				events = []jobmanager.Event{{Remediation: &first}}
			}
			for _, step := range test.then {
				events = append(events, step(t, j)...)
			}
			if diff := cmp.Diff(test.want, outcomes(newID, events)); diff != "" {
				t.Error(diff)
			}
			if first.JobID != j.ID || first.Component != "web" || !first.UpdatedAt.Equal(start) {
				t.Errorf("the answer is %+v", first)
			}
		})
	}
}

func lastAttemptRuns(_ *testing.T, j *jobmanager.Job) []jobmanager.Event {
	j.Attempt = life().MaxAttempts
	return nil
}

func failsOnce(t *testing.T, j *jobmanager.Job) []jobmanager.Event {
	t.Helper()
	return mustFail(t, j, start)
}

func releasedByA(t *testing.T, j *jobmanager.Job) []jobmanager.Event {
	t.Helper()
	events, err := j.Release(held(j), start)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func movesElsewhere(_ *testing.T, j *jobmanager.Job) []jobmanager.Event {
	j.Move = &jobmanager.Move{To: target("c2")}
	return nil
}

func TestRemediationIsAnotherPieceOfWork(t *testing.T) {
	t.Parallel()
	j := job(createDeployment, jobmanager.Finished, jobmanager.WorkloadPresent)
	answer, events := j.Remediate(incompliance(newID, "scale-up"), life(), start)
	if j.Type != updateDeployment || j.SubType != jobmanager.ScaleUp || j.State != jobmanager.Created || j.Owner != agentA ||
		j.Epoch != 5 || j.Generation != 3 || j.Attempt != 0 || j.Cause != newID {
		t.Errorf("it is %+v", j)
	}
	if answer.Generation != 3 || answer.SubType != jobmanager.ScaleUp || len(events) != 1 {
		t.Errorf("the answer is %+v, told by %v", answer, told(events))
	}
}

func TestCoolDownEndsAndBelongsToTheNewest(t *testing.T) {
	t.Parallel()
	j := job(createDeployment, jobmanager.Finished, jobmanager.WorkloadPresent)
	steps := []struct {
		after  time.Duration
		policy string
		want   jobmanager.RemediationOutcome
	}{
		{0, "scale-up", jobmanager.RemediationStarted},
		{59 * time.Second, "scale-up", jobmanager.RemediationCoalesced},
		{60 * time.Second, "scale-up", jobmanager.RemediationStarted},
		{61 * time.Second, "scale-down", jobmanager.RemediationStarted},
		{62 * time.Second, "scale-up", jobmanager.RemediationStarted},
	}
	for _, step := range steps {
		answer, _ := j.Remediate(incompliance(newID, step.policy), life(), start.Add(step.after))
		if answer.Outcome != step.want {
			t.Errorf("%s after %s: %s, want %s", step.policy, step.after, answer.Outcome, step.want)
		}
	}
}

// TestRelativeWorkOfABlindAgentIsNotRepeated: it may or may not have been done.
func TestRelativeWorkOfABlindAgentIsNotRepeated(t *testing.T) {
	t.Parallel()
	for _, subType := range []jobmanager.Text{jobmanager.ScaleUp, jobmanager.ScaleDown, jobmanager.ScaleOut, jobmanager.ScaleIn, jobmanager.Patch} {
		relative := subType != jobmanager.Patch
		for name, tell := range map[string]func(*jobmanager.Job){
			"its lease ran out": func(j *jobmanager.Job) { j.Expire(life(), start.Add(time.Hour)) },
			"it was reassigned": func(j *jobmanager.Job) { j.Reassign(agentA, agentB, life(), start) },
			"it ran out, then was reassigned": func(j *jobmanager.Job) {
				j.Expire(life(), start.Add(time.Hour))
				j.Reassign(agentA, agentB, life(), start)
			},
		} {
			j := with(job(updateDeployment, jobmanager.Progressing, jobmanager.WorkloadPresent), blind)
			j.SubType = subType
			tell(j)
			if (j.Hold == jobmanager.HoldNoReport) != relative {
				t.Errorf("%s, %s: held by %q", subType, name, j.Hold)
			}
			if waiting := j.Waiting(start); relative && (waiting.Reason != "NoReport" || !waiting.Until.IsZero()) {
				t.Errorf("%s, %s: it waits with %+v", subType, name, waiting)
			}
			if answer, _ := j.Remediate(incompliance(newID, "scale-up"), life(), start.Add(2*time.Hour)); relative && answer.Outcome != jobmanager.RemediationStarted {
				t.Errorf("%s, %s: the next incompliance is %s", subType, name, answer.Outcome)
			}
		}
	}
}

func TestSubjectPicksByName(t *testing.T) {
	t.Parallel()
	tests := map[jobmanager.Text]map[string]bool{
		"web":      {"web": true, "web-1": false, "": false},
		"*":        {"web": true, "": true},
		"/a|b/":    {"a": true, "b": true, "ab": false, "a|b": false},
		"/web-.*/": {"web-1": true, "web": false, "my-web-1": false},
		"/(/":      {"(": false, "/(/": false},
		"//":       {"//": true, "": false},
		"/":        {"/": true, "web": false},
		"":         {"": false, "web": false},
	}
	for pattern, names := range tests {
		for name, want := range names {
			if got := (jobmanager.Subject{AppComponent: pattern}).Picks(name); got != want {
				t.Errorf("%q picks %q: %t", pattern, name, got)
			}
		}
	}
	if !(jobmanager.Subject{AppComponent: "web-old"}).Picks("web", "web-new", "web-old") {
		t.Error("a past name of the resource is not found")
	}
}

func TestIncomplianceAboutNothingSaysSo(t *testing.T) {
	t.Parallel()
	i := incompliance(newID, "scale-up")
	if event := i.Settle(nil, start); i.Reason == "" || event.Incompliance.Reason != i.Reason || event.Type != jobmanager.IncomplianceReported {
		t.Errorf("%+v, told by %+v", i, event)
	}
}
