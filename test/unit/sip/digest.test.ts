import { hash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type DigestParse, digestChallenge, digestResponse, ha1, parseAuthorization } from "../../../src/sip/digest.ts";
import { describeCorpus } from "../../helpers/corpora.ts";

const response = "626e99d21840c1211dcabc14f69e30b9";
const right: Readonly<Record<string, string>> = {
  username: '"1479829425:alice"',
  realm: '"acme.example"',
  nonce: '"n0"',
  uri: '"sip:acme.example"',
  response: `"${response}"`,
  qop: "auth",
  cnonce: '"c0"',
  nc: "00000001",
};

/** A credential with some parameters replaced, added or (undefined) left out. */
function credential(changes: Readonly<Record<string, string | undefined>> = {}): string {
  const all = Object.entries({ ...right, ...changes }).filter(([, value]) => value !== undefined);
  return `Digest ${all.map(([name, value]) => `${name}=${value}`).join(", ")}`;
}

const reason = (parse: DigestParse): string =>
  parse.kind === "malformed" ? parse.reason : `not malformed: ${parse.kind}`;

describe("parseAuthorization", () => {
  it("reads a digest answer, its values unquoted", () => {
    expect(parseAuthorization(credential())).toEqual({
      kind: "digest",
      credentials: {
        username: "1479829425:alice",
        realm: "acme.example",
        nonce: "n0",
        uri: "sip:acme.example",
        response,
        qop: "auth",
        cnonce: "c0",
        nc: "00000001",
      },
    });
  });

  it.each([
    ["DIGEST as scheme", credential().replace("Digest", "DIGEST")],
    ["names in capitals", credential().replace("username=", "USERNAME=").replace("nc=", "NC=")],
    ["white space around = and ,", credential().replaceAll("=", " =\t").replaceAll(", ", "\t , ")],
    ["no white space at all", credential().replaceAll(", ", ",")],
    ["white space at both ends", ` \t${credential()} \t`],
    ["a quoted qop", credential({ qop: '"auth"' })],
    ["a parameter nobody knows", credential({ x: "y", z: '"a, b=\\"c\\""' })],
    ["algorithm in lower case", credential({ algorithm: "md5" })],
    ["userhash=false", credential({ userhash: "false" })],
  ])("takes %s", (_, value) => {
    expect(parseAuthorization(value)).toMatchObject({ kind: "digest", credentials: { username: "1479829425:alice" } });
  });

  it("undoes escapes in quoted strings", () => {
    const parse = parseAuthorization(credential({ realm: String.raw`"a\"b\\c\d"`, opaque: '""' }));
    expect(parse).toMatchObject({ kind: "digest", credentials: { realm: String.raw`a"b\cd`, opaque: "" } });
  });

  it("keeps bytes above 127 as they are", () => {
    expect(parseAuthorization(credential({ cnonce: '"J\xc3\xa4"' }))).toMatchObject({
      credentials: { cnonce: "J\xc3\xa4" },
    });
  });

  it("names other schemes as they are written, a bare token too", () => {
    expect(parseAuthorization("Bearer abc.def")).toEqual({ kind: "other", scheme: "Bearer" });
    expect(parseAuthorization("eyJhbGci.eyJpc3Mi.c2ln")).toEqual({ kind: "other", scheme: "eyJhbGci.eyJpc3Mi.c2ln" });
    expect(parseAuthorization("Digestive a=b")).toEqual({ kind: "other", scheme: "Digestive" });
  });

  it.each([
    ["nothing", "", /scheme/],
    ["a quote before all", '"Digest" a=b', /scheme/],
    ["no parameters", "Digest", /list/],
    ["a comma at the end", `${credential()},`, /list/],
    ["an empty element", credential().replace(", ", ", , "), /list/],
    ["a missing comma", credential().replace(", ", " "), /list/],
    ["an open quoted string", `${credential()}, x="y`, /list/],
    ["a text after a quoted string", credential({ realm: '"acme.example"x' }), /list/],
    ["a backslash at the end", `${credential()}, x="y\\`, /list/],
    ["a name without value", `${credential()}, x`, /list/],
    ["two credentials in one value", `${credential()}, ${credential()}`, /list/],
    ["a duplicate", `${credential()}, nc=00000002`, /twice/],
    ["a duplicate in other case", `${credential()}, USERNAME="bob"`, /twice/],
    ["no username", credential({ username: undefined }), /no username/],
    ["an empty username", credential({ username: '""' }), /no username/],
    ["no realm", credential({ realm: undefined }), /no realm/],
    ["no nonce", credential({ nonce: undefined }), /no nonce/],
    ["no uri", credential({ uri: undefined }), /no uri/],
    ["no response", credential({ response: undefined }), /no response/],
    ["an unquoted username", credential({ username: "alice" }), /not quoted/],
    ["an unquoted opaque", credential({ opaque: "x" }), /not quoted/],
    ["an unquoted response", credential({ response }), /not quoted/],
    ["no qop", credential({ qop: undefined, nc: undefined, cnonce: undefined }), /no qop/],
    ["qop=auth-int", credential({ qop: "auth-int" }), /another qop/],
    ["qop=AUTH", credential({ qop: "AUTH" }), /another qop/],
    ["SHA-256", credential({ algorithm: "SHA-256" }), /algorithm/],
    ["MD5-sess", credential({ algorithm: "MD5-sess" }), /algorithm/],
    ["username*", credential({ "username*": "UTF-8''alice" }), /plain text/],
    ["a hashed username", credential({ userhash: "true" }), /plain text/],
    ["an escape in the username", credential({ username: String.raw`"1479829425:al\ice"` }), /two readers/],
    ["an escaped quote in the username", credential({ username: String.raw`"a\"b"` }), /two readers/],
    ["a tab in the username", credential({ username: '"a\tb"' }), /two readers/],
    ["a long credential", `${credential()}, x="${"a".repeat(5_000)}"`, /longer than 5000/],
    ["a long username", credential({ username: `"${"a".repeat(3331)}"` }), /longer than 3330/],
    ["a long realm", credential({ realm: `"${"a".repeat(256)}"` }), /longer than 255/],
    ["a long cnonce", credential({ cnonce: `"${"a".repeat(256)}"` }), /longer than 255/],
    ["a long nonce", credential({ nonce: `"${"a".repeat(256)}"` }), /longer than 255/],
    ["a response in capitals", credential({ response: `"${response.toUpperCase()}"` }), /32 lower-case/],
    ["a short response", credential({ response: `"${response.slice(1)}"` }), /32 lower-case/],
    ["no nc", credential({ nc: undefined }), /nc is not 8/],
    ["a quoted nc", credential({ nc: '"00000001"' }), /nc is not 8/],
    ["nc in capitals", credential({ nc: "0000000A" }), /nc is not 8/],
    ["nc of 9 digits", credential({ nc: "000000001" }), /nc is not 8/],
    ["nc of 0", credential({ nc: "00000000" }), /counts from 1/],
    ["no cnonce", credential({ cnonce: undefined }), /no cnonce/],
    ["an empty cnonce", credential({ cnonce: '""' }), /no cnonce/],
    ["a NUL", credential({ realm: '"acme\0"' }), /control/],
    ["a line break", credential({ realm: '"acme\r\n X: y"' }), /control/],
    ["a DEL", credential({ realm: '"acme\x7f"' }), /control/],
    ["what is no byte", credential({ realm: '"acme\u0161"' }), /control/],
    ["more than 5000 characters", credential({ opaque: `"${"a".repeat(5000)}"` }), /5000/],
    ["more than 24 parameters", `${credential()}${", x=y".repeat(17)}`, /24/],
  ])("refuses %s", (_, value, why) => {
    expect(reason(parseAuthorization(value))).toMatch(why);
  });

  it("takes 24 parameters, a username of 3,330 and a realm of 255 characters", () => {
    const many = Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`x${i}`, "y"]));
    const longest = { username: `"${"a".repeat(3330)}"`, realm: `"${"a".repeat(255)}"` };
    expect(parseAuthorization(credential({ ...many, ...longest })).kind).toBe("digest");
  });

  it("tells the realm of a malformed answer where the grammar leaves no doubt about it", () => {
    const realmOf = (value: string): string | undefined => {
      const parse = parseAuthorization(value);
      return parse.kind === "malformed" ? parse.realm : "not malformed";
    };
    expect(realmOf(credential({ qop: undefined }))).toBe("acme.example");
    expect(realmOf(credential({ algorithm: "SHA-256" }))).toBe("acme.example");
    expect(realmOf(`Digest nc=1, NC=2, realm="acme.example"`)).toBe("acme.example");
    expect(realmOf(`${credential({ realm: '"other.example"' })}, Realm="acme.example"`)).toBeUndefined();
    expect(realmOf(`${credential({ realm: '"other.example"' })}, "`)).toBeUndefined();
  });

  it("never throws, and answers only what the strict grammar allows, whatever it is given", () => {
    const piece = fc.oneof(
      fc.constantFrom("Digest ", ", ", "=", '"', "\\", "\t", "nc=00000001", 'realm="a"', 'username="a:b"', "qop=auth"),
      fc.string({ unit: "binary", maxLength: 8 }),
    );
    const made = fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join(""));
    const bent = fc
      .tuple(fc.nat(credential().length), fc.nat(6), fc.string({ maxLength: 4 }))
      .map(([at, cut, insert]) => {
        const whole = credential();
        return whole.slice(0, at) + insert + whole.slice(at + cut);
      });
    fc.assert(
      fc.property(fc.oneof(made, bent, bent), (value) => {
        const parse = parseAuthorization(value);
        if (parse.kind === "malformed") expect(parse.reason).toMatch(/^[ !#-[\]-~]+$/);
        if (parse.kind !== "digest") return;
        expect(parse.credentials.response).toMatch(/^[0-9a-f]{32}$/);
        expect(parse.credentials.nc).toMatch(/^[0-9a-f]{8}$/);
        expect(parse.credentials.username).not.toMatch(/[\x00-\x1f"\\\x7f]/);
      }),
      { numRuns: 5000 },
    );
  });

  it("reads hostile text of full length in linear time", () => {
    const hostile = [`Digest a="${"\\a".repeat(2000)}`, `Digest ${" \t".repeat(2000)}`, `Digest a${" ".repeat(4000)}x`];
    const started = process.cpuUsage().user;
    for (const value of hostile) for (let i = 0; i < 100; i++) expect(parseAuthorization(value).kind).toBe("malformed");
    expect(process.cpuUsage().user - started).toBeLessThan(1_000_000);
  });
});

describe("digestChallenge", () => {
  it("is one MD5 line with qop=auth", () => {
    const line = 'Digest realm="acme.example", nonce="abc", algorithm=MD5, qop="auth"';
    expect(digestChallenge({ realm: "acme.example", nonce: "abc", stale: false })).toBe(line);
    expect(digestChallenge({ realm: "acme.example", nonce: "abc", stale: true })).toBe(`${line}, stale=true`);
  });

  it("lets nothing in the realm end the quoted string or the line", () => {
    const line = digestChallenge({ realm: 'a", x="\\\r\nX: y', nonce: "abc", stale: false });
    expect(line).toBe(String.raw`Digest realm="a\", x=\"\\??X: y", nonce="abc", algorithm=MD5, qop="auth"`);
  });

  it("is answered by JsSIP so that the answer reads and computes right", () => {
    const load = createRequire(import.meta.url);
    const grammar = load("jssip/lib/Grammar.js") as { parse(text: string, rule: "challenge"): object };
    const Client = load("jssip/lib/DigestAuthentication.js") as new (given: {
      username: string;
      password: string;
    }) => { authenticate(request: { method: string; ruri: string }, challenge: object): boolean };
    const client = new Client({ username: "1479829425:alice", password: "pass+word/=" });
    const challenge = digestChallenge({ realm: "acme.example", nonce: "n-_0", stale: true });
    expect(
      client.authenticate({ method: "INVITE", ruri: "sip:bob@acme.example" }, grammar.parse(challenge, "challenge")),
    ).toBe(true);
    const parse = parseAuthorization(`${client}`);
    if (parse.kind !== "digest") return expect.fail(reason(parse));
    const hashed = ha1("1479829425:alice", "acme.example", "pass+word/=");
    expect(digestResponse({ ...parse.credentials, ha1: hashed, method: "INVITE" })).toBe(parse.credentials.response);
  });
});

describe("ha1 and digestResponse", () => {
  it("give the answer printed in RFC 2617 §3.5", () => {
    const hashed = ha1("Mufasa", "testrealm@host.com", "Circle Of Life");
    expect(hashed).toBe("939e7578ed9e3c518a452acee763bce9");
    const nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093";
    const answer = { nonce, nc: "00000001", cnonce: "0a4f113b", qop: "auth", method: "GET", uri: "/dir/index.html" };
    expect(digestResponse({ ha1: hashed, ...answer })).toBe("6629fae49393a05397450978507c4ef1");
  });

  it("hash the bytes of the wire, one latin1 character each", () => {
    const utf8 = (text: string): string => Buffer.from(text).toString("latin1");
    expect(ha1(utf8("Jäsøn"), "r", "p")).toBe(hash("md5", "Jäsøn:r:p", "hex"));
  });
});

interface Vector {
  readonly id: string;
  readonly username: string;
  readonly password: string;
  readonly realm: string;
  readonly nonce: string;
  readonly method: string;
  readonly uri: string;
  readonly cnonce?: string;
  readonly nc?: string;
  readonly qop?: string;
  readonly algorithm?: string;
  readonly body?: string;
  readonly body_hash?: string;
  readonly expected: string;
  readonly verified_with_python: boolean;
}

/** RFC 7616 §3.4.1 in full, which the product needs only for MD5 with qop=auth. */
function reference(vector: Vector): string {
  const algorithm = vector.algorithm ?? "MD5";
  const names: Readonly<Record<string, string>> = { MD5: "md5", "SHA-256": "sha256", "SHA-512-256": "sha512-256" };
  const h = (text: string): string => hash(names[algorithm.replace("-sess", "")] ?? "unknown", text, "hex");
  const { nonce, nc, cnonce, qop } = vector;
  const base = h(`${vector.username}:${vector.realm}:${vector.password}`);
  const a1 = algorithm.endsWith("-sess") ? h(`${base}:${nonce}:${cnonce}`) : base;
  const body = qop === "auth-int" ? `:${vector.body_hash ?? h(vector.body ?? "")}` : "";
  const a2 = h(`${vector.method}:${vector.uri}${body}`);
  return qop === undefined ? h(`${a1}:${nonce}:${a2}`) : h(`${a1}:${nonce}:${nc}:${cnonce}:${qop}:${a2}`);
}

function written(vector: Vector): string {
  const latin1 = Buffer.from(vector.username).toString("latin1");
  return credential({
    username: `"${latin1}"`,
    realm: `"${vector.realm}"`,
    nonce: `"${vector.nonce}"`,
    uri: `"${vector.uri}"`,
    response: `"${vector.expected}"`,
    qop: vector.qop,
    cnonce: vector.cnonce === undefined ? undefined : `"${vector.cnonce}"`,
    nc: vector.nc,
    algorithm: vector.algorithm,
  });
}

describeCorpus("digest", 20, (folder) => {
  const vectors = JSON.parse(readFileSync(join(folder, "digest-vectors.json"), "utf8")) as Vector[];
  const ours = vectors.filter(({ qop, algorithm }) => qop === "auth" && (algorithm ?? "MD5") === "MD5");

  it("has 19 vectors that are right and one that is wrong as printed", () => {
    expect(vectors.filter((vector) => vector.verified_with_python)).toHaveLength(19);
    expect(vectors).toHaveLength(20);
    expect(ours).toHaveLength(6);
  });

  it.each(vectors)("$id is right exactly where it is marked so", (vector) => {
    expect(reference(vector) === vector.expected).toBe(vector.verified_with_python);
  });

  it.each(ours)("$id is read and computed by the product", (vector) => {
    const parse = parseAuthorization(written(vector));
    if (parse.kind !== "digest") return expect.fail(reason(parse));
    const hashed = ha1(vector.username, vector.realm, vector.password);
    expect(digestResponse({ ...parse.credentials, ha1: hashed, method: vector.method })).toBe(vector.expected);
  });

  it.each(vectors.filter((vector) => !ours.includes(vector)))("$id is not what was offered: refused", (vector) => {
    expect(reason(parseAuthorization(written(vector)))).toMatch(/qop|algorithm/);
  });
});

interface Capture {
  readonly file: string;
  readonly profile: string;
  readonly kind: string;
  readonly authorization: string | null;
  readonly proxyAuthorization: string | null;
}

describeCorpus("client-captures", 46, (folder) => {
  const index = JSON.parse(readFileSync(join(folder, "index.json"), "utf8")) as Capture[];
  const answers = index.flatMap((capture) => {
    const value = capture.authorization ?? capture.proxyAuthorization;
    return value === null ? [] : [{ ...capture, value }];
  });

  it("has 46 answers, of both clients in every profile that has a challenge they know", () => {
    expect(answers).toHaveLength(46);
    const profiles = new Set(answers.map(({ file, profile }) => `${file.slice(0, 5)} ${profile}`));
    expect([...profiles].toSorted()).toEqual(
      ["cancel", "eph-in-uri", "eph-md5-auth", "jwt", "md5-authint", "stale"]
        .flatMap((profile) => [`jssip ${profile}`, `sipjs ${profile}`])
        .concat("jssip md5-noqop")
        .toSorted(),
    );
  });

  it.each(answers)("$file is read as what it is", ({ profile, value }) => {
    const parse = parseAuthorization(value);
    if (profile === "jwt") return expect(parse).toEqual({ kind: "other", scheme: "Bearer" });
    if (profile === "md5-authint") return expect(parse).toMatchObject({ kind: "malformed", realm: "example.com" });
    if (profile === "md5-noqop") return expect(reason(parse)).toMatch(/no qop/);
    const username = profile.startsWith("eph") ? "1479829425:abcdefghijklmnop" : "alice";
    expect(parse).toMatchObject({ kind: "digest", credentials: { username, realm: "example.com", qop: "auth" } });
  });

  it("every eph-md5-auth answer proves the password of secret ThisIsAlsoSuperSecret (hmac-ephemeral corpus)", () => {
    const hashed = ha1("1479829425:abcdefghijklmnop", "example.com", "Ol9DEqnvyN4g+IAM+vFnqhfWUTE=");
    const ephemeral = answers.filter(({ profile }) => profile === "eph-md5-auth");
    expect(ephemeral).toHaveLength(6);
    for (const { kind, value } of ephemeral) {
      const parse = parseAuthorization(value);
      if (parse.kind !== "digest") return expect.fail(reason(parse));
      expect(digestResponse({ ...parse.credentials, ha1: hashed, method: kind })).toBe(parse.credentials.response);
    }
  });
});
