package jobmanager

import (
	"fmt"
	"time"
)

// Phase is how a group does as a whole.
type Phase string

// The phases.
const (
	PhasePending   Phase = "PENDING"
	PhaseDeploying Phase = "DEPLOYING"
	PhaseRunning   Phase = "RUNNING"
	PhaseDegraded  Phase = "DEGRADED"
	PhaseStopping  Phase = "STOPPING"
	PhaseStopped   Phase = "STOPPED"
)

// JobGroup is one application. JSON is what an event carries: the group after the change, without its
// descriptor's text and its jobs.
type JobGroup struct {
	ID          ID     `json:"id"`
	Tenant      Tenant `json:"tenant"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Namespace   string `json:"namespace"`
	Phase       Phase  `json:"phase"`
	// Generation moves only with users' changes; it is what expectedVersion means.
	Generation int64 `json:"generation"`
	// Descriptor is the text as submitted; empty where it was not loaded.
	Descriptor   string      `json:"-"`
	Components   []Component `json:"components"`
	Policies     []Policy    `json:"policies,omitempty"`
	Requirements Value       `json:"requirements,omitempty"`
	Dependencies Value       `json:"dependencies,omitempty"`
	Topology     []Link      `json:"topology,omitempty"`
	// DeleteWhenStopped marks a group that is deleted once its last Delete has finished.
	DeleteWhenStopped bool      `json:"deleteWhenStopped,omitempty"`
	CreatedAt         time.Time `json:"createdAt"`
	UpdatedAt         time.Time `json:"updatedAt"`

	// Deleted tells the store to remove the group and its jobs with the change.
	Deleted bool `json:"-"`
	// Jobs are all of the group's jobs where a rule needs them; JobPage is a page of them where a query asked.
	Jobs    []*Job   `json:"-"`
	JobPage *JobPage `json:"-"`
}

// Tally counts the jobs of a group by what its phase looks at.
type Tally struct {
	// Total leaves out the finished Deletes.
	Total, Deletes, Degraded, Finished, Progressing int
	// Unhealthy counts jobs whose resource has Degraded=True or Available=False.
	Unhealthy int
}

// Count adds n jobs of one kind.
func (t *Tally) Count(kind JobType, state JobState, unhealthy bool, n int) {
	if kind == DeleteDeployment && state == Finished {
		return
	}
	t.Total += n
	if kind == DeleteDeployment {
		t.Deletes += n
	}
	if unhealthy {
		t.Unhealthy += n
	}
	switch state {
	case Degraded:
		t.Degraded += n
	case Finished:
		t.Finished += n
	case Progressing:
		t.Progressing += n
	case Created:
	}
}

// Phase is the first that fits.
func (t Tally) Phase() Phase {
	switch {
	case t.Total == 0:
		return PhaseStopped
	case t.Deletes == t.Total:
		return PhaseStopping
	case t.Degraded > 0 || t.Unhealthy > 0:
		return PhaseDegraded
	case t.Finished == t.Total:
		return PhaseRunning
	case t.Progressing > 0 || t.Finished > 0:
		return PhaseDeploying
	}
	return PhasePending
}

// Settle brings the phase up to date after a change of the group's jobs. A group that was marked for it is
// deleted when it came to stand still.
func (g *JobGroup) Settle(t Tally, now time.Time) []Event {
	var events []Event
	if next := t.Phase(); next != g.Phase {
		former := g.former()
		g.Phase = next
		events = append(events, g.event(JobGroupPhaseChanged, former, now, fmt.Sprintf("%s: %s, was %s", g.Name, next, former.Phase)))
	}
	if g.DeleteWhenStopped && g.Phase == PhaseStopped && !g.Deleted {
		g.Deleted = true
		deleted := g.event(JobGroupDeleted, g.former(), now, g.Name+" was deleted after its stop")
		deleted.Notices = []NoticeKind{NoticeDeleted}
		events = append(events, deleted)
	}
	return events
}

func (g *JobGroup) former() Former { return Former{Existed: true, Phase: g.Phase} }

// CheckVersion refuses a change that was meant for another generation: VERSION_CONFLICT.
func (g *JobGroup) CheckVersion(expected *int64) error {
	if expected != nil && *expected != g.Generation {
		return Errorf(CodeVersionConflict, "group %s is at generation %d, not %d: read it again", g.ID, g.Generation, *expected)
	}
	return nil
}

// Stop undeploys every job; a group that is stopped or stopping stays as it is.
func (g *JobGroup) Stop(now time.Time) []Event {
	var jobEvents []Event
	for _, j := range g.Jobs {
		jobEvents = append(jobEvents, j.Stop(now)...)
	}
	if len(jobEvents) == 0 {
		return nil
	}
	former := g.former()
	g.Generation++
	stopped := g.event(JobGroupStopped, former, now, g.Name+" is stopped")
	stopped.Notices = []NoticeKind{NoticeStopped}
	return append([]Event{stopped}, jobEvents...)
}

// Delete removes the group when nothing of it stands on any target. Otherwise, with stopFirst, it is stopped
// and marked, and deleted when the last Delete has finished; without it: GROUP_NOT_STOPPED.
func (g *JobGroup) Delete(stopFirst bool, now time.Time) ([]Event, error) {
	standing := 0
	for _, j := range g.Jobs {
		if j.standing(now) {
			standing++
		}
	}
	if standing == 0 {
		g.Deleted = true
		deleted := g.event(JobGroupDeleted, g.former(), now, g.Name+" was deleted")
		deleted.Notices = []NoticeKind{NoticeDeleted}
		return []Event{deleted}, nil
	}
	if !stopFirst && g.DeleteWhenStopped {
		return nil, Errorf(CodeGroupNotStopped, "group %s is being deleted already: it goes once %d of its jobs are removed", g.ID, standing)
	}
	if !stopFirst {
		return nil, Errorf(CodeGroupNotStopped,
			"group %s has %d jobs whose workload may still stand: stop it first, or delete it with stopFirst, or wait for its agents", g.ID, standing)
	}
	if g.DeleteWhenStopped {
		return nil, nil
	}
	g.DeleteWhenStopped = true
	marked := g.event(JobGroupDeletionRequested, g.former(), now, g.Name+" is stopped and then deleted")
	return append([]Event{marked}, g.Stop(now)...), nil
}

// GoWithGroup tells that the job goes with its group.
func (j *Job) GoWithGroup(now time.Time) Event {
	return j.event(JobDeleted, j.former(), now, j.Component+" went with its group")
}
