import { describe, expect, it } from "vitest";
import { bindingCap, type Outgoing, rewriteRequest, rewriteResponse } from "../../../src/gateway/forward.ts";
import { identity } from "../../helpers/customers.ts";
import { readOf, scanned, sip, type Written } from "../../helpers/sip-text.ts";

const lines = "X-Postern-Grant: g\r\nX-Postern-Token: t\r\n";
const asserted = "P-Asserted-Identity: <sip:alice@acme.example>\r\n";

function rewrite(text: string, changes: Partial<Outgoing> = {}): string {
  const plain = { identity: identity(), lines, inDialog: false, credentials: [], passHeaders: undefined };
  const outgoing = { ...plain, capSeconds: undefined, request: readOf(text), ...changes };
  return rewriteRequest(outgoing).toString("latin1");
}
/** The text with what is ours directly after its start line. */
const withOurs = (text: string, own = lines + asserted): string => text.replace("\r\n", `\r\n${own}`);

describe("rewriteRequest", () => {
  it("puts grant and asserted identity directly after the start line and leaves the rest alone", () => {
    const text = sip({
      extra: ["x-app:\t 1 ", "Subject :\r\n folded\r\n\tx", 'Authorization: Digest realm="other"', "Reply-To: x"],
      body: "X-Postern-Grant: in the body\r\n\xff\0",
    });
    expect(rewrite(text)).toBe(withOurs(text));
  });

  it.each(["REGISTER", "ACK", "CANCEL"])("asserts no identity in %s", (method) => {
    expect(rewrite(sip({ method }))).toBe(withOurs(sip({ method }), lines));
  });

  it.each(["INVITE", "BYE", "MESSAGE", "OPTIONS", "REFER", "UPDATE"])("asserts the identity in %s", (method) => {
    const text = sip({ method, extra: method === "REFER" ? ["Refer-To: <sip:carol@acme.example>"] : [] });
    expect(rewrite(text, { inDialog: true })).toBe(withOurs(text));
  });

  const forbidden = [
    ...["P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID", "Diversion", "History-Info", "Identity", "y"],
    ...["P-Charging-Vector", "P-Charging-Function-Addresses", "P-Charging-", "Alert-Info", "Answer-Mode"],
    ...["X-Postern-Grant", "X-Postern-Token", "X-Postern-", "X-Postern-Anything"],
  ];
  const spellings = (name: string): string[] => [
    `${name}: <sip:mallory@acme.example>`,
    `${name.toUpperCase()}:x`,
    `${name.toLowerCase()} \t : x`,
    `${name}:`,
    `${name}:\r\n <sip:mallory@acme.example>\r\n\t;x=y`,
  ];
  describe.each(forbidden)("%s from a client", (name) => {
    it.each(spellings(name))("is removed from requests and responses as %j", (line) => {
      for (const at of [[line], [line, "X-A: b", line], ["X-A: b", line, line]]) {
        const kept = at.filter((one) => one !== line);
        expect(rewrite(sip({ extra: at }))).toBe(withOurs(sip({ extra: kept })));
        expect(rewrite(sip({ extra: at }), { inDialog: true })).toBe(withOurs(sip({ extra: kept })));
        const answer = { start: "SIP/2.0 200 OK" };
        const answered = rewriteResponse(scanned(sip({ ...answer, extra: at }))).toString("latin1");
        expect(answered).toBe(sip({ ...answer, extra: kept }));
      }
      const first = sip().replace("\r\n", `\r\n${line}\r\n`);
      expect(rewrite(first)).toBe(withOurs(sip()));
    });
  });

  it("leaves what is only like a forbidden name", () => {
    const extra = [
      "X-Postern: a",
      "XX-Postern-Grant: b",
      "Identity-Info: c",
      "n: d",
      "P-Charging: e",
      "My-Identity: f",
    ];
    expect(rewrite(sip({ extra }))).toBe(withOurs(sip({ extra })));
  });

  it("removes from BYE what it demands of the far end, and leaves that in others", () => {
    const extra = ["Require: nobody-knows", "X-A: b", "proxy-require : x"];
    const said = sip({ method: "BYE", extra });
    expect(rewrite(said, { inDialog: true })).toBe(withOurs(sip({ method: "BYE", extra: ["X-A: b"] })));
    const invite = sip({ method: "INVITE", extra });
    expect(rewrite(invite, { inDialog: true })).toBe(withOurs(invite));
  });

  it("removes Record-Route and Path, and Route outside a dialog", () => {
    const extra = ["Record-Route: <sip:a;lr>", "path:\r\n <sip:b;lr>", "PATH: <sip:c>"];
    const route = ["Route: <sip:r;lr>", "ROUTE : <sip:q;lr>"];
    expect(rewrite(sip({ extra: [...route, ...extra] }))).toBe(withOurs(sip()));
    expect(rewrite(sip({ extra: [...extra, ...route] }), { inDialog: true })).toBe(withOurs(sip({ extra: route })));
  });

  it("removes the credentials that were ours and no others", () => {
    const text = sip({ extra: ["Proxy-Authorization: Digest a", "Proxy-Authorization: Digest b", "Authorization: c"] });
    const request = readOf(text);
    const [first, second] = request.message.headers.filter(({ name }) => name === "proxy-authorization");
    const kept = sip({ extra: ["Proxy-Authorization: Digest a", "Authorization: c"] });
    expect(rewrite(text, { request, credentials: [second!] })).toBe(withOurs(kept));
    expect(rewrite(text, { request, credentials: [first!, second!] })).toBe(
      withOurs(sip({ extra: ["Authorization: c"] })),
    );
  });

  it("narrows X- fields to passHeaders where it goes to a trunk, in requests and responses", () => {
    const passHeaders = new Set(["x-voxbone-context"]);
    const extra = [
      "X-Voxbone-Context: 1",
      "x-VOXBONE-context : 2",
      "X-Other: 3",
      "x-other:\r\n 4",
      "X-: 5",
      "Xray: 6",
      "x: 7",
    ];
    const kept = [extra[0]!, extra[1]!, "Xray: 6", "x: 7"];
    expect(rewrite(sip({ extra }))).toBe(withOurs(sip({ extra })));
    expect(rewrite(sip({ extra }), { passHeaders })).toBe(withOurs(sip({ extra: kept })));
    expect(rewrite(sip({ extra }), { passHeaders: new Set() })).toBe(withOurs(sip({ extra: kept.slice(2) })));
    const answer = { start: "SIP/2.0 200 OK" };
    const message = scanned(sip({ ...answer, extra }));
    expect(rewriteResponse(message, passHeaders).toString("latin1")).toBe(sip({ ...answer, extra: kept }));
    expect(rewriteResponse(message)).toBe(message.bytes);
  });

  it("never passes a forbidden X-Postern- field, even where passHeaders names it", () => {
    expect(rewrite(sip({ extra: ["X-Postern-Grant: x"] }), { passHeaders: new Set(["x-postern-grant"]) })).toBe(
      withOurs(sip()),
    );
  });
});

