package descriptor

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// findingCases has one entry for each way to earn a finding.
func findingCases() []struct {
	name, text string
	want       []string
} {
	const top = "name: app\ndescription: d\n"
	const one = top + "components:\n- name: web\n  type: multiple\n"
	const pod = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: m\n"
	return []struct {
		name, text string
		want       []string
	}{
		{"empty text", "", []string{"ERROR EMPTY 0:0 "}},
		{"only comments", "# a\n---\n...\n", []string{"ERROR EMPTY 0:0 "}},
		{"no mapping", "- a\n", []string{"ERROR WRONG_TYPE 1:1 "}},
		{"no name, no description, no components", "x: 1\n", []string{
			"ERROR MISSING_NAME 1:1 name", "ERROR MISSING_COMPONENTS 1:1 components", "WARNING MISSING_DESCRIPTION 1:1 description"}},
		{"empty names", "name: ''\ndescription: d\ncomponents:\n- {name: '', type: x}\n- type: x\n- name: c\n  manifests: [{name: ''}, {x: 1}, '']\n  type: x\n", []string{
			"ERROR MISSING_NAME 1:7 name", "ERROR MISSING_NAME 4:10 components[0].name", "ERROR MISSING_NAME 5:3 components[1].name",
			"ERROR MISSING_NAME 7:22 components[2].manifests[0].name", "ERROR MISSING_NAME 7:27 components[2].manifests[1].name",
			"ERROR MISSING_NAME 7:35 components[2].manifests[2]"}},
		{"no components in the list", top + "components: []\n", []string{"ERROR MISSING_COMPONENTS 3:13 components"}},
		{"names that break RFC 1123", "name: A b\ndescription: d\nnamespace: X\ncomponents:\n- name: -a\n  type: x\n", []string{
			"WARNING INVALID_NAME 1:7 name", "ERROR INVALID_NAME 3:12 namespace", "ERROR INVALID_NAME 5:9 components[0].name"}},
		{"an application's name that breaks RFC 1123", "name: a.b\ndescription: d\ncomponents:\n- {name: a, type: x}\n", []string{"WARNING INVALID_NAME 1:7 name"}},
		{"two components of one name", one + "- {name: db, type: x}\n- {name: web, type: x}\n", []string{"ERROR DUPLICATE_COMPONENT 7:10 components[2].name"}},
		{"duplicate keys", one + "  type: a\nname: app\n", []string{
			"ERROR DUPLICATE_KEY 6:3 components[0].type", "ERROR DUPLICATE_KEY 7:1 name"}},
		{"duplicate keys that differ for YAML only", one + "requirements: {1: a, '1': b}\n", []string{"ERROR DUPLICATE_KEY 6:22 requirements.1"}},
		{"a duplicate key in a manifest", one + "  manifests: [m]\n---\n" + pod + "  name: n\n", []string{"ERROR DUPLICATE_KEY 12:3 documents[1].metadata.name"}},
		{"a duplicate key in a text block", one + "  manifests: [m]\nmanifests:\n- name: m\n  manifest: |\n\n    services: 1\n    services: 2\n", []string{
			"ERROR DUPLICATE_KEY 12:5 manifests[0].manifest.services"}},
		{"a key that is no text", one + "requirements: {[a]: b}\n", []string{"ERROR WRONG_TYPE 6:16 requirements.[\"a\"]"}},
		{"dashes without a blank", top + "components:\n  -name: a\n  -name: b\n", []string{
			"ERROR MISSING_BLANK 4:3 components.-name", "ERROR MISSING_BLANK 5:3 components.-name"}},
		{"a dash without a blank that breaks the syntax", top + "components:\n  -name: a\n   type: b\n", []string{
			"ERROR MISSING_BLANK 4:3 ", "ERROR YAML_SYNTAX 5:8 "}},
		{"a dash without a blank in a manifest", one + "  manifests: [m]\n---\n" + pod + "spec:\n  -name: x\n", []string{"WARNING MISSING_BLANK 13:3 documents[1].spec.-name"}},
		{"a syntax error in each document", "name: [\n---\na: b: c\n---\nkind: \"x\n", []string{
			"ERROR YAML_SYNTAX 2:1 ", "ERROR YAML_SYNTAX 3:5 ", "ERROR YAML_SYNTAX 5:9 "}},
		{"a syntax error in a text block", one + "  manifests: [m]\nmanifests:\n- name: m\n  manifest: |\n    a: b: c\n", []string{
			"ERROR UNRESOLVED_REFERENCE 6:15 components[0].manifests[0]", "ERROR YAML_SYNTAX 10:9 "}},
		{"a syntax error in a quoted text", one + "  manifests: [m]\nmanifests:\n- name: m\n  manifest: 'a: b: c'\n", []string{
			"ERROR UNRESOLVED_REFERENCE 6:15 components[0].manifests[0]", "ERROR YAML_SYNTAX 9:13 "}},
		{"an unknown anchor", "name: *a\n", []string{"ERROR YAML_SYNTAX 1:7 "}},
		{"wrong types in the header", "name: 1\ndescription: [d]\nnamespace: 2\ncomponents: x\npolicies: {a: b}\nmanifests: 3\n", []string{
			"ERROR WRONG_TYPE 1:7 name", "ERROR WRONG_TYPE 2:14 description", "ERROR WRONG_TYPE 3:12 namespace",
			"ERROR WRONG_TYPE 4:13 components", "ERROR WRONG_TYPE 5:11 policies", "ERROR WRONG_TYPE 6:12 manifests"}},
		{"wrong types in components", top + "components:\n- 1\n- name: b\n  type: [x]\n  manifests: {name: m}\n  requirements: 5\n  policies: ['security:0.2']\n- name: c\n  manifests: [[], {name: 5}, {name: m, manifest: {}}]\n  type: x\n", []string{
			"ERROR WRONG_TYPE 4:3 components[0]", "ERROR WRONG_TYPE 6:9 components[1].type", "ERROR WRONG_TYPE 7:14 components[1].manifests",
			"ERROR WRONG_TYPE 8:17 components[1].requirements", "ERROR WRONG_TYPE 9:14 components[1].policies[0]",
			"ERROR WRONG_TYPE 11:15 components[2].manifests[0]", "ERROR WRONG_TYPE 11:26 components[2].manifests[1].name",
			"ERROR WRONG_TYPE 11:30 components[2].manifests[2].manifest", "WARNING UNRESOLVED_REFERENCE 11:37 components[2].manifests[2].name"}},
		{"wrong types that are only shown", one + "  communication: x\npolicies:\n- {name: 1, remediation: [], apply-to: [{}]}\n", []string{
			"WARNING WRONG_TYPE 6:18 components[0].communication", "WARNING WRONG_TYPE 8:10 policies[0].name",
			"WARNING WRONG_TYPE 8:26 policies[0].remediation", "WARNING WRONG_TYPE 8:41 policies[0].apply-to[0]"}},
		{"requirements that the Matchmaker cannot read", one + "  requirements:\n    cpu: '2'\n    memory: 512\n    gpu: 1\n    <<: {architecture: x}\n- name: b\n  requirements: {memory: 200M, cpu: 2, nodelabel: {key: k}}\n  type: x\n", []string{
			"WARNING CPU_TEXT 7:10 components[0].requirements.cpu", "WARNING MEMORY_UNIT 8:13 components[0].requirements.memory",
			"WARNING UNKNOWN_REQUIREMENT 9:5 components[0].requirements.gpu", "WARNING MEMORY_UNIT 12:26 components[1].requirements.memory",
			"WARNING UNKNOWN_REQUIREMENT 12:40 components[1].requirements.nodelabel"}},
		{"requirements of a wrong type", one + "  requirements: {cpu: [], memory: true, devices: {a: b}, architecture: [x, 1]}\n", []string{
			"ERROR WRONG_TYPE 6:23 components[0].requirements.cpu", "ERROR WRONG_TYPE 6:35 components[0].requirements.memory",
			"ERROR WRONG_TYPE 6:50 components[0].requirements.devices", "ERROR WRONG_TYPE 6:76 components[0].requirements.architecture"}},
		{"an unresolved reference beside manifests", one + "  manifests: [m, {name: n}]\n---\n" + pod, []string{
			"ERROR UNRESOLVED_REFERENCE 6:25 components[0].manifests[1].name"}},
		{"an unresolved reference in a header", one + "  manifests: [m]\n", []string{"WARNING UNRESOLVED_REFERENCE 6:15 components[0].manifests[0]"}},
		{"a reference that stands twice", one + "  manifests: [m, m]\n---\n" + pod, []string{"WARNING DUPLICATE_REFERENCE 6:18 components[0].manifests[1]"}},
		{"unused manifests", one + "manifests:\n- name: x\n  manifest: {services: {}}\n- {apiVersion: v1, kind: Pod, metadata: {name: y}}\n- services: {}\n---\n" + pod, []string{
			"WARNING MANIFEST_REWRITTEN 8:13 manifests[0].manifest", "WARNING UNUSED_MANIFEST 8:13 manifests[0].manifest",
			"WARNING MANIFEST_REWRITTEN 9:3 manifests[1]", "WARNING UNUSED_MANIFEST 9:3 manifests[1]", "WARNING UNUSED_MANIFEST 10:3 manifests[2]",
			"WARNING UNUSED_MANIFEST 12:1 documents[1]"}},
		{"two entries of one name", one + "  manifests: [m]\nmanifests:\n- name: m\n  manifest: 'services: {}'\n- name: m\n  manifest: 'services: {}'\n", []string{
			"ERROR DUPLICATE_MANIFEST 10:9 manifests[1].name"}},
		{"two objects of one name", one + "  manifests: [m]\n---\n" + pod + "---\n" + pod, []string{"ERROR DUPLICATE_MANIFEST 13:1 documents[2]"}},
		{"incomplete manifests", one + "  manifests: [m]\nmanifests:\n- name: m\n- {name: n, manifest: ''}\n---\nkind: Pod\n---\napiVersion: v1\nkind: [x]\nmetadata: {name: 5}\n", []string{
			"ERROR UNRESOLVED_REFERENCE 6:15 components[0].manifests[0]", "ERROR MANIFEST_INCOMPLETE 8:3 manifests[0].manifest",
			"ERROR MANIFEST_INCOMPLETE 9:23 manifests[1].manifest",
			"ERROR MANIFEST_INCOMPLETE 11:1 documents[1].apiVersion", "ERROR MANIFEST_INCOMPLETE 11:1 documents[1].metadata.name",
			"ERROR MANIFEST_INCOMPLETE 14:7 documents[2].kind", "ERROR MANIFEST_INCOMPLETE 15:18 documents[2].metadata.name"}},
		{"a manifest that is nothing known", one + "  manifests: [m]\nmanifests:\n- name: m\n  manifest:\n    a: 1\n", []string{"WARNING MANIFEST_INCOMPLETE 10:5 manifests[0].manifest"}},
		{"components without a type", top + "components:\n- name: a\n- {name: b, type: ~}\n- {name: c, type: ''}\n", []string{
			"WARNING MISSING_TYPE 4:3 components[0].type", "WARNING MISSING_TYPE 5:3 components[1].type", "WARNING MISSING_TYPE 6:19 components[2].type"}},
		{"a lost dash in a component, which has no type for that alone", top + "components:\n- -name: a\n", []string{"ERROR MISSING_BLANK 4:3 components[0].-name"}},
		{"a docker component with a Kubernetes object", top + "components:\n- {name: a, type: docker, manifests: [m, {name: m}]}\n---\n" + pod, []string{
			"WARNING MANIFEST_TYPE 4:39 components[0].manifests[0]", "WARNING DUPLICATE_REFERENCE 4:49 components[0].manifests[1].name"}},
		{"Kubernetes components with a compose file", top + "components:\n- {name: a, type: kubernetes, manifests: [m]}\n- {name: b, type: manifest, manifests: [{name: m}]}\n---\nname: m\nservices: {}\n", []string{
			"WARNING MANIFEST_TYPE 4:43 components[0].manifests[0]", "WARNING MANIFEST_TYPE 5:48 components[1].manifests[0].name"}},
		{"a Kubernetes component with a manifest that is nothing known", top + "components:\n- {name: a, type: kubernetes, manifests: [m]}\n---\nname: m\nfoo: bar\n", []string{"ERROR MANIFEST_INCOMPLETE 6:1 documents[1]"}},
		{"an older Kubernetes component with a manifest that is nothing known", top + "components:\n- {name: a, type: manifest, manifests: [m]}\n---\nname: m\nservices: ~\n", []string{"ERROR MANIFEST_INCOMPLETE 6:1 documents[1]"}},
		{"a docker component with a manifest that is nothing known", top + "components:\n- {name: a, type: docker, manifests: [m]}\n---\nname: m\nfoo: bar\n", []string{"WARNING MANIFEST_INCOMPLETE 6:1 documents[1]"}},
		{"an entry without a name", one + "manifests:\n- manifest: {services: {}}\n", []string{
			"ERROR MISSING_NAME 7:3 manifests[0].name", "WARNING MANIFEST_REWRITTEN 7:13 manifests[0].manifest"}},
		{"manifests of a wrong type", one + "manifests: [x, {name: m, manifest: 5}]\n---\n- a\n", []string{
			"ERROR WRONG_TYPE 6:13 manifests[0]", "ERROR WRONG_TYPE 6:36 manifests[1].manifest", "ERROR WRONG_TYPE 8:1 documents[1]"}},
		{"policies and dependencies for nobody", one + "  dependencies: [x]\n  policies: [{component: y}]\npolicies:\n- {apply-to: [web, z, '*', /a|b/]}\ndependencies: {web: [w], v: web}\n", []string{
			"WARNING UNKNOWN_COMPONENT 6:18 components[0].dependencies[0]", "WARNING UNKNOWN_COMPONENT 7:26 components[0].policies[0].component",
			"WARNING UNKNOWN_COMPONENT 9:20 policies[0].apply-to[1]", "WARNING UNKNOWN_COMPONENT 10:22 dependencies.web[0]"}},
		{"incomplete targets", one + "  targets: {node_name: n}\n- name: b\n  targets: [5, {cluster_name: '', orchestrator: ocm}]\n  type: x\n", []string{
			"ERROR INCOMPLETE_TARGET 6:12 components[0].targets.cluster_name", "ERROR INCOMPLETE_TARGET 6:12 components[0].targets.orchestrator",
			"ERROR WRONG_TYPE 8:13 components[1].targets[0]", "ERROR INCOMPLETE_TARGET 8:16 components[1].targets[1].cluster_name"}},
		{"control characters and bytes that are no UTF-8", "name: a\r\ndescription: d\x00\xff\ncomponents:\n- name: a\n  type: x\n", []string{"ERROR INVALID_CHARACTER 2:15 "}},
		{"a NUL by an escape", top + "components:\n- name: a\n  requirements: {x: \"\\0\"}\n  type: x\n", []string{
			"WARNING UNKNOWN_REQUIREMENT 5:18 components[0].requirements.x", "ERROR INVALID_CHARACTER 5:21 components[0].requirements.x"}},
		{"a NUL in a key", one + "requirements: {\"\\0\": 1}\n", []string{"ERROR INVALID_CHARACTER 6:16 requirements.\uFFFD"}},
		{"an alias inside itself", top + "x: &a {y: [*a]}\n", []string{"ERROR RECURSIVE_ALIAS 3:12 "}},
		{"deep nesting", "a: " + strings.Repeat("[", 101) + strings.Repeat("]", 101) + "\n", []string{"ERROR TOO_DEEP 1:104 "}},
		{"deep nesting in a block", strings.Repeat("- ", 101) + "a\n", []string{"ERROR TOO_DEEP 1:201 "}},
		{"too many aliases", top + "x: &a 1\ny: [" + strings.Repeat("*a,", 1001) + "]\n", []string{"ERROR TOO_MANY_ALIASES 4:3005 "}},
		{"too many nodes", "a:\n" + strings.Repeat("- b\n", 100_000), []string{"ERROR TOO_MANY_NODES 99999:3 "}},
	}
}

