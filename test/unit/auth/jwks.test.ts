import { describe, expect, it, vi } from "vitest";
import { type Fetched, type FetchKeySet, KeySets } from "../../../src/auth/jwks.ts";
import type { JwtAlgorithm } from "../../../src/core/identity.ts";
import { type Signer, signer } from "../../helpers/tokens.ts";

const uri = "https://idp.example/keys?tenant=secret";
const start = 1_700_000_000_000;
const es = signer("ES256", "e1");
const es2 = signer("ES256", "e2");
const rsa = signer("RS256", "r1");

const body = (keys: readonly unknown[]): Fetched => ({
  kind: "answer",
  status: 200,
  body: Buffer.from(JSON.stringify({ keys })),
});
const hung: Fetched = { kind: "failed", reason: "time", sentence: "there was no answer in 5 s" };
const redirected: Fetched = { kind: "failed", reason: "redirect", sentence: "it redirects to another host" };
const big: Fetched = { kind: "failed", reason: "size", sentence: "the answer is longer than 262144 bytes" };

/** Key sets over answers that a test sets, at a clock that it sets. */
class Bench {
  at = start;
  answer: Fetched | (() => Promise<Fetched>) = body([es.jwk]);
  readonly asked: { readonly url: string; readonly limits: Parameters<FetchKeySet>[1] }[] = [];
  readonly lines: unknown[][] = [];
  readonly sets: KeySets;

  constructor() {
    const log =
      (level: string) =>
      (fields: object, message: string): void => {
        this.lines.push([level, message, fields]);
      };
    this.sets = new KeySets({
      fetch: async (url, limits) => {
        this.asked.push({ url, limits });
        return typeof this.answer === "function" ? this.answer() : this.answer;
      },
      clock: { now: () => this.at },
      log: { info: log("info"), warn: log("warn"), error: log("error") },
    });
  }

  async wanting(answer: Fetched | (() => Promise<Fetched>) = body([es.jwk])): Promise<this> {
    this.answer = answer;
    this.sets.want(new Set([uri]));
    await this.sets.consult(uri);
    return this;
  }

  /** After so many seconds, when the background has looked. */
  async later(seconds: number, answer?: Fetched): Promise<void> {
    if (answer) this.answer = answer;
    this.at += seconds * 1000;
    await this.sets.refresh();
  }

  kids(alg: JwtAlgorithm = "ES256"): (string | undefined)[] {
    return this.sets.keys(uri, alg).map(({ kid }) => kid);
  }
}

