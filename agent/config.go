package agent

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"
)

// Config says which agent to be. URL, Orchestrator, OwnerID and Driver must be set; every other zero value
// stands for its default.
type Config struct {
	// URL is the base of the server, such as "http://127.0.0.1:8082"; /graphql is added to it.
	URL string
	// Token is sent as "Authorization: Bearer …" with every call; empty for a server without authentication.
	// It is never logged.
	Token string
	// Orchestrator whose jobs the agent takes: ocm, nuvla or another one's name.
	Orchestrator string
	// OwnerID is the agent's own name. It must be the same after a restart, or updates and deletes of what it
	// brought up find nobody, and no two running agents may share it.
	OwnerID string
	// Clusters that the agent serves; none means all of its orchestrator.
	Clusters []string
	// Parallel is how many jobs are worked on at once; 1.
	Parallel int
	// Driver does the work.
	Driver Driver

	// Lease is how long a claim holds when the agent falls silent, in whole seconds from 15 s to 15 min; 60 s.
	// It is renewed at a third of it.
	Lease time.Duration
	// MinBackoff and MaxBackoff bound the wait before something is tried again: a random time up to
	// MinBackoff at first, doubled with each failure up to MaxBackoff; 1 s and 30 s.
	MinBackoff, MaxBackoff time.Duration
	// HTTPClient makes the calls; one of the SDK's own. When its Transport is an *http.Transport, the
	// websocket uses the same dial functions, proxy and TLS settings. It should have no Timeout: each call
	// has its own.
	HTTPClient *http.Client
	// Log takes what happens; nothing is logged by default.
	Log *slog.Logger
}

const (
	shortestLease = 15 * time.Second
	longestLease  = 15 * time.Minute
	mostParallel  = 10_000
)

// complete checks the configuration and fills in the defaults. The errors say what to set.
func (c Config) complete() (Config, error) {
	setDefault(&c.Parallel, 1)
	setDefault(&c.Lease, time.Minute)
	setDefault(&c.MinBackoff, time.Second)
	setDefault(&c.MaxBackoff, max(c.MinBackoff, 30*time.Second))
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Log = c.Log.With("orchestrator", c.Orchestrator, "owner", c.OwnerID)
	switch {
	case !isBase(c.URL):
		return c, errors.New(`agent: set Config.URL to the server's base, such as "http://127.0.0.1:8082", without credentials or query`)
	case c.Orchestrator == "":
		return c, errors.New(`agent: set Config.Orchestrator, such as "ocm"`)
	case c.OwnerID == "":
		return c, errors.New("agent: set Config.OwnerID to a name that stays the same over restarts")
	case c.Driver == nil:
		return c, errors.New("agent: set Config.Driver")
	case c.Parallel < 1 || c.Parallel > mostParallel:
		return c, fmt.Errorf("agent: Config.Parallel is %d; set 1 to %d", c.Parallel, mostParallel)
	case c.Lease < shortestLease || c.Lease > longestLease || c.Lease%time.Second != 0:
		return c, fmt.Errorf("agent: Config.Lease is %s; set whole seconds from %s to %s", c.Lease, shortestLease, longestLease)
	case c.MinBackoff < 0 || c.MaxBackoff < c.MinBackoff:
		return c, fmt.Errorf("agent: Config.MinBackoff %s and Config.MaxBackoff %s are no range", c.MinBackoff, c.MaxBackoff)
	}
	return c, nil
}

func isBase(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" &&
		u.User == nil && u.RawQuery == "" && u.Fragment == ""
}

func setDefault[T comparable](value *T, standard T) {
	var zero T
	if *value == zero {
		*value = standard
	}
}
