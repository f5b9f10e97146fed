-- Agents that execute without asking: what they leave unsaid is seen in what their clients' syncs show.

ALTER TABLE jobs ADD COLUMN claim_client TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN claim_alone BOOLEAN NOT NULL DEFAULT false;
ALTER TABLE jobs ADD COLUMN polls INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN strays TEXT;
CREATE INDEX jobs_adoptable ON jobs (claim_client, component, id) WHERE claim_client <> '' AND state <> 'FINISHED';
CREATE INDEX jobs_unconfirmed ON jobs (owner_id, id) WHERE hold = 'RemovalUnconfirmed';

-- Workloads that a sync named and that are no job's resource. first_seen_at is NULL for what was the resource of a
-- job that is gone: it is never adopted.
CREATE TABLE strangers (
  uid TEXT NOT NULL PRIMARY KEY,
  client TEXT NOT NULL,
  name TEXT NOT NULL,
  first_seen_at TIMESTAMP,
  seen_at TIMESTAMP NOT NULL
);
CREATE INDEX strangers_seen ON strangers (seen_at);
