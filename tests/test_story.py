"""The history of the daemon's schema: each step on files with rows, and from every version straight to head.

Agents become wallets. Networks are renamed and extended, with the rows that use them. A NOT NULL column is computed
from another. An enum of four tables gains a value. A junction table replaces a column; a hand-written migration between
two generated ones moves its rows.
"""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.folders import run_yoyo
from tests.support.projects import edit, shipped_project
from tests.support.transitions import (
    Row,
    apply_with_runner,
    declared,
    generate,
    is_sound,
    left_to_do,
    orphans,
    roll_back_with_runner,
    rows_of,
    run_script,
    schema_of,
    snapshot,
    typed,
)
from waiaas_migrate import close_database, open_database
from waiaas_migrate.errors import ApplyError
from waiaas_migrate.schema.diff import diff

ROWS = """
INSERT INTO agents (id, name, chain, network, public_key, status, owner_verified, created_at, updated_at) VALUES
  ('a1', 'Trader', 'solana', 'mainnet', 'k1', 'ACTIVE', 1, 10, 11),
  ('a2', 'Tester', 'solana', 'devnet', 'k2', 'CREATING', 0, 20, 21),
  ('a3', 'Idle', 'ethereum', 'testnet', 'k3', 'TERMINATED', 0, 30, 31);
INSERT INTO sessions (id, agent_id, token_hash, expires_at, absolute_expires_at, created_at) VALUES
  ('s1', 'a1', 'h1', 100, 200, 12), ('s2', 'a1', 'h2', 100, 200, 13), ('s3', 'a2', 'h3', 100, 200, 22);
INSERT INTO transactions (id, agent_id, session_id, chain, type, amount, status, tier, created_at, parent_id) VALUES
  ('t1', 'a1', 's1', 'solana', 'BATCH', '18446744073709551616', 'CONFIRMED', 'INSTANT', 14, NULL),
  ('t2', 'a1', 's1', 'solana', 'TRANSFER', '007', 'PENDING', NULL, 15, 't1'),
  ('t3', 'a2', NULL, 'solana', 'APPROVE', NULL, 'QUEUED', 'APPROVAL', 23, NULL);
INSERT INTO policies (id, agent_id, type, rules, created_at, updated_at) VALUES
  ('p1', 'a1', 'WHITELIST', '{}', 16, 16), ('p2', NULL, 'RATE_LIMIT', '{"n": 1}', 17, 17);
INSERT INTO pending_approvals (id, tx_id, required_by, expires_at, created_at) VALUES ('v1', 't3', 50, 60, 24);
INSERT INTO audit_log (id, timestamp, event_type, actor, agent_id, details) VALUES
  (1, 18, 'AGENT_CREATED', 'owner', 'a1', '{}'), (7, 19, 'TX_REQUESTED', 'a1', 'a1', '{}'), (9, 25, 'X', 'y', NULL, '{}');
DELETE FROM audit_log WHERE id = 9;
INSERT INTO key_value_store VALUES ('version', '1', 1);
"""


NETWORKS = (
    "solana-mainnet solana-devnet solana-testnet ethereum-mainnet ethereum-sepolia polygon-mainnet arbitrum-mainnet "
    "base-mainnet"
).split()

SESSION_WALLETS = """
  session_wallets:
    columns:
      session_id: {type: text, nullable: false, references: {table: sessions, column: id, on_delete: cascade}}
      wallet_id: {type: text, nullable: false, references: {table: wallets, column: id, on_delete: cascade}}
      created_at: {type: timestamp, nullable: false}
    primary_key: [session_id, wallet_id]
    indexes:
      idx_session_wallets_wallet_id: [wallet_id]
"""

