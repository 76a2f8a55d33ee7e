/** A private key of the gateway's own, ES256, as it is kept. Times: milliseconds since the epoch. */
export interface SigningKey {
  /** Thumbprint (RFC 7638) of the public one. */
  readonly kid: string;
  /** Since when it is published. */
  readonly made: number;
  /** From when on it signs, until a later one does. */
  readonly signs: number;
  /** The private key, as a JWK (RFC 7517) in JSON. */
  readonly jwk: string;
}

/** Milliseconds. */
export const intervals = {
  /** That others may keep what they were told of the keys: Cache-Control's max-age of the key set. */
  cached: 300_000,
  /** A new key is published before it signs. */
  ahead: 900_000,
  /** An old one is published after it has signed last. */
  after: 3_600_000,
  /** A new one is made when the newest has signed for so long. */
  age: 90 * 86_400_000,
} as const;

/** Keys published at once, at most. */
export const mostKeys = 8;

/** Those that are published: all but those after which another has signed for long enough. Oldest first. */
export function publishedOf(keys: readonly SigningKey[], now: number): readonly SigningKey[] {
  const sorted = keys.toSorted((a, b) => a.signs - b.signs || a.made - b.made);
  return sorted.filter((_, at) => {
    const next = sorted[at + 1];
    return next === undefined || now < next.signs + intervals.after;
  });
}

/** The one that signs now; before the first may, that one. */
export function signerOf(keys: readonly SigningKey[], now: number): SigningKey | undefined {
  const published = publishedOf(keys, now);
  return published.findLast(({ signs }) => signs <= now) ?? published[0];
}

/** Whether a key is published that does not sign yet. */
export const nextOf = (keys: readonly SigningKey[], now: number): SigningKey | undefined =>
  keys.find(({ signs }) => signs > now);

/** Whether it is time for a new one. */
export function isDue(keys: readonly SigningKey[], now: number): boolean {
  const signer = signerOf(keys, now);
  return signer !== undefined && nextOf(keys, now) === undefined && now - signer.signs >= intervals.age;
}
