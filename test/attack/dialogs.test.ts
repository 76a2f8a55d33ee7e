import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  answered,
  type Call,
  cancelOf,
  establish,
  exchange,
  freshTag,
  type Ringing,
  responseTo,
  ring,
} from "../helpers/dialog.ts";
import { chainSecret } from "../helpers/gateway.ts";
import type { Seen } from "../helpers/kamailio.ts";
import { answer, code, status, unique } from "../helpers/raw-client.ts";
import { header, isReply, recordRoutes, reply, request, tagOf, uriOf } from "../helpers/raw-sip.ts";
import { Scene, User } from "../helpers/scene.ts";
import { openUdpSink, type UdpSink } from "../helpers/udp-sink.ts";
import { grant, openUpstream, withHeaders } from "../helpers/upstream-client.ts";

let scene: Scene;

beforeAll(async () => {
  scene = await Scene.open({ trunk: "answer" });
});
afterAll(() => scene.close());

const unknown = [481, "dialog-unknown"];

async function standing(more = {}): Promise<Call> {
  return establish(await scene.user("alice"), await scene.user("bob"), more);
}

/** The twin of every attack on a call: its own caller sends the same method in it, and the callee gets it. */
async function goesOn(call: Call, method: string): Promise<void> {
  const text = call.fromCaller(method);
  call.caller.client.send(text);
  await answered(call.callee, call.callId, method);
  expect(status(await responseTo(call.caller, text))).toBe(200);
}

/** Requests (not responses) that came to Kamailio in a call, by method. */
const methods = (seen: readonly Seen[]): string[] => seen.flatMap(({ method }) => method ?? []);

const alreadyThere = ["INVITE", "ACK"];

describe("an invented dialog", () => {
  it.each(["INVITE", "BYE", "INFO", "UPDATE", "MESSAGE", "OPTIONS", "NOTIFY"])(
    "is none: %s with a To tag that nobody gave",
    async (method) => {
      const alice = await scene.user("alice");
      const more = {
        callId: `invented-${unique()}`,
        toTag: freshTag(),
        routes: [`<sip:127.0.0.1:${scene.kamailio.udp.port};lr>`],
      };
      const refused = await alice.client.ask(alice.parts(method, "sip:+1900@192.0.2.66", more));
      expect([status(refused), code(refused)]).toEqual(unknown);
      expect(await scene.arrived(more.callId, alice)).toEqual([]);
    },
  );

  it("has no place in REGISTER: a To tag makes it malformed", async () => {
    const alice = await scene.user("alice");
    const more = { callId: `invented-${unique()}`, to: alice.address };
    const refused = await alice.prove("REGISTER", `sip:${alice.domain}`, { ...more, toTag: freshTag() });
    expect([status(refused), code(refused)]).toEqual([400, "message-malformed"]);
    expect(await scene.arrived(more.callId, alice)).toEqual([]);
    expect(status(await alice.prove("REGISTER", `sip:${alice.domain}`, more))).toBe(200);
    await scene.came(more.callId, "REGISTER");
  });

  it("does not open a connection that nothing was proved on: it is challenged, then unknown", async () => {
    const user = await scene.stranger("alice");
    const more = { callId: `invented-${unique()}`, toTag: freshTag() };
    expect(status(await user.client.ask(user.parts("INFO", "sip:bob@bob.invalid", more)))).toBe(407);
    const refused = await user.prove("INFO", "sip:bob@bob.invalid", { ...more, cseq: 7 });
    expect([status(refused), code(refused)]).toEqual(unknown);
    expect(await scene.arrived(more.callId)).toEqual([]);
  });

  it("with the tags of the other fork, or the tags swapped, is none", async () => {
    const call = await standing();
    const swapped = { fromTag: call.toTag, toTag: call.fromTag };
    for (const tags of [{ toTag: freshTag() }, { fromTag: freshTag() }, swapped]) {
      const refused = await exchange(call.caller, call.fromCaller("INFO", tags));
      expect([status(refused), code(refused)]).toEqual(unknown);
    }
    expect(methods(await scene.arrived(call.callId, call.caller))).toEqual(alreadyThere);
    await goesOn(call, "INFO");
  });
});

