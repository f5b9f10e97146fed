package storetest

import (
	"cmp"
	"fmt"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// sortedIDs compares lists of ids as sets.
func sortedIDs() gocmp.Option { return cmpopts.SortSlices(cmp.Less[jobmanager.ID]) }

// restAgent executes without asking, for a client.
func restAgent(owner, client string) jobmanager.Agent {
	a := agent(owner)
	a.Client = client
	return a
}

// claimByList claims a job as an agent does that executes what it is listed.
func (b *bench) claimByList(job *jobmanager.Job, a jobmanager.Agent) *jobmanager.Job {
	b.t.Helper()
	return b.MustUpdate(func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
		return j.Claim(jobmanager.Claim{Agent: a, Length: b.life.Lease}, now)
	}, job)[0]
}

func stopRule(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) { return j.Stop(now), nil }

func testByUID(t *testing.T, b *bench) {
	byUID := func(scope jobmanager.Scope, uid string) []*jobmanager.Job {
		t.Helper()
		jobs, err := b.ByUID(t.Context(), scope, uid)
		b.must(err)
		return jobs
	}
	job, other := b.running("seen"), b.running("other")
	b.MustUpdate(reportRule("a", "uid-2"), job)
	b.MustUpdate(reportRule("a", "uid-3"), other)
	found := byUID(everything(), "uid-2")
	if len(found) != 1 {
		t.Fatalf("%d jobs have the uid, want 1", len(found))
	}
	bare, err := b.Job(t.Context(), everything(), job.ID, jobmanager.JobLoad{})
	b.must(err)
	same(t, found[0], bare)
	for what, uid := range map[string]string{"a former uid": "uid-part-000", "a foreign one": "x", "none": "", "a NUL byte": "uid-2\x00"} {
		if got := byUID(everything(), uid); len(got) != 0 {
			t.Errorf("%s finds %d jobs", what, len(got))
		}
	}
	if got := byUID(jobmanager.Scope{Tenant: "other"}, "uid-2"); len(got) != 0 {
		t.Errorf("%d jobs were found in another tenant", len(got))
	}
	many := b.MustUpdate(b.claimRule("b"), b.MustCreate("many", 20).Jobs...)
	b.MustUpdate(reportRule("b", "shared"), many...)
	same(t, ids(byUID(everything(), "shared")), ids(many[:16]))
}

func testAdoptable(t *testing.T, b *bench) {
	adoptable := func(scope jobmanager.Scope, client, component string) []jobmanager.ID {
		t.Helper()
		jobs, err := b.Adoptable(t.Context(), scope, client, component)
		b.must(err)
		return ids(jobs)
	}
	first, second := b.MustCreate("first", 2).Jobs, b.MustCreate("second", 1).Jobs
	claimed := b.claimByList(first[0], restAgent("hub-1", "ocm-client"))
	if !claimed.Last.Alone || claimed.Last.Client != "ocm-client" {
		t.Errorf("the attempt is %+v", claimed.Last)
	}
	bare, err := b.Job(t.Context(), everything(), claimed.ID, jobmanager.JobLoad{})
	b.must(err)
	same(t, bare.Last, claimed.Last)
	b.claimByList(second[0], restAgent("hub-2", "ocm-client"))
	b.claimByList(first[1], restAgent("hub-1", "another"))
	b.claimByList(b.MustCreate("graphql", 1).Jobs[0], agent("graphql")) // by no client
	both := []jobmanager.ID{first[0].ID, second[0].ID}
	same(t, adoptable(everything(), "ocm-client", "part-000"), both)
	for what, got := range map[string][]jobmanager.ID{
		"another component": adoptable(everything(), "ocm-client", "part-001"), "another client": adoptable(everything(), "another", "part-000"),
		"no client": adoptable(everything(), "", "part-000"), "another tenant": adoptable(jobmanager.Scope{Tenant: "other"}, "ocm-client", "part-000"),
	} {
		if len(got) != 0 {
			t.Errorf("%s finds %d jobs", what, len(got))
		}
	}
	b.clock.Advance(b.life.Lease)
	b.mustExpire(10)
	same(t, adoptable(everything(), "ocm-client", "part-000"), both)
	b.MustUpdate(stopRule, second...)
	same(t, adoptable(everything(), "ocm-client", "part-000"), both)
	b.clock.Advance(time.Hour)
	b.claimByList(first[0], agent("graphql")) // it is claimed last by nobody's client
	same(t, adoptable(everything(), "ocm-client", "part-000"), both[1:])
	b.claimByList(second[0], restAgent("hub-2", "ocm-client"))
	jobs, err := b.Adoptable(t.Context(), everything(), "ocm-client", "part-000")
	b.must(err)
	if len(jobs) != 1 || !jobs[0].Last.Alone {
		t.Errorf("a Delete's attempt hides that its Create was the only one")
	}
	b.MustUpdate(finishRule("hub-2"), second...)
	if got := adoptable(everything(), "ocm-client", "part-000"); len(got) != 0 {
		t.Errorf("%d finished jobs may be adopted", len(got))
	}
}

