import { createPublicKey, verify } from "node:crypto";
import { Writable } from "node:stream";
import { calculateJwkThumbprint, compactVerify, createLocalJWKSet } from "jose";
import { describe, expect, it, onTestFinished } from "vitest";
import { makeSigningKey, publicJwkOf, signCompact } from "../../src/auth/signing-key.ts";
import { intervals, mostKeys, publishedOf, type SigningKey } from "../../src/core/signing-keys.ts";
import { rotateKeys, viewKeys } from "../../src/manage/signing-keys.ts";
import { Signing } from "../../src/signing.ts";
import type { Act, KeyChange, SigningKeys } from "../../src/store/port.ts";
import { createLog } from "../../src/telemetry/log.ts";

const start = 1_700_000_000_000;

/** A store's port, in memory. */
class Kept implements SigningKeys {
  keys: readonly SigningKey[] = [];
  readonly acts: string[] = [];
  fault: string | undefined;

  async all(): Promise<readonly SigningKey[]> {
    if (this.fault !== undefined) throw new Error(this.fault);
    return this.keys;
  }

  async change({ known, add, forget }: KeyChange, { by, what }: Act): Promise<boolean> {
    if (known.length !== this.keys.length) return false;
    this.acts.push(`${by} ${what.split(" ", 1)[0]}`);
    this.keys = [...this.keys.filter(({ kid }) => !forget.includes(kid)), ...(add ? [add] : [])];
    return true;
  }
}

class Bench {
  readonly clock = { at: start, now: () => this.clock.at };
  readonly lines: string[] = [];
  readonly log = createLog({
    level: "debug",
    destination: new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        this.lines.push(chunk.toString());
        done();
      },
    }),
  });

  async open(port: () => SigningKeys | undefined): Promise<Signing> {
    const signing = await Signing.open({ port, clock: this.clock, log: this.log });
    signing.start();
    onTestFinished(() => signing.close());
    return signing;
  }
}

const kidOf = (jws: string): string =>
  (JSON.parse(Buffer.from(jws.split(".", 1)[0]!, "base64url").toString()) as { kid: string }).kid;
const kids = (signing: Signing): string[] => signing.published.keys.map(({ kid }) => kid);

describe("a signing key", () => {
  it("signs ES256 as others verify it, by the key that is published, named by its thumbprint", async () => {
    const key = makeSigningKey(start, start);
    const jws = signCompact(key, "getPermissionToken+jwt", { iss: "wss://sip.acme.example" });
    const jwk = publicJwkOf(key);
    expect(Object.keys(jwk).toSorted()).toEqual(["alg", "crv", "kid", "kty", "use", "x", "y"]);
    expect(key.kid).toBe(await calculateJwkThumbprint({ ...jwk }));
    const { payload, protectedHeader } = await compactVerify(jws, createLocalJWKSet({ keys: [{ ...jwk }] }));
    expect(protectedHeader).toEqual({ alg: "ES256", typ: "getPermissionToken+jwt", kid: key.kid });
    expect(JSON.parse(Buffer.from(payload).toString())).toEqual({ iss: "wss://sip.acme.example" });
    const [head = "", body = "", tail = ""] = jws.split(".");
    const other = createPublicKey({ key: { ...publicJwkOf(makeSigningKey(start, start)) }, format: "jwk" });
    const signed = Buffer.from(`${head}.${body}`);
    const wrong = { key: other, dsaEncoding: "ieee-p1363" } as const;
    expect(verify("sha256", signed, wrong, Buffer.from(tail, "base64url"))).toBe(false);
  });
});