describe.each([
  ["of the same customer", "acme.example"],
  ["of another customer", "globex.example"],
])("a user %s who knows Call-ID, tags, target and routes of a call", (_, domain) => {
  it.each(["BYE", "INVITE", "INFO", "UPDATE", "MESSAGE", "PRACK", "NOTIFY", "OPTIONS"])(
    "cannot send %s in it, from either side",
    async (method) => {
      const call = await standing();
      const thief = await scene.user("mallory", domain);
      for (const text of [call.fromCaller(method), call.fromCallee(method)]) {
        const refused = await exchange(thief, text);
        expect([status(refused), code(refused)]).toEqual(unknown);
      }
      expect(methods(await scene.arrived(call.callId, thief))).toEqual(alreadyThere);
      await goesOn(call, method === "INVITE" ? "INFO" : method);
    },
  );

  it("cannot cancel it while it rings; the caller can", async () => {
    const ringing = await ring(await scene.user("alice"), await scene.user("bob"));
    const thief = await scene.user("mallory", domain);
    const cancel = cancelOf(ringing.sent);
    const refused = await exchange(thief, cancel);
    expect([status(refused), code(refused)]).toEqual(unknown);
    expect(methods(await scene.arrived(ringing.callId, thief))).toEqual(["INVITE"]);
    await cancelled(ringing, cancel);
  });

  it("cannot cancel it either by an INVITE of its own under the same branch, which Kamailio takes for the caller's", async () => {
    const ringing = await ring(await scene.user("alice"), await scene.user("bob"));
    const { caller, callee, callId, fromTag, sent } = ringing;
    const thief = await scene.user("mallory", domain);
    const branch = /branch=([^;\r]*)/.exec(sent)![1]!;
    const same = { branch, viaHost: `${caller.name}.invalid`, callId, fromTag, cseq: 1 };
    let invite = "";
    const edit = (text: string): string => {
      invite = text;
      return text;
    };
    void thief.prove("INVITE", `sip:nobody@${domain}`, same, {}, edit).catch(() => {});
    await scene.kamailio.waitFor(
      (one) => one.method === "INVITE" && one.header("Call-ID") === callId && one.raw.includes(`:${thief.address}|`),
    );
    expect(header(invite, "CSeq")).toBe(header(sent, "CSeq"));
    expect(status(await exchange(thief, cancelOf(invite)))).toBe(481);
    expect(methods(await scene.arrived(callId, thief))).toEqual(["INVITE", "INVITE", "CANCEL"]);
    expect(callee.client.received.filter((text) => text.startsWith("CANCEL "))).toEqual([]);
    await cancelled(ringing, cancelOf(sent));
  });

  it.each(["PRACK", "UPDATE", "INVITE", "INFO", "BYE"])("cannot send %s while it rings", async (method) => {
    const ringing = await ring(await scene.user("alice"), await scene.user("bob"));
    const { caller, callee, callId, fromTag, invite, sent } = ringing;
    const thief = await scene.user("mallory", domain);
    const ids = { method, callId, cseq: 7, routes: recordRoutes(invite) };
    const asCaller = { from: caller.address, to: callee.address, fromTag, toTag: "rings", uri: uriOf(callee.contact) };
    const asCallee = { from: callee.address, to: caller.address, fromTag: "rings", toTag: fromTag };
    for (const side of [asCaller, { ...asCallee, uri: uriOf(header(invite, "Contact")) }]) {
      const refused = await exchange(thief, request({ ...ids, ...side }));
      expect([status(refused), code(refused)]).toEqual(unknown);
    }
    expect(methods(await scene.arrived(callId, thief))).toEqual(["INVITE"]);
    await cancelled(ringing, cancelOf(sent));
  });

  it("cannot answer it in the callee's place", async () => {
    const ringing = await ring(await scene.user("alice"), await scene.user("bob"));
    const thief = await scene.user("mallory", domain);
    thief.client.send(reply(ringing.invite, { status: "200 OK", tag: "rings", contact: thief.contact }));
    const seen = await scene.arrived(ringing.callId, thief);
    expect(seen.flatMap(({ status: one }) => one ?? [])).toEqual([180]);
    ringing.callee.client.send(reply(ringing.invite, { status: "486 Busy Here", tag: "rings" }));
    expect(status(await ringing.final)).toBe(486);
  });
});

