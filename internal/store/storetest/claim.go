package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

func testOneWinner(t *testing.T, b *bench) {
	job := b.MustCreate("wanted", 1).Jobs[0]
	const claimers = 50
	errs := make([]error, claimers)
	together(claimers, func(i int) {
		owner := fmt.Sprintf("agent-%d", i)
		_, errs[i] = b.UpdateJobs(t.Context(), jobmanager.Which{IDs: []jobmanager.ID{job.ID}, Scope: everything(), Actor: owner}, b.claimRule(owner))
	})
	var winners []string
	for i, err := range errs {
		if err == nil {
			winners = append(winners, fmt.Sprintf("agent-%d", i))
			continue
		}
		b.wantCode(err, jobmanager.CodeNotClaimable)
	}
	read := b.MustJob(job.ID)
	if len(winners) != 1 || string(read.Owner) != winners[0] || read.Epoch != 1 || len(read.Attempts) != 1 {
		t.Errorf("winners %q, owner %q, epoch %d, %d attempts; want one winner at epoch 1", winners, read.Owner, read.Epoch, len(read.Attempts))
	}
}

// testClaimRetries sends the same claim several times at once: all get the same jobs, and no more are held.
func testClaimRetries(t *testing.T, b *bench) {
	b.MustCreate("retried", 20)
	a := agent("impatient")
	b.meet("impatient")
	claim := jobmanager.Claim{Agent: a, ID: "claim-1", Length: b.life.Lease}
	which := jobmanager.Which{ExecutableFor: &a, ClaimID: claim.ID, Limit: 2, Scope: everything(), Actor: "impatient"}
	const tries = 8
	won := make([][]*jobmanager.Job, tries)
	together(tries, func(i int) {
		jobs, err := b.UpdateJobs(t.Context(), which, func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
			return j.Claim(claim, now)
		})
		if err != nil {
			t.Error(err)
		}
		won[i] = jobs
	})
	for _, jobs := range won {
		same(t, ids(jobs), ids(won[0]))
	}
	held, err := b.Jobs(t.Context(), jobmanager.JobQuery{
		Scope: everything(), Filter: jobmanager.JobFilter{OwnerIDs: []jobmanager.OwnerID{"impatient"}}, Page: jobmanager.PageRequest{First: 100},
	})
	b.must(err)
	if len(held.Edges) != 2 || len(won[0]) != 2 || won[0][0].Epoch != 1 {
		t.Errorf("%d jobs are held after %d tries of a claim of 2", len(held.Edges), tries)
	}
	b.MustUpdate(finishRule("impatient"), won[0][0])
	again, err := b.UpdateJobs(t.Context(), which, func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
		return j.Claim(claim, now)
	})
	b.must(err)
	same(t, ids(again), ids(won[0][1:]))
}

func testBatchClaims(t *testing.T, b *bench) {
	const groups, each, claimers = 10, 20, 8
	for i := range groups {
		b.MustCreate(fmt.Sprintf("batch-%d", i), each)
	}
	var mu sync.Mutex
	owners := map[jobmanager.ID][]string{}
	together(claimers, func(i int) {
		owner := fmt.Sprintf("agent-%d", i)
		a := agent(owner)
		for {
			jobs, err := b.UpdateJobs(t.Context(), jobmanager.Which{ExecutableFor: &a, Limit: 7, Scope: everything(), Actor: owner}, b.claimRule(owner))
			if err != nil {
				t.Errorf("%s: %v", owner, err)
				return
			}
			if len(jobs) == 0 && b.nothingExecutable(a) {
				return
			}
			mu.Lock()
			for _, job := range jobs {
				owners[job.ID] = append(owners[job.ID], owner)
			}
			mu.Unlock()
		}
	})
	if len(owners) != groups*each {
		t.Errorf("%d jobs were claimed, want %d", len(owners), groups*each)
	}
	for id, names := range owners {
		if len(names) != 1 {
			t.Errorf("job %s was won by %v", id, names)
		}
	}
	b.checkLog(groups*(each+1), groups*each)
}

// nothingExecutable tells a pick that found nothing from one that only met rows in other hands.
func (b *bench) nothingExecutable(a jobmanager.Agent) bool {
	page, err := b.Executable(b.t.Context(), a, jobmanager.PageRequest{First: 1})
	if err != nil {
		b.t.Error(err)
		return true
	}
	return len(page.Edges) == 0
}

// checkLog checks that each epoch of a job was claimed once, and that revisions are dense.
func (b *bench) checkLog(before, claims int) {
	seen := map[string]bool{}
	for i, event := range b.MustEvents(0) {
		if event.Revision != jobmanager.Revision(i+1) {
			b.t.Fatalf("event %d has revision %d", i, event.Revision)
		}
		if event.Type != jobmanager.JobClaimed {
			continue
		}
		key := fmt.Sprint(event.JobID, event.Job.Epoch)
		if seen[key] || event.Actor != string(event.Job.Owner) {
			b.t.Errorf("epoch %s was claimed twice, or %q acted for %q", key, event.Actor, event.Job.Owner)
		}
		seen[key] = true
	}
	if len(seen) != claims {
		b.t.Errorf("the log tells of %d claims after %d other events, want %d", len(seen), before, claims)
	}
}

