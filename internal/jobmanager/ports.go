package jobmanager

import (
	"context"
	"time"
)

// Clock tells the time in UTC and whole microseconds, and wakes at a time.
type Clock interface {
	Now() time.Time
	// After sends the time once d has passed; nothing is sent and nothing leaks when ctx ends before.
	After(ctx context.Context, d time.Duration) <-chan time.Time
}

// IDs gives a new id with each call: a UUIDv7, so that ids sort by the time of their making.
type IDs func() ID

// Parser reads application descriptors.
type Parser interface {
	// Parse gives the descriptor and all findings at once. With a finding of severity ERROR the descriptor
	// is not to be used.
	Parse(text string) (Descriptor, []Finding)
	// Complete gives the body with what it references and does not carry, where the former text has it: the same
	// reference of the same component. The body itself stays as it is, with the places of its findings.
	Complete(body, former string) string
	// Replace gives the text with other manifests for some components, by their names. INVALID says which text is
	// not one YAML document.
	Replace(text string, manifests map[string][]string) (string, error)
}

// Log is the log of events as a watcher follows it. Watchers share what is read; a slow one costs no memory,
// it reads further back.
type Log interface {
	// Changed is closed once there are events after the revision.
	Changed(after Revision) <-chan struct{}
	// Read gives some of the events after the revision, oldest first and without a gap; none when there are
	// none yet. CURSOR_EXPIRED when they are no longer kept.
	Read(ctx context.Context, after Revision) ([]*Event, error)
}

// JobRule changes one job and returns what happened; no event and no change is allowed. It may run more than
// once, so it touches nothing but the job. An error abandons the whole update.
type JobRule func(j *Job, now time.Time) ([]Event, error)

// GroupRule changes a group, whose Jobs are all there, and returns what happened. It may run more than once.
type GroupRule func(g *JobGroup, now time.Time) ([]Event, error)

// Which names the jobs of an update; exactly one of IDs, ExecutableFor, UnconfirmedBy, LeaseOver and HeldBy is set.
type Which struct {
	// IDs of jobs; one that is not there is NOT_FOUND.
	IDs []ID
	// ExecutableFor picks up to Limit jobs that this agent may claim now, the oldest first. With a ClaimID under
	// which the agent holds jobs already it picks those instead: a retry, also one beside its first try, gets
	// what the first one won.
	ExecutableFor *Agent
	ClaimID       string
	// HandOut makes a list of ExecutableFor for an agent that executes without asking: first what is reserved for
	// it already, then what was never handed out, then what was, the oldest hand-out last. Each reservation of the
	// agent that had run out is counted among its lapses, and ExecutableFor.Lapses is set to their number before
	// the rule runs.
	HandOut bool
	// Together narrows a HandOut to the Creates of one group on one target, and to one caller at a time: all jobs
	// that are like the first of the list, and none that is reserved already, be it for this agent.
	Together bool
	// UnconfirmedBy picks up to Limit jobs of this owner whose hold is HoldRemovalUnconfirmed.
	UnconfirmedBy OwnerID
	// LeaseOver picks up to Limit jobs in progress whose lease ran out.
	LeaseOver bool
	// HeldBy picks up to Limit jobs with an id above After that this agent owns, or that are reserved for it,
	// ordered by id.
	HeldBy OwnerID
	After  ID
	Limit  int
	Scope  Scope
	// Actor is written into the events.
	Actor string
}

// Idempotency is a client's key for one of its requests.
type Idempotency struct {
	// Key as the client sent it; empty when it does not care.
	Key string
	// Tenant and Operation make keys of different callers and verbs different.
	Tenant    Tenant
	Operation string
	// Hash of the input: the same key with another input is IDEMPOTENCY_MISMATCH.
	Hash string
	// Result is the id of the group that the request was about.
	Result ID
}

// JobLoad says what comes with jobs.
type JobLoad struct {
	Manifests, Attempts, Presence bool
	// Group is what comes with each job's group; nil for no group at all.
	Group *GroupLoad
}

// GroupLoad says what comes with groups.
type GroupLoad struct {
	// Descriptor text.
	Descriptor bool
	// Jobs is the page of each group's jobs that is wanted; nil for none.
	Jobs    *PageRequest
	JobLoad JobLoad
}

// AgentQuery asks for a page of agents.
type AgentQuery struct {
	// Scope bounds the jobs that come with the agents.
	Scope Scope
	// OwnerIDs leaves out the agents that are not among these; empty leaves out none.
	OwnerIDs []OwnerID
	Page     PageRequest
	// Jobs is the page of each agent's jobs that is wanted; nil for none.
	Jobs    *PageRequest
	JobLoad JobLoad
}

