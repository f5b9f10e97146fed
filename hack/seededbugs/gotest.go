package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
)

// longEnv makes the proofs long; see internal/testkit.Rounds.
const longEnv = "JOBMANAGER_PROVE"

// catcher is a run of tests that should fail.
type catcher struct {
	pkg, tests string
	// long runs proofs as make prove does: they end with the first round that fails.
	long bool
}

// failure is the first test that failed, "" when all passed, with what it printed.
type failure struct{ test, output string }

// test runs a catcher. An error is anything but a test that passed or failed: tests that do not compile, or none.
func (t *tree) test(ctx context.Context, c catcher) (failure, error) {
	command := exec.CommandContext(ctx, "go", "test", "-json", "-count=1", "-failfast", "-timeout=5m", "-vet=off", "-run", c.tests, c.pkg)
	command.Dir = t.dir
	command.Env = append(os.Environ(), "CGO_ENABLED=0", longEnv+"=")
	if c.long {
		command.Env = append(command.Env, longEnv+"=1")
	}
	var complaints bytes.Buffer
	command.Stderr = &complaints
	out, err := command.Output()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		return failure{}, fmt.Errorf("go test: %w", err)
	}
	if ctx.Err() != nil {
		return failure{}, ctx.Err()
	}
	return judge(c, out, complaints.String(), err == nil)
}

// judge reads what go test told.
func judge(c catcher, told []byte, complaints string, passed bool) (failure, error) {
	of := map[string]string{} // what each test printed, and "" for the rest
	ran := false
	for line := range bytes.Lines(told) {
		var event struct{ Action, Test, Output, FailedBuild string }
		if err := json.Unmarshal(line, &event); err != nil {
			return failure{}, fmt.Errorf("go test said %q", line)
		}
		of[event.Test] += event.Output
		switch {
		case event.FailedBuild != "":
			return failure{}, fmt.Errorf("%s does not compile:\n%s%s", c.pkg, complaints, of[""])
		case event.Action == "fail" && event.Test != "": // a subtest comes before the test that it belongs to
			return failure{event.Test, of[event.Test]}, nil
		}
		ran = ran || event.Action == "pass" && event.Test != ""
	}
	if passed && ran {
		return failure{}, nil
	}
	return failure{}, fmt.Errorf("go test -run '%s' %s failed no test and passed not:\n%s%s", c.tests, c.pkg, complaints, of[""])
}
