package app_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
	"github.com/icos-jobmanager/jobmanager/internal/config"
	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/testkit"
)

// telling is a server that tells a Policy Manager, which may take a moment only.
func telling(url string, clock *testkit.Clock, peer *testkit.PolicyManager) apptest.Options {
	return apptest.Options{DatabaseURL: url, Clock: clock, Configure: func(c *config.Config) {
		c.PolicyManagerURL, c.PolicyManagerTimeout = peer.URL, 2*time.Second
	}}
}

// TestAPolicyManagerInTroubleDelaysNobody lets the peer fail, hang, and lose its answers: every request is answered,
// and what was to be told comes in order once it is well.
func TestAPolicyManagerInTroubleDelaysNobody(t *testing.T) {
	t.Parallel()
	for name, trouble := range map[string]func(*testkit.PolicyManager){
		"fails":       func(p *testkit.PolicyManager) { p.Fail(http.StatusInternalServerError, 3) },
		"no rights":   func(p *testkit.PolicyManager) { p.Fail(http.StatusForbidden, 2) },
		"another one": func(p *testkit.PolicyManager) { p.Fail(http.StatusMethodNotAllowed, 2) },
		"hangs":       func(p *testkit.PolicyManager) { p.Fail(0, 2) },
		"goes silent": func(p *testkit.PolicyManager) { p.Lose(2) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			apptest.EachDatabase(t, func(t *testing.T, url string) {
				clock, peer := noon(), (&testkit.PolicyManager{}).Start(t)
				s := apptest.Start(t, telling(url, clock, peer))
				trouble(peer)
				text := describe("app", pinned("web", ""))
				first, second := create(t, s.Client, text), create(t, s.Client, text)
				stop(t, s.Client, second.ID) // nothing of it stood
				awaitCalls(t, clock, peer, func() bool {
					return strings.HasSuffix(toldOf(peer, first.ID), "started") && strings.HasSuffix(toldOf(peer, second.ID), "stopped")
				})
				if app, known := peer.App(jobmanager.ID(first.ID)); !known || !app.Active || app.Descriptor != text {
					t.Errorf("of the first it knows %v %+v", known, app)
				}
				if app, known := peer.App(jobmanager.ID(second.ID)); !known || app.Active {
					t.Errorf("of the second it knows %v %+v", known, app)
				}
			})
		})
	}
}

// TestWhatThePolicyManagerRefusesForGoodIsGivenUp lets it refuse a descriptor: it is not asked again, until the
// application is told anew.
func TestWhatThePolicyManagerRefusesForGoodIsGivenUp(t *testing.T) {
	t.Parallel()
	apptest.EachDatabase(t, func(t *testing.T, url string) {
		clock, peer := noon(), (&testkit.PolicyManager{}).Start(t)
		s := apptest.Start(t, telling(url, clock, peer))
		undescribed := strings.Replace(describe("app", pinned("web", "")), "description: for the tests\n", "", 1)
		group := create(t, s.Client, undescribed)
		gaveUp := func() []eventSeen {
			return eventsAfter(t, s.Client, "", map[string]any{"types": []string{"POLICY_MANAGER_GAVE_UP"}, "jobGroupIds": []string{group.ID}})
		}
		until(t, clock, time.Second, func() bool { return len(gaveUp()) > 0 })
		if message := gaveUp()[0].Message; !strings.Contains(message, "description") || !strings.Contains(message, "created") {
			t.Errorf("the event says %q", message)
		}
		stop(t, s.Client, group.ID) // held back: who does not know it need not be told of its end
		clock.Advance(time.Hour)
		other := create(t, s.Client, describe("other", pinned("web", "")))
		awaitTold(t, clock, peer, other.ID, "deleted created started") // by then the stop would have been told
		if told := toldOf(peer, group.ID); told != "deleted" {
			t.Errorf("of the one that it refused it was told %q", told)
		}
		update(t, s.Client, group.ID, describe("app", pinned("web", "")))
		startUp(t, s.Client, group.ID)
		awaitTold(t, clock, peer, group.ID, "deleted deleted created started")
	})
}

// TestWhatThePolicyManagerNeverHearsIsGivenUpAfterItsAttempts lets it be away for hours.
func TestWhatThePolicyManagerNeverHearsIsGivenUpAfterItsAttempts(t *testing.T) {
	t.Parallel()
	apptest.EachDatabase(t, func(t *testing.T, url string) {
		clock, peer := noon(), (&testkit.PolicyManager{}).Start(t)
		s := apptest.Start(t, telling(url, clock, peer))
		peer.Fail(http.StatusServiceUnavailable, 1000)
		group := create(t, s.Client, describe("app", pinned("web", "")))
		var given []eventSeen
		until(t, clock, 30*time.Second, func() bool {
			given = eventsAfter(t, s.Client, "", map[string]any{"types": []string{"POLICY_MANAGER_GAVE_UP"}})
			return len(given) > 0
		})
		if calls := len(peer.Calls()); calls != 14 || !strings.Contains(given[0].Message, "14 attempts") || given[0].JobGroupID != group.ID {
			t.Errorf("given up after %d calls: %+v", calls, given)
		}
		if lasted := clock.Now().Sub(noon().Now()); lasted < 30*time.Minute {
			t.Errorf("given up after %s", lasted)
		}
		peer.Fail(0, 0)
		stop(t, s.Client, group.ID)
		clock.Advance(time.Hour)
		change[map[string]any](t, s.Client, "deleteJobGroup", map[string]any{"jobGroupId": group.ID}, "deleted")
		awaitTold(t, clock, peer, group.ID, "deleted")
		if calls := peer.Calls(); len(calls) != 15 {
			t.Errorf("%d calls, the last %+v", len(calls), calls[len(calls)-1])
		}
	})
}

// TestARestartLosesNothingThatIsToBeTold stops the server while the peer is away.
func TestARestartLosesNothingThatIsToBeTold(t *testing.T) {
	t.Parallel()
	apptest.EachDatabase(t, func(t *testing.T, url string) {
		clock, peer := noon(), (&testkit.PolicyManager{}).Start(t)
		options := telling(url, clock, peer)
		s := apptest.Start(t, options)
		peer.Fail(http.StatusBadGateway, 1000)
		first := create(t, s.Client, describe("first", pinned("web", "")))
		advanceWhile(clock, time.Second, func() { peer.Await(t, 2) })
		second := create(t, s.Client, describe("second", pinned("web", "")))
		s.Stop()
		peer.Fail(0, 0)
		apptest.Start(t, options)
		for _, group := range []groupSeen{first, second} {
			awaitTold(t, clock, peer, group.ID, "deleted created started")
		}
	})
}
