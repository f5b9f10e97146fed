// Package scalar holds the schema's scalars whose Go types are not ours. The generated code calls it; it
// stands apart from package graph, which imports the generated code.
package scalar

import (
	"io"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// MarshalTime writes a time in RFC 3339, UTC, with microseconds where it has any; the zero time as null.
func MarshalTime(t time.Time) graphql.Marshaler {
	if t.IsZero() {
		return graphql.Null
	}
	return graphql.WriterFunc(func(w io.Writer) {
		text := t.UTC().Truncate(time.Microsecond).Format(`"` + time.RFC3339Nano + `"`)
		_, _ = io.WriteString(w, text) // gqlgen gives a buffer
	})
}

// UnmarshalTime reads RFC 3339; INVALID for anything else.
func UnmarshalTime(v any) (time.Time, error) {
	text, ok := v.(string)
	if !ok {
		return time.Time{}, jobmanager.Errorf(jobmanager.CodeInvalid, "a time must be a string such as 2026-01-31T12:00:00Z")
	}
	parsed, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, jobmanager.Errorf(jobmanager.CodeInvalid, "%.40q is not a time such as 2026-01-31T12:00:00Z", text)
	}
	return parsed.UTC().Truncate(time.Microsecond), nil
}
