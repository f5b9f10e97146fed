package service_test

import (
	"regexp"
	"strings"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// verb is a row of the table of verbs and events.
type verb string

const (
	verbSubmit       verb = "submit"
	verbUpdate       verb = "update"
	verbStart        verb = "start"
	verbStop         verb = "stop"
	verbDeleteGroup  verb = "delete group"
	verbDeleteJob    verb = "delete job"
	verbRetry        verb = "retry"
	verbReassign     verb = "reassign"
	verbAbandon      verb = "abandon"
	verbIncompliance verb = "report incompliance"
	verbClaim        verb = "claim"
	verbFinish       verb = "finish"
	verbFail         verb = "fail"
	verbRelease      verb = "release"
	verbReport       verb = "report resource"
	verbDuty         verb = "duties"
	verbMatch        verb = "match again"
	verbRenew        verb = "renew"
	verbWork         verb = "report work"
	verbSync         verb = "sync"
	verbPoll         verb = "poll"
	verbAdopt        verb = "adopt"
	verbQuiet        verb = "nothing that is told" // hand-outs, presence, last-seen marks
)

// call is who does what in a step, as far as the ledgers need to know it.
type call struct {
	verb  verb
	owner jobmanager.OwnerID
	epoch int64
	to    jobmanager.OwnerID

	claimID string
	length  time.Duration
	report  jobmanager.ResourceReport
	// manifests are what each job has to apply, by its id.
	manifests map[jobmanager.ID]string
	now       time.Time

	// listed is what an old agent was listed to apply; empty for one that asks.
	listed string
	client string

	// tookOver is set by a claim that takes a job with a resource from its owner.
	tookOver bool
}

// telling says which events a verb causes, in their order, as regular expressions over their names: those about the
// group, and those about each job that the verb was about.
type telling struct{ group, job string }

// The parts of the table. What was asked of a job while it was busy follows when its attempt ends.
const (
	phase     = "(JOB_GROUP_PHASE_CHANGED )?"
	remedies  = "(REMEDIATION_CHANGED )*"
	sequel    = remedies + "(JOB_UPDATED |JOB_REMEDIATED |JOB_REALLOCATED |JOB_DELETED |JOB_STARTED )?" + remedies
	nextStray = "(JOB_STOPPED RESOURCE_REPORTED )?" // the next stray is to be removed
	stopped   = "(" + remedies + "JOB_STOPPED " + nextStray + ")"
	// What a late report of a Create names that ran out finishes it.
	late     = "(STRAY_REPORTED |RESOURCE_REPORTED |JOB_FINISHED RESOURCE_REPORTED " + sequel + ")?"
	evidence = late + nextStray + "(JOB_RELEASED " + sequel + ")?"
	// What a former agent made stays its own when an old agent takes over.
	claimed = "(STRAY_REPORTED )?JOB_CLAIMED (RESOURCE_REPORTED )?"
	// A group that was marked for it goes when its last Delete is done.
	goes = phase + "(JOB_GROUP_DELETED )?"
)

// tellings is the table of verbs and events of the domain's package comment, as the tests hold it.
func tellings() map[verb]telling {
	return map[verb]telling{
		verbSubmit:       {"JOB_GROUP_CREATED ", "JOB_CREATED "},
		verbUpdate:       {"JOB_GROUP_UPDATED " + phase, "JOB_CREATED |" + remedies + "JOB_DELETED |" + stopped + "?JOB_UPDATED |JOB_STARTED |" + moved + "|" + moved + "?" + remedies + "JOB_UPDATED "},
		verbStart:        {"JOB_GROUP_STARTED " + phase, "JOB_CREATED |JOB_STARTED |JOB_DELETED "},
		verbStop:         {"JOB_GROUP_STOPPED " + phase, stopped},
		verbDeleteGroup:  {"JOB_GROUP_DELETED |JOB_GROUP_DELETION_REQUESTED (JOB_GROUP_STOPPED )?" + goes, stopped + "?(JOB_DELETED )?"},
		verbDeleteJob:    {goes, remedies + "JOB_DELETED "},
		verbRetry:        {phase, "JOB_RETRIED "},
		verbReassign:     {"(JOB_GROUP_PHASE_CHANGED )*", "JOB_REASSIGNED " + sequel},
		verbAbandon:      {goes, remedies + "JOB_ABANDONED (RESOURCE_REMOVED )?(JOB_DELETED |JOB_STARTED )?"},
		verbIncompliance: {"INCOMPLIANCE_REPORTED " + phase, remedies + "(JOB_REMEDIATED )?"},
		verbClaim:        {"(JOB_GROUP_PHASE_CHANGED )*", claimed},
		verbFinish:       {goes, "JOB_FINISHED (RESOURCE_REPORTED |RESOURCE_REMOVED )?" + nextStray + sequel},
		verbWork:         {goes, evidence + "|(" + claimed + ")?(STRAY_REPORTED )?JOB_FINISHED (RESOURCE_REPORTED |RESOURCE_REMOVED )?" + nextStray + sequel},
		verbSync:         {"(JOB_GROUP_PHASE_CHANGED )*", "STRAY_REPORTED |(JOB_FINISHED )?(RESOURCE_REPORTED )?" + sequel + "(RESOURCE_REPORTED )?(JOB_UPDATED )?" + remedies},
		verbPoll:         {"(JOB_GROUP_PHASE_CHANGED |JOB_GROUP_DELETED )*", "JOB_FINISHED (RESOURCE_REMOVED )?" + nextStray + sequel},
		verbAdopt:        {phase, "JOB_FINISHED RESOURCE_REPORTED " + sequel + "|JOB_STOPPED RESOURCE_REPORTED "},
		verbFail:         {phase, "JOB_FAILED " + sequel},
		verbRelease:      {phase, "JOB_RELEASED (RESOURCE_REMOVED )?" + sequel},
		verbReport:       {phase, "RESOURCE_REPORTED "},
		verbDuty:         {"(LEASES_EXTENDED |TAKEOVER_PAUSED |JOB_GROUP_PHASE_CHANGED )*", "(RESOURCE_REPORTED )?(JOB_LEASE_EXPIRED " + sequel + ")?"},
		verbMatch:        {"(JOB_GROUP_PHASE_CHANGED )*", "JOB_MATCHED |REMEDIATION_CHANGED |" + sequel},
		verbRenew:        {"(LEASES_EXTENDED )?", ""},
		verbQuiet:        {"", ""},
	}
}

// moved is a change of what a component demands of a target.
const moved = "(" + remedies + "(JOB_UPDATED |JOB_REALLOCATED )(JOB_MATCHED |" + remedies + "JOB_REALLOCATED )?" + remedies + ")"

// fits says whether events are those of the row.
func fits(row string, events []jobmanager.EventType) bool {
	var words strings.Builder
	for _, event := range events {
		words.WriteString(string(event) + " ")
	}
	return regexp.MustCompile("^(" + row + ")$").MatchString(words.String())
}

// aboutGroup says whether an event is about a group, the server or an incompliance, and not about a job.
func aboutGroup(e *jobmanager.Event) bool { return e.JobID == "" }
