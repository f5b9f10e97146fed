package service

import (
	"context"
	"maps"
	"slices"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// PatchJobGroupInput are the manifests of some jobs of an application.
type PatchJobGroupInput struct {
	JobGroupID jobmanager.ID
	// Manifests by job, each a YAML document. Jobs that are not named stay as they are.
	Manifests map[jobmanager.ID][]string
}

// UpdateByHeader gives an application a new descriptor of which some manifests may be missing: those that the body
// references and does not carry stay what they are. Integrators may. Errors as UpdateJobGroup.
func (s *Service) UpdateByHeader(ctx context.Context, p jobmanager.Principal, id jobmanager.ID, body string) (*jobmanager.JobGroup, error) {
	group, err := s.former(ctx, p, id)
	if err != nil {
		return nil, err
	}
	return s.updateFrom(ctx, p, group, s.Parser.Complete(body, group.Descriptor))
}

// PatchJobGroup gives some components of an application other manifests; what is not named, or is as it was, stays.
// Integrators may. INVALID for a job that is none of the application's, and for what is no manifest; else errors as
// UpdateJobGroup.
func (s *Service) PatchJobGroup(ctx context.Context, p jobmanager.Principal, input PatchJobGroupInput) (*jobmanager.JobGroup, error) {
	group, err := s.former(ctx, p, input.JobGroupID)
	if err != nil {
		return nil, err
	}
	jobs, err := s.jobsNamed(ctx, p, group, slices.Sorted(maps.Keys(input.Manifests)))
	if err != nil {
		return nil, err
	}
	changed := map[string][]string{}
	for id, manifests := range input.Manifests {
		job := jobs[id]
		if job == nil {
			return nil, jobmanager.Errorf(jobmanager.CodeInvalid, "job %s is none of group %s", id, group.ID)
		}
		if len(manifests) > 0 && !slices.EqualFunc(manifests, job.Manifests, func(text string, m jobmanager.Manifest) bool { return text == m.Text }) {
			changed[job.Component] = manifests
		}
	}
	if len(changed) == 0 {
		return group, nil
	}
	text, err := s.Parser.Replace(group.Descriptor, changed)
	if err != nil {
		return nil, err
	}
	return s.updateFrom(ctx, p, group, text)
}

// jobsNamed gives those of the application's jobs that are named, with their manifests, in pages.
func (s *Service) jobsNamed(ctx context.Context, p jobmanager.Principal, group *jobmanager.JobGroup, named []jobmanager.ID) (map[jobmanager.ID]*jobmanager.Job, error) {
	jobs := map[jobmanager.ID]*jobmanager.Job{}
	for part := range slices.Chunk(named, jobmanager.LongestPage) {
		page, err := s.Store.Jobs(ctx, jobmanager.JobQuery{
			Scope: p.Scope(), Filter: jobmanager.JobFilter{IDs: part, JobGroupIDs: []jobmanager.ID{group.ID}},
			Page: jobmanager.PageRequest{First: jobmanager.LongestPage}, Load: jobmanager.JobLoad{Manifests: true},
		})
		if err != nil {
			return nil, err
		}
		for _, job := range page.Nodes() {
			jobs[job.ID] = job
		}
	}
	return jobs, nil
}

// former is the application before a change, with its descriptor.
func (s *Service) former(ctx context.Context, p jobmanager.Principal, id jobmanager.ID) (*jobmanager.JobGroup, error) {
	if err := p.Need(jobmanager.RoleIntegrator); err != nil {
		return nil, err
	}
	return s.Store.JobGroup(ctx, p.Scope(), id, jobmanager.GroupLoad{Descriptor: true})
}

// updateFrom updates the application to the text, unless somebody else changed it since it was read.
func (s *Service) updateFrom(ctx context.Context, p jobmanager.Principal, group *jobmanager.JobGroup, text string) (*jobmanager.JobGroup, error) {
	payload, err := s.UpdateJobGroup(ctx, p, UpdateJobGroupInput{
		JobGroupID: group.ID, Descriptor: text, ExpectedVersion: &group.Generation,
	})
	if err != nil {
		return nil, err
	}
	return payload.JobGroup, nil
}
