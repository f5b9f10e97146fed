package app_test

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
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

// curlFunction is a curl for the shell that the test itself answers: make test needs none on the machine. Each argument
// ends with a NUL, an empty one ends the call, and the answer is one line.
const curlFunction = `curl() { printf '%s\000' "$@" >&3; printf '\000' >&3; IFS= read -r answer <&4; printf '%s\n' "$answer"; }
`

// TestCommandsOfTheReadmeRunAsWritten gives the README's commands to a shell, one after the other.
func TestCommandsOfTheReadmeRunAsWritten(t *testing.T) {
	t.Parallel()
	user := &reader{t: t, url: apptest.Start(t, apptest.Options{}).URL, dir: t.TempDir()}
	user.run("set -eu\n" + curlFunction + strings.Join(blocks(t, "sh"), "\n"))
	want := []string{"POST /graphql", "POST /graphql", "POST /jobmanager/groups", "PATCH /jobmanager/jobs/promote", "PUT /jobmanager/jobs", "DELETE /jobmanager/groups"}
	for _, call := range user.calls {
		if len(want) > 0 && strings.HasPrefix(call, want[0]) {
			want = want[1:]
		}
	}
	if len(want) > 0 {
		t.Errorf("it called %q, and never %q", user.calls, want)
	}
}

// reader of the README does what it says.
type reader struct {
	t        *testing.T
	url, dir string
	// calls are those of curl, as "METHOD /path".
	calls []string
}

// run gives a script to a shell and answers its calls of curl.
func (u *reader) run(script string) {
	u.t.Helper()
	asked, ask, err := os.Pipe()
	if err != nil {
		u.t.Fatal(err)
	}
	answered, answer, err := os.Pipe()
	if err != nil {
		u.t.Fatal(err)
	}
	shell := exec.CommandContext(u.t.Context(), "sh", "-c", script)
	var said bytes.Buffer
	shell.Dir, shell.ExtraFiles, shell.Stdout, shell.Stderr = u.dir, []*os.File{ask, answered}, &said, &said
	if err := shell.Start(); err != nil {
		u.t.Fatal(err)
	}
	_, _ = ask.Close(), answered.Close() // the shell has its own
	for calls := bufio.NewReader(asked); ; {
		arguments := nextCall(calls)
		if arguments == nil {
			break
		}
		if _, err := answer.WriteString(u.curl(arguments) + "\n"); err != nil {
			u.t.Error(err)
		}
	}
	_, _ = asked.Close(), answer.Close() // nothing is written to them any more
	if err := shell.Wait(); err != nil {
		u.t.Errorf("%v\n%s", err, said.String())
	}
}

// nextCall reads the arguments of a call; nil when the shell has ended.
func nextCall(calls *bufio.Reader) (arguments []string) {
	for {
		argument, err := calls.ReadString(0)
		if argument = strings.TrimSuffix(argument, "\000"); err != nil || argument == "" {
			return arguments
		}
		arguments = append(arguments, argument)
	}
}

// curl does what curl does with the arguments that the README uses. Every call must succeed.
func (u *reader) curl(arguments []string) string {
	u.t.Helper()
	method, address, body, header := "", "", "", http.Header{}
	for i := 0; i < len(arguments); i++ {
		flag := arguments[i]
		switch flag {
		case "-s":
			continue
		case "-X", "-H", "-d", "--data-binary":
			if i++; i == len(arguments) {
				u.t.Errorf("%s of curl has no value in %q", flag, arguments)
				return ""
			}
		default:
			address = strings.Replace(flag, "http://127.0.0.1:8082", u.url, 1)
			continue
		}
		switch value := arguments[i]; flag {
		case "-X":
			method = value
		case "-H":
			name, text, _ := strings.Cut(value, ": ")
			header.Set(name, text)
		default:
			method, body = cmp.Or(method, http.MethodPost), u.data(value)
		}
	}
	if !strings.HasPrefix(address, u.url) {
		u.t.Errorf("not a call of curl that this test knows, to this server: %q", arguments)
		return ""
	}
	return u.call(cmp.Or(method, http.MethodGet), address, body, header)
}

// data is the body that a flag of curl names, or the file's that it names after an @.
func (u *reader) data(value string) string {
	u.t.Helper()
	name, isFile := strings.CutPrefix(value, "@")
	if !isFile {
		return value
	}
	text, err := os.ReadFile(filepath.Join(u.dir, name))
	if err != nil {
		u.t.Error(err)
	}
	return string(text)
}

// call sends a request that must succeed and gives its answer's one line.
func (u *reader) call(method, address, body string, header http.Header) string {
	u.t.Helper()
	request, err := http.NewRequestWithContext(u.t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		u.t.Error(err)
		return ""
	}
	if request.Header = header; body != "" && header.Get("Content-Type") == "" {
		header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	u.calls = append(u.calls, method+" "+request.URL.Path)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		u.t.Error(err)
		return ""
	}
	text, err := io.ReadAll(response.Body)
	_ = response.Body.Close() // it was read to its end
	var answer apptest.Answer
	graphQL := request.URL.Path == "/graphql"
	wrong := graphQL && (json.Unmarshal(text, &answer) != nil || len(answer.Errors) > 0 || !strings.Contains(string(text), "hello"))
	if err != nil || wrong || response.StatusCode >= http.StatusMultipleChoices {
		u.t.Errorf("%s %s %s\nanswered %d %v %s", method, address, body, response.StatusCode, err, text)
	}
	return strings.TrimSpace(string(text))
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
