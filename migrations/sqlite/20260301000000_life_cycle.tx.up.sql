-- The whole life cycle: what a job waits for besides an agent, what was asked of it meanwhile, and whose it may be.

ALTER TABLE jobs ADD COLUMN turn_of TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN turn_until TIMESTAMP;
ALTER TABLE jobs ADD COLUMN claim_blind BOOLEAN NOT NULL DEFAULT false;
ALTER TABLE jobs ADD COLUMN cause TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN queued TEXT;
ALTER TABLE jobs ADD COLUMN cooling TEXT;
ALTER TABLE jobs ADD COLUMN move TEXT;
ALTER TABLE jobs ADD COLUMN move_due TIMESTAMP;
ALTER TABLE jobs ADD COLUMN outdated BOOLEAN NOT NULL DEFAULT false;
ALTER TABLE jobs ADD COLUMN sequel TEXT NOT NULL DEFAULT '';
CREATE INDEX jobs_turn ON jobs (turn_until) WHERE turn_until IS NOT NULL;
CREATE INDEX jobs_move_due ON jobs (move_due) WHERE move_due IS NOT NULL;
CREATE INDEX jobs_reserved_by ON jobs (reserved_by, id) WHERE reserved_by <> '';

ALTER TABLE attempts ADD COLUMN blind BOOLEAN NOT NULL DEFAULT false;

-- What a job's resource was called before: an incompliance may still name it so, and no such uid is ever adopted.
CREATE TABLE past_resources (
  job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  uid TEXT NOT NULL,
  name TEXT NOT NULL,
  PRIMARY KEY (job_id, uid, name)
);
CREATE INDEX past_resources_uid ON past_resources (uid);

-- SQLite cannot take a NOT NULL back: the table is made anew, with job_group_id that may be NULL.
CREATE TABLE new_events (
  revision INTEGER PRIMARY KEY NOT NULL,
  tenant TEXT NOT NULL,
  type TEXT NOT NULL,
  at TIMESTAMP NOT NULL,
  actor TEXT NOT NULL,
  job_group_id TEXT,
  job_id TEXT,
  message TEXT NOT NULL,
  payload TEXT NOT NULL
);
INSERT INTO new_events SELECT revision, tenant, type, at, actor, job_group_id, job_id, message, payload FROM events;
DROP TABLE events;
ALTER TABLE new_events RENAME TO events;
CREATE INDEX events_group ON events (job_group_id, revision);
CREATE INDEX events_job ON events (job_id, revision) WHERE job_id IS NOT NULL;

-- Incompliances outlive the application that they are about, so they refer to nothing.
CREATE TABLE incompliances (
  id TEXT NOT NULL PRIMARY KEY,
  tenant TEXT NOT NULL,
  job_group_id TEXT,
  body TEXT NOT NULL,
  reason TEXT NOT NULL,
  created_at TIMESTAMP NOT NULL
);
CREATE INDEX incompliances_created ON incompliances (created_at, id);
CREATE INDEX incompliances_group ON incompliances (job_group_id, created_at, id) WHERE job_group_id IS NOT NULL;
CREATE TABLE remediations (
  incompliance_id TEXT NOT NULL REFERENCES incompliances (id) ON DELETE CASCADE,
  job_id TEXT NOT NULL,
  component TEXT NOT NULL,
  sub_type TEXT NOT NULL,
  outcome TEXT NOT NULL,
  reason TEXT NOT NULL,
  generation INTEGER NOT NULL,
  updated_at TIMESTAMP NOT NULL,
  PRIMARY KEY (incompliance_id, job_id)
);
CREATE INDEX remediations_job ON remediations (job_id, incompliance_id);
CREATE INDEX remediations_outcome ON remediations (outcome, incompliance_id);

ALTER TABLE agents ADD COLUMN set_clusters TEXT NOT NULL DEFAULT '[]';
ALTER TABLE agents ADD COLUMN lapses INTEGER NOT NULL DEFAULT 0;
ALTER TABLE agents ADD COLUMN marked_silent BOOLEAN NOT NULL DEFAULT false;
CREATE INDEX agents_not_marked ON agents (last_seen_at) WHERE NOT marked_silent;
-- The clusters that an agent has finished work on.
CREATE TABLE agent_clusters (
  owner_id TEXT NOT NULL,
  cluster TEXT NOT NULL,
  PRIMARY KEY (owner_id, cluster)
);

-- When the database was last known to be in use, from when to when it was not the last time, and until when
-- takeover is paused; microseconds since 1970.
CREATE TABLE vitals (
  id INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
  alive_at INTEGER NOT NULL,
  left_at INTEGER NOT NULL,
  back_at INTEGER NOT NULL,
  paused_until INTEGER NOT NULL
);
INSERT INTO vitals (id, alive_at, left_at, back_at, paused_until) VALUES (1, 0, 0, 0, 0);

-- What the Policy Manager is still to be told, in order of (revision, step) for each group.
CREATE TABLE notices (
  revision INTEGER NOT NULL,
  step INTEGER NOT NULL,
  group_id TEXT NOT NULL,
  tenant TEXT NOT NULL,
  kind TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  not_before TIMESTAMP NOT NULL,
  given_up BOOLEAN NOT NULL,
  PRIMARY KEY (revision, step)
);
CREATE INDEX notices_group ON notices (group_id, revision, step);
CREATE INDEX notices_due ON notices (not_before) WHERE NOT given_up;
