package matchmaker

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

const (
	// maxRemembered placements are kept before all counts are halved: what was placed long ago is no hint.
	maxRemembered = 1000
	// maxCauses is how many unmet requirements a reason lists.
	maxCauses = 8
)

// Static chooses targets from a fixed inventory. It knows what nodes have, not what they have left: its
// spreading is a hint from what it placed lately, kept in memory. It is safe for concurrent use.
type Static struct {
	nodes []node

	mu sync.Mutex // guards placed
	// placed counts what each node got lately, in the nodes' order.
	placed []float64
}

var _ jobmanager.Matchmaker = (*Static)(nil)

// node is one machine of the inventory, with what its cluster says about it.
type node struct {
	target jobmanager.Target
	// types of components that the cluster takes; empty means any.
	types        []string
	architecture string
	cpu          float64 // cores
	memory       float64 // bytes
	devices      []string
	labels       map[string]string
}

func (n node) accepts(kind string) bool {
	return len(n.types) == 0 || slices.ContainsFunc(n.types, func(t string) bool { return strings.EqualFold(t, kind) })
}

func newStatic(nodes []node) *Static {
	return &Static{nodes: nodes, placed: make([]float64, len(nodes))}
}

// Match chooses, for each component in turn, the fitting node with the fewest recent placements for each
// core; among equals the first in the file. The other fitting nodes follow in the same order. It asks
// nobody, so it never fails. Application-wide requirements are not looked at, as the ICOS Matchmaker does.
func (s *Static) Match(
	_ context.Context, descriptor jobmanager.Descriptor, _ string, _ jobmanager.Token,
) ([]jobmanager.Match, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	matches := make([]jobmanager.Match, len(descriptor.Components))
	for i, component := range descriptor.Components {
		if len(component.Pins) > 0 {
			matches[i] = pinned(component)
			continue
		}
		matches[i] = s.match(component)
	}
	return matches, nil
}

func (s *Static) match(component jobmanager.Component) jobmanager.Match {
	match := jobmanager.Match{Component: component.Name}
	checks, faults := checksOf(component)
	if len(faults) > 0 {
		match.Reason = "no node fits: " + strings.Join(faults, "; ")
		return match
	}
	fitting := s.fitting(checks)
	if len(fitting) == 0 {
		match.Reason = s.reason(checks)
		return match
	}
	slices.SortStableFunc(fitting, func(a, b int) int {
		switch loadA, loadB := s.load(a), s.load(b); {
		case loadA < loadB:
			return -1
		case loadA > loadB:
			return 1
		}
		return 0
	})
	for _, i := range fitting[:min(len(fitting), maxTargets)] {
		match.Targets = append(match.Targets, s.nodes[i].target)
	}
	s.place(fitting[0])
	return match
}

// fitting lists the nodes that pass all checks, by index.
func (s *Static) fitting(checks []check) []int {
	var fitting []int
	for i, n := range s.nodes {
		if !slices.ContainsFunc(checks, func(c check) bool { return !c.fits(n) }) {
			fitting = append(fitting, i)
		}
	}
	return fitting
}

func (s *Static) load(i int) float64 { return s.placed[i] / s.nodes[i].cpu }

func (s *Static) place(i int) {
	s.placed[i]++
	total := 0.0
	for _, count := range s.placed {
		total += count
	}
	if total < maxRemembered {
		return
	}
	for k := range s.placed {
		s.placed[k] /= 2
	}
}

// reason counts, for each check, the nodes that fail it. A node that fails two is counted in both, so that
// the user sees everything that stands in the way at once.
func (s *Static) reason(checks []check) string {
	var causes []string
	for _, c := range checks {
		failed := 0
		for _, n := range s.nodes {
			if !c.fits(n) {
				failed++
			}
		}
		switch failed {
		case 0:
		case 1:
			causes = append(causes, fmt.Sprintf("1 of %d %s", len(s.nodes), c.one))
		default:
			causes = append(causes, fmt.Sprintf("%d of %d %s", failed, len(s.nodes), c.many))
		}
	}
	if more := len(causes) - maxCauses; more > 0 {
		causes = append(causes[:maxCauses], fmt.Sprintf("and %d more requirements are not met everywhere", more))
	}
	return "no node fits: " + strings.Join(causes, ", ")
}
