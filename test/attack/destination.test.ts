import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { answered, type Call, establish, exchange, responseTo } from "../helpers/dialog.ts";
import { globexSecret, type TestGateway } from "../helpers/gateway.ts";
import { code, credential, status, unique } from "../helpers/raw-client.ts";
import { header, request, uriOf } from "../helpers/raw-sip.ts";
import { Scene } from "../helpers/scene.ts";

let scene: Scene;
/** Acme may REFER and SUBSCRIBE there, and neither MESSAGE nor INFO. */
let referring: TestGateway;
/** Acme may dial whole countries there, and of what is restricted one premium range and one emergency number. */
let worldly: TestGateway;

beforeAll(async () => {
  scene = await Scene.open({ trunk: "busy", acme: `    dial: ["+1555*", "+49302*"]` });
  const methods = "REGISTER, INVITE, ACK, CANCEL, BYE, OPTIONS, REFER, SUBSCRIBE";
  referring = await scene.another({ acme: `    methods: [${methods}]` });
  const dial = ["+32*", "+1*", "+4930*", "00*", "0*", "9*", "+44*", "+8*", "+31909*", "999"];
  worldly = await scene.another({ acme: `    dial: ${JSON.stringify(dial)}` });
});
afterAll(() => scene.close());

/** What came to the trunk in that call. */
const atTrunk = (callId: string): string[] =>
  scene.trunk.messages().filter((message) => header(message, "Call-ID") === callId);

/** INVITE (or another request) to this Request-URI: the verdict; that Kamailio and the trunk saw nothing is asserted. */
async function refusal(uri: string, method = "INVITE", gateway?: TestGateway, extra: readonly string[] = []) {
  const user = await scene.stranger("alice", "acme.example", gateway);
  const callId = `attack-${unique()}`;
  const refused = await user.prove(method, uri, { callId, extra });
  expect(await scene.arrived(callId)).toEqual([]);
  expect(atTrunk(callId)).toEqual([]);
  return [status(refused), code(refused)];
}

const denied = [403, "destination-denied"] as const;
const malformed = [400, "message-malformed"] as const;

describe("a telephone number of nobody's, or of another customer's", () => {
  it.each([
    "sip:+19005551234@acme.example",
    "sip:19005551234@acme.example",
    "sip:0019005551234@acme.example",
    "sip:9005551@acme.example",
    "sip:+190@acme.example",
    "sip:+1-900-555-1234@acme.example",
    "sip:+1.900.555.1234@acme.example",
    "sip:+1(900)5551234@acme.example",
    "sip:(1)9005551234@acme.example",
    "sip:-19005551234@acme.example",
    "sip:%2B19005551234@acme.example",
    "sip:%2b1900%35551234@acme.example",
    "sip:%31%39%30%30%35%35%35%31%32%33%34@acme.example",
    "sip:+1%20900%205551234@acme.example",
    "sip:%D9%A1%D9%A9%D9%A0%D9%A0%D9%A5%D9%A5%D9%A5@acme.example",
    "sip:%EF%BC%8B19005551234@acme.example",
    "sip:+1%C2%A09005551234@acme.example",
    "sip:+1%099005551234@acme.example",
    "sip:+1%2D900%2D5551234@acme.example",
    "sip:+19005551234@ACME.example",
    "sip:+19005551234@voxout.postern.example",
    "sip:0019005551234@voxout.postern.example",
    "sip:911@voxout.postern.example",
    "sip:+19005551234@acme.example;user=phone",
    "sip:+19005551234@acme.example;user=ip",
    "tel:+19005551234",
    "tel:19005551234",
    "tel:+1-900-555-1234",
    "TEL:+19005551234",
    "tel:%2B19005551234",
    "sip:+49301234567@acme.example",
    "sip:49301234567@acme.example",
    "tel:+49301234567",
    "sip:+49301234567@voxout.postern.example",
    "sip:+322588@acme.example",
    "sip:+1555@globex.example",
    `sip:+3225887${"0".repeat(40)}@acme.example`,
    "sip:%EF%BC%91%EF%BC%99%EF%BC%90%EF%BC%90%EF%BC%95%EF%BC%95%EF%BC%95@acme.example",
    "sip:%C2%B9%E2%81%B9%E2%81%B0%E2%81%B0@acme.example",
    "sip:%252B19005551234@acme.example",
    "sip:+1%009005551234@acme.example",
    "sip:+1%0D%0A9005551234@acme.example",
    "sip:+1%7C9005551234@acme.example",
    "sips:+19005551234@acme.example",
    "sip:+19005551234@acme.example;transport=udp",
    "sip:+19005551234@acme.example;lr",
    "sip:+19005551234@acme.example;method=MESSAGE",
    "sip:+19005551234@acme.example;ttl=1;user=dialstring",
    "sip:+19005551234;phone-context=acme.example@acme.example",
    "sip:9005551234;phone-context=+1@acme.example;user=phone",
    "sip:+19005551234%3Bphone-context=acme.example@acme.example",
    "sip:+19005551234;postd=pp1@acme.example",
    "sip:+19005551234;ext=1@voxout.postern.example",
    "tel:9005551234;phone-context=+1",
    "tel:+1%209005551234",
    "tel:%EF%BC%8B19005551234",
    "tel:*6719005551234",
    "tel:+19005551234;tgrp=x;trunk-context=192.0.2.66",
  ])("is refused in every spelling: %s", async (uri) => {
    expect(await refusal(uri)).toEqual(denied);
  });
});

