package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/gorilla/websocket"
)

// mostRefusals is how often in a row the server may close with 4403 before that is final. Once is normal: it
// closes so when a token expires that a proxy or the server itself is about to accept again.
const mostRefusals = 3

// subscribe keeps one websocket with the subscription jobExecutable until ctx ends. Each connect brings what
// is executable then, so nothing is resumed.
func (r *runner) subscribe(ctx context.Context) {
	failures, refusals := 0, 0
	for {
		began := time.Now()
		err := r.listen(ctx)
		if ctx.Err() != nil || r.refuse(err) {
			return
		}
		// A server that accepts and closes at once is as bad as one that does not accept.
		if time.Since(began) > r.MaxBackoff {
			failures, refusals = 0, 0
		}
		if closing, ok := errors.AsType[*websocket.CloseError](err); ok && closing.Code == closeForbidden {
			refusals++
			if refusals == mostRefusals {
				r.refuse(&Error{Code: codeForbidden, Message: fmt.Sprintf("the websocket was closed %d times: %v", refusals, err)})
				return
			}
		}
		wait := r.backoff(failures)
		r.Log.Warn("not connected; connecting again", "in", wait, "error", err)
		if !pause(ctx, wait) {
			return
		}
		failures++
	}
}

// listen connects once and takes offers until the connection ends; the error says why.
func (r *runner) listen(ctx context.Context) error {
	conn, err := r.dial(ctx)
	if err != nil {
		return err
	}
	s := &socket{conn: conn}
	defer s.keep(ctx)()
	if err := s.open(r.Token); err != nil {
		return err
	}
	if err := s.subscribe(jobExecutableDocument, r.subscription()); err != nil {
		return err
	}
	r.Log.Info("connected", "url", r.socket)
	for {
		var data struct {
			JobExecutable *offer `json:"jobExecutable"`
		}
		if err := s.next(&data); err != nil {
			return err
		}
		if data.JobExecutable != nil {
			r.desk.put(*data.JobExecutable)
		}
	}
}

func (r *runner) subscription() map[string]any {
	variables := map[string]any{"orchestrator": r.Orchestrator, "ownerId": r.OwnerID, "parallel": r.Parallel}
	if len(r.Clusters) > 0 {
		variables["clusters"] = r.Clusters
	}
	return variables
}

// dial opens the websocket.
func (r *runner) dial(ctx context.Context) (*websocket.Conn, error) {
	dialer := r.dialer()
	// Once connected, the dialer looks at its timeout only, not at the context.
	direct, unhook := dialer.NetDialContext, func() bool { return true }
	dialer.NetDialContext = func(dialing context.Context, network, address string) (net.Conn, error) {
		conn, err := direct(dialing, network, address)
		if err == nil {
			unhook = context.AfterFunc(ctx, func() { _ = conn.Close() })
		}
		return conn, err
	}
	header := http.Header{}
	if r.Token != "" {
		header.Set(authorization, bearer+r.Token)
	}
	conn, response, err := dialer.DialContext(ctx, r.socket, header) //nolint:bodyclose // the dialer has read it
	unhook()
	if err == nil {
		return conn, nil
	}
	if response != nil && errors.Is(err, websocket.ErrBadHandshake) {
		err = byStatus(response.StatusCode)
	}
	return nil, fmt.Errorf("open the websocket: %w", err)
}

// dialer has the same settings as the transport of the HTTP calls.
func (r *runner) dialer() websocket.Dialer {
	dialer := websocket.Dialer{
		Subprotocols: []string{subprotocol}, HandshakeTimeout: handshakeTimeout,
		Proxy: http.ProxyFromEnvironment, NetDialContext: (&net.Dialer{}).DialContext,
	}
	transport, ok := r.HTTPClient.Transport.(*http.Transport)
	if !ok {
		return dialer
	}
	dialer.Proxy = transport.Proxy
	dialer.NetDialTLSContext = transport.DialTLSContext
	if transport.DialContext != nil {
		dialer.NetDialContext = transport.DialContext
	}
	if transport.TLSClientConfig != nil {
		dialer.TLSClientConfig = transport.TLSClientConfig.Clone()
		// A websocket is HTTP/1.1, whatever the transport would agree on.
		dialer.TLSClientConfig.NextProtos = []string{"http/1.1"}
	}
	return dialer
}
