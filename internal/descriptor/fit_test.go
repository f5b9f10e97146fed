package descriptor

import (
	"strings"
	"testing"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// fitText has one component for each type, all with the manifest m.
func fitText(manifest string, types ...string) string {
	var text strings.Builder
	text.WriteString("name: app\ndescription: d\ncomponents:\n")
	for i, kind := range types {
		text.WriteString("- {name: " + string(rune('a'+i)) + ", manifests: [m], type: " + kind + "}\n")
	}
	text.WriteString("manifests:\n- name: m\n  manifest:\n")
	for line := range strings.Lines(manifest) {
		text.WriteString("    " + line)
	}
	return text.String()
}

// codesOf lists severity and code of each finding.
func codesOf(findings []jobmanager.Finding) []string {
	var all []string
	for _, finding := range findings {
		all = append(all, string(finding.Severity)+" "+finding.Code)
	}
	return all
}

const (
	fitPod     = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n"
	fitCompose = "version: '3'\nservices: {web: {image: example/web}}\n"
	fitNothing = "foo: bar\n"
)

func TestTypeAndManifestAreHeldTogether(t *testing.T) {
	t.Parallel()
	const misfit, doubt, refused = "WARNING MANIFEST_TYPE", "WARNING MANIFEST_INCOMPLETE", "ERROR MANIFEST_INCOMPLETE"
	for name, test := range map[string]struct {
		manifest string
		types    []string
		want     []string
	}{
		"docker with compose":                     {fitCompose, []string{"docker"}, nil},
		"docker with an object":                   {fitPod, []string{"docker"}, []string{misfit}},
		"docker with an object of services":       {fitPod + "services: {}\n", []string{"docker"}, []string{misfit}},
		"docker with only apiVersion":             {"apiVersion: v1\n", []string{"docker"}, []string{misfit}},
		"docker with only kind":                   {"kind: Pod\n", []string{"docker"}, []string{misfit}},
		"docker with only metadata":               {"metadata: {}\n", []string{"docker"}, []string{misfit}},
		"docker with nothing known":               {fitNothing, []string{"docker"}, []string{doubt}},
		"kubernetes with an object":               {fitPod, []string{"kubernetes"}, nil},
		"kubernetes with an object of services":   {fitPod + "services: {}\n", []string{"kubernetes"}, nil},
		"kubernetes with compose":                 {fitCompose, []string{"kubernetes"}, []string{misfit}},
		"kubernetes with compose that has a kind": {fitCompose + "kind: x\n", []string{"kubernetes"}, []string{misfit}},
		"kubernetes with nothing known":           {fitNothing, []string{"kubernetes"}, []string{refused}},
		"kubernetes with only metadata":           {"metadata: {name: x}\n", []string{"kubernetes"}, []string{refused, refused}},
		"manifest with an object":                 {fitPod, []string{"manifest"}, nil},
		"manifest with compose":                   {fitCompose, []string{"manifest"}, []string{misfit}},
		"manifest with nothing known":             {fitNothing, []string{"manifest"}, []string{refused}},
		"multiple with an object":                 {fitPod, []string{"multiple"}, nil},
		"multiple with compose":                   {fitCompose, []string{"multiple"}, nil},
		"multiple with nothing known":             {fitNothing, []string{"multiple"}, []string{doubt}},
		"no type with an object":                  {fitPod, []string{"~"}, []string{"WARNING MISSING_TYPE"}},
		"no type with compose":                    {fitCompose, []string{"~"}, []string{"WARNING MISSING_TYPE"}},
		"no type with nothing known":              {fitNothing, []string{"~"}, []string{"WARNING MISSING_TYPE", doubt}},
		"another type with compose":               {fitCompose, []string{"helm"}, nil},
		"two of docker with an object":            {fitPod, []string{"docker", "docker"}, []string{misfit, misfit}},
		"both with an object":                     {fitPod, []string{"docker", "kubernetes"}, []string{misfit}},
		"both with compose":                       {fitCompose, []string{"kubernetes", "docker"}, []string{misfit}},
		"both with nothing known":                 {fitNothing, []string{"kubernetes", "docker"}, []string{refused}},
		"both with an incomplete object":          {"apiVersion: v1\nkind: Pod\n", []string{"docker", "kubernetes"}, []string{misfit, refused}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, findings := New(DefaultLimits()).Parse(fitText(test.manifest, test.types...))
			diff(t, "findings", test.want, codesOf(findings))
		})
	}
}

func TestObjectOfADockerComponentKeepsVersionAndKind(t *testing.T) {
	t.Parallel()
	got := mustAccept(t, fitText(fitPod, "docker"))
	diff(t, "manifests", []jobmanager.Manifest{{Name: "m", APIVersion: "v1", Kind: "Pod", Text: fitPod}}, got.Components[0].Manifests)
	got = mustAccept(t, fitText("kind: Pod\n", "docker"))
	diff(t, "incomplete", []jobmanager.Manifest{{Name: "m", Kind: "Pod", Text: "kind: Pod\n"}}, got.Components[0].Manifests)
}

func TestMisfitNamesTypeAndManifest(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ text, want string }{
		{fitText(fitPod, "docker"), `the component is of type docker, and the manifest "m" is a Kubernetes object`},
		{fitText(fitCompose, "manifest"), `the component is of type manifest, and the manifest "m" is a compose file`},
	} {
		_, findings := New(DefaultLimits()).Parse(test.text)
		diff(t, "places", []string{"WARNING MANIFEST_TYPE 4:25 components[0].manifests[0]"}, briefs(findings))
		diff(t, "message", test.want, findings[0].Message)
	}
}

func TestMisfitOfAReferenceToSeveralManifestsIsToldOnce(t *testing.T) {
	t.Parallel()
	text := "name: app\ndescription: d\ncomponents:\n- {name: a, type: docker, manifests: [m]}\nmanifests:\n- name: m\n  manifest: |\n" +
		"    services: {}\n    ---\n    kind: Pod\n    ---\n    kind: Service\n"
	_, findings := New(DefaultLimits()).Parse(text)
	diff(t, "findings", []string{"WARNING MANIFEST_TYPE 4:39 components[0].manifests[0]"}, briefs(findings))
}