describe("the caller's credential on another connection", () => {
  /** Somebody who has it, registered there. */
  async function again({ address, given }: User): Promise<User> {
    const user = new User(await scene.connect(), address, given);
    const more = { contact: `<sip:x@elsewhere.invalid;transport=ws>`, viaHost: "elsewhere.invalid" };
    expect(status(await user.client.register(address, given, more))).toBe(200);
    return user;
  }

  it.each(["BYE", "INVITE", "INFO", "UPDATE"])("is not the call's: no %s in it", async (method) => {
    const call = await standing();
    const other = await again(call.caller);
    const refused = await exchange(other, call.fromCaller(method));
    expect([status(refused), code(refused)]).toEqual(unknown);
    expect(methods(await scene.arrived(call.callId, other))).toEqual(alreadyThere);
    await goesOn(call, method === "INVITE" ? "INFO" : method);
  });

  it("cancels nothing", async () => {
    const ringing = await ring(await scene.user("alice"), await scene.user("bob"));
    const cancel = cancelOf(ringing.sent);
    const other = await again(ringing.caller);
    const refused = await exchange(other, cancel);
    expect([status(refused), code(refused)]).toEqual(unknown);
    expect(methods(await scene.arrived(ringing.callId, other))).toEqual(["INVITE"]);
    await cancelled(ringing, cancel);
  });
});

/** The caller cancels: 200 to the CANCEL, 487 to the INVITE. */
async function cancelled({ caller, callee, callId, invite, final }: Ringing, cancel: string): Promise<void> {
  caller.client.send(cancel);
  await answered(callee, callId, "CANCEL");
  callee.client.send(reply(invite, { status: "487 Request Terminated", tag: "rings" }));
  expect(status(await final)).toBe(487);
}

describe("CANCEL", () => {
  it.each<[string, (cancel: string) => string]>([
    ["another branch", (cancel) => cancel.replace(/;branch=[^;\r]*/, `;branch=z9hG4bK${unique()}`)],
    ["another Request-URI", (cancel) => cancel.replace(/^CANCEL \S+/, "CANCEL sip:+1900@192.0.2.66")],
    ["another Call-ID", (cancel) => cancel.replace(/^(Call-ID: )(.*)$/m, `$1x$2`)],
    ["another From tag", (cancel) => cancel.replace(/^(From:.*;tag=).*$/m, "$1other")],
    ["another CSeq", (cancel) => cancel.replace(/^CSeq: \d+/m, "CSeq: 99")],
  ])("follows its own INVITE only: %s is unknown", async (_, change) => {
    const ringing = await ring(await scene.user("alice"), await scene.user("bob"));
    const cancel = cancelOf(ringing.sent);
    const refused = await exchange(ringing.caller, change(cancel));
    expect([status(refused), code(refused)]).toEqual(unknown);
    expect(methods(await scene.arrived(ringing.callId, ringing.caller))).toEqual(["INVITE"]);
    await cancelled(ringing, cancel);
  });

  it("has no Route of its own: a preloaded one is removed", async () => {
    const ringing = await ring(await scene.user("alice"), await scene.user("bob"));
    const cancel = cancelOf(ringing.sent).replace("Max-Forwards", "Route: <sip:192.0.2.66;lr>\r\nMax-Forwards");
    await cancelled(ringing, cancel);
    expect((await scene.came(ringing.callId, "CANCEL")).headers("Route")).toEqual([]);
  });

  it("on a connection not yet accepted is 481", async () => {
    const user = await scene.stranger("alice");
    const parts = user.parts("CANCEL", "sip:bob@acme.example", { callId: `cancel-${unique()}` });
    const refused = await user.client.ask(parts);
    expect([status(refused), code(refused)]).toEqual(unknown);
    expect(await scene.arrived(parts.callId)).toEqual([]);
  });
});

