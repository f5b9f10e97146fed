package service_test

import (
	"fmt"
	"slices"

	"pgregory.net/rapid"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/service"
)

// workload is what an old agent made on a target.
type workload struct {
	uid, name string
	owner     jobmanager.OwnerID
	job       jobmanager.ID
}

// listing is a job as an old agent was listed it.
type listing struct {
	l     *ledger
	kind  jobmanager.JobType
	epoch int64
	// removes says that the work is to remove the workload.
	removes bool
	target  *jobmanager.Target
	text    string
	// uid and name of the workload that is there already.
	uid, name string
}

// round: an old agent polls and works through its list one by one: it promotes whatever the answer, does the work, and
// reports, all of which may go wrong or be overtaken by others.
func (w *world) round(r *rapid.T) {
	owner := w.someOwner(r)
	list := w.poll(r, owner)
	for _, one := range list {
		if once(r, "somebody is faster", 5) {
			w.meanwhile(r, one)
		}
		if !once(r, "the promotion is lost", 6) {
			w.promote(r, owner, one)
		}
		if once(r, "somebody is in between", 5) {
			w.meanwhile(r, one)
		}
		made := w.execute(r, owner, one)
		if !once(r, "the report is lost", 4) {
			w.reportWork(r, owner, one, made)
		}
	}
	if !once(r, "no sync", 3) {
		w.syncAll(r)
	}
}

// meanwhile: something else happens to a job that an agent was listed.
func (w *world) meanwhile(r *rapid.T, one *listing) {
	if w.jobs[one.l.id] == nil {
		return
	}
	switch below(r, "meanwhile", 4) {
	case 0:
		w.pass(r)
	case 1:
		w.updateGroup(r, one.l.group, w.groups[one.l.group])
	case 2:
		w.claimBy(r, w.someOwner(r), one.l)
	default:
		w.stop(r)
	}
}

// poll: an old agent asks for work. The second time after the lease of its removal ran out, that is done.
func (w *world) poll(r *rapid.T, owner jobmanager.OwnerID) []*listing {
	w.heard(owner, true)
	view := w.view(owner)
	var list []*listing
	_, due := w.watched(owner)
	w.do(r, step{
		call: call{verb: verbPoll, owner: owner}, what: fmt.Sprintf("%s polls", owner), about: due, must: due,
		run: func() error {
			agent := jobmanager.Agent{OwnerID: owner, Orchestrator: view.Orchestrator, Clusters: w.agents[owner].named}
			jobs, err := w.HandOut(w.ctx, fleet(), agent, jobmanager.JobLoad{Manifests: true})
			for _, job := range jobs {
				list = append(list, listingOf(job))
			}
			return err
		},
	})
	for _, one := range list {
		one.l = w.jobs[one.l.id]
	}
	return list
}

// watched counts the removals that an agent did not report, and names those that its next poll ends.
func (w *world) watched(owner jobmanager.OwnerID) (n int, due []jobmanager.ID) {
	due = []jobmanager.ID{}
	for _, id := range w.seen.order {
		row := w.seen.jobs[id]
		if row.Hold != jobmanager.HoldRemovalUnconfirmed || row.Owner != owner {
			continue
		}
		if n++; believable(row, w.clock.Now()) {
			due = append(due, id)
		}
	}
	return n, due
}

// listingOf is what the list says of a job: the epoch is the one that its claim will have.
func listingOf(job *jobmanager.Job) *listing {
	one := &listing{
		l: &ledger{id: job.ID}, kind: job.Type, epoch: job.Epoch + 1, target: job.Target, text: manifestText(job.Manifests),
		removes: job.Type == jobmanager.DeleteDeployment || job.SubType == jobmanager.Reallocation && job.Type == jobmanager.UpdateDeployment,
	}
	if job.Resource != nil {
		one.uid, one.name = string(job.Resource.UID), job.Resource.Name
	}
	return one
}

