package jobmanager

import (
	"errors"
	"fmt"
	"strings"
)

// Kind says what sort of thing went wrong. Each door maps a Kind to its own status in one table; nothing
// else of an error decides a status.
type Kind string

// The kinds, from the caller's mistakes to ours.
const (
	KindInvalid         Kind = "INVALID"
	KindNotFound        Kind = "NOT_FOUND"
	KindConflict        Kind = "CONFLICT"
	KindUnauthenticated Kind = "UNAUTHENTICATED"
	KindForbidden       Kind = "FORBIDDEN"
	KindTooLarge        Kind = "TOO_LARGE"
	KindRateLimited     Kind = "RATE_LIMITED"
	KindUnavailable     Kind = "UNAVAILABLE"
	KindInternal        Kind = "INTERNAL"
)

// Code is the word that a program branches on. GraphQL shows it in extensions.code.
type Code string

// The codes; the list is part of the public contract (DESIGN.md, section 8).
const (
	CodeInvalid             Code = "INVALID"
	CodeNotFound            Code = "NOT_FOUND"
	CodeConflict            Code = "CONFLICT"
	CodeStaleOwner          Code = "STALE_OWNER"
	CodeNotClaimable        Code = "NOT_CLAIMABLE"
	CodeVersionConflict     Code = "VERSION_CONFLICT"
	CodeWrongState          Code = "WRONG_STATE"
	CodeLeaseExpired        Code = "LEASE_EXPIRED"
	CodeCursorExpired       Code = "CURSOR_EXPIRED"
	CodeSnapshotTooLarge    Code = "SNAPSHOT_TOO_LARGE"
	CodeSlowConsumer        Code = "SLOW_CONSUMER"
	CodeGroupNotStopped     Code = "GROUP_NOT_STOPPED"
	CodeIdempotencyMismatch Code = "IDEMPOTENCY_MISMATCH"
	CodeUnauthenticated     Code = "UNAUTHENTICATED"
	CodeForbidden           Code = "FORBIDDEN"
	CodeTooLarge            Code = "TOO_LARGE"
	CodeRateLimited         Code = "RATE_LIMITED"
	CodeUnavailable         Code = "UNAVAILABLE"
	CodeInternal            Code = "INTERNAL"
)

// kindOf is the one table from Code to Kind.
var kindOf = map[Code]Kind{
	CodeInvalid: KindInvalid, CodeCursorExpired: KindInvalid, CodeSnapshotTooLarge: KindInvalid,
	CodeNotFound: KindNotFound,
	CodeConflict: KindConflict, CodeStaleOwner: KindConflict, CodeNotClaimable: KindConflict,
	CodeVersionConflict: KindConflict, CodeWrongState: KindConflict, CodeLeaseExpired: KindConflict,
	CodeGroupNotStopped: KindConflict, CodeIdempotencyMismatch: KindConflict,
	CodeUnauthenticated: KindUnauthenticated,
	CodeForbidden:       KindForbidden,
	CodeTooLarge:        KindTooLarge,
	CodeRateLimited:     KindRateLimited, CodeSlowConsumer: KindRateLimited,
	CodeUnavailable: KindUnavailable,
	CodeInternal:    KindInternal,
}

// Error is the only error type that crosses a package border. Message is a sentence for people that says
// what to do where that is known; it never holds a driver's text, which lives in Err for the log.
type Error struct {
	Code    Code
	Message string
	// Findings of a refused descriptor, all of them.
	Findings []Finding
	// Owner and Epoch tell the sender of a stale write who holds the job now.
	Owner OwnerID
	Epoch int64
	// Err is the cause, for the log only.
	Err error
}

// Errorf makes an Error; a trailing %w keeps the cause.
func Errorf(code Code, format string, args ...any) *Error {
	wrapped := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: wrapped.Error(), Err: errors.Unwrap(wrapped)}
}

// Wrap makes an Error whose sentence does not show the cause.
func Wrap(code Code, cause error, sentence string) *Error {
	return &Error{Code: code, Message: sentence, Err: cause}
}

// Internal is the error for what should not happen: people are told what to do, the cause goes to the log.
func Internal(cause error) *Error {
	return Wrap(CodeInternal, cause, "internal error: try again, and tell the operator if it stays")
}

// Kind of the error; a code that is not in the table is Internal.
func (e *Error) Kind() Kind {
	if kind, known := kindOf[e.Code]; known {
		return kind
	}
	return KindInternal
}

// Error shows the sentence and, for the log, the cause when the sentence does not contain it.
func (e *Error) Error() string {
	if e.Err == nil || strings.Contains(e.Message, e.Err.Error()) {
		return e.Message
	}
	return e.Message + ": " + e.Err.Error()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf is the code of err; of an error that is not ours, CodeInternal; of nil, "".
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if ours, ok := errors.AsType[*Error](err); ok {
		return ours.Code
	}
	return CodeInternal
}

// Sentence is what people are told of err: the sentence of an error that is ours, else that it was internal.
func Sentence(err error) string {
	if ours, ok := errors.AsType[*Error](err); ok {
		return ours.Message
	}
	return Internal(err).Message
}
