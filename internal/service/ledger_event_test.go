package service_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// take writes an event of a step into the ledger, and refuses what may not happen: each event has the state that it
// needs and does one thing. row is the job in the database before the step; nil for one that is new.
func (l *ledger) take(c *call, e *jobmanager.Event, row *jobmanager.Job, life jobmanager.LifeCycle) error {
	j := e.Job
	if j.Generation < l.generation {
		return fmt.Errorf("the generation went back from %d to %d", l.generation, j.Generation)
	}
	anew := j.Generation > l.generation
	decided := row != nil && row.Hold == jobmanager.HoldAmbiguousWorkload && l.state == jobmanager.Degraded
	if decided && j.Attempt == 0 && (e.Type == jobmanager.JobFinished || e.Type == jobmanager.ResourceReported) {
		l.tries = 0 // whose the workload is was said, which lets it be tried again
	}
	l.generation = j.Generation
	var err error
	switch e.Type {
	case jobmanager.JobClaimed:
		err = l.claimed(c, e, anew)
	case jobmanager.JobLeaseExpired:
		err = l.expired(c, j, life)
	case jobmanager.JobFinished:
		err = l.done(c, e, row)
	case jobmanager.JobFailed:
		err = l.failed(c, life)
	case jobmanager.JobReleased:
		err = l.released(c)
	case jobmanager.StrayReported:
		l.supplanted(j)
	case jobmanager.ResourceReported, jobmanager.ResourceRemoved:
		err = l.resourceChanged(c, e)
	case jobmanager.JobStopped:
		err = l.stopped(c, j, row)
	case jobmanager.JobStarted:
		err = l.comesBack(c, l.kind == jobmanager.DeleteDeployment && l.state == jobmanager.Finished)
	case jobmanager.JobUpdated, jobmanager.JobReallocated, jobmanager.JobRemediated:
		err = l.newWork(c, j, row)
	case jobmanager.JobReassigned:
		l.reassigned(c)
	case jobmanager.JobRetried:
		err = l.retried(row)
	case jobmanager.JobAbandoned:
		l.begin(jobmanager.DeleteDeployment, c.now)
		l.owner, l.workload, l.state = "", jobmanager.WorkloadNone, jobmanager.Finished
	case jobmanager.JobDeleted:
		err = l.deleted()
	case jobmanager.JobMatched, jobmanager.RemediationChanged, jobmanager.JobCreated:
		// the fence, the attempts and the workload stay as they are
	default:
		return fmt.Errorf("%s is no event about a job", e.Type)
	}
	if err != nil {
		return err
	}
	l.remember()
	if wrong := l.differs(j); wrong != "" {
		return errors.New(wrong)
	}
	return nil
}

// newLedger is for a job that was just made.
func newLedger(j *jobmanager.Job) *ledger {
	return &ledger{
		id: j.ID, group: j.GroupID, component: j.Component, kind: jobmanager.CreateDeployment, state: jobmanager.Created,
		workload: jobmanager.WorkloadNone, generation: 1, names: map[string]bool{}, uids: map[string]bool{},
	}
}

// claimed: the one way to become an owner. A Create is anybody's until its workload is known to stand; all other work
// is its owner's.
func (l *ledger) claimed(c *call, e *jobmanager.Event, anew bool) error {
	owner := c.owner
	open := l.owner == owner || l.kind == jobmanager.CreateDeployment && (l.state == jobmanager.Created || l.workload != jobmanager.WorkloadPresent)
	switch {
	case c.verb != verbClaim && c.verb != verbWork || e.Actor != string(owner):
		return fmt.Errorf("%q claimed it with a %s of %q", e.Actor, c.verb, owner)
	case l.lease != nil:
		return fmt.Errorf("%s holds it until %s", l.owner, l.lease.until)
	case l.state == jobmanager.Finished || !open:
		return fmt.Errorf("a %s/%s of %s with its workload %s is not for %s", l.kind, l.state, l.owner, l.workload, owner)
	}
	c.tookOver = l.owner != "" && l.owner != owner && l.resource != nil
	if anew {
		l.tries = 0
	}
	l.epoch++
	l.tries++
	l.owner, l.state = owner, jobmanager.Progressing
	if l.workload == jobmanager.WorkloadNone {
		l.workload = jobmanager.WorkloadMaybe
	}
	l.attempts = append(l.attempts, try{epoch: l.epoch, owner: owner, claimID: c.claimID, client: c.client, claimedAt: c.now})
	l.lease = &term{until: c.now.Add(c.length), length: c.length}
	l.given = c.manifests[l.id]
	if c.listed != "" {
		l.given = c.listed
	}
	return nil
}