// testAdoptableAmongMany: of jobs of one name only those of which something unreported may stand are found, however many
// others there are, and no more than are asked for.
func testAdoptableAmongMany(t *testing.T, b *bench) {
	var open []jobmanager.ID
	for i := range jobmanager.MostMeant + 1 {
		job := b.claimByList(b.MustCreate(fmt.Sprintf("known-%d", i), 1).Jobs[0], restAgent("hub", "client"))
		b.MustUpdate(finishRule("hub"), job)
		b.MustUpdate(stopRule, job)
	}
	for i := range jobmanager.MostMeant + 1 {
		open = append(open, b.claimByList(b.MustCreate(fmt.Sprintf("open-%d", i), 1).Jobs[0], restAgent("hub", "client")).ID)
		if i == 0 {
			jobs, err := b.Adoptable(t.Context(), everything(), "client", "part-000")
			b.must(err)
			same(t, ids(jobs), open)
		}
	}
	jobs, err := b.Adoptable(t.Context(), everything(), "client", "part-000")
	b.must(err)
	same(t, ids(jobs), open[:jobmanager.MostMeant])
}

// testAdoptableOfACutName: a name that was cut finds the components that begin with it, the hyphen before the suffix
// included.
func testAdoptableOfACutName(t *testing.T, b *bench) {
	long := strings.Repeat("a", jobmanager.LongestGenerated-2)
	s := submission("cut", 4)
	for i, component := range []string{long + "b", long + "b-c", long + "bcd", long + "x"} {
		s.Descriptor.Components[i].Name, s.Matches[i].Component = component, component
	}
	group := b.MustSubmit(s)
	for _, job := range group.Jobs {
		b.claimByList(job, restAgent("hub", "client"))
	}
	for cut, want := range map[string][]int{long + "b-": {0, 1}, long + "bc": {2}, long + "x-": {3}, long + "b": {0}} {
		jobs, err := b.Adoptable(t.Context(), everything(), "client", cut)
		b.must(err)
		var wanted []jobmanager.ID
		for _, place := range want {
			wanted = append(wanted, group.Jobs[place].ID)
		}
		same(t, ids(jobs), wanted, sortedIDs())
	}
}

