// Package transport carries GraphQL requests between clients and gqlgen's executor: HTTP as the
// GraphQL-over-HTTP audits want it, and the graphql-transport-ws protocol over websockets.
//
// It knows nothing about jobs, resolves no field and checks no rights. Start with HTTP.Do for one request and
// one answer, and with Websocket.Do for a socket with many operations at a time.
package transport

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// DefaultReadLimit is how many bytes one request may have, as an HTTP body or as a websocket message, unless
// the configuration says otherwise.
const DefaultReadLimit = 4 << 20

// response is the wire form of graphql.Response. Unlike that one it leaves "data" out when nothing was
// executed, so that a client can tell a refused request from a result that is null.
type response struct {
	Errors     gqlerror.List   `json:"errors,omitempty"`
	Data       json.RawMessage `json:"data,omitempty"`
	Extensions map[string]any  `json:"extensions,omitempty"`
}

func wireOf(r *graphql.Response) response {
	return response{Errors: r.Errors, Data: r.Data, Extensions: r.Extensions}
}

// refused tells whether r says that nothing was executed. A result that is null has Data "null", not none.
func refused(r *graphql.Response) bool {
	return len(r.Data) == 0 && len(r.Errors) > 0
}

// problem makes the error that a client sees.
func problem(code jobmanager.Code, format string, args ...any) *gqlerror.Error {
	err := gqlerror.Errorf(format, args...)
	err.Extensions = map[string]any{"code": string(code)}
	return err
}

// prepare parses and validates the request. The errors are those of a well-formed request that cannot be
// executed; the context of the operation is there in both cases.
func prepare(
	ctx context.Context, exec graphql.GraphExecutor, params *graphql.RawParams,
) (*graphql.OperationContext, gqlerror.List) {
	operation, problems := exec.CreateOperationContext(ctx, params)
	if len(problems) > 0 {
		return operation, problems
	}
	if deferred(operation.Doc) {
		return operation, gqlerror.List{problem(jobmanager.CodeInvalid,
			"@defer is not supported; leave the directive out, or ask for these fields in a second request")}
	}
	return operation, nil
}

// deferred tells whether the document uses @defer, whose answers come in parts that neither transport sends.
func deferred(document *ast.QueryDocument) bool {
	for _, operation := range document.Operations {
		if defersIn(operation.SelectionSet) {
			return true
		}
	}
	for _, fragment := range document.Fragments {
		if defersIn(fragment.SelectionSet) {
			return true
		}
	}
	return false
}

func defersIn(selections ast.SelectionSet) bool {
	for _, selection := range selections {
		var directives ast.DirectiveList
		var inner ast.SelectionSet
		switch selection := selection.(type) {
		case *ast.Field:
			inner = selection.SelectionSet
		case *ast.InlineFragment:
			directives, inner = selection.Directives, selection.SelectionSet
		case *ast.FragmentSpread:
			directives = selection.Directives
		}
		if directives.ForName("defer") != nil || defersIn(inner) {
			return true
		}
	}
	return false
}

// recovered turns what a panic left into the error for the client, through the executor's own recover
// function and presenter where it has them, so that it is logged in one place.
func recovered(ctx context.Context, exec graphql.GraphExecutor, cause any) *gqlerror.Error {
	internal := problem(jobmanager.CodeInternal, "%s", jobmanager.Internal(nil).Message)
	presenter, able := exec.(interface {
		PresentRecoveredError(ctx context.Context, cause any) error
	})
	if !able {
		return internal
	}
	presented, ok := errors.AsType[*gqlerror.Error](presenter.PresentRecoveredError(ctx, cause))
	if !ok || presented == nil {
		return internal
	}
	if presented.Extensions["code"] == nil {
		internal.Message = presented.Message
		return internal
	}
	return presented
}
