package store

import (
	"context"
	"slices"

	"github.com/uptrace/bun"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// RecordIncompliance answers an incompliance at the jobs that it is about, and stores it; see jobmanager.Writer.
// Its own event comes first, then those of its jobs. Where its app instance names a group of the scope, no job
// outside that group is picked.
//
// Errors: CONFLICT when the id of the incompliance is taken, or others kept changing the same jobs; INVALID for an
// id that is none; UNAVAILABLE.
func (s *Store) RecordIncompliance(
	ctx context.Context, scope jobmanager.Scope, actor string, incompliance *jobmanager.Incompliance, rule jobmanager.RemedyRule,
) error {
	if err := checkIDs(incompliance.ID); err != nil {
		return err
	}
	return s.inWrite(ctx, actor, func(ctx context.Context, w *writing) error {
		group, list, err := w.subjectOf(ctx, scope, incompliance.Subject)
		if err != nil {
			return err
		}
		incompliance.GroupID, incompliance.Reason = group.ID, ""
		if group.ID != "" {
			incompliance.Tenant = group.Tenant
		} else if len(list) > 0 {
			list = ofOneTenant(list)
			incompliance.GroupID, incompliance.Tenant = list[0].job.GroupID, list[0].job.Tenant
		}
		answers := make([]jobmanager.Remediation, len(list))
		for i, t := range list {
			answers[i], t.events = rule(t.job, w.now)
		}
		w.tell(incompliance.Settle(answers, w.now))
		if err := w.storeAndSettle(ctx, list); err != nil {
			return err
		}
		row, err := newIncomplianceRow(incompliance)
		if err != nil {
			return err
		}
		// Last of all: who waits here for another transaction with the same id holds the jobs that it needs no more.
		if _, err := w.tx.NewInsert().Model(&row).Exec(ctx); err != nil {
			return err
		}
		w.answers = answers
		return nil
	})
}

// subjectOf finds and locks the jobs that a subject is about, in the order of their ids, and gives the group that
// its app instance names.
func (w *writing) subjectOf(ctx context.Context, scope jobmanager.Scope, subject jobmanager.Subject) (groupRow, []*tracked, error) {
	group, err := w.namedGroup(ctx, scope, subject)
	if err != nil {
		return group, nil, err
	}
	if group.ID != "" && subject.AppComponent != "" {
		picked, err := w.pickedMembers(ctx, group.ID, subject)
		if err != nil || len(picked) > 0 {
			return group, picked, err
		}
	}
	list, err := w.jobsOfResource(ctx, scope, group.ID, subject.ResourceID)
	return group, list, err
}

// ofOneTenant keeps the jobs of the first one's tenant: uids are unique within a cluster at best, and nobody is told
// of what is another's.
func ofOneTenant(list []*tracked) []*tracked {
	tenant := list[0].job.Tenant
	return slices.DeleteFunc(list, func(t *tracked) bool { return t.job.Tenant != tenant })
}

// namedGroup is the group that the subject's app instance names, with id and tenant; zero when there is none in the
// scope.
func (w *writing) namedGroup(ctx context.Context, scope jobmanager.Scope, subject jobmanager.Subject) (groupRow, error) {
	id, err := jobmanager.ParseID(string(subject.AppInstance))
	if err != nil {
		return groupRow{}, nil //nolint:nilerr // what is no id names no group
	}
	var found []groupRow
	q := w.tx.NewSelect().Model(&found).Column("id", "tenant").Where("job_group.id = ?", id)
	if err := within(q, "job_group", scope).Scan(ctx); err != nil || len(found) == 0 {
		return groupRow{}, err
	}
	return found[0], nil
}

// pickedMembers gives the jobs of a group that the subject picks by the names of component and resource.
func (w *writing) pickedMembers(ctx context.Context, group jobmanager.ID, subject jobmanager.Subject) ([]*tracked, error) {
	list, err := w.lockedJobs(ctx, func(q *bun.SelectQuery) *bun.SelectQuery {
		return w.store.dialect.lock(q.Where("job.group_id = ?", group).Order("job.id"))
	})
	if err != nil || len(list) == 0 {
		return nil, err
	}
	var past []pastResourceRow
	members := w.tx.NewSelect().Model((*jobRow)(nil)).Column("id").Where("job.group_id = ?", group)
	if err := w.tx.NewSelect().Model(&past).Where("past_resource.job_id IN (?)", members).Scan(ctx); err != nil {
		return nil, err
	}
	names := map[jobmanager.ID][]string{}
	for _, row := range past {
		names[row.JobID] = append(names[row.JobID], row.Name)
	}
	for _, t := range list {
		names[t.job.ID] = append(names[t.job.ID], t.job.Component)
		if t.job.Resource != nil {
			names[t.job.ID] = append(names[t.job.ID], t.job.Resource.Name)
		}
	}
	picks := subject.Picker()
	return slices.DeleteFunc(list, func(t *tracked) bool { return !picks(names[t.job.ID]...) }), nil
}

// jobsOfResource gives the jobs whose resource has or had this uid of its orchestrator, else the one whose
// resource has it as our id; bounded by the group where one is named.
func (w *writing) jobsOfResource(
	ctx context.Context, scope jobmanager.Scope, group jobmanager.ID, resource jobmanager.Text,
) ([]*tracked, error) {
	if resource == "" {
		return nil, nil
	}
	locked := func(jobs *bun.SelectQuery) ([]*tracked, error) {
		return w.lockedJobs(ctx, func(q *bun.SelectQuery) *bun.SelectQuery {
			q = within(q.Where("job.id IN (?)", jobs), "job", scope)
			if group != "" {
				q = q.Where("job.group_id = ?", group)
			}
			return w.store.dialect.lock(q.Order("job.id").Limit(jobmanager.LongestPage))
		})
	}
	withUID := func(model any) *bun.SelectQuery {
		return w.tx.NewSelect().Model(model).Column("job_id").Where("uid = ?", plain(resource))
	}
	list, err := locked(withUID((*resourceRow)(nil)).UnionAll(withUID((*pastResourceRow)(nil))))
	if err != nil || len(list) > 0 {
		return list, err
	}
	id, err := jobmanager.ParseID(string(resource))
	if err != nil {
		return nil, nil //nolint:nilerr // what is no id is no resource of ours
	}
	return locked(w.tx.NewSelect().Model((*resourceRow)(nil)).Column("job_id").Where("resource.id = ?", id))
}

// writeAnswers brings what became of incompliances up to date: each answer once, as it was told last, for one
// statement may not write a row twice.
func (w *writing) writeAnswers(ctx context.Context) error {
	answers := slices.Clone(w.answers)
	for i := range w.events {
		if answer := w.events[i].Remediation; answer != nil {
			answers = append(answers, *answer)
		}
	}
	if len(answers) == 0 {
		return nil
	}
	type key struct{ incompliance, job jobmanager.ID }
	place := make(map[key]int, len(answers))
	rows := make([]remediationRow, 0, len(answers))
	for _, answer := range answers {
		k := key{answer.IncomplianceID, answer.JobID}
		if at, known := place[k]; known {
			rows[at] = newRemediationRow(answer)
			continue
		}
		place[k] = len(rows)
		rows = append(rows, newRemediationRow(answer))
	}
	_, err := w.tx.NewInsert().Model(&rows).On("CONFLICT (incompliance_id, job_id) DO UPDATE").
		Set("component = EXCLUDED.component").Set("sub_type = EXCLUDED.sub_type").Set("outcome = EXCLUDED.outcome").
		Set("reason = EXCLUDED.reason").Set("generation = EXCLUDED.generation").Set("updated_at = EXCLUDED.updated_at").
		Exec(ctx)
	return err
}
