package app_test

import (
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
	"github.com/icos-jobmanager/jobmanager/internal/service"
)

// TestAServerThatWasAwayCallsNoAgentSilent stops the server for longer than the grace time of agents: nobody could be
// heard of, so that nobody is silent before the grace time has passed anew, and nobody's clusters are given away.
func TestAServerThatWasAwayCallsNoAgentSilent(t *testing.T) {
	t.Parallel()
	apptest.EachDatabase(t, func(t *testing.T, url string) {
		clock := noon()
		options := apptest.Options{DatabaseURL: url, Clock: clock, Pace: service.DefaultPace()}
		s := apptest.Start(t, options)
		executableFor(t, s.Client, "north", "north")
		group := create(t, s.Client, onEach("north", "south", "far"))
		south := perform(t, s.Client, group.job(t, "south").ID, "quiet")
		var back time.Time
		for _, away := range []time.Duration{time.Hour, 20 * time.Second} { // and it is restarted soon after it came back
			s.Stop()
			clock.Advance(away)
			back = clock.Now()
			s = apptest.Start(t, options)
			if got := executableFor(t, s.Client, "any"); got != "far" {
				t.Errorf("before north can come back, after %s, one that names no clusters is offered %q", away, got)
			}
		}
		s.Stop()
		s = apptest.Start(t, apptest.Options{DatabaseURL: url, Clock: clock}) // takes no leap of the clock for an absence
		until(t, clock, 5*time.Second, func() bool { return seeJob(t, s.Client, south.ID).why() == "AgentSilent" })
		if silent := clock.Now().Sub(back); silent < 5*time.Minute {
			t.Errorf("its agent counts as silent %s after the server was back", silent)
		}
	})
}
