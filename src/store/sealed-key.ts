import type { SigningKey } from "../core/signing-keys.ts";
import type { SealKeys } from "./seal.ts";
import { noKeyOpensOwn } from "./sentences.ts";

/** A signing key as it lies in the database. */
export interface KeyRow extends Omit<SigningKey, "jwk"> {
  readonly sealed: string;
}

export const sealKey = (keys: SealKeys, { jwk, ...rest }: SigningKey): KeyRow => ({
  ...rest,
  sealed: keys.seal(jwk, boundTo(rest)),
});

/** Throws a sentence where no key opens it. */
export function openKey(keys: SealKeys, { sealed, ...rest }: KeyRow): SigningKey {
  const jwk = keys.open(sealed, boundTo(rest));
  if (jwk === undefined) throw new Error(noKeyOpensOwn);
  return { ...rest, jwk };
}

/** Its times too: whoever can write the database alone makes no old key sign again. */
const boundTo = ({ kid, made, signs }: Omit<SigningKey, "jwk">): string[] => [
  "signing-key",
  kid,
  String(made),
  String(signs),
];

/** Whether these keys, in whatever order, are all that there are. */
export const areAll = (known: readonly string[], rows: readonly KeyRow[]): boolean =>
  known.length === rows.length && rows.every(({ kid }) => known.includes(kid));
