package jobmanager

import (
	"context"
	"time"
)

// NoticeKind is what the Policy Manager is told of a group, in its own words (CONTRACT.md 4.2).
type NoticeKind string

// The kinds of notices.
const (
	NoticeCreated NoticeKind = "created"
	NoticeStarted NoticeKind = "started"
	NoticeStopped NoticeKind = "stopped"
	NoticeDeleted NoticeKind = "deleted"
)

// noticesOfCreate make the Policy Manager know a group as it is now: deleted first, because created is not
// idempotent there.
func noticesOfCreate() []NoticeKind {
	return []NoticeKind{NoticeDeleted, NoticeCreated, NoticeStarted}
}

// Notice is one thing to tell the Policy Manager. It is written in the transaction of the event that caused it
// and delivered afterwards, in order for each group.
type Notice struct {
	// Revision of the event and Step within its notices order a group's notices.
	Revision Revision
	Step     int
	GroupID  ID
	Tenant   Tenant
	Kind     NoticeKind
	// Descriptor is the group's text as it is now; empty when the group is gone.
	Descriptor string
	// Attempts at delivering it that began before this one, also those of which nothing was heard.
	Attempts int
}

// NoticeLimits are the numbers of the delivery.
type NoticeLimits struct {
	// Timeout of one call.
	Timeout time.Duration
	// Backoff after the first failure; it doubles up to MaxBackoff. After MaxAttempts it is given up.
	Backoff, MaxBackoff time.Duration
	MaxAttempts         int
}

// DefaultNoticeLimits try for about an hour.
func DefaultNoticeLimits() NoticeLimits {
	return NoticeLimits{Timeout: 10 * time.Second, Backoff: 2 * time.Second, MaxBackoff: 10 * time.Minute, MaxAttempts: 14}
}

// NextTry is when a notice that failed is tried again; ok is false when it is given up. A refusal that no later
// try can change is given up at once.
func (l NoticeLimits) NextTry(attempts int, refused bool, now time.Time) (at time.Time, ok bool) {
	if refused || attempts >= l.MaxAttempts {
		return time.Time{}, false
	}
	return now.Add(doubling(l.Backoff, l.MaxBackoff, attempts)), true
}

// NoticeResult is what became of one try to deliver a notice.
type NoticeResult struct {
	// Delivered, or not worth delivering any more; else NotBefore is the time of the next try, or GivenUp.
	Delivered bool
	GivenUp   bool
	NotBefore time.Time
	// Message says what happened, for the event; empty writes none.
	Message string
}

// PolicyManager is the peer that watches policies.
type PolicyManager interface {
	// Notify tells it one thing about a group. What it knows already, or never knew, is no error for a
	// deletion. INVALID when it refuses for good, such as a descriptor that it cannot read; UNAVAILABLE and
	// UNAUTHENTICATED when a later try may succeed.
	Notify(ctx context.Context, notice Notice, token Token) error
}
