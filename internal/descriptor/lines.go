package descriptor

import (
	"strings"
	"unicode/utf8"
)

// lines is a text cut where the YAML parser ends lines, so that its line numbers fit: at LF, CR LF, CR,
// U+0085, U+2028 and U+2029. Each line keeps its end.
type lines []string

func linesOf(text string) lines {
	var all lines
	for len(text) > 0 {
		end := lineEnd(text)
		all = append(all, text[:end])
		text = text[end:]
	}
	return all
}

// lineEnd is the length of the first line of text, its end included.
func lineEnd(text string) int {
	for i := 0; i < len(text); i++ {
		if width := breakWidth(text[i:]); width > 0 {
			return i + width
		}
	}
	return len(text)
}

// breakWidth is the number of bytes of the line break that text begins with; 0 when it begins with none.
func breakWidth(text string) int {
	switch text[0] {
	case '\n':
		return 1
	case '\r':
		if strings.HasPrefix(text, "\r\n") {
			return 2
		}
		return 1
	case 0xC2:
		if strings.HasPrefix(text, "\u0085") {
			return 2
		}
	case 0xE2:
		if strings.HasPrefix(text, "\u2028") || strings.HasPrefix(text, "\u2029") {
			return 3
		}
	}
	return 0
}

// body is a line without its end.
func body(line string) string { return strings.TrimRight(line, "\r\n\u0085\u2028\u2029") }

// indentation counts the spaces that a line begins with. A tab is no indentation in YAML.
func indentation(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

func isBlank(line string) bool { return strings.Trim(body(line), " \t") == "" }

func isComment(line string) bool { return strings.HasPrefix(strings.TrimLeft(line, " \t"), "#") }

// isMarker says whether a line is the document marker: alone, or before a blank.
func isMarker(line, marker string) bool {
	rest, found := strings.CutPrefix(line, marker)
	return found && (body(rest) == "" || rest[0] == ' ' || rest[0] == '\t')
}

// clamp moves a place into the text: the parser reports the end of a text as the line after it.
func (l lines) clamp(line, column int) (int, int) {
	if line < 1 || len(l) == 0 {
		return 0, 0
	}
	if line > len(l) {
		line = len(l)
		column = utf8.RuneCountInString(body(l[line-1])) + 1
	}
	return line, min(max(column, 1), utf8.RuneCountInString(body(l[line-1]))+1)
}

// afterColumns is the byte offset in line of the character at column, which counts from 1.
func afterColumns(line string, column int) int {
	offset := 0
	for range column - 1 {
		_, width := utf8.DecodeRuneInString(line[offset:])
		offset += width
	}
	return offset
}