describe("in one's own call", () => {
  it.each(["INVITE", "INFO", "BYE", "UPDATE"])("%s to a foreign Request-URI is unknown", async (method) => {
    const call = await standing();
    const target = uriOf(header(call.ok, "Contact"));
    const foreign = [
      "sip:+1900@192.0.2.66",
      `sip:+1900@127.0.0.9:${scene.trunk.port}`,
      target.replace(/^sip:[^@]*/, "sip:mallory"),
      target.replace(/~(\d+)~/, "~9~"),
      `${target};maddr=192.0.2.66`,
      target.replace(/;alias=[^;]*/, ""),
    ];
    for (const uri of foreign) {
      const refused = await exchange(call.caller, call.fromCaller(method, { uri }));
      expect([uri, status(refused), code(refused)]).toEqual([uri, ...unknown]);
    }
    expect(methods(await scene.arrived(call.callId, call.caller))).toEqual(alreadyThere);
    if (method !== "BYE") await goesOn(call, "INFO");
    await goesOn(call, "BYE");
  });

  it("a foreign, doubled, shortened or reordered Route is unknown", async () => {
    const call = await standing();
    const learned = recordRoutes(call.ok).reverse();
    expect(learned.length).toBeGreaterThan(0);
    const foreign = "<sip:192.0.2.66;lr>";
    const sets = [[], [foreign], [...learned, foreign], [foreign, ...learned], [...learned, ...learned]];
    for (const routes of sets) {
      const refused = await exchange(call.caller, call.fromCaller("INFO", { routes }));
      expect([routes, status(refused), code(refused)]).toEqual([routes, ...unknown]);
    }
    expect(methods(await scene.arrived(call.callId, call.caller))).toEqual(alreadyThere);
    await goesOn(call, "INFO");
  });

  it("the ACK to a 2xx with a foreign Request-URI or Route is dropped", async () => {
    const [alice, bob] = [await scene.user("alice"), await scene.user("bob")];
    const call = await establish(alice, bob);
    alice.client.send(call.fromCaller("ACK", { cseq: 2, uri: `sip:+1900@127.0.0.9:${scene.trunk.port}` }));
    alice.client.send(call.fromCaller("ACK", { cseq: 2, routes: ["<sip:192.0.2.66;lr>"] }));
    alice.client.send(call.fromCaller("ACK", { cseq: 2, toTag: freshTag() }));
    expect(methods(await scene.arrived(call.callId, alice))).toEqual(alreadyThere);
    alice.client.send(call.fromCaller("ACK", { cseq: 2 }));
    await bob.client.take((text) => text.startsWith("ACK ") && header(text, "Call-ID") === call.callId);
  });

  it("From is the dialog's own: another user's is unknown", async () => {
    const call = await standing();
    for (const from of [call.callee.address, "mallory@acme.example", "alice@globex.example"]) {
      const text = call.fromCaller("INFO", { from, viaHost: "x.invalid", contact: "<sip:x@x.invalid>" });
      const refused = await exchange(call.caller, text);
      expect([status(refused), code(refused)]).toEqual(unknown);
    }
    expect(methods(await scene.arrived(call.callId, call.caller))).toEqual(alreadyThere);
    await goesOn(call, "INFO");
  });

  it("ACK and CANCEL show no foreign Contact either", async () => {
    const ringing = await ring(await scene.user("alice"), await scene.user("bob"));
    const cancel = cancelOf(ringing.sent);
    const foreign = cancel.replace("Max-Forwards", "Contact: <sip:x@192.0.2.66>\r\nMax-Forwards");
    const refused = await exchange(ringing.caller, foreign);
    expect([status(refused), code(refused)]).toEqual([403, "identity-mismatch"]);
    expect(methods(await scene.arrived(ringing.callId, ringing.caller))).toEqual(["INVITE"]);
    await cancelled(ringing, cancel);
    const call = await standing();
    call.caller.client.send(call.fromCaller("ACK", { cseq: 2, contact: "<sip:x@192.0.2.66>" }));
    expect(methods(await scene.arrived(call.callId, call.caller))).toEqual(alreadyThere);
  });

  it("a branch under way is not used twice", async () => {
    const ringing = await ring(await scene.user("alice"), await scene.user("bob"));
    const { caller, callId, sent } = ringing;
    const branch = /branch=([^;\r]*)/.exec(sent)![1]!;
    const again = `again-${unique()}`;
    const parts = caller.parts("INVITE", "sip:nobody@acme.example", { callId: again, branch });
    const refused = await caller.client.ask(parts);
    expect([status(refused), code(refused)]).toEqual([400, "message-malformed"]);
    expect(await scene.arrived(again, caller)).toEqual([]);
    expect(methods(await scene.arrived(callId, caller))).toEqual(["INVITE"]);
    await cancelled(ringing, cancelOf(sent));
  });

  it("the ACK to a refusal of the gateway's own is absorbed", async () => {
    const alice = await scene.user("alice");
    const parts = alice.parts("INVITE", "sip:+1900@acme.example", { callId: `absorbed-${unique()}` });
    const refused = await alice.client.prove(parts, alice.given);
    expect([status(refused), code(refused)]).toEqual([403, "destination-denied"]);
    const toTag = tagOf(header(refused, "To"));
    alice.client.send(request({ ...parts, method: "ACK", cseq: 2, toTag }));
    expect(await scene.arrived(parts.callId, alice)).toEqual([]);
  });

  it("Contact must stay on Via's host", async () => {
    const call = await standing();
    const refused = await exchange(call.caller, call.fromCaller("INVITE", { contact: "<sip:x@192.0.2.66>" }));
    expect([status(refused), code(refused)]).toEqual([403, "identity-mismatch"]);
    expect(methods(await scene.arrived(call.callId, call.caller))).toEqual(alreadyThere);
    await goesOn(call, "INFO");
  });

  it("nothing goes on after BYE", async () => {
    const call = await standing();
    await goesOn(call, "BYE");
    const refused = await exchange(call.caller, call.fromCaller("INVITE"));
    expect([status(refused), code(refused)]).toEqual(unknown);
    expect(methods(await scene.arrived(call.callId, call.caller))).toEqual([...alreadyThere, "BYE"]);
  });

  it("to a trunk, requests reach the trunk, and with a foreign target nobody", async () => {
    const alice = await scene.user("alice");
    const callId = `trunk-${unique()}`;
    const parts = alice.parts("INVITE", "sip:+3225887001@acme.example", { callId });
    const ok = await alice.client.prove(parts, alice.given);
    expect(status(ok), ok).toBe(200);
    const routes = recordRoutes(ok).reverse();
    const inside = { ...parts, toTag: tagOf(header(ok, "To")), routes };
    const target = uriOf(header(ok, "Contact"));
    alice.client.send(request({ ...inside, method: "ACK", uri: target, cseq: 2 }));
    const stray = { ...inside, method: "INFO", uri: `sip:+1900@127.0.0.9:${scene.trunk.port}`, cseq: 3 };
    expect(status(await alice.client.ask(stray))).toBe(481);
    expect(status(await alice.client.ask({ ...stray, uri: target, cseq: 4 }))).toBe(200);
    expect(status(await alice.client.ask({ ...stray, method: "BYE", uri: target, cseq: 5 }))).toBe(200);
    const atTrunk = scene.trunk.messages().filter((message) => header(message, "Call-ID") === callId);
    expect(atTrunk.map((message) => message.split(" ", 1)[0])).toEqual(["INVITE", "ACK", "INFO", "BYE"]);
  });
});

