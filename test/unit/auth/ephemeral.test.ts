import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mint, parseUsername, sign, type Verdict, verify } from "../../../src/auth/ephemeral.ts";
import { Customers } from "../../../src/core/customers.ts";
import { PosternError } from "../../../src/core/errors.ts";
import type { Customer, HashName, Secret } from "../../../src/core/identity.ts";
import { describeCorpus } from "../../helpers/corpora.ts";

const now = 1_700_000_000;
const k1: Secret = { id: "k1", secret: "first secret of acme", algorithm: "sha1" };

const customer = (changes: Partial<Customer> = {}): Customer => ({
  id: "acme",
  domains: ["acme.example"],
  secrets: [k1],
  keys: [],
  apiKeys: [],
  origins: [],
  maxTtl: 3600,
  clockSkew: 0,
  callFrom: [],
  numbers: [],
  dial: [],
  methods: [],
  inbound: {},
  passHeaders: [],
  limits: { connections: 1, registrations: 1, calls: 1, callsPerMinute: 1, callSeconds: 1 },
  ceilings: {},
  revoked: [],
  ...changes,
});

/** What verify says at `at` of a credential minted at `now` by acme's first secret, or as `credential` says. */
function judge(
  of: Partial<Customer>,
  at = now,
  credential: { user?: string; secret?: Secret; ttl?: number } = {},
): Verdict {
  const { user = "alice@acme.example", secret = k1, ttl = 300 } = credential;
  const minted = mint({ secret: secret.secret, user, ttl, algorithm: secret.algorithm, now });
  return verify(new Customers([customer(of)]), minted, at);
}

const codeOf = (verdict: Verdict): string => (verdict.accepted ? "accepted" : verdict.code);

describe("mint and verify, known answers", () => {
  // The first four: Kamailio issue 2963, there in base64url. The fifth: the username of the TURN REST draft's example.
  const kamailio = "ScdQfmaFh8eytDwrMshLnwb8cek5QmHhScdQfmaFh8eytDwrMshLnwb8cek5QmHh";
  const answers: [HashName, string, number, string, string][] = [
    ["sha1", kamailio, 1639478154, "username@example.com", "ErvUEdFCJyE8vgPoa9D2PdbtT9I="],
    ["sha256", kamailio, 1639479006, "username@example.com", "c2H1sEMW1+E2IlElficEbIBPFirNGLXqnDIwj0tkP9Y="],
    [
      "sha384",
      kamailio,
      1639478516,
      "username@example.com",
      "GCPuWHrqVd8XUxJCOmZyscRJCON92n5H0xfDbxD4XFiq6oeGU5YShrKQ04eXX2Nc",
    ],
    [
      "sha512",
      kamailio,
      1639478053,
      "username@example.com",
      "CkkikhoQ6m6pbKriwGEeLW70nRCn4zHYvOrJtFuClxGH1n+isKmlVLyiMO4dEdQUf8fkWIlTHgRVlsN5Ct5xQw==",
    ],
    ["sha1", "kamailio_rules", 1234567890, "foo@bar.com", "SKRoqQ0atcnJqdEqMBKwYlKaBMM="],
  ];

  it.each(answers)("%s under %s until %i for %s", (algorithm, secret, expiry, user, password) => {
    const minted = mint({ secret, user, ttl: 300, algorithm, now: expiry - 300 });
    expect(minted).toEqual({ username: `${expiry}:${user}`, password, ttl: 300 });
    const domains = [user.slice(user.indexOf("@") + 1)];
    const customers = new Customers([customer({ domains, secrets: [{ id: "k1", secret, algorithm }] })]);
    expect(codeOf(verify(customers, minted, expiry))).toBe("accepted");
    expect(codeOf(verify(customers, minted, expiry + 1))).toBe("credential-expired");
  });
});

interface Vector {
  readonly secret: string;
  readonly username: string;
  readonly hash: HashName;
  readonly encoding: string;
  readonly expected: string;
  readonly expired_at: number;
}

