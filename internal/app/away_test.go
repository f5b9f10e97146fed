package app_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
	"github.com/icos-jobmanager/jobmanager/internal/config"
	"github.com/icos-jobmanager/jobmanager/internal/service"
)

// TestLeasesThatWereLiveWhenTheServerWentAwayGetTheirLengthAgain stops the server for an hour, longer than any lease.
func TestLeasesThatWereLiveWhenTheServerWentAwayGetTheirLengthAgain(t *testing.T) {
	t.Parallel()
	apptest.EachDatabase(t, func(t *testing.T, url string) {
		clock := noon()
		options := apptest.Options{DatabaseURL: url, Clock: clock, Pace: service.DefaultPace()}
		s := apptest.Start(t, options)
		group := create(t, s.Client, describe("app", pinned("live", ""), pinned("silent", ""), pinned("open", "")))
		live, silent := take(t, s.Client, group.job(t, "live").ID, "live"), take(t, s.Client, group.job(t, "silent").ID, "silent")
		s.Stop()
		clock.Advance(time.Hour)
		back := clock.Now()

		s = apptest.Start(t, options)
		offers := s.Subscribe(t, executable, apptest.Vars{"owner": "other"})
		var offer offered
		if offers.Next(&offer); offer.JobExecutable.Component != "open" {
			t.Errorf("offered %+v", offer)
		}
		until(t, clock, time.Millisecond, func() bool { return seeJob(t, s.Client, live.ID).Lease.ExpiresAt.After(back) })
		for _, was := range []jobSeen{live, silent} {
			j := seeJob(t, s.Client, was.ID)
			if j.Lease == nil || j.Lease.ExpiresAt.Before(back.Add(time.Minute)) || j.Lease.ExpiresAt.After(clock.Now().Add(time.Minute)) || j.Epoch != was.Epoch || j.Owner != was.Owner {
				t.Errorf("after the absence the job is %+v", j)
			}
			refused(t, s.Client, "claimJob", map[string]any{"jobId": was.ID, "orchestrator": "ocm", "ownerId": "other"}, "NOT_CLAIMABLE")
		}
		if told := eventsAfter(t, s.Client, "", map[string]any{"types": []string{"LEASES_EXTENDED", "JOB_LEASE_EXPIRED"}}); len(told) != 1 || told[0].Type != "LEASES_EXTENDED" || told[0].JobGroupID != "" {
			t.Errorf("events %+v", told)
		}
		if j := settle(t, s.Client, live, "u"); j.State != "FINISHED" || j.outcomes() != "FINISHED live" {
			t.Errorf("its agent finishes: %+v", j)
		}
		// The other agent does not come back: once its full length has passed, it loses the job. This server takes no
		// leap of the clock for an absence.
		s.Stop()
		s = apptest.Start(t, apptest.Options{DatabaseURL: url, Clock: clock})
		until(t, clock, time.Second, func() bool { return seeJob(t, s.Client, silent.ID).Lease == nil })
		if lasted := clock.Now().Sub(back); lasted < time.Minute {
			t.Errorf("the lease of the silent one ended %s after the server was back", lasted)
		}
		until(t, clock, time.Second, func() bool { return claimable(t, s.Client, silent.ID, "other") })
	})
}

// TestARenewalRightAfterTheServersAbsenceSucceeds renews the moment that the server answers again, before anything
// else, over and over: no agent must be told that its lease ran out while the server was away.
func TestARenewalRightAfterTheServersAbsenceSucceeds(t *testing.T) {
	t.Parallel()
	apptest.EachDatabase(t, func(t *testing.T, url string) {
		clock := noon()
		options := apptest.Options{DatabaseURL: url, Clock: clock, Pace: service.DefaultPace()}
		s := apptest.Start(t, options)
		j := take(t, s.Client, create(t, s.Client, describe("app", pinned("web", ""))).Jobs.Nodes[0].ID, "hub")
		for n := range 5 {
			s.Stop()
			clock.Advance(time.Hour)
			s = apptest.Start(t, options)
			type payload struct {
				Results []struct{ Code, Message string }
			}
			input := map[string]any{"ownerId": "hub", "leases": []any{map[string]any{"jobId": j.ID, "epoch": j.Epoch}}}
			if p := change[payload](t, s.Client, "renewLeases", input, `results { code message }`); p.Results[0].Code != "" {
				t.Fatalf("after absence %d the renewal is answered with %+v", n+1, p.Results[0])
			}
		}
	})
}

