-- 0001_initial: 7 changes to agents, sessions, transactions, policies, pending_approvals, audit_log, key_value_store

-- add table agents (12 columns)
CREATE TABLE agents ( -- Agent identity and lifecycle state
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    chain TEXT NOT NULL CHECK (chain IN ('solana', 'ethereum')),
    network TEXT NOT NULL CHECK (network IN ('mainnet', 'devnet', 'testnet')),
    public_key TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'CREATING' CHECK (status IN ('CREATING', 'ACTIVE', 'SUSPENDED', 'TERMINATING', 'TERMINATED')),
    owner_address TEXT,
    owner_verified INTEGER NOT NULL DEFAULT 0 CHECK (owner_verified IN (0, 1)),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    suspended_at INTEGER,
    suspension_reason TEXT
);

-- add unique index idx_agents_public_key on agents (public_key)
CREATE UNIQUE INDEX idx_agents_public_key ON agents (public_key);

-- add index idx_agents_status on agents (status)
CREATE INDEX idx_agents_status ON agents (status);

-- add index idx_agents_chain_network on agents (chain, network)
CREATE INDEX idx_agents_chain_network ON agents (chain, network);

-- add index idx_agents_owner_address on agents (owner_address)
CREATE INDEX idx_agents_owner_address ON agents (owner_address);

-- add table sessions (12 columns)
CREATE TABLE sessions ( -- Access tokens of agents, with their limits and renewals
    id TEXT PRIMARY KEY,
    agent_id TEXT NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    -- The token itself is never stored
    token_hash TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    constraints TEXT,
    usage_stats TEXT,
    revoked_at INTEGER,
    renewal_count INTEGER NOT NULL DEFAULT 0,
    max_renewals INTEGER NOT NULL DEFAULT 30,
    last_renewed_at INTEGER,
    -- No renewal goes beyond this
    absolute_expires_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL
);

-- add index idx_sessions_agent_id on sessions (agent_id)
CREATE INDEX idx_sessions_agent_id ON sessions (agent_id);

-- add index idx_sessions_expires_at on sessions (expires_at)
CREATE INDEX idx_sessions_expires_at ON sessions (expires_at);

-- add index idx_sessions_token_hash on sessions (token_hash)
CREATE INDEX idx_sessions_token_hash ON sessions (token_hash);

-- add table transactions (22 columns)
CREATE TABLE transactions ( -- Everything an agent asked to be sent, from request to confirmation
    id TEXT PRIMARY KEY,
    agent_id TEXT NOT NULL REFERENCES agents (id) ON DELETE RESTRICT,
    session_id TEXT REFERENCES sessions (id) ON DELETE SET NULL,
    chain TEXT NOT NULL,
    tx_hash TEXT,
    type TEXT NOT NULL CHECK (type IN ('TRANSFER', 'TOKEN_TRANSFER', 'CONTRACT_CALL', 'APPROVE', 'BATCH')),
    -- A whole number in the chain's smallest unit; too big for INTEGER
    amount TEXT,
    to_address TEXT,
    token_mint TEXT,
    contract_address TEXT,
    method_signature TEXT,
    spender_address TEXT,
    approved_amount TEXT,
    -- The batch that this is a part of
    parent_id TEXT REFERENCES transactions (id) ON DELETE CASCADE,
    batch_index INTEGER,
    status TEXT NOT NULL DEFAULT 'PENDING' CHECK (status IN ('PENDING', 'QUEUED', 'EXECUTING', 'SUBMITTED', 'CONFIRMED', 'FAILED', 'CANCELLED', 'EXPIRED', 'PARTIAL_FAILURE')),
    -- NULL until the policies have been asked
    tier TEXT CHECK (tier IS NULL OR tier IN ('INSTANT', 'NOTIFY', 'DELAY', 'APPROVAL')),
    queued_at INTEGER,
    executed_at INTEGER,
    created_at INTEGER NOT NULL,
    error TEXT,
    metadata TEXT
);

-- add index idx_transactions_agent_status on transactions (agent_id, status)
CREATE INDEX idx_transactions_agent_status ON transactions (agent_id, status);

-- add index idx_transactions_session_id on transactions (session_id)
CREATE INDEX idx_transactions_session_id ON transactions (session_id);

