// Package store keeps groups, jobs, resources, agents and the log of events in SQLite or PostgreSQL. It is the
// only package that speaks SQL. It decides nothing about jobs: rules come in as functions from the domain and
// run inside its transactions.
//
// Start at Open, then at UpdateJobs (how a change is made) and snapshot (how a list is read). Whatever differs
// between the two databases stands in dialect.go; the rest is the same query text on both, and the suite in
// storetest runs on both.
//
// Order of locks, the same everywhere: the row of an agent that claims or lists, jobs by id, groups by id, what the
// events lead to (answers to incompliances, agents' clusters, notices), the one-row counter of revisions. Nothing
// is locked after the counter. What is picked without waiting may come in any order: a hand-out of one group locks
// the group before its jobs. The uids that removed jobs leave behind are locked where the jobs are removed.
package store
