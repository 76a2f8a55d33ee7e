import { beforeEach, describe, expect, it } from "vitest";
import { type Dialog, maxDialogs } from "../../../src/gateway/dialog-table.ts";
import { bounds, Dialogs } from "../../../src/gateway/dialogs.ts";
import { replyHead } from "../../../src/sip/reply.ts";
import { readOf, scanned, sip, type Written } from "../../helpers/sip-text.ts";

let now = 0;
let table: Dialogs;
beforeEach(() => {
  now = 1_700_000_000_000;
  table = new Dialogs({ now: () => now });
});

const target = "sip:bob@10.0.0.2:5062;transport=udp";
const recordRoutes = ["Record-Route: <sip:r2;lr>, <sip:r1;lr;ftag=a1>"];
const routes = ["Route: <sip:r1;lr;ftag=a1>", "Route: <sip:r2;lr>"];

interface Parts {
  readonly method?: string;
  readonly branch?: string;
  readonly cseq?: number;
  readonly callId?: string;
  readonly fromTag?: string;
  readonly toTag?: string | undefined;
  readonly contact?: string | undefined;
  readonly extra?: readonly string[];
}

function fields(parts: Parts, from: string, to: string, via: string): Written["fields"] {
  const { method = "INVITE", cseq = 1, callId = "c1", fromTag = "a1", toTag, contact } = parts;
  return {
    Via: via,
    From: `<${from}>;tag=${fromTag}`,
    To: `<${to}>${toTag ? `;tag=${toTag}` : ""}`,
    "Call-ID": callId,
    CSeq: `${cseq} ${method}`,
    Contact: contact ? `<${contact}>` : undefined,
  };
}

const alice = "sip:alice@acme.example";
const bob = "sip:bob@acme.example";
const edge = "SIP/2.0/WS edge;branch=z9hG4bKe, SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKu;received=10.0.0.9";

/** A request of the client. */
function request(parts: Parts & { readonly uri?: string } = {}): string {
  const via = `SIP/2.0/WS abc.invalid;branch=z9hG4bK${parts.branch ?? "1"}`;
  const { method = "INVITE", uri = bob, extra = [] } = parts;
  const refers = method === "REFER" ? ["Refer-To: <sip:carol@acme.example>"] : [];
  return sip({ method, uri, fields: fields(parts, alice, bob, via)!, extra: [...(extra ?? []), ...refers] });
}

/** Upstream's answer to it. */
function answer(status: number, parts: Parts = {}): string {
  const via = `SIP/2.0/WS abc.invalid;branch=z9hG4bK${parts.branch ?? "1"}`;
  const contact = "contact" in parts ? parts.contact : target;
  return sip({
    start: `SIP/2.0 ${status} X`,
    fields: fields({ ...parts, contact }, alice, bob, via)!,
    extra: parts.extra ?? [],
  });
}

/** A request from upstream, whose From tag is the far end's. */
function incoming(parts: Parts & { readonly vias?: string } = {}): string {
  const { method = "INVITE", extra = [] } = parts;
  const far = { fromTag: "f1", contact: target, ...parts };
  return sip({ method, uri: "sip:x@abc.invalid", fields: fields(far, bob, alice, parts.vias ?? edge)!, extra });
}

/** The client's answer to that. */
function ours(status: number, parts: Parts & { readonly vias?: string } = {}): string {
  const far = { fromTag: "f1", toTag: "l1", contact: "sip:x@abc.invalid", ...parts };
  return sip({
    start: `SIP/2.0 ${status} X`,
    fields: fields(far, bob, alice, parts.vias ?? edge)!,
    extra: parts.extra ?? [],
  });
}

function send(text: string, dialog?: Dialog): void {
  const read = readOf(text);
  table.sent(read, replyHead(read.message), dialog);
}
const receive = (text: string): boolean => table.received(scanned(text));
const deliver = (text: string): boolean => table.delivered(scanned(text));
const respond = (text: string): string | undefined => {
  const reason = table.judgeAnswer(scanned(text));
  if (reason === undefined) table.answered(scanned(text));
  return reason;
};
const inside = (parts: Parts & { readonly uri?: string } = {}): string =>
  request({ method: "BYE", branch: "b", cseq: 2, toTag: "b1", uri: target, ...parts });
/** A BYE of inside() has a number above all that were sent. */
const judge = (text: string): string => {
  const judged = table.judgeInDialog(readOf(text.replace("CSeq: 2 BYE", "CSeq: 99 BYE")));
  return judged.kind === "dialog" ? "dialog" : judged.sentence;
};
/** Sends a request inside the dialog, as the connection does after judging it. */
function sendInside(text: string): void {
  const judged = table.judgeInDialog(readOf(text));
  if (judged.kind === "unknown") throw new Error(judged.sentence);
  send(text, judged.dialog);
}
/** A call that the client made and the far end answered. */
function call(parts: Parts = {}): void {
  send(request(parts));
  receive(answer(200, { toTag: "b1", ...parts }));
}
/** A call that the client took. */
function take(parts: Parts & { readonly vias?: string } = {}): void {
  deliver(incoming(parts));
  respond(ours(200, parts));
}

describe("a response from upstream", () => {
  const other = { callId: "other", cseq: 7, branch: "other", method: "OPTIONS" };

  it("answers the request of its branch, method, Call-ID, CSeq and From tag, and nothing else", () => {
    send(request());
    for (const [name, value] of Object.entries(other))
      expect(receive(answer(200, { [name]: value })), name).toBe(false);
    expect(receive(answer(200, { fromTag: "other" }))).toBe(false);
    expect(table.size).toBe(0);
    expect(receive(answer(180, { toTag: "b1" }))).toBe(true);
    expect(receive(answer(200, { toTag: "b1" }))).toBe(true);
  });

  it("is the last one where it is final, but to INVITE, whose 2xx may come again and from other forks", () => {
    send(request({ method: "OPTIONS" }));
    expect(receive(answer(200, { method: "OPTIONS" }))).toBe(true);
    expect(receive(answer(200, { method: "OPTIONS" }))).toBe(false);
    call();
    expect(receive(answer(200, { toTag: "b1" }))).toBe(true);
    expect(receive(answer(200, { toTag: "b2" }))).toBe(true);
  });
});

