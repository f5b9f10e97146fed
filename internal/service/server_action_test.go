package service_test

import (
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// pass: time goes by; mostly the server then does what is due.
func (w *world) pass(r *rapid.T) {
	d := oneOf[time.Duration](r, "time", time.Microsecond, time.Second, 5*time.Second, 10*time.Second, 15*time.Second, 31*time.Second, time.Minute, 5*time.Minute,
		away-time.Second, away+time.Second, time.Hour)
	w.clock.Advance(d)
	w.steps++
	r.Logf("%d. %s passes", w.steps, d)
	w.checkInvariants(r)
	if !once(r, "the server sleeps", 3) {
		w.duties(r)
	}
}

// fallSilent: all agents take something, and none reports.
func (w *world) fallSilent(r *rapid.T) {
	for _, owner := range w.size.agents {
		w.claimUpTo(r, claimOf{owner: owner, first: 1, length: w.life.Lease, id: w.newName("claim")})
	}
	w.clock.Advance(w.life.Lease)
	w.duties(r)
}

// turn: the world changes: the Matchmaker learns, falls or comes back.
func (w *world) turn(r *rapid.T) {
	down := once(r, "down", 4)
	demand := 1 + below(r, "demand", demands)
	answer := someOf(r, "clusters", 0, 3, clusters()...)
	w.matchmaker.fall(down)
	w.matchmaker.learn(demand, answer...)
	r.Logf("the Matchmaker is down: %v; demand %d is met by %v", down, demand, answer)
}

// duties: one round of what the server does by itself. Leases that were live when it went away get their time anew;
// the resources of silent agents are unknown; leases that ran out are written down, unless too many did at once.
func (w *world) duties(r *rapid.T) {
	now, before := w.clock.Now(), w.marked
	w.mark() // while the server was away, nobody was silent
	var silent []jobmanager.ID
	for _, id := range w.seen.order {
		l := w.jobs[id]
		if w.silent(l.owner) && l.resource != nil && l.workload != jobmanager.WorkloadNone && !l.silenced() {
			silent = append(silent, id)
		}
	}
	expired := map[jobmanager.OwnerID]bool{} // within the last lease length, or now
	for _, l := range w.jobs {
		if last := l.last(); l.lease != nil && !l.lease.until.After(now) || last.outcome == jobmanager.OutcomeExpired && !last.endedAt.Before(now.Add(-w.life.Lease)) {
			expired[last.owner] = true
		}
	}
	w.do(r, step{
		call: call{verb: verbDuty}, what: "duties", must: silent, run: func() error { return w.DoDuties(w.ctx) },
		extends: before,
		tell:    func(events []*jobmanager.Event) error { return w.checkDuties(events, silent, expired) },
	})
}

// silent says whether an agent was not heard of for its grace time, and that is still to be written down.
func (w *world) silent(owner jobmanager.OwnerID) bool {
	a := w.agents[owner]
	return a != nil && a.known && !a.done && !a.seenAt.After(w.heardSince())
}

func (w *world) checkDuties(events []*jobmanager.Event, silent []jobmanager.ID, expired map[jobmanager.OwnerID]bool) error {
	now := w.clock.Now()
	paused := false
	for _, e := range events {
		if e.Type == jobmanager.ResourceReported && !slices.Contains(silent, e.JobID) {
			return fmt.Errorf("the agent of job %s is not silent", e.JobID)
		}
		paused = paused || e.Type == jobmanager.TakeoverPaused
	}
	for _, owner := range owners() {
		w.agents[owner].done = w.agents[owner].done || w.silent(owner)
	}
	if paused {
		if len(expired) < 4 || now.Before(w.paused.Add(w.life.Lease)) {
			return fmt.Errorf("takeover was paused for %d agents, and before until %s", len(expired), w.paused)
		}
		w.paused = now.Add(w.life.Lease)
		return nil
	}
	for _, l := range w.jobs {
		if l.lease != nil && !l.lease.until.After(now) {
			return fmt.Errorf("the lease of job %s ran out at %s, and it was not written down", l.id, l.lease.until)
		}
	}
	return nil
}

// extend is what LEASES_EXTENDED and TAKEOVER_PAUSED do to the leases.
func (w *world) extend(kind jobmanager.EventType, marked time.Time) error {
	now, some := w.clock.Now(), false
	for _, l := range w.jobs {
		switch {
		case l.lease == nil:
		case kind == jobmanager.LeasesExtended && l.lease.until.After(marked):
			l.lease.until, some = now.Add(l.lease.length), true
		case kind == jobmanager.TakeoverPaused && l.lease.until.Before(now.Add(w.life.Lease)):
			l.lease.until, some = now.Add(w.life.Lease), true
		}
	}
	if kind == jobmanager.LeasesExtended && (!some || now.Sub(marked) <= away) {
		return fmt.Errorf("leases were extended at %s although the database was marked at %s", now, marked)
	}
	return nil
}

// askAgain: the server asks the Matchmaker for the jobs that wait for a target or want another one.
func (w *world) askAgain(r *rapid.T) {
	now := w.clock.Now()
	asked, found := []jobmanager.ID{}, []jobmanager.ID{}
	for _, id := range w.seen.order {
		job := w.seen.jobs[id]
		if !asksNow(job, now) {
			continue
		}
		asked = append(asked, id)
		if job.Hold != "" && job.Move == nil && w.fits(w.jobs[id]) && !w.matchmaker.isDown() {
			found = append(found, id)
		}
	}
	down := w.matchmaker.isDown()
	w.do(r, step{
		call: call{verb: verbMatch}, what: fmt.Sprintf("ask again for %v", asked), about: asked, must: found,
		quiet: len(asked) == 0, run: func() error { return w.AskAgain(w.ctx) },
	})
	for _, id := range asked {
		if job := w.seen.jobs[id]; job != nil && !down && asksNow(job, now) {
			r.Fatalf("job %s was asked for and is due still: %+v", id, job.Move)
		}
	}
}

// fits says whether the Matchmaker has a target that can run the job's component.
func (w *world) fits(l *ledger) bool {
	parts := w.groups[l.group].parts
	p := parts[slices.IndexFunc(parts, func(p part) bool { return p.name == l.component })]
	answer := w.matchmaker.ask(p.demand)
	if p.pin != "" {
		answer = []string{p.pin}
	}
	return slices.ContainsFunc(answer, func(cluster string) bool {
		return slices.Contains(w.life.Fits[orchestratorOf(cluster)], p.kind)
	})
}
