package storetest

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// writtenValue is JSON whose keys and numbers a JSON column that parses would spoil.
const writtenValue = `{"zeta":1.50,"alpha":{"z":"<&>'?","a":1e3,"big":12345678901234567890},"mid":[1,0.10,"üß \\u0041"]}`

func fullSubmission() jobmanager.Submission {
	s := submission("full", 2)
	value := jobmanager.Value(writtenValue)
	s.Text = "name: full # süß 🚀\r\ncomponents:\r\n- 'it''s'\t?\n"
	d := &s.Descriptor
	d.Description, d.Namespace = "line one\nline 'two' ? ?0 \\ \"", "full-ns"
	d.Requirements, d.Dependencies = value, value
	d.Policies = []jobmanager.Policy{{Name: "p", Type: "custom", Remediation: "scale-up", AppliesTo: []string{"part-000"}, Body: value}}
	d.Links = []jobmanager.Link{{From: "part-000", To: "part-001", Kind: jobmanager.LinkDependency}}
	c := &d.Components[0]
	c.References, c.Requirements, c.Communication = []string{"b", "a"}, value, value
	c.Pins = []jobmanager.Target{{Cluster: "pinned", Orchestrator: "nuvla", Pinned: true}}
	c.Manifests = []jobmanager.Manifest{
		{Name: "b", APIVersion: "apps/v1", Kind: "Deployment", Text: "apiVersion: apps/v1\r\nkind: Deployment\r\n# grüße 🎉\r\n"},
		{Name: "a", Text: "services:\n  web: {image: 'a?b'}\n\n\n"},
		{Name: "empty"},
	}
	s.Matches[0].Targets = c.Pins
	c.Type = "docker"
	return s
}

func testRoundTrip(t *testing.T, b *bench) {
	want := b.MustSubmit(fullSubmission())
	got := b.MustGroup(want.ID)
	jobs := got.JobPage.Connection.Nodes()
	same(t, got, want, cmpopts.IgnoreFields(jobmanager.JobGroup{}, "Jobs", "JobPage"),
		cmpopts.IgnoreFields(jobmanager.Component{}, "Manifests"))
	same(t, jobs, want.Jobs, cmpopts.IgnoreFields(jobmanager.Job{}, "Manifests"))
	for i, job := range want.Jobs {
		read := b.MustJob(job.ID)
		same(t, read.Manifests, job.Manifests)
		same(t, read.Requirements, job.Requirements)
		if read.Version != 1 || jobs[i].ID != job.ID {
			t.Errorf("job %d has version %d and id %s, want 1 and %s", i, read.Version, jobs[i].ID, job.ID)
		}
	}
}

func testValuesAsWritten(t *testing.T, b *bench) {
	group := b.MustSubmit(fullSubmission())
	got := b.MustGroup(group.ID)
	event := b.MustEvents(0)[0]
	for place, value := range map[string]jobmanager.Value{
		"the group's requirements": got.Requirements, "its dependencies": got.Dependencies,
		"a component's requirements": got.Components[0].Requirements, "a policy's body": got.Policies[0].Body,
		"a job's requirements": b.MustJob(group.Jobs[0].ID).Requirements, "the event's group": event.Group.Requirements,
		"the event's component": event.Group.Components[0].Communication,
	} {
		if string(value) != writtenValue {
			t.Errorf("%s came back as %s", place, value)
		}
	}
}

func testIdempotency(t *testing.T, b *bench) {
	key := jobmanager.Idempotency{Key: "k?'1", Tenant: "default", Operation: "createJobGroup", Hash: "h1"}
	group, events := jobmanager.NewJobGroup(submission("once", 1), b.life, newID, b.clock.Now())
	key.Result = group.ID
	if found, err := b.Idempotent(t.Context(), key); err != nil || found != "" {
		t.Fatalf("a new key gave %q, %v", found, err)
	}
	b.must(b.CreateGroup(t.Context(), group, events, key))
	if found, err := b.Idempotent(t.Context(), key); err != nil || found != group.ID {
		t.Errorf("a used key gave %q, %v, want %s", found, err, group.ID)
	}
	other := key
	other.Hash = "h2"
	_, err := b.Idempotent(t.Context(), other)
	b.wantCode(err, jobmanager.CodeIdempotencyMismatch)
	for name, elsewhere := range map[string]jobmanager.Idempotency{
		"operation": {Key: key.Key, Tenant: key.Tenant, Operation: "stopJobGroup", Hash: "h1"},
		"tenant":    {Key: key.Key, Tenant: "other", Operation: key.Operation, Hash: "h1"},
	} {
		if found, err := b.Idempotent(t.Context(), elsewhere); err != nil || found != "" {
			t.Errorf("the key of another %s gave %q, %v", name, found, err)
		}
	}
	b.onlyOneOfManyCreates(key)
}

// onlyOneOfManyCreates sends one request many times at once.
func (b *bench) onlyOneOfManyCreates(key jobmanager.Idempotency) {
	const many = 8
	key.Key = "race"
	before := b.MustHead()
	errs := make([]error, many)
	together(many, func(i int) {
		group, events := jobmanager.NewJobGroup(submission(fmt.Sprintf("race-%d", i), 1), b.life, newID, b.clock.Now())
		request := key
		request.Result = group.ID
		errs[i] = b.CreateGroup(b.t.Context(), group, events, request)
	})
	made := 0
	for _, err := range errs {
		if err == nil {
			made++
			continue
		}
		b.wantCode(err, jobmanager.CodeConflict)
	}
	if head := b.MustHead(); made != 1 || head != before+2 {
		b.t.Errorf("%d of %d requests with one key were carried out, with %d events, want 1 with 2", made, many, head-before)
	}
}

func testSpecialCharacters(t *testing.T, b *bench) {
	b.MustCreate("special", 1)
	odd := "nuvlabox/ä 🚀 '; DROP TABLE jobs; -- \\ \" ? ?0 {} %s\u2028"
	job := b.MustClaim(odd, 1)[0]
	condition := jobmanager.Condition{Type: "Odd", Status: jobmanager.StatusTrue, Reason: odd, Message: odd}
	job = b.MustUpdate(finishRule(odd, condition), job)[0]
	read := b.MustJob(job.ID)
	if string(read.Owner) != odd || read.Resource.Conditions[0].Message != odd || string(read.Attempts[0].OwnerID) != odd {
		t.Errorf("owner, message or attempt came back changed: %q, %q, %q", read.Owner, read.Resource.Conditions[0].Message, read.Attempts[0].OwnerID)
	}
	found, err := b.Jobs(t.Context(), jobmanager.JobQuery{
		Scope: everything(), Filter: jobmanager.JobFilter{OwnerIDs: []jobmanager.OwnerID{jobmanager.OwnerID(odd)}},
		Page: jobmanager.PageRequest{First: 5},
	})
	b.must(err)
	if len(found.Edges) != 1 {
		t.Errorf("the filter by owner found %d jobs, want 1", len(found.Edges))
	}
	// PostgreSQL cannot hold NUL: it is replaced on both, and fails on neither.
	b.MustCreate("nul", 1)
	if owner := b.MustClaim("a\x00b", 1)[0].ID; b.MustJob(owner).Owner != "a\uFFFDb" {
		t.Errorf("an owner with a NUL byte came back as %q", b.MustJob(owner).Owner)
	}
}
