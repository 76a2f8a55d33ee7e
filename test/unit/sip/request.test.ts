import { describe, expect, it } from "vitest";
import { readContacts, readRequest, routeUris } from "../../../src/sip/request.ts";
import { readOf, scanned, sip, type Written } from "../../helpers/sip-text.ts";

const reasonOf = (written: Written): string => {
  const read = readRequest(scanned(sip(written)));
  return read.kind === "malformed" ? read.reason : "none";
};
const register = (contact: string | undefined, fields: Record<string, string> = {}): Written => ({
  method: "REGISTER",
  uri: "sip:acme.example",
  fields: { Contact: contact, ...fields },
});

describe("readRequest", () => {
  it("reads every URI that a verdict can turn on", () => {
    const request = readOf(
      sip({
        uri: "sip:+3225887000@ACME.example",
        fields: {
          To: "<sip:bob@acme.example>;tag=b1",
          Contact: '"a, b" <sip:x@abc.invalid;transport=ws>;q=1, sip:y@h',
        },
      }),
    );
    expect(request).toMatchObject({
      method: "INVITE",
      uri: { user: "+3225887000", host: "acme.example" },
      from: { user: "alice", host: "acme.example" },
      fromTag: "a1",
      to: { user: "bob" },
      toTag: "b1",
      contacts: [{ uri: { user: "x", host: "abc.invalid" } }, { uri: { user: "y", host: "h" } }],
    });
    expect(readOf(sip()).toTag).toBeUndefined();
    expect(readOf(sip()).contacts).toEqual([]);
  });

  it("takes a CSeq that another can follow", () =>
    expect(reasonOf({ fields: { CSeq: "2147483646 INVITE" } })).toBe("none"));

  it.each([
    ["the Request-URI", { uri: "sip:1479829425:bob@acme.example" }],
    ["From", { fields: { From: "<sip:1479829425:alice@acme.example>;tag=1" } }],
    ["To", { fields: { To: "<sip:bob:x@acme.example>" } }],
  ])("refuses user:password in %s with what to do", (_, written) => {
    expect(reasonOf(written)).toBe(
      "a URI holds user:password; give the plain user, as in sip:alice@acme.example, and the credential apart",
    );
  });

  it.each([
    ["a Request-URI that cannot be read", { uri: "sip:2001:db8::10" }, /cannot be read as a URI/],
    ["a Request-URI with header fields", { uri: "sip:bob@acme.example?Route=x" }, /header fields after \?/],
    ["a From that cannot be read", { fields: { From: "<sip:alice@>;tag=1" } }, /cannot be read as a URI/],
    ["a To that cannot be read", { fields: { To: "<alice>" } }, /cannot be read as a URI/],
    ["no From tag", { fields: { From: "<sip:alice@acme.example>" } }, /From has no tag/],
    ["the last CSeq", { fields: { CSeq: "2147483647 INVITE" } }, /CSeq is the highest there is/],
    ["a From tag that is the URI's", { fields: { From: "<sip:alice@acme.example;tag=1>" } }, /From has no tag/],
    ["a To that is no address", { fields: { To: "<urn:service:sos>" } }, /no sip, sips or tel URI/],
    ["a From that is no address", { fields: { From: "<http://acme.example/>;tag=1" } }, /no sip, sips or tel URI/],
    ["a Contact that cannot be read", register("<sip:a@b"), /Contact cannot/],
    ["a Contact that begins with a star", register("*a <sip:a@b>"), /Contact cannot/],
    ["an escaped quote in a Contact's parameter", register('<sip:a@b>;x="\\";expires=99999"'), /Contact cannot/],
    ["two backslashes in a Contact", register('"a\\\\" <sip:a@b>'), /Contact cannot/],
    ["a Contact with a password", register("<sip:a:b@c>"), /Contact cannot/],
    ["a Contact with header fields", register("<sip:a@b?Route=x>"), /Contact cannot/],
    ["an empty Contact", register(""), /Contact cannot/],
    ["an empty value in Contact", register("<sip:a@b>,,<sip:c@d>"), /Contact cannot/],
    ["a comma at the end of Contact", register("<sip:a@b>,"), /Contact cannot/],
    ["* beside another", register("*, <sip:a@b>"), /Contact cannot/],
    ["* twice", register("*, *"), /Contact cannot/],
    ["* with parameters", register("*;expires=0"), /Contact cannot/],
    ["* where nothing is registered", { fields: { Contact: "*" } }, /Contact cannot/],
    ["eleven Contacts", register(Array(11).fill("<sip:a@b>").join()), /Contact cannot/],
    ["an Expires that is no number", register("<sip:a@b>", { Expires: "60x" }), /expiry/],
    ["an Expires in hex", register("<sip:a@b>", { Expires: "0x60" }), /expiry/],
    ["a negative Expires", register("<sip:a@b>", { Expires: "-1" }), /expiry/],
    ["an empty Expires", register("<sip:a@b>", { Expires: "" }), /expiry/],
    ["an Expires of eleven digits", register("*", { Expires: "00000000000" }), /expiry/],
    ["an expires that is no number", register("<sip:a@b>;expires=1e9"), /expiry/],
    ["a quoted expires", register('<sip:a@b>;expires="60"'), /expiry/],
    ["an expires without value", register("<sip:a@b>;expires"), /expiry/],
    ["an expires twice", register("<sip:a@b>;expires=1;Expires=99999"), /Contact cannot/],
    ["an expires in the second Contact", register("<sip:a@b>;expires=1, <sip:c@d>;expires=x"), /expiry/],
  ])("refuses %s", (_, written, why) => {
    expect(reasonOf(written)).toMatch(why);
  });

  it("takes what JsSIP and SIP.js register with", () => {
    expect(readOf(sip(register("*", { Expires: "0" }))).contacts).toBe("*");
    expect(readOf(sip(register(Array(10).fill("<sip:a@b>;expires=60").join()))).contacts).toHaveLength(10);
    expect(
      readOf(sip(register('<sip:a@b;transport=ws>;+sip.instance="<urn:uuid:1>";expires=60'))).contacts,
    ).toHaveLength(1);
    expect(readOf(sip(register(undefined))).contacts).toEqual([]);
  });
});

describe("readContacts", () => {
  it("gives each Contact with the byte offset at which it stands, over folded and several fields", () => {
    const text = sip({
      method: "REGISTER",
      fields: { Contact: '"x;expires=9"\r\n <sip:a@h>;expires=60,\r\n\t<sip:b@h>' },
      extra: ["m:sip:c@h;expires=7"],
    });
    const contacts = readContacts(scanned(text));
    if (contacts === "*" || contacts === undefined) return expect.fail("no contacts");
    expect(contacts.map(({ uri }) => uri.user)).toEqual(["a", "b", "c"]);
    for (const contact of contacts) {
      const written = text.slice(contact.start, contact.start + contact.text.length);
      expect(written.replaceAll("\r\n", "  ")).toBe(contact.text);
    }
  });
});

describe("routeUris", () => {
  it("gives every URI in order, over several fields and values", () => {
    const message = scanned(sip({ extra: ["Route: <sip:a;lr>, <sip:b;lr>;x=y", "Route: <sip:c;lr>"] }));
    expect(routeUris(message, "route")).toEqual(["sip:a;lr", "sip:b;lr", "sip:c;lr"]);
    expect(routeUris(message, "path")).toEqual([]);
  });

  it("is undefined where one cannot be read", () => {
    expect(routeUris(scanned(sip({ extra: ["Route: <sip:a;lr>, <sip:b"] })), "route")).toBeUndefined();
  });
});
