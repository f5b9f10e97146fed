package service_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/service"
)

// TestListThatLapsedIsStillReservedForItsAgent: its process ended between list and claim, which is one lapse however many
// jobs there were.
func TestListThatLapsedIsStillReservedForItsAgent(t *testing.T) {
	eachOldServer(t, func(t *testing.T, s oldServer) {
		mustSubmit(t, s.server, "shop", s.life.MostHandedOut)
		s.list("a")
		s.clock.Advance(s.life.HandOut)
		again := s.list("a")
		if others := s.list("b"); len(again) != s.life.MostHandedOut || len(others) != 0 {
			t.Errorf("%d jobs are listed to a, and %d of them to b as well", len(again), len(others))
		}
	})
}

// TestReportAgainMayNameNoOtherThatDoesNotFit: what it names would be kept as a stray, and be a key of a table.
func TestReportAgainMayNameNoOtherThatDoesNotFit(t *testing.T) {
	eachOldServer(t, func(t *testing.T, s oldServer) {
		id := s.submitted()
		s.list("hub")
		in := workOn(s.promote("hub", id), "hub")
		if err := s.report(in); err != nil {
			t.Fatal(err)
		}
		for _, uid := range []string{strings.Repeat("x", 3_000), strings.Repeat("x", 1_000_000), "uid\x00"} {
			in.Resource.UID = jobmanager.Text(uid)
			if err := s.report(in); jobmanager.CodeOf(err) != jobmanager.CodeInvalid || len(s.job(id).Strays) != 0 {
				t.Errorf("a uid of %d bytes: %v, %d strays", len(uid), err, len(s.job(id).Strays))
			}
		}
	})
}

// TestEchoedTargetIsCheckedAndIsTheReportersOwn: a stray is removed where its report says that it stands.
func TestEchoedTargetIsCheckedAndIsTheReportersOwn(t *testing.T) {
	eachOldServer(t, func(t *testing.T, s oldServer) {
		id := s.submitted()
		s.list("hub")
		s.list("other")
		in := workOn(s.done(id), "other")
		in.Resource.UID = "uid-2nd"
		in.Target = &jobmanager.Target{Cluster: strings.Repeat("x", 1<<20), Orchestrator: "ocm"}
		if err := s.report(in); jobmanager.CodeOf(err) != jobmanager.CodeInvalid || len(s.job(id).Strays) != 0 {
			t.Errorf("a cluster with a name of 1 MiB: %v, %d strays", err, len(s.job(id).Strays))
		}
		in.Target = &jobmanager.Target{Cluster: "o-2", Orchestrator: "nobody-runs-this"}
		err := s.report(in)
		if strays := s.job(id).Strays; jobmanager.CodeOf(err) != jobmanager.CodeStaleOwner || len(strays) != 1 || strays[0].Target.Orchestrator != "ocm" {
			t.Errorf("an orchestrator that is not the reporter's: %v, strays %+v", err, strays)
		}
	})
}

// TestReportOfOneThatNeverPolledChangesNothing, not even a stray is left: what it echoes may be a copy.
func TestReportOfOneThatNeverPolledChangesNothing(t *testing.T) {
	eachOldServer(t, func(t *testing.T, s oldServer) {
		ids := mustSubmit(t, s.server, "shop", 2)
		s.list("hub")
		s.done(ids[0])
		for _, id := range ids {
			before := s.job(id)
			for epoch := range before.Epoch + 2 {
				in := workOn(before, "forger")
				in.Epoch, in.Resource.UID = epoch, "evil"
				in.Target = before.Target
				if err := s.report(in); jobmanager.CodeOf(err) != jobmanager.CodeStaleOwner {
					t.Errorf("at epoch %d it is answered %v", epoch, err)
				}
			}
			if after := s.job(id); after.Version != before.Version || after.Owner != before.Owner || after.State != before.State || len(after.Strays) != 0 {
				t.Errorf("the job was %+v and is %+v", before, after)
			}
		}
	})
}

// TestJobOfACommonNameIsFoundAmongManyOthers: sixteen that may have left nothing unknown do not hide the one that may.
func TestJobOfACommonNameIsFoundAmongManyOthers(t *testing.T) {
	eachOldServer(t, func(t *testing.T, s oldServer) {
		all := s.namesakes(jobmanager.MostMeant + 1)
		s.list("hub")
		for _, id := range all[:jobmanager.MostMeant] {
			s.done(id)
			s.undeploy(id)
		}
		last := all[jobmanager.MostMeant]
		s.promote("hub", last)
		s.clock.Advance(time.Second)
		if err := s.sync("mine", "part-000-x7k2p"); err != nil || s.job(last).Resource.UID != "mine" {
			t.Errorf("its own is not adopted: %v, %+v", err, s.job(last))
		}
	})
}

// TestWorkloadThatFitsTheFirstAndTheLastOfManyIsNobodysAlone: however many others there are between them.
func TestWorkloadThatFitsTheFirstAndTheLastOfManyIsNobodysAlone(t *testing.T) {
	eachOldServer(t, func(t *testing.T, s oldServer) {
		all := s.namesakes(jobmanager.MostMeant + 1)
		s.list("hub")
		for _, id := range all[1:jobmanager.MostMeant] {
			s.done(id)
			s.undeploy(id)
		}
		s.promote("hub", all[0])
		s.promote("hub", all[jobmanager.MostMeant])
		s.clock.Advance(time.Second)
		err := s.sync("of-the-last", "part-000-x7k2p")
		if j := s.job(all[0]); j.State == jobmanager.Finished || j.Hold != jobmanager.HoldAmbiguousWorkload {
			t.Errorf("%v: the first is %s, held by %q", err, j.State, j.Hold)
		}
	})
}