describe("a dialog the client calls", () => {
  it.each([101, 180, 183, 199, 200, 202, 299])("is made by %i with a To tag and one Contact", (status) => {
    send(request());
    receive(answer(status, { toTag: "b1" }));
    expect(table.size).toBe(1);
    expect(judge(inside())).toBe("dialog");
  });

  it.each([
    ["100", answer(100, { toTag: "b1" })],
    ["300", answer(300, { toTag: "b1" })],
    ["486", answer(486, { toTag: "b1" })],
    ["a 200 without To tag", answer(200)],
    ["a 200 without Contact", answer(200, { toTag: "b1", contact: undefined })],
    ["a 200 with two Contacts", answer(200, { toTag: "b1", extra: ["m: <sip:x@y>"] })],
    ["a 200 whose Contact cannot be read", answer(200, { toTag: "b1", contact: "sip:x:y@z" })],
    ["a 200 to another branch", answer(200, { toTag: "b1", branch: "2" })],
    ["a 200 to another method", answer(200, { toTag: "b1", method: "OPTIONS" })],
    ["a 200 to another Call-ID", answer(200, { toTag: "b1", callId: "c2" })],
  ])("is not made by %s", (_, text) => {
    send(request());
    receive(text);
    expect(table.size).toBe(0);
    expect(judge(inside())).toBe("no such dialog on this connection");
  });

  it.each(["OPTIONS", "MESSAGE", "REGISTER", "INFO", "UPDATE"])("is not made by %s", (method) => {
    send(request({ method }));
    receive(answer(200, { method, toTag: "b1" }));
    expect(table.size).toBe(0);
  });

  it("is not made by a response to nothing", () => {
    receive(answer(200, { toTag: "b1" }));
    expect(table.size).toBe(0);
  });

  it.each(["SUBSCRIBE", "REFER"])("is made by %s too, for an hour from its latest success", (method) => {
    send(request({ method }));
    receive(answer(202, { method, toTag: "b1" }));
    expect(table.calls).toBe(0);
    now += 3_500_000;
    sendInside(inside({ method }));
    receive(answer(200, { method, branch: "b", cseq: 2, toTag: "b1" }));
    now += 3_500_000;
    expect(judge(inside())).toBe("dialog");
    deliver(incoming({ method: "NOTIFY", fromTag: "b1", toTag: "a1" }));
    respond(ours(200, { method: "NOTIFY", fromTag: "b1", toTag: "a1", contact: undefined }));
    now += 3_500_000;
    expect(table.live).toBe(true);
    now += 100_001;
    expect(judge(inside())).not.toBe("dialog");
    expect(table.live).toBe(false);
    expect(table.size).toBe(0);
  });

  it.each([
    ["another Call-ID", { callId: "c2" }],
    ["another local tag", { fromTag: "a2" }],
    ["another remote tag", { toTag: "b2" }],
    ["the tags changed about", { fromTag: "b1", toTag: "a1" }],
    ["no To tag", { toTag: undefined }],
  ])("is not one with %s", (_, parts) => {
    call();
    expect(judge(inside(parts))).toBe("no such dialog on this connection");
  });

  it("is owned with its tags in either order", () => {
    call();
    expect(table.owns("c1", "a1", "b1")).toBe(true);
    expect(table.owns("c1", "b1", "a1")).toBe(true);
    expect(table.owns("c1", "a1", "a1")).toBe(false);
    expect(table.owns("c2", "a1", "b1")).toBe(false);
    expect(table.owns("c1 a1", "b1", "")).toBe(false);
  });

  it("has a fork for each To tag, sixteen at most", () => {
    send(request());
    for (let i = 0; i < 20; i++) receive(answer(180, { toTag: `f${i}` }));
    expect(table.size).toBe(bounds.forks);
    expect(judge(inside({ toTag: "f15" }))).toBe("dialog");
    expect(judge(inside({ toTag: "f16" }))).not.toBe("dialog");
    receive(answer(200, { toTag: "f3" }));
    expect(judge(inside({ toTag: "f3" }))).toBe("dialog");
    expect(table.calls).toBe(1);
  });

  it("keeps each fork's own target and routes", () => {
    send(request());
    receive(answer(180, { toTag: "b1", extra: recordRoutes }));
    receive(answer(180, { toTag: "b2", contact: "sip:other@10.0.0.3" }));
    expect(judge(inside({ extra: routes }))).toBe("dialog");
    expect(judge(inside({ toTag: "b2", uri: "sip:other@10.0.0.3" }))).toBe("dialog");
    expect(judge(inside({ uri: "sip:other@10.0.0.3", extra: routes }))).not.toBe("dialog");
  });

  it.each([300, 404, 486, 503, 603])("that is early ends with a %i, and with it every early fork", (status) => {
    send(request());
    receive(answer(180, { toTag: "b1" }));
    receive(answer(183, { toTag: "b2" }));
    receive(answer(status, { toTag: "b1" }));
    expect(table.size).toBe(0);
    expect(table.calls).toBe(0);
    expect(table.live).toBe(false);
  });

  it("that is confirmed outlives a refusal of the same INVITE", () => {
    send(request());
    receive(answer(180, { toTag: "b2" }));
    receive(answer(200, { toTag: "b1" }));
    receive(answer(486, { toTag: "b2" }));
    expect(judge(inside())).toBe("dialog");
    expect(judge(inside({ toTag: "b2" }))).not.toBe("dialog");
  });

  it("that is early is not confirmed by a success inside it", () => {
    send(request());
    receive(answer(183, { toTag: "b1" }));
    sendInside(inside({ method: "PRACK" }));
    receive(answer(200, { method: "PRACK", branch: "b", cseq: 2, toTag: "b1", contact: undefined }));
    receive(answer(486, { toTag: "b1" }));
    expect(table.size).toBe(0);
  });

  it("that is early outlives a refused CANCEL and refusals of other requests under its Call-ID", () => {
    send(request());
    receive(answer(180, { toTag: "b1" }));
    for (const method of ["CANCEL", "OPTIONS", "MESSAGE", "SUBSCRIBE"]) {
      send(request({ method }));
      receive(answer(481, { method, toTag: "b1" }));
    }
    expect(judge(inside())).toBe("dialog");
  });

  it("is not the early dialog of another call that a refusal ends", () => {
    send(request());
    receive(answer(180, { toTag: "b1" }));
    send(request({ branch: "2", callId: "c2", fromTag: "a2" }));
    receive(answer(486, { branch: "2", callId: "c2", fromTag: "a2", toTag: "b2" }));
    expect(judge(inside())).toBe("dialog");
  });

  it("that is early outlives an earlier INVITE of the same call that was refused", () => {
    send(request({ branch: "1" }));
    receive(answer(422, { branch: "1", toTag: "b1" }));
    send(request({ branch: "2", cseq: 2 }));
    receive(answer(180, { branch: "2", cseq: 2, toTag: "b2" }));
    now += 33_000;
    expect(table.hasRoom("")).toBe(true);
    expect(judge(inside({ toTag: "b2" }))).toBe("dialog");
    receive(answer(200, { branch: "2", cseq: 2, toTag: "b2" }));
    expect(judge(inside({ toTag: "b2" }))).toBe("dialog");
  });

  it("that is early does not outlive a branch that is used again", () => {
    send(request());
    receive(answer(180, { toTag: "b2" }));
    receive(answer(200, { toTag: "b1" }));
    send(request({ callId: "c2" }));
    receive(answer(486, { callId: "c2", toTag: "b3" }));
    now += 33_000;
    expect([table.calls, table.size]).toEqual([1, 1]);
  });

  it("that is early is confirmed by a 2xx without Contact, and then ends only by BYE", () => {
    send(request());
    receive(answer(180, { toTag: "b1" }));
    receive(answer(200, { toTag: "b1", contact: undefined }));
    now += 33_000;
    expect(table.calls).toBe(1);
    expect(judge(inside())).toBe("dialog");
    expect(table.unfinished().byes).toHaveLength(1);
  });

  it("can still be made by a late 2xx of another fork", () => {
    call();
    now += 31_000;
    receive(answer(200, { toTag: "b2" }));
    expect(judge(inside({ toTag: "b2" }))).toBe("dialog");
  });
});

