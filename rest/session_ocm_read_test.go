package rest_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
)

// What the sessions submit, and what they read by GraphQL.

// ocmDescribe writes a descriptor of components with one Deployment of two replicas each: "web", or "web@hill" for one
// that is pinned to a cluster.
func ocmDescribe(name string, components ...string) string {
	var header, manifests strings.Builder
	fmt.Fprintf(&header, "name: %s\ndescription: for the tests\ncomponents:\n", name)
	manifests.WriteString("manifests:\n")
	for _, each := range components {
		component, cluster, pinned := strings.Cut(each, "@")
		fmt.Fprintf(&header, "- name: %[1]s\n  type: kubernetes\n  manifests: [{name: %[1]s}]\n", component)
		if pinned {
			fmt.Fprintf(&header, "  targets: {cluster_name: %s, orchestrator: ocm}\n", cluster)
		}
		fmt.Fprintf(&manifests, "- name: %[1]s\n  manifest:\n    apiVersion: apps/v1\n    kind: Deployment\n    metadata: {name: %[1]s}\n    spec:\n      replicas: 2\n", component)
	}
	return header.String() + manifests.String()
}

// ocmJob is what the tests ask of a job.
type ocmJob struct {
	ID, Component, Type, SubType, State, Workload, Owner string
	Epoch                                                int64
	Attempt                                              int
	Target                                               *struct{ Cluster string }
	Resource                                             *struct {
		ID, UID, Name string
		Conditions    []struct{ Type, Status, Reason string }
	}
	Lease    *struct{ ExpiresAt time.Time }
	Waiting  *struct{ Reason, Message string }
	Attempts []struct{ OwnerID, Outcome, Message string }
}

const ocmJobView = `id component type subType state workload owner epoch attempt target { cluster }
	resource { id uid name conditions { type status reason } } lease { expiresAt } waiting { reason message }
	attempts { ownerId outcome message }`

func (j ocmJob) work() string { return j.Type + "/" + j.State }

func (j ocmJob) why() string {
	if j.Waiting == nil {
		return ""
	}
	return j.Waiting.Reason
}

func (j ocmJob) uid() string {
	if j.Resource == nil {
		return ""
	}
	return j.Resource.UID
}

func (j ocmJob) condition(kind string) string {
	if j.Resource != nil {
		for _, c := range j.Resource.Conditions {
			if c.Type == kind {
				return c.Status + "/" + c.Reason
			}
		}
	}
	return ""
}

// ocmGroup is what the tests ask of a group.
type ocmGroup struct {
	ID, Phase string
	Jobs      struct{ Nodes []ocmJob }
}

// create submits a descriptor.
func (w *ocmWorld) create(descriptor string) ocmGroup {
	w.t.Helper()
	var data struct{ CreateJobGroup struct{ JobGroup ocmGroup } }
	w.s.Must(w.t, `mutation($d: String!) { createJobGroup(input: {descriptor: $d}) { jobGroup { id phase jobs { nodes { `+ocmJobView+` } } } } }`,
		apptest.Vars{"d": descriptor}, &data)
	return data.CreateJobGroup.JobGroup
}

// group and job read; they must be there.
func (w *ocmWorld) group(id string) ocmGroup {
	w.t.Helper()
	var data struct{ JobGroup *ocmGroup }
	w.s.Must(w.t, `query($id: ID!) { jobGroup(id: $id) { id phase jobs(first: 100) { nodes { `+ocmJobView+` } } } }`, apptest.Vars{"id": id}, &data)
	if data.JobGroup == nil {
		w.t.Fatalf("there is no group %s", id)
	}
	return *data.JobGroup
}

func (w *ocmWorld) job(id string) ocmJob {
	w.t.Helper()
	var data struct{ Job *ocmJob }
	w.s.Must(w.t, `query($id: ID!) { job(id: $id) { `+ocmJobView+` } }`, apptest.Vars{"id": id}, &data)
	if data.Job == nil {
		w.t.Fatalf("there is no job %s", id)
	}
	return *data.Job
}

// ocmStray is a workload beside a job's own.
type ocmStray struct {
	UID, Name, OwnerID string
	SeenAt             time.Time
}

func (w *ocmWorld) strays(job string) []ocmStray {
	w.t.Helper()
	var data struct{ Job struct{ Strays []ocmStray } }
	w.s.Must(w.t, `query($id: ID!) { job(id: $id) { strays { uid name ownerId seenAt } } }`, apptest.Vars{"id": job}, &data)
	return data.Job.Strays
}

// is says whether a job's work has come to a point.
func (w *ocmWorld) is(job, work string) func() bool {
	return func() bool { return w.job(job).work() == work }
}

// phase says whether a group has come to one.
func (w *ocmWorld) phase(group, phase string) func() bool {
	return func() bool { return w.group(group).Phase == phase }
}

// verb sends a mutation about a group or a job that must succeed.
func (w *ocmWorld) verb(name string, input map[string]any) {
	w.t.Helper()
	kind := strings.ToUpper(name[:1]) + name[1:] + "Input"
	w.s.Must(w.t, fmt.Sprintf("mutation($input: %s!) { %s(input: $input) { __typename } }", kind, name), apptest.Vars{"input": input}, nil)
}

func (w *ocmWorld) stop(group string) { w.verb("stopJobGroup", map[string]any{"jobGroupId": group}) }
