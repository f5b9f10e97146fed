package jobmanager

import "time"

// Start brings a stopped application up again, as its descriptor is by now: the jobs of its components become
// Creates with nothing of their former life, components without a job get one, jobs without a component go. On
// a running group it changes nothing. GROUP_NOT_STOPPED while a Delete is under way, WRONG_STATE for a group
// that is being deleted.
func (g *JobGroup) Start(s Submission, lc LifeCycle, ids func() ID, now time.Time) ([]Event, error) {
	if g.DeleteWhenStopped {
		return nil, Errorf(CodeWrongState, "group %s is being deleted: submit its descriptor as a new one", g.ID)
	}
	if g.running() {
		return nil, nil
	}
	if removing := g.removing(); removing > 0 {
		return nil, Errorf(CodeGroupNotStopped, "group %s is still being stopped: %d of its jobs are not removed yet", g.ID, removing)
	}
	former := g.former()
	g.Generation++
	g.adopt(s)
	jobs := g.jobsByComponent()
	var jobEvents []Event
	for _, component := range s.Descriptor.Components {
		match := s.match(component.Name)
		if j := jobs[component.Name]; j != nil {
			jobEvents = append(jobEvents, j.start(g, component, match, lc, now))
			delete(jobs, component.Name)
			continue
		}
		jobEvents = append(jobEvents, g.addJob(component, match, lc, ids, now))
	}
	for _, j := range g.Jobs {
		if jobs[j.Component] == j {
			jobEvents = append(jobEvents, j.drop("its component left the descriptor", now))
		}
	}
	started := g.event(JobGroupStarted, former, now, g.Name+" is started")
	started.Notices = noticesOfCreate()
	return append([]Event{started}, jobEvents...), nil
}

// running says whether any job is more than a Delete, or will be.
func (g *JobGroup) running() bool {
	for _, j := range g.Jobs {
		if j.Type != DeleteDeployment || j.Sequel == SequelReturn {
			return true
		}
	}
	return false
}

// removing counts the Deletes that are not done.
func (g *JobGroup) removing() int {
	n := 0
	for _, j := range g.Jobs {
		if j.Type == DeleteDeployment && j.State != Finished {
			n++
		}
	}
	return n
}

func (g *JobGroup) jobsByComponent() map[string]*Job {
	jobs := make(map[string]*Job, len(g.Jobs))
	for _, j := range g.Jobs {
		jobs[j.Component] = j
	}
	return jobs
}

// start makes a Create of a Delete that is done, as its component is by now.
func (j *Job) start(g *JobGroup, component Component, match Match, lc LifeCycle, now time.Time) Event {
	former := j.former()
	j.Strays = nil
	closed := j.begin(CreateDeployment, "", "the group was started", now)
	j.Owner, j.Workload, j.Sequel = "", WorkloadNone, ""
	j.Queued, j.Cooling, j.Move, j.Resource = nil, nil, nil, nil
	j.Namespace = g.Namespace
	j.take(component)
	j.Target, j.Orchestrator = nil, ""
	j.settleTarget(match, component.Type, lc, now)
	event := j.event(JobStarted, former, now, "for component "+component.Name)
	event.Attempt = closed
	return event
}

// take takes over what the component says of the work.
func (j *Job) take(component Component) {
	j.Manifests, j.ManifestCount = component.Manifests, len(component.Manifests)
	if j.Manifests == nil {
		j.Manifests = []Manifest{} // the store is to remove the former ones
	}
	j.Requirements = component.Requirements
}
