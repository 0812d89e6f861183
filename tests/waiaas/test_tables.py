"""The daemon's own plan of tests again, through SQLAlchemy with the classes of ``waiaas_migrate.waiaas``."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.exc import IntegrityError, ProgrammingError, StatementError

from tests.support.projects import run
from waiaas_migrate import waiaas
from waiaas_migrate.waiaas import (
    Agent,
    AuditLog,
    KeyValue,
    PendingApproval,
    Policy,
    Session,
    Transaction,
    close_database,
    generate_id,
    open_database,
)
from waiaas_migrate.waiaas.enums import (
    AgentStatus,
    ChainType,
    NetworkType,
    PolicyTier,
    PolicyType,
    TransactionStatus,
    TransactionType,
)
from waiaas_migrate.waiaas.tables import Base

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    """An engine on a new database of the daemon, with its PRAGMAs on every connection."""
    path = tmp_path / "daemon.db"
    close_database(open_database(path))
    engine = sa.create_engine("sqlite://", creator=lambda: waiaas.connect(path), poolclass=sa.QueuePool)
    yield engine
    engine.dispose()


@pytest.fixture
def db(engine: sa.Engine) -> Iterator[orm.Session]:
    """A session."""
    with orm.Session(engine) as session:
        yield session


def agent(**changes: Any) -> Agent:  # noqa: ANN401 — a wrong value, too
    """Return a new agent."""
    values: dict[str, Any] = {
        "id": generate_id(),
        "name": "a",
        "chain": ChainType.SOLANA,
        "network": NetworkType.DEVNET,
        "public_key": generate_id(),
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Agent(**values | changes)


def session_of(owner: Agent, **changes: Any) -> Session:  # noqa: ANN401 — likewise
    """Return a new session of an agent."""
    values: dict[str, Any] = {
        "id": generate_id(),
        "agent_id": owner.id,
        "token_hash": "h",
        "expires_at": NOW,
        "absolute_expires_at": NOW,
        "created_at": NOW,
    }
    return Session(**values | changes)


def transaction_of(owner: Agent, **changes: Any) -> Transaction:  # noqa: ANN401 — likewise
    """Return a new transaction of an agent."""
    values: dict[str, Any] = {
        "id": generate_id(),
        "agent_id": owner.id,
        "chain": "solana",
        "type": TransactionType.TRANSFER,
        "created_at": NOW,
    }
    return Transaction(**values | changes)


def add(db: orm.Session, *rows: Base) -> None:
    """Insert rows and commit them, in this order."""
    for row in rows:
        db.add(row)
        db.flush()
    db.commit()


def test_the_classes_are_the_tables(engine: sa.Engine) -> None:
    """A class stands for each table, with its columns in their order."""
    classes = {Agent, Session, Transaction, Policy, PendingApproval, AuditLog, KeyValue}
    assert {mapper.class_ for mapper in Base.registry.mappers} == classes
    found = sa.inspect(engine)
    for table in Base.metadata.tables.values():
        assert [column.name for column in table.columns] == [one["name"] for one in found.get_columns(table.name)]
    assert len(Transaction.__table__.columns) == 22


def test_create_all_builds_what_the_migrations_build(engine: sa.Engine, tmp_path: Path) -> None:
    """``create_all`` on an empty file gives a schema that ``diff`` calls equal."""
    other = sa.create_engine(f"sqlite:///{tmp_path / 'created.db'}")
    Base.metadata.create_all(other)
    other.dispose()
    engine.dispose()
    done = run(tmp_path, "diff", "created.db", "daemon.db")
    assert (done.status, done.out) == (0, "No differences.\n")


def test_every_connection_has_the_pragmas(engine: sa.Engine) -> None:
    """All connections of the pool have the daemon's PRAGMAs."""
    wanted = {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 1, "busy_timeout": 5000, "cache_size": -64000}
    wanted |= {"mmap_size": 268435456, "temp_store": 2}
    with engine.connect() as one, engine.connect() as other:
        for connection in (one, other):
            found = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in wanted}
            assert found == wanted


