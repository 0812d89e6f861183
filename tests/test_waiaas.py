"""The daemon's own test plan for the shipped schema, on real files and in memory."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.folders import tables
from waiaas_migrate.waiaas import close_database, generate_id, open_database

TABLES = {"agents", "sessions", "transactions", "policies", "pending_approvals", "audit_log", "key_value_store"}

AGENT_COLUMNS = [
    ("id", "TEXT"),
    ("name", "TEXT"),
    ("chain", "TEXT"),
    ("network", "TEXT"),
    ("public_key", "TEXT"),
    ("status", "TEXT"),
    ("owner_address", "TEXT"),
    ("owner_verified", "INTEGER"),
    ("created_at", "INTEGER"),
    ("updated_at", "INTEGER"),
    ("suspended_at", "INTEGER"),
    ("suspension_reason", "TEXT"),
]

TRANSACTION_COLUMNS = """
    id agent_id session_id chain tx_hash type amount to_address token_mint contract_address method_signature
    spender_address approved_amount parent_id batch_index status tier queued_at executed_at created_at error metadata
""".split()

Row = Mapping[str, object]


@pytest.fixture(params=["file", "memory"])
def daemon(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Open a new database of the daemon."""
    connection = open_database(tmp_path / "daemon.db" if request.param == "file" else ":memory:")
    yield connection
    close_database(connection)


def insert(connection: sqlite3.Connection, table: str, **row: object) -> str:
    """Insert a row and return its id."""
    names = ", ".join(row)
    connection.execute(f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(row))})", tuple(row.values()))
    return str(row.get("id"))


def add_agent(connection: sqlite3.Connection, **changes: object) -> str:
    """Insert a valid agent, except for ``changes``."""
    name = generate_id()
    row = {"id": name, "name": "a", "chain": "solana", "network": "mainnet", "public_key": name, "status": "ACTIVE"}
    return insert(connection, "agents", **{**row, "created_at": 1, "updated_at": 1, **changes})


def add_session(connection: sqlite3.Connection, agent: str) -> str:
    """Insert a session of ``agent``."""
    row: Row = {"id": generate_id(), "agent_id": agent, "token_hash": "h", "expires_at": 2, "absolute_expires_at": 3}
    return insert(connection, "sessions", **row, created_at=1)


def add_transaction(connection: sqlite3.Connection, agent: str, **changes: object) -> str:
    """Insert a valid transaction of ``agent``, except for ``changes``."""
    row = {"id": generate_id(), "agent_id": agent, "chain": "solana", "type": "TRANSFER", "created_at": 1}
    return insert(connection, "transactions", **{**row, **changes})


def add_audit(connection: sqlite3.Connection, severity: str) -> str:
    """Insert an entry of the audit log."""
    row: Row = {"timestamp": 1, "event_type": "DAEMON_STARTED", "actor": "system", "details": "{}"}
    return insert(connection, "audit_log", **row, severity=severity)


def columns(connection: sqlite3.Connection, table: str) -> list[tuple[str, str]]:
    """Return names and declared types, in order."""
    return [(name, kind) for _, name, kind, *_ in connection.execute(f"PRAGMA table_info({table})")]


# --- 1. creation ------------------------------------------------------------------------------------------------------


def test_opening_gives_a_working_connection(daemon: sqlite3.Connection) -> None:
    """The connection answers a query, and no transaction is open."""
    assert daemon.execute("SELECT 1").fetchone() == (1,)
    assert not daemon.in_transaction


def test_all_seven_tables_exist(daemon: sqlite3.Connection) -> None:
    """The database has these seven tables, and the tables that record migrations."""
    assert tables(daemon) == TABLES


def test_agents_has_its_columns_and_types(daemon: sqlite3.Connection) -> None:
    """The columns have these names and declared types, in order."""
    assert columns(daemon, "agents") == AGENT_COLUMNS


def test_transactions_has_its_22_columns(daemon: sqlite3.Connection) -> None:
    """The columns have these names, in order."""
    assert len(TRANSACTION_COLUMNS) == 22
    assert [name for name, _ in columns(daemon, "transactions")] == TRANSACTION_COLUMNS


def test_audit_log_counts_up_and_never_back(daemon: sqlite3.Connection) -> None:
    """With AUTOINCREMENT, the number of a deleted entry is not used again."""
    add_audit(daemon, "info")
    add_audit(daemon, "info")
    daemon.execute("DELETE FROM audit_log WHERE id = 2")
    add_audit(daemon, "info")
    assert daemon.execute("SELECT id FROM audit_log ORDER BY id").fetchall() == [(1,), (3,)]


