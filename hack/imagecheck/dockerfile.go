package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// image is what the Dockerfile says: how the binary is built, and what the final stage holds and runs.
type image struct {
	build        string            // the shell command that builds the binary, ${VERSION} and ${OUT} open
	base         string            // of the final stage
	copied       map[string]string // destination in the final stage -> source in the stage before
	dataOwner    string            // whom /data is copied for
	env          map[string]string
	user         string
	workdir      string
	volume       string
	exposed      string
	entrypoint   []string
	health       []string
	instructions []string // of the final stage, by name, for the errors
}

// parse reads the few instructions that this Dockerfile uses. One that it does not know is an error, so that the
// check cannot pass over something that Docker would act on.
func parse(text string) (image, error) {
	var i image
	for _, line := range logicalLines(text) {
		word, rest, _ := strings.Cut(line, " ")
		if err := i.add(strings.ToUpper(word), strings.TrimSpace(rest)); err != nil {
			return image{}, fmt.Errorf("%s: %w", line, err)
		}
	}
	return i, nil
}

func (i *image) add(instruction, rest string) error {
	i.instructions = append(i.instructions, instruction)
	switch instruction {
	case "FROM":
		build := i.build
		*i = image{build: build, base: rest, copied: map[string]string{}, env: map[string]string{}}
	case "RUN":
		if strings.Contains(rest, "go build") {
			i.build = rest
		}
	case "COPY":
		return i.addCopy(strings.Fields(rest))
	case "ENV":
		for _, pair := range strings.Fields(rest) {
			name, value, _ := strings.Cut(pair, "=")
			i.env[name] = value
		}
	case "USER":
		i.user = rest
	case "WORKDIR":
		i.workdir = rest
	case "VOLUME":
		i.volume = rest
	case "EXPOSE":
		i.exposed = rest
	case "ENTRYPOINT":
		return json.Unmarshal([]byte(rest), &i.entrypoint)
	case "HEALTHCHECK":
		_, command, _ := strings.Cut(rest, "CMD ")
		return json.Unmarshal([]byte(command), &i.health)
	case "ARG", "LABEL":
	default:
		return fmt.Errorf("the check does not know %s", instruction)
	}
	return nil
}

func (i *image) addCopy(fields []string) error {
	var paths []string
	for _, field := range fields {
		if !strings.HasPrefix(field, "--") {
			paths = append(paths, field)
		}
	}
	if len(paths) < 2 {
		return errors.New("source and destination expected")
	}
	to := paths[len(paths)-1]
	i.copied[to] = paths[0]
	if owner, found := strings.CutPrefix(fields[max(0, len(fields)-3)], "--chown="); found && to == "/data" {
		i.dataOwner = owner
	}
	return nil
}

// check returns what the final stage lacks of what its users count on.
func (i *image) check() []string {
	var wrong []string
	expect := func(what, got, pattern string) {
		if !regexp.MustCompile("^(" + pattern + ")$").MatchString(got) {
			wrong = append(wrong, fmt.Sprintf("%s is %q, want %s", what, got, pattern))
		}
	}
	expect("build command", i.build, `.*CGO_ENABLED=0 go build.*-X main\.version=\$\{VERSION\}.*-o "\$\{OUT\}/jobmanager" \.`)
	expect("base of the final stage", i.base, "scratch")
	expect("USER", i.user, "[1-9][0-9]*:[1-9][0-9]*") // by number: there is no /etc/passwd
	expect("owner of /data", i.dataOwner, regexp.QuoteMeta(i.user))
	expect("VOLUME", i.volume, "/data")
	expect("EXPOSE", i.exposed, "8082")
	expect("LISTEN_HOST", i.env["LISTEN_HOST"], `0\.0\.0\.0`)
	expect("DATA_DIR", i.env["DATA_DIR"], "/data")
	expect("source of /data", i.copied["/data"], "/out/data")
	expect("source of the binary", i.copied[binary], "/out/jobmanager")
	expect("source of the certificates", i.copied[certificates], certificates)
	expect("ENTRYPOINT", strings.Join(i.entrypoint, " "), binary)
	expect("HEALTHCHECK", strings.Join(i.health, " "), binary+" health")
	if len(i.copied) != 3 {
		wrong = append(wrong, fmt.Sprintf("the final stage copies %v, want the binary, the certificates and /data alone", i.copied))
	}
	for _, instruction := range i.instructions {
		if instruction == "RUN" {
			wrong = append(wrong, "the final stage has a RUN, but no shell to run it")
		}
	}
	return wrong
}

// environment is what the entry point gets, and nothing of the caller's.
func (i *image) environment(more ...string) []string {
	var env []string
	for name, value := range i.env {
		env = append(env, name+"="+value)
	}
	return append(env, more...)
}

// logicalLines joins lines that end with a backslash and drops comments and blank lines.
func logicalLines(text string) []string {
	var lines []string
	joined := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if before, more := strings.CutSuffix(line, `\`); more {
			joined += before
			continue
		}
		lines = append(lines, joined+line)
		joined = ""
	}
	return lines
}

func readImage(path string) (image, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return image{}, err
	}
	i, err := parse(string(text))
	if err != nil {
		return image{}, fmt.Errorf("%s: %w", path, err)
	}
	if wrong := i.check(); len(wrong) > 0 {
		return image{}, fmt.Errorf("%s:\n  %s", path, strings.Join(wrong, "\n  "))
	}
	return i, nil
}