#: Tables, columns and rows at head.
AT_HEAD: tuple[tuple[str, list[str], list[tuple[str | int | None, ...]]], ...] = (
    (
        "wallets",
        ["rowid", "id", "network", "label", "owner_verified", "owner_address", "created_at"],
        [
            (1, "a1", "solana-mainnet", "Trader on solana-mainnet", 1, None, 10),
            (2, "a2", "solana-devnet", "Tester on solana-devnet", 0, None, 20),
            (3, "a3", "solana-testnet", "Idle on solana-testnet", 0, None, 30),
        ],
    ),
    ("sessions", ["id", "token_hash", "max_renewals"], [("s1", "h1", 30), ("s2", "h2", 30), ("s3", "h3", 30)]),
    (
        "session_wallets",
        ["session_id", "wallet_id", "created_at"],
        [("s1", "a1", 12), ("s2", "a1", 13), ("s3", "a2", 22)],
    ),
    (
        "transactions",
        ["id", "wallet_id", "session_id", "network", "amount", "tier", "parent_id"],
        [
            ("t1", "a1", "s1", "solana-mainnet", "18446744073709551616", "INSTANT", None),
            ("t2", "a1", "s1", "solana-mainnet", "007", None, "t1"),
            ("t3", "a2", None, "solana-devnet", None, "APPROVAL", None),
        ],
    ),
    ("policies", ["id", "wallet_id", "network", "enabled"], [("p1", "a1", None, 1), ("p2", None, None, 1)]),
    ("pending_approvals", ["id", "tx_id", "network"], [("v1", "t3", None)]),
    ("audit_log", ["id", "event_type", "wallet_id"], [(1, "AGENT_CREATED", "a1"), (7, "TX_REQUESTED", "a1")]),
    ("key_value_store", ["key", "value", "updated_at"], [("version", "1", 1)]),
)


def agents_become_wallets(folder: Path) -> None:
    """Rename the table, its column in every table that has it, and its indexes."""
    path = folder / "schema.yaml"
    text = path.read_text(encoding="utf-8")
    text = text.replace("\n  agents:\n", "\n  wallets:\n    renamed_from: agents\n").replace(
        "table: agents", "table: wallets"
    )
    text = text.replace("agent_id: text", "wallet_id: {type: text, renamed_from: agent_id}")
    text = text.replace("agent_id: {type: text,", "wallet_id: {type: text, renamed_from: agent_id,")
    text = re.sub(r"agent_id:\n( +)type: text", r"wallet_id:\n\1type: text\n\1renamed_from: agent_id", text)
    text = re.sub(r"(?<!renamed_from: )\bagent_id\b", "wallet_id", text)
    path.write_text(re.sub(r"\b(idx_\w*?)agent", r"\1wallet", text), encoding="utf-8")


def networks_are_renamed_and_grow(folder: Path) -> None:
    """Rename 'mainnet' to 'solana-mainnet', with the rows that have it, and add many more networks."""
    edit(
        folder / "enums.py",
        '    MAINNET = "mainnet"\n    DEVNET = "devnet"\n    TESTNET = "testnet"\n',
        "".join(f'    {name.upper().replace("-", "_")} = "{name}"\n' for name in NETWORKS),
    )
    edit(
        folder / "schema.yaml",
        "      network: {type: text, nullable: false, enum: NETWORK_TYPES}\n",
        "      network:\n        type: text\n        nullable: false\n        enum: NETWORK_TYPES\n"
        "        enum_values: {renamed: {mainnet: solana-mainnet, devnet: solana-devnet, testnet: solana-testnet}}\n",
    )


def columns_are_made_from_others(folder: Path) -> None:
    """Add a NOT NULL column computed from another table's, one from the same row, and networks to two more tables."""
    network = "{type: text, enum: NETWORK_TYPES}"
    path = folder / "schema.yaml"
    edit(
        path,
        "      owner_address: text\n",
        "      owner_address: text\n      label: {type: text, nullable: false, backfill: \"name || ' on ' || network\"}\n",
    )
    edit(
        path,
        "      tx_hash: text\n",
        "      tx_hash: text\n      network:\n        type: text\n        nullable: false\n        enum: NETWORK_TYPES\n"
        '        backfill: "(SELECT w.network FROM wallets AS w WHERE w.id = transactions.wallet_id)"\n',
    )
    edit(path, "      priority: {", f"      network: {network}\n      priority: {{")
    edit(path, "      required_by: {", f"      network: {network}\n      required_by: {{")


