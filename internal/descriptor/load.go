package descriptor

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// tooDeep is the sentence that the parser hands back from depthLimit: it keeps no cause, so the sentence
// itself is what tells it from a mistake in the text.
const tooDeep = "the document nests too deeply"

// depthLimit stops the parser before it recurses; measure in limits.go then counts exactly.
type depthLimit int

// CheckDepth is asked for flow and block nesting apart.
func (d depthLimit) CheckDepth(depth int, _ *yaml.DepthContext) error {
	if depth > int(d) {
		return errors.New(tooDeep)
	}
	return nil
}

// CheckAlias allows everything: a node tree keeps aliases as they are.
func (d depthLimit) CheckAlias(int, int) error { return nil }

// compose parses text that holds one document into its root node.
func compose(text string, depth int) (*yaml.Node, error) {
	document, err := composeDocument(text, depth)
	if err != nil {
		return nil, err
	}
	return document.Content[0], nil
}

// composeDocument parses text that holds one document; the comments around the root belong to the document.
func composeDocument(text string, depth int) (document *yaml.Node, err error) {
	// The parser panics where it finds itself in a state it does not know.
	defer func() {
		if cause := recover(); cause != nil {
			document, err = nil, fmt.Errorf("the YAML parser gave up: %v", cause)
		}
	}()
	loader, err := yaml.NewLoader(strings.NewReader(text), yaml.WithPlugin(depthLimit(depth)))
	if err != nil {
		return nil, err
	}
	document = &yaml.Node{}
	var second yaml.Node
	if err := loader.Load(document); err != nil {
		return nil, err
	}
	switch err := loader.Load(&second); {
	case err == nil:
		return nil, errors.New("there is a second document where one is expected")
	case !errors.Is(err, io.EOF):
		return nil, err
	}
	if len(document.Content) != 1 {
		return nil, errors.New("there is no document")
	}
	return document, nil
}

// load parses a document of the stream, with its positions in the whole text, and holds it to the limits.
// It gives nil when the document cannot be used; the findings say why.
func (r *run) load(document document) *yaml.Node {
	root, parsed := r.loadFramed(document, frame{})
	if !parsed {
		r.findMissingBlanks(document)
	}
	return root
}

// loadFramed is load for a document of a framed text; parsed is false when it is not YAML.
func (r *run) loadFramed(document document, inText frame) (root *yaml.Node, parsed bool) {
	if r.budget.exhausted {
		return nil, true
	}
	inText.line += document.offset
	root, err := compose(document.parsable(), r.limits.Depth)
	if err != nil {
		r.refuseSyntax(err, inText)
		return nil, false
	}
	inText.settle(root)
	if !r.measure(root) {
		return nil, true
	}
	return root, true
}

// frame is where a text that was parsed alone stands in the whole one.
type frame struct {
	// line and column are to be added to the positions.
	line, column int
	// scalar, when set, takes all positions: the text is a string whose lines are not those of the descriptor.
	scalar *yaml.Node
}

// frameOf finds the frame of a manifest that is a string. Only a literal block has its lines as they are.
func (r *run) frameOf(scalar *yaml.Node, text string) frame {
	if scalar.Style&yaml.LiteralStyle == 0 {
		return frame{scalar: scalar}
	}
	for i, line := range linesOf(text) {
		if at := scalar.Line + i; !isBlank(line) && at < len(r.lines) {
			written := utf8.RuneCountInString(body(r.lines[at]))
			return frame{line: scalar.Line, column: written - utf8.RuneCountInString(body(line))}
		}
	}
	return frame{scalar: scalar}
}

// place is the place in the whole text of one in the framed text.
func (f frame) place(line, column int) *yaml.Node {
	if f.scalar != nil {
		return f.scalar
	}
	return place(f.line+line, f.column+column)
}

// settle moves the positions of a whole tree.
func (f frame) settle(node *yaml.Node) {
	at := f.place(node.Line, node.Column)
	node.Line, node.Column = at.Line, at.Column
	for _, child := range node.Content {
		f.settle(child)
	}
}

// refuseSyntax reports what the parser says, where it says it.
func (r *run) refuseSyntax(err error, inText frame) {
	at := inText.place(1, 1)
	message := err.Error()
	if cause, ok := errors.AsType[*yaml.LoadError](err); ok {
		message = cause.Message
		if cause.ContextMsg != "" {
			message = cause.ContextMsg + ": " + message
		}
		if cause.Mark.Line > 0 {
			at = inText.place(cause.Mark.Line, cause.Mark.Column)
		}
	}
	if strings.HasSuffix(message, tooDeep) {
		r.refuseDepth(at)
		return
	}
	r.refuse(at, problem{
		code:    CodeYAMLSyntax,
		message: "this is not YAML: " + message,
		hint:    "Look here and in the line above for wrong indentation, a tab, an open quote, or a missing blank after ':' or '-'.",
	})
}

// findMissingBlanks reads the lines of a document that does not parse: "-name:" is a frequent reason, and
// the parser complains only about the line after it.
func (r *run) findMissingBlanks(document document) {
	for i, line := range document.lines {
		dash := indentation(line)
		key, _, found := strings.Cut(line[dash:], ":")
		if found && isDashedKey(key) && !strings.ContainsAny(key, " \t\"'") {
			r.refuse(place(document.offset+i+1, dash+1), missingBlank(key, ""))
		}
	}
}

// isDashedKey says whether a key looks like a list item whose blank is missing.
func isDashedKey(key string) bool {
	if len(key) < 2 || key[0] != '-' {
		return false
	}
	letter := key[1] | 0x20
	return letter >= 'a' && letter <= 'z'
}

func missingBlank(key, path string) problem {
	return problem{
		code:    CodeMissingBlank,
		path:    path,
		message: quote(key) + " begins with '-' and no blank, so it is a key and no list item",
		hint:    fmt.Sprintf("Write %s: with a blank after the dash.", quote("- "+key[1:])),
	}
}
