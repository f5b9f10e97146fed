package jobmanager_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

var start = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

const (
	agentA jobmanager.OwnerID = "a"
	agentB jobmanager.OwnerID = "b"
)

// job makes one that agent a may have worked on, in the state that its name says.
func job(kind jobmanager.JobType, state jobmanager.JobState, workload jobmanager.Workload) *jobmanager.Job {
	j := &jobmanager.Job{
		ID: "00000000-0000-7000-8000-000000000001", Component: "web", Type: kind, State: state, Workload: workload,
		Epoch: 4, Generation: 2, Orchestrator: "ocm", ManifestCount: 1, Since: start,
		Target: &jobmanager.Target{Cluster: "c1", Orchestrator: "ocm"},
	}
	if kind != jobmanager.CreateDeployment || state != jobmanager.Created {
		j.Owner = agentA
		j.Last = jobmanager.Attempt{Epoch: 4, OwnerID: agentA, ClaimedAt: start}
	}
	switch state {
	case jobmanager.Progressing:
		j.Attempt = 1
		j.Lease = &jobmanager.Lease{OwnerID: agentA, Epoch: 4, Length: time.Minute, ExpiresAt: start.Add(time.Minute)}
	case jobmanager.Degraded:
		j.Attempt, j.Last.Outcome, j.LastError = 1, outcome(jobmanager.OutcomeFailed), "no such image"
	case jobmanager.Finished:
		j.Attempt, j.Last.Outcome = 1, outcome(jobmanager.OutcomeFinished)
	case jobmanager.Created:
		if kind != jobmanager.CreateDeployment { // a stop or an update took it away from its last attempt
			j.Last.Outcome, j.Epoch = outcome(jobmanager.OutcomeFinished), 5
		}
	}
	return j
}

func outcome(o jobmanager.Outcome) *jobmanager.Outcome { return &o }

func with(j *jobmanager.Job, change func(*jobmanager.Job)) *jobmanager.Job {
	change(j)
	return j
}

// situations are the rows of the table: every type with every state that it can be in, and the variants that
// the rules tell apart.
func situations() map[string]func() *jobmanager.Job {
	const c, u, d = jobmanager.CreateDeployment, jobmanager.UpdateDeployment, jobmanager.DeleteDeployment
	plain := func(kind jobmanager.JobType, state jobmanager.JobState, workload jobmanager.Workload) func() *jobmanager.Job {
		return func() *jobmanager.Job { return job(kind, state, workload) }
	}
	return map[string]func() *jobmanager.Job{
		"create/created":                  plain(c, jobmanager.Created, jobmanager.WorkloadNone),
		"create/progressing":              plain(c, jobmanager.Progressing, jobmanager.WorkloadMaybe),
		"create/finished":                 plain(c, jobmanager.Finished, jobmanager.WorkloadPresent),
		"create/degraded":                 plain(c, jobmanager.Degraded, jobmanager.WorkloadMaybe),
		"create/degraded, nothing stands": plain(c, jobmanager.Degraded, jobmanager.WorkloadNone),
		"create/degraded, present":        plain(c, jobmanager.Degraded, jobmanager.WorkloadPresent),
		"update/created":                  plain(u, jobmanager.Created, jobmanager.WorkloadPresent),
		"update/progressing":              plain(u, jobmanager.Progressing, jobmanager.WorkloadPresent),
		"update/finished":                 plain(u, jobmanager.Finished, jobmanager.WorkloadPresent),
		"update/degraded":                 plain(u, jobmanager.Degraded, jobmanager.WorkloadPresent),
		"delete/created":                  plain(d, jobmanager.Created, jobmanager.WorkloadPresent),
		"delete/progressing":              plain(d, jobmanager.Progressing, jobmanager.WorkloadPresent),
		"delete/finished":                 plain(d, jobmanager.Finished, jobmanager.WorkloadNone),
		"delete/degraded":                 plain(d, jobmanager.Degraded, jobmanager.WorkloadPresent),
		"create/created, handed out to b": func() *jobmanager.Job {
			return with(job(c, jobmanager.Created, jobmanager.WorkloadNone), func(j *jobmanager.Job) {
				j.Reservation = jobmanager.Reservation{OwnerID: agentB, Until: start.Add(time.Second)}
			})
		},
		"create/created, no target": func() *jobmanager.Job {
			return with(job(c, jobmanager.Created, jobmanager.WorkloadNone), func(j *jobmanager.Job) {
				j.Target, j.Orchestrator = nil, ""
				j.Hold, j.HoldMessage = jobmanager.HoldNoTarget, "nothing fits"
			})
		},
		"create/progressing, lease over": func() *jobmanager.Job {
			return with(job(c, jobmanager.Progressing, jobmanager.WorkloadMaybe), func(j *jobmanager.Job) {
				j.Lease, j.Last.Outcome = nil, outcome(jobmanager.OutcomeExpired)
			})
		},
		"create/progressing, lease due": func() *jobmanager.Job {
			return with(job(c, jobmanager.Progressing, jobmanager.WorkloadMaybe), func(j *jobmanager.Job) {
				j.Lease.ExpiresAt = start
			})
		},
		"delete/progressing, lease over": func() *jobmanager.Job {
			return with(job(d, jobmanager.Progressing, jobmanager.WorkloadPresent), func(j *jobmanager.Job) {
				j.Lease, j.Last.Outcome = nil, outcome(jobmanager.OutcomeExpired)
			})
		},
		"create/degraded, exhausted": func() *jobmanager.Job {
			return with(job(c, jobmanager.Degraded, jobmanager.WorkloadMaybe), func(j *jobmanager.Job) {
				j.Hold, j.HoldMessage, j.Attempt = jobmanager.HoldAttemptsExhausted, "it broke", 5
			})
		},
		"create/degraded, backing off": func() *jobmanager.Job {
			return with(job(c, jobmanager.Degraded, jobmanager.WorkloadMaybe), func(j *jobmanager.Job) {
				j.NotBefore = start.Add(time.Second)
			})
		},
		"create/progressing, last attempt": func() *jobmanager.Job {
			return with(job(c, jobmanager.Progressing, jobmanager.WorkloadMaybe), func(j *jobmanager.Job) { j.Attempt = 5 })
		},
	}
}

