import { createHmac, generateKeyPairSync, sign as signWith } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ManagementAuthenticator, type ManagementProof } from "../../../src/auth/management.ts";
import { Customers } from "../../../src/core/customers.ts";
import type { ApiKey } from "../../../src/core/identity.ts";
import { MemoryState } from "../../../src/state/memory.ts";
import { describeCorpus } from "../../helpers/corpora.ts";
import { customer } from "../../helpers/customers.ts";
import { type Claims, managementToken } from "../../helpers/management.ts";

const secret = "the-api-secret-of-acme";
const operatorSecret = "the-secret-of-the-operator";
const start = 1_700_000_000;

interface Bench {
  readonly prove: (token: string, isRead?: boolean) => ManagementProof;
  /** Seconds. */
  readonly wait: (seconds: number) => void;
}

function bench({ apiKeys = [] as ApiKey[], size = 100, at = start } = {}): Bench {
  let now = at * 1000;
  let requests = 0;
  const clock = { now: () => now };
  const acme = customer({ apiKeys: [{ id: "100", secret }, { id: "acme-key", secret }, ...apiKeys] });
  const globex = customer({ id: "globex", apiKeys: [{ id: "200", secret: "the-api-secret-of-globex" }] });
  const hooli = customer({
    ...{ id: "hooli", domains: ["hooli.example"], suspended: "finish" },
    apiKeys: [{ id: "300", secret: "the-api-secret-of-hooli" }],
  });
  const customers = new Customers([acme, globex, hooli]);
  const operators = [
    { id: "ops", secret: operatorSecret },
    { id: "42", secret: operatorSecret },
  ];
  const state = new MemoryState(clock, { management: size });
  const authenticator = new ManagementAuthenticator({
    customers: () => customers,
    operators: () => operators,
    state,
    clock,
  });
  return {
    prove: (token, isRead = false) =>
      authenticator.prove({ token, isRead, holder: `request ${++requests}` }) as ManagementProof,
    wait: (seconds) => {
      now += seconds * 1000;
    },
  };
}

const good: Claims = { iss: "100", ist: "project", iat: start, exp: start + 180, jti: "j1" };
const token = (changes: Partial<Claims> = {}, key = secret): string => managementToken({ ...good, ...changes }, key);
const code = (proof: ManagementProof): string => (proof.kind === "refused" ? proof.refusal.code : proof.kind);
const sentence = (proof: ManagementProof): string => (proof.kind === "refused" ? proof.refusal.sentence : "");

interface Vector {
  readonly token: string;
  readonly secret: string;
  readonly acceptedAt: number;
  readonly expiredAt: number;
}

describeCorpus("../vectors", 2, (folder) => {
  const vector = JSON.parse(readFileSync(join(folder, "opentok.json"), "utf8")) as Vector;
  const apiKeys = [{ id: "12345", secret: vector.secret }];

  it("the token that OpenTok's article prints is accepted while it lives, for the customer of its numeric iss", () => {
    const { prove } = bench({ apiKeys, at: vector.acceptedAt });
    expect(prove(vector.token)).toMatchObject({ kind: "customer", apiKey: "12345", customer: { id: "acme" } });
  });

  it("the token that OpenTok's article prints is expired afterwards, and the answer says how far the clocks are apart", () => {
    const proof = bench({ apiKeys, at: vector.expiredAt }).prove(vector.token);
    expect(code(proof)).toBe("credential-expired");
    expect(sentence(proof)).toMatch(/^your clock is 398 s behind/);
  });
});

