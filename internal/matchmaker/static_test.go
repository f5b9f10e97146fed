package matchmaker_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/matchmaker"
)

// three nodes that differ in everything a requirement can ask for.
const three = `
clusters:
  - name: hall
    orchestrator: ocm
    types: [kubernetes]
    nodes:
      - {name: big, architecture: amd64, cpu: 8, memory: 16Gi, labels: {zone: north, robots: 2}}
      - {name: camera, architecture: aarch64, cpu: 500m, memory: 512Mi, devices: [squat.ai/video, squat.ai/audio], labels: {zone: south}}
  - name: nuvlabox/7
    orchestrator: nuvla
    nodes:
      - {name: boat, architecture: riscv64, cpu: 2, memory: 200MB, devices: icos.eu/video1}
`

func mustParse(t *testing.T, text string) *matchmaker.Static {
	t.Helper()
	static, err := matchmaker.ParseStatic([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return static
}

// match asks for these components.
func match(t *testing.T, static *matchmaker.Static, components ...jobmanager.Component) []jobmanager.Match {
	t.Helper()
	matches, err := static.Match(t.Context(), jobmanager.Descriptor{Components: components}, "", jobmanager.Token{})
	if err != nil {
		t.Fatal(err)
	}
	for i, component := range components {
		if matches[i].Component != component.Name {
			t.Fatalf("match %d is for %q, want %q", i, matches[i].Component, component.Name)
		}
	}
	return matches
}

// nodes of a match, joined.
func nodes(match jobmanager.Match) string {
	var names []string
	for _, target := range match.Targets {
		names = append(names, string(target.Node))
	}
	return strings.Join(names, " ")
}

func TestRequirementsChooseNodes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ requirements, want string }{
		{``, "big camera boat"},
		{`{}`, "big camera boat"},
		{`{"cpu":null,"memory":null}`, "big camera boat"},
		{`{"architecture":"intel"}`, "big"},
		{`{"architecture":"x86_64"}`, "big"},
		{`{"architecture":"AMD64"}`, "big"},
		{`{"architecture":"arm64"}`, "camera"},
		{`{"architecture":"aarch64"}`, "camera"},
		{`{"architecture":"riscv64"}`, "boat"},
		{`{"cpu":0.5}`, "big camera boat"},
		{`{"cpu":"0.5"}`, "big camera boat"},
		{`{"cpu":"500m"}`, "big camera boat"},
		{`{"cpu":0.51}`, "big boat"},
		{`{"cpu":"2"}`, "big boat"},
		{`{"cpu":2.001}`, "big"},
		{`{"memory":"200M"}`, "big camera boat"},
		{`{"memory":"200Mb"}`, "big camera boat"},
		{`{"memory":200000000}`, "big camera boat"},
		{`{"memory":"200000000"}`, "big camera boat"},
		{`{"memory":"200Mi"}`, "big camera"},
		{`{"memory":"0.5Gi"}`, "big camera"},
		{`{"memory":"524288Ki"}`, "big camera"},
		{`{"memory":"524289Ki"}`, "big"},
		{`{"memory":"1G"}`, "big"},
		{`{"memory":"16 GiB"}`, "big"},
		{`{"devices":"squat.ai/video"}`, "camera"},
		{`{"devices":["squat.ai/video","squat.ai/audio"]}`, "camera"},
		{`{"devices":[]}`, "big camera boat"},
		{`{"devices":"icos.eu/video1"}`, "boat"},
		{`{"nodelabel":{"key":"zone","values":["north","south"]}}`, "big camera"},
		{`{"nodelabel":{"key":"zone","values":["south"]}}`, "camera"},
		{`{"nodelabel":{"key":"zone","values":"south"}}`, "camera"},
		{`{"nodelabel":{"key":"robots","values":[1,2]}}`, "big"},
		{`{"colour":"blue"}`, "big camera boat"},
		{`{"cpu":0.5,"memory":"1Mi","devices":"squat.ai/video","architecture":"arm64","nodelabel":{"key":"zone","values":["south"]}}`, "camera"},
	} {
		t.Run(test.requirements, func(t *testing.T) {
			t.Parallel()
			component := jobmanager.Component{Name: "web"}
			if test.requirements != "" {
				component.Requirements = jobmanager.Value(test.requirements)
			}
			got := match(t, mustParse(t, three), component)[0]
			if nodes(got) != test.want || got.Reason != "" {
				t.Errorf("got %q (%s), want %q", nodes(got), got.Reason, test.want)
			}
		})
	}
}

