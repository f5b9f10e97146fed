package main

import (
	"context"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const descriptor = `name: diary
components:
  - name: page
    type: kubernetes
    targets: {cluster_name: ` + cluster + `, node_name: shelf, orchestrator: ocm}
    manifests: [{name: page}]
manifests:
  - name: page
    manifest: {apiVersion: v1, kind: Pod, metadata: {name: page}}
`

func TestExampleBringsAJobUpAndEndsWhenItIsTold(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Options{})
	var group struct {
		CreateJobGroup struct{ JobGroup struct{ ID string } }
	}
	s.Must(t, `mutation($d: String!) { createJobGroup(input: {descriptor: $d}) { jobGroup { id } } }`, apptest.Vars{"d": descriptor}, &group)
	watch := s.Subscribe(t, `subscription($id: ID!) { jobChanged(filter: {jobGroupIds: [$id]}) {
		job { state owner resource { uid conditions { type status } } } } }`, apptest.Vars{"id": group.CreateJobGroup.JobGroup.ID})
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, s.URL, "") }()
	for !up(t, watch) {
	}
	interrupt()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// up reads one message and says whether the job is finished and available.
func up(t *testing.T, watch *apptest.Subscription) bool {
	t.Helper()
	var m struct {
		JobChanged struct {
			Job *struct {
				State, Owner string
				Resource     *struct {
					UID        string
					Conditions []struct{ Type, Status string }
				}
			}
		}
	}
	watch.Next(&m)
	job := m.JobChanged.Job
	if job == nil || job.Resource == nil || job.State != "FINISHED" {
		return false
	}
	if job.Owner != "notebook-1" || !strings.HasPrefix(job.Resource.UID, "note-") {
		t.Errorf("it reported %+v of %s", job.Resource, job.Owner)
	}
	for _, c := range job.Resource.Conditions {
		if c.Type == "Available" && c.Status == "TRUE" {
			return true
		}
	}
	return false
}

func TestWrongAddressEndsTheExampleWithASentence(t *testing.T) {
	t.Parallel()
	if err := run(t.Context(), "nowhere", ""); err == nil || !strings.Contains(err.Error(), "URL") {
		t.Errorf("it ended with %v", err)
	}
}
