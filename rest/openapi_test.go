package rest

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/gorilla/mux"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
)

// openAPI loads the document.
func openAPI(t *testing.T) *openapi3.T {
	t.Helper()
	text, err := Document()
	if err != nil {
		t.Fatal(err)
	}
	document, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	return document
}

// eachOperation calls f with "METHOD /path" and the operation.
func eachOperation(document *openapi3.T, f func(name string, operation *openapi3.Operation)) {
	for path, item := range document.Paths.Map() {
		for method, operation := range item.Operations() {
			f(method+" "+path, operation)
		}
	}
}

func TestTheDocumentIsValidWithItsExamples(t *testing.T) {
	t.Parallel()
	document := openAPI(t)
	if err := document.Validate(t.Context(), openapi3.EnableExamplesValidation(), openapi3.EnableMultiError()); err != nil {
		t.Error(err)
	}
	if !strings.HasPrefix(document.OpenAPI, "3.0.") {
		t.Errorf("version %s", document.OpenAPI)
	}
}

func TestEveryOperationIsToldInFull(t *testing.T) {
	t.Parallel()
	document, seen := openAPI(t), map[string]string{}
	eachOperation(document, func(name string, operation *openapi3.Operation) {
		if operation.Summary == "" || operation.Description == "" || len(operation.Tags) != 1 {
			t.Errorf("%s has no summary, no description, or not one tag", name)
		}
		if other := seen[operation.OperationID]; operation.OperationID == "" || other != "" {
			t.Errorf("%s has the id %q, as has %q", name, operation.OperationID, other)
		}
		seen[operation.OperationID] = name
		open := operation.Security != nil && len(*operation.Security) == 0
		if unauthenticated := operation.Responses.Status(401); (unauthenticated == nil) != open {
			t.Errorf("%s: without a token: %v, 401 described: %v", name, open, unauthenticated != nil)
		}
		for status, response := range operation.Responses.Map() {
			checkContent(t, name+" "+status, response.Value.Content)
		}
		if operation.RequestBody != nil {
			checkContent(t, name+" request", operation.RequestBody.Value.Content)
			if operation.Responses.Status(413) == nil {
				t.Errorf("%s has a body, and no 413", name)
			}
		}
	})
}

// checkContent wants a schema and an example for each type.
func checkContent(t *testing.T, name string, content openapi3.Content) {
	t.Helper()
	for mediaType, media := range content {
		if media.Schema == nil || media.Example == nil && len(media.Examples) == 0 {
			t.Errorf("%s %s has no schema or no example", name, mediaType)
		}
	}
}

func TestEveryFieldIsDescribed(t *testing.T) {
	t.Parallel()
	document := openAPI(t)
	for name, schema := range document.Components.Schemas {
		describe(t, name, schema)
	}
	eachOperation(document, func(name string, operation *openapi3.Operation) {
		for status, response := range operation.Responses.Map() {
			for _, media := range response.Value.Content {
				describe(t, name+" "+status, media.Schema)
			}
		}
	})
}

// describe wants a description of a schema and of all that is written inside it.
func describe(t *testing.T, name string, schema *openapi3.SchemaRef) {
	t.Helper()
	if schema.Value.Description == "" {
		t.Errorf("%s has no description", name)
	}
	if schema.Ref != "" {
		return // it has its own turn
	}
	for key, property := range schema.Value.Properties {
		describe(t, name+"."+key, property)
	}
	if schema.Value.Items != nil {
		describe(t, name+"[]", schema.Value.Items)
	}
}

// publicSchema parses the public GraphQL schema.
func publicSchema(t *testing.T) *ast.Schema {
	t.Helper()
	text, err := os.ReadFile("../schema.graphqls")
	if err != nil {
		t.Fatal(err)
	}
	schema, err := gqlparser.LoadSchema(&ast.Source{Name: "schema.graphqls", Input: string(text)})
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func TestEveryOperationNamesItsGraphQLEquivalent(t *testing.T) {
	t.Parallel()
	schema := publicSchema(t)
	eachOperation(openAPI(t), func(name string, operation *openapi3.Operation) {
		reason, absent := operation.Extensions["x-graphql-absent"]
		named, present := operation.Extensions["x-graphql-operation"].([]any)
		if absent == present || absent && len(fmt.Sprint(reason)) < 20 {
			t.Errorf("%s must have either x-graphql-operation, a list, or x-graphql-absent, a reason", name)
		}
		for _, equivalent := range named {
			field := fmt.Sprint(equivalent)
			if schema.Query.Fields.ForName(field) == nil && schema.Mutation.Fields.ForName(field) == nil {
				t.Errorf("%s names %s, which the GraphQL schema lacks", name, field)
			}
		}
	})
}

// variable is one of a path; what it is called is nothing on the wire.
var variable = regexp.MustCompile(`\{[^}]*\}`)

// routed are the operations that the door's router knows, as "METHOD /path", but for Docs.
func routed(t *testing.T) []string {
	t.Helper()
	d, open := New(Config{}), mux.NewRouter()
	d.mountOpen(open)
	var names []string
	err := open.Walk(func(r *mux.Route, _ *mux.Router, _ []*mux.Route) error {
		path, err := r.GetPathTemplate()
		if err != nil {
			return err
		}
		methods, err := r.GetMethods()
		for _, method := range methods {
			names = append(names, method+" "+path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range d.routes() {
		names = append(names, r.method+" "+variable.ReplaceAllString("/jobmanager"+r.path, "{}"))
	}
	return names
}

func TestTheDocumentHasTheRoutesOfTheRouter(t *testing.T) {
	t.Parallel()
	got := map[string]bool{}
	eachOperation(openAPI(t), func(name string, _ *openapi3.Operation) { got[variable.ReplaceAllString(name, "{}")] = true })
	want := routed(t)
	for _, name := range want {
		if !got[name] {
			t.Errorf("the document lacks %s", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if !slices.Contains(want, name) {
			t.Errorf("the router lacks %s", name)
		}
	}
}
