// Package matchmaker names a target for each component of a descriptor. It has two answers to the port
// jobmanager.Matchmaker: HTTP asks the ICOS Matchmaker, Static chooses from an inventory file.
//
// Both honour the targets that a descriptor pins, and both give one target to a component, never to a
// manifest, so the manifests of a component always stand together.
//
// It does not read descriptors, try again, or check that a component's type fits the orchestrator it got:
// the service does. Start at HTTP.Match and Static.Match; sample.yaml documents the inventory file.
package matchmaker

import "github.com/icos-jobmanager/jobmanager/internal/jobmanager"

// maxTargets bounds the targets of one component: the first is taken, and nobody looks at more than a few
// alternatives.
const maxTargets = 32

// pinned answers a component with the targets that its descriptor names itself.
func pinned(component jobmanager.Component) jobmanager.Match {
	targets := make([]jobmanager.Target, len(component.Pins))
	for i, pin := range component.Pins {
		pin.Pinned = true
		targets[i] = pin
	}
	return jobmanager.Match{Component: component.Name, Targets: targets}
}