func TestEachFindingHasItsPlace(t *testing.T) {
	t.Parallel()
	for _, c := range findingCases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, findings := New(DefaultLimits()).Parse(c.text)
			diff(t, "findings", c.want, briefs(findings))
			checkAnswer(t, DefaultLimits(), c.text)
		})
	}
}

// TestEachCodeIsTested reads the list of codes, so that a new one cannot come without its case.
func TestEachCodeIsTested(t *testing.T) {
	t.Parallel()
	list, err := os.ReadFile("codes.go")
	if err != nil {
		t.Fatal(err)
	}
	var seen strings.Builder
	for _, c := range findingCases() {
		seen.WriteString(strings.Join(c.want, "\n") + "\n")
	}
	// These need other limits, or a text that the parser itself would have to read differently twice.
	seen.WriteString(" TOO_LARGE  TOO_MANY_FINDINGS  MANIFEST_NOT_SEPARABLE ")
	codes := regexp.MustCompile(`= "([A-Z_]+)"`).FindAllStringSubmatch(string(list), -1)
	if len(codes) < 20 {
		t.Fatalf("only %d codes found", len(codes))
	}
	for _, code := range codes {
		if !strings.Contains(seen.String(), " "+code[1]+" ") {
			t.Errorf("no case has the code %s", code[1])
		}
	}
}