describe("a premium-rate, satellite or emergency number below what may be dialled", () => {
  it.each([
    "sip:+19005551234@acme.example",
    "sip:+1-900-555.1234@acme.example",
    "sip:+1%20(900)%205551234@acme.example",
    "sip:%2B1%39005551234@acme.example",
    "sip:0019005551234@acme.example",
    "sip:19005551234@acme.example",
    "sip:9005551234@voxout.postern.example",
    "tel:+19005551234",
    "tel:19005551234",
    "tel:0019005551234",
    "sip:+3290012345@acme.example",
    "sip:+32(0)90012345@voxout.postern.example",
    "sip:003290012345@acme.example",
    "sip:0032090012345@acme.example",
    "sip:090012345@acme.example",
    "tel:0900-123-45",
    "sip:+449098790123@acme.example",
    "sip:00447012345678@acme.example",
    "sip:+870773123456@acme.example",
    "tel:00881612345678",
    "sip:112@acme.example",
    "sip:9-1-1@acme.example",
    "sip:%30%30%30@acme.example",
    "sip:112@voxout.postern.example",
    "tel:112",
    "tel:911",
    "sip:+32112@acme.example",
    "sip:00112@acme.example",
    "sip:0112@acme.example",
    "sip:9911@acme.example",
    "sip:+1911@acme.example",
  ])("is refused in every spelling: %s", async (uri) => {
    expect(await refusal(uri, "INVITE", worldly)).toEqual(denied);
  });

  it("is refused in Refer-To too", async () => {
    const refer = await scene.another({ acme: `    dial: ["+32*"]\n    methods: [REGISTER, INVITE, ACK, BYE, REFER]` });
    const extra = ["Refer-To: <sip:+3290012345@acme.example>"];
    expect(await refusal("sip:bob@acme.example", "REFER", refer, extra)).toEqual(denied);
  });

  it.each([
    ["sip:+12125551234@acme.example", "+12125551234"],
    ["sip:+3221112222@acme.example", "+3221112222"],
    ["sip:003221112222@acme.example", "003221112222"],
    ["sip:021112222@acme.example", "021112222"],
    ["sip:+442079460000@voxout.postern.example", "+442079460000"],
    ["tel:+31909123456", "+31909123456"],
    ["sip:9-9-9@acme.example", "999"],
  ])("has neighbours, and those that are listed, which are called: %s", async (uri, number) => {
    const user = await scene.stranger("alice", "acme.example", worldly);
    const callId = `twin-${unique()}`;
    const busy = await user.prove("INVITE", uri, { callId });
    expect(status(busy), busy).toBe(486);
    expect((await scene.came(callId, "INVITE")).requestUri).toBe(uri);
    expect(atTrunk(callId)[0]?.startsWith(`INVITE sip:${number}@127.0.0.9:`)).toBe(true);
  });
});

