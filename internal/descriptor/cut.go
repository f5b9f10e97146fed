package descriptor

import (
	"strings"

	"go.yaml.in/yaml/v4"
)

// area is where in the text a nested manifest lies.
type area struct {
	// start is the line of the key above the manifest; 0 for a list item.
	start int
	// end is the last line that may belong to it: the one before the next node outside it.
	end int
	// item says that the manifest is a list item itself.
	item bool
	// inPlace is false when the manifest stands elsewhere and only an alias here.
	inPlace bool
}

// cutOrRewrite finds the text of a nested manifest: its own lines where they stand alone, else new ones.
func (r *run) cutOrRewrite(s *source, area area) bool {
	root := s.root
	if area.inPlace && root.Kind == yaml.MappingNode && root.Style&yaml.FlowStyle == 0 && len(root.Content) > 0 {
		for _, text := range r.cuts(root, area) {
			if r.gives(text, root) {
				s.text = text
				return true
			}
		}
	}
	return r.rewrite(s)
}

// cuts are the texts that a manifest's own lines may give, the likeliest first. A node has no end, so where
// trailing lines may be its value (a block scalar that keeps them, a quoted text) the value decides.
func (r *run) cuts(root *yaml.Node, area area) []string {
	key := root.Content[0]
	if key.Line < 1 || key.Line > len(r.lines) {
		return nil
	}
	first := r.lines[key.Line-1]
	offset := afterColumns(first, key.Column)
	indent := key.Column - 1
	start := key.Line
	if !area.item && strings.Trim(first[:offset], " ") == "" {
		start = area.start + 1
	}
	end := min(area.end, len(r.lines))
	if start < 1 || start > key.Line || end < key.Line {
		return nil
	}
	whole := r.lines[start-1 : end]
	trimmed := trimTail(whole, indent)
	own := unindent(whole, indent)
	if start == key.Line {
		own[0] = first[offset:]
	}
	var cuts []string
	for _, length := range []int{trimmed, withBlanks(whole, trimmed), len(whole)} {
		text := strings.Join(own[:length], "")
		if length == 0 || len(cuts) > 0 && cuts[len(cuts)-1] == text {
			continue
		}
		if breakWidth(lastRune(text)) == 0 {
			cuts = append(cuts, text+"\n")
		}
		cuts = append(cuts, text)
	}
	return cuts
}

// trimTail is the number of lines that remain without the trailing ones that are blank, comments further
// left than the manifest, or the dash of a list item whose content stands below.
func trimTail(all lines, indent int) int {
	length := len(all)
	for length > 1 {
		line := all[length-1]
		outside := indentation(line) < indent && (isComment(line) || isIndicator(line))
		if !isBlank(line) && !outside {
			break
		}
		length--
	}
	return length
}

// isIndicator says whether a line holds nothing but the dashes or question marks that open a node below.
func isIndicator(line string) bool {
	rest, _, _ := strings.Cut(body(line), " #")
	for _, word := range strings.Fields(rest) {
		if word != "-" && word != "?" {
			return false
		}
	}
	return true
}

// withBlanks is length with the blank lines that follow.
func withBlanks(all lines, length int) int {
	for length < len(all) && isBlank(all[length]) {
		length++
	}
	return length
}

// unindent takes indent spaces from each line, less where a line has less.
func unindent(all lines, indent int) lines {
	own := make(lines, len(all))
	for i, line := range all {
		own[i] = line[min(indentation(line), indent):]
	}
	return own
}

// keyLine is the line of a key as written in the mapping itself; 0 when it is merged in from elsewhere.
func (m mapping) keyLine(key string) int {
	for i := 0; i+1 < len(m.node.Content); i += 2 {
		if keyText(m.node.Content[i]) == key {
			return m.node.Content[i].Line
		}
	}
	return 0
}

// after is the key that follows a value in the mapping as written; nil when none does.
func (m mapping) after(value *yaml.Node) *yaml.Node {
	for i := 1; i+1 < len(m.node.Content); i += 2 {
		if m.node.Content[i] == value {
			return m.node.Content[i+1]
		}
	}
	return nil
}
