// Package internal_test holds the one rule that no single package can hold: who may import whom. Imports point
// down only, and side packages do not know each other. Start at arrows; it is meant to be read.
package internal_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/icos-jobmanager/jobmanager"

// arrows says what each part of the module imports of the others; a part is a folder with all below it, "." the
// command itself. Tests are free, but for cycles.
var arrows = map[string][]string{
	".": {"internal/app", "internal/config"},
	"internal/app": {
		"agent", "graph", "rest", "migrations", "internal/service", "internal/jobmanager", "internal/store",
		"internal/feed", "internal/matchmaker", "internal/policymanager", "internal/auth", "internal/descriptor",
		"internal/config",
	},
	"graph":                  {"internal/service", "internal/jobmanager"},
	"rest":                   {"internal/service", "internal/jobmanager"},
	"internal/service":       {"internal/jobmanager"},
	"internal/store":         {"internal/jobmanager", "migrations"},
	"internal/feed":          {"internal/jobmanager"},
	"internal/matchmaker":    {"internal/jobmanager"},
	"internal/policymanager": {"internal/jobmanager"},
	"internal/auth":          {"internal/jobmanager"},
	"internal/descriptor":    {"internal/jobmanager"},
	"internal/config":        {"internal/jobmanager"},
	"internal/jobmanager":    {},
	"migrations":             {},
	"agent":                  {},
	"bench":                  {"agent"},
	// For tests only, so nobody above names them.
	"internal/testkit":         {"internal/jobmanager"},
	"internal/store/storetest": {"internal/store", "internal/jobmanager", "internal/testkit", "migrations"},
	"internal/app/apptest":     {"internal/app", "internal/config", "internal/service", "internal/jobmanager", "internal/testkit"},
	"hack":                     {"internal/testkit"},
	"internal":                 {}, // this test
}

// bare are the parts that import the standard library alone, besides what arrows gives them.
var bare = []string{"internal/jobmanager", "migrations"}

func TestImportsPointDownOnly(t *testing.T) {
	t.Parallel()
	list := exec.CommandContext(t.Context(), "go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, module+"/...")
	list.Dir = ".."
	out, err := list.CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		paths := strings.Fields(line)
		from := part(paths[0])
		if from == "" {
			t.Errorf("%s is no part that arrows knows: give it its place there", paths[0])
			continue
		}
		for _, path := range paths[1:] {
			if !strings.HasPrefix(path, module) {
				if domain, _, _ := strings.Cut(path, "/"); slices.Contains(bare, from) && strings.Contains(domain, ".") {
					t.Errorf("%s imports %s; %s stays with the standard library", paths[0], path, from)
				}
				continue
			}
			if to := part(path); to != from && !slices.Contains(arrows[from], to) {
				t.Errorf("%s imports %s; %s may import only %v", paths[0], path, from, arrows[from])
			}
		}
	}
}

// part returns the longest name in arrows that the package lies in, or "" when none does.
func part(path string) string {
	if path == module {
		return "."
	}
	for name := strings.TrimPrefix(path, module+"/"); ; {
		if _, known := arrows[name]; known {
			return name
		}
		up := strings.LastIndexByte(name, '/')
		if up < 0 {
			return ""
		}
		name = name[:up]
	}
}
