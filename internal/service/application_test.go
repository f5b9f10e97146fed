package service_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"pgregory.net/rapid"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// application is what a test submits, in the few words that its descriptor is made of.
type application struct {
	name  string
	parts []part
}

// part is one component.
type part struct {
	name string
	// kind is the component's type.
	kind string
	// manifest is the version of its one manifest; 0 means that it has none.
	manifest int
	// demand is what it demands of a target: the number of a row of the Matchmaker's table.
	demand int
	// pin is the cluster that it names itself; empty for none.
	pin string
}

// partNames are those that components have; the last so many of them bound an application.
func partNames(most int) []string { return []string{"api", "db", "web"}[3-most:] }

// text is the descriptor.
func (a application) text() string {
	var head, manifests strings.Builder
	fmt.Fprintf(&head, "name: %s\ndescription: made by a test\ncomponents:\n", a.name)
	for _, p := range a.parts {
		fmt.Fprintf(&head, "- name: %s\n  type: %s\n  requirements:\n    cpu: %d\n", p.name, p.kind, p.demand)
		if p.pin != "" {
			fmt.Fprintf(&head, "  targets:\n    cluster_name: %s\n    orchestrator: %s\n", p.pin, orchestratorOf(p.pin))
		}
		if p.manifest > 0 {
			fmt.Fprintf(&head, "  manifests:\n  - name: %s\n", p.name)
			fmt.Fprintf(&manifests, "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: %s\ndata:\n  version: \"%d\"\n", p.name, p.manifest)
		}
	}
	return head.String() + manifests.String()
}

// clusters are the places of the test's world; their first letter tells the orchestrator.
func clusters() []string { return []string{"o-1", "o-2", "n-1", "n-2"} }

func orchestratorOf(cluster string) string {
	if strings.HasPrefix(cluster, "o") {
		return "ocm"
	}
	return "nuvla"
}

func targetOn(cluster string) jobmanager.Target {
	return jobmanager.Target{Cluster: cluster, Orchestrator: orchestratorOf(cluster)}
}

// drawPart makes a component; most have a manifest and no pin.
func drawPart(r *rapid.T, name string) part {
	return part{
		name: name, kind: oneOf[string](r, "type", "kubernetes", "kubernetes", "kubernetes", "helm", "docker"),
		manifest: oneOf[int](r, "manifest", 1, 1, 1, 2, 0),
		demand:   1 + below(r, "demand", demands),
		pin:      oneOf[string](r, "pin", "", "", "", "", "o-1", "n-1"),
	}
}

func drawApplication(r *rapid.T, name string, most int) application {
	a := application{name: name}
	for _, part := range someOf(r, "components", 1, most, partNames(most)...) {
		a.parts = append(a.parts, drawPart(r, part))
	}
	return a
}

// drawChange changes an application: newer manifests, other demands, components that come or go.
func drawChange(r *rapid.T, a application, most int) application {
	next := application{name: a.name, parts: slices.Clone(a.parts)}
	for i := range next.parts {
		p := &next.parts[i]
		switch oneOf[string](r, "change of "+p.name, "nothing", "manifest", "manifest", "demand", "both", "no manifest", "all") {
		case "manifest":
			p.manifest++
		case "demand":
			p.demand = 1 + below(r, "demand", demands)
		case "both":
			p.manifest++
			p.demand = 1 + below(r, "demand", demands)
		case "no manifest":
			p.manifest = 0
		case "all":
			*p = drawPart(r, p.name)
		}
	}
	for _, name := range partNames(most) {
		at := slices.IndexFunc(next.parts, func(p part) bool { return p.name == name })
		switch {
		case !once(r, "whether "+name+" comes or goes", 4):
		case at < 0:
			next.parts = append(next.parts, drawPart(r, name))
		case len(next.parts) > 1:
			next.parts = slices.Delete(next.parts, at, at+1)
		}
	}
	return next
}

// demands is how many rows the Matchmaker's table has.
const demands = 3

// oracle is a Matchmaker in memory: it answers each demand by a table that the test changes.
type oracle struct {
	mu sync.Mutex // guards the fields below
	// answers by demand: clusters, the best first.
	answers map[string][]string
	down    bool
}

func newOracle() *oracle { return &oracle{answers: map[string][]string{}} }

// learn changes an answer; no clusters means that nothing meets the demand.
func (o *oracle) learn(demand int, clusters ...string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.answers[fmt.Sprintf(`{"cpu":%d}`, demand)] = clusters
}

// ask gives an answer as it is.
func (o *oracle) ask(demand int) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.answers[fmt.Sprintf(`{"cpu":%d}`, demand)]
}

// fall makes it unreachable, or brings it back.
func (o *oracle) fall(down bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.down = down
}

// isDown says whether it cannot be reached.
func (o *oracle) isDown() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.down
}

// Match answers as jobmanager.Matchmaker says.
func (o *oracle) Match(_ context.Context, d jobmanager.Descriptor, _ string, _ jobmanager.Token) ([]jobmanager.Match, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.down {
		return nil, jobmanager.Errorf(jobmanager.CodeUnavailable, "the Matchmaker is down")
	}
	var matches []jobmanager.Match
	for _, component := range d.Components {
		match := jobmanager.Match{Component: component.Name, Targets: component.Pins}
		if len(match.Targets) == 0 {
			for _, cluster := range o.answers[string(component.Requirements)] {
				match.Targets = append(match.Targets, targetOn(cluster))
			}
		}
		if len(match.Targets) == 0 {
			match.Reason = "nothing meets its demand"
		}
		matches = append(matches, match)
	}
	return matches, nil
}
