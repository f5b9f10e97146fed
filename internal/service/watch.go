package service

import (
	"context"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// MessageKind is what a message of a subscription tells.
type MessageKind string

// The kinds of messages.
const (
	Snapshot MessageKind = "SNAPSHOT"
	Entered  MessageKind = "ENTERED"
	Changed  MessageKind = "CHANGED"
	Left     MessageKind = "LEFT"
	Bookmark MessageKind = "BOOKMARK"
)

// JobMessage is a message about a job.
type JobMessage struct {
	Kind   MessageKind
	Cursor jobmanager.Cursor
	Job    *jobmanager.Job
}

// JobGroupMessage is a message about an application.
type JobGroupMessage struct {
	Kind     MessageKind
	Cursor   jobmanager.Cursor
	JobGroup *jobmanager.JobGroup
}

// ResourceMessage is a message about a resource.
type ResourceMessage struct {
	Kind     MessageKind
	Cursor   jobmanager.Cursor
	Resource *jobmanager.Resource
	Job      *jobmanager.Job
}

// WatchOptions are what every watch can be asked for.
type WatchOptions struct {
	// After is the cursor to resume behind; empty begins with a snapshot.
	After jobmanager.Cursor
	// Ended is told why a watch ended before its context did, just before its channel is closed. Never nil.
	Ended func(error)
}

// LargestSnapshot bounds what a watch begins with.
const LargestSnapshot = 1000

// watch is what differs between the kinds of watches.
type watch[M any] struct {
	WatchOptions
	scope jobmanager.Scope
	// snapshot gives the objects as they are, and the cursor up to which they are so.
	snapshot func(ctx context.Context) ([]M, jobmanager.Cursor, error)
	// message is what an event means to the watcher; nil when nothing.
	message func(e *jobmanager.Event) *M
	// bookmark tells how far all was told.
	bookmark func(jobmanager.Cursor) M
}

// WatchJobs sends what happens to the jobs that the filter picks. Every reader may. SNAPSHOT_TOO_LARGE,
// CURSOR_EXPIRED. The channel is closed when ctx ends.
func (s *Service) WatchJobs(ctx context.Context, p jobmanager.Principal, filter jobmanager.JobFilter, load jobmanager.JobLoad, options WatchOptions) (<-chan *JobMessage, error) {
	return start(ctx, s, p, watch[JobMessage]{
		WatchOptions: options, scope: p.Scope(),
		snapshot: func(ctx context.Context) ([]JobMessage, jobmanager.Cursor, error) {
			jobs, head, err := s.snapshotJobs(ctx, p, jobmanager.JobQuery{Filter: filter, Load: load})
			messages := make([]JobMessage, 0, len(jobs))
			for _, job := range jobs {
				messages = append(messages, JobMessage{Kind: Snapshot, Job: job})
			}
			return messages, head, err
		},
		message: func(e *jobmanager.Event) *JobMessage {
			if e.Job == nil {
				return nil
			}
			before := e.Former.Existed && filter.Watched(e.Job, e.Former)
			now := e.Type != jobmanager.JobDeleted && filter.Watched(e.Job, e.Job.Now())
			if kind := change(before, now); kind != "" {
				return &JobMessage{Kind: kind, Cursor: e.Cursor(), Job: e.Job}
			}
			return nil
		},
		bookmark: func(c jobmanager.Cursor) JobMessage { return JobMessage{Kind: Bookmark, Cursor: c} },
	})
}

// WatchJobGroups sends what happens to the applications that the filter picks, as wholes. As WatchJobs.
func (s *Service) WatchJobGroups(ctx context.Context, p jobmanager.Principal, filter jobmanager.JobGroupFilter, load jobmanager.GroupLoad, options WatchOptions) (<-chan *JobGroupMessage, error) {
	return start(ctx, s, p, watch[JobGroupMessage]{
		WatchOptions: options, scope: p.Scope(),
		snapshot: func(ctx context.Context) ([]JobGroupMessage, jobmanager.Cursor, error) {
			page, err := s.JobGroups(ctx, p, jobmanager.JobGroupQuery{
				Filter: filter, Load: load, Page: jobmanager.PageRequest{First: LargestSnapshot},
			})
			if err != nil {
				return nil, "", err
			}
			messages := make([]JobGroupMessage, 0, len(page.Edges))
			for _, group := range page.Nodes() {
				messages = append(messages, JobGroupMessage{Kind: Snapshot, JobGroup: group})
			}
			return messages, page.Revision, tooLarge(page.PageInfo)
		},
		message: func(e *jobmanager.Event) *JobGroupMessage {
			if e.Group == nil {
				return nil
			}
			before := e.Former.Existed && filter.Watched(e.Group, e.Former.Phase)
			now := e.Type != jobmanager.JobGroupDeleted && filter.Watched(e.Group, e.Group.Phase)
			if kind := change(before, now); kind != "" {
				return &JobGroupMessage{Kind: kind, Cursor: e.Cursor(), JobGroup: e.Group}
			}
			return nil
		},
		bookmark: func(c jobmanager.Cursor) JobGroupMessage { return JobGroupMessage{Kind: Bookmark, Cursor: c} },
	})
}

// WatchResources sends what happens to the resources of the jobs that the filter picks. As WatchJobs.
func (s *Service) WatchResources(ctx context.Context, p jobmanager.Principal, filter jobmanager.ResourceFilter, load jobmanager.JobLoad, options WatchOptions) (<-chan *ResourceMessage, error) {
	jobs := filter.Jobs()
	return start(ctx, s, p, watch[ResourceMessage]{
		WatchOptions: options, scope: p.Scope(),
		snapshot: func(ctx context.Context) ([]ResourceMessage, jobmanager.Cursor, error) {
			found, head, err := s.snapshotJobs(ctx, p, jobmanager.JobQuery{Filter: jobs, Load: load, WithResource: true})
			messages := make([]ResourceMessage, 0, len(found))
			for _, job := range found {
				messages = append(messages, ResourceMessage{Kind: Snapshot, Resource: job.Resource, Job: job})
			}
			return messages, head, err
		},
		message:  func(e *jobmanager.Event) *ResourceMessage { return resourceMessage(jobs, e) },
		bookmark: func(c jobmanager.Cursor) ResourceMessage { return ResourceMessage{Kind: Bookmark, Cursor: c} },
	})
}

// resourceMessage is what an event means to who watches the resources of these jobs.
func resourceMessage(jobs jobmanager.JobFilter, e *jobmanager.Event) *ResourceMessage {
	if e.Job == nil {
		return nil
	}
	resource := e.Job.Resource
	if e.Removed != nil {
		resource = e.Removed
	}
	about := e.Type == jobmanager.ResourceReported || e.Type == jobmanager.ResourceRemoved
	before := e.Former.HadResource && jobs.Watched(e.Job, e.Former)
	now := e.Job.Resource != nil && e.Type != jobmanager.JobDeleted && jobs.Watched(e.Job, e.Job.Now())
	kind := change(before, now)
	if resource == nil || kind == "" || kind == Changed && !about {
		return nil
	}
	return &ResourceMessage{Kind: kind, Cursor: e.Cursor(), Resource: resource, Job: e.Job}
}

// change names what became of an object to a watcher; empty when it was and is none of its objects.
func change(before, now bool) MessageKind {
	switch {
	case before && now:
		return Changed
	case now:
		return Entered
	case before:
		return Left
	}
	return ""
}

// snapshotJobs reads the jobs that a watch begins with.
func (s *Service) snapshotJobs(ctx context.Context, p jobmanager.Principal, query jobmanager.JobQuery) ([]*jobmanager.Job, jobmanager.Cursor, error) {
	query.Page = jobmanager.PageRequest{First: LargestSnapshot}
	page, err := s.Jobs(ctx, p, query)
	if err != nil {
		return nil, "", err
	}
	return page.Nodes(), page.Revision, tooLarge(page.PageInfo)
}

func tooLarge(info jobmanager.PageInfo) error {
	if !info.HasNextPage {
		return nil
	}
	return jobmanager.Errorf(jobmanager.CodeSnapshotTooLarge, "more than %d objects match: page the list and watch after its revision", LargestSnapshot)
}
