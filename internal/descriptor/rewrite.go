package descriptor

import (
	"strings"

	"go.yaml.in/yaml/v4"
)

// gives says whether text parses alone to the same value as node: the proof that a cut changes nothing.
func (r *run) gives(text string, node *yaml.Node) bool {
	root, err := compose(text, r.limits.Depth)
	return err == nil && isMeasurable(root, r.limits) && same(root, node)
}

// isMeasurable says whether a text that was made here can be walked: it may have got other aliases.
func isMeasurable(root *yaml.Node, limits Limits) bool {
	trial := &run{limits: limits}
	return trial.measure(root)
}

// same compares values: aliases and merge keys expanded, the order of keys kept, spelling left out.
func same(a, b *yaml.Node) bool {
	a, b = resolved(a), resolved(b)
	if a.Kind != b.Kind || a.Tag != b.Tag || a.Value != b.Value {
		return false
	}
	if a.Kind == yaml.MappingNode {
		return sameEntries(a, b)
	}
	if len(a.Content) != len(b.Content) {
		return false
	}
	for i := range a.Content {
		if !same(a.Content[i], b.Content[i]) {
			return false
		}
	}
	return true
}

func sameEntries(a, b *yaml.Node) bool {
	left, _ := mappingOf(a)
	right, _ := mappingOf(b)
	if len(left.entries) != len(right.entries) {
		return false
	}
	for i, entry := range left.entries {
		if !same(entry.key, right.entries[i].key) || !same(entry.value, right.entries[i].value) {
			return false
		}
	}
	return true
}

// rewrite writes a manifest anew because its own lines cannot stand alone; false, with an error, when the
// new text would not be the same.
func (r *run) rewrite(s *source) bool {
	text, err := yaml.Dump(expanded(s.root), yaml.WithV4Defaults(), yaml.WithLineWidth(-1))
	if err != nil || !r.gives(string(text), s.root) {
		r.refuse(s.at, problem{
			code:    CodeManifestNotSeparable,
			path:    s.path,
			message: "this manifest cannot be taken out of the descriptor without changing its value",
			hint:    "Give it a document of its own, after a line with ---.",
		})
		return false
	}
	s.text = string(text)
	r.warn(s.at, problem{
		code:    CodeManifestRewritten,
		path:    s.path,
		message: "this manifest cannot stand alone as written (" + whyRewritten(s) + "); it was written anew, its comments are lost",
		hint:    "Write it as a block mapping without anchors from elsewhere to keep its text.",
	})
	return true
}

func whyRewritten(s *source) string {
	switch {
	case s.at.Kind == yaml.AliasNode:
		return "it is an alias"
	case s.root.Style&yaml.FlowStyle != 0:
		return "it is a flow mapping"
	}
	return "it needs something from outside"
}

// expanded copies a node without anchors, aliases, merge keys, comments and flow style.
func expanded(node *yaml.Node) *yaml.Node {
	node = resolved(node)
	out := &yaml.Node{Kind: node.Kind, Tag: node.Tag, Value: node.Value, Style: node.Style &^ yaml.FlowStyle}
	if node.Kind == yaml.ScalarNode {
		out.Style = scalarStyle(node)
	}
	if m, ok := mappingOf(node); ok {
		for _, entry := range m.entries {
			out.Content = append(out.Content, expanded(entry.key), expanded(entry.value))
		}
		return out
	}
	for _, item := range node.Content {
		out.Content = append(out.Content, expanded(item))
	}
	return out
}

// scalarStyle keeps quotes, and quotes what a block style may not carry over: other line ends than LF.
func scalarStyle(node *yaml.Node) yaml.Style {
	if node.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 && strings.ContainsAny(node.Value, "\r\u0085\u2028\u2029") {
		return node.Style&yaml.TaggedStyle | yaml.DoubleQuotedStyle
	}
	return node.Style
}
