package jobmanager

import (
	"fmt"
	"slices"
	"time"
)

// Workloads that are not the job's resource and may be its own.

// Stray is a workload that an agent named, that may be the job's, and that is not its resource.
type Stray struct {
	// UID and Name are the orchestrator's.
	UID  Text   `json:"uid"`
	Name string `json:"name"`
	// OwnerID is the agent on whose side it stands, Target where; nil when that is not known.
	OwnerID OwnerID `json:"ownerId"`
	Target  *Target `json:"target,omitempty"`
	// Reported says that the agent reported it as its work on this job; else a sync only showed its name.
	Reported bool `json:"reported,omitempty"`
	// Dismissed says that an admin let the job go on without it.
	Dismissed bool      `json:"dismissed,omitempty"`
	SeenAt    time.Time `json:"seenAt"`
}

// mostStrays bounds how many of them a job remembers.
const mostStrays = 16

// isAt says whether the stray stands on a target, as far as is known; agents name nodes as they like.
func (s Stray) isAt(target *Target) bool {
	return s.Target == nil || target != nil && s.Target.Cluster == target.Cluster && s.Target.Orchestrator == target.Orchestrator
}

// identified says whether the orchestrator's name for the workload is known.
func (j *Job) identified() bool { return j.Resource != nil && j.Resource.UID != "" }

// knows says whether the job has a workload of that uid on record.
func (j *Job) knows(uid string) bool {
	return j.Resource != nil && string(j.Resource.UID) == uid || slices.ContainsFunc(j.Strays, func(s Stray) bool { return string(s.UID) == uid })
}

// identify makes a workload the job's resource.
func (j *Job) identify(s Stray, now time.Time) Event {
	former := j.former()
	j.Resource = &Resource{ID: j.ResourceID(), JobID: j.ID, UID: s.UID, Name: s.Name, Conditions: []Condition{}, SeenAt: now}
	j.forget(string(s.UID))
	j.dropCandidates(now)
	return j.event(ResourceReported, former, now, fmt.Sprintf("%s on the side of %s is its workload", s.Name, s.OwnerID))
}

// note remembers a stray and tells of it.
func (j *Job) note(s Stray, now time.Time) []Event {
	former := j.former()
	if !j.keep(s) {
		return nil
	}
	return []Event{j.event(StrayReported, former, now, s.words())}
}

// keep remembers a stray, unless it is known or there are too many already.
func (j *Job) keep(s Stray) bool {
	if j.knows(string(s.UID)) || len(j.Strays) == mostStrays {
		return false
	}
	if s.Target == nil {
		s.Target = j.Target
	}
	j.Strays = append(slices.Clone(j.Strays), s)
	return true
}

// words tell of the stray in an event.
func (s Stray) words() string {
	return fmt.Sprintf("%s (%s) stands on the side of %s and is not its resource", s.Name, s.UID, s.OwnerID)
}

// forget drops a stray that is one no more.
func (j *Job) forget(uid string) {
	if slices.ContainsFunc(j.Strays, func(s Stray) bool { return string(s.UID) == uid }) {
		j.Strays = slices.DeleteFunc(slices.Clone(j.Strays), func(s Stray) bool { return string(s.UID) == uid })
	}
}

// goTo sets where the job's next work is, where that is known.
func (j *Job) goTo(target *Target) {
	if target != nil {
		j.Target, j.Orchestrator = target, Text(target.Orchestrator)
	}
}

// strayed says whether something of the job stands besides its resource.
func (j *Job) strayed() bool {
	return slices.ContainsFunc(j.Strays, Stray.removable)
}

// removable says whether the stray is the job's for certain, and it is known where it stands.
func (s Stray) removable() bool { return s.Reported && s.Target != nil }

// removeStray goes on deleting: what an agent reported as its work on the job, and is not its resource, is removed by
// that agent too.
func (j *Job) removeStray(now time.Time) []Event {
	at := slices.IndexFunc(j.Strays, Stray.removable)
	if at < 0 {
		return nil
	}
	former, s := j.former(), j.Strays[at]
	j.goTo(s.Target)
	j.begin(DeleteDeployment, "", "a stray is to be removed", now)
	j.Owner, j.Workload = s.OwnerID, WorkloadPresent
	event := j.event(JobStopped, former, now, fmt.Sprintf("waiting for %s to remove the stray %s", s.OwnerID, s.Name))
	return []Event{event, j.identify(s, now)}
}
