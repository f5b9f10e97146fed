package jobmanager

import (
	"bytes"
	"slices"
	"time"
)

// Update takes a new descriptor, component by component. Unchanged ones are untouched; added ones get a job;
// removed ones are stopped and leave the group once that is done; changed manifests make a Replace, changed
// requirements or pins a move where the Matchmaker's answer differs. While the group is stopped, or about to be,
// the descriptor is kept for the next start. former is what the group's present text says. The same text again
// changes nothing.
//
// INVALID when the name changes, or the namespace of a running group; WRONG_STATE for a group that is being
// deleted.
func (g *JobGroup) Update(former Descriptor, s Submission, lc LifeCycle, ids func() ID, now time.Time) ([]Event, error) {
	running := g.running()
	switch {
	case s.Descriptor.Name != g.Name:
		return nil, Errorf(CodeInvalid, "the name of an application cannot change: it is %s, not %s; submit the descriptor as a new group", quoted(g.Name), quoted(s.Descriptor.Name))
	case g.DeleteWhenStopped:
		return nil, Errorf(CodeWrongState, "group %s is being deleted: submit its descriptor as a new one", g.ID)
	case s.Text == g.Descriptor:
		return nil, nil
	case running && s.Descriptor.Namespace != g.Namespace:
		return nil, Errorf(CodeInvalid, "the namespace of a running application cannot change from %s to %s: stop it first", quoted(g.Namespace), quoted(s.Descriptor.Namespace))
	}
	before := g.former()
	g.Generation++
	g.adopt(s)
	var jobEvents []Event
	message := g.Name + " has a new descriptor"
	if running {
		jobEvents = g.applyUpdate(former, s, lc, ids, now)
	} else {
		message += ", for its next start"
		jobEvents = g.dropRemoved(now)
	}
	updated := g.event(JobGroupUpdated, before, now, message)
	if running && policiesDiffer(former, s.Descriptor) {
		updated.Notices = noticesOfCreate()
	}
	return append([]Event{updated}, jobEvents...), nil
}

// componentChange is a component as it is to be and as it was, with the Matchmaker's answer for it.
type componentChange struct {
	is, was Component
	match   Match
}

// applyUpdate makes the jobs follow the descriptor.
func (g *JobGroup) applyUpdate(former Descriptor, s Submission, lc LifeCycle, ids func() ID, now time.Time) []Event {
	was := map[string]Component{}
	for _, component := range former.Components {
		was[component.Name] = component
	}
	jobs := g.jobsByComponent()
	var events []Event
	for _, component := range s.Descriptor.Components {
		j, change := jobs[component.Name], componentChange{component, was[component.Name], s.match(component.Name)}
		delete(jobs, component.Name)
		switch {
		case j == nil:
			events = append(events, g.addJob(component, change.match, lc, ids, now))
		case j.Type == DeleteDeployment:
			events = append(events, j.comeBackAfter(g, change, lc, now)...)
		default:
			events = append(events, j.follow(change, lc, now)...)
		}
	}
	for _, j := range slices.Clone(g.Jobs) {
		if jobs[j.Component] == j {
			events = append(events, j.Remove(now)...)
		}
	}
	return events
}

// dropRemoved drops the jobs of a stopped group whose component the new descriptor no longer has. One whose
// Delete is still under way goes with the next start.
func (g *JobGroup) dropRemoved(now time.Time) []Event {
	var events []Event
	for _, j := range g.Jobs {
		kept := slices.ContainsFunc(g.Components, func(c Component) bool { return c.Name == j.Component })
		if !kept && !j.standing(now) {
			events = append(events, j.drop("its component left the descriptor", now))
		}
	}
	return events
}

// comeBackAfter is for a component that is in the descriptor while its job is a Delete. One that was leaving
// comes back once it is removed, also where it was to come back otherwise; one that is removed already, such as an
// abandoned one, is started anew where its component changed.
func (j *Job) comeBackAfter(g *JobGroup, change componentChange, lc LifeCycle, now time.Time) []Event {
	returns := j.Sequel == SequelReturn
	switch {
	case j.State == Finished && !change.is.sameWork(change.was):
		return []Event{j.start(g, change.is, change.match, lc, now)}
	case j.State == Finished, returns && change.is.sameWork(change.was):
		return nil
	}
	former := j.former()
	j.take(change.is)
	j.Sequel = SequelReturn
	if !returns || !change.is.samePlace(change.was) {
		j.Move = &Move{To: lc.firstFitting(change.match, change.is.Type), Reason: change.match.Reason}
	}
	return []Event{j.event(JobUpdated, former, now, j.Component+" comes back once it is removed")}
}

