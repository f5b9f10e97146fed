package rest

import (
	"encoding/json"
	"net/http"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// Refuser answers the callers whom the guard before this door does not let in: {"error":"…"} as plain text, which is
// what the old service sent from outside its JSON routes.
type Refuser struct {
	// Strict answers 401 to a token that does not hold. Otherwise it is 500, on which the old fleet's clients log in
	// again; a 401 would leave them trying for ever.
	Strict bool
}

// notAuthorized is a well-known text of the old service.
const notAuthorized = "not authorized"

// Shut answers a caller whom no token would help: 401, or 403 when it is FORBIDDEN.
func (Refuser) Shut(w http.ResponseWriter, _ *http.Request, why *jobmanager.Error) {
	status := http.StatusUnauthorized
	if why.Kind() == jobmanager.KindForbidden {
		status = http.StatusForbidden
	}
	refuseCaller(w, status, why.Message)
}

// MissingToken answers a caller that sent no token: 401 and the well-known text.
func (Refuser) MissingToken(w http.ResponseWriter, _ *http.Request, _ *jobmanager.Error) {
	refuseCaller(w, http.StatusUnauthorized, notAuthorized)
}

// InvalidToken answers a caller whose token does not hold: 500, or 401 when Strict.
func (f Refuser) InvalidToken(w http.ResponseWriter, _ *http.Request, why *jobmanager.Error) {
	status := http.StatusInternalServerError
	if f.Strict {
		status = http.StatusUnauthorized
	}
	refuseCaller(w, status, why.Message)
}

func refuseCaller(w http.ResponseWriter, status int, sentence string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": sentence}) // the client may be gone
}
