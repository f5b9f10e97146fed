package app_test

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
)

func TestMain(m *testing.M) {
	if serveInstead() {
		return
	}
	goleak.VerifyTestMain(m)
}

//go:embed testdata/two-components.yaml
var shop string

// The operations of the tests, as clients would write them.
const (
	submit = `mutation($descriptor: String!) { createJobGroup(input: {descriptor: $descriptor}) {
		jobGroup { id phase generation jobs { nodes { id component state } } } findings { code } } }`
	claim = `mutation($job: ID!, $owner: String!) { claimJob(input: {jobId: $job, orchestrator: "ocm", ownerId: $owner, leaseSeconds: 60}) {
		job { id state owner epoch lease { ownerId epoch expiresAt } manifests { text } } } }`
	finish = `mutation($job: ID!, $owner: String!, $epoch: Int!, $resource: ResourceInput) {
		finishJob(input: {jobId: $job, ownerId: $owner, epoch: $epoch, resource: $resource}) { job { state workload } } }`
	executable = `subscription($owner: String!) { jobExecutable(orchestrator: "ocm", ownerId: $owner) {
		id component type epoch generation manifests { name text } group { name } } }`
)

// created is the answer to submit.
type created struct {
	CreateJobGroup struct {
		JobGroup struct {
			ID, Phase  string
			Generation int
			Jobs       struct {
				Nodes []struct{ ID, Component, State string }
			}
		}
	}
}

// claimed is the answer to claim.
type claimed struct {
	ClaimJob struct {
		Job struct {
			ID, State, Owner string
			Epoch            int64
			Lease            struct {
				OwnerID   string
				Epoch     int64
				ExpiresAt string
			}
			Manifests []struct{ Text string }
		}
	}
}

// offered is a message of executable.
type offered struct {
	JobExecutable struct {
		ID, Component, Type string
		Epoch               int64
		Manifests           []struct{ Name, Text string }
		Group               struct{ Name string }
	}
}

// TestTheMainJobEndToEnd goes the whole way of an application, as a user, an agent and a dashboard see it.
func TestTheMainJobEndToEnd(t *testing.T) {
	t.Parallel()
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		agent := s.Subscribe(t, executable, apptest.Vars{"owner": "hub-1"})
		var group created
		s.Must(t, submit, apptest.Vars{"descriptor": shop}, &group)
		jobs := group.CreateJobGroup.JobGroup.Jobs.Nodes
		if group.CreateJobGroup.JobGroup.Phase != "PENDING" || len(jobs) != 2 || jobs[0].Component != "front" {
			t.Fatalf("created %+v", group)
		}
		pushed := map[string]offered{}
		for range jobs {
			var offer offered
			agent.Next(&offer)
			pushed[offer.JobExecutable.Component] = offer
		}
		manifests := pushed["front"].JobExecutable.Manifests
		if len(manifests) != 2 || !strings.HasPrefix(manifests[0].Text, "apiVersion: apps/v1\nkind: Deployment   # with a comment that must survive\n") {
			t.Errorf("pushed manifests %+v", manifests)
		}
		dashboard := s.Subscribe(t, `subscription($group: ID!) { resourceStatusChanged(filter: {jobGroupIds: [$group]}) {
			kind cursor resource { uid name conditions { type status } } job { component } } }`,
			apptest.Vars{"group": group.CreateJobGroup.JobGroup.ID})
		expectBookmark(t, dashboard)

		for _, j := range jobs {
			takeAndFinish(t, s, j.ID)
		}
		seen := map[string]string{}
		for range jobs {
			var m resourceMessage
			dashboard.Next(&m)
			seen[m.ResourceStatusChanged.Job.Component] = m.ResourceStatusChanged.Kind + " " + m.ResourceStatusChanged.Resource.UID
		}
		want := map[string]string{"front": "ENTERED uid-" + jobs[0].ID, "cellar": "ENTERED uid-" + jobs[1].ID}
		if diff := cmp.Diff(want, seen); diff != "" {
			t.Errorf("the dashboard saw (-want +got):\n%s", diff)
		}
		checkGraph(t, s, group.CreateJobGroup.JobGroup.ID)
		stopAndDelete(t, s, agent, group.CreateJobGroup.JobGroup.ID, len(jobs))
	})
}

