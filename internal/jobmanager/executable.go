package jobmanager

import (
	"fmt"
	"slices"
	"time"
)

// Agent is a process that takes and executes jobs of one orchestrator.
type Agent struct {
	OwnerID      OwnerID
	Orchestrator string
	// Clusters it serves: what it names, else what an admin set.
	Clusters []string
	// Others are clusters that other agents serve which are present: an agent without clusters of its own is
	// offered every cluster of its orchestrator but those.
	Others     []string
	LastSeenAt time.Time
	// Protocol is the door it was last heard at: one of the Protocol constants.
	Protocol string
	// Blind says that it sends no epoch back with its reports.
	Blind bool
	// Client is who calls for an agent that executes without asking; empty for one that claims.
	Client string
	// Lapses counts the hand-outs that it let lapse since its last claim.
	Lapses int
	// JobPage is a page of the jobs that it owns, where a query asked.
	JobPage *JobPage
}

// The protocols.
const (
	ProtocolGraphQL = "graphql"
	ProtocolREST    = "rest"
	// ProtocolV0 is the REST dialect of the first Nuvla agents, which know Creates only.
	ProtocolV0 = "rest-v0"
)

// Check refuses an agent that does not say who it is and what it runs.
func (a Agent) Check() error {
	if err := a.OwnerID.Check(); err != nil {
		return err
	}
	if a.Orchestrator == "" {
		return Errorf(CodeInvalid, "orchestrator must not be empty: ocm, nuvla or another one's name")
	}
	const mostClusters, longestName = 1000, 253
	if len(a.Clusters) > mostClusters {
		return Errorf(CodeInvalid, "an agent may name at most %d clusters", mostClusters)
	}
	for i, cluster := range a.Clusters {
		field := fmt.Sprintf("clusters[%d]", i)
		if cluster == "" {
			return Errorf(CodeInvalid, "%s must not be empty", field)
		}
		if err := CheckText(field, cluster, longestName); err != nil {
			return err
		}
	}
	return CheckText("orchestrator", a.Orchestrator, longestName)
}

// serves says whether the agent takes the job where it is. What it owns, or is kept for it, it may always go on with,
// whoever serves the cluster by now: nobody else could.
func (a Agent) serves(j *Job, now time.Time) bool {
	switch {
	case j.Owner == a.OwnerID, j.Reservation.OwnerID == a.OwnerID && j.Reservation.HeldAt(now):
		return true
	case len(a.Clusters) == 0:
		return !slices.Contains(a.Others, j.Target.Cluster)
	}
	return slices.Contains(a.Clusters, j.Target.Cluster)
}

// elsewhere says why the agent does not take the job where it is.
func (a Agent) elsewhere(j *Job) string {
	if len(a.Clusters) == 0 {
		return fmt.Sprintf("its cluster %s is served by another agent, which is present", quoted(j.Target.Cluster))
	}
	return fmt.Sprintf("its cluster %s is none of the agent's", quoted(j.Target.Cluster))
}

// Executable is the ONE rule: may this agent claim the job now? The list, the push and the claim use it; the
// store has the same rule as a WHERE clause, and a test holds the two equal.
func (j *Job) Executable(a Agent, now time.Time) bool {
	return j.whyNotExecutable(a, now) == ""
}

// whyNotExecutable is a sentence, or empty when the agent may claim the job.
func (j *Job) whyNotExecutable(a Agent, now time.Time) string {
	switch {
	case j.Hold != "":
		return fmt.Sprintf("it waits: %s", j.Hold)
	case j.Target == nil || j.lacksManifests():
		return "it has no target or no manifests"
	case j.Orchestrator != Text(a.Orchestrator):
		return fmt.Sprintf("it belongs to orchestrator %s, not %s", j.Orchestrator, quoted(a.Orchestrator))
	case !a.serves(j, now):
		return a.elsewhere(j)
	case j.State == Progressing && j.Lease != nil:
		return fmt.Sprintf("%s holds it until %s", quoted(string(j.Owner)), j.Lease.ExpiresAt.Format(time.RFC3339))
	case j.State == Finished:
		return "it is finished"
	}
	return j.whyNotNow(a, now)
}

// whyNotNow is the second half of whyNotExecutable: whose turn it is.
func (j *Job) whyNotNow(a Agent, now time.Time) string {
	switch {
	case j.NotBefore.After(now):
		return "it may be claimed from " + j.NotBefore.Format(time.RFC3339)
	case j.Reservation.HeldAt(now) && j.Reservation.OwnerID != a.OwnerID:
		return "it is handed out to another agent"
	case j.Turn.Until.After(now) && (j.Turn.Of == TurnOfOwner) != (j.Last.OwnerID == a.OwnerID):
		return "other agents may claim it first, until " + j.Turn.Until.Format(time.RFC3339)
	case a.Protocol == ProtocolV0 && j.Type != CreateDeployment:
		return "the agent does no work but Creates"
	case j.openTo(a.OwnerID):
		return ""
	}
	return fmt.Sprintf("only its owner %s may claim it", quoted(string(j.Owner)))
}

// openTo says whose turn it is: a Create that nobody owns or whose workload is not known to stand is open to
// every agent, everything else to its owner.
func (j *Job) openTo(owner OwnerID) bool {
	if j.Owner == owner {
		return true
	}
	return j.Type == CreateDeployment && (j.State == Created || j.Workload != WorkloadPresent)
}
