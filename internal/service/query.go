package service

import (
	"context"
	"errors"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// ServerInfo is what this server is.
type ServerInfo struct {
	Version     string
	Database    string
	Incarnation string
	Revision    jobmanager.Cursor
	Time        time.Time
}

// mostNodes bounds a look-up of several ids.
const mostNodes = 100

// readers are the roles that may look at applications.
func readers() []jobmanager.Role {
	return []jobmanager.Role{jobmanager.RoleIntegrator, jobmanager.RoleViewer, jobmanager.RoleAgent, jobmanager.RolePolicyManager}
}

// JobGroups gives a page of applications.
func (s *Service) JobGroups(ctx context.Context, p jobmanager.Principal, query jobmanager.JobGroupQuery) (*jobmanager.JobGroupConnection, error) {
	if err := p.Need(readers()...); err != nil {
		return nil, err
	}
	query.Scope = p.Scope()
	return s.Store.JobGroups(ctx, query)
}

// JobGroup gives one application; nil when there is none that the caller may see.
func (s *Service) JobGroup(ctx context.Context, p jobmanager.Principal, id jobmanager.ID, load jobmanager.GroupLoad) (*jobmanager.JobGroup, error) {
	if err := p.Need(readers()...); err != nil {
		return nil, err
	}
	return found(s.Store.JobGroup(ctx, p.Scope(), id, load))
}

// Jobs gives a page of jobs.
func (s *Service) Jobs(ctx context.Context, p jobmanager.Principal, query jobmanager.JobQuery) (*jobmanager.JobConnection, error) {
	if err := p.Need(readers()...); err != nil {
		return nil, err
	}
	query.Scope = p.Scope()
	return s.Store.Jobs(ctx, query)
}

// Job gives one job; nil when there is none that the caller may see.
func (s *Service) Job(ctx context.Context, p jobmanager.Principal, id jobmanager.ID, load jobmanager.JobLoad) (*jobmanager.Job, error) {
	if err := p.Need(readers()...); err != nil {
		return nil, err
	}
	return found(s.Store.Job(ctx, p.Scope(), id, load))
}

// Resource gives one resource with its job; nil when there is none that the caller may see.
func (s *Service) Resource(ctx context.Context, p jobmanager.Principal, id jobmanager.ID) (*jobmanager.Resource, error) {
	if err := p.Need(readers()...); err != nil {
		return nil, err
	}
	return found(s.Store.Resource(ctx, p.Scope(), id))
}

// found makes nil of what is not there: a query for one object answers null.
func found[T any](object *T, err error) (*T, error) {
	if jobmanager.CodeOf(err) == jobmanager.CodeNotFound {
		return nil, nil
	}
	return object, err
}

// Nodes gives objects of whatever kind by their ids, in the same order; nil where there is none. INVALID for
// more than 100. The loads say what comes with the groups and with the jobs among them.
func (s *Service) Nodes(ctx context.Context, p jobmanager.Principal, ids []jobmanager.ID, groups jobmanager.GroupLoad, jobs jobmanager.JobLoad) ([]jobmanager.Node, error) {
	if err := p.Need(readers()...); err != nil {
		return nil, err
	}
	if len(ids) > mostNodes {
		return nil, jobmanager.Errorf(jobmanager.CodeInvalid, "at most %d ids are looked up in one call", mostNodes)
	}
	kinds, err := s.Store.Kinds(ctx, p.Scope(), ids)
	if err != nil {
		return nil, err
	}
	byKind := map[string][]jobmanager.ID{}
	for id, kind := range kinds {
		byKind[kind] = append(byKind[kind], id)
	}
	found := map[jobmanager.ID]jobmanager.Node{}
	err = errors.Join(
		s.findGroups(ctx, p, byKind["JobGroup"], groups, found),
		s.findJobs(ctx, p, jobmanager.JobQuery{Filter: jobmanager.JobFilter{IDs: byKind["Job"]}, Load: jobs}, found),
		s.findJobs(ctx, p, jobmanager.JobQuery{ResourceIDs: byKind["Resource"]}, found),
		s.findIncompliances(ctx, p, byKind["Incompliance"], found),
	)
	if err != nil {
		return nil, err
	}
	nodes := make([]jobmanager.Node, len(ids))
	for i, id := range ids {
		nodes[i] = found[id]
	}
	return nodes, nil
}

// findGroups reads groups by their ids, in one page.
func (s *Service) findGroups(ctx context.Context, p jobmanager.Principal, ids []jobmanager.ID, load jobmanager.GroupLoad, found map[jobmanager.ID]jobmanager.Node) error {
	if len(ids) == 0 {
		return nil
	}
	page, err := s.JobGroups(ctx, p, jobmanager.JobGroupQuery{
		Filter: jobmanager.JobGroupFilter{IDs: ids}, Load: load, Page: jobmanager.PageRequest{First: mostNodes},
	})
	if err != nil {
		return err
	}
	for _, group := range page.Nodes() {
		found[group.ID] = group
	}
	return nil
}

// findIncompliances reads incompliances by their ids, in one page.
func (s *Service) findIncompliances(ctx context.Context, p jobmanager.Principal, ids []jobmanager.ID, found map[jobmanager.ID]jobmanager.Node) error {
	if len(ids) == 0 {
		return nil
	}
	page, err := s.Incompliances(ctx, p, jobmanager.IncomplianceQuery{
		Filter: jobmanager.IncomplianceFilter{IDs: ids}, Page: jobmanager.PageRequest{First: mostNodes},
	})
	if err != nil {
		return err
	}
	for _, incompliance := range page.Nodes() {
		found[incompliance.ID] = incompliance
	}
	return nil
}

// findJobs reads jobs by their ids, or resources through their jobs, in one page.
func (s *Service) findJobs(ctx context.Context, p jobmanager.Principal, query jobmanager.JobQuery, found map[jobmanager.ID]jobmanager.Node) error {
	if len(query.Filter.IDs) == 0 && len(query.ResourceIDs) == 0 {
		return nil
	}
	query.Page = jobmanager.PageRequest{First: mostNodes}
	page, err := s.Jobs(ctx, p, query)
	if err != nil {
		return err
	}
	for _, job := range page.Nodes() {
		if query.ResourceIDs == nil {
			found[job.ID] = job
			continue
		}
		job.Resource.Job = job
		found[job.Resource.ID] = job.Resource
	}
	return nil
}

// Agents gives a page of the agents that were ever heard of. Every reader may.
func (s *Service) Agents(ctx context.Context, p jobmanager.Principal, query jobmanager.AgentQuery) (*jobmanager.AgentConnection, error) {
	if err := p.Need(readers()...); err != nil {
		return nil, err
	}
	query.Scope = p.Scope()
	return s.Store.Agents(ctx, query)
}

// Events gives a page of the log, oldest first. CURSOR_EXPIRED for a cursor of another database, ahead of
// the log, or older than what is kept.
func (s *Service) Events(ctx context.Context, p jobmanager.Principal, after jobmanager.Cursor, filter jobmanager.EventFilter, first int) (*jobmanager.EventConnection, error) {
	if err := p.Need(readers()...); err != nil {
		return nil, err
	}
	var revision jobmanager.Revision
	if after != "" {
		var err error
		if revision, err = s.place(ctx, after); err != nil {
			return nil, err
		}
	}
	return s.Store.EventPage(ctx, p.Scope(), filter, revision, first)
}

// place turns a client's cursor into a revision of this database.
func (s *Service) place(ctx context.Context, after jobmanager.Cursor) (jobmanager.Revision, error) {
	incarnation, revision, err := after.Parse()
	if err != nil {
		return 0, err
	}
	head, err := s.Store.Head(ctx)
	if err != nil {
		return 0, err
	}
	ours, newest, err := head.Parse()
	if err != nil {
		return 0, err
	}
	if incarnation != ours || revision > newest {
		return 0, jobmanager.Errorf(jobmanager.CodeCursorExpired, "the cursor is of another database or an earlier state of it: list again and follow from there")
	}
	return revision, nil
}

// ServerInfo tells what this server is. Every reader may.
func (s *Service) ServerInfo(ctx context.Context, p jobmanager.Principal) (*ServerInfo, error) {
	if err := p.Need(readers()...); err != nil {
		return nil, err
	}
	head, err := s.Store.Head(ctx)
	if err != nil {
		return nil, err
	}
	incarnation, _, err := head.Parse()
	return &ServerInfo{
		Version: s.Info.Version, Database: s.Info.Database, Incarnation: incarnation, Revision: head, Time: s.Clock.Now(),
	}, err
}
