package service_test

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/service"
)

// someLength draws what a claim asks for, and how long it then holds.
func (w *world) someLength(r *rapid.T) (*int, time.Duration) {
	seconds := oneOf[int](r, "lease", 0, 15, 60, 600)
	if seconds == 0 {
		return nil, w.life.Lease
	}
	return &seconds, time.Duration(seconds) * time.Second
}

// someClaimID draws none, a new one, or one that the agent used before.
func (w *world) someClaimID(r *rapid.T, owner jobmanager.OwnerID) string {
	var used []string
	for _, id := range w.seen.order {
		for _, a := range w.jobs[id].attempts {
			if a.owner == owner && a.claimID != "" {
				used = append(used, a.claimID)
			}
		}
	}
	switch kind := below(r, "claim id", 4); {
	case kind == 0:
		return ""
	case kind == 1 && len(used) > 0:
		return oneOf(r, "used claim id", used...)
	}
	return w.newName("claim")
}

// granted says whether this very claim was granted and still runs.
func (l *ledger) granted(owner jobmanager.OwnerID, claimID string) bool {
	last := l.last()
	return claimID != "" && l.state == jobmanager.Progressing && l.owner == owner && last.claimID == claimID &&
		last.outcome == "" && last.epoch == l.epoch
}

// claimOne: an agent claims a job, mostly one that somebody may claim.
func (w *world) claimOne(r *rapid.T) {
	owner := w.someOwner(r)
	view := w.view(owner)
	l := w.someJobWith(r, func(l *ledger) bool { return w.claimable(l, view) })
	if l != nil {
		w.claimBy(r, owner, l)
	}
}

func (w *world) claimBy(r *rapid.T, owner jobmanager.OwnerID, l *ledger) {
	seconds, length := w.someLength(r)
	claimID := w.someClaimID(r, owner)
	w.heard(owner, true)
	view := w.view(owner)
	s := step{
		call: call{verb: verbClaim, owner: owner, claimID: claimID, length: length}, about: []jobmanager.ID{l.id},
		what: fmt.Sprintf("%s claims %s (%q)", owner, l.id, claimID), must: []jobmanager.ID{l.id},
	}
	switch {
	case l.granted(owner, claimID):
		s.quiet = true
	case !w.claimable(l, view):
		s.want = jobmanager.CodeNotClaimable
	}
	s.run = func() error {
		input := service.ClaimJobInput{
			JobID: l.id, Orchestrator: view.Orchestrator, OwnerID: owner, Clusters: w.agents[owner].named,
			LeaseSeconds: seconds, ClaimID: jobmanager.Text(claimID),
		}
		epoch := l.epoch
		payload, err := w.ClaimJob(w.ctx, fleet(), input, jobmanager.JobLoad{})
		if err != nil {
			return refusedWith(err, l)
		}
		if !s.quiet {
			epoch++
		}
		if payload.Job.Owner != owner || payload.Job.Epoch != epoch {
			return fmt.Errorf("the claim gave owner %s at epoch %d, want %d", payload.Job.Owner, payload.Job.Epoch, epoch)
		}
		return nil
	}
	w.do(r, s)
}

// refusedWith checks that a refusal names the owner and the epoch that stand.
func refusedWith(err error, l *ledger) error {
	refusal, ours := errors.AsType[*jobmanager.Error](err)
	named := ours && (refusal.Code == jobmanager.CodeStaleOwner || refusal.Code == jobmanager.CodeNotClaimable)
	if named && (refusal.Owner != l.owner || refusal.Epoch != l.epoch) {
		return fmt.Errorf("%w: it names %q at epoch %d, the owner is %q at %d", errMisled, refusal.Owner, refusal.Epoch, l.owner, l.epoch)
	}
	return err
}

// errMisled is the answer of a server that says who owns a job and is wrong. It has no code.
var errMisled = errors.New("the refusal misleads")

// claimBatch: an agent claims what it may, the oldest first.
func (w *world) claimBatch(r *rapid.T) {
	owner := w.someOwner(r)
	seconds, length := w.someLength(r)
	first := 1 + below(r, "first", 4)
	w.claimUpTo(r, claimOf{owner, first, seconds, length, w.someClaimID(r, owner)})
}

type claimOf struct {
	owner   jobmanager.OwnerID
	first   int
	seconds *int
	length  time.Duration
	id      string
}

func (w *world) claimUpTo(r *rapid.T, c claimOf) []jobmanager.ID {
	w.heard(c.owner, true)
	want, again := w.batchOf(c)
	s := step{
		call: call{verb: verbClaim, owner: c.owner, claimID: c.id, length: c.length}, about: want, must: want,
		what: fmt.Sprintf("%s claims up to %d (%q)", c.owner, c.first, c.id), quiet: again || len(want) == 0,
	}
	s.run = func() error {
		payload, err := w.ClaimJobs(w.ctx, fleet(), service.ClaimJobsInput{
			Orchestrator: w.agents[c.owner].orchestrator, OwnerID: c.owner, Clusters: w.agents[c.owner].named,
			First: &c.first, LeaseSeconds: c.seconds, ClaimID: jobmanager.Text(c.id),
		}, jobmanager.JobLoad{})
		if err != nil {
			return err
		}
		if got := idsOf(payload.Jobs); !slices.Equal(got, want) {
			return fmt.Errorf("%w: it was given %v, want %v", errMisled, got, want)
		}
		return nil
	}
	w.do(r, s)
	return want
}

