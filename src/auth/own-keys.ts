import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from "node:crypto";
import type { Identity } from "../core/identity.ts";

const ivBytes = 12;
const tagBytes = 16;

interface KeySet {
  /** AES-256-GCM. */
  readonly sealing: KeyObject;
  /** HMAC-SHA-256. */
  readonly signing: KeyObject;
}

/**
 * The gateway's own keys, for what it issues and takes back itself. They are derived (HKDF-SHA-256, RFC 5869) from the
 * chain secret and the exchange secret together, so that gateways of one config share them, a restart keeps them, and
 * nobody has them who holds only one of the two: neither Kamailio. Both newest first, each good while it rotates;
 * where there is no exchange secret, what nobody else knows stands in its place, and the keys are this object's alone.
 */
export class OwnKeys {
  readonly #sets: readonly KeySet[];

  constructor(secrets: {
    readonly chain: readonly string[];
    readonly exchange?: string | readonly string[] | undefined;
  }) {
    if (secrets.chain.length === 0) throw new RangeError("own keys need a chain secret");
    const exchanges = [secrets.exchange ?? nobodysSecret()].flat();
    const pairs = exchanges.flatMap((exchange) => secrets.chain.map((chain) => JSON.stringify([chain, exchange])));
    this.#sets = pairs.map((material) => ({
      sealing: derive(material, "postern handle 1"),
      signing: derive(material, "postern token 1"),
    }));
  }

  /** base64url of nonce, ciphertext and tag; bound to a text that must be the same at opening. */
  seal(text: string, bound: string): string {
    const iv = randomBytes(ivBytes);
    const cipher = createCipheriv("aes-256-gcm", this.#sets[0]!.sealing, iv, { authTagLength: tagBytes });
    cipher.setAAD(Buffer.from(bound));
    const sealed = Buffer.concat([iv, cipher.update(text, "utf8"), cipher.final(), cipher.getAuthTag()]);
    return sealed.toString("base64url");
  }

  /** Undefined for what was not sealed here, or for another text. */
  open(sealed: string, bound: string): string | undefined {
    const bytes = Buffer.from(sealed, "base64url");
    if (bytes.length < ivBytes + tagBytes || bytes.toString("base64url") !== sealed) return undefined;
    for (const { sealing } of this.#sets) {
      const text = unseal(bytes, sealing, bound);
      if (text !== undefined) return text;
    }
    return undefined;
  }

  /** base64url of the HMAC under the newest key. */
  sign(text: string): string {
    return mac(this.#sets[0]!.signing, text);
  }

  /** The right signature under each key, newest first. */
  signatures(text: string): string[] {
    return this.#sets.map(({ signing }) => mac(signing, text));
  }

  /** Tells the very secret or key behind a proof from another that was given its id later; says nothing of it. */
  fingerprint(provedBy: Identity["provedBy"]): string {
    return mac(this.#sets[0]!.signing, `fingerprint ${essence(provedBy)}`).slice(0, 16);
  }

  hasFingerprint(provedBy: Identity["provedBy"], fingerprint: string): boolean {
    const text = `fingerprint ${essence(provedBy)}`;
    return this.signatures(text).some((one) => one.slice(0, 16) === fingerprint);
  }
}

/** In the place of an exchange secret where the config has none, for Kamailio has the chain's. */
export const nobodysSecret = (): string => randomBytes(32).toString("base64");

/** What makes a secret or key the one it is. Its window may be moved; members come out of a config in one order. */
export const essence = (provedBy: Identity["provedBy"]): string =>
  JSON.stringify({ ...provedBy, notBefore: undefined, notAfter: undefined });

const derive = (material: string, info: string): KeyObject =>
  createSecretKey(Buffer.from(hkdfSync("sha256", material, "", info, 32)));

const mac = (key: KeyObject, text: string): string => createHmac("sha256", key).update(text).digest("base64url");

function unseal(bytes: Buffer, key: KeyObject, bound: string): string | undefined {
  const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, ivBytes), { authTagLength: tagBytes });
  decipher.setAAD(Buffer.from(bound));
  decipher.setAuthTag(bytes.subarray(-tagBytes));
  try {
    return decipher.update(bytes.subarray(ivBytes, -tagBytes), undefined, "utf8") + decipher.final("utf8");
  } catch {
    return undefined; // the one way in which the tag says no
  }
}
