import { makeSigningKey } from "../auth/signing-key.ts";
import { intervals, mostKeys, nextOf, publishedOf, type SigningKey, signerOf } from "../core/signing-keys.ts";
import type { Act, SigningKeys } from "../store/port.ts";

/** A key as it may be shown. Times: ISO 8601. */
export interface KeyView {
  readonly kid: string;
  readonly state: "next" | "signs" | "published";
  readonly made: string;
  readonly signs: string;
  /** Null where no other key follows it yet. */
  readonly publishedUntil: string | null;
}

/** Those that are published. now: milliseconds since the epoch. */
export function viewKeys(keys: readonly SigningKey[], now: number): readonly KeyView[] {
  const [published, signer] = [publishedOf(keys, now), signerOf(keys, now)];
  return published.map((key, at) => {
    const next = published[at + 1];
    return {
      kid: key.kid,
      state: key === signer ? "signs" : key.signs > now ? "next" : "published",
      made: iso(key.made),
      signs: iso(key.signs),
      publishedUntil: next ? iso(next.signs + intervals.after) : null,
    };
  });
}

const iso = (at: number): string => new Date(at).toISOString();

export type Rotated =
  | { readonly kind: "rotated"; readonly kid: string; readonly signs: string }
  | { readonly kind: "refused"; readonly sentence: string };

export interface RotateOptions {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Without being published first, and in the place of all others: for a key that somebody else may have. */
  readonly atOnce: boolean;
  readonly act: (what: string) => Act;
}

/** Another key is made, and signs when it has been published for long enough. */
export async function rotateKeys(port: SigningKeys, { now, atOnce, act }: RotateOptions): Promise<Rotated> {
  const keys = await port.all();
  const next = nextOf(keys, now);
  if (next && !atOnce) return refused(`a new key signs from ${iso(next.signs)} on already`);
  if (!atOnce && publishedOf(keys, now).length >= mostKeys)
    return refused(`${mostKeys} keys are published: wait until the oldest is forgotten`);
  const add = makeSigningKey(now, atOnce || keys.length === 0 ? now : now + intervals.ahead);
  const known = keys.map(({ kid }) => kid);
  // As long as it is published, whoever has it signs in the gateway's name.
  const change = { known, add, forget: atOnce ? known : [] };
  const changed = await port.change(change, act(`signing-key.rotate ${add.kid}`));
  return changed
    ? { kind: "rotated", kid: add.kid, signs: iso(add.signs) }
    : refused("somebody else changed the keys just now: look and try again");
}

const refused = (sentence: string): Rotated => ({ kind: "refused", sentence });
