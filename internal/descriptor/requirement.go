package descriptor

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// readRequirements keeps a component's requirements as written and warns where the ICOS Matchmaker, which
// reads them from the same text, would fail or find nothing.
func (r *run) readRequirements(node *yaml.Node, path string) jobmanager.Value {
	if node == nil {
		return nil
	}
	fields, ok := mappingOf(node)
	if !ok {
		if !hasLostDash(node) {
			r.refuseType(node, path, "a mapping such as cpu: 0.5")
		}
		return valueOf(node)
	}
	for _, entry := range fields.entries {
		if key := keyText(entry.key); !isNull(entry.value) {
			r.checkRequirement(entry, key, path+"."+shorten(key))
		}
	}
	return valueOf(node)
}

func (r *run) checkRequirement(entry entry, key, path string) {
	switch key {
	case "cpu":
		r.checkCPU(entry.value, path)
	case "memory":
		r.checkMemory(entry.value, path)
	case "devices", "architecture":
		r.checkWords(entry.value, path)
	default:
		r.warn(entry.key, problem{
			code:    CodeUnknownRequirement,
			path:    path,
			message: fmt.Sprintf("the ICOS Matchmaker does not know %s and finds no node for a component that requires it", quote(key)),
			hint:    "Remove it, or pin the component with targets.",
		})
	}
}

func (r *run) checkCPU(node *yaml.Node, path string) {
	if isNumber(node) {
		return
	}
	if _, ok := textOf(node); !ok {
		r.refuseType(node, path, "a number such as 0.5")
		return
	}
	r.warn(node, problem{
		code:    CodeCPUText,
		path:    path,
		message: fmt.Sprintf("cpu is the text %s; the ICOS Matchmaker compares numbers and fails on text", quote(resolved(node).Value)),
		hint:    "Write a number of cores without quotes, such as 0.5.",
	})
}

func (r *run) checkMemory(node *yaml.Node, path string) {
	text, isText := textOf(node)
	if !isText && !isNumber(node) {
		r.refuseType(node, path, "a size such as 200Mi")
		return
	}
	if isText && isMatchable(text) {
		return
	}
	r.warn(node, problem{
		code:    CodeMemoryUnit,
		path:    path,
		message: fmt.Sprintf("the ICOS Matchmaker fails on memory %s: it reads Mi and Gi only", quote(resolved(node).Value)),
		hint:    "Write it in Mi or Gi, such as 200Mi.",
	})
}

// isMatchable says whether the Matchmaker reads a memory text: digits, maybe a fraction, and Mi or Gi.
func isMatchable(text string) bool {
	number, found := strings.CutSuffix(text, "Mi")
	if !found {
		number, found = strings.CutSuffix(text, "Gi")
	}
	whole, fraction, dotted := strings.Cut(number, ".")
	return found && isDigits(whole) && (!dotted || isDigits(fraction))
}

func isDigits(text string) bool { return text != "" && strings.Trim(text, "0123456789") == "" }

// checkWords takes one text or a list of texts.
func (r *run) checkWords(node *yaml.Node, path string) {
	for _, item := range oneOrMany(node) {
		if _, ok := textOf(item); !ok {
			r.refuseType(item, path, "text")
		}
	}
}

func isNumber(node *yaml.Node) bool {
	node = resolved(node)
	return node.Kind == yaml.ScalarNode && (node.Tag == tagInt || node.Tag == tagFloat)
}
