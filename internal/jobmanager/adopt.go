package jobmanager

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Which workload is the job's own, where nobody reported it.

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
	case at == LongestGenerated:
		return name[:at]
	case name[at-1] == '-' && at < LongestGenerated:
		return name[:at-1]
	}
	return ""
}

// generatedFor says whether a workload of that name may be the job's.
func (j *Job) generatedFor(name string) bool {
	component := GeneratedFor(name)
	return component != "" && (component == j.Component || len(component) == LongestGenerated && strings.HasPrefix(j.Component+"-", component))
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

// Predates says whether the workload stood well before a moment: one of its conditions changed last before. Clocks may
// differ by a minute.
func (r ResourceReport) Predates(at time.Time) bool {
	return slices.ContainsFunc(r.Conditions, func(c Condition) bool {
		return !c.LastTransitionTime.IsZero() && c.LastTransitionTime.Before(at.Add(-time.Minute))
	})
}

// WorkloadSince is when a workload of the job can have come to be at the earliest: where one attempt alone may have made
// it, with its claim, else with the job.
func (j *Job) WorkloadSince() time.Time {
	if j.Type == CreateDeployment && j.Last.Alone {
		return j.Last.ClaimedAt
	}
	return j.CreatedAt
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
	switch {
	case j.Type == DeleteDeployment && j.Owner != s.OwnerID: // its own agent removes it, after this Delete
		s.Reported = true
		return j.note(s, now)
	case j.Type == DeleteDeployment:
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
