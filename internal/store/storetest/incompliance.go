package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// remedy answers an incompliance by the domain's rule.
func (b *bench) remedy(i *jobmanager.Incompliance) jobmanager.RemedyRule {
	return func(j *jobmanager.Job, now time.Time) (jobmanager.Remediation, []jobmanager.Event) {
		return j.Remediate(i, b.life, now)
	}
}

func incompliance(remediation string, subject jobmanager.Subject) *jobmanager.Incompliance {
	return &jobmanager.Incompliance{
		ID: newID(), Tenant: jobmanager.DefaultTenant, Remediation: remediation, PolicyName: "cpu", Subject: subject,
	}
}

// mustRecord stores an incompliance about a subject.
func (b *bench) mustRecord(remediation string, subject jobmanager.Subject) *jobmanager.Incompliance {
	b.t.Helper()
	i := incompliance(remediation, subject)
	b.must(b.RecordIncompliance(b.t.Context(), everything(), "polman", i, b.remedy(i)))
	return i
}

// mustIncompliance reads an incompliance.
func (b *bench) mustIncompliance(id jobmanager.ID) *jobmanager.Incompliance {
	b.t.Helper()
	list, err := b.Incompliances(b.t.Context(), jobmanager.IncomplianceQuery{
		Scope: everything(), Filter: jobmanager.IncomplianceFilter{IDs: []jobmanager.ID{id}}, Page: jobmanager.PageRequest{First: 2},
	})
	b.must(err)
	if len(list.Edges) != 1 {
		b.t.Fatalf("%d incompliances have the id %s", len(list.Edges), id)
	}
	return list.Nodes()[0]
}

// runningGroup is a group whose jobs all run: the resource of each is called uid-<component>.
func (b *bench) runningGroup(name string, n int) *jobmanager.JobGroup {
	b.t.Helper()
	group := b.MustCreate(name, n)
	b.MustUpdate(b.claimRule("a"), group.Jobs...)
	group.Jobs = b.MustUpdate(finishRule("a"), group.Jobs...)
	return group
}

// renameRule has the owner report another uid and name.
func renameRule(uid, name string) jobmanager.JobRule {
	return func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
		fence := jobmanager.Fence{OwnerID: j.Owner, Epoch: j.Epoch}
		return j.ReportResource(fence, jobmanager.ResourceReport{UID: uid, Name: name}, now)
	}
}

func testRecordIncompliance(t *testing.T, b *bench) {
	group := b.runningGroup("remedied", 2)
	head := b.MustHead()
	i := b.mustRecord("scale-up", jobmanager.Subject{AppInstance: jobmanager.Text(group.ID), AppComponent: "part-001"})
	job := group.Jobs[1]
	want := []jobmanager.Remediation{{
		IncomplianceID: i.ID, JobID: job.ID, Component: "part-001", SubType: jobmanager.ScaleUp,
		Outcome: jobmanager.RemediationStarted, Generation: 2, UpdatedAt: b.clock.Now(),
	}}
	same(t, i.Remediations, want)
	same(t, b.mustIncompliance(i.ID), i)
	if i.GroupID != group.ID || !i.CreatedAt.Equal(b.clock.Now()) || i.Reason != "" {
		t.Errorf("the incompliance is about group %q, %q", i.GroupID, i.Reason)
	}
	events := b.MustEvents(head)
	same(t, types(events), []string{"INCOMPLIANCE_REPORTED polman", "JOB_REMEDIATED polman", "JOB_GROUP_PHASE_CHANGED polman"})
	same(t, events[0].Incompliance, i)
	same(t, events[1].Remediation, &want[0])
	if events[0].GroupID != group.ID || events[0].JobID != "" {
		t.Errorf("the first event is about group %q, job %q", events[0].GroupID, events[0].JobID)
	}
	updated := b.MustJob(job.ID)
	if updated.Type != jobmanager.UpdateDeployment || updated.Cause != i.ID || b.MustGroup(group.ID).Phase != jobmanager.PhaseDeploying {
		t.Errorf("the job is %s for %q", updated.Type, updated.Cause)
	}
	kinds, err := b.Kinds(t.Context(), jobmanager.Scope{Tenant: jobmanager.DefaultTenant}, []jobmanager.ID{i.ID, job.ID})
	b.must(err)
	same(t, kinds, map[jobmanager.ID]string{i.ID: "Incompliance", job.ID: "Job"})
	// What becomes of it is told by the job's events: the last one of a transaction counts.
	b.MustUpdate(b.claimRule("a"), job)
	b.MustUpdate(finishRule("a"), job)
	if answer := b.mustIncompliance(i.ID).Remediations[0]; answer.Outcome != jobmanager.RemediationFinished || answer.Generation != 2 {
		t.Errorf("after the work was done the answer is %+v", answer)
	}
	again := *i
	err = b.RecordIncompliance(t.Context(), everything(), "polman", &again, b.remedy(&again))
	b.wantCode(err, jobmanager.CodeConflict)
	malformed := incompliance("patch", jobmanager.Subject{})
	malformed.ID = "x"
	b.wantCode(b.RecordIncompliance(t.Context(), everything(), "polman", malformed, b.remedy(malformed)), jobmanager.CodeInvalid)
}