describe("routing of a client's own", () => {
  it.each(["INVITE", "MESSAGE", "REGISTER"])("is removed from %s and never followed", async (method) => {
    const alice = await scene.user("alice");
    const callId = `route-${unique()}`;
    const uri = method === "REGISTER" ? `sip:${alice.domain}` : "sip:nobody@acme.example";
    const routes = [`<sip:127.0.0.9:${scene.trunk.port};lr>`, "<sip:192.0.2.66>"];
    const extra = [
      "Record-Route: <sip:192.0.2.66;lr>",
      "record-route : <sip:192.0.2.67;lr>",
      "Path: <sip:192.0.2.66;lr>",
    ];
    const result = await alice.prove(method, uri, { callId, to: alice.address, routes, extra });
    expect(status(result)).toBe(method === "REGISTER" ? 200 : 480);
    const seen = await scene.came(callId, method);
    for (const name of ["Route", "Record-Route", "Path"]) expect(seen.headers(name)).toEqual([]);
    expect(seen.raw).not.toContain("192.0.2.6");
    expect(scene.trunk.messages().filter((message) => message.includes(callId))).toEqual([]);
  });

  it("inside a dialog: Record-Route is removed, the learned Route stays", async () => {
    const call = await standing();
    const text = call.fromCaller("INFO", { extra: ["Record-Route: <sip:192.0.2.66;lr>"] });
    call.caller.client.send(text);
    await answered(call.callee, call.callId, "INFO");
    const seen = await scene.came(call.callId, "INFO");
    expect(seen.headers("Record-Route")).toEqual([]);
    expect(seen.headers("Route")).toEqual(recordRoutes(call.ok).reverse());
  });
});

