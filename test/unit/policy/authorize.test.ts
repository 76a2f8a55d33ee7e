import { describe, expect, it } from "vitest";
import { Customers } from "../../../src/core/customers.ts";
import type { Identity, Narrowing, Permission } from "../../../src/core/identity.ts";
import {
  authorize,
  contactRefusal,
  methodRefusal,
  originRefusal,
  type Rights,
  type RightsContext,
  referenceRefusal,
} from "../../../src/policy/authorize.ts";
import { customer, identity } from "../../helpers/customers.ts";
import { readOf, sip, type Written } from "../../helpers/sip-text.ts";

const acme = customer({
  origins: ["https://www.acme.example"],
  numbers: ["+3225887*"],
  trunk: "sip:pbx.acme.example",
  callerId: "+3225887000",
  callFrom: ["voxrtc@voice.example", "*@desk.example"],
  methods: [...customer().methods, "REFER", "SUBSCRIBE"],
});
const alice = identity(acme);
const context: RightsContext = {
  customers: new Customers([acme]),
  gatewayDomains: new Set(),
  origin: "https://www.acme.example",
  allowMissingOrigin: false,
  ownsDialog: (callId, one, other) => callId === "c9" && [one, other].toSorted().join() === "l,r",
};
const judge = (written: Written, changes: Partial<RightsContext> = {}, of = alice): Rights =>
  authorize(of, readOf(sip(written)), { ...context, ...changes });
const verdict = (written: Written, changes?: Partial<RightsContext>, of = alice): string => {
  const rights = judge(written, changes, of);
  return rights.kind === "refused" ? rights.refusal.code : rights.kind;
};
const from = (uri: string): Written => ({ fields: { From: `<${uri}>;tag=1` } });
const register = (changes: Readonly<Record<string, string>> = {}, uri = "sip:acme.example"): Written => ({
  method: "REGISTER",
  uri,
  fields: { To: "<sip:alice@acme.example>", Contact: "<sip:x@abc.invalid;transport=ws>", ...changes },
});