func testWhatASubjectIsAbout(t *testing.T, b *bench) {
	group := b.runningGroup("subject", 3)
	other := b.runningGroup("other", 2)
	b.MustUpdate(renameRule("uid-new", "web-1"), group.Jobs[0])
	b.MustUpdate(renameRule("uid-newer", "web-2"), group.Jobs[0])
	b.MustUpdate(renameRule("uid-other", ""), other.Jobs[0])
	instance, elsewhere := jobmanager.Text(group.ID), jobmanager.Text(other.ID)
	ours := jobmanager.Text(group.Jobs[2].Resource.ID)
	for name, c := range map[string]struct {
		subject jobmanager.Subject
		group   jobmanager.ID
		jobs    []*jobmanager.Job
	}{
		"a component":                   {jobmanager.Subject{AppInstance: instance, AppComponent: "part-001"}, group.ID, group.Jobs[1:2]},
		"all":                           {jobmanager.Subject{AppInstance: instance, AppComponent: "*"}, group.ID, group.Jobs},
		"an expression":                 {jobmanager.Subject{AppInstance: instance, AppComponent: "/part-001|web-2/"}, group.ID, group.Jobs[:2]},
		"a resource's name":             {jobmanager.Subject{AppInstance: instance, AppComponent: "web-2"}, group.ID, group.Jobs[:1]},
		"a resource's former name":      {jobmanager.Subject{AppInstance: instance, AppComponent: "web-1"}, group.ID, group.Jobs[:1]},
		"the component before the uid":  {jobmanager.Subject{AppInstance: instance, AppComponent: "part-001", ResourceID: "uid-new"}, group.ID, group.Jobs[1:2]},
		"no component but a uid":        {jobmanager.Subject{AppInstance: instance, ResourceID: "uid-newer"}, group.ID, group.Jobs[:1]},
		"an unknown component, a uid":   {jobmanager.Subject{AppInstance: instance, AppComponent: "x", ResourceID: "uid-newer"}, group.ID, group.Jobs[:1]},
		"an unknown component":          {jobmanager.Subject{AppInstance: instance, AppComponent: "x"}, group.ID, nil},
		"another group's uid":           {jobmanager.Subject{AppInstance: elsewhere, ResourceID: "uid-newer"}, other.ID, nil},
		"a uid alone":                   {jobmanager.Subject{ResourceID: "uid-other"}, other.ID, other.Jobs[:1]},
		"a former uid":                  {jobmanager.Subject{AppInstance: "no id", ResourceID: "uid-new"}, group.ID, group.Jobs[:1]},
		"a uid that two have":           {jobmanager.Subject{AppInstance: jobmanager.Text(newID()), AppComponent: "*", ResourceID: "uid-part-001"}, group.ID, []*jobmanager.Job{group.Jobs[1], other.Jobs[1]}},
		"our own id":                    {jobmanager.Subject{ResourceID: ours}, group.ID, group.Jobs[2:]},
		"a uid that nobody has":         {jobmanager.Subject{ResourceID: "x"}, "", nil},
		"an id that nobody has":         {jobmanager.Subject{ResourceID: jobmanager.Text(newID())}, "", nil},
		"nothing":                       {jobmanager.Subject{}, "", nil},
		"an expression that is no good": {jobmanager.Subject{AppInstance: instance, AppComponent: "/(/"}, group.ID, nil},
	} {
		i := b.mustRecord("none", c.subject)
		var about []jobmanager.ID
		for _, answer := range i.Remediations {
			about = append(about, answer.JobID)
		}
		if i.GroupID != c.group || !slices.Equal(about, ids(c.jobs)) && len(about)+len(c.jobs) > 0 {
			t.Errorf("%s: it is about group %q and %d jobs, want %q and %d", name, i.GroupID, len(about), c.group, len(c.jobs))
		}
		if (i.Reason == "") != (len(c.jobs) > 0) || b.mustIncompliance(i.ID).Reason != i.Reason {
			t.Errorf("%s: the reason is %q", name, i.Reason)
		}
	}
	unseen := incompliance("none", jobmanager.Subject{AppInstance: instance, AppComponent: "*", ResourceID: "uid-newer"})
	b.must(b.RecordIncompliance(t.Context(), jobmanager.Scope{Tenant: "other"}, "polman", unseen, b.remedy(unseen)))
	if unseen.GroupID != "" || len(unseen.Remediations) != 0 {
		t.Errorf("another tenant's incompliance is about %q", unseen.GroupID)
	}
}

