package rest_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
	"github.com/icos-jobmanager/jobmanager/internal/config"
	"github.com/icos-jobmanager/jobmanager/internal/testkit"
)

// TestAShellUserIsToldThatTheMatchmakerFailed lets the Matchmaker answer what ended the old service, or misled it.
func TestAShellUserIsToldThatTheMatchmakerFailed(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]struct {
		status int
		body   string
	}{
		"its own failure":        {http.StatusInternalServerError, "Internal Server Error"},
		"a token that it lacks":  {http.StatusUnauthorized, `{"detail":"Token inv\u00e1lido"}`},
		"the aggregator is down": {http.StatusServiceUnavailable, `{"error":"Error calling the agregator API"}`},
		"null":                   {http.StatusOK, "null"},
		"an error as an answer":  {http.StatusOK, `{"error":"x"}`},
		"another component":      {http.StatusOK, `{"components":[{"name":"other","targets":[]}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			peer := (&testkit.Matchmaker{Answer: func(string) (int, string) { return answer.status, answer.body }}).Start(t)
			f := startOldFleet(t, apptest.SQLite(t), func(c *config.Config) { c.Matchmaking.URL = peer.URL })
			got, err := f.shell().Create(t.Context(), described("shop", component{name: "front"}))
			if refusal := refusedShell(t, got, err); refusal.Status != http.StatusUnprocessableEntity {
				t.Errorf("answered %d %s", refusal.Status, refusal.Body)
			}
			if all, err := f.shell().List(t.Context()); err != nil || len(all) != 0 {
				t.Errorf("what was refused left %v, %v", all, err)
			}
		})
	}
}

// TestAShellsDescriptorArrivesAsItIs submits several documents, with comments and without a line's end.
func TestAShellsDescriptorArrivesAsItIs(t *testing.T) {
	t.Parallel()
	peer, use := edgeOrCore(t)
	eachOldFleet(t, use, func(t *testing.T, f *oldFleet) {
		descriptor := "# of the shop\n" + strings.TrimSuffix(described("shop", component{name: "front", manifests: []string{"front", "front-service"}}), "\n")
		id := f.submit(t, descriptor)
		if group := f.group(t, id); group.Descriptor != descriptor {
			t.Errorf("the descriptor is kept as (-want +got):\n%s", cmp.Diff(descriptor, group.Descriptor))
		}
		if asked := peer.Requests(); !slices.ContainsFunc(asked, func(r testkit.MatchmakerRequest) bool { return r.Body == descriptor }) {
			t.Errorf("the Matchmaker was not asked with the descriptor as it is: %+v", asked)
		}
		manifests := f.job(t, id, "front").Manifests
		if len(manifests) != 2 || !strings.Contains(manifests[1].Text, "# kept as it is") {
			t.Errorf("the manifests are %+v", manifests)
		}
	})
}

// TestAShellsUpdateKeepsTheManifestsAndMovesWhatRequiresIt updates an application that waits, and then as it runs.
func TestAShellsUpdateKeepsTheManifestsAndMovesWhatRequiresIt(t *testing.T) {
	t.Parallel()
	_, use := edgeOrCore(t)
	eachOldFleet(t, use, func(t *testing.T, f *oldFleet) {
		s := f.shell()
		text := func(architecture string) string {
			return described("shop", component{name: "front", more: "  requirements: {architecture: " + architecture + ", cpu: 1}\n"}, component{name: "back"})
		}
		id := f.submit(t, text("x86_64"))
		front, back := f.job(t, id, "front"), f.job(t, id, "back")
		if front.Target.Cluster != "core" {
			t.Fatalf("front goes to %+v", front.Target)
		}
		renew := func(descriptor string) {
			t.Helper()
			if got, err := s.Update(t.Context(), id, firstDocument(t, descriptor)); err != nil || idOf(t, got) != id {
				t.Fatalf("updated: %v, %v", got, err)
			}
		}
		renew(text("arm64"))
		moved := f.job(t, id, "front")
		if moved.Target.Cluster != "edge" || cmp.Diff(front.Manifests, moved.Manifests) != "" || moved.work() != "CREATE_DEPLOYMENT/CREATED" {
			t.Errorf("before it ran, the new requirement makes it %+v", moved)
		}
		if now := f.job(t, id, "back"); cmp.Diff(back, now) != "" {
			t.Errorf("a component that did not change did (-before +after):\n%s", cmp.Diff(back, now))
		}
		f.perform(t, moved.ID)
		f.perform(t, back.ID)
		running := f.job(t, id, "front")
		renew(strings.Replace(text("arm64"), "shop of the tests", "told anew", 1))
		if group, now := f.group(t, id), f.job(t, id, "front"); group.Description != "told anew" || cmp.Diff(running, now) != "" {
			t.Errorf("another description makes the group %+v and a job (-before +after):\n%s", group, cmp.Diff(running, now))
		}
		renew(text("x86_64"))
		if leaving := f.job(t, id, "front"); leaving.work() != "UPDATE_DEPLOYMENT/CREATED" || leaving.SubType != "reallocation" || leaving.Owner != "hub" {
			t.Errorf("as it runs, the new requirement makes it %+v", leaving)
		}
		if now := f.job(t, id, "back"); now.work() != "CREATE_DEPLOYMENT/FINISHED" {
			t.Errorf("the other component is %+v", now)
		}
		if there := f.perform(t, running.ID); there.Target.Cluster != "core" || there.work() != "CREATE_DEPLOYMENT/CREATED" || cmp.Diff(front.Manifests, there.Manifests) != "" {
			t.Errorf("having left, it is %+v", there)
		}
	})
}

// oneDocument is a descriptor that carries its manifests itself, so that the Shell sends them with every update.
const oneDocument = `name: shop
description: told %s
components:
- name: front
  type: kubernetes
  manifests: [{name: front}]
  policies: [{name: slow, type: custom, fromTemplate: app-host-cpu-usage, variables: {threshold: 80, share: 0.5, window: "120"}}]
  targets: {cluster_name: core, node_name: core-1, orchestrator: ocm}
manifests:
- name: front
  manifest:
    # a comment of the user's
    kind: ConfigMap
    apiVersion: v1
    metadata: {name: front, labels: {version: "1.0", on: "yes"}}
    data:
      text: |
        of front: %s
`

// TestAShellsUpdateReplacesOnlyWhatChanged sends manifests as JSON that say the same as the present ones, and others.
func TestAShellsUpdateReplacesOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	eachOldFleet(t, nil, func(t *testing.T, f *oldFleet) {
		id := f.submit(t, fmt.Sprintf(oneDocument, "once", "1"))
		f.perform(t, f.job(t, id, "front").ID)
		before := f.job(t, id, "front")
		for _, told := range []string{"twice", "three times"} {
			if _, err := f.shell().Update(t.Context(), id, firstDocument(t, fmt.Sprintf(oneDocument, told, "1"))); err != nil {
				t.Fatal(err)
			}
			if group, now := f.group(t, id), f.job(t, id, "front"); group.Description != "told "+told || now.work() != "CREATE_DEPLOYMENT/FINISHED" || now.Epoch != before.Epoch {
				t.Errorf("told %s: the group is %+v, the job %+v", told, group, now)
			}
		}
		if _, err := f.shell().Update(t.Context(), id, firstDocument(t, fmt.Sprintf(oneDocument, "at last", "2"))); err != nil {
			t.Fatal(err)
		}
		j := f.job(t, id, "front")
		if j.work() != "REPLACE_DEPLOYMENT/CREATED" || j.Owner != "hub" || len(j.Manifests) != 1 {
			t.Fatalf("with another manifest the job is %+v", j)
		}
		var manifest struct {
			Metadata struct{ Labels map[string]string }
			Data     map[string]string
		}
		if err := yaml.Load([]byte(j.Manifests[0].Text), &manifest); err != nil {
			t.Fatal(err)
		}
		if manifest.Data["text"] != "of front: 2\n" || manifest.Metadata.Labels["version"] != "1.0" || manifest.Metadata.Labels["on"] != "yes" {
			t.Errorf("the new manifest says %+v:\n%s", manifest, j.Manifests[0].Text)
		}
	})
}