describe("a dialog the client takes", () => {
  it.each([180, 183, 200])("is made by its %i with a To tag, to the Contact of the INVITE", (status) => {
    expect(deliver(incoming())).toBe(true);
    expect(respond(ours(status))).toBeUndefined();
    expect(judge(inside({ fromTag: "l1", toTag: "f1" }))).toBe("dialog");
    expect(table.calls).toBe(1);
  });

  it.each([
    ["100", incoming(), ours(100)],
    ["an answer without To tag", incoming(), ours(180, { toTag: undefined })],
    ["an INVITE without Contact", incoming({ contact: undefined }), ours(200)],
    ["OPTIONS", incoming({ method: "OPTIONS" }), ours(200, { method: "OPTIONS" })],
  ])("is not made by %s", (_, delivered, answered) => {
    deliver(delivered);
    expect(respond(answered)).toBeUndefined();
    expect(table.size).toBe(0);
  });

  it("has the route set in the order of the request", () => {
    take({ extra: recordRoutes });
    const sent = { fromTag: "l1", toTag: "f1" };
    expect(judge(inside({ ...sent, extra: ["Route: <sip:r2;lr>,<sip:r1;lr;ftag=a1>"] }))).toBe("dialog");
    expect(judge(inside({ ...sent, extra: routes }))).toMatch(/route set/);
  });

  it("that is early outlives an earlier INVITE of the same call that the client refused", () => {
    const [one, two] = ["one", "two"].map((branch) => ({ vias: `SIP/2.0/WS edge;branch=z9hG4bK${branch}` }));
    deliver(incoming(one));
    respond(ours(422, one));
    deliver(incoming({ ...two, cseq: 2 }));
    respond(ours(180, { ...two, cseq: 2, toTag: "l2" }));
    now += 33_000;
    expect(table.live).toBe(true);
    expect(judge(inside({ fromTag: "l2", toTag: "f1" }))).toBe("dialog");
  });

  it("that is early ends where the client refuses", () => {
    deliver(incoming());
    respond(ours(180));
    respond(ours(486));
    expect(table.size).toBe(0);
  });

  it("that is confirmed outlives a later refusal", () => {
    take();
    respond(ours(486));
    expect(table.size).toBe(1);
  });

  it("that is early does not outlive a CANCEL by more than 32 seconds, though the client says nothing to it", () => {
    const other = { callId: "c2", vias: edge.replace("bKe", "bKother") };
    for (const one of [{}, other]) {
      deliver(incoming(one));
      respond(ours(180, one));
    }
    deliver(incoming({ method: "CANCEL" }));
    expect(table.calls).toBe(2);
    now += 32_000;
    expect(table.calls).toBe(1);
  });

  it("that was answered before the CANCEL came stands", () => {
    take();
    deliver(incoming({ method: "CANCEL" }));
    now += 32_000;
    expect(table.calls).toBe(1);
  });

  it("that is early does not outlive an INVITE that is never answered", () => {
    deliver(incoming());
    respond(ours(180));
    now += 599_999;
    expect(table.live).toBe(true);
    now += 1;
    expect(table.live).toBe(false);
    expect(table.size).toBe(0);
    expect(table.calls).toBe(0);
  });
});

describe("the route set", () => {
  beforeEach(() => call({ extra: recordRoutes }));

  it("is Record-Route in reverse, whatever the spelling of each URI", () => {
    expect(judge(inside({ extra: routes }))).toBe("dialog");
    expect(judge(inside({ extra: ["Route: <sip:R1;FTAG=A1;lr>, <sip:R2;LR>;x=y"] }))).toBe("dialog");
  });

  it.each([
    ["none", []],
    ["one too few", ["Route: <sip:r1;lr;ftag=a1>"]],
    ["one too many", [...routes, "Route: <sip:r3;lr>"]],
    ["another order", ["Route: <sip:r2;lr>, <sip:r1;lr;ftag=a1>"]],
    ["another host", ["Route: <sip:r1;lr;ftag=a1>, <sip:evil.example;lr>"]],
    ["another user", ["Route: <sip:r1;lr;ftag=a1>, <sip:x@r2;lr>"]],
    ["another port", ["Route: <sip:r1;lr;ftag=a1>, <sip:r2:5070;lr>"]],
    ["another parameter", ["Route: <sip:r1;lr;ftag=a2>, <sip:r2;lr>"]],
    ["one that cannot be read", ["Route: <sip:r1;lr;ftag=a1>, <sip:r2;lr"]],
  ])("is not %s", (_, extra) => expect(judge(inside({ extra }))).toBe("Route is not the dialog's route set"));

  it("does not change once the dialog is confirmed", () => {
    receive(answer(200, { toTag: "b1", extra: ["Record-Route: <sip:evil.example;lr>"] }));
    sendInside(inside({ method: "INVITE", extra: routes }));
    receive(answer(200, { branch: "b", cseq: 2, toTag: "b1", extra: ["Record-Route: <sip:evil.example;lr>"] }));
    expect(judge(inside({ branch: "c", extra: routes }))).toBe("dialog");
  });

  it("of an early dialog is that of the latest response", () => {
    send(request({ branch: "2", callId: "c2" }));
    receive(answer(180, { branch: "2", callId: "c2", toTag: "b1" }));
    receive(answer(200, { branch: "2", callId: "c2", toTag: "b1", extra: recordRoutes }));
    expect(judge(inside({ callId: "c2", extra: routes }))).toBe("dialog");
  });
});

