package service_test

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// tables are the database as it stands between two steps.
type tables struct {
	groups        map[jobmanager.ID]*jobmanager.JobGroup
	jobs          map[jobmanager.ID]*jobmanager.Job
	incompliances map[jobmanager.ID]*jobmanager.Incompliance
	// order are the jobs' ids, the oldest first.
	order []jobmanager.ID
}

// readTables reads all of it, through the service as everyone does.
func readTables(ctx context.Context, s *server) (*tables, error) {
	t := &tables{
		groups: map[jobmanager.ID]*jobmanager.JobGroup{}, jobs: map[jobmanager.ID]*jobmanager.Job{},
		incompliances: map[jobmanager.ID]*jobmanager.Incompliance{},
	}
	page := jobmanager.PageRequest{First: jobmanager.LongestPage}
	groups, err := s.JobGroups(ctx, admin(), jobmanager.JobGroupQuery{Page: page, Load: jobmanager.GroupLoad{Descriptor: true}})
	if err != nil {
		return nil, err
	}
	jobs, err := s.Jobs(ctx, admin(), jobmanager.JobQuery{
		Page: page, Load: jobmanager.JobLoad{Manifests: true, Attempts: true},
		Order: jobmanager.JobOrder{Field: jobmanager.JobsByCreatedAt, Direction: jobmanager.Ascending},
	})
	if err != nil {
		return nil, err
	}
	incompliances, err := s.Incompliances(ctx, admin(), jobmanager.IncomplianceQuery{Page: page})
	if err != nil {
		return nil, err
	}
	if groups.PageInfo.HasNextPage || jobs.PageInfo.HasNextPage || incompliances.PageInfo.HasNextPage {
		return nil, errors.New("the test made more than a page of objects")
	}
	for _, group := range groups.Nodes() {
		t.groups[group.ID] = group
	}
	for _, job := range jobs.Nodes() {
		t.jobs[job.ID] = job
		t.order = append(t.order, job.ID)
	}
	for _, incompliance := range incompliances.Nodes() {
		t.incompliances[incompliance.ID] = incompliance
	}
	return t, nil
}

// changed compares two readings in every field; empty when nothing changed.
func (t *tables) changed(after *tables) string {
	return cmp.Diff(t, after, cmp.AllowUnexported(tables{}))
}

// readLog reads the events after a revision.
func readLog(ctx context.Context, s *server, after jobmanager.Revision) ([]*jobmanager.Event, error) {
	const most = 100_000 // far more than a test writes between two looks
	events, err := s.store.Events(ctx, after, most)
	if err == nil && len(events) == most {
		err = fmt.Errorf("more than %d events were written", most)
	}
	return events, err
}

// manifestText is what a job has to apply, in one text.
func manifestText(manifests []jobmanager.Manifest) string {
	var text strings.Builder
	for _, manifest := range manifests {
		text.WriteString(manifest.Text + "\n")
	}
	return text.String()
}
