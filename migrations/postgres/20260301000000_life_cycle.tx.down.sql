DROP TABLE notices;
DROP TABLE vitals;
DROP TABLE agent_clusters;
DROP INDEX agents_not_marked;
ALTER TABLE agents DROP COLUMN set_clusters, DROP COLUMN lapses, DROP COLUMN marked_silent;
DROP TABLE remediations;
DROP TABLE incompliances;
DELETE FROM events WHERE job_group_id IS NULL;
ALTER TABLE events ALTER COLUMN job_group_id SET NOT NULL;
DROP TABLE past_resources;
ALTER TABLE attempts DROP COLUMN blind;
DROP INDEX jobs_turn;
DROP INDEX jobs_move_due;
DROP INDEX jobs_reserved_by;
ALTER TABLE jobs
  DROP COLUMN turn_of, DROP COLUMN turn_until, DROP COLUMN claim_blind, DROP COLUMN cause, DROP COLUMN queued,
  DROP COLUMN cooling, DROP COLUMN move, DROP COLUMN move_due, DROP COLUMN outdated, DROP COLUMN sequel;