describe("the remote target", () => {
  const second = "sip:bob@10.0.0.3";
  const third = "sip:bob@10.0.0.4";

  it.each([
    "sip:bob@10.0.0.2:5062;transport=udp",
    "SIP:bob@10.0.0.2:5062;Transport=UDP",
    "sip:b%6Fb@10.0.0.2:5062;transport=udp",
  ])("is met by %s", (uri) => {
    call();
    expect(judge(inside({ uri }))).toBe("dialog");
  });

  it("is met by its parameters in another order", () => {
    call({ contact: "sip:bob@h;a=1;b=2" });
    expect(judge(inside({ uri: "sip:bob@h;B=2;a=1" }))).toBe("dialog");
  });

  it.each([
    "sip:bob@10.0.0.2",
    "sip:bob@10.0.0.2:5062",
    "sip:bob@10.0.0.2:5063;transport=udp",
    "sip:bob@10.0.0.2:5062;transport=tcp",
    "sip:bob@10.0.0.2:5062;transport=udp;maddr=192.0.2.1",
    "sip:Bob@10.0.0.2:5062;transport=udp",
    "sips:bob@10.0.0.2:5062;transport=udp",
    "sip:+19005551234@10.0.0.2:5062;transport=udp",
    "tel:+1900",
    bob,
  ])("is not met by %s", (uri) => {
    call();
    expect(judge(inside({ uri }))).toBe("the Request-URI is not the dialog's remote target");
  });

  it.each(["INVITE", "UPDATE"])("is replaced by the far end's 2xx to %s; the one before still holds", (method) => {
    call();
    sendInside(inside({ method }));
    receive(answer(200, { method, branch: "b", cseq: 2, toTag: "b1", contact: second }));
    expect([target, second, third].map((uri) => judge(inside({ uri, branch: "c" })) === "dialog")).toEqual([
      true,
      true,
      false,
    ]);
    sendInside(inside({ method, branch: "d", uri: second }));
    receive(answer(200, { method, branch: "d", cseq: 2, toTag: "b1", contact: third }));
    expect([target, second, third].map((uri) => judge(inside({ uri })) === "dialog")).toEqual([false, true, true]);
  });

  it("before the latest is met in other spellings too", () => {
    call();
    sendInside(inside({ method: "UPDATE" }));
    receive(answer(200, { method: "UPDATE", branch: "b", cseq: 2, toTag: "b1", contact: second }));
    expect(judge(inside({ uri: "sip:bob@10.0.0.2:5062;Transport=UDP", branch: "c" }))).toBe("dialog");
    expect(judge(inside({ uri: "SIP:bob@10.0.0.3", branch: "c" }))).toBe("dialog");
  });

  it("keeps the one before where a refresh names the same again", () => {
    call();
    for (const [branch, contact] of [
      ["d", second],
      ["e", second],
    ] as const) {
      sendInside(inside({ method: "UPDATE", branch, uri: target }));
      receive(answer(200, { method: "UPDATE", branch, cseq: 2, toTag: "b1", contact }));
    }
    expect(judge(inside({ uri: target }))).toBe("dialog");
  });

  it.each([
    ["INFO", 200],
    ["INVITE", 180],
    ["INVITE", 488],
    ["UPDATE", 491],
  ])("is not replaced by what answers %s with %i", (method, status) => {
    call();
    sendInside(inside({ method }));
    receive(answer(status, { method, branch: "b", cseq: 2, toTag: "b1", contact: second }));
    expect(judge(inside({ uri: second, branch: "c" }))).not.toBe("dialog");
  });

  it.each(["INVITE", "UPDATE", "NOTIFY"])("is replaced by the far end's %s once the client accepts it", (method) => {
    call();
    const parts = { method, fromTag: "b1", toTag: "a1" };
    deliver(incoming({ ...parts, contact: second }));
    expect(judge(inside({ uri: second }))).not.toBe("dialog");
    respond(ours(200, parts));
    expect(judge(inside({ uri: second }))).toBe("dialog");
    expect(judge(inside())).toBe("dialog");
  });

  it("is not replaced by a re-INVITE that the client refuses", () => {
    call();
    deliver(incoming({ fromTag: "b1", toTag: "a1", contact: second }));
    respond(ours(488, { fromTag: "b1", toTag: "a1" }));
    expect(judge(inside({ uri: second }))).not.toBe("dialog");
    expect(judge(inside())).toBe("dialog");
  });

  it("of a fork's 2xx replaces that of its 1xx", () => {
    send(request());
    receive(answer(180, { toTag: "b1" }));
    receive(answer(200, { toTag: "b1", contact: second }));
    expect(judge(inside({ uri: second }))).toBe("dialog");
  });
});

