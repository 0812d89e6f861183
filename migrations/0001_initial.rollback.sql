-- 0001_initial, rolled back

-- foreign keys are to be off, or dropping a table would delete rows [constant]
CREATE TEMP TABLE _waiaas_guard (ok INTEGER NOT NULL CONSTRAINT "foreign keys are enforced on this connection; run PRAGMA foreign_keys = OFF before the migration begins" CHECK (ok));
INSERT INTO temp._waiaas_guard SELECT NOT foreign_keys FROM pragma_foreign_keys;
DROP TABLE temp._waiaas_guard;

-- drop table policies [constant]
DROP TABLE policies;

-- drop table pending_approvals [constant]
DROP TABLE pending_approvals;

-- drop table audit_log [constant]
DROP TABLE audit_log;

-- drop table key_value_store [constant]
DROP TABLE key_value_store;

-- drop table transactions [constant]
DROP TABLE transactions;

-- drop table sessions [constant]
DROP TABLE sessions;

-- drop table agents [constant]
DROP TABLE agents;
