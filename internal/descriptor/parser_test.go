package descriptor

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

func mustRead(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// brief tells a finding in one line, so that tests read like the answer.
func brief(finding jobmanager.Finding) string {
	return fmt.Sprintf("%s %s %d:%d %s", finding.Severity, finding.Code, finding.Line, finding.Column, finding.Path)
}

func briefs(findings []jobmanager.Finding) []string {
	var all []string
	for _, finding := range findings {
		all = append(all, brief(finding))
	}
	return all
}

func mustAccept(t testing.TB, text string) jobmanager.Descriptor {
	t.Helper()
	got, findings := New(DefaultLimits()).Parse(text)
	if refusals := jobmanager.Refusals(findings); len(refusals) > 0 {
		t.Fatalf("refused: %+v", refusals)
	}
	return got
}

// diff fails when want and got differ.
func diff(t testing.TB, what string, want, got any) {
	t.Helper()
	if difference := cmp.Diff(want, got); difference != "" {
		t.Errorf("%s (-want +got):\n%s", what, difference)
	}
}

// namesOf lists the manifests of each component: component/name kind.
func namesOf(got jobmanager.Descriptor) []string {
	var all []string
	for _, part := range got.Components {
		for _, manifest := range part.Manifests {
			all = append(all, strings.TrimSpace(part.Name+"/"+manifest.Name+" "+manifest.APIVersion+" "+manifest.Kind))
		}
	}
	return all
}

func TestEveryFormIsAcceptedWithItsManifestsInTheOrderOfReferences(t *testing.T) {
	t.Parallel()
	for _, form := range []struct {
		file      string
		namespace string
		manifests []string
		findings  []string
	}{
		{"documents.yaml", "camera-wall", []string{
			"camera/camera v1 Pod", "wall/wall-service v1 Service", "wall/wall apps/v1 Deployment", "wall/wall v1 Service",
		}, nil},
		{"entries.yaml", "cameras", []string{
			"camera/camera-job batch/v1 Job", "camera/camera-route networking.k8s.io/v1 Ingress",
		}, nil},
		{"raw.yaml", "camera-wall", []string{"camera/camera example.org/v1 Lens", "camera/camera v1 Service"}, nil},
		{"compose.yaml", "shop", []string{"frontend/shop-file"}, nil},
		{"header.yaml", "camera-wall", nil, []string{"WARNING UNRESOLVED_REFERENCE 20:15 components[1].manifests[0].name"}},
	} {
		t.Run(form.file, func(t *testing.T) {
			t.Parallel()
			got, findings := New(DefaultLimits()).Parse(mustRead(t, form.file))
			diff(t, "findings", form.findings, briefs(findings))
			diff(t, "manifests", form.manifests, namesOf(got))
			diff(t, "namespace", form.namespace, got.Namespace)
			diff(t, "has manifests", form.manifests != nil, got.HasManifests)
		})
	}
}

func TestEveryFormIsAcceptedWithWindowsLineEnds(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"documents.yaml", "entries.yaml", "raw.yaml", "compose.yaml", "header.yaml"} {
		text := mustRead(t, file)
		want, got := mustAccept(t, text), mustAccept(t, "\uFEFF"+strings.ReplaceAll(text, "\n", "\r\n"))
		diff(t, file, namesOf(want), namesOf(got))
		for i, part := range got.Components {
			for j, manifest := range part.Manifests {
				want := strings.ReplaceAll(want.Components[i].Manifests[j].Text, "\n", "\r\n")
				diff(t, file+" "+manifest.Name, want, manifest.Text)
			}
		}
	}
}

func TestDocumentsKeepTheirBytes(t *testing.T) {
	t.Parallel()
	got := mustAccept(t, mustRead(t, "documents.yaml"))
	diff(t, "text", "# A camera.\napiVersion: v1\nkind: Pod\nmetadata:\n  name: camera   # found by this name\nspec:\n"+
		"  containers:\n  - {name: camera, image: \"example/camera:1\"}\n\n", got.Components[0].Manifests[0].Text)
	diff(t, "text before ...", "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: wall\n", got.Components[1].Manifests[1].Text)
}

func TestPoliciesAreKeptAsWritten(t *testing.T) {
	t.Parallel()
	got := mustAccept(t, mustRead(t, "documents.yaml"))
	diff(t, "application", []jobmanager.Policy{
		{Type: "security", AppliesTo: []string{"*"}, Body: jobmanager.Value(`{"component":"*","security":"medium"}`)},
		{Type: "custom", Remediation: "migrate", AppliesTo: []string{"/camera|wall/"},
			Body: jobmanager.Value(`{"apply-to":"/camera|wall/","type":"custom","remediation":"migrate"}`)},
	}, got.Policies)
	diff(t, "component", []jobmanager.Policy{{Name: "keep-up", Remediation: "scale-up",
		Body: jobmanager.Value(`{"name":"keep-up","fromTemplate":"cpu-usage-host","remediation":"scale-up","variables":{"limit":0.80}}`)}},
		got.Components[1].Policies)
}

