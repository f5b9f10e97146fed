package service

import (
	"context"
	"strings"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// ConditionInput is one statement about a resource.
type ConditionInput struct {
	Type               string
	Status             jobmanager.ConditionStatus
	Reason             jobmanager.Text
	Message            jobmanager.Text
	ObservedGeneration *int64
	LastTransitionTime *time.Time
}

// ResourceInput is what runs.
type ResourceInput struct {
	UID        jobmanager.Text
	Name       jobmanager.Text
	Conditions []ConditionInput
}

// ReleaseJobInput is a job to give back.
type ReleaseJobInput struct {
	JobID   jobmanager.ID
	OwnerID jobmanager.OwnerID
	Epoch   int64
}

// ReleaseJobPayload is a job that was given back.
type ReleaseJobPayload struct{ Job *jobmanager.Job }

// FinishJobInput is a finished piece of work.
type FinishJobInput struct {
	JobID    jobmanager.ID
	OwnerID  jobmanager.OwnerID
	Epoch    int64
	Resource *ResourceInput
}

// FinishJobPayload is a finished job.
type FinishJobPayload struct{ Job *jobmanager.Job }

// FailJobInput is a failed attempt.
type FailJobInput struct {
	JobID   jobmanager.ID
	OwnerID jobmanager.OwnerID
	Epoch   int64
	Reason  string
}

// FailJobPayload is a failed job.
type FailJobPayload struct{ Job *jobmanager.Job }

// ReportResourceInput is the owner's word on what runs.
type ReportResourceInput struct {
	JobID    jobmanager.ID
	OwnerID  jobmanager.OwnerID
	Epoch    int64
	Resource ResourceInput
}

// ReportResourcePayload is what is known of a resource.
type ReportResourcePayload struct{ Resource *jobmanager.Resource }

// longestReason of a failure, in bytes.
const longestReason = 4096

// FinishJob reports that the work is done. Agents may. NOT_FOUND; STALE_OWNER when somebody else holds the
// job; WRONG_STATE when the attempt already ended otherwise.
func (s *Service) FinishJob(ctx context.Context, p jobmanager.Principal, input FinishJobInput) (*FinishJobPayload, error) {
	report := jobmanager.ResourceReport{}
	if input.Resource != nil {
		report = input.Resource.report()
	}
	fence := jobmanager.Fence{OwnerID: input.OwnerID, Epoch: input.Epoch}
	job, err := s.write(ctx, p, input.JobID, fence, func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
		return j.Finish(fence, report, now)
	})
	return &FinishJobPayload{job}, err
}

// FailJob reports that the attempt failed. Agents may. Errors as FinishJob.
func (s *Service) FailJob(ctx context.Context, p jobmanager.Principal, input FailJobInput) (*FailJobPayload, error) {
	if err := checkReason(input.Reason); err != nil {
		return nil, err
	}
	fence := jobmanager.Fence{OwnerID: input.OwnerID, Epoch: input.Epoch}
	job, err := s.write(ctx, p, input.JobID, fence, func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
		return j.Fail(fence, input.Reason, s.LifeCycle, now)
	})
	return &FailJobPayload{job}, err
}

// checkReason refuses a reason that tells nothing or too much.
func checkReason(reason string) error {
	if strings.TrimSpace(reason) == "" {
		return jobmanager.Errorf(jobmanager.CodeInvalid, "reason must not be empty: it is shown to whoever asks why the job is not running")
	}
	return jobmanager.CheckText("reason", reason, longestReason)
}

// ReleaseJob gives a claimed job back untouched. Agents may. Errors as FinishJob.
func (s *Service) ReleaseJob(ctx context.Context, p jobmanager.Principal, input ReleaseJobInput) (*ReleaseJobPayload, error) {
	fence := jobmanager.Fence{OwnerID: input.OwnerID, Epoch: input.Epoch}
	job, err := s.write(ctx, p, input.JobID, fence, func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
		return j.Release(fence, now)
	})
	return &ReleaseJobPayload{job}, err
}

// ReportResource takes the owner's word on what runs; it changes conditions, never the job. Agents may.
// NOT_FOUND, STALE_OWNER, WRONG_STATE when the workload was removed, INVALID for conditions that do not fit.
func (s *Service) ReportResource(ctx context.Context, p jobmanager.Principal, input ReportResourceInput) (*ReportResourcePayload, error) {
	fence := jobmanager.Fence{OwnerID: input.OwnerID, Epoch: input.Epoch}
	report := input.Resource.report()
	if err := report.Check(); err != nil {
		return nil, err
	}
	job, err := s.write(ctx, p, input.JobID, fence, func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
		return j.ReportResource(fence, report, now)
	})
	if err != nil {
		return nil, err
	}
	job.Resource.Job = job
	return &ReportResourcePayload{job.Resource}, nil
}

// write runs an agent's report on one job.
func (s *Service) write(ctx context.Context, p jobmanager.Principal, id jobmanager.ID, f jobmanager.Fence, rule jobmanager.JobRule) (*jobmanager.Job, error) {
	if err := s.ownerCalls(ctx, p, f.OwnerID); err != nil {
		return nil, err
	}
	which := by(p, string(f.OwnerID), jobmanager.Which{IDs: []jobmanager.ID{id}})
	jobs, err := s.Store.UpdateJobs(ctx, which, rule)
	if err != nil {
		return nil, err
	}
	return jobs[0], nil
}

// report is the domain's form of what an agent sent.
func (r ResourceInput) report() jobmanager.ResourceReport {
	report := jobmanager.ResourceReport{UID: string(r.UID), Name: string(r.Name)}
	for _, c := range r.Conditions {
		condition := jobmanager.Condition{
			Type: c.Type, Status: c.Status, Reason: string(c.Reason), Message: string(c.Message),
		}
		if c.ObservedGeneration != nil {
			condition.ObservedGeneration = *c.ObservedGeneration
		}
		if c.LastTransitionTime != nil {
			condition.LastTransitionTime = *c.LastTransitionTime
		}
		report.Conditions = append(report.Conditions, condition)
	}
	return report
}
