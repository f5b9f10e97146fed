// Package jobmanager is the domain: what groups, jobs, targets, resources and conditions are, and the rules
// that they live by. It does no I/O and imports the standard library alone; what it needs from outside stands
// in ports.go as interfaces. Who has a question about what may happen to a job finds the answer here.
//
// # What a job manager does
//
// An integrator submits an application descriptor. It becomes a JobGroup with one Job for each component. The
// Matchmaker names a Target for each job. Agents, one for each orchestrator, claim the jobs that they can
// execute: the agent becomes the owner, for as long as its lease holds, and does the work. Then it reports:
// finished, with the Resource that now runs and its Conditions, or failed, and the job is tried again. Who
// stops the group turns every job whose workload may stand into a Delete for its owner.
//
// # States
//
//	            claim                    finish
//	CREATED ─────────────► PROGRESSING ──────────► FINISHED
//	   ▲                    │  ▲   │                  │
//	   │      release       │  │   │ fail,            │ stop: a Delete,
//	   └────────────────────┘  │   │ or the lease     │ CREATED again
//	   ▲                       │   │ ran out too      ▼
//	   │                 claim │   │ often
//	   │ stop: a Delete        │   ▼
//	   └─────────────────── DEGRADED
//
// A lease that runs out leaves the job PROGRESSING without a lease: claimable again once the backoff is over,
// by its owner, and for a Create whose workload is not known to stand by any agent of the orchestrator. Three
// things tell how it stands: State is the work on the job, Workload is what is known to stand on the target,
// Conditions are how that does.
//
// # Ownership
//
// Epoch is the fence. It grows with each claim and each stop; every write of an agent carries the epoch of its
// claim, and a write with another one than the job's changes nothing and is told so (STALE_OWNER). Generation
// numbers the pieces of work, Attempt the tries at one of them.
//
// # Verbs and their events
//
//	verb             who          events, in this order
//	submit           integrator   JOB_GROUP_CREATED, JOB_CREATED for each component
//	match again      the server   JOB_MATCHED when a target was found
//	claim            agent        JOB_CLAIMED; after a takeover RESOURCE_REPORTED, for what the former owner
//	                              said no longer holds
//	renew            owner        none: a renewal takes no revision
//	lease runs out   the server   JOB_LEASE_EXPIRED
//	release          owner        JOB_RELEASED; of a Create RESOURCE_REMOVED when there was one
//	finish           owner        JOB_FINISHED; RESOURCE_REPORTED, after a Delete RESOURCE_REMOVED
//	fail             owner        JOB_FAILED
//	report resource  owner        RESOURCE_REPORTED, unless nothing changed
//	stop             integrator   JOB_GROUP_STOPPED, JOB_STOPPED for each job
//	delete           integrator   JOB_GROUP_DELETED, JOB_DELETED for each job
//	stop and delete  integrator   JOB_GROUP_DELETION_REQUESTED, then those of stop; those of delete with the last finish
//
// Whenever a change moves the phase of the group, JOB_GROUP_PHASE_CHANGED follows in the same transaction.
//
// # Where to start
//
// job.go has the job, executable.go the one rule of who may claim it, claim.go, report.go and stop.go what
// then happens; group.go has the group and its phase, resource.go the conditions, event.go the log.
package jobmanager
