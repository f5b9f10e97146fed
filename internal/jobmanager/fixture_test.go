package jobmanager_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

var start = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

const (
	agentA jobmanager.OwnerID = "a"
	agentB jobmanager.OwnerID = "b"

	createDeployment  = jobmanager.CreateDeployment
	updateDeployment  = jobmanager.UpdateDeployment
	replaceDeployment = jobmanager.ReplaceDeployment
	deleteDeployment  = jobmanager.DeleteDeployment
)

// The incompliances of the tests: the one that an Update answers, one that waits, and a new one.
const (
	causeID jobmanager.ID = "00000000-0000-7000-8000-0000000000c1"
	queueID jobmanager.ID = "00000000-0000-7000-8000-0000000000c2"
	newID   jobmanager.ID = "00000000-0000-7000-8000-0000000000c3"
)

// job makes one that agent a may have worked on, in the state that its name says.
func job(kind jobmanager.JobType, state jobmanager.JobState, workload jobmanager.Workload) *jobmanager.Job {
	j := &jobmanager.Job{
		ID: "00000000-0000-7000-8000-000000000001", Component: "web", Type: kind, State: state, Workload: workload,
		Epoch: 4, Generation: 2, Orchestrator: "ocm", ManifestCount: 1, Since: start,
		Target: target("c1"), Namespace: "app", Requirements: jobmanager.Value(`{"cpu":1}`),
	}
	if kind != createDeployment || state != jobmanager.Created {
		j.Owner = agentA
		j.Last = jobmanager.Attempt{Epoch: 4, OwnerID: agentA, ClaimedAt: start}
	}
	if kind == updateDeployment {
		j.SubType = jobmanager.ScaleUp
		if state != jobmanager.Finished {
			j.Cause = causeID
		}
	}
	if workload == jobmanager.WorkloadPresent {
		j.Resource = &jobmanager.Resource{ID: "00000000-0000-7000-8000-00000000000e", JobID: j.ID, UID: "uid-1", Name: "web", SeenAt: start}
	}
	switch state {
	case jobmanager.Progressing:
		j.Attempt = 1
		j.Lease = &jobmanager.Lease{OwnerID: agentA, Epoch: 4, Length: time.Minute, ExpiresAt: start.Add(time.Minute)}
	case jobmanager.Degraded:
		j.Attempt, j.Last.Outcome, j.LastError = 1, outcome(jobmanager.OutcomeFailed), "no such image"
	case jobmanager.Finished:
		j.Attempt, j.Last.Outcome = 1, outcome(jobmanager.OutcomeFinished)
	case jobmanager.Created:
		if kind != createDeployment { // a stop or an update took it away from its last attempt
			j.Last.Outcome, j.Epoch = outcome(jobmanager.OutcomeFinished), 5
		}
	}
	return j
}

func outcome(o jobmanager.Outcome) *jobmanager.Outcome { return &o }

func target(cluster string) *jobmanager.Target {
	return &jobmanager.Target{Cluster: cluster, Orchestrator: "ocm"}
}

// answer is what the Matchmaker names for the component web.
func answer(clusters ...string) jobmanager.Match {
	match := jobmanager.Match{Component: "web"}
	for _, cluster := range clusters {
		match.Targets = append(match.Targets, *target(cluster))
	}
	return match
}

func with(j *jobmanager.Job, changes ...func(*jobmanager.Job)) *jobmanager.Job {
	for _, change := range changes {
		change(j)
	}
	return j
}

// agent serves the clusters of the tests.
func agent(owner jobmanager.OwnerID) jobmanager.Agent {
	return jobmanager.Agent{OwnerID: owner, Orchestrator: "ocm", Clusters: []string{"c1", "c2", "c3"}}
}

func claimOf(owner jobmanager.OwnerID) jobmanager.Claim {
	return jobmanager.Claim{Agent: agent(owner), Length: time.Minute}
}

func fence(owner jobmanager.OwnerID, epoch int64) jobmanager.Fence {
	return jobmanager.Fence{OwnerID: owner, Epoch: epoch}
}

// held is the fence that the job's owner writes with.
func held(j *jobmanager.Job) jobmanager.Fence { return fence(j.Owner, j.Epoch) }

// ids gives ids one after the other.
func ids() func() jobmanager.ID {
	next := 0xf00
	return func() jobmanager.ID {
		next++
		return jobmanager.ID(fmt.Sprintf("00000000-0000-7000-8000-%012x", next))
	}
}

func life() jobmanager.LifeCycle { return jobmanager.DefaultLifeCycle() }

func incompliance(id jobmanager.ID, remediation string) *jobmanager.Incompliance {
	return &jobmanager.Incompliance{ID: id, Remediation: remediation, PolicyName: "load"}
}

// mustClaim lets the agent claim the job.
func mustClaim(t testing.TB, j *jobmanager.Job, owner jobmanager.OwnerID, now time.Time) {
	t.Helper()
	if _, err := j.Claim(claimOf(owner), now); err != nil {
		t.Fatal(err)
	}
}

// mustFinish lets the owner finish the job, and gives what that told.
func mustFinish(t testing.TB, j *jobmanager.Job, now time.Time) []jobmanager.Event {
	t.Helper()
	events, err := j.Finish(held(j), jobmanager.ResourceReport{UID: "uid-1"}, now)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// mustFail lets the owner fail the job, and gives what that told.
func mustFail(t testing.TB, j *jobmanager.Job, now time.Time) []jobmanager.Event {
	t.Helper()
	events, err := j.Fail(held(j), "it broke", life(), now)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// told lists the types of events, with what became of remediations.
func told(events []jobmanager.Event) []string {
	words := []string{}
	for _, event := range events {
		word := string(event.Type)
		if r := event.Remediation; r != nil {
			word += "(" + string(r.Outcome) + ")"
		}
		words = append(words, word)
	}
	return words
}

// web is the component of the tests' job, and app an application of components.
func web(change func(*jobmanager.Component)) jobmanager.Component {
	c := jobmanager.Component{
		Name: "web", Type: "kubernetes", Requirements: jobmanager.Value(`{"cpu":1}`),
		Manifests: []jobmanager.Manifest{{Name: "m", Text: "replicas: 1"}},
	}
	if change != nil {
		change(&c)
	}
	return c
}

func app(components ...jobmanager.Component) jobmanager.Descriptor {
	return jobmanager.Descriptor{Name: "app", Namespace: "app", Components: components}
}

func newManifests(c *jobmanager.Component) {
	c.Manifests = []jobmanager.Manifest{{Name: "m", Text: "replicas: 2"}, {Name: "n", Text: "kind: Service"}}
}

func noManifests(c *jobmanager.Component) { c.Manifests = nil }

func newRequirements(c *jobmanager.Component) { c.Requirements = jobmanager.Value(`{"cpu":2}`) }
