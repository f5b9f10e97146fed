package agent

import (
	"context"
	"time"
)

// Driver executes jobs on an orchestrator. Its methods are called from several goroutines at once, but never
// two of them for one job: before the next call for a job the former one has returned, even when its claim is
// long lost.
//
// Apply, Replace and Delete must be idempotent by the job's id: after a lost report or a takeover they are
// called for something that stands already, in part or as a whole. Update may be relative (scale-up); the SDK
// therefore calls it at most once for each generation that it finished in this process. Over restarts only the
// driver can know: it keeps the generation with the workload, in a label or an annotation.
//
// The context of a call ends when the claim is no longer this agent's (its cause is ErrStale), when the lease
// ran out unrenewed (ErrLeaseLost), or when Run is to end. The call then must return soon and touch nothing
// more on the target: another agent may be at it already. What its result is good for then:
//
//   - nil: the work is done. It is reported all the same, but after ErrStale.
//   - an error that is ErrUntouched: the job is given back, but after ErrStale.
//   - any other error: nothing is reported; the server notices by the lease.
//
// While the context lives, an error fails the attempt with its text, and so does a panic. The server tries the
// job again later.
type Driver interface {
	// Apply brings the job's manifests up on its target, in their order.
	Apply(ctx context.Context, job Job) (Result, error)
	// Update carries out the remediation that job.SubType names: scale-up, scale-down, scale-out, scale-in,
	// patch, reallocation or whatever the server knows. A reallocation removes the workload; the server then
	// sends the component elsewhere, as another piece of work. An unknown remediation is an error.
	Update(ctx context.Context, job Job) (Result, error)
	// Replace makes what stands for the job equal to the job's manifests; when nothing stands, it applies.
	Replace(ctx context.Context, job Job) (Result, error)
	// Delete removes what stands for the job; nil when nothing stands.
	Delete(ctx context.Context, job Job) error
	// Watch is the status stream. It runs beside all other calls until ctx ends and calls report, from as many
	// goroutines as it likes, whenever something new is known about a workload. A driver without a stream
	// returns nil at once. After an error or a panic Watch is called again, with backoff.
	//
	// report returns when the server has taken the status. While the server is out of reach it waits, so a
	// driver reads its newest state for each call and queues nothing. ErrStale and ErrUnclaimed say that this
	// agent has nothing to say about the job: stop reporting it until the driver is called with it again. An
	// *Error is a refusal of this one status. After ctx has ended report returns the context's error.
	Watch(ctx context.Context, report func(Status) error) error
}

// Job is one claimed piece of work.
type Job struct {
	// ID is the job's UUID: the same for all work on one component of one application.
	ID string
	// GroupID and ApplicationName are the application's; empty when it is already gone.
	GroupID, ApplicationName string
	// Component is the name that the descriptor gives to it.
	Component string
	Type      JobType
	// SubType is the remediation that an update carries out; else empty.
	SubType string
	// Generation numbers the pieces of work on the job; the attempts at one share it.
	Generation int64
	// Epoch is the fencing token of this claim. The SDK sends it with every report.
	Epoch int64
	// Attempt counts the tries at this piece of work, from 1.
	Attempt int
	// Namespace that the workload goes into.
	Namespace string
	Target    Target
	// Manifests to apply, in this order.
	Manifests []Manifest
	// Resource is what an agent reported earlier for the job; empty when nothing was.
	Resource Resource
}

// JobType says what is to be done.
type JobType string

// The types of jobs, each with the method of Driver that does it.
const (
	CreateDeployment  JobType = "CREATE_DEPLOYMENT"  // Apply
	UpdateDeployment  JobType = "UPDATE_DEPLOYMENT"  // Update
	ReplaceDeployment JobType = "REPLACE_DEPLOYMENT" // Replace
	DeleteDeployment  JobType = "DELETE_DEPLOYMENT"  // Delete
)

// Target is where the job runs.
type Target struct {
	Cluster string
	// Node is empty where the orchestrator decides.
	Node string
}

// Manifest is one YAML document.
type Manifest struct {
	// Name that the component refers to.
	Name string
	// APIVersion and Kind are the Kubernetes ones; empty for a compose manifest.
	APIVersion, Kind string
	// Text is the document as written, outer indentation removed.
	Text string
}

// Resource names what runs, in the orchestrator's words.
type Resource struct {
	UID, Name string
}

// Result is what a driver knows about the workload when its work is done. An empty one says nothing.
type Result struct {
	// UID and Name are the orchestrator's own; empty where it gave none. Another UID than before begins
	// without conditions.
	UID, Name string
	// Conditions that are known now.
	Conditions []Condition
}

// Status is what a driver's stream tells about one workload.
type Status struct {
	JobID string
	// UID and Name as in Result.
	UID, Name string
	// Conditions: each replaces the one of its type, the others stay.
	Conditions []Condition
}

// Condition is one dated statement about a workload, as the Kubernetes API conventions have it.
type Condition struct {
	// Type is what it is about: Applied, Progressing, Available, Degraded or one of the driver's own.
	Type   string
	Status ConditionStatus
	// Reason is one word, Message a sentence; both may be empty.
	Reason, Message string
	// ObservedGeneration is that of the orchestrator's object; an older one never overwrites a newer one.
	ObservedGeneration int64
	// LastTransitionTime is when the status changed; zero means now.
	LastTransitionTime time.Time
}

// ConditionStatus says whether a condition holds.
type ConditionStatus string

// The statuses of a condition.
const (
	ConditionTrue    ConditionStatus = "TRUE"
	ConditionFalse   ConditionStatus = "FALSE"
	ConditionUnknown ConditionStatus = "UNKNOWN"
)
