DROP TABLE strangers;
DROP INDEX jobs_unconfirmed;
DROP INDEX jobs_adoptable;
ALTER TABLE jobs DROP COLUMN claim_client, DROP COLUMN claim_alone, DROP COLUMN polls, DROP COLUMN strays;
