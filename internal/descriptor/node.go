package descriptor

import (
	"strings"

	"go.yaml.in/yaml/v4"
)

// The tags that the parser resolves scalars to.
const (
	tagNull  = "!!null"
	tagBool  = "!!bool"
	tagInt   = "!!int"
	tagFloat = "!!float"
	tagStr   = "!!str"
	tagMerge = "!!merge"
)

// resolved follows aliases. measure has refused the ones that never end.
func resolved(node *yaml.Node) *yaml.Node {
	for node != nil && node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	return node
}

// entry is one key of a mapping with its value; both as written, so an alias is still one.
type entry struct {
	key   *yaml.Node
	value *yaml.Node
}

// mapping is a mapping with its merge keys resolved, in the order of the text.
type mapping struct {
	node    *yaml.Node
	entries []entry
	index   map[string]int
}

// mappingOf reads a mapping, its aliases followed; false when node is something else.
func mappingOf(node *yaml.Node) (mapping, bool) {
	node = resolved(node)
	if node == nil || node.Kind != yaml.MappingNode {
		return mapping{}, false
	}
	m := mapping{node: node, index: map[string]int{}}
	// The mapping's own keys win over merged ones wherever they stand; among merged ones the first wins.
	own := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if !isMerge(node.Content[i], node.Content[i+1]) {
			own[keyText(node.Content[i])] = true
		}
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if !isMerge(key, value) {
			m.add(entry{key, value})
			continue
		}
		for _, source := range mergeSources(value) {
			merged, _ := mappingOf(source)
			for _, entry := range merged.entries {
				if !own[keyText(entry.key)] {
					m.add(entry)
				}
			}
		}
	}
	return m, true
}

// add takes an entry unless its key is there: of a duplicate key, which is reported, the first one counts.
func (m *mapping) add(e entry) {
	text := keyText(e.key)
	if _, there := m.index[text]; there {
		return
	}
	m.index[text] = len(m.entries)
	m.entries = append(m.entries, e)
}

// isMerge says whether a key merges mappings into its own; "<<" with any other value is a plain key.
func isMerge(key, value *yaml.Node) bool {
	return key.Kind == yaml.ScalarNode && key.Tag == tagMerge && mergeSources(value) != nil
}

// mergeSources are the mappings under a merge key; nil when there is anything else.
func mergeSources(value *yaml.Node) []*yaml.Node {
	value = resolved(value)
	switch value.Kind {
	case yaml.MappingNode:
		return []*yaml.Node{value}
	case yaml.SequenceNode:
		for _, item := range value.Content {
			if resolved(item).Kind != yaml.MappingNode {
				return nil
			}
		}
		return value.Content
	default:
		return nil
	}
}

// keyText is a key as JSON knows it. A list or mapping as a key is reported; here it only has to differ.
func keyText(key *yaml.Node) string {
	key = resolved(key)
	if key.Kind == yaml.ScalarNode {
		return key.Value
	}
	return string(valueOf(key))
}

// get is the value of a key as written; nil when it is absent or null.
func (m mapping) get(key string) *yaml.Node {
	i, there := m.index[key]
	if !there || isNull(m.entries[i].value) {
		return nil
	}
	return m.entries[i].value
}

// text is the string under a key; "" when it is something else.
func (m mapping) text(key string) string {
	text, _ := textOf(m.get(key))
	return text
}

func isNull(node *yaml.Node) bool {
	node = resolved(node)
	return node == nil || node.Kind == yaml.ScalarNode && node.Tag == tagNull
}

// textOf is the value of a string. One with a NUL, which no database keeps, is none.
func textOf(node *yaml.Node) (string, bool) {
	node = resolved(node)
	if node == nil || node.Kind != yaml.ScalarNode || node.Tag != tagStr || strings.Contains(node.Value, "\x00") {
		return "", false
	}
	return node.Value, true
}

// itemsOf are the items of a list; false when node is something else.
func itemsOf(node *yaml.Node) ([]*yaml.Node, bool) {
	node = resolved(node)
	if node == nil || node.Kind != yaml.SequenceNode {
		return nil, false
	}
	return node.Content, true
}

// oneOrMany are the items of a list, or the node itself when it is no list.
func oneOrMany(node *yaml.Node) []*yaml.Node {
	if node == nil {
		return nil
	}
	if items, ok := itemsOf(node); ok {
		return items
	}
	return []*yaml.Node{node}
}

// kindOf names what a node is, for people.
func kindOf(node *yaml.Node) string {
	node = resolved(node)
	switch {
	case node == nil:
		return "nothing"
	case node.Kind == yaml.MappingNode:
		return "a mapping"
	case node.Kind == yaml.SequenceNode:
		return "a list"
	}
	switch node.Tag {
	case tagNull:
		return "null"
	case tagBool:
		return "true or false"
	case tagInt, tagFloat:
		return "a number"
	case tagStr:
		return "text"
	}
	return "a value of type " + node.Tag
}

// longestQuote bounds what a finding repeats of the descriptor, in characters.
const longestQuote = 80

// quote shows a piece of the descriptor in a message.
func quote(text string) string { return jsonString(shorten(text)) }

// shorten keeps messages and paths readable, and storable, whatever the descriptor holds.
func shorten(text string) string {
	text = strings.ReplaceAll(text, "\x00", "\uFFFD")
	if len(text) <= longestQuote {
		return text
	}
	if runes := []rune(text); len(runes) > longestQuote {
		return string(runes[:longestQuote]) + "…"
	}
	return text
}