def a_value_comes_to_an_enum_of_four_tables(folder: Path) -> None:
    """Add one line to the enums, which changes the CHECKs of wallets, transactions, policies and pending_approvals."""
    edit(folder / "enums.py", '= "base-mainnet"\n', '= "base-mainnet"\n    OPTIMISM_MAINNET = "optimism-mainnet"\n')


def a_junction_table_comes(folder: Path) -> None:
    """Add a junction table, so that a session may be for several wallets."""
    edit(folder / "schema.yaml", "\n  transactions:\n", SESSION_WALLETS + "\n  transactions:\n")


def rows_are_moved_by_hand(folder: Path) -> None:
    """Move the rows with the daemon's own migration and rollback, which no tool could generate."""
    text = (
        "-- Each session is for the wallet that it had.\n-- depends: 0006_version\n\n"
        "INSERT INTO session_wallets (session_id, wallet_id, created_at)\n"
        "SELECT id, wallet_id, created_at FROM sessions;\n"
    )
    (folder / "migrations" / "0007_version.sql").write_text(text, encoding="utf-8")
    back = "DELETE FROM session_wallets;\n"
    (folder / "migrations" / "0007_version.rollback.sql").write_text(back, encoding="utf-8")


def the_column_goes(folder: Path) -> None:
    """Drop the column that the junction table replaces."""
    path = folder / "schema.yaml"
    text = path.read_text(encoding="utf-8")
    start = text.index("  sessions:\n")
    end = text.index("\n  session_wallets:\n")
    lines = [line for line in text[start:end].splitlines(keepends=True) if "wallet_id" not in line]
    path.write_text(text[:start] + "".join(lines) + text[end:], encoding="utf-8")


#: What happened, in order; the first version is the one that ships.
STEPS: tuple[Callable[[Path], None], ...] = (
    agents_become_wallets,
    networks_are_renamed_and_grow,
    columns_are_made_from_others,
    a_value_comes_to_an_enum_of_four_tables,
    a_junction_table_comes,
    rows_are_moved_by_hand,
    the_column_goes,
)
HEAD = len(STEPS) + 1

Apply = Callable[[Path, Path], None]


def apply_with_yoyo_command(folder: Path, database: Path) -> None:
    """Apply pending migrations as an operator does."""
    run_yoyo("apply", database, folder / "migrations")


