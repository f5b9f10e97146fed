package app_test

import (
	"strings"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
)

// TestAnUpdateThatIsRefusedChangesNothing goes through what refuses a new descriptor, each with its code.
func TestAnUpdateThatIsRefusedChangesNothing(t *testing.T) {
	t.Parallel()
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		text := describe("app", pinned("web", "1"))
		group := create(t, s.Client, text)
		before := head(t, s.Client)
		newer := describe("app", pinned("web", "2"))
		for name, test := range map[string]struct {
			input map[string]any
			code  string
			words string
		}{
			"no descriptor":     {map[string]any{"descriptor": ""}, "INVALID", "descriptor"},
			"no YAML":           {map[string]any{"descriptor": "name: [a"}, "INVALID", "line"},
			"another name":      {map[string]any{"descriptor": describe("other", pinned("web", "1"))}, "INVALID", "cannot change"},
			"another namespace": {map[string]any{"descriptor": "namespace: elsewhere\n" + newer}, "INVALID", "namespace"},
			"an older version":  {map[string]any{"descriptor": newer, "expectedVersion": 0}, "VERSION_CONFLICT", "read it again"},
			"a newer version":   {map[string]any{"descriptor": newer, "expectedVersion": 2}, "VERSION_CONFLICT", "read it again"},
			"an unknown group":  {map[string]any{"descriptor": newer, "jobGroupId": unknownID}, "NOT_FOUND", unknownID},
			"a malformed id":    {map[string]any{"descriptor": newer, "jobGroupId": "seven"}, "INVALID", "UUID"},
			"a long descriptor": {map[string]any{"descriptor": "name: " + strings.Repeat("a", 2<<20)}, "TOO_LARGE", "bytes"},
			"a long key":        {map[string]any{"descriptor": newer, "idempotencyKey": strings.Repeat("k", 201)}, "INVALID", "idempotencyKey"},
		} {
			if test.input["jobGroupId"] == nil {
				test.input["jobGroupId"] = group.ID
			}
			if problem := refused(t, s.Client, "updateJobGroup", test.input, test.code); !strings.Contains(problem.Message, test.words) {
				t.Errorf("%s: %q does not say %q", name, problem.Message, test.words)
			}
		}
		if g := seeGroup(t, s.Client, group.ID); g.Descriptor != text || g.Generation != 1 {
			t.Errorf("after all that was refused the group is %+v", g)
		}
		if told := eventsAfter(t, s.Client, before, nil); len(told) != 0 {
			t.Errorf("what was refused wrote %v", told)
		}
	})
}

// unknownID is nobody's.
const unknownID = "0190c5a2-7b1e-7c3d-9f00-5b8d3e1a2c44"

// TestAnUpdateTellsWhatIsWrongWithItsDescriptor gets the findings with their places, refused and on a dry run.
func TestAnUpdateTellsWhatIsWrongWithItsDescriptor(t *testing.T) {
	t.Parallel()
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		group := create(t, s.Client, describe("app", pinned("web", "1")))
		bad := "name: app\ncomponents:\n- name: web\n  manifests:\n  - name: gone\n- name: web\nmanifests:\n- name: m\n  manifest: {apiVersion: v1, kind: Pod, metadata: {name: m}}\n"
		places := func(findings []apptest.Finding) map[string][2]int {
			at := map[string][2]int{}
			for _, f := range findings {
				at[f.Severity+" "+f.Code] = [2]int{f.Line, f.Column}
				if f.Message == "" || f.Hint == "" || f.Path == "" && f.Line > 0 {
					t.Errorf("a finding that does not help: %+v", f)
				}
			}
			return at
		}
		input := map[string]any{"jobGroupId": group.ID, "descriptor": bad}
		told := places(refused(t, s.Client, "updateJobGroup", input, "INVALID").Extensions.Findings)
		if told["ERROR UNRESOLVED_REFERENCE"][0] != 5 || len(told) < 3 {
			t.Errorf("refused with findings at %v", told)
		}
		before := head(t, s.Client)
		input["dryRun"] = true
		const selection = groupSelection + ` findings { severity code message line column path hint }`
		dry := change[groupAnswer](t, s.Client, "updateJobGroup", input, selection)
		if again := places(dry.Findings); dry.JobGroup != nil || len(again) != len(told) {
			t.Errorf("the dry run answers %+v", dry)
		}
		input["descriptor"] = describe("app", pinned("web", "2"))
		if well := change[groupAnswer](t, s.Client, "updateJobGroup", input, selection); well.JobGroup != nil || len(well.Findings) != 0 {
			t.Errorf("the dry run of a good one answers %+v", well)
		}
		if told := eventsAfter(t, s.Client, before, nil); len(told) != 0 {
			t.Errorf("dry runs wrote %v", told)
		}
		input["dryRun"], input["descriptor"] = false, strings.Replace(input["descriptor"].(string), "description: for the tests\n", "", 1)
		accepted := change[groupAnswer](t, s.Client, "updateJobGroup", input, selection)
		if accepted.JobGroup.Generation != 2 || len(accepted.Findings) != 1 || accepted.Findings[0].Severity != "WARNING" {
			t.Errorf("one with a warning: %+v", accepted)
		}
	})
}

