package service_test

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// done: an agent says that it did the work, or is believed to have, or an admin says which workload is the job's.
func (l *ledger) done(c *call, e *jobmanager.Event, row *jobmanager.Job) error {
	switch c.verb {
	case verbPoll:
		return l.observedAbsent(c, e.Job, row)
	case verbSync, verbAdopt:
		return l.adopted(c, e.Job)
	default:
		if last := l.last(); c.verb == verbWork && l.fenced(c) != nil && l.owner == c.owner && last.owner == c.owner && last.outcome == jobmanager.OutcomeExpired {
			err := l.adopted(c, e.Job)
			l.applied = "" // it is the report of an older attempt
			return err
		}
		return l.finished(c, e.Job)
	}
}

// between is how far apart the polls must be that end a removal.
const between = 10 * time.Second

// believable says whether a poll now is the second one since a removal was not reported.
func believable(row *jobmanager.Job, now time.Time) bool {
	return row.Hold == jobmanager.HoldRemovalUnconfirmed && row.Polls == 1 && now.Sub(row.Since) >= between
}

// observedAbsent: the lease of a removal ran out, and its owner polled twice since.
func (l *ledger) observedAbsent(c *call, j, row *jobmanager.Job) error {
	if !believable(row, c.now) || l.owner != c.owner || l.lease != nil || !l.removes(j) {
		return fmt.Errorf("a %s/%s of %s, held by %q after %d polls, was believed to be done by %s", l.kind, l.state, l.owner, row.Hold, row.Polls, c.owner)
	}
	l.end(jobmanager.OutcomeFinished, c.now)
	l.state, l.workload, l.applied = jobmanager.Finished, jobmanager.WorkloadNone, ""
	return nil
}

// adopted: a Create is done with a workload that its newest attempt, or by an admin's word another one, left. Only what
// that attempt made of the manifests it was given is known to be of the newest.
func (l *ledger) adopted(c *call, j *jobmanager.Job) error {
	last := l.last()
	if l.kind != jobmanager.CreateDeployment || l.state == jobmanager.Finished || c.verb == verbSync && l.workload != jobmanager.WorkloadMaybe {
		return fmt.Errorf("a %s/%s with its workload %s adopted one", l.kind, l.state, l.workload)
	}
	its := last.owner == j.Owner && (last.outcome == "" || last.outcome == jobmanager.OutcomeExpired)
	switch {
	case !its && c.verb == verbSync:
		return fmt.Errorf("the newest attempt is of %s and ended as %q, adopted was one of %s", last.owner, last.outcome, j.Owner)
	case its:
		if l.owner != last.owner || l.epoch != last.epoch {
			l.epoch++
		}
		l.end(jobmanager.OutcomeFinished, c.now)
		l.applied = l.given
	default:
		if last.outcome == "" {
			l.end(jobmanager.OutcomeStopped, c.now)
		}
		l.epoch++
		l.applied = ""
	}
	l.state, l.workload, l.owner = jobmanager.Finished, jobmanager.WorkloadPresent, j.Owner
	return nil
}

// identified: it is known now which workload is the job's.
func (l *ledger) identified(j *jobmanager.Job) error {
	if l.resource != nil && l.resource.UID != "" {
		return fmt.Errorf("the workload %s took the place of %s", j.Resource.UID, l.resource.UID)
	}
	l.resource = &jobmanager.Resource{ID: j.Resource.ID, UID: j.Resource.UID, Name: j.Resource.Name}
	return nil
}

// supplanted: what a former attempt left is a stray, for this one made another.
func (l *ledger) supplanted(j *jobmanager.Job) {
	if l.resource != nil && l.resource.UID != "" && j.Resource != nil && j.Resource.UID == "" {
		l.resource = &jobmanager.Resource{ID: l.resource.ID, Name: l.resource.Name}
	}
}

// removesStray: a Delete goes on with a workload that was reported too late, or that an admin named.
func (l *ledger) removesStray(c *call, j *jobmanager.Job) error {
	if l.state != jobmanager.Finished && c.verb != verbAdopt || j.Owner == "" {
		return errors.New("another workload is to be removed while one is")
	}
	l.begin(jobmanager.DeleteDeployment, c.now)
	l.owner, l.workload = j.Owner, jobmanager.WorkloadPresent
	return nil
}

// straysHold: a job has few strays, each of them once, and none of them is its workload; a finished Delete has none, and
// candidates are what a job waits for. No workload that was removed is a job's again, and none is two jobs'.
func (w *world) straysHold(job *jobmanager.Job, l *ledger) error {
	uids, candidates := map[jobmanager.Text]bool{}, false
	if job.Resource != nil && job.Resource.UID != "" {
		uids[job.Resource.UID] = true
		if w.removed[string(job.Resource.UID)] {
			return fmt.Errorf("its workload %s was removed before", job.Resource.UID)
		}
	}
	for _, s := range job.Strays {
		if uids[s.UID] || s.UID == "" || s.OwnerID == "" {
			return fmt.Errorf("%+v stands twice, or is its workload", s)
		}
		uids[s.UID], candidates = true, candidates || !s.Reported && !s.Dismissed
	}
	switch {
	case len(job.Strays) > 16:
		return fmt.Errorf("it has %d strays", len(job.Strays))
	case l.kind == jobmanager.DeleteDeployment && l.state == jobmanager.Finished && strayed(job):
		return fmt.Errorf("it is removed, and %+v stand", job.Strays)
	case candidates && job.Hold != jobmanager.HoldAmbiguousWorkload && job.Hold != jobmanager.HoldNoManifests && job.Hold != jobmanager.HoldNoTarget:
		return fmt.Errorf("%+v may be its own, and it waits for %q", job.Strays, job.Hold)
	case job.Hold == jobmanager.HoldAmbiguousWorkload && !candidates:
		return errors.New("it waits for an admin to choose from nothing")
	}
	return w.onlyOnes(job)
}

// onlyOnes: what an old agent made is one job's workload at most.
func (w *world) onlyOnes(job *jobmanager.Job) error {
	for _, other := range w.seen.jobs {
		if other.ID == job.ID || other.Resource == nil || job.Resource == nil || job.Resource.UID == "" {
			continue
		}
		made := slices.ContainsFunc(w.stands, func(made *workload) bool { return made.uid == string(job.Resource.UID) })
		if made && other.Resource.UID == job.Resource.UID {
			return fmt.Errorf("%s is job %s's as well", job.Resource.UID, other.ID)
		}
	}
	return nil
}
