package rest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// action makes the answer of a request: what is to be written as JSON, or why not.
type action func(*http.Request) (any, error)

// exchange is the one way through this door: read the request, call the service, show the answer.
func exchange[In, Out any](
	read func(*http.Request) (In, error), call func(context.Context, jobmanager.Principal, In) (Out, error), show func(Out) any,
) action {
	return func(r *http.Request) (any, error) {
		input, err := read(r)
		if err != nil {
			return nil, err
		}
		output, err := call(r.Context(), jobmanager.PrincipalFrom(r.Context()), input)
		if err != nil {
			return nil, err
		}
		return show(output), nil
	}
}

// either chooses between two dialects of one route by the body.
func (d *Door) either(first func(body []byte) bool, one, other http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := readBody(r)
		if err != nil {
			d.fail(w, r, nil, err)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if first(body) {
			one.ServeHTTP(w, r)
			return
		}
		other.ServeHTTP(w, r)
	})
}

// answer serves an action; the faults are where the route differs from the table of statuses.
func (d *Door) answer(success int, do action, of faults) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown, err := do(r)
		if err != nil {
			d.fail(w, r, of, err)
			return
		}
		write(w, success, shown)
	})
}

// write sends a value as the old service did: JSON with a line end.
func write(w http.ResponseWriter, status int, value any) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // the client may be gone; what is shown always encodes
}

// This door's own codes.
const (
	// codeUnreadable is for a body that is not of the form that the route takes.
	codeUnreadable jobmanager.Code = "UNREADABLE"
	// codeMalformed is for a path or a query that is not.
	codeMalformed jobmanager.Code = "MALFORMED"
	// codeUnknownRemediation is for an incompliance that was recorded and asks for what nobody knows.
	codeUnknownRemediation jobmanager.Code = "UNKNOWN_REMEDIATION"
)

// fault is how a route answers an error; what is zero is as the table says.
type fault struct {
	status int
	text   string
}

// faults are a route's exceptions from the table, by code.
type faults map[jobmanager.Code]fault

// The well-known texts, which scripts look for.
const (
	textNoJob      = "job not found"
	textNoGroup    = "JobGroup not found"
	textNoRecord   = "record not found"
	textRefused    = "job cannot be promoted"
	textNoOwner    = "owner ID Cannot be empty"
	textNotStopped = "the group is not stopped: undeploy it first, and try again when its jobs are removed"
	textNoRuntime  = "no valid orchestrator type provided"
)

// The exceptions of the routes.
var (
	ofJob     = faults{jobmanager.CodeNotFound: {text: textNoJob}}
	ofJobBody = faults{
		jobmanager.CodeNotFound: {text: textNoJob}, jobmanager.CodeNotClaimable: {text: textRefused},
		codeUnreadable: {status: http.StatusUnprocessableEntity},
	}
	ofPromote = faults{
		jobmanager.CodeNotFound: {status: http.StatusBadRequest, text: textNoJob}, jobmanager.CodeNotClaimable: {text: textRefused},
	}
	ofGroup = faults{jobmanager.CodeNotFound: {text: textNoGroup}}
	// What the Matchmaker does to a start it does to a submission.
	ofStart = faults{
		jobmanager.CodeNotFound: {text: textNoGroup}, jobmanager.CodeUnavailable: {status: http.StatusUnprocessableEntity},
		jobmanager.CodeUnauthenticated: {status: http.StatusUnprocessableEntity},
	}
	ofDelete = faults{jobmanager.CodeNotFound: {text: textNoGroup}, jobmanager.CodeGroupNotStopped: {text: textNotStopped}}
	// A submission is accepted or cannot be processed, whoever is to blame: its old clients know no other answers.
	ofDescriptor = faults{
		jobmanager.CodeInvalid: {status: http.StatusUnprocessableEntity}, jobmanager.CodeUnavailable: {status: http.StatusUnprocessableEntity},
		jobmanager.CodeConflict: {status: http.StatusUnprocessableEntity}, jobmanager.CodeUnauthenticated: {status: http.StatusUnprocessableEntity},
	}
	ofUpdate = faults{
		jobmanager.CodeNotFound: {text: textNoGroup}, jobmanager.CodeInvalid: {status: http.StatusUnprocessableEntity},
		jobmanager.CodeUnavailable: {status: http.StatusUnprocessableEntity}, jobmanager.CodeUnauthenticated: {status: http.StatusUnprocessableEntity},
	}
	ofStatus       = faults{jobmanager.CodeNotFound: {status: http.StatusBadRequest, text: textNoJob}}
	ofStatusRead   = faults{jobmanager.CodeNotFound: {text: textNoRecord}}
	ofIncompliance = faults{codeUnknownRemediation: {status: http.StatusUnprocessableEntity}}
)