describe("authorize", () => {
  it("allows a call to an own user, and to an own number with trunk and caller id", () => {
    expect(judge({})).toEqual({ kind: "allowed", trunk: "", trunk2: "", caller: "" });
    expect(judge({ uri: "sip:+3225887123@acme.example" })).toEqual({
      kind: "allowed",
      trunk: "sip:pbx.acme.example",
      trunk2: "",
      caller: "+3225887000",
    });
    expect(judge(register())).toEqual({ kind: "allowed", trunk: "", trunk2: "", caller: "" });
  });

  it("judges in the order origin, identity, method, destination", () => {
    const wrong = {
      method: "PUBLISH",
      uri: "sip:+1900@evil.example",
      fields: from("sip:mallory@acme.example").fields!,
    };
    expect(verdict(wrong, { origin: "https://evil.example" })).toBe("origin-denied");
    expect(verdict(wrong)).toBe("identity-mismatch");
    expect(verdict({ ...wrong, fields: {} })).toBe("method-denied");
    expect(verdict({ ...wrong, method: "INVITE", fields: {} })).toBe("destination-denied");
  });

  it("asks the customer itself about the origin", () => {
    expect(verdict({}, { origin: "https://www.globex.example" })).toBe("origin-denied");
    expect(verdict({}, { origin: undefined })).toBe("origin-denied");
    expect(verdict({}, { origin: undefined, allowMissingOrigin: true })).toBe("allowed");
    expect(verdict({}, { origin: "https://any.example" }, identity(customer()))).toBe("allowed");
    expect(originRefusal(acme, { origin: undefined, allowMissingOrigin: false })?.code).toBe("origin-denied");
    expect(originRefusal(customer(), { origin: undefined, allowMissingOrigin: false })?.code).toBe("origin-denied");
  });

  it.each([
    "sip:bob@acme.example",
    "sip:ALICE@acme.example",
    "sip:%61lice@acme.example",
    "sip:alice@acme2.example",
    "sip:alice@acme.example.",
    "sip:alice@acme.example:5060",
    "sip:alice@acme.example;transport=ws",
    "sip:alice@acme.example?x=y",
    "sip:alice;x=y@acme.example",
    "sips:alice@acme.example",
    "sip:acme.example",
    "tel:+3225887000",
    "sip:other@voice.example",
    "sip:VOXRTC@voice.example",
    "sip:voxrtc@voice.example:5060",
    "sip:voxrtc@voice.example;x",
    "sips:voxrtc@voice.example",
    "sip:voxrtc@www.voice.example",
    "sip:desk.example",
    "sip:a@b.desk.example",
  ])("refuses a call from %s", (uri) => expect(verdict(from(uri))).toBe("identity-mismatch"));

  it.each([
    "sip:alice@acme.example",
    "sip:alice@ACME.example",
    "SIP:alice@acme.example",
    "sip:voxrtc@voice.example",
    "sip:voxrtc@Voice.example",
    "sip:anyone@desk.example",
    "sip:+3225887000@desk.example",
  ])("allows a call from %s", (uri) => expect(verdict(from(uri))).toBe("allowed"));

  it("allows the user's own domain alone, not another one of the customer's", () => {
    const two = customer({ domains: ["acme2.example", "acme.example"] });
    const here = { ...context, customers: new Customers([two]), origin: undefined, allowMissingOrigin: true };
    expect(verdict({}, here, identity(two, { domain: "acme.example" }))).toBe("allowed");
    expect(verdict({}, here, identity(two))).toBe("identity-mismatch");
  });

  describe("REGISTER", () => {
    it.each([
      ["From of another", register({ From: "<sip:bob@acme.example>;tag=1" })],
      ["To of another", register({ To: "<sip:bob@acme.example>" })],
      ["From and To of another", register({ From: "<sip:bob@acme.example>;tag=1", To: "<sip:bob@acme.example>" })],
      ["From in callFrom", register({ From: "<sip:voxrtc@voice.example>;tag=1", To: "<sip:voxrtc@voice.example>" })],
      ["To with a port", register({ To: "<sip:alice@acme.example:5060>" })],
      ["To of another scheme", register({ To: "<sips:alice@acme.example>" })],
      ["a Request-URI of another domain", register({}, "sip:acme2.example")],
      ["a Request-URI with a user", register({}, "sip:alice@acme.example")],
      ["a Request-URI with a port", register({}, "sip:acme.example:5060")],
      ["a Request-URI with a parameter", register({}, "sip:acme.example;maddr=192.0.2.1")],
      ["a Request-URI of another scheme", register({}, "sips:acme.example")],
      ["a Contact on another host", register({ Contact: "<sip:x@def.invalid>" })],
      ["a second Contact on another host", register({ Contact: "<sip:x@abc.invalid>, <sip:x@192.0.2.1>" })],
    ])("is refused with %s", (_, written) => expect(verdict(written)).toBe("identity-mismatch"));

    it("may remove everything with *", () => {
      expect(verdict(register({ Contact: "*", Expires: "0" }))).toBe("allowed");
    });

    it("may ask for its bindings", () => {
      expect(verdict({ ...register(), fields: { To: "<sip:alice@acme.example>" } })).toBe("allowed");
    });

    it("is refused where the customer's methods have none", () => {
      const silent = identity(customer({ methods: ["INVITE"] }));
      expect(verdict(register(), {}, silent)).toBe("method-denied");
    });
  });

  it.each([
    "<sip:x@abc.invalid;maddr=192.0.2.1>",
    "<sip:x@abc.invalid;alias=192.0.2.1~5060~1>",
    "<sip:x@abc.invalid;received=192.0.2.1>",
    "<sip:x@abc.invalid>;received=192.0.2.1",
    '<sip:x@abc.invalid>;Received="sip:192.0.2.1"',
    "<sip:x@192.0.2.1>",
    "<sip:x@abc.invalid.evil.example>",
    "<sip:abc.invalid@evil.example>",
    "<tel:+3225887000>",
    "<http://abc.invalid/>",
    "<sip:x@abc.invalid>, <sip:y@evil.example>",
  ])("refuses Contact %s", (contact) => {
    expect(verdict({ fields: { Contact: contact } })).toBe("identity-mismatch");
    expect(contactRefusal(readOf(sip({ fields: { Contact: contact } })))?.code).toBe("identity-mismatch");
  });

  it.each([
    "<sip:x@abc.invalid;transport=ws;ob>",
    "<sip:ABC.invalid>",
    "sip:x@abc.invalid:5060;+sip.ice",
    "<sips:x@abc.invalid>",
  ])("allows Contact %s, on the host of the topmost Via", (contact) =>
    expect(verdict({ fields: { Contact: contact } })).toBe("allowed"),
  );

  it("measures Contact by the topmost Via, not by one below", () => {
    const via = "SIP/2.0/WS abc.invalid;branch=z9hG4bK1, SIP/2.0/WS def.invalid;branch=z9hG4bK2";
    expect(verdict({ fields: { Via: via, Contact: "<sip:x@def.invalid>" } })).toBe("identity-mismatch");
  });

  it("never refuses ACK, BYE and CANCEL for their method, and others where the customer's methods have them not", () => {
    const none = identity(customer({ methods: [] }));
    for (const method of ["ACK", "BYE", "CANCEL"]) expect(methodRefusal(none, method)).toBeUndefined();
    for (const method of ["INVITE", "REFER", "ack", "NOTIFY", ""])
      expect(methodRefusal(none, method)?.code).toBe("method-denied");
    for (const method of customer().methods) expect(methodRefusal(identity(), method)).toBeUndefined();
    for (const method of ["REFER", "SUBSCRIBE", "PUBLISH", "NOTIFY", "invite"]) {
      expect(methodRefusal(identity(), method)?.code).toBe("method-denied");
    }
  });

  describe("Refer-To", () => {
    const refer = (to: string, name = "Refer-To"): Written => ({ method: "REFER", fields: { [name]: to } });
    it.each([
      "<sip:carol@acme.example>",
      "sip:carol@acme.example",
      "<sip:+3225887123@acme.example>",
      "<tel:+3225887123>",
      "<sip:carol@acme.example;method=INVITE>",
      "<sip:carol@acme.example?Replaces=c9%3Bto-tag%3Dl%3Bfrom-tag%3Dr>",
      "<sip:carol@acme.example?replaces=c9%3bfrom-tag%3dl%3bto-tag%3dr%3bearly-only>",
    ])("may name %s", (to) => expect(verdict(refer(to))).toBe("allowed"));

    it.each([
      "<sip:carol@evil.example>",
      "<sip:+19005551234@acme.example>",
      "<tel:+19005551234>",
      "<sip:acme.example>",
      "<sips:carol@acme.example>",
      "<sip:carol:x@acme.example>",
      "<sip:carol@acme.example;maddr=192.0.2.1>",
      "<sip:carol@acme.example>, <sip:mallory@evil.example>",
      '"x <sip:carol@acme.example>',
      "carol",
      "",
      "<sip:carol@acme.example?Route=%3Csip:evil.example%3E>",
      "<sip:carol@acme.example?Replaces=c9%3Bto-tag%3Dl%3Bfrom-tag%3Dr&Route=x>",
      "<sip:carol@acme.example?Route=x&Replaces=c9%3Bto-tag%3Dl%3Bfrom-tag%3Dr>",
      "<sip:carol@acme.example?Replaces=>",
      `<sip:carol@acme.example?Replaces=${"x".repeat(513)}>`,
    ])("may not name %s", (to) => {
      expect(verdict(refer(to))).toBe("destination-denied");
      expect(verdict(refer(to, "r"))).toBe("destination-denied");
    });

    it.each([
      "<sip:carol@acme.example?Replaces=c8%3Bto-tag%3Dl%3Bfrom-tag%3Dr>",
      "<sip:carol@acme.example?Replaces=c9%3Bto-tag%3Dl%3Bfrom-tag%3Dx>",
      "<sip:carol@acme.example?Replaces=c9>",
      "<sip:carol@acme.example?Replaces=c9%253Bto-tag%3Dl%3Bfrom-tag%3Dr>",
    ])("may not replace a dialog of others: %s", (to) => expect(verdict(refer(to))).toBe("dialog-unknown"));
  });

  describe.each(["Replaces", "Join"])("%s", (name) => {
    const wanting = (value: string): Written => ({ fields: { [name]: value } });
    it.each(["c9;to-tag=l;from-tag=r", "c9 ; From-Tag=r ;TO-TAG=l", "c9;from-tag=l;to-tag=r;early-only;x=y"])(
      "may name a dialog of the leg: %s",
      (value) => expect(verdict(wanting(value))).toBe("allowed"),
    );

    it.each([
      "c8;to-tag=l;from-tag=r",
      "c9;to-tag=l;from-tag=x",
      "c9;to-tag=l",
      "c9;from-tag=r",
      "c9",
      "",
      ";to-tag=l;from-tag=r",
      "c9;to-tag=l;from-tag=r;to-tag=x",
      "c9;to-tag=l;from-tag=r;TO-TAG=x",
      "c9;to-tag =x;to-tag=l;from-tag=r",
      "c9;to-tag=l;from-tag=r, c8;to-tag=x;from-tag=y",
      'c9;to-tag=l;from-tag=r;x=",c8;to-tag=y"z',
      "c9,c8;to-tag=l;from-tag=r",
      'c9;to-tag="l";from-tag=r;to-tag=x',
    ])("may not name another, nor be read in two ways: %s", (value) => {
      expect(verdict(wanting(value))).toBe("dialog-unknown");
      expect(referenceRefusal(alice, readOf(sip(wanting(value))), context)?.code).toBe("dialog-unknown");
    });
  });
});

