package descriptor

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
	"pgregory.net/rapid"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// block draws a block of YAML at an indentation: keys with scalars of every style, lists, mappings, comments
// and blank lines where people put them.
func block(t *rapid.T, indent, level int) string {
	var out strings.Builder
	pad := strings.Repeat(" ", indent)
	for i := range rapid.IntRange(1, 4).Draw(t, "keys") {
		if rapid.IntRange(0, 4).Draw(t, "comment") == 0 {
			left := rapid.IntRange(0, indent+3).Draw(t, "left")
			out.WriteString(strings.Repeat(" ", left) + "# comment\n")
		}
		fmt.Fprintf(&out, "%skey%d:", pad, i)
		kind := rapid.IntRange(0, 9).Draw(t, "kind")
		if level > 2 && kind > 7 {
			kind = 0
		}
		switch kind {
		case 8:
			out.WriteString("\n" + block(t, indent+2, level+1))
		case 9:
			out.WriteString("\n" + pad + "- " + strings.TrimLeft(block(t, indent+2, level+1), " "))
		default:
			out.WriteString(scalar(t, kind, pad))
		}
		if rapid.IntRange(0, 3).Draw(t, "blank") == 0 {
			out.WriteString("\n")
		}
	}
	return out.String()
}

func scalar(t *rapid.T, kind int, pad string) string {
	word := rapid.SampledFrom([]string{"a", "1", "0x1f", "on", "日本", "# no comment", "- x", "a: b", "---", "~"}).Draw(t, "word")
	switch kind {
	case 1:
		return fmt.Sprintf(" %q # after\n", word)
	case 2:
		return " |\n" + pad + "  " + word + "\n\n" + pad + "    deeper\n"
	case 3:
		return " |+\n" + pad + "  " + word + "\n" + pad + "\n\n"
	case 4:
		return " >-\n" + pad + "   " + word + "\n" + pad + "   more\n"
	case 5:
		return " {a: [1, 'x'],\n" + pad + " b: 2}\n"
	case 6:
		return " 'one\n\n" + pad + "  two'\n"
	case 7:
		return " &here x\n" + pad + "again" + strconv.Itoa(len(pad)) + rapid.StringMatching(`[a-z]{6}`).Draw(t, "again") + ": *here\n"
	}
	return " plain\n"
}

// nested puts a manifest into one of the places where a descriptor may carry one.
func nested(t *rapid.T) string {
	const top = "name: app\ndescription: d\ncomponents:\n- name: web\n  manifests: [m]\n"
	form := rapid.IntRange(0, 2).Draw(t, "form")
	indent := []int{0, rapid.IntRange(3, 8).Draw(t, "indent"), rapid.IntRange(2, 6).Draw(t, "dash")}[form]
	pad := strings.Repeat(" ", indent)
	body := pad + "apiVersion: v1\n" + pad + "kind: Pod\n" + pad + "metadata: {name: m}\n" + block(t, indent, 0)
	switch form {
	case 0:
		return top + "---\n" + body + "---\n# end\n"
	case 1:
		tail := rapid.SampledFrom([]string{"", "\n# end\n", "  # end\n- name: n\n  manifest: {services: {}}\n", "policies: []\n", "-\n  # next\n  name: n\n  manifest: {services: {}}\n"}).Draw(t, "tail")
		return top + "manifests:\n- name: m\n  manifest:\n" + body + tail
	}
	return top + "manifests:\n-" + body[1:] + "# end\n"
}

// nodeOf finds the manifest in the text without the code under test: by its parsed documents.
func nodeOf(text string) (*yaml.Node, error) {
	loader, err := yaml.NewLoader(strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	var header, second yaml.Node
	if err := loader.Load(&header); err != nil {
		return nil, err
	}
	fields, _ := mappingOf(header.Content[0])
	items, nested := itemsOf(fields.get("manifests"))
	if !nested {
		if err := loader.Load(&second); err != nil {
			return nil, err
		}
		return second.Content[0], nil
	}
	if entry, _ := mappingOf(items[0]); entry.get("manifest") != nil {
		return entry.get("manifest"), nil
	}
	return items[0], nil
}

func TestEveryManifestParsesAloneToTheValueOfItsNode(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := nested(t)
		if rapid.Bool().Draw(t, "windows") {
			text = strings.ReplaceAll(text, "\n", "\r\n")
		}
		want, err := nodeOf(text)
		got, findings := New(DefaultLimits()).Parse(text)
		refusals := jobmanager.Refusals(findings)
		if (err != nil) != (len(refusals) > 0) {
			t.Fatalf("the parser says %v, the findings %+v:\n%s", err, refusals, text)
		}
		if err != nil {
			return
		}
		manifest := got.Components[0].Manifests[0].Text
		for _, finding := range findings {
			if finding.Code == CodeManifestRewritten && !strings.HasPrefix(finding.Path, "manifests[1]") {
				t.Errorf("rewritten though it stands alone:\n%s\n%s", text, manifest)
			}
		}
		root, err := compose(manifest, 100)
		if err != nil || !same(root, want) {
			t.Fatalf("another value (%v) in\n%s\nof\n%s", err, manifest, text)
		}
		if !strings.HasPrefix(manifest, "apiVersion: v1") {
			t.Errorf("the text does not begin with its first key:\n%s", manifest)
		}
	})
}