func (l *ledger) expired(c *call, j *jobmanager.Job, life jobmanager.LifeCycle) error {
	if l.lease == nil || l.lease.until.After(c.now) {
		return fmt.Errorf("the lease %+v is not over at %s", l.lease, c.now)
	}
	l.end(jobmanager.OutcomeExpired, c.now)
	if watched := l.removes(j) && l.last().client != ""; watched != (j.Hold == jobmanager.HoldRemovalUnconfirmed) && j.Hold != jobmanager.HoldAmbiguousWorkload {
		return fmt.Errorf("a removal of %q, of client %q, is held by %q", l.last().owner, l.last().client, j.Hold)
	}
	if l.tries >= life.MaxAttempts && !undecided(j) {
		l.state = jobmanager.Degraded
	}
	return nil
}

// removes says whether the work removes the workload.
func (l *ledger) removes(j *jobmanager.Job) bool {
	return l.kind == jobmanager.DeleteDeployment || l.kind == jobmanager.UpdateDeployment && j.SubType == jobmanager.Reallocation
}

// fenced says whether a report is that of the attempt that it is due from.
func (l *ledger) fenced(c *call) error {
	last := l.last()
	if l.owner != c.owner || l.epoch != c.epoch || last.epoch != c.epoch || last.outcome != "" && last.outcome != jobmanager.OutcomeExpired {
		return fmt.Errorf("%s at epoch %d was let through by %s at epoch %d, whose attempt %d is %q",
			c.owner, c.epoch, l.owner, l.epoch, last.epoch, last.outcome)
	}
	return nil
}

func (l *ledger) finished(c *call, j *jobmanager.Job) error {
	if err := l.fenced(c); err != nil {
		return err
	}
	l.end(jobmanager.OutcomeFinished, c.now)
	l.state = jobmanager.Finished
	switch {
	case l.removes(j):
		l.workload, l.applied = jobmanager.WorkloadNone, ""
		return nil
	case l.kind != jobmanager.UpdateDeployment:
		l.applied = l.given
	}
	l.workload = jobmanager.WorkloadPresent
	return nil
}

func (l *ledger) failed(c *call, life jobmanager.LifeCycle) error {
	if err := l.fenced(c); err != nil {
		return err
	}
	l.end(jobmanager.OutcomeFailed, c.now)
	l.state = jobmanager.Degraded
	if l.tries > life.MaxAttempts {
		return fmt.Errorf("%d attempts were made, %d are allowed", l.tries, life.MaxAttempts)
	}
	return nil
}

func (l *ledger) released(c *call) error {
	// What was claimed by mistake is given back by the report of what was listed before.
	mistaken := c.verb == verbWork && l.owner == c.owner && l.lease != nil && c.epoch < l.epoch && l.kind != jobmanager.CreateDeployment && l.last().client != ""
	if err := l.fenced(c); err != nil && !mistaken {
		return err
	}
	l.end(jobmanager.OutcomeReleased, c.now)
	l.state = jobmanager.Created
	l.tries = max(0, l.tries-1) // a retry may have taken it back already
	if l.kind == jobmanager.CreateDeployment {
		l.owner, l.workload = "", jobmanager.WorkloadNone
	}
	return nil
}

// resourceChanged: an agent reported, was taken over or fell silent; or what it reported is gone.
func (l *ledger) resourceChanged(c *call, e *jobmanager.Event) error {
	before := resourceWords(l.resource)
	switch {
	case e.Type == jobmanager.ResourceRemoved && (l.resource == nil || e.Removed == nil || resourceWords(e.Removed) != before):
		return fmt.Errorf("%s was removed, not %s", resourceWords(e.Removed), before)
	case e.Type == jobmanager.ResourceRemoved:
		l.resource = nil
		return nil
	case c.verb == verbClaim && c.tookOver:
		l.resource = &jobmanager.Resource{ID: l.resource.ID, UID: l.resource.UID, Name: l.resource.Name}
		c.tookOver = false
	case strings.Contains(e.Message, "is its workload"):
		if err := l.identified(e.Job); err != nil {
			return err
		}
	case c.verb == verbDuty:
		l.takeReport(jobmanager.ResourceReport{Conditions: []jobmanager.Condition{silentCondition(l.owner)}}, c.now)
	default:
		l.takeReport(c.report, c.now)
	}
	if resourceWords(l.resource) == before {
		return errors.New("a report of what was known was told")
	}
	return nil
}