// JobQuery asks for a page of jobs.
type JobQuery struct {
	Scope  Scope
	Filter JobFilter
	// WithResource leaves out the jobs that have none.
	WithResource bool
	// ResourceIDs leaves out the jobs whose resources are not among these; nil leaves out none.
	ResourceIDs []ID
	Order       JobOrder
	Page        PageRequest
	Load        JobLoad
}

// JobGroupQuery asks for a page of groups.
type JobGroupQuery struct {
	Scope  Scope
	Filter JobGroupFilter
	Order  JobGroupOrder
	Page   PageRequest
	Load   GroupLoad
}

// Renewal is one lease to renew.
type Renewal struct {
	JobID ID
	Epoch int64
}

// Store keeps groups, jobs, resources, agents and the log of events. Everything that is not there, or not in
// the scope, is NOT_FOUND. A database that cannot be reached is UNAVAILABLE. Reads that return a Connection
// are one consistent view, at its Revision.
type Store interface {
	Reader
	Writer
}

// Reader is the reading half of the Store.
type Reader interface {
	JobGroups(ctx context.Context, query JobGroupQuery) (*JobGroupConnection, error)
	JobGroup(ctx context.Context, scope Scope, id ID, load GroupLoad) (*JobGroup, error)
	Jobs(ctx context.Context, query JobQuery) (*JobConnection, error)
	Job(ctx context.Context, scope Scope, id ID, load JobLoad) (*Job, error)
	// Resource comes with its Job.
	Resource(ctx context.Context, scope Scope, id ID) (*Resource, error)
	// Kinds says of which kind each id is: "JobGroup", "Job", "Resource" or "Incompliance"; ids that are nothing, or not in
	// the scope, are left out. One statement.
	Kinds(ctx context.Context, scope Scope, ids []ID) (map[ID]string, error)
	// Executable lists what the agent may claim now, oldest first, at most first jobs, with manifests.
	Executable(ctx context.Context, agent Agent, page PageRequest) (*JobConnection, error)
	// NextChance is the earliest time after since at which a job that no agent holds becomes claimable by time
	// alone or is to be matched again, a notice is to be delivered again, or a lease runs out; a lease that ran out before counts too, until its
	// expiry is written. Zero when there is none. It reads indexes, not the table.
	NextChance(ctx context.Context, since time.Time) (time.Time, error)
	// Unmatched lists groups with jobs that wait for a target, or that want another one, and are due to be matched
	// again, with their descriptor text and those jobs, at most limit.
	Unmatched(ctx context.Context, limit int) ([]*JobGroup, error)
	Agents(ctx context.Context, query AgentQuery) (*AgentConnection, error)
	// ByUID gives the jobs whose present resource has this uid, ordered by id, at most MostMeant.
	ByUID(ctx context.Context, scope Scope, uid string) ([]*Job, error)
	// Adoptable gives the jobs of a component, of whatever group, or of those that begin with it where it is
	// LongestGenerated characters long, that were claimed last by this client and of which something may stand that
	// nobody reported: unfinished Creates and Deletes whose workload is MAYBE; ordered by id, at most MostMeant.
	Adoptable(ctx context.Context, scope Scope, client, component string) ([]*Job, error)
	// WasResource says whether the job once had a resource with this uid.
	WasResource(ctx context.Context, job ID, uid string) (bool, error)
	// Incompliances gives a page of incompliances, newest first, each with its remediations.
	Incompliances(ctx context.Context, query IncomplianceQuery) (*IncomplianceConnection, error)
	// SilentAgents lists agents that were last heard of at or before since, whose resources were not yet
	// marked, at most limit, with LastSeenAt.
	SilentAgents(ctx context.Context, since time.Time, limit int) ([]*Agent, error)
	// ExpiringOwners counts the agents that let a lease run out since then, or whose lease has run out now, and
	// all agents with a job in progress. One statement.
	ExpiringOwners(ctx context.Context, since time.Time) (expiring, all int, err error)
	// Events after a revision, oldest first, at most limit. CURSOR_EXPIRED when they are no longer kept.
	Events(ctx context.Context, after Revision, limit int) ([]*Event, error)
	// EventPage is Events for a list of the API: filtered, in the scope, with a cursor as its place.
	EventPage(ctx context.Context, scope Scope, filter EventFilter, after Revision, first int) (*EventConnection, error)
	// Head is the newest revision and the incarnation of the database.
	Head(ctx context.Context) (Cursor, error)
	// Idempotent finds what an earlier request with the same key made: its result, or "" when there was none;
	// IDEMPOTENCY_MISMATCH when its input differed.
	Idempotent(ctx context.Context, request Idempotency) (ID, error)
	// Ping says whether the database answers.
	Ping(ctx context.Context) error
}

