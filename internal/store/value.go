package store

import (
	"bytes"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// jsonText is a JSON column: text as it was written, empty for NULL. bun's own JSON fields would be decoded and
// encoded again, and rows with plain values only can be compared with ==.
type jsonText string

// Value gives the text to the database.
func (t jsonText) Value() (driver.Value, error) {
	if t == "" {
		return nil, nil //nolint:nilnil // NULL
	}
	return string(t), nil
}

// Scan takes the text from the database.
func (t *jsonText) Scan(src any) error {
	switch src := src.(type) {
	case nil:
		*t = ""
	case string:
		*t = jsonText(src)
	case []byte:
		*t = jsonText(src)
	default:
		return fmt.Errorf("a JSON column holds a %T", src)
	}
	return nil
}

// encoded makes JSON without the escapes that encoding/json adds for web pages: a descriptor's values stay as
// they were written.
func encoded(v any) (jsonText, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return "", jobmanager.Wrap(jobmanager.CodeInternal, err, "a value cannot be written as JSON")
	}
	return jsonText(strings.TrimSuffix(text.String(), "\n")), nil
}

// encodedList is encoded, with NULL for a list that is nil.
func encodedList[T any](list []T) (jsonText, error) {
	if list == nil {
		return "", nil
	}
	return encoded(list)
}

// encodedPointer is encoded, with NULL for nil.
func encodedPointer[T any](v *T) (jsonText, error) {
	if v == nil {
		return "", nil
	}
	return encoded(v)
}

// decode reads a JSON column; NULL leaves the value alone.
func (t jsonText) decode(into any) error {
	if t == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(t), into); err != nil {
		return jobmanager.Wrap(jobmanager.CodeInternal, err, "a stored value cannot be read")
	}
	return nil
}

// value is the column as a domain value: nil for NULL.
func (t jsonText) value() jobmanager.Value {
	if t == "" {
		return nil
	}
	return jobmanager.Value(t)
}

// plain replaces what PostgreSQL's text cannot hold, so that a caller's NUL byte fails on neither database.
func plain[T ~string](text T) T {
	return T(strings.ReplaceAll(strings.ToValidUTF8(string(text), "\uFFFD"), "\x00", "\uFFFD"))
}

// plains is plain for a list.
func plains[T ~string](list []T) []T {
	out := make([]T, len(list))
	for i, text := range list {
		out[i] = plain(text)
	}
	return out
}