describe("the life of a binding", () => {
  const cap = 100;
  const register = (contact: string | undefined, expires?: string, extra: readonly string[] = []): Written => ({
    method: "REGISTER",
    uri: "sip:acme.example",
    fields: { Contact: contact, Expires: expires },
    extra,
  });
  const capped = (written: Written): string => rewrite(sip(written), { capSeconds: cap });
  const expected = (written: Written): string => withOurs(sip(written), lines);

  it.each([
    ["a parameter above", "<sip:a@b>;expires=600", undefined, "<sip:a@b>;expires=100", undefined],
    ["a parameter at the cap", "<sip:a@b>;expires=100", undefined, "<sip:a@b>;expires=100", undefined],
    ["a parameter below", "<sip:a@b>;expires=99", undefined, "<sip:a@b>;expires=99", undefined],
    ["a parameter of 0", "<sip:a@b>;expires=0", undefined, "<sip:a@b>;expires=0", undefined],
    ["a parameter of ten digits", "<sip:a@b>;expires=9999999999", undefined, "<sip:a@b>;expires=100", undefined],
    ["leading zeros", "<sip:a@b>;expires=0000000600", undefined, "<sip:a@b>;expires=100", undefined],
    ["both", "<sip:a@b>;expires=600", "700", "<sip:a@b>;expires=100", "100"],
    ["Expires alone", "<sip:a@b>", "700", "<sip:a@b>", "100"],
    ["Expires below a parameter", "<sip:a@b>;expires=600", "60", "<sip:a@b>;expires=100", "60"],
    ["Expires of 0", "<sip:a@b>", "0", "<sip:a@b>", "0"],
    ["*", "*", "0", "*", "0"],
    ["* with Expires above", "*", "600", "*", "600"],
    ["a query", undefined, undefined, undefined, undefined],
    ["a query with Expires", undefined, "600", undefined, "600"],
    ["capitals", "<sip:a@b>;EXPIRES=600", undefined, "<sip:a@b>;EXPIRES=100", undefined],
    ["white space", "<sip:a@b> ; expires \t=  600 ;q=1", undefined, "<sip:a@b> ; expires \t=  100 ;q=1", undefined],
    ["an addr-spec", "sip:a@b;expires=600", undefined, "sip:a@b;expires=100", undefined],
    [
      "a quoted string that holds ;expires=",
      '"x;expires=900" <sip:a@b;expires=800>;y=";expires=700";expires=600;z="expires=5"',
      undefined,
      '"x;expires=900" <sip:a@b;expires=800>;y=";expires=700";expires=100;z="expires=5"',
      undefined,
    ],
    [
      "several contacts",
      "<sip:a@b>;expires=600, <sip:c@d>;expires=50,<sip:e@f>;expires=101",
      undefined,
      "<sip:a@b>;expires=100, <sip:c@d>;expires=50,<sip:e@f>;expires=100",
      undefined,
    ],
    [
      "a folded Contact",
      "<sip:a@b>\r\n ;q=1\r\n\t;expires=\r\n 600,\r\n <sip:c@d>;expires=700",
      undefined,
      "<sip:a@b>\r\n ;q=1\r\n\t;expires=\r\n 100,\r\n <sip:c@d>;expires=100",
      undefined,
    ],
    ["a folded Expires", "<sip:a@b>", "\r\n 600", "<sip:a@b>", "\r\n 100"],
  ])("is lowered where above, and only there: %s", (_, contact, expires, loweredContact, loweredExpires) => {
    expect(capped(register(contact, expires))).toBe(expected(register(loweredContact, loweredExpires)));
  });

  it("is lowered in every Contact field, compact too", () => {
    const [given, wanted] = [600, 100].map((n) =>
      register(`<sip:a@b>;expires=${n}`, undefined, [`m:<sip:c@d>;expires=${n}`]),
    );
    expect(capped(given!)).toBe(expected(wanted!));
  });

  it("is written where neither Contact nor Expires say it", () => {
    const added = `Expires: ${cap}\r\n\r\n`;
    expect(capped(register("<sip:a@b>"))).toBe(expected(register("<sip:a@b>")).replace(/\r\n$/, added));
    expect(capped(register("<sip:a@b>;expires=600, <sip:c@d>"))).toBe(
      expected(register("<sip:a@b>;expires=100, <sip:c@d>")).replace(/\r\n$/, added),
    );
    expect(capped(register("<sip:a@b;expires=600>"))).toBe(
      expected(register("<sip:a@b;expires=600>")).replace(/\r\n$/, added),
    );
  });

  it("is written before the body, not into it", () => {
    const written = { ...register("<sip:a@b>"), body: "\r\n\r\nExpires: 5\r\n\r\n" };
    expect(capped(written)).toBe(expected(written).replace("\r\n\r\n", `\r\nExpires: ${cap}\r\n\r\n`));
  });

  it.each([
    [3600, 3590],
    [100, 90],
    [50, 45],
    [10, 9],
    [2, 1],
    [1, 1],
    [0, 1],
    [-5, 1],
  ])("with %i s left of the credential is %i s at most", (left, most) => {
    expect(bindingCap(identity(undefined, { expiry: 1_700_000_000 + left }), 1_700_000_000)).toBe(most);
  });
});

describe("rewriteResponse", () => {
  const answer = (status: number, extra: readonly string[]): string => sip({ start: `SIP/2.0 ${status} X`, extra });

  it.each([300, 301, 302, 305, 380, 399])("takes Contact out of a %i, in every spelling", (status) => {
    const contacts = ["Contact: <sip:mallory@evil.example>", "m:\r\n <sip:x@y>", "CONTACT : *"];
    const message = scanned(answer(status, ["X-A: b", ...contacts, "X-C: d"]));
    expect(rewriteResponse(message).toString("latin1")).toBe(answer(status, ["X-A: b", "X-C: d"]));
  });

  it.each([180, 200, 299, 400, 486])("leaves a %i as it is, the same bytes", (status) => {
    const message = scanned(answer(status, ["Contact: <sip:a@b>", "Record-Route: <sip:r>", "X-A: b"]));
    expect(rewriteResponse(message)).toBe(message.bytes);
  });
});
