package matchmaker_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/matchmaker"
)

func TestSampleServesEveryKindOfRequirement(t *testing.T) {
	t.Parallel()
	static, err := matchmaker.SampleInventory()
	if err != nil {
		t.Fatal(err)
	}
	clusters := map[string]string{}
	for _, target := range match(t, static, jobmanager.Component{Name: "web"})[0].Targets {
		clusters[target.Cluster] = target.Orchestrator
	}
	count := map[string]int{}
	for _, orchestrator := range clusters {
		count[orchestrator]++
	}
	if diff := cmp.Diff(map[string]int{"ocm": 3, "nuvla": 2}, count); diff != "" {
		t.Error(diff)
	}
	for _, component := range []jobmanager.Component{
		{Name: "a", Type: "docker"},
		{Name: "b", Type: "kubernetes", Requirements: jobmanager.Value(`{"devices":"squat.ai/video","nodelabel":{"key":"shape","values":["triangle"]}}`)},
		{Name: "c", Requirements: jobmanager.Value(`{"architecture":"intel","cpu":16,"memory":"64Gi"}`)},
	} {
		if got := match(t, static, component)[0]; len(got.Targets) == 0 {
			t.Errorf("%s: %s", component.Name, got.Reason)
		}
	}
}

// problemsOf are the findings of a refused inventory, one line each.
func problemsOf(t *testing.T, text string) []string {
	t.Helper()
	_, err := matchmaker.ParseStatic([]byte(text))
	var ours *jobmanager.Error
	if !errors.As(err, &ours) || ours.Code != jobmanager.CodeInvalid {
		t.Fatalf("got %v, want INVALID", err)
	}
	var lines []string
	for _, f := range ours.Findings {
		if f.Severity != jobmanager.SeverityError || !strings.Contains(ours.Message, fmt.Sprintf("line %d: ", f.Line)) || !strings.Contains(ours.Message, f.Message) {
			t.Errorf("the message %q does not tell %v", ours.Message, f)
		}
		lines = append(lines, fmt.Sprintf("%d:%d %s %s %s", f.Line, f.Column, f.Code, f.Path, f.Message))
	}
	return lines
}

func TestEveryProblemOfAFileIsTold(t *testing.T) {
	t.Parallel()
	const broken = `clusters:
  - name: hall
    labels: {a: b}
    nodes:
      - {}
      - name: [a]
        architecture: ""
        cpu: none
        memory: 0
        labels: {a: b, a: c}
      - {name: twin, architecture: amd64, cpu: 1, memory: 1Gi, devices: {a: b}}
      - {name: twin, architecture: amd64, cpu: [1], memory: 1GI}
  - name: hall
    orchestrator:
    nodes: []
  - edge
`
	want := []string{
		"2:5 INVENTORY_MISSING clusters[0] orchestrator is missing",
		"3:5 INVENTORY_UNKNOWN_FIELD clusters[0].labels is not known here",
		"5:9 INVENTORY_MISSING clusters[0].nodes[0] name is missing",
		"5:9 INVENTORY_MISSING clusters[0].nodes[0] architecture is missing",
		"5:9 INVENTORY_MISSING clusters[0].nodes[0] cpu is missing",
		"5:9 INVENTORY_MISSING clusters[0].nodes[0] memory is missing",
		"6:9 INVENTORY_TYPE clusters[0].nodes[1].name must be a text of 1 to 253 bytes",
		"7:9 INVENTORY_TYPE clusters[0].nodes[1].architecture must be a text of 1 to 253 bytes",
		`8:9 INVENTORY_QUANTITY clusters[0].nodes[1].cpu "none" is not understood`,
		`9:9 INVENTORY_QUANTITY clusters[0].nodes[1].memory "0" is not understood`,
		"10:24 INVENTORY_DUPLICATE clusters[0].nodes[1].labels.a stands twice",
		"11:64 INVENTORY_TYPE clusters[0].nodes[2].devices must be a text of 1 to 253 bytes",
		`12:10 INVENTORY_DUPLICATE clusters[0].nodes[3].name "twin" is taken by line 11`,
		`12:43 INVENTORY_QUANTITY clusters[0].nodes[3].cpu "" is not understood`,
		`13:5 INVENTORY_DUPLICATE clusters[1].name "hall" is taken by line 2`,
		"13:5 INVENTORY_MISSING clusters[1] orchestrator is missing",
		"15:5 INVENTORY_TYPE clusters[1].nodes must be a list of at least one of nodes",
		"16:5 INVENTORY_TYPE clusters[2] must be a mapping",
	}
	if diff := cmp.Diff(want, problemsOf(t, broken)); diff != "" {
		t.Error(diff)
	}
}