// promote: an old agent says that it begins, and does not look at the answer.
func (w *world) promote(r *rapid.T, owner jobmanager.OwnerID, one *listing) {
	l := w.jobs[one.l.id]
	if l == nil {
		return
	}
	w.heard(owner, false)
	s := step{
		call: call{verb: verbClaim, owner: owner, length: w.life.ReportedLease, client: fleet().Name}, about: []jobmanager.ID{l.id},
		must: []jobmanager.ID{l.id}, what: fmt.Sprintf("%s promotes %s", owner, l.id), leaves: true,
		run: func() error {
			_, err := w.ClaimListedJob(w.ctx, fleet(), service.ClaimListedJobInput{JobID: l.id, OwnerID: owner})
			return refusedWith(err, l)
		},
	}
	if l.epoch+1 == one.epoch {
		s.listed = one.text
	}
	if !w.claimable(l, w.view(owner)) {
		s.want, s.must = jobmanager.CodeNotClaimable, nil
	}
	w.do(r, s)
}

// execute is what an old agent does on the target, without asking: a Create makes a new workload each time.
func (w *world) execute(r *rapid.T, owner jobmanager.OwnerID, one *listing) *workload {
	at := slices.IndexFunc(w.stands, func(made *workload) bool { return made.uid == one.uid })
	switch {
	case one.kind == jobmanager.CreateDeployment:
		w.made++
		made := &workload{uid: fmt.Sprintf("work-%d", w.made), name: fmt.Sprintf("%s-%05d", one.l.component, w.made), owner: owner, job: one.l.id}
		w.stands = append(w.stands, made)
		r.Logf("%s makes %s for %s", owner, made.uid, one.l.id)
		return made
	case one.removes && at >= 0 && w.stands[at].owner == owner:
		w.stands = slices.Delete(w.stands, at, at+1)
	}
	return &workload{uid: one.uid, name: one.name, owner: owner, job: one.l.id}
}

// reportWork: an old agent says that the work was done, with the epoch and the type as it was listed.
func (w *world) reportWork(r *rapid.T, owner jobmanager.OwnerID, one *listing, made *workload) {
	l := w.jobs[one.l.id]
	if l == nil || one.removes && one.uid == "" { // there was nothing to remove, which it does not report
		return
	}
	w.heard(owner, false)
	s := step{
		call: call{
			verb: verbWork, owner: owner, epoch: one.epoch, length: w.life.ReportedLease, client: fleet().Name, listed: one.text,
			report: jobmanager.ResourceReport{UID: made.uid, Name: made.name},
		},
		about: []jobmanager.ID{l.id}, what: fmt.Sprintf("%s reports a %s of %s at epoch %d: %s", owner, one.kind, l.id, one.epoch, made.uid),
		leaves: true,
		run: func() error {
			_, err := w.ReportJob(w.ctx, fleet(), service.ReportJobInput{
				JobID: l.id, OwnerID: owner, Type: one.kind, Epoch: one.epoch, Target: one.target,
				Resource: service.ResourceInput{UID: jobmanager.Text(made.uid), Name: jobmanager.Text(made.name)},
			}, jobmanager.JobLoad{})
			return err
		},
	}
	var repeats bool
	s.want, repeats = l.answerTo(fence{owner, one.epoch}, jobmanager.OutcomeFinished)
	switch {
	case repeats:
	case one.kind != l.kind:
		s.want = jobmanager.CodeStaleOwner
	case one.epoch == l.epoch+1 && w.claimable(l, w.view(owner)):
		s.want = ""
	case one.epoch == l.epoch+1:
		s.want = jobmanager.CodeStaleOwner
	}
	if s.want == "" && !repeats {
		s.must = s.about
	}
	w.do(r, s)
}

// syncAll: the old agents name all workloads that stand, and some that do not.
func (w *world) syncAll(r *rapid.T) {
	for _, made := range slices.Clone(w.stands) {
		if !once(r, "it is not named", 4) {
			w.sync(r, made.uid, made.name)
		}
	}
	if once(r, "a stranger", 3) {
		w.made++
		w.sync(r, fmt.Sprintf("foreign-%d", w.made), "web-zzzzz")
	}
}

