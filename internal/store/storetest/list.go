package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// walk reads a list page by page and gives its ids.
func walk(b *bench, first int, page func(jobmanager.PageRequest) (list []jobmanager.ID, info jobmanager.PageInfo)) []jobmanager.ID {
	b.t.Helper()
	var all []jobmanager.ID
	request := jobmanager.PageRequest{First: first}
	for range 100 {
		list, info := page(request)
		all = append(all, list...)
		if info.HasPreviousPage != (request.After != "") || len(list) > first {
			b.t.Fatalf("a page of %d has %d objects: %+v", first, len(list), info)
		}
		if !info.HasNextPage {
			return all
		}
		request.After = string(info.EndCursor)
	}
	b.t.Fatal("the list does not end")
	return nil
}

func testGroupPages(t *testing.T, b *bench) {
	var made []*jobmanager.JobGroup
	for i := range 7 { // equal times and equal names among them
		made = append(made, b.MustCreate([]string{"b", "a", "Ä", "B"}[i%4], 1))
		if i%3 == 2 {
			b.clock.Advance(time.Microsecond)
		}
	}
	b.MustUpdate(b.claimRule("a"), made[1].Jobs...) // moves the group's time of change
	for _, field := range []jobmanager.JobGroupOrderField{"", jobmanager.JobGroupsByCreatedAt, jobmanager.JobGroupsByUpdatedAt, jobmanager.JobGroupsByName} {
		for _, direction := range []jobmanager.OrderDirection{jobmanager.Ascending, jobmanager.Descending} {
			order := jobmanager.JobGroupOrder{Field: field, Direction: direction}
			var nodes []*jobmanager.JobGroup
			got := walk(b, 2, func(request jobmanager.PageRequest) ([]jobmanager.ID, jobmanager.PageInfo) {
				list, err := b.JobGroups(t.Context(), jobmanager.JobGroupQuery{Scope: everything(), Order: order, Page: request})
				b.must(err)
				var page []jobmanager.ID
				for _, group := range list.Nodes() {
					nodes, page = append(nodes, group), append(page, group.ID)
				}
				return page, list.PageInfo
			})
			b.checkWalk(order, got, len(made), slices.IsSortedFunc(nodes, compareGroups(order)))
		}
	}
	newest, err := b.JobGroups(t.Context(), jobmanager.JobGroupQuery{Scope: everything(), Page: jobmanager.PageRequest{First: 1}})
	b.must(err)
	if newest.Nodes()[0].ID != made[6].ID {
		t.Errorf("without an order the newest is not first")
	}
}

func (b *bench) checkWalk(order any, got []jobmanager.ID, want int, sorted bool) {
	b.t.Helper()
	unique := slices.Clone(got)
	slices.Sort(unique)
	if len(got) != want || len(slices.Compact(unique)) != want || !sorted {
		b.t.Errorf("%+v: %d objects (%d different, sorted %v), want %d", order, len(got), len(slices.Compact(unique)), sorted, want)
	}
}

func compareGroups(order jobmanager.JobGroupOrder) func(a, b *jobmanager.JobGroup) int {
	key := func(g *jobmanager.JobGroup) string {
		switch order.Field {
		case jobmanager.JobGroupsByUpdatedAt:
			return g.UpdatedAt.Format(sortable)
		case jobmanager.JobGroupsByName:
			return g.Name
		case jobmanager.JobGroupsByCreatedAt:
		}
		return g.CreatedAt.Format(sortable)
	}
	return func(a, b *jobmanager.JobGroup) int {
		return directed(order.Direction, key(a)+string(a.ID), key(b)+string(b.ID))
	}
}

const sortable = "2006-01-02T15:04:05.000000"

func directed(direction jobmanager.OrderDirection, a, b string) int {
	if direction == jobmanager.Descending {
		a, b = b, a
	}
	return compareText(a, b)
}

