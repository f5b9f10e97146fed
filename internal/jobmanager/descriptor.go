package jobmanager

import (
	"encoding/json"
	"io"
)

// Descriptor is an application descriptor after parsing: what the text says, with its manifests given to
// the components that refer to them. The text itself is kept with the group.
type Descriptor struct {
	Name        string
	Description string
	// Namespace is the descriptor's own, else the name, else (when the name breaks RFC 1123) derived from it.
	Namespace  string
	Components []Component
	// Policies are the application-level ones; a component's own stand with the component.
	Policies []Policy
	// Requirements and Dependencies of the whole application, as written; nil when absent.
	Requirements Value
	Dependencies Value
	// HasManifests says whether the descriptor carries any manifest at all. One that carries none is a
	// header: its unresolved references are warnings and its jobs wait with reason NO_MANIFESTS.
	HasManifests bool
	// Links is the application's topology, drawn from communication and dependencies.
	Links []Link
}

// Component is one part of an application; it becomes one job.
type Component struct {
	Name string `json:"name"`
	// Type is kubernetes, docker, manifest, multiple or whatever the descriptor says: an open list.
	Type string `json:"type,omitempty"`
	// References are the names under the component's manifests, in their order.
	References []string `json:"references,omitempty"`
	// Manifests are the texts that the references resolved to, in the references' order. They are stored
	// with the job, so a component that was read back from a group has none.
	Manifests []Manifest `json:"-"`
	// Requirements, Communication and Dependencies as written; nil when absent.
	Requirements  Value    `json:"requirements,omitempty"`
	Communication Value    `json:"communication,omitempty"`
	Dependencies  Value    `json:"dependencies,omitempty"`
	Policies      []Policy `json:"policies,omitempty"`
	// Pins are the targets that the descriptor names itself; they win over any Matchmaker.
	Pins []Target `json:"pins,omitempty"`
}

// Policy is one policy, kept as written: the Policy Manager reads it, the Job Manager only shows it.
type Policy struct {
	Name string `json:"name,omitempty"`
	// Type is custom, security, user-preference or whatever the descriptor says; "security" for the short form.
	Type string `json:"type,omitempty"`
	// Remediation as written: an open list.
	Remediation string `json:"remediation,omitempty"`
	// AppliesTo are the component names under apply-to or component; empty means where the policy stands.
	AppliesTo []string `json:"appliesTo,omitempty"`
	// Body is the whole policy as written.
	Body Value `json:"body"`
}

// LinkKind says why two components are linked.
type LinkKind string

// The kinds of links.
const (
	LinkCommunication LinkKind = "COMMUNICATION"
	LinkDependency    LinkKind = "DEPENDENCY"
)

// Link is one edge of an application's topology: From sends to To, or depends on To.
type Link struct {
	From string   `json:"from"`
	To   string   `json:"to"`
	Kind LinkKind `json:"kind"`
}

// Manifest is one YAML document to apply. Text is its own lines, comments included, with the outer
// indentation removed.
type Manifest struct {
	// Name is the one the component refers to: the entry's name, else metadata.name.
	Name string
	// APIVersion and Kind are empty for a compose manifest.
	APIVersion string
	Kind       string
	Text       string
}

// Severity of a finding.
type Severity string

// The severities: an ERROR refuses the descriptor, a WARNING comes back with the accepted group.
const (
	SeverityError   Severity = "ERROR"
	SeverityWarning Severity = "WARNING"
)

// Finding is one thing that is wrong with a descriptor, with its place.
type Finding struct {
	Severity Severity `json:"severity"`
	// Code is the word that a program branches on, such as UNRESOLVED_REFERENCE.
	Code    string `json:"code"`
	Message string `json:"message"`
	// Line and Column count from 1; both are 0 when the finding is about the whole text.
	Line   int `json:"line"`
	Column int `json:"column"`
	// Path leads to the place: components[1].manifests[0].name.
	Path string `json:"path"`
	// Hint says what to do.
	Hint string `json:"hint"`
}

// Refusals are the findings that refuse the descriptor.
func Refusals(findings []Finding) []Finding {
	var errors []Finding
	for _, finding := range findings {
		if finding.Severity == SeverityError {
			errors = append(errors, finding)
		}
	}
	return errors
}

// Value is a piece of a descriptor as written, as JSON text: keys in their order, numbers and strings as
// they were. nil means that the descriptor does not have it.
type Value json.RawMessage

// MarshalJSON gives the text itself; null when absent.
func (v Value) MarshalJSON() ([]byte, error) {
	if v == nil {
		return []byte("null"), nil
	}
	return v, nil
}

// UnmarshalJSON keeps the text.
func (v *Value) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		*v = nil
		return nil
	}
	*v = append((*v)[:0], text...)
	return nil
}

// MarshalGQL writes the value as JSON: the schema's scalar JSON.
func (v Value) MarshalGQL(w io.Writer) {
	text, _ := v.MarshalJSON() // cannot fail: see above
	_, _ = w.Write(text)       // gqlgen gives a buffer
}

// UnmarshalGQL refuses: no input of the schema carries free JSON.
func (v *Value) UnmarshalGQL(any) error {
	return Errorf(CodeInvalid, "JSON is not accepted as an input")
}
