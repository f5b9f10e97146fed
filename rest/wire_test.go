package rest

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

var made = time.Date(2026, 11, 22, 10, 45, 3, 420_987_654, time.FixedZone("CET", 3600))

const (
	groupID = "0190c5a2-7b1e-7c3d-9f00-5b8d3e1a2c01"
	jobID   = "0190c5a2-7b1e-7c3d-9f00-5b8d3e1a2c02"
)

// waitingJob is a Create with a target and two manifests, as it is made.
func waitingJob() *jobmanager.Job {
	return &jobmanager.Job{
		ID: jobID, GroupID: groupID, Component: "ffmpeg", Type: jobmanager.CreateDeployment, State: jobmanager.Created,
		Epoch: 3, Target: &jobmanager.Target{Cluster: "icos-cluster-2a", Node: "worker-1", Orchestrator: "ocm"},
		Orchestrator: "ocm", Namespace: "mjpeg", CreatedAt: made, UpdatedAt: made.Add(time.Second),
		Manifests: []jobmanager.Manifest{{Text: "kind: Pod # <a> & b\n"}, {Text: "kind: Service\n"}},
		Group:     &jobmanager.JobGroup{ID: groupID, Name: "mjpeg-ffmpeg-app"},
	}
}

// with changes a job for one case.
func with(change func(j *jobmanager.Job)) *jobmanager.Job {
	j := waitingJob()
	change(j)
	return j
}

// deployed is the job's resource as an agent reported it.
func deployed(j *jobmanager.Job) {
	j.State, j.Owner, j.Epoch = jobmanager.Finished, "7f9c0c5e-3a1b-4c2d-9e8f-0a1b2c3d4e5f", 4
	j.Resource = &jobmanager.Resource{
		ID: j.ResourceID(), JobID: j.ID, UID: "c2f1a3b4-d5e6-4f70-8192-a3b4c5d6e7f8", Name: "ffmpeg-x7k2p", SeenAt: made.Add(time.Minute),
		Conditions: []jobmanager.Condition{
			{Type: "Applied", Status: jobmanager.StatusTrue, Reason: "AppliedManifestComplete", Message: "done", ObservedGeneration: 1, LastTransitionTime: made},
			{Type: "Available", Status: jobmanager.StatusUnknown, Reason: "AgentLeaseExpired", LastTransitionTime: made},
		},
	}
}

func groupOf(jobs ...*jobmanager.Job) *jobmanager.JobGroup {
	return &jobmanager.JobGroup{ID: groupID, Name: "mjpeg-ffmpeg-app", Description: "the description", CreatedAt: made, Jobs: jobs}
}

