package app_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
	"github.com/icos-jobmanager/jobmanager/internal/testkit"
)

// told is a message of any watch, as one line: kind, and what the object is.
func told(s *apptest.Subscription, field string) (line, cursor string) {
	var m map[string]struct {
		Kind, Cursor string
		Job          *struct{ Component, State string }
		JobGroup     *struct{ Name, Phase string }
		Resource     *struct{ UID string }
	}
	s.Next(&m)
	message := m[field]
	line = message.Kind
	if message.Resource != nil {
		line += " " + message.Resource.UID
	}
	if message.Job != nil {
		line += " " + message.Job.Component + " " + message.Job.State
	}
	if message.JobGroup != nil {
		line += " " + message.JobGroup.Name + " " + message.JobGroup.Phase
	}
	return line, message.Cursor
}

// expect reads so many messages and compares them.
func expect(t *testing.T, s *apptest.Subscription, field string, want ...string) (cursor string) {
	t.Helper()
	var got []string
	for range want {
		line, at := told(s, field)
		got = append(got, line)
		cursor = at
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s told (-want +got):\n%s", field, diff)
	}
	return cursor
}

// TestWatchersAreToldWhatEntersChangesAndLeaves watches with filters over the whole life of an application.
func TestWatchersAreToldWhatEntersChangesAndLeaves(t *testing.T) {
	t.Parallel()
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		const jobs = `subscription($after: String) { jobChanged(filter: {components: ["front"], states: [PROGRESSING]}, after: $after) { kind cursor job { component state } } }`
		working := s.Subscribe(t, jobs, nil)
		running := s.Subscribe(t, `subscription { jobGroupChanged(filter: {phases: [RUNNING, STOPPED]}) { kind cursor jobGroup { name phase } } }`, nil)
		resources := s.Subscribe(t, `subscription { resourceStatusChanged(filter: {ownerIds: ["hub-1"]}) { kind cursor resource { uid } job { component state } } }`, nil)
		begin := expect(t, working, "jobChanged", "BOOKMARK")
		expect(t, running, "jobGroupChanged", "BOOKMARK")
		expect(t, resources, "resourceStatusChanged", "BOOKMARK")

		var group created
		s.Must(t, submit, apptest.Vars{"descriptor": shop}, &group)
		id := group.CreateJobGroup.JobGroup.ID
		for _, j := range group.CreateJobGroup.JobGroup.Jobs.Nodes {
			work(t, s, j.ID, "uid-"+j.Component)
		}
		s.Must(t, `mutation($id: ID!) { deleteJobGroup(input: {jobGroupId: $id, stopFirst: true}) { deleted } }`, apptest.Vars{"id": id}, nil)
		for _, j := range group.CreateJobGroup.JobGroup.Jobs.Nodes {
			work(t, s, j.ID, "")
		}
		expect(t, working, "jobChanged", "ENTERED front PROGRESSING", "LEFT front FINISHED", "ENTERED front PROGRESSING", "LEFT front FINISHED")
		expect(t, running, "jobGroupChanged", "ENTERED shop RUNNING",
			"CHANGED shop RUNNING", "CHANGED shop RUNNING", // to be deleted, and stopped
			"LEFT shop STOPPING", "ENTERED shop STOPPED", "LEFT shop STOPPED")
		expect(t, resources, "resourceStatusChanged",
			"ENTERED uid-front front FINISHED", "ENTERED uid-cellar cellar FINISHED",
			"LEFT uid-front front FINISHED", "LEFT uid-cellar cellar FINISHED")

		again := s.Subscribe(t, jobs, apptest.Vars{"after": begin})
		expect(t, again, "jobChanged", "ENTERED front PROGRESSING", "LEFT front FINISHED", "ENTERED front PROGRESSING", "LEFT front FINISHED")
	})
}

// work claims a job as hub-1 and finishes it at once.
func work(t *testing.T, s *apptest.Server, job, uid string) {
	t.Helper()
	var won claimed
	s.Must(t, claim, apptest.Vars{"job": job, "owner": "hub-1"}, &won)
	s.Must(t, finish, apptest.Vars{"job": job, "owner": "hub-1", "epoch": won.ClaimJob.Job.Epoch, "resource": map[string]any{"uid": uid}}, nil)
}

func TestIdleWatcherIsToldHowFarTheLogWas(t *testing.T) {
	t.Parallel()
	clock := testkit.NewClock(time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC))
	s := apptest.Start(t, apptest.Options{Clock: clock})
	watch := s.Subscribe(t, `subscription { jobChanged(filter: {components: ["nobody"]}) { kind cursor job { component state } } }`, nil)
	first := expect(t, watch, "jobChanged", "BOOKMARK")
	s.Must(t, submit, apptest.Vars{"descriptor": shop}, nil)
	var second string
	advanceWhile(clock, 31*time.Second, func() { second = expect(t, watch, "jobChanged", "BOOKMARK") })
	if first == second || !strings.HasSuffix(second, ":3") {
		t.Errorf("bookmarks %s and %s, want the second behind the 3 events", first, second)
	}
}

func TestSnapshotOfTooManyIsRefused(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Options{})
	var descriptor strings.Builder
	descriptor.WriteString("name: many\ncomponents:\n")
	for n := range 501 {
		fmt.Fprintf(&descriptor, "- name: c%d\n  manifests: [{name: m}]\n", n)
	}
	descriptor.WriteString("manifests:\n- name: m\n  manifest:\n    apiVersion: v1\n    kind: Pod\n    metadata: {name: m}\n")
	for range 2 {
		s.Must(t, submit, apptest.Vars{"descriptor": descriptor.String()}, nil)
	}
	watch := s.Subscribe(t, `subscription { jobChanged { kind } }`, nil)
	if problem := watch.Refused(); problem.Extensions.Code != "SNAPSHOT_TOO_LARGE" {
		t.Errorf("%+v", problem)
	}
	expired := s.Subscribe(t, `subscription { jobChanged(after: "elsewhere:7") { kind } }`, nil)
	if problem := expired.Refused(); problem.Extensions.Code != "CURSOR_EXPIRED" {
		t.Errorf("%+v", problem)
	}
}
