-- Roll back 0001_initial. Reads every row of policies, pending_approvals, audit_log, key_value_store, transactions, sessions, agents.
-- Deletes tables agents, sessions, transactions, policies, pending_approvals, audit_log, key_value_store with all rows.

CREATE TEMP TABLE _waiaas_guard ( -- each INSERT below tests conditions: a false one fails with its message. Run this file in one transaction
    foreign_keys_off CONSTRAINT "run PRAGMA foreign_keys = OFF before this migration" CHECK (foreign_keys_off)
);
INSERT INTO _waiaas_guard (foreign_keys_off) SELECT NOT foreign_keys FROM pragma_foreign_keys; -- if foreign keys are on, DROP TABLE deletes rows of other tables

-- drop table policies
DROP TABLE policies;

-- drop table pending_approvals
DROP TABLE pending_approvals;

-- drop table audit_log
DROP TABLE audit_log;

-- drop table key_value_store
DROP TABLE key_value_store;

-- drop table transactions
DROP TABLE transactions;

-- drop table sessions
DROP TABLE sessions;

-- drop table agents
DROP TABLE agents;
DROP TABLE _waiaas_guard;
