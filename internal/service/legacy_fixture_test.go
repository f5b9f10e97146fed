package service_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/service"
)

// oldServer is a server that old agents call as the client fleet; the test says what each of them sends.
type oldServer struct {
	*server
	t *testing.T
}

// eachOldServer runs a test on each kind of database.
func eachOldServer(t *testing.T, test func(t *testing.T, s oldServer)) {
	t.Helper()
	t.Parallel()
	onBoth(t, func(t *testing.T, fresh database) {
		s := mustServe(t, setting{url: fresh(t), life: jobmanager.DefaultLifeCycle()})
		s.matchmaker.learn(1, "o-1")
		test(t, oldServer{s, t})
	})
}

// list is what an agent is listed.
func (s oldServer) list(owner jobmanager.OwnerID) []*jobmanager.Job {
	s.t.Helper()
	return s.listAs(fleet(), owner)
}

func (s oldServer) listAs(p jobmanager.Principal, owner jobmanager.OwnerID) []*jobmanager.Job {
	s.t.Helper()
	jobs, err := s.HandOut(s.t.Context(), p, jobmanager.Agent{OwnerID: owner, Orchestrator: "ocm"}, jobmanager.JobLoad{})
	if err != nil {
		s.t.Fatal(err)
	}
	return jobs
}

// promote claims a job that was listed.
func (s oldServer) promote(owner jobmanager.OwnerID, id jobmanager.ID) *jobmanager.Job {
	s.t.Helper()
	job, err := s.ClaimListedJob(s.t.Context(), fleet(), service.ClaimListedJobInput{JobID: id, OwnerID: owner})
	if err != nil {
		s.t.Fatal(err)
	}
	return job
}

// workOn is the report of a job as it stands now, with a uid of its own.
func workOn(j *jobmanager.Job, owner jobmanager.OwnerID) service.ReportJobInput {
	return service.ReportJobInput{
		JobID: j.ID, OwnerID: owner, Type: j.Type, Epoch: j.Epoch,
		Resource: service.ResourceInput{UID: jobmanager.Text("uid-of-" + string(j.ID)), Name: jobmanager.Text(j.Component + "-abcde")},
	}
}

// report sends a report, whatever it is answered.
func (s oldServer) report(in service.ReportJobInput) error {
	_, err := s.ReportJob(s.t.Context(), fleet(), in, jobmanager.JobLoad{})
	return err
}

// done lets the agent hub promote a job and report it.
func (s oldServer) done(id jobmanager.ID) *jobmanager.Job {
	s.t.Helper()
	if err := s.report(workOn(s.promote("hub", id), "hub")); err != nil {
		s.t.Fatal(err)
	}
	return s.job(id)
}

// undeploy stops a job's group.
func (s oldServer) undeploy(id jobmanager.ID) {
	s.t.Helper()
	if _, err := s.StopJobGroup(s.t.Context(), integrator(), service.StopJobGroupInput{JobGroupID: s.job(id).GroupID}); err != nil {
		s.t.Fatal(err)
	}
}

// sync names a workload, whatever it is answered.
func (s oldServer) sync(uid, name string, conditions ...service.ConditionInput) error {
	return s.syncAs(fleet(), service.ResourceInput{UID: jobmanager.Text(uid), Name: jobmanager.Text(name), Conditions: conditions})
}

func (s oldServer) syncAs(p jobmanager.Principal, in service.ResourceInput) error {
	_, err := s.SyncResource(s.t.Context(), p, in)
	return err
}

// expire writes down the leases that ran out.
func (s oldServer) expire() {
	s.t.Helper()
	which := jobmanager.Which{LeaseOver: true, Scope: everything()}
	_, err := s.store.UpdateJobs(s.t.Context(), which, func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
		return j.Expire(s.life, now), nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// job as the database has it.
func (s oldServer) job(id jobmanager.ID) *jobmanager.Job {
	s.t.Helper()
	j, err := s.store.Job(s.t.Context(), everything(), id, jobmanager.JobLoad{})
	if err != nil {
		s.t.Fatal(err)
	}
	return j
}

// submitted is one job of component part-000.
func (s oldServer) submitted() jobmanager.ID {
	s.t.Helper()
	return mustSubmit(s.t, s.server, "shop", 1)[0]
}

// namesakes are jobs of one component name, each in a group of its own.
func (s oldServer) namesakes(n int) []jobmanager.ID {
	s.t.Helper()
	var all []jobmanager.ID
	for i := range n {
		all = append(all, mustSubmit(s.t, s.server, fmt.Sprintf("shop-%d", i), 1)...)
	}
	return all
}

// agent as the database has it; nil for one that is not known.
func (s oldServer) agent(owner jobmanager.OwnerID) *jobmanager.Agent {
	s.t.Helper()
	all, err := s.store.Agents(s.t.Context(), jobmanager.AgentQuery{Page: jobmanager.PageRequest{First: 20}})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, a := range all.Nodes() {
		if a.OwnerID == owner {
			return a
		}
	}
	return nil
}

// somebodyElse is another client with the role of an agent.
func somebodyElse() jobmanager.Principal {
	p := fleet()
	p.Name = "somebody-else"
	return p
}