describe("a telephone number that no two readers read alike", () => {
  it.each([
    "sip:+19005551234@acme.example?X-A=b",
    "sip:+1900:5551234@acme.example",
    "sip:+1900@5551234@acme.example",
    "sip:+1 9005551234@acme.example",
    "sip:\xef\xbc\x8b19005551234@acme.example",
    "sip:+1\xc2\xa09005551234@acme.example",
    "sip:+1900%5x51234@acme.example",
    "sip:+1900\\5551234@acme.example",
    "sip:+19005551234@acme.example;user=phone;user=ip",
    "<sip:+19005551234@acme.example>",
    "sip:+19005551234@acme.example, sip:bob@acme.example",
    "tel:+19005551234@acme.example",
  ])("is malformed before anything is asked: %j", async (uri) => {
    const user = await scene.stranger("alice");
    const callId = `attack-${unique()}`;
    user.client.send(request({ ...user.parts("INVITE", "sip:bob@acme.example"), uri, callId }));
    // A start line that cannot be read at all is noise, and ends the connection.
    const outcome = await Promise.race([
      user.client.take((got) => /^SIP\/2\.0 [4-6]/.test(got)).then(code),
      user.client.closed.then(({ reason }) => reason.split(":", 1)[0]),
    ]);
    expect(outcome).toBe("message-malformed");
    expect(await scene.arrived(callId)).toEqual([]);
    expect(atTrunk(callId)).toEqual([]);
  });

  it.each([
    "*6719005551234",
    "p19005551234",
    "19005551234,,1",
    "00+19005551234",
    "+1900555x1234",
    "1-900-FLOWERS",
    "+",
  ])("or only nearly one is a user of one's own, and goes to no trunk: %s", async (name) => {
    const alice = await scene.stranger("alice");
    const callId = `nearly-${unique()}`;
    const nobody = await alice.prove("INVITE", `sip:${name}@acme.example`, { callId });
    expect(status(nobody), nobody).toBe(480);
    expect((await scene.came(callId, "INVITE")).header("X-Postern-Grant")).toContain("|trunk=|trunk2=|caller=|");
    expect(atTrunk(callId)).toEqual([]);
    expect(await refusal(`sip:${name}@voxout.postern.example`)).toEqual(denied);
  });
});

