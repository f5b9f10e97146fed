package descriptor

import (
	"strings"
	"testing"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// head is a header whose one component takes the manifest m.
const head = "name: app\ndescription: d\ncomponents:\n- name: web\n  type: kubernetes\n  manifests: [m]\n"

// sixIn is what every Kubernetes manifest needs, at the indentation of six.
const sixIn = "      apiVersion: v1\n      kind: Pod\n      metadata:\n        name: m\n"

// flush is sixIn without its indentation.
const flush = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: m\n"

// TestTextOfAManifest goes through the definition rule by rule. Each manifest is the first of the component
// web; rewritten says that a warning MANIFEST_REWRITTEN is expected.
func TestTextOfAManifest(t *testing.T) {
	t.Parallel()
	entry := head + "manifests:\n  - name: m\n    manifest:"
	for _, rule := range []struct {
		name, text, want string
		rewritten        bool
	}{
		{"comments inside stay, trailing ones further left go",
			entry + " # on the key's line\n      # above\n" + sixIn + "      # below\n\n  # outside\n\n  - name: other\n    manifest: {services: {}}\n",
			"# above\n" + flush + "# below\n", false},
		{"a comment further left in the middle keeps what it has",
			entry + "\n      apiVersion: v1\n  # left\n      kind: Pod\n      metadata:\n        name: m\n",
			"apiVersion: v1\n# left\nkind: Pod\nmetadata:\n  name: m\n", false},
		{"blank lines before and inside stay, trailing ones go",
			entry + "\n\n      apiVersion: v1\n\n      kind: Pod\n      metadata:\n        name: m\n\n\n",
			"\napiVersion: v1\n\nkind: Pod\nmetadata:\n  name: m\n", false},
		{"the next key of the entry ends it",
			entry + "\n" + sixIn + "    type: kubernetes\n", flush, false},
		{"the next key of the header ends it",
			entry + "\n" + sixIn + "policies: []\n", flush, false},
		{"a lone dash of the next item ends it",
			entry + "\n" + sixIn + "  -\n    # next\n    name: other\n    manifest: {services: {}}\n", flush, false},
		{"a list at the indentation of its key",
			head + "manifests:\n- name: m\n  manifest:\n    apiVersion: v1\n    kind: Pod\n    metadata:\n      name: m\n    list:\n    - a\n    -  b\n",
			flush + "list:\n- a\n-  b\n", false},
		{"a block scalar keeps its comments and its indentation",
			entry + "\n" + sixIn + "      data: |\n        text\n          # not a comment\n       \n      end: >-\n        a\n         b\n",
			flush + "data: |\n  text\n    # not a comment\n \nend: >-\n  a\n   b\n", false},
		{"a block scalar with + keeps its trailing blank lines",
			entry + "\n" + sixIn + "      data: |+\n        text\n\n\n  # outside\n\npolicies: []\n", flush + "data: |+\n  text\n\n\n", false},
		{"a block scalar without + loses them",
			entry + "\n" + sixIn + "      data: |\n        text\n\n\npolicies: []\n", flush + "data: |\n  text\n", false},
		{"a missing last line end is added",
			strings.TrimSuffix(entry+"\n"+sixIn, "\n"), flush, false},
		{"no line end is added where it would change the value",
			entry + "\n" + sixIn + "      data: |\n        text", flush + "data: |\n  text", false},
		{"an unfinished looking quote of several lines",
			entry + "\n" + sixIn + "      data: \"a\n  # b\"\n", flush + "data: \"a\n# b\"\n", false},
		{"windows line ends stay",
			strings.ReplaceAll(entry+"\n"+sixIn+"\n", "\n", "\r\n"), strings.ReplaceAll(flush, "\n", "\r\n"), false},
		{"U+2028 ends a line for the parser",
			"# a\u2028# b\u0085# c\r" + entry + "\n" + sixIn + "      data: \"x\u2028       y\"\n", flush + "data: \"x\u2028 y\"\n", false},
		{"a byte order mark is not counted", "\uFEFF" + entry + "\n" + sixIn, flush, false},
		{"wide characters before it do not matter", "x: \"日本語\"\n" + entry + "\n      \"apiVersion\": v1\n      kind: 日\n      metadata: {name: m}\n",
			"\"apiVersion\": v1\nkind: 日\nmetadata: {name: m}\n", false},
		{"an anchor and a tag above do not matter",
			entry + " &pod !!map\n" + sixIn, flush, false},
		{"an anchor used inside stays",
			entry + "\n      apiVersion: v1\n      kind: &k Pod\n      metadata:\n        name: m\n      again: *k\n",
			"apiVersion: v1\nkind: &k Pod\nmetadata:\n  name: m\nagain: *k\n", false},
		{"an anchor outside is expanded",
			"x: &labels {app: web} # shared\n" + entry + "\n" + sixIn + "      labels: *labels # gone\n",
			flush + "labels:\n  app: web\n", true},
		{"a merge of an anchor outside is expanded",
			"x: &base {apiVersion: v1, kind: List}\n" + entry + "\n      <<: *base\n      kind: Pod\n      metadata: {name: m}\n",
			"apiVersion: v1\nkind: Pod\nmetadata:\n  name: m\n", true},
		{"a flow mapping is expanded",
			entry + " {apiVersion: v1, kind: Pod, metadata: {name: \"m\"}, on: 'yes', n: 0x1f}\n",
			"apiVersion: v1\nkind: Pod\nmetadata:\n  name: \"m\"\non: 'yes'\nn: 0x1f\n", true},
		{"an alias is expanded",
			"x: &pod\n  apiVersion: v1\n  kind: Pod\n  metadata: {name: m}\n" + entry + " *pod\n", flush, true},
		{"a whole entry that is an alias is expanded",
			"x: &e\n  name: m\n  manifest:\n    apiVersion: v1\n    kind: Pod\n    metadata: {name: m}\n" + head + "manifests: [*e]\n", flush, true},
		{"a string is its own text",
			entry + " |\n      # mine\n" + sixIn + "\n", "# mine\n" + flush, false},
		{"a quoted string is its own text",
			entry + " \"services: {}\"\n", "services: {}", false},
		{"a raw item begins at its first key",
			head + "manifests:\n  # above\n  -   apiVersion: v1\n      # in\n      kind: Pod\n      metadata:\n        name: m\n  # outside\n  - services: {}\n    name: other\n",
			"apiVersion: v1\n# in\nkind: Pod\nmetadata:\n  name: m\n", false},
		{"a raw item below its dash begins at its first key",
			head + "manifests:\n-\n  # above\n  apiVersion: v1\n  kind: Pod\n  metadata:\n    name: m\n", flush, false},
		{"a document keeps its lines", head + "--- # first\n# a\n\n" + flush + "# z\n\n--- \n--- # nothing\n\n# here\n---\n", "# a\n\n" + flush + "# z\n\n", false},
		{"a document may be a flow mapping", head + "---\n{apiVersion: v1, kind: Pod,\n metadata: {name: m}}\n", "{apiVersion: v1, kind: Pod,\n metadata: {name: m}}\n", false},
		{"a document may begin on its marker's line", head + "---  {apiVersion: v1, kind: Pod, metadata: {name: m}}\n", "{apiVersion: v1, kind: Pod, metadata: {name: m}}\n", false},
		{"a document may follow an end marker", head + "...\n# a\n" + flush, "# a\n" + flush, false},
		{"a document without a last line end gets none", head + "---\n" + strings.TrimSuffix(flush, "\n"), strings.TrimSuffix(flush, "\n"), false},
		{"a directive belongs to no text", head + "...\n%YAML 1.2\n---\n" + flush, flush, false},
		{"a directive that the text needs is written out", head + "...\n%TAG !e! tag:example.org,2024:\n---\n" + flush + "x: !e!y z\n", flush + "x: !<tag:example.org,2024:y> z\n", true},
		{"three dashes inside a line or indented are no marker", head + "---\n" + flush + "data: |\n  ---\n  a --- b\nx: ---y\n", flush + "data: |\n  ---\n  a --- b\nx: ---y\n", false},
	} {
		t.Run(rule.name, func(t *testing.T) {
			t.Parallel()
			got, findings := New(DefaultLimits()).Parse(rule.text)
			if refusals := jobmanager.Refusals(findings); len(refusals) > 0 || len(got.Components) == 0 || len(got.Components[0].Manifests) == 0 {
				t.Fatalf("no manifest: %+v", findings)
			}
			diff(t, "text", rule.want, got.Components[0].Manifests[0].Text)
			rewritten := 0
			for _, finding := range findings {
				if finding.Code == CodeManifestRewritten && !strings.Contains(finding.Path, "manifests[1]") {
					rewritten++
				}
			}
			diff(t, "rewritten", rule.rewritten, rewritten > 0)
		})
	}
}

func TestAStringOfSeveralDocumentsIsSeveralManifests(t *testing.T) {
	t.Parallel()
	got := mustAccept(t, head+"manifests:\n- name: m\n  manifest: |\n    ---\n    apiVersion: v1\n    kind: Pod\n    metadata: {name: a}\n    ---\n    apiVersion: v1\n    kind: Pod\n    metadata: {name: b}\n")
	diff(t, "manifests", []string{"web/m v1 Pod", "web/m v1 Pod"}, namesOf(got))
	diff(t, "text", "apiVersion: v1\nkind: Pod\nmetadata: {name: b}\n", got.Components[0].Manifests[1].Text)
}
