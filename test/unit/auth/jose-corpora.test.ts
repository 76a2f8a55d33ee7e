import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { sameText, sign } from "../../../src/auth/ephemeral.ts";
import { readJws } from "../../../src/auth/jws-text.ts";
import { KeySet } from "../../../src/auth/remote-set.ts";
import {
  importJwk,
  importSecret,
  isAlgorithm,
  type ProvingKey,
  verifyJws,
} from "../../../src/auth/verification-keys.ts";
import type { HashName } from "../../../src/core/identity.ts";
import type { JsonObject } from "../../../src/core/strict-json.ts";
import { describeCorpus } from "../../helpers/corpora.ts";

type Jwk = Readonly<Record<string, unknown>> & { readonly kid?: string };

const json = (...path: string[]): unknown => JSON.parse(readFileSync(join(...path), "utf8"));

/**
 * The key as a customer would set it: its own algorithm pinned, a symmetric one as the secret itself. As a JWK none can be
 * set; one that is shorter than its hash is no JWK for it either (RFC 7518 §3.2), though a config takes 16 bytes.
 */
function pinned(jwk: Jwk, alg: string): ProvingKey | undefined {
  if (!isAlgorithm(alg)) return undefined;
  if (jwk.kty === "oct" && Buffer.byteLength(String(jwk.k), "base64url") * 8 < Number(alg.slice(2))) {
    expect(importJwk(alg, jwk).kind).toBe("unusable");
    return undefined;
  }
  const imported =
    jwk.kty === "oct" ? importSecret(alg, Buffer.from(String(jwk.k), "base64url")) : importJwk(alg, publicPart(jwk));
  return imported.kind === "key" ? imported.key : undefined;
}

const publicPart = ({ d, p, q, dp, dq, qi, ...rest }: Jwk): Jwk => rest;

/** Whether the text is taken under the key and no other. */
async function accepts(text: string, key: ProvingKey | undefined): Promise<boolean> {
  const read = readJws(text);
  return read.kind === "jws" && key !== undefined && (await verifyJws(read.jws, key));
}

interface Vector {
  readonly tcId: number;
  readonly comment: string;
  readonly jws?: unknown;
  readonly result: "valid" | "invalid";
}
interface Group {
  readonly comment: string;
  readonly private: Jwk & { readonly keys?: readonly Jwk[] };
  readonly public?: Jwk & { readonly keys?: readonly Jwk[] };
  readonly tests: readonly Vector[];
}

const headerOf = (text: string): { alg?: string; kid?: string } => {
  const read = readJws(text);
  return read.kind === "jws" ? { alg: read.jws.alg, ...(read.jws.kid !== undefined && { kid: read.jws.kid }) } : {};
};

/** One key as the customer's own; a set as a fetched one, in which the token names its key. */
function keyFor(group: Group, text: string): ProvingKey | undefined {
  const given = group.public ?? group.private;
  const keys = given.keys ?? [given];
  const { alg = "", kid } = headerOf(text);
  const [only] = keys;
  if (keys.length === 1 && only !== undefined) return pinned(only, String(only.alg ?? alg));
  if (!isAlgorithm(alg)) return undefined;
  return new KeySet(keys as readonly JsonObject[]).fitting(alg).find((named) => named.kid === kid)?.key;
}

