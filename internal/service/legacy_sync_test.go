package service_test

import (
	"slices"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/service"
)

// byEpoch is a job that an agent with epochs has claimed and finished, with the workload u1.
func (s oldServer) byEpoch(owner jobmanager.OwnerID) jobmanager.ID {
	s.t.Helper()
	id := s.submitted()
	got, err := s.ClaimJob(s.t.Context(), fleet(), service.ClaimJobInput{JobID: id, Orchestrator: "ocm", OwnerID: owner}, jobmanager.JobLoad{})
	if err != nil {
		s.t.Fatal(err)
	}
	finish := service.FinishJobInput{JobID: id, OwnerID: owner, Epoch: got.Job.Epoch, Resource: &service.ResourceInput{UID: "u1", Name: "part-000-abcde"}}
	if _, err := s.FinishJob(s.t.Context(), fleet(), finish); err != nil {
		s.t.Fatal(err)
	}
	return id
}

// unavailable is a condition that says otherwise than what is known.
func unavailable() service.ConditionInput {
	return service.ConditionInput{Type: "Available", Status: jobmanager.StatusFalse, Reason: "Gone"}
}

// TestSyncOfAnotherClientNeitherWritesNorKeepsAnAgentPresent: it does not speak for the agent whose workload it names.
func TestSyncOfAnotherClientNeitherWritesNorKeepsAnAgentPresent(t *testing.T) {
	eachOldServer(t, func(t *testing.T, s oldServer) {
		for name, test := range map[string]struct {
			of func() (jobmanager.ID, jobmanager.OwnerID)
			by jobmanager.Principal
		}{
			"an old agent beside one with epochs": {func() (jobmanager.ID, jobmanager.OwnerID) { return s.byEpoch("new"), "new" }, fleet()},
			"another client's old agent": {func() (jobmanager.ID, jobmanager.OwnerID) {
				s.list("hub")
				return s.done(s.submitted()).ID, "hub"
			}, somebodyElse()},
		} {
			id, owner := test.of()
			before, known := s.job(id), s.agent(owner)
			s.clock.Advance(time.Hour)
			err := s.syncAs(test.by, service.ResourceInput{
				UID: before.Resource.UID, Name: "part-000-abcde", Conditions: []service.ConditionInput{unavailable()},
			})
			if after := s.job(id); jobmanager.CodeOf(err) != jobmanager.CodeNotFound || after.Version != before.Version || len(after.Resource.Conditions) != len(before.Resource.Conditions) {
				t.Errorf("%s: the sync is answered %v, the resource is %+v", name, err, after.Resource)
			}
			if now := s.agent(owner); !now.LastSeenAt.Equal(known.LastSeenAt) || now.Protocol != known.Protocol {
				t.Errorf("%s: the agent was last seen at %s by %s, before at %s by %s", name, now.LastSeenAt, now.Protocol, known.LastSeenAt, known.Protocol)
			}
		}
	})
}

// TestSyncOfItsOwnClientWritesAndKeepsItsAgentPresent is the same from the right side.
func TestSyncOfItsOwnClientWritesAndKeepsItsAgentPresent(t *testing.T) {
	eachOldServer(t, func(t *testing.T, s oldServer) {
		s.list("hub")
		j := s.done(s.submitted())
		s.clock.Advance(time.Hour)
		if err := s.sync(string(j.Resource.UID), j.Resource.Name, unavailable()); err != nil {
			t.Fatal(err)
		}
		if now := s.job(j.ID); len(now.Resource.Conditions) != 1 || !s.agent("hub").LastSeenAt.Equal(s.clock.Now()) {
			t.Errorf("the resource is %+v, its agent was seen at %s", now.Resource, s.agent("hub").LastSeenAt)
		}
	})
}

// TestWorkloadThatPredatesTheClaimIsNotAdopted: it stood before anything was claimed, though it is named only now.
func TestWorkloadThatPredatesTheClaimIsNotAdopted(t *testing.T) {
	eachOldServer(t, func(t *testing.T, s oldServer) {
		id := s.submitted()
		s.list("hub")
		claimed := s.promote("hub", id).Last.ClaimedAt
		s.clock.Advance(3 * time.Second)
		err := s.sync("of-the-old-service", "part-000-x7k2p", changedAt(claimed.Add(-time.Hour)))
		if j := s.job(id); jobmanager.CodeOf(err) != jobmanager.CodeNotFound || j.State != jobmanager.Progressing || len(j.Strays) != 0 || j.Hold != "" {
			t.Fatalf("%v: the job is %s, held by %q, with %+v", err, j.State, j.Hold, j.Resource)
		}
		if err := s.sync("its-own", "part-000-b8d4w", changedAt(claimed.Add(time.Second))); err != nil || s.job(id).Resource.UID != "its-own" {
			t.Errorf("what came with the claim is not adopted: %v, %+v", err, s.job(id))
		}
	})
}

// changedAt is a condition that changed last at a time.
func changedAt(at time.Time) service.ConditionInput {
	return service.ConditionInput{Type: "Applied", Status: jobmanager.StatusTrue, LastTransitionTime: &at}
}