describe("who manages", () => {
  it("is the customer whose API key signed, by a number, a text, stamps with fractions", () => {
    const { prove } = bench();
    for (const changes of [
      {},
      { iss: 100, jti: "a" },
      { iss: "acme-key", jti: "b" },
      { iat: start - 0.25, exp: start + 299.75, jti: "c" },
      { jti: undefined },
    ]) {
      expect(prove(token(changes))).toMatchObject({ kind: "customer", customer: { id: "acme" } });
    }
  });

  it("is an operator, with ist account", () => {
    const { prove } = bench();
    expect(prove(token({ iss: "ops", ist: "account" }, operatorSecret))).toEqual({ kind: "operator", id: "ops" });
    expect(prove(token({ iss: 42, ist: "account" }, operatorSecret))).toEqual({ kind: "operator", id: "42" });
  });

  it.each([
    ["an unknown key", token({ iss: "999" })],
    ["a wrong secret", token({}, "another-secret-altogether")],
    ["another customer's key", token({ iss: "200" })],
    ["a project key as operator", token({ ist: "account" })],
    ["an operator as project", token({ iss: "ops" }, operatorSecret)],
    ["an operator's id under a project's secret", token({ iss: "ops", ist: "account" })],
    ["a number that only rounds to the id", token({ iss: 100.5 })],
    ["the decoy's secret for nobody", token({ iss: "999" }, "nobody has this secret")],
    ["the decoy's secret for a key", token({}, "nobody has this secret")],
  ])("is nobody: %s", (name, given) => {
    const proof = bench().prove(given);
    const expected = name.startsWith("a number") ? "credential-malformed" : "credential-rejected";
    expect(code(proof)).toBe(expected);
    expect(proof).not.toHaveProperty("manager");
  });

  it("is told in one sentence for every wrong key", () => {
    const { prove } = bench();
    const wrong = [token({ iss: "999" }), token({}, "x".repeat(20)), token({ ist: "account" }), token({ iss: "200" })];
    expect(new Set(wrong.map((given) => sentence(prove(given)))).size).toBe(1);
  });

  it("is nobody of a suspended customer, who is told so only where the token was proved", () => {
    const { prove } = bench();
    expect(code(prove(token({ iss: "300" }, "the-api-secret-of-hooli")))).toBe("credential-revoked");
    expect(code(prove(token({ iss: "300" }, "another-secret-of-hooli")))).toBe("credential-rejected");
  });

  it("is nobody where a key has an empty secret", () => {
    const { prove } = bench({ apiKeys: [{ id: "7", secret: "" }] });
    expect(code(prove(token({ iss: "7" }, "")))).toBe("credential-rejected");
    expect(code(prove(token({ iss: "7" }, "nobody has this secret")))).toBe("credential-rejected");
  });
});

describe("how it is signed", () => {
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const pem = rsa.publicKey.export({ type: "spki", format: "pem" }) as string;
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const text = (header: unknown): string => `${part(header)}.${part(good)}`;
  const hmac = (hash: string, key: string, input: string): string =>
    `${input}.${createHmac(hash, key).update(input).digest("base64url")}`;
  const none = text({ alg: "none" });
  const hs384 = text({ alg: "HS384" });
  const rs256 = text({ alg: "RS256" });

  it.each([
    ["none, without signature", `${none}.`],
    ["none, with a signature", hmac("sha256", secret, none)],
    ["nOnE", hmac("sha256", secret, text({ alg: "nOnE" }))],
    ["HS384", hmac("sha384", secret, hs384)],
    ["HS384 in name alone", hmac("sha256", secret, hs384)],
    ["hs256", hmac("sha256", secret, text({ alg: "hs256" }))],
    ["RS256", `${rs256}.${signWith("sha256", Buffer.from(rs256), rsa.privateKey).toString("base64url")}`],
    ["HS256 under a public key", hmac("sha256", pem, text({ alg: "HS256" }))],
    ["an unknown extension", hmac("sha256", secret, text({ alg: "HS256", crit: ["x"], x: 1 }))],
    ["a key of its own", hmac("sha256", secret, text({ alg: "HS256", jwk: { kty: "oct", k: "AAAA" } }))],
    ["another kind of token", hmac("sha256", secret, text({ alg: "HS256", typ: "at+jwt" }))],
    ["padding", `${token()}=`],
    ["other bits at the end of the signature", token().replace(/.$/, (last) => other(last))],
    ["no signature", token().replace(/[^.]*$/, "")],
    ["nothing", ""],
    ["a scheme word", `Bearer ${token()}`],
    ["9000 characters", token({ jti: "x".repeat(7000) })],
  ])("is refused: %s", (_, given) => {
    expect(code(bench().prove(given))).toMatch(/^credential-(?:malformed|rejected)$/);
  });

  it.each([{ alg: "HS256" }, { alg: "HS256", typ: "jwt" }, { typ: "JWT", alg: "HS256", kid: "x" }])(
    "is taken: %j",
    (header) => {
      expect(code(bench().prove(hmac("sha256", secret, text(header))))).toBe("customer");
    },
  );
});

