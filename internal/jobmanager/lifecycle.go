package jobmanager

import "time"

// LifeCycle holds the numbers of a job's life; the configuration fills it in.
type LifeCycle struct {
	// MaxAttempts at one piece of work; then Degraded, AttemptsExhausted.
	MaxAttempts int
	// Lease is what a claim gets that names no length; the old service's takeover time.
	Lease time.Duration
	// ReportedLease is what a claim over REST gets, which only the report of that job ends.
	ReportedLease time.Duration
	// MinLease and MaxLease bound what a claim may name.
	MinLease, MaxLease time.Duration
	// Backoff after the first failed or expired attempt; it doubles with each one up to MaxBackoff.
	Backoff, MaxBackoff time.Duration
	// Rematch is the backoff after the first fruitless match; it doubles up to MaxRematch.
	Rematch, MaxRematch time.Duration
	// CoolDown is how long the same remediation of a job is not taken on again.
	CoolDown time.Duration
	// HandOut is how long a hand-out reserves a job, and MostHandedOut how many jobs an agent has reserved at once.
	HandOut       time.Duration
	MostHandedOut int
	// MostLapses is how many hand-outs an agent may let lapse before it is listed jobs without reserving them.
	MostLapses int
	// Grace is how long an agent may be silent before what it reported counts as unknown.
	Grace time.Duration
	// Fits names, for each orchestrator, the component types that it can run. An orchestrator that is not
	// listed runs all of them.
	Fits map[string][]string
}

// DefaultLifeCycle is what DESIGN.md section 4 says.
func DefaultLifeCycle() LifeCycle {
	return LifeCycle{
		MaxAttempts: 5,
		Lease:       300 * time.Second, ReportedLease: 300 * time.Second, MinLease: 15 * time.Second, MaxLease: 15 * time.Minute,
		Backoff: 5 * time.Second, MaxBackoff: 5 * time.Minute,
		Rematch: 10 * time.Second, MaxRematch: 5 * time.Minute,
		CoolDown: time.Minute,
		HandOut:  30 * time.Second, MostHandedOut: 5, MostLapses: 3,
		Grace: 300 * time.Second,
		Fits: map[string][]string{
			"ocm":   {"kubernetes", "manifest", "multiple", "helm"},
			"nuvla": {"docker", "kubernetes", "manifest", "multiple", "container"},
		},
	}
}

// fits says whether an orchestrator can run components of a type; a component without a type fits any.
func (lc LifeCycle) fits(componentType, orchestrator string) bool {
	types, listed := lc.Fits[orchestrator]
	if !listed || componentType == "" {
		return true
	}
	for _, known := range types {
		if known == componentType {
			return true
		}
	}
	return false
}

// firstFitting is the best target that can run components of a type; nil when none can.
func (lc LifeCycle) firstFitting(match Match, componentType string) *Target {
	for i := range match.Targets {
		if target := match.Targets[i]; lc.fits(componentType, target.Orchestrator) {
			return &target
		}
	}
	return nil
}

// doubling is base, twice base, four times base … for the first, second, third try, at most limit.
func doubling(base, limit time.Duration, try int) time.Duration {
	delay := base
	for ; try > 1 && delay < limit; try-- {
		delay *= 2
	}
	return min(delay, limit)
}

// fewestExpiring is how many agents must fall silent before that counts as a fault of the server's side.
const fewestExpiring = 4

// TooManyExpiring says whether so many agents let their leases run out within one lease length, out of all that
// have work in progress, that the fault is rather the server's or the network's: more than half, and at least four.
func TooManyExpiring(expiring, all int) bool {
	return expiring >= fewestExpiring && 2*expiring > all
}

// within says whether now is less than d after a moment. A clock that was set back is not.
func within(d time.Duration, since, now time.Time) bool {
	passed := now.Sub(since)
	return passed >= 0 && passed < d
}
