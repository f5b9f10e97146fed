package rest

import (
	"context"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/service"
)

// groupsAtATime is how many groups of a whole list are read at once; each comes with all its jobs.
const groupsAtATime = 50

// groupLoad is what the JSON of a group shows, but for jobs beyond the longest page.
func groupLoad() jobmanager.GroupLoad {
	return jobmanager.GroupLoad{
		Jobs: &jobmanager.PageRequest{First: jobmanager.LongestPage}, JobLoad: jobmanager.JobLoad{Manifests: true},
	}
}

// groups reads groups, the oldest first: what comes while a list is read stands at its end.
func (d *Door) groups() pager {
	return pager{groupsAtATime, func(ctx context.Context, p jobmanager.Principal, request jobmanager.PageRequest) (page, error) {
		groups, err := d.service.JobGroups(ctx, p, jobmanager.JobGroupQuery{
			Order: jobmanager.JobGroupOrder{Direction: jobmanager.Ascending}, Page: request, Load: groupLoad(),
		})
		if err != nil {
			return page{}, err
		}
		for _, group := range groups.Nodes() {
			if err := d.fill(ctx, p, group); err != nil {
				return page{}, err
			}
		}
		return shownPage(groups, showGroup), nil
	}}
}

// fill gives a group all its jobs, out of the page that was loaded with it and, where that is not all, of more.
func (d *Door) fill(ctx context.Context, p jobmanager.Principal, group *jobmanager.JobGroup) error {
	jobs := group.JobPage.Connection
	for {
		group.Jobs = append(group.Jobs, jobs.Nodes()...)
		if !jobs.PageInfo.HasNextPage {
			return nil
		}
		var err error
		jobs, err = d.service.Jobs(ctx, p, jobmanager.JobQuery{
			Filter: jobmanager.JobFilter{JobGroupIDs: []jobmanager.ID{group.ID}},
			Order:  jobmanager.JobOrder{Direction: jobmanager.Ascending},
			Page:   jobmanager.PageRequest{First: jobmanager.LongestPage, After: string(jobs.PageInfo.EndCursor)},
			Load:   jobmanager.JobLoad{Manifests: true},
		})
		if err != nil {
			return err
		}
	}
}

func (d *Door) group(ctx context.Context, p jobmanager.Principal, id jobmanager.ID) (*jobmanager.JobGroup, error) {
	group, err := d.service.JobGroup(ctx, p, id, groupLoad())
	if err != nil {
		return nil, err
	}
	if group == nil {
		return nil, jobmanager.Errorf(jobmanager.CodeNotFound, textNoGroup)
	}
	return group, d.fill(ctx, p, group)
}

// after gives a group as it is after a change: what a change answers has no manifests.
func (d *Door) after(ctx context.Context, p jobmanager.Principal, id jobmanager.ID, err error) (*jobmanager.JobGroup, error) {
	if err != nil {
		return nil, err
	}
	return d.group(ctx, p, id)
}

func (d *Door) createGroup(ctx context.Context, p jobmanager.Principal, descriptor string) (*jobmanager.JobGroup, error) {
	created, err := d.service.CreateJobGroup(ctx, p, service.CreateJobGroupInput{Descriptor: descriptor})
	if err != nil {
		return nil, err
	}
	return created.JobGroup, nil
}

func (d *Door) stopGroup(ctx context.Context, p jobmanager.Principal, id jobmanager.ID) (*jobmanager.JobGroup, error) {
	_, err := d.service.StopJobGroup(ctx, p, service.StopJobGroupInput{JobGroupID: id})
	return d.after(ctx, p, id, err)
}

func (d *Door) startGroup(ctx context.Context, p jobmanager.Principal, id jobmanager.ID) (*jobmanager.JobGroup, error) {
	_, err := d.service.StartJobGroup(ctx, p, service.StartJobGroupInput{JobGroupID: id})
	return d.after(ctx, p, id, err)
}

func (d *Door) patchGroup(ctx context.Context, p jobmanager.Principal, input service.PatchJobGroupInput) (*jobmanager.JobGroup, error) {
	_, err := d.service.PatchJobGroup(ctx, p, input)
	return d.after(ctx, p, input.JobGroupID, err)
}

func (d *Door) updateGroup(ctx context.Context, p jobmanager.Principal, update groupUpdate) (*jobmanager.JobGroup, error) {
	_, err := d.service.UpdateByHeader(ctx, p, update.groupID, update.descriptor)
	return d.after(ctx, p, update.groupID, err)
}

// deleteGroup gives the group as it was.
func (d *Door) deleteGroup(ctx context.Context, p jobmanager.Principal, id jobmanager.ID) (*jobmanager.JobGroup, error) {
	group, err := d.group(ctx, p, id)
	if err != nil {
		return nil, err
	}
	_, err = d.service.DeleteJobGroup(ctx, p, service.DeleteJobGroupInput{JobGroupID: id})
	return group, err
}
