/** Where time comes from, so that tests can set it. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
}

export const systemClock: Clock = { now: () => Date.now() };

/** Unix seconds, whole, as credentials and grants count them. */
export const seconds = (clock: Clock): number => Math.floor(clock.now() / 1000);
