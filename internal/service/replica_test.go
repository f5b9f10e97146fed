package service_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// replica is what a watcher knows who saw nothing but the events: the newest payload of each group and job, and the
// newest answer to each incompliance at each job.
type replica struct {
	revision jobmanager.Revision
	groups   map[jobmanager.ID]*jobmanager.JobGroup
	jobs     map[jobmanager.ID]*jobmanager.Job
	answers  map[answerKey]jobmanager.Remediation
	attempts map[attemptKey]jobmanager.Attempt
	// pause is how long takeover pauses: what it does to the turns is told in one event for all jobs.
	pause time.Duration
}

type attemptKey struct {
	job   jobmanager.ID
	epoch int64
}

type answerKey struct{ incompliance, job jobmanager.ID }

func newReplica(life jobmanager.LifeCycle) *replica {
	return &replica{
		pause:  life.Lease,
		groups: map[jobmanager.ID]*jobmanager.JobGroup{}, jobs: map[jobmanager.ID]*jobmanager.Job{},
		answers: map[answerKey]jobmanager.Remediation{}, attempts: map[attemptKey]jobmanager.Attempt{},
	}
}

// take follows one event. Its revision is the next one, and its former values are those that were told last: who
// watches with a filter is told of everything that enters or leaves it.
func (r *replica) take(e *jobmanager.Event) error {
	if e.Revision != r.revision+1 {
		return fmt.Errorf("revision %d follows %d", e.Revision, r.revision)
	}
	r.revision = e.Revision
	if e.Type == jobmanager.TakeoverPaused {
		r.keepForOwners(e.At.Add(r.pause))
	}
	if e.Incompliance != nil {
		for _, answer := range e.Incompliance.Remediations {
			r.answers[answerKey{answer.IncomplianceID, answer.JobID}] = answer
		}
	}
	if e.Remediation != nil {
		r.answers[answerKey{e.Remediation.IncomplianceID, e.Remediation.JobID}] = *e.Remediation
	}
	if (e.JobID != "") != (e.Job != nil) {
		return fmt.Errorf("%s carries the job %v and is about %q", e.Type, e.Job, e.JobID)
	}
	if e.Job != nil {
		if want := formerOf(r.jobs[e.JobID]); e.Former != want {
			return fmt.Errorf("%s says that the job was %+v before, it was %+v", e.Type, e.Former, want)
		}
		r.jobs[e.JobID] = e.Job
		if e.Attempt != nil {
			r.attempts[attemptKey{e.JobID, e.Attempt.Epoch}] = *e.Attempt
		}
		if e.Type == jobmanager.JobDeleted {
			delete(r.jobs, e.JobID)
		}
	}
	if e.Group != nil {
		if before := r.groups[e.GroupID]; before != nil && e.Former.Phase != before.Phase {
			return fmt.Errorf("%s says that the phase was %q before, it was %q", e.Type, e.Former.Phase, before.Phase)
		}
		r.groups[e.GroupID] = e.Group
		if e.Type == jobmanager.JobGroupDeleted {
			delete(r.groups, e.GroupID)
		}
	}
	return nil
}

// keepForOwners: while takeover pauses, only its own agent may claim a Create whose lease is over.
func (r *replica) keepForOwners(until time.Time) {
	for id, job := range r.jobs {
		if job.Type == jobmanager.CreateDeployment && job.State == jobmanager.Progressing && job.Lease == nil {
			kept := *job
			kept.Turn = jobmanager.Turn{Of: jobmanager.TurnOfOwner, Until: until}
			r.jobs[id] = &kept
		}
	}
}

func formerOf(j *jobmanager.Job) jobmanager.Former {
	if j == nil {
		return jobmanager.Former{}
	}
	former := jobmanager.Former{
		Existed: true, Type: j.Type, State: j.State, Owner: j.Owner, Orchestrator: j.Orchestrator, HadResource: j.Resource != nil,
	}
	if j.Target != nil {
		former.Cluster = j.Target.Cluster
	}
	return former
}

// differs compares what the events told with the tables; empty when they agree. Leases, reservations, polls and
// last-seen marks are not told, nor how the fruitless tries to find a target are spaced.
func (r *replica) differs(t *tables) string {
	var words []string
	for id, job := range r.jobs {
		if diff := cmp.Diff(told(job), told(t.jobs[id]), cmpopts.EquateEmpty()); diff != "" {
			words = append(words, fmt.Sprintf("job %s (- events, + table):\n%s", id, diff))
			continue
		}
		for _, attempt := range t.jobs[id].Attempts {
			known := r.attempts[attemptKey{id, attempt.Epoch}]
			known.Client, known.Alone, attempt.Client, attempt.Alone = "", false, "", false // known of the newest one only
			if diff := cmp.Diff(known, attempt); diff != "" {
				words = append(words, fmt.Sprintf("attempt %d of job %s (- events, + table):\n%s", attempt.Epoch, id, diff))
			}
		}
	}
	for id, group := range r.groups {
		if diff := cmp.Diff(toldOfGroup(group), toldOfGroup(t.groups[id]), cmpopts.EquateEmpty()); diff != "" {
			words = append(words, fmt.Sprintf("group %s (- events, + table):\n%s", id, diff))
		}
	}
	if len(t.jobs) != len(r.jobs) || len(t.groups) != len(r.groups) {
		words = append(words, fmt.Sprintf("the tables have %d jobs in %d groups, the events tell of %d in %d",
			len(t.jobs), len(t.groups), len(r.jobs), len(r.groups)))
	}
	answers := map[answerKey]jobmanager.Remediation{}
	for _, incompliance := range t.incompliances {
		for _, answer := range incompliance.Remediations {
			answers[answerKey{answer.IncomplianceID, answer.JobID}] = answer
		}
	}
	if diff := cmp.Diff(r.answers, answers, cmpopts.EquateEmpty()); diff != "" {
		words = append(words, "answers to incompliances (- events, + table):\n"+diff)
	}
	slices.Sort(words)
	return strings.Join(words, "\n")
}

// told is what the events must tell of a job.
func told(j *jobmanager.Job) *jobmanager.Job {
	if j == nil {
		return nil
	}
	c := *j
	c.Manifests, c.Attempts, c.Group, c.Presence = nil, nil, nil, nil
	c.Lease, c.Reservation, c.Version, c.Polls = nil, jobmanager.Reservation{}, 0, 0
	if c.Resource != nil {
		resource := *c.Resource
		resource.SeenAt, resource.Job = time.Time{}, nil
		c.Resource = &resource
	}
	if c.Hold == jobmanager.HoldNoTarget || c.Hold == jobmanager.HoldNoFittingTarget {
		c.Hold, c.HoldMessage, c.NotBefore, c.MatchTries, c.Since = "waits for a target", "", time.Time{}, 0, time.Time{}
	}
	if c.Move != nil && (c.Move.To == nil || !c.Move.NotBefore.IsZero()) {
		c.Move = &jobmanager.Move{Cause: c.Move.Cause, To: c.Move.To}
	}
	return &c
}

func toldOfGroup(g *jobmanager.JobGroup) *jobmanager.JobGroup {
	if g == nil {
		return nil
	}
	c := *g
	c.Descriptor, c.Jobs, c.JobPage = "", nil, nil
	c.Components = slices.Clone(g.Components)
	for i := range c.Components {
		c.Components[i].Manifests = nil
	}
	return &c
}
