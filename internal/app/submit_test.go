package app_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
	"github.com/icos-jobmanager/jobmanager/internal/config"
	"github.com/icos-jobmanager/jobmanager/internal/testkit"
)

const submitAs = `mutation($input: CreateJobGroupInput!) { createJobGroup(input: $input) {
	jobGroup { id jobs { nodes { id target { cluster node pinned } waiting { reason message } } } } findings { severity code } } }`

// submitted is the answer to submitAs.
type submitted struct {
	CreateJobGroup struct {
		JobGroup *struct {
			ID   string
			Jobs struct {
				Nodes []struct {
					ID     string
					Target *struct {
						Cluster, Node string
						Pinned        bool
					}
					Waiting struct{ Reason, Message string }
				}
			}
		}
		Findings []apptest.Finding
	}
}

func TestDryRunStoresNothingAndTellsAllFindings(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Options{})
	var answer submitted
	s.Must(t, submitAs, apptest.Vars{"input": map[string]any{"descriptor": "components: 7", "dryRun": true}}, &answer)
	if answer.CreateJobGroup.JobGroup != nil || len(answer.CreateJobGroup.Findings) == 0 {
		t.Errorf("%+v", answer)
	}
	var all struct {
		JobGroups struct{ Nodes []struct{ ID string } }
	}
	s.Must(t, `{ jobGroups { nodes { id } } }`, nil, &all)
	if len(all.JobGroups.Nodes) != 0 {
		t.Errorf("%d groups after a dry run", len(all.JobGroups.Nodes))
	}
}

func TestRetryWithTheSameKeyGetsTheSameGroup(t *testing.T) {
	t.Parallel()
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		input := map[string]any{"descriptor": shop, "idempotencyKey": "order-7"}
		var first, second submitted
		s.Must(t, submitAs, apptest.Vars{"input": input}, &first)
		s.Must(t, submitAs, apptest.Vars{"input": input}, &second)
		if first.CreateJobGroup.JobGroup.ID != second.CreateJobGroup.JobGroup.ID {
			t.Errorf("groups %s and %s", first.CreateJobGroup.JobGroup.ID, second.CreateJobGroup.JobGroup.ID)
		}
		input["descriptor"] = strings.Replace(shop, "name: shop", "name: other", 1)
		if problem := s.Refused(t, submitAs, apptest.Vars{"input": input}); problem.Extensions.Code != "IDEMPOTENCY_MISMATCH" {
			t.Errorf("another input with the same key: %+v", problem)
		}
		const remove = `mutation($id: ID!) { deleteJobGroup(input: {jobGroupId: $id, stopFirst: true, idempotencyKey: "gone"}) { deleted } }`
		for range 2 {
			var deleted struct{ DeleteJobGroup struct{ Deleted bool } }
			s.Must(t, remove, apptest.Vars{"id": first.CreateJobGroup.JobGroup.ID}, &deleted)
			if !deleted.DeleteJobGroup.Deleted {
				t.Error("a group of which nothing stands is deleted at once")
			}
		}
	})
}

func TestPinnedTargetWins(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Options{})
	pinned := strings.Replace(shop, "    manifests:\n      - name: cellar\n", "    targets: {cluster_name: attic, node_name: n1, orchestrator: ocm}\n    manifests:\n      - name: cellar\n", 1)
	var answer submitted
	s.Must(t, submitAs, apptest.Vars{"input": map[string]any{"descriptor": pinned}}, &answer)
	target := answer.CreateJobGroup.JobGroup.Jobs.Nodes[1].Target
	if target == nil || target.Cluster != "attic" || target.Node != "n1" || !target.Pinned {
		t.Errorf("the pinned component goes to %+v", target)
	}
}