func testWasResource(t *testing.T, b *bench) {
	was := func(job *jobmanager.Job, uid string) bool {
		t.Helper()
		was, err := b.WasResource(t.Context(), job.ID, uid)
		b.must(err)
		return was
	}
	job, other := b.running("seen"), b.running("other")
	const first = "uid-part-000"
	if was(job, first) || was(job, "unknown") || was(job, "") {
		t.Errorf("the present uid, an unknown or none counts as a former one")
	}
	rename := func(uid, name string) {
		t.Helper()
		b.MustUpdate(func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
			return j.ReportResource(jobmanager.Fence{OwnerID: "a", Epoch: j.Epoch}, jobmanager.ResourceReport{UID: uid, Name: name}, now)
		}, job)
	}
	rename(first, "renamed")
	if was(job, first) {
		t.Errorf("the uid of a renamed resource counts as a former one")
	}
	rename("uid-2", "renamed")
	if !was(job, first) || was(job, "uid-2") || was(other, first) {
		t.Errorf("former: %v, present: %v, of another job: %v", was(job, first), was(job, "uid-2"), was(other, first))
	}
	b.MustUpdate(stopRule, job)
	b.MustUpdate(b.claimRule("a"), job)
	b.MustUpdate(finishRule("a"), job)
	if !was(job, "uid-2") || !was(job, first) {
		t.Errorf("what was removed is not remembered")
	}
	_, err := b.WasResource(t.Context(), "x", first)
	b.wantCode(err, jobmanager.CodeInvalid)
}

// unreported gives removals by an agent that executes without asking, whose leases are about to run out.
func (b *bench) unreported(name, owner string, n int) []*jobmanager.Job {
	b.t.Helper()
	jobs := b.MustUpdate(b.claimRule(owner), b.MustCreate(name, n).Jobs...)
	b.MustUpdate(finishRule(owner), jobs...)
	b.MustUpdate(stopRule, jobs...)
	for _, job := range jobs {
		b.claimByList(job, restAgent(owner, "client"))
	}
	return jobs
}

func testUnconfirmedBy(t *testing.T, b *bench) {
	mine, others := b.unreported("mine", "a", 3), b.unreported("others", "b", 1)
	poll := func(owner jobmanager.OwnerID, limit int, scope jobmanager.Scope) []*jobmanager.Job {
		t.Helper()
		jobs, err := b.UpdateJobs(t.Context(), jobmanager.Which{UnconfirmedBy: owner, Limit: limit, Scope: scope, Actor: string(owner)},
			func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) { return j.Polled(owner, now), nil })
		b.must(err)
		return jobs
	}
	if jobs := poll("a", 10, everything()); len(jobs) != 0 {
		t.Errorf("%d removals are in doubt before their lease ran out", len(jobs))
	}
	b.clock.Advance(b.life.Lease)
	if jobs := b.mustExpire(10); len(jobs) != 4 {
		t.Fatalf("%d leases ran out, want 4", len(jobs))
	}
	next, err := b.NextChance(t.Context(), b.clock.Now())
	b.must(err)
	if jobs := b.mustExpire(10); len(jobs) != 0 || !next.IsZero() && next.Before(b.clock.Now()) {
		t.Errorf("%d leases ran out again, the next chance is %s", len(jobs), next)
	}
	if jobs := b.MustClaim("a", 10); len(jobs) != 0 {
		t.Errorf("%d removals that are watched were claimed", len(jobs))
	}
	if jobs := poll("a", 10, jobmanager.Scope{Tenant: "other"}); len(jobs) != 0 {
		t.Errorf("%d removals are in doubt in another tenant", len(jobs))
	}
	head := b.MustHead()
	same(t, ids(poll("a", 2, everything())), ids(mine[:2]))
	polled := b.MustJob(mine[0].ID)
	if polled.Polls != 1 || b.MustHead() != head || polled.Hold != jobmanager.HoldRemovalUnconfirmed {
		t.Errorf("after one poll %d are counted, the hold is %q, %d events were written", polled.Polls, polled.Hold, b.MustHead()-head)
	}
	same(t, ids(poll("a", 10, everything())), ids(mine))
	if again := b.MustJob(mine[0].ID); again.Polls != 1 || again.Hold != jobmanager.HoldRemovalUnconfirmed {
		t.Errorf("after a poll that was repeated at once %d are counted, the hold is %q", again.Polls, again.Hold)
	}
	b.clock.Advance(15 * time.Second)
	same(t, ids(poll("a", 10, everything())), ids(mine))
	if jobs := poll("a", 10, everything()); len(jobs) != 0 {
		t.Errorf("%d removals are in doubt after they were done", len(jobs))
	}
	if done := b.MustJob(mine[0].ID); done.State != jobmanager.Finished || done.Polls != 0 || done.Resource != nil {
		t.Errorf("the removal is %s with %d polls and resource %v", done.State, done.Polls, done.Resource)
	}
	if left := b.MustJob(others[0].ID); left.Polls != 0 || left.Hold != jobmanager.HoldRemovalUnconfirmed {
		t.Errorf("another agent's removal is held for %q, %d polls", left.Hold, left.Polls)
	}
	same(t, ids(poll("b", 10, everything())), ids(others))
}

