package descriptor

import (
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// Complete gives body the manifests that it refers to but does not carry, as far as the former text of the
// descriptor has them: for each component, those of the same reference of the former's component of that name.
// Their names and texts come out of Parse as they did from former, byte for byte. The bytes of body come first,
// so findings keep their places; a body that ends within a line gets a line end where documents follow.
//
// A manifest that body carries itself wins; one that is the same but for its spelling keeps the former text, and then
// the header is written anew, see Replace. A reference that neither text resolves stays one, for Parse to tell.
// A body that cannot be read comes back as it is, and so does one that lacks nothing. It never fails; the result
// may exceed a limit that body keeps, which Parse tells too.
func (p Parser) Complete(body, former string) string {
	next, _ := p.Parse(body)
	was, _ := p.Parse(former)
	var kept layout
	carried := map[string]bool{}
	for _, part := range next.Components {
		for _, name := range part.References {
			if carried[name] || len(named(name, part.Manifests)) > 0 {
				continue
			}
			pieces, ok := p.pieces(named(name, formerly(part.Name, was)))
			if ok {
				kept.add(pieces...)
				carried[name] = len(pieces) > 0
			}
		}
	}
	if kept.isEmpty() {
		return p.asBefore(body, was)
	}
	return p.asBefore(joint(body)+kept.String(), was)
}

// asBefore gives manifests that only look otherwise the text that they had: a client that sends JSON re-spells what
// it did not mean to change. A text that is refused stays as it is, for its findings.
func (p Parser) asBefore(text string, was jobmanager.Descriptor) string {
	next, findings := p.Parse(text)
	if len(jobmanager.Refusals(findings)) > 0 {
		return text
	}
	respelled := map[string][]string{}
	for _, part := range next.Components {
		former := formerly(part.Name, was)
		if slices.Equal(former, part.Manifests) || len(former) != len(part.Manifests) || !slices.EqualFunc(former, part.Manifests, sameName) {
			continue
		}
		for i, m := range part.Manifests {
			if sameManifest(former[i], m) {
				m = former[i]
			}
			respelled[part.Name] = append(respelled[part.Name], m.Text)
		}
	}
	if replaced, err := p.Replace(text, respelled); err == nil {
		return replaced
	}
	return text
}

func sameName(a, b jobmanager.Manifest) bool { return a.Name == b.Name }

// sameManifest says whether two manifests have one value, however they are spelled.
func sameManifest(a, b jobmanager.Manifest) bool {
	var one, other any
	return yaml.Unmarshal([]byte(a.Text), &one) == nil && yaml.Unmarshal([]byte(b.Text), &other) == nil &&
		reflect.DeepEqual(one, other)
}

// formerly are the manifests that the component of this name had: of two, which is refused, the first one's.
func formerly(component string, was jobmanager.Descriptor) []jobmanager.Manifest {
	i := slices.IndexFunc(was.Components, func(c jobmanager.Component) bool { return c.Name == component })
	if i < 0 {
		return nil
	}
	return was.Components[i].Manifests
}

// named are the manifests that one reference means: more than one where several documents have that name.
func named(name string, all []jobmanager.Manifest) []jobmanager.Manifest {
	return slices.DeleteFunc(slices.Clone(all), func(m jobmanager.Manifest) bool { return m.Name != name })
}

// joint is text so that documents can follow: it ends a line, and a directive at its end, which would be the next
// document's, is cut off by an end marker.
func joint(text string) string {
	if text != "" && breakWidth(lastRune(text)) == 0 {
		text += "\n"
	}
	if slices.ContainsFunc(linesOf(text), func(line string) bool { return strings.HasPrefix(line, "%") }) {
		text += "...\n"
	}
	return text
}
