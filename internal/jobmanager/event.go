package jobmanager

import (
	"io"
	"strconv"
	"strings"
	"time"
)

// EventType is what happened, in the past tense.
type EventType string

// The events. The package comment has the table of which verb causes which.
const (
	JobGroupCreated           EventType = "JOB_GROUP_CREATED"
	JobGroupUpdated           EventType = "JOB_GROUP_UPDATED"
	JobGroupStarted           EventType = "JOB_GROUP_STARTED"
	JobGroupStopped           EventType = "JOB_GROUP_STOPPED"
	JobGroupPhaseChanged      EventType = "JOB_GROUP_PHASE_CHANGED"
	JobGroupDeletionRequested EventType = "JOB_GROUP_DELETION_REQUESTED"
	JobGroupDeleted           EventType = "JOB_GROUP_DELETED"
	JobCreated                EventType = "JOB_CREATED"
	JobMatched                EventType = "JOB_MATCHED"
	JobClaimed                EventType = "JOB_CLAIMED"
	JobLeaseExpired           EventType = "JOB_LEASE_EXPIRED"
	JobReleased               EventType = "JOB_RELEASED"
	JobFinished               EventType = "JOB_FINISHED"
	JobFailed                 EventType = "JOB_FAILED"
	JobRetried                EventType = "JOB_RETRIED"
	JobUpdated                EventType = "JOB_UPDATED"
	JobRemediated             EventType = "JOB_REMEDIATED"
	JobReallocated            EventType = "JOB_REALLOCATED"
	JobReassigned             EventType = "JOB_REASSIGNED"
	JobAbandoned              EventType = "JOB_ABANDONED"
	JobStarted                EventType = "JOB_STARTED"
	JobStopped                EventType = "JOB_STOPPED"
	JobDeleted                EventType = "JOB_DELETED"
	ResourceReported          EventType = "RESOURCE_REPORTED"
	ResourceRemoved           EventType = "RESOURCE_REMOVED"
	StrayReported             EventType = "STRAY_REPORTED"
	IncomplianceReported      EventType = "INCOMPLIANCE_REPORTED"
	RemediationChanged        EventType = "REMEDIATION_CHANGED"
	LeasesExtended            EventType = "LEASES_EXTENDED"
	TakeoverPaused            EventType = "TAKEOVER_PAUSED"
	PolicyManagerNotified     EventType = "POLICY_MANAGER_NOTIFIED"
	PolicyManagerGaveUp       EventType = "POLICY_MANAGER_GAVE_UP"
)

// Event is something that happened, written in the same transaction as the change itself. It carries the
// object as it was after the change, and the former values of the fields that filters look at.
type Event struct {
	// Revision and Incarnation are the store's: revisions grow by one, in commit order, without gaps.
	Revision    Revision
	Incarnation string
	Type        EventType
	Tenant      Tenant
	At          time.Time
	// Actor is the principal or agent that caused it.
	Actor string
	// GroupID is empty for an event about no group: the server's own, or an incompliance that fits none.
	GroupID ID
	// JobID is empty for an event about the group alone.
	JobID   ID
	Message string

	// Group is set in events about a group, Job in events about a job or its resource.
	Group *JobGroup
	Job   *Job
	// Removed is the resource that a RESOURCE_REMOVED is about.
	Removed *Resource
	Former  Former
	// Incompliance is what an INCOMPLIANCE_REPORTED is about.
	Incompliance *Incompliance
	// Remediation is what this event changed of an answer to an incompliance; nil when nothing.
	Remediation *Remediation
	// Notices are what the Policy Manager is to be told of the event, in this order.
	Notices []NoticeKind
	// Attempt is the one that this event opened or closed; nil when it did neither.
	Attempt *Attempt
	// Size is about how many bytes the event takes; known for one that was read.
	Size int
}

// Cursor points just behind the event.
func (e *Event) Cursor() Cursor { return NewCursor(e.Incarnation, e.Revision) }

// Former holds what filters look at, as it was before the change. Existed is false for what was just created.
type Former struct {
	Existed      bool     `json:"existed,omitempty"`
	Type         JobType  `json:"type,omitempty"`
	State        JobState `json:"state,omitempty"`
	Owner        OwnerID  `json:"owner,omitempty"`
	Orchestrator Text     `json:"orchestrator,omitempty"`
	Cluster      string   `json:"cluster,omitempty"`
	HadResource  bool     `json:"hadResource,omitempty"`
	Phase        Phase    `json:"phase,omitempty"`
}

// former notes the job before a change.
func (j *Job) former() Former {
	return Former{
		Existed: true, Type: j.Type, State: j.State, Owner: j.Owner,
		Orchestrator: j.Orchestrator, Cluster: j.cluster(), HadResource: j.Resource != nil,
	}
}

func (j *Job) cluster() string {
	if j.Target == nil {
		return ""
	}
	return j.Target.Cluster
}

// event tells of a change of the job; it is made after the change, for it carries a copy of the job.
func (j *Job) event(kind EventType, former Former, now time.Time, message string) Event {
	j.UpdatedAt = now
	after := *j
	after.Manifests, after.Attempts, after.Group, after.Presence = nil, nil, nil, nil
	return Event{
		Type: kind, Tenant: j.Tenant, At: now, GroupID: j.GroupID, JobID: j.ID,
		Message: message, Job: &after, Former: former,
	}
}

// event tells of a change of the group.
func (g *JobGroup) event(kind EventType, former Former, now time.Time, message string) Event {
	g.UpdatedAt = now
	after := *g
	after.Descriptor, after.Jobs, after.JobPage = "", nil, nil
	return Event{
		Type: kind, Tenant: g.Tenant, At: now, GroupID: g.ID,
		Message: message, Group: &after, Former: former,
	}
}

// Revision counts events, from 1; 0 is before the first.
type Revision int64

// MarshalGQL writes the number: the schema's scalar Revision.
func (r Revision) MarshalGQL(w io.Writer) {
	_, _ = io.WriteString(w, strconv.FormatInt(int64(r), 10)) // gqlgen gives a buffer
}

// UnmarshalGQL refuses: clients resume by cursors, not by numbers.
func (r *Revision) UnmarshalGQL(any) error {
	return Errorf(CodeInvalid, "a revision is not accepted as an input: send a cursor")
}

// Cursor is a place in the log of events: "incarnation:revision". Clients keep it as it is.
type Cursor string

// NewCursor points just behind a revision of a database.
func NewCursor(incarnation string, revision Revision) Cursor {
	return Cursor(incarnation + ":" + strconv.FormatInt(int64(revision), 10))
}

// MarshalGQL writes the cursor; an absent one as null.
func (c Cursor) MarshalGQL(w io.Writer) { writeOptional(w, string(c)) }

// UnmarshalGQL reads a cursor; its form is checked where it is used.
func (c *Cursor) UnmarshalGQL(v any) error { return readText(v, (*string)(c)) }

// Parse gives the parts; INVALID for what no server ever sent.
func (c Cursor) Parse() (incarnation string, revision Revision, err error) {
	incarnation, number, found := strings.Cut(string(c), ":")
	parsed, parseErr := strconv.ParseInt(number, 10, 64)
	if !found || incarnation == "" || parseErr != nil || parsed < 0 {
		return "", 0, Errorf(CodeInvalid, "%s is not a cursor: send back one that this server gave, or none", quoted(string(c)))
	}
	return incarnation, Revision(parsed), nil
}
