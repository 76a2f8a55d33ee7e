import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { answered, cancelOf, establish, responseTo, ring } from "../helpers/dialog.ts";
import type { Seen } from "../helpers/kamailio.ts";
import { answer, code, status, unique } from "../helpers/raw-client.ts";
import { header, recordRoutes, reply, request, tagOf, uriOf } from "../helpers/raw-sip.ts";
import { Scene, type User } from "../helpers/scene.ts";
import { startTrunk } from "../helpers/trunk.ts";

let scene: Scene;

beforeAll(async () => {
  scene = await Scene.open({ trunk: "busy", acme: `    passHeaders: ["X-Voxbone-Context"]` });
});
afterAll(() => scene.close());

const grant = "9999999999:mallory@acme.example|trunk=sip:192.0.2.66|trunk2=|caller=+1900|max=9|customer=globex";

/** Header fields that only we, or nobody, may say, as a forger would write them. */
const forged = [
  `X-Postern-Grant: ${grant}`,
  `x-postern-grant: ${grant}`,
  `X-POSTERN-GRANT: ${grant}`,
  `X-Postern-Grant : ${grant}`,
  `X-Postern-Grant\t \t:${grant}`,
  `X-Postern-Grant:\r\n ${grant}`,
  `X-Postern-Grant: 9999999999:mal\r\n\tlory@acme.example|trunk=`,
  `X-Postern-Grant : \r\n \t${grant}\r\n  |more=`,
  "X-Postern-Token: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
  "x-PoStErN-tOkEn:AAAA",
  "X-Postern-Grant:",
  "X-Postern-Refused: grant",
  "X-Postern-: 1",
  "X-Postern-Anything-Else: 1",
  "P-Asserted-Identity: <sip:mallory@acme.example>",
  "P-ASSERTED-IDENTITY : <tel:+1900>",
  "p-asserted-identity:\r\n <sip:mallory@acme.example>, <tel:+1900>",
  "P-Preferred-Identity: <sip:mallory@acme.example>",
  "Remote-Party-ID: <sip:mallory@acme.example>;party=calling",
  "remote-party-id :<sip:mallory@acme.example>",
  "Diversion: <sip:mallory@acme.example>;reason=unconditional",
  "History-Info: <sip:mallory@acme.example>;index=1",
  "Identity: eyJhbGciOiJFUzI1NiJ9.e30.c2ln;info=<https://mallory.example/c>",
  "y: eyJhbGciOiJFUzI1NiJ9.e30.c2ln;info=<https://mallory.example/c>",
  "Y : eyJhbGciOiJFUzI1NiJ9.e30.c2ln",
  "P-Charging-Vector: icid-value=1",
  "P-Charging-Function-Addresses: ccf=192.0.2.66",
  "p-charging-anything: 1",
  "Alert-Info: <http://mallory.example/ring.wav>",
  "alert-info: <http://mallory.example/ring.wav>",
  "Answer-Mode: Auto;require",
  "ANSWER-MODE: Auto",
];

/** What only resembles them, and oddities that are nobody's business: all of it passes. */
const innocent = [
  "X-Poster: 1",
  "X-PosternGrant: 1",
  "X-My-X-Postern-Grant: 1",
  "Xx-Postern-Grant: 1",
  "Subject:   folded\r\n \t over lines  ",
  "X-Odd \t :\t  value\t ",
  "x-EMPTY:",
  "Organization: J\u00f6rg",
  's2: a, b ;c="d\\"e"',
];

const insert = {
  "at the top": (text: string, lines: string) => text.replace("\r\n", () => `\r\n${lines}`),
  "at the end": (text: string, lines: string) => text.replace("\r\n\r\n", () => `\r\n${lines}\r\n`),
  "at both ends": (text: string, lines: string) =>
    text.replace("\r\n\r\n", () => `\r\n${lines}\r\n`).replace("\r\n", () => `\r\n${lines}`),
};
const places = Object.keys(insert) as (keyof typeof insert)[];

const asLines = (fields: readonly string[]): string => fields.map((field) => `${field}\r\n`).join("");
const ours = /^(?:Proxy-)?Authorization:.*\r\n/m;

