package descriptor

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
)

// keyCheck walks a document as written, aliases not followed, and reports what a node tree hides: keys that
// stand twice, list items without their blank, keys that are no text.
type keyCheck struct {
	run *run
	// bodyDepth is the level from which on the nodes belong to a manifest's body, which is not ours to refuse.
	bodyDepth int
	path      []string
}

// never is a bodyDepth that no document reaches.
const never = 1 << 30

// checkHeaderKeys walks the header. The list under manifests holds bodies: manifests[0].spec is at level 3.
func (r *run) checkHeaderKeys(root *yaml.Node) {
	check := &keyCheck{run: r, bodyDepth: never}
	check.walk(root, 0)
}

// checkListKeys walks a document that is a list of manifests: they lie as deep as in the header.
func (r *run) checkListKeys(root *yaml.Node, path string) {
	check := &keyCheck{run: r, bodyDepth: never, path: []string{path}}
	check.walk(root, 0)
}

// checkManifestKeys walks a manifest that is no part of the header.
func (r *run) checkManifestKeys(root *yaml.Node, path string) {
	check := &keyCheck{run: r, path: []string{path}}
	check.walk(root, 0)
}

func (c *keyCheck) walk(node *yaml.Node, level int) {
	switch node.Kind {
	case yaml.MappingNode:
		c.mapping(node, level)
	case yaml.SequenceNode:
		for i, item := range node.Content {
			c.within(fmt.Sprintf("[%d]", i), func() { c.walk(item, level+1) })
		}
	case yaml.ScalarNode:
		if level < c.bodyDepth && strings.Contains(node.Value, "\x00") {
			c.run.refuse(node, problem{
				code:    CodeInvalidCharacter,
				path:    c.where(),
				message: "this text holds a NUL character",
				hint:    "Remove the \\0 escape.",
			})
		}
	default: // an alias: what it refers to is walked where it stands
	}
}

func (c *keyCheck) mapping(node *yaml.Node, level int) {
	seen := map[string]*yaml.Node{}
	broken := false
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		text := keyText(key)
		c.within("."+shorten(text), func() {
			c.walk(key, level)
			switch first, twice := seen[text]; {
			case resolved(key).Kind != yaml.ScalarNode:
				c.refuseKey(key)
			case key.Kind == yaml.ScalarNode && key.Style == 0 && isDashedKey(text):
				// The keys below a lost dash stand in the wrong mapping: that they repeat is a consequence.
				broken = true
				c.reportBlank(key, level)
			case twice && !broken:
				c.refuseTwice(key, first)
			default:
				seen[text] = key
			}
			c.value(text, value, level)
		})
	}
}

// value goes on below a key; below the header's own manifests the bodies begin.
func (c *keyCheck) value(key string, value *yaml.Node, level int) {
	if level == 0 && key == "manifests" && c.bodyDepth == never {
		c.bodyDepth = 3
		defer func() { c.bodyDepth = never }()
	}
	c.walk(value, level+1)
}

func (c *keyCheck) within(segment string, do func()) {
	c.path = append(c.path, segment)
	do()
	c.path = c.path[:len(c.path)-1]
}

func (c *keyCheck) where() string { return strings.TrimPrefix(strings.Join(c.path, ""), ".") }

func (c *keyCheck) refuseTwice(second, first *yaml.Node) {
	c.run.refuse(second, problem{
		code:    CodeDuplicateKey,
		path:    c.where(),
		message: fmt.Sprintf("the key %s stands twice in one mapping, first at %s", quote(keyText(second)), at(first)),
		hint:    "Remove one of the two.",
	})
}

func (c *keyCheck) refuseKey(key *yaml.Node) {
	c.run.refuse(key, problem{
		code:    CodeWrongType,
		path:    c.where(),
		message: "a key is " + kindOf(key) + "; it must be text",
		hint:    "Write a text before the ':'.",
	})
}

func (c *keyCheck) reportBlank(key *yaml.Node, level int) {
	finding := missingBlank(key.Value, c.where())
	if level >= c.bodyDepth {
		c.run.warn(key, finding)
		return
	}
	c.run.refuse(key, finding)
}