describe("what narrows a credential", () => {
  const narrowed = (narrowing: Narrowing): Identity => ({ ...alice, narrowing });
  const options: Written = { method: "OPTIONS", uri: "sip:acme.example" };
  const sentence = (written: Written, narrowing: Narrowing): string => {
    const rights = judge(written, {}, narrowed(narrowing));
    return rights.kind === "refused" ? rights.refusal.sentence : rights.kind;
  };

  it("leaves its own methods of the customer's, and adds none", () => {
    const calls = { methods: ["INVITE", "PUBLISH"] };
    expect(verdict({}, {}, narrowed(calls))).toBe("allowed");
    for (const written of [register(), options, { method: "MESSAGE" }]) {
      expect(verdict(written, {}, alice)).toBe("allowed");
      expect(verdict(written, {}, narrowed(calls))).toBe("method-denied");
      expect(sentence(written, calls)).toMatch(/this credential is not good for this method/);
    }
    expect(sentence({ method: "PUBLISH" }, calls)).toMatch(/not among the customer's methods/);
    expect(verdict({}, {}, narrowed({ methods: [] }))).toBe("method-denied");
    expect(verdict({}, {}, narrowed({ methods: ["invite"] }))).toBe("method-denied");
  });

  it("never keeps anybody from hanging up, inside a dialog either", () => {
    for (const none of [{ methods: [] }, { permissions: [] }, { numbers: [] }]) {
      for (const method of ["ACK", "BYE", "CANCEL"]) expect(methodRefusal(narrowed(none), method)).toBeUndefined();
    }
    for (const part of ["UPDATE", "INFO", "PRACK"]) {
      expect(methodRefusal(narrowed({ methods: ["INVITE"] }), part)).toBeUndefined();
      expect(methodRefusal(narrowed({ methods: ["MESSAGE", part] }), part)?.code).toBe("method-denied");
    }
    expect(methodRefusal(narrowed({ methods: ["INVITE"] }), "MESSAGE")?.code).toBe("method-denied");
  });

  it("one call is not made two by REFER, which others may send", () => {
    const transfers = customer({ methods: ["INVITE", "REFER"] });
    const oneCall = { name: "one", until: 2_000_000_000 };
    expect(methodRefusal(identity(transfers), "REFER")).toBeUndefined();
    expect(methodRefusal(identity(transfers, { narrowing: { oneCall } }), "REFER")?.code).toBe("method-denied");
    expect(methodRefusal(identity(transfers, { narrowing: { oneCall } }), "INVITE")).toBeUndefined();
  });

  it.each<[string, readonly Permission[], string]>([
    ["CreateConference", ["CreateConference"], "allowed"],
    ["* for all of them", ["*"], "allowed"],
    ["CreateConference among others", ["SubmitConferenceStats", "CreateConference"], "allowed"],
    ["others alone", ["TerminateConference", "SubmitConferenceEvent", "SubmitBridgeStats"], "permission-missing"],
    ["none", [], "permission-missing"],
  ])("with permissions opens nothing outside a dialog without CreateConference: %s", (_, permissions, wanted) => {
    for (const written of [{}, options, register(), { uri: "sip:+3225887123@acme.example" }, { method: "MESSAGE" }]) {
      expect(verdict(written, {}, narrowed({ permissions }))).toBe(wanted);
    }
  });

  it("of one conference opens the call with that Call-ID alone, no REFER and no MESSAGE", () => {
    const one = (conference: string): Identity => narrowed({ permissions: ["CreateConference"], conference });
    const call = { fields: { "Call-ID": "the-conference" } };
    expect(verdict(call, {}, one("the-conference"))).toBe("allowed");
    expect(verdict(call, {}, one("another"))).toBe("permission-missing");
    expect(verdict(call, {}, narrowed({ permissions: [], conference: "the-conference" }))).toBe("permission-missing");
    for (const written of [options, register()]) expect(verdict(written, {}, one("another"))).toBe("allowed");
    for (const method of ["MESSAGE", "SUBSCRIBE", "PUBLISH"]) {
      const own = customer({ methods: ["INVITE", method] });
      const conference = identity(own, { narrowing: { permissions: ["*"], conference: "the-conference" } });
      expect(verdict({ method, ...call }, {}, conference)).toBe("method-denied");
      expect(verdict({ method, ...call }, {}, identity(own))).toBe("allowed");
    }
    const transfers = identity(customer({ methods: ["INVITE", "REFER"] }), { narrowing: { conference: "one" } });
    expect(methodRefusal(transfers, "REFER")?.code).toBe("method-denied");
    for (const method of ["ACK", "BYE", "CANCEL"]) expect(methodRefusal(transfers, method)).toBeUndefined();
  });

  it("is judged method, permission, destination, after origin and identity", () => {
    const nothing: Narrowing = { methods: [], permissions: [], numbers: [] };
    const wrong = { uri: "sip:+1900@evil.example", fields: from("sip:mallory@acme.example").fields! };
    expect(verdict(wrong, { origin: "https://evil.example" }, narrowed(nothing))).toBe("origin-denied");
    expect(verdict(wrong, {}, narrowed(nothing))).toBe("identity-mismatch");
    const mine = { uri: wrong.uri };
    expect(verdict(mine, {}, narrowed(nothing))).toBe("method-denied");
    expect(verdict(mine, {}, narrowed({ ...nothing, methods: ["INVITE"] }))).toBe("permission-missing");
    const last: Narrowing = { ...nothing, methods: ["INVITE"], permissions: ["*"] };
    expect(verdict(mine, {}, narrowed(last))).toBe("destination-denied");
  });

  it("holds for Refer-To as for a destination", () => {
    const refer = (to: string): Written => ({
      method: "REFER",
      uri: "sip:+3225887123@acme.example",
      fields: { "Refer-To": to },
    });
    const some = narrowed({ numbers: ["+3225887123"] });
    expect(verdict(refer("<sip:+3225887123@acme.example>"), {}, some)).toBe("allowed");
    for (const to of ["<sip:+3225887124@acme.example>", "<sip:carol@acme.example>", "<tel:+3225887124>"]) {
      expect(verdict(refer(to), {}, alice)).toBe("allowed");
      expect(verdict(refer(to), {}, some)).toBe("destination-denied");
      expect(referenceRefusal(some, readOf(sip(refer(to))), context)?.code).toBe("destination-denied");
    }
  });
});
