-- 0001_initial, rolled back

-- drop table key_value_store [constant]
DROP TABLE key_value_store;

-- drop table audit_log [constant]
DROP TABLE audit_log;

-- drop table pending_approvals [constant]
DROP TABLE pending_approvals;

-- drop table policies [constant]
DROP TABLE policies;

-- drop table transactions [constant]
DROP TABLE transactions;

-- drop table sessions [constant]
DROP TABLE sessions;

-- drop table agents [constant]
DROP TABLE agents;
