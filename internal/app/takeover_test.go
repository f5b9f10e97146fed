package app_test

import (
	"sync"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
	"github.com/icos-jobmanager/jobmanager/internal/testkit"
)

// TestSilentAgentLosesItsJobToAnother lets a lease run out on a clock that the test moves: the expiry is
// written, the job is pushed to another agent once the backoff is over, and the silent one is fenced.
func TestSilentAgentLosesItsJobToAnother(t *testing.T) {
	t.Parallel()
	apptest.EachDatabase(t, func(t *testing.T, url string) {
		clock := testkit.NewClock(time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC))
		s := apptest.Start(t, apptest.Options{DatabaseURL: url, Clock: clock})
		var group created
		s.Must(t, submit, apptest.Vars{"descriptor": shop}, &group)
		job := group.CreateJobGroup.JobGroup.Jobs.Nodes[0].ID
		var first claimed
		s.Must(t, claim, apptest.Vars{"job": job, "owner": "silent"}, &first)

		other := s.Subscribe(t, executable, apptest.Vars{"owner": "other"})
		var offer offered
		other.Next(&offer) // the group's other job, which nobody took
		changes := s.Subscribe(t, `subscription($id: ID!) { jobChanged(filter: {ids: [$id]}) { kind job { state owner lease { epoch } waiting { reason } } } }`, apptest.Vars{"id": job})
		awaitJob(t, changes, func(j watchedJob) bool { return j.Lease != nil })

		advanceUntil(t, clock, 61*time.Second, func() bool {
			var seen struct{ Job watchedJob }
			s.Must(t, `query($id: ID!) { job(id: $id) { state owner lease { epoch } waiting { reason } } }`, apptest.Vars{"id": job}, &seen)
			return seen.Job.Lease == nil && seen.Job.Waiting.Reason == "BackingOff"
		})
		awaitJob(t, changes, func(j watchedJob) bool { return j.Lease == nil && j.State == "PROGRESSING" })
		advanceWhile(clock, 6*time.Second, func() { other.Next(&offer) }) // the backoff after the first attempt
		if offer.JobExecutable.ID != job {
			t.Errorf("offered %s, want the job whose lease ran out", offer.JobExecutable.ID)
		}
		var second claimed
		s.Must(t, claim, apptest.Vars{"job": job, "owner": "other"}, &second)
		if second.ClaimJob.Job.Epoch != first.ClaimJob.Job.Epoch+1 {
			t.Errorf("epoch %d after the takeover, was %d", second.ClaimJob.Job.Epoch, first.ClaimJob.Job.Epoch)
		}
		if problem := s.Refused(t, finish, apptest.Vars{"job": job, "owner": "silent", "epoch": first.ClaimJob.Job.Epoch}); problem.Extensions.Code != "STALE_OWNER" {
			t.Errorf("the silent agent is told %+v", problem)
		}
		s.Must(t, finish, apptest.Vars{"job": job, "owner": "other", "epoch": second.ClaimJob.Job.Epoch}, nil)
	})
}

// watchedJob is what the test looks at.
type watchedJob struct {
	State, Owner string
	Lease        *struct{ Epoch int }
	Waiting      *struct{ Reason string }
}

// awaitJob reads messages until one tells of a job that is as wanted.
func awaitJob(t *testing.T, s *apptest.Subscription, wanted func(watchedJob) bool) {
	t.Helper()
	for {
		var m struct {
			JobChanged struct {
				Kind string
				Job  *watchedJob
			}
		}
		s.Next(&m)
		if m.JobChanged.Job != nil && wanted(*m.JobChanged.Job) {
			return
		}
	}
}

// advanceUntil moves the clock once by d, and then lets the server's goroutines come to it: each look at the
// state is a call that they work beside.
func advanceUntil(t *testing.T, clock *testkit.Clock, d time.Duration, done func() bool) {
	t.Helper()
	clock.Advance(d)
	for deadline := time.Now().Add(2 * time.Minute); !done(); {
		if time.Now().After(deadline) {
			t.Fatal("what the clock should bring about did not happen")
		}
		clock.Advance(time.Millisecond) // whoever began to wait after the first step
	}
}

// advanceWhile moves the clock by d again and again while the test waits for what that brings about: a
// goroutine of the server may only begin to wait after a step.
func advanceWhile(clock *testkit.Clock, d time.Duration, wait func()) {
	done := make(chan struct{})
	var steps sync.WaitGroup
	steps.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			clock.Advance(d)
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	})
	defer steps.Wait()
	defer close(done) // also when wait ends the test
	wait()
}

func TestDrainedServerSendsItsClientsElsewhere(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Options{})
	first := s.Subscribe(t, executable, apptest.Vars{"owner": "hub-1"})
	second := s.Subscribe(t, `subscription { jobChanged { kind cursor job { id } } }`, nil)
	s.Stop()
	for _, subscription := range []*apptest.Subscription{first, second} {
		if code := subscription.Closed(); code != 1012 {
			t.Errorf("closed with %d, want 1012", code)
		}
	}
}

// TestReplicasOnOneDatabaseBehaveAsOne watches on one server what happens on another.
func TestReplicasOnOneDatabaseBehaveAsOne(t *testing.T) {
	t.Parallel()
	url := testkit.PostgresURL(t)
	one, two := apptest.Start(t, apptest.Options{DatabaseURL: url}), apptest.Start(t, apptest.Options{DatabaseURL: url})
	agent := two.Subscribe(t, executable, apptest.Vars{"owner": "hub-2"})
	var group created
	one.Must(t, submit, apptest.Vars{"descriptor": shop}, &group)
	var offer offered
	agent.Next(&offer)
	var won claimed
	two.Must(t, claim, apptest.Vars{"job": offer.JobExecutable.ID, "owner": "hub-2"}, &won)
	if problem := one.Refused(t, claim, apptest.Vars{"job": offer.JobExecutable.ID, "owner": "hub-1"}); problem.Extensions.Code != "NOT_CLAIMABLE" {
		t.Errorf("the other replica answers %+v", problem)
	}
}