describe("a key set", () => {
  it("is asked for when it is wanted, once for all who want it, within 5 s and 256 KB", async () => {
    const bench = await new Bench().wanting();
    bench.sets.want(new Set([uri]));
    await bench.sets.consult(uri);
    expect(bench.asked).toEqual([{ url: uri, limits: { timeoutMs: 5000, maxBytes: 262_144 } }]);
    expect(bench.kids()).toEqual(["e1"]);
    expect(bench.lines).toEqual([]);
  });

  it("is empty until it is there, and for a URL that nobody wants", async () => {
    const bench = new Bench();
    expect(bench.kids()).toEqual([]);
    await bench.sets.consult(uri);
    expect(bench.asked).toEqual([]);
  });

  it("is forgotten when nobody wants it any more", async () => {
    const bench = await new Bench().wanting();
    bench.sets.want(new Set(["https://other.example/keys"]));
    expect(bench.kids()).toEqual([]);
  });

  it("that is only kept stays as it is and is not asked for, until it is wanted again", async () => {
    const bench = await new Bench().wanting();
    bench.sets.want(new Set(), new Set([uri, "https://other.example/keys"]));
    await bench.later(400, body([es2.jwk]));
    await bench.sets.consult(uri);
    await bench.sets.consult("https://other.example/keys");
    expect([bench.asked.length, bench.kids()]).toEqual([1, ["e1"]]);
    bench.sets.want(new Set([uri]));
    await bench.sets.consult(uri);
    expect([bench.asked.length, bench.kids()]).toEqual([2, ["e2"]]);
  });

  it("is asked for anew when it is 300 s old", async () => {
    const bench = await new Bench().wanting();
    await bench.later(299);
    expect(bench.asked).toHaveLength(1);
    await bench.later(1, body([es2.jwk]));
    expect(bench.asked).toHaveLength(2);
    expect(bench.kids()).toEqual(["e2"]);
  });

  it("is asked for anew when the machine's clock was put back, and once: a dropped key is not to live on till then", async () => {
    const bench = await new Bench().wanting();
    await bench.later(-86_400, body([es2.jwk]));
    expect(bench.kids()).toEqual(["e2"]);
    await bench.later(1);
    expect(bench.asked).toHaveLength(2);
    bench.at -= 86_400_000;
    await bench.sets.consult(uri);
    await bench.sets.consult(uri);
    expect(bench.asked).toHaveLength(3);
  });

  it("is asked for anew when a token cannot be proved, but not within 30 s", async () => {
    const bench = await new Bench().wanting();
    bench.answer = body([es.jwk, es2.jwk]);
    bench.at += 29_999;
    for (let i = 0; i < 1000; i++) await bench.sets.consult(uri);
    expect([bench.asked.length, bench.kids()]).toEqual([1, ["e1"]]);
    bench.at += 1;
    await Promise.all(Array.from({ length: 1000 }, () => bench.sets.consult(uri)));
    expect([bench.asked.length, bench.kids()]).toEqual([2, ["e1", "e2"]]);
  });

  it("is waited for by all who ask while it is under way", async () => {
    const bench = new Bench();
    let answer: (fetched: Fetched) => void = () => {};
    bench.answer = () =>
      new Promise((resolve) => {
        answer = resolve;
      });
    bench.sets.want(new Set([uri]));
    let waited = 0;
    const all = Promise.all([1, 2].map(() => bench.sets.consult(uri).then(() => waited++)));
    await new Promise(setImmediate);
    expect(waited).toBe(0);
    answer(body([es.jwk]));
    await all;
    expect([bench.asked.length, bench.kids()]).toEqual([1, ["e1"]]);
  });

  it("gives the same key object as long as the key stands in it, and another generation only when it changes", async () => {
    const bench = await new Bench().wanting(body([es.jwk, rsa.jwk]));
    const [key] = bench.sets.keys(uri, "ES256");
    const { generation } = bench.sets;
    await bench.later(300);
    await bench.later(300, body([es.jwk, rsa.jwk]));
    expect(bench.sets.generation).toBe(generation);
    await bench.later(300, body([es2.jwk, es.jwk]));
    expect(bench.sets.generation).toBeGreaterThan(generation);
    expect(bench.sets.keys(uri, "ES256")[1]?.key).toBe(key?.key);
    expect(key !== undefined && bench.sets.holds(uri, key.key)).toBe(true);
    await bench.later(300, body([es2.jwk]));
    expect(key !== undefined && bench.sets.holds(uri, key.key)).toBe(false);
  });

  it("may become empty: then no key of it is good", async () => {
    const bench = await new Bench().wanting();
    await bench.later(300, body([]));
    expect([bench.kids(), bench.lines]).toEqual([[], []]);
  });
});

