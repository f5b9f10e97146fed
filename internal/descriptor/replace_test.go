package descriptor

import (
	"errors"
	"strings"
	"testing"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// textsOf are the manifests of a component.
func textsOf(got jobmanager.Descriptor, component string) []string {
	var texts []string
	for _, manifest := range formerly(component, got) {
		texts = append(texts, manifest.Text)
	}
	return texts
}

func mustReplace(t testing.TB, text string, manifests map[string][]string) string {
	t.Helper()
	result, err := New(DefaultLimits()).Replace(text, manifests)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// pod is a Kubernetes object of this name with a comment.
func pod(name string) string {
	return "# of " + name + "\napiVersion: v1\nkind: Pod\nmetadata:\n  name: " + name + "\n"
}

func TestOnlyTheComponentThatIsNamedGetsOtherManifests(t *testing.T) {
	t.Parallel()
	for name, text := range forms(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			was := mustAccept(t, text)
			first := was.Components[0]
			texts := []string{"services: {}", pod("new"), strings.ReplaceAll(pod("windows"), "\n", "\r\n"), "--- # theirs\nservices: {a: {}}\n"}
			if first.Type == typeKubernetes || first.Type == typeManifest {
				texts = texts[1:3]
			}
			if !was.HasManifests {
				text += "---\n" + pod("wall") // else its other component would refer to nothing
				was = mustAccept(t, text)
			}
			result := mustReplace(t, text, map[string][]string{first.Name: texts})
			got := mustAccept(t, result)
			diff(t, "texts in\n"+result, texts, textsOf(got, first.Name))
			diff(t, "everybody else", was.Components[1:], got.Components[1:])
			diff(t, "policies", was.Policies, got.Policies)
			diff(t, "once more", result, mustReplace(t, result, map[string][]string{first.Name: texts}))
			back := mustAccept(t, mustReplace(t, result, map[string][]string{first.Name: textsOf(was, first.Name)}))
			diff(t, "and back", textsOf(was, first.Name), textsOf(back, first.Name))
			diff(t, "everybody else again", was.Components[1:], back.Components[1:])
		})
	}
}

func TestTheSameTextsChangeNothing(t *testing.T) {
	t.Parallel()
	for name, text := range forms(t) {
		all := map[string][]string{}
		for _, part := range mustAccept(t, text).Components {
			all[part.Name] = textsOf(mustAccept(t, text), part.Name)
		}
		diff(t, name, text, mustReplace(t, text, all))
	}
}

func TestTheHeaderKeepsItsCommentsAndItsOtherManifests(t *testing.T) {
	t.Parallel()
	text := "# top\n\nname: app # the name\ndescription: d\n# the parts\ncomponents:\n# the first\n- name: web\n  type: kubernetes\n  manifests: [m, shared]\n" +
		"  requirements: {cpu: 0.50} # half\n# the second\n- name: db\n  type: kubernetes\n  manifests:\n  - name: db-entry # its own\n  - name: shared\nmanifests:\n- name: m\n  manifest:\n    apiVersion: v1\n    kind: Pod\n    metadata: {name: web}\n" +
		"- name: shared\n  manifest:\n    # for all\n    apiVersion: v1\n    kind: Secret\n    metadata: {name: key}\n- name: db-entry\n  manifest:\n    apiVersion: v1\n    kind: Pod\n    metadata: {name: db}\n- services: {}\n  name: unused\npolicies:\n- security: high # really\n"
	shared := "# for all\napiVersion: v1\nkind: Secret\nmetadata: {name: key}\n"
	want := "# top\n\nname: app # the name\ndescription: d\n# the parts\ncomponents:\n# the first\n- name: web\n  type: kubernetes\n  manifests:\n  - name: m\n  - name: shared\n" +
		"  requirements: {cpu: 0.50} # half\n# the second\n- name: db\n  type: kubernetes\n  manifests:\n  - name: db-entry # its own\n  - name: shared\npolicies:\n- security: high # really\n" +
		"---\nmanifests:\n- name: \"shared\"\n  manifest: |\n    # for all\n    apiVersion: v1\n    kind: Secret\n    metadata: {name: key}\n- name: \"db-entry\"\n  manifest: |\n    apiVersion: v1\n    kind: Pod\n    metadata: {name: db}\n" +
		"---\nservices: {}\nname: unused\n---\nmanifests:\n- name: \"m\"\n  manifest: |\n    " + strings.ReplaceAll(strings.TrimSuffix(pod("web"), "\n"), "\n", "\n    ") + "\n"
	diff(t, "text", want, mustReplace(t, text, map[string][]string{"web": {pod("web"), shared}}))
}

