package app_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
	"github.com/icos-jobmanager/jobmanager/internal/testkit"
)

// What the life cycle's tests read of a server, each object in one shape, and the descriptors that they submit.

// jobView is what the tests ask of a job, jobSeen the answer.
const jobView = `id component type subType state workload owner epoch generation attempt
	attempts { epoch ownerId outcome message } target { cluster orchestrator } manifests { name text }
	resource { id uid name conditions { type status reason } } lease { ownerId epoch expiresAt }
	waiting { reason message until agentLastSeenAt }`

type jobSeen struct {
	ID, Component, Type, SubType, State, Workload, Owner string
	Epoch, Generation                                    int64
	Attempt                                              int
	Attempts                                             []struct {
		Epoch                     int64
		OwnerID, Outcome, Message string
	}
	Target    *struct{ Cluster, Orchestrator string }
	Manifests []struct{ Name, Text string }
	Resource  *struct {
		ID, UID, Name string
		Conditions    []struct{ Type, Status, Reason string }
	}
	Lease *struct {
		OwnerID   string
		Epoch     int64
		ExpiresAt time.Time
	}
	Waiting *struct {
		Reason, Message string
		Until           time.Time
		AgentLastSeenAt *time.Time
	}
}

// work is what is to be done with the job, as one word each: CREATE_DEPLOYMENT/CREATED.
func (j jobSeen) work() string { return j.Type + "/" + j.State }

// why is the reason why the job is not finished; empty when there is none.
func (j jobSeen) why() string {
	if j.Waiting == nil {
		return ""
	}
	return j.Waiting.Reason
}

// outcomes of the job's attempts with their owners, oldest first: "EXPIRED hub-1, FINISHED hub-2".
func (j jobSeen) outcomes() string {
	var all []string
	for _, attempt := range j.Attempts {
		all = append(all, attempt.Outcome+" "+attempt.OwnerID)
	}
	return strings.Join(all, ", ")
}

// condition of one type, as "UNKNOWN/AgentLeaseExpired"; empty when there is none.
func (j jobSeen) condition(kind string) string {
	if j.Resource == nil {
		return ""
	}
	for _, c := range j.Resource.Conditions {
		if c.Type == kind {
			return c.Status + "/" + c.Reason
		}
	}
	return ""
}

// groupView is what the tests ask of a group, groupSeen the answer.
const groupView = `id name phase generation descriptor deleteWhenStopped jobs { nodes { ` + jobView + ` } }`

type groupSeen struct {
	ID, Name, Phase, Descriptor string
	Generation                  int64
	DeleteWhenStopped           bool
	Jobs                        struct{ Nodes []jobSeen }
}

// job of a component; the test fails when there is none.
func (g groupSeen) job(t testing.TB, component string) jobSeen {
	t.Helper()
	at := slices.IndexFunc(g.Jobs.Nodes, func(j jobSeen) bool { return j.Component == component })
	if at < 0 {
		t.Fatalf("group %s has no job for component %s: %+v", g.Name, component, g.Jobs.Nodes)
	}
	return g.Jobs.Nodes[at]
}

// ask sends an operation that must succeed and gives its data.
func ask[T any](t testing.TB, c *apptest.Client, query string, vars apptest.Vars) T {
	t.Helper()
	var data T
	c.Must(t, query, vars, &data)
	return data
}

// change sends a mutation with one input that must succeed, and gives its payload: selection is what is asked of it.
func change[T any](t testing.TB, c *apptest.Client, verb string, input map[string]any, selection string) T {
	t.Helper()
	return ask[map[string]T](t, c, mutation(verb, selection), apptest.Vars{"input": input})[verb]
}

// refused sends a mutation with one input that must fail, checks its code and gives the error.
func refused(t testing.TB, c *apptest.Client, verb string, input map[string]any, code string) apptest.Problem {
	t.Helper()
	problem := c.Refused(t, mutation(verb, "__typename"), apptest.Vars{"input": input})
	if problem.Extensions.Code != code || problem.Message == "" {
		t.Errorf("%s was refused with %s (%s), want %s", verb, problem.Extensions.Code, problem.Message, code)
	}
	return problem
}

