"""The enums of the application and the names that schema.yaml refers to."""

from __future__ import annotations

import inspect
from enum import StrEnum

import pytest

from waiaas_migrate.waiaas import enums

CLASSES = {
    "CHAIN_TYPES": enums.ChainType,
    "NETWORK_TYPES": enums.NetworkType,
    "AGENT_STATUSES": enums.AgentStatus,
    "TRANSACTION_STATUSES": enums.TransactionStatus,
    "TRANSACTION_TYPES": enums.TransactionType,
    "POLICY_TYPES": enums.PolicyType,
    "POLICY_TIERS": enums.PolicyTier,
    "SESSION_STATUSES": enums.SessionStatus,
    "NOTIFICATION_EVENT_TYPES": enums.NotificationEventType,
    "AUDIT_ACTIONS": enums.AuditAction,
    "KILL_SWITCH_STATES": enums.KillSwitchState,
    "OWNER_STATES": enums.OwnerState,
}

#: The daemon's own list, word for word.
VALUES = {
    "CHAIN_TYPES": "solana ethereum",
    "NETWORK_TYPES": "mainnet devnet testnet",
    "AGENT_STATUSES": "CREATING ACTIVE SUSPENDED TERMINATING TERMINATED",
    "TRANSACTION_STATUSES": "PENDING QUEUED EXECUTING SUBMITTED CONFIRMED FAILED CANCELLED EXPIRED PARTIAL_FAILURE",
    "TRANSACTION_TYPES": "TRANSFER TOKEN_TRANSFER CONTRACT_CALL APPROVE BATCH",
    "POLICY_TYPES": """
        SPENDING_LIMIT WHITELIST TIME_RESTRICTION RATE_LIMIT ALLOWED_TOKENS CONTRACT_WHITELIST
        METHOD_WHITELIST APPROVED_SPENDERS APPROVE_AMOUNT_LIMIT APPROVE_TIER_OVERRIDE
    """,
    "POLICY_TIERS": "INSTANT NOTIFY DELAY APPROVAL",
    "SESSION_STATUSES": "ACTIVE EXPIRED REVOKED",
    "NOTIFICATION_EVENT_TYPES": """
        TX_REQUESTED TX_QUEUED TX_SUBMITTED TX_CONFIRMED TX_FAILED TX_CANCELLED TX_DOWNGRADED_DELAY
        POLICY_VIOLATION AGENT_SUSPENDED KILL_SWITCH_ACTIVATED KILL_SWITCH_RECOVERED SESSION_EXPIRING_SOON
        SESSION_EXPIRED OWNER_SET OWNER_REMOVED OWNER_VERIFIED
    """,
    "AUDIT_ACTIONS": """
        AGENT_CREATED AGENT_ACTIVATED AGENT_SUSPENDED AGENT_TERMINATED SESSION_ISSUED SESSION_REVOKED
        SESSION_EXPIRED TX_REQUESTED TX_QUEUED TX_SUBMITTED TX_CONFIRMED TX_FAILED TX_CANCELLED
        POLICY_VIOLATION POLICY_UPDATED KEYSTORE_UNLOCKED KEYSTORE_LOCKED KEY_ROTATED KILL_SWITCH_ACTIVATED
        DAEMON_STARTED DAEMON_STOPPED AUTH_FAILED RATE_LIMIT_EXCEEDED
    """,
    "KILL_SWITCH_STATES": "NORMAL ACTIVATED RECOVERING",
    "OWNER_STATES": "NONE GRACE LOCKED",
}


def test_there_are_twelve_enums_and_a_list_for_each() -> None:
    """The module has exactly the enums and lists above."""
    classes = {
        name
        for name, value in vars(enums).items()
        if inspect.isclass(value) and issubclass(value, StrEnum) and value is not StrEnum
    }
    lists = {name for name, value in vars(enums).items() if isinstance(value, tuple)}
    assert classes == {enum.__name__ for enum in CLASSES.values()}
    assert lists == set(CLASSES) == set(VALUES)


@pytest.mark.parametrize("name", CLASSES)
def test_a_list_holds_its_enum_in_order(name: str) -> None:
    """A list has the values of its enum as plain strings, in the order in which the daemon declares them."""
    listed = getattr(enums, name)
    assert listed == tuple(VALUES[name].split())
    assert listed == tuple(CLASSES[name])
    assert {type(value) for value in listed} == {str}


@pytest.mark.parametrize("name", CLASSES)
def test_a_member_is_named_after_its_value(name: str) -> None:
    """A member is named like its value in the database, in capitals, and none is an alias of another."""
    enum = CLASSES[name]
    assert list(enum.__members__) == [member.value.upper() for member in enum]


def test_a_member_is_its_value() -> None:
    """A member can be bound to a statement."""
    assert enums.AgentStatus.ACTIVE == "ACTIVE"
    assert str(enums.ChainType.SOLANA) == "solana"
    assert enums.AgentStatus("ACTIVE") is enums.AgentStatus.ACTIVE