describe("a Via that leads elsewhere", () => {
  let sink: UdpSink;
  beforeAll(async () => {
    sink = await openUdpSink();
  });
  afterAll(() => sink.close());

  /** Where a leg is for Kamailio. */
  async function announcedBy(user: User): Promise<{ host: string; port: number }> {
    return scene.kamailio.waitFor((seen) => seen.method === "REGISTER" && seen.raw.includes(user.address));
  }

  const elsewhere = (): string => `${sink.host}:${sink.port}`;

  it.each<[string, (via: string, victim: { host: string; port: number }) => string]>([
    ["by its transport and host", (via) => via.replace(/\/WS [^;]*/, `/UDP ${elsewhere()}`)],
    ["by its host", (via) => via.replace(/\/WS [^;]*/, `/WS ${elsewhere()}`)],
    ["by maddr", (via) => `${via};maddr=${sink.host}`],
    ["by an empty rport", (via) => `${via.replace(/\/WS [^;]*/, `/UDP ${elsewhere()}`)};rport`],
    ["by the number of another connection", (via) => `${via};i=1;alias`],
    ["by one below it", (via) => `${via}\r\nVia: SIP/2.0/UDP ${elsewhere()};branch=z9hG4bKbelow`],
    [
      "by one below it, with received",
      (via) => `${via}\r\nVIA: SIP/2.0/UDP x.invalid;received=${sink.host};rport=${sink.port};branch=z9hG4bKb`,
    ],
    ["by one below it in the same line", (via) => `${via}, SIP/2.0/UDP ${elsewhere()};branch=z9hG4bKbelow`],
  ])("has its answers on its own connection: %s", async (_, change) => {
    const [alice, bob, victim] = [await scene.user("alice"), await scene.user("bob"), await scene.user("victim")];
    const other = await announcedBy(victim);
    for (const method of ["MESSAGE", "INVITE"]) {
      const parts = alice.parts(method, `sip:${bob.address}`);
      const proof = answer(await alice.client.ask(parts), method, parts.uri, alice.given);
      const right = request({ ...parts, cseq: 2, extra: [proof] });
      const via = /^Via: .*$/m.exec(right)![0];
      const text = right.replace(via, change(via, other));
      const [, host] = /^Via: SIP\/2\.0\/\w+ ([^:;]*)/m.exec(text) ?? [];
      alice.client.send(text.replace(/^(Contact: <sip:[^@]*@)[^;>]*/m, `$1${host}`));
      const got = await bob.client.take(
        (one) => one.startsWith(`${method} `) && header(one, "Call-ID") === parts.callId,
      );
      bob.client.send(reply(got, { status: "486 Busy Here", tag: "busy" }));
      expect(status(await alice.client.response(parts.callId, 2, method))).toBe(486);
      expect((await scene.came(parts.callId, method)).raw).toContain(`\r\n${change(via, other)}\r\n`);
    }
    await scene.arrived("none", victim);
    expect(victim.client.received).toEqual([]);
    expect(sink.received()).toEqual([]);
  });
});

describe("a Via with received", () => {
  it("is refused where it is the client's own, for Kamailio adds another to its answers", async () => {
    const [alice, bob] = [await scene.user("alice"), await scene.user("bob")];
    const parts = alice.parts("MESSAGE", `sip:${bob.address}`);
    const proof = answer(await alice.client.ask(parts), "MESSAGE", parts.uri, alice.given);
    const right = request({ ...parts, cseq: 2, extra: [proof] });
    alice.client.send(right.replace(/^Via: .*$/m, "$&;received=127.0.0.8;rport=5555"));
    const refused = await alice.client.response(parts.callId, 2, "MESSAGE");
    expect([status(refused), code(refused)]).toEqual([400, "message-malformed"]);
    expect(await scene.arrived(parts.callId, alice)).toEqual([]);
    alice.client.send(right);
    const got = await bob.client.take((one) => header(one, "Call-ID") === parts.callId);
    bob.client.send(reply(got, { status: "200 OK" }));
    expect(status(await alice.client.response(parts.callId, 2, "MESSAGE"))).toBe(200);
  });
});

