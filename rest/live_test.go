package rest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
	"github.com/icos-jobmanager/jobmanager/rest/resttest"
)

// liveDoor calls a running server's old API, and holds its answers to the OpenAPI document.
type liveDoor struct {
	t    *testing.T
	url  string
	http *http.Client
}

func eachLive(t *testing.T, test func(t *testing.T, d liveDoor)) {
	t.Helper()
	apptest.EachDatabase(t, func(t *testing.T, url string) {
		s := apptest.Start(t, apptest.Options{DatabaseURL: url})
		test(t, liveDoor{t, s.URL + "/jobmanager", &http.Client{Transport: resttest.Checked(t, nil)}})
	})
}

// call sends a request and gives the answer's status, header and body.
func (d liveDoor) call(method, path, body string) (int, http.Header, string) {
	d.t.Helper()
	request, err := http.NewRequestWithContext(d.t.Context(), method, d.url+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	response, err := d.http.Do(request)
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }() // it was read to its end
	text, err := io.ReadAll(response.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(text)
}

// want sends a request that must be answered so; an empty text means that the body does not matter.
func (d liveDoor) want(status int, text, method, path, body string) string {
	d.t.Helper()
	answered, _, got := d.call(method, path, body)
	if answered != status || text != "" && got != text+"\n" {
		d.t.Errorf("%s %s is %d %s, want %d %s", method, path, answered, got, status, text)
	}
	return got
}

// liveGroup is what these tests read of a group.
type liveGroup struct {
	ID   string `json:"id"`
	Jobs []struct {
		ID        string `json:"id"`
		Manifests []struct {
			YAML string `json:"yamlString"`
		} `json:"manifests"`
	} `json:"jobs"`
}

func decoded[T any](t *testing.T, text string) T {
	t.Helper()
	var value T
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return value
}

// manyComponents is a descriptor with n components, each with a manifest of its own.
func manyComponents(n int) string {
	var header, manifests strings.Builder
	header.WriteString("name: many\ndescription: d\ncomponents:\n")
	for i := range n {
		fmt.Fprintf(&header, "- name: c%d\n  type: manifest\n  manifests: [{name: m%d}]\n", i, i)
		fmt.Fprintf(&manifests, "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: m%d}\n", i)
	}
	return header.String() + manifests.String()
}

// TestListsAreWholeHoweverLong has a group with more jobs than a page takes.
func TestListsAreWholeHoweverLong(t *testing.T) {
	t.Parallel()
	const n = 501
	eachLive(t, func(t *testing.T, d liveDoor) {
		created := decoded[liveGroup](t, d.want(http.StatusCreated, "", http.MethodPost, "/groups", manyComponents(n)))
		got := decoded[liveGroup](t, d.want(http.StatusOK, "", http.MethodGet, "/groups/"+created.ID, ""))
		all := decoded[[]liveGroup](t, d.want(http.StatusOK, "", http.MethodGet, "/groups", ""))
		jobs := decoded[[]struct{ ID string }](t, d.want(http.StatusOK, "", http.MethodGet, "/jobs", ""))
		if len(created.Jobs) != n || len(got.Jobs) != n || len(all) != 1 || len(all[0].Jobs) != n || len(jobs) != n {
			t.Fatalf("%d jobs created, %d in the group, %d groups, %d jobs", len(created.Jobs), len(got.Jobs), len(all), len(jobs))
		}
		paged, path := 0, "/jobs?limit=200"
		for pages := 1; path != ""; pages++ {
			_, header, text := d.call(http.MethodGet, path, "")
			for _, job := range decoded[[]struct{ ID string }](t, text) {
				if job.ID != jobs[paged].ID || job.ID != got.Jobs[paged].ID {
					t.Fatalf("job %d is another one by pages", paged)
				}
				paged++
			}
			link, _, _ := strings.Cut(strings.TrimPrefix(header.Get("Link"), "</jobmanager"), ">")
			path = link
			if (path == "") != (pages == 3) || (header.Get("X-Next-After") == "") != (path == "") {
				t.Fatalf("page %d: %v", pages, header)
			}
		}
		if paged != n {
			t.Errorf("%d jobs by pages", paged)
		}
	})
}

// TestWhatIsNotThereIsToldInTheKnownWords asks for what nobody has.
func TestWhatIsNotThereIsToldInTheKnownWords(t *testing.T) {
	t.Parallel()
	eachLive(t, func(_ *testing.T, d liveDoor) {
		const unknown = "/0190c5a2-7b1e-7c3d-9f00-5b8d3e1a2c01"
		const noJob, noGroup = `{"error":"job not found"}`, `{"error":"JobGroup not found"}`
		for _, method := range []string{http.MethodGet, http.MethodDelete} {
			d.want(http.StatusNotFound, noJob, method, "/jobs"+unknown, "")
			d.want(http.StatusNotFound, noGroup, method, "/groups"+unknown, "")
			d.want(http.StatusNotFound, noGroup, method, "/jobs/group"+unknown, "")
		}
		for _, verb := range []string{"undeploy", "stop", "start"} {
			d.want(http.StatusNotFound, noGroup, http.MethodPut, "/groups/"+verb+unknown, "")
		}
		d.want(http.StatusNotFound, noGroup, http.MethodPut, "/groups", `{"id":"`+unknown[1:]+`"}`)
		d.want(http.StatusNotFound, noGroup, http.MethodPut, "/groups"+unknown, `{"jobs":[]}`)
		d.want(http.StatusNotFound, noGroup, http.MethodPut, "/groups"+unknown, "name: a")
		d.want(http.StatusNotFound, noJob, http.MethodPut, "/jobs", `{"id":"`+unknown[1:]+`","owner_id":"hub","type":5}`)
		d.want(http.StatusNotFound, noJob, http.MethodPut, "/jobs"+unknown, `{"owner_id":"hub","type":5}`)
		for _, word := range []string{`{"locker":true,"state":2}`, `{"locker":true,"state":3}`, `{"locker":false,"state":1}`} {
			d.want(http.StatusNotFound, noJob, http.MethodPut, "/jobs"+unknown, word)
		}
		d.want(http.StatusBadRequest, noJob, http.MethodPatch, "/jobs/promote"+unknown, `{"owner_id":"hub"}`)
		d.want(http.StatusNotFound, `{"error":"record not found"}`, http.MethodGet, "/resources/status"+unknown, "")
		d.want(http.StatusBadRequest, noJob, http.MethodPut, "/resources/status", `{"resource_uuid":"uid","resource_name":"n"}`)
		d.want(http.StatusBadRequest, noJob, http.MethodPut, "/resources/status", `{}`)
		d.want(http.StatusOK, "[]", http.MethodGet, "/jobs", "")
		d.want(http.StatusOK, "[]", http.MethodGet, "/groups", "")
		d.want(http.StatusOK, "[]", http.MethodGet, "/jobs/executable/ocm/hub", "")
		d.want(http.StatusOK, "[]", http.MethodGet, "/jobs/executable/orchestrator/nuvla", "")
	})
}

// TestOneJobThroughTheOldDoor walks a job through the verbs of people and agents.
func TestOneJobThroughTheOldDoor(t *testing.T) {
	t.Parallel()
	eachLive(t, func(t *testing.T, d liveDoor) {
		g := decoded[liveGroup](t, d.want(http.StatusCreated, "", http.MethodPost, "/groups", manyComponents(2)))
		id, path := g.Jobs[0].ID, "/jobs/promote/"+g.Jobs[0].ID
		d.want(http.StatusBadRequest, `{"error":"EOF"}`, http.MethodPatch, path, "")
		d.want(http.StatusBadRequest, `{"error":"owner ID Cannot be empty"}`, http.MethodPatch, path, "{}")
		status, header, body := d.call(http.MethodPatch, path, `{"owner_id":"hub"}`)
		if status != http.StatusNoContent || body != "" || header.Get("Content-Type") != "application/json" {
			t.Errorf("promoted: %d %v %q", status, header, body)
		}
		d.want(http.StatusBadRequest, `{"error":"job cannot be promoted"}`, http.MethodPatch, path, `{"owner_id":"other"}`)
		d.want(http.StatusBadRequest, "", http.MethodDelete, "/jobs/"+id, "")
		d.want(http.StatusBadRequest, "", http.MethodDelete, "/groups/"+g.ID, "")
		shown := d.want(http.StatusOK, "", http.MethodGet, "/jobs/"+id, "")
		d.want(http.StatusUnprocessableEntity, `{"error":"state must not be a JSON string"}`, http.MethodPut, "/jobs", strings.Replace(shown, `"state":2`, `"state":"Finished"`, 1))
		done := d.want(http.StatusOK, "", http.MethodPut, "/jobs?id=other", shown)
		if !strings.Contains(done, `"state":3`) || !strings.Contains(done, `"owner_id":"hub"`) {
			t.Errorf("reported: %s", done)
		}
		d.want(http.StatusBadRequest, "", http.MethodPut, "/jobs", strings.Replace(shown, `"owner_id":"hub"`, `"owner_id":"other"`, 1))
		d.want(http.StatusOK, "[]", http.MethodGet, "/resources/status/"+id, "")
		if first := d.want(http.StatusOK, "", http.MethodGet, "/resources/status/"+g.Jobs[1].ID, ""); !strings.Contains(first, `"AwaitingForExecution"`) {
			t.Errorf("a job that waits has the conditions %s", first)
		}
		d.want(http.StatusOK, "1", http.MethodDelete, "/jobs/"+g.Jobs[1].ID, "")
		d.want(http.StatusNotFound, `{"error":"job not found"}`, http.MethodDelete, "/jobs/"+g.Jobs[1].ID, "")
	})
}

// TestAViolationThatAsksForTheUnknownIsRecordedAndTold has one remediation that nobody knows.
func TestAViolationThatAsksForTheUnknownIsRecordedAndTold(t *testing.T) {
	t.Parallel()
	eachLive(t, func(t *testing.T, d liveDoor) {
		g := decoded[liveGroup](t, d.want(http.StatusCreated, "", http.MethodPost, "/groups", manyComponents(1)))
		told := `{"id":"0190c5a2-7b1e-7c3d-9f00-5b8d3e1a2c09","policyName":"p","remediation":"levitate","subject":{"appInstance":"` + g.ID + `","appComponent":"c0"}}`
		for range 2 {
			if text := d.want(http.StatusUnprocessableEntity, "", http.MethodPost, "/policies/incompliance", told); !strings.Contains(text, "levitate") {
				t.Errorf("told %s", text)
			}
		}
	})
}

// TestAGroupIsPatchedByItsJobs changes one manifest of two.
func TestAGroupIsPatchedByItsJobs(t *testing.T) {
	t.Parallel()
	eachLive(t, func(t *testing.T, d liveDoor) {
		text := d.want(http.StatusCreated, "", http.MethodPost, "/groups", manyComponents(2))
		g := decoded[liveGroup](t, text)
		d.want(http.StatusOK, "", http.MethodPut, "/groups", text) // an echo changes nothing
		const next = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m1}\ndata: {a: b}\n"
		patch, err := json.Marshal(map[string]any{"ID": g.ID, "appName": "stale", "jobs": []any{
			map[string]any{"ID": g.Jobs[0].ID}, map[string]any{"ID": g.Jobs[1].ID, "manifests": []any{map[string]any{"yamlString": next}}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"/groups", "/groups/" + g.ID} {
			got := decoded[liveGroup](t, d.want(http.StatusOK, "", http.MethodPut, path, string(patch)))
			if len(got.Jobs) != 2 || got.Jobs[0].Manifests[0] != g.Jobs[0].Manifests[0] || !strings.Contains(got.Jobs[1].Manifests[0].YAML, "a: b") {
				t.Errorf("patched: %+v", got)
			}
		}
		unknown := strings.ReplaceAll(string(patch), g.Jobs[0].ID, "0190c5a2-7b1e-7c3d-9f00-5b8d3e1a2c09")
		d.want(http.StatusBadRequest, "", http.MethodPut, "/groups", unknown)
		d.want(http.StatusUnprocessableEntity, "", http.MethodPut, "/groups/"+g.ID, "name: [")
		d.want(http.StatusOK, "", http.MethodPut, "/groups/undeploy/"+g.ID, "")
		if gone := decoded[liveGroup](t, d.want(http.StatusOK, "", http.MethodDelete, "/groups/"+g.ID, "")); gone.ID != g.ID || len(gone.Jobs) != 2 {
			t.Errorf("deleted: %+v", gone)
		}
	})
}