TOOLS: dict[str, Apply] = {"runner": apply_with_runner, "yoyo": apply_with_yoyo_command}


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Make the project at each of its versions, each in its own folder."""
    place = tmp_path_factory.mktemp("story")
    found = {1: shipped_project(place / "1")}
    for at, step in enumerate(STEPS, 2):
        folder = found[at] = Path(shutil.copytree(found[at - 1], place / str(at)))
        step(folder)
        generated = generate(folder, "version")
        assert generated.refused == ()
        assert generate(folder, "again").migration is None
        assert (folder / "migrations" / f"{at:04d}_version.sql").is_file()
    return found


def at_version(versions: dict[int, Path], version: int, database: Path) -> Path:
    """Return a file that was filled at the first version and migrated to ``version`` step by step."""
    apply_with_runner(versions[1], database)
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(ROWS)
    for step in range(2, version + 1):
        apply_with_runner(versions[step], database)
    return database


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("version", range(1, HEAD))
def test_every_version_comes_straight_to_head(
    versions: dict[int, Path], version: int, tool: str, tmp_path: Path
) -> None:
    """From any version, with the runner or yoyo, a file gets the same schema as a new one, and the right rows."""
    database = at_version(versions, version, tmp_path / "daemon.db")
    TOOLS[tool](versions[HEAD], database)
    assert left_to_do(database, declared(versions[HEAD])) == []
    assert is_sound(database)
    assert orphans(database) == 0
    check_rows(database)


@pytest.mark.parametrize("tool", TOOLS)
def test_every_step_is_taken_on_a_file_with_rows(versions: dict[int, Path], tool: str, tmp_path: Path) -> None:
    """After each step the schema is that of the version, and only rows that were dropped on purpose are gone."""
    database = at_version(versions, 1, tmp_path / "daemon.db")
    for version in range(2, HEAD + 1):
        before = snapshot(database)
        TOOLS[tool](versions[version], database)
        assert left_to_do(database, declared(versions[version])) == []
        after = snapshot(database)
        for table in before.keys() & after.keys() - {"session_wallets"}:
            assert len(next(iter(after[table].values()))) == len(next(iter(before[table].values())))
    check_rows(database)


def test_every_step_can_be_taken_back(versions: dict[int, Path], tmp_path: Path) -> None:
    """Rolling back from head to the first version restores each version's schema."""
    database = at_version(versions, 1, tmp_path / "daemon.db")
    schemas = {1: schema_of(database)}
    for version in range(2, HEAD + 1):
        apply_with_runner(versions[version], database)
        schemas[version] = schema_of(database)
    # The last one drops a NOT NULL column with a foreign key, whose values nobody has any more.
    with pytest.raises(ApplyError, match="sessions: rows have no parent in wallets"):
        roll_back_with_runner(versions[HEAD], database)
    assert diff(schema_of(database), schemas[HEAD]) == ()
    assert len(rows_of(database, "sessions", ["id"])) == 3
    run_script(
        database, "DELETE FROM session_wallets; DELETE FROM sessions; UPDATE transactions SET session_id = NULL;"
    )
    for version in range(HEAD, 1, -1):
        roll_back_with_runner(versions[HEAD], database)
        assert diff(schema_of(database), schemas[version - 1]) == ()
    networks = rows_of(database, "agents", ["id", "network"])
    assert typed(networks) == typed(
        as_rows(["id", "network"], [("a1", "mainnet"), ("a2", "devnet"), ("a3", "testnet")])
    )


def test_the_daemon_opens_any_version(versions: dict[int, Path], tmp_path: Path) -> None:
    """Opening a file of the first version migrates it to head and sets its PRAGMAs."""
    database = at_version(versions, 1, tmp_path / "daemon.db")
    connection = open_database(database, migrations=versions[HEAD] / "migrations")
    assert connection.execute("SELECT count(*) FROM session_wallets").fetchone() == (3,)
    assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)
    close_database(connection)
    check_rows(database)


def test_the_new_rules_hold(versions: dict[int, Path], tmp_path: Path) -> None:
    """At head, every table accepts only the enum's networks, and a deleted session's junction rows are deleted."""
    database = at_version(versions, HEAD, tmp_path / "daemon.db")
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        for table in ("wallets", "transactions", "policies", "pending_approvals"):
            connection.execute(f"UPDATE {table} SET network = 'optimism-mainnet'")
            with pytest.raises(sqlite3.IntegrityError, match="CHECK constraint failed"):
                connection.execute(f"UPDATE {table} SET network = 'mainnet'")
        connection.execute("DELETE FROM sessions WHERE id = 's1'")
        assert connection.execute("SELECT session_id FROM session_wallets").fetchall() == [("s2",), ("s3",)]


def check_rows(database: Path) -> None:
    """Check the rows at head of a file that was filled at the first version."""
    for table, columns, rows in AT_HEAD:
        assert typed(rows_of(database, table, columns)) == typed(as_rows(columns, rows)), table
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'audit_log'").fetchone() == (9,)
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'index'")}
    assert not [name for name in names if "agent" in name]


def as_rows(columns: list[str], rows: list[tuple[str | int | None, ...]]) -> list[Row]:
    """Return rows by column."""
    return [dict(zip(columns, row, strict=True)) for row in rows]