func TestMalformedFilesAreRefusedWithTheirLine(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ text, want string }{
		"empty":            {"", "1:1 INVENTORY_SYNTAX  not exactly one YAML document in UTF-8"},
		"only a comment":   {"# nothing\n", "1:1 INVENTORY_SYNTAX  not exactly one YAML document in UTF-8"},
		"two documents":    {"clusters: []\n---\nclusters: []\n", "1:1 INVENTORY_SYNTAX  not exactly one YAML document in UTF-8"},
		"not UTF-8":        {"\xff", "1:1 INVENTORY_SYNTAX  not exactly one YAML document in UTF-8"},
		"null":             {"~", "1:1 INVENTORY_TYPE  must be a mapping"},
		"list":             {"- a", "1:1 INVENTORY_TYPE  must be a mapping"},
		"no clusters":      {"{}", "1:1 INVENTORY_MISSING  clusters is missing"},
		"null clusters":    {"clusters:\n", "1:1 INVENTORY_MISSING  clusters is missing"},
		"empty clusters":   {"clusters: []", "1:1 INVENTORY_TYPE clusters must be a list of at least one of clusters"},
		"mapping clusters": {"clusters: {}", "1:1 INVENTORY_TYPE clusters must be a list of at least one of clusters"},
		"own alias":        {"clusters: &a\n  - *a\n", "1:11 INVENTORY_TYPE clusters[0] must be a mapping"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := problemsOf(t, test.text)
			if len(got) != 1 || got[0] != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestSyntaxErrorNamesItsLine(t *testing.T) {
	t.Parallel()
	got := problemsOf(t, "clusters:\n  - name: a\n    nodes: *nowhere\n")
	if len(got) != 1 || !strings.HasPrefix(got[0], "3:12 INVENTORY_SYNTAX") {
		t.Errorf("got %q", got)
	}
}

func TestAnchorsServeRepeatedValues(t *testing.T) {
	t.Parallel()
	static := mustParse(t, strings.Replace(equal(2), "memory: 8Gi}", "memory: 8Gi, labels: &l {zone: north}}", 1)+
		"  - {name: n2, architecture: amd64, cpu: 4, memory: 8Gi, labels: *l}\n")
	component := jobmanager.Component{Name: "web", Requirements: jobmanager.Value(`{"nodelabel":{"key":"zone","values":["north"]}}`)}
	if got := nodes(match(t, static, component)[0]); got != "n0 n2" {
		t.Errorf("got %q", got)
	}
}

func TestFileIsLoaded(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "targets.yaml")
	if err := os.WriteFile(path, []byte(three), 0o600); err != nil {
		t.Fatal(err)
	}
	static, err := matchmaker.LoadStatic(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := nodes(match(t, static, jobmanager.Component{Name: "web"})[0]); got != "big camera boat" {
		t.Errorf("got %q", got)
	}
}

func TestBadFileIsNamed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "targets.yaml")
	_, err := matchmaker.LoadStatic(path)
	wantError(t, err, jobmanager.CodeInvalid, path, "TARGETS_FILE")
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the cause is lost: %v", err)
	}
	if err := os.WriteFile(path, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = matchmaker.LoadStatic(path)
	wantError(t, err, jobmanager.CodeInvalid, path, "line 1: clusters is missing: add it")
}
