package service

import (
	"context"
	"sync"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// AdoptResourceInput is the workload that is a job's own.
type AdoptResourceInput struct {
	JobID jobmanager.ID
	// UID of one of the job's strays.
	UID             jobmanager.Text
	ExpectedVersion *int64
	IdempotencyKey  jobmanager.Text
}

// AdoptResourcePayload is the job with its workload.
type AdoptResourcePayload struct{ Job *jobmanager.Job }

// strangers remembers workloads that are nobody's, so that a sync which names a thousand of them costs no statement.
type strangers struct {
	mu sync.Mutex // guards until
	// until is when each is to be looked up again: another replica may have learned whose it is.
	until map[stranger]time.Time
}

// stranger is a workload as one client names it.
type stranger struct{ client, uid string }

const (
	// strangerFor is how long a workload counts as nobody's without a look-up.
	strangerFor = time.Minute
	// mostStrangers bounds the memory that they take; when it is full, it begins anew.
	mostStrangers = 50_000
)

// has says whether the workload is known to be nobody's.
func (s *strangers) has(one stranger, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.until[one].After(now)
}

// drop forgets a workload, for it may be somebody's now.
func (s *strangers) drop(one stranger) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.until, one)
}

// add remembers a workload.
func (s *strangers) add(one stranger, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.until) >= mostStrangers {
		clear(s.until)
	}
	s.until[one] = now.Add(strangerFor)
}

// SyncResource takes an agent's word on a workload that it sees, by the orchestrator's uid: the conditions of a known
// one, and for an unknown one, whether a job's unreported attempt left it: then it is adopted, see
// jobmanager.Job.Recognize. It extends no lease. Agents may. NOT_FOUND for a workload that is nobody's.
func (s *Service) SyncResource(ctx context.Context, p jobmanager.Principal, input ResourceInput) (*jobmanager.Resource, error) {
	if err := p.Need(jobmanager.RoleAgent); err != nil {
		return nil, err
	}
	report := input.whole()
	if err := report.Check(); err != nil {
		return nil, err
	}
	nobodys := jobmanager.Errorf(jobmanager.CodeNotFound, "no job has this resource")
	if report.UID == "" || s.strangers.has(stranger{p.Name, report.UID}, s.Clock.Now()) {
		return nil, nobodys
	}
	known, err := s.Store.ByUID(ctx, p.Scope(), report.UID)
	if err != nil {
		return nil, err
	}
	for _, job := range known {
		reassigned := job.Last.OwnerID != job.Owner // to an agent whose client is not known yet
		if job.Last.Client != p.Name && !reassigned {
			continue // another client's workload, or that of an agent which reports with its epoch
		}
		return s.synced(ctx, p, job, report)
	}
	if len(known) == 0 {
		adopted, fits, err := s.adoptable(ctx, p, report)
		switch {
		case err != nil:
			return nil, err
		case adopted != nil:
			return s.synced(ctx, p, adopted, report)
		case fits:
			return nil, nobodys // until an admin decides, which may be soon
		}
	}
	s.strangers.add(stranger{p.Name, report.UID}, s.Clock.Now())
	return nil, nobodys
}

// synced stores what a sync says of a job's workload. One that says nothing new is not written.
func (s *Service) synced(ctx context.Context, p jobmanager.Principal, job *jobmanager.Job, report jobmanager.ResourceReport) (*jobmanager.Resource, error) {
	if job.Last.Client == p.Name {
		s.heard(ctx, jobmanager.Agent{OwnerID: job.Owner, Protocol: jobmanager.ProtocolREST})
	}
	rule := func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
		return j.Synced(report, s.LifeCycle, now)
	}
	tried := *job
	events, err := rule(&tried, s.Clock.Now())
	if err != nil {
		return nil, err
	}
	if len(events) > 0 || tried.Resource != job.Resource {
		if job, err = s.updateJob(ctx, p, job.Owner, job.ID, rule); err != nil {
			return nil, err
		}
	}
	job.Resource.Job = job
	return job.Resource, nil
}

// adoptable finds the one job that an unknown workload is of; nil when there is none. Where more than one fits, each is
// told of its candidate, and none adopts it; fits says whether any did.
func (s *Service) adoptable(ctx context.Context, p jobmanager.Principal, report jobmanager.ResourceReport) (of *jobmanager.Job, fits bool, err error) {
	component := jobmanager.GeneratedFor(report.Name)
	if component == "" {
		return nil, false, nil
	}
	first, err := s.Store.Stranger(ctx, p.Name, report.UID, report.Name)
	if err != nil || first.IsZero() {
		return nil, false, err
	}
	jobs, err := s.Store.Adoptable(ctx, p.Scope(), p.Name, component)
	if err != nil {
		return nil, false, err
	}
	var fitting []jobmanager.ID
	for _, job := range jobs {
		if job.Fits(p.Name, report.Name, first) && !report.Predates(job.WorkloadSince()) {
			fitting = append(fitting, job.ID)
		}
	}
	if len(fitting) == 0 {
		return nil, false, nil
	}
	stray := jobmanager.Stray{UID: jobmanager.Text(report.UID), Name: report.Name, SeenAt: first}
	changed, err := s.Store.UpdateJobs(ctx, by(p, p.Name, jobmanager.Which{IDs: fitting}), func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
		if !j.Fits(p.Name, report.Name, first) {
			return nil, nil
		}
		return j.Recognize(stray, len(fitting) == 1 && len(jobs) < jobmanager.MostMeant, now), nil
	})
	if err != nil {
		return nil, true, err
	}
	for _, job := range changed {
		if job.Resource != nil && string(job.Resource.UID) == report.UID {
			return job, true, nil
		}
	}
	return nil, true, nil
}

// AdoptResource says which of its strays is a job's own workload. Admins may. NOT_FOUND, VERSION_CONFLICT, INVALID for
// what is none of them, WRONG_STATE for a job that adopts nothing.
func (s *Service) AdoptResource(ctx context.Context, p jobmanager.Principal, input AdoptResourceInput) (*AdoptResourcePayload, error) {
	if err := p.Need(); err != nil {
		return nil, err
	}
	request, err := idempotency(p, "adoptResource", string(input.IdempotencyKey), input)
	if err != nil {
		return nil, err
	}
	if err := s.nobodyElses(ctx, input); err != nil {
		return nil, err
	}
	job, _, err := s.changeJob(ctx, p, jobChange{input.JobID, input.ExpectedVersion, request, func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
		return j.Adopt(string(input.UID), now)
	}})
	return &AdoptResourcePayload{job}, err
}

// nobodyElses refuses a workload that is another job's resource by now.
func (s *Service) nobodyElses(ctx context.Context, input AdoptResourceInput) error {
	jobs, err := s.Store.ByUID(ctx, jobmanager.System().Scope(), string(input.UID))
	if err != nil {
		return err
	}
	for _, job := range jobs {
		if job.ID != input.JobID {
			return jobmanager.Errorf(jobmanager.CodeInvalid, "this workload is the resource of job %s", job.ID)
		}
	}
	return nil
}
