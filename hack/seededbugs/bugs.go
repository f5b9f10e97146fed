package main

import "slices"

// bug is a defect: the edits that bring it back, and the tests that should catch it, tried in this order.
type bug struct {
	name     string
	edits    []edit
	catchers []catcher
}

// edit replaces a text that stands in a file exactly once.
type edit struct{ file, old, new string }

// The files that are edited, and the packages whose tests are run.
const (
	executableRule = "internal/jobmanager/executable.go"
	reportRule     = "internal/jobmanager/report.go"
	stopRule       = "internal/jobmanager/stop.go"
	sequelRule     = "internal/jobmanager/sequel.go"
	resourceRule   = "internal/jobmanager/resource.go"

	dialectFile    = "internal/store/dialect.go"
	pickFile       = "internal/store/pick.go"
	writeFile      = "internal/store/write.go"
	changesFile    = "internal/store/job_changes.go"
	renewFile      = "internal/store/renew.go"
	executableFile = "internal/store/executable.go"
	vitalsFile     = "internal/store/vitals.go"
	reportsFile    = "internal/store/incompliances.go"

	incomplianceCase = "internal/service/incompliance.go"

	domain = "./internal/jobmanager"
	store  = "./internal/store"
	cases  = "./internal/service"
	server = "./internal/app"
)

// bugs are the defects, those of the domain's rules first.
func bugs() []bug { return slices.Concat(bugsOfRules(), bugsOfRaces(), bugsOfTheLog()) }

func bugsOfRules() []bug {
	rules := []catcher{{pkg: domain, tests: "."}}
	return []bug{
		{
			"a report of an old claim is taken: no epoch in the fence",
			[]edit{{reportRule, `if j.Owner != f.OwnerID || j.Epoch != f.Epoch || j.Last.Epoch != f.Epoch {`, `if j.Owner != f.OwnerID {`}},
			rules,
		},
		{
			"another agent takes over a workload that stands",
			[]edit{
				{executableRule, `return j.Type == CreateDeployment && (j.State == Created || j.Workload != WorkloadPresent)`, `return j.Type == CreateDeployment`},
				{executableFile, `job.type = 'CREATE_DEPLOYMENT' AND (job.state = 'CREATED' OR job.workload <> 'PRESENT')`, `job.type = 'CREATE_DEPLOYMENT'`},
			},
			rules,
		},
		{
			"a claim does not look at the hand-out to another agent",
			[]edit{
				{executableRule, `case j.Reservation.HeldAt(now) && j.Reservation.OwnerID != a.OwnerID:`, `case j.Reservation.HeldAt(now) && false:`},
				{executableFile, `
		Where("(job.reserved_by IN ('', ?) OR job.reserved_until IS NULL OR job.reserved_until <= ?)", owner, now).`, ``},
			},
			rules,
		},
		{
			"a stop leaves the epoch: the attempt in flight is not fenced",
			[]edit{{stopRule, `j.Owner = owner
	message := "waiting`, `j.Epoch--
	j.Owner = owner
	message := "waiting`}},
			rules,
		},
		{
			"a repeated finish writes a second event",
			[]edit{{reportRule, `if j.repeats(f, OutcomeFinished) {
		return nil, nil`, `if j.repeats(f, OutcomeFinished) {
		return []Event{j.event(JobFinished, j.former(), now, "once more")}, nil`}},
			rules,
		},
		{
			"lastTransitionTime moves with every report",
			[]edit{{resourceRule, `report.LastTransitionTime = current.LastTransitionTime`, `report.LastTransitionTime = transitionTime(report, now)`}},
			rules,
		},
		{
			"a reallocated job keeps its former owner",
			[]edit{{sequelRule, `j.Owner, j.Workload, j.Sequel, j.Cooling = "", WorkloadNone, "", nil`, `j.Workload, j.Sequel, j.Cooling = WorkloadNone, "", nil`}},
			rules,
		},
	}
}
