"""The enums of the WAIaaS daemon: the single source of truth for its code, its schema and its database.

Code uses the classes as types (``AgentStatus.ACTIVE``). schema.yaml refers to the tuples at the end by name, and each
CHECK in the database lists the values in the same order. After a change, run ``waiaas-migrate generate``: existing
databases change only through a migration.
"""

from __future__ import annotations

from enum import StrEnum


class ChainType(StrEnum):
    """A blockchain that an agent's wallet lives on."""

    SOLANA = "solana"
    ETHEREUM = "ethereum"


class NetworkType(StrEnum):
    """A network of a chain."""

    MAINNET = "mainnet"
    DEVNET = "devnet"
    TESTNET = "testnet"


class AgentStatus(StrEnum):
    """The stage of an agent's life."""

    CREATING = "CREATING"
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    TERMINATING = "TERMINATING"
    TERMINATED = "TERMINATED"


class TransactionStatus(StrEnum):
    """The progress of a transaction."""

    PENDING = "PENDING"
    QUEUED = "QUEUED"
    EXECUTING = "EXECUTING"
    SUBMITTED = "SUBMITTED"
    CONFIRMED = "CONFIRMED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    PARTIAL_FAILURE = "PARTIAL_FAILURE"


class TransactionType(StrEnum):
    """A kind of transaction."""

    TRANSFER = "TRANSFER"
    TOKEN_TRANSFER = "TOKEN_TRANSFER"
    CONTRACT_CALL = "CONTRACT_CALL"
    APPROVE = "APPROVE"
    BATCH = "BATCH"


class PolicyType(StrEnum):
    """A kind of limit that a policy sets."""

    SPENDING_LIMIT = "SPENDING_LIMIT"
    WHITELIST = "WHITELIST"
    TIME_RESTRICTION = "TIME_RESTRICTION"
    RATE_LIMIT = "RATE_LIMIT"
    ALLOWED_TOKENS = "ALLOWED_TOKENS"
    CONTRACT_WHITELIST = "CONTRACT_WHITELIST"
    METHOD_WHITELIST = "METHOD_WHITELIST"
    APPROVED_SPENDERS = "APPROVED_SPENDERS"
    APPROVE_AMOUNT_LIMIT = "APPROVE_AMOUNT_LIMIT"
    APPROVE_TIER_OVERRIDE = "APPROVE_TIER_OVERRIDE"


class PolicyTier(StrEnum):
    """How much a person is involved before a transaction is sent."""

    INSTANT = "INSTANT"
    NOTIFY = "NOTIFY"
    DELAY = "DELAY"
    APPROVAL = "APPROVAL"


class SessionStatus(StrEnum):
    """Whether a session's token may still be used."""

    ACTIVE = "ACTIVE"
    EXPIRED = "EXPIRED"
    REVOKED = "REVOKED"


class NotificationEventType(StrEnum):
    """An event that a person is notified of."""

    TX_REQUESTED = "TX_REQUESTED"
    TX_QUEUED = "TX_QUEUED"
    TX_SUBMITTED = "TX_SUBMITTED"
    TX_CONFIRMED = "TX_CONFIRMED"
    TX_FAILED = "TX_FAILED"
    TX_CANCELLED = "TX_CANCELLED"
    TX_DOWNGRADED_DELAY = "TX_DOWNGRADED_DELAY"
    POLICY_VIOLATION = "POLICY_VIOLATION"
    AGENT_SUSPENDED = "AGENT_SUSPENDED"
    KILL_SWITCH_ACTIVATED = "KILL_SWITCH_ACTIVATED"
    KILL_SWITCH_RECOVERED = "KILL_SWITCH_RECOVERED"
    SESSION_EXPIRING_SOON = "SESSION_EXPIRING_SOON"
    SESSION_EXPIRED = "SESSION_EXPIRED"
    OWNER_SET = "OWNER_SET"
    OWNER_REMOVED = "OWNER_REMOVED"
    OWNER_VERIFIED = "OWNER_VERIFIED"


class AuditAction(StrEnum):
    """An action that the audit log records."""

    AGENT_CREATED = "AGENT_CREATED"
    AGENT_ACTIVATED = "AGENT_ACTIVATED"
    AGENT_SUSPENDED = "AGENT_SUSPENDED"
    AGENT_TERMINATED = "AGENT_TERMINATED"
    SESSION_ISSUED = "SESSION_ISSUED"
    SESSION_REVOKED = "SESSION_REVOKED"
    SESSION_EXPIRED = "SESSION_EXPIRED"
    TX_REQUESTED = "TX_REQUESTED"
    TX_QUEUED = "TX_QUEUED"
    TX_SUBMITTED = "TX_SUBMITTED"
    TX_CONFIRMED = "TX_CONFIRMED"
    TX_FAILED = "TX_FAILED"
    TX_CANCELLED = "TX_CANCELLED"
    POLICY_VIOLATION = "POLICY_VIOLATION"
    POLICY_UPDATED = "POLICY_UPDATED"
    KEYSTORE_UNLOCKED = "KEYSTORE_UNLOCKED"
    KEYSTORE_LOCKED = "KEYSTORE_LOCKED"
    KEY_ROTATED = "KEY_ROTATED"
    KILL_SWITCH_ACTIVATED = "KILL_SWITCH_ACTIVATED"
    DAEMON_STARTED = "DAEMON_STARTED"
    DAEMON_STOPPED = "DAEMON_STOPPED"
    AUTH_FAILED = "AUTH_FAILED"
    RATE_LIMIT_EXCEEDED = "RATE_LIMIT_EXCEEDED"


class KillSwitchState(StrEnum):
    """Whether the daemon is stopped in an emergency."""

    NORMAL = "NORMAL"
    ACTIVATED = "ACTIVATED"
    RECOVERING = "RECOVERING"


class OwnerState(StrEnum):
    """Whether an agent has an owner, and whether that is final."""

    NONE = "NONE"
    GRACE = "GRACE"
    LOCKED = "LOCKED"


CHAIN_TYPES = tuple(member.value for member in ChainType)
NETWORK_TYPES = tuple(member.value for member in NetworkType)
AGENT_STATUSES = tuple(member.value for member in AgentStatus)
TRANSACTION_STATUSES = tuple(member.value for member in TransactionStatus)
TRANSACTION_TYPES = tuple(member.value for member in TransactionType)
POLICY_TYPES = tuple(member.value for member in PolicyType)
POLICY_TIERS = tuple(member.value for member in PolicyTier)
SESSION_STATUSES = tuple(member.value for member in SessionStatus)
NOTIFICATION_EVENT_TYPES = tuple(member.value for member in NotificationEventType)
AUDIT_ACTIONS = tuple(member.value for member in AuditAction)
KILL_SWITCH_STATES = tuple(member.value for member in KillSwitchState)
OWNER_STATES = tuple(member.value for member in OwnerState)
