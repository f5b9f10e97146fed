package graph

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/service"
)

// limits refuses operations that ask for too much, before anything is executed: pages multiply along the
// way down, so a short document can ask for millions of objects.
type limits struct{}

// The limits of one operation.
const (
	// deepest leaves room for the introspection that GraphiQL sends.
	deepest = 20
	// mostObjects counts every object that the pages of an operation may hold, at most.
	mostObjects = 100_000
	// descriptorWeight is how many objects a descriptor's text counts for: it may have a megabyte.
	descriptorWeight = 1000
	// mostFields counts fields after fragments were put in their places, which can double at each level.
	mostFields = 50_000
	// mostRootFields bounds what aliases multiply: each root field is work of its own.
	mostRootFields = 50
)

// ExtensionName is for gqlgen.
func (limits) ExtensionName() string { return "Limits" }

// Validate is for gqlgen: there is nothing to check in the schema.
func (limits) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationContext checks an operation. TOO_LARGE when it is too deep or too wide.
func (limits) MutateOperationContext(_ context.Context, operation *graphql.OperationContext) *gqlerror.Error {
	m := measure{variables: operation.Variables}
	m.walk(operation.Operation.SelectionSet, 1, 1)
	switch {
	case m.depth > deepest:
		return tooLarge("the operation is nested deeper than %d fields", deepest)
	case m.fields > mostFields:
		return tooLarge("the operation has more than %d fields once its fragments stand in their places", mostFields)
	case m.roots > mostRootFields:
		return tooLarge("the operation has more than %d root fields", mostRootFields)
	case m.objects > mostObjects:
		return tooLarge("the operation asks for up to %d objects, more than %d: ask for smaller pages", m.objects, mostObjects)
	}
	return nil
}

func tooLarge(format string, args ...any) *gqlerror.Error {
	err := gqlerror.Errorf(format, args...)
	err.Extensions = map[string]any{"code": string(jobmanager.CodeTooLarge)}
	return err
}

// objectsOf is how many objects a field may hold: a page, a look-up by ids, or the snapshot of a watch; 0 for a
// field that holds one or none.
func objectsOf(f *ast.Field, variables map[string]any) int {
	if f.Definition == nil {
		return 0
	}
	switch arguments := f.Definition.Arguments; {
	case arguments.ForName("first") != nil:
		return min(max(number(f.ArgumentMap(variables)["first"]), 1), jobmanager.LongestPage)
	case arguments.ForName("ids") != nil:
		if ids, ok := f.ArgumentMap(variables)["ids"].([]any); ok {
			return max(len(ids), 1)
		}
	case f.ObjectDefinition != nil && f.ObjectDefinition.Name == "Subscription" && arguments.ForName("filter") != nil:
		return service.LargestSnapshot
	}
	return 0
}

// measure is what a walk through an operation found.
type measure struct {
	variables                     map[string]any
	depth, objects, fields, roots int
}

// walk counts the selection at a depth, below so many objects. The validation before it made sure that
// fragments do not contain themselves.
func (m *measure) walk(selections ast.SelectionSet, depth, below int) {
	m.depth = max(m.depth, depth)
	for _, selection := range selections {
		m.fields++
		if depth > deepest || m.objects > mostObjects || m.fields > mostFields {
			return
		}
		switch s := selection.(type) {
		case *ast.InlineFragment:
			m.walk(s.SelectionSet, depth, below)
		case *ast.FragmentSpread:
			m.walk(s.Definition.SelectionSet, depth, below)
		case *ast.Field:
			m.field(s, depth, below)
		}
	}
}

// field counts one field: a page of n objects multiplies what stands below it.
func (m *measure) field(f *ast.Field, depth, below int) {
	if depth == 1 {
		m.roots++
	}
	if f.Name == "descriptor" {
		m.objects += below * descriptorWeight
	}
	if n := objectsOf(f, m.variables); n > 0 {
		below *= n
		m.objects += below
	}
	if len(f.SelectionSet) > 0 {
		m.walk(f.SelectionSet, depth+1, below)
	}
}
