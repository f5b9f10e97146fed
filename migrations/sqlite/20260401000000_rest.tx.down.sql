-- Nothing older would let go what is held for these reasons.
UPDATE jobs SET hold = '', hold_message = '' WHERE hold IN ('AmbiguousWorkload', 'RemovalUnconfirmed');
DROP TABLE strangers;
DROP INDEX jobs_unconfirmed;
DROP INDEX jobs_adoptable;
ALTER TABLE jobs DROP COLUMN claim_client;
ALTER TABLE jobs DROP COLUMN claim_alone;
ALTER TABLE jobs DROP COLUMN polls;
ALTER TABLE jobs DROP COLUMN strays;