// follow makes a job that runs, or is about to, follow its changed component.
func (j *Job) follow(change componentChange, lc LifeCycle, now time.Time) []Event {
	var events []Event
	if !change.is.samePlace(change.was) {
		events = append(events, j.changePlace(change.is, change.match, lc, now)...)
	}
	if !slices.Equal(change.is.Manifests, change.was.Manifests) {
		events = append(events, j.changeManifests(change.is, lc, now)...)
	}
	return events
}

// changePlace asks for a target anew, because the component's requirements or pins changed.
func (j *Job) changePlace(component Component, match Match, lc LifeCycle, now time.Time) []Event {
	former := j.former()
	j.Requirements = component.Requirements
	message := "what " + j.Component + " demands of a target changed"
	switch {
	case j.Target == nil:
		updated := j.event(JobUpdated, former, now, message)
		j.settleTarget(match, component.Type, lc, now)
		if j.Target == nil {
			return []Event{j.event(JobUpdated, former, now, message)}
		}
		return []Event{updated, j.event(JobMatched, former, now, "on "+j.Target.Cluster)}
	case j.moving():
		return []Event{j.redirect(match, component.Type, lc, now)}
	}
	events := j.takeBackMove(RemediationSuperseded, "an update of the application took its place", now)
	j.Move = &Move{NotBefore: now, Reason: match.Reason}
	updated := j.event(JobUpdated, former, now, message)
	if len(match.Targets) > 0 { // else the Matchmaker did not answer, or has nothing: it is asked again
		if moved := j.Relocate(match, component.Type, lc, now); len(moved) > 0 {
			return append(append(events, updated), moved...)
		}
		updated = j.event(JobUpdated, former, now, message)
	}
	return append(events, updated)
}

// redirect gives a job that is leaving its target another one to go to. Without one it is matched again once it has
// left: the one that was chosen may not meet what is demanded now.
func (j *Job) redirect(match Match, componentType string, lc LifeCycle, now time.Time) Event {
	former, move := j.former(), *j.Move
	message := "where it goes is asked again once it has left"
	if target := lc.firstFitting(match, componentType); target != nil {
		move.To, move.NotBefore, move.Reason = target, time.Time{}, ""
		message = "it goes to " + target.Cluster + " instead"
	} else {
		move.NotBefore, move.Reason = now, match.Reason
	}
	j.Move = &move
	return j.event(JobReallocated, former, now, message)
}

// changeManifests gives the job its newer manifests, and whatever work they make.
func (j *Job) changeManifests(component Component, lc LifeCycle, now time.Time) []Event {
	former := j.former()
	j.take(component)
	switch {
	case j.moving():
		return []Event{j.event(JobUpdated, former, now, "new manifests for "+j.Component+", to be applied where it moves to")}
	case j.busy(now):
		j.Outdated = true
		return []Event{j.event(JobUpdated, former, now, "new manifests for "+j.Component+", once the work in progress has ended")}
	case j.Hold == HoldNoTarget || j.Hold == HoldNoFittingTarget: // nobody was given the older ones
		if j.lacksManifests() {
			j.holdNoManifests(now)
		}
		return []Event{j.event(JobUpdated, former, now, "new manifests for "+j.Component)}
	case j.Type == CreateDeployment && j.State != Finished && j.Workload != WorkloadPresent:
		return []Event{j.tryAnew(lc.Backoff, now)}
	}
	return j.replace(now)
}

// samePlace says whether two versions of a component can stay on the same target.
func (c Component) samePlace(other Component) bool {
	return c.Type == other.Type && bytes.Equal(c.Requirements, other.Requirements) && slices.Equal(c.Pins, other.Pins)
}

// sameWork says whether two versions of a component make the same work.
func (c Component) sameWork(other Component) bool {
	return c.samePlace(other) && slices.Equal(c.Manifests, other.Manifests)
}

// NeedsMatch says whether the Matchmaker must be asked before this descriptor takes the place of a former one:
// for an added component, or one that may have to move.
func (d Descriptor) NeedsMatch(former Descriptor) bool {
	return slices.ContainsFunc(d.Components, func(c Component) bool {
		return !slices.ContainsFunc(former.Components, func(was Component) bool { return was.Name == c.Name && c.samePlace(was) })
	})
}

// policiesDiffer says whether the Policy Manager must hear of a new descriptor: its components, its policies, or the
// description without which it takes none changed.
func policiesDiffer(a, b Descriptor) bool {
	same := func(a, b Policy) bool { return bytes.Equal(a.Body, b.Body) }
	return a.Description != b.Description || !slices.EqualFunc(a.Policies, b.Policies, same) || !slices.EqualFunc(a.Components, b.Components, func(a, b Component) bool {
		return a.Name == b.Name && a.Type == b.Type && slices.EqualFunc(a.Policies, b.Policies, same)
	})
}