func TestManifestThatCannotBeSeparatedIsRefused(t *testing.T) {
	t.Parallel()
	run := &run{limits: DefaultLimits()}
	root, err := compose("a: {b: c}\n", 10)
	if err != nil {
		t.Fatal(err)
	}
	// The parser never makes such a value; should the emitter ever lose one, nobody may apply the rest.
	root.Content[1].Content[1].Value = "\x80"
	if run.rewrite(&source{root: root, at: root, path: "p"}) {
		t.Error("a text of another value was accepted")
	}
	diff(t, "findings", []string{"ERROR MANIFEST_NOT_SEPARABLE 0:0 p"}, briefs(run.sorted()))
}

func TestMessagesRepeatOnlyALittleOfTheDescriptor(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	text.WriteString("name: app\ndescription: d\ncomponents:\n")
	for i := range 20 {
		fmt.Fprintf(&text, "- {name: c%d, type: x}\n", i)
	}
	_, findings := New(DefaultLimits()).Parse(text.String() + "policies: [{apply-to: " + strings.Repeat("日", 100_000) + "}]\n")
	diff(t, "findings", []string{"WARNING UNKNOWN_COMPONENT 24:23 policies[0].apply-to"}, briefs(findings))
	if size := len(findings[0].Message + findings[0].Hint); size > 500 || !strings.HasSuffix(findings[0].Hint, "\"c9\", ….") {
		t.Errorf("%d bytes in %+v", size, findings[0])
	}
}