func compareText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func testJobPages(t *testing.T, b *bench) {
	b.MustCreate("pages", 5)
	b.clock.Advance(time.Second)
	b.MustCreate("more", 4)
	b.MustClaim("a", 3)
	for _, field := range []jobmanager.JobOrderField{"", jobmanager.JobsByCreatedAt, jobmanager.JobsByUpdatedAt, jobmanager.JobsByComponent} {
		for _, direction := range []jobmanager.OrderDirection{jobmanager.Ascending, jobmanager.Descending} {
			order := jobmanager.JobOrder{Field: field, Direction: direction}
			var keys []string
			got := walk(b, 4, func(request jobmanager.PageRequest) ([]jobmanager.ID, jobmanager.PageInfo) {
				list, err := b.Jobs(t.Context(), jobmanager.JobQuery{Scope: everything(), Order: order, Page: request})
				b.must(err)
				for _, job := range list.Nodes() {
					keys = append(keys, jobKey(order.Field, job))
				}
				return ids(list.Nodes()), list.PageInfo
			})
			sorted := slices.IsSortedFunc(keys, func(a, b string) int { return directed(direction, a, b) })
			b.checkWalk(order, got, 9, sorted)
		}
	}
	queue := walk(b, 2, func(request jobmanager.PageRequest) ([]jobmanager.ID, jobmanager.PageInfo) {
		list, err := b.Executable(t.Context(), agent("z"), request)
		b.must(err)
		return ids(list.Nodes()), list.PageInfo
	})
	if len(queue) != 6 {
		t.Errorf("%d jobs are executable page by page, want 6", len(queue))
	}
}

func jobKey(field jobmanager.JobOrderField, j *jobmanager.Job) string {
	switch field {
	case jobmanager.JobsByUpdatedAt:
		return j.UpdatedAt.Format(sortable) + string(j.ID)
	case jobmanager.JobsByComponent:
		return j.Component + string(j.ID)
	case jobmanager.JobsByCreatedAt:
	}
	return j.CreatedAt.Format(sortable) + string(j.ID)
}

func testFilters(t *testing.T, b *bench) {
	group := b.MustCreate("picked", 4)
	other := submission("left", 2)
	other.Tenant = "other"
	other.Matches = nil
	left := b.MustSubmit(other)
	claimed := b.MustClaim("a", 2)
	b.MustUpdate(finishRule("a"), claimed[0])
	count := func(q jobmanager.JobQuery) int {
		t.Helper()
		if q.Scope == (jobmanager.Scope{}) {
			q.Scope = everything()
		}
		q.Page = jobmanager.PageRequest{First: 100}
		list, err := b.Jobs(t.Context(), q)
		b.must(err)
		for _, job := range list.Nodes() {
			if !q.Filter.Watched(job, job.Now()) {
				t.Errorf("%+v gave job %s, which the filter in Go refuses", q.Filter, job.Component)
			}
		}
		return len(list.Edges)
	}
	for name, c := range map[string]struct{ got, want int }{
		"all":             {count(jobmanager.JobQuery{}), 6},
		"tenant":          {count(jobmanager.JobQuery{Scope: jobmanager.Scope{Tenant: "other"}}), 2},
		"ids":             {count(jobmanager.JobQuery{Filter: jobmanager.JobFilter{IDs: ids(group.Jobs[:3])}}), 3},
		"groups":          {count(jobmanager.JobQuery{Filter: jobmanager.JobFilter{JobGroupIDs: []jobmanager.ID{left.ID}}}), 2},
		"components":      {count(jobmanager.JobQuery{Filter: jobmanager.JobFilter{Components: []string{"part-000", "x"}}}), 2},
		"types":           {count(jobmanager.JobQuery{Filter: jobmanager.JobFilter{Types: []jobmanager.JobType{jobmanager.DeleteDeployment}}}), 0},
		"states":          {count(jobmanager.JobQuery{Filter: jobmanager.JobFilter{States: []jobmanager.JobState{jobmanager.Created, jobmanager.Finished}}}), 5},
		"owners":          {count(jobmanager.JobQuery{Filter: jobmanager.JobFilter{OwnerIDs: []jobmanager.OwnerID{"a"}}}), 2},
		"orchestrators":   {count(jobmanager.JobQuery{Filter: jobmanager.JobFilter{Orchestrators: []string{"ocm"}}}), 4},
		"clusters":        {count(jobmanager.JobQuery{Filter: jobmanager.JobFilter{Clusters: []string{"edge"}}}), 4},
		"no cluster":      {count(jobmanager.JobQuery{Filter: jobmanager.JobFilter{Clusters: []string{""}}}), 2},
		"all that fit":    {count(jobmanager.JobQuery{Filter: jobmanager.JobFilter{Components: []string{"part-003"}, Clusters: []string{"edge"}}}), 1},
		"with a resource": {count(jobmanager.JobQuery{WithResource: true}), 1},
	} {
		if c.got != c.want {
			t.Errorf("%s: %d jobs, want %d", name, c.got, c.want)
		}
	}
	b.groupFilters(group)
}

