package transport

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"

	"github.com/99designs/gqlgen/graphql"
	"github.com/gorilla/websocket"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// HTTP answers one GraphQL request with one response: POST with a JSON body, and GET for queries. Its status
// codes are those of the GraphQL-over-HTTP audits: a request that cannot be read is 4xx; a document that
// cannot be executed is 400 as application/graphql-response+json and 200 as application/json.
//
// Register it last: it answers everything that is no websocket, be it with 405, 406 or 415.
type HTTP struct {
	// ReadLimit is how many bytes a body may have; DefaultReadLimit when it is 0. A longer one gets 413.
	ReadLimit int64
}

var _ graphql.Transport = HTTP{}

// Supports is true for every request but one that asks for a websocket.
func (HTTP) Supports(r *http.Request) bool { return !websocket.IsWebSocketUpgrade(r) }

// refusal is the answer to a request that does not come as far as the executor.
type refusal struct {
	status  int
	allow   string
	problem *gqlerror.Error
}

// reply writes the one answer of a request in the media type that was negotiated.
type reply struct {
	w         http.ResponseWriter
	mediaType string
}

// Do reads the request, executes it and writes the answer. A panic of the executor becomes a 500.
func (h HTTP) Do(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	mediaType, acceptable := negotiate(r.Header.Values("Accept"))
	answer := reply{w: w, mediaType: mediaType}
	defer func() {
		if cause := recover(); cause != nil {
			answer.refuse(&refusal{
				status: http.StatusInternalServerError, problem: recovered(r.Context(), exec, cause),
			})
		}
	}()
	if !acceptable {
		answer.mediaType = mediaJSON
		answer.refuse(&refusal{status: http.StatusNotAcceptable, problem: problem(jobmanager.CodeInvalid,
			"no media type in Accept fits; accept %s or %s", mediaResponse, mediaJSON)})
		return
	}
	params, refused := h.read(w, r)
	if refused != nil {
		answer.refuse(refused)
		return
	}
	h.execute(answer, r, exec, params)
}

func (h HTTP) read(w http.ResponseWriter, r *http.Request) (*graphql.RawParams, *refusal) {
	start := graphql.Now()
	var params *graphql.RawParams
	var invalid *gqlerror.Error
	switch r.Method {
	case http.MethodGet:
		params, invalid = decodeQuery(r.URL.Query())
	case http.MethodPost:
		body, refused := h.readBody(w, r)
		if refused != nil {
			return nil, refused
		}
		params, invalid = decodeParams(body)
	default:
		return nil, &refusal{
			status: http.StatusMethodNotAllowed, allow: "GET, POST",
			problem: problem(jobmanager.CodeInvalid, "this method is not allowed here; use POST, or GET for a query"),
		}
	}
	if invalid != nil {
		return nil, &refusal{status: http.StatusBadRequest, problem: invalid}
	}
	params.Headers = r.Header
	params.ReadTime = graphql.TraceTiming{Start: start, End: graphql.Now()}
	return params, nil
}

// readBody wants the content type because a browser sends any other one to a foreign origin without asking.
func (h HTTP) readBody(w http.ResponseWriter, r *http.Request) ([]byte, *refusal) {
	contentType, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || contentType != mediaJSON || !utf8Charset(params) {
		return nil, &refusal{status: http.StatusUnsupportedMediaType, problem: problem(jobmanager.CodeInvalid,
			"the content type is not supported; send %s in UTF-8", mediaJSON)}
	}
	limit := h.ReadLimit
	if limit == 0 {
		limit = DefaultReadLimit
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, &refusal{status: http.StatusRequestEntityTooLarge, problem: problem(jobmanager.CodeTooLarge,
			"the body is larger than the limit of %d bytes; send a smaller one", tooLarge.Limit)}
	}
	if err != nil {
		return nil, &refusal{status: http.StatusBadRequest, problem: problem(jobmanager.CodeInvalid,
			"the body ended before it was complete; send the request again")}
	}
	return body, nil
}

func (h HTTP) execute(answer reply, r *http.Request, exec graphql.GraphExecutor, params *graphql.RawParams) {
	ctx := r.Context()
	operation, problems := prepare(ctx, exec, params)
	if len(problems) > 0 {
		answer.respond(exec.DispatchError(graphql.WithOperationContext(ctx, operation), problems))
		return
	}
	switch kind := operation.Operation.Operation; {
	case kind == ast.Subscription:
		answer.respond(&graphql.Response{Errors: gqlerror.List{problem(jobmanager.CodeInvalid,
			"a subscription needs a stream of answers; open a websocket with the protocol %s", subprotocol)}})
		return
	case kind == ast.Mutation && r.Method == http.MethodGet:
		answer.refuse(&refusal{
			status: http.StatusMethodNotAllowed, allow: http.MethodPost,
			problem: problem(jobmanager.CodeInvalid, "a mutation is not allowed in GET; send it by POST"),
		})
		return
	}
	responses, ctx := exec.DispatchOperation(ctx, operation)
	result := responses(ctx)
	if result == nil {
		answer.refuse(silence(ctx))
		return
	}
	answer.respond(result)
}

// silence is the answer when the executor gives none, as it does once the request's context has ended.
func silence(ctx context.Context) *refusal {
	if ctx.Err() != nil {
		return &refusal{status: http.StatusServiceUnavailable, problem: problem(jobmanager.CodeUnavailable,
			"the request ended before its answer was ready; try again")}
	}
	return &refusal{status: http.StatusInternalServerError, problem: problem(jobmanager.CodeInternal,
		"internal error: there is no answer; tell the operator")}
}

// respond writes what the executor answered. Only a request that was not executed can have a status other
// than 200.
func (a reply) respond(result *graphql.Response) {
	status := http.StatusOK
	if refused(result) && a.mediaType == mediaResponse {
		status = http.StatusBadRequest
	}
	a.write(status, wireOf(result))
}

func (a reply) refuse(r *refusal) {
	if r.allow != "" {
		a.w.Header().Set("Allow", r.allow)
	}
	a.write(r.status, response{Errors: gqlerror.List{r.problem}})
}

func (a reply) write(status int, body response) {
	text, err := json.Marshal(body)
	if err != nil {
		status = http.StatusInternalServerError
		// An error of strings alone always marshals.
		text, _ = json.Marshal(response{Errors: gqlerror.List{problem(jobmanager.CodeInternal,
			"internal error: the answer cannot be written as JSON; tell the operator")}})
	}
	header := a.w.Header()
	header.Set("Content-Type", a.mediaType+"; charset=utf-8")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "no-store")
	header.Add("Vary", "Accept")
	a.w.WriteHeader(status)
	// A client that has gone cannot be told so.
	_, _ = a.w.Write(text)
}
