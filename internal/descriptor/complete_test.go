package descriptor

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// headerOf is what a client sends that knows only the header: the first document without its manifests, found
// by lines.
func headerOf(text string) string {
	var out strings.Builder
	inside := false
	for _, line := range linesOf(text) {
		if isMarker(line, "---") || isMarker(line, "...") {
			break
		}
		if !isBlank(line) && !strings.ContainsAny(line[:1], " -#") {
			inside = strings.HasPrefix(line, "manifests:")
		}
		if !inside {
			out.WriteString(line)
		}
	}
	return out.String()
}

// jsonOf is a document as the Shell backend sends it: JSON in one line.
func jsonOf(t testing.TB, header string) string {
	t.Helper()
	root, err := compose(header, 100)
	if err != nil {
		t.Fatal(err)
	}
	return string(valueOf(root))
}

// forms are descriptors of every form, those of testdata among them.
func forms(t testing.TB) map[string]string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no testdata", err)
	}
	all := map[string]string{}
	for _, file := range files {
		text := mustRead(t, filepath.Base(file))
		all[filepath.Base(file)] = text
		all[filepath.Base(file)+" of windows"] = strings.ReplaceAll(text, "\n", "\r\n")
	}
	entry := head + "manifests:\n- name: m\n  manifest: "
	all["a list after the header"] = head + "---\nmanifests:\n- name: m\n  manifest:\n" + sixIn
	all["a text block"] = entry + "|+\n      # mine\n" + sixIn + "\n\n"
	all["a text block that begins with blanks"] = entry + "|2\n\n       # far\n    " + strings.ReplaceAll(flush, "\n", "\n    ") + "\n"
	all["a text without a line end"] = entry + "\"services: {}\"\n"
	all["a text with a marker"] = entry + strings.TrimSuffix(strings.ReplaceAll("|\n--- # of the text\n"+flush+"...\n", "\n", "\n    "), "    ")
	all["a text of several documents"] = entry + "|\n    services: {a: {}}\n    ---\n    services: {b: {}}\n"
	all["a flow mapping"] = entry + "{services: {web: {}}}\n"
	all["an alias"] = "x: &pod {services: {web: {}}}\n" + entry + "*pod\n"
	all["strange line ends"] = entry + "\n" + sixIn + "      data: \"x\u2028       y\\u00e9\\0\"\n"
	all["a document without a line end"] = head + "---\n" + strings.TrimSuffix(flush, "\n")
	all["a document on its marker's line"] = head + "--- {services: {}, name: m}\n"
	all["a strange name"] = strings.Replace(entry, "[m]", `["1\n\u2028\"'\\é: #"]`, 1)
	all["a strange name"] = strings.Replace(all["a strange name"], "name: m\n", "name: \"1\\n\\u2028\\\"'\\\\é: #\"\n", 1) + "{services: {web: {}}}\n"
	all["an entry and documents of one name"] = entry + "\"services: {a: {}}\"\n---\n" + flush + "---\n" + strings.Replace(flush, "Pod", "Service", 1)
	return all
}

func TestAHeaderAloneCompletesToTheSameApplication(t *testing.T) {
	t.Parallel()
	for name, text := range forms(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := mustAccept(t, text)
			header := headerOf(text)
			for _, body := range []string{header, strings.TrimSuffix(header, "\n"), jsonOf(t, header)} {
				whole := New(DefaultLimits()).Complete(body, text)
				if !strings.HasPrefix(whole, body) {
					t.Fatalf("the body does not come first:\n%s", whole)
				}
				got := mustAccept(t, whole)
				diff(t, "components of\n"+whole, want.Components, got.Components)
				diff(t, "has manifests", want.HasManifests, got.HasManifests)
				again := mustAccept(t, New(DefaultLimits()).Complete(body, whole))
				diff(t, "completed from what was completed", want.Components, again.Components)
			}
		})
	}
}

func TestAnyNestedManifestSurvivesAHeaderWithoutIt(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := nested(t)
		header := headerOf(text)
		if rapid.Bool().Draw(t, "windows") {
			text = strings.ReplaceAll(text, "\n", "\r\n")
		}
		want, findings := New(DefaultLimits()).Parse(text)
		if len(jobmanager.Refusals(findings)) > 0 {
			return
		}
		whole := New(DefaultLimits()).Complete(header, text)
		got, findings := New(DefaultLimits()).Parse(whole)
		if refusals := jobmanager.Refusals(findings); len(refusals) > 0 {
			t.Fatalf("refused: %+v\n%s", refusals, whole)
		}
		if difference := cmp.Diff(want.Components, got.Components); difference != "" {
			t.Errorf("components of\n%s\n(-want +got):\n%s", whole, difference)
		}
	})
}

