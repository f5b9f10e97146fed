package rest_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/icos-jobmanager/jobmanager/internal/testkit"
	"github.com/icos-jobmanager/jobmanager/rest/oldclient"
)

// The places of these tests: two devices and a service of Nuvla.
const (
	hillBox   = "nuvlabox/55c7953e-2aa0-4d18-834c-b4d76d824bb9 nuvla"
	valleyBox = "nuvlabox/0c1d2e3f-2aa0-4d18-834c-b4d76d824bb9 nuvla"
	service   = "infrastructure-service/of-the-town nuvla"
)

// errLaunch is what a launch fails with.
var errLaunch = errors.New("nuvla refuses the launch")

// nuvla is an agent that launches with success, logged in as nuvla-agent.
func (f *oldFleet) nuvla() *oldclient.Nuvla {
	return &oldclient.Nuvla{URL: f.URL, HTTP: f.http(), Login: f.login("nuvla-agent"), Launch: func(oldclient.NuvlaLaunch) error { return nil }}
}

// sound fails the test when the agent would have logged an exception.
func sound(t *testing.T, agent *oldclient.Nuvla) {
	t.Helper()
	if stumbles := agent.Stumbles(); len(stumbles) > 0 {
		t.Errorf("the agent stumbled: %s", strings.Join(stumbles, "; "))
	}
}

// silent fails the test when the agent is listed anything.
func silent(t *testing.T, agent *oldclient.Nuvla, when string) {
	t.Helper()
	if jobs, err := agent.List(t.Context()); err != nil || len(jobs) != 0 {
		t.Errorf("%s the agent is listed %v, %v", when, jobs, err)
	}
}

// idsOf are the ids of what was launched or listed, one after the other.
func idsOf(jobs []map[string]any) string {
	var ids []string
	for _, job := range jobs {
		id, _ := job["ID"].(string) // none shows as an empty word
		ids = append(ids, id)
	}
	return strings.Join(ids, " ")
}

// TestANuvlaAgentLaunchesApplicationsOneAfterTheOther replays the agent's whole loop, from an empty list to an empty
// list.
func TestANuvlaAgentLaunchesApplicationsOneAfterTheOther(t *testing.T) {
	t.Parallel()
	eachOldFleet(t, nil, func(t *testing.T, f *oldFleet) {
		agent := f.nuvla()
		f.chapter("nothing to launch")
		if launched := agent.Round(t.Context()); len(launched) != 0 {
			t.Errorf("launched %+v", launched)
		}
		f.chapter("users submit two applications")
		first := f.submit(t, described("mjpeg", component{name: "camera", at: hillBox, manifests: []string{"camera", "camera-service"}}, component{name: "viewer", at: hillBox}))
		f.clock.Advance(time.Second)
		second := f.submit(t, described("town", component{name: "lamps", at: service}))
		f.chapter("one application with its two components")
		launched := agent.Round(t.Context())
		camera, viewer := f.job(t, first, "camera"), f.job(t, first, "viewer")
		if len(launched) != 1 || launched[0].GroupID != first || launched[0].Application != "mjpeg" || launched[0].Target != strings.TrimSuffix(hillBox, " nuvla") {
			t.Fatalf("launched %+v", launched)
		}
		if ids := slices.Sorted(slices.Values(launched[0].JobIDs)); cmp.Diff(slices.Sorted(slices.Values([]string{camera.ID, viewer.ID})), ids) != "" {
			t.Errorf("launched the jobs %v", ids)
		}
		for _, name := range []string{"camera", "camera-service", "viewer"} {
			if strings.Count(launched[0].Manifest, "  text: of "+name+"\n") != 1 {
				t.Errorf("the manifest of %s is not once in %q", name, launched[0].Manifest)
			}
		}
		if n := strings.Count(launched[0].Manifest, "---"); n != 2 {
			t.Errorf("%d separators between three manifests", n)
		}
		for _, j := range []sessionJob{camera, viewer} {
			if j.work() != "CREATE_DEPLOYMENT/FINISHED" || j.Workload != "PRESENT" || j.Owner != "nuvla-agent" || j.Attempt != 1 {
				t.Errorf("after the launch: %+v", j)
			}
		}
		f.chapter("the other application")
		if launched := agent.Round(t.Context()); len(launched) != 1 || launched[0].GroupID != second {
			t.Errorf("launched %+v", launched)
		}
		f.chapter("nothing is left")
		if launched := agent.Round(t.Context()); len(launched) != 0 {
			t.Errorf("launched %+v", launched)
		}
		for _, id := range []string{first, second} {
			if group := f.group(t, id); group.Phase != "RUNNING" {
				t.Errorf("the group is %+v", group)
			}
		}
		sound(t, agent)
		f.transcript.compare("nuvla")
	})
}

