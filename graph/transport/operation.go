package transport

import (
	"context"
	"sync/atomic"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// operation is one running query, mutation or subscription of a socket.
type operation struct {
	socket *socket
	id     string
	ctx    context.Context
	cancel context.CancelFunc
	ending ending
}

// ending is the error with which a resolver ends its stream, if it gave one.
type ending struct{ err atomic.Pointer[error] }

type endingKey struct{}

// EndWithError makes err the end of the subscription that ctx belongs to: when its resolver then closes its
// channel, the client gets "error" with err, as the error presenter shows it, in place of "complete". The
// last call wins. Outside of a subscription it has no effect.
func EndWithError(ctx context.Context, err error) {
	if ending, ok := ctx.Value(endingKey{}).(*ending); ok && err != nil {
		ending.err.Store(&err)
	}
}

// subscribe starts the operation that the message asks for.
func (s *socket) subscribe(m message) {
	if s.opened == nil {
		s.end(closeUnauthorized, "unauthorized: send connection_init and wait for connection_ack")
		return
	}
	params, invalid := decodeParams(m.Payload)
	if invalid != nil {
		s.end(closeBadMessage, "invalid message: "+invalid.Message)
		return
	}
	params.Headers = s.header
	ctx, cancel := context.WithCancel(s.opened)
	o := &operation{socket: s, id: m.ID, ctx: ctx, cancel: cancel}
	switch s.admit(o) {
	case admitted:
		s.wg.Go(func() {
			defer s.dismiss(o)
			o.run(params)
		})
	case duplicate:
		cancel()
		s.end(closeDuplicateID, "there is already an operation with the id "+m.ID)
	case full:
		cancel()
		s.write(errorMessage(m.ID, gqlerror.List{problem(jobmanager.CodeRateLimited,
			"this socket already has %d operations; complete one first, or open another socket",
			s.config.MaxOperations)}))
	}
}

// complete ends the operation that the client no longer wants. The client may use the id again at once.
func (s *socket) complete(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o, known := s.operations[id]; known {
		delete(s.operations, id)
		o.cancel()
	}
}

type admission int

const (
	admitted admission = iota
	duplicate
	full
)

// admit gives the operation its id and its place. Operations that the client has completed but whose
// resolvers have not ended count as well, up to twice the limit: else a client could start them without end.
func (s *socket) admit(o *operation) admission {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.operations[o.id] != nil {
		return duplicate
	}
	if len(s.operations) >= s.config.MaxOperations || s.running >= 2*s.config.MaxOperations {
		return full
	}
	s.operations[o.id] = o
	s.running++
	return admitted
}

func (s *socket) dismiss(o *operation) {
	o.cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running--
	s.forget(o)
}

// forget frees the id, unless it belongs to a later operation by now. s.mu is held.
func (s *socket) forget(o *operation) {
	if s.operations[o.id] == o {
		delete(s.operations, o.id)
	}
}

// run executes the operation and sends what it yields.
func (o *operation) run(params *graphql.RawParams) {
	exec := o.socket.exec
	ctx := context.WithValue(graphql.StartOperationTrace(o.ctx), endingKey{}, &o.ending)
	defer func() {
		if cause := recover(); cause != nil {
			o.fail(gqlerror.List{recovered(ctx, exec, cause)})
		}
	}()
	params.ReadTime = graphql.TraceTiming{Start: graphql.GetStartTime(ctx), End: graphql.Now()}
	prepared, problems := prepare(ctx, exec, params)
	if len(problems) > 0 {
		ctx = graphql.WithOperationContext(ctx, prepared)
		o.fail(exec.DispatchError(ctx, problems).Errors)
		return
	}
	responses, ctx := exec.DispatchOperation(ctx, prepared)
	for result := responses(ctx); result != nil; result = responses(ctx) {
		if refused(result) {
			o.fail(result.Errors)
			return
		}
		if !o.next(result) {
			return
		}
		if prepared.Operation.Operation != ast.Subscription {
			break
		}
	}
	if err := o.ending.err.Load(); err != nil {
		o.fail(exec.DispatchError(ctx, gqlerror.List{gqlerror.WrapIfUnwrapped(*err)}).Errors)
		return
	}
	o.send(plainMessage(message{Type: typeComplete, ID: o.id}), true)
}

// next sends one result; false when the operation cannot go on.
func (o *operation) next(result *graphql.Response) bool {
	text, err := nextMessage(o.id, result)
	if err != nil {
		o.fail(gqlerror.List{problem(jobmanager.CodeInternal,
			"internal error: the result cannot be written as JSON; tell the operator")})
		return false
	}
	return o.send(text, false)
}

func (o *operation) fail(problems gqlerror.List) { o.send(errorMessage(o.id, problems), true) }

// send writes a message for the operation, unless it has ended: after the client's complete, or when the
// socket is going, nothing more is said for its id. After the last message the id is free. It is false when
// the operation has ended.
func (o *operation) send(text []byte, last bool) bool {
	o.socket.writing.Lock()
	defer o.socket.writing.Unlock()
	if o.ctx.Err() != nil {
		return false
	}
	if last {
		o.socket.mu.Lock()
		o.socket.forget(o)
		o.socket.mu.Unlock()
	}
	o.socket.writeLocked(text)
	return o.ctx.Err() == nil
}
