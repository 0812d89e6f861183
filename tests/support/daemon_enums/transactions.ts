const STARTED = ['PENDING', 'QUEUED', 'EXECUTING', 'SUBMITTED'] as const;

export const TRANSACTION_STATUSES = [
  ...STARTED,
  'CONFIRMED',
  'FAILED',
  'CANCELLED', // by the owner
  'EXPIRED',
  'PARTIAL_FAILURE',
] as const;
export type TransactionStatus = (typeof TRANSACTION_STATUSES)[number];

export enum TransactionKind {
  TRANSFER = 'TRANSFER',
  TOKEN_TRANSFER = 'TOKEN_TRANSFER',
  CONTRACT_CALL = 'CONTRACT_CALL',
  APPROVE = 'APPROVE',
  BATCH = 'BATCH',
}
export const TRANSACTION_TYPES = Object.values(TransactionKind);
export type TransactionType = `${TransactionKind}`;