/** Kamailio got `sent` byte for byte, our two fields after the start line, one P-Asserted-Identity where one is due. */
function expectOurs(seen: Seen, sent: string, user: User, asserted: boolean): void {
  const [start = "", grantLine = "", tokenLine = ""] = seen.raw.split("\r\n", 3);
  expect(grantLine).toMatch(
    /^X-Postern-Grant: \d{10}:[^|]*\|trunk=[^|]*\|trunk2=\|caller=[^|]*\|max=14400\|customer=acme$/,
  );
  expect(grantLine).toContain(`:${user.address}|`);
  expect(tokenLine).toMatch(/^X-Postern-Token: [A-Za-z0-9+/]{43}=$/);
  expect(seen.raw.match(/x-postern-/gi)).toHaveLength(2 + (sent.match(/x-postern-/gi)?.length ?? 0));
  const line = `P-Asserted-Identity: <sip:${user.address}>\r\n`;
  expect(seen.headers("P-Asserted-Identity")).toHaveLength(asserted ? 1 : 0);
  const rest = seen.raw.slice(start.length + grantLine.length + tokenLine.length + 6);
  const plain = asserted ? rest.replace(line, "") : rest;
  expect(`${start}\r\n${plain}`).toBe(sent.replace(ours, ""));
}

describe.each(places)("a forged header field %s of a MESSAGE", (place) => {
  it.each(forged)("is removed, whatever its spelling: %j", async (field) => {
    const alice = await scene.stranger("alice");
    const callId = `forged-${unique()}`;
    let sent = "";
    await alice.prove("MESSAGE", "sip:nobody@acme.example", { callId, body: "hello" }, {}, (text) => {
      sent = text;
      return insert[place](text, asLines([field, field]));
    });
    expectOurs(await scene.came(callId, "MESSAGE"), sent, alice, true);
  });
});

describe("all of them at once, and the innocent between them,", () => {
  const mixed = asLines(forged.flatMap((field, at) => [field, ...(innocent[at] ? [innocent[at]] : [])]));
  const kept = asLines(innocent);

  it.each(["REGISTER", "INVITE", "MESSAGE", "OPTIONS"])("in %s", async (method) => {
    const alice = await scene.stranger("alice");
    const callId = `forged-${unique()}`;
    const uri = method === "REGISTER" || method === "OPTIONS" ? "sip:acme.example" : "sip:nobody@acme.example";
    let sent = "";
    await alice.prove(method, uri, { callId, to: alice.address, extra: ["Expires: 60"] }, {}, (text) => {
      sent = insert["at the end"](text, kept);
      return insert["at the end"](text, mixed);
    });
    expectOurs(await scene.came(callId, method), sent, alice, method !== "REGISTER");
  });

  it.each(["INFO", "UPDATE", "INVITE", "MESSAGE", "BYE"])("in %s inside a dialog, from either side", async (method) => {
    const [alice, bob] = [await scene.user("alice"), await scene.user("bob")];
    const call = await establish(alice, bob);
    const sides = method === "BYE" ? [alice] : [alice, bob];
    for (const side of sides) {
      const text = side === alice ? call.fromCaller(method) : call.fromCallee(method);
      side.client.send(insert["at the end"](text, mixed));
      await answered(side === alice ? bob : alice, call.callId, method);
      expect(status(await responseTo(side, text))).toBe(200);
      const seen = await scene.kamailio.waitFor(
        (one) => one.header("CSeq") === header(text, "CSeq") && one.way === "in",
      );
      expectOurs(seen, insert["at the end"](text, kept), side, true);
    }
  });

  it("in ACK and CANCEL", async () => {
    const [alice, bob] = [await scene.user("alice"), await scene.user("bob")];
    const call = await establish(alice, bob);
    const ack = call.fromCaller("ACK", { cseq: 2, branch: `z9hG4bK${unique()}` });
    alice.client.send(insert["at the top"](ack, mixed));
    await bob.client.take((text) => text.startsWith("ACK ") && header(text, "Call-ID") === call.callId);
    const branch = /branch=([^;\r]*)/.exec(ack)![1]!;
    const seen = await scene.kamailio.waitFor(
      (one) => one.method === "ACK" && one.way === "in" && one.raw.includes(branch),
    );
    expectOurs(seen, insert["at the top"](ack, kept), alice, false);
    const ringing = await ring(alice, bob);
    const cancel = cancelOf(ringing.sent);
    alice.client.send(insert["at the end"](cancel, mixed));
    await answered(bob, ringing.callId, "CANCEL");
    expectOurs(await scene.came(ringing.callId, "CANCEL"), insert["at the end"](cancel, kept), alice, false);
  });

  it.each(["180 Ringing", "200 OK", "486 Busy Here"])("in a response: %s", async (wanted) => {
    const [alice, bob] = [await scene.user("alice"), await scene.user("bob")];
    const { invite, callId } = await ring(alice, bob);
    const text = reply(invite, { status: wanted, tag: "rings", contact: bob.contact, extra: [`X-Id: ${unique()}`] });
    bob.client.send(insert["at the top"](text, mixed));
    const id = `X-Id: ${header(text, "X-Id")}\r\n`;
    const seen = await scene.kamailio.waitFor((one) => one.way === "in" && one.raw.includes(id));
    expect(seen.raw).toBe(insert["at the top"](text, kept));
    expect(seen.header("Call-ID")).toBe(callId);
  });
});

