package app_test

import (
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/agent/simulated"
	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
	"github.com/icos-jobmanager/jobmanager/internal/config"
)

// TestAgentsBringUpAndTakeDown lets the SDK's agents do the whole work of an application, over websockets.
func TestAgentsBringUpAndTakeDown(t *testing.T) {
	t.Parallel()
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		driver := simulated.New(simulated.Config{Latency: 5 * time.Millisecond, StatusEvery: 10 * time.Millisecond})
		runAgents(t, s.URL, driver, 3)
		var group created
		s.Must(t, submit, apptest.Vars{"descriptor": shop}, &group)
		id := group.CreateJobGroup.JobGroup.ID
		awaitPhase(t, s.Client, id, "RUNNING")
		checkWorkOnce(t, s.Client, driver)
		for _, j := range group.CreateJobGroup.JobGroup.Jobs.Nodes {
			if times := driver.Done(j.ID, 1); times != 1 {
				t.Errorf("generation 1 of %s was applied %d times", j.Component, times)
			}
		}
		s.Must(t, `mutation($id: ID!) { stopJobGroup(input: {jobGroupId: $id}) { jobGroup { phase } } }`, apptest.Vars{"id": id}, nil)
		awaitPhase(t, s.Client, id, "STOPPED")
		if stands := driver.Workloads(); len(stands) != 0 {
			t.Errorf("after the stop there stand %+v", stands)
		}
	})
}

// TestWorkThatKeepsFailingEndsWithItsReason lets every attempt fail until there are no more.
func TestWorkThatKeepsFailingEndsWithItsReason(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Options{Configure: func(c *config.Config) { c.Backoff, c.MaxAttempts = 5*time.Millisecond, 3 }})
	runAgents(t, s.URL, simulated.New(simulated.Config{FailureRate: 1}), 2)
	var group created
	s.Must(t, submit, apptest.Vars{"descriptor": shop}, &group)
	watch := s.Subscribe(t, `subscription { jobChanged { kind job { state owner lease { epoch } waiting { reason message } attempts { outcome message } } } }`, nil)
	for {
		var m struct {
			JobChanged struct {
				Job *struct {
					State    string
					Waiting  *struct{ Reason, Message string }
					Attempts []struct{ Outcome, Message string }
				}
			}
		}
		watch.Next(&m)
		j := m.JobChanged.Job
		if j == nil || j.Waiting == nil || j.Waiting.Reason != "AttemptsExhausted" {
			continue
		}
		if j.State != "DEGRADED" || len(j.Attempts) != 3 || j.Attempts[2].Outcome != "FAILED" || j.Attempts[2].Message == "" {
			t.Errorf("at the end of its attempts the job is %+v", j)
		}
		break
	}
	awaitPhase(t, s.Client, group.CreateJobGroup.JobGroup.ID, "DEGRADED")
}