// TestTakeoverPausesOnceWhenMostAgentsFallSilentAtOnce lets five of six agents fall silent.
func TestTakeoverPausesOnceWhenMostAgentsFallSilentAtOnce(t *testing.T) {
	t.Parallel()
	apptest.EachDatabase(t, func(t *testing.T, url string) {
		clock := noon()
		s := apptest.Start(t, apptest.Options{DatabaseURL: url, Clock: clock, Configure: func(c *config.Config) { c.Lease = time.Minute }})
		var parts []part
		for n := range 6 {
			parts = append(parts, pinned(fmt.Sprintf("c%d", n), ""))
		}
		group := create(t, s.Client, describe("app", parts...))
		var jobs []jobSeen
		for n, j := range group.Jobs.Nodes {
			jobs = append(jobs, take(t, s.Client, j.ID, fmt.Sprintf("hub-%d", n)))
		}
		last := jobs[5]
		renew := func() {
			t.Helper()
			type payload struct{ Results []struct{ Code string } }
			input := map[string]any{"ownerId": last.Owner, "leases": []any{map[string]any{"jobId": last.ID, "epoch": last.Epoch}}}
			if p := change[payload](t, s.Client, "renewLeases", input, `results { code }`); p.Results[0].Code != "" {
				t.Errorf("the one that lives is told %+v", p)
			}
		}
		happened := func(kind string) []eventSeen {
			return eventsAfter(t, s.Client, "", map[string]any{"types": []string{kind}})
		}
		clock.Advance(30 * time.Second)
		renew()
		clock.Advance(29 * time.Second)
		until(t, clock, 100*time.Millisecond, func() bool { return len(happened("TAKEOVER_PAUSED")) > 0 })
		paused := happened("TAKEOVER_PAUSED")[0]
		if !strings.Contains(paused.Message, "5 of 6 agents") {
			t.Errorf("the event says %q", paused.Message)
		}
		renew()
		clock.Advance(30 * time.Second)
		for _, j := range jobs[:5] {
			if now := seeJob(t, s.Client, j.ID); now.Lease == nil || now.Owner != j.Owner {
				t.Errorf("during the pause: %+v", now)
			}
			refused(t, s.Client, "claimJob", map[string]any{"jobId": j.ID, "orchestrator": "ocm", "ownerId": last.Owner}, "NOT_CLAIMABLE")
		}
		renew()
		until(t, clock, 100*time.Millisecond, func() bool { return len(happened("JOB_LEASE_EXPIRED")) == 5 })
		for _, expired := range happened("JOB_LEASE_EXPIRED") {
			if lasted := expired.Time.Sub(paused.Time); lasted < time.Minute {
				t.Errorf("takeover paused for %s, want one lease length", lasted)
			}
		}
		renew()
		until(t, clock, 100*time.Millisecond, func() bool { return executableFor(t, s.Client, "other") == "c0 c1 c2 c3 c4" })
		for _, j := range jobs[:5] {
			if taken := perform(t, s.Client, j.ID, "other"); taken.outcomes() != "EXPIRED "+j.Owner+", FINISHED other" {
				t.Errorf("taken over: %+v", taken)
			}
		}
		if again := happened("TAKEOVER_PAUSED"); len(again) != 1 {
			t.Errorf("takeover paused %d times", len(again))
		}
	})
}