// TestShapesStayAsTheyWere compares each JSON with its file. The order of keys, null and [], numbers and times are
// what the old clients know.
func TestShapesStayAsTheyWere(t *testing.T) {
	t.Parallel()
	withoutTarget := with(func(j *jobmanager.Job) { j.Target, j.Orchestrator, j.Manifests, j.Namespace = nil, "", nil, "" })
	incompliance := &jobmanager.Incompliance{
		ID: jobID, PolicyName: "p", PolicyID: "67ab", CurrentValue: "235.365", Threshold: "warning", MeasurementBackend: "prom-1",
		ExtraLabels: []jobmanager.Label{{Name: "b", Value: "2"}, {Name: "a", Value: "1"}}, Remediation: "scale-up", CreatedAt: made,
		Subject: jobmanager.Subject{Type: "app", AppName: "mjpeg", AppComponent: "ffmpeg", AppInstance: groupID, ResourceID: "r"},
	}
	synced := with(deployed)
	synced.Resource.Job = synced
	shapes := map[string]any{
		"job":                     showJob(waitingJob()),
		"job-without-target":      showJob(withoutTarget),
		"job-without-group":       showJob(with(func(j *jobmanager.Job) { j.Group = nil })),
		"job-without-node":        showJob(with(func(j *jobmanager.Job) { j.Target.Node = "" })),
		"job-deployed":            showJob(with(deployed)),
		"job-update":              showJob(with(func(j *jobmanager.Job) { deployed(j); j.Type, j.SubType = jobmanager.UpdateDeployment, "scale-up" })),
		"job-echo":                echoJob(with(deployed)),
		"job-echo-bare":           echoJob(withoutTarget),
		"executable":              showHandOut([]*jobmanager.Job{with(deployed)}),
		"executable-delete":       showHandOut([]*jobmanager.Job{with(func(j *jobmanager.Job) { deployed(j); j.Type = jobmanager.DeleteDeployment })}),
		"executable-nothing":      showHandOut(nil),
		"executable-v0":           showJobsV0([]*jobmanager.Job{waitingJob()}),
		"executable-v0-nothing":   showJobsV0(nil),
		"job-v0":                  showJobV0(with(deployed)),
		"job-v0-delete":           showJobV0(with(func(j *jobmanager.Job) { j.Type, j.Target = jobmanager.DeleteDeployment, nil })),
		"group":                   showGroup(groupOf(waitingJob(), with(deployed))),
		"group-without-jobs":      showGroup(groupOf()),
		"group-echo":              echoGroup(groupOf(withoutTarget)),
		"group-echo-without-jobs": echoGroup(groupOf()),
		"conditions":              showStatus(with(deployed)),
		"conditions-first":        showStatus(waitingJob()),
		"conditions-none":         showStatus(with(func(j *jobmanager.Job) { j.Type = jobmanager.DeleteDeployment })),
		"resource":                showResource(synced.Resource),
		"incompliance":            showIncompliance(incompliance),
		"incompliance-minimal":    showIncompliance(&jobmanager.Incompliance{ID: jobID, CreatedAt: made}),
		"deleted":                 showOne(nil),
		"refusal":                 errorBody{textNoJob},
	}
	for name, shape := range shapes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := json.Marshal(shape)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, '\n')
			file := filepath.Join("testdata", "shape", name+".json")
			if update := flag.Lookup("update"); update != nil && update.Value.String() == "true" {
				if err := os.WriteFile(file, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestOnlyAHandOutTellsTheEpochOfTheNextClaim(t *testing.T) {
	t.Parallel()
	claimed := func(j *jobmanager.Job) {
		j.State, j.Lease = jobmanager.Progressing, &jobmanager.Lease{Epoch: j.Epoch}
	}
	for name, test := range map[string]struct {
		job  *jobmanager.Job
		as   look
		want int64
	}{
		"waiting":                        {waitingJob(), lookJob, 3},
		"claimed":                        {with(claimed), lookJob, 3},
		"claimed, its expiry is written": {with(func(j *jobmanager.Job) { claimed(j); j.Lease = nil }), lookJob, 3},
		"its lease ran out, listed":      {with(claimed), lookHandOut, 4},
		"finished":                       {with(deployed), lookReport, 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := test.as.target(test.job).ID; got != test.want {
				t.Errorf("%d, want %d", got, test.want)
			}
		})
	}
}

func TestTimesAreMillisecondsInUTCWithoutZeros(t *testing.T) {
	t.Parallel()
	for want, at := range map[string]time.Time{
		`"2026-11-22T09:45:03.42Z"`: made,
		`"2026-11-22T09:45:03Z"`:    made.Truncate(time.Second),
		`"0001-01-01T00:00:00Z"`:    {},
	} {
		got, err := json.Marshal(moment(at))
		if err != nil || string(got) != want {
			t.Errorf("%s is %s, %v; want %s", at, got, err, want)
		}
	}
}

func TestManifestsOfAnOldAgentAreOneStream(t *testing.T) {
	t.Parallel()
	for want, texts := range map[string][]string{
		"":                                nil,
		"kind: Pod\n":                     {"kind: Pod"},
		"kind: Pod\n---\nkind: Service\n": {"kind: Pod\n", "kind: Service\n\n"},
	} {
		var manifests []jobmanager.Manifest
		for _, text := range texts {
			manifests = append(manifests, jobmanager.Manifest{Text: text})
		}
		if got := manifestV0(manifests); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
