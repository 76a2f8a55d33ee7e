import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from "node:crypto";

const ivBytes = 12;
const tagBytes = 16;
const form = /^sealed:([0-9a-f]{16}):([A-Za-z0-9_-]{38,})$/;

interface Key {
  readonly id: string;
  /** AES-256-GCM. */
  readonly sealing: KeyObject;
  /** HMAC-SHA-256: tells two secrets apart without keeping them. */
  readonly naming: KeyObject;
  /** HMAC-SHA-256: of the audit's entries. */
  readonly chaining: Buffer;
}

/** What the entries of the audit are chained with. */
export interface ChainKey {
  readonly id: string;
  readonly key: Buffer;
}

/** What secrets are sealed under in the store. */
export class SealKeys {
  readonly #keys: readonly Key[];

  /** texts: newest first; what is sealed is sealed under the first, or under the one with this id. */
  constructor(texts: readonly string[], first?: string) {
    if (texts.length === 0) throw new RangeError("a store needs a key");
    const keys = texts.map(keyOf);
    this.#keys = [...keys.filter(({ id }) => id === first), ...keys.filter(({ id }) => id !== first)];
  }

  get id(): string {
    return this.#keys[0]!.id;
  }

  has(id: string): boolean {
    return this.#keys.some((key) => key.id === id);
  }

  /** bound: where it belongs; elsewhere it does not open. */
  seal(text: string, bound: readonly string[]): string {
    const { id, sealing } = this.#keys[0]!;
    const iv = randomBytes(ivBytes);
    const cipher = createCipheriv("aes-256-gcm", sealing, iv, { authTagLength: tagBytes });
    cipher.setAAD(Buffer.from(JSON.stringify(bound)));
    const bytes = Buffer.concat([iv, cipher.update(text, "utf8"), cipher.final(), cipher.getAuthTag()]);
    return `sealed:${id}:${bytes.toString("base64url")}`;
  }

  /** Undefined for what was not sealed under one of the keys, or for another place. */
  open(sealed: string, bound: readonly string[]): string | undefined {
    const [, id, text = ""] = form.exec(sealed) ?? [];
    const key = this.#keys.find((one) => one.id === id);
    if (!key) return undefined;
    const bytes = Buffer.from(text, "base64url");
    const iv = bytes.subarray(0, ivBytes);
    const decipher = createDecipheriv("aes-256-gcm", key.sealing, iv, { authTagLength: tagBytes });
    decipher.setAAD(Buffer.from(JSON.stringify(bound)));
    decipher.setAuthTag(bytes.subarray(-tagBytes));
    try {
      return decipher.update(bytes.subarray(ivBytes, -tagBytes), undefined, "utf8") + decipher.final("utf8");
    } catch {
      return undefined; // the one way in which the tag says no
    }
  }

  /** The same for the same secret, and nothing that leads back to it. */
  name(secret: string): string {
    return createHmac("sha256", this.#keys[0]!.naming).update(secret).digest("base64url");
  }

  get chainKey(): ChainKey {
    const { id, chaining } = this.#keys[0]!;
    return { id, key: chaining };
  }

  get chainKeys(): ChainKey[] {
    return this.#keys.map(({ id, chaining }) => ({ id, key: chaining }));
  }

  /** Those of keys that were the store's before, as they lie sealed in it. What does not open is left out. */
  olderChainKeys(sealed: readonly { readonly id: string; readonly sealed: string }[]): ChainKey[] {
    return sealed.flatMap(({ id, sealed: text }) => {
      const key = this.open(text, ["audit", id]);
      return key === undefined ? [] : [{ id, key: Buffer.from(key, "base64") }];
    });
  }

  sealChainKey({ id, key }: ChainKey): string {
    return this.seal(key.toString("base64"), ["audit", id]);
  }
}

export const isSealed = (text: string): boolean => text.startsWith("sealed:");

function keyOf(text: string): Key {
  // As key objects: of bytes Node would make one for each use, at four times the price.
  const [sealing, naming] = ["postern store seal 1", "postern store name 1"].map((info) =>
    createSecretKey(derive(text, info)),
  ) as [KeyObject, KeyObject];
  const chaining = derive(text, "postern store chain 1");
  return { id: createHmac("sha256", naming).update("id").digest("hex").slice(0, 16), sealing, naming, chaining };
}

const derive = (text: string, info: string): Buffer => Buffer.from(hkdfSync("sha256", text, "", info, 32));