/** The character of base64url whose upper four bits are the same: the same bytes for a lenient decoder. */
function other(character: string): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  return alphabet[alphabet.indexOf(character) ^ 1] ?? "";
}

describe("its claims", () => {
  it.each([
    ["no iss", { iss: undefined }],
    ["an iss that is neither text nor number", { iss: ["100"] }],
    ["an empty iss", { iss: "" }],
    ["no ist", { ist: undefined }],
    ["another ist", { ist: "session" }],
    ["no iat", { iat: undefined }],
    ["no exp", { exp: undefined }],
    ["iat as text", { iat: String(start) }],
    ["nbf as text", { nbf: String(start) }],
    ["nbf null", { nbf: null }],
    ["exp as text", { exp: String(start + 10) }],
    ["exp before iat", { exp: start - 1 }],
    ["a jti that is no text", { jti: 7 }],
    ["an empty jti", { jti: "" }],
  ])("are malformed: %s", (_, changes) => {
    expect(code(bench().prove(token(changes as Partial<Claims>)))).toBe("credential-malformed");
  });

  it("are refused where one stands twice, rightly signed", () => {
    const part = (text: string): string => Buffer.from(text).toString("base64url");
    const body = JSON.stringify(good).replace("{", '{"iss":"200",');
    const input = `${part('{"alg":"HS256"}')}.${part(body)}`;
    const given = `${input}.${createHmac("sha256", secret).update(input).digest("base64url")}`;
    expect(code(bench().prove(given))).toBe("credential-malformed");
  });
});

describe("its time", () => {
  it.each([
    ["5 s after exp", { iat: start - 185, exp: start - 5 }, "customer"],
    ["more than 5 s after exp", { iat: start - 186, exp: start - 5.1 }, "credential-expired"],
    ["5 s before iat", { iat: start + 5, exp: start + 185 }, "customer"],
    ["more than 5 s before iat", { iat: start + 5.1, exp: start + 185 }, "credential-rejected"],
    ["300 s of life", { exp: start + 300 }, "customer"],
    ["5 s before nbf", { nbf: start + 5 }, "customer"],
    ["more than 5 s before nbf", { nbf: start + 5.1 }, "credential-rejected"],
    ["nbf long before iat", { nbf: 0 }, "customer"],
    ["300 s of life in fractions", { iat: start + 0.1, exp: start + 0.1 + 300 }, "customer"],
    ["more than 300 s of life", { exp: start + 300.01 }, "credential-ttl"],
    ["a year of life", { exp: start + 31_536_000 }, "credential-ttl"],
  ])("%s", (_, changes, expected) => {
    expect(code(bench().prove(token(changes)))).toBe(expected);
  });

  it("is told in seconds where the signature is right, and nowhere else", () => {
    const behind = { iat: start - 190, exp: start - 10 };
    const ahead = { iat: start + 70, exp: start + 250 };
    expect(sentence(bench().prove(token(behind)))).toMatch(/^your clock is 190 s behind/);
    expect(sentence(bench().prove(token(ahead)))).toMatch(/^your clock is 70 s ahead/);
    for (const changes of [behind, ahead]) {
      const proof = bench().prove(token(changes, "another-secret-altogether"));
      expect([code(proof), sentence(proof)]).toEqual(["credential-rejected", expect.not.stringContaining("clock")]);
    }
  });

  it("names who it was where the token was proved", () => {
    const proof = bench().prove(token({ iat: start - 190, exp: start - 10 }));
    expect(proof).toMatchObject({ kind: "refused", manager: { kind: "customer", apiKey: "100" } });
  });
});

