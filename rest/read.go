package rest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"

	"github.com/gorilla/mux"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// readID reads the id of the path.
func readID(r *http.Request) (jobmanager.ID, error) {
	id, err := jobmanager.ParseID(mux.Vars(r)["id"])
	if err != nil {
		return "", jobmanager.Wrap(codeMalformed, err, jobmanager.Sentence(err))
	}
	return id, nil
}

// orchestratorName is the form of an orchestrator's name. Which ones there are is an open list: nobody's jobs are an
// empty list, not an error.
var orchestratorName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)

// readOrchestrator reads the orchestrator of the path.
func readOrchestrator(r *http.Request) (string, error) {
	name := mux.Vars(r)["orchestrator"]
	if !orchestratorName.MatchString(name) {
		return "", jobmanager.Errorf(codeMalformed, textNoRuntime)
	}
	return name, nil
}

// readAgent reads who polls; the owner id may be any text.
func readAgent(r *http.Request) (jobmanager.Agent, error) {
	orchestrator, err := readOrchestrator(r)
	return jobmanager.Agent{OwnerID: jobmanager.OwnerID(mux.Vars(r)["owner_id"]), Orchestrator: orchestrator}, err
}

// readPage reads which page of a list is asked for; asked is false for a request that wants the whole list.
func readPage(r *http.Request) (page jobmanager.PageRequest, asked bool, err error) {
	query := r.URL.Query()
	limit, after := query.Get("limit"), query.Get("after")
	if limit == "" && after == "" {
		return page, false, nil
	}
	page = jobmanager.PageRequest{First: jobmanager.DefaultPage, After: after}
	if limit != "" {
		page.First, err = strconv.Atoi(limit)
	}
	if err != nil || page.First < 1 || page.First > jobmanager.LongestPage {
		return page, true, jobmanager.Errorf(codeMalformed, "limit must be a number between 1 and %d", jobmanager.LongestPage)
	}
	return page, true, nil
}

// readBody reads the whole body; TOO_LARGE when there is too much of it.
func readBody(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(r.Body)
	if large, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, jobmanager.Errorf(jobmanager.CodeTooLarge, "the body is larger than %d bytes", large.Limit)
	}
	if err != nil {
		return nil, jobmanager.Wrap(codeUnreadable, err, "the body did not arrive")
	}
	return body, nil
}

// readJSON reads the body into a value, whatever its Content-Type says.
func readJSON(r *http.Request, into any) error {
	body, err := readBody(r)
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return jobmanager.Wrap(codeUnreadable, io.EOF, io.EOF.Error()) // the old service's text for no body
	}
	if err := json.Unmarshal(body, into); err != nil {
		return jobmanager.Wrap(codeUnreadable, err, unreadable(err))
	}
	return nil
}

// unreadable says what is wrong with a JSON text, in its own words instead of Go's.
func unreadable(err error) string {
	if mistyped, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Sprintf("%s must not be a JSON %s", cmp.Or(mistyped.Field, "the body"), mistyped.Value)
	}
	if errors.Is(err, errNoTime) {
		return errNoTime.Error()
	}
	return "the body is no JSON: " + err.Error()
}