describeCorpus("wycheproof", 1202, (folder) => {
  const groups = (file: string): Group[] => (json(folder, file) as { testGroups: Group[] }).testGroups;

  /** Valid ones that are not taken, by what is set, not by a fault. */
  const refused: Readonly<Record<string, Readonly<Record<number, string>>>> = {
    "json_web_signature_test.json": {
      346: "the key is for PS256, the token is PS384",
      347: "the key is for ES521, which is no algorithm",
      350: "the key is for PS256, the token is PS384",
      351: "the key is for ES521, which is no algorithm",
      372: "a ? inside the header's base64url",
      373: "a ? inside the payload's base64url",
    },
    "json_web_key_test.json": { 2: "symmetric keys of a set are never used" },
    "json_web_crypto_test.json": { 48: "symmetric keys of a set are never used" },
  };

  /** Called invalid for their padding, which is not there: letter by letter a valid one, by its number. */
  const misprinted: Readonly<Record<string, Readonly<Record<number, number>>>> = {
    "json_web_signature_test.json": { 367: 357, 370: 357 },
  };

  const files: readonly [string, number, number][] = [
    ["json_web_signature_test.json", 401, 0],
    ["json_web_key_test.json", 26, 0],
    ["json_web_crypto_test.json", 83, 34],
  ];
  describe.each(files)("%s", (file, count, encrypted) => {
    const all = groups(file).flatMap((group) => group.tests.map((test) => ({ group, test })));
    const cases = all.filter(({ test }) => test.jws !== undefined);

    it(`has ${count} cases, of which ${encrypted} are encrypted and nothing of ours`, () => {
      expect(all).toHaveLength(count);
      expect(all.length - cases.length).toBe(encrypted);
    });

    it("of its invalid ones none is taken, of its valid ones only those with a reason are not", async () => {
      const wrong: string[] = [];
      for (const { group, test } of cases) {
        const text = typeof test.jws === "string" ? test.jws : JSON.stringify(test.jws);
        const taken = await accepts(text, keyFor(group, text));
        const valid = test.result === "valid" || misprinted[file]?.[test.tcId] !== undefined;
        const should = valid && refused[file]?.[test.tcId] === undefined;
        if (taken !== should) wrong.push(`${test.tcId} ${group.comment} ${test.comment}: ${test.result}, ${taken}`);
      }
      expect(wrong).toEqual([]);
    });

    it("calls only misprinted what is valid elsewhere, letter by letter", () => {
      const find = (wanted: number) => cases.find(({ test }) => test.tcId === wanted);
      for (const [tcId, same] of Object.entries(misprinted[file] ?? {})) {
        expect(find(Number(tcId))).toMatchObject({ group: find(same)?.group, test: { jws: find(same)?.test.jws } });
        expect(find(same)?.test.result).toBe("valid");
      }
    });

    it("has no reason for what is invalid anyway", () => {
      const valid = cases.filter(({ test }) => test.result === "valid").map(({ test }) => test.tcId);
      expect(Object.keys(refused[file] ?? {}).filter((tcId) => !valid.includes(Number(tcId)))).toEqual([]);
    });
  });

  it("takes Figure 20 and 27 of RFC 7520 under a key for the algorithm that they are signed with", async () => {
    const figures = groups("json_web_signature_test.json").flatMap((group) =>
      group.tests.filter(({ tcId }) => [346, 347, 350, 351].includes(tcId)).map(({ jws }) => ({ group, jws })),
    );
    expect(figures).toHaveLength(4);
    for (const { group, jws } of figures) {
      const { alg = "" } = headerOf(String(jws));
      expect(await accepts(String(jws), pinned({ ...group.public, alg }, alg))).toBe(true);
    }
  });

  interface Mac {
    readonly tcId: number;
    readonly key: string;
    readonly msg: string;
    readonly tag: string;
    readonly result: string;
  }
  const macs: readonly [HashName, number, number, number][] = [
    ["sha1", 170, 52, 0],
    ["sha256", 174, 54, 84],
    ["sha384", 174, 54, 84],
    ["sha512", 174, 54, 84],
  ];
  describe.each(macs)("hmac_%s_test.json", (hash, count, asText, asKeys) => {
    const all = (
      json(folder, `hmac_${hash}_test.json`) as { testGroups: { tagSize: number; tests: Mac[] }[] }
    ).testGroups.flatMap(({ tagSize, tests }) => tests.map((test) => ({ ...test, tagSize })));
    const bits = hash === "sha1" ? 160 : Number(hash.slice(3));
    const texts = all.filter(({ key, msg }) => text(key) !== undefined && text(msg) !== undefined);
    const whole = all.filter(({ key, tagSize }) => hash !== "sha1" && key.length * 4 >= bits && tagSize === bits);

    it(`has ${count} cases, of which ${asText} are texts as secrets and usernames are, ${asKeys} keys for tokens`, () => {
      expect([all.length, texts.length, whole.length]).toEqual([count, asText, asKeys]);
    });

    it("is what sign makes, and a tag that is wrong or cut is not", () => {
      for (const { key, msg, tag, result, tagSize } of texts) {
        const made = Buffer.from(sign(text(key) ?? "", hash, text(msg) ?? ""), "base64");
        expect(sameText(made.toString("hex"), tag)).toBe(result === "valid" && tagSize === bits);
        expect(sameText(made.subarray(0, tagSize / 8).toString("hex"), tag)).toBe(result === "valid");
      }
    });

    it("is verified under a key imported for tokens", async () => {
      const alg = `HS${bits}`;
      for (const { key, msg, tag, result, tcId } of whole) {
        const imported = pinned({ kty: "oct", k: Buffer.from(key, "hex").toString("base64url") }, alg)?.key;
        const [signature, data] = [Buffer.from(tag, "hex"), Buffer.from(msg, "hex")];
        const right = imported !== undefined && (await crypto.subtle.verify("HMAC", imported, signature, data));
        expect(right, String(tcId)).toBe(result === "valid");
      }
    });
  });
});

/** The text that is these bytes in UTF-8, if there is one. */
function text(hex: string): string | undefined {
  const bytes = Buffer.from(hex, "hex");
  return bytes.toString("utf8") !== "" && Buffer.from(bytes.toString("utf8")).equals(bytes)
    ? bytes.toString("utf8")
    : undefined;
}

