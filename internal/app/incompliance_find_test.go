package app_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
)

// TestASubjectFindsItsJobsByEveryNameThatTheyHave reports by components, names, uids and ids, present and past.
func TestASubjectFindsItsJobsByEveryNameThatTheyHave(t *testing.T) {
	t.Parallel()
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		group := create(t, s.Client, describe("app", pinned("web", ""), pinned("web-2", ""), pinned("db", "")))
		for _, component := range []string{"web", "web-2", "db"} {
			perform(t, s.Client, group.job(t, component).ID, "hub")
		}
		other := create(t, s.Client, describe("other", pinned("web", "")))
		perform(t, s.Client, other.Jobs.Nodes[0].ID, "hub")
		web := seeJob(t, s.Client, group.job(t, "web").ID)
		renamed := map[string]any{"uid": "uid-new", "name": "web-y8"}
		change[map[string]any](t, s.Client, "reportResource", map[string]any{"jobId": web.ID, "ownerId": "hub", "epoch": web.Epoch, "resource": renamed}, "__typename")
		now := seeJob(t, s.Client, web.ID)
		for name, test := range map[string]struct {
			subject map[string]any
			want    string
		}{
			"a component":                         {about(group.ID, "web"), "web - RECORDED"},
			"all of them":                         {about(group.ID, "*"), "db - RECORDED, web - RECORDED, web-2 - RECORDED"},
			"an expression":                       {about(group.ID, "/web|db/"), "db - RECORDED, web - RECORDED"},
			"another expression":                  {about(group.ID, "/web.*/"), "web - RECORDED, web-2 - RECORDED"},
			"the resource's name":                 {about(group.ID, "web-y8"), "web - RECORDED"},
			"its past name":                       {about(group.ID, "web-x7"), "web - RECORDED"},
			"its uid":                             {map[string]any{"resourceId": "uid-new"}, "web - RECORDED"},
			"its past uid":                        {map[string]any{"resourceId": web.Resource.UID}, "web - RECORDED"},
			"our id of it":                        {map[string]any{"resourceId": now.Resource.ID}, "web - RECORDED"},
			"the instance before":                 {map[string]any{"appInstance": group.ID, "appComponent": "db", "resourceId": "uid-new"}, "db - RECORDED"},
			"the uid, the component being nobody": {map[string]any{"appInstance": group.ID, "appComponent": "nobody", "resourceId": "uid-new"}, "web - RECORDED"},
			"the uid, the instance being nobody":  {map[string]any{"appInstance": unknownID, "appComponent": "web", "resourceId": "uid-new"}, "web - RECORDED"},
			"the uid of another app":              {map[string]any{"resourceId": "uid-" + other.Jobs.Nodes[0].ID}, "web - RECORDED"},
		} {
			told := incompliance(t, s.Client, map[string]any{"subject": test.subject, "remediation": "none"})
			owner := group.ID
			if name == "the uid of another app" {
				owner = other.ID
			}
			if told.outcomes() != test.want || told.JobGroupID != owner || told.Reason != "" {
				t.Errorf("by %s: %q of group %s, want %q; %s", name, told.outcomes(), told.JobGroupID, test.want, told.Reason)
			}
		}
	})
}

// TestIncompliancesAreListedByWhatTheyAreAbout pages and filters the list.
func TestIncompliancesAreListedByWhatTheyAreAbout(t *testing.T) {
	t.Parallel()
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		group := create(t, s.Client, describe("app", pinned("web", ""), pinned("db", "")))
		web := perform(t, s.Client, group.job(t, "web").ID, "hub")
		reports := map[string]string{}
		name := func(key string, told incomplianceSeen) { reports[told.ID] = key }
		name("scaled", remedy(t, s.Client, group.ID, "web", "scale-up"))
		name("recorded", remedy(t, s.Client, group.ID, "*", "none"))
		name("refused", remedy(t, s.Client, group.ID, "db", "scale-up"))
		name("nobody's", remedy(t, s.Client, group.ID, "nobody", "scale-up"))
		name("elsewhere", remedy(t, s.Client, unknownID, "web", "scale-up"))

		list := func(filter map[string]any, first int, after string) (keys []string, end string) {
			t.Helper()
			type answer struct {
				Incompliances struct {
					Nodes    []incomplianceSeen
					PageInfo struct {
						HasNextPage bool
						EndCursor   string
					}
				}
			}
			vars := apptest.Vars{"filter": filter, "first": first}
			if after != "" {
				vars["after"] = after
			}
			page := ask[answer](t, s.Client, `query($filter: IncomplianceFilter, $first: Int, $after: String) {
				incompliances(filter: $filter, first: $first, after: $after) { revision pageInfo { hasNextPage endCursor } nodes { `+incomplianceView+` } } }`, vars).Incompliances
			for _, one := range page.Nodes {
				keys = append(keys, reports[one.ID])
			}
			if page.PageInfo.HasNextPage {
				end = page.PageInfo.EndCursor
			}
			return keys, end
		}
		all := []string{"elsewhere", "nobody's", "refused", "recorded", "scaled"}
		var paged []string
		for after, more := "", true; more; more = after != "" {
			var keys []string
			keys, after = list(nil, 2, after)
			paged = append(paged, keys...)
		}
		if diff := cmp.Diff(all, paged); diff != "" {
			t.Errorf("page by page, the newest first (-want +got):\n%s", diff)
		}
		for _, test := range []struct {
			filter map[string]any
			want   []string
		}{
			{nil, all},
			{map[string]any{}, all},
			{map[string]any{"jobGroupIds": []string{group.ID}}, []string{"nobody's", "refused", "recorded", "scaled"}},
			{map[string]any{"jobIds": []string{web.ID}}, []string{"recorded", "scaled"}},
			{map[string]any{"outcomes": []string{"STARTED", "REFUSED"}}, []string{"refused", "scaled"}},
			{map[string]any{"jobIds": []string{web.ID}, "outcomes": []string{"STARTED"}}, []string{"scaled"}},
			{map[string]any{"outcomes": []string{"FAILED"}}, nil},
			{map[string]any{"ids": []string{unknownID}}, nil},
		} {
			keys, _ := list(test.filter, 50, "")
			if diff := cmp.Diff(test.want, keys); diff != "" {
				t.Errorf("filter %v (-want +got):\n%s", test.filter, diff)
			}
		}
	})
}