func TestComponentTypeChoosesClusters(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]string{
		"": "big camera boat", "kubernetes": "big camera boat", "Kubernetes": "big camera boat", "docker": "boat",
	} {
		if got := match(t, mustParse(t, three), jobmanager.Component{Name: "web", Type: kind})[0]; nodes(got) != want {
			t.Errorf("type %q: got %q, want %q", kind, nodes(got), want)
		}
	}
}

func TestReasonSaysWhyNothingFits(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ kind, requirements, want string }{
		{"", `{"memory":"64Gi"}`, "no node fits: 3 of 3 have less than 64Gi memory"},
		{"", `{"cpu":9,"memory":"1Gi"}`, "no node fits: 3 of 3 have less than 9 cpu, 2 of 3 have less than 1Gi memory"},
		{"", `{"devices":["squat.ai/video","icos.eu/video1"]}`, "no node fits: 2 of 3 lack device squat.ai/video, 2 of 3 lack device icos.eu/video1"},
		{"docker", `{"architecture":"arm64","memory":"200M"}`, "no node fits: 2 of 3 take no component of type docker, 2 of 3 are not of architecture arm64"},
		{"", `{"cpu":1,"architecture":"aarch64"}`, "no node fits: 2 of 3 are not of architecture aarch64, 1 of 3 has less than 1 cpu"},
		{"", `{"nodelabel":{"key":"zone","values":["east","west"]}}`, "no node fits: 3 of 3 lack label zone with value east or west"},
		{"", `{"nodelabel":{"key":"zones","values":["north"]}}`, "no node fits: 3 of 3 lack label zones with value north"},
		{"", `{"memory":"lots"}`, `no node fits: requirement memory: "lots" is not understood: write a quantity such as 200Mi or 7Gi`},
		{"", `{"cpu":-1,"memory":"200m"}`, "no node fits: requirement cpu: -1 is not understood: write a number of cores such as 0.5 or 500m; " +
			`requirement memory: "200m" is not understood: write a quantity such as 200Mi or 7Gi`},
		{"", `{"cpu":"NaN"}`, `no node fits: requirement cpu: "NaN" is not understood: write a number of cores such as 0.5 or 500m`},
		{"", `{"cpu":"1e999"}`, `no node fits: requirement cpu: "1e999" is not understood: write a number of cores such as 0.5 or 500m`},
		{"", `{"memory":"5Xi"}`, `no node fits: requirement memory: "5Xi" is not understood: write a quantity such as 200Mi or 7Gi`},
		{"", `{"architecture":["amd64"]}`, `no node fits: requirement architecture: ["amd64"] is not understood: write a name such as amd64 or arm64`},
		{"", `{"devices":{"a":1}}`, `no node fits: requirement devices: {"a":1} is not understood: write a device such as squat.ai/video, or a list of them`},
		{"", `{"devices":[null]}`, `no node fits: requirement devices: [null] is not understood: write a device such as squat.ai/video, or a list of them`},
		{"", `{"nodelabel":{"key":"zone"}}`, `no node fits: requirement nodelabel: {"key":"zone"} is not understood: write a mapping such as {key: zone, values: [north, south]}`},
		{"", `{"nodelabel":"zone"}`, `no node fits: requirement nodelabel: "zone" is not understood: write a mapping such as {key: zone, values: [north, south]}`},
		{"", `["cpu"]`, "no node fits: requirements is not understood: write a mapping such as {cpu: 1, memory: 200Mi}"},
	} {
		t.Run(test.requirements, func(t *testing.T) {
			t.Parallel()
			component := jobmanager.Component{Name: "web", Type: test.kind, Requirements: jobmanager.Value(test.requirements)}
			got := match(t, mustParse(t, three), component)[0]
			if diff := cmp.Diff(jobmanager.Match{Component: "web", Reason: test.want}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestReasonIsShortForManyRequirements(t *testing.T) {
	t.Parallel()
	devices := strings.Repeat(`"`+strings.Repeat("x", 5000)+`",`, 50)
	component := jobmanager.Component{Name: "web", Requirements: jobmanager.Value(`{"devices":[` + devices[:len(devices)-1] + `]}`)}
	reason := match(t, mustParse(t, three), component)[0].Reason
	if len(reason) > 3000 || !strings.HasSuffix(reason, "and 42 more requirements are not met everywhere") {
		t.Errorf("%d bytes: %s", len(reason), reason)
	}
}

func TestTargetIsWhatTheInventorySays(t *testing.T) {
	t.Parallel()
	component := jobmanager.Component{Name: "web", Requirements: jobmanager.Value(`{"architecture":"riscv64"}`)}
	want := []jobmanager.Target{{Cluster: "nuvlabox/7", Node: "boat", Orchestrator: "nuvla"}}
	if diff := cmp.Diff(want, match(t, mustParse(t, three), component)[0].Targets); diff != "" {
		t.Error(diff)
	}
}

func TestStaticHonoursPins(t *testing.T) {
	t.Parallel()
	pinned := jobmanager.Component{
		Name: "web", Requirements: jobmanager.Value(`{"memory":"64Ti"}`),
		Pins: []jobmanager.Target{{Cluster: "elsewhere", Orchestrator: "ocm"}, {Cluster: "second", Node: "n", Orchestrator: "nuvla"}},
	}
	want := []jobmanager.Target{
		{Cluster: "elsewhere", Orchestrator: "ocm", Pinned: true},
		{Cluster: "second", Node: "n", Orchestrator: "nuvla", Pinned: true},
	}
	matches := match(t, mustParse(t, three), pinned, jobmanager.Component{Name: "db"})
	if diff := cmp.Diff(want, matches[0].Targets); diff != "" {
		t.Error(diff)
	}
	if matches[1].Targets[0].Pinned {
		t.Error("a chosen target says that it is pinned")
	}
}

// equal is an inventory of n equal nodes.
func equal(n int) string {
	var text strings.Builder
	text.WriteString("clusters:\n- name: hall\n  orchestrator: ocm\n  nodes:\n")
	for i := range n {
		fmt.Fprintf(&text, "  - {name: n%d, architecture: amd64, cpu: 4, memory: 8Gi}\n", i)
	}
	return text.String()
}

func components(n int) []jobmanager.Component {
	list := make([]jobmanager.Component, n)
	for i := range list {
		list[i].Name = fmt.Sprint("c", i)
	}
	return list
}

// firsts counts the first targets by node.
func firsts(matches ...jobmanager.Match) map[string]int {
	count := map[string]int{}
	for _, match := range matches {
		count[string(match.Targets[0].Node)]++
	}
	return count
}

func TestLoadIsSpreadInOneDescriptor(t *testing.T) {
	t.Parallel()
	got := firsts(match(t, mustParse(t, equal(3)), components(6)...)...)
	if diff := cmp.Diff(map[string]int{"n0": 2, "n1": 2, "n2": 2}, got); diff != "" {
		t.Error(diff)
	}
}

func TestLoadIsSpreadOverDescriptors(t *testing.T) {
	t.Parallel()
	static := mustParse(t, equal(3))
	var all []jobmanager.Match
	for range 3 * 1500 { // past the point where the counts are halved
		all = append(all, match(t, static, components(1)...)...)
	}
	for node, count := range firsts(all...) {
		if count < 1490 || count > 1510 {
			t.Errorf("%s got %d of 4500", node, count)
		}
	}
}

func TestLoadFollowsTheCores(t *testing.T) {
	t.Parallel()
	text := strings.Replace(equal(2), "cpu: 4", "cpu: 12", 1)
	got := firsts(match(t, mustParse(t, text), components(40)...)...)
	if diff := cmp.Diff(map[string]int{"n0": 30, "n1": 10}, got); diff != "" {
		t.Error(diff)
	}
}

func TestAlternativesFollowByLoad(t *testing.T) {
	t.Parallel()
	static := mustParse(t, equal(3))
	matches := match(t, static, components(2)...)
	if nodes(matches[0]) != "n0 n1 n2" || nodes(matches[1]) != "n1 n2 n0" {
		t.Errorf("got %q and %q", nodes(matches[0]), nodes(matches[1]))
	}
	if long := match(t, mustParse(t, equal(100)), components(1)...)[0]; len(long.Targets) != 32 {
		t.Errorf("%d targets", len(long.Targets))
	}
}

func TestManyCallersShareTheInventory(t *testing.T) {
	t.Parallel()
	static := mustParse(t, equal(4))
	var callers sync.WaitGroup
	all := make([][]jobmanager.Match, 8)
	for i := range all {
		callers.Go(func() { all[i] = match(t, static, components(10)...) })
	}
	callers.Wait()
	count := map[string]int{}
	for _, matches := range all {
		for node, n := range firsts(matches...) {
			count[node] += n
		}
	}
	if diff := cmp.Diff(map[string]int{"n0": 20, "n1": 20, "n2": 20, "n3": 20}, count); diff != "" {
		t.Error(diff)
	}
}
