package matchmaker

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// report collects what is wrong with an inventory file, so that all is told at once.
type report struct{ findings []jobmanager.Finding }

func (r *report) syntax(err error) {
	finding := jobmanager.Finding{
		Code: "INVENTORY_SYNTAX", Message: "not exactly one YAML document in UTF-8", Line: 1, Column: 1,
	}
	if located, ok := errors.AsType[*yaml.LoadError](err); ok && located.Mark.Line > 0 { // 0: about the whole text
		finding.Message = "not YAML: " + shorten(located.Message)
		finding.Line, finding.Column = located.Mark.Line, located.Mark.Column
	}
	r.add(finding)
}

func (r *report) add(finding jobmanager.Finding) {
	finding.Severity = jobmanager.SeverityError
	r.findings = append(r.findings, finding)
}

// refusal is nil when there is no problem; called is what its sentence begins with.
func (r *report) refusal(called string) error {
	if len(r.findings) == 0 {
		return nil
	}
	slices.SortStableFunc(r.findings, func(a, b jobmanager.Finding) int { return a.Line - b.Line })
	lines := make([]string, len(r.findings))
	for i, f := range r.findings {
		lines[i] = fmt.Sprintf("line %d: %s", f.Line, strings.TrimPrefix(f.Path+": ", ": ")+f.Message)
		if f.Hint != "" {
			lines[i] += ": " + f.Hint
		}
	}
	refused := jobmanager.Errorf(jobmanager.CodeInvalid, "%s has problems: %s", called, strings.Join(lines, "; "))
	refused.Findings = r.findings
	return refused
}

// item is one value of the file and where it stands. The zero item is an absent value: it reads as empty
// and complains about nothing.
type item struct {
	node   *yaml.Node
	path   string
	report *report
}

func (i item) absent() bool { return i.node == nil }

func (i item) problem(code, message, hint string) {
	i.report.add(jobmanager.Finding{
		Code: code, Message: message, Hint: hint, Path: i.path, Line: max(i.node.Line, 1), Column: max(i.node.Column, 1),
	})
}

func (i item) at(step string, node *yaml.Node) item {
	for node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	return item{node: node, path: strings.TrimPrefix(i.path+step, "."), report: i.report}
}

// fields of a mapping.
type fields struct {
	item
	byKey map[string]item
}

// fields reads a mapping with these keys and no others.
func (i item) fields(known ...string) fields {
	read := fields{item: i, byKey: map[string]item{}}
	for _, pair := range i.pairs() {
		if !slices.Contains(known, pair.key) {
			pair.value.problem("INVENTORY_UNKNOWN_FIELD", "is not known here", "write one of "+strings.Join(known, ", "))
			continue
		}
		read.byKey[pair.key] = pair.value
	}
	return read
}

type pair struct {
	key   string
	value item
}

// pairs of a mapping in their order; a repeated key is a problem.
func (i item) pairs() []pair {
	if i.absent() {
		return nil
	}
	if i.node.Kind != yaml.MappingNode {
		i.problem("INVENTORY_TYPE", "must be a mapping", "write key: value lines")
		return nil
	}
	var read []pair
	seen := map[string]bool{}
	for k := 0; k+1 < len(i.node.Content); k += 2 {
		key := i.at("", i.node.Content[k])
		name := key.text()
		value := i.at("."+shorten(name), i.node.Content[k+1])
		value.node = movedTo(key.node, value.node)
		if seen[name] {
			value.problem("INVENTORY_DUPLICATE", "stands twice", "remove one of them")
		}
		seen[name] = true
		read = append(read, pair{name, value})
	}
	return read
}

// movedTo gives the value its key's place, where the eye looks first.
func movedTo(key, value *yaml.Node) *yaml.Node {
	moved := *value
	moved.Line, moved.Column = key.Line, key.Column
	return &moved
}

func (f fields) optional(key string) item { return f.byKey[key] }

// required reports a key that is missing or has no value.
func (f fields) required(key string) item {
	value, present := f.byKey[key]
	if present && value.node.ShortTag() != "!!null" {
		return value
	}
	if !f.absent() && (present || f.node.Kind == yaml.MappingNode) {
		f.problem("INVENTORY_MISSING", key+" is missing", "add it")
	}
	return item{}
}

// elements of a list that must have at least one.
func (i item) elements(what string) []item {
	if i.absent() {
		return nil
	}
	if i.node.Kind != yaml.SequenceNode || len(i.node.Content) == 0 {
		i.problem("INVENTORY_TYPE", "must be a list of at least one of "+what, "begin each with a dash")
		return nil
	}
	read := make([]item, len(i.node.Content))
	for k, element := range i.node.Content {
		read[k] = i.at("["+strconv.Itoa(k)+"]", element)
	}
	return read
}

// text of a scalar; an empty or overlong one is a problem.
func (i item) text() string {
	if i.absent() {
		return ""
	}
	if i.node.Kind != yaml.ScalarNode || i.node.Value == "" || len(i.node.Value) > maxName {
		i.problem("INVENTORY_TYPE", "must be a text of 1 to "+strconv.Itoa(maxName)+" bytes", "")
		return ""
	}
	return i.node.Value
}

// texts of a list, or of one scalar; nothing for an absent or null one.
func (i item) texts() []string {
	if i.absent() || i.node.ShortTag() == "!!null" {
		return nil
	}
	if i.node.Kind != yaml.SequenceNode {
		return []string{i.text()}
	}
	var read []string
	for k, element := range i.node.Content {
		read = append(read, i.at("["+strconv.Itoa(k)+"]", element).text())
	}
	return read
}

func (i item) textMap() map[string]string {
	if i.absent() || i.node.ShortTag() == "!!null" {
		return nil
	}
	read := map[string]string{}
	for _, pair := range i.pairs() {
		read[pair.key] = pair.value.text()
	}
	return read
}

// quantity above zero; expected says what to write instead.
func (i item) quantity(parse func(string) (float64, bool), expected string) float64 {
	if i.absent() {
		return 0
	}
	amount, ok := parse(i.node.Value)
	if i.node.Kind != yaml.ScalarNode || !ok || amount <= 0 {
		i.problem("INVENTORY_QUANTITY", strconv.Quote(shorten(i.node.Value))+" is not understood", "write "+expected)
		return 0
	}
	return amount
}

// taken names, with the line of the first.
type taken map[string]int

// claim reports a name that is taken.
func (t taken) claim(name item) {
	if name.absent() || name.node.Kind != yaml.ScalarNode {
		return
	}
	if line, found := t[name.node.Value]; found {
		name.problem("INVENTORY_DUPLICATE",
			fmt.Sprintf("%q is taken by line %d", shorten(name.node.Value), line), "choose another name")
		return
	}
	t[name.node.Value] = name.node.Line
}
