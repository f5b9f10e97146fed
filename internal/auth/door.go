package auth

import (
	"encoding/json"
	"net/http"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// Door answers the callers who are not let in, in its own form. Every error is UNAUTHENTICATED or FORBIDDEN, and
// its sentence says what to change and shows no token.
type Door interface {
	// Shut is for a caller whom no token would help: the server takes nobody (UNAUTHENTICATED), or nobody who
	// calls it by this name (FORBIDDEN).
	Shut(w http.ResponseWriter, r *http.Request, why *jobmanager.Error)
	// MissingToken is for a caller that sent no bearer token.
	MissingToken(w http.ResponseWriter, r *http.Request, why *jobmanager.Error)
	// InvalidToken is for a caller whose token does not hold, any more or at all.
	InvalidToken(w http.ResponseWriter, r *http.Request, why *jobmanager.Error)
}

// GraphQL is the Door of the GraphQL endpoint, and of what has no form of its own: 401 or 403, with the error in the
// form of a GraphQL answer.
type GraphQL struct{}

var _ Door = GraphQL{}

// Shut answers 401 or 403.
func (GraphQL) Shut(w http.ResponseWriter, _ *http.Request, why *jobmanager.Error) { refuse(w, why) }

// MissingToken answers 401.
func (GraphQL) MissingToken(w http.ResponseWriter, _ *http.Request, why *jobmanager.Error) {
	refuse(w, why)
}

// InvalidToken answers 401.
func (GraphQL) InvalidToken(w http.ResponseWriter, _ *http.Request, why *jobmanager.Error) {
	refuse(w, why)
}

func refuse(w http.ResponseWriter, why *jobmanager.Error) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	status := http.StatusForbidden
	if why.Kind() == jobmanager.KindUnauthenticated {
		status = http.StatusUnauthorized
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	w.WriteHeader(status)
	answer := map[string]any{"errors": []any{map[string]any{
		"message": why.Message, "extensions": map[string]any{"code": why.Code},
	}}}
	_ = json.NewEncoder(w).Encode(answer) // the client may be gone
}