describe("its own number", () => {
  it.each([
    ["sip:+3225887001@acme.example", "+3225887001"],
    ["sip:3225887001@acme.example", "3225887001"],
    ["sip:+32-2588.7(001)@acme.example", "+3225887001"],
    ["sip:%2B3225887001@acme.example", "+3225887001"],
    ["sip:+3225887001@ACME.Example", "+3225887001"],
    ["sip:+3225887001@voxout.postern.example", "+3225887001"],
    ["tel:+3225887001", "+3225887001"],
    ["tel:+32-2588-7001", "+3225887001"],
    ["sip:+15551234567@acme.example", "+15551234567"],
    ["sip:+15551234567@voxout.postern.example", "+15551234567"],
  ])("or one in its dial list is called on its trunk: %s", async (uri, number) => {
    const user = await scene.stranger("alice");
    const callId = `twin-${unique()}`;
    const busy = await user.prove("INVITE", uri, { callId });
    expect(status(busy), busy).toBe(486);
    const seen = await scene.came(callId, "INVITE");
    expect(seen.requestUri).toBe(uri);
    expect(seen.header("X-Postern-Grant")).toContain(`|trunk=${scene.trunk.uri}|trunk2=|caller=+3225887000|`);
    expect(atTrunk(callId)[0]?.startsWith(`INVITE sip:${number}@127.0.0.9:`)).toBe(true);
  });

  it("or another customer's in its dial list goes to that customer's trunk", async () => {
    const user = await scene.stranger("alice");
    const callId = `twin-${unique()}`;
    void user.prove("INVITE", "sip:+49302000@acme.example", { callId }).catch(() => {});
    const seen = await scene.came(callId, "INVITE");
    expect(seen.header("X-Postern-Grant")).toContain("|trunk=sip:127.0.0.8:5060|trunk2=|caller=+3225887000|");
    expect(atTrunk(callId)).toEqual([]);
  });

  it.each([
    "sip:+3225887001;phone-context=+1@acme.example",
    "sip:+3225887001;phone-context=evil.example@acme.example",
    "sip:+3225887001;isub=1@acme.example",
    "tel:3225887001;phone-context=+1900",
    "tel:+3225887001;isub=19005551234",
    "sip:+3225887001@acme.example;maddr=192.0.2.66",
    "sip:+3225887001@acme.example;MADDR=192.0.2.66",
    "sip:+3225887001@acme.example;alias=192.0.2.66~5060~1",
    "sip:+3225887001@acme.example;received=192.0.2.66",
    "sip:+3225887001@acme.example:5070",
    "sip:+3225887001@192.0.2.66",
    "sip:+3225887001@[2001:db8::66]",
    "sip:+3225887001@globex.example",
    "sip:+3225887001@sub.acme.example",
    "sip:+3225887001@acme.example.",
    "sip:+3225887001@127.0.0.9",
    "sips:+3225887001@acme.example",
  ])("is refused where something leads elsewhere: %s", async (uri) => {
    expect(await refusal(uri)).toEqual(denied);
  });
});

describe("a user", () => {
  it("of one's own domain is called; with up to six digits it is an extension, and the grant names no trunk", async () => {
    for (const user of ["bob", "4411", "9112", "112233"]) {
      const alice = await scene.stranger("alice");
      const callId = `twin-${unique()}`;
      const nobody = await alice.prove("INVITE", `sip:${user}@acme.example`, { callId });
      expect(status(nobody), nobody).toBe(480);
      const seen = await scene.came(callId, "INVITE");
      expect(seen.header("X-Postern-Grant")).toContain("|trunk=|trunk2=|caller=|");
      expect(atTrunk(callId)).toEqual([]);
    }
  });

  it.each([
    "sip:bob@globex.example",
    "sip:bob@voxout.postern.example",
    "sip:bob@192.0.2.66",
    "sip:bob@acme.example.evil.example",
    "sip:bob@acme.example:5070",
    "sip:bob@acme.example;maddr=192.0.2.66",
    "sip:bob@acme.example;alias=192.0.2.66~5060~1",
    "sip:bob@acme.example;received=192.0.2.66",
    "sip:bob;x=y@acme.example",
    "sip:bob%00@acme.example",
    "sip:bob%7Ctrunk=x@acme.example",
    "sip:bob%40globex.example@acme.example",
    "sips:bob@acme.example",
    "sip:acme.example",
    "sip:globex.example",
    "sip:voxout.postern.example",
    "urn:service:sos",
    "http://acme.example/",
  ])("elsewhere, or one that only looks like one's own, is refused: %s", async (uri) => {
    expect(await refusal(uri)).toEqual(denied);
  });

  it.each<[string, readonly string[]]>([
    ["users", ["sip:dave00@globex.example", "sip:nobody@globex.example", "sip:nobody@nobody.example"]],
    ["domains", ["sip:globex.example", "sip:nobody.example"]],
    ["numbers", ["sip:+493012345678@acme.example", "sip:+190012345678@acme.example"]],
    ["tel: numbers", ["tel:+493012345678", "tel:+190012345678"]],
  ])("is not found out by a refusal: which %s are another customer's", async (_, uris) => {
    const dave = await scene.connect();
    const there = credential("dave00@globex.example", { secret: globexSecret });
    expect(status(await dave.register("dave00@globex.example", there))).toBe(200);
    const alice = await scene.stranger("alice");
    const told: [string, number][] = [];
    for (const uri of uris) {
      const callId = `attack-${unique()}`;
      const refused = await alice.prove("OPTIONS", uri, { callId, to: alice.address });
      expect([status(refused), code(refused)]).toEqual(denied);
      const text = refused.replace(/^(?:Via|From|To|Call-ID): .*\r\n/gm, "");
      told.push([text, refused.replace(/^(?:Via|Call-ID|From): .*\r\n/gm, "").length]);
      expect(await scene.arrived(callId)).toEqual([]);
    }
    for (const one of told) expect(one).toEqual(told[0]);
    dave.close();
  });

  it("of another customer gets nothing, though registered there", async () => {
    const dave = await scene.user("dave", "globex.example");
    for (const method of ["INVITE", "MESSAGE"]) {
      expect(await refusal(`sip:${dave.address}`, method)).toEqual(denied);
    }
    const kin = await scene.stranger("kin", "globex.example");
    const parts = kin.parts("MESSAGE", `sip:${dave.address}`);
    void kin.client.prove(parts, kin.given).catch(() => {});
    await dave.client.take((text) => text.includes(parts.callId));
    expect(dave.client.received).toEqual([]);
  });

  it("is needed by all but OPTIONS", async () => {
    for (const method of ["INVITE", "MESSAGE"]) expect(await refusal("sip:acme.example", method)).toEqual(denied);
    expect(await refusal("sip:globex.example", "OPTIONS")).toEqual(denied);
    expect(await refusal("sip:voxout.postern.example", "OPTIONS")).toEqual(denied);
    const alice = await scene.stranger("alice");
    expect(status(await alice.prove("OPTIONS", "sip:acme.example"))).toBe(200);
  });
});

