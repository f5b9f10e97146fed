package jobmanager_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// TestNoWalkBreaksALaw lets agents, users, policies and time do whatever they like with one job, in any order.
func TestNoWalkBreaksALaw(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		now, open := start, answers{}
		j := job(createDeployment, jobmanager.Created, jobmanager.WorkloadNone)
		j.Epoch, j.Generation = 0, 1
		for step := range rapid.IntRange(1, 30).Draw(r, "length") {
			now = now.Add(rapid.SampledFrom([]time.Duration{0, time.Second, 20 * time.Second, 2 * time.Minute, time.Hour}).Draw(r, "time"))
			steps := steps(r, now, jobmanager.ID(fmt.Sprintf("00000000-0000-7000-8000-%012d", step)))
			name := rapid.SampledFrom(slices.Sorted(maps.Keys(steps))).Draw(r, "verb")
			// Hand-outs, tries and polls write no event, nor does the coarse mark of when it was last seen.
			verb := verb{name: name, do: steps[name], quiet: slices.Contains([]string{"hand out", "match", "move", "poll", "report", "sync"}, name)}
			c := &cell{before: *j}
			var events []jobmanager.Event
			events, c.err = verb.do(scene{j, j.Type == deleteDeployment && rapid.Bool().Draw(r, "beside")})
			c.after = *j
			for _, event := range events {
				if event.JobID == j.ID {
					c.events = append(c.events, event)
				}
			}
			for _, law := range append(broken(verb, c, now), open.follow(c)...) {
				r.Fatalf("%s of %s: %s", name, describe(c), law)
			}
			if j.Deleted {
				return
			}
		}
	})
}

// answers are the remediations that were taken on and have not ended, by their incompliances.
type answers map[jobmanager.ID]jobmanager.RemediationOutcome

// follow takes what a verb told of remediations, and names the laws that it broke: each one that has not ended is
// known to the job, and each one that the job knows was told.
func (a answers) follow(c *cell) []string {
	for _, event := range c.events {
		if r := event.Remediation; r != nil {
			a[r.IncomplianceID] = r.Outcome
		}
	}
	waits := jobmanager.ID("")
	if c.after.Queued != nil {
		waits = c.after.Queued.IncomplianceID
	}
	wanted := jobmanager.ID("")
	if c.after.Move != nil && c.after.SubType != jobmanager.Reallocation {
		wanted = c.after.Move.Cause
	}
	var laws []string
	for id, outcome := range a {
		var known bool
		switch outcome {
		case jobmanager.RemediationWaiting, jobmanager.RemediationNoOtherTarget:
			known = id == waits || id == wanted
		case jobmanager.RemediationStarted:
			known = id == c.after.Cause
		default:
			known = id != waits && id != wanted && (id != c.after.Cause || outcome == jobmanager.RemediationFailed)
		}
		if !known || c.after.Deleted && slices.Contains([]jobmanager.RemediationOutcome{"WAITING", "STARTED", "NO_OTHER_TARGET"}, outcome) {
			laws = append(laws, fmt.Sprintf("the remediation %s is %s, the job knows %q, %q and %q", id, outcome, c.after.Cause, waits, wanted))
		}
	}
	return laws
}

// steps are what may be done with a job at a time, by whom and how as drawn; id is that of a new incompliance.
func steps(r *rapid.T, now time.Time, id jobmanager.ID) map[string]func(scene) ([]jobmanager.Event, error) {
	owner := rapid.SampledFrom([]jobmanager.OwnerID{agentA, agentB}).Draw(r, "owner")
	late := rapid.Int64Range(0, 1).Draw(r, "late")
	match := answer(rapid.SampledFrom([][]string{{"c1"}, {"c2"}, {"c1", "c2"}, {"c3", "c1"}, {}}).Draw(r, "match")...)
	change := rapid.SampledFrom([]func(*jobmanager.Component){nil, newManifests, noManifests, newRequirements}).Draw(r, "change")
	remediation := rapid.SampledFrom([]string{"scale-up", "scale-down", "patch", "migrate", "dance", "none"}).Draw(r, "remediation")
	blindly := rapid.Bool().Draw(r, "blind")
	writer := func(j *jobmanager.Job) jobmanager.Fence { return fence(owner, j.Epoch-late) }
	uid := rapid.SampledFrom([]string{"u", "v", "w"}).Draw(r, "uid")
	component := web(change)
	type s = scene
	quietly := func(events []jobmanager.Event) ([]jobmanager.Event, error) { return events, nil }
	all := map[string]func(s) ([]jobmanager.Event, error){
		"claim": func(s s) ([]jobmanager.Event, error) {
			claim := claimOf(owner)
			if claim.Agent.Blind = blindly; late == 1 {
				claim.Agent.Client = "hub-" + string(owner)
			}
			return s.j.Claim(claim, now)
		},
		"hand out": func(s s) ([]jobmanager.Event, error) {
			if s.j.Executable(agent(owner), now) {
				s.j.HandOut(agent(owner), life(), now)
			}
			return nil, nil
		},
		"expire": func(s s) ([]jobmanager.Event, error) { return quietly(s.j.Expire(life(), now)) },
		"finish": func(s s) ([]jobmanager.Event, error) {
			return s.j.Finish(writer(s.j), jobmanager.ResourceReport{UID: uid}, now)
		},
		"fail":    func(s s) ([]jobmanager.Event, error) { return s.j.Fail(writer(s.j), "broke", life(), now) },
		"release": func(s s) ([]jobmanager.Event, error) { return s.j.Release(writer(s.j), now) },
		"report": func(s s) ([]jobmanager.Event, error) {
			return s.j.ReportResource(writer(s.j), available(jobmanager.StatusTrue, nil), now)
		},
		"silence":  func(s s) ([]jobmanager.Event, error) { return quietly(s.j.Silence(now)) },
		"stop":     func(s s) ([]jobmanager.Event, error) { return quietly(s.group().Stop(now)) },
		"start":    func(s s) ([]jobmanager.Event, error) { return s.updateAt(now, &component, &match, true) },
		"update":   func(s s) ([]jobmanager.Event, error) { return s.updateAt(now, &component, &match, false) },
		"no match": func(s s) ([]jobmanager.Event, error) { return s.updateAt(now, &component, nil, false) },
		"remove":   func(s s) ([]jobmanager.Event, error) { return s.updateAt(now, nil, nil, false) },
		"delete":   func(s s) ([]jobmanager.Event, error) { return s.j.Discard(now) },
		"retry":    func(s s) ([]jobmanager.Event, error) { return quietly(s.j.Retry(now)) },
		"reassign": func(s s) ([]jobmanager.Event, error) {
			to := agentA
			if owner == agentA {
				to = agentB
			}
			return quietly(s.j.Reassign(owner, to, life(), now))
		},
		"abandon": func(s s) ([]jobmanager.Event, error) { return quietly(s.j.Abandon("gone", now)) },
		"remedy": func(s s) ([]jobmanager.Event, error) {
			_, events := s.j.Remediate(incompliance(id, remediation), life(), now)
			return events, nil
		},
		"match": func(s s) ([]jobmanager.Event, error) { return quietly(s.j.Rematch(match, "kubernetes", life(), now)) },
		"move":  func(s s) ([]jobmanager.Event, error) { return quietly(s.j.Relocate(match, "kubernetes", life(), now)) },
	}
	maps.Copy(all, legacySteps(r, drawn{owner, uid, now}))
	return all
}
