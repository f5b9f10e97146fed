-- What a name is ordered by is COLLATE "C": the same order as SQLite's, whatever the database's locale.

CREATE TABLE counter (
  id integer PRIMARY KEY CHECK (id = 1),
  revision bigint NOT NULL
);
INSERT INTO counter (id, revision) VALUES (1, 0);

CREATE TABLE identity (
  id integer PRIMARY KEY CHECK (id = 1),
  incarnation text NOT NULL
);

CREATE TABLE job_groups (
  id uuid PRIMARY KEY,
  tenant text NOT NULL,
  name text COLLATE "C" NOT NULL,
  description text NOT NULL,
  namespace text NOT NULL,
  phase text NOT NULL,
  generation bigint NOT NULL,
  descriptor text NOT NULL,
  components json NOT NULL,
  policies json,
  requirements json,
  dependencies json,
  topology json,
  delete_when_stopped boolean NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
);
CREATE INDEX job_groups_created ON job_groups (created_at, id);
CREATE INDEX job_groups_updated ON job_groups (updated_at, id);
CREATE INDEX job_groups_name ON job_groups (name, id);

-- A renewal touches lease_until alone, which stands in no index: with room on the page it stays a HOT update.
CREATE TABLE jobs (
  id uuid PRIMARY KEY,
  tenant text NOT NULL,
  group_id uuid NOT NULL REFERENCES job_groups (id) ON DELETE CASCADE,
  component text COLLATE "C" NOT NULL,
  type text NOT NULL,
  sub_type text NOT NULL,
  state text NOT NULL,
  workload text NOT NULL,
  owner_id text NOT NULL,
  epoch bigint NOT NULL,
  generation bigint NOT NULL,
  attempt bigint NOT NULL,
  claim_epoch bigint NOT NULL,
  claim_owner_id text NOT NULL,
  claim_id text NOT NULL,
  claimed_at timestamptz,
  claim_ended_at timestamptz,
  claim_outcome text NOT NULL,
  claim_message text NOT NULL,
  lease_until bigint,
  lease_seconds bigint NOT NULL,
  not_before timestamptz,
  queued_at timestamptz NOT NULL,
  reserved_by text NOT NULL,
  reserved_until timestamptz,
  target_cluster text,
  target_node text NOT NULL,
  target_orchestrator text NOT NULL,
  target_pinned boolean NOT NULL,
  orchestrator text NOT NULL,
  namespace text NOT NULL,
  requirements json,
  manifest_count bigint NOT NULL,
  hold text NOT NULL,
  hold_message text NOT NULL,
  match_tries bigint NOT NULL,
  since timestamptz NOT NULL,
  last_error text NOT NULL,
  unhealthy boolean NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  version bigint NOT NULL
) WITH (fillfactor = 80);
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
  job_id uuid NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  position bigint NOT NULL,
  name text NOT NULL,
  api_version text NOT NULL,
  kind text NOT NULL,
  text text NOT NULL,
  PRIMARY KEY (job_id, position)
);

CREATE TABLE attempts (
  job_id uuid NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  epoch bigint NOT NULL,
  owner_id text NOT NULL,
  claim_id text NOT NULL,
  claimed_at timestamptz NOT NULL,
  ended_at timestamptz,
  outcome text NOT NULL,
  message text NOT NULL,
  PRIMARY KEY (job_id, epoch)
);

CREATE TABLE resources (
  id uuid PRIMARY KEY,
  job_id uuid NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  tenant text NOT NULL,
  uid text NOT NULL,
  name text NOT NULL,
  conditions jsonb NOT NULL,
  seen_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX resources_job ON resources (job_id);
CREATE INDEX resources_uid ON resources (uid);

-- Events outlive what they tell of, so they refer to nothing.
CREATE TABLE events (
  revision bigint PRIMARY KEY,
  tenant text NOT NULL,
  type text NOT NULL,
  at timestamptz NOT NULL,
  actor text NOT NULL,
  job_group_id uuid NOT NULL,
  job_id uuid,
  message text NOT NULL,
  payload json NOT NULL
);
CREATE INDEX events_group ON events (job_group_id, revision);
CREATE INDEX events_job ON events (job_id, revision) WHERE job_id IS NOT NULL;

CREATE TABLE agents (
  orchestrator text COLLATE "C" NOT NULL,
  owner_id text COLLATE "C" NOT NULL,
  clusters jsonb NOT NULL,
  last_seen_at timestamptz NOT NULL,
  protocol text NOT NULL,
  PRIMARY KEY (owner_id)
);
CREATE INDEX agents_last_seen ON agents (orchestrator, last_seen_at);

CREATE TABLE idempotency_keys (
  tenant text NOT NULL,
  operation text NOT NULL,
  key text NOT NULL,
  hash text NOT NULL,
  result uuid NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (tenant, operation, key)
);