// sync: a client names a workload. Whose it is shows in what happens then.
func (w *world) sync(r *rapid.T, uid, name string) {
	report := jobmanager.ResourceReport{
		UID: uid, Name: name, Whole: true,
		Conditions: []jobmanager.Condition{{Type: "Available", Status: oneOf(r, "status", jobmanager.StatusTrue, jobmanager.StatusFalse)}},
	}
	var of *jobmanager.Job
	w.do(r, step{
		call: call{verb: verbSync, report: report, client: fleet().Name}, either: jobmanager.CodeNotFound, what: fmt.Sprintf("a sync names %s (%s)", uid, name),
		run: func() error {
			resource, err := w.SyncResource(w.ctx, fleet(), service.ResourceInput{
				UID: jobmanager.Text(uid), Name: jobmanager.Text(name),
				Conditions: []service.ConditionInput{{Type: "Available", Status: report.Conditions[0].Status}},
			})
			if err == nil {
				of = resource.Job
			}
			return err
		},
		tell: func(events []*jobmanager.Event) error { return w.onlyFit(uid, events) },
	})
	if of != nil && w.jobs[of.ID].last().client == fleet().Name { // else somebody else speaks of its workload
		w.heard(of.Owner, false)
	}
}

// onlyFit: a workload is adopted where it fits one job alone, and never once it was removed.
func (w *world) onlyFit(uid string, events []*jobmanager.Event) error {
	for _, e := range events {
		if e.Type != jobmanager.JobFinished {
			continue
		}
		last := w.jobs[e.JobID].last()
		if w.removed[uid] || last.client != fleet().Name {
			return fmt.Errorf("%s was adopted, which was removed: %v, by an attempt of %q", uid, w.removed[uid], last.client)
		}
		for id, other := range w.jobs {
			o := other.last()
			if id == e.JobID || other.component != w.jobs[e.JobID].component || other.kind != jobmanager.CreateDeployment || o.client != last.client {
				continue
			}
			known := other.resource != nil && other.resource.UID != ""
			if open := o.outcome == "" || o.outcome == jobmanager.OutcomeExpired; open && !known && other.workload == jobmanager.WorkloadMaybe && o.claimedAt.Before(last.claimedAt) {
				return fmt.Errorf("%s was adopted by job %s, and job %s may have made it", uid, e.JobID, id)
			}
		}
	}
	return nil
}

// adopt: an admin says which of its strays is a job's own, or names what is none.
func (w *world) adopt(r *rapid.T) {
	l := w.someJobWith(r, func(l *ledger) bool { return len(w.row(l).Strays) > 0 })
	if l == nil {
		return
	}
	row, uid := w.row(l), "nobody's"
	var stray *jobmanager.Stray
	if len(row.Strays) > 0 {
		stray = &row.Strays[below(r, "stray", len(row.Strays))]
		uid = string(stray.UID)
	}
	s := step{call: call{verb: verbAdopt}, about: []jobmanager.ID{l.id}, must: []jobmanager.ID{l.id}, what: fmt.Sprintf("job %s is to adopt %s", l.id, uid)}
	anothers := slices.ContainsFunc(w.membersOfAll(), func(other *ledger) bool {
		return other != l && other.resource != nil && string(other.resource.UID) == uid
	})
	known := l.resource != nil && l.resource.UID != ""
	switch {
	case stray == nil || anothers:
		s.want = jobmanager.CodeInvalid
	case l.state == jobmanager.Finished || known || l.kind != jobmanager.CreateDeployment && l.kind != jobmanager.DeleteDeployment,
		stray.Target == nil && row.Target == nil:
		s.want = jobmanager.CodeWrongState
	}
	s.run = func() error {
		_, err := w.AdoptResource(w.ctx, admin(), service.AdoptResourceInput{JobID: l.id, UID: jobmanager.Text(uid)})
		return err
	}
	w.do(r, s)
}
