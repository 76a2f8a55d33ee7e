import { createHmac, randomUUID } from "node:crypto";

/** acme's, thrown away when the demo ends. */
export interface AcmeSecrets {
  readonly secret: string;
  readonly jwtSecret: string;
  readonly keyId: string;
}

export interface Minted {
  readonly username: string;
  readonly password: string;
  readonly ttl: number;
}

export const sampleKinds = ["good", "expired", "wrong", "too-long", "stranger", "token", "narrowed", "forged"] as const;
export type SampleKind = (typeof sampleKinds)[number];

/** Something to inspect, right or wrong in one way. */
export type Sample = { readonly username: string; readonly password: string } | { readonly token: string };

/** What acme's servlet does, and what others try. */
export class Minter {
  readonly #secrets: AcmeSecrets;

  constructor(secrets: AcmeSecrets) {
    this.#secrets = secrets;
  }

  /** What acme's servlet would write into the page of a user. ttl: seconds. */
  mint(user: string, ttl: number): Minted {
    return { ...signed(this.#secrets.secret, `${inSeconds(ttl)}:${user}@acme.example`), ttl };
  }

  sample(kind: SampleKind): Sample {
    const { secret, jwtSecret } = this.#secrets;
    switch (kind) {
      case "good":
        return signed(secret, `${inSeconds(300)}:alice@acme.example`);
      case "expired":
        return signed(secret, `${inSeconds(-90)}:alice@acme.example`);
      case "wrong":
        return signed(randomUUID(), `${inSeconds(300)}:alice@acme.example`);
      case "too-long":
        return signed(secret, `${inSeconds(86_400)}:alice@acme.example`);
      case "stranger":
        return signed(secret, `${inSeconds(300)}:alice@globex.example`);
      case "token":
        return { token: this.#token({}, jwtSecret) };
      case "narrowed":
        return { token: this.#token({ numbers: ["+3225887000"], oneCall: true, maxSeconds: 60 }, jwtSecret) };
      case "forged":
        return { token: this.#token({}, randomUUID()) };
    }
  }

  #token(more: Readonly<Record<string, unknown>>, secret: string): string {
    const header = { alg: "HS256", typ: "JWT", kid: this.#secrets.keyId };
    const claims = { sub: "alice@acme.example", exp: inSeconds(300), jti: randomUUID(), ...more };
    const text = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
    return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
  }
}

const signed = (secret: string, username: string): { username: string; password: string } => ({
  username,
  password: createHmac("sha1", secret).update(username).digest("base64"),
});

const inSeconds = (seconds: number): number => Math.floor(Date.now() / 1000) + seconds;
