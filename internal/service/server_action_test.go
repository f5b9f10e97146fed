package service_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/service"
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
	now, any := w.clock.Now(), false
	for _, l := range w.jobs {
		switch {
		case l.lease == nil:
		case kind == jobmanager.LeasesExtended && l.lease.until.After(marked):
			l.lease.until, any = now.Add(l.lease.length), true
		case kind == jobmanager.TakeoverPaused && l.lease.until.Before(now.Add(w.life.Lease)):
			l.lease.until, any = now.Add(w.life.Lease), true
		}
	}
	if kind == jobmanager.LeasesExtended && (!any || now.Sub(marked) <= away) {
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

// subject is what an incompliance is about, and which jobs that must find.
type subject struct {
	service.SubjectInput
	finds []jobmanager.ID
}

// someSubject draws a way to name jobs.
func (w *world) someSubject(r *rapid.T, l *ledger) subject {
	s := subject{SubjectInput: service.SubjectInput{AppInstance: jobmanager.Text(l.group)}}
	members := w.membersOf(l.group)
	called := func(name string) []jobmanager.ID {
		return idsIn(members, func(l *ledger) bool { return l.component == name || l.names[name] })
	}
	switch oneOf[string](r, "subject", "component", "component", "resource", "star", "expression", "uid", "id", "nobody") {
	case "component":
		s.AppComponent, s.finds = jobmanager.Text(l.component), called(l.component)
	case "resource":
		s.AppComponent = jobmanager.Text(l.component + "-renamed")
		s.finds = called(l.component + "-renamed")
	case "star":
		s.AppComponent, s.finds = "*", idsIn(members, func(*ledger) bool { return true })
	case "expression":
		s.AppComponent = "/api|w.b/"
		expression := regexp.MustCompile("^(api|w.b)$")
		s.finds = idsIn(members, func(l *ledger) bool { return expression.MatchString(l.component) })
	case "uid":
		uid := string(l.id)[24:] + "-uid-1"
		s.AppInstance, s.ResourceID = "", jobmanager.Text(uid)
		s.finds = idsIn(w.membersOfAll(), func(l *ledger) bool { return l.uids[uid] })
	case "id":
		s.AppInstance = ""
		if l.resource != nil {
			s.ResourceID, s.finds = jobmanager.Text(w.row(l).Resource.ID), []jobmanager.ID{l.id}
		}
	default:
		s.AppInstance = jobmanager.Text(numberedID(1 << 40))
		s.AppComponent = jobmanager.Text(l.component)
	}
	return s
}

// reportIncompliance: the Policy Manager reports that a policy is broken, maybe once more.
func (w *world) reportIncompliance(r *rapid.T) {
	state := oneOf(r, "state", jobmanager.Finished, jobmanager.Finished, jobmanager.Progressing, jobmanager.Degraded)
	l := w.someJobWith(r, func(l *ledger) bool { return l.state == state && isNoDelete(l) })
	if l == nil {
		return
	}
	about := w.someSubject(r, l)
	remedy := oneOf[string](r, "remediation", "scale-up", "scale-up", "scale-out", "patch", "reallocation", "reallocation", "redeploy", "migrate", "none", "", "explode")
	again := len(w.reports) > 0 && once(r, "again", 6)
	id := numberedID(int64(1)<<41 + int64(len(w.reports)))
	if again {
		id = oneOf(r, "report", w.reports...)
	} else {
		w.reports = append(w.reports, id)
	}
	rows := w.seen.jobs
	var got *jobmanager.Incompliance
	w.do(r, step{
		call: call{verb: verbIncompliance}, what: fmt.Sprintf("incompliance %s wants %q of %+v", id, remedy, about.SubjectInput), quiet: again,
		about: about.finds,
		run: func() error {
			payload, err := w.ReportIncompliance(w.ctx, policyManager(), service.ReportIncomplianceInput{
				ID: &id, Subject: about.SubjectInput, Remediation: remedy, PolicyName: "latency",
			})
			if err == nil {
				got = payload.Incompliance
			}
			return err
		},
		tell: func([]*jobmanager.Event) error { return w.checkAnswersTo(got, about, remedy, rows) },
	})
}

// checkAnswersTo holds the answers to what the design says of each job that was found.
func (w *world) checkAnswersTo(i *jobmanager.Incompliance, about subject, remedy string, rows map[jobmanager.ID]*jobmanager.Job) error {
	var found []jobmanager.ID
	for _, answer := range i.Remediations {
		found = append(found, answer.JobID)
		want := expectedAnswers(w.jobs[answer.JobID], rows[answer.JobID], remedy)
		if !slices.Contains(want, answer.Outcome) {
			return fmt.Errorf("the answer of job %s is %s (%s), want one of %s", answer.JobID, answer.Outcome, answer.Reason, want)
		}
	}
	slices.Sort(found)
	slices.Sort(about.finds)
	if !slices.Equal(found, about.finds) || (len(found) == 0) != strings.HasPrefix(string(i.Reason), "NoSuchJob") {
		return fmt.Errorf("it is about %v (%s), want %v", found, i.Reason, about.finds)
	}
	return nil
}

// expectedAnswers are those that a job may give, by how it stood before.
func expectedAnswers(l *ledger, before *jobmanager.Job, remedy string) []jobmanager.RemediationOutcome {
	runs := before.Type != jobmanager.DeleteDeployment &&
		(before.Type != jobmanager.CreateDeployment || before.State == jobmanager.Finished || before.State == jobmanager.Progressing)
	moves := slices.Contains([]string{"reallocation", "redeploy", "migrate"}, remedy)
	switch {
	case remedy == "explode":
		return []jobmanager.RemediationOutcome{jobmanager.RemediationRefused}
	case remedy == "" || remedy == "none":
		return []jobmanager.RemediationOutcome{jobmanager.RemediationRecorded}
	case !runs:
		return []jobmanager.RemediationOutcome{jobmanager.RemediationRefused}
	case before.Cooling == nil && before.Move == nil && before.State == jobmanager.Finished && !moves:
		return []jobmanager.RemediationOutcome{jobmanager.RemediationStarted}
	case l.epoch != before.Epoch:
		return []jobmanager.RemediationOutcome{jobmanager.RemediationStarted}
	}
	return []jobmanager.RemediationOutcome{jobmanager.RemediationCoalesced, jobmanager.RemediationWaiting}
}