describeCorpus("hmac-ephemeral", 20, (folder) => {
  const { vectors, bad_shapes } = JSON.parse(readFileSync(join(folder, "turn-rest-vectors.json"), "utf8")) as {
    vectors: Vector[];
    bad_shapes: { username: string; secret?: string; why: string }[];
  };
  const standard = ({ encoding, expected }: Vector): string =>
    encoding === "base64" ? expected : Buffer.from(expected, "base64url").toString("base64");

  it("has 12 answers and 8 bad shapes", () => expect([vectors.length, bad_shapes.length]).toEqual([12, 8]));

  it.each(vectors)("$username under $secret signs as $expected", (vector) => {
    expect(sign(vector.secret, vector.hash, vector.username)).toBe(standard(vector));
  });

  it.each(vectors)("$username under $secret is accepted until its second, if it has a user at all", (vector) => {
    const secrets = [{ id: "k1", secret: vector.secret, algorithm: vector.hash }];
    const customers = new Customers([customer({ domains: ["acme.example", "example.com"], secrets })]);
    const credential = { username: vector.username, password: standard(vector), realm: "acme.example" };
    const verdicts = [0, 1].map((late) => codeOf(verify(customers, credential, vector.expired_at + late)));
    const right = ["accepted", "credential-expired"];
    const withoutUser = ["credential-malformed", "credential-malformed"];
    expect(verdicts).toEqual(vector.username.includes(":") ? right : withoutUser);
  });

  it.each(bad_shapes)("bad shape $username is refused: $why", ({ username, secret = "secret" }) => {
    if (secret === "") {
      return expect(() => mint({ secret, user: username, ttl: 300, algorithm: "sha1", now })).toThrow(
        /secret is empty/,
      );
    }
    const written = username.replace("<now+20000min>", String(now + 20_000 * 60));
    const customers = new Customers([customer({ secrets: [{ id: "k1", secret, algorithm: "sha1" }] })]);
    const credential = { username: written, password: sign(secret, "sha1", written), realm: "acme.example" };
    const code = written === username ? "credential-malformed" : "credential-ttl";
    expect(codeOf(verify(customers, credential, now))).toBe(code);
  });
});

