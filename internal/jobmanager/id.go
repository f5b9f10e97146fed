package jobmanager

import (
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ID is the bare UUID of a group, job, resource, event source: 36 lower-case characters.
type ID string

// ParseID reads a UUID in its canonical form, in any case; anything else is INVALID.
func ParseID(text string) (ID, error) {
	valid := len(text) == 36
	for i := 0; valid && i < len(text); i++ {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			valid = text[i] == '-'
			continue
		}
		valid = strings.IndexByte("0123456789abcdefABCDEF", text[i]) >= 0
	}
	if !valid {
		return "", Errorf(CodeInvalid, "%s is not an id: a UUID such as 0190c5a2-7b1e-7c3d-9f00-5b8d3e1a2c44 is expected", quoted(text))
	}
	return ID(strings.ToLower(text)), nil
}

// ResourceID is the id that the job's resource has, or will have: made of the job's own, so that it can be told
// before there is a resource.
func (j *Job) ResourceID() ID {
	const at = 24 // the first digit of the random last part
	const digits, other = "0123456789abcdef", "89abcdef01234567"
	if len(j.ID) <= at {
		return j.ID
	}
	digit := strings.IndexByte(digits, j.ID[at])
	if digit < 0 {
		return j.ID
	}
	return j.ID[:at] + ID(other[digit]) + j.ID[at+1:]
}

// Node is an object that can be found by its id alone.
type Node interface{ IsNode() }

// IsNode marks a group as a Node.
func (*JobGroup) IsNode() {}

// IsNode marks a job as a Node.
func (*Job) IsNode() {}

// IsNode marks a resource as a Node.
func (*Resource) IsNode() {}

// MarshalGQL writes the id as a string; an absent one as null.
func (id ID) MarshalGQL(w io.Writer) { writeOptional(w, string(id)) }

// UnmarshalGQL reads an id; a malformed one is INVALID.
func (id *ID) UnmarshalGQL(v any) error {
	text, ok := v.(string)
	if !ok {
		return Errorf(CodeInvalid, "an id must be a string")
	}
	parsed, err := ParseID(text)
	*id = parsed
	return err
}

// OwnerID names an agent, as the agent itself chose: a UUID for OCM, nuvlabox/… for Nuvla. Empty means nobody.
type OwnerID string

// maxOwnerID bounds what an agent may call itself, in bytes.
const maxOwnerID = 200

// Check refuses a missing, overlong or unprintable owner id.
func (o OwnerID) Check() error {
	if strings.TrimSpace(string(o)) == "" {
		return Errorf(CodeInvalid, "ownerId must not be empty: an agent names itself with it in every call")
	}
	if strings.ContainsFunc(string(o), unicode.IsControl) {
		return Errorf(CodeInvalid, "ownerId must have no control characters such as line ends")
	}
	return CheckText("ownerId", string(o), maxOwnerID)
}

// CheckText refuses a client's text that is longer than most bytes, or that no database can keep as it is: with
// a NUL in it, or not UTF-8. INVALID, with the name of the field.
func CheckText(field, text string, most int) error {
	if len(text) > most {
		return Errorf(CodeInvalid, "%s is longer than %d bytes", field, most)
	}
	if strings.ContainsRune(text, 0) || !utf8.ValidString(text) {
		return Errorf(CodeInvalid, "%s has a NUL character in it or is not UTF-8", field)
	}
	return nil
}

// MarshalGQL writes the owner; nobody as null.
func (o OwnerID) MarshalGQL(w io.Writer) { writeOptional(w, string(o)) }

// UnmarshalGQL reads an owner id.
func (o *OwnerID) UnmarshalGQL(v any) error { return readText(v, (*string)(o)) }

// Text is a string that may be absent: empty in Go, null in GraphQL.
type Text string

// MarshalGQL writes the text; an empty one as null.
func (t Text) MarshalGQL(w io.Writer) { writeOptional(w, string(t)) }

// UnmarshalGQL reads a text.
func (t *Text) UnmarshalGQL(v any) error { return readText(v, (*string)(t)) }

func writeOptional(w io.Writer, text string) {
	out := []byte("null")
	if text != "" {
		out, _ = json.Marshal(text) // a string cannot fail
	}
	_, _ = w.Write(out) // gqlgen gives a buffer
}

func readText(v any, into *string) error {
	text, ok := v.(string)
	if !ok && v != nil {
		return Errorf(CodeInvalid, "a string is expected")
	}
	*into = text
	return nil
}

// quoted shows a caller's own text in a sentence, cut to a length that a log bears.
func quoted(text string) string {
	const most = 60
	if len(text) > most {
		text = text[:most] + "…"
	}
	return strconv.Quote(text)
}
