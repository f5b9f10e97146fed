package service_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// ledger is what the test itself keeps of one job: who owns it at which epoch, its attempts, its lease, what stands on
// the target and what was said of it. It is written from what happened (the type of an event, who called what) and
// never by calling a rule; see ledger_event_test.go for what each event does to it.
type ledger struct {
	id, group jobmanager.ID
	component string

	kind     jobmanager.JobType
	state    jobmanager.JobState
	workload jobmanager.Workload
	owner    jobmanager.OwnerID
	epoch    int64
	// generation is taken over from the events, which may only let it grow; tries begins anew with each.
	generation int64
	tries      int
	attempts   []try
	lease      *term

	resource *jobmanager.Resource
	// names and uids are all that the job's resources ever had.
	names, uids map[string]bool

	// given are the manifests of the last claim, applied those that an agent reported to run.
	given, applied string
	gone           bool
}

// try is one attempt.
type try struct {
	epoch   int64
	owner   jobmanager.OwnerID
	claimID string
	// client called for an old agent; empty for one that asks.
	client    string
	claimedAt time.Time
	// outcome is empty while it runs.
	outcome jobmanager.Outcome
	endedAt time.Time
}

// term is how long a claim holds.
type term struct {
	until  time.Time
	length time.Duration
}

// last is the newest attempt; zero before the first.
func (l *ledger) last() try {
	if len(l.attempts) == 0 {
		return try{}
	}
	return l.attempts[len(l.attempts)-1]
}

// end closes the newest attempt.
func (l *ledger) end(outcome jobmanager.Outcome, now time.Time) {
	l.lease = nil
	if n := len(l.attempts); n > 0 {
		l.attempts[n-1].outcome, l.attempts[n-1].endedAt = outcome, now
	}
}

// knows is the agent that may know of the workload: the owner, else who was listed the job after its last attempt was
// taken away, as row has it, else that of the attempt.
func (l *ledger) knows(row *jobmanager.Job) jobmanager.OwnerID {
	switch {
	case l.owner != "":
		return l.owner
	case l.last().outcome == jobmanager.OutcomeStopped && row.Reservation.OwnerID != "":
		return row.Reservation.OwnerID
	}
	return l.last().owner
}

// begin makes another piece of work of the job: fenced, claimable, not tried.
func (l *ledger) begin(kind jobmanager.JobType, now time.Time) {
	if len(l.attempts) > 0 && l.last().outcome == "" {
		l.end(jobmanager.OutcomeStopped, now)
	}
	l.kind, l.state, l.tries = kind, jobmanager.Created, 0
	l.epoch++
}

// standing says whether something may stand on the target, or is about to; row is the job before the step.
func (l *ledger) standing(row *jobmanager.Job, now time.Time) bool {
	return l.workload != jobmanager.WorkloadNone || held(row, now) != "" || strayed(row) ||
		l.kind == jobmanager.DeleteDeployment && l.state != jobmanager.Finished
}

// strayed says whether a workload that was reported too late stands besides the job's own.
func strayed(row *jobmanager.Job) bool {
	return row != nil && slices.ContainsFunc(row.Strays, func(s jobmanager.Stray) bool { return s.Reported && s.Target != nil })
}

// undecided says whether a job waits for what an admin, or a sync, says of its workload.
func undecided(row *jobmanager.Job) bool {
	return row.Hold == jobmanager.HoldAmbiguousWorkload || row.Hold == jobmanager.HoldRemovalUnconfirmed
}

// held is the agent that the job is handed out to; empty for nobody.
func held(row *jobmanager.Job, now time.Time) jobmanager.OwnerID {
	if row == nil || !row.Reservation.Until.After(now) {
		return ""
	}
	return row.Reservation.OwnerID
}

// differs compares the ledger with the job as an event or the database has it; empty when they agree.
func (l *ledger) differs(j *jobmanager.Job) string {
	var words []string
	compare := func(what string, ledger, job any) {
		if ledger != job {
			words = append(words, fmt.Sprintf("%s is %v, want %v", what, job, ledger))
		}
	}
	compare("type", l.kind, j.Type)
	compare("state", l.state, j.State)
	compare("workload", l.workload, j.Workload)
	compare("owner", l.owner, j.Owner)
	compare("epoch", l.epoch, j.Epoch)
	compare("generation", l.generation, j.Generation)
	compare("attempt", l.tries, j.Attempt)
	last := l.last()
	compare("the last attempt's epoch", last.epoch, j.Last.Epoch)
	compare("the last attempt's owner", last.owner, j.Last.OwnerID)
	compare("the last attempt's claim id", last.claimID, j.Last.ClaimID)
	compare("the last attempt's outcome", last.outcome, outcomeOf(j.Last))
	switch {
	case (l.lease == nil) != (j.Lease == nil):
		words = append(words, fmt.Sprintf("the lease is %+v, want %+v", j.Lease, l.lease))
	case l.lease != nil:
		compare("the lease's end", l.lease.until, j.Lease.ExpiresAt.UTC())
		compare("the lease's owner and epoch", fmt.Sprint(l.owner, l.epoch), fmt.Sprint(j.Lease.OwnerID, j.Lease.Epoch))
	}
	compare("the resource", resourceWords(l.resource), resourceWords(j.Resource))
	return strings.Join(words, "; ")
}