describe("a response", () => {
  /** What bob does to the right answer; what came of it at Kamailio, before the right one ended the matter. */
  async function spoiled(change: (right: string, bob: User) => string): Promise<(number | undefined)[]> {
    const [alice, bob] = [await scene.user("alice"), await scene.user("bob")];
    const { invite, callId, final } = await ring(alice, bob);
    const right = reply(invite, { status: "200 OK", tag: "rings", contact: bob.contact });
    bob.client.send(change(right, bob));
    const seen = await scene.arrived(callId, bob);
    bob.client.send(right);
    expect(status(await final)).toBe(200);
    return seen.filter((one) => one.method === undefined).map((one) => one.status);
  }

  it.each<[string, (right: string, bob: User) => string]>([
    ["nobody asked for", (right) => right.replace(/;branch=[^;\r]*/, `;branch=z9hG4bK${unique()}`)],
    ["to another method", (right) => right.replace(/^(CSeq: \d+) INVITE/m, "$1 MESSAGE")],
    ["to another Call-ID", (right) => right.replace(/^(Call-ID: )/m, "$1x")],
    ["to another From tag", (right) => right.replace(/^(From:.*;tag=).*$/m, "$1other")],
    ["to another CSeq", (right) => right.replace(/^CSeq: \d+/m, "CSeq: 77")],
    ["with one more Via", (right) => right.replace("From:", "Via: SIP/2.0/UDP 192.0.2.66;branch=z9hG4bKx\r\nFrom:")],
    [
      "with one more Via, in compact form",
      (right) => right.replace("From:", "v: SIP/2.0/UDP 192.0.2.66;branch=z9hG4bKx\r\nFrom:"),
    ],
    [
      "with a second Via of its own",
      (right) => right.replace(/\r\nVia: SIP\/2\.0\/WS alice[^;]*/, "\r\nVia: SIP/2.0/UDP 192.0.2.66:5060"),
    ],
    ["with a Via too few", (right) => right.replace(/\r\nVia: SIP\/2\.0\/WS alice[^\r]*/, "")],
    ["with a foreign Record-Route", (right) => right.replace("From:", "Record-Route: <sip:192.0.2.66;lr>\r\nFrom:")],
    [
      "with a Record-Route changed",
      (right) => right.replace(/^Record-Route: .*$/m, "Record-Route: <sip:192.0.2.66;lr>"),
    ],
    [
      "with a topmost Via of its own",
      (right) => right.replace(/\r\nVia: SIP\/2\.0\/WS [^;]*/, "\r\nVia: SIP/2.0/UDP 192.0.2.66:5060"),
    ],
    ["with another From", (right) => right.replace(/^From: <[^>]*>/m, "From: <sip:mallory@acme.example>")],
    ["with another To", (right) => right.replace(/^To: <[^>]*>/m, "To: <sip:mallory@acme.example>")],
    ["with a Path", (right) => right.replace("From:", "Path: <sip:192.0.2.66;lr>\r\nFrom:")],
    ["with a Contact on a foreign host", (right) => right.replace(/^Contact: .*$/m, "Contact: <sip:bob@192.0.2.66>")],
    ["with a Contact with maddr", (right) => right.replace(/^(Contact: <[^>]*)>/m, "$1;maddr=192.0.2.66>")],
    ["with a Contact with alias", (right) => right.replace(/^(Contact: <[^>]*)>/m, "$1;alias=192.0.2.66~5060~1>")],
    ["with a second, foreign Contact", (right) => right.replace(/^(Contact: .*)$/m, "$1\r\nm: <sip:bob@192.0.2.66>")],
  ])("%s goes nowhere, the right one after it does", async (_, change) => {
    expect(await spoiled(change)).toEqual([180]);
  });

  it.each([300, 301, 302, 305, 380, 399])("that redirects by %i loses its Contact", async (wanted) => {
    const [alice, bob] = [await scene.user("alice"), await scene.user("bob")];
    const { invite, callId, final } = await ring(alice, bob);
    const contact = `<sip:+1900@127.0.0.9:${scene.trunk.port}>`;
    const extra = ["m: <sip:x@192.0.2.66>", "CONTACT : *"];
    bob.client.send(reply(invite, { status: `${wanted} Elsewhere`, tag: "rings", contact, extra }));
    const redirected = await final;
    expect(status(redirected)).toBe(wanted);
    const seen = await scene.kamailio.waitFor((one) => one.status === wanted && one.header("Call-ID") === callId);
    expect([seen.headers("Contact"), seen.headers("m")]).toEqual([[], []]);
    expect(redirected).not.toMatch(/^(?:Contact|m)[ \t]*:/im);
    const kept = await scene.kamailio.waitFor((one) => one.status === 180 && one.header("Call-ID") === callId);
    expect(kept.headers("Contact")).toHaveLength(1);
  });

  it.each(["401 Unauthorized", "407 Proxy Authentication Required"])(
    "%s brings no challenge that the caller's page would answer with its credential",
    async (line) => {
      const [alice, bob] = [await scene.user("alice"), await scene.user("bob")];
      const { invite, callId, final } = await ring(alice, bob);
      const asked = 'Digest realm="mallory.example", nonce="n", qop="auth", algorithm=MD5, stale=true';
      const extra = [`WWW-Authenticate: ${asked}`, `Proxy-Authenticate: ${asked}`, "proxy-authenticate : Bearer"];
      bob.client.send(reply(invite, { status: line, tag: "rings", extra: [...extra, "X-Kept: 1"] }));
      const refused = await final;
      expect(`${status(refused)}`).toBe(line.slice(0, 3));
      expect(refused).not.toMatch(/-authenticate/i);
      expect(header(refused, "X-Kept")).toBe("1");
      const seen = await scene.kamailio.waitFor(
        (one) => one.status === status(refused) && one.header("Call-ID") === callId,
      );
      expect(seen.raw).not.toMatch(/-authenticate/i);
    },
  );

  it("from a connection on which nothing was accepted goes nowhere", async () => {
    const ringing = await ring(await scene.user("alice"), await scene.user("bob"));
    const stranger = await scene.stranger("mallory");
    const answer = reply(ringing.invite, { status: "200 OK", tag: "rings", contact: ringing.callee.contact });
    stranger.client.send(answer);
    expect(status(await stranger.client.register(stranger.address, stranger.given))).toBe(200);
    const seen = await scene.arrived(ringing.callId, stranger);
    expect(seen.flatMap((one) => one.status ?? [])).toEqual([180]);
    ringing.callee.client.send(answer);
    expect(status(await ringing.final)).toBe(200);
  });
});

