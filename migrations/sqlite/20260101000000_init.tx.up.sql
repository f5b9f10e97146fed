-- The same tables as in the folder postgres. Times are text as bun writes it, in UTC: it sorts as the times do.
-- The type TIMESTAMP makes the driver give times back.

CREATE TABLE counter (
  id INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
  revision INTEGER NOT NULL
);
INSERT INTO counter (id, revision) VALUES (1, 0);

CREATE TABLE identity (
  id INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
  incarnation TEXT NOT NULL
);

CREATE TABLE job_groups (
  id TEXT NOT NULL PRIMARY KEY,
  tenant TEXT NOT NULL,
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  namespace TEXT NOT NULL,
  phase TEXT NOT NULL,
  generation INTEGER NOT NULL,
  descriptor TEXT NOT NULL,
  components TEXT NOT NULL,
  policies TEXT,
  requirements TEXT,
  dependencies TEXT,
  topology TEXT,
  delete_when_stopped BOOLEAN NOT NULL,
  created_at TIMESTAMP NOT NULL,
  updated_at TIMESTAMP NOT NULL
);
CREATE INDEX job_groups_created ON job_groups (created_at, id);
CREATE INDEX job_groups_updated ON job_groups (updated_at, id);
CREATE INDEX job_groups_name ON job_groups (name, id);

CREATE TABLE jobs (
  id TEXT NOT NULL PRIMARY KEY,
  tenant TEXT NOT NULL,
  group_id TEXT NOT NULL REFERENCES job_groups (id) ON DELETE CASCADE,
  component TEXT NOT NULL,
  type TEXT NOT NULL,
  sub_type TEXT NOT NULL,
  state TEXT NOT NULL,
  workload TEXT NOT NULL,
  owner_id TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  generation INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  claim_epoch INTEGER NOT NULL,
  claim_owner_id TEXT NOT NULL,
  claim_id TEXT NOT NULL,
  claimed_at TIMESTAMP,
  claim_ended_at TIMESTAMP,
  claim_outcome TEXT NOT NULL,
  claim_message TEXT NOT NULL,
  lease_until INTEGER,
  lease_seconds INTEGER NOT NULL,
  not_before TIMESTAMP,
  queued_at TIMESTAMP NOT NULL,
  reserved_by TEXT NOT NULL,
  reserved_until TIMESTAMP,
  target_cluster TEXT,
  target_node TEXT NOT NULL,
  target_orchestrator TEXT NOT NULL,
  target_pinned BOOLEAN NOT NULL,
  orchestrator TEXT NOT NULL,
  namespace TEXT NOT NULL,
  requirements TEXT,
  manifest_count INTEGER NOT NULL,
  hold TEXT NOT NULL,
  hold_message TEXT NOT NULL,
  match_tries INTEGER NOT NULL,
  since TIMESTAMP NOT NULL,
  last_error TEXT NOT NULL,
  unhealthy BOOLEAN NOT NULL,
  created_at TIMESTAMP NOT NULL,
  updated_at TIMESTAMP NOT NULL,
  version INTEGER NOT NULL
);
CREATE INDEX jobs_created ON jobs (created_at, id);
CREATE INDEX jobs_updated ON jobs (updated_at, id);
CREATE INDEX jobs_component ON jobs (component, id);
CREATE INDEX jobs_group ON jobs (group_id, created_at, id);
CREATE INDEX jobs_owner ON jobs (owner_id, id);
CREATE INDEX jobs_queue ON jobs (orchestrator, queued_at, id) WHERE state <> 'FINISHED' AND hold = '';
CREATE INDEX jobs_in_progress ON jobs (orchestrator) WHERE state = 'PROGRESSING';
CREATE INDEX jobs_unmatched ON jobs (queued_at, id) WHERE hold IN ('AwaitingForTarget', 'NoFittingTarget');
CREATE INDEX jobs_not_before ON jobs (not_before) WHERE not_before IS NOT NULL;
CREATE INDEX jobs_reserved ON jobs (reserved_until) WHERE reserved_until IS NOT NULL;

CREATE TABLE manifests (
  job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  name TEXT NOT NULL,
  api_version TEXT NOT NULL,
  kind TEXT NOT NULL,
  text TEXT NOT NULL,
  PRIMARY KEY (job_id, position)
);

CREATE TABLE attempts (
  job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  epoch INTEGER NOT NULL,
  owner_id TEXT NOT NULL,
  claim_id TEXT NOT NULL,
  claimed_at TIMESTAMP NOT NULL,
  ended_at TIMESTAMP,
  outcome TEXT NOT NULL,
  message TEXT NOT NULL,
  PRIMARY KEY (job_id, epoch)
);

CREATE TABLE resources (
  id TEXT NOT NULL PRIMARY KEY,
  job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  tenant TEXT NOT NULL,
  uid TEXT NOT NULL,
  name TEXT NOT NULL,
  conditions TEXT NOT NULL,
  seen_at TIMESTAMP NOT NULL
);
CREATE UNIQUE INDEX resources_job ON resources (job_id);
CREATE INDEX resources_uid ON resources (uid);

-- Events outlive what they tell of, so they refer to nothing.
CREATE TABLE events (
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
CREATE INDEX events_group ON events (job_group_id, revision);
CREATE INDEX events_job ON events (job_id, revision) WHERE job_id IS NOT NULL;

CREATE TABLE agents (
  orchestrator TEXT NOT NULL,
  owner_id TEXT NOT NULL,
  clusters TEXT NOT NULL,
  last_seen_at TIMESTAMP NOT NULL,
  protocol TEXT NOT NULL,
  PRIMARY KEY (owner_id)
);
CREATE INDEX agents_last_seen ON agents (orchestrator, last_seen_at);

CREATE TABLE idempotency_keys (
  tenant TEXT NOT NULL,
  operation TEXT NOT NULL,
  key TEXT NOT NULL,
  hash TEXT NOT NULL,
  result TEXT NOT NULL,
  created_at TIMESTAMP NOT NULL,
  PRIMARY KEY (tenant, operation, key)
);
