// Package oldclient has HTTP stand-ins for the clients that were written for the old ICOS Job Manager, as careless as
// the real ones are. They send what those send, in their order and with their omissions, and read answers by their
// rules. For tests and load; they use the standard library alone and know nothing of this server.
//
// Nuvla is the Nuvla agent, Hub the OCM agent with its sidecar, Shell the Shell backend, PolicyManager the Policy
// Manager.
package oldclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// Nuvla stands in for the Nuvla agent 0.0.3, which speaks the oldest dialect. Set the fields, then call Round as often
// as the agent's loop would turn. It holds no lock: one agent is one goroutine.
//
// It is as careless as the real one: it launches whether or not its lock was granted, it never looks at an answer
// beyond reading it as JSON, and what breaks it is logged and forgotten.
type Nuvla struct {
	// URL of the server, without a slash at its end.
	URL string
	// HTTP carries the calls.
	HTTP *http.Client
	// Login gets a token from Keycloak; it is asked again only after a 500.
	Login func() string
	// Launch starts an application on Nuvla; an error is a launch that failed.
	Launch func(NuvlaLaunch) error

	token    string
	stumbles []string
}

// NuvlaLaunch is one application that the agent starts on one target.
type NuvlaLaunch struct {
	Application string
	GroupID     string
	// JobIDs are the jobs that were merged into it, in the order of the list.
	JobIDs []string
	// Manifest is that of all the jobs, with a separator between them.
	Manifest string
	// Target is the name of the cluster.
	Target string
}

// The states that the agent names. NuvlaCreated is also the v0 number of a job that waits.
const (
	NuvlaCreated    = 1
	NuvlaProcessing = 2
	NuvlaCompleted  = 3
)

// nuvlaTries is how often a call is made: once more after a 500, with a new token.
const nuvlaTries = 2

// Round is one turn of the agent's loop: it lists, merges the jobs of each group, and launches. It returns what was
// launched with success.
func (n *Nuvla) Round(ctx context.Context) []NuvlaLaunch {
	jobs, err := n.List(ctx)
	if err != nil {
		n.stumble(err)
		return nil
	}
	merged, err := nuvlaMerge(jobs)
	if err != nil {
		n.stumble(err)
		return nil
	}
	var launched []NuvlaLaunch
	for _, application := range merged {
		launches, err := application.launches()
		if err != nil {
			n.stumble(err) // it ends the whole turn there too
			return launched
		}
		for _, launch := range launches {
			if n.deploy(ctx, launch) {
				launched = append(launched, launch)
			}
		}
	}
	return launched
}

// deploy locks, launches, and says how it went.
func (n *Nuvla) deploy(ctx context.Context, launch NuvlaLaunch) bool {
	each := func(tell func(context.Context, string)) {
		for _, id := range launch.JobIDs {
			tell(ctx, id)
		}
	}
	each(n.Lock)
	if err := n.Launch(launch); err != nil {
		each(n.Unlock)
		return false
	}
	each(n.Complete)
	return true
}

// Stumbles are what the agent would have logged as exceptions, in order: there are none with a server that keeps to
// the dialect.
func (n *Nuvla) Stumbles() []string { return n.stumbles }

func (n *Nuvla) stumble(err error) { n.stumbles = append(n.stumbles, err.Error()) }

// List asks for the jobs to launch. An answer of 400 and more, or one that is no list of objects, is an error; the
// agent goes on with no jobs then. Two answers of 500 in a row are no error and no jobs.
func (n *Nuvla) List(ctx context.Context) ([]map[string]any, error) {
	body, err := n.call(ctx, http.MethodGet, "/jobmanager/jobs/executable/orchestrator/nuvla", nil)
	if err != nil || body == nil {
		return nil, err
	}
	var jobs []map[string]any
	if err := json.Unmarshal(body, &jobs); err != nil {
		return nil, fmt.Errorf("the list of jobs is no list of objects: %w", err)
	}
	if jobs == nil {
		return nil, errors.New("the list of jobs is null")
	}
	return jobs, nil
}

// Lock says that a launch begins.
func (n *Nuvla) Lock(ctx context.Context, job string) { n.put(ctx, job, true, NuvlaProcessing) }

// Complete says that a launch is done.
func (n *Nuvla) Complete(ctx context.Context, job string) { n.put(ctx, job, true, NuvlaCompleted) }

// Unlock says that a launch failed.
func (n *Nuvla) Unlock(ctx context.Context, job string) { n.put(ctx, job, false, NuvlaCreated) }

func (n *Nuvla) put(ctx context.Context, job string, locker bool, state int) {
	text := fmt.Sprintf(`{"ID": %[1]q, "uuid": %[1]q, "locker": %[2]t, "state": %[3]d}`, job, locker, state)
	body, err := n.call(ctx, http.MethodPut, "/jobmanager/jobs/"+job, []byte(text))
	switch {
	case err != nil:
		n.stumble(err)
	case body != nil && !json.Valid(body):
		n.stumble(fmt.Errorf("the answer about job %s is no JSON: %q", job, body))
	}
}

// call sends a request and gives the body of its answer. The token is the one of the last login; a 500 drops it, and
// the call is made once more. nil without an error: both were answered 500.
func (n *Nuvla) call(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	for range nuvlaTries {
		if n.token == "" {
			n.token = n.Login()
		}
		request, err := http.NewRequestWithContext(ctx, method, n.URL+path, bytes.NewReader(body))
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", method, path, err)
		}
		nuvlaHeader(request, n.token, body != nil)
		status, answer, err := nuvlaSend(n.HTTP, request)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%s %s: %w", method, path, err)
		case status == http.StatusInternalServerError:
			n.token = ""
		case status >= http.StatusBadRequest:
			return nil, fmt.Errorf("%s %s was answered %d: %s", method, path, status, bytes.TrimSpace(answer))
		default:
			return append([]byte{}, answer...), nil // never nil
		}
	}
	return nil, nil
}

// nuvlaHeader is what the library of the Python clients sends, as far as a server could care.
func nuvlaHeader(request *http.Request, token string, withBody bool) {
	request.Header.Set("User-Agent", "python-requests/2.27.1")
	request.Header.Set("Accept", "*/*")
	request.Header.Set("Authorization", "Bearer "+token)
	if withBody {
		request.Header.Set("Content-Type", "application/json")
	}
}

// nuvlaSend sends a request and reads the answer to its end.
func nuvlaSend(client *http.Client, request *http.Request) (status int, body []byte, err error) {
	response, err := client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = response.Body.Close() }() // it was read to its end
	body, err = io.ReadAll(response.Body)
	return response.StatusCode, body, err
}