describe("the end of a dialog", () => {
  const bye = { method: "BYE", fromTag: "b1", toTag: "a1", contact: undefined };

  it.each([200, 408, 481])("comes with a %i to the client's BYE", (status) => {
    call();
    sendInside(inside());
    expect(table.size).toBe(1);
    receive(answer(status, { method: "BYE", branch: "b", cseq: 2, toTag: "b1", contact: undefined }));
    expect(table.size).toBe(0);
    expect(table.calls).toBe(0);
  });

  it.each([404, 420, 483, 500, 503])("does not come with a %i to the client's BYE, nor later by itself", (status) => {
    call();
    sendInside(inside());
    receive(answer(status, { method: "BYE", branch: "b", cseq: 2, toTag: "b1", contact: undefined }));
    now += 33_000;
    expect([table.size, table.calls]).toEqual([1, 1]);
    expect(table.unfinished().byes).toMatchObject([{ cseq: 3 }]);
    sendInside(inside({ branch: "c", cseq: 3 }));
    receive(answer(200, { method: "BYE", branch: "c", cseq: 3, toTag: "b1", contact: undefined }));
    expect([table.size, table.calls]).toEqual([0, 0]);
  });

  it.each([
    [200, false],
    [481, false],
    [100, false],
    [400, true],
    [408, true],
    [503, true],
  ])("is asked for once more where the client's BYE had a %i: %s", (status, again) => {
    call();
    sendInside(inside());
    const asked = table.refusedBye(
      scanned(answer(status, { method: "BYE", branch: "b", cseq: 2, toTag: "b1", contact: undefined })),
    );
    expect(asked?.cseq).toBe(again ? 3 : undefined);
  });

  it("does not come with a BYE whose CSeq is not above the client's last: that is none", () => {
    call({ cseq: 5 });
    for (const cseq of [1, 5]) expect(judge(inside({ cseq }))).toMatch(/CSeq/);
    expect(judge(inside({ cseq: 6 }))).toBe("dialog");
  });

  it("does not come with a provisional answer to BYE", () => {
    call();
    sendInside(inside());
    receive(answer(100, { method: "BYE", branch: "b", cseq: 2, toTag: "b1" }));
    expect(table.size).toBe(1);
  });

  it.each([200, 481])("comes with the client's %i to the far end's BYE", (status) => {
    call();
    deliver(incoming(bye));
    expect(table.size).toBe(1);
    respond(ours(status, bye));
    expect(table.size).toBe(0);
  });

  it("comes 32 seconds after a BYE that nobody answers, in either direction", () => {
    call();
    sendInside(inside());
    call({ branch: "2", callId: "c2" });
    deliver(incoming({ ...bye, callId: "c2" }));
    now += 31_999;
    expect(judge(inside())).toBe("dialog");
    expect(table.calls).toBe(2);
    now += 1;
    expect(judge(inside())).not.toBe("dialog");
    expect(judge(inside({ callId: "c2" }))).not.toBe("dialog");
    expect(table.calls).toBe(0);
  });

  it("is not put off by another BYE", () => {
    call();
    sendInside(inside());
    now += 20_000;
    sendInside(inside({ branch: "c", cseq: 3 }));
    now += 12_000;
    expect(judge(inside({ branch: "d" }))).not.toBe("dialog");
  });

  it("comes with a BYE that went under with upstream", () => {
    call();
    sendInside(inside());
    expect(table.abandon().map(({ method }) => method)).toEqual(["BYE"]);
    now += 32_000;
    expect(table.live).toBe(false);
  });

  it.each([
    ["INVITE", 481],
    ["UPDATE", 481],
    ["INFO", 481],
    ["NOTIFY", 481],
    ["INFO", 408],
  ])("does not come with what answers %s by %i: the client is to hang up then", (method, status) => {
    call();
    sendInside(inside({ method }));
    receive(answer(status, { method, branch: "b", cseq: 2, toTag: "b1", contact: undefined }));
    now += 33_000;
    expect([table.size, table.calls]).toEqual([1, 1]);
    expect(judge(inside({ branch: "c", cseq: 3 }))).toBe("dialog");
  });

  it("does not come with the client's own 481", () => {
    call();
    deliver(incoming({ ...bye, method: "INFO" }));
    respond(ours(481, { ...bye, method: "INFO" }));
    expect(table.calls).toBe(1);
  });

  it("comes with a 481 where SUBSCRIBE made it", () => {
    send(request({ method: "SUBSCRIBE" }));
    receive(answer(202, { method: "SUBSCRIBE", toTag: "b1" }));
    sendInside(inside({ method: "SUBSCRIBE" }));
    receive(answer(481, { method: "SUBSCRIBE", branch: "b", cseq: 2, toTag: "b1", contact: undefined }));
    expect(table.size).toBe(0);
  });

  it.each([403, 487, 488, 491, 500])("does not come with a %i to a re-INVITE", (status) => {
    call();
    sendInside(inside({ method: "INVITE" }));
    receive(answer(status, { branch: "b", cseq: 2, toTag: "b1", contact: undefined }));
    expect(judge(inside({ branch: "c" }))).toBe("dialog");
  });

  it("is final: a 200 to the INVITE that comes once more makes no dialog again", () => {
    call();
    sendInside(inside());
    receive(answer(200, { method: "BYE", branch: "b", cseq: 2, toTag: "b1", contact: undefined }));
    receive(answer(200, { toTag: "b1" }));
    expect(table.size).toBe(0);
    take({ callId: "c2" });
    deliver(incoming({ ...bye, callId: "c2", fromTag: "f1", toTag: "l1" }));
    respond(ours(200, { ...bye, callId: "c2", fromTag: "f1", toTag: "l1" }));
    respond(ours(200, { callId: "c2" }));
    expect(table.size).toBe(0);
  });

  it("of one leaves the others", () => {
    call();
    call({ branch: "2", callId: "c2" });
    sendInside(inside());
    receive(answer(200, { method: "BYE", branch: "b", cseq: 2, toTag: "b1", contact: undefined }));
    expect(judge(inside({ callId: "c2" }))).toBe("dialog");
    expect(table.calls).toBe(1);
  });
});

