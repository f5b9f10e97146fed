package transport

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/url"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// decodeParams reads a GraphQL request from its JSON text. The error says what is wrong and where, and never
// repeats the text: it may hold secrets, and it may be megabytes.
func decodeParams(text []byte) (*graphql.RawParams, *gqlerror.Error) {
	if !utf8.Valid(text) {
		return nil, problem(jobmanager.CodeInvalid, "the request is not UTF-8; send JSON in UTF-8")
	}
	var members map[string]json.RawMessage
	err := json.Unmarshal(text, &members)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return nil, problem(jobmanager.CodeInvalid, "the request is not JSON: error at byte %d", syntax.Offset)
	}
	if err != nil || members == nil {
		return nil, problem(jobmanager.CodeInvalid,
			`the request is not a JSON object; send one with the member "query" (batches are not supported)`)
	}
	return paramsOf(members)
}

// decodeQuery reads a GraphQL request from the parameters of a URL.
func decodeQuery(values url.Values) (*graphql.RawParams, *gqlerror.Error) {
	members := map[string]json.RawMessage{}
	for _, name := range []string{"query", "operationName"} {
		if values.Has(name) {
			// A string always marshals.
			members[name], _ = json.Marshal(values.Get(name))
		}
	}
	for _, name := range []string{"variables", "extensions"} {
		text := values.Get(name)
		if text == "" {
			continue
		}
		if !json.Valid([]byte(text)) {
			return nil, problem(jobmanager.CodeInvalid, "%s is not JSON; send a URL-encoded JSON object", name)
		}
		members[name] = json.RawMessage(text)
	}
	return paramsOf(members)
}

func paramsOf(members map[string]json.RawMessage) (*graphql.RawParams, *gqlerror.Error) {
	query, err := stringOf(members["query"])
	if err != nil || query == nil {
		return nil, problem(jobmanager.CodeInvalid,
			"query is missing or not a string; send the text of a GraphQL document in it")
	}
	params := &graphql.RawParams{Query: *query}
	name, err := stringOf(members["operationName"])
	if err != nil {
		return nil, problem(jobmanager.CodeInvalid, "operationName is not a string; send a string, null, or nothing")
	}
	if name != nil {
		params.OperationName = *name
	}
	if params.Variables, err = objectOf(members["variables"]); err != nil {
		return nil, problem(jobmanager.CodeInvalid, "variables is not an object; send an object, null, or nothing")
	}
	if params.Extensions, err = objectOf(members["extensions"]); err != nil {
		return nil, problem(jobmanager.CodeInvalid, "extensions is not an object; send an object, null, or nothing")
	}
	return params, nil
}

// stringOf reads a string; absent and null give nil.
func stringOf(raw json.RawMessage) (*string, error) {
	if raw == nil {
		return nil, nil
	}
	var text *string
	err := json.Unmarshal(raw, &text)
	return text, err
}

// objectOf reads an object; absent and null give nil. Numbers keep their digits: a float64 would change
// integers above 2^53.
func objectOf(raw json.RawMessage) (map[string]any, error) {
	if raw == nil {
		return nil, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var object map[string]any
	err := decoder.Decode(&object)
	return object, err
}
