package jobmanager_test

import (
	"slices"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// scene is a job in its application, and what the application's present descriptor says.
type scene struct {
	j *jobmanager.Job
	// beside says that another job of the application runs.
	beside bool
}

// group is the application of the job.
func (s scene) group() *jobmanager.JobGroup {
	g := &jobmanager.JobGroup{ID: "00000000-0000-7000-8000-00000000000a", Name: "app", Namespace: "app", Generation: 1, Descriptor: "former", Jobs: []*jobmanager.Job{s.j}}
	if s.beside {
		other := job(createDeployment, jobmanager.Finished, jobmanager.WorkloadPresent)
		other.ID, other.Component = "00000000-0000-7000-8000-000000000002", "other"
		g.Jobs = append(g.Jobs, other)
	}
	return g
}

// descriptor is that of the application with the component web as given, or without it.
func (s scene) descriptor(component *jobmanager.Component) jobmanager.Descriptor {
	var components []jobmanager.Component
	if s.beside {
		components = append(components, jobmanager.Component{Name: "other"})
	}
	if component != nil {
		components = append(components, *component)
	}
	return app(components...)
}

// update gives the application a new descriptor. A job that leaves has no component in the former one.
func (s scene) update(component *jobmanager.Component, match *jobmanager.Match) ([]jobmanager.Event, error) {
	return s.updateAt(start, component, match, false)
}

// updateAt is update at another time, or a start with the descriptor.
func (s scene) updateAt(now time.Time, component *jobmanager.Component, match *jobmanager.Match, starts bool) ([]jobmanager.Event, error) {
	was := web(nil)
	former := s.descriptor(&was)
	if s.j.Sequel == jobmanager.SequelLeave {
		former = s.descriptor(nil)
	}
	next := jobmanager.Submission{Descriptor: s.descriptor(component), Text: "new", Unanswered: "the Matchmaker is down"}
	if match != nil {
		next.Matches, next.Unanswered = []jobmanager.Match{*match}, ""
	}
	if starts {
		return s.group().Start(next, life(), ids(), now)
	}
	return s.group().Update(former, next, life(), ids(), now)
}

// verb is a column of the table.
type verb struct {
	name string
	do   func(scene) ([]jobmanager.Event, error)
	// quiet says that it may change the job without an event.
	quiet bool
}

// verbs are the columns of the table, in its order.
func verbs() []verb {
	return slices.Concat(agentVerbs(), userVerbs(), serverVerbs(), legacyVerbs())
}

// agentVerbs are those of agents, and the end of a lease.
func agentVerbs() []verb {
	a, b := fence(agentA, 4), fence(agentB, 4)
	report := available(jobmanager.StatusTrue, nil)
	return []verb{
		{name: "claim by a", do: func(s scene) ([]jobmanager.Event, error) { return s.j.Claim(claimOf(agentA), start) }},
		{name: "claim by b", do: func(s scene) ([]jobmanager.Event, error) { return s.j.Claim(claimOf(agentB), start) }},
		{name: "expire", do: func(s scene) ([]jobmanager.Event, error) { return s.j.Expire(life(), start), nil }},
		{name: "finish by a", do: func(s scene) ([]jobmanager.Event, error) { return s.j.Finish(a, report, start) }},
		{name: "finish by b", do: func(s scene) ([]jobmanager.Event, error) { return s.j.Finish(b, report, start) }},
		{name: "fail by a", do: func(s scene) ([]jobmanager.Event, error) { return s.j.Fail(a, "it broke", life(), start) }},
		{name: "release by a", do: func(s scene) ([]jobmanager.Event, error) { return s.j.Release(a, start) }},
		{name: "report by a", do: func(s scene) ([]jobmanager.Event, error) { return s.j.ReportResource(a, report, start) }},
		{name: "report by b", do: func(s scene) ([]jobmanager.Event, error) { return s.j.ReportResource(b, report, start) }},
		handOut(agentA), handOut(agentB),
	}
}

// handOut lists the job to an agent that executes without asking; what is not executable is not listed.
func handOut(owner jobmanager.OwnerID) verb {
	return verb{name: "hand out to " + string(owner), quiet: true, do: func(s scene) ([]jobmanager.Event, error) {
		if s.j.Executable(agent(owner), start) {
			s.j.HandOut(agent(owner), life(), start)
		}
		return nil, nil
	}}
}

// userVerbs are those of integrators and admins. Requirements changed, and the Matchmaker then named c2, the former
// target c1, or nothing.
func userVerbs() []verb {
	update := func(name string, change func(*jobmanager.Component), match *jobmanager.Match) verb {
		return verb{name: name, do: func(s scene) ([]jobmanager.Event, error) {
			component := web(change)
			return s.update(&component, match)
		}}
	}
	elsewhere, here := answer("c2"), answer("c1")
	return []verb{
		{name: "stop", do: func(s scene) ([]jobmanager.Event, error) { return s.j.Stop(start), nil }},
		{name: "start", do: func(s scene) ([]jobmanager.Event, error) {
			component := web(nil)
			return s.updateAt(start, &component, &elsewhere, true)
		}},
		update("component kept, or back", nil, &elsewhere),
		update("manifests changed", newManifests, nil),
		update("manifests gone", noManifests, nil),
		update("requirements: c2", newRequirements, &elsewhere),
		update("requirements: c1", newRequirements, &here),
		update("requirements: no answer", newRequirements, nil),
		{name: "component removed", do: func(s scene) ([]jobmanager.Event, error) { return s.update(nil, nil) }},
		{name: "delete group", do: func(s scene) ([]jobmanager.Event, error) { return s.group().Delete(false, start) }},
		{name: "delete group, stop first", do: func(s scene) ([]jobmanager.Event, error) { return s.group().Delete(true, start) }},
		{name: "delete job", do: func(s scene) ([]jobmanager.Event, error) { return s.j.Discard(start) }},
		{name: "retry", do: func(s scene) ([]jobmanager.Event, error) { return s.j.Retry(start), nil }},
		{name: "reassign a to b", do: func(s scene) ([]jobmanager.Event, error) { return s.j.Reassign(agentA, agentB, life(), start), nil }},
		{name: "abandon", do: func(s scene) ([]jobmanager.Event, error) { return s.j.Abandon("its cluster is gone", start), nil }},
	}
}

// serverVerbs are incompliances by their remediation ("dance" is unknown), the Matchmaker's answers for a job without a
// target (match) and for one that wants another (move), and an agent's silence.
func serverVerbs() []verb {
	remedy := func(name string) verb {
		return verb{name: name, do: func(s scene) ([]jobmanager.Event, error) {
			answer, events := s.j.Remediate(incompliance(newID, name), life(), start)
			if len(events) == 0 {
				return nil, refused(answer.Outcome)
			}
			return events, nil
		}}
	}
	ask := func(name string, do func(*jobmanager.Job) []jobmanager.Event) verb {
		return verb{name: name, quiet: true, do: func(s scene) ([]jobmanager.Event, error) { return do(s.j), nil }}
	}
	return []verb{
		remedy("scale-up"), remedy("reallocation"), remedy("dance"), remedy("none"),
		ask("match: c2", func(j *jobmanager.Job) []jobmanager.Event {
			return j.Rematch(answer("c2"), "kubernetes", life(), start)
		}),
		ask("match: none", func(j *jobmanager.Job) []jobmanager.Event {
			return j.Rematch(answer(), "kubernetes", life(), start)
		}),
		ask("move: c2", func(j *jobmanager.Job) []jobmanager.Event {
			return j.Relocate(answer("c1", "c2"), "kubernetes", life(), start)
		}),
		ask("move: c1", func(j *jobmanager.Job) []jobmanager.Event {
			return j.Relocate(answer("c1"), "kubernetes", life(), start)
		}),
		ask("move: none", func(j *jobmanager.Job) []jobmanager.Event {
			return j.Relocate(answer(), "kubernetes", life(), start)
		}),
		{name: "agent silent", do: func(s scene) ([]jobmanager.Event, error) { return s.j.Silence(start), nil }},
	}
}

// refused is the refusal that an incompliance was answered with.
func refused(outcome jobmanager.RemediationOutcome) error {
	return jobmanager.Errorf(jobmanager.Code(outcome), "refused")
}
