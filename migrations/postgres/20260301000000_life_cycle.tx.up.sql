-- The whole life cycle: what a job waits for besides an agent, what was asked of it meanwhile, and whose it may be.

ALTER TABLE jobs
  ADD COLUMN turn_of text NOT NULL DEFAULT '',
  ADD COLUMN turn_until timestamptz,
  ADD COLUMN claim_blind boolean NOT NULL DEFAULT false,
  ADD COLUMN cause text NOT NULL DEFAULT '',
  ADD COLUMN queued json,
  ADD COLUMN cooling json,
  ADD COLUMN move json,
  ADD COLUMN move_due timestamptz,
  ADD COLUMN outdated boolean NOT NULL DEFAULT false,
  ADD COLUMN sequel text NOT NULL DEFAULT '';
CREATE INDEX jobs_turn ON jobs (turn_until) WHERE turn_until IS NOT NULL;
CREATE INDEX jobs_move_due ON jobs (move_due) WHERE move_due IS NOT NULL;
CREATE INDEX jobs_reserved_by ON jobs (reserved_by, id) WHERE reserved_by <> '';

ALTER TABLE attempts ADD COLUMN blind boolean NOT NULL DEFAULT false;

-- What a job's resource was called before: an incompliance may still name it so, and no such uid is ever adopted.
CREATE TABLE past_resources (
  job_id uuid NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  uid text NOT NULL,
  name text NOT NULL,
  PRIMARY KEY (job_id, uid, name)
);
CREATE INDEX past_resources_uid ON past_resources (uid);

ALTER TABLE events ALTER COLUMN job_group_id DROP NOT NULL;

-- Incompliances outlive the application that they are about, so they refer to nothing.
CREATE TABLE incompliances (
  id uuid PRIMARY KEY,
  tenant text NOT NULL,
  job_group_id uuid,
  body json NOT NULL,
  reason text NOT NULL,
  created_at timestamptz NOT NULL
);
CREATE INDEX incompliances_created ON incompliances (created_at, id);
CREATE INDEX incompliances_group ON incompliances (job_group_id, created_at, id) WHERE job_group_id IS NOT NULL;
CREATE TABLE remediations (
  incompliance_id uuid NOT NULL REFERENCES incompliances (id) ON DELETE CASCADE,
  job_id uuid NOT NULL,
  component text NOT NULL,
  sub_type text NOT NULL,
  outcome text NOT NULL,
  reason text NOT NULL,
  generation bigint NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (incompliance_id, job_id)
);
CREATE INDEX remediations_job ON remediations (job_id, incompliance_id);
CREATE INDEX remediations_outcome ON remediations (outcome, incompliance_id);

ALTER TABLE agents
  ADD COLUMN set_clusters jsonb NOT NULL DEFAULT '[]',
  ADD COLUMN lapses bigint NOT NULL DEFAULT 0,
  ADD COLUMN marked_silent boolean NOT NULL DEFAULT false;
CREATE INDEX agents_not_marked ON agents (last_seen_at) WHERE NOT marked_silent;
-- The clusters that an agent has finished work on.
CREATE TABLE agent_clusters (
  owner_id text COLLATE "C" NOT NULL,
  cluster text NOT NULL,
  PRIMARY KEY (owner_id, cluster)
);

-- When the database was last known to be in use, from when to when it was not the last time, and until when
-- takeover is paused; microseconds since 1970.
CREATE TABLE vitals (
  id integer PRIMARY KEY CHECK (id = 1),
  alive_at bigint NOT NULL,
  left_at bigint NOT NULL,
  back_at bigint NOT NULL,
  paused_until bigint NOT NULL
);
INSERT INTO vitals (id, alive_at, left_at, back_at, paused_until) VALUES (1, 0, 0, 0, 0);

-- What the Policy Manager is still to be told, in order of (revision, step) for each group.
CREATE TABLE notices (
  revision bigint NOT NULL,
  step bigint NOT NULL,
  group_id uuid NOT NULL,
  tenant text NOT NULL,
  kind text NOT NULL,
  attempts bigint NOT NULL,
  not_before timestamptz NOT NULL,
  given_up boolean NOT NULL,
  PRIMARY KEY (revision, step)
);
CREATE INDEX notices_group ON notices (group_id, revision, step);
CREATE INDEX notices_due ON notices (not_before) WHERE NOT given_up;