describe("a key set that is bad", () => {
  const bad: readonly [string, Fetched, string][] = [
    ["hangs", hung, "no answer in 5 s"],
    ["redirects", redirected, "redirects"],
    ["is 10 MB", big, "longer than"],
    [
      "is too long for us where the fetch let it through",
      { kind: "answer", status: 200, body: Buffer.alloc(262_145, " ") },
      "too long",
    ],
    ["is not found", { kind: "answer", status: 404, body: Buffer.from('{"keys":[]}') }, "status 404"],
    ["is a redirect that was not followed", { kind: "answer", status: 302, body: Buffer.alloc(0) }, "status 302"],
    ["is HTML", { kind: "answer", status: 200, body: Buffer.from("<html>") }, "not JSON"],
    ["has keys twice", { kind: "answer", status: 200, body: Buffer.from('{"keys":[],"keys":[]}') }, "not JSON"],
    ["is a list", { kind: "answer", status: 200, body: Buffer.from("[]") }, "not a JWK set"],
    ["is one key", { kind: "answer", status: 200, body: Buffer.from(JSON.stringify(es.jwk)) }, "not a JWK set"],
    ["has keys that are none", body([es.jwk, "key"]), "not a JWK set"],
    ["has 101 keys", body(Array.from({ length: 101 }, () => es.jwk)), "more than 100"],
  ];

  it.each(bad)("%s: nothing is proved by it, and that is said once", async (_what, answer, reason) => {
    const bench = await new Bench().wanting(answer);
    await bench.later(30);
    await bench.later(30);
    expect(bench.asked).toHaveLength(3);
    expect(bench.kids()).toEqual([]);
    expect(bench.lines).toEqual([
      [
        "warn",
        "a key set cannot be used",
        { uri: "https://idp.example/keys", reason: expect.stringContaining(reason), lastGood: false },
      ],
    ]);
  });

  it.each(bad)("later %s: the last good one serves until there is a good one again", async (_what, answer) => {
    const bench = await new Bench().wanting();
    await bench.later(300, answer);
    await bench.later(30);
    await bench.later(86_400);
    expect(bench.kids()).toEqual(["e1"]);
    expect(bench.lines).toMatchObject([["warn", "a key set cannot be used", { lastGood: true }]]);
    await bench.later(30, body([es2.jwk]));
    expect(bench.kids()).toEqual(["e2"]);
    expect(bench.lines[1]).toEqual(["info", "a key set is usable again", { uri: "https://idp.example/keys", keys: 1 }]);
  });

  it("is told again where it is bad in another way", async () => {
    const bench = await new Bench().wanting(hung);
    await bench.later(30, redirected);
    await bench.later(30, hung);
    expect(bench.lines).toHaveLength(3);
  });

  it("up to 100 keys and 256 KB it is none of that", async () => {
    const keys = Array.from({ length: 100 }, (_, i) => ({ ...es.jwk, kid: `k${i}` }));
    expect((await new Bench().wanting(body(keys))).kids()).toHaveLength(100);
    const padded = Buffer.concat([Buffer.from(JSON.stringify({ keys: [es.jwk] })), Buffer.alloc(1000, " ")]);
    expect((await new Bench().wanting({ kind: "answer", status: 200, body: padded })).kids()).toEqual(["e1"]);
  });

  it("a fault of ours while asking is logged as one and changes nothing", async () => {
    const bench = await new Bench().wanting();
    bench.answer = () => Promise.reject(new Error("broken"));
    bench.at += 300_000;
    await bench.sets.refresh();
    expect(bench.kids()).toEqual(["e1"]);
    expect(bench.lines).toMatchObject([["error", "a key set could not be asked for", { uri: shown }]]);
  });
  const shown = "https://idp.example/keys";
});

