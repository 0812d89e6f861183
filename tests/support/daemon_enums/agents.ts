export const AGENT_STATUSES = ['CREATING', 'ACTIVE', 'SUSPENDED', 'TERMINATING', 'TERMINATED'] as const;
export type AgentStatus = (typeof AGENT_STATUSES)[number];

export const OWNER_STATES = ['NONE', 'GRACE', 'LOCKED'] as const;
export type OwnerState = (typeof OWNER_STATES)[number];