describe("what is no call", () => {
  it.each(["MESSAGE", "OPTIONS", "SUBSCRIBE", "REFER", "INVITE"])(
    "goes nowhere else than a call would: %s",
    async (method) => {
      const extra = ["Event: presence", "Refer-To: <sip:bob@acme.example>"];
      const targets = [
        "sip:+19005551234@acme.example",
        "tel:+19005551234",
        "sip:dave@globex.example",
        "sip:bob@192.0.2.66",
        "sip:bob@acme.example;maddr=192.0.2.66",
        "sip:bob@acme.example:5070",
      ];
      const gateway = method === "MESSAGE" ? scene.gateway : referring;
      for (const uri of targets) expect(await refusal(uri, method, gateway, extra), uri).toEqual(denied);
      const alice = await scene.stranger("alice", "acme.example", gateway);
      const callId = `twin-${unique()}`;
      void alice.prove(method, "sip:bob@acme.example", { callId, extra }).catch(() => {});
      expect((await scene.came(callId, method)).requestUri).toBe("sip:bob@acme.example");
    },
  );

  it("makes nobody a target: a NOTIFY of a subscription that nobody made is unknown, PUBLISH has no place", async () => {
    const [alice, bob] = [await scene.user("alice"), await scene.user("bob")];
    const inside = { toTag: "made-up", extra: ["Event: presence", "Subscription-State: active"], to: bob.address };
    for (const method of ["NOTIFY", "SUBSCRIBE", "PUBLISH"]) {
      const parts = alice.parts(method, uriOf(bob.contact), inside);
      const refused = await alice.client.ask(parts);
      expect([status(refused), code(refused)], method).toEqual([481, "dialog-unknown"]);
      expect(await scene.arrived(parts.callId, alice)).toEqual([]);
    }
    expect(bob.client.received).toEqual([]);
  });
});

