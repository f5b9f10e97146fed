package graph

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strconv"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// presenter shows errors to clients: ours with their code and sentence, the tool's own as they are, and
// everything else as INTERNAL, logged once.
type presenter struct{ logger *slog.Logger }

func (p presenter) present(ctx context.Context, err error) *gqlerror.Error {
	shown := &gqlerror.Error{Path: graphql.GetPath(ctx)}
	if gql, ok := errors.AsType[*gqlerror.Error](err); ok {
		if gql.Path != nil {
			shown.Path = gql.Path
		}
		shown.Locations = gql.Locations
		if _, coded := gql.Extensions["code"]; coded {
			return gql
		}
	}
	ours, ok := errors.AsType[*jobmanager.Error](err)
	if !ok {
		ours = p.translate(ctx, err)
	}
	gone := ctx.Err() != nil // nobody waits for the answer any more: that is no failure
	if ours.Kind() == jobmanager.KindInternal || ours.Kind() == jobmanager.KindUnavailable && !gone {
		p.logger.ErrorContext(ctx, "an operation failed", "path", shown.Path.String(), "error", err)
	}
	shown.Message, shown.Extensions = ours.Message, extensions(ours)
	return shown
}

// translate gives our form of what others return: numbers that do not fit, requests that were given up.
func (p presenter) translate(ctx context.Context, err error) *jobmanager.Error {
	_, unreadable := errors.AsType[*strconv.NumError](err)
	_, overlong := errors.AsType[*graphql.IntegerError](err)
	if unreadable || overlong {
		return jobmanager.Wrap(jobmanager.CodeInvalid, err, "a number does not fit its type")
	}
	if ctx.Err() != nil || errors.Is(err, context.Canceled) {
		return jobmanager.Wrap(jobmanager.CodeUnavailable, err, "the request was given up before it was done")
	}
	return jobmanager.Internal(err)
}

// extensions are what a program reads of an error.
func extensions(err *jobmanager.Error) map[string]any {
	e := map[string]any{"code": string(err.Code)}
	if err.Kind() == jobmanager.KindInternal {
		return e
	}
	if len(err.Findings) > 0 {
		e["findings"] = err.Findings
	}
	if err.Code == jobmanager.CodeStaleOwner || err.Code == jobmanager.CodeNotClaimable {
		e["owner"], e["epoch"] = err.Owner, err.Epoch
		if err.Owner == "" {
			e["owner"] = nil
		}
	}
	return e
}

// recovered turns a panic of a resolver into an error, with its stack in the log.
func (p presenter) recovered(ctx context.Context, cause any) error {
	p.logger.ErrorContext(ctx, "a resolver panicked", "cause", fmt.Sprint(cause), "stack", string(debug.Stack()))
	return jobmanager.Internal(nil)
}
