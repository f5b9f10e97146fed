// Package service holds the use cases: one method for each thing that a user or an agent can do. A method
// checks the caller's rights, runs the domain's rule through the store, and answers; it decides nothing
// about jobs itself (internal/jobmanager does) and knows no door (graph and rest call it alike). The inputs
// and payloads of the API live here, beside the methods that take and give them.
//
// Start with submit.go, which shows the shape of a use case. duty.go has what the server does by itself.
package service

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// Config is what a Service is made of; every field is needed, but for the PolicyManager.
type Config struct {
	Store      jobmanager.Store
	Log        jobmanager.Log
	Clock      jobmanager.Clock
	IDs        jobmanager.IDs
	Parser     jobmanager.Parser
	Matchmaker jobmanager.Matchmaker
	// PolicyManager is told of groups as NoticeLimits say; nil when there is none.
	PolicyManager jobmanager.PolicyManager
	NoticeLimits  jobmanager.NoticeLimits
	// Token gives the server's own token, for what it asks of peers by itself; an empty one when it has none.
	Token     func() (jobmanager.Token, error)
	LifeCycle jobmanager.LifeCycle
	Metrics   *Metrics
	Logger    *slog.Logger
	Info      Info
	Pace      Pace
}

// Info is what the server tells of itself.
type Info struct {
	Version  string
	Database string
}

// Pace is how often things happen by themselves.
type Pace struct {
	// Poll is how long the server waits at most before it looks again for what time alone has changed.
	Poll time.Duration
	// Bookmark is how often an idle watcher is told how far the log was followed.
	Bookmark time.Duration
	// Seen is how coarsely the presence of agents is noted.
	Seen time.Duration
	// Away is how long the database may go without the mark of a server before the servers count as having been
	// away; each marks it with every poll.
	Away time.Duration
}

// DefaultPace suits a server.
func DefaultPace() Pace {
	return Pace{Poll: 5 * time.Second, Bookmark: 30 * time.Second, Seen: 10 * time.Second, Away: 15 * time.Second}
}

// Service is the one implementation of everything that the doors offer.
type Service struct {
	Config
	presence  presence
	strangers strangers
	// chance rings when time alone may have made a job executable.
	chance bell
	// marked is when this replica last noted that the database is in use, in microseconds since 1970.
	marked atomic.Int64
	// watchers are the goroutines that feed subscriptions.
	watchers sync.WaitGroup
}

// New makes a Service; Run does its duties.
func New(config Config) *Service {
	return &Service{Config: config, presence: presence{seen: map[jobmanager.OwnerID]sighting{}}, strangers: strangers{until: map[stranger]time.Time{}}}
}

// Wait returns once every subscription's goroutine has ended, which they do when their contexts end.
func (s *Service) Wait() { s.watchers.Wait() }

// by bounds an update to what the principal may see; the actor is who stands in its events.
func by(p jobmanager.Principal, actor string, which jobmanager.Which) jobmanager.Which {
	which.Actor, which.Scope = actor, p.Scope()
	return which
}

// byServer is by for what the server does by itself.
func byServer(which jobmanager.Which) jobmanager.Which {
	return by(jobmanager.System(), jobmanager.System().Name, which)
}