func TestRequirementsPinsAndLinksAreExposed(t *testing.T) {
	t.Parallel()
	entries := mustAccept(t, mustRead(t, "entries.yaml"))
	diff(t, "requirements", `{"cpu":0.50,"memory":"200Mi","devices":"example.org/video","architecture":"arm64"}`, string(entries.Components[0].Requirements))
	header := mustAccept(t, mustRead(t, "header.yaml"))
	diff(t, "application requirements", `{"zone":"north"}`, string(header.Requirements))
	diff(t, "application dependencies", `[{"from":"wall","to":"camera"}]`, string(header.Dependencies))
	diff(t, "pins", []jobmanager.Target{{Cluster: "edge-1", Node: "node-7", Orchestrator: "ocm", Pinned: true}}, header.Components[0].Pins)
	diff(t, "links", []jobmanager.Link{
		{From: "camera", To: "wall", Kind: jobmanager.LinkCommunication},
		{From: "wall", To: "camera", Kind: jobmanager.LinkDependency},
	}, header.Links)
	diff(t, "links by metadata.name", []jobmanager.Link{{From: "camera", To: "wall", Kind: jobmanager.LinkCommunication}},
		mustAccept(t, mustRead(t, "documents.yaml")).Links)
}

func TestDependenciesDrawLinksInEveryForm(t *testing.T) {
	t.Parallel()
	const parts = "name: app\ndescription: d\ncomponents:\n- name: a\n- name: b\n- name: c\n"
	ab := jobmanager.Link{From: "a", To: "b", Kind: jobmanager.LinkDependency}
	for form, want := range map[string][]jobmanager.Link{
		parts + "  dependencies: a\n":                                        {{From: "c", To: "a", Kind: jobmanager.LinkDependency}},
		parts + "  dependencies: [{name: a}, b, a]\n":                        {{From: "c", To: "a", Kind: jobmanager.LinkDependency}, {From: "c", To: "b", Kind: jobmanager.LinkDependency}},
		parts + "dependencies: {a: [b]}\n":                                   {ab},
		parts + "dependencies: {a: {b: {condition: started}}}\n":             {ab},
		parts + "dependencies: [{name: a, dependsOn: [b]}, {a: b}]\n":        {ab},
		parts + "dependencies: [a, b]\n":                                     nil,
		parts + "  dependencies: [c]\n  communication: {outgoing: [x, c]}\n": nil,
	} {
		diff(t, form, want, mustAccept(t, form).Links)
	}
}

func TestJSONIsAccepted(t *testing.T) {
	t.Parallel()
	got, findings := New(DefaultLimits()).Parse(`{"name": "app", "description": "d",
 "components": [{"name": "web", "type": "kubernetes", "manifests": [{"name": "m"}]}],
 "manifests": [{"name": "m", "manifest": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}}]}`)
	diff(t, "findings", []string{"WARNING MANIFEST_REWRITTEN 3:42 manifests[0].manifest"}, briefs(findings))
	diff(t, "text", "\"apiVersion\": \"v1\"\n\"kind\": \"Pod\"\n\"metadata\":\n  \"name\": \"p\"\n", got.Components[0].Manifests[0].Text)
}

func TestNamespaceIsDerivedFromTheName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"my_application":                     "my-application",
		"My App":                             "my-app",
		"-über-":                             "ber",
		strings.Repeat("A", 70):              strings.Repeat("a", 63),
		strings.Repeat("a", 62) + "__" + "b": strings.Repeat("a", 62),
		"日本":                                 "app-" + deriveNamespace("日本")[4:],
	} {
		got := mustAccept(t, "description: d\nname: "+name+"\ncomponents:\n- name: a\n").Namespace
		if got != want || !isLabel(got) {
			t.Errorf("namespace of %q is %q, want %q", name, got, want)
		}
	}
	if a, b := deriveNamespace("日本"), deriveNamespace("中国"); a == b || len(a) != len("app-")+8 {
		t.Errorf("%q and %q must differ and be short", a, b)
	}
}

func TestValuesAreJSONWithTheirSpelling(t *testing.T) {
	t.Parallel()
	for yaml, want := range map[string]string{
		"0.5": "0.5", "1.0": "1.0", "1e3": "1e3", "-0": "-0", "0x1F": "31", "0o17": "15", "0777": "511", "1_000": "1000", "+1": "1", ".5": "0.5",
		".inf": `".inf"`, "-.INF": `"-.INF"`, ".nan": `".nan"`, "2024-01-02": `"2024-01-02"`, "!!float 1e99999": `"1e99999"`,
		"yes": `"yes"`, "True": "true", "!!bool yes": "true", "~": "null", "'1'": `"1"`, "!!str 1": `"1"`, "!x 1": `"1"`, "<a&b>": `"<a&b>"`,
		"{b: 1, a: [x, {}]}":                `{"b":1,"a":["x",{}]}`,
		"{1: a, true: b, null: c}":          `{"1":"a","true":"b","null":"c"}`,
		"[&x {a: 1}, *x]":                   `[{"a":1},{"a":1}]`,
		"[&x {a: 1, b: 2}, {b: 3, <<: *x}]": `[{"a":1,"b":2},{"b":3,"a":1}]`,
		"{<<: 1}":                           `{"<<":1}`,
		"{<<: [{a: 1}, {a: 2, b: 3}]}":      `{"a":1,"b":3}`,
	} {
		got := mustAccept(t, "name: a\ndescription: d\ncomponents:\n- name: a\nrequirements:\n  v: "+yaml+"\n").Requirements
		diff(t, yaml, `{"v":`+want+"}", string(got))
	}
}

func TestParseIsSafeForManyCallers(t *testing.T) {
	t.Parallel()
	parser, text := New(DefaultLimits()), mustRead(t, "documents.yaml")
	answers := make(chan []string)
	for range 8 {
		go func() {
			got, _ := parser.Parse(text)
			answers <- namesOf(got)
		}()
	}
	first := <-answers
	for range 7 {
		if next := <-answers; !slices.Equal(first, next) {
			t.Errorf("%v and then %v", first, next)
		}
	}
}
