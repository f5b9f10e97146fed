package descriptor

import (
	"cmp"
	"fmt"

	"go.yaml.in/yaml/v4"
)

// extent is how large a node is once its aliases are expanded.
type extent struct{ nodes, bytes, depth int }

// budget counts what the documents of one text have used.
type budget struct {
	written, expanded, bytes, aliases int
	// exhausted says that a limit of the whole text is broken: no document after that is read.
	exhausted bool
}

// survey measures one document. Anchored nodes are measured once, so that an alias bomb costs no more than
// its text.
type survey struct {
	run    *run
	known  map[*yaml.Node]extent
	inside map[*yaml.Node]bool
	// alias is the first one: findings about what aliases expand to go there.
	alias  *yaml.Node
	failed bool
}

// measure holds a document to the limits before anything walks it with its aliases followed; false when
// it breaks one.
func (r *run) measure(root *yaml.Node) bool {
	s := &survey{run: r, known: map[*yaml.Node]extent{}, inside: map[*yaml.Node]bool{}}
	whole := s.extentOf(root, 1)
	if s.failed {
		return false
	}
	r.budget.expanded += whole.nodes
	r.budget.bytes += whole.bytes
	switch {
	case whole.depth > r.limits.Depth:
		r.refuseDepth(cmp.Or(s.alias, root))
	case r.budget.expanded > r.limits.Nodes, r.budget.bytes > amplification*r.limits.Bytes:
		r.budget.exhausted = true
		r.refuse(cmp.Or(s.alias, root), problem{
			code:    CodeTooManyAliases,
			message: fmt.Sprintf("with its aliases expanded the descriptor has %d keys and values of %d bytes", r.budget.expanded, r.budget.bytes),
			hint:    fmt.Sprintf("Use fewer aliases: the limits are %d and %d.", r.limits.Nodes, amplification*r.limits.Bytes),
		})
	default:
		return true
	}
	return false
}

func (s *survey) extentOf(node *yaml.Node, level int) extent {
	if s.failed {
		return extent{}
	}
	if node.Kind == yaml.AliasNode {
		return s.extentOfAlias(node, level)
	}
	if s.run.isBroken(node, level) {
		s.failed = true
		return extent{}
	}
	s.inside[node] = true
	size := extent{nodes: 1, bytes: len(node.Value)}
	for _, child := range node.Content {
		size = size.with(s.extentOf(child, level+1))
	}
	if len(node.Content) > 0 {
		size.depth++
	}
	delete(s.inside, node)
	if node.Anchor != "" {
		s.known[node] = size
	}
	return size
}

func (s *survey) extentOfAlias(alias *yaml.Node, level int) extent {
	s.run.budget.aliases++
	s.alias = cmp.Or(s.alias, alias)
	if s.inside[alias.Alias] {
		s.failed = true
		s.run.refuse(alias, problem{
			code:    CodeRecursiveAlias,
			message: fmt.Sprintf("the alias %s stands inside what it refers to", quote("*"+alias.Value)),
			hint:    "Write the value out instead.",
		})
		return extent{}
	}
	if s.run.isBroken(alias, level) {
		s.failed = true
		return extent{}
	}
	return s.known[alias.Alias]
}

// with adds a child; the sums stop growing long before they overflow.
func (e extent) with(child extent) extent {
	const enough = 1 << 40
	return extent{
		nodes: min(e.nodes+child.nodes, enough),
		bytes: min(e.bytes+child.bytes, enough),
		depth: max(e.depth, child.depth),
	}
}

// isBroken counts a node as written and says whether it breaks a limit, reported there.
func (r *run) isBroken(node *yaml.Node, level int) bool {
	r.budget.written++
	switch {
	case level > r.limits.Depth && len(node.Content) > 0:
		r.refuseDepth(node)
	case r.budget.written > r.limits.Nodes:
		r.budget.exhausted = true
		r.refuse(node, problem{
			code:    CodeTooManyNodes,
			message: fmt.Sprintf("the descriptor has more than %d keys and values", r.limits.Nodes),
			hint:    "Split the application, or move large data out of the manifests.",
		})
	case r.budget.aliases > r.limits.Aliases:
		r.budget.exhausted = true
		r.refuse(node, problem{
			code:    CodeTooManyAliases,
			message: fmt.Sprintf("the descriptor has more than %d aliases", r.limits.Aliases),
			hint:    "Write the values out instead.",
		})
	default:
		return false
	}
	return true
}

func (r *run) refuseDepth(at *yaml.Node) {
	r.refuse(at, problem{
		code:    CodeTooDeep,
		message: fmt.Sprintf("lists and mappings nest deeper than %d levels here", r.limits.Depth),
		hint:    "Use fewer levels.",
	})
}
