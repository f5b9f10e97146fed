package transport

import (
	"context"
	"errors"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// receive does what one message of the client asks for. It runs in the reader, so messages take effect in the
// order in which they came.
func (s *socket) receive(text []byte) {
	m, err := decodeMessage(text)
	if err != nil {
		s.end(closeBadMessage, "invalid message: "+err.Error())
		return
	}
	switch m.Type {
	case typeInit:
		s.open(m)
	case typePing:
		s.write(plainMessage(message{Type: typePong, Payload: m.Payload}))
	case typeSubscribe:
		s.subscribe(m)
	case typeComplete:
		s.complete(m.ID)
	}
}

// open runs the Init hook and acknowledges the client.
func (s *socket) open(m message) {
	if s.opened != nil {
		s.end(closeSecondInit, "too many initialisation requests; send connection_init once")
		return
	}
	// decodeMessage has seen that this is an object.
	payload, _ := objectOf(m.Payload)
	opened, err := s.config.Init(s.ctx, payload)
	if err != nil {
		s.cancel(refusedInit(err))
		return
	}
	s.initTimer.Stop()
	s.opened = opened
	s.stopWatch = context.AfterFunc(opened, func() {
		s.end(closeForbidden, "the permission to use this socket has expired; connect again with a new one")
	})
	s.write(plainMessage(message{Type: typeAck}))
}

func refusedInit(err error) *closure {
	ours, ok := errors.AsType[*jobmanager.Error](err)
	if !ok {
		return &closure{code: closeForbidden, reason: "forbidden"}
	}
	switch ours.Kind() {
	case jobmanager.KindUnavailable:
		return &closure{code: closeTryLater, reason: ours.Message}
	case jobmanager.KindInternal:
		return &closure{code: closeInternal, reason: "internal error; try again"}
	default:
		return &closure{code: closeForbidden, reason: ours.Message}
	}
}