-- add unique index idx_transactions_tx_hash on transactions (tx_hash)
CREATE UNIQUE INDEX idx_transactions_tx_hash ON transactions (tx_hash);

-- add index idx_transactions_queued_at on transactions (queued_at)
CREATE INDEX idx_transactions_queued_at ON transactions (queued_at);

-- add index idx_transactions_created_at on transactions (created_at)
CREATE INDEX idx_transactions_created_at ON transactions (created_at);

-- add index idx_transactions_type on transactions (type)
CREATE INDEX idx_transactions_type ON transactions (type);

-- add index idx_transactions_contract_address on transactions (contract_address)
CREATE INDEX idx_transactions_contract_address ON transactions (contract_address);

-- add index idx_transactions_parent_id on transactions (parent_id)
CREATE INDEX idx_transactions_parent_id ON transactions (parent_id);

-- add table policies (8 columns)
CREATE TABLE policies ( -- Rules that transactions are held to
    id TEXT PRIMARY KEY,
    -- NULL is a global policy
    agent_id TEXT REFERENCES agents (id) ON DELETE CASCADE,
    type TEXT NOT NULL CHECK (type IN ('SPENDING_LIMIT', 'WHITELIST', 'TIME_RESTRICTION', 'RATE_LIMIT', 'ALLOWED_TOKENS', 'CONTRACT_WHITELIST', 'METHOD_WHITELIST', 'APPROVED_SPENDERS', 'APPROVE_AMOUNT_LIMIT', 'APPROVE_TIER_OVERRIDE')),
    rules TEXT NOT NULL,
    priority INTEGER NOT NULL DEFAULT 0,
    enabled INTEGER NOT NULL DEFAULT 1,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
);

-- add index idx_policies_agent_enabled on policies (agent_id, enabled)
CREATE INDEX idx_policies_agent_enabled ON policies (agent_id, enabled);

-- add index idx_policies_type on policies (type)
CREATE INDEX idx_policies_type ON policies (type);

-- add table pending_approvals (8 columns)
CREATE TABLE pending_approvals ( -- Transactions that wait for their owner
    id TEXT PRIMARY KEY,
    tx_id TEXT NOT NULL REFERENCES transactions (id) ON DELETE CASCADE,
    required_by INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    approved_at INTEGER,
    rejected_at INTEGER,
    owner_signature TEXT,
    created_at INTEGER NOT NULL
);

-- add index idx_pending_approvals_tx_id on pending_approvals (tx_id)
CREATE INDEX idx_pending_approvals_tx_id ON pending_approvals (tx_id);

-- add index idx_pending_approvals_expires_at on pending_approvals (expires_at)
CREATE INDEX idx_pending_approvals_expires_at ON pending_approvals (expires_at);

-- add table audit_log (10 columns)
CREATE TABLE audit_log ( -- What happened, in order; it outlives what it speaks of, so its ids carry no foreign keys
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    timestamp INTEGER NOT NULL,
    event_type TEXT NOT NULL,
    actor TEXT NOT NULL,
    agent_id TEXT,
    session_id TEXT,
    tx_id TEXT,
    details TEXT NOT NULL,
    severity TEXT NOT NULL DEFAULT 'info' CHECK (severity IN ('info', 'warning', 'critical')),
    ip_address TEXT
);

-- add index idx_audit_log_timestamp on audit_log (timestamp)
CREATE INDEX idx_audit_log_timestamp ON audit_log (timestamp);

-- add index idx_audit_log_event_type on audit_log (event_type)
CREATE INDEX idx_audit_log_event_type ON audit_log (event_type);

-- add index idx_audit_log_agent_id on audit_log (agent_id)
CREATE INDEX idx_audit_log_agent_id ON audit_log (agent_id);

-- add index idx_audit_log_severity on audit_log (severity)
CREATE INDEX idx_audit_log_severity ON audit_log (severity);

-- add index idx_audit_log_agent_timestamp on audit_log (agent_id, timestamp)
CREATE INDEX idx_audit_log_agent_timestamp ON audit_log (agent_id, timestamp);

-- add table key_value_store (3 columns)
CREATE TABLE key_value_store ( -- The daemon's own state
    "key" TEXT PRIMARY KEY,
    value TEXT NOT NULL,
    updated_at INTEGER NOT NULL
);
