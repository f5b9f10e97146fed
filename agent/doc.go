// Package agent is what an orchestrator driver embeds to take jobs from a Job Manager. Write a Driver, call Run
// with a Config, and be done: Run connects, claims, renews, reports, and connects again when the server is
// lost. The package knows nothing of any orchestrator and keeps nothing on disk. Start at Run and at Driver;
// command example is a whole agent to copy from, package simulated a driver to read and to try.
//
// # What a driver's author must know
//
// The server offers a job to every agent that could take it, and one of them wins the claim. The claim has an
// epoch, a number that grows with each change of hands, and a lease. Every report carries the epoch, so an
// agent that lost a job without noticing can do no harm at the server. On the target it still can: that is why
// the driver must watch its context.
//
// The context of a call ends when the job is no longer this agent's, or may no longer be:
//
//   - the server said so at a renewal, or offered the job anew (cause ErrStale). Whatever the driver returns
//     is thrown away, and the job's statuses are refused until it is claimed again.
//   - the lease ran out, because the server was out of reach or by the server's own word (cause
//     ErrLeaseLost). Another agent may be at work any moment, so the driver must stop. What it has finished
//     by then is reported once the server is back: the server takes it unless somebody else has claimed the
//     job, and then its answer is the end of it. Nothing else is reported.
//   - Run was told to end. The same holds, but work that says ErrUntouched is given back at once.
//
// Leases are renewed at a third of their length, all in one call, by a clock that begins when the claim was
// sent: the agent thinks its lease is over before the server does.
//
// # One generation, once
//
// A job's Generation numbers the pieces of work on it. The server repeats a generation whose outcome it did
// not hear, and Run then repeats the report instead of the work, as long as this process remembers it. That is
// so for updates, which may be relative, whatever happened in between; for the other types, which are
// idempotent, unless another claim lay in between, which may have undone the work. A process that was started
// again remembers nothing: keep the generation with the workload where that matters.
//
// # Parallel work and offers
//
// Config.Parallel bounds the jobs in hand, from the claim to the answered report. Offers beyond it wait, each
// job once. When too many wait, further ones are dropped, and Run asks the server for work as soon as a slot
// is free. Claims carry an id of their own, so that one whose answer was lost is repeated, not doubled.
//
// # When the server is away
//
// Calls are repeated with a random, growing wait: claims for half a lease, outcomes for 15 minutes, statuses
// until they are taken. UNAUTHENTICATED and FORBIDDEN end Run, as does a websocket that is closed with 4403
// three times in a row: start it again with another token.
package agent