type resourceMessage struct {
	ResourceStatusChanged struct {
		Kind, Cursor string
		Resource     *struct {
			UID, Name  string
			Conditions []struct{ Type, Status string }
		}
		Job *struct{ Component string }
	}
}

func expectBookmark(t *testing.T, s *apptest.Subscription) {
	t.Helper()
	var m resourceMessage
	s.Next(&m)
	if m.ResourceStatusChanged.Kind != "BOOKMARK" || m.ResourceStatusChanged.Cursor == "" {
		t.Fatalf("an empty snapshot ends with %+v", m)
	}
}

// takeAndFinish claims a job with 50 concurrent claimers, renews, reports and finishes it as the winner.
func takeAndFinish(t *testing.T, s *apptest.Server, job string) {
	t.Helper()
	winner := claimByMany(t, s, job, 50)
	owner, epoch := winner.ClaimJob.Job.Owner, winner.ClaimJob.Job.Epoch
	var renewed struct {
		RenewLeases struct {
			Results []struct {
				Lease *struct{ ExpiresAt string }
				Code  string
			}
		}
	}
	s.Must(t, `mutation($job: ID!, $owner: String!, $epoch: Int!) { renewLeases(input: {ownerId: $owner, leases: [{jobId: $job, epoch: $epoch}]}) {
		results { lease { expiresAt } code } } }`, apptest.Vars{"job": job, "owner": owner, "epoch": epoch}, &renewed)
	lease := renewed.RenewLeases.Results[0].Lease
	if lease == nil || lease.ExpiresAt < winner.ClaimJob.Job.Lease.ExpiresAt {
		t.Errorf("renewed to %+v, was %s", lease, winner.ClaimJob.Job.Lease.ExpiresAt)
	}
	resource := map[string]any{"uid": "uid-" + job, "name": "web-x7", "conditions": []any{
		map[string]any{"type": "Available", "status": "TRUE", "reason": "Ready"},
	}}
	s.Must(t, `mutation($job: ID!, $owner: String!, $epoch: Int!, $resource: ResourceInput!) {
		reportResource(input: {jobId: $job, ownerId: $owner, epoch: $epoch, resource: $resource}) { resource { uid } } }`,
		apptest.Vars{"job": job, "owner": owner, "epoch": epoch, "resource": resource}, nil)
	for range 2 { // the second one is a retry after a lost answer
		s.Must(t, finish, apptest.Vars{"job": job, "owner": owner, "epoch": epoch, "resource": resource}, nil)
	}
}

// claimByMany lets so many agents claim one job at once: one wins, the others are told NOT_CLAIMABLE.
func claimByMany(t *testing.T, s *apptest.Server, job string, claimers int) claimed {
	t.Helper()
	var (
		wins    atomic.Int32
		winner  claimed
		refused sync.Map
		all     sync.WaitGroup
	)
	for n := range claimers {
		all.Go(func() {
			owner := fmt.Sprintf("hub-%d", n)
			answer, err := s.Do(context.WithoutCancel(t.Context()), claim, apptest.Vars{"job": job, "owner": owner})
			switch {
			case err != nil:
				t.Error(err)
			case answer.Code() == "":
				if wins.Add(1) == 1 {
					if err := json.Unmarshal(answer.Data, &winner); err != nil {
						t.Error(err)
					}
				}
			default:
				refused.Store(owner, answer.Code())
			}
		})
	}
	all.Wait()
	if wins.Load() != 1 {
		t.Fatalf("%d of %d claimers won", wins.Load(), claimers)
	}
	refused.Range(func(owner, code any) bool {
		if code != "NOT_CLAIMABLE" {
			t.Errorf("%s was refused with %s", owner, code)
		}
		return true
	})
	return winner
}

