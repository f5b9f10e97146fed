package app_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/icos-jobmanager/jobmanager/rest"
)

// mostDefects is how many of the old service are known.
const mostDefects = 48

// restOperation is what the tests of the pages read of the OpenAPI document.
type restOperation struct {
	Responses map[string]any
	GraphQL   []string `json:"x-graphql-operation"`
}

// restOperations are those of the OpenAPI document, as "METHOD /path".
func restOperations(t *testing.T) map[string]restOperation {
	t.Helper()
	text, err := rest.Document()
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Paths map[string]map[string]restOperation
	}
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	operations := map[string]restOperation{}
	for path, methods := range document.Paths {
		for method, operation := range methods {
			operations[strings.ToUpper(method)+" "+path] = operation
		}
	}
	return operations
}

// TestRESTPageIsTrue holds that every test which docs/rest-compatibility.md names exists, that each defect of the old
// service has its line with a test, and that its table of routes says what the OpenAPI document says.
func TestRESTPageIsTrue(t *testing.T) {
	t.Parallel()
	page := readPage(t, "docs/rest-compatibility.md")
	checkNames(t, page, testsOfTheTree(t))
	for n := 1; n <= mostDefects; n++ {
		checkDefect(t, page, n)
	}
	operations, told := restOperations(t), map[string]bool{}
	row := regexp.MustCompile("(?m)^\\| `([A-Z]+ /jobmanager[^`]*)` \\| ([0-9]+) \\| ([0-9, ]*) ?\\| (.*) \\|$")
	for _, line := range row.FindAllStringSubmatch(page, -1) {
		name := line[1]
		operation, known := operations[name]
		if !known || told[name] {
			t.Errorf("the page has %s twice, or it is none of the document", name)
			continue
		}
		told[name] = true
		checkRoute(t, operation, line)
	}
	for name := range operations {
		if !told[name] {
			t.Errorf("the page does not tell of %s", name)
		}
	}
}

// checkRoute holds a line of the table: name, status of success, other statuses, what GraphQL has for it.
func checkRoute(t *testing.T, operation restOperation, line []string) {
	t.Helper()
	name, told := line[1], strings.TrimSpace(line[2]+" "+strings.TrimSpace(line[3]))
	if want := strings.TrimSpace(ownStatuses(operation)); told != want {
		t.Errorf("%s answers %s, the page says %s", name, want, told)
	}
	for _, field := range operation.GraphQL {
		if !strings.Contains(line[4], "`"+field+"`") {
			t.Errorf("%s does what %s does, the page says %s", name, field, line[4])
		}
	}
	if len(operation.GraphQL) == 0 && !strings.HasPrefix(line[4], "none: ") {
		t.Errorf("%s has no GraphQL operation, and the page does not say why", name)
	}
}

// ownStatuses are the statuses of an operation, first that of success, without those that every operation has.
func ownStatuses(operation restOperation) string {
	var success, failures []string
	for status := range operation.Responses {
		switch {
		case status[0] == '2':
			success = append(success, status)
		case !slices.Contains([]string{"401", "403", "429", "500", "503"}, status):
			failures = append(failures, status)
		}
	}
	slices.Sort(failures)
	return strings.Join(success, ", ") + " " + strings.Join(failures, ", ")
}

// TestREADMEHasEveryRESTRoute holds the README's table of routes against the OpenAPI document; what a variable is
// called does not matter.
func TestREADMEHasEveryRESTRoute(t *testing.T) {
	t.Parallel()
	variable := regexp.MustCompile(`\{[^}]*\}`)
	var want, got []string
	for name := range restOperations(t) {
		want = append(want, variable.ReplaceAllString(name, "{}"))
	}
	_, table, _ := strings.Cut(readme(t), "## REST routes beside GraphQL operations")
	table, _, _ = strings.Cut(table, "\n## ")
	for _, match := range regexp.MustCompile("`([A-Z]+ /jobmanager[^`]*)`").FindAllStringSubmatch(table, -1) {
		got = append(got, variable.ReplaceAllString(match[1], "{}"))
	}
	slices.Sort(want)
	slices.Sort(got)
	for _, name := range want {
		if n := len(got) - len(slices.DeleteFunc(slices.Clone(got), func(one string) bool { return one == name })); n != 1 {
			t.Errorf("the README's table has %s %d times", name, n)
		}
	}
	for _, name := range got {
		if !slices.Contains(want, name) {
			t.Errorf("the README's table has %s, which is not served", name)
		}
	}
}
