package jobmanager

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// What only agents need that execute what they are listed without asking, and report nothing when there was
// nothing to do: the agents of the old REST API.

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

// WorkReport is the word of an agent that executes what it is listed: the work on a job was done.
type WorkReport struct {
	// Agent that did it, with the orchestrator of the job when it named none.
	Agent Agent
	// Type of the work as it was listed; empty when the report does not say.
	Type JobType
	// Epoch of the claim as the list named it; 0 when the report does not say, and then Type must be there.
	Epoch int64
	// Length of the lease, should the report be the claim as well.
	Length   time.Duration
	Resource ResourceReport
}

// ReportWork finishes the work. What was listed to the agent and is still as it was is claimed and finished in one.
// STALE_OWNER when the job is another's by now, or another piece of work: nothing changes, see Evidence. INVALID
// for conditions that do not fit.
func (j *Job) ReportWork(r WorkReport, now time.Time) ([]Event, error) {
	fence := Fence{OwnerID: r.Agent.OwnerID, Epoch: r.Epoch}
	if r.Epoch == 0 {
		fence.Epoch = j.Epoch
	}
	otherwise := r.Type != "" && r.Type != j.Type && fence.Epoch == j.Epoch
	if j.repeats(fence, OutcomeFinished) && !otherwise {
		return j.another(fence.OwnerID, r.Resource, now), nil
	}
	if r.Type != j.Type && (r.Type != "" || r.Epoch == 0) {
		return nil, j.stale(fence)
	}
	if err := r.Resource.Check(); err != nil && !j.removes() {
		return nil, err
	}
	var events []Event
	listed := r.Epoch == j.Epoch+1 || r.Epoch == 0 && j.Reservation.OwnerID == r.Agent.OwnerID
	if listed {
		outdated := j.Outdated
		claimed, err := j.Claim(Claim{Agent: r.Agent, Length: r.Length}, now)
		if err != nil {
			return nil, j.stale(fence)
		}
		j.Outdated = outdated // it was done as it was listed
		events, fence.Epoch = claimed, j.Epoch
	}
	if j.admits(fence) == nil && j.Type == CreateDeployment {
		events = append(events, j.supplant(fence.OwnerID, r.Resource, now)...)
	}
	finished, err := j.Finish(fence, r.Resource, now)
	return append(events, finished...), err
}

// another keeps the workload of a report that was taken already, where it is another one: the work was done twice.
func (j *Job) another(owner OwnerID, report ResourceReport, now time.Time) []Event {
	if report.UID == "" || j.Workload == WorkloadNone {
		return nil
	}
	return j.note(Stray{UID: Text(report.UID), Name: report.Name, OwnerID: owner, Reported: true, SeenAt: now}, now)
}

// supplant makes a stray of the workload that a former attempt of the agent left, where this one made another.
func (j *Job) supplant(owner OwnerID, report ResourceReport, now time.Time) []Event {
	if report.UID == "" || !j.identified() || string(j.Resource.UID) == report.UID {
		return nil
	}
	left := Stray{UID: j.Resource.UID, Name: j.Resource.Name, OwnerID: owner, Reported: true, SeenAt: j.Resource.SeenAt}
	former, resource := j.former(), *j.Resource
	resource.UID, resource.Conditions = "", nil
	j.Resource = &resource
	j.forget(report.UID)
	if !j.keep(left) {
		return nil
	}
	return []Event{j.event(StrayReported, former, now, left.words())}
}

// Unlock reports, for an agent that sends no epoch and knows Creates only, that its attempt failed. Errors as Fail.
func (j *Job) Unlock(owner OwnerID, lc LifeCycle, now time.Time) ([]Event, error) {
	if j.Type != CreateDeployment {
		return nil, j.stale(Fence{OwnerID: owner})
	}
	return j.Fail(Fence{OwnerID: owner, Epoch: j.Epoch}, "its agent unlocked it without a result", lc, now)
}