// checkGraph reads a group with everything that hangs on it.
func checkGraph(t *testing.T, s *apptest.Server, group string) {
	t.Helper()
	var graph struct {
		JobGroup struct {
			Phase, Descriptor string
			Topology          []struct{ From, To, Kind string }
			Components        []struct {
				Name         string
				Requirements json.RawMessage
			}
			Jobs struct {
				Nodes []struct {
					Component, State, Workload string
					Target                     struct{ Cluster, Orchestrator string }
					Manifests                  []struct{ Kind, Text string }
					Attempts                   []struct{ Outcome, OwnerID string }
					Resource                   struct {
						UID        string
						Conditions []struct{ Type, Status string }
					}
					Waiting *struct{ Reason string }
					Lease   *struct{ Epoch int }
				}
			}
		}
	}
	s.Must(t, `query($id: ID!) { jobGroup(id: $id) { phase descriptor topology { from to kind } components { name requirements }
		jobs { nodes { component state workload target { cluster orchestrator } manifests { kind text } attempts { outcome ownerId }
			resource { uid conditions { type status } } waiting { reason } lease { epoch } } } } }`, apptest.Vars{"id": group}, &graph)
	g := graph.JobGroup
	if g.Phase != "RUNNING" || g.Descriptor != shop || len(g.Topology) != 1 || string(g.Components[1].Requirements) != `{"cpu":1,"devices":"squat.ai/video"}` {
		t.Errorf("the group is %+v", g)
	}
	for _, j := range g.Jobs.Nodes {
		if j.State != "FINISHED" || j.Workload != "PRESENT" || j.Target.Orchestrator != "ocm" || len(j.Manifests) == 0 ||
			len(j.Attempts) != 1 || j.Attempts[0].Outcome != "FINISHED" || j.Resource.Conditions[0].Status != "TRUE" || j.Waiting != nil || j.Lease != nil {
			t.Errorf("job %+v", j)
		}
	}
}

// stopAndDelete stops the group, executes the pushed deletes as their owner, and deletes what is left.
func stopAndDelete(t *testing.T, s *apptest.Server, bystander *apptest.Subscription, group string, jobs int) {
	t.Helper()
	bystander.Close()
	const remove = `mutation($id: ID!) { deleteJobGroup(input: {jobGroupId: $id}) { deleted } }`
	if problem := s.Refused(t, remove, apptest.Vars{"id": group}); problem.Extensions.Code != "GROUP_NOT_STOPPED" {
		t.Errorf("deleting a running group: %+v", problem)
	}
	s.Must(t, `mutation($id: ID!) { stopJobGroup(input: {jobGroupId: $id}) { jobGroup { phase generation } } }`, apptest.Vars{"id": group}, nil)
	var owners struct {
		Jobs struct{ Nodes []struct{ ID, Owner string } }
	}
	s.Must(t, `query($id: ID!) { jobs(filter: {jobGroupIds: [$id]}) { nodes { id owner } } }`, apptest.Vars{"id": group}, &owners)
	for _, job := range owners.Jobs.Nodes {
		owner := s.Subscribe(t, executable, apptest.Vars{"owner": job.Owner})
		var offer offered
		owner.Next(&offer)
		if offer.JobExecutable.Type != "DELETE_DEPLOYMENT" {
			t.Errorf("the owner was offered %+v", offer)
		}
		var won claimed
		s.Must(t, claim, apptest.Vars{"job": offer.JobExecutable.ID, "owner": job.Owner}, &won)
		s.Must(t, finish, apptest.Vars{"job": won.ClaimJob.Job.ID, "owner": job.Owner, "epoch": won.ClaimJob.Job.Epoch}, nil)
		owner.Close()
	}
	if len(owners.Jobs.Nodes) != jobs {
		t.Errorf("%d jobs to stop, want %d", len(owners.Jobs.Nodes), jobs)
	}
	var deleted struct{ DeleteJobGroup struct{ Deleted bool } }
	s.Must(t, remove, apptest.Vars{"id": group}, &deleted)
	var gone struct{ JobGroup *struct{ ID string } }
	s.Must(t, `query($id: ID!) { jobGroup(id: $id) { id } }`, apptest.Vars{"id": group}, &gone)
	if !deleted.DeleteJobGroup.Deleted || gone.JobGroup != nil {
		t.Errorf("deleted %v, still there: %+v", deleted, gone)
	}
}