// statusOf is the table: what each kind of error is over REST. The old API knows no 409: conflicts are 400.
func statusOf(err *jobmanager.Error) int {
	if isWire(err.Code) {
		return http.StatusBadRequest
	}
	switch err.Kind() {
	case jobmanager.KindInvalid, jobmanager.KindConflict:
		return http.StatusBadRequest
	case jobmanager.KindNotFound:
		return http.StatusNotFound
	case jobmanager.KindUnauthenticated:
		return http.StatusUnauthorized
	case jobmanager.KindForbidden:
		return http.StatusForbidden
	case jobmanager.KindTooLarge:
		return http.StatusRequestEntityTooLarge
	case jobmanager.KindRateLimited:
		return http.StatusTooManyRequests
	case jobmanager.KindUnavailable:
		return http.StatusServiceUnavailable
	case jobmanager.KindInternal:
	}
	return http.StatusInternalServerError
}

// isWire says whether a code is this door's own.
func isWire(code jobmanager.Code) bool {
	return code == codeUnreadable || code == codeMalformed || code == codeUnknownRemediation
}

// fail answers an error, and logs it where it is ours.
func (d *Door) fail(w http.ResponseWriter, r *http.Request, of faults, err error) {
	ours := d.told(w, r, err)
	special := of[ours.Code]
	write(w, cmp.Or(special.status, statusOf(ours)), errorBody{cmp.Or(special.text, sentence(ours))})
}

// told gives our form of an error. What is the server's own fault is logged with the request's id.
func (d *Door) told(w http.ResponseWriter, r *http.Request, err error) *jobmanager.Error {
	ctx := r.Context()
	ours, ok := errors.AsType[*jobmanager.Error](err)
	switch {
	case ok:
	case ctx.Err() != nil:
		ours = jobmanager.Wrap(jobmanager.CodeUnavailable, err, "the request was given up before it was done")
	default:
		ours = jobmanager.Internal(err)
	}
	gone := errors.Is(ctx.Err(), context.Canceled) // nobody waits for the answer any more: that is no failure
	own := !isWire(ours.Code) && ours.Kind() == jobmanager.KindInternal
	if own || ours.Kind() == jobmanager.KindUnavailable && !gone {
		d.config.Logger.ErrorContext(ctx, "a request failed", "id", w.Header().Get("X-Request-Id"),
			"method", r.Method, "path", r.URL.Path, "error", err)
	}
	return ours
}

// sentence is what people are told of an error; of a refused descriptor all that is wrong with it.
func sentence(err *jobmanager.Error) string {
	refusals := jobmanager.Refusals(err.Findings)
	if len(refusals) < 2 {
		return err.Message
	}
	const most = 20 // of one answer
	var told []string
	for _, finding := range refusals[:min(len(refusals), most)] {
		text := finding.Message
		if finding.Line > 0 {
			text = fmt.Sprintf("%s (line %d, column %d)", text, finding.Line, finding.Column)
		}
		told = append(told, text)
	}
	if more := len(refusals) - most; more > 0 {
		told = append(told, fmt.Sprintf("and %d more", more))
	}
	return "the descriptor is refused: " + strings.Join(told, "; ")
}

// cut drops the connection, so that its client gets no whole answer. Where the connection is shared (HTTP/2), or the
// server does not give it away, it says so.
func cut(w http.ResponseWriter) bool {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return false
	}
	_ = conn.Close() // that it is closed is all that counts
	return true
}