// verbs are the columns.
func verbs() map[string]func(*jobmanager.Job) ([]jobmanager.Event, error) {
	life := jobmanager.DefaultLifeCycle()
	ids := func() jobmanager.ID { return "00000000-0000-7000-8000-00000000000f" }
	claim := func(owner jobmanager.OwnerID) jobmanager.Claim {
		return jobmanager.Claim{Agent: jobmanager.Agent{OwnerID: owner, Orchestrator: "ocm", Clusters: []string{"c1"}}, Length: time.Minute}
	}
	a, b := jobmanager.Fence{OwnerID: agentA, Epoch: 4}, jobmanager.Fence{OwnerID: agentB, Epoch: 4}
	report := jobmanager.ResourceReport{UID: "uid-1"}
	return map[string]func(*jobmanager.Job) ([]jobmanager.Event, error){
		"claim by a":  func(j *jobmanager.Job) ([]jobmanager.Event, error) { return j.Claim(claim(agentA), start) },
		"claim by b":  func(j *jobmanager.Job) ([]jobmanager.Event, error) { return j.Claim(claim(agentB), start) },
		"expire":      func(j *jobmanager.Job) ([]jobmanager.Event, error) { return j.Expire(life, start), nil },
		"finish by a": func(j *jobmanager.Job) ([]jobmanager.Event, error) { return j.Finish(a, report, ids, start) },
		"finish by b": func(j *jobmanager.Job) ([]jobmanager.Event, error) { return j.Finish(b, report, ids, start) },
		"fail by a":   func(j *jobmanager.Job) ([]jobmanager.Event, error) { return j.Fail(a, "broke", life, start) },
		"release by a": func(j *jobmanager.Job) ([]jobmanager.Event, error) {
			return j.Release(a, start)
		},
		"report by a": func(j *jobmanager.Job) ([]jobmanager.Event, error) { return j.ReportResource(a, report, ids, start) },
		"stop":        func(j *jobmanager.Job) ([]jobmanager.Event, error) { return j.Stop(start), nil },
		"delete group": func(j *jobmanager.Job) ([]jobmanager.Event, error) {
			return (&jobmanager.JobGroup{Jobs: []*jobmanager.Job{j}}).Delete(false, start)
		},
	}
}

// result is one cell: what became of the job and which events tell it, "-" for a no-op, else the refusal.
func result(verb func(*jobmanager.Job) ([]jobmanager.Event, error), j *jobmanager.Job) string {
	before := *j
	events, err := verb(j)
	if err != nil {
		if !cmp.Equal(before, *j) {
			return "CHANGED DESPITE " + string(jobmanager.CodeOf(err))
		}
		return string(jobmanager.CodeOf(err))
	}
	if len(events) == 0 {
		if !cmp.Equal(before, *j) {
			return "CHANGED WITHOUT EVENT"
		}
		return "-"
	}
	var told []string
	for _, event := range events {
		told = append(told, string(event.Type))
	}
	kind := strings.TrimSuffix(strings.ToLower(string(j.Type)), "_deployment")
	words := []string{kind + "/" + strings.ToLower(string(j.State)), "W " + strings.ToLower(string(j.Workload))}
	if j.Owner != "" {
		words = append(words, "owner "+string(j.Owner))
	}
	if j.Epoch != before.Epoch {
		words = append(words, fmt.Sprintf("epoch+%d", j.Epoch-before.Epoch))
	}
	if j.Hold != "" {
		words = append(words, string(j.Hold))
	}
	return strings.Join(words, ", ") + ": " + strings.Join(told, " ")
}

// TestEveryCellOfStateAndVerbIsDecided compares the whole table with testdata/state-x-verb.txt, which people
// read and agree on. Whoever changes a rule changes the cell by hand and says why.
func TestEveryCellOfStateAndVerbIsDecided(t *testing.T) {
	t.Parallel()
	var table strings.Builder
	for _, situation := range slices.Sorted(maps.Keys(situations())) {
		fmt.Fprintln(&table, situation)
		for _, verb := range slices.Sorted(maps.Keys(verbs())) {
			fmt.Fprintf(&table, "    %-13s %s\n", verb, result(verbs()[verb], situations()[situation]()))
		}
	}
	decided, err := os.ReadFile("testdata/state-x-verb.txt")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(decided), table.String()); diff != "" {
		t.Errorf("the rules differ from the table (-decided +rules):\n%s", diff)
	}
}