func testClaimOrder(t *testing.T, b *bench) {
	late := b.MustCreate("late", 2)
	b.clock.Advance(time.Second)
	b.MustCreate("later", 1)
	// The first group's first job fails and is claimable again only after the others became so.
	failed := b.MustClaim("a", 1)[0]
	b.MustUpdate(func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
		return j.Fail(jobmanager.Fence{OwnerID: "a", Epoch: j.Epoch}, "no disk", b.life, now)
	}, failed)
	b.clock.Advance(time.Minute)
	var order []string
	for range 3 {
		job := b.MustClaim("b", 1)[0]
		order = append(order, job.Component+" "+string(job.State))
	}
	same(t, order, []string{"part-001 PROGRESSING", "part-000 PROGRESSING", "part-000 PROGRESSING"})
	if last := b.MustJob(late.Jobs[0].ID); last.Epoch != 2 || last.Owner != "b" {
		t.Errorf("the job that failed was not claimed last: epoch %d, owner %s", last.Epoch, last.Owner)
	}
}

func testAttempts(t *testing.T, b *bench) {
	job := b.MustCreate("tried", 1).Jobs[0]
	const tries = 25 // more than are shown
	for range tries {
		b.MustUpdate(b.claimRule("a"), job)
		b.MustUpdate(func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
			return j.Release(jobmanager.Fence{OwnerID: "a", Epoch: j.Epoch}, now)
		}, job)
		b.clock.Advance(time.Second)
	}
	b.MustUpdate(b.claimRule("b"), job)
	read := b.MustJob(job.ID)
	if len(read.Attempts) != 20 || read.Attempts[0].Epoch != tries-18 {
		t.Fatalf("%d attempts from epoch %d, want the newest 20, the oldest of them first", len(read.Attempts), read.Attempts[0].Epoch)
	}
	same(t, read.Attempts[19], read.Last)
	closed := read.Attempts[18]
	if !closed.Ended(jobmanager.OutcomeReleased) || closed.EndedAt.IsZero() || closed.OwnerID != "a" {
		t.Errorf("the attempt before is %+v, want a's, released", closed)
	}
}

func testRuleError(t *testing.T, b *bench) {
	group := b.MustCreate("whole", 3)
	before, head := b.MustGroup(group.ID), b.MustHead()
	refusal := errors.New("no")
	calls := 0
	_, err := b.UpdateJobs(t.Context(), jobmanager.Which{IDs: ids(group.Jobs), Scope: everything()}, func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
		if calls++; calls == 3 {
			return nil, refusal
		}
		return b.claimRule("a")(j, now)
	})
	if err == nil || !errors.Is(err, refusal) || calls != 3 {
		t.Errorf("the rule's error came back as %v after %d calls, want itself after 3", err, calls)
	}
	_, err = b.ChangeGroup(t.Context(), everything(), group.ID, jobmanager.GroupChange{
		Rule: func(g *jobmanager.JobGroup, now time.Time) ([]jobmanager.Event, error) {
			g.Stop(now)
			return nil, refusal
		},
	})
	if !errors.Is(err, refusal) {
		t.Errorf("the group rule's error came back as %v", err)
	}
	_, err = b.UpdateJobs(t.Context(), jobmanager.Which{IDs: append(ids(group.Jobs), newID()), Scope: everything()}, b.claimRule("a"))
	b.wantCode(err, jobmanager.CodeNotFound)
	same(t, b.MustGroup(group.ID), before)
	if b.MustHead() != head {
		t.Errorf("the log grew from %d to %d", head, b.MustHead())
	}
}

func testUnchanged(t *testing.T, b *bench) {
	group := b.MustCreate("still", 2)
	before, head := b.MustGroup(group.ID), b.MustHead()
	updated := b.MustUpdate(func(*jobmanager.Job, time.Time) ([]jobmanager.Event, error) { return nil, nil }, group.Jobs...)
	if len(updated) != 2 || updated[0].Version != 1 || updated[0].ID >= updated[1].ID {
		t.Errorf("the jobs came back as %v", ids(updated))
	}
	changed, err := b.ChangeGroup(t.Context(), everything(), group.ID, jobmanager.GroupChange{
		Rule: func(g *jobmanager.JobGroup, _ time.Time) ([]jobmanager.Event, error) {
			if len(g.Jobs) != 2 || g.Descriptor == "" {
				t.Errorf("the rule saw %d jobs and descriptor %q", len(g.Jobs), g.Descriptor)
			}
			return nil, nil
		},
	})
	b.must(err)
	if changed.ID != group.ID || b.MustHead() != head {
		t.Errorf("a change that changes nothing wrote events")
	}
	same(t, b.MustGroup(group.ID), before)
}
