package app_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"

	"github.com/icos-jobmanager/jobmanager/graph/generated"
	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
	"github.com/icos-jobmanager/jobmanager/internal/config"
)

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// blocks are the fenced pieces of the README in one language.
func blocks(t *testing.T, language string) []string {
	t.Helper()
	var found []string
	for _, match := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(readme(t), -1) {
		found = append(found, match[1])
	}
	if len(found) == 0 {
		t.Fatalf("the README has no block of %s", language)
	}
	return found
}

// curl is one command of the README, taken apart: make test needs no curl on the machine.
var curl = regexp.MustCompile(`(?s)^curl -s (\S+) -H '([^:]+): ([^']+)' -d '(.*)'\s*$`)

func TestCommandsOfTheReadmeRunAsWritten(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Options{})
	for _, block := range blocks(t, "sh") {
		command := curl.FindStringSubmatch(block)
		if command == nil {
			t.Fatalf("not a curl command that this test can take apart:\n%s", block)
		}
		url := strings.Replace(command[1], "http://127.0.0.1:8082", s.URL, 1)
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(command[4]))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set(command[2], command[3])
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close() // it was read to its end
		var answer apptest.Answer
		if err != nil || json.Unmarshal(body, &answer) != nil || len(answer.Errors) > 0 || !strings.Contains(string(body), "hello") {
			t.Errorf("%s\nanswered %v %s", block, err, body)
		}
	}
}

func TestOperationsOfTheReadmeAreValid(t *testing.T) {
	t.Parallel()
	schema := generated.NewExecutableSchema(generated.Config{}).Schema()
	for _, block := range blocks(t, "graphql") {
		if _, problems := gqlparser.LoadQueryWithRules(schema, block, nil); len(problems) > 0 {
			t.Errorf("%s\n%v", block, problems)
		}
	}
}

func TestReadmeNamesEveryVariable(t *testing.T) {
	t.Parallel()
	text := readme(t)
	var walk func(reflect.Type)
	walk = func(part reflect.Type) {
		for i := range part.NumField() {
			field := part.Field(i)
			if field.Anonymous {
				walk(field.Type)
			} else if name := field.Tag.Get("env"); name != "" && !strings.Contains(text, "`"+name+"`") {
				t.Errorf("the README's configuration does not name %s", name)
			}
		}
	}
	walk(reflect.TypeOf(config.Config{}))
}