// Evidence keeps the workload that a stale report names, so that a Delete can name what it must delete: as the job's
// resource when it has none and is still the reporter's, else as a stray. The caller sees to it that the job was once
// handed out to the reporter, and that the workload is none of those that were removed.
func (j *Job) Evidence(owner OwnerID, report ResourceReport, now time.Time) []Event {
	if report.UID == "" || j.knows(report.UID) {
		return nil
	}
	s := Stray{UID: Text(report.UID), Name: report.Name, OwnerID: owner, Target: report.Target, Reported: true, SeenAt: now}
	busy := j.Type != DeleteDeployment && (j.Lease != nil || j.Hold == HoldAmbiguousWorkload) // another one may be named
	if owner == j.Owner && !j.identified() && j.Workload != WorkloadNone && !busy && s.isAt(j.Target) {
		if j.Hold == HoldRemovalUnconfirmed { // now it can be named
			j.hold("", "", now)
		}
		return []Event{j.identify(s, now)}
	}
	events := j.note(s, now)
	if j.Type == DeleteDeployment && j.State == Finished {
		events = append(events, j.removeStray(now)...)
	}
	return events
}

// isAt says whether the stray stands on a target, as far as is known; agents name nodes as they like.
func (s Stray) isAt(target *Target) bool {
	return s.Target == nil || target != nil && s.Target.Cluster == target.Cluster && s.Target.Orchestrator == target.Orchestrator
}

