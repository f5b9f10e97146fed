package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEveryDefectCanStillBeSeeded holds that the texts which the defects replace are in the tree, each once: whoever
// changes such a place moves its defect along.
func TestEveryDefectCanStillBeSeeded(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, b := range bugs() {
		if names[b.name] {
			t.Errorf("two defects are called %q", b.name)
		}
		names[b.name] = true
		copied := &tree{dir: t.TempDir(), former: map[string][]byte{}}
		for _, e := range b.edits {
			text, err := os.ReadFile(filepath.Join("..", "..", e.file))
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(copied.dir, e.file)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := copied.check(b); err != nil {
			t.Error(err)
		}
	}
}

// TestPageTellsOfEveryDefect holds docs/reliability.md to the table.
func TestPageTellsOfEveryDefect(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "reliability.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, begun := strings.Cut(string(page), "| defect | caught by | seconds |\n|---|---|---|\n")
	table, _, _ := strings.Cut(rest, "\n\n")
	if rows := strings.Count(table, "\n") + 1; !begun || rows != len(bugs()) {
		t.Errorf("the page has %d rows for %d defects", rows, len(bugs()))
	}
	for _, b := range bugs() {
		if !strings.Contains(table, "| "+b.name+" | `Test") {
			t.Errorf("the page does not say who catches %q", b.name)
		}
	}
}

func TestEditsAreMadeOnceAndTakenBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "a.go")
	if err := os.WriteFile(file, []byte("one two two"), 0o600); err != nil {
		t.Fatal(err)
	}
	copied := &tree{dir: dir, former: map[string][]byte{}}
	holds := func(want string) {
		t.Helper()
		if text, err := os.ReadFile(file); err != nil || string(text) != want {
			t.Errorf("the file holds %q, %v, want %q", text, err, want)
		}
	}
	if err := copied.apply(bug{name: "b", edits: []edit{{"a.go", "one", "1"}, {"a.go", "1 two", "3"}}}); err != nil {
		t.Fatal(err)
	}
	holds("3 two")
	if err := copied.restore(); err != nil {
		t.Fatal(err)
	}
	holds("one two two")
	for _, text := range []string{"two", "three"} {
		err := copied.apply(bug{name: "b", edits: []edit{{"a.go", "one", "1"}, {"a.go", text, "x"}}})
		if err == nil || !strings.Contains(err.Error(), "want once") {
			t.Errorf("replacing %q: %v", text, err)
		}
		holds("one two two")
	}
}

func TestOnlyAFailedTestCatches(t *testing.T) {
	t.Parallel()
	c := catcher{pkg: "./p", tests: "X"}
	for name, test := range map[string]struct {
		told   string
		passed bool
		test   string
		words  string // of the error
	}{
		"the subtest is named":       {`{"Action":"fail","Test":"TestX/a"}` + "\n" + `{"Action":"fail","Test":"TestX"}`, false, "TestX/a", ""},
		"all passed":                 {`{"Action":"pass","Test":"TestX"}`, true, "", ""},
		"no test ran":                {`{"Action":"pass"}`, true, "", "failed no test"},
		"it does not compile":        {`{"Action":"fail","FailedBuild":"p"}`, false, "", "does not compile"},
		"the process just ended":     {`{"Action":"fail"}`, false, "", "failed no test"},
		"it is no answer of go test": {`go: no such tool`, false, "", "go test said"},
	} {
		failed, err := judge(c, []byte(test.told), "", test.passed)
		if failed.test != test.test || (err == nil) != (test.words == "") || err != nil && !strings.Contains(err.Error(), test.words) {
			t.Errorf("%s: %q, %v", name, failed.test, err)
		}
	}
}