describe("a token with jti", () => {
  it("serves one request, also at the last moment of its skew", () => {
    const { prove, wait } = bench();
    expect(code(prove(token()))).toBe("customer");
    for (const isRead of [true, false]) expect(code(prove(token(), isRead))).toBe("credential-replayed");
    wait(185);
    expect(code(prove(token(), true))).toBe("credential-replayed");
    wait(0.001);
    expect(code(prove(token(), true))).toBe("credential-expired");
  });

  it("is known by its jti, whatever else it says", () => {
    const { prove } = bench();
    expect(code(prove(token()))).toBe("customer");
    expect(code(prove(token({ exp: start + 200 })))).toBe("credential-replayed");
    expect(code(prove(token({ jti: "j2" })))).toBe("customer");
  });

  it("uses up no other key's jti", () => {
    const { prove } = bench();
    expect(code(prove(token()))).toBe("customer");
    expect(code(prove(token({ iss: "200" }, "the-api-secret-of-globex")))).toBe("customer");
    expect(code(prove(token({ iss: "ops", ist: "account" }, operatorSecret)))).toBe("operator");
  });

  it("is not used up by a refusal", () => {
    const { prove, wait } = bench();
    expect(code(prove(token({ iat: start + 10, exp: start + 100 })))).toBe("credential-rejected");
    wait(10);
    expect(code(prove(token({ iat: start + 10, exp: start + 100 })))).toBe("customer");
  });
});

describe("a token without jti", () => {
  const bare = token({ jti: undefined });

  it("may be read with for 2 s after its first use", () => {
    const { prove, wait } = bench();
    expect(code(prove(bare, true))).toBe("customer");
    wait(2);
    expect(code(prove(bare, true))).toBe("customer");
    wait(0.001);
    expect(code(prove(bare, true))).toBe("credential-replayed");
  });

  it("may not be read with again because the clock was put back", () => {
    const { prove, wait } = bench({ at: start + 100 });
    expect(code(prove(bare, true))).toBe("customer");
    wait(-50);
    expect(code(prove(bare, true))).toBe("credential-replayed");
  });

  it("writes once", () => {
    const { prove } = bench();
    expect(code(prove(bare, false))).toBe("customer");
    expect(code(prove(bare, false))).toBe("credential-replayed");
    expect(code(prove(bare, true))).toBe("customer");
  });

  it("never writes after it has read", () => {
    const { prove } = bench();
    expect(code(prove(bare, true))).toBe("customer");
    expect(code(prove(bare, false))).toBe("credential-replayed");
  });
});

describe("a full state", () => {
  it("refuses, and has room again when tokens have ended", () => {
    const { prove, wait } = bench({ size: 8 });
    for (const jti of ["a", "b"]) expect(code(prove(token({ jti })))).toBe("customer");
    expect(code(prove(token({ jti: "c" })))).toBe("limit-reached");
    expect(code(prove(token({ jti: "a" })))).toBe("credential-replayed");
    wait(186);
    expect(code(prove(token({ jti: "c", iat: start + 186, exp: start + 200 })))).toBe("customer");
  });

  it("is a customer's alone, whatever its keys, and leaves room for others and the operators", () => {
    const { prove } = bench({ size: 8, apiKeys: [{ id: "ops", secret }] });
    expect(code(prove(token({ jti: "a" })))).toBe("customer");
    expect(code(prove(token({ jti: "a", iss: "acme-key" })))).toBe("customer");
    for (const iss of ["100", "acme-key", "ops"]) expect(code(prove(token({ jti: "b", iss })))).toBe("limit-reached");
    expect(code(prove(token({ iss: "200" }, "the-api-secret-of-globex")))).toBe("customer");
    expect(code(prove(token({ iss: "ops", ist: "account" }, operatorSecret)))).toBe("operator");
  });

  it("is filled by proved tokens alone", () => {
    const { prove } = bench({ size: 1 });
    for (let at = 0; at < 5; at++) prove(token({ jti: `x${at}` }, "another-secret-altogether"));
    expect(code(prove(token()))).toBe("customer");
  });
});
