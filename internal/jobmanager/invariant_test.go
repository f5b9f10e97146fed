package jobmanager_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// broken names the laws that a verb broke; none for a good one. They hold for every job and every verb.
func broken(v verb, c *cell, now time.Time) []string {
	var laws []string
	must := func(holds bool, format string, args ...any) {
		if !holds {
			laws = append(laws, fmt.Sprintf(format, args...))
		}
	}
	before, after := &c.before, &c.after
	changed := !cmp.Equal(c.before, c.after)
	must(c.err == nil || !changed, "it changed despite a refusal: %s", describe(c))
	must(len(c.events) > 0 || !changed || v.quiet, "it changed without an event: %s", describe(c))
	must(len(c.events) > 0 || before.Now() == after.Now() && waitsForTarget(before) == waitsForTarget(after) && before.Outdated == after.Outdated,
		"more than a time or a hand-out changed without an event: %s", describe(c))
	must(after.Epoch >= before.Epoch && after.Generation >= before.Generation, "its epoch or generation shrank")
	must(after.Generation == before.Generation || after.Epoch > before.Epoch, "other work at the same epoch")
	must(after.Owner == before.Owner || after.Owner == "" || after.Epoch > before.Epoch, "another owner at the same epoch")
	for _, event := range c.events {
		must(!begins(event, before) || after.Epoch > before.Epoch, "%s and the epoch did not grow", event.Type)
	}
	must(after.Attempt >= 0 && after.Attempt <= 5, "%d attempts", after.Attempt)
	return append(append(laws, brokenEvents(c)...), brokenState(after, now)...)
}

// waitsForTarget is the job's hold; which of the two reasons there is for having no target is told by none.
func waitsForTarget(j *jobmanager.Job) jobmanager.HoldReason {
	if j.Hold == jobmanager.HoldNoFittingTarget {
		return jobmanager.HoldNoTarget
	}
	return j.Hold
}

// begins says whether the event is of a kind that fences everyone who held the job before.
func begins(event jobmanager.Event, before *jobmanager.Job) bool {
	switch event.Type {
	case jobmanager.JobClaimed, jobmanager.JobStarted, jobmanager.JobRemediated, jobmanager.JobReassigned, jobmanager.JobAbandoned:
		return true
	case jobmanager.JobStopped: // a Delete that does not come back stays the work that it is
		return before.Type != deleteDeployment
	default:
		return false
	}
}

// brokenState names what is wrong with a job by itself.
func brokenState(j *jobmanager.Job, now time.Time) []string {
	if j.Deleted {
		return nil
	}
	var laws []string
	must := func(holds bool, law string) {
		if !holds {
			laws = append(laws, law)
		}
	}
	must(j.Type != createDeployment || j.State != jobmanager.Created || j.Owner == "", "a Create/Created has an owner")
	must(j.Type == createDeployment && j.State == jobmanager.Created || j.Owner != "" || j.State == jobmanager.Finished, "nobody may do its work")
	must(j.Lease == nil || j.State == jobmanager.Progressing && j.Lease.OwnerID == j.Owner && j.Lease.Epoch == j.Epoch, "its lease is not its owner's")
	must(j.Lease == nil || j.Last.Outcome == nil && j.Last.Epoch == j.Epoch, "a lease without an open attempt")
	must(j.Lease != nil || j.Last.Epoch == 0 || j.Last.Outcome != nil, "an open attempt without a lease")
	open := j.Type == createDeployment && j.State == jobmanager.Progressing // whoever claims it is given the newest
	must(j.Outdated == false || j.Lease != nil || j.Reservation.OwnerID != "" || open || j.Hold == jobmanager.HoldAmbiguousWorkload, "newer manifests wait for nothing")
	must(j.Queued == nil || j.Type != deleteDeployment && j.State != jobmanager.Finished, "a remediation waits for nothing")
	must(j.Sequel == "" || j.Type == deleteDeployment, "a sequel of more than a Delete")
	must(j.State != jobmanager.Finished || j.Hold == "" && !j.Reservation.HeldAt(now) && j.Turn.Of == "", "finished work is held or handed out")
	must(j.Type != deleteDeployment || j.State != jobmanager.Finished || j.Workload == jobmanager.WorkloadNone && j.Resource == nil, "a finished Delete left something")
	candidates := slices.ContainsFunc(j.Strays, func(s jobmanager.Stray) bool { return !s.Reported && !s.Dismissed })
	must(candidates == (j.Hold == jobmanager.HoldAmbiguousWorkload) || candidates && (j.Hold == jobmanager.HoldNoManifests), "its candidates are not what it waits for")
	must(j.Hold != jobmanager.HoldAmbiguousWorkload || j.Type != updateDeployment || j.SubType == jobmanager.Reallocation, "an Update that is none of the removals is held for its candidates")
	must(j.Hold != jobmanager.HoldRemovalUnconfirmed || j.Lease == nil && (j.Type == deleteDeployment || j.SubType == jobmanager.Reallocation), "a removal is watched that none is, or that is in progress")
	must(j.Polls == 0 || j.Hold == jobmanager.HoldRemovalUnconfirmed, "polls are counted for nothing")
	must(len(j.Strays) <= 16 && uniqueStrays(j), "its strays are too many, or the same, or its own workload")
	removable := slices.ContainsFunc(j.Strays, func(s jobmanager.Stray) bool { return s.Reported && s.Target != nil })
	must(j.Type != deleteDeployment || j.State != jobmanager.Finished || !removable, "a finished Delete left a stray")
	waiting := j.Waiting(now)
	must(j.State == jobmanager.Finished || waiting != nil && waiting.Reason != "" && waiting.Message != "" && !waiting.Since.IsZero(), "it does not say why it waits")
	gone := j.ManifestCount == 0 && j.Reservation.OwnerID != "" // while it was handed out: see the table
	must(j.State == jobmanager.Finished || j.Hold != "" || j.Lease != nil || gone || executableSometime(j, now), "nobody may claim it, ever")
	must(j.Hold != jobmanager.HoldNoTarget && j.Hold != jobmanager.HoldNoFittingTarget || j.Target == nil && !j.NotBefore.IsZero(), "it waits for a target and is never matched")
	return laws
}