func TestWhatTheBodyCarriesWins(t *testing.T) {
	t.Parallel()
	const body = `{"name":"app","components":[{"name":"web","manifests":[{"name":"m"},{"name":"n"},{"name":"nobody"}]},{"name":"new","manifests":[{"name":"o"}]}],` +
		`"manifests":[{"name":"m","manifest":"services: {new: {}}"}]}`
	former := "name: app\ncomponents: [{name: web, manifests: [m, n, o]}]\nmanifests:\n" +
		"- {name: m, manifest: 'services: {former: {}}'}\n- name: n\n  manifest:\n    services: {n: {}} # kept\n- {name: o, manifest: 'services: {o: {}}'}\n"
	whole := New(DefaultLimits()).Complete(body, former)
	diff(t, "whole", body+"\n---\nmanifests:\n- name: \"n\"\n  manifest: |\n    services: {n: {}} # kept\n", whole)
	got, findings := New(DefaultLimits()).Parse(whole)
	diff(t, "manifests", []string{"web/m", "web/n"}, namesOf(got))
	diff(t, "text", "services: {new: {}}", got.Components[0].Manifests[0].Text)
	column := strings.Index(body, `"nobody"`) + 1
	refusals := jobmanager.Refusals(findings)
	if len(refusals) != 2 || refusals[0].Code != CodeUnresolvedReference || refusals[0].Line != 1 || refusals[0].Column != column {
		t.Errorf("the reference that nobody resolves has no finding at column %d: %+v", column, refusals)
	}
	diff(t, "path of another component's reference", "components[1].manifests[0].name", refusals[1].Path)
}

func TestABodyThatLacksNothingComesBackAsItIs(t *testing.T) {
	t.Parallel()
	former := mustRead(t, "entries.yaml")
	for name, body := range map[string]string{
		"whole":                mustRead(t, "documents.yaml"),
		"not YAML":             "name: [\n",
		"not YAML, no end":     "{\"name\"",
		"empty":                "",
		"no component":         "name: camera-wall\n",
		"a component renamed":  strings.Replace(headerOf(former), "name: camera\n", "name: lens\n", 1),
		"too large":            headerOf(former) + strings.Repeat("#", 1<<20),
		"of another form":      "- a\n- b",
		"its references gone":  "name: camera-wall\ncomponents: [{name: camera}]",
		"other references":     "name: camera-wall\ncomponents: [{name: camera, manifests: [other]}]",
		"a broken later piece": headerOf(former) + "---\nmanifests:\n- name: camera-route\n  manifest: {services: {}}\n- name: camera-job\n  manifest: {services: {}}\n--- [\n",
	} {
		diff(t, name, body, New(DefaultLimits()).Complete(body, former))
	}
	diff(t, "without a former text", headerOf(former), New(DefaultLimits()).Complete(headerOf(former), ""))
}

func TestADirectiveAtTheEndOfABodyDoesNotReachWhatIsCarried(t *testing.T) {
	t.Parallel()
	former := head + "---\n" + flush + "tagged: !x!y z\n"
	former = strings.Replace(former, "---\n", "...\n%TAG !x! tag:one.example.org:\n---\n", 1)
	want := mustAccept(t, former)
	for _, end := range []string{"%TAG ! tag:two.example.org:\n", "%TAG !x! tag:two.example.org:\n", "%YAML 9.9\n"} {
		got := mustAccept(t, New(DefaultLimits()).Complete(head+"...\n"+end, former))
		diff(t, end, want.Components, got.Components)
	}
}

// TestJSONOfANestedDescriptorKeepsTheFormerTexts lets a client send back as JSON what it did not mean to change: the
// manifests are the former ones, with their comments, but for the one that differs.
func TestJSONOfANestedDescriptorKeepsTheFormerTexts(t *testing.T) {
	t.Parallel()
	const former = `name: app
description: before
components:
- name: web
  type: kubernetes
  manifests: [{name: one}, {name: two}]
manifests:
- name: one
  manifest:
    apiVersion: v1 # the first
    kind: ConfigMap
    metadata: {name: elsewhere}
- name: two
  manifest:
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: two}
    data: {n: "1"}
`
	body := `{"name":"app","description":"after","components":[{"name":"web","type":"kubernetes","manifests":[{"name":"one"},{"name":"two"}]}],` +
		`"manifests":[{"name":"one","manifest":{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"elsewhere"}}},` +
		`{"name":"two","manifest":{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"two"},"data":{"n":"%s"}}}]}`
	parser := New(DefaultLimits())
	was, _ := parser.Parse(former)
	for number, same := range map[string]int{"1": 2, "2": 1} {
		completed := parser.Complete(fmt.Sprintf(body, number), former)
		next, findings := parser.Parse(completed)
		if len(jobmanager.Refusals(findings)) > 0 || next.Description != "after" {
			t.Fatalf("%v in\n%s", findings, completed)
		}
		kept := 0
		for i, m := range next.Components[0].Manifests {
			if m == was.Components[0].Manifests[i] {
				kept++
			}
		}
		if kept != same {
			t.Errorf("%d of the manifests are kept, not %d:\n%s", kept, same, completed)
		}
	}
}
