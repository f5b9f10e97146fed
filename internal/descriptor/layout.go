package descriptor

import (
	"strconv"
	"strings"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// piece is one manifest written so that Parse gives its name and its text back, byte for byte.
type piece struct {
	name string
	// text is a whole document without its marker, or an entry of a list.
	text    string
	isEntry bool
}

// listHead begins a document that is a list of entries.
const listHead = "manifests:\n"

// pieces writes manifests; false when one of them has no form that gives it back, so that never a part of what
// a reference means is written.
func (p Parser) pieces(manifests []jobmanager.Manifest) ([]piece, bool) {
	var pieces []piece
	for _, manifest := range manifests {
		piece, ok := p.piece(manifest.Name, manifest.Text)
		if !ok {
			return nil, false
		}
		pieces = append(pieces, piece)
	}
	return pieces, true
}

// piece writes a manifest as a document of its own where it has its name itself, else as an entry: as a block,
// where that keeps the text (it knows but one line end), else as a quoted text. Reading it back is the proof.
func (p Parser) piece(name, text string) (piece, bool) {
	entry := "- name: " + strconv.Quote(name) + "\n  manifest: "
	for _, form := range []piece{
		{name: name, text: text},
		{name: name, text: entry + literal(text), isEntry: true},
		{name: name, text: entry + strconv.Quote(text) + "\n", isEntry: true},
	} {
		if p.givesBack(form, text) {
			return form, true
		}
	}
	return piece{}, false
}

// literal is a text as a literal block under the key of a list's entry.
func literal(text string) string {
	content := strings.TrimRight(text, "\n")
	header := "|"
	if strings.HasPrefix(text, " ") || strings.HasPrefix(text, "\n") {
		header += "2" // else the first line with content would tell the indentation
	}
	switch len(text) - len(content) {
	case 0:
		header += "-"
	case 1:
	default:
		header += "+"
	}
	var out strings.Builder
	out.WriteString(header + "\n")
	for line := range strings.SplitSeq(content, "\n") {
		if line != "" {
			out.WriteString("    " + line)
		}
		out.WriteByte('\n')
	}
	out.WriteString(text[min(len(content)+1, len(text)):])
	return out.String()
}

// givesBack says whether a form is read as this one manifest.
func (p Parser) givesBack(form piece, text string) bool {
	if form.text == "" || breakWidth(lastRune(form.text)) == 0 {
		return false
	}
	var alone layout
	alone.add(form)
	trial := &run{limits: p.Limits}
	trial.clean(alone.String())
	documents := split(trial.lines)
	if len(documents) != 1 {
		return false
	}
	trial.readManifestDocument(documents[0], "")
	return len(jobmanager.Refusals(trial.found)) == 0 && len(trial.sources) == 1 &&
		trial.sources[0].name == form.name && trial.sources[0].text == text
}

// layout puts manifests into documents that follow a header. Their order stays, because several of one name are
// applied in it.
type layout struct {
	out strings.Builder
	// listed are the names in the list at the end; nil when no list is open.
	listed map[string]bool
}

func (l *layout) isEmpty() bool { return l.out.Len() == 0 }

// String is the documents, each with its marker.
func (l *layout) String() string { return l.out.String() }

// add appends manifests. Entries share a list unless their names are equal, which one list may not hold.
func (l *layout) add(pieces ...piece) {
	for _, p := range pieces {
		switch {
		case !p.isEntry:
			l.out.WriteString("---\n")
			l.listed = nil
		case l.listed == nil, l.listed[p.name]:
			l.out.WriteString("---\n" + listHead)
			l.listed = map[string]bool{p.name: true}
		default:
			l.listed[p.name] = true
		}
		l.out.WriteString(p.text)
	}
}