// testLeasesOnHold: a job that waits for an admin while its agent works has a lease that runs out; a removal that is
// watched has none.
func testLeasesOnHold(t *testing.T, b *bench) {
	created := b.claimByList(b.MustCreate("created", 1).Jobs[0], restAgent("a", "client"))
	removed := b.unreported("removed", "b", 1)[0]
	b.clock.Advance(time.Second)
	for _, uid := range []string{"u1", "u2"} {
		b.MustUpdate(func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
			return j.Recognize(jobmanager.Stray{UID: jobmanager.Text(uid), Name: j.Component + "-x1y2z", SeenAt: now}, false, now), nil
		}, created)
	}
	held := b.MustJob(created.ID)
	if held.Hold != jobmanager.HoldAmbiguousWorkload || held.Lease == nil || len(held.Strays) != 2 {
		t.Fatalf("the job is held for %q with lease %v and strays %v", held.Hold, held.Lease, held.Strays)
	}
	end := created.Lease.ExpiresAt
	if next, err := b.NextChance(t.Context(), b.clock.Now()); err != nil || !next.Equal(end) {
		t.Errorf("the next chance is %s, %v, want the end of the lease at %s", next, err, end)
	}
	ends, err := b.RenewLeases(t.Context(), "a", []jobmanager.Renewal{{JobID: created.ID, Epoch: created.Epoch}})
	b.must(err)
	if len(ends) != 1 {
		t.Errorf("the lease of a job on hold was not renewed")
	}
	b.clock.Advance(b.life.Lease)
	count := func(wantExpiring, wantAll int) {
		t.Helper()
		expiring, all, err := b.ExpiringOwners(t.Context(), b.clock.Now())
		b.must(err)
		if expiring != wantExpiring || all != wantAll {
			t.Errorf("%d of %d agents let leases run out, want %d of %d", expiring, all, wantExpiring, wantAll)
		}
	}
	count(2, 2)
	expired := b.mustExpire(10)
	same(t, ids(expired), []jobmanager.ID{created.ID, removed.ID}, sortedIDs())
	count(2, 2)
	for _, job := range expired {
		if read := b.MustJob(job.ID); read.Lease != nil || read.State != jobmanager.Progressing || !read.Last.Ended(jobmanager.OutcomeExpired) {
			t.Errorf("the job on hold for %s is %s with lease %v", read.Hold, read.State, read.Lease)
		}
	}
	if left := b.mustExpire(10); len(left) != 0 {
		t.Errorf("%d leases ran out twice", len(left))
	}
	b.clock.Advance(time.Hour)
	for _, owner := range []string{"a", "b", "c"} {
		if got := b.MustClaim(owner, 10); len(got) != 0 {
			t.Errorf("%s claimed %d jobs that are on hold", owner, len(got))
		}
		if listed, _ := b.handOut(agent(owner), 10); len(listed) != 0 {
			t.Errorf("%s was handed out %d jobs that are on hold", owner, len(listed))
		}
	}
}
