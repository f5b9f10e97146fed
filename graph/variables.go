package graph

import (
	"context"
	"encoding/json"
	"reflect"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// exactVariables refuses variables that the parser lets pass and the specification does not: enum values in
// another case ("True" for TRUE would be stored and shown as it came), texts for numbers, numbers for texts.
type exactVariables struct{ schema *ast.Schema }

// ExtensionName is for gqlgen.
func (*exactVariables) ExtensionName() string { return "ExactVariables" }

// Validate takes the schema in.
func (e *exactVariables) Validate(schema graphql.ExecutableSchema) error {
	e.schema = schema.Schema()
	return nil
}

// MutateOperationContext checks the variables of an operation: GRAPHQL_VALIDATION_FAILED with the place.
func (e *exactVariables) MutateOperationContext(_ context.Context, operation *graphql.OperationContext) *gqlerror.Error {
	for _, definition := range operation.Operation.VariableDefinitions {
		value, given := operation.Variables[definition.Variable]
		if !given {
			continue
		}
		path := ast.Path{ast.PathName("variable"), ast.PathName(definition.Variable)}
		if problem := e.check(definition.Type, value, path); problem != nil {
			return problem
		}
	}
	return nil
}

// check compares one value with the type that it is for.
func (e *exactVariables) check(kind *ast.Type, value any, path ast.Path) *gqlerror.Error {
	v := reflect.ValueOf(value)
	if !v.IsValid() {
		return nil // null: the parser has checked that it may be
	}
	if kind.Elem != nil {
		return e.checkList(kind, v, path)
	}
	definition := e.schema.Types[kind.NamedType]
	if definition == nil {
		return nil
	}
	switch definition.Kind {
	case ast.Enum:
		text, ok := value.(string)
		if !ok || definition.EnumValues.ForName(text) == nil {
			return mismatch(path, "%.40q is no value of %s: spell it exactly as the schema does", value, definition.Name)
		}
	case ast.InputObject:
		return e.checkObject(definition, v, path)
	case ast.Scalar:
		return checkScalar(definition.Name, value, path)
	case ast.Object, ast.Interface, ast.Union: // never of a variable
	}
	return nil
}

func (e *exactVariables) checkList(kind *ast.Type, v reflect.Value, path ast.Path) *gqlerror.Error {
	if v.Kind() != reflect.Slice {
		return e.check(kind.Elem, v.Interface(), path) // one value stands for a list of one
	}
	for i := range v.Len() {
		if problem := e.check(kind.Elem, v.Index(i).Interface(), append(path[:len(path):len(path)], ast.PathIndex(i))); problem != nil {
			return problem
		}
	}
	return nil
}

func (e *exactVariables) checkObject(definition *ast.Definition, v reflect.Value, path ast.Path) *gqlerror.Error {
	object, ok := v.Interface().(map[string]any)
	if !ok {
		return nil // the parser refuses what is no object
	}
	for _, field := range definition.Fields {
		value, given := object[field.Name]
		if !given {
			continue
		}
		if problem := e.check(field.Type, value, append(path[:len(path):len(path)], ast.PathName(field.Name))); problem != nil {
			return problem
		}
	}
	return nil
}

// checkScalar holds the specification's own scalars to their JSON types; ours read their values themselves.
func checkScalar(name string, value any, path ast.Path) *gqlerror.Error {
	_, isText := value.(string)
	if _, isNumber := value.(json.Number); isNumber {
		isText = false
	}
	switch name {
	case "Int", "Float":
		if isText {
			return mismatch(path, "%.40q is a text where a number is expected", value)
		}
	case "String":
		if !isText {
			return mismatch(path, "%v is no text, which is expected here", value)
		}
	}
	return nil
}

func mismatch(path ast.Path, format string, args ...any) *gqlerror.Error {
	problem := gqlerror.ErrorPathf(path, format, args...)
	problem.Extensions = map[string]any{"code": "GRAPHQL_VALIDATION_FAILED"}
	return problem
}