describe("the keys of a store", () => {
  it("are made by whoever is first, and shared by all", async () => {
    const [bench, kept] = [new Bench(), new Kept()];
    const [one, two] = [await bench.open(() => kept), await bench.open(() => kept)];
    expect(kids(one)).toEqual(kids(two));
    expect(kidOf(one.sign("x", {}))).toBe(kidOf(two.sign("x", {})));
    expect(kept.acts).toEqual(["gateway signing-key.add"]);
    expect(bench.lines.join()).not.toContain((JSON.parse(kept.keys[0]!.jwk) as { d: string }).d);
  });

  it("of two that make the first at once are one key", async () => {
    const [bench, kept] = [new Bench(), new Kept()];
    const [one, two] = await Promise.all([bench.open(() => kept), bench.open(() => kept)]);
    expect(kept.keys.length).toBe(1);
    expect(kids(one)).toEqual(kids(two));
  });

  it("are another by itself when the newest is old: published before it signs, the old one after it did", async () => {
    const [bench, kept] = [new Bench(), new Kept()];
    const signing = await bench.open(() => kept);
    const old = kidOf(signing.sign("x", {}));
    bench.clock.at = start + intervals.age - 1;
    await signing.look();
    expect(kids(signing)).toEqual([old]);
    bench.clock.at++;
    await signing.look();
    const [, next] = kids(signing);
    expect(kids(signing)).toEqual([old, next]);
    expect(kidOf(signing.sign("x", {}))).toBe(old);
    bench.clock.at += intervals.ahead;
    expect(kidOf(signing.sign("x", {}))).toBe(next);
    bench.clock.at += intervals.after - 1;
    expect(kids(signing)).toEqual([old, next]);
    bench.clock.at++;
    expect(kids(signing)).toEqual([next]);
    await signing.look();
    expect(kept.keys.map(({ kid }) => kid)).toEqual([next]);
    expect(kept.acts).toEqual(["gateway signing-key.add", "gateway signing-key.add", "gateway signing-key.forget"]);
  });

  it("are published three times as long before they sign as they may be kept by who fetched them", () => {
    expect(intervals.ahead).toBeGreaterThanOrEqual(3 * intervals.cached);
    expect(intervals.after).toBeGreaterThan(intervals.cached);
  });

  it("go on while the store fails, which is logged once, and its end is taken up", async () => {
    const [bench, kept] = [new Bench(), new Kept()];
    const signing = await bench.open(() => kept);
    const before = kids(signing);
    kept.fault = "the store sqlite:x fails";
    const troubles = () => bench.lines.filter((line) => line.includes("signing keys cannot be read or changed")).length;
    for (let time = 0; time < 3; time++) await signing.look();
    expect(kids(signing)).toEqual(before);
    expect(troubles()).toBe(1);
    [kept.fault, kept.keys] = [undefined, [...kept.keys, makeSigningKey(start, start + intervals.ahead)]];
    await signing.look();
    expect(kids(signing)).toEqual(kept.keys.map(({ kid }) => kid));
    kept.fault = "the store sqlite:x fails again";
    await signing.look();
    expect(troubles()).toBe(2);
  });

  it("give up where others change them all the time, with a key in memory", async () => {
    const [bench, kept] = [new Bench(), new Kept()];
    let tries = 0;
    const busy: SigningKeys = { all: () => kept.all(), change: async () => ++tries < 0 };
    const signing = await bench.open(() => busy);
    expect(tries).toBe(5);
    expect(kids(signing)).toEqual([kidOf(signing.sign("x", {}))]);
    expect(bench.lines.join()).toContain("others change the signing keys all the time");
  });

  it("take over from those of the process alone, which stay published for what they signed", async () => {
    const [bench, kept] = [new Bench(), new Kept()];
    let port: SigningKeys | undefined;
    const signing = await bench.open(() => port);
    const own = kidOf(signing.sign("x", {}));
    expect(bench.lines.join()).toContain("signing keys are of this process alone");
    const stored = makeSigningKey(start - 5_000, start - 5_000);
    [port, kept.keys] = [kept, [stored]];
    await signing.look();
    expect(kidOf(signing.sign("x", {}))).toBe(stored.kid);
    expect(kids(signing)).toEqual([own, stored.kid]);
    bench.clock.at += intervals.after;
    expect(kids(signing)).toEqual([stored.kid]);
  });
});

describe("rotation by hand", () => {
  const act = (what: string): Act => ({ by: "cli:root", what });

  it("publishes another key, which signs later; a second one at once is refused", async () => {
    const [bench, kept] = [new Bench(), new Kept()];
    const signing = await bench.open(() => kept);
    const [old] = kids(signing);
    const rotated = await rotateKeys(kept, { now: start, atOnce: false, act });
    expect(rotated).toMatchObject({ kind: "rotated", signs: new Date(start + intervals.ahead).toISOString() });
    expect(await rotateKeys(kept, { now: start + 1, atOnce: false, act })).toMatchObject({ kind: "refused" });
    await signing.look();
    expect(kidOf(signing.sign("x", {}))).toBe(old);
    const view = viewKeys(await kept.all(), start + 1);
    expect(view.map(({ kid, state }) => [kid, state])).toEqual([
      [old, "signs"],
      ["kid" in rotated && rotated.kid, "next"],
    ]);
    expect(view[0]?.publishedUntil).toBe(new Date(start + intervals.ahead + intervals.after).toISOString());
    expect(JSON.stringify(view)).not.toContain('"d"');
    expect(kept.acts).toContain("cli:root signing-key.rotate");
  });

  it("at once takes the place of all: no key that somebody else may have is published any more", async () => {
    const [bench, kept] = [new Bench(), new Kept()];
    const signing = await bench.open(() => kept);
    await rotateKeys(kept, { now: start, atOnce: false, act });
    bench.clock.at = start + 1_000;
    const rotated = await rotateKeys(kept, { now: bench.clock.at, atOnce: true, act });
    await signing.look();
    expect(kids(signing)).toEqual(["kid" in rotated && rotated.kid]);
    bench.clock.at += intervals.ahead;
    expect(kidOf(signing.sign("x", {}))).toBe("kid" in rotated && rotated.kid);
  });

  it("is refused where eight keys are published already, but at once", async () => {
    const kept = new Kept();
    kept.keys = Array.from({ length: mostKeys }, (_, at) => makeSigningKey(start + at, start + at));
    const now = start + 100;
    expect((await rotateKeys(kept, { now, atOnce: false, act })).kind).toBe("refused");
    expect(publishedOf(kept.keys, now).length).toBe(mostKeys);
    expect((await rotateKeys(kept, { now, atOnce: true, act })).kind).toBe("rotated");
    expect(publishedOf(kept.keys, now).length).toBe(1);
  });
});
