DROP TABLE notices;
DROP TABLE vitals;
DROP TABLE agent_clusters;
DROP INDEX agents_not_marked;
ALTER TABLE agents DROP COLUMN set_clusters;
ALTER TABLE agents DROP COLUMN lapses;
ALTER TABLE agents DROP COLUMN marked_silent;
DROP TABLE remediations;
DROP TABLE incompliances;
CREATE TABLE old_events (
  revision INTEGER PRIMARY KEY NOT NULL,
  tenant TEXT NOT NULL,
  type TEXT NOT NULL,
  at TIMESTAMP NOT NULL,
  actor TEXT NOT NULL,
  job_group_id TEXT NOT NULL,
  job_id TEXT,
  message TEXT NOT NULL,
  payload TEXT NOT NULL
);
INSERT INTO old_events SELECT revision, tenant, type, at, actor, job_group_id, job_id, message, payload FROM events WHERE job_group_id IS NOT NULL;
DROP TABLE events;
ALTER TABLE old_events RENAME TO events;
CREATE INDEX events_group ON events (job_group_id, revision);
CREATE INDEX events_job ON events (job_id, revision) WHERE job_id IS NOT NULL;
DROP TABLE past_resources;
ALTER TABLE attempts DROP COLUMN blind;
DROP INDEX jobs_turn;
DROP INDEX jobs_move_due;
DROP INDEX jobs_reserved_by;
ALTER TABLE jobs DROP COLUMN turn_of;
ALTER TABLE jobs DROP COLUMN turn_until;
ALTER TABLE jobs DROP COLUMN claim_blind;
ALTER TABLE jobs DROP COLUMN cause;
ALTER TABLE jobs DROP COLUMN queued;
ALTER TABLE jobs DROP COLUMN cooling;
ALTER TABLE jobs DROP COLUMN move;
ALTER TABLE jobs DROP COLUMN move_due;
ALTER TABLE jobs DROP COLUMN outdated;
ALTER TABLE jobs DROP COLUMN sequel;