// testPastResources: what was dropped is remembered too, once.
func testPastResources(t *testing.T, b *bench) {
	group := b.runningGroup("past", 2)
	b.mustChange(group.ID, stopChange().Rule)
	b.MustUpdate(b.claimRule("a"), group.Jobs...)
	b.MustUpdate(finishRule("a"), group.Jobs...)
	found := func(subject jobmanager.Subject) int {
		t.Helper()
		return len(b.mustRecord("none", subject).Remediations)
	}
	if n := found(jobmanager.Subject{ResourceID: "uid-part-000"}); n != 1 {
		t.Errorf("%d jobs had the uid of what was removed", n)
	}
	if n := found(jobmanager.Subject{ResourceID: jobmanager.Text(group.Jobs[0].Resource.ID)}); n != 0 {
		t.Errorf("%d jobs are found by our id of what was removed", n)
	}
	// The same uid comes and goes again.
	b.mustChange(group.ID, func(g *jobmanager.JobGroup, now time.Time) ([]jobmanager.Event, error) {
		return g.Start(submission("past", 2), b.life, newID, now)
	})
	b.MustUpdate(b.claimRule("a"), group.Jobs...)
	b.MustUpdate(finishRule("a"), group.Jobs...)
	b.MustUpdate(renameRule("uid-2", "renamed"), group.Jobs[0])
	b.MustUpdate(renameRule("uid-part-000", "part-000"), group.Jobs[0])
	b.MustUpdate(renameRule("uid-2", "renamed"), group.Jobs[0])
	for _, uid := range []jobmanager.Text{"uid-part-000", "uid-2"} {
		if n := found(jobmanager.Subject{ResourceID: uid}); n != 1 {
			t.Errorf("%d jobs have or had the uid %s", n, uid)
		}
	}
}

func testAnswersSucceedEachOther(t *testing.T, b *bench) {
	group := b.runningGroup("busy", 1)
	job, subject := group.Jobs[0], jobmanager.Subject{AppInstance: jobmanager.Text(group.ID), AppComponent: "*"}
	outcome := func(i *jobmanager.Incompliance) jobmanager.RemediationOutcome {
		t.Helper()
		return b.mustIncompliance(i.ID).Remediations[0].Outcome
	}
	first := b.mustRecord("scale-up", subject)
	b.MustUpdate(b.claimRule("a"), job)
	waiting := b.mustRecord("patch", subject)
	b.clock.Advance(2 * b.life.CoolDown)
	newest := b.mustRecord("scale-down", subject)
	same(t, outcome(waiting), jobmanager.RemediationSuperseded)
	same(t, outcome(newest), jobmanager.RemediationWaiting)
	head := b.MustHead()
	b.MustUpdate(finishRule("a"), job)
	same(t, outcome(first), jobmanager.RemediationFinished)
	same(t, outcome(newest), jobmanager.RemediationStarted)
	told := 0
	for _, event := range b.MustEvents(head) {
		if event.Remediation != nil {
			told++
		}
	}
	if told != 2 {
		t.Errorf("%d events tell of remediations, want 2", told)
	}
	// One event after the other about one incompliance, in one transaction: the last one counts.
	b.MustUpdate(func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
		i := incompliance("reallocate", subject)
		i.ID = newest.ID
		_, events := j.Remediate(i, b.life, now)
		return append(events, j.Stop(now)...), nil
	}, job)
	same(t, outcome(newest), jobmanager.RemediationDropped)
}

// testRecordsAtOnce sends one incompliance many times at once.
func testRecordsAtOnce(t *testing.T, b *bench) {
	group := b.runningGroup("raced", 3)
	before := b.MustHead()
	id := newID()
	const many = 8
	errs := make([]error, many)
	together(many, func(n int) {
		i := incompliance("patch", jobmanager.Subject{AppInstance: jobmanager.Text(group.ID), AppComponent: "*"})
		i.ID = id
		errs[n] = b.RecordIncompliance(t.Context(), everything(), "polman", i, b.remedy(i))
	})
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
			continue
		}
		b.wantCode(err, jobmanager.CodeConflict)
	}
	if head := b.MustHead(); won != 1 || head != before+5 {
		t.Errorf("%d of %d were recorded with %d events, want 1 with 5", won, many, head-before)
	}
}