// uniqueStrays says whether no stray stands twice, or is the job's resource.
func uniqueStrays(j *jobmanager.Job) bool {
	uids := map[jobmanager.Text]bool{uidOf(j): true}
	for _, s := range j.Strays {
		if uids[s.UID] {
			return false
		}
		uids[s.UID] = true
	}
	return true
}

// executableSometime says whether some agent may claim the job as soon as time has done its part.
func executableSometime(j *jobmanager.Job, now time.Time) bool {
	for _, at := range []time.Time{j.NotBefore, j.Turn.Until, j.Reservation.Until} {
		if at.After(now) {
			now = at
		}
	}
	return slices.ContainsFunc([]jobmanager.OwnerID{agentA, agentB}, func(owner jobmanager.OwnerID) bool {
		return j.Executable(agent(owner), now)
	})
}

// brokenEvents names what is wrong with the events: each begins where the one before ended, and the last one
// carries the job as it is.
func brokenEvents(c *cell) []string {
	var laws []string
	at := c.before.Now()
	var last *jobmanager.Job
	for _, event := range c.events {
		if event.Job == nil {
			continue
		}
		if j := event.Job; j.Manifests != nil || j.Attempts != nil || j.Group != nil || j.Presence != nil {
			laws = append(laws, fmt.Sprintf("%s carries what is loaded beside the job", event.Type))
		}
		if event.Former != at {
			laws = append(laws, fmt.Sprintf("%s begins with %+v, not %+v", event.Type, event.Former, at))
		}
		at, last = event.Job.Now(), event.Job
	}
	if last != nil && !c.after.Deleted && encoded(last) != encoded(&c.after) {
		laws = append(laws, "the last event does not carry the job as it is: "+cmp.Diff(encoded(last), encoded(&c.after)))
	}
	return laws
}

// encoded is what an event shows of a job; the coarse mark of when its resource was last seen is told by none.
func encoded(job *jobmanager.Job) string {
	j := *job
	if j.Resource != nil {
		resource := *j.Resource
		resource.SeenAt = time.Time{}
		j.Resource = &resource
	}
	text, err := json.Marshal(&j)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func TestNoVerbBreaksALaw(t *testing.T) {
	t.Parallel()
	for _, situation := range situations() {
		for _, law := range brokenState(situation.make(), start) {
			t.Errorf("%s: %s", situation.name, law)
		}
		for _, verb := range verbs() {
			for _, law := range broken(verb, played(situation, verb), start) {
				t.Errorf("%s, %s: %s", situation.name, verb.name, law)
			}
		}
	}
}

// TestEventsKeepWhatTheyTold plays every verb after every verb: what the first one told stays as it was told.
func TestEventsKeepWhatTheyTold(t *testing.T) {
	t.Parallel()
	all := verbs()
	for _, situation := range situations() {
		for _, first := range all {
			played := situation.scene()
			events, _ := first.do(played)
			before, err := json.Marshal(events)
			if err != nil {
				t.Fatal(err)
			}
			for _, second := range all {
				j := *played.j // the same inside: whatever is changed there in place shows
				_, _ = second.do(scene{&j, situation.beside})
			}
			after, err := json.Marshal(events)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(before), string(after)); diff != "" {
				t.Errorf("%s, %s: its events changed afterwards: %s", situation.name, first.name, diff)
			}
		}
	}
}