describe("CANCEL and ACK", () => {
  const followCancel = (parts: Parts & { readonly uri?: string } = {}): string =>
    table.judgeCancel(readOf(request({ method: "CANCEL", ...parts })));
  const followAck = (parts: Parts & { readonly uri?: string } = {}): string =>
    table.judgeAck(readOf(request({ method: "ACK", ...parts })));

  it("CANCEL follows its INVITE, outside a dialog or inside", () => {
    expect(followCancel()).toBe("nobody's");
    send(request());
    expect(followCancel()).toBe("outside");
    receive(answer(200, { toTag: "b1", extra: recordRoutes }));
    const again = { method: "INVITE", branch: "r", cseq: 3, toTag: "b1", uri: target, extra: routes };
    sendInside(inside(again));
    expect(followCancel({ ...again, method: "CANCEL" })).toBe("inside");
    expect(followCancel({ ...again, method: "CANCEL", extra: [] })).toBe("nobody's");
    expect(followCancel({ ...again, method: "CANCEL", extra: ["Route: <sip:evil.example;lr>"] })).toBe("nobody's");
  });

  it.each([
    ["branch", { branch: "2" }],
    ["Call-ID", { callId: "c2" }],
    ["CSeq", { cseq: 2 }],
    ["From tag", { fromTag: "a2" }],
    ["Request-URI", { uri: "sip:carol@acme.example" }],
  ])("neither follows an INVITE of another %s", (_, parts) => {
    send(request());
    expect(followCancel(parts)).toBe("nobody's");
    receive(answer(486, { toTag: "b1" }));
    expect(followAck(parts)).toBe("nobody's");
    expect(followAck()).toBe("outside");
  });

  it("CANCEL does not follow what is no INVITE", () => {
    send(request({ method: "OPTIONS" }));
    expect(followCancel()).toBe("nobody's");
  });

  it("ACK follows its branch only where the INVITE was refused", () => {
    send(request());
    expect(followAck()).toBe("nobody's");
    receive(answer(180, { toTag: "b1" }));
    expect(followAck({ toTag: "b1", uri: target })).toBe("nobody's");
    receive(answer(200, { toTag: "b1" }));
    expect(followAck({ toTag: "b1", uri: target })).toBe("nobody's");
  });

  it("ACK to a refused re-INVITE follows it inside the dialog, with its routes", () => {
    call({ extra: recordRoutes });
    const again = { branch: "r", cseq: 3, toTag: "b1", uri: target, extra: routes };
    sendInside(inside({ ...again, method: "INVITE" }));
    receive(answer(488, { ...again, method: "INVITE" }));
    expect(followAck(again)).toBe("inside");
    expect(followAck({ ...again, extra: [] })).toBe("nobody's");
  });

  it("ACK to a 2xx follows its dialog, with target and routes, under a branch of its own", () => {
    call({ extra: recordRoutes });
    const ack = { branch: "k", toTag: "b1", uri: target, extra: routes };
    expect(followAck(ack)).toBe("inside");
    expect(followAck({ ...ack, uri: bob })).toBe("nobody's");
    expect(followAck({ ...ack, toTag: "b2" })).toBe("nobody's");
    expect(followAck({ ...ack, extra: [] })).toBe("nobody's");
  });

  it("ACK is followed for 32 seconds after the refusal", () => {
    send(request());
    receive(answer(486, { toTag: "b1" }));
    now += 31_999;
    table.hasRoom("");
    expect(followAck()).toBe("outside");
    now += 1;
    table.hasRoom("");
    expect(followAck()).toBe("nobody's");
  });

  it("an ACK is no transaction", () => {
    send(request({ method: "ACK" }));
    expect(deliver(incoming({ method: "ACK" }))).toBe(true);
    expect(table.live).toBe(false);
    expect(table.abandon()).toEqual([]);
  });
});

describe("what the client answers", () => {
  it("goes up where it answers what was delivered", () => {
    deliver(incoming({ extra: recordRoutes }));
    expect(respond(ours(180))).toBeUndefined();
    expect(respond(ours(200, { extra: ["record-route:<sip:r2;lr>,\r\n <sip:r1;lr;ftag=a1>"] }))).toBeUndefined();
    expect(respond(ours(200, { extra: recordRoutes }))).toBeUndefined();
  });

  const top = "SIP/2.0/WS edge;branch=z9hG4bKe";
  const below = "SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKu;received=10.0.0.9";
  it.each([
    ["another branch", ours(200, { vias: `${top}x, ${below}` }), /no request that was delivered/],
    ["another method", ours(200, { method: "OPTIONS" }), /no request that was delivered/],
    ["another Call-ID", ours(200, { callId: "c2" }), /Call-ID or From tag/],
    ["another From tag", ours(200, { fromTag: "f2" }), /Call-ID or From tag/],
    ["another CSeq", ours(200, { cseq: 2 }), /CSeq/],
    ["a Via left out", ours(200, { vias: top }), /Via list/],
    ["a Via added", ours(200, { vias: `${edge}, ${top}` }), /Via list/],
    ["a Via between", ours(200, { vias: `${top}, SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx, ${below}` }), /Via list/],
    ["a Via changed", ours(200, { vias: `${top}, ${below.replace("10.0.0.9", "192.0.2.1")}` }), /Via list/],
    ["another Record-Route", ours(200, { extra: ["Record-Route: <sip:evil.example;lr>"] }), /Record-Route/],
    [
      "Record-Route in another order",
      ours(200, { extra: ["Record-Route: <sip:r1;lr;ftag=a1>, <sip:r2;lr>"] }),
      /Record-Route/,
    ],
    ["a Record-Route added", ours(200, { extra: [...recordRoutes, "Record-Route: <sip:x;lr>"] }), /Record-Route/],
    ["a Record-Route that cannot be read", ours(200, { extra: ["Record-Route: <sip:x"] }), /Record-Route/],
    ["a Path", ours(200, { extra: ["Path: <sip:evil.example;lr>"] }), /Path/],
  ])("is dropped with %s", (_, text, why) => {
    deliver(incoming({ extra: recordRoutes }));
    expect(respond(text)).toMatch(why);
    expect(table.size).toBe(0);
  });

  it("may have parameters added to the topmost Via, and several Via fields for one", () => {
    deliver(incoming());
    const text = ours(200, { vias: `${top};rport=5060;received=192.0.2.1` });
    expect(respond(text.replace("\r\nFrom", `\r\nv: ${below}\r\nFrom`))).toBeUndefined();
  });

  it("has the To tag of the request where that has one", () => {
    call();
    const parts = { method: "INFO", fromTag: "b1", toTag: "a1", contact: undefined };
    deliver(incoming(parts));
    expect(respond(ours(200, { ...parts, toTag: "x" }))).toMatch(/tag/);
    expect(respond(ours(200, { ...parts, toTag: undefined }))).toMatch(/tag/);
    expect(respond(ours(200, parts))).toBeUndefined();
  });

  it("is dropped where all is answered already", () => {
    deliver(incoming({ method: "OPTIONS" }));
    expect(respond(ours(200, { method: "OPTIONS" }))).toBeUndefined();
    expect(respond(ours(200, { method: "OPTIONS" }))).toMatch(/no request/);
  });

  it("may repeat a final answer to INVITE for 32 seconds", () => {
    deliver(incoming());
    respond(ours(486));
    now += 31_999;
    table.hasRoom("");
    expect(respond(ours(486))).toBeUndefined();
    now += 32_000;
    table.hasRoom("");
    expect(respond(ours(486))).toMatch(/no request/);
  });
});