// TestWorkloadOfAFormerAttemptIsACandidateToo: it predates the newest claim, and may be the job's all the same.
func TestWorkloadOfAFormerAttemptIsACandidateToo(t *testing.T) {
	eachOldServer(t, func(t *testing.T, s oldServer) {
		id := s.submitted()
		s.list("hub")
		var made []time.Time
		for range 2 {
			s.promote("hub", id)
			made = append(made, s.clock.Now().Add(time.Second))
			s.clock.Advance(s.life.ReportedLease)
			s.expire()
			s.clock.Advance(time.Minute)
		}
		for i, uid := range []string{"first", "second"} {
			if err := s.sync(uid, "part-000-x7k2"+uid[:1], changedAt(made[i])); jobmanager.CodeOf(err) != jobmanager.CodeNotFound {
				t.Errorf("the sync of the %s: %v", uid, err)
			}
		}
		var candidates []string
		for _, stray := range s.job(id).Strays {
			candidates = append(candidates, string(stray.UID))
		}
		if j := s.job(id); j.Hold != jobmanager.HoldAmbiguousWorkload || !slices.Equal(candidates, []string{"first", "second"}) {
			t.Errorf("it is held by %q, its candidates are %v", j.Hold, candidates)
		}
	})
}

// TestRemovalNamesWhatItsCreateLeftBeforeItBegan: the Create was stopped without a report, and its agent had begun to
// remove what it had no name of when its sync showed it.
func TestRemovalNamesWhatItsCreateLeftBeforeItBegan(t *testing.T) {
	eachOldServer(t, func(t *testing.T, s oldServer) {
		id := s.submitted()
		s.list("hub")
		s.promote("hub", id)
		made := s.clock.Now().Add(time.Second)
		s.clock.Advance(4 * time.Minute)
		s.undeploy(id)
		s.list("hub")
		s.promote("hub", id)
		s.clock.Advance(time.Second)
		err := s.sync("made-before", "part-000-x7k2p", changedAt(made))
		if j := s.job(id); j.Type != jobmanager.DeleteDeployment || j.Resource == nil || j.Resource.UID != "made-before" {
			t.Errorf("%v: the %s names %+v, strays %+v", err, j.Type, j.Resource, j.Strays)
		}
	})
}

// TestWorkloadOfAnotherHubsDeleteIsRemovedByItsOwnHub: a's Create ran out, was handed out to b and is stopped; then a's
// sync names what a made.
func TestWorkloadOfAnotherHubsDeleteIsRemovedByItsOwnHub(t *testing.T) {
	eachOldServer(t, func(t *testing.T, s oldServer) {
		id := s.submitted()
		s.list("a")
		s.promote("a", id)
		s.clock.Advance(s.life.ReportedLease)
		s.expire()
		s.clock.Advance(time.Minute)
		if listed := s.list("b"); len(listed) != 1 {
			t.Fatalf("%d jobs are listed to b", len(listed))
		}
		s.undeploy(id)
		err := s.sync("made-by-a", "part-000-x7k2p")
		j := s.job(id)
		if jobmanager.CodeOf(err) != jobmanager.CodeNotFound || j.Owner != "b" || len(j.Strays) != 1 || j.Strays[0].OwnerID != "a" || !j.Strays[0].Reported {
			t.Fatalf("%v: the Delete of %s has the resource %+v and the strays %+v", err, j.Owner, j.Resource, j.Strays)
		}
		if err := s.report(service.ReportJobInput{JobID: id, OwnerID: "b", Type: j.Type, Epoch: s.promote("b", id).Epoch}); err != nil {
			t.Fatal(err)
		}
		if j := s.job(id); j.Type != jobmanager.DeleteDeployment || j.State != jobmanager.Created || j.Owner != "a" || j.Resource.UID != "made-by-a" {
			t.Errorf("after b's Delete it is %s/%s of %s with %+v", j.Type, j.State, j.Owner, j.Resource)
		}
	})
}

// TestLateReportBeforeATakeoverKeepsOthersFromMakingItAgain: what the agent whose lease ran out twice reports of its first
// attempt is known to stand.
func TestLateReportBeforeATakeoverKeepsOthersFromMakingItAgain(t *testing.T) {
	eachOldServer(t, func(t *testing.T, s oldServer) {
		id := s.submitted()
		s.list("a")
		late := workOn(s.promote("a", id), "a")
		for range 2 {
			s.clock.Advance(s.life.ReportedLease)
			s.expire()
			if s.job(id).Epoch == late.Epoch {
				s.clock.Advance(time.Minute)
				s.promote("a", id)
			}
		}
		if err := s.report(late); jobmanager.CodeOf(err) != jobmanager.CodeStaleOwner {
			t.Fatal(err)
		}
		s.clock.Advance(time.Hour)
		if listed := s.list("b"); len(listed) != 0 {
			t.Errorf("b is listed a %s, and would make it again", listed[0].Type)
		}
		if listed := s.list("a"); len(listed) != 1 || listed[0].Type != jobmanager.ReplaceDeployment || s.job(id).Resource.UID != late.Resource.UID {
			t.Errorf("a is listed %d jobs, the resource is %+v", len(listed), s.job(id).Resource)
		}
	})
}
