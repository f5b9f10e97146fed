package jobmanager

import "context"

// Target is where a job runs.
type Target struct {
	Cluster string `json:"cluster"`
	// Node is empty where the orchestrator decides the node itself.
	Node         Text   `json:"node,omitempty"`
	Orchestrator string `json:"orchestrator"`
	// Pinned says that the descriptor named it, not a Matchmaker.
	Pinned bool `json:"pinned,omitempty"`
}

// Match is a Matchmaker's answer for one component.
type Match struct {
	Component string
	// Targets, best first; the first is taken, the rest are alternatives. Empty means that nothing fits.
	Targets []Target
	// Reason says why nothing fits, in a sentence; empty when something does or nobody knows.
	Reason string
	// Unasked says that this is no answer: nobody has asked yet.
	Unasked bool
}

// Matchmaker names a target for each component.
type Matchmaker interface {
	// Match answers for every component of the descriptor, in its order, joined by name. text is the whole
	// descriptor as submitted. Components with pins are answered with their pins. token is the caller's,
	// forwarded where the peer wants it.
	//
	// Errors: UNAVAILABLE when the peer does not answer, is broken, or answers without a component that the
	// descriptor has (a later try may succeed); INVALID when it refuses the descriptor; UNAUTHENTICATED when it
	// refuses the token.
	Match(ctx context.Context, descriptor Descriptor, text string, token Token) ([]Match, error)
}