// TestMatchmakerThatIsDownIsTheCallersChoice submits while the Matchmaker answers 503, and lets it come back.
func TestMatchmakerThatIsDownIsTheCallersChoice(t *testing.T) {
	t.Parallel()
	var up atomic.Bool
	peer := &testkit.Matchmaker{}
	peer.Answer = func(string) (int, string) {
		if !up.Load() {
			return http.StatusServiceUnavailable, `{"error":"Error calling the agregator API"}`
		}
		target := `"targets":{"cluster_name":"c1","node_name":"n1","orchestrator":"ocm"}`
		return http.StatusOK, `{"components":[{"name":"cellar",` + target + `},{"name":"front",` + target + `}]}`
	}
	peer.Start(t)
	clock := testkit.NewClock(time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC))
	s := apptest.Start(t, apptest.Options{Clock: clock, Configure: func(c *config.Config) { c.Matchmaking.URL = peer.URL }})

	if problem := s.Refused(t, submitAs, apptest.Vars{"input": map[string]any{"descriptor": shop}}); problem.Extensions.Code != "UNAVAILABLE" {
		t.Errorf("by default: %+v", problem)
	}
	var answer submitted
	s.Must(t, submitAs, apptest.Vars{"input": map[string]any{"descriptor": shop, "onMatchmakerDown": "ACCEPT"}}, &answer)
	job := answer.CreateJobGroup.JobGroup.Jobs.Nodes[0]
	if job.Target != nil || job.Waiting.Reason != "AwaitingForTarget" || job.Waiting.Message == "" {
		t.Errorf("accepted as %+v", job)
	}
	agent := s.Subscribe(t, executable, apptest.Vars{"owner": "hub-1"})
	up.Store(true)
	advanceUntil(t, clock, 11*time.Second, func() bool {
		var seen struct {
			Job struct{ Target *struct{ Cluster string } }
		}
		s.Must(t, `query($id: ID!) { job(id: $id) { target { cluster } } }`, apptest.Vars{"id": job.ID}, &seen)
		return seen.Job.Target != nil
	})
	var offer offered
	advanceWhile(clock, time.Second, func() { agent.Next(&offer) })
	if offer.JobExecutable.Component != "front" {
		t.Errorf("offered %+v", offer)
	}
}

func TestNodeFindsEveryKindByItsID(t *testing.T) {
	t.Parallel()
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		var group created
		s.Must(t, submit, apptest.Vars{"descriptor": shop}, &group)
		job := group.CreateJobGroup.JobGroup.Jobs.Nodes[0].ID
		var won claimed
		s.Must(t, claim, apptest.Vars{"job": job, "owner": "hub-1"}, &won)
		var done struct {
			FinishJob struct {
				Job struct{ Resource struct{ ID string } }
			}
		}
		s.Must(t, `mutation($job: ID!, $epoch: Int!) { finishJob(input: {jobId: $job, ownerId: "hub-1", epoch: $epoch}) { job { resource { id } } } }`,
			apptest.Vars{"job": job, "epoch": won.ClaimJob.Job.Epoch}, &done)
		var found struct {
			Nodes []*struct {
				Typename string `json:"__typename"`
				ID       string
				Name     string
				State    string
			}
		}
		ids := []string{done.FinishJob.Job.Resource.ID, "0190c5a2-7b1e-7c3d-9f00-5b8d3e1a2c44", job, group.CreateJobGroup.JobGroup.ID}
		s.Must(t, `query($ids: [ID!]!) { nodes(ids: $ids) { __typename id ... on JobGroup { name } ... on Job { state } ... on Resource { name } } }`, apptest.Vars{"ids": ids}, &found)
		want := []string{"Resource", "", "Job", "JobGroup"}
		for i, node := range found.Nodes {
			if (node == nil) != (want[i] == "") || node != nil && (node.Typename != want[i] || node.ID != ids[i]) {
				t.Errorf("node %d is %+v, want a %s", i, node, want[i])
			}
		}
		if len(found.Nodes) != 4 || found.Nodes[0].Name != "front" {
			t.Errorf("found %+v", found.Nodes)
		}
	})
}
