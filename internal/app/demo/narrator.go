package demo

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// narrator writes whole lines, with the time since the demo began.
type narrator struct {
	begin time.Time
	mu    sync.Mutex // guards out
	out   io.Writer
}

func (n *narrator) line(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	stamp := fmt.Sprintf("%6.2fs  ", time.Since(n.begin).Seconds())
	_, _ = fmt.Fprintln(n.out, stamp+fmt.Sprintf(format, args...)) // a terminal that is gone stops nothing
}

// hints says what to open and try.
func (n *narrator) hints(host *server, group string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, _ = fmt.Fprintf(n.out, `
The application runs, and the server stays up. Try:

  open %[1]s/graphiql
      queries, mutations and live subscriptions in the browser

  curl -s %[1]s/graphql -H 'Content-Type: application/json' \
    -d '{"query":"{ jobs { nodes { component state owner epoch resource { name conditions { type status } } } } }"}'
      what runs where

  curl -s %[1]s/graphql -H 'Content-Type: application/json' \
    -d '{"query":"mutation { stopJobGroup(input: {jobGroupId: \"%[2]s\"}) { jobGroup { phase } } }"}'
      stop the application and watch the agents take it down

  kill -9 %[3]d
      the server is started again: nothing that was acknowledged is lost, and the agents go on

Control-C ends the demo.

`, host.url, group, host.pid())
}