func TestTooLargeTellsSizeAndLimit(t *testing.T) {
	t.Parallel()
	_, findings := New(DefaultLimits()).Parse(strings.Repeat("x", 20<<20))
	diff(t, "findings", []string{"ERROR TOO_LARGE 0:0 "}, briefs(findings))
	if want := "the descriptor has 20971520 bytes; the limit is 1048576"; findings[0].Message != want {
		t.Errorf("message %q, want %q", findings[0].Message, want)
	}
}

func TestManifestsSharedByManyComponentsAreBounded(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	text.WriteString("name: app\ndescription: d\ncomponents:\n")
	for i := range 40 {
		fmt.Fprintf(&text, "- {name: c%d, type: x, manifests: [m]}\n", i)
	}
	text.WriteString("---\nkind: ConfigMap\napiVersion: v1\nmetadata: {name: m}\ndata: " + strings.Repeat("x", 2_000) + "\n")
	limits := DefaultLimits()
	limits.Bytes = 4_000
	_, findings := New(limits).Parse(text.String())
	diff(t, "findings", []string{"ERROR TOO_LARGE 35:3 components[31].manifests"}, briefs(findings))
}

func TestAliasBombIsRefused(t *testing.T) {
	t.Parallel()
	var list strings.Builder
	list.WriteString("a0: &a0 [x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 40; i++ {
		fmt.Fprintf(&list, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 8), ", "))
	}
	_, findings := New(DefaultLimits()).Parse(list.String())
	diff(t, "list", []string{"ERROR TOO_MANY_ALIASES 2:10 "}, briefs(findings))

	// Few keys and values, but much text.
	_, findings = New(DefaultLimits()).Parse("a: &a " + strings.Repeat("x", 500_000) + "\nb: [" + strings.Repeat("*a,", 900) + "]\n")
	diff(t, "scalar", []string{"ERROR TOO_MANY_ALIASES 2:5 "}, briefs(findings))

	// Each level is shallow as written and deep when expanded.
	var deep strings.Builder
	deep.WriteString("a0: &a0 {x: y}\n")
	for i := 1; i < 120; i++ {
		fmt.Fprintf(&deep, "a%d: &a%d [*a%d]\n", i, i, i-1)
	}
	_, findings = New(DefaultLimits()).Parse(deep.String())
	diff(t, "depth", []string{"ERROR TOO_DEEP 2:10 "}, briefs(findings))
}

func TestFindingsAreCappedAndTheLastOneTellsTheRest(t *testing.T) {
	t.Parallel()
	limits := DefaultLimits()
	limits.Findings = 10
	header := "name: app\ndescription: d\ncomponents:\n- name: a\n  type: x\n  manifests:\n"
	_, findings := New(limits).Parse(header + strings.Repeat("  - m\n", 30))
	if last := findings[len(findings)-1]; len(findings) != 10 || last.Message != "21 more findings are not shown" || last.Severity != jobmanager.SeverityWarning {
		t.Errorf("%d findings, the last one %+v", len(findings), last)
	}
	_, findings = New(limits).Parse(header + strings.Repeat("  - m\n", 30) + "- {name: a, type: x}\n")
	if last := findings[len(findings)-1]; brief(last) != "ERROR TOO_MANY_FINDINGS 16:5 " {
		t.Errorf("an error is hidden behind %s", brief(last))
	}
	_, findings = New(DefaultLimits()).Parse(header + strings.Repeat("  - ''\n", 50_000))
	if last := findings[len(findings)-1]; len(findings) != 200 || last.Message != "49801 more findings are not shown" || last.Severity != jobmanager.SeverityError {
		t.Errorf("%d findings, the last one %+v", len(findings), last)
	}
}
