# Written by waiaas-migrate models. Change schema.yaml instead.
"""The tables of the database, for SQLAlchemy."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    MappedAsDataclass,
    mapped_column,
    relationship,
)

from waiaas_migrate.sqlalchemy import BooleanInteger, EnumText, JsonText, Timestamp
from waiaas_migrate.waiaas.enums import (
    AgentStatus,
    ChainType,
    NetworkType,
    PolicyTier,
    PolicyType,
    TransactionStatus,
    TransactionType,
)

AuditLogSeverity = Literal["info", "warning", "critical"]


class Base(MappedAsDataclass, DeclarativeBase, kw_only=True, eq=False, repr=False):
    """The base of all classes; ``Base.metadata`` has all tables."""


class Agent(Base, kw_only=True):
    """Agent identity and lifecycle state."""

    __tablename__ = "agents"
    __table_args__ = (
        sa.CheckConstraint("chain IN ('solana', 'ethereum')"),
        sa.CheckConstraint("network IN ('mainnet', 'devnet', 'testnet')"),
        sa.CheckConstraint(
            "status IN ('CREATING', 'ACTIVE', 'SUSPENDED', 'TERMINATING', 'TERMINATED')",
        ),
        sa.CheckConstraint("owner_verified IN (0, 1)"),
        sa.Index("idx_agents_public_key", "public_key", unique=True),
        sa.Index("idx_agents_status", "status"),
        sa.Index("idx_agents_chain_network", "chain", "network"),
        sa.Index("idx_agents_owner_address", "owner_address"),
        {"comment": "Agent identity and lifecycle state"},
    )

    id: Mapped[str] = mapped_column(sa.Text, primary_key=True, nullable=True)
    name: Mapped[str] = mapped_column(sa.Text)
    chain: Mapped[ChainType] = mapped_column(EnumText(ChainType))
    network: Mapped[NetworkType] = mapped_column(EnumText(NetworkType))
    public_key: Mapped[str] = mapped_column(sa.Text)
    status: Mapped[AgentStatus] = mapped_column(
        EnumText(AgentStatus),
        default=AgentStatus.CREATING,
        server_default=sa.text("'CREATING'"),
    )
    owner_address: Mapped[str | None] = mapped_column(sa.Text, default=None)
    owner_verified: Mapped[bool] = mapped_column(
        BooleanInteger,
        default=False,
        server_default=sa.text("0"),
    )
    created_at: Mapped[datetime] = mapped_column(Timestamp)
    updated_at: Mapped[datetime] = mapped_column(Timestamp)
    suspended_at: Mapped[datetime | None] = mapped_column(Timestamp, default=None)
    suspension_reason: Mapped[str | None] = mapped_column(sa.Text, default=None)

    sessions: Mapped[list[Session]] = relationship(
        back_populates="agent",
        passive_deletes="all",
        init=False,
    )
    transactions: Mapped[list[Transaction]] = relationship(
        back_populates="agent",
        passive_deletes="all",
        init=False,
    )
    policies: Mapped[list[Policy]] = relationship(
        back_populates="agent",
        passive_deletes="all",
        init=False,
    )


class Session(Base, kw_only=True):
    """Access tokens of agents, with their limits and renewals."""

    __tablename__ = "sessions"
    __table_args__ = (
        sa.Index("idx_sessions_agent_id", "agent_id"),
        sa.Index("idx_sessions_expires_at", "expires_at"),
        sa.Index("idx_sessions_token_hash", "token_hash"),
        {"comment": "Access tokens of agents, with their limits and renewals"},
    )

    id: Mapped[str] = mapped_column(sa.Text, primary_key=True, nullable=True)
    agent_id: Mapped[str] = mapped_column(
        sa.Text,
        sa.ForeignKey("agents.id", ondelete="CASCADE"),
    )
    token_hash: Mapped[str] = mapped_column(
        sa.Text,
        comment="The token itself is never stored",
    )
    expires_at: Mapped[datetime] = mapped_column(Timestamp)
    constraints: Mapped[dict[str, Any] | None] = mapped_column(JsonText, default=None)
    usage_stats: Mapped[dict[str, Any] | None] = mapped_column(JsonText, default=None)
    revoked_at: Mapped[datetime | None] = mapped_column(Timestamp, default=None)
    renewal_count: Mapped[int] = mapped_column(
        sa.Integer,
        default=0,
        server_default=sa.text("0"),
    )
    max_renewals: Mapped[int] = mapped_column(
        sa.Integer,
        default=30,
        server_default=sa.text("30"),
    )
    last_renewed_at: Mapped[datetime | None] = mapped_column(Timestamp, default=None)
    absolute_expires_at: Mapped[datetime] = mapped_column(
        Timestamp,
        comment="No renewal goes beyond this",
    )
    created_at: Mapped[datetime] = mapped_column(Timestamp)

    agent: Mapped[Agent] = relationship(back_populates="sessions", init=False)
    transactions: Mapped[list[Transaction]] = relationship(
        back_populates="session",
        passive_deletes="all",
        init=False,
    )


class Transaction(Base, kw_only=True):
    """Everything an agent asked to be sent, from request to confirmation."""

    __tablename__ = "transactions"
    __table_args__ = (
        sa.CheckConstraint(
            "type IN ('TRANSFER', 'TOKEN_TRANSFER', 'CONTRACT_CALL', 'APPROVE', 'BATCH')",
        ),
        sa.CheckConstraint(
            "status IN ('PENDING', 'QUEUED', 'EXECUTING', 'SUBMITTED', "
            "'CONFIRMED', 'FAILED', 'CANCELLED', 'EXPIRED', 'PARTIAL_FAILURE')",
        ),
        sa.CheckConstraint(
            "tier IS NULL OR tier IN ('INSTANT', 'NOTIFY', 'DELAY', 'APPROVAL')",
        ),
        sa.Index("idx_transactions_agent_status", "agent_id", "status"),
        sa.Index("idx_transactions_session_id", "session_id"),
        sa.Index("idx_transactions_tx_hash", "tx_hash", unique=True),
        sa.Index("idx_transactions_queued_at", "queued_at"),
        sa.Index("idx_transactions_created_at", "created_at"),
        sa.Index("idx_transactions_type", "type"),
        sa.Index("idx_transactions_contract_address", "contract_address"),
        sa.Index("idx_transactions_parent_id", "parent_id"),
        {
            "comment": "Everything an agent asked to be sent, from request to confirmation",
        },
    )

    id: Mapped[str] = mapped_column(sa.Text, primary_key=True, nullable=True)
    agent_id: Mapped[str] = mapped_column(
        sa.Text,
        sa.ForeignKey("agents.id", ondelete="RESTRICT"),
    )
    session_id: Mapped[str | None] = mapped_column(
        sa.Text,
        sa.ForeignKey("sessions.id", ondelete="SET NULL"),
        default=None,
    )
    chain: Mapped[str] = mapped_column(sa.Text)
    tx_hash: Mapped[str | None] = mapped_column(sa.Text, default=None)
    type: Mapped[TransactionType] = mapped_column(EnumText(TransactionType))
    amount: Mapped[str | None] = mapped_column(
        sa.Text,
        default=None,
        comment="A whole number in the chain's smallest unit; too big for INTEGER",
    )
    to_address: Mapped[str | None] = mapped_column(sa.Text, default=None)
    token_mint: Mapped[str | None] = mapped_column(sa.Text, default=None)
    contract_address: Mapped[str | None] = mapped_column(sa.Text, default=None)
    method_signature: Mapped[str | None] = mapped_column(sa.Text, default=None)
    spender_address: Mapped[str | None] = mapped_column(sa.Text, default=None)
    approved_amount: Mapped[str | None] = mapped_column(sa.Text, default=None)
    parent_id: Mapped[str | None] = mapped_column(
        sa.Text,
        sa.ForeignKey("transactions.id", ondelete="CASCADE"),
        default=None,
        comment="The batch that this is a part of",
    )
    batch_index: Mapped[int | None] = mapped_column(sa.Integer, default=None)
    status: Mapped[TransactionStatus] = mapped_column(
        EnumText(TransactionStatus),
        default=TransactionStatus.PENDING,
        server_default=sa.text("'PENDING'"),
    )
    tier: Mapped[PolicyTier | None] = mapped_column(
        EnumText(PolicyTier),
        default=None,
        comment="NULL until the policies have been asked",
    )
    queued_at: Mapped[datetime | None] = mapped_column(Timestamp, default=None)
    executed_at: Mapped[datetime | None] = mapped_column(Timestamp, default=None)
    created_at: Mapped[datetime] = mapped_column(Timestamp)
    error: Mapped[str | None] = mapped_column(sa.Text, default=None)
    metadata_: Mapped[dict[str, Any] | None] = mapped_column(
        "metadata",
        JsonText,
        default=None,
    )

    agent: Mapped[Agent] = relationship(back_populates="transactions", init=False)
    session: Mapped[Session | None] = relationship(
        back_populates="transactions",
        init=False,
    )
    parent: Mapped[Transaction | None] = relationship(
        remote_side="Transaction.id",
        back_populates="children",
        init=False,
    )
    children: Mapped[list[Transaction]] = relationship(
        back_populates="parent",
        passive_deletes="all",
        init=False,
    )
    pending_approvals: Mapped[list[PendingApproval]] = relationship(
        back_populates="tx",
        passive_deletes="all",
        init=False,
    )


class Policy(Base, kw_only=True):
    """Rules that transactions are held to."""

    __tablename__ = "policies"
    __table_args__ = (
        sa.CheckConstraint(
            "type IN ('SPENDING_LIMIT', 'WHITELIST', 'TIME_RESTRICTION', "
            "'RATE_LIMIT', 'ALLOWED_TOKENS', 'CONTRACT_WHITELIST', "
            "'METHOD_WHITELIST', 'APPROVED_SPENDERS', 'APPROVE_AMOUNT_LIMIT', "
            "'APPROVE_TIER_OVERRIDE')",
        ),
        sa.Index("idx_policies_agent_enabled", "agent_id", "enabled"),
        sa.Index("idx_policies_type", "type"),
        {"comment": "Rules that transactions are held to"},
    )

    id: Mapped[str] = mapped_column(sa.Text, primary_key=True, nullable=True)
    agent_id: Mapped[str | None] = mapped_column(
        sa.Text,
        sa.ForeignKey("agents.id", ondelete="CASCADE"),
        default=None,
        comment="NULL is a global policy",
    )
    type: Mapped[PolicyType] = mapped_column(EnumText(PolicyType))
    rules: Mapped[dict[str, Any]] = mapped_column(JsonText)
    priority: Mapped[int] = mapped_column(
        sa.Integer,
        default=0,
        server_default=sa.text("0"),
    )
    enabled: Mapped[bool] = mapped_column(
        BooleanInteger,
        default=True,
        server_default=sa.text("1"),
    )
    created_at: Mapped[datetime] = mapped_column(Timestamp)
    updated_at: Mapped[datetime] = mapped_column(Timestamp)

    agent: Mapped[Agent | None] = relationship(back_populates="policies", init=False)


class PendingApproval(Base, kw_only=True):
    """Transactions that wait for their owner."""

    __tablename__ = "pending_approvals"
    __table_args__ = (
        sa.Index("idx_pending_approvals_tx_id", "tx_id"),
        sa.Index("idx_pending_approvals_expires_at", "expires_at"),
        {"comment": "Transactions that wait for their owner"},
    )

    id: Mapped[str] = mapped_column(sa.Text, primary_key=True, nullable=True)
    tx_id: Mapped[str] = mapped_column(
        sa.Text,
        sa.ForeignKey("transactions.id", ondelete="CASCADE"),
    )
    required_by: Mapped[datetime] = mapped_column(Timestamp)
    expires_at: Mapped[datetime] = mapped_column(Timestamp)
    approved_at: Mapped[datetime | None] = mapped_column(Timestamp, default=None)
    rejected_at: Mapped[datetime | None] = mapped_column(Timestamp, default=None)
    owner_signature: Mapped[str | None] = mapped_column(sa.Text, default=None)
    created_at: Mapped[datetime] = mapped_column(Timestamp)

    tx: Mapped[Transaction] = relationship(
        back_populates="pending_approvals",
        init=False,
    )


class AuditLog(Base, kw_only=True):
    """A row of audit_log.

    What happened, in order; it outlives what it speaks of, so its ids carry no foreign
    keys.
    """

    __tablename__ = "audit_log"
    __table_args__ = (
        sa.CheckConstraint("severity IN ('info', 'warning', 'critical')"),
        sa.Index("idx_audit_log_timestamp", "timestamp"),
        sa.Index("idx_audit_log_event_type", "event_type"),
        sa.Index("idx_audit_log_agent_id", "agent_id"),
        sa.Index("idx_audit_log_severity", "severity"),
        sa.Index("idx_audit_log_agent_timestamp", "agent_id", "timestamp"),
        {
            "comment": "What happened, in order; it outlives what it speaks of, so its ids carry no foreign keys",
            "sqlite_autoincrement": True,
        },
    )

    id: Mapped[int] = mapped_column(
        sa.Integer,
        sa.Sequence("rowid"),
        primary_key=True,
        nullable=True,
        default=None,
    )
    timestamp: Mapped[datetime] = mapped_column(Timestamp)
    event_type: Mapped[str] = mapped_column(sa.Text)
    actor: Mapped[str] = mapped_column(sa.Text)
    agent_id: Mapped[str | None] = mapped_column(sa.Text, default=None)
    session_id: Mapped[str | None] = mapped_column(sa.Text, default=None)
    tx_id: Mapped[str | None] = mapped_column(sa.Text, default=None)
    details: Mapped[dict[str, Any]] = mapped_column(JsonText)
    severity: Mapped[AuditLogSeverity] = mapped_column(
        sa.Text,
        default="info",
        server_default=sa.text("'info'"),
    )
    ip_address: Mapped[str | None] = mapped_column(sa.Text, default=None)


class KeyValue(Base, kw_only=True):
    """The daemon's own state."""

    __tablename__ = "key_value_store"
    __table_args__ = ({"comment": "The daemon's own state"},)

    key: Mapped[str] = mapped_column(sa.Text, primary_key=True, nullable=True)
    value: Mapped[str] = mapped_column(sa.Text)
    updated_at: Mapped[datetime] = mapped_column(Timestamp)
