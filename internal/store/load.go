package store

import (
	"context"
	"maps"
	"slices"

	"github.com/uptrace/bun"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// mostAttempts is how many attempts of a job are shown, the newest.
const mostAttempts = 20

// jobsOf makes jobs of rows.
func jobsOf(rows []jobRow) ([]*jobmanager.Job, error) {
	jobs := make([]*jobmanager.Job, len(rows))
	for i := range rows {
		job, err := rows[i].job()
		if err != nil {
			return nil, err
		}
		jobs[i] = job
	}
	return jobs, nil
}

// index finds jobs by id and lists the ids.
func index(jobs []*jobmanager.Job) (map[jobmanager.ID]*jobmanager.Job, []jobmanager.ID) {
	byID := make(map[jobmanager.ID]*jobmanager.Job, len(jobs))
	ids := make([]jobmanager.ID, len(jobs))
	for i, job := range jobs {
		byID[job.ID], ids[i] = job, job.ID
	}
	return byID, ids
}

// loadResources gives jobs their resources: one statement, none for no job.
func loadResources(ctx context.Context, db bun.IDB, jobs []*jobmanager.Job) error {
	if len(jobs) == 0 {
		return nil
	}
	byID, ids := index(jobs)
	var rows []resourceRow
	if err := db.NewSelect().Model(&rows).Where("resource.job_id IN (?)", bun.List(ids)).Scan(ctx); err != nil {
		return err
	}
	for i := range rows {
		resource, err := rows[i].resource()
		if err != nil {
			return err
		}
		byID[resource.JobID].Resource = resource
	}
	return nil
}

// load gives jobs their resources and whatever else is wanted: one statement for each kind of thing.
func (v *view) load(ctx context.Context, jobs []*jobmanager.Job, want jobmanager.JobLoad) error {
	if len(jobs) == 0 {
		return nil
	}
	if err := loadResources(ctx, v.tx, jobs); err != nil {
		return err
	}
	loadGroups := func(ctx context.Context, jobs []*jobmanager.Job) error { return v.loadGroups(ctx, jobs, *want.Group) }
	steps := []struct {
		wanted bool
		load   func(context.Context, []*jobmanager.Job) error
	}{
		{want.Manifests, v.loadManifests},
		{want.Attempts, v.loadAttempts},
		{want.Group != nil, loadGroups},
		{want.Presence, v.loadPresence},
	}
	for _, step := range steps {
		if !step.wanted {
			continue
		}
		if err := step.load(ctx, jobs); err != nil {
			return err
		}
	}
	return nil
}

func (v *view) loadManifests(ctx context.Context, jobs []*jobmanager.Job) error {
	byID, ids := index(jobs)
	var rows []manifestRow
	err := v.tx.NewSelect().Model(&rows).Where("manifest.job_id IN (?)", bun.List(ids)).
		Order("manifest.job_id", "manifest.position").Scan(ctx)
	if err != nil {
		return err
	}
	for _, job := range jobs {
		job.Manifests = []jobmanager.Manifest{}
	}
	for _, row := range rows {
		job := byID[row.JobID]
		job.Manifests = append(job.Manifests, jobmanager.Manifest{
			Name: row.Name, APIVersion: row.APIVersion, Kind: row.Kind, Text: row.Text,
		})
	}
	return nil
}

// loadAttempts gives the newest attempts of each job, the oldest of them first.
func (v *view) loadAttempts(ctx context.Context, jobs []*jobmanager.Job) error {
	byID, ids := index(jobs)
	ranked := v.tx.NewSelect().Model((*attemptRow)(nil)).Column("*").
		ColumnExpr("row_number() OVER (PARTITION BY attempt.job_id ORDER BY attempt.epoch DESC) AS place").
		Where("attempt.job_id IN (?)", bun.List(ids))
	var rows []attemptRow
	err := v.tx.NewSelect().Model(&rows).ModelTableExpr("(?) AS attempt", ranked).
		Where("attempt.place <= ?", mostAttempts).Order("attempt.job_id", "attempt.epoch").Scan(ctx)
	if err != nil {
		return err
	}
	for _, job := range jobs {
		job.Attempts = []jobmanager.Attempt{}
	}
	for i := range rows {
		job, attempt := byID[rows[i].JobID], rows[i].attempt()
		if attempt.Epoch == job.Last.Epoch { // of the others it is not kept
			attempt.Client, attempt.Alone = job.Last.Client, job.Last.Alone
		}
		job.Attempts = append(job.Attempts, attempt)
	}
	return nil
}

// loadGroups gives jobs their groups with what is wanted of them; jobs of one group share it.
func (v *view) loadGroups(ctx context.Context, jobs []*jobmanager.Job, want jobmanager.GroupLoad) error {
	wanted := map[jobmanager.ID]bool{}
	for _, job := range jobs {
		wanted[job.GroupID] = true
	}
	groups, err := scanGroups(ctx, v.groups(want).Where("job_group.id IN (?)", bun.List(slices.Collect(maps.Keys(wanted)))))
	if err != nil {
		return err
	}
	byID := groupsByID(groups)
	for _, job := range jobs {
		job.Group = byID[job.GroupID]
	}
	return v.loadGroupParts(ctx, groups, want)
}