func silentCondition(owner jobmanager.OwnerID) jobmanager.Condition {
	return jobmanager.Condition{
		Type: "Available", Status: jobmanager.StatusUnknown, Reason: "AgentLeaseExpired", Message: fmt.Sprintf("its agent %s is silent", owner),
	}
}

// stopped: what nothing stands of is done; the rest is a Delete for who knows of it, or was handed it out.
func (l *ledger) stopped(c *call, j, row *jobmanager.Job) error {
	switch {
	case l.kind == jobmanager.DeleteDeployment && j.Epoch > l.epoch:
		return l.removesStray(c, j)
	case l.kind == jobmanager.DeleteDeployment:
		return nil // it does not come back
	}
	owner, handedOut := l.knows(row), held(row, c.now)
	l.begin(jobmanager.DeleteDeployment, c.now)
	switch {
	case handedOut != "":
		l.owner = handedOut
	case l.workload == jobmanager.WorkloadNone:
		l.owner, l.state = "", jobmanager.Finished
	case owner == "":
		return errors.New("its workload may stand and nobody is to remove it")
	default:
		l.owner = owner
	}
	return nil
}

// comesBack: a Create with nothing of its former life.
func (l *ledger) comesBack(c *call, may bool) error {
	if l.workload != jobmanager.WorkloadNone || l.resource != nil || !may {
		return fmt.Errorf("a %s/%s begins anew while its workload is %s and its resource %s", l.kind, l.state, l.workload, resourceWords(l.resource))
	}
	l.begin(jobmanager.CreateDeployment, c.now)
	l.owner = ""
	return nil
}

// newWork: newer manifests, a move or a remediation. Without a new epoch the work goes on; with one, whoever knows of
// the workload is to do it, and nobody has the job in hand.
func (l *ledger) newWork(c *call, j, row *jobmanager.Job) error {
	owner := l.knows(row)
	switch {
	case j.Epoch == l.epoch:
		return nil
	case l.lease != nil:
		return fmt.Errorf("other work began under the lease of %s", l.owner)
	case j.Type == jobmanager.CreateDeployment && l.kind == jobmanager.CreateDeployment && l.workload != jobmanager.WorkloadNone:
		if l.state == jobmanager.Finished {
			return errors.New("a Create that is done is tried anew")
		}
		l.begin(jobmanager.CreateDeployment, c.now)
		l.owner = ""
		return nil
	case j.Type == jobmanager.CreateDeployment:
		return l.comesBack(c, l.kind != jobmanager.DeleteDeployment)
	case l.workload == jobmanager.WorkloadNone || owner == "" || l.kind == jobmanager.DeleteDeployment:
		return fmt.Errorf("a %s follows a %s of %q with its workload %s", j.Type, l.kind, owner, l.workload)
	}
	l.begin(j.Type, c.now)
	l.owner = owner
	return nil
}

func (l *ledger) reassigned(c *call) {
	if len(l.attempts) > 0 && l.last().outcome == "" {
		l.end(jobmanager.OutcomeStopped, c.now)
	}
	l.epoch++
	l.owner = c.to
	if l.state == jobmanager.Finished {
		return
	}
	l.state, l.tries = jobmanager.Created, 0
	if l.kind == jobmanager.CreateDeployment {
		l.owner = ""
	}
}

func (l *ledger) retried(row *jobmanager.Job) error {
	switch {
	case undecided(row) && l.lease != nil:
		return nil // its agent is at it
	case l.state != jobmanager.Degraded && !undecided(row):
		return fmt.Errorf("a %s job was retried", l.state)
	}
	l.state, l.tries = jobmanager.Created, 0
	if l.kind == jobmanager.CreateDeployment {
		l.owner = ""
	}
	return nil
}

// deleted: only what stands nowhere may be forgotten.
func (l *ledger) deleted() error {
	if l.workload != jobmanager.WorkloadNone || l.lease != nil {
		return fmt.Errorf("it is forgotten while its workload is %s", l.workload)
	}
	l.gone = true
	return nil
}

// epochsGrow says whether the attempts' epochs do.
func (l *ledger) epochsGrow() bool {
	return slices.IsSortedFunc(l.attempts, func(a, b try) int { return int(a.epoch - b.epoch) }) &&
		len(slices.CompactFunc(slices.Clone(l.attempts), func(a, b try) bool { return a.epoch == b.epoch })) == len(l.attempts)
}