def test_a_row_comes_back_as_it_was(db: orm.Session) -> None:
    """Enums, booleans, times in UTC and JSON come back as the types that went in; defaults are SQLite's."""
    owner = agent(owner_verified=True, suspended_at=NOW)
    add(db, owner, session_of(owner, constraints={"max": [1, "2"]}), transaction_of(owner, metadata_={"memo": None}))
    db.expunge_all()
    found = db.scalars(sa.select(Agent)).one()
    assert (found.chain, found.status, found.owner_verified) == (ChainType.SOLANA, AgentStatus.CREATING, True)
    assert isinstance(found.status, AgentStatus)
    assert (found.created_at, found.suspended_at, found.owner_address) == (NOW, NOW, None)
    assert [(one.constraints, one.usage_stats, one.max_renewals) for one in found.sessions] == [
        ({"max": [1, "2"]}, None, 30)
    ]
    assert [(one.metadata_, one.status, one.tier) for one in found.transactions] == [
        ({"memo": None}, TransactionStatus.PENDING, None)
    ]


def test_a_constructor_gives_the_defaults(db: orm.Session) -> None:
    """A new object has the column's defaults before it is inserted, and the same ones afterwards."""
    new = agent()
    assert (new.status, new.owner_verified, new.suspension_reason) == (AgentStatus.CREATING, False, None)
    add(db, new)
    row = db.execute(sa.text("SELECT status, owner_verified, suspension_reason FROM agents")).one()
    assert tuple(row) == ("CREATING", 0, None)


def test_a_missing_column_is_an_error() -> None:
    """A constructor requires the columns that are NOT NULL and have no default."""
    with pytest.raises(TypeError, match="public_key"):
        Agent(id="1", name="a", chain=ChainType.SOLANA, network=NetworkType.DEVNET, created_at=NOW, updated_at=NOW)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("column", "value"), [("status", "INVALID_STATUS"), ("chain", "bitcoin"), ("status", TransactionStatus.PENDING)]
)
def test_a_wrong_enum_member_is_an_error(db: orm.Session, column: str, value: object) -> None:
    """What is no member of a column's enum is refused before it reaches the database."""
    db.add(agent(**{column: value}))
    with pytest.raises(StatementError, match="is not a value of"):
        db.flush()


def test_checks_hold(db: orm.Session) -> None:
    """The CHECKs of the database refuse what SQLAlchemy does not know to be wrong; a tier may be NULL."""
    owner = agent(status=AgentStatus.ACTIVE)
    add(db, owner, transaction_of(owner, tier=None), transaction_of(owner, tier=PolicyTier.DELAY))
    add(db, AuditLog(timestamp=NOW, event_type="e", actor="a", details={}, severity="critical"))
    db.add(AuditLog(timestamp=NOW, event_type="e", actor="a", details={}, severity="debug"))  # type: ignore[arg-type]
    with pytest.raises(IntegrityError, match="CHECK constraint failed: severity"):
        db.flush()


def test_ids_come_in_order(db: orm.Session) -> None:
    """Rows come back by ``ORDER BY id`` in the order in which their ids were made; the log numbers its own."""
    rows = [agent() for _ in range(50)]
    add(db, *reversed(rows))
    ids = [one.id for one in rows]
    assert sorted(ids) == ids
    assert list(db.scalars(sa.select(Agent.id).order_by(Agent.id))) == ids
    entries = [AuditLog(timestamp=NOW, event_type="e", actor="a", details={"n": n}) for n in range(3)]
    add(db, *entries)
    assert [one.id for one in entries] == [1, 2, 3]
    db.delete(entries[-1])
    add(db, last := AuditLog(timestamp=NOW, event_type="e", actor="a", details={}))
    assert last.id == 4  # AUTOINCREMENT never uses a number again