describe("a key in a set", () => {
  const { d: _d, ...okp } = { ...signer("EdDSA", "o1").jwk, d: "x" };
  const taken = async (alg: JwtAlgorithm, jwk: object): Promise<boolean> => {
    const bench = await new Bench().wanting(body([jwk]));
    return bench.kids(alg).length === 1;
  };

  it.each<[JwtAlgorithm, Signer["jwk"]]>([
    ["ES256", es.jwk],
    ["ES384", signer("ES384").jwk],
    ["RS256", rsa.jwk],
    ["PS256", rsa.jwk],
    ["EdDSA", okp],
    ["EdDSA", { ...okp, alg: "Ed25519" }],
  ])("is used for %s where it fits", async (alg, jwk) => {
    expect(await taken(alg, jwk)).toBe(true);
    expect(await taken(alg, { ...jwk, use: "sig", key_ops: ["verify"], alg: jwk.alg ?? alg })).toBe(true);
  });

  it.each<[string, JwtAlgorithm, object]>([
    ["another type", "RS256", es.jwk],
    ["another curve", "ES384", es.jwk],
    ["another alg", "ES256", { ...es.jwk, alg: "ES384" }],
    ["RS256 where PS256 is pinned", "PS256", { ...rsa.jwk, alg: "RS256" }],
    ["an alg that is no text", "ES256", { ...es.jwk, alg: ["ES256"] }],
    ["use for encryption", "ES256", { ...es.jwk, use: "enc" }],
    ["other operations", "ES256", { ...es.jwk, key_ops: ["sign"] }],
    ["operations that are no list", "ES256", { ...es.jwk, key_ops: "verify" }],
    ["a private part", "ES256", { ...es.jwk, d: "AAAA" }],
    ["a point off the curve", "ES256", { ...es.jwk, y: es2.jwk.y }],
    ["no coordinates", "ES256", { kty: "EC", crv: "P-256" }],
    ["a symmetric key", "HS256", { kty: "oct", k: Buffer.alloc(32, 1).toString("base64url") }],
    ["RSA below 2048 bits", "RS256", { ...rsa.jwk, n: Buffer.alloc(128, 0xc1).toString("base64url") }],
    ["RSA above 8192 bits", "RS256", { ...rsa.jwk, n: Buffer.alloc(1025, 0xc1).toString("base64url") }],
    ["RSA with exponent 1", "RS256", { ...rsa.jwk, e: "AQ" }],
    ["an even exponent", "RS256", { ...rsa.jwk, e: "BA" }],
    ["X25519", "EdDSA", { ...okp, crv: "X25519" }],
  ])("is passed over with %s", async (_what, alg, jwk) => {
    expect(await taken(alg, jwk)).toBe(false);
    const bench = await new Bench().wanting(body([jwk, es.jwk]));
    expect(bench.kids("ES256")).toEqual(["e1"]);
  });

  it("is not used where another has its kid and could be meant as well", async () => {
    const twin = { ...es2.jwk, kid: "e1" };
    expect((await new Bench().wanting(body([es.jwk, twin]))).kids()).toEqual([]);
    const elsewhere = { ...rsa.jwk, kid: "e1" };
    expect((await new Bench().wanting(body([es.jwk, elsewhere]))).kids()).toEqual(["e1"]);
  });
});

describe("the background", () => {
  it("asks for a few sets at once", async () => {
    const bench = new Bench();
    const answers: (() => void)[] = [];
    bench.answer = () => new Promise((resolve) => answers.push(() => resolve(body([]))));
    bench.sets.want(new Set(Array.from({ length: 20 }, (_, i) => `https://idp.example/${i}`)));
    expect(bench.asked).toHaveLength(8);
    answers.splice(0).forEach((answer) => {
      answer();
    });
    await expect.poll(() => bench.asked.length).toBe(16);
  });

  it("asks nobody again who has not answered yet", async () => {
    const bench = new Bench();
    bench.answer = () => new Promise(() => {});
    bench.sets.want(new Set([uri]));
    await bench.later(3600);
    expect(bench.asked).toHaveLength(1);
  });

  it("asks once for what several changes of the config want, and not for what is wanted no more", async () => {
    const bench = new Bench();
    const answers: (() => void)[] = [];
    bench.answer = () => new Promise((resolve) => answers.push(() => resolve(body([]))));
    const uris = Array.from({ length: 20 }, (_, i) => `https://idp.example/${i}`);
    bench.sets.want(new Set(uris));
    bench.sets.want(new Set(uris.slice(0, 18)));
    const answered = (): number => {
      answers.splice(0).forEach((answer) => {
        answer();
      });
      return bench.asked.length;
    };
    await expect.poll(answered).toBe(18);
    await new Promise(setImmediate);
    expect(bench.asked.map(({ url }) => url).toSorted()).toEqual(uris.slice(0, 18).toSorted());
  });

  it("begins with start and ends with stop, however often", async () => {
    vi.useFakeTimers();
    try {
      const bench = await new Bench().wanting(hung);
      bench.sets.start();
      bench.sets.start();
      expect(vi.getTimerCount()).toBe(1);
      bench.at += 30_000;
      await vi.advanceTimersByTimeAsync(30_000);
      expect(bench.asked).toHaveLength(2);
      bench.sets.stop();
      bench.sets.stop();
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });
});
