"""The shipped schema is the WAIaaS daemon's, table by table and column by column."""

from __future__ import annotations

from pathlib import Path

import pytest

from waiaas_migrate.files.schema_file.load_schema import DeclaredSchema, load_schema
from waiaas_migrate.schema.model import Check, Column, Table
from waiaas_migrate.waiaas import enums

ROOT = Path(__file__).parents[2]

#: Each line: name, declared type, `!` for NOT NULL, `=` its default, `>` what it refers to, `in` its CHECK list.
TABLES = {
    "agents": """
        id TEXT
        name TEXT !
        chain TEXT ! in CHAIN_TYPES
        network TEXT ! in NETWORK_TYPES
        public_key TEXT !
        status TEXT ! ='CREATING' in AGENT_STATUSES
        owner_address TEXT
        owner_verified INTEGER ! =0 in 0,1
        created_at INTEGER !
        updated_at INTEGER !
        suspended_at INTEGER
        suspension_reason TEXT
    """,
    "sessions": """
        id TEXT
        agent_id TEXT ! >agents(id):CASCADE
        token_hash TEXT !
        expires_at INTEGER !
        constraints TEXT
        usage_stats TEXT
        revoked_at INTEGER
        renewal_count INTEGER ! =0
        max_renewals INTEGER ! =30
        last_renewed_at INTEGER
        absolute_expires_at INTEGER !
        created_at INTEGER !
    """,
    "transactions": """
        id TEXT
        agent_id TEXT ! >agents(id):RESTRICT
        session_id TEXT >sessions(id):SET_NULL
        chain TEXT !
        tx_hash TEXT
        type TEXT ! in TRANSACTION_TYPES
        amount TEXT
        to_address TEXT
        token_mint TEXT
        contract_address TEXT
        method_signature TEXT
        spender_address TEXT
        approved_amount TEXT
        parent_id TEXT >transactions(id):CASCADE
        batch_index INTEGER
        status TEXT ! ='PENDING' in TRANSACTION_STATUSES
        tier TEXT in POLICY_TIERS
        queued_at INTEGER
        executed_at INTEGER
        created_at INTEGER !
        error TEXT
        metadata TEXT
    """,
    "policies": """
        id TEXT
        agent_id TEXT >agents(id):CASCADE
        type TEXT ! in POLICY_TYPES
        rules TEXT !
        priority INTEGER ! =0
        enabled INTEGER ! =1
        created_at INTEGER !
        updated_at INTEGER !
    """,
    "pending_approvals": """
        id TEXT
        tx_id TEXT ! >transactions(id):CASCADE
        required_by INTEGER !
        expires_at INTEGER !
        approved_at INTEGER
        rejected_at INTEGER
        owner_signature TEXT
        created_at INTEGER !
    """,
    "audit_log": """
        id INTEGER
        timestamp INTEGER !
        event_type TEXT !
        actor TEXT !
        agent_id TEXT
        session_id TEXT
        tx_id TEXT
        details TEXT !
        severity TEXT ! ='info' in info,warning,critical
        ip_address TEXT
    """,
    "key_value_store": """
        key TEXT
        value TEXT !
        updated_at INTEGER !
    """,
}

INDEXES = """
    agents: unique idx_agents_public_key(public_key)
    agents: idx_agents_status(status)
    agents: idx_agents_chain_network(chain, network)
    agents: idx_agents_owner_address(owner_address)
    sessions: idx_sessions_agent_id(agent_id)
    sessions: idx_sessions_expires_at(expires_at)
    sessions: idx_sessions_token_hash(token_hash)
    transactions: idx_transactions_agent_status(agent_id, status)
    transactions: idx_transactions_session_id(session_id)
    transactions: unique idx_transactions_tx_hash(tx_hash)
    transactions: idx_transactions_queued_at(queued_at)
    transactions: idx_transactions_created_at(created_at)
    transactions: idx_transactions_type(type)
    transactions: idx_transactions_contract_address(contract_address)
    transactions: idx_transactions_parent_id(parent_id)
    policies: idx_policies_agent_enabled(agent_id, enabled)
    policies: idx_policies_type(type)
    pending_approvals: idx_pending_approvals_tx_id(tx_id)
    pending_approvals: idx_pending_approvals_expires_at(expires_at)
    audit_log: idx_audit_log_timestamp(timestamp)
    audit_log: idx_audit_log_event_type(event_type)
    audit_log: idx_audit_log_agent_id(agent_id)
    audit_log: idx_audit_log_severity(severity)
    audit_log: idx_audit_log_agent_timestamp(agent_id, timestamp)
"""