// Mistaken gives a claim back that was meant for a former piece of work: an agent that works one by one, and reports
// what was listed to it before, has not begun with what took its place meanwhile. It is offered again at once.
func (j *Job) Mistaken(f Fence, now time.Time) ([]Event, error) {
	if j.Type == CreateDeployment || j.State != Progressing || j.Lease == nil || j.Owner != f.OwnerID || j.Last.Client == "" || f.Epoch == 0 || f.Epoch >= j.Epoch {
		return nil, nil
	}
	return j.Release(Fence{OwnerID: j.Owner, Epoch: j.Epoch}, now)
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

// dropCandidates forgets what may have been the job's own, once that is decided.
func (j *Job) dropCandidates(now time.Time) {
	if j.Hold == HoldAmbiguousWorkload {
		j.hold("", "", now)
		if j.State == Degraded {
			j.Attempt = 0 // it is decided: what comes is tried as often as anything
		}
	}
	if j.candidates() {
		j.Strays = slices.DeleteFunc(slices.Clone(j.Strays), func(s Stray) bool { return !s.Reported })
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

// candidates says whether workloads were seen of which nobody knows whether they are the job's.
func (j *Job) candidates() bool {
	return slices.ContainsFunc(j.Strays, Stray.candidate)
}

// candidate says whether nobody has decided yet if the workload is the job's.
func (s Stray) candidate() bool { return !s.Reported && !s.Dismissed }

// dismissCandidates lets the job go on without what may have been its own; that stays on record, so that a sync which
// names it again changes nothing.
func (j *Job) dismissCandidates(now time.Time) {
	j.Strays = slices.Clone(j.Strays)
	for i := range j.Strays {
		j.Strays[i].Dismissed = !j.Strays[i].Reported
	}
	if j.Hold == HoldAmbiguousWorkload {
		j.hold("", "", now)
	}
}

// holdAmbiguous keeps the job back until an admin says which workload is its own.
func (j *Job) holdAmbiguous(now time.Time) {
	names := make([]string, 0, len(j.Strays))
	for _, s := range j.Strays {
		if s.candidate() {
			names = append(names, fmt.Sprintf("%s (%s)", s.Name, s.UID))
		}
	}
	j.hold(HoldAmbiguousWorkload, "it is not certain which workload is its own: adoptResource takes one of "+
		strings.Join(names, ", ")+", retryJob goes on without", now)
}

const (
	// suffixLength is how many characters Kubernetes appends to a generated name.
	suffixLength = 5
	// LongestGenerated is to how many characters it cuts what it appends them to, the hyphen included.
	LongestGenerated = 58
)

// GeneratedFor is the component that a generated name of a workload was made for: the name without its last hyphen
// and five characters; of one that was cut, its first LongestGenerated characters. Empty for a name of another form.
func GeneratedFor(name string) string {
	at := len(name) - suffixLength
	if at < 2 || strings.ContainsFunc(name[at:], func(c rune) bool { return (c < 'a' || c > 'z') && (c < '0' || c > '9') }) {
		return ""
	}
	switch {
	case name[at-1] == '-' && at <= LongestGenerated:
		return name[:at-1]
	case at == LongestGenerated:
		return name[:at]
	}
	return ""
}

// generatedFor says whether a workload of that name may be the job's.
func (j *Job) generatedFor(name string) bool {
	component := GeneratedFor(name)
	return component != "" && (component == j.Component || len(component) == LongestGenerated && strings.HasPrefix(j.Component, component))
}

// Fits says whether a workload, that this client's sync did not show before that time, may be what the newest attempt of
// the job left and did not report: a Create that runs or ran out, or one that was stopped while it ran and whose Delete
// does not know what to remove.
func (j *Job) Fits(client, name string, first time.Time) bool {
	if !j.generatedFor(name) || client == "" || j.Last.Client != client || j.Last.ClaimedAt.After(first) || j.identified() {
		return false
	}
	if j.State == Finished || j.Workload != WorkloadMaybe {
		return false
	}
	unreported := j.Last.Outcome == nil || j.Last.Ended(OutcomeExpired)
	return j.Type == CreateDeployment && unreported || j.Type == DeleteDeployment && (unreported || j.Last.Ended(OutcomeStopped))
}

// Recognize takes a workload that fits: as the job's own when nothing else may be meant, which finishes the attempt.
// Otherwise nothing is adopted, and the job waits for an admin with its candidates. alone says that it fits no other
// job.
func (j *Job) Recognize(s Stray, alone bool, now time.Time) []Event {
	if j.knows(string(s.UID)) {
		return nil
	}
	if s.OwnerID = j.Last.OwnerID; !alone || !j.Last.Alone || j.candidates() {
		former := j.former()
		if !j.keep(s) {
			return nil
		}
		j.holdAmbiguous(now)
		return []Event{j.event(StrayReported, former, now, s.words())}
	}
	if j.Type == DeleteDeployment {
		return []Event{j.identify(s, now)}
	}
	return j.adopt(s, now)
}

// adopt finishes a Create with a workload that stands.
func (j *Job) adopt(s Stray, now time.Time) []Event {
	former := j.former()
	j.goTo(s.Target)
	j.Outdated = j.Outdated || s.Reported || s.Dismissed || !j.left(s) || j.Last.Epoch != j.Epoch // maybe of older manifests
	message := s.Name + " was adopted as its workload"
	closed := j.endAdopted(s, message, now)
	j.Owner, j.Workload = s.OwnerID, WorkloadPresent
	event := j.event(JobFinished, former, now, message)
	event.Attempt = closed
	events := []Event{event, j.identify(s, now)}
	return append(events, j.afterFinish(now)...)
}

// left says whether the newest attempt may have left the stray: its agent did not report.
func (j *Job) left(s Stray) bool {
	return j.Last.OwnerID == s.OwnerID && (j.Last.Outcome == nil || j.Last.Ended(OutcomeExpired))
}

// endAdopted ends the newest attempt: as finished where it is the stray's, else it is fenced.
func (j *Job) endAdopted(s Stray, message string, now time.Time) *Attempt {
	if j.left(s) {
		if j.Owner != s.OwnerID || j.Last.Epoch != j.Epoch {
			j.Epoch++
		}
		return j.finishAttempt(message, now)
	}
	closed := j.closeAttempt(OutcomeStopped, message, now)
	j.Epoch++
	j.enter(Finished, now)
	j.hold("", "", now)
	j.NotBefore, j.Turn, j.Reservation, j.LastError = time.Time{}, Turn{}, Reservation{}, ""
	return closed
}

// Adopt says, by an admin's word, which of the strays is the job's own: an unfinished Create is finished with it, an
// unfinished Delete removes it. Its agent becomes the owner. INVALID for what is none of them, WRONG_STATE for a job
// that is neither.
func (j *Job) Adopt(uid string, now time.Time) ([]Event, error) {
	if j.Resource != nil && string(j.Resource.UID) == uid && uid != "" {
		return nil, nil
	}
	at := slices.IndexFunc(j.Strays, func(s Stray) bool { return string(s.UID) == uid })
	switch {
	case at < 0:
		return nil, Errorf(CodeInvalid, "%s is none of the %d strays of job %s: its field strays lists them", quoted(uid), len(j.Strays), j.ID)
	case j.State == Finished || j.identified() || j.Target == nil && j.Strays[at].Target == nil || j.Type != CreateDeployment && j.Type != DeleteDeployment:
		return nil, Errorf(CodeWrongState, "job %s is %s/%s: only an unfinished Create or Delete without a known workload adopts one", j.ID, j.Type, j.State)
	case j.Type == CreateDeployment:
		return j.adopt(j.Strays[at], now), nil
	}
	s, former := j.Strays[at], j.former()
	j.dropCandidates(now)
	j.goTo(s.Target)
	closed := j.begin(DeleteDeployment, "", "another workload is to be removed", now)
	j.Owner, j.Workload = s.OwnerID, WorkloadPresent
	event := j.event(JobStopped, former, now, fmt.Sprintf("waiting for %s to remove %s", s.OwnerID, s.Name))
	event.Attempt = closed
	return []Event{event, j.identify(s, now)}, nil
}

// pollsToBelieve is how often the owner of a removal must poll without its sync naming the workload.
const pollsToBelieve = 2

// unconfirmed says whether it is to be watched if the workload goes away: the lease of a removal ran out, by an agent
// that reports nothing when there is nothing to remove.
func (j *Job) unconfirmed(ended *Attempt) bool {
	return ended != nil && ended.Client != "" && !ended.Blind && (j.Type == DeleteDeployment || j.moving())
}

// watchRemoval holds the job until its owner has polled often enough, or its sync names the workload.
func (j *Job) watchRemoval(now time.Time) {
	j.Polls, j.NotBefore = 0, time.Time{}
	j.hold(HoldRemovalUnconfirmed, fmt.Sprintf("%s did not report the removal: it counts as done when %s polls twice more and names it in no sync", j.Owner, j.Owner), now)
}

// Polled notes that an agent asked for work: the second time after the lease of its removal ran out, without its sync
// naming the workload, the removal is done, for the reason ObservedAbsent.
func (j *Job) Polled(owner OwnerID, now time.Time) []Event {
	if j.Hold != HoldRemovalUnconfirmed || j.Owner != owner {
		return nil
	}
	if j.Polls++; j.Polls < pollsToBelieve {
		return nil
	}
	former := j.former()
	closed := j.finishAttempt("ObservedAbsent", now)
	j.Workload, j.Polls = WorkloadNone, 0
	event := j.event(JobFinished, former, now, "ObservedAbsent: "+string(owner)+" sees it no more")
	event.Attempt = closed
	events := append([]Event{event}, j.dropResource(now)...)
	return append(events, j.afterFinish(now)...)
}

// Synced takes an agent's word on a workload that stands and is the job's resource: its conditions, and that a removal
// which was not reported is still to be done. It extends no lease. NOT_FOUND when it is not the job's resource.
func (j *Job) Synced(report ResourceReport, lc LifeCycle, now time.Time) ([]Event, error) {
	if j.Workload == WorkloadNone || !j.identified() || string(j.Resource.UID) != report.UID {
		return nil, Errorf(CodeNotFound, "no job has a resource %s", quoted(report.UID))
	}
	events, err := j.applyReport(report, now)
	if err != nil || j.Hold != HoldRemovalUnconfirmed {
		return events, err
	}
	former := j.former()
	j.hold("", "", now)
	j.spaceNextAttempt(lc, now)
	events = append(events, j.event(JobUpdated, former, now, j.Resource.Name+" still stands: its removal is tried again"))
	return append(events, j.afterFailure(lc, now)...), nil
}
