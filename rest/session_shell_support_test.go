package rest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
	"github.com/icos-jobmanager/jobmanager/internal/config"
	"github.com/icos-jobmanager/jobmanager/internal/testkit"
	"github.com/icos-jobmanager/jobmanager/rest/resttest"
)

// What the sessions of the Shell, the Nuvla agent and the Policy Manager share: a server as they meet it, what a test
// reads of it through GraphQL, and the transcript of a session.

// oldFleet is a server in the profile of the old fleet, with a clock that the test moves.
type oldFleet struct {
	*apptest.Server
	clock *testkit.Clock
	realm *testkit.Realm
	// transcript sees all that the clients' HTTP carries.
	transcript *transcript
	// checked compares every answer with the OpenAPI document.
	checked http.RoundTripper
}

// eachOldFleet runs a test on an old fleet with each database.
func eachOldFleet(t *testing.T, configure func(*config.Config), test func(t *testing.T, f *oldFleet)) {
	t.Helper()
	apptest.EachDatabase(t, func(t *testing.T, url string) { test(t, startOldFleet(t, url, configure)) })
}

func startOldFleet(t *testing.T, url string, configure func(*config.Config)) *oldFleet {
	t.Helper()
	f := &oldFleet{clock: testkit.NewClock(time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)), realm: testkit.NewRealm(t)}
	f.Server = apptest.Start(t, apptest.Options{DatabaseURL: url, Clock: f.clock, Configure: func(c *config.Config) {
		c.KeycloakPublicKey = f.realm.PublicKey()
		if configure != nil {
			configure(c)
		}
	}})
	f.transcript = newTranscript(t)
	f.checked = resttest.Checked(t, f.transcript)
	return f
}

// http is what the old clients' calls go through.
func (f *oldFleet) http() *http.Client { return &http.Client{Transport: f.checked} }

// login gives valid tokens of a client of the realm.
func (f *oldFleet) login(client string) func() string {
	return func() string { return f.realm.Token(client) }
}

// asked sends an operation to the GraphQL door, with a token, and gives the data of its answer.
func asked[T any](t testing.TB, f *oldFleet, query string, variables apptest.Vars) T {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.URL+"/graphql", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+f.login("dashboard")())
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }() // it was read to its end
	var answer struct {
		Data   T
		Errors []apptest.Problem
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	if len(answer.Errors) > 0 {
		t.Fatalf("%s\nanswered %+v", query, answer.Errors)
	}
	return answer.Data
}

// sessionJob is what the tests read of a job.
type sessionJob struct {
	ID, Component, Type, SubType, State, Workload, Owner string
	Epoch                                                int64
	Attempt                                              int
	Target                                               *struct{ Cluster, Node, Orchestrator string }
	Manifests                                            []struct{ Text string }
	Resource                                             *struct{ UID, Name string }
	Lease                                                *struct{ ExpiresAt time.Time }
	Waiting                                              *struct {
		Reason, Message string
		Until           *time.Time
	}
}

const sessionJobView = `id component type subType state workload owner epoch attempt target { cluster node orchestrator }
	manifests { text } resource { uid name } lease { expiresAt } waiting { reason message until }`

// work is what is to be done with the job: "CREATE_DEPLOYMENT/CREATED".
func (j sessionJob) work() string { return j.Type + "/" + j.State }

// why is the reason why the job is not finished; empty when there is none.
func (j sessionJob) why() string {
	if j.Waiting == nil {
		return ""
	}
	return j.Waiting.Reason
}

// job of a group's component, as GraphQL shows it.
func (f *oldFleet) job(t testing.TB, group, component string) sessionJob {
	t.Helper()
	type answer struct{ Jobs struct{ Nodes []sessionJob } }
	all := asked[answer](t, f, `query($id: ID!) { jobs(first: 100, filter: {jobGroupIds: [$id]}) { nodes { `+sessionJobView+` } } }`, apptest.Vars{"id": group})
	at := slices.IndexFunc(all.Jobs.Nodes, func(j sessionJob) bool { return j.Component == component })
	if at < 0 {
		t.Fatalf("group %s has no job for component %s: %+v", group, component, all.Jobs.Nodes)
	}
	return all.Jobs.Nodes[at]
}

// sessionGroup is what the tests read of a group.
type sessionGroup struct{ ID, Name, Description, Phase, Descriptor string }

// group as GraphQL shows it; nil when there is none.
func (f *oldFleet) group(t testing.TB, id string) *sessionGroup {
	t.Helper()
	return asked[struct{ JobGroup *sessionGroup }](t, f, `query($id: ID!) { jobGroup(id: $id) { id name description phase descriptor } }`, apptest.Vars{"id": id}).JobGroup
}

// perform does a job's work as hub, an agent of today: a claim and a finish.
func (f *oldFleet) perform(t testing.TB, job string) sessionJob {
	t.Helper()
	const owner = "hub"
	type claimed struct{ ClaimJob struct{ Job sessionJob } }
	won := asked[claimed](t, f, `mutation($job: ID!, $owner: String!) { claimJob(input: {jobId: $job, orchestrator: "ocm", ownerId: $owner}) {
		job { `+sessionJobView+` } } }`, apptest.Vars{"job": job, "owner": owner}).ClaimJob.Job
	type finished struct{ FinishJob struct{ Job sessionJob } }
	input := map[string]any{"jobId": job, "ownerId": owner, "epoch": won.Epoch}
	if won.Type != "DELETE_DEPLOYMENT" {
		input["resource"] = map[string]any{"uid": "uid-of-" + won.Component, "name": won.Component + "-x7k2p"}
	}
	return asked[finished](t, f, `mutation($input: FinishJobInput!) { finishJob(input: $input) { job { `+sessionJobView+` } } }`, apptest.Vars{"input": input}).FinishJob.Job
}

// until lets the server's own goroutines come to what the test waits for: the clock goes on by step with each look.
func (f *oldFleet) until(t testing.TB, step time.Duration, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); f.clock.Advance(step) {
		if time.Now().After(deadline) {
			t.Fatal("what the clock should bring about did not happen")
		}
	}
}

// component is one component of a descriptor.
type component struct {
	name string
	// at is its pinned target, "cluster orchestrator"; empty lets the Matchmaker choose.
	at string
	// more are further lines of it, indented by two.
	more string
	// manifests are their names; its own name when there are none.
	manifests []string
}

// described writes a descriptor of several documents: the header, and a document for each manifest.
func described(application string, components ...component) string {
	var header, documents strings.Builder
	fmt.Fprintf(&header, "name: %s\ndescription: %s of the tests\ncomponents:\n", application, application)
	for _, c := range components {
		names := c.manifests
		if names == nil {
			names = []string{c.name}
		}
		fmt.Fprintf(&header, "- name: %s\n  type: kubernetes\n  manifests:\n", c.name)
		for _, name := range names {
			fmt.Fprintf(&header, "  - name: %s\n", name)
			fmt.Fprintf(&documents, "---\napiVersion: v1\nkind: ConfigMap # kept as it is\nmetadata:\n  name: %[1]s\ndata:\n  text: of %[1]s\n", name)
		}
		if c.at != "" {
			cluster, orchestrator, _ := strings.Cut(c.at, " ")
			fmt.Fprintf(&header, "  targets: {cluster_name: %s, node_name: its-node, orchestrator: %s}\n", cluster, orchestrator)
		}
		header.WriteString(c.more)
	}
	return header.String() + documents.String()
}
