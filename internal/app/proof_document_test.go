package app_test

import (
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// root of the repository, from this package.
const root = "../.."

// listedDefects are those of the old service that docs/reliability.md answers for.
func listedDefects() []int {
	var numbers []int
	for _, between := range [][2]int{{1, 12}, {14, 18}, {20, 22}, {26, 28}, {30, 38}, {43, 43}, {45, 47}} {
		for n := between[0]; n <= between[1]; n++ {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// TestReliabilityPageIsTrue holds that every test which docs/reliability.md names exists, that each defect of the old
// service has its line with a test, and that every proof is told of.
func TestReliabilityPageIsTrue(t *testing.T) {
	t.Parallel()
	page, tests := readPage(t, "docs/reliability.md"), testsOfTheTree(t)
	checkNames(t, page, tests)
	for _, n := range listedDefects() {
		checkDefect(t, page, n)
	}
	for name := range tests {
		if strings.HasPrefix(name, "TestProof") && !strings.Contains(page, "`"+name+"`") {
			t.Errorf("%s is not told of", name)
		}
	}
}

// readPage gives the text of a page of the repository.
func readPage(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(root + "/" + path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// checkNames holds that every test which a page names exists, and every promise of the store's suite.
func checkNames(t *testing.T, page string, tests map[string]bool) {
	t.Helper()
	for _, name := range regexp.MustCompile(`\bTest[A-Z]\w+`).FindAllString(page, -1) {
		whole := tests[name] || strings.Contains(page, name+"…") || isBeginning(tests, page, name)
		if !whole {
			t.Errorf("there is no %s", name)
		}
	}
	suite := readPage(t, "internal/store/storetest/storetest.go")
	for _, promise := range regexp.MustCompile("`promise: ([^`]+)`").FindAllStringSubmatch(page, -1) {
		if promise[1] != "some words" && !strings.Contains(suite, `{"`+promise[1]+`", `) {
			t.Errorf("the store's suite has no %q", promise[1])
		}
	}
}

// checkDefect holds that a page has one line with a test for a defect of the old service.
func checkDefect(t *testing.T, page string, n int) {
	t.Helper()
	line := regexp.MustCompile(`(?m)^\| ` + strconv.Itoa(n) + " \\|.*(`Test|`promise: ).*\\|$")
	if len(line.FindAllString(page, -1)) != 1 {
		t.Errorf("defect %d has no line with a test", n)
	}
}

// isBeginning says whether the name stands in a command, where the beginning of a test's name is enough.
func isBeginning(tests map[string]bool, page, name string) bool {
	if !strings.Contains(page, "-run "+name+"'") {
		return false
	}
	for test := range tests {
		if strings.HasPrefix(test, name) {
			return true
		}
	}
	return false
}

// testsOfTheTree are the names of all Go tests.
func testsOfTheTree(t *testing.T) map[string]bool {
	t.Helper()
	tests := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`)
	tree := os.DirFS(root)
	err := fs.WalkDir(tree, ".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "node_modules"):
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := fs.ReadFile(tree, path)
		for _, match := range declared.FindAllSubmatch(text, -1) {
			tests[string(match[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tests
}
