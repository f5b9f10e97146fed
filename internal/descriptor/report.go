package descriptor

import (
	"cmp"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v4"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// keep bounds what a run collects before it sorts: a text of nothing but mistakes must not fill the memory.
const keep = 2_000

// report collects findings.
type report struct {
	lines lines
	found []jobmanager.Finding
	// dropped findings were found after keep was full; refused says that an error is among them.
	dropped int
	refused bool
}

// problem is a finding without severity and place.
type problem struct {
	code    string
	path    string
	message string
	hint    string
}

// refuse adds an error at a node; without a node it is about the whole text.
func (r *report) refuse(at *yaml.Node, p problem) { r.add(jobmanager.SeverityError, at, p) }

// warn adds a warning at a node.
func (r *report) warn(at *yaml.Node, p problem) { r.add(jobmanager.SeverityWarning, at, p) }

func (r *report) add(severity jobmanager.Severity, at *yaml.Node, p problem) {
	if len(r.found) >= keep {
		r.dropped++
		r.refused = r.refused || severity == jobmanager.SeverityError
		return
	}
	finding := jobmanager.Finding{Severity: severity, Code: p.code, Message: p.message, Path: p.path, Hint: p.hint}
	if at != nil {
		finding.Line, finding.Column = r.lines.clamp(at.Line, at.Column)
	}
	r.found = append(r.found, finding)
}

// place stands for a node where there is none.
func place(line, column int) *yaml.Node { return &yaml.Node{Line: line, Column: column} }

// at tells a place in a message about another one.
func at(node *yaml.Node) string { return fmt.Sprintf("line %d, column %d", node.Line, node.Column) }

// sorted is the answer: by place, errors first, capped, the last one telling what was left out.
func (r *run) sorted() []jobmanager.Finding {
	slices.SortStableFunc(r.found, func(a, b jobmanager.Finding) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Severity, b.Severity))
	})
	limit := max(r.limits.Findings, 1)
	if len(r.found) <= limit && r.dropped == 0 {
		return r.found
	}
	shown, omitted := r.found[:min(limit-1, len(r.found))], r.found[min(limit-1, len(r.found)):]
	last := jobmanager.Finding{
		Severity: jobmanager.SeverityWarning,
		Code:     CodeTooManyFindings,
		Message:  fmt.Sprintf("%d more findings are not shown", len(omitted)+r.dropped),
		Hint:     "Correct what is shown and try again.",
	}
	// What is hidden must not make a refused descriptor look accepted.
	if r.refused || len(jobmanager.Refusals(omitted)) > 0 {
		last.Severity = jobmanager.SeverityError
	}
	if len(omitted) > 0 {
		last.Line, last.Column = omitted[0].Line, omitted[0].Column
	}
	return append(slices.Clone(shown), last)
}