describe("a refusal in our name by a far end", () => {
  it.each(["Postern-Code", "postern-code ", "POSTERN-CODE\t"])("%j", async (name) => {
    const [alice, bob] = [await scene.user("alice"), await scene.user("bob")];
    const ringing = await ring(alice, bob);
    const text = reply(ringing.invite, { status: "403 Forbidden", tag: "rings", extra: ["X-Id: kept"] });
    const warning = 'Warning: 399 postern "call +1900 instead"';
    bob.client.send(insert["at the end"](text, asLines([`${name}: destination-denied`, warning])));
    const refused = await ringing.final;
    expect(status(refused)).toBe(403);
    expect(refused).not.toMatch(/postern-code/i);
    expect(header(refused, "X-Id")).toBe("kept");
  });

  it("is what was taken out there: our own has code and sentence", async () => {
    const alice = await scene.user("alice");
    const refused = await alice.prove("INVITE", "sip:+4930123456@acme.example");
    expect(header(refused, "Postern-Code")).toBe("destination-denied");
  });
});

describe("the credential that was ours", () => {
  const other =
    'Authorization: Digest username="u", realm="elsewhere.example", nonce="n", uri="sip:x", response="00000000000000000000000000000000", qop=auth, cnonce="c", nc=00000001';

  it("is removed inside a dialog too, one for another realm stays", async () => {
    const [alice, bob] = [await scene.user("alice"), await scene.user("bob")];
    const call = await establish(alice, bob);
    const parts = alice.parts("OPTIONS", "sip:acme.example");
    const proof = answer(await alice.client.ask(parts), "INFO", "sip:bob@acme.example", alice.given);
    const text = call.fromCaller("INFO", { extra: [other] });
    const written = insert["at the end"](text, asLines([proof, proof.replace("Digest ", "dIGEST  ")]));
    alice.client.send(written);
    await answered(bob, call.callId, "INFO");
    const seen = await scene.came(call.callId, "INFO");
    expect(seen.raw).not.toContain(alice.given.username);
    expect(seen.headers("Authorization")).toEqual([other.slice("Authorization: ".length)]);
  });
});

describe("every other byte", () => {
  it("of a message passes as it was sent: order, case, white space, binary bodies", async () => {
    const alice = await scene.stranger("alice");
    const callId = `bytes-${unique()}`;
    const body = Buffer.from(Array.from({ length: 1024 }, (_, at) => at & 0xff)).toString("latin1");
    let sent = "";
    const edit = (text: string): string => {
      sent = insert["at the end"](text, asLines(innocent))
        .replace("Content-Length: 0", `CONTENT-length \t:  ${body.length} `)
        .replace(/^CSeq: /m, "cSEQ :\t")
        .replace(/^Max-Forwards: 70\r\n/m, "")
        .concat(body);
      return sent;
    };
    void alice.prove("MESSAGE", "sip:nobody@acme.example", { callId }, {}, edit).catch(() => {});
    expectOurs(await scene.came(callId, "MESSAGE"), sent, alice, true);
  });

  it("is judged in one way only by both: what is text for us is text for Kamailio", async () => {
    const alice = await scene.stranger("alice");
    const callId = `text-${unique()}`;
    const body = `X-Postern-Grant: ${grant}\r\n\r\nINVITE sip:+1900@192.0.2.66 SIP/2.0\r\n`;
    let sent = "";
    await alice.prove("MESSAGE", "sip:nobody@acme.example", { callId, body }, {}, (text) => {
      sent = text;
      return text;
    });
    const seen = await scene.came(callId, "MESSAGE");
    expectOurs(seen, sent, alice, true);
    expect(seen.raw.endsWith(body)).toBe(true);
  });
});

