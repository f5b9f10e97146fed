package agent

import (
	"context"
	"time"
)

// The documents that the SDK sends. They are all that it needs of the server's schema.
const (
	jobFields = `{ id component type subType epoch generation attempt namespace
group { id name } target { cluster node } manifests { name apiVersion kind text } resource { uid name } }`

	claimJobDocument       = `mutation ClaimJob($input: ClaimJobInput!) { claimJob(input: $input) { job ` + jobFields + ` } }`
	claimJobsDocument      = `mutation ClaimJobs($input: ClaimJobsInput!) { claimJobs(input: $input) { jobs ` + jobFields + ` } }`
	renewLeasesDocument    = `mutation RenewLeases($input: RenewLeasesInput!) { renewLeases(input: $input) { results { jobId code message } } }`
	finishJobDocument      = `mutation FinishJob($input: FinishJobInput!) { finishJob(input: $input) { job { id } } }`
	failJobDocument        = `mutation FailJob($input: FailJobInput!) { failJob(input: $input) { job { id } } }`
	releaseJobDocument     = `mutation ReleaseJob($input: ReleaseJobInput!) { releaseJob(input: $input) { job { id } } }`
	reportResourceDocument = `mutation ReportResource($input: ReportResourceInput!) { reportResource(input: $input) { resource { id } } }`

	jobExecutableDocument = `subscription JobExecutable($orchestrator: String!, $ownerId: String!, $clusters: [String!], $parallel: Int) {
jobExecutable(orchestrator: $orchestrator, ownerId: $ownerId, clusters: $clusters, parallel: $parallel) { id epoch } }`
)

// claimInput is ClaimJobInput with a job, ClaimJobsInput with a number.
type claimInput struct {
	JobID        string   `json:"jobId,omitempty"`
	First        int      `json:"first,omitempty"`
	Orchestrator string   `json:"orchestrator"`
	OwnerID      string   `json:"ownerId"`
	Clusters     []string `json:"clusters,omitempty"`
	LeaseSeconds int      `json:"leaseSeconds"`
	ClaimID      string   `json:"claimId"`
}

// fence is what every write about a claimed job carries.
type fence struct {
	JobID   string `json:"jobId"`
	OwnerID string `json:"ownerId"`
	Epoch   int64  `json:"epoch"`
}

type leaseInput struct {
	JobID string `json:"jobId"`
	Epoch int64  `json:"epoch"`
}

type renewLeasesInput struct {
	OwnerID string       `json:"ownerId"`
	Leases  []leaseInput `json:"leases"`
}

type renewalResult struct {
	JobID   string `json:"jobId"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

type resourceInput struct {
	UID        string           `json:"uid,omitempty"`
	Name       string           `json:"name,omitempty"`
	Conditions []conditionInput `json:"conditions,omitempty"`
}

type conditionInput struct {
	Type               string          `json:"type"`
	Status             ConditionStatus `json:"status"`
	Reason             string          `json:"reason"`
	Message            string          `json:"message"`
	ObservedGeneration int64           `json:"observedGeneration,omitempty"`
	LastTransitionTime *time.Time      `json:"lastTransitionTime,omitempty"`
}

type finishInput struct {
	fence
	Resource *resourceInput `json:"resource,omitempty"`
}

type failInput struct {
	fence
	Reason string `json:"reason"`
}

type reportInput struct {
	fence
	Resource resourceInput `json:"resource"`
}

// wireJob is a Job as the server sends it.
type wireJob struct {
	ID         string     `json:"id"`
	Component  string     `json:"component"`
	Type       JobType    `json:"type"`
	SubType    string     `json:"subType"`
	Epoch      int64      `json:"epoch"`
	Generation int64      `json:"generation"`
	Attempt    int        `json:"attempt"`
	Namespace  string     `json:"namespace"`
	Manifests  []Manifest `json:"manifests"`
	Target     Target     `json:"target"`
	Resource   Resource   `json:"resource"`
	Group      struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"group"`
}

func (w wireJob) job() Job {
	return Job{
		ID: w.ID, GroupID: w.Group.ID, ApplicationName: w.Group.Name, Component: w.Component,
		Type: w.Type, SubType: w.SubType, Generation: w.Generation, Epoch: w.Epoch, Attempt: w.Attempt,
		Namespace: w.Namespace, Target: w.Target, Manifests: w.Manifests, Resource: w.Resource,
	}
}

func (c *client) claimJob(ctx context.Context, input claimInput) (Job, error) {
	var data struct {
		ClaimJob struct{ Job wireJob }
	}
	err := c.mutate(ctx, claimJobDocument, input, &data)
	return data.ClaimJob.Job.job(), err
}

func (c *client) claimJobs(ctx context.Context, input claimInput) ([]Job, error) {
	var data struct {
		ClaimJobs struct{ Jobs []wireJob }
	}
	err := c.mutate(ctx, claimJobsDocument, input, &data)
	jobs := make([]Job, 0, len(data.ClaimJobs.Jobs))
	for _, job := range data.ClaimJobs.Jobs {
		jobs = append(jobs, job.job())
	}
	return jobs, err
}

func (c *client) renewLeases(ctx context.Context, input renewLeasesInput) ([]renewalResult, error) {
	var data struct {
		RenewLeases struct{ Results []renewalResult }
	}
	err := c.mutate(ctx, renewLeasesDocument, input, &data)
	return data.RenewLeases.Results, err
}

// write sends a mutation whose answer says nothing that the agent does not know.
func (c *client) write(ctx context.Context, document string, input any) error {
	var ignored struct{}
	return c.mutate(ctx, document, input, &ignored)
}

// resourceOf is what the server is told about a workload.
func resourceOf(uid, name string, conditions []Condition) resourceInput {
	input := resourceInput{UID: uid, Name: name}
	for _, c := range conditions {
		told := conditionInput{
			Type: c.Type, Status: c.Status, Reason: c.Reason, Message: c.Message, ObservedGeneration: c.ObservedGeneration,
		}
		if !c.LastTransitionTime.IsZero() {
			at := c.LastTransitionTime.UTC().Truncate(time.Microsecond)
			told.LastTransitionTime = &at
		}
		input.Conditions = append(input.Conditions, told)
	}
	return input
}

// finishResource is nil when the driver says nothing about what runs.
func finishResource(result Result) *resourceInput {
	if result.UID == "" && result.Name == "" && len(result.Conditions) == 0 {
		return nil
	}
	input := resourceOf(result.UID, result.Name, result.Conditions)
	return &input
}
