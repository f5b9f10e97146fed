package agent

import (
	"errors"
	"fmt"
)

var (
	// ErrStale says that the job was taken from this agent: by another one, by a stop, or because it is gone.
	// It is the cause of a work's context, and an answer to a status report.
	ErrStale = errors.New("agent: the claim is stale: somebody else decides about the job now")
	// ErrLeaseLost says that the lease ran out by this agent's clock or by the server's, so that another agent
	// may claim the job at any moment. It is the cause of a work's context.
	ErrLeaseLost = errors.New("agent: the lease ran out before it could be renewed")
	// ErrUnclaimed answers a status report about a job that this process never claimed, or so long ago that it
	// is forgotten.
	ErrUnclaimed = errors.New("agent: this process has not claimed the job")
	// ErrUntouched is what a driver returns, alone or wrapped, when its context ended and nothing of the job
	// stands on the target, neither from this call nor from an earlier one. The job is then given back and
	// can be claimed at once. While the context lives it is an error like any other.
	ErrUntouched = errors.New("agent: nothing of the job stands on the target")
)

// Error is a refusal by the server.
type Error struct {
	// Code is the server's word for programs: STALE_OWNER, NOT_CLAIMABLE, INVALID and so on.
	Code string
	// Message is its sentence for people.
	Message string
}

// Error shows both.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// The codes that the SDK itself tells apart.
const (
	codeStaleOwner      = "STALE_OWNER"
	codeNotFound        = "NOT_FOUND"
	codeNotClaimable    = "NOT_CLAIMABLE"
	codeWrongState      = "WRONG_STATE"
	codeLeaseExpired    = "LEASE_EXPIRED"
	codeInvalid         = "INVALID"
	codeTooLarge        = "TOO_LARGE"
	codeUnauthenticated = "UNAUTHENTICATED"
	codeForbidden       = "FORBIDDEN"
	codeRateLimited     = "RATE_LIMITED"
	codeUnavailable     = "UNAVAILABLE"
	codeInternal        = "INTERNAL"
)

// codeOf is the server's code, or empty when the server did not answer.
func codeOf(err error) string {
	if refusal, ok := errors.AsType[*Error](err); ok {
		return refusal.Code
	}
	return ""
}

// fatal says that no retry helps: the server does not accept this agent.
func fatal(err error) bool {
	code := codeOf(err)
	return code == codeUnauthenticated || code == codeForbidden
}

// transient says that the same call may succeed later. A refusal with any other code is an answer.
func transient(err error) bool {
	switch codeOf(err) {
	case "", codeUnavailable, codeInternal, codeRateLimited:
		return true
	default:
		return false
	}
}

// refused is the end of Run by a fatal error; it tells it from the end of the caller's context.
type refused struct{ err error }

func (r *refused) Error() string {
	return fmt.Sprintf("agent: the server refuses this agent; check Token, and the rights and the OwnerID that it is for: %v", r.err)
}

func (r *refused) Unwrap() error { return r.err }