func TestAReferenceIsTheOwnNameUnlessThatMeansSomethingElse(t *testing.T) {
	t.Parallel()
	service := strings.Replace(pod("twin"), "Pod", "Service", 1)
	text := "name: app\ndescription: d\ncomponents:\n- {name: web, type: multiple, manifests: [a]}\n- {name: db, type: multiple, manifests: [b]}\n- {name: left, type: multiple, manifests: [taken]}\n" +
		"manifests:\n- {name: a, manifest: {services: {}}}\n- {name: b, manifest: {services: {}}}\n- {name: taken, manifest: {services: {x: 1}}}\n"
	both := pod("both")
	got := mustAccept(t, mustReplace(t, text, map[string][]string{
		"web": {pod("alone"), pod("twin"), "services: {}", pod("taken"), both, "services: {}"},
		"db":  {service, both, pod("db-1")},
	}))
	diff(t, "references of web", []string{"alone", "web-2", "web-3", "web-4", "both", "web-6"}, got.Components[0].References)
	diff(t, "references of db", []string{"db-2", "both", "db-1"}, got.Components[1].References)
	diff(t, "references of the other", []string{"taken"}, got.Components[2].References)
}

func TestAComponentMayLoseItsManifestsAndGetThem(t *testing.T) {
	t.Parallel()
	text := mustRead(t, "documents.yaml")
	without := mustReplace(t, text, map[string][]string{"camera": nil})
	diff(t, "without", []string{"wall/wall-service v1 Service", "wall/wall apps/v1 Deployment", "wall/wall v1 Service"}, namesOf(mustAccept(t, without)))
	with := mustReplace(t, without, map[string][]string{"camera": {pod("camera")}})
	diff(t, "with", []string{pod("camera")}, textsOf(mustAccept(t, with), "camera"))
	header := mustReplace(t, mustRead(t, "header.yaml"), map[string][]string{"wall": {pod("wall")}, "camera": {}})
	diff(t, "a header", []string{"wall/wall v1 Pod"}, namesOf(mustAccept(t, header)))
}

func TestAHeaderOfSharedPartsIsWrittenOut(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"a merged component":           "name: app\ndescription: d\ncomponents:\n- &base\n  name: web\n  type: kubernetes\n  manifests: [m]\n- <<: *base\n  name: db\n---\n" + pod("m"),
		"a merged list":                "x: &x {manifests: [m]}\nname: app\ndescription: d\ncomponents:\n- <<: *x\n  name: web\n  type: kubernetes\n- {<<: *x, name: db, type: kubernetes}\n---\n" + pod("m"),
		"an anchor in a manifest":      "name: app\ncomponents:\n- {name: web, type: kubernetes, manifests: [m]}\n- {name: db, type: kubernetes, manifests: [m]}\nmanifests:\n- name: m\n  manifest:\n    apiVersion: v1\n    kind: Pod\n    metadata: &x {name: m}\ndescription: d\nrequirements: *x\n",
		"manifests merged at the top":  "x: &x\n  manifests:\n  - {name: m, manifest: {apiVersion: v1, kind: Pod, metadata: {name: m}}}\n<<: *x\nname: app\ndescription: d\ncomponents:\n- {name: web, type: kubernetes, manifests: [m]}\n- {name: db, type: kubernetes, manifests: [m]}\n",
		"a component that is an alias": "x: &x {name: web, type: kubernetes, manifests: [m]}\nname: app\ndescription: d\ncomponents: [*x, {name: db, type: kubernetes, manifests: [m]}]\n---\n" + pod("m"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			was := mustAccept(t, text)
			got := mustAccept(t, mustReplace(t, text, map[string][]string{"web": {pod("n")}}))
			diff(t, "web", []string{pod("n")}, textsOf(got, "web"))
			diff(t, "db", was.Components[1], got.Components[1])
			diff(t, "requirements", was.Requirements, got.Requirements)
		})
	}
}

