import { describe, expect, it } from "vitest";
import { Ladder, mostRows, type Told } from "../../../../scripts/demo/ladder.ts";
import { rowOf, verdictOf } from "../../../../scripts/demo/row.ts";
import { ladderText } from "../../../../scripts/demo/text.ts";
import { invite, now, row, traced } from "./rows.ts";

const made = (message = "x") => ({ at: now, from: "browser", to: "postern", message }) as const;

describe("a page's ladder", () => {
  it("gives a reader what was, then what comes, and each verdict", () => {
    const ladder = new Ladder();
    ladder.add(made("first"));
    const told: Told[] = [];
    const leave = ladder.read((one) => void told.push(one));
    const second = ladder.add(made("second"));
    ladder.judge(second, { code: "accepted", sentence: "" });
    ladder.clear();
    leave?.();
    ladder.add(made("third"));
    expect(told.map((one) => ("row" in one ? one.row.message : one))).toEqual([
      "first",
      "second",
      { id: 2, verdict: { code: "accepted", sentence: "" } },
      { cleared: true },
    ]);
    expect(ladder.rows.map(({ id, message }) => [id, message])).toEqual([[3, "third"]]);
  });

  it("forgets the oldest where there are too many, or too long ones", () => {
    const ladder = new Ladder();
    for (let at = 0; at < mostRows + 5; at++) ladder.add(made());
    expect(ladder.rows).toHaveLength(mostRows);
    expect(ladder.rows[0]?.id).toBe(6);
    for (let at = 0; at < 60; at++) ladder.add(made("x".repeat(30_000)));
    expect(ladder.rows.reduce((sum, { message }) => sum + message.length, 0)).toBeLessThanOrEqual(1_000_000);
    expect(ladder.rows.length).toBeGreaterThan(30);
    ladder.clear();
    for (let at = 0; at < 30; at++) ladder.add(made("x".repeat(30_000)));
    expect(ladder.rows).toHaveLength(30);
  });

  it("has two readers at most", () => {
    const ladder = new Ladder();
    const [one] = [ladder.read(() => {}), ladder.read(() => {})];
    expect(ladder.read(() => {})).toBeUndefined();
    one?.();
    expect(ladder.read(() => {})).toBeDefined();
  });
});

describe("a row", () => {
  it.each([
    ["from-client", "browser", "postern"],
    ["to-client", "postern", "browser"],
    ["to-upstream", "postern", "kamailio"],
    ["from-upstream", "kamailio", "postern"],
  ] as const)("of what went %s stands between %s and %s, masked", (way, from, to) => {
    const shown = rowOf(traced(way), Buffer.from(invite()), now);
    expect(shown).toMatchObject({ from, to, at: now });
    expect(shown.message).toContain("Authorization: ***\r\n");
    expect(shown.message).not.toMatch(/00112233|1800000300/);
  });

  it("tells the grant's known fields, and nothing that proves it", () => {
    const expiry = Math.floor(now / 1000) + 60;
    const fields = "trunk=sip:127.0.0.9:5060;transport=udp|trunk2=|caller=+3225887000|max=14400|customer=acme";
    const bytes = Buffer.from(
      `INVITE sip:x SIP/2.0\r\nX-Postern-Grant: ${expiry}:alice@acme.example|${fields}|password=hush\r\nX-Postern-Token: c2VjcmV0\r\n\r\n`,
    );
    const shown = rowOf(traced("to-upstream"), bytes, now);
    expect(shown.grant).toEqual({
      user: "alice@acme.example",
      secondsLeft: 60,
      fields: {
        trunk: "sip:127.0.0.9:5060;transport=udp",
        trunk2: "",
        caller: "+3225887000",
        max: "14400",
        customer: "acme",
      },
    });
    expect(JSON.stringify(shown)).not.toMatch(/hush|c2VjcmV0/);
    // A client's own word is no grant.
    expect(rowOf(traced("from-client"), bytes, now).grant).toBeUndefined();
  });

  it("tells of a proof by names and seconds", () => {
    const who = { customer: "acme", provedBy: "k1", expiry: Math.floor(now / 1000) + 287 };
    expect(verdictOf({ code: "accepted", sentence: "", who }, now)).toEqual({
      code: "accepted",
      sentence: "",
      customer: "acme",
      secret: "k1",
      secondsLeft: 287,
    });
    expect(verdictOf({ code: "challenged", sentence: "" }, now)).toEqual({ code: "challenged", sentence: "" });
  });
});

describe("a ladder as text", () => {
  it("is drawn, and has each message whole with what was decided", () => {
    const verdict = { code: "accepted", sentence: "", customer: "acme", secret: "k1", secondsLeft: 287 };
    const grant = { user: "alice@acme.example", secondsLeft: 60, fields: { trunk: "sip:127.0.0.9:5060" } };
    const text = ladderText([
      row({ verdict }),
      row({ at: now + 12, from: "postern", to: "kamailio", grant, message: `${invite()}\x1b[2J\u202ebell` }),
    ]);
    const [names = "", first = "", second = ""] = text.split("\n");
    expect(names).toMatch(/browser +postern +kamailio +trunk/);
    expect(first).toMatch(/^ {3}0\.000 +\|-+ INVITE sip:\+3225887123@acme\.example \[accepted\] -*>\|/);
    expect(second).toMatch(/^ {3}0\.012 /);
    expect(text).toContain("verdict: accepted, customer acme, secret k1, 287 s left\n");
    expect(text).toContain("grant: alice@acme.example, 60 s left, trunk=sip:127.0.0.9:5060\n");
    expect(text).toContain("--- 0.012 s, postern to kamailio\n");
    expect(text).not.toMatch(/[\x00-\x09\x0b-\x1f\u202e]/);
  });

  it("is there where nothing has passed", () => {
    expect(ladderText([])).toMatch(/browser +postern +kamailio +trunk/);
  });
});