// TestARepeatedUpdateIsDoneOnce repeats updates: with a key, and with the same text.
func TestARepeatedUpdateIsDoneOnce(t *testing.T) {
	t.Parallel()
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		group := create(t, s.Client, describe("app", pinned("web", "1")))
		input := map[string]any{"jobGroupId": group.ID, "descriptor": describe("app", pinned("web", "2")), "idempotencyKey": "second", "expectedVersion": 1}
		for range 2 { // the version is no longer the expected one, but the call is the same
			if g := change[groupAnswer](t, s.Client, "updateJobGroup", input, groupSelection).JobGroup; g.Generation != 2 {
				t.Errorf("updated to %+v", g)
			}
		}
		third := map[string]any{"jobGroupId": group.ID, "descriptor": describe("app", pinned("web", "3")), "idempotencyKey": "second"}
		refused(t, s.Client, "updateJobGroup", third, "IDEMPOTENCY_MISMATCH")
		before := head(t, s.Client)
		if g := update(t, s.Client, group.ID, input["descriptor"].(string)); g.Generation != 2 {
			t.Errorf("the same text made generation %d", g.Generation)
		}
		if told := eventsAfter(t, s.Client, before, nil); len(told) != 0 {
			t.Errorf("the same text wrote %v", told)
		}
	})
}

// TestAnUpdateWithoutItsMatchmakerIsTheCallersChoice needs targets while the Matchmaker is down.
func TestAnUpdateWithoutItsMatchmakerIsTheCallersChoice(t *testing.T) {
	t.Parallel()
	apptest.EachDatabase(t, func(t *testing.T, url string) {
		clock, peer := noon(), newGuide(t, "hill/ocm")
		s := apptest.Start(t, apptest.Options{DatabaseURL: url, Clock: clock, Configure: peer.use})
		group := create(t, s.Client, describe("app", part{name: "web"}))
		peer.fall(true)
		asked := len(peer.Requests())
		if g := update(t, s.Client, group.ID, describe("app", part{name: "web", text: "2"})); g.Generation != 2 || len(peer.Requests()) != asked {
			t.Errorf("new manifests asked the Matchmaker %d times and made %+v", len(peer.Requests())-asked, g)
		}
		wider := describe("app", part{name: "web", text: "2", more: "  requirements: {cpu: 2}\n"}, part{name: "added"})
		input := map[string]any{"jobGroupId": group.ID, "descriptor": wider}
		refused(t, s.Client, "updateJobGroup", input, "UNAVAILABLE")
		input["onMatchmakerDown"] = "FAIL"
		refused(t, s.Client, "updateJobGroup", input, "UNAVAILABLE")
		input["onMatchmakerDown"] = "ACCEPT"
		accepted := change[groupAnswer](t, s.Client, "updateJobGroup", input, groupSelection).JobGroup
		added, web := accepted.job(t, "added"), accepted.job(t, "web")
		if added.why() != "AwaitingForTarget" || !strings.Contains(added.Waiting.Message, "Matchmaker") || web.Target == nil || web.Target.Cluster != "hill" {
			t.Errorf("accepted: %+v", accepted)
		}
		peer.point("valley/ocm")
		peer.fall(false)
		until(t, clock, time.Second, func() bool {
			now := seeGroup(t, s.Client, group.ID)
			added, web := now.job(t, "added").Target, now.job(t, "web").Target
			return added != nil && added.Cluster == "valley" && web.Cluster == "valley"
		})
	})
}

// TestChangedRequirementsMoveAComponentWhereTheAnswerDiffers updates a running component's requirements.
func TestChangedRequirementsMoveAComponentWhereTheAnswerDiffers(t *testing.T) {
	t.Parallel()
	apptest.EachDatabase(t, func(t *testing.T, url string) {
		peer := newGuide(t, "hill/ocm")
		s := apptest.Start(t, apptest.Options{DatabaseURL: url, Configure: peer.use})
		group := create(t, s.Client, describe("app", part{name: "web"}))
		id := group.Jobs.Nodes[0].ID
		perform(t, s.Client, id, "hub")
		same := update(t, s.Client, group.ID, describe("app", part{name: "web", more: "  requirements: {cpu: 1}\n"}))
		if j := same.Jobs.Nodes[0]; j.work() != "CREATE_DEPLOYMENT/FINISHED" || j.Target.Cluster != "hill" || j.Waiting != nil {
			t.Errorf("where the answer is the same: %+v", j)
		}
		peer.point("valley/ocm")
		other := update(t, s.Client, group.ID, describe("app", part{name: "web", text: "2", more: "  requirements: {cpu: 2}\n"}))
		if j := other.Jobs.Nodes[0]; j.work() != "UPDATE_DEPLOYMENT/CREATED" || j.SubType != "reallocation" || j.Owner != "hub" || j.Target.Cluster != "hill" {
			t.Errorf("where it differs: %+v", j)
		}
		moved := perform(t, s.Client, id, "hub")
		if moved.work() != "CREATE_DEPLOYMENT/CREATED" || moved.Owner != "" || moved.Target.Cluster != "valley" || moved.Resource != nil || moved.Attempt != 0 {
			t.Errorf("once it has left: %+v", moved)
		}
		if j := perform(t, s.Client, id, "next"); j.work() != "CREATE_DEPLOYMENT/FINISHED" || !strings.Contains(seeJob(t, s.Client, id).Manifests[0].Text, `"2"`) {
			t.Errorf("once it has arrived: %+v", j)
		}
	})
}