describe("bounds", () => {
  it("has room for so many dialogs", () => {
    for (let i = 0; i < maxDialogs; i++) {
      expect(table.hasRoom("INVITE")).toBe(true);
      call({ branch: `x${i}`, callId: `x${i}` });
    }
    for (const method of ["INVITE", "SUBSCRIBE", "REFER"]) expect(table.hasRoom(method)).toBe(false);
    expect(table.hasRoom("OPTIONS")).toBe(true);
    call({ branch: "y", callId: "y" });
    deliver(incoming({ callId: "z" }));
    respond(ours(200, { callId: "z" }));
    expect(table.size).toBe(maxDialogs);
    expect(judge(inside({ callId: "y" }))).not.toBe("dialog");
  });

  it("has room for so many requests under way", () => {
    for (let i = 0; i < bounds.transactions; i++) {
      expect(table.hasRoom("OPTIONS")).toBe(true);
      send(request({ method: "OPTIONS", branch: `x${i}` }));
    }
    for (const method of ["", "OPTIONS", "INVITE"]) expect(table.hasRoom(method)).toBe(false);
    receive(answer(200, { method: "OPTIONS", branch: "x0" }));
    expect(table.hasRoom("OPTIONS")).toBe(true);
  });

  describe("towards the client", () => {
    const vias = (i: number): string => `SIP/2.0/WS edge;branch=z9hG4bKx${i}`;
    const ids = Array.from({ length: bounds.transactions }, (_, i) => i);
    const ask = (i: number, method = "OPTIONS"): boolean => deliver(incoming({ method, vias: vias(i) }));
    const say = (code: number, i: number, method = "OPTIONS"): string | undefined =>
      respond(ours(code, { method, vias: vias(i), toTag: `l${i}` }));

    it("delivers so many requests that wait for an answer; of more, what was not answered the longest is forgotten", () => {
      for (const i of ids) expect(ask(i)).toBe(true);
      expect(ask(600)).toBe(true);
      expect(say(200, 0)).toMatch(/no request/);
      for (const i of [1, 511, 600]) expect(say(200, i)).toBeUndefined();
    });

    it("keeps what rings, was taken, or is in a call whatever comes besides", () => {
      ask(1000, "INVITE");
      say(180, 1000, "INVITE");
      ask(1001, "INVITE");
      say(200, 1001, "INVITE");
      for (const i of [...ids, ...ids.map((id) => id + 2000)]) expect(ask(i)).toBe(true);
      expect(say(200, 1001, "INVITE")).toBeUndefined();
      expect(say(486, 1000, "INVITE")).toBeUndefined();
    });

    it("forgets INVITEs that it refused before their time, for more", () => {
      for (const i of ids) {
        ask(i, "INVITE");
        expect(say(486, i, "INVITE")).toBeUndefined();
      }
      expect(ask(600, "INVITE")).toBe(true);
      expect(say(180, 600, "INVITE")).toBeUndefined();
    });

    it("has no room where so many ring", () => {
      for (const i of ids) {
        ask(i, "INVITE");
        say(180, i, "INVITE");
      }
      expect(ask(600)).toBe(false);
      now += 600_000;
      expect(ask(600)).toBe(true);
    });
  });

  it("forgets an INVITE without final answer after ten minutes, and its early dialogs with it", () => {
    send(request());
    receive(answer(180, { toTag: "b1" }));
    now += 599_999;
    expect(table.live).toBe(true);
    expect(table.calls).toBe(1);
    now += 1;
    expect(table.calls).toBe(0);
    expect(table.live).toBe(false);
    expect(table.size).toBe(0);
  });

  it("never forgets a call that stands", () => {
    call();
    now += 7 * 86_400_000;
    expect(table.live).toBe(true);
    expect(judge(inside())).toBe("dialog");
  });

  it("knows a branch that is under way", () => {
    expect(table.isPending(scanned(request()))).toBe(false);
    send(request());
    expect(table.isPending(scanned(request()))).toBe(true);
    expect(table.isPending(scanned(request({ method: "OPTIONS" })))).toBe(false);
    receive(answer(180, { toTag: "b1" }));
    expect(table.isPending(scanned(request()))).toBe(true);
    receive(answer(486, { toTag: "b1" }));
    expect(table.isPending(scanned(request()))).toBe(false);
  });
});

describe("what makes a dialog the client's own", () => {
  it.each(["sip:mallory@acme.example", "sip:alice@acme.example:5060", "sip:ALICE@acme.example", "tel:+1900"])(
    "is its From: %s is another",
    (from) => {
      call();
      expect(judge(inside().replace(alice, from))).toBe("From is not the dialog's own");
      expect(judge(inside().replace(alice, "sip:alice@ACME.example"))).toBe("dialog");
    },
  );

  it("is, in answers, From and To of the request and the host of its topmost Via", () => {
    deliver(incoming());
    expect(respond(ours(200).replace(`<${bob}>`, "<sip:mallory@acme.example>"))).toMatch(/From or To/);
    expect(respond(ours(200).replace(`<${alice}>`, "<sip:mallory@acme.example>"))).toMatch(/From or To/);
    expect(respond(ours(200).replace("SIP/2.0/WS edge", "SIP/2.0/WS evil.example"))).toMatch(/Via list/);
    expect(respond(ours(200))).toBeUndefined();
  });

  it("leads to a trunk where it began with a number", () => {
    const invite = readOf(request());
    table.sent(invite, replyHead(invite.message), undefined, true);
    receive(answer(200, { toTag: "b1" }));
    call({ branch: "2", callId: "c2" });
    take({ callId: "c3" });
    const towards = (text: string): boolean => table.towardsTrunk(scanned(text));
    expect(towards(inside())).toBe(true);
    expect(towards(ours(200, { method: "INFO", fromTag: "b1", toTag: "a1" }))).toBe(true);
    expect(towards(inside({ callId: "c2" }))).toBe(false);
    expect(towards(inside({ callId: "c3", fromTag: "l1", toTag: "f1" }))).toBe(false);
    expect(towards(inside({ toTag: "b2" }))).toBe(false);
    expect(towards(request())).toBe(false);
  });
});