describe("parseUsername", () => {
  it.each([
    ["1700000300:alice", { expiry: 1_700_000_300, user: "alice", domain: undefined }],
    ["1:alice@ACME.Example", { expiry: 1, user: "alice", domain: "acme.example" }],
    ["4294967295:a", { expiry: 4_294_967_295, user: "a", domain: undefined }],
    ["1700000300:-_.!~*'()&=+$,09Az@192.0.2.1", { user: "-_.!~*'()&=+$,09Az", domain: "192.0.2.1" }],
    [
      `1700000300:${"u".repeat(64)}@${"d".repeat(63)}.example`,
      { user: "u".repeat(64), domain: `${"d".repeat(63)}.example` },
    ],
  ])("takes %s", (username, parts) => {
    expect(parseUsername(username)).toMatchObject({ kind: "username", ...parts });
  });

  it.each([
    ["", /no colon/],
    ["1700000300", /no colon/],
    ["alice:1700000300", /stamp comes first/],
    ["alice@acme.example:1700000300", /stamp comes first/],
    ["alice:bob", /not Unix seconds/],
    [":alice", /not Unix seconds/],
    ["-1:alice", /not Unix seconds/],
    ["+1700000300:alice", /not Unix seconds/],
    [" 1700000300:alice", /not Unix seconds/],
    ["0x65:alice", /not Unix seconds/],
    ["1e9:alice", /not Unix seconds/],
    ["1700000300.5:alice", /not Unix seconds/],
    ["١٧:alice", /not Unix seconds/],
    ["0:alice", /leading zero/],
    ["01700000300:alice", /leading zero/],
    ["1700000300000:alice", /counts milliseconds: use seconds/],
    ["4294967296:alice", /32 bits/],
    ["99999999999999999999:alice", /32 bits/],
    ["1700000300:", /the user/],
    ["1700000300:@acme.example", /the user/],
    ["1700000300:alice|trunk=sip:evil.example", /the user/],
    ["1700000300:alice;handle", /the user/],
    ["1700000300:alice bob", /the user/],
    ["1700000300:alice\n", /the user/],
    ["1700000300:alice\0", /the user/],
    ["1700000300:al/ice", /the user/],
    ["1700000300:alice:1", /the user/],
    ["1700000300:älice", /the user/],
    [`1700000300:${"u".repeat(65)}`, /the user/],
    ["1700000300:alice@", /host name/],
    ["1700000300:alice@acme.example;h", /host name/],
    ["1700000300:alice@acme.example|x=y", /host name/],
    ["1700000300:alice@acme.example\n", /host name/],
    ["1700000300:alice@acme@example", /host name/],
    ["1700000300:alice@acme..example", /host name/],
    ["1700000300:alice@.acme.example", /host name/],
    ["1700000300:alice@acme.example.", /host name/],
    ["1700000300:alice@-acme.example", /host name/],
    ["1700000300:alice@acme_x.example", /host name/],
    ["1700000300:alice@acme.example:5060", /host name/],
    ["1700000300:alice@[::1]", /host name/],
    [`1700000300:alice@${"d".repeat(64)}.example`, /host name/],
    [`1700000300:a@${"d.".repeat(127)}ee`, /host name/],
    [`1700000300:${"a".repeat(400)}`, /longer than 329/],
  ])("refuses %j", (username, sentence) => {
    const parsed = parseUsername(username);
    if (parsed.kind !== "malformed") return expect.fail("it was taken");
    expect(parsed.refusal.code).toBe("credential-malformed");
    expect(parsed.refusal.sentence).toMatch(sentence);
  });

  it("never throws, and what it takes can stand in a grant", () => {
    const near = fc.tuple(
      fc.constantFrom("1700000300", "0", "x"),
      fc.string({ unit: "binary" }),
      fc.string({ unit: "binary" }),
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: "binary" }),
          near.map(([t, u, d]) => `${t}:${u}@${d}`),
        ),
        (username) => {
          const parsed = parseUsername(username);
          if (parsed.kind === "malformed") expect(parsed.refusal.sentence).toMatch(/^[ !#-[\]-~]+$/);
          else expect(`${parsed.user}@${parsed.domain}`).toMatch(/^[!#-'(-:<-[\]-{}~]+$/);
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe("mint", () => {
  const wanted = { secret: k1.secret, user: "alice@acme.example", ttl: 300, algorithm: "sha1" as const, now };

  it.each([
    ["an empty secret", { secret: "" }],
    ["a user of no characters", { user: "" }],
    ["a user with a bar", { user: "alice|x@acme.example" }],
    ["a user with a handle", { user: "alice@acme.example;h" }],
    ["a domain that is none", { user: "alice@acme example" }],
    ["a ttl of 0", { ttl: 0 }],
    ["a negative ttl", { ttl: -1 }],
    ["half a second", { ttl: 0.5 }],
    ["no number as ttl", { ttl: Number.NaN }],
    ["an endless ttl", { ttl: Number.POSITIVE_INFINITY }],
    ["an expiry beyond 32 bits", { ttl: 2 ** 32 }],
    ["now in milliseconds", { now: now * 1000 }],
    ["half a second as now", { now: now + 0.5 }],
  ])("throws credential-malformed for %s", (_, changes) => {
    const attempt = (): unknown => mint({ ...wanted, ...changes });
    expect(attempt).toThrow(PosternError);
    expect(attempt).toThrow(expect.objectContaining({ code: "credential-malformed" }));
  });

  it("mints what verify accepts, for every user and hash", () => {
    const user = fc.stringMatching(/^[A-Za-z0-9\-_.!~*'()&=+$,]{1,64}$/);
    fc.assert(
      fc.property(user, fc.constantFrom<HashName>("sha1", "sha256", "sha384", "sha512"), (name, algorithm) => {
        const secret = { ...k1, algorithm };
        const verdict = judge({ secrets: [secret] }, now, { user: `${name}@acme.example`, secret });
        expect(verdict).toMatchObject({ accepted: true, user: `${name}@acme.example`, secondsLeft: 300 });
      }),
    );
  });
});

describe("verify", () => {
  it("names customer, secret, user and seconds left once proved", () => {
    expect(judge({})).toEqual({
      accepted: true,
      customer: "acme",
      secret: "k1",
      user: "alice@acme.example",
      secondsLeft: 300,
      sentence: "the credential is good for 300 s",
    });
    expect(judge({}, now + 301)).toMatchObject({
      code: "credential-expired",
      customer: "acme",
      secret: "k1",
      secondsLeft: -1,
    });
  });

  it("says of a right one that it was taken back, and how", () => {
    const revoked = [{ kind: "user", value: "alice", until: now + 60, calls: "end" }] as const;
    const who = { accepted: false, code: "credential-revoked", customer: "acme", secondsLeft: 300 };
    expect(judge({ revoked })).toMatchObject({ ...who, sentence: expect.stringContaining("has revoked") });
    expect(judge({ suspended: "finish" })).toMatchObject({ ...who, sentence: expect.stringContaining("is suspended") });
    expect(judge({ revoked: [{ ...revoked[0], until: now - 1 }] }).accepted).toBe(true);
  });

  it.each([
    ["the second of the stamp", {}, 300, "accepted"],
    ["a second later", {}, 301, "credential-expired"],
    ["the last second of the skew", { clockSkew: 30 }, 330, "accepted"],
    ["a second after the skew", { clockSkew: 30 }, 331, "credential-expired"],
    ["a life as long as allowed", { maxTtl: 300 }, 0, "accepted"],
    ["a second too long", { maxTtl: 299 }, 0, "credential-ttl"],
    ["too long, but a second later", { maxTtl: 299 }, 1, "accepted"],
    ["too long by the skew", { maxTtl: 290, clockSkew: 10 }, 0, "accepted"],
    ["too long by more than the skew", { maxTtl: 290, clockSkew: 9 }, 0, "credential-ttl"],
  ])("lifetime: %s", (_, changes, late, code) => {
    expect(codeOf(judge(changes, now + late))).toBe(code);
  });

  it.each([
    ["the second before notBefore", { notBefore: now + 1 }, "credential-rejected"],
    ["notBefore itself", { notBefore: now }, "accepted"],
    ["notAfter itself", { notAfter: now }, "accepted"],
    ["the second after notAfter", { notAfter: now - 1 }, "credential-rejected"],
  ])("a secret's window: %s", (_, window, code) => {
    expect(codeOf(judge({ secrets: [{ ...k1, ...window }] }))).toBe(code);
  });

  it("says which of several secrets proved it, whatever their hashes", () => {
    const k2: Secret = { id: "k2", secret: "second secret of acme", algorithm: "sha512" };
    expect(judge({ secrets: [k2, k1] })).toMatchObject({ accepted: true, secret: "k1" });
    expect(judge({ secrets: [k2, k1] }, now, { secret: k2 })).toMatchObject({ accepted: true, secret: "k2" });
    expect(codeOf(judge({ secrets: [k2] }))).toBe("credential-rejected");
    expect(codeOf(judge({ secrets: [{ ...k1, algorithm: "sha256" }] }))).toBe("credential-rejected");
  });

  it("takes no empty secret, with which anybody could sign", () => {
    const username = `${now + 300}:alice@acme.example`;
    const customers = new Customers([customer({ secrets: [{ ...k1, secret: "" }] })]);
    expect(codeOf(verify(customers, { username, password: sign("", "sha1", username) }, now))).toBe(
      "credential-rejected",
    );
  });

  it("says the same of an unknown customer, a wrong secret and a wrong password, and nothing of a customer", () => {
    const { username, password } = mint({
      secret: k1.secret,
      user: "alice@acme.example",
      ttl: 300,
      algorithm: "sha1",
      now,
    });
    const customers = new Customers([customer()]);
    const verdicts = [
      judge({ domains: ["other.example"] }),
      judge({ secrets: [{ ...k1, secret: "another secret" }] }),
      judge({ secrets: [] }),
      verify(customers, { username, password: `${password} ` }, now),
      verify(customers, { username, password: password.replace("=", "") }, now),
      verify(customers, { username, password: "" }, now),
      verify(customers, { username: username.replace("alice", "alicf"), password }, now),
      verify(customers, { username: username.replace("acme", "ACME"), password }, now),
      // Expired and too long-lived as well: neither shows before the proof.
      verify(customers, { username, password: "" }, now + 1000),
      judge({ domains: ["other.example"], maxTtl: 1 }),
    ];
    const sentence = "the credential is not right: check username, password, secret and algorithm";
    for (const verdict of verdicts) expect(verdict).toEqual({ accepted: false, code: "credential-rejected", sentence });
  });

  it("takes the realm where the username has no domain, and never over the username's", () => {
    const customers = new Customers([customer(), customer({ id: "other", domains: ["other.example"], secrets: [] })]);
    const bare = mint({ secret: k1.secret, user: "alice", ttl: 300, algorithm: "sha1", now });
    const full = mint({ secret: k1.secret, user: "alice@acme.example", ttl: 300, algorithm: "sha1", now });
    expect(verify(customers, { ...bare, realm: "ACME.example" }, now)).toMatchObject({
      accepted: true,
      user: "alice@acme.example",
    });
    expect(codeOf(verify(customers, { ...bare, realm: "other.example" }, now))).toBe("credential-rejected");
    expect(codeOf(verify(customers, { ...full, realm: "other.example" }, now))).toBe("accepted");
    expect(verify(customers, bare, now)).toMatchObject({
      code: "credential-malformed",
      sentence: expect.stringContaining("no domain"),
    });
  });
});
