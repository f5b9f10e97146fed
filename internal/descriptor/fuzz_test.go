package descriptor

import (
	"os"
	"path/filepath"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// fuzzLimits are small, so that the fuzzer reaches them.
func fuzzLimits() Limits {
	return Limits{Bytes: 1 << 16, Depth: 20, Nodes: 5_000, Aliases: 50, Findings: 50}
}

// checkAnswer holds any answer of the parser to what Parse promises, whatever the text was.
func checkAnswer(t testing.TB, limits Limits, text string) {
	t.Helper()
	start := time.Now()
	got, findings := New(limits).Parse(text)
	if took := time.Since(start); took > 5*time.Second {
		t.Fatalf("Parse of %d bytes took %s", len(text), took)
	}
	if len(findings) > limits.Findings {
		t.Errorf("%d findings, the limit is %d", len(findings), limits.Findings)
	}
	all := linesOf(text)
	for i, finding := range findings {
		checkPlace(t, all, finding)
		if i > 0 && i < len(findings)-1 && finding.Line < findings[i-1].Line {
			t.Errorf("findings are not sorted: %+v after %+v", finding, findings[i-1])
		}
		if finding.Code == "" || finding.Message == "" || finding.Hint == "" || !utf8.ValidString(finding.Message+finding.Path) {
			t.Errorf("incomplete finding %+v", finding)
		}
	}
	if len(jobmanager.Refusals(findings)) > 0 {
		return
	}
	if got.Name == "" || !isLabel(got.Namespace) || len(got.Components) == 0 {
		t.Errorf("accepted without what a group needs: %+v", got)
	}
	for _, part := range got.Components {
		if !isLabel(part.Name) {
			t.Errorf("accepted a component named %q", part.Name)
		}
		for _, manifest := range part.Manifests {
			root, err := compose(manifest.Text, limits.Depth)
			if _, ok := mappingOf(root); err != nil || !ok {
				t.Errorf("the text of an accepted manifest is no mapping: %v\n%s", err, manifest.Text)
			}
		}
	}
}

func checkPlace(t testing.TB, all lines, finding jobmanager.Finding) {
	t.Helper()
	if finding.Line == 0 && finding.Column == 0 {
		return
	}
	if finding.Line < 1 || finding.Line > len(all) || finding.Column < 1 ||
		finding.Column > utf8.RuneCountInString(all[finding.Line-1])+1 {
		t.Errorf("finding outside of a text of %d lines: %+v", len(all), finding)
	}
}

// seedFiles are the descriptors of testdata.
func seedFiles(f *testing.F) []string {
	f.Helper()
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		f.Fatal("no seeds in testdata", err)
	}
	var texts []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		texts = append(texts, string(text))
	}
	return texts
}

func FuzzParse(f *testing.F) {
	for _, text := range seedFiles(f) {
		f.Add(text)
	}
	for _, seed := range []string{
		"", "---\n", "\uFEFFname: a\r\ncomponents:\r\n- name: b\r\n", "name: \"\\0\"\ncomponents: {-name: a}",
		"a: &a [*a]\n", "<<: [{name: a}, *b]\n", "? {a: b}\n: - -\n  -\n", "name: a\ncomponents: [{name: b}]\n--- {kind: x}\n...\n%YAML 1.2\n---\n!!map\nkind: y",
		"{\"name\":\"a\",\"components\":[{\"name\":\"b\",\"manifests\":[{\"name\":\"m\"}]}],\"manifests\":[{\"name\":\"m\",\"manifest\":{\"services\":{}}}]}",
		"name: a\ndescription: b\ncomponents:\n- name: b\n  manifests: [m]\nmanifests:\n- name: m\n  manifest: |+\n    services: 1\n\n- name: n\n  manifest:\n    a: |+\n      x\n\n  # y\n\nx: \"a\n b\"\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) { checkAnswer(t, fuzzLimits(), text) })
}
