/** The enums of the daemon: the single source of truth for its code, its schema and its database. */
export * from './chains.js';
export { AGENT_STATUSES, type AgentStatus, OWNER_STATES, type OwnerState } from './agents.js';
export * from './transactions.js';
export * from './events';
import { STATES as SWITCH } from './kill-switch';

export const POLICY_TYPES = [
  'SPENDING_LIMIT',
  'WHITELIST',
  'TIME_RESTRICTION',
  'RATE_LIMIT',
  'ALLOWED_TOKENS',
  'CONTRACT_WHITELIST',
  'METHOD_WHITELIST',
  'APPROVED_SPENDERS',
  'APPROVE_AMOUNT_LIMIT',
  'APPROVE_TIER_OVERRIDE',
] as const;
export type PolicyType = (typeof POLICY_TYPES)[number];

export const POLICY_TIERS = ['INSTANT', 'NOTIFY', 'DELAY', 'APPROVAL'] as const;
export type PolicyTier = (typeof POLICY_TIERS)[number];

export const SESSION_STATUSES = ['ACTIVE', 'EXPIRED', 'REVOKED'] as const satisfies readonly string[];
export type SessionStatus = (typeof SESSION_STATUSES)[number];

export const KILL_SWITCH_STATES = Object.values(SWITCH);
export type KillSwitchState = (typeof KILL_SWITCH_STATES)[number];

/** No enum, and not in the way of the others. */
export const STARTED_AT = Date.now();