func (b *bench) groupFilters(group *jobmanager.JobGroup) {
	for name, c := range map[string]struct {
		filter jobmanager.JobGroupFilter
		want   int
	}{
		"all": {jobmanager.JobGroupFilter{}, 2}, "ids": {jobmanager.JobGroupFilter{IDs: []jobmanager.ID{group.ID}}, 1},
		"names":      {jobmanager.JobGroupFilter{Names: []string{"picked", "left", "x"}}, 2},
		"namespaces": {jobmanager.JobGroupFilter{Namespaces: []string{"left"}}, 1},
		"phases":     {jobmanager.JobGroupFilter{Phases: []jobmanager.Phase{jobmanager.PhaseDeploying}}, 1},
		"none":       {jobmanager.JobGroupFilter{Names: []string{"picked"}, Phases: []jobmanager.Phase{jobmanager.PhaseStopped}}, 0},
	} {
		list, err := b.JobGroups(b.t.Context(), jobmanager.JobGroupQuery{Scope: everything(), Filter: c.filter, Page: jobmanager.PageRequest{First: 100}})
		b.must(err)
		if len(list.Edges) != c.want {
			b.t.Errorf("%s: %d groups, want %d", name, len(list.Edges), c.want)
		}
	}
}

func testLoad(t *testing.T, b *bench) {
	s := submission("loaded", 1)
	s.Descriptor.Components[0].Manifests = nil
	group := b.MustSubmit(s)
	id := group.Jobs[0].ID
	bare, err := b.Job(t.Context(), everything(), id, jobmanager.JobLoad{})
	b.must(err)
	if bare.Manifests != nil || bare.Attempts != nil || bare.Group != nil || bare.Presence != nil {
		t.Errorf("what was not asked for is there: %+v", bare)
	}
	full, err := b.Job(t.Context(), everything(), id, jobmanager.JobLoad{Manifests: true, Attempts: true, Group: &jobmanager.GroupLoad{Jobs: &jobmanager.PageRequest{First: 3}}, Presence: true})
	b.must(err)
	if full.Manifests == nil || full.Attempts == nil || full.Group == nil || full.Presence == nil {
		t.Fatalf("what was asked for is not there: %+v", full)
	}
	if full.Group.Name != "loaded" || full.Group.Descriptor != "" {
		t.Errorf("the job's group is %q with descriptor %q", full.Group.Name, full.Group.Descriptor)
	}
	if page := full.Group.JobPage.Give(jobmanager.PageRequest{First: 3}); page == nil || len(page.Edges) != 1 {
		t.Errorf("the job's group came with the page %+v", page)
	}
	plain, err := b.JobGroup(t.Context(), everything(), group.ID, jobmanager.GroupLoad{})
	b.must(err)
	if plain.Descriptor != "" || plain.JobPage != nil || plain.Jobs != nil {
		t.Errorf("a group came with more than was asked for")
	}
}

func testMemberPages(t *testing.T, b *bench) {
	var groups []*jobmanager.JobGroup
	for i := range 3 {
		groups = append(groups, b.MustCreate(fmt.Sprintf("members-%d", i), 3+i))
	}
	load := jobmanager.GroupLoad{Jobs: &jobmanager.PageRequest{First: 4}, JobLoad: jobmanager.JobLoad{Manifests: true, Group: &jobmanager.GroupLoad{}}}
	list, err := b.JobGroups(t.Context(), jobmanager.JobGroupQuery{
		Scope: everything(), Order: jobmanager.JobGroupOrder{Field: jobmanager.JobGroupsByName}, Page: jobmanager.PageRequest{First: 10}, Load: load,
	})
	b.must(err)
	for i, group := range list.Nodes() {
		page := group.JobPage.Connection
		same(t, ids(page.Nodes()), ids(groups[i].Jobs[:min(4, 3+i)]))
		if page.PageInfo.HasNextPage != (i == 2) || page.Revision != list.Revision || page.Nodes()[0].Group != group || len(page.Nodes()[0].Manifests) != 1 {
			t.Errorf("group %d: %+v at %s", i, page.PageInfo, page.Revision)
		}
	}
	last := groups[2]
	got := walk(b, 2, func(request jobmanager.PageRequest) ([]jobmanager.ID, jobmanager.PageInfo) {
		group, err := b.JobGroup(t.Context(), everything(), last.ID, jobmanager.GroupLoad{Jobs: &request})
		b.must(err)
		return ids(group.JobPage.Connection.Nodes()), group.JobPage.Connection.PageInfo
	})
	same(t, got, ids(last.Jobs))
}
