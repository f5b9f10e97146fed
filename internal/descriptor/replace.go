package descriptor

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// Replace gives components new manifests, by the name of the component: the result parses to the same descriptor
// as text, but that the manifests of these components are exactly the given texts, in their order. Everybody
// else's manifests keep their names and their bytes. The header is written anew, with its comments where they do
// not hang on what goes; where it shares parts by anchors that the change tears, without them. A component that
// has these texts already stays as it is, and when all have, text comes back unchanged.
//
// A reference to a new manifest is that of the manifest in whose place it stands, where the component has as many as
// before; else the name that the manifest has itself (metadata.name) where nothing else in the descriptor has that
// name, else <component>-<n>. A text that a manifest of another component has too is
// written once, and both refer to it.
//
// INVALID, with findings, when a component is not in the descriptor; when a new text is not YAML, not one
// document, or no manifest that the component can have (the sentence and the path tell the component and the
// manifest, line and column count within its text); when the present text, or the result, is refused. TOO_LARGE
// where that is for the size.
func (p Parser) Replace(text string, manifests map[string][]string) (string, error) {
	present := p.run(text)
	if findings := present.sorted(); len(jobmanager.Refusals(findings)) > 0 {
		return "", refusal("the present descriptor is refused", findings)
	}
	change, err := p.changes(present, manifests)
	if err != nil {
		return "", err
	}
	if len(change.texts) == 0 {
		return text, nil
	}
	change.name()
	rest, err := change.documents()
	if err != nil {
		return "", err
	}
	return change.write(rest)
}

// refusal is the error for findings, led by the first one that is an error.
func refusal(what string, findings []jobmanager.Finding) error {
	first := jobmanager.Refusals(findings)[0]
	code, where := jobmanager.CodeInvalid, ""
	if first.Code == CodeTooLarge {
		code = jobmanager.CodeTooLarge
	}
	if first.Line > 0 {
		where = fmt.Sprintf(" (line %d, column %d)", first.Line, first.Column)
	}
	refused := jobmanager.Errorf(code, "%s: %s%s", what, first.Message, where)
	refused.Findings = findings
	return refused
}

// change is what Replace does to a descriptor.
type change struct {
	parser  Parser
	present *run
	// texts are the new manifests, by component; only those that differ from what it has.
	texts map[string][]*source
	// names are the references to them, in the same order.
	names map[string][]string
	// kept are the manifests that stay, in their order; added the new ones, each once.
	kept, added []*source
}

// changes checks the new texts and finds out what differs and what stays.
func (p Parser) changes(present *run, manifests map[string][]string) (change, error) {
	c := change{parser: p, present: present, texts: map[string][]*source{}, names: map[string][]string{}}
	for _, name := range slices.Sorted(maps.Keys(manifests)) {
		part := present.named[name]
		if part == nil {
			return c, jobmanager.Errorf(jobmanager.CodeInvalid, "the descriptor has no component %s; it has %s", quote(name), present.componentNames())
		}
		texts := manifests[name]
		if slices.EqualFunc(part.sources, texts, func(s *source, text string) bool { return s.text == text }) {
			continue
		}
		c.texts[name] = []*source{}
		for i, text := range texts {
			s, err := p.newSource(part, i, text)
			if err != nil {
				return c, err
			}
			if len(texts) == len(part.sources) {
				s.former = part.sources[i].name
			}
			c.texts[name] = append(c.texts[name], s)
		}
	}
	stays := map[*source]bool{}
	for _, part := range present.components {
		for _, s := range part.sources {
			_, changed := c.texts[part.Name]
			stays[s] = stays[s] || !changed
		}
	}
	for _, s := range present.sources {
		if stays[s] || !s.used {
			c.kept = append(c.kept, s)
		}
	}
	return c, nil
}

