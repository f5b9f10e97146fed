package jobmanager

import "slices"

// JobGroupFilter picks groups; every field that is set must hold, a list holds with any of its values.
type JobGroupFilter struct {
	IDs        []ID
	Names      []string
	Namespaces []string
	Phases     []Phase
}

// Watched says whether the filter picks a group: as it is, with the phase it has or had.
func (f JobGroupFilter) Watched(g *JobGroup, phase Phase) bool {
	return among(f.IDs, g.ID) && among(f.Names, g.Name) && among(f.Namespaces, g.Namespace) && among(f.Phases, phase)
}

// JobFilter picks jobs; every field that is set must hold, a list holds with any of its values.
type JobFilter struct {
	IDs           []ID
	JobGroupIDs   []ID
	Components    []string
	Types         []JobType
	States        []JobState
	OwnerIDs      []OwnerID
	Orchestrators []string
	Clusters      []string
}

// Watched says whether the filter picks a job, with the changeable fields as given.
func (f JobFilter) Watched(j *Job, at Former) bool {
	return among(f.IDs, j.ID) && among(f.JobGroupIDs, j.GroupID) && among(f.Components, j.Component) &&
		among(f.Types, at.Type) && among(f.States, at.State) && among(f.OwnerIDs, at.Owner) &&
		among(f.Orchestrators, string(at.Orchestrator)) && among(f.Clusters, at.Cluster)
}

// Now gives the job's changeable fields as they are, in the form that Watched takes.
func (j *Job) Now() Former { return j.former() }

// ResourceFilter picks resources by their jobs; every field that is set must hold.
type ResourceFilter struct {
	JobGroupIDs   []ID
	JobIDs        []ID
	OwnerIDs      []OwnerID
	Orchestrators []string
}

// Jobs is the filter on the resources' jobs.
func (f ResourceFilter) Jobs() JobFilter {
	return JobFilter{IDs: f.JobIDs, JobGroupIDs: f.JobGroupIDs, OwnerIDs: f.OwnerIDs, Orchestrators: f.Orchestrators}
}

// EventFilter picks events; every field that is set must hold.
type EventFilter struct {
	Types       []EventType
	JobGroupIDs []ID
	JobIDs      []ID
}

// among says whether a list holds the value; an empty list holds every one.
func among[T comparable](list []T, value T) bool {
	return len(list) == 0 || slices.Contains(list, value)
}