// batchOf is what a batch claim must give: what the same claim won before, else what is executable, the oldest first.
func (w *world) batchOf(c claimOf) (want []jobmanager.ID, again bool) {
	for _, id := range w.seen.order {
		if w.jobs[id].granted(c.owner, c.id) {
			want = append(want, id)
		}
	}
	if len(want) > 0 {
		slices.Sort(want)
		return want, true
	}
	view := w.view(c.owner)
	for _, id := range w.seen.order {
		if w.claimable(w.jobs[id], view) {
			want = append(want, id)
		}
	}
	since := func(id jobmanager.ID) time.Time {
		if row := w.seen.jobs[id]; !row.NotBefore.IsZero() {
			return row.NotBefore
		}
		return w.seen.jobs[id].Since
	}
	slices.SortFunc(want, func(a, b jobmanager.ID) int { return cmp.Or(since(a).Compare(since(b)), cmp.Compare(a, b)) })
	return want[:min(c.first, len(want))], false
}

func idsOf(jobs []*jobmanager.Job) []jobmanager.ID {
	var ids []jobmanager.ID
	for _, job := range jobs {
		ids = append(ids, job.ID)
	}
	return ids
}

// fence is who an agent says it is, and at which epoch.
type fence struct {
	owner jobmanager.OwnerID
	epoch int64
}

// someFence draws mostly the one that stands, else a stale one or one that never was.
func (w *world) someFence(r *rapid.T, l *ledger) fence {
	f := fence{l.owner, l.epoch}
	if f.owner == "" || once(r, "another agent", 6) {
		f.owner = w.someOwner(r)
	}
	switch oneOf[string](r, "epoch", "", "", "", "", "claim", "before", "old", "next") {
	case "claim":
		f = fence{l.last().owner, l.last().epoch}
	case "before":
		f.epoch--
	case "old":
		f.epoch = 0
	case "next":
		f.epoch++
	}
	if f.owner == "" {
		f.owner = w.someOwner(r)
	}
	return f
}

// answerTo is what an agent is told that says how its attempt ended.
func (l *ledger) answerTo(f fence, outcome jobmanager.Outcome) (want jobmanager.Code, repeated bool) {
	last := l.last()
	switch {
	case last.owner == f.owner && last.epoch == f.epoch && last.outcome == outcome:
		return "", true
	case l.owner != f.owner || l.epoch != f.epoch || last.epoch != f.epoch:
		return jobmanager.CodeStaleOwner, false
	case last.outcome != "" && last.outcome != jobmanager.OutcomeExpired:
		return jobmanager.CodeWrongState, false
	}
	return "", false
}

// endAttempt: an agent, the owner or a stale one, finishes, fails or releases.
func (w *world) endAttempt(r *rapid.T) {
	l := w.someJobWith(r, func(l *ledger) bool { return l.state == jobmanager.Progressing })
	if l == nil {
		return
	}
	how := oneOf[verb](r, "how", verbFinish, verbFinish, verbFinish, verbFail, verbFail, verbRelease)
	w.end(r, l, w.someFence(r, l), how)
}

func (w *world) end(r *rapid.T, l *ledger, f fence, how verb) {
	outcomes := map[verb]jobmanager.Outcome{
		verbFinish: jobmanager.OutcomeFinished, verbFail: jobmanager.OutcomeFailed, verbRelease: jobmanager.OutcomeReleased,
	}
	s := step{
		call: call{verb: how, owner: f.owner, epoch: f.epoch}, about: []jobmanager.ID{l.id}, must: []jobmanager.ID{l.id},
		what: fmt.Sprintf("%s at epoch %d: %s of %s", f.owner, f.epoch, how, l.id),
	}
	s.want, s.quiet = l.answerTo(f, outcomes[how])
	var said *service.ResourceInput
	if how == verbFinish {
		said, s.report = w.someReport(r, l)
	}
	w.heard(f.owner, false)
	s.run = func() (err error) {
		switch how {
		case verbFinish:
			_, err = w.FinishJob(w.ctx, fleet(), service.FinishJobInput{JobID: l.id, OwnerID: f.owner, Epoch: f.epoch, Resource: said})
		case verbFail:
			_, err = w.FailJob(w.ctx, fleet(), service.FailJobInput{JobID: l.id, OwnerID: f.owner, Epoch: f.epoch, Reason: "no disk"})
		default:
			_, err = w.ReleaseJob(w.ctx, fleet(), service.ReleaseJobInput{JobID: l.id, OwnerID: f.owner, Epoch: f.epoch})
		}
		return refusedWith(err, l)
	}
	w.do(r, s)
}

// work: an agent takes what it may and does most of it.
func (w *world) work(r *rapid.T) {
	owner := w.someOwner(r)
	for _, id := range w.claimUpTo(r, claimOf{owner: owner, first: 3, length: w.life.Lease, id: w.newName("claim")}) {
		if l := w.jobs[id]; l != nil && !once(r, "at it still", 3) {
			w.end(r, l, fence{l.owner, l.epoch}, oneOf[verb](r, "how", verbFinish, verbFinish, verbFinish, verbFail))
		}
	}
}