func TestATextThatIsNoManifestIsRefusedWithItsPlace(t *testing.T) {
	t.Parallel()
	text := mustRead(t, "documents.yaml")
	for _, bad := range []struct {
		name, component, text, message string
		code                           jobmanager.Code
		finding                        string
	}{
		{"no YAML", "wall", "kind: Pod\n a: [\n", `manifest 2 of component "wall" is refused: this is not YAML`, jobmanager.CodeInvalid, "ERROR YAML_SYNTAX 2:3 components[1].manifests[1]"},
		{"two documents", "wall", pod("a") + "---\n" + pod("b"), `manifest 2 of component "wall" is refused: the text of a manifest is one document, and this one has 2`, jobmanager.CodeInvalid, "ERROR MANIFEST_INCOMPLETE 6:1 components[1].manifests[1]"},
		{"nothing", "wall", "# empty\n", `this one has 0`, jobmanager.CodeInvalid, "ERROR MANIFEST_INCOMPLETE 1:1 components[1].manifests[1]"},
		{"no text", "wall", "", `this one has 0`, jobmanager.CodeInvalid, "ERROR MANIFEST_INCOMPLETE 0:0 components[1].manifests[1]"},
		{"a list", "wall", "- a\n", `is a list`, jobmanager.CodeInvalid, "ERROR WRONG_TYPE 1:1 components[1].manifests[1]"},
		{"no kind", "wall", "apiVersion: v1\nmetadata: {name: a}\n", `has no kind`, jobmanager.CodeInvalid, "ERROR MANIFEST_INCOMPLETE 1:1 components[1].manifests[1].kind"},
		{"a key twice", "wall", pod("a") + "kind: Pod\n", `stands twice`, jobmanager.CodeInvalid, "ERROR DUPLICATE_KEY 6:1 components[1].manifests[1].kind"},
		{"no characters", "wall", pod("a") + "x: \x00\xff\n", `not UTF-8`, jobmanager.CodeInvalid, "ERROR INVALID_CHARACTER 6:4 components[1].manifests[1]"},
		{"too long", "wall", pod("a") + strings.Repeat("#", 1<<20), `the limit is 1048576`, jobmanager.CodeTooLarge, "ERROR TOO_LARGE 0:0 components[1].manifests[1]"},
		{"nobody", "nobody", pod("a"), `the descriptor has no component "nobody"; it has "camera", "wall"`, jobmanager.CodeInvalid, ""},
		{"too long together", "wall", pod("a") + strings.Repeat("#", 1<<20-200), `the descriptor with these manifests is refused: the descriptor has`, jobmanager.CodeTooLarge, "ERROR TOO_LARGE 0:0 "},
		{"an object that another has", "wall", strings.TrimSuffix(pod("camera"), "\n") + " # other\n", `the descriptor with these manifests is refused: two manifests are the Pod "camera"`, jobmanager.CodeInvalid, "ERROR DUPLICATE_MANIFEST"},
	} {
		t.Run(bad.name, func(t *testing.T) {
			t.Parallel()
			_, err := New(DefaultLimits()).Replace(text, map[string][]string{bad.component: {pod("good"), bad.text}})
			var ours *jobmanager.Error
			if !errors.As(err, &ours) {
				t.Fatalf("not our error: %v", err)
			}
			diff(t, "code", bad.code, ours.Code)
			if !strings.Contains(ours.Message, bad.message) {
				t.Errorf("%q is not in %q", bad.message, ours.Message)
			}
			all := strings.Join(briefs(jobmanager.Refusals(ours.Findings)), "\n")
			if !strings.HasPrefix(all, bad.finding) {
				t.Errorf("want %s, got %s", bad.finding, all)
			}
		})
	}
}

func TestARefusedDescriptorIsNotReplaced(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "name: [\n", head + "---\nkind: x\n"} {
		_, err := New(DefaultLimits()).Replace(text, map[string][]string{"web": {pod("m")}})
		var ours *jobmanager.Error
		if !errors.As(err, &ours) || ours.Code != jobmanager.CodeInvalid || len(ours.Findings) == 0 {
			t.Errorf("%q: %v", text, err)
		}
	}
}