# --- 2. PRAGMAs -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "on_file", "in_memory"),
    [
        ("journal_mode", "wal", "memory"),
        ("synchronous", 1, 1),
        ("foreign_keys", 1, 1),
        ("busy_timeout", 5000, 5000),
        ("cache_size", -64000, -64000),
        ("mmap_size", 268435456, 0),
        ("temp_store", 2, 2),
    ],
)
def test_pragmas_read_back(daemon: sqlite3.Connection, name: str, on_file: str | int, in_memory: str | int) -> None:
    """All seven PRAGMAs are set. A database in memory has no journal on disk and no memory map."""
    is_file = bool(daemon.execute("PRAGMA database_list").fetchone()[2])
    row = daemon.execute(f"PRAGMA {name}").fetchone()
    # For a database in memory SQLite gives no row at all for mmap_size.
    assert (row[0] if row else 0) == (on_file if is_file else in_memory)


# --- 3. CHECKs --------------------------------------------------------------------------------------------------------


def test_agents_hold_known_values_only(daemon: sqlite3.Connection) -> None:
    """A known status and a known chain are accepted; others are refused."""
    add_agent(daemon, status="ACTIVE", chain="solana")
    for wrong in ({"status": "INVALID_STATUS"}, {"chain": "bitcoin"}, {"network": "moon"}, {"owner_verified": 2}):
        with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
            add_agent(daemon, **wrong)


def test_transactions_hold_known_values_only(daemon: sqlite3.Connection) -> None:
    """A known type is accepted and another refused; a tier is NULL or a known one."""
    agent = add_agent(daemon)
    add_transaction(daemon, agent, type="TRANSFER", tier=None)
    add_transaction(daemon, agent, type="TRANSFER", tier="DELAY", chain="any, for there is no CHECK")
    for wrong in ({"type": "INVALID_TYPE"}, {"tier": "LATER"}, {"status": "LOST"}):
        with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
            add_transaction(daemon, agent, **wrong)


def test_the_audit_log_holds_known_severities_only(daemon: sqlite3.Connection) -> None:
    """The severity "info" is accepted, "debug" refused."""
    add_audit(daemon, "info")
    with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
        add_audit(daemon, "debug")


# --- 4. ids -----------------------------------------------------------------------------------------------------------


def test_ids_sort_in_the_order_of_making(daemon: sqlite3.Connection) -> None:
    """Ids sort in the order in which they were generated, as strings and as keys of rows."""
    ids = [generate_id() for _ in range(2000)]
    assert ids == sorted(set(ids))
    shown = ids[::-1]
    for name in shown:
        add_agent(daemon, id=name, created_at=int(time.time()))
    assert [name for (name,) in daemon.execute("SELECT id FROM agents ORDER BY id")] == ids


# --- 5. foreign keys --------------------------------------------------------------------------------------------------


def test_a_session_needs_its_agent(daemon: sqlite3.Connection) -> None:
    """A session of an unknown agent is refused."""
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        add_session(daemon, "nobody")


def test_an_agents_sessions_go_with_it(daemon: sqlite3.Connection) -> None:
    """Deleting an agent deletes its sessions."""
    agent = add_agent(daemon)
    add_session(daemon, agent)
    daemon.execute("DELETE FROM agents WHERE id = ?", (agent,))
    assert daemon.execute("SELECT count(*) FROM sessions").fetchone() == (0,)


def test_an_agent_with_transactions_stays(daemon: sqlite3.Connection) -> None:
    """An agent with transactions can't be deleted."""
    agent = add_agent(daemon)
    add_transaction(daemon, agent)
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        daemon.execute("DELETE FROM agents WHERE id = ?", (agent,))


def test_a_transaction_outlives_its_session(daemon: sqlite3.Connection) -> None:
    """Deleting the session sets its transactions' session_id to NULL."""
    agent = add_agent(daemon)
    session = add_session(daemon, agent)
    add_transaction(daemon, agent, session_id=session)
    daemon.execute("DELETE FROM sessions WHERE id = ?", (session,))
    assert daemon.execute("SELECT session_id FROM transactions").fetchall() == [(None,)]


def test_a_batch_goes_with_its_parent(daemon: sqlite3.Connection) -> None:
    """Deleting a parent transaction deletes its children."""
    agent = add_agent(daemon)
    parent = add_transaction(daemon, agent, type="BATCH")
    add_transaction(daemon, agent, parent_id=parent, batch_index=0)
    daemon.execute("DELETE FROM transactions WHERE id = ?", (parent,))
    assert daemon.execute("SELECT count(*) FROM transactions").fetchone() == (0,)


# --- 6. closing -------------------------------------------------------------------------------------------------------


def test_closing_checkpoints_the_wal(tmp_path: Path) -> None:
    """After closing, the WAL is empty or gone, the rows are in the file, and queries raise."""
    path = tmp_path / "daemon.db"
    connection = open_database(path)
    add_agent(connection)
    connection.commit()
    close_database(connection)
    wal = tmp_path / "daemon.db-wal"
    assert not wal.exists() or wal.stat().st_size == 0
    with pytest.raises(sqlite3.ProgrammingError):
        connection.execute("SELECT 1")
    again = open_database(path)
    assert again.execute("SELECT count(*) FROM agents").fetchone() == (1,)
    close_database(again)
