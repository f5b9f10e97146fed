DROP TABLE strangers;
DROP INDEX jobs_unconfirmed;
DROP INDEX jobs_adoptable;
ALTER TABLE jobs DROP COLUMN claim_client;
ALTER TABLE jobs DROP COLUMN claim_alone;
ALTER TABLE jobs DROP COLUMN polls;
ALTER TABLE jobs DROP COLUMN strays;