describe("what is unfinished", () => {
  it("is BYE to calls that stand, CANCEL to those that ring, and an answer to INVITEs that wait", () => {
    call({ extra: recordRoutes });
    sendInside(inside({ method: "INFO", cseq: 7, extra: routes }));
    receive(answer(200, { method: "INFO", branch: "b", cseq: 7, toTag: "b1" }));
    send(request({ branch: "2", callId: "c2", cseq: 5 }));
    receive(answer(180, { branch: "2", callId: "c2", cseq: 5, toTag: "b1" }));
    send(request({ branch: "3", callId: "c3" }));
    receive(answer(486, { branch: "3", callId: "c3", toTag: "b1" }));
    send(request({ branch: "4", callId: "c4", method: "SUBSCRIBE" }));
    deliver(incoming({ callId: "c5", vias: "SIP/2.0/WS edge;branch=z9hG4bK5" }));
    take({ callId: "c6", extra: [] });
    const { byes, cancels, ringing } = table.unfinished();
    expect(byes).toMatchObject([
      {
        requestUri: target,
        routes: ["sip:r1;lr;ftag=a1", "sip:r2;lr"],
        from: `<${alice}>;tag=a1`,
        to: `<${bob}>;tag=b1`,
        callId: "c1",
        cseq: 8,
      },
      {
        requestUri: target,
        routes: [],
        from: `<${alice}>;tag=l1`,
        to: `<${bob}>;tag=f1`,
        callId: "c6",
        cseq: 1,
      },
    ]);
    const ringingCall = { from: `<${alice}>;tag=a1`, to: `<${bob}>`, callId: "c2", cseq: 5 };
    expect(cancels).toMatchObject([{ requestUri: bob, routes: [], ...ringingCall }]);
    expect(ringing.map(({ callId }) => callId)).toEqual(["c5"]);
  });

  it("is the same at the client, in the other side's name, above every number that that has used", () => {
    const contact = "sip:alice@abc.invalid;transport=ws";
    send(request({ contact }));
    receive(answer(200, { toTag: "b1" }));
    deliver(incoming({ method: "INFO", callId: "c1", fromTag: "b1", toTag: "a1", cseq: 41 }));
    send(request({ branch: "2", callId: "c2", contact }));
    deliver(incoming({ callId: "c5", vias: "SIP/2.0/WS edge;branch=z9hG4bK5" }));
    take({ callId: "c6", cseq: 7 });
    const { byes, cancels, ringing } = table.unfinishedAtClient();
    const [from, to] = [`<${bob}>;tag=b1`, `<${alice}>;tag=a1`];
    expect(byes).toMatchObject([
      { requestUri: contact, routes: [], from, to, callId: "c1", cseq: 42 },
      { requestUri: "sip:x@abc.invalid", from: `<${bob}>;tag=f1`, to: `<${alice}>;tag=l1`, callId: "c6", cseq: 8 },
    ]);
    const via = "SIP/2.0/WS edge;branch=z9hG4bK5";
    expect(cancels).toMatchObject([{ requestUri: "sip:x@abc.invalid", callId: "c5", cseq: 1, via }]);
    expect(ringing.map(({ callId }) => callId)).toEqual(["c2"]);
  });

  it("is nothing at a client that showed no Contact to reach it by", () => {
    call();
    expect(table.unfinishedAtClient().byes).toEqual([]);
  });

  it("is that of one call alone, by who called, and that one is over then and no other", () => {
    call();
    call({ callId: "c2", branch: "2" });
    take({ callId: "c1", vias: "SIP/2.0/WS edge;branch=z9hG4bK5" });
    deliver(incoming({ callId: "c5", vias: "SIP/2.0/WS edge;branch=z9hG4bK6" }));
    const [out, into] = [
      { callId: "c1", tag: "a1", outgoing: true },
      { callId: "c5", tag: "f1", outgoing: false },
    ];
    expect(table.unfinished(out).byes).toMatchObject([{ from: `<${alice}>;tag=a1` }]);
    expect(table.unfinished(into)).toMatchObject({ byes: [], cancels: [], ringing: [{ callId: "c5" }] });
    table.endCall(out);
    table.endCall(into);
    expect(table.unfinished().byes.map(({ callId, from }) => [callId, from])).toEqual([
      ["c2", `<${alice}>;tag=a1`],
      ["c1", `<${alice}>;tag=l1`],
    ]);
    expect(table.unfinished().ringing).toEqual([]);
    expect(respond(ours(200, { callId: "c5", vias: "SIP/2.0/WS edge;branch=z9hG4bK6" }))).toContain("no request");
  });

  it("is nothing where nothing began, or all is over", () => {
    expect(table.unfinished()).toEqual({ byes: [], cancels: [], ringing: [] });
    deliver(incoming());
    respond(ours(486));
    call();
    sendInside(inside());
    receive(answer(200, { method: "BYE", branch: "b", cseq: 2, toTag: "b1", contact: undefined }));
    expect(table.unfinished()).toEqual({ byes: [], cancels: [], ringing: [] });
  });
});

describe("calls, live and abandon", () => {
  it("counts calls, not forks, re-INVITEs or subscriptions", () => {
    expect([table.calls, table.live]).toEqual([0, false]);
    send(request());
    expect([table.calls, table.live]).toEqual([1, true]);
    receive(answer(180, { toTag: "b1" }));
    receive(answer(180, { toTag: "b2" }));
    expect(table.calls).toBe(1);
    receive(answer(200, { toTag: "b1" }));
    sendInside(inside({ method: "INVITE" }));
    send(request({ method: "SUBSCRIBE", branch: "s", callId: "c3" }));
    receive(answer(202, { method: "SUBSCRIBE", branch: "s", callId: "c3", toTag: "b1" }));
    expect(table.calls).toBe(1);
    take({ callId: "c4" });
    expect(table.calls).toBe(2);
  });

  it("counts without going through what only waits for the client, for each INVITE counts the calls of every leg", () => {
    let looks = 0;
    const idle = new Dialogs({ now: () => ++looks });
    for (let n = 0; n < 5; n++) idle.delivered(scanned(incoming({ method: "MESSAGE", vias: `${edge}${n}` })));
    looks = 0;
    expect([idle.calls, looks]).toEqual([0, 0]);
  });

  it("lives while a request waits, in either direction, and not after its refusal", () => {
    send(request({ method: "OPTIONS" }));
    expect(table.live).toBe(true);
    receive(answer(404, { method: "OPTIONS" }));
    expect(table.live).toBe(false);
    deliver(incoming({ method: "OPTIONS" }));
    expect(table.live).toBe(true);
    respond(ours(404, { method: "OPTIONS" }));
    expect(table.live).toBe(false);
    send(request());
    receive(answer(486, { toTag: "b1" }));
    expect(table.live).toBe(false);
  });

  it("abandons what was never answered, with its early dialogs, and keeps calls that stand", () => {
    call();
    send(request({ branch: "2", callId: "c2" }));
    receive(answer(180, { branch: "2", callId: "c2", toTag: "b1" }));
    send(request({ method: "OPTIONS", branch: "3", callId: "c3" }));
    send(request({ method: "MESSAGE", branch: "4", callId: "c4" }));
    receive(answer(200, { method: "MESSAGE", branch: "4", callId: "c4" }));
    expect(table.abandon().map(({ method, callId }) => `${method} ${callId}`)).toEqual(["INVITE c2", "OPTIONS c3"]);
    expect(table.size).toBe(1);
    expect(judge(inside())).toBe("dialog");
    expect(table.abandon()).toEqual([]);
  });
});