// Writer is the writing half of the Store. Each method is one transaction; events are written with the
// change, with the next revisions.
type Writer interface {
	// CreateGroup stores a group with its jobs, manifests and events. CONFLICT when the idempotency key was
	// used by somebody else in between: look it up again.
	CreateGroup(ctx context.Context, group *JobGroup, events []Event, request Idempotency) error
	// ChangeGroup runs the rule on a group and all its jobs, and stores what it changed; a group with Deleted
	// set is removed with its jobs. Jobs that the rule appended to the group's are stored, those with Deleted set
	// are removed, and do not come back with the group.
	ChangeGroup(ctx context.Context, scope Scope, id ID, change GroupChange) (*JobGroup, error)
	// UpdateJobs runs the rule on each job and stores what it changed, with the same number of statements for
	// 1 or 500 jobs. A job with Deleted set is removed. The jobs come back as they are after it, without manifests,
	// ordered by id, or as they were picked.
	UpdateJobs(ctx context.Context, which Which, rule JobRule) ([]*Job, error)
	// RenewLeases extends, in one statement, each lease that the owner still holds at that epoch, by its own
	// length from now, and gives the new ends. Those left out were refused.
	RenewLeases(ctx context.Context, owner OwnerID, renewals []Renewal) (map[ID]time.Time, error)
	// SeeAgent notes that an agent, known by its owner id alone, was heard of, and gives it with the clusters that
	// it serves (what it names, else what was set for it) and, where there are none, with those of Others that are
	// present: heard of at or after present. Clusters nil leaves those it named before; without an orchestrator
	// only an agent that is known already is touched, and the answer may be nil.
	SeeAgent(ctx context.Context, sighting Sighting) (*Agent, error)
	// Working notes that the agent works through what was handed out to it: its lapses are 0 again, and the
	// reservations that it still holds last until then.
	Working(ctx context.Context, owner OwnerID, until time.Time) error
	// Stranger notes that a client's sync named a workload that is no job's resource, and says when it was first
	// noted: now when it was not known. Zero when it once was a job's resource. Strangers that nobody names for 30
	// days are forgotten.
	Stranger(ctx context.Context, client, uid, name string) (first time.Time, err error)
	// SetAgent keeps the clusters that an admin set for an agent that names none, and gives the agent; an empty
	// list takes them back.
	// NOT_FOUND for an agent that was never heard of and comes without an orchestrator.
	SetAgent(ctx context.Context, agent Agent) (*Agent, error)
	// MarkSilent notes that the resources of an agent were marked, unless it was heard of since seenAt.
	MarkSilent(ctx context.Context, owner OwnerID, seenAt time.Time) error
	// RecordIncompliance finds the jobs that an incompliance is about, runs the rule on each, and stores the
	// incompliance with their answers; its GroupID and Remediations are set then. A job is found by the group
	// (Subject.AppInstance) and Subject.Picks on its component and the present and past names of its resource;
	// without one, by the present or past uid of its resource, else by our own id of it. CONFLICT when its id is
	// taken: look it up.
	RecordIncompliance(ctx context.Context, scope Scope, actor string, incompliance *Incompliance, rule RemedyRule) error
	// MarkAlive notes that the database is in use. Where the last mark is older than away, every lease that was
	// live then gets its full length from now, in the same transaction, once; pardoned says how many.
	MarkAlive(ctx context.Context, away time.Duration) (pardoned int, err error)
	// PauseTakeover lets every lease that ends within length from now end then instead, unless that was done
	// already within twice that length; until then only its own agent may claim a Create whose lease is over
	// already. paused says whether it was. The event says how many leases it was about.
	PauseTakeover(ctx context.Context, length time.Duration, message string) (paused bool, err error)
	// DueNotices takes up to limit notices for delivery, of each group its oldest one at most, and keeps others
	// from taking them for as long as busy. To take one counts as an attempt: the notice says how many there were
	// before. What waits behind a notice that was given up is not due until a
	// deletion, which begins anew and does away with everything before it.
	DueNotices(ctx context.Context, limit int, busy time.Duration) ([]*Notice, error)
	// SettleNotice stores what became of a try to deliver, with its event.
	SettleNotice(ctx context.Context, notice *Notice, result NoticeResult) error
}

// MostMeant bounds the jobs that one workload may be the resource of, or may fit.
const MostMeant = 16

// Sighting is an agent that was heard of.
type Sighting struct {
	Agent Agent
	// Present is since when others must have been heard of to count as present.
	Present time.Time
}

// GroupChange is a change of a group as a user wants it.
type GroupChange struct {
	Rule GroupRule
	// Actor is written into the events.
	Actor   string
	Request Idempotency
}
