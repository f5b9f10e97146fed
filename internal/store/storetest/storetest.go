// Package storetest is what a store promises, as tests: the same suite runs on SQLite and on PostgreSQL, and
// behaviour is added here, not to a test of one database. It goes through the exported methods only. Start at
// Run; the file names say which promise stands where.
package storetest

import (
	"testing"

	"github.com/icos-jobmanager/jobmanager/internal/store"
)

// Open gives a store on a fresh, migrated database of its own, closed when the test ends. It fills in the URL
// of the configuration and leaves the rest as it is.
type Open func(t testing.TB, config store.Config) *store.Store

// Run runs the whole suite.
func Run(t *testing.T, open Open) {
	promises := []struct {
		name string
		test func(*testing.T, *bench)
	}{
		{"a group comes back as it was stored", testRoundTrip},
		{"every field of a job is kept", testEveryField},
		{"every field of an incompliance is kept", testEveryFieldOfIncompliances},
		{"values keep the order of keys and the spelling of numbers", testValuesAsWritten},
		{"an idempotency key is kept with its result", testIdempotency},
		{"what is not there or not in the scope is not found", testNotFound},
		{"a malformed id or cursor is invalid", testMalformed},
		{"one of fifty concurrent claimers wins", testOneWinner},
		{"batch claims give each job one owner", testBatchClaims},
		{"retries of one claim get what the first one won", testClaimRetries},
		{"claims come oldest claimable first", testClaimOrder},
		{"attempts are kept with their job", testAttempts},
		{"a rule's error leaves nothing behind", testRuleError},
		{"a rule that changes nothing writes nothing", testUnchanged},
		{"a resource follows its job's rules", testResource},
		{"reports about one job do not overwrite each other", testConcurrentReports},
		{"the last-seen mark is written without an event", testSeenMark},
		{"renewal extends what is held and leaves the rest", testRenewal},
		{"leases that ran out are found", testExpiry},
		{"the next chance is the earliest of all that waits for time", testNextChance},
		{"executable means what the rule says", testExecutableEqualsRule},
		{"jobs that wait for a target are listed when due", testUnmatched},
		{"jobs that want another target are listed when due", testWantingToMove},
		{"hand-outs come in their order and reserve without an event", testHandOut},
		{"a hand-out that lapsed is counted once", testCountedLapses},
		{"a hand-out that was counted keeps its place", testCountedHandOutsStayInOrder},
		{"an agent's lists at once reserve as much as one", testHandOutsAtOnce},
		{"a hand-out of one group is of one target and of one caller", testTogether},
		{"a hand-out of one group counts what lapsed and goes on with another", testTogetherLapses},
		{"callers at once are handed out different groups", testTogetherAtOnce},
		{"who works keeps what was handed out", testWorking},
		{"work beside claims disturbs neither", testWorkingBesideClaims},
		{"what an agent holds is picked page by page", testHeldBy},
		{"revisions are dense and a follower misses nothing", testFollow},
		{"an event carries what it tells of", testEventContent},
		{"a cursor that leads nowhere is expired", testCursorExpired},
		{"events are paged, filtered and scoped", testEventPage},
		{"a commit with events is told", testOnCommit},
		{"phases are right when jobs finish at once", testConcurrentFinish},
		{"a group stops and is deleted", testStopAndDelete},
		{"a group marked for it goes with its last Delete", testDeleteWhenStopped},
		{"a group's change and its jobs' claims do not deadlock", testStopAgainstClaims},
		{"an update changes, adds and removes jobs", testUpdateGroup},
		{"a stopped group starts as its descriptor is by now", testStartAgain},
		{"a job that a rule deletes is gone and does not count", testRemovedJobs},
		{"manifests are replaced where a rule sets them", testManifestsReplaced},
		{"updates, remedies and agents' work at once leave the phase right", testChangesAtOnce},
		{"an incompliance is stored with its answers", testRecordIncompliance},
		{"an incompliance finds its jobs", testWhatASubjectIsAbout},
		{"former uids and names are remembered", testPastResources},
		{"answers to incompliances succeed each other", testAnswersSucceedEachOther},
		{"an incompliance is recorded once", testRecordsAtOnce},
		{"incompliances are paged and filtered", testIncompliancePages},
		{"where agents finished work is remembered", testFinishedClusters},
		{"groups are paged in every order", testGroupPages},
		{"jobs are paged in every order", testJobPages},
		{"filters pick", testFilters},
		{"what is loaded is not nil and what is not loaded is", testLoad},
		{"a group's own jobs come in pages", testMemberPages},
		{"agents are remembered", testAgents},
		{"agents come with pages of their jobs", testAgentJobs},
		{"an agent without clusters is kept from what others serve", testOthers},
		{"an admin sets the clusters of an agent that names none", testSetAgent},
		{"agents that fell silent are listed until they are marked", testSilentAgents},
		{"hand-outs that lapsed are counted until the agent works", testLapses},
		{"a workload is found by its uid", testByUID},
		{"what may be adopted is found by client and component", testAdoptable},
		{"what may be adopted is found among many of one name", testAdoptableAmongMany},
		{"what may be adopted is found by a name that was cut", testAdoptableOfACutName},
		{"what was a resource is told from what is one", testWasResource},
		{"removals without a report are picked by their owner", testUnconfirmedBy},
		{"a lease runs out whatever the job is held for", testLeasesOnHold},
		{"a stranger keeps the time of its first sight", testStranger},
		{"a stranger at many callers at once has one first time", testStrangerAtOnce},
		{"strangers that nobody names are forgotten", testStrangersForgotten},
		{"what was a job's resource is never a stranger", testNoStranger},
		{"leases that were live get their length anew after the server was away", testMarkAlive},
		{"one of many replicas that come back pardons", testOnePardon},
		{"takeover pauses once", testPauseTakeover},
		{"agents that let their leases run out are counted", testExpiringOwners},
		{"a group's notices are delivered one after the other", testNotices},
		{"what stands behind a notice that was given up waits for a deletion", testNoticeGivenUp},
		{"a deletion does away with the notices before it", testNoticeAnew},
		{"a deletion does not overtake a notice in delivery", testNoticeOvertaking},
		{"each due notice is taken by one of many replicas", testNoticeRace},
		{"notices come in order while groups come and go", testNoticeOrder},
		{"special characters are kept", testSpecialCharacters},
		{"a closed store is unavailable", testClosed},
	}
	for _, promise := range promises {
		t.Run(promise.name, func(t *testing.T) {
			t.Parallel()
			promise.test(t, newBench(t, open))
		})
	}
}
