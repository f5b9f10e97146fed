package descriptor

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
)

// longestLabel is RFC 1123's limit for a label.
const longestLabel = 63

// rfc1123 tells the rule in the hints.
const rfc1123 = "Use 1 to 63 lower-case letters, digits and '-', beginning and ending with a letter or digit (RFC 1123)."

// isLabel says whether a name is a label of RFC 1123.
func isLabel(name string) bool {
	if name == "" || len(name) > longestLabel || name[0] == '-' || name[len(name)-1] == '-' {
		return false
	}
	for i := range len(name) {
		if !isLabelChar(rune(name[i])) {
			return false
		}
	}
	return true
}

func isLabelChar(char rune) bool {
	return char >= 'a' && char <= 'z' || char >= '0' && char <= '9' || char == '-'
}

// deriveNamespace makes a label of a name that is none: always the same for the same name.
func deriveNamespace(name string) string {
	label := strings.Map(func(char rune) rune {
		if isLabelChar(char) {
			return char
		}
		return '-'
	}, strings.ToLower(name))
	label = strings.Trim(label, "-")
	if len(label) > longestLabel {
		label = strings.TrimRight(label[:longestLabel], "-")
	}
	if label == "" {
		return fmt.Sprintf("app-%x", sha256.Sum256([]byte(name)))[:len("app-")+8]
	}
	return label
}

// readNames reads name, description and namespace.
func (r *run) readNames(header mapping) {
	r.descriptor.Description = r.readDescription(header)
	r.descriptor.Name = r.readName(header)
	namespace := header.get("namespace")
	if namespace != nil {
		if text, ok := r.needText(namespace, "namespace"); ok {
			r.descriptor.Namespace = text
			r.checkNamespace(namespace, text)
		}
		return
	}
	switch name := r.descriptor.Name; {
	case name == "" || isLabel(name):
		r.descriptor.Namespace = name
	default:
		r.descriptor.Namespace = deriveNamespace(name)
		r.warn(header.get("name"), problem{
			code:    CodeInvalidName,
			path:    "name",
			message: fmt.Sprintf("the application's name %s breaks RFC 1123; its namespace is %s", quote(name), quote(r.descriptor.Namespace)),
			hint:    rfc1123 + " Or give a namespace.",
		})
	}
}

func (r *run) readName(header mapping) string {
	node := header.get("name")
	if node == nil {
		r.refuse(header.node, problem{
			code:    CodeMissingName,
			path:    "name",
			message: "the application has no name",
			hint:    "Add a name to the header. " + rfc1123,
		})
		return ""
	}
	name, ok := r.needText(node, "name")
	if ok && name == "" {
		r.refuse(node, problem{code: CodeMissingName, path: "name", message: "the application's name is empty", hint: rfc1123})
	}
	if header.get("namespace") != nil && name != "" && !isLabel(name) {
		r.warn(node, problem{
			code:    CodeInvalidName,
			path:    "name",
			message: fmt.Sprintf("the application's name %s breaks RFC 1123", quote(name)),
			hint:    rfc1123,
		})
	}
	return name
}

func (r *run) readDescription(header mapping) string {
	node := header.get("description")
	if node == nil {
		r.warn(header.node, problem{
			code:    CodeMissingDescription,
			path:    "description",
			message: "the application has no description; the ICOS Policy Manager refuses one without",
			hint:    "Add a description to the header.",
		})
		return ""
	}
	description, _ := r.needText(node, "description")
	return description
}

func (r *run) checkNamespace(node *yaml.Node, namespace string) {
	if isLabel(namespace) {
		return
	}
	r.refuse(node, problem{
		code:    CodeInvalidName,
		path:    "namespace",
		message: fmt.Sprintf("the namespace %s breaks RFC 1123", quote(namespace)),
		hint:    rfc1123,
	})
}

// needText gives a node's text, and refuses anything else.
func (r *run) needText(node *yaml.Node, path string) (string, bool) {
	text, ok := textOf(node)
	if !ok {
		hint := "Write a text."
		if resolved(node).Kind == yaml.ScalarNode {
			hint = "Put it in quotes."
		}
		r.refuse(node, problem{code: CodeWrongType, path: path, message: path + " is " + kindOf(node) + "; it must be text", hint: hint})
	}
	return text, ok
}

// needItems gives the items of a list, and refuses anything else; nil for nothing.
func (r *run) needItems(node *yaml.Node, path string) []*yaml.Node {
	if node == nil {
		return nil
	}
	items, ok := itemsOf(node)
	if !ok && !hasLostDash(node) {
		r.refuse(node, problem{
			code:    CodeWrongType,
			path:    path,
			message: path + " is " + kindOf(node) + "; it must be a list",
			hint:    "Begin each item with '- '.",
		})
	}
	return items
}

// hasLostDash says whether a mapping was meant as a list: that is reported at its keys.
func hasLostDash(node *yaml.Node) bool {
	m, _ := mappingOf(node)
	for _, entry := range m.entries {
		if isDashedKey(keyText(entry.key)) {
			return true
		}
	}
	return false
}
