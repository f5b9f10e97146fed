package agent_test

import (
	"context"
	"net"
	"sync"
	"time"
)

// pipeListener is a network without a network: what is dialled is accepted. Unlike sockets it lets the
// bubble of synctest see who waits, so that its clock moves.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.IPAddr{} }

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	one, other := net.Pipe()
	near, far := buffered(one), buffered(other)
	var err error
	select {
	case l.conns <- far:
		return near, nil
	case <-l.done:
		err = net.ErrClosed
	case <-ctx.Done():
		err = ctx.Err()
	}
	_, _ = near.Close(), far.Close()
	return nil, err
}

// bufferedConn takes writes before the other end reads them, as a network does.
type bufferedConn struct {
	net.Conn
	mu     sync.Mutex // guards closed, and out against its closing
	closed bool
	out    chan []byte
}

func buffered(conn net.Conn) net.Conn {
	c := &bufferedConn{Conn: conn, out: make(chan []byte, 4096)}
	go func() {
		defer func() { _ = conn.Close() }()
		for text := range c.out {
			if _, err := conn.Write(text); err != nil {
				return
			}
		}
	}()
	return c
}

func (c *bufferedConn) Write(text []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return 0, net.ErrClosed
	}
	select {
	case c.out <- append([]byte(nil), text...):
		return len(text), nil
	default:
		return 0, net.ErrClosed // an end that reads nothing at all
	}
}

// Close lets the other end read what was written.
func (c *bufferedConn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.closed = true
		close(c.out)
		_ = c.Conn.SetWriteDeadline(time.Now().Add(time.Second))
		return c.Conn.SetReadDeadline(time.Unix(1, 0))
	}
	return nil
}

// Deadlines of writes are for full buffers; these never fill.
func (c *bufferedConn) SetWriteDeadline(time.Time) error { return nil }

func (c *bufferedConn) SetDeadline(at time.Time) error { return c.SetReadDeadline(at) }

// SetReadDeadline cannot open a closed connection again.
func (c *bufferedConn) SetReadDeadline(at time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	return c.Conn.SetReadDeadline(at)
}