describeCorpus("rfc-vectors", 15, (folder) => {
  interface Hmac {
    readonly source: string;
    readonly key_hex: string;
    readonly data_hex: string;
    readonly hash: HashName;
    readonly expected_hex: string;
  }
  const hmacs = json(folder, "rfc2202-rfc4231.json") as Hmac[];
  /** A secret is a text: a key that is none in UTF-8 cannot be set. */
  const leftOut = hmacs.filter(({ key_hex, data_hex }) => text(key_hex) === undefined || text(data_hex) === undefined);

  it("has 12 HMACs, of which these have no text for key or data", () => {
    expect(hmacs).toHaveLength(12);
    expect(leftOut.map(({ source }) => source.replace("RFC ", "")).join()).toBe(
      "2202 3.3,2202 3.4,2202 3.6,2202 3.7,4231 4.4,4231 4.5,4231 4.7",
    );
  });

  it.each(hmacs.filter((hmac) => !leftOut.includes(hmac)))("$source is what sign makes", (hmac) => {
    const made = sign(text(hmac.key_hex) ?? "", hmac.hash, text(hmac.data_hex) ?? "");
    expect(Buffer.from(made, "base64").toString("hex")).toBe(hmac.expected_hex);
  });

  interface Token {
    readonly id: string;
    readonly token: string;
    readonly jwk?: Jwk;
    readonly signature?: string;
  }
  const tokens = json(folder, "rfc7515.json") as Token[];

  it("has 3 tokens", () => expect(tokens).toHaveLength(3));

  it.each(tokens)("$id", async ({ token, jwk, signature }) => {
    const key = pinned(jwk ?? { kty: "oct", k: Buffer.alloc(64).toString("base64url") }, "HS256");
    expect(key).toBeDefined();
    expect(await accepts(token, key)).toBe(signature === "valid");
  });
});

interface Example {
  readonly title: string;
  readonly input: { readonly key: Jwk | readonly Jwk[]; readonly alg?: string };
  readonly signing?: unknown;
  readonly output: { readonly compact?: string; readonly json?: unknown };
}

describeCorpus("jose-cookbook", 18, (folder) => {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".json"));
  const signed = files.filter((path) => !path.startsWith("jwk/") && !path.endsWith("ecdh-es.json"));

  /** Valid signatures in a form that is not taken. */
  const refused: Readonly<Record<string, string>> = {
    "jws/4_5.signature_with_detached_content.json": "its payload is elsewhere",
    "jws/4_6.protecting_specific_header_fields.json": "JSON serialization only",
    "jws/4_7.protecting_content_only.json": "JSON serialization only",
    "jws/4_8.multiple_signatures.json": "JSON serialization only",
    "rfc7797/4.2.hmac-sha2_b64_false.json": "JSON serialization only",
    "rfc7797/hmac-sha2_b64_false.json": "crit and b64",
  };

  it("has 18 files: 11 of signatures, 6 of keys, one of encryption, which is nothing of ours", () => {
    expect([files.length, signed.length]).toEqual([18, 11]);
    expect(Object.keys(refused).filter((path) => !signed.includes(path))).toEqual([]);
  });

  it.each(signed)("%s", async (path) => {
    const { input, output } = json(folder, path) as Example;
    const keys: readonly Jwk[] = Array.isArray(input.key) ? input.key : [input.key as Jwk];
    const texts = [output.compact, output.json].filter((form) => form !== undefined);
    const forms = texts.map((form) => (typeof form === "string" ? form : JSON.stringify(form)));
    expect(forms.length).toBeGreaterThan(0);
    const alg = headerOf(output.compact ?? "").alg ?? String(input.alg ?? keys[0]?.alg);
    const taken = await Promise.all(
      forms.flatMap((form) => keys.map(async (key) => (await accepts(form, pinned(key, alg))) && form)),
    );
    expect(taken.filter((form) => form !== false)).toEqual(refused[path] === undefined ? [output.compact] : []);
  });

  it.each(["3_1.ec_public_key", "3_3.rsa_public_key"])("jwk/%s.json can be set", (name) => {
    const jwk = json(folder, "jwk", `${name}.json`) as Jwk;
    expect(pinned(jwk, jwk.kty === "EC" ? "ES512" : "RS256")).toBeDefined();
    expect(pinned(jwk, jwk.kty === "EC" ? "ES256" : "ES512")).toBeUndefined();
  });

  it.each(["3_2.ec_private_key", "3_4.rsa_private_key"])("jwk/%s.json is private and not taken", (name) => {
    const jwk = json(folder, "jwk", `${name}.json`) as Jwk;
    expect(importJwk(jwk.kty === "EC" ? "ES512" : "RS256", jwk)).toEqual({
      kind: "unusable",
      reason: "is a private key",
    });
  });
});
