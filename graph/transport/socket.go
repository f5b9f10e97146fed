package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/gorilla/websocket"
)

// lingerTime is how long a closed socket waits for its peer to hang up, so that what the peer still sends
// does not reset the connection before the close frame was read.
const lingerTime = time.Second

// socket is one open websocket. The goroutine of its request reads and closes it; one goroutine pings; each
// running operation has one. Whoever wants the socket to end says why with end; the reader then wakes, says
// goodbye, and waits for all the others.
type socket struct {
	config WebsocketConfig
	exec   graphql.GraphExecutor
	header http.Header
	conn   *websocket.Conn

	// ctx is the life of the socket and its cause, once it is over, a *closure.
	ctx    context.Context
	cancel context.CancelCauseFunc

	// opened is the context of all operations, nil until the client was acknowledged. Only the reader
	// uses it.
	opened    context.Context
	initTimer *time.Timer
	stopWatch func() bool

	wg sync.WaitGroup

	writing sync.Mutex // held while one message is written

	mu         sync.Mutex // guards the fields below
	operations map[string]*operation
	running    int  // goroutines of operations, also of those that the client has completed
	leaving    bool // the close frame was sent
}

// end closes the socket with this code; the first who says so wins.
func (s *socket) end(code int, reason string) {
	s.cancel(&closure{code: code, reason: reason})
}

// lose ends the socket without a close frame.
func (s *socket) lose() { s.end(0, "the peer is gone") }

func (s *socket) run() {
	defer s.close()
	defer func() {
		if cause := recover(); cause != nil {
			_ = recovered(s.ctx, s.exec, cause) // for its log; the client gets the close code
			s.end(closePanic, "internal error")
		}
	}()
	s.initTimer = time.AfterFunc(s.config.InitTimeout, func() {
		s.end(closeInitTimeout, fmt.Sprintf("no connection_init was accepted within %s", s.config.InitTimeout))
	})
	defer s.initTimer.Stop()
	if s.conn.Subprotocol() != subprotocol {
		s.end(closeSubprotocol, "ask for the subprotocol "+subprotocol)
		return
	}
	s.conn.SetPongHandler(func(string) error {
		s.heard()
		return nil
	})
	s.wg.Go(s.keepAlive)
	stopWaking := context.AfterFunc(s.ctx, s.wake)
	defer stopWaking()
	for s.ctx.Err() == nil {
		s.heard()
		text, err := s.read()
		if err != nil {
			s.cancel(closureOf(err))
			return
		}
		s.receive(text)
	}
}

// heard gives the peer its time anew. An end that came in between must still wake the reader.
func (s *socket) heard() {
	// An error here comes back from the next read.
	_ = s.conn.SetReadDeadline(time.Now().Add(2 * s.config.PingInterval))
	if s.ctx.Err() != nil {
		s.wake()
	}
}

// wake makes a blocked read return at once. It may come late, when the goodbye has a deadline of its own.
func (s *socket) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.leaving {
		_ = s.conn.SetReadDeadline(time.Unix(1, 0))
	}
}

// read gives the next text message. It limits the message itself, because the library's limit closes without
// a reason that would tell the client what to change.
func (s *socket) read() ([]byte, error) {
	kind, reader, err := s.conn.NextReader()
	if err != nil {
		return nil, err
	}
	if kind != websocket.TextMessage {
		return nil, &closure{code: closeBadMessage, reason: "binary messages are not supported; send JSON as text"}
	}
	text, err := io.ReadAll(io.LimitReader(reader, s.config.ReadLimit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(text)) > s.config.ReadLimit {
		return nil, &closure{code: closeTooBig, reason: fmt.Sprintf(
			"the message is larger than the limit of %d bytes; send a smaller one", s.config.ReadLimit)}
	}
	return text, nil
}

// closureOf tells what a failed read means. After a breach of the websocket protocol the library has already
// sent the close frame.
func closureOf(err error) *closure {
	if ours, ok := errors.AsType[*closure](err); ok {
		return ours
	}
	_, closed := errors.AsType[*websocket.CloseError](err)
	_, broken := errors.AsType[net.Error](err)
	if closed || broken {
		return &closure{}
	}
	return &closure{code: closeProtocolError}
}

// write sends one message. A peer that takes longer than the write timeout loses its socket; other sockets
// never wait for it.
func (s *socket) write(text []byte) {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.writeLocked(text)
}

func (s *socket) writeLocked(text []byte) {
	if s.ctx.Err() != nil {
		return
	}
	// The deadline itself cannot fail; what is wrong with the connection the write tells.
	_ = s.conn.SetWriteDeadline(time.Now().Add(s.config.WriteTimeout))
	if err := s.conn.WriteMessage(websocket.TextMessage, text); err != nil {
		s.lose()
	}
}

// keepAlive pings until the socket ends. A ping that cannot be written means a peer that is stuck.
func (s *socket) keepAlive() {
	ticker := time.NewTicker(s.config.PingInterval)
	defer ticker.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-ticker.C:
			deadline := time.Now().Add(s.config.WriteTimeout)
			if s.conn.WriteControl(websocket.PingMessage, nil, deadline) != nil {
				s.lose()
				return
			}
		}
	}
}

// close says goodbye where the peer can hear it and waits for every goroutine of the socket.
func (s *socket) close() {
	if s.stopWatch != nil {
		s.stopWatch()
	}
	s.lose() // in case that nobody said why; it also cancels the operations
	why, ok := errors.AsType[*closure](context.Cause(s.ctx))
	if !ok {
		// The request's own context ended: the whole server is going.
		why = &closure{code: closeRestart, reason: "the server is about to stop; connect again"}
	}
	if why.code != 0 {
		s.sayGoodbye(why)
	}
	// Nothing is left to be lost by an error here.
	_ = s.conn.Close()
	s.wg.Wait()
}

func (s *socket) sayGoodbye(why *closure) {
	frame := websocket.FormatCloseMessage(why.code, why.frameReason())
	deadline := time.Now().Add(s.config.WriteTimeout)
	err := s.conn.WriteControl(websocket.CloseMessage, frame, deadline)
	if err != nil && !errors.Is(err, websocket.ErrCloseSent) {
		return
	}
	conn := s.conn.NetConn()
	halfway, able := conn.(interface{ CloseWrite() error })
	if !able || halfway.CloseWrite() != nil {
		return
	}
	s.mu.Lock()
	s.leaving = true
	_ = conn.SetReadDeadline(time.Now().Add(lingerTime))
	s.mu.Unlock()
	// Whatever comes now comes too late.
	_, _ = io.Copy(io.Discard, conn)
}
