-- Agents that execute without asking: what they leave unsaid is seen in what their clients' syncs show.

ALTER TABLE jobs
  ADD COLUMN claim_client text NOT NULL DEFAULT '',
  ADD COLUMN claim_alone boolean NOT NULL DEFAULT false,
  ADD COLUMN polls bigint NOT NULL DEFAULT 0,
  ADD COLUMN strays json;
CREATE INDEX jobs_adoptable ON jobs (claim_client, component, id) WHERE claim_client <> '' AND state <> 'FINISHED';
CREATE INDEX jobs_unconfirmed ON jobs (owner_id, id) WHERE hold = 'RemovalUnconfirmed';

-- Workloads that a sync named and that are no job's resource. first_seen_at is NULL for what was the resource of a
-- job that is gone: it is never adopted.
CREATE TABLE strangers (
  uid text PRIMARY KEY,
  client text NOT NULL,
  name text NOT NULL,
  first_seen_at timestamptz,
  seen_at timestamptz NOT NULL
);
CREATE INDEX strangers_seen ON strangers (seen_at);
