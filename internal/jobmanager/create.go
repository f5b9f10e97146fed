package jobmanager

import (
	"fmt"
	"time"
)

// Submission is what a new group is made of.
type Submission struct {
	Tenant     Tenant
	Descriptor Descriptor
	// Text of the descriptor as submitted.
	Text string
	// Matches, one for each component that the Matchmaker answered for; nil when it was down and the caller
	// chose to match later. Unanswered then says why, in a sentence.
	Matches    []Match
	Unanswered string
}

// NewJobGroup makes the group and its jobs, one for each component, with their events. ids gives a new id
// with each call.
func NewJobGroup(s Submission, lc LifeCycle, ids func() ID, now time.Time) (*JobGroup, []Event) {
	g := &JobGroup{
		ID: ids(), Tenant: s.Tenant, Name: s.Descriptor.Name, Phase: PhasePending, Generation: 1, CreatedAt: now,
	}
	g.adopt(s)
	var jobEvents []Event
	for _, component := range s.Descriptor.Components {
		jobEvents = append(jobEvents, g.addJob(component, s.match(component.Name), lc, ids, now))
	}
	created := g.event(JobGroupCreated, Former{}, now, fmt.Sprintf("%s with %d jobs", g.Name, len(g.Jobs)))
	created.Notices = noticesOfCreate()
	return g, append([]Event{created}, jobEvents...)
}

// adopt takes over what the descriptor says of the application; the name stays.
func (g *JobGroup) adopt(s Submission) {
	d := s.Descriptor
	g.Description, g.Namespace, g.Descriptor = d.Description, d.Namespace, s.Text
	g.Components, g.Policies, g.Topology = d.Components, d.Policies, d.Links
	g.Requirements, g.Dependencies = d.Requirements, d.Dependencies
}

// addJob gives the group a job for a component.
func (g *JobGroup) addJob(component Component, match Match, lc LifeCycle, ids func() ID, now time.Time) Event {
	j := &Job{
		ID: ids(), Tenant: g.Tenant, GroupID: g.ID, Component: component.Name, Type: CreateDeployment,
		State: Created, Workload: WorkloadNone, Generation: 1, Namespace: g.Namespace,
		Requirements: component.Requirements, Manifests: component.Manifests,
		ManifestCount: len(component.Manifests), Since: now, CreatedAt: now, UpdatedAt: now,
	}
	j.settleTarget(match, component.Type, lc, now)
	g.Jobs = append(g.Jobs, j)
	return j.event(JobCreated, Former{}, now, "for component "+component.Name)
}

// match is the Matchmaker's answer for a component, or the reason why there is none.
func (s Submission) match(component string) Match {
	for _, match := range s.Matches {
		if match.Component == component {
			return match
		}
	}
	return Match{Component: component, Reason: s.Unanswered, Unasked: s.Unanswered == ""}
}

// Rematch takes a later answer of the Matchmaker for a job that waits for a target; any other job is left
// alone. The event tells a target found; a fruitless try only spaces the next one.
func (j *Job) Rematch(match Match, componentType string, lc LifeCycle, now time.Time) []Event {
	if j.Hold != HoldNoTarget && j.Hold != HoldNoFittingTarget {
		return nil
	}
	former := j.former()
	j.settleTarget(match, componentType, lc, now)
	if j.Target == nil {
		return nil
	}
	return []Event{j.event(JobMatched, former, now, "on "+j.Target.Cluster)}
}

// settleTarget gives the job the first target that can run its component, or the reason why it waits. A job
// without manifests waits for those, whether or not a target was found: nothing else would help it.
func (j *Job) settleTarget(match Match, componentType string, lc LifeCycle, now time.Time) {
	if target := lc.firstFitting(match, componentType); target != nil {
		j.Target, j.Orchestrator = target, Text(target.Orchestrator)
	}
	switch {
	case j.ManifestCount == 0:
		j.holdNoManifests(now)
	case j.Target != nil:
		j.NotBefore, j.MatchTries = time.Time{}, 0
		j.hold("", "", now)
	default:
		j.waitForTarget(match, componentType, lc, now)
	}
}

// waitForTarget says why there is no target, and spaces the next try; where nobody has asked yet, that is now.
func (j *Job) waitForTarget(match Match, componentType string, lc LifeCycle, now time.Time) {
	if match.Unasked {
		j.awaitMatch(now)
		return
	}
	j.MatchTries++
	j.NotBefore = now.Add(doubling(lc.Rematch, lc.MaxRematch, j.MatchTries))
	if len(match.Targets) > 0 {
		j.hold(HoldNoFittingTarget, fmt.Sprintf("a component of type %s does not fit orchestrator %s",
			quoted(componentType), quoted(match.Targets[0].Orchestrator)), now)
		return
	}
	reason := match.Reason
	if reason == "" {
		reason = "the Matchmaker found no target that meets its requirements"
	}
	j.hold(HoldNoTarget, reason, now)
}
