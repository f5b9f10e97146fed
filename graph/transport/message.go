package transport

import (
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// subprotocol is the only one spoken; the older "graphql-ws" has no pings and other message types.
const subprotocol = "graphql-transport-ws"

// The message types of graphql-transport-ws.
const (
	typeInit      = "connection_init"
	typeAck       = "connection_ack"
	typePing      = "ping"
	typePong      = "pong"
	typeSubscribe = "subscribe"
	typeNext      = "next"
	typeError     = "error"
	typeComplete  = "complete"
)

// The close codes. The reference client never connects again after 1002, 4400, 4401, 4406, 4409, 4429 and
// 4500; it does after 1011, 1012, 1013 and 4403.
const (
	closeProtocolError = 1002
	closeTooBig        = 1009
	closeInternal      = 1011
	closeRestart       = 1012
	closeTryLater      = 1013
	closeBadMessage    = 4400
	closeUnauthorized  = 4401
	closeForbidden     = 4403
	closeSubprotocol   = 4406
	closeInitTimeout   = 4408
	closeDuplicateID   = 4409
	closeSecondInit    = 4429
	closePanic         = 4500
)

// maxReason is how many bytes a close frame leaves for the reason.
const maxReason = 123

// closure is why a socket ends. Code 0 means that the peer can no longer be told.
type closure struct {
	code   int
	reason string
}

func (c *closure) Error() string { return c.reason }

// frameReason is the reason as it fits into a close frame, cut between two characters.
func (c *closure) frameReason() string {
	if len(c.reason) <= maxReason {
		return c.reason
	}
	return strings.ToValidUTF8(c.reason[:maxReason], "")
}

// message is what both sides send. Which members must be there depends on the type.
type message struct {
	Type    string          `json:"type"`
	ID      string          `json:"id,omitempty"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

var errNoMessage = errors.New("send a JSON object with the string \"type\", and with \"id\" where it needs one")

// decodeMessage reads one message of a client; the errors say what a valid one would have.
func decodeMessage(text []byte) (message, error) {
	var m message
	if !utf8.Valid(text) || json.Unmarshal(text, &m) != nil {
		return m, errNoMessage
	}
	switch m.Type {
	case typeInit, typePing, typePong:
		payload, err := objectOf(m.Payload)
		if err != nil {
			return m, errors.New("the payload must be an object, null, or absent")
		}
		if payload == nil {
			m.Payload = nil
		}
	case typeSubscribe, typeComplete:
		if m.ID == "" {
			return m, errors.New("the id is missing; send a string that is not empty")
		}
	default:
		return m, errors.New("unknown type; send connection_init, ping, pong, subscribe or complete")
	}
	return m, nil
}

// nextMessage is one result of the operation.
func nextMessage(id string, result *graphql.Response) ([]byte, error) {
	return json.Marshal(struct {
		Type    string   `json:"type"`
		ID      string   `json:"id"`
		Payload response `json:"payload"`
	}{typeNext, id, wireOf(result)})
}

// errorMessage ends the operation: nothing more comes for its id.
func errorMessage(id string, problems gqlerror.List) []byte {
	text, err := json.Marshal(struct {
		Type    string        `json:"type"`
		ID      string        `json:"id"`
		Payload gqlerror.List `json:"payload"`
	}{typeError, id, problems})
	if err != nil {
		return errorMessage(id, gqlerror.List{problem(jobmanager.CodeInternal,
			"internal error: the error cannot be written as JSON; tell the operator")})
	}
	return text
}

// plainMessage is a message whose payload is none or the client's own.
func plainMessage(m message) []byte {
	// Strings and JSON that was read before always marshal.
	text, _ := json.Marshal(m)
	return text
}