def test_a_foreign_key_needs_its_parent(db: orm.Session) -> None:
    """A session of an unknown agent is refused."""
    db.add(session_of(agent()))
    with pytest.raises(IntegrityError, match="FOREIGN KEY constraint failed"):
        db.flush()


@pytest.mark.parametrize("is_loaded", [False, True])
def test_deletes_do_what_the_schema_says(db: orm.Session, *, is_loaded: bool) -> None:
    """The database cascades, refuses and sets NULL, whether or not SQLAlchemy has loaded the children."""
    one, other = agent(), agent()
    add(db, one, other, session_of(one), second := session_of(other))
    add(db, parent := transaction_of(other, session_id=second.id), transaction_of(other, parent_id=parent.id))
    add(db, PendingApproval(id=generate_id(), tx_id=parent.id, required_by=NOW, expires_at=NOW, created_at=NOW))
    add(
        db,
        Policy(id=generate_id(), agent_id=one.id, type=PolicyType.WHITELIST, rules={}, created_at=NOW, updated_at=NOW),
    )
    if is_loaded:
        assert (len(one.sessions), len(one.policies), len(parent.children), len(parent.pending_approvals)) == (
            1,
            1,
            1,
            1,
        )
        assert second.transactions == [parent]
    db.delete(one)
    db.commit()
    assert list(db.scalars(sa.select(Session.id))) == [second.id]
    assert db.scalars(sa.select(Policy)).all() == []
    db.delete(other)
    with pytest.raises(IntegrityError, match="FOREIGN KEY constraint failed"):
        db.flush()
    db.rollback()
    db.delete(second)
    db.commit()
    assert parent.session_id is None
    db.delete(parent)
    db.commit()
    assert [db.scalars(sa.select(kind)).all() for kind in (Transaction, PendingApproval)] == [[], []]


def test_relationships_lead_both_ways(db: orm.Session) -> None:
    """Objects reach each other by the foreign keys between them."""
    owner = agent()
    add(db, owner, made := session_of(owner), parent := transaction_of(owner, session_id=made.id))
    add(db, child := transaction_of(owner, parent_id=parent.id))
    assert (made.agent, parent.session, child.parent, parent.children) == (owner, made, parent, [child])
    joined = sa.select(Agent.name, Transaction.type).join(Transaction.agent).where(Transaction.parent_id.is_not(None))
    assert [tuple(row) for row in db.execute(joined)] == [("a", TransactionType.TRANSFER)]


def test_a_key_and_its_value(db: orm.Session) -> None:
    """The daemon's own state is found by its key."""
    add(db, KeyValue(key="kill_switch", value="NORMAL", updated_at=NOW))
    found = db.get(KeyValue, "kill_switch")
    assert found is not None
    found.value = "ACTIVATED"
    db.commit()
    assert db.scalars(sa.select(KeyValue.value)).all() == ["ACTIVATED"]


def test_closing_checkpoints(tmp_path: Path) -> None:
    """After ``close_database`` the WAL is empty or gone, and queries fail."""
    path = tmp_path / "daemon.db"
    connection = open_database(path)
    engine = sa.create_engine("sqlite://", creator=lambda: connection, poolclass=sa.StaticPool)
    with orm.Session(engine) as db:
        add(db, agent())
    close_database(connection)
    wal = path.with_name("daemon.db-wal")
    assert not wal.exists() or wal.stat().st_size == 0
    with orm.Session(engine) as db, pytest.raises(ProgrammingError, match="closed"):
        db.scalars(sa.select(Agent)).all()


def test_opening_does_not_load_sqlalchemy() -> None:
    """Importing and opening load SQLAlchemy only when a class is first used."""
    code = """
import sys
from waiaas_migrate import waiaas
waiaas.close_database(waiaas.open_database(":memory:"))
assert "sqlalchemy" not in sys.modules
waiaas.Agent
assert "sqlalchemy" in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