// TestANuvlaAgentReadsWhatItNeedsInEachJob holds the keys of the v0 list, as the agent's own sample has them.
func TestANuvlaAgentReadsWhatItNeedsInEachJob(t *testing.T) {
	t.Parallel()
	eachOldFleet(t, nil, func(t *testing.T, f *oldFleet) {
		id := f.submit(t, described("mjpeg", component{name: "camera", at: hillBox, manifests: []string{"camera", "camera-service"}}))
		body := f.listed(t, "nuvla-agent")
		var jobs []json.RawMessage
		if err := json.Unmarshal(body, &jobs); err != nil || len(jobs) != 1 {
			t.Fatalf("listed %s, %v", body, err)
		}
		sample := []string{
			"ID", "uuid", "job_group_id", "job_group_name", "type", "state", "manifest", "targets", "locker", "orchestrator",
			"updated_at", "resource", "namespace",
		}
		keys := slices.DeleteFunc(keysOf(t, jobs[0]), func(key string) bool { return !slices.Contains(sample, key) })
		if diff := cmp.Diff(sample, keys); diff != "" {
			t.Errorf("the keys of a job (-sample +got):\n%s\n%s", diff, jobs[0])
		}
		var job map[string]any
		if err := json.Unmarshal(jobs[0], &job); err != nil {
			t.Fatal(err)
		}
		target := map[string]any{"cluster_name": strings.TrimSuffix(hillBox, " nuvla"), "node_name": "its-node", "orchestrator": "nuvla"}
		for key, want := range map[string]any{
			"job_group_id": id, "job_group_name": "mjpeg", "type": 5.0, "state": 1.0, "targets": []any{target}, "locker": false,
			"orchestrator": "nuvla", "namespace": "mjpeg", "uuid": "00000000-0000-0000-0000-000000000000",
		} {
			if diff := cmp.Diff(want, job[key]); diff != "" {
				t.Errorf("%s (-want +got):\n%s", key, diff)
			}
		}
		for _, absent := range []string{"owner_id", "manifests", "sub_type"} {
			if value, there := job[absent]; there {
				t.Errorf("the old dialect has no %s: %v", absent, value)
			}
		}
		resource, _ := job["resource"].(map[string]any) // nil lacks the name
		if resource["resource_name"] != "camera" || resource["job_id"] != job["ID"] {
			t.Errorf("the resource is %v", resource)
		}
	})
}

// listed is the body of the agent's list, as it is.
func (f *oldFleet) listed(t *testing.T, client string) []byte {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.URL+"/jobmanager/jobs/executable/orchestrator/nuvla", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+f.login(client)())
	response, err := f.http().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }() // it was read to its end
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// keysOf are the keys of an object, in the order in which they came.
func keysOf(t *testing.T, object json.RawMessage) []string {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(string(object)))
	var keys []string
	if _, err := decoder.Token(); err != nil {
		t.Fatal(err)
	}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			t.Fatal(err)
		}
		name, _ := key.(string) // a key is a text
		keys = append(keys, name)
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			t.Fatal(err)
		}
	}
	return keys
}

// TestANuvlaAgentIsListedOneTargetAtATime submits an application whose components go to two devices: the agent would
// launch all that it is listed on the first one's.
func TestANuvlaAgentIsListedOneTargetAtATime(t *testing.T) {
	t.Parallel()
	eachOldFleet(t, nil, func(t *testing.T, f *oldFleet) {
		agent := f.nuvla()
		id := f.submit(t, described("spread", component{name: "a", at: hillBox}, component{name: "b", at: valleyBox}, component{name: "c", at: hillBox}))
		components := map[string]string{}
		for _, name := range []string{"a", "b", "c"} {
			components[f.job(t, id, name).ID] = name
		}
		var all []string
		for range 3 {
			for _, launch := range agent.Round(t.Context()) {
				var names []string
				for _, job := range launch.JobIDs {
					names = append(names, components[job])
				}
				slices.Sort(names)
				all = append(all, strings.Join(names, "+")+" on "+launch.Target)
			}
		}
		slices.Sort(all)
		want := []string{"a+c on " + strings.TrimSuffix(hillBox, " nuvla"), "b on " + strings.TrimSuffix(valleyBox, " nuvla")}
		if diff := cmp.Diff(want, all); diff != "" {
			t.Errorf("launched (-want +got):\n%s", diff)
		}
		sound(t, agent)
	})
}

// TestANuvlaAgentSeesNothingOfOthers submits what is another orchestrator's, or has no manifests.
func TestANuvlaAgentSeesNothingOfOthers(t *testing.T) {
	t.Parallel()
	eachOldFleet(t, nil, func(t *testing.T, f *oldFleet) {
		f.submit(t, described("other", component{name: "web", at: "hub-1 ocm"}))
		f.submit(t, "name: bare\ndescription: no manifests\ncomponents:\n- name: web\n  type: kubernetes\n  targets: {cluster_name: nuvlabox/x, orchestrator: nuvla}\n")
		agent := f.nuvla()
		silent(t, agent, "with nothing of its own")
		if body := f.listed(t, "nuvla-agent"); string(body) != "[]\n" {
			t.Errorf("nothing is listed as %q", body)
		}
		sound(t, agent)
	})
}

// TestANuvlaAgentLogsInAgainWhenItsTokenExpires expires tokens before a list, and between a launch and its report.
func TestANuvlaAgentLogsInAgainWhenItsTokenExpires(t *testing.T) {
	t.Parallel()
	eachOldFleet(t, nil, func(t *testing.T, f *oldFleet) {
		id := f.submit(t, described("app", component{name: "web", at: hillBox}))
		agent, logins := f.nuvla(), 0
		agent.Login = func() string {
			logins++
			return f.realm.Token("nuvla-agent", testkit.Expires(f.clock.Now().Add(time.Duration(logins-1)*time.Minute)))
		}
		agent.Launch = func(oldclient.NuvlaLaunch) error {
			f.clock.Advance(2 * time.Minute)
			return nil
		}
		if launched := agent.Round(t.Context()); len(launched) != 1 {
			t.Errorf("launched %+v", launched)
		}
		if logins != 3 {
			t.Errorf("%d logins, want one that is refused, one that expires during the launch, and one more", logins)
		}
		if j := f.job(t, id, "web"); j.work() != "CREATE_DEPLOYMENT/FINISHED" {
			t.Errorf("the job is %+v", j)
		}
		sound(t, agent)
		logins = -9 // from now on every token has expired
		agent.Login = func() string { return f.realm.Token("nuvla-agent", testkit.Expires(f.clock.Now().Add(-time.Hour))) }
		f.clock.Advance(time.Hour)
		silent(t, agent, "without a good token")
	})
}
