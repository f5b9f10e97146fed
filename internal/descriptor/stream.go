package descriptor

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// byteOrderMark may begin a text; the parser does not count it.
const byteOrderMark = "\uFEFF"

// clean takes the lines of the text. What YAML cannot hold is replaced, so that everything else is still
// found, and reported once: a text in another encoding would fill the answer.
func (r *run) clean(text string) {
	text = strings.TrimPrefix(text, byteOrderMark)
	var out strings.Builder
	out.Grow(len(text))
	count, first := 0, 0
	for i := 0; i < len(text); {
		char, width := utf8.DecodeRuneInString(text[i:])
		if char == utf8.RuneError && width == 1 || !isAllowed(char) {
			if count == 0 {
				first = out.Len()
			}
			count++
			char = utf8.RuneError
		}
		out.WriteRune(char)
		i += width
	}
	cleaned := out.String()
	r.lines = linesOf(cleaned)
	if count == 0 {
		return
	}
	before := linesOf(cleaned[:first])
	line, column := len(before), 1
	if line == 0 || breakWidth(lastRune(before[line-1])) > 0 {
		line++
	} else {
		column = utf8.RuneCountInString(before[line-1]) + 1
	}
	r.refuse(place(line, column), problem{
		code:    CodeInvalidCharacter,
		message: fmt.Sprintf("the text holds %d bytes or characters that are not UTF-8 text, the first one here", count),
		hint:    "Save the file as UTF-8, without control characters.",
	})
}

func lastRune(text string) string {
	_, width := utf8.DecodeLastRuneInString(text)
	return text[len(text)-width:]
}

// isAllowed says whether YAML takes the character as it is.
func isAllowed(char rune) bool {
	switch {
	case char < ' ':
		return char == '\t' || char == '\n' || char == '\r'
	default:
		return char != 0xFFFE && char != 0xFFFF
	}
}

// document is one document of the stream that is not empty.
type document struct {
	// lines of the document with its directives and its marker: what the parser needs.
	lines lines
	// offset is the number of lines of the text before them.
	offset int
	// text is where a manifest's own lines begin: after the marker.
	text int
	// inline is what stands on the marker's line after it, when that is content.
	inline string
}

// split cuts the stream at its markers, which no scalar can hold, so that a mistake in one document hides
// nothing in the next. Documents that are empty or hold only comments are left out.
func split(all lines) []document {
	var documents []document
	start, text, open := 0, 0, false
	inline := ""
	closeAt := func(end int) {
		document := document{lines: all[start:end], offset: start, text: text - start, inline: inline}
		if open && document.hasContent() {
			documents = append(documents, document)
		}
		start, text, open, inline = end, end, false, ""
	}
	for i, line := range all {
		switch {
		case isMarker(line, "---"):
			if open {
				closeAt(i)
			}
			text, open, inline = i+1, true, content(line[len("---"):])
		case isMarker(line, "..."):
			closeAt(i)
			start, text = i+1, i+1
		case !open && !isBlank(line) && !isComment(line) && !strings.HasPrefix(line, "%"):
			// A document without a marker: its comments above belong to it.
			text, open = start, true
		}
	}
	closeAt(len(all))
	return documents
}

// content is what a marker's line holds after the marker; "" when that is a comment.
func content(rest string) string {
	if isBlank(rest) || isComment(rest) {
		return ""
	}
	return strings.TrimLeft(rest, " \t")
}

func (d document) hasContent() bool {
	if d.inline != "" {
		return true
	}
	for _, line := range d.lines[d.text:] {
		if !isBlank(line) && !isComment(line) {
			return true
		}
	}
	return false
}

// parsable is the document for the parser, which refuses %YAML 1.2 although it reads that version: the line
// becomes a comment of equal length.
func (d document) parsable() string {
	var out strings.Builder
	for i, line := range d.lines {
		if i < d.text && strings.HasPrefix(line, "%YAML 1.") {
			line = "#" + line[1:]
		}
		out.WriteString(line)
	}
	return out.String()
}

// source is the text between the markers, byte for byte.
func (d document) source() string { return d.inline + strings.Join(d.lines[d.text:], "") }