// newSource reads the text of a component's new manifest; INVALID or TOO_LARGE with findings where it cannot be
// one.
func (p Parser) newSource(part *component, i int, text string) (*source, error) {
	path := fmt.Sprintf("%s.manifests[%d]", part.path, i)
	trial := &run{limits: p.Limits}
	s := trial.readNewSource(part, path, text, p.Bytes)
	if findings := trial.sorted(); len(jobmanager.Refusals(findings)) > 0 {
		for i := range findings {
			findings[i].Path = cmp.Or(findings[i].Path, path) // what is wrong with the whole text has none
		}
		return nil, refusal(fmt.Sprintf("manifest %d of component %s is refused", i+1, quote(part.Name)), findings)
	}
	return s, nil
}

func (r *run) readNewSource(part *component, path, text string, limit int) *source {
	if len(text) > limit {
		r.refuse(nil, problem{
			code:    CodeTooLarge,
			path:    path,
			message: fmt.Sprintf("the manifest has %d bytes; the limit is %d", len(text), limit),
			hint:    "Move large data out of the manifest.",
		})
		return nil
	}
	r.clean(text)
	documents := split(r.lines)
	if len(documents) != 1 {
		at := place(1, 1)
		if len(documents) > 1 {
			at = place(documents[1].offset+1, 1)
		}
		r.refuse(at, problem{
			code:    CodeManifestIncomplete,
			path:    path,
			message: fmt.Sprintf("the text of a manifest is one document, and this one has %d", len(documents)),
			hint:    "Send each document as a manifest of its own.",
		})
		return nil
	}
	root := r.load(documents[0])
	if root == nil {
		return nil
	}
	r.checkManifestKeys(root, path)
	fields, ok := mappingOf(root)
	if !ok {
		r.refuseType(root, path, "a mapping: a manifest")
		return nil
	}
	s := &source{root: root, at: root, path: path, fields: fields, text: text, docker: part.isDocker(), kubernetes: part.isKubernetes()}
	r.addSource(s, "")
	r.checkSources()
	return s
}

// write puts the header before the documents, and proves by parsing that the change is what comes out.
func (c *change) write(documents string) (string, error) {
	header := split(c.present.lines)[0].parsable()
	var refused []jobmanager.Finding
	for _, headerText := range []func(string, *change) (string, error){commentedHeader, plainHeader} {
		written, err := headerText(header, c)
		if err != nil {
			continue
		}
		got, findings := c.parser.Parse(written + documents)
		if len(jobmanager.Refusals(findings)) > 0 {
			refused = findings
			continue
		}
		refused = nil
		if c.isMadeBy(got) {
			return written + documents, nil
		}
	}
	if refused != nil {
		return "", refusal("the descriptor with these manifests is refused", refused)
	}
	return "", jobmanager.Errorf(jobmanager.CodeInvalid, "the header of this descriptor cannot be written anew without changing its meaning: update it by its text")
}

// documents writes all manifests of the result; INVALID when one has no form that gives it back.
func (c *change) documents() (string, error) {
	var all layout
	for _, s := range slices.Concat(c.kept, c.added) {
		piece, ok := c.parser.piece(s.name, s.text)
		if !ok {
			return "", jobmanager.Errorf(jobmanager.CodeInvalid, "the manifest %s (%s) cannot be written into a descriptor without changing its text", quote(s.name), s.path)
		}
		all.add(piece)
	}
	return all.String(), nil
}

// isMadeBy says whether a descriptor is the present one with the change and nothing else. Links are left out:
// manifests draw them.
func (c *change) isMadeBy(got jobmanager.Descriptor) bool {
	was := c.present.descriptor
	if got.Name != was.Name || got.Description != was.Description || got.Namespace != was.Namespace ||
		!bytes.Equal(got.Requirements, was.Requirements) || !bytes.Equal(got.Dependencies, was.Dependencies) ||
		!reflect.DeepEqual(got.Policies, was.Policies) || len(got.Components) != len(was.Components) {
		return false
	}
	for i, part := range was.Components {
		if sources, changed := c.texts[part.Name]; changed {
			part.References = c.names[part.Name]
			part.Manifests = nil
			for j, s := range sources {
				part.Manifests = append(part.Manifests, jobmanager.Manifest{Name: part.References[j], APIVersion: s.object.apiVersion, Kind: s.object.kind, Text: s.text})
			}
		}
		if !reflect.DeepEqual(got.Components[i], part) {
			return false
		}
	}
	return true
}