func outcomeOf(a jobmanager.Attempt) jobmanager.Outcome {
	if a.Outcome == nil {
		return ""
	}
	return *a.Outcome
}

// resourceWords shows a resource with its conditions, but for its id and when it was last seen.
func resourceWords(r *jobmanager.Resource) string {
	if r == nil {
		return "none"
	}
	words := []string{fmt.Sprintf("%q %q", r.UID, r.Name)}
	for _, c := range r.Conditions {
		words = append(words, fmt.Sprintf("[%s %s %q %q %d %s]", c.Type, c.Status, c.Reason, c.Message, c.ObservedGeneration,
			c.LastTransitionTime.UTC().Format(time.RFC3339Nano)))
	}
	return strings.Join(words, " ")
}

// takeReport merges what an agent said into the resource and says whether anything changed: another uid begins with no
// conditions, an older observation overwrites nothing, and the time of a transition moves with the status alone.
func (l *ledger) takeReport(report jobmanager.ResourceReport, now time.Time) bool {
	before, wasSilent := resourceWords(l.resource), l.silenced()
	next := jobmanager.Resource{Name: l.component}
	if l.resource != nil {
		next = *l.resource
		next.Conditions = slices.Clone(l.resource.Conditions)
	}
	if report.UID != "" && next.UID != "" && string(next.UID) != report.UID {
		next.Conditions = nil
	}
	if report.UID != "" {
		next.UID = jobmanager.Text(report.UID)
	}
	if report.Name != "" {
		next.Name = report.Name
	}
	for _, said := range report.Conditions {
		next.Conditions = withCondition(next.Conditions, said, now)
	}
	if report.Whole {
		next.Conditions = slices.DeleteFunc(next.Conditions, func(c jobmanager.Condition) bool {
			return !slices.ContainsFunc(report.Conditions, func(said jobmanager.Condition) bool { return said.Type == c.Type })
		})
	}
	l.resource = &next
	if wasSilent && l.silenced() { // its agent is heard again, and does not say how the workload does
		next.Conditions = slices.DeleteFunc(next.Conditions, func(c jobmanager.Condition) bool { return c.Type == "Available" })
	}
	return resourceWords(&next) != before
}

func withCondition(conditions []jobmanager.Condition, said jobmanager.Condition, now time.Time) []jobmanager.Condition {
	moment := said.LastTransitionTime
	if moment.IsZero() || moment.After(now) {
		moment = now
	}
	said.LastTransitionTime = moment.Truncate(time.Microsecond)
	at := slices.IndexFunc(conditions, func(c jobmanager.Condition) bool { return c.Type == said.Type })
	if at < 0 {
		return append(conditions, said)
	}
	known := conditions[at]
	if said.ObservedGeneration == 0 {
		said.ObservedGeneration = known.ObservedGeneration
	}
	if said.ObservedGeneration < known.ObservedGeneration {
		return conditions
	}
	if said.Status == known.Status {
		said.LastTransitionTime = known.LastTransitionTime
	}
	conditions[at] = said
	return conditions
}

// unhealthy says whether the conditions tell of trouble.
func (l *ledger) unhealthy() bool {
	return l.resource != nil && slices.ContainsFunc(l.resource.Conditions, func(c jobmanager.Condition) bool {
		return c.Type == "Degraded" && c.Status == jobmanager.StatusTrue || c.Type == "Available" && c.Status == jobmanager.StatusFalse
	})
}

// silenced says whether the resource says already that its agent is silent.
func (l *ledger) silenced() bool {
	return l.resource != nil && slices.ContainsFunc(l.resource.Conditions, func(c jobmanager.Condition) bool {
		return c.Type == "Available" && c.Status == jobmanager.StatusUnknown && c.Reason == "AgentLeaseExpired"
	})
}

// remember keeps what the resource is called.
func (l *ledger) remember() {
	if l.resource == nil {
		return
	}
	l.names[l.resource.Name] = true
	if l.resource.UID != "" {
		l.uids[string(l.resource.UID)] = true
	}
}
