package app_test

import (
	"maps"
	"slices"

	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
)

// check holds everything that must be so after a kill, while nobody but the server itself is at work.
func (s *storm) check(c *apptest.Client, log *chronicle) {
	s.t.Helper()
	read := log.tablesAtTheEnd(s.t, c)
	jobs := map[string]*tableJob{}
	byGroup := map[string][]*tableJob{}
	for n := range read.Jobs.Nodes {
		j := &read.Jobs.Nodes[n]
		jobs[j.ID] = j
		byGroup[j.Group.ID] = append(byGroup[j.Group.ID], j)
		s.checkAttempts(j, log)
	}
	s.checkAcknowledged(log)
	for _, i := range s.integrators {
		i.check(read, byGroup)
	}
	s.watchdog.check(c)
	for _, w := range s.workers {
		w.checkHeld(jobs)
		w.claimAgain(c, jobs)
	}
}

// checkAttempts holds that a job's attempts are those that the log tells, and one at most is open.
func (s *storm) checkAttempts(j *tableJob, log *chronicle) {
	s.t.Helper()
	var newest int64
	for n, a := range j.Attempts {
		last := n == len(j.Attempts)-1
		if a.Epoch <= newest || a.Epoch > j.Epoch || log.owners[ofEpoch{j.ID, a.Epoch}] != a.OwnerID {
			s.t.Errorf("job %s at epoch %d: attempt %+v after epoch %d, claimed by %q", j.ID, j.Epoch, a, newest, log.owners[ofEpoch{j.ID, a.Epoch}])
		}
		if open := a.Outcome == ""; open != (last && j.Lease != nil) {
			s.t.Errorf("job %s, %s, lease %v: attempt %+v", j.ID, j.State, j.Lease, a)
		}
		newest = a.Epoch
	}
}

// checkAcknowledged holds that the log tells of whatever was acknowledged, whenever that was.
func (s *storm) checkAcknowledged(log *chronicle) {
	s.t.Helper()
	for at, owner := range s.claims {
		if log.owners[at] != owner {
			s.t.Errorf("%s was told that epoch %d of job %s is its own; the log has %q", owner, at.epoch, at.job, log.owners[at])
		}
	}
	for at := range s.finished {
		if log.finished[at] != 1 {
			s.t.Errorf("epoch %d of job %s was acknowledged as finished; the log tells it %d times", at.epoch, at.job, log.finished[at])
		}
	}
	for at, event := range s.moves {
		if !slices.Equal(log.moves[at], []string{event}) {
			s.t.Errorf("generation %d of group %s was acknowledged as %s; the log has %v", at.generation, at.group, event, log.moves[at])
		}
	}
}

// check holds that each application is as acknowledged, or as its open order wants it, and nothing in between.
func (i *integrator) check(read tables, jobs map[string][]*tableJob) {
	i.storm.t.Helper()
	for _, a := range slices.Clone(i.apps) {
		var found []tableGroup
		for _, g := range read.JobGroups.Nodes {
			if g.Name == a.name {
				found = append(found, g)
			}
		}
		switch {
		case len(found) > 1:
			i.storm.t.Errorf("%s is there %d times", a.name, len(found))
		case len(found) == 1:
			i.checkGroup(a, found[0], jobs[found[0].ID])
		case a.leaving && a.open == nil:
			i.apps = slices.DeleteFunc(i.apps, func(other *application) bool { return other == a })
		case a.id != "" && !a.leaving:
			i.storm.t.Errorf("%s was acknowledged as group %s and is gone", a.name, a.id)
		}
	}
}

func (i *integrator) checkGroup(a *application, g tableGroup, jobs []*tableJob) {
	t := i.storm.t
	t.Helper()
	if a.id != "" && g.ID != a.id {
		t.Errorf("%s is group %s, acknowledged was %s", a.name, g.ID, a.id)
	}
	done := g.Generation == a.generation+1
	if g.Generation != a.generation && (!done || a.open == nil || !a.open.sent) {
		t.Errorf("%s is at generation %d, acknowledged was %d, open is %+v", a.name, g.Generation, a.generation, a.open)
	}
	text := a.text
	if done && a.open != nil {
		text = a.open.text
	}
	if g.Descriptor != text {
		t.Errorf("%s at generation %d has the descriptor\n%s\nwant\n%s", a.name, g.Generation, g.Descriptor, text)
	}
	if g.Phase == "STOPPED" || g.Phase == "STOPPING" {
		return // its descriptor is for the next start
	}
	parts := partsOf(g.Descriptor)
	for _, part := range parts {
		n := 0
		for _, j := range jobs {
			if j.Component == part {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%s at generation %d, %s: %d jobs for component %s", a.name, g.Generation, g.Phase, n, part)
		}
	}
	for _, j := range jobs {
		if !slices.Contains(parts, j.Component) && j.Type != "DELETE_DEPLOYMENT" {
			t.Errorf("%s at generation %d, %s: a job %s for component %s, which its descriptor does not have", a.name, g.Generation, g.Phase, j.Type, j.Component)
		}
	}
}

// checkHeld holds that what the agent was told to hold is still its own, with the lease that it was told, unless
// the job has gone on since.
func (w *worker) checkHeld(jobs map[string]*tableJob) {
	t := w.storm.t
	t.Helper()
	for _, h := range w.held {
		j := jobs[h.ID]
		switch {
		case j == nil && (h.report == nil || !h.report.sent):
			t.Errorf("%s holds job %s, which is gone", w.owner, h.ID)
		case j == nil || j.Epoch > h.Epoch: // stopped, updated or remedied since
		case j.Epoch < h.Epoch || j.Owner != w.owner && (h.report == nil || h.report.mutation != releaseOrder):
			t.Errorf("%s holds job %s at epoch %d, in the tables it is %+v", w.owner, h.ID, h.Epoch, *j)
		case j.Held != nil && j.Held.ExpiresAt.Before(h.Lease.ExpiresAt):
			t.Errorf("%s was told that its lease of %s holds until %s, in the tables it ends at %s", w.owner, h.ID, h.Lease.ExpiresAt, j.Held.ExpiresAt)
		case j.Held == nil && (h.report == nil || !h.report.sent):
			t.Errorf("%s holds job %s at epoch %d, in the tables it has no lease: %+v", w.owner, h.ID, h.Epoch, *j)
		}
	}
}

// claimAgain repeats a claim that was not answered: it gives what the first try won, with the same epochs.
func (w *worker) claimAgain(c *apptest.Client, jobs map[string]*tableJob) {
	t := w.storm.t
	t.Helper()
	if w.claim == nil {
		return
	}
	won, given := map[string]int64{}, map[string]int64{}
	for _, j := range jobs {
		if _, told := w.storm.claims[ofEpoch{j.ID, j.Epoch}]; j.Owner == w.owner && j.Lease != nil && !told {
			won[j.ID] = j.Epoch
		}
	}
	claimed, answered := w.sendClaim(c)
	if !answered {
		t.Errorf("%s gets no answer to its claim", w.owner)
	}
	for _, h := range claimed {
		given[h.ID] = h.Epoch
	}
	if len(won) > 0 && !maps.Equal(won, given) { // else the first try did nothing, and this one may win something
		t.Errorf("%s had claimed %v (epochs by job), and the same claim again gives %v", w.owner, won, given)
	}
}