describe("a method", () => {
  it.each(["REFER", "SUBSCRIBE", "PUBLISH", "NOTIFY", "SERVICE", "invite", "X-NEW"])(
    "that the customer does not have is refused outside a dialog: %s",
    async (method) => {
      const extra = ["Event: presence", "Refer-To: <sip:bob@acme.example>"];
      expect(await refusal("sip:bob@acme.example", method, undefined, extra)).toEqual([403, "method-denied"]);
    },
  );

  it.each(["MESSAGE"])("that the customer gave up is refused, and passes for who has it: %s", async (method) => {
    expect(await refusal("sip:bob@acme.example", method, referring)).toEqual([403, "method-denied"]);
    const alice = await scene.stranger("alice");
    const callId = `twin-${unique()}`;
    await alice.prove(method, "sip:bob@acme.example", { callId });
    await scene.came(callId, method);
  });

  it.each(["BYE", "INFO", "UPDATE", "PRACK"])("of dialogs alone is unknown outside one: %s", async (method) => {
    expect(await refusal("sip:bob@acme.example", method)).toEqual([481, "dialog-unknown"]);
  });

  it.each(["REFER", "INFO"])("is judged inside a dialog too: %s", async (method) => {
    const gateway = method === "REFER" ? scene.gateway : referring;
    const { call, alice } = await callOn(gateway);
    const text = call.fromCaller(method, { extra: ["Refer-To: <sip:bob@acme.example>"] });
    const refused = await exchange(alice, text);
    expect([status(refused), code(refused)]).toEqual([403, "method-denied"]);
    expect(cseqs(await scene.arrived(call.callId, alice), method)).toEqual([]);
    await hangUp(call);
  });
});

/** Alice and Bob in a call through this gateway. */
async function callOn(gateway: TestGateway) {
  const [alice, bob] = [
    await scene.user("alice", "acme.example", gateway),
    await scene.user("bob", "acme.example", gateway),
  ];
  return { alice, bob, call: await establish(alice, bob) };
}

const cseqs = (seen: readonly { method: string | undefined }[], method: string) =>
  seen.filter((one) => one.method === method);

async function hangUp(call: Call): Promise<void> {
  const bye = call.fromCaller("BYE");
  call.caller.client.send(bye);
  await answered(call.callee, call.callId, "BYE");
  expect(status(await responseTo(call.caller, bye))).toBe(200);
}

