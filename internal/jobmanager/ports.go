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

// Which names the jobs of an update; exactly one of IDs, ExecutableFor and LeaseOver is set.
type Which struct {
	// IDs of jobs; one that is not there is NOT_FOUND.
	IDs []ID
	// ExecutableFor picks up to Limit jobs that this agent may claim now, the oldest first. With a ClaimID under
	// which the agent holds jobs already it picks those instead: a retry, also one beside its first try, gets
	// what the first one won.
	ExecutableFor *Agent
	ClaimID       string
	// LeaseOver picks up to Limit jobs in progress whose lease ran out.
	LeaseOver bool
	Limit     int
	Scope     Scope
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
	Page  PageRequest
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
	// Kinds says of which kind each id is: "JobGroup", "Job" or "Resource"; ids that are nothing, or not in
	// the scope, are left out. One statement.
	Kinds(ctx context.Context, scope Scope, ids []ID) (map[ID]string, error)
	// Executable lists what the agent may claim now, oldest first, at most first jobs, with manifests.
	Executable(ctx context.Context, agent Agent, page PageRequest) (*JobConnection, error)
	// NextChance is the earliest time after since at which a job that no agent holds becomes claimable by time
	// alone or is to be matched again, or a lease runs out; a lease that ran out before counts too, until its
	// expiry is written. Zero when there is none. It reads indexes, not the table.
	NextChance(ctx context.Context, since time.Time) (time.Time, error)
	// Unmatched lists groups with jobs that wait for a target and are due to be matched again, with their
	// descriptor text and those jobs, at most limit.
	Unmatched(ctx context.Context, limit int) ([]*JobGroup, error)
	Agents(ctx context.Context, query AgentQuery) (*AgentConnection, error)
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
	// set is removed with its jobs.
	ChangeGroup(ctx context.Context, scope Scope, id ID, change GroupChange) (*JobGroup, error)
	// UpdateJobs runs the rule on each job and stores what it changed, with the same number of statements for
	// 1 or 500 jobs. The jobs come back as they are after it, without manifests, ordered by id, or as they
	// were picked.
	UpdateJobs(ctx context.Context, which Which, rule JobRule) ([]*Job, error)
	// RenewLeases extends, in one statement, each lease that the owner still holds at that epoch, by its own
	// length from now, and gives the new ends. Those left out were refused.
	RenewLeases(ctx context.Context, owner OwnerID, renewals []Renewal) (map[ID]time.Time, error)
	// SeeAgent notes that an agent, known by its owner id alone, was heard of. Clusters nil leaves those it
	// named before; without an orchestrator only an agent that is known already is touched.
	SeeAgent(ctx context.Context, agent Agent) error
}

// GroupChange is a change of a group as a user wants it.
type GroupChange struct {
	Rule GroupRule
	// Actor is written into the events.
	Actor   string
	Request Idempotency
}
