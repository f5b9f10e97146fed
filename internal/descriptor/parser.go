// Package descriptor turns the text of an application descriptor into a jobmanager.Descriptor.
//
// It is pure: no I/O, no clock, no memory between calls. It finds everything that is wrong with a text at
// once, each with its place, and cuts the text of every manifest out of the descriptor so that comments and
// spelling survive. It decides nothing about jobs and asks no peer.
//
// Start at Parser.Parse. A text goes through five rooms: stream.go splits it into documents, load.go and
// limits.go read each one and bound it, header.go, component.go and policy.go read the first document,
// manifest.go with cut.go and rewrite.go makes the manifests, and resolve.go, fit.go and link.go join the two.
//
// Two ways lead back to a text, because a group keeps nothing but its text: Parser.Complete and Parser.Replace.
// Both write manifests by layout.go and prove what they wrote by reading it.
package descriptor

import (
	"fmt"

	"go.yaml.in/yaml/v4"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// Limits bound what one descriptor may cost.
type Limits struct {
	// Bytes of the whole text.
	Bytes int
	// Depth of nested lists and mappings, aliases followed.
	Depth int
	// Nodes of all documents together: keys, values, lists and mappings, as written and with aliases expanded.
	Nodes int
	// Aliases of all documents together.
	Aliases int
	// Findings that one answer holds; the last one tells how many more there are.
	Findings int
}

// DefaultLimits are 1 MiB, depth 100, 100,000 nodes, 1,000 aliases and 200 findings.
func DefaultLimits() Limits {
	return Limits{Bytes: 1 << 20, Depth: 100, Nodes: 100_000, Aliases: 1_000, Findings: 200}
}

// amplification is how often the text's byte limit the aliases of a descriptor, or the manifests of its
// components together, may fill: a large manifest that many components refer to is stored with each job.
const amplification = 16

// Parser reads descriptors. It holds nothing but its limits and is safe for concurrent use.
type Parser struct {
	Limits
}

// New makes a parser that holds texts to these limits.
func New(limits Limits) Parser { return Parser{Limits: limits} }

// Parse reads a descriptor. The findings come all at once, sorted by place; with any of severity ERROR the
// descriptor is not usable (jobmanager.Refusals tells). It never fails in another way.
func (p Parser) Parse(text string) (jobmanager.Descriptor, []jobmanager.Finding) {
	run := p.run(text)
	return run.descriptor, run.sorted()
}

// run reads a whole text.
func (p Parser) run(text string) *run {
	run := &run{limits: p.Limits}
	if len(text) > p.Bytes {
		run.refuse(nil, problem{
			code:    CodeTooLarge,
			message: fmt.Sprintf("the descriptor has %d bytes; the limit is %d", len(text), p.Bytes),
			hint:    "Split the application, or move large data out of the manifests.",
		})
		return run
	}
	run.clean(text)
	run.read()
	return run
}

// run is the work on one text.
type run struct {
	report
	limits     Limits
	budget     budget
	descriptor jobmanager.Descriptor
	components []*component
	// named are the components by name, the first of each.
	named map[string]*component
	// given counts the bytes of manifests that components got so far.
	given int
	// mentions are the components that policies name.
	mentions []reference
	sources  []*source
}

// read goes through the documents: the first one with content is the header, each other one a manifest or a list
// of them.
func (r *run) read() {
	documents := split(r.lines)
	if len(documents) == 0 {
		r.refuse(nil, problem{
			code:    CodeEmpty,
			message: "the descriptor is empty",
			hint:    "Send a YAML text with name, description and components.",
		})
		return
	}
	header := documents[0]
	root := r.load(header)
	if root != nil {
		r.checkHeaderKeys(root)
		r.readHeader(root, header)
	}
	for i, document := range documents[1:] {
		r.readManifestDocument(document, fmt.Sprintf("documents[%d]", i+1))
	}
	r.descriptor.HasManifests = r.descriptor.HasManifests || len(r.sources) > 0 || len(documents) > 1
	r.resolve()
	r.checkSources()
	r.giveManifests()
	r.checkMentions()
	r.drawLinks(root)
}

// readHeader reads the first document, which must be a mapping.
func (r *run) readHeader(root *yaml.Node, document document) {
	header, ok := mappingOf(root)
	if !ok {
		r.refuse(root, problem{
			code:    CodeWrongType,
			message: "the first document is " + kindOf(root) + "; the header of an application is a mapping",
			hint:    "Begin the text with name, description and components.",
		})
		return
	}
	r.readNames(header)
	r.readComponents(header)
	r.descriptor.Policies = r.readPolicies(header.get("policies"), "policies")
	r.descriptor.Requirements = valueOf(header.get("requirements"))
	r.descriptor.Dependencies = valueOf(header.get("dependencies"))
	r.readManifestList(header, document, "manifests")
}