describe("REFER of a customer who has it", () => {
  it.each([
    ["<sip:+19005551234@acme.example>", denied],
    ["<sip:%2B19005551234@acme.example>", denied],
    ["<tel:+19005551234>", denied],
    ["sip:+19005551234@acme.example", denied],
    ["<sip:bob@globex.example>", denied],
    ["<sip:bob@192.0.2.66>", denied],
    ["<sip:bob@acme.example;maddr=192.0.2.66>", denied],
    ["<sip:bob@acme.example?X-Postern-Grant=1>", denied],
    ["<sip:bob@acme.example?Route=%3Csip:192.0.2.66%3E>", denied],
    ["<sip:bob@acme.example?Replaces=1%3Bto-tag%3Da%3Bfrom-tag%3Db&X-Postern-Grant=1>", denied],
    ["<sip:bob@acme.example?Replaces=1%3Bto-tag%3Da%3Bfrom-tag%3Db>", [481, "dialog-unknown"]],
    ["<sip:1:bob@acme.example>", denied],
    ["<http://evil.example/>", denied],
    ['"<sip:bob@acme.example>" <sip:bob@globex.example>', denied],
  ])("is refused where Refer-To leads elsewhere: %s", async (target, wanted) => {
    const { call, alice } = await callOn(referring);
    const refused = await exchange(alice, call.fromCaller("REFER", { extra: [`Refer-To: ${target}`] }));
    expect([status(refused), code(refused)]).toEqual(wanted);
    const outside = await refusal("sip:bob@acme.example", "REFER", referring, [`Refer-To: ${target}`]);
    expect(outside).toEqual(wanted);
    expect(cseqs(await scene.arrived(call.callId), "REFER")).toEqual([]);
    await hangUp(call);
  });

  it.each<[string, readonly string[], readonly [number, string]]>([
    ["in compact form", ["r: <sip:+19005551234@acme.example>"], denied],
    ["in compact form, with a blank", ["R \t: <sip:+19005551234@acme.example>"], denied],
    ["folded", ["Refer-To:\r\n <sip:carol@acme.example>"], malformed],
    ["twice", ["Refer-To: <sip:carol@acme.example>", "r: <sip:+19005551234@acme.example>"], malformed],
    ["two in one", ["Refer-To: <sip:carol@acme.example>, <sip:+19005551234@acme.example>"], malformed],
    ["none", [], malformed],
  ])("is refused however Refer-To is written: %s", async (_, extra, wanted) => {
    const { call, alice, bob } = await callOn(referring);
    const refused = await exchange(alice, call.fromCaller("REFER", { extra }));
    expect([status(refused), code(refused)]).toEqual(wanted);
    expect(cseqs(await scene.arrived(call.callId), "REFER")).toEqual([]);
    const right = call.fromCaller("REFER", { extra: ["r : <sip:carol@acme.example>"] });
    alice.client.send(right);
    await answered(bob, call.callId, "REFER");
    expect(status(await responseTo(alice, right))).toBe(200);
    await hangUp(call);
  });

  it.each(["<sip:carol@acme.example>", "<sip:+3225887001@acme.example>", "sip:carol@acme.example"])(
    "passes where Refer-To is one's own to call: %s",
    async (target) => {
      const { call, alice, bob } = await callOn(referring);
      const refer = call.fromCaller("REFER", { extra: [`Refer-To: ${target}`] });
      alice.client.send(refer);
      expect(header(await answered(bob, call.callId, "REFER"), "Refer-To")).toBe(target);
      expect(status(await responseTo(alice, refer))).toBe(200);
      await hangUp(call);
    },
  );

  it("replaces its own dialog, and nobody else's", async () => {
    const { call, alice, bob } = await callOn(referring);
    const carol = await scene.user("carol", "acme.example", referring);
    const replaces = `${call.callId}%3Bto-tag%3D${call.toTag}%3Bfrom-tag%3D${call.fromTag}`;
    const target = `Refer-To: <sip:${bob.address}?Replaces=${replaces}>`;
    const foreign = await carol.prove("REFER", `sip:${bob.address}`, { extra: [target], callId: "refer-foreign" });
    expect([status(foreign), code(foreign)]).toEqual([481, "dialog-unknown"]);
    expect(await scene.arrived("refer-foreign", carol)).toEqual([]);
    const refer = call.fromCaller("REFER", { extra: [target] });
    alice.client.send(refer);
    await answered(bob, call.callId, "REFER");
    expect(status(await responseTo(alice, refer))).toBe(200);
    await hangUp(call);
  });
});

describe("INVITE with Replaces or Join", () => {
  it.each(["Replaces", "replaces", "Join"])(
    "is refused for a dialog of others, passes for one's own: %s",
    async (name) => {
      const { call, alice, bob } = await callOn(scene.gateway);
      const mallory = await scene.user("mallory");
      const dave = await scene.user("dave", "globex.example");
      const orders = [
        [call.toTag, call.fromTag],
        [call.fromTag, call.toTag],
      ];
      for (const thief of [mallory, dave]) {
        for (const [to, from] of orders) {
          const line = `${name}: ${call.callId};to-tag=${to};from-tag=${from}`;
          const callId = `steal-${unique()}`;
          const own = `sip:somebody@${thief.domain}`;
          const refused = await thief.prove("INVITE", own, { callId, extra: [line] });
          expect([status(refused), code(refused)]).toEqual([481, "dialog-unknown"]);
          expect(await scene.arrived(callId, thief)).toEqual([]);
        }
      }
      const line = `${name}: ${call.callId};to-tag=${call.toTag};from-tag=${call.fromTag}`;
      const callId = `twin-${unique()}`;
      void alice.prove("INVITE", `sip:${bob.address}`, { callId, extra: [line] }).catch(() => {});
      expect((await scene.came(callId, "INVITE")).header(name)).toBe(line.slice(name.length + 2));
    },
  );
});
