import { createDecipheriv, createHash, createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import { Chain } from "../../../src/gateway/chain.ts";
import { customer, identity, limits } from "../../helpers/customers.ts";

const secret = "chain-secret-0123456789";
let now = 1_700_000_000_000;
const chain = (ttl = 60): Chain => new Chain({ secret, algorithm: "sha256", ttl }, { now: () => now });
const alice = identity(customer({ limits: limits({ callSeconds: 7200 }) }));
const trunk = { trunk: "sip:pbx.acme.example:5060;transport=tcp", trunk2: "", caller: "+3225887000" };
const hmac = (grant: string): string => createHmac("sha256", secret).update(grant).digest("base64");
const grantOf = (lines: string): string =>
  /^X-Postern-Grant: ([^\r\n]*)\r\nX-Postern-Token: [^\r\n]*\r\n$/.exec(lines)![1]!;

describe("Chain", () => {
  it("grants with every field there, empty where it does not apply", () => {
    const grant = "1700000060:alice@acme.example|trunk=|trunk2=|caller=|max=7200|customer=acme";
    expect(chain().lines(alice)).toBe(`X-Postern-Grant: ${grant}\r\nX-Postern-Token: ${hmac(grant)}\r\n`);
    expect(chain().headers(alice)).toEqual({ "X-Postern-Grant": grant, "X-Postern-Token": hmac(grant) });
  });

  it("names trunk and caller where a number was judged", () => {
    const fields = `trunk=${trunk.trunk}|trunk2=|caller=+3225887000|max=7200|customer=acme`;
    expect(grantOf(chain().lines(alice, trunk))).toBe(`1700000060:alice@acme.example|${fields}`);
  });

  it("names a second trunk where there is one", () => {
    const granted = grantOf(chain().lines(alice, { ...trunk, trunk2: "sip:192.0.2.2" }));
    expect(granted).toContain(`|trunk=${trunk.trunk}|trunk2=sip:192.0.2.2|caller=`);
  });

  it("says beside the grant what is dialled, who is not told, and a credential that opens beside this grant alone", () => {
    const auth = { username: "acme-trunk", password: "its-password", realm: "pbx.acme.example" };
    const lines = chain().lines(alice, { ...trunk, dial: "025887000", trusted: false, auth });
    const found =
      /X-Postern-Token: (.+)\r\nX-Postern-Dial: 025887000\r\nX-Postern-Untrusted: 1\r\nX-Postern-Trunk-Auth: (.+)\r\n$/.exec(
        lines,
      );
    const [, token = "", sealed = ""] = found ?? [];
    const bytes = Buffer.from(sealed, "base64");
    const opened = (by: string): string => {
      const key = createHash("sha256").update(`${secret}\ntrunk ${by}`).digest();
      const cipher = createDecipheriv("aes-256-cbc", key, bytes.subarray(0, 16));
      return Buffer.concat([cipher.update(bytes.subarray(16)), cipher.final()]).toString();
    };
    expect(opened(token)).toBe("postern\nacme-trunk\npbx.acme.example\nits-password");
    expect(() => expect(opened("of another")).toContain("postern")).toThrow();
    expect(sealed).not.toBe(/Trunk-Auth: (.+)\r/.exec(chain().lines(alice, { ...trunk, auth }))?.[1]);
    expect(chain().lines(alice)).not.toMatch(/Dial|Untrusted|Trunk-Auth/);
  });

  it("says no trunk again after a request that had one", () => {
    const one = chain();
    const plain = one.lines(alice);
    one.lines(alice, trunk);
    expect(one.lines(alice)).toBe(plain);
  });

  it("uses a grant without trunk for a quarter of its life, and one with a trunk never again", () => {
    const one = chain();
    const first = one.lines(alice);
    const withTrunk = one.lines(alice, trunk);
    now += 14_000;
    expect(one.lines(alice)).toBe(first);
    expect(one.lines(alice, trunk)).not.toBe(withTrunk);
    now += 1_000;
    expect(grantOf(one.lines(alice))).toMatch(/^1700000075:/);
    now -= 15_000;
  });

  it("keeps the grants of identities apart", () => {
    const one = chain();
    one.lines(alice);
    expect(grantOf(one.lines({ ...alice, user: "bob" }))).toMatch(/:bob@acme\.example\|/);
  });

  it("signs with the algorithm that is set", () => {
    const other = new Chain({ secret, algorithm: "sha1", ttl: 60 }, { now: () => now });
    const { "X-Postern-Grant": grant, "X-Postern-Token": token } = other.headers(alice);
    expect(token).toBe(createHmac("sha1", secret).update(grant!).digest("base64"));
  });

  it.each(["|", " ", "\t", "\r\n", "\0", "\x7f", "\xa0"])("grants nothing that holds %j", (separator) => {
    const evil = `a${separator}trunk=sip:evil.example`;
    expect(() => chain().lines(alice, { ...trunk, trunk: evil })).toThrow(/trunk of a grant/);
    expect(() => chain().lines(alice, { ...trunk, trunk2: evil })).toThrow(/trunk2 of a grant/);
    expect(() => chain().lines(alice, { ...trunk, caller: evil })).toThrow(/caller of a grant/);
    expect(() => chain().lines(identity(customer({ id: evil })))).toThrow(/customer of a grant/);
    expect(() => chain().lines({ ...alice, user: evil })).toThrow(/of a grant/);
    expect(() => chain().headers({ ...alice, domain: evil })).toThrow(/of a grant/);
  });
});

describe("the longest call that a grant allows", () => {
  const max = (callSeconds: number, maxSeconds?: number): string => {
    const of = customer({ limits: limits({ callSeconds }) });
    const who = identity(of, { narrowing: maxSeconds === undefined ? {} : { maxSeconds } });
    return /\|max=([^|]*)\|customer=acme$/.exec(grantOf(chain().lines(who, trunk)))![1]!;
  };

  it("is the customer's, and the credential's where that is shorter or the customer has none", () => {
    expect([max(7200), max(7200, 60), max(60, 7200), max(7200, 7200), max(0, 60), max(0)]).toEqual([
      "7200",
      "60",
      "60",
      "7200",
      "60",
      "0",
    ]);
    const { narrowing, ...rest } = identity(customer(), { narrowing: { maxSeconds: 60 } });
    expect(grantOf(chain().lines({ ...rest, narrowing }))).toContain("|max=60|");
  });

  it("is kept apart for two credentials of one user", () => {
    const one = chain();
    const short = { ...alice, narrowing: { maxSeconds: 60 } };
    expect([alice, short, alice].map((who) => /max=(\d+)/.exec(one.lines(who))![1])).toEqual(["7200", "60", "7200"]);
  });
});
