export const STATES = Object.freeze({ NORMAL: 'NORMAL', ACTIVATED: 'ACTIVATED', RECOVERING: 'RECOVERING' } as const);
