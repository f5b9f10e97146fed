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
// stops the group turns every job whose workload may stand into a Delete for its owner; who starts it again
// makes Creates of them. A new descriptor makes a Replace of a job whose manifests changed, and a broken policy
// an Update. A job that is to go elsewhere is an Update that removes its workload, and then a Create there.
//
// # States
//
//	            claim                    finish
//	CREATED ─────────────► PROGRESSING ──────────► FINISHED
//	   ▲                    │  ▲   │                  │
//	   │      release       │  │   │ fail,            │ stop: a Delete. New manifests: a Replace.
//	   ├────────────────────┘  │   │ or the lease     │ Incompliance: an Update. A move: an Update,
//	   │                       │   │ ran out too      │ whose finish makes a Create elsewhere.
//	   │                 claim │   │ often            │ Start: a Create of a Delete.
//	   │                       │   ▼                  │
//	   ├─────────────────── DEGRADED                  │
//	   │  the same, and retry                         │
//	   └──────────────────────────────────────────────┘
//
// A lease that runs out leaves the job PROGRESSING without a lease: claimable again once the backoff is over,
// by its owner, and for a Create whose workload is not known to stand by any agent of the orchestrator; who did
// not report comes last. Three things tell how it stands: State is the work on the job, Workload is what is known
// to stand on the target, Conditions are how that does.
//
// What is asked of a job while an agent has it in hand waits until the attempt has ended, however it ends: a move
// whose target was chosen, newer manifests (Outdated), and one remediation (Queued), the weightiest first. What
// takes the place of something that waited tells what became of it.
//
// # Ownership
//
// Epoch is the fence. It grows with each claim and whenever other work begins or the job is given to somebody
// else; every write of an agent carries the epoch of its claim, and a write with another one than the job's
// changes nothing and is told so (STALE_OWNER). Generation numbers the pieces of work, Attempt the tries at one of
// them: other manifests are another piece of work.
//
// # Verbs and their events
//
//	verb               who             events, in this order
//	submit             integrator      JOB_GROUP_CREATED, JOB_CREATED for each component
//	update group       integrator      JOB_GROUP_UPDATED, then for each component that is not as it was:
//	  added                            JOB_CREATED
//	  removed                          JOB_STOPPED and JOB_UPDATED; JOB_DELETED where nothing stands
//	  back again                       JOB_UPDATED while its Delete is under way; JOB_STARTED when it was abandoned
//	  other manifests                  JOB_UPDATED
//	  other requirements               JOB_UPDATED, then JOB_MATCHED or JOB_REALLOCATED where a target is named
//	                                   (of a job that is leaving its target JOB_REALLOCATED alone)
//	start              integrator      JOB_GROUP_STARTED, JOB_STARTED for each job, JOB_CREATED for each component
//	                                   without one, JOB_DELETED for each job without a component
//	stop               integrator      JOB_GROUP_STOPPED, JOB_STOPPED for each job
//	delete             integrator      JOB_GROUP_DELETED, JOB_DELETED for each job
//	stop and delete    integrator      JOB_GROUP_DELETION_REQUESTED, then those of stop; those of delete with the
//	                                   last finish
//	retry              integrator      JOB_RETRIED
//	delete job         integrator      JOB_DELETED
//	reassign           admin           JOB_REASSIGNED
//	abandon            admin           JOB_ABANDONED, RESOURCE_REMOVED when there was one
//	claim              agent           JOB_CLAIMED; after a takeover RESOURCE_REPORTED, for what the former owner
//	                                   said no longer holds; before one over REST STRAY_REPORTED, for what it made
//	renew, hand out    owner, server   none: they take no revision
//	release            owner           JOB_RELEASED; of a Create RESOURCE_REMOVED when there was one
//	finish             owner           JOB_FINISHED; RESOURCE_REPORTED, after a Delete or a removal RESOURCE_REMOVED;
//	                                   of a remediation REMEDIATION_CHANGED
//	fail               owner           JOB_FAILED; of a remediation at the limit REMEDIATION_CHANGED
//	lease runs out     server          JOB_LEASE_EXPIRED; REMEDIATION_CHANGED as for fail
//	report resource    owner           RESOURCE_REPORTED, unless nothing changed
//	report work        owner           as finish; JOB_CLAIMED before it where the job was only listed
//	stale report       former owner    RESOURCE_REPORTED or STRAY_REPORTED for the workload that it names; then
//	                                   JOB_STOPPED and RESOURCE_REPORTED where the Delete had finished, JOB_RELEASED
//	                                   where the agent had claimed other work by mistake
//	sync               agent           as report resource; JOB_UPDATED where a removal is to be tried again; of a
//	                                   workload that is adopted as finish, of one that only may be the job's
//	                                   STRAY_REPORTED
//	poll               owner           as finish, the second time after a removal that was not reported
//	adopt              admin           as finish; of a Delete JOB_STOPPED and RESOURCE_REPORTED
//	agent silent       server          RESOURCE_REPORTED for each resource of the agent
//	incompliance       policy manager  INCOMPLIANCE_REPORTED, and for each job that takes it on JOB_REMEDIATED, or
//	                                   REMEDIATION_CHANGED when it waits
//	match again        server          JOB_MATCHED when a target was found
//	move               server          JOB_REALLOCATED when the job leaves its target, and again when it is a Create
//	                                   elsewhere; JOB_MATCHED when it must wait, or stays after all;
//	                                   REMEDIATION_CHANGED the first time that there is no other target
//	server was away    server          LEASES_EXTENDED
//	too many silent    server          TAKEOVER_PAUSED
//	tell of a group    server          POLICY_MANAGER_NOTIFIED or POLICY_MANAGER_GAVE_UP
//
// finish, fail, a lease that runs out, release and reassign are followed, in the same transaction, by what waited:
// JOB_REALLOCATED, JOB_UPDATED or JOB_REMEDIATED. A finished or abandoned Delete of a component that left the
// descriptor is followed by JOB_DELETED, one with strays by JOB_STOPPED for the next of them, of one that came back by JOB_STARTED. Whatever takes the place of a
// remediation (other work, a stop, an abandonment) tells REMEDIATION_CHANGED before its own event. Whenever a
// change moves the phase of the group, JOB_GROUP_PHASE_CHANGED follows in the same transaction.
//
// testdata/state-x-verb.txt has what each verb makes of a job in each situation.
//
// # Where to start
//
// job.go has the job, executable.go the one rule of who may claim it, claim.go, report.go and resource.go what
// agents then do, sequel.go what follows when an attempt ends. stop.go, start.go and update.go are what
// integrators do with a group, group.go has the group and its phase, create.go how it begins, admin.go what
// people do with one job. incompliance.go has the reports of broken policies, remedy.go the answers to them,
// move.go the answer that needs another target. waiting.go says why a job is not finished, event.go has the log,
// legacy.go what agents need that execute without asking, stray.go and
// adopt.go the workloads that they leave, notice.go what the Policy Manager is told, lifecycle.go the numbers.
package jobmanager