// TestMoreThanCanBeLookedAtAdoptNothing: where all of them fit, none is told to be the only one.
func TestMoreThanCanBeLookedAtAdoptNothing(t *testing.T) {
	eachOldServer(t, func(t *testing.T, s oldServer) {
		all := s.namesakes(jobmanager.MostMeant + 1)
		s.list("hub")
		for _, id := range all {
			s.promote("hub", id)
		}
		s.clock.Advance(time.Second)
		err := s.sync("of-one", "part-000-x7k2p")
		adopted := slices.ContainsFunc(all, func(id jobmanager.ID) bool { return s.job(id).State == jobmanager.Finished })
		if jobmanager.CodeOf(err) != jobmanager.CodeNotFound || adopted {
			t.Errorf("one of %d adopted it: %v", len(all), err)
		}
	})
}

// unconfirmedRemoval is a removal by the agent hub that was not reported, and whose lease ran out just now.
func (s oldServer) unconfirmedRemoval() jobmanager.ID {
	s.t.Helper()
	id := s.submitted()
	s.list("hub")
	s.done(id)
	s.undeploy(id)
	s.list("hub")
	s.promote("hub", id)
	s.clock.Advance(s.life.ReportedLease)
	s.expire()
	if j := s.job(id); j.Hold != jobmanager.HoldRemovalUnconfirmed {
		s.t.Fatalf("the removal is held by %q", j.Hold)
	}
	return id
}

// TestTwoPollsAtOnceEndNoRemoval: a call that is repeated at once is no second one.
func TestTwoPollsAtOnceEndNoRemoval(t *testing.T) {
	eachOldServer(t, func(t *testing.T, s oldServer) {
		id := s.unconfirmedRemoval()
		uid := string(s.job(id).Resource.UID)
		for range 3 {
			s.list("hub")
		}
		if j := s.job(id); j.State == jobmanager.Finished || s.sync(uid, "part-000-abcde") != nil || s.job(id).Hold != "" {
			t.Errorf("polls at once made it %s, held by %q; its sync then: %v", j.State, j.Hold, s.sync(uid, "part-000-abcde"))
		}
	})
}

// TestTwoPollsOfTwoTicksEndARemoval, and what another client says under the agent's name counts for nothing.
func TestTwoPollsOfTwoTicksEndARemoval(t *testing.T) {
	eachOldServer(t, func(t *testing.T, s oldServer) {
		id := s.unconfirmedRemoval()
		for range 3 {
			s.listAs(somebodyElse(), "hub")
			s.clock.Advance(15 * time.Second)
		}
		s.list("hub")
		if j := s.job(id); j.Polls != 1 || j.Hold != jobmanager.HoldRemovalUnconfirmed {
			t.Fatalf("after one poll %d are counted, and it is held by %q", j.Polls, j.Hold)
		}
		s.clock.Advance(10 * time.Second)
		s.list("hub")
		if j := s.job(id); j.State != jobmanager.Finished || j.Workload != jobmanager.WorkloadNone {
			t.Errorf("after two ticks it is %s with its workload %s", j.State, j.Workload)
		}
	})
}

// TestLongConditionsOfAnOldAgentAreCut, in a report and in a sync: it heeds no refusal, and the work would be made again.
func TestLongConditionsOfAnOldAgentAreCut(t *testing.T) {
	eachOldServer(t, func(t *testing.T, s oldServer) {
		var long []service.ConditionInput
		negative := int64(-1)
		for i := range 3 {
			long = append(long, service.ConditionInput{
				Type: fmt.Sprintf("Type-%d", i), Status: jobmanager.StatusTrue, Message: jobmanager.Text(strings.Repeat("m", 30<<10)), ObservedGeneration: &negative,
			})
		}
		long = append(long,
			service.ConditionInput{Type: "Huge", Status: jobmanager.StatusFalse, Message: jobmanager.Text(strings.Repeat("é", 100<<10)), Reason: "Be\x00cause"},
			service.ConditionInput{Type: "Odd", Status: "BAD"},
		)
		id := s.submitted()
		s.list("hub")
		in := workOn(s.promote("hub", id), "hub")
		in.Resource.Conditions = long
		if err := s.report(in); err != nil {
			t.Fatal(err)
		}
		stored := func() (types []string) {
			for _, c := range s.job(id).Resource.Conditions {
				types = append(types, c.Type)
			}
			return types
		}
		if got := stored(); !slices.Equal(got, []string{"Type-0", "Type-1", "Type-2", "Huge"}) {
			t.Errorf("of the report there are stored %v", got)
		}
		if err := s.sync(string(in.Resource.UID), "part-000-abcde", long[3:]...); err != nil {
			t.Error(err)
		}
		if got := stored(); !slices.Equal(got, []string{"Huge"}) {
			t.Errorf("of the sync there are stored %v", got)
		}
	})
}
