package descriptor

import (
	"encoding/json"
	"math"
	"math/big"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// valueOf writes a node as JSON: keys in their order, aliases and merge keys expanded, numbers as spelled
// where JSON knows the spelling. It is nil for nothing and for null.
func valueOf(node *yaml.Node) jobmanager.Value {
	if isNull(node) {
		return nil
	}
	var out strings.Builder
	writeJSON(&out, node)
	return jobmanager.Value(out.String())
}

func writeJSON(out *strings.Builder, node *yaml.Node) {
	node = resolved(node)
	switch node.Kind {
	case yaml.MappingNode:
		m, _ := mappingOf(node)
		out.WriteByte('{')
		for i, entry := range m.entries {
			if i > 0 {
				out.WriteByte(',')
			}
			out.WriteString(jsonString(keyText(entry.key)))
			out.WriteByte(':')
			writeJSON(out, entry.value)
		}
		out.WriteByte('}')
	case yaml.SequenceNode:
		out.WriteByte('[')
		for i, item := range node.Content {
			if i > 0 {
				out.WriteByte(',')
			}
			writeJSON(out, item)
		}
		out.WriteByte(']')
	default:
		out.WriteString(jsonScalar(node))
	}
}

// jsonScalar writes a scalar. What JSON has no word for, as .inf and dates, is a string as written.
func jsonScalar(node *yaml.Node) string {
	switch node.Tag {
	case tagNull:
		return "null"
	case tagBool:
		switch strings.ToLower(node.Value) {
		case "true", "yes", "on", "y":
			return "true"
		case "false", "no", "off", "n":
			return "false"
		}
	case tagInt, tagFloat:
		if number, ok := jsonNumber(node.Value); ok {
			return number
		}
	}
	return jsonString(node.Value)
}

// jsonNumber keeps the spelling of a number that JSON knows, and writes the others (0x1f, 0o17, 1_000, +1,
// .5) in decimal; false for what is no finite number.
func jsonNumber(text string) (string, bool) {
	if len(text) > longestNumber || hasHugeExponent(text) {
		return "", false
	}
	if json.Valid([]byte(text)) && strings.Trim(text, "+-0123456789.eE") == "" {
		return text, true
	}
	plain := strings.ReplaceAll(strings.TrimPrefix(text, "+"), "_", "")
	if whole, ok := new(big.Int).SetString(plain, 0); ok {
		return whole.String(), true
	}
	if float, err := strconv.ParseFloat(plain, 64); err == nil && !math.IsInf(float, 0) && !math.IsNaN(float) {
		return strconv.FormatFloat(float, 'g', -1, 64), true
	}
	return "", false
}

// longestNumber and largestExponent bound what is a number: databases take neither a million digits nor
// 1e-99999, and such a text is kept as a string.
const (
	longestNumber   = 100
	largestExponent = 308
)

func hasHugeExponent(text string) bool {
	_, exponent, found := strings.Cut(strings.ToLower(text), "e")
	if !found || strings.HasPrefix(text, "0x") {
		return false
	}
	power, err := strconv.Atoi(exponent)
	return err != nil || power > largestExponent || power < -largestExponent
}

// jsonString writes a whole string, however long.
func jsonString(text string) string {
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) // a string always has a JSON form
	return strings.TrimSuffix(out.String(), "\n")
}