func mutation(verb, selection string) string {
	kind := strings.ToUpper(verb[:1]) + verb[1:] + "Input"
	return fmt.Sprintf("mutation($input: %s!) { %s(input: $input) { %s } }", kind, verb, selection)
}

// groupAnswer is the payload of a verb that answers with the group.
type groupAnswer struct {
	JobGroup *groupSeen
	Findings []apptest.Finding
}

const groupSelection = `jobGroup { ` + groupView + ` }`

// create submits a descriptor.
func create(t testing.TB, c *apptest.Client, descriptor string) groupSeen {
	t.Helper()
	return *change[groupAnswer](t, c, "createJobGroup", map[string]any{"descriptor": descriptor}, groupSelection).JobGroup
}

// update gives a group a new descriptor.
func update(t testing.TB, c *apptest.Client, group, descriptor string) groupSeen {
	t.Helper()
	input := map[string]any{"jobGroupId": group, "descriptor": descriptor}
	return *change[groupAnswer](t, c, "updateJobGroup", input, groupSelection).JobGroup
}

// stop and startUp undeploy a group and bring it up again.
func stop(t testing.TB, c *apptest.Client, group string) groupSeen {
	t.Helper()
	return *change[groupAnswer](t, c, "stopJobGroup", map[string]any{"jobGroupId": group}, groupSelection).JobGroup
}

func startUp(t testing.TB, c *apptest.Client, group string) groupSeen {
	t.Helper()
	return *change[groupAnswer](t, c, "startJobGroup", map[string]any{"jobGroupId": group}, groupSelection).JobGroup
}

// seeGroup reads a group; nil when there is none.
func seeGroup(t testing.TB, c *apptest.Client, id string) *groupSeen {
	t.Helper()
	return ask[struct{ JobGroup *groupSeen }](t, c, `query($id: ID!) { jobGroup(id: $id) { `+groupView+` } }`, apptest.Vars{"id": id}).JobGroup
}

// seeJob reads a job that must be there.
func seeJob(t testing.TB, c *apptest.Client, id string) jobSeen {
	t.Helper()
	found := ask[struct{ Job *jobSeen }](t, c, `query($id: ID!) { job(id: $id) { `+jobView+` } }`, apptest.Vars{"id": id}).Job
	if found == nil {
		t.Fatalf("there is no job %s", id)
	}
	return *found
}

// take claims a job, settle finishes it as hub-1 would: both as an agent that uses no SDK.
func take(t testing.TB, c *apptest.Client, job, owner string) jobSeen {
	t.Helper()
	type payload struct{ Job jobSeen }
	input := map[string]any{"jobId": job, "orchestrator": "ocm", "ownerId": owner, "leaseSeconds": 60}
	return change[payload](t, c, "claimJob", input, `job { `+jobView+` }`).Job
}

func settle(t testing.TB, c *apptest.Client, j jobSeen, uid string) jobSeen {
	t.Helper()
	type payload struct{ Job jobSeen }
	input := map[string]any{"jobId": j.ID, "ownerId": j.Owner, "epoch": j.Epoch}
	if uid != "" {
		input["resource"] = map[string]any{"uid": uid, "name": j.Component + "-x7", "conditions": []any{
			map[string]any{"type": "Available", "status": "TRUE", "reason": "Ready"},
		}}
	}
	return change[payload](t, c, "finishJob", input, `job { `+jobView+` }`).Job
}

// perform claims a job and finishes it at once.
func perform(t testing.TB, c *apptest.Client, job, owner string) jobSeen {
	t.Helper()
	return settle(t, c, take(t, c, job, owner), "uid-"+job)
}

// eventSeen is one event of the log.
type eventSeen struct {
	Cursor, Type, Actor, JobGroupID, JobID, Message string
	Time                                            time.Time
}

// head is the cursor behind everything that has happened.
func head(t testing.TB, c *apptest.Client) string {
	t.Helper()
	return ask[struct{ ServerInfo struct{ Revision string } }](t, c, `{ serverInfo { revision } }`, nil).ServerInfo.Revision
}

