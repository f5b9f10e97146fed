package service

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// LeaseInput is one lease to renew.
type LeaseInput struct {
	JobID jobmanager.ID
	Epoch int64
}

// RenewLeasesInput are leases to renew.
type RenewLeasesInput struct {
	OwnerID jobmanager.OwnerID
	Leases  []LeaseInput
}

// RenewalResult is what became of one renewal.
type RenewalResult struct {
	JobID jobmanager.ID
	// Lease is nil when it was refused; Code and Message say why.
	Lease   *jobmanager.Lease
	Code    jobmanager.Text
	Message jobmanager.Text
}

// RenewLeasesPayload answers item by item.
type RenewLeasesPayload struct {
	Results []RenewalResult
}

// RenewLeases extends leases by their own length from now: one statement for all of them, and one read for
// the refused ones. Agents may.
func (s *Service) RenewLeases(ctx context.Context, p jobmanager.Principal, input RenewLeasesInput) (*RenewLeasesPayload, error) {
	if err := s.ownerCalls(ctx, p, input.OwnerID); err != nil {
		return nil, err
	}
	if len(input.Leases) > jobmanager.LongestPage {
		return nil, jobmanager.Errorf(jobmanager.CodeInvalid, "at most %d leases are renewed in one call", jobmanager.LongestPage)
	}
	renewals := make([]jobmanager.Renewal, 0, len(input.Leases))
	seen := map[jobmanager.ID]bool{}
	for _, lease := range input.Leases {
		if seen[lease.JobID] {
			return nil, jobmanager.Errorf(jobmanager.CodeInvalid, "job %s stands twice among the leases", lease.JobID)
		}
		seen[lease.JobID] = true
		renewals = append(renewals, jobmanager.Renewal(lease))
	}
	ends, err := s.renew(ctx, input.OwnerID, slices.Clone(renewals))
	if err != nil {
		return nil, err
	}
	payload := &RenewLeasesPayload{}
	refused := map[jobmanager.ID]*jobmanager.Job{}
	if len(ends) < len(renewals) {
		if refused, err = s.jobsOf(ctx, renewals); err != nil {
			return nil, err
		}
	}
	for _, renewal := range renewals {
		result := RenewalResult{JobID: renewal.JobID}
		if end, renewed := ends[renewal.JobID]; renewed {
			result.Lease = &jobmanager.Lease{OwnerID: input.OwnerID, Epoch: renewal.Epoch, ExpiresAt: end}
		} else {
			reason := s.whyRefused(refused[renewal.JobID], jobmanager.Fence{OwnerID: input.OwnerID, Epoch: renewal.Epoch})
			result.Code, result.Message = jobmanager.Text(reason.Code), jobmanager.Text(reason.Message)
		}
		payload.Results = append(payload.Results, result)
	}
	return payload, nil
}

// renew extends what it can. Where the database was out of reach for so long that no mark of this replica is new
// enough, what was refused is tried once more behind a new one: leases that ran out meanwhile get their time again
// with that.
func (s *Service) renew(ctx context.Context, owner jobmanager.OwnerID, renewals []jobmanager.Renewal) (map[jobmanager.ID]time.Time, error) {
	ends, err := s.Store.RenewLeases(ctx, owner, renewals)
	away := s.Clock.Now().Sub(time.UnixMicro(s.marked.Load())) > s.Pace.Away
	if err != nil || len(ends) == len(renewals) || !away {
		return ends, err
	}
	if err := s.markAlive(ctx); err != nil {
		return nil, err
	}
	refused := slices.DeleteFunc(renewals, func(r jobmanager.Renewal) bool { return !ends[r.JobID].IsZero() })
	again, err := s.Store.RenewLeases(ctx, owner, refused)
	maps.Copy(ends, again)
	return ends, err
}

// jobsOf reads the jobs of renewals, by id.
func (s *Service) jobsOf(ctx context.Context, renewals []jobmanager.Renewal) (map[jobmanager.ID]*jobmanager.Job, error) {
	query := jobmanager.JobQuery{Scope: jobmanager.System().Scope(), Page: jobmanager.PageRequest{First: len(renewals)}}
	for _, renewal := range renewals {
		query.Filter.IDs = append(query.Filter.IDs, renewal.JobID)
	}
	page, err := s.Store.Jobs(ctx, query)
	if err != nil {
		return nil, err
	}
	byID := map[jobmanager.ID]*jobmanager.Job{}
	for _, job := range page.Nodes() {
		byID[job.ID] = job
	}
	return byID, nil
}

// whyRefused explains a renewal that changed nothing.
func (s *Service) whyRefused(j *jobmanager.Job, f jobmanager.Fence) *jobmanager.Error {
	if j == nil {
		return jobmanager.Errorf(jobmanager.CodeNotFound, "there is no such job: stop working on it")
	}
	if refusal := j.RenewalRefusal(f, s.Clock.Now()); refusal != nil {
		return refusal
	}
	// It ran out at the moment of the renewal and was claimed again by the same owner in between.
	return jobmanager.Errorf(jobmanager.CodeLeaseExpired, "the lease of job %s ran out: finish or fail it, or claim it again", j.ID)
}