describe("what comes from upstream", () => {
  /** Somebody at Kamailio without a gateway, in a call with a user of ours. */
  async function strangerInCall(user: User) {
    const headers = grant({ secret: chainSecret, user: "eve", domain: "acme.example" });
    const announce = { host: "203.0.113.66", port: 40_000 };
    const opened = await openUpstream({ url: scene.kamailio.wsUrl, headers, announce });
    if (!opened.ok) throw new Error(`refused with ${opened.status}`);
    const eve = opened.client;
    const base = { from: "eve@acme.example", to: user.address, fromTag: freshTag(), callId: `eve-${unique()}` };
    const send = (text: string): void => eve.send(withHeaders(text, headers));
    send(request({ ...base, method: "INVITE", uri: `sip:${user.address}`, cseq: 1 }));
    const invite = await user.client.take((text) => header(text, "Call-ID") === base.callId);
    user.client.send(reply(invite, { status: "200 OK", tag: "rings", contact: user.contact }));
    const ok = await eve.waitFor((text) => isReply(text, 200, "INVITE"));
    const inside = { ...base, toTag: "rings", routes: recordRoutes(ok).reverse() };
    const target = uriOf(header(ok, "Contact"));
    send(request({ ...inside, method: "ACK", uri: target, cseq: 1 }));
    await user.client.take((text) => text.startsWith("ACK ") && header(text, "Call-ID") === base.callId);
    return { eve, inside, target, send, callId: base.callId };
  }

  it.each<[string, (target: string) => string]>([
    ["another user", (target) => target.replace(/^sip:[^@]*/, "sip:somebody")],
    ["another host", (target) => target.replace(/@[^;]*/, "@elsewhere.invalid")],
    ["no user", (target) => target.replace(/^sip:[^@]*@/, "sip:")],
  ])("is answered 480 where it is for a Contact that this leg never showed: %s", async (_, change) => {
    const bob = await scene.user("bob");
    const { eve, inside, target, send, callId } = await strangerInCall(bob);
    send(request({ ...inside, method: "INFO", uri: change(target), cseq: 2 }));
    await eve.waitFor((text) => isReply(text, 480, "INFO"));
    const from = await scene.kamailio.waitFor(
      (seen) => seen.way === "in" && seen.status === 480 && seen.header("Call-ID") === callId,
    );
    expect(from.host).toBe("127.0.0.1");
    send(request({ ...inside, method: "INFO", uri: target, cseq: 3 }));
    const delivered = await answered(bob, callId, "INFO");
    expect(header(delivered, "CSeq")).toBe("3 INFO");
    expect(bob.client.received.filter((text) => text.startsWith("INFO "))).toEqual([]);
    await eve.close();
  });

  it("brings nothing of ours to a client", async () => {
    const bob = await scene.user("bob");
    const { eve, inside, target, send, callId } = await strangerInCall(bob);
    send(request({ ...inside, method: "INFO", uri: target, cseq: 2, extra: ["x-postern-extra: 1"] }));
    expect(await answered(bob, callId, "INFO")).not.toMatch(/^x-postern/im);
    await eve.close();
  });
});