// eventsAfter reads the log behind a cursor, or from its beginning, at most 500.
func eventsAfter(t testing.TB, c *apptest.Client, cursor string, filter map[string]any) []eventSeen {
	t.Helper()
	vars := apptest.Vars{"filter": filter}
	if cursor != "" {
		vars["after"] = cursor
	}
	return ask[struct{ Events struct{ Nodes []eventSeen } }](t, c, `query($after: String, $filter: EventFilter) {
		events(after: $after, first: 500, filter: $filter) { nodes { cursor type actor jobGroupId jobId message time } } }`, vars).Events.Nodes
}

// types of events, in their order.
func types(events []eventSeen) []string {
	all := make([]string, 0, len(events))
	for _, event := range events {
		all = append(all, event.Type)
	}
	return all
}

// noon is when the clocks of the tests begin.
func noon() *testkit.Clock { return testkit.NewClock(time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)) }

// part is one component of a descriptor, with one manifest of its name.
type part struct {
	name string
	// text stands in the manifest, more in the component: lines of YAML, indented by two.
	text, more string
}

// describe writes a descriptor.
func describe(application string, parts ...part) string {
	var header, manifests strings.Builder
	fmt.Fprintf(&header, "name: %s\ndescription: for the tests\ncomponents:\n", application)
	manifests.WriteString("manifests:\n")
	for _, p := range parts {
		fmt.Fprintf(&header, "- name: %[1]s\n  type: kubernetes\n  manifests: [{name: %[1]s}]\n%[2]s", p.name, p.more)
		fmt.Fprintf(&manifests, "- name: %[1]s\n  manifest:\n    apiVersion: v1\n    kind: ConfigMap\n    metadata: {name: %[1]s}\n    data: {text: %[2]q}\n", p.name, p.text)
	}
	return header.String() + manifests.String()
}

// onOCM pins a component to a cluster of ocm.
func onOCM(cluster string) string {
	return "  targets: {cluster_name: " + cluster + ", orchestrator: ocm}\n"
}

// pinned is a part on cluster c.
func pinned(name, text string) part { return part{name: name, text: text, more: onOCM("c")} }

// until lets the server's own goroutines come to what the test waits for: the clock goes on by step with each look.
func until(t *testing.T, clock *testkit.Clock, step time.Duration, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !done(); clock.Advance(step) {
		if time.Now().After(deadline) {
			t.Fatal("what the clock should bring about did not happen")
		}
	}
}

// incomplianceView is what the tests ask of an incompliance, incomplianceSeen the answer.
const incomplianceView = `id jobGroupId remediation policyName policyId currentValue threshold measurementBackend reason createdAt
	extraLabels { name value } subject { type appName appComponent appInstance resourceId }
	remediations { jobId component subType outcome reason generation job { id state } }`

type incomplianceSeen struct {
	ID, JobGroupID, Remediation, PolicyName, PolicyID, CurrentValue, Threshold, MeasurementBackend, Reason, CreatedAt string

	ExtraLabels  []struct{ Name, Value string }
	Subject      struct{ Type, AppName, AppComponent, AppInstance, ResourceID string }
	Remediations []struct {
		JobID, Component, SubType, Outcome, Reason string
		Generation                                 int64
		Job                                        *struct{ ID, State string }
	}
}

// outcomes of an incompliance, by component: "web scale-up STARTED, …".
func (i incomplianceSeen) outcomes() string {
	var all []string
	for _, r := range i.Remediations {
		subType := r.SubType
		if subType == "" {
			subType = "-"
		}
		all = append(all, r.Component+" "+subType+" "+r.Outcome)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// incompliance reports that a policy is broken.
func incompliance(t testing.TB, c *apptest.Client, input map[string]any) incomplianceSeen {
	t.Helper()
	type payload struct{ Incompliance incomplianceSeen }
	return change[payload](t, c, "reportIncompliance", input, `incompliance { `+incomplianceView+` }`).Incompliance
}

// seeIncompliance reads a report by its id, as a node.
func seeIncompliance(t testing.TB, c *apptest.Client, id string) incomplianceSeen {
	t.Helper()
	found := ask[struct{ Node *incomplianceSeen }](t, c, `query($id: ID!) { node(id: $id) { ... on Incompliance { `+incomplianceView+` } } }`, apptest.Vars{"id": id}).Node
	if found == nil {
		t.Fatalf("there is no incompliance %s", id)
	}
	return *found
}
