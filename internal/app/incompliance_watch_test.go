package app_test

import (
	"testing"

	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
)

// nextReport reads one message of incomplianceReported, as "KIND policy outcomes".
func nextReport(s *apptest.Subscription) (line, cursor string) {
	var m struct {
		IncomplianceReported struct {
			Kind, Cursor string
			Incompliance *incomplianceSeen
		}
	}
	s.Next(&m)
	line = m.IncomplianceReported.Kind
	if told := m.IncomplianceReported.Incompliance; told != nil {
		line += " " + told.PolicyName + " " + told.outcomes()
	}
	return line, m.IncomplianceReported.Cursor
}

// TestAWatcherOfIncompliancesMissesNone watches reports as they come in, breaks off, and resumes at its cursor.
func TestAWatcherOfIncompliancesMissesNone(t *testing.T) {
	t.Parallel()
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		group := create(t, s.Client, describe("app", pinned("web", ""), pinned("db", "")))
		web := perform(t, s.Client, group.job(t, "web").ID, "hub")
		report := func(policy, component, remediation string) {
			t.Helper()
			incompliance(t, s.Client, map[string]any{"policyName": policy, "subject": about(group.ID, component), "remediation": remediation})
		}
		expect := func(watch *apptest.Subscription, want ...string) (cursor string) {
			t.Helper()
			for _, wanted := range want {
				var line string
				if line, cursor = nextReport(watch); line != wanted {
					t.Errorf("told %q, want %q", line, wanted)
				}
			}
			return cursor
		}
		const query = `subscription($filter: IncomplianceFilter, $after: String) { incomplianceReported(filter: $filter, after: $after) {
			kind cursor incompliance { ` + incomplianceView + ` } } }`
		report("before", "web", "none")
		all := s.Subscribe(t, query, nil)
		expect(all, "SNAPSHOT before web - RECORDED", "BOOKMARK")
		ofWeb := s.Subscribe(t, query, apptest.Vars{"filter": map[string]any{"jobIds": []string{web.ID}, "outcomes": []string{"STARTED"}}})
		expect(ofWeb, "BOOKMARK")

		report("first", "web", "scale-up")
		cursor := expect(all, "ENTERED first web scale-up STARTED")
		all.Close()
		report("second", "db", "scale-up")
		report("third", "nobody", "scale-up")
		report("fourth", "*", "scale-out")
		resumed := s.Subscribe(t, query, apptest.Vars{"after": cursor})
		expect(resumed, "ENTERED second db scale-up REFUSED", "ENTERED third ", "ENTERED fourth db scale-out REFUSED, web scale-out STARTED")
		expect(ofWeb, "ENTERED first web scale-up STARTED", "ENTERED fourth db scale-out REFUSED, web scale-out STARTED")

		elsewhere := s.Subscribe(t, query, apptest.Vars{"after": "elsewhere:7"})
		if problem := elsewhere.Refused(); problem.Extensions.Code != "CURSOR_EXPIRED" {
			t.Errorf("a cursor of another database: %+v", problem)
		}
	})
}

// TestANodeIsFoundWhateverItIs looks up an incompliance among other nodes.
func TestANodeIsFoundWhateverItIs(t *testing.T) {
	t.Parallel()
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		group := create(t, s.Client, describe("app", pinned("web", "")))
		report := remedy(t, s.Client, group.ID, "web", "none")
		type node struct {
			Typename string `json:"__typename"`
			ID       string
		}
		ids := []string{report.ID, unknownID, group.ID}
		found := ask[struct{ Nodes []*node }](t, s.Client, `query($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }`, apptest.Vars{"ids": ids}).Nodes
		if len(found) != 3 || found[0] == nil || found[0].Typename != "Incompliance" || found[0].ID != report.ID || found[1] != nil || found[2].Typename != "JobGroup" {
			t.Errorf("found %+v", found)
		}
	})
}
