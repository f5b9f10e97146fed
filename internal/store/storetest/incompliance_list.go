package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

func testIncompliancePages(t *testing.T, b *bench) {
	group, other := b.runningGroup("first", 2), b.runningGroup("second", 1)
	var made []*jobmanager.Incompliance
	record := func(remediation string, subject jobmanager.Subject) *jobmanager.Incompliance {
		t.Helper()
		i := b.mustRecord(remediation, subject)
		made = append([]*jobmanager.Incompliance{i}, made...)
		if len(made)%2 == 0 {
			b.clock.Advance(time.Microsecond)
		}
		return i
	}
	whole := jobmanager.Subject{AppInstance: jobmanager.Text(group.ID), AppComponent: "*"}
	patched := record("patch", whole)
	unknown := record("dance", jobmanager.Subject{AppInstance: jobmanager.Text(group.ID), AppComponent: "part-001"})
	foreign := record("scale-out", jobmanager.Subject{AppInstance: jobmanager.Text(other.ID), AppComponent: "*"})
	nobodys := record("patch", jobmanager.Subject{ResourceID: "x"})
	b.mustChange(group.ID, stopChange().Rule)
	late := record("patch", whole)
	all := b.incompliances(jobmanager.IncomplianceFilter{})
	same(t, idsOf(all), incomplianceIDs(made...))
	answer := all.Nodes()[0].Remediations[1]
	same(t, answer.Job, b.MustJob(group.Jobs[1].ID), cmpopts.IgnoreFields(jobmanager.Job{}, "Attempts", "Presence", "Group"))
	if answer.Job.Group == nil || answer.Job.Group.Name != "first" {
		t.Errorf("the job of a remediation came without its group")
	}
	type filter = jobmanager.IncomplianceFilter
	job := group.Jobs[1].ID
	for name, c := range map[string]struct {
		filter filter
		want   []*jobmanager.Incompliance
	}{
		"ids":                {filter{IDs: []jobmanager.ID{nobodys.ID, foreign.ID, newID()}}, []*jobmanager.Incompliance{nobodys, foreign}},
		"groups":             {filter{JobGroupIDs: []jobmanager.ID{group.ID}}, []*jobmanager.Incompliance{late, unknown, patched}},
		"a job":              {filter{JobIDs: []jobmanager.ID{group.Jobs[0].ID}}, []*jobmanager.Incompliance{late, patched}},
		"outcomes":           {filter{Outcomes: []jobmanager.RemediationOutcome{jobmanager.RemediationDropped, jobmanager.RemediationStarted}}, []*jobmanager.Incompliance{foreign, patched}},
		"a job's outcome":    {filter{JobIDs: []jobmanager.ID{job}, Outcomes: []jobmanager.RemediationOutcome{jobmanager.RemediationRefused}}, []*jobmanager.Incompliance{late, unknown}},
		"of one remediation": {filter{JobIDs: []jobmanager.ID{job}, Outcomes: []jobmanager.RemediationOutcome{jobmanager.RemediationStarted}}, nil},
	} {
		if got := idsOf(b.incompliances(c.filter)); !slices.Equal(got, incomplianceIDs(c.want...)) {
			t.Errorf("%s: %d incompliances, want %d", name, len(got), len(c.want))
		}
	}
	b.walkIncompliances(made)
}

// incompliances lists what a filter picks, with jobs, and holds it against the filter in Go.
func (b *bench) incompliances(filter jobmanager.IncomplianceFilter) *jobmanager.IncomplianceConnection {
	b.t.Helper()
	list, err := b.Incompliances(b.t.Context(), jobmanager.IncomplianceQuery{
		Scope: everything(), Filter: filter, Page: jobmanager.PageRequest{First: 50},
		Jobs: &jobmanager.JobLoad{Manifests: true, Group: &jobmanager.GroupLoad{}},
	})
	b.must(err)
	for _, i := range list.Nodes() {
		if !filter.Watched(i) {
			b.t.Errorf("%+v gave %s, which the filter in Go refuses", filter, i.ID)
		}
	}
	return list
}

// walkIncompliances reads the list page by page, and asks for what is refused.
func (b *bench) walkIncompliances(made []*jobmanager.Incompliance) {
	b.t.Helper()
	got := walk(b, 2, func(request jobmanager.PageRequest) ([]jobmanager.ID, jobmanager.PageInfo) {
		page, err := b.Incompliances(b.t.Context(), jobmanager.IncomplianceQuery{Scope: everything(), Page: request})
		b.must(err)
		return idsOf(page), page.PageInfo
	})
	same(b.t, got, incomplianceIDs(made...))
	hidden, err := b.Incompliances(b.t.Context(), jobmanager.IncomplianceQuery{Scope: jobmanager.Scope{Tenant: "other"}, Page: jobmanager.PageRequest{First: 5}})
	b.must(err)
	if len(hidden.Edges) != 0 {
		b.t.Errorf("another tenant sees %d incompliances", len(hidden.Edges))
	}
	for _, query := range []jobmanager.IncomplianceQuery{
		{Page: jobmanager.PageRequest{First: 5, After: "x"}}, {Filter: jobmanager.IncomplianceFilter{IDs: []jobmanager.ID{"x"}}},
		{Filter: jobmanager.IncomplianceFilter{JobIDs: []jobmanager.ID{"x"}}}, {Filter: jobmanager.IncomplianceFilter{JobGroupIDs: []jobmanager.ID{"x"}}},
	} {
		_, err := b.Incompliances(b.t.Context(), query)
		b.wantCode(err, jobmanager.CodeInvalid)
	}
}

func incomplianceIDs(list ...*jobmanager.Incompliance) []jobmanager.ID {
	out := []jobmanager.ID{}
	for _, i := range list {
		out = append(out, i.ID)
	}
	return out
}

func idsOf(page *jobmanager.IncomplianceConnection) []jobmanager.ID {
	return incomplianceIDs(page.Nodes()...)
}
