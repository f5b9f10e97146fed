package transport_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/icos-jobmanager/jobmanager/graph/transport"
	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// wantNothingMore asks a query: all that was sent before comes before its answer.
func (c client) wantNothingMore() {
	c.t.Helper()
	c.send(queryHello)
	c.want(helloResult, helloComplete)
}

func TestADocumentThatCannotBeExecutedGetsErrorAndNoComplete(t *testing.T) {
	t.Parallel()
	c := newSocketServer(t, transport.WebsocketConfig{}, nil).open(t)
	for query, code := range map[string]string{
		"{": "GRAPHQL_PARSE_FAILED", "": "GRAPHQL_VALIDATION_FAILED", "{nothing}": "GRAPHQL_VALIDATION_FAILED",
		"subscription{...@defer{stream}}": "INVALID",
	} {
		c.subscribe("1", query)
		got := c.receive()
		if !strings.HasPrefix(got, `{"type":"error","id":"1","payload":[{`) || !strings.Contains(got, code) {
			t.Errorf("%s: got %s", query, got)
		}
		c.wantNothingMore()
	}
}

func TestASubscriptionThatIsRefusedAtItsStartGetsError(t *testing.T) {
	t.Parallel()
	c := newSocketServer(t, transport.WebsocketConfig{}, map[string]field{
		"stream": func(ctx context.Context, _ map[string]any) graphql.ResponseHandler {
			graphql.AddError(ctx, jobmanager.Errorf(jobmanager.CodeNotFound, "no such job"))
			return nil
		},
	}).open(t)
	c.send(subscribeStream)
	c.want(`{"type":"error","id":"1","payload":[{"message":"no such job","extensions":{"code":"NOT_FOUND"}}]}`)
	c.wantNothingMore()
}

func TestAResultWithErrorsAndDataIsNextAndComplete(t *testing.T) {
	t.Parallel()
	c := newSocketServer(t, transport.WebsocketConfig{}, map[string]field{
		"field": func(context.Context, map[string]any) graphql.ResponseHandler {
			return graphql.OneShot(&graphql.Response{Data: []byte("null"), Errors: gqlerror.List{{Message: "no"}}})
		},
	}).open(t)
	c.send(`{"id":"1","type":"subscribe","payload":{"query":"{field}"}}`)
	c.want(`{"type":"next","id":"1","payload":{"errors":[{"message":"no"}],"data":null}}`, `{"type":"complete","id":"1"}`)
}

func TestAStreamCanEndWithAnError(t *testing.T) {
	t.Parallel()
	c := newSocketServer(t, transport.WebsocketConfig{}, map[string]field{
		"stream": stream(func(ctx context.Context) <-chan string {
			items := make(chan string, 1)
			items <- "one"
			transport.EndWithError(ctx, jobmanager.Errorf(jobmanager.CodeSlowConsumer, "too slow"))
			close(items)
			return items
		}),
	}).open(t)
	c.send(subscribeStream)
	c.want(`{"type":"next","id":"1","payload":{"data":{"stream":"one"}}}`,
		`{"type":"error","id":"1","payload":[{"message":"too slow","extensions":{"code":"SLOW_CONSUMER"}}]}`)
	c.wantNothingMore()
}

func TestAPanicEndsItsOperationAlone(t *testing.T) {
	t.Parallel()
	c := newSocketServer(t, transport.WebsocketConfig{}, map[string]field{
		"field":  panicking,
		"stream": value(`{"stream":`),
	}).open(t)
	c.send(`{"id":"1","type":"subscribe","payload":{"query":"{field}"}}`)
	c.want(`{"type":"error","id":"1","payload":[{"message":"recovered: at the disco","extensions":{"code":"INTERNAL"}}]}`)
	c.send(subscribeStream)
	if got := c.receive(); !strings.Contains(got, `"code":"INTERNAL"`) || !strings.Contains(got, `"type":"error"`) {
		t.Errorf("a result that is no JSON: got %s", got)
	}
	c.wantNothingMore()
}

func TestAfterTheClientsCompleteNothingMoreComes(t *testing.T) {
	t.Parallel()
	quiet := newSilent()
	// This one ends with a last result although it was cancelled.
	stubborn := func(ctx context.Context, args map[string]any) graphql.ResponseHandler {
		responses := quiet.field()(ctx, args)
		return func(ctx context.Context) *graphql.Response {
			responses(ctx)
			return &graphql.Response{Data: []byte(`{"stream":"too late"}`)}
		}
	}
	c := newSocketServer(t, transport.WebsocketConfig{}, map[string]field{"stream": stubborn}).open(t)
	for range 2 { // the id is free again at once
		c.send(subscribeStream)
		await(t, "the start", quiet.started)
		c.send(`{"type":"complete","id":"1"}`)
		c.send(`{"type":"complete","id":"1"}`)
		await(t, "the end", quiet.ended)
		c.wantNothingMore()
	}
}

func TestAnIdIsFreeOnceItsCompleteWasSent(t *testing.T) {
	t.Parallel()
	c := newSocketServer(t, transport.WebsocketConfig{}, nil).open(t)
	for range 50 {
		c.wantNothingMore()
	}
}

func TestAFurtherOperationIsRateLimited(t *testing.T) {
	t.Parallel()
	quiet := newSilent()
	c := newSocketServer(t, transport.WebsocketConfig{MaxOperations: 2}, map[string]field{"stream": quiet.field()}).open(t)
	wantLimited := func(id string) {
		t.Helper()
		got := c.receive()
		if !strings.HasPrefix(got, `{"type":"error","id":"`+id+`"`) || !strings.Contains(got, `"code":"RATE_LIMITED"`) {
			t.Errorf("got %s", got)
		}
	}
	for _, id := range []string{"1", "2", "3"} {
		c.subscribe(id, "subscription{stream}")
	}
	wantLimited("3")
	await(t, "the start of the first", quiet.started)
	await(t, "the start of the second", quiet.started)
	c.send(`{"type":"complete","id":"1"}`)
	await(t, "the end of 1", quiet.ended)
	c.wantNothingMore()
}

func TestResolversThatDoNotEndCountAfterTheClientsComplete(t *testing.T) {
	t.Parallel()
	release, started := make(chan struct{}), make(chan struct{})
	defer close(release)
	c := newSocketServer(t, transport.WebsocketConfig{MaxOperations: 2}, map[string]field{
		"stream": func(context.Context, map[string]any) graphql.ResponseHandler {
			started <- struct{}{}
			<-release
			return graphql.OneShot(&graphql.Response{Data: []byte(`{}`)})
		},
	}).open(t)
	for range 4 {
		c.send(subscribeStream)
		await(t, "the start", started)
		c.send(`{"type":"complete","id":"1"}`)
	}
	c.send(subscribeStream)
	if got := c.receive(); !strings.Contains(got, `"code":"RATE_LIMITED"`) {
		t.Errorf("got %s", got)
	}
}

func TestALongLastingOperationDoesNotHoldUpOthers(t *testing.T) {
	t.Parallel()
	quiet := newSilent()
	config := transport.WebsocketConfig{PingInterval: time.Hour}
	c := newSocketServer(t, config, map[string]field{"stream": quiet.field()}).open(t)
	c.send(subscribeStream)
	await(t, "the start", quiet.started)
	c.wantNothingMore()
}
