package rest_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
	"github.com/icos-jobmanager/jobmanager/internal/config"
	"github.com/icos-jobmanager/jobmanager/internal/testkit"
	"github.com/icos-jobmanager/jobmanager/rest/oldclient"
)

// TestTwoCallersNeverLaunchTheSameApplication lets two processes with one client's tokens call at the same time.
func TestTwoCallersNeverLaunchTheSameApplication(t *testing.T) {
	t.Parallel()
	eachOldFleet(t, nil, func(t *testing.T, f *oldFleet) { f.race(t, f.URL, f.URL) })
}

// TestTwoCallersOfTwoReplicasNeverLaunchTheSameApplication is the same, each process at a server of its own.
func TestTwoCallersOfTwoReplicasNeverLaunchTheSameApplication(t *testing.T) {
	t.Parallel()
	url := testkit.PostgresURL(t)
	f := startOldFleet(t, url, nil)
	replica := apptest.Start(t, apptest.Options{DatabaseURL: url, Clock: f.clock, Configure: func(c *config.Config) {
		c.KeycloakPublicKey = f.realm.PublicKey()
	}})
	f.race(t, f.URL, replica.URL)
}

// race lets an agent at each of the servers launch what it can, and looks that each application was launched once.
func (f *oldFleet) race(t *testing.T, urls ...string) {
	t.Helper()
	const applications = 6
	groups := map[string]int{}
	for n := range applications {
		groups[f.submit(t, described("app-"+string(rune('a'+n)), component{name: "web", at: hillBox}, component{name: "db", at: hillBox}))] = 0
	}
	var (
		mu  sync.Mutex // guards groups
		all sync.WaitGroup
	)
	for _, url := range urls {
		agent := f.nuvla()
		agent.URL = url
		agent.Launch = func(launch oldclient.NuvlaLaunch) error {
			mu.Lock()
			defer mu.Unlock()
			groups[launch.GroupID]++
			return nil
		}
		all.Go(func() {
			for range 2 * applications {
				agent.Round(context.WithoutCancel(t.Context()))
			}
			sound(t, agent)
		})
	}
	all.Wait()
	for group, times := range groups {
		if times != 1 {
			t.Errorf("group %s was launched %d times", group, times)
		}
	}
}

// TestAgentsWithoutAuthenticationShareOneOwner runs a server that tells nobody apart.
func TestAgentsWithoutAuthenticationShareOneOwner(t *testing.T) {
	t.Parallel()
	eachOldFleet(t, func(c *config.Config) { c.KeycloakPublicKey = "" }, func(t *testing.T, f *oldFleet) {
		f.race(t, f.URL, f.URL)
		id := f.submit(t, described("last", component{name: "web", at: hillBox}))
		agent := f.nuvla()
		agent.Round(t.Context())
		if j := f.job(t, id, "web"); j.work() != "CREATE_DEPLOYMENT/FINISHED" || j.Owner != "v0-agent" {
			t.Errorf("launched: %+v", j)
		}
		if _, err := f.shell().Stop(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		f.waitsInVain(t, agent, id, "DELETE_DEPLOYMENT/CREATED")
		sound(t, agent)
	})
}

// TestASecondCallerIsListedWhatTheFirstWasNot lists again before anything is locked.
func TestASecondCallerIsListedWhatTheFirstWasNot(t *testing.T) {
	t.Parallel()
	eachOldFleet(t, nil, func(t *testing.T, f *oldFleet) {
		one := f.submit(t, described("one", component{name: "web", at: hillBox}))
		f.clock.Advance(time.Second)
		two := f.submit(t, described("two", component{name: "web", at: hillBox}))
		first, second := f.nuvla(), f.nuvla()
		groupOf := func(agent *oldclient.Nuvla) string {
			t.Helper()
			jobs, err := agent.List(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(jobs) == 0 {
				return ""
			}
			return jobs[0]["job_group_id"].(string)
		}
		if a, b := groupOf(first), groupOf(second); a != one || b != two {
			t.Errorf("listed to the first: %s, to the second: %s, want %s and %s", a, b, one, two)
		}
		silent(t, first, "with all handed out")
		f.clock.Advance(31 * time.Second) // the hand-outs lapsed
		if again := groupOf(second); again != one {
			t.Errorf("after the hand-outs lapsed %s is listed, want %s: the oldest hand-out comes last", again, one)
		}
		other := f.nuvla()
		other.Login = f.login("another-client")
		if again := groupOf(other); again != two {
			t.Errorf("another client is listed %s, want %s", again, two)
		}
	})
}
