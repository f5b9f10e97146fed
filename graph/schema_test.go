package graph_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/icos-jobmanager/jobmanager/graph/generated"
)

func schema(t *testing.T) *ast.Schema {
	t.Helper()
	return generated.NewExecutableSchema(generated.Config{}).Schema()
}

func TestEveryTypeFieldAndValueIsDescribed(t *testing.T) {
	t.Parallel()
	for name, definition := range schema(t).Types {
		if definition.BuiltIn {
			continue
		}
		if definition.Description == "" {
			t.Errorf("%s has no description", name)
		}
		for _, field := range definition.Fields {
			if field.Description == "" && !strings.HasPrefix(field.Name, "__") {
				t.Errorf("%s.%s has no description", name, field.Name)
			}
			for _, argument := range field.Arguments {
				if argument.Description == "" && argument.Name != "input" && !strings.HasPrefix(field.Name, "__") {
					t.Errorf("%s.%s(%s) has no description", name, field.Name, argument.Name)
				}
			}
		}
		for _, value := range definition.EnumValues {
			if value.Description == "" {
				t.Errorf("%s.%s has no description", name, value.Name)
			}
		}
	}
}

func TestMutationsTakeOneInputAndGiveAPayload(t *testing.T) {
	t.Parallel()
	for _, field := range schema(t).Mutation.Fields {
		if strings.HasPrefix(field.Name, "__") {
			continue
		}
		title := strings.ToUpper(field.Name[:1]) + field.Name[1:]
		if len(field.Arguments) != 1 || field.Arguments[0].Type.String() != title+"Input!" || field.Type.String() != title+"Payload!" {
			t.Errorf("%s is not %s(input: %sInput!): %sPayload!", field.Name, field.Name, title, title)
		}
	}
}

func TestTheFirstQueryOfGraphiQLIsValid(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile("graphiql/start.js")
	if err != nil {
		t.Fatal(err)
	}
	query := regexp.MustCompile("(?s)`(.*?)`").FindSubmatch(script)
	if query == nil {
		t.Fatal("start.js has no query between backticks")
	}
	if _, problems := gqlparser.LoadQueryWithRules(schema(t), string(query[1]), nil); len(problems) > 0 {
		t.Errorf("%s\n%v", query[1], problems)
	}
}