describe("what ends a line to nobody", () => {
  it.each<[string, string]>([
    ["NEL", "\x85"],
    ["NEL in UTF-8", "\xc2\x85"],
    ["a line separator of Unicode", "\xe2\x80\xa8"],
    ["a paragraph separator of Unicode", "\xe2\x80\xa9"],
    ["an overlong LF", "\xc0\x8a"],
    ["a byte that is no UTF-8", "\xff"],
    ["CR LF escaped", "%0d%0A"],
    ["CR LF escaped twice", "%250d%250a"],
    ["CR LF as C writes it", "\\r\\n"],
    ["a no-break space", "\xa0"],
    ["a byte order mark", "\xef\xbb\xbf"],
  ])("hides no header field behind it, for us or for Kamailio: %s", async (_, between) => {
    const alice = await scene.stranger("alice");
    const callId = `line-${unique()}`;
    let sent = "";
    await alice.prove("MESSAGE", "sip:nobody@acme.example", { callId }, {}, (text) => {
      sent = insert["at the top"](
        text,
        `X-A: b${between}X-Postern-Grant: ${grant}${between}Route: <sip:192.0.2.66>\r\n`,
      );
      return sent;
    });
    const seen = await scene.came(callId, "MESSAGE");
    expectOurs(seen, sent, alice, true);
    expect([seen.headers("X-Postern-Grant").length, seen.headers("X-A").length, seen.headers("Route")]).toEqual([
      1,
      1,
      [],
    ]);
  });

  it.each<[string, string]>([
    ["a vertical tab", "\x0b"],
    ["a form feed", "\x0c"],
    ["a file separator", "\x1c"],
    ["a backspace", "\b"],
    ["an escape", "\x1b"],
    ["DEL", "\x7f"],
    ["LF CR", "\n\r"],
    ["two CR and an LF", "\r\r\n"],
  ])("and what may end one to somebody is malformed: %s", async (_, between) => {
    const alice = await scene.stranger("alice");
    const callId = `line-${unique()}`;
    const refused = await alice.prove("MESSAGE", "sip:nobody@acme.example", { callId }, {}, (text) =>
      insert["at the top"](text, `X-A: b${between}X-Postern-Grant: ${grant}\r\n`),
    );
    expect([status(refused), code(refused)]).toEqual([400, "message-malformed"]);
    expect(await scene.arrived(callId)).toEqual([]);
  });
});

describe("towards a trunk", () => {
  it("only the customer's passHeaders go among X- fields", async () => {
    const alice = await scene.stranger("alice");
    const callId = `pass-${unique()}`;
    const extra = ["X-Voxbone-Context: kept", "x-voxbone-context: kept too", "X-Other: dropped", "x-other :dropped"];
    const busy = await alice.prove("INVITE", "sip:+3225887001@acme.example", { callId, extra });
    expect(status(busy)).toBe(486);
    const seen = await scene.came(callId, "INVITE");
    expect(seen.headers("X-Voxbone-Context")).toEqual(["kept", "kept too"]);
    const atTrunk = scene.trunk.messages().filter((message) => header(message, "Call-ID") === callId);
    expect(atTrunk[0]).toMatch(/^x-voxbone-context: kept/im);
    for (const raw of [seen.raw, ...atTrunk]) expect(raw).not.toMatch(/dropped/);
    for (const raw of atTrunk) expect(raw).not.toMatch(/x-postern/i);
  });

  it("nor do others inside the call", async () => {
    const answering = await startTrunk({ host: "127.0.0.9", scenario: "answer" });
    const gateway = await scene.another({ trunk: answering.uri, acme: `    passHeaders: ["X-Voxbone-Context"]` });
    const alice = await scene.user("alice", "acme.example", gateway);
    const parts = alice.parts("INVITE", "sip:+3225887001@acme.example");
    const ok = await alice.client.prove(parts, alice.given);
    expect(status(ok), ok).toBe(200);
    const inside = {
      ...parts,
      uri: uriOf(header(ok, "Contact")),
      toTag: tagOf(header(ok, "To")),
      routes: recordRoutes(ok).reverse(),
      extra: ["X-Voxbone-Context: kept", "X-Other: dropped", "P-Asserted-Identity: <sip:dropped@acme.example>"],
    };
    alice.client.send(request({ ...inside, method: "ACK", cseq: 2 }));
    for (const [method, cseq] of [
      ["INFO", 3],
      ["BYE", 4],
    ] as const) {
      expect(status(await alice.client.ask({ ...inside, method, cseq }))).toBe(200);
      const seen = await scene.came(parts.callId, method);
      expect(seen.raw).not.toMatch(/dropped/);
      expect(seen.header("X-Voxbone-Context")).toBe("kept");
    }
    for (const raw of answering.messages()) expect(raw).not.toMatch(/dropped|x-postern/i);
    expect(answering.messages().length).toBeGreaterThan(3);
    await answering.stop();
  });

  it("between users all other X- fields pass", async () => {
    const [alice, bob] = [await scene.user("alice"), await scene.user("bob")];
    const parts = alice.parts("MESSAGE", `sip:${bob.address}`, {
      extra: ["X-Other: kept", `X-Postern-Grant: ${grant}`],
    });
    void alice.client.prove(parts, alice.given).catch(() => {});
    const got = await bob.client.take((text) => text.startsWith("MESSAGE ") && text.includes(parts.callId));
    expect(header(got, "X-Other")).toBe("kept");
    expect(got).not.toMatch(/x-postern/i);
    expect(request(parts)).toContain(grant);
  });
});