@pytest.fixture(scope="module")
def declared() -> DeclaredSchema:
    """Return the shipped schema."""
    return load_schema(ROOT / "schema.yaml", root=ROOT)


def lines(text: str) -> list[str]:
    """Return the lines of a text without their indentation."""
    return [line.strip() for line in text.strip().splitlines()]


def check_text(check: Check, column: Column, enum: str | None) -> str:
    """Return a CHECK list as its enum's name, or as its values."""
    sql = check.expression.sql
    start = f"{column.name} IN (" if column.not_null else f"{column.name} IS NULL OR {column.name} IN ("
    assert sql.startswith(start)
    if enum is None:
        return sql.removeprefix(start).rstrip(")").replace("'", "").replace(" ", "")
    expected = tuple(str(value) for value in getattr(enums, enum))
    assert sql == start + ", ".join(f"'{value}'" for value in expected) + ")"
    return enum


def column_text(column: Column, table: Table, enum: str | None) -> str:
    """Return a column as the tables above write it."""
    words = [column.name, column.type or ""]
    words += ["!"] if column.not_null else []
    words += [f"={column.default.sql}"] if column.default else []
    for key in table.foreign_keys:
        if key.columns == (column.name,):
            action = key.on_delete.name if key.on_delete else ""
            words.append(f">{key.table}({', '.join(key.targets)}):{action}")
    words += [f"in {check_text(check, column, enum)}" for check in table.checks if check.column == column.name]
    return " ".join(words)


def test_the_pragmas_are_in_order(declared: DeclaredSchema) -> None:
    """There are seven PRAGMAs, as words and numbers; ON is not a boolean."""
    assert declared.pragmas == (
        ("journal_mode", "WAL"),
        ("synchronous", "NORMAL"),
        ("foreign_keys", "ON"),
        ("busy_timeout", 5000),
        ("cache_size", -64000),
        ("mmap_size", 268435456),
        ("temp_store", "MEMORY"),
    )


def test_the_seven_tables_are_in_order(declared: DeclaredSchema) -> None:
    """Only these tables are declared, and each has a comment about its purpose."""
    assert [table.name for table in declared.schema.tables] == list(TABLES)
    assert all(table.comment for table in declared.schema.tables)
    assert (declared.schema.views, declared.schema.triggers, declared.schema.virtual_tables) == ((), (), ())


@pytest.mark.parametrize("name", TABLES)
def test_every_column_is_as_the_daemon_has_it(declared: DeclaredSchema, name: str) -> None:
    """Names, order, types, NOT NULL, defaults, references with their actions, CHECK lists in their enums' order."""
    table = next(table for table in declared.schema.tables if table.name == name)
    names = {column: use.name for use in declared.enums for column in use.columns}
    found = [column_text(column, table, names.get(f"{name}.{column.name}")) for column in table.columns]
    assert found == lines(TABLES[name])


def test_primary_keys(declared: DeclaredSchema) -> None:
    """Each primary key is the first column, without NOT NULL; only the audit log's is AUTOINCREMENT."""
    for table in declared.schema.tables:
        assert table.primary_key is not None
        assert [part.column for part in table.primary_key.parts] == [table.columns[0].name]
        assert table.primary_key.autoincrement == (table.name == "audit_log")
        assert (table.uniques, table.strict, table.without_rowid) == ((), False, False)


def test_the_24_indexes(declared: DeclaredSchema) -> None:
    """The indexes have these names and columns, in order, and these are unique."""
    found = [
        f"{table.name}: {'unique ' * index.unique}{index.name}({', '.join(part.column or '' for part in index.parts)})"
        for table in declared.schema.tables
        for index in table.indexes
    ]
    assert found == lines(INDEXES)
    assert len(found) == 24


def test_the_enums_are_referred_to_by_name(declared: DeclaredSchema) -> None:
    """Each list comes from the application's enum, with the columns that use it."""
    assert {use.name: use.columns for use in declared.enums} == {
        "CHAIN_TYPES": ("agents.chain",),
        "NETWORK_TYPES": ("agents.network",),
        "AGENT_STATUSES": ("agents.status",),
        "TRANSACTION_TYPES": ("transactions.type",),
        "TRANSACTION_STATUSES": ("transactions.status",),
        "POLICY_TIERS": ("transactions.tier",),
        "POLICY_TYPES": ("policies.type",),
    }
    for use in declared.enums:
        assert use.values == tuple(str(value) for value in getattr(enums, use.name))
