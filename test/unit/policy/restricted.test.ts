import { describe, expect, it } from "vitest";
import { Customers } from "../../../src/core/customers.ts";
import type { Customer, Narrowing } from "../../../src/core/identity.ts";
import { judgeDestination } from "../../../src/policy/destination.ts";
import { countryCodeLength, plans } from "../../../src/policy/numbering.ts";
import { parseUri } from "../../../src/sip/uri.ts";
import { customer, identity } from "../../helpers/customers.ts";

const trunk = "sip:pbx.acme.example";

function ask(uri: string, of: Partial<Customer>, narrowing: Narrowing = {}): string {
  const one = customer({ trunk, ...of });
  const context = { customers: new Customers([one]), gatewayDomains: new Set<string>() };
  const judged = judgeDestination(parseUri(uri)!, "INVITE", identity(one, { narrowing }), context);
  return judged.kind === "denied" ? judged.sentence : judged.kind;
}
const call = (number: string, ...dial: string[]): string => ask(`sip:${number}@acme.example`, { dial });
const costly = expect.stringMatching(/^premium-rate and satellite/);
const emergency = expect.stringMatching(/^emergency numbers/);

describe("a premium-rate number of a country that may be dialled", () => {
  it.each([
    ["+3290012345", "+32*"],
    ["3290012345", "+32*"],
    ["+32-900.12(345)", "+32*"],
    ["%2B32900%31%32345", "+32*"],
    ["+32(0)90012345", "+32*"],
    ["003290012345", "00*"],
    ["0113290012345", "0*"],
    ["0032(0)90012345", "00*"],
    ["+003290012345", "+0*"],
    ["+19005551234", "+1*"],
    ["19005551234", "1*"],
    ["+449098790123", "+44*"],
    ["+448712345678", "+44*"],
    ["+447012345678", "+44*"],
    ["+4990012345678", "+49*"],
    ["+491371234567", "+491*"],
    ["+33899123456", "+33*"],
    ["+31909123456", "+31*"],
    ["+39899123456", "+39*"],
    ["+34806123456", "+34*"],
    ["+41900123456", "+41*"],
    ["+43930123456", "+43*"],
    ["+469441234567", "+46*"],
    ["+351760123456", "+351*"],
    ["+3290", "+32*"],
  ])("is denied: %s where %s may be", (number, pattern) => {
    expect(call(number, pattern)).toEqual(costly);
  });

  it.each([
    ["+3225887000", "+32*"],
    ["3225887000", "+32*"],
    ["+32(0)25887000", "+32*"],
    ["003225887000", "00*"],
    ["+12125551234", "+1*"],
    ["+442079460000", "+44*"],
    ["+447700900123", "+44*"],
    ["+493012345678", "+49*"],
    ["+33123456789", "+33*"],
    ["+39089123456", "+39*"],
    ["+46901234567", "+46*"],
    ["+351912345678", "+351*"],
  ])("and its neighbour is called: %s where %s may be", (number, pattern) => {
    expect(call(number, pattern)).toBe("number");
  });

  it.each([
    ["+3290012345", "+32900*"],
    ["+3290012345", "+3290*"],
    ["+3290012345", "+3290012345"],
    ["3290012345", "+32900*"],
    ["3290012345", "3290*"],
    ["+19005551234", "+1900*"],
    ["003290012345", "003290*"],
    ["0032090012345", "0032090*"],
    ["+32090012345", "+32090*"],
  ])("is called where a pattern names it: %s where %s may be", (number, pattern) => {
    expect(call(number, pattern)).toBe("number");
    expect(call(number, "+*", pattern)).toBe("number");
    expect(call(number, pattern, "+*")).toBe("number");
  });

  it("is denied where a pattern names another one, or names it in numbers that are another's", () => {
    expect(call("+3290012345", "+32*", "+1900*")).toEqual(costly);
    expect(call("+3290012345", "+32*", "+329*")).toEqual(costly);
    expect(call("+3290012345", "+32*", "+3290099")).toEqual(costly);
  });

  it("is called where it is one's own by name, and not where it lies below one's own range", () => {
    expect(ask("sip:+3290012345@acme.example", { numbers: ["+32900*"] })).toBe("number");
    expect(ask("sip:+3290012345@acme.example", { numbers: ["+32*"] })).toEqual(costly);
    expect(ask("sip:+3290012345@acme.example", { numbers: ["+32*"], dial: ["+32900*"] })).toBe("number");
  });

  it("is no other customer's word to open", () => {
    const acme = customer({ trunk, dial: ["+32*"] });
    const globex = customer({ id: "globex", domains: ["globex.example"], numbers: ["+32900*"], trunk });
    const context = { customers: new Customers([acme, globex]), gatewayDomains: new Set<string>() };
    const uri = parseUri("sip:+3290012345@acme.example")!;
    const sentence = (of: Customer) => judgeDestination(uri, "INVITE", identity(of), context);
    expect(sentence(acme)).toMatchObject({ kind: "denied", sentence: costly });
    const opened = { ...acme, dial: ["+32900*"] };
    expect(sentence(opened)).toMatchObject({ kind: "number" });
  });

  it.each(["+3290012345", "+32900*", "+32*", "*"])("is not opened by a token that names %s", (named) => {
    expect(ask("sip:+3290012345@acme.example", { dial: ["+32*"] }, { numbers: [named] })).toEqual(costly);
    expect(ask("sip:+3290012345@acme.example", { dial: ["+32900*"] }, { numbers: [named] })).toBe("number");
  });
});

describe("the national form of a premium-rate number", () => {
  it.each([
    ["090012345", { numbers: ["+3225887*"] }],
    ["0900-123.45", { callerId: "+3225887000" }],
    ["0899123456", { numbers: ["+331*"] }],
    ["09098790123", { numbers: ["+442079460000"] }],
    ["9005551234", { numbers: ["+1212*"] }],
    ["806123456", { numbers: ["+3491*"] }],
    ["0690123456", { numbers: ["+361*"] }],
    ["88091234567", { numbers: ["+7495*"] }],
    ["0900123456", {}],
  ])("is denied where the customer is at home: %s", (number, of) => {
    const dial = ["0*", "8*", "9*"];
    expect(ask(`sip:${number}@acme.example`, { ...of, dial })).toEqual(costly);
    expect(ask(`tel:${number}`, { ...of, dial })).toEqual(costly);
    const named = number.replace(/\D/g, "").slice(0, 6);
    expect(ask(`sip:${number}@acme.example`, { ...of, dial: [...dial, `${named}*`] })).toBe("number");
  });

  it("is an ordinary one elsewhere", () => {
    const at = (home: string, number: string) =>
      ask(`sip:${number}@acme.example`, { numbers: [home], dial: ["0*", "9*"] });
    expect(at("+4430*", "0911123456")).toEqual(costly);
    expect(at("+4930*", "0911123456")).toBe("number");
    expect(at("+3225887*", "9005551234")).toBe("number");
  });

  it("is no extension: short numbers without a country are of none", () => {
    const dial = ["44*", "90*", "1*"];
    for (const number of ["4490", "9001", "1000", "1900"]) expect(call(number, ...dial)).toBe("number");
    expect(call("9001")).toBe("user");
  });
});

describe("a satellite or international network", () => {
  it.each(["+870773123456", "+8816123456789", "+88212345678", "+883510012345", "+979123456789"])(
    "is denied in each spelling, and called where it is named: %s",
    (number) => {
      for (const spelling of [number, number.slice(1), number.replace("+", "00"), number.replace("+", "011")]) {
        expect(call(spelling, "+*", "0*"), spelling).toEqual(costly);
        expect(call(spelling, `${spelling.slice(0, 6)}*`), spelling).toBe("number");
      }
    },
  );
});

describe("an emergency number", () => {
  const codes = ["112", "911", "999", "000"];

  it.each(codes)("is no extension, and is called where it is listed: %s", (code) => {
    for (const of of [{}, { dial: ["1*", "9*", "0*", "+*"] }]) {
      for (const uri of [`sip:${code}@acme.example`, `sip:${[...code].join("-")}@acme.example`, `tel:${code}`])
        expect(ask(uri, of)).toEqual(emergency);
    }
    expect(call(code, code)).toBe("number");
    expect(call(code, `${code}*`)).toBe("number");
    expect(ask(`tel:${code}`, { numbers: [code] })).toBe("number");
  });

  it.each([
    "+32112",
    "32112",
    "+1911",
    "1911",
    "+44999",
    "0032112",
    "011911",
    "0112",
    "9911",
    "0999",
    "+32(0)112",
    "+3315",
    "+49110",
  ])("is denied behind what may stand before it: %s", (number) => {
    expect(call(number, "+*", "0*", "9*")).toEqual(emergency);
    expect(call(number, "+*", "0*", "9*", number.replace(/[()]/g, ""))).toBe("number");
  });

  it("is not every short number", () => {
    expect(call("1121")).toBe("user");
    expect(call("113")).toBe("user");
    expect(call("1112", "1*")).toBe("number");
    expect(call("850112", "850*")).toBe("number");
    expect(call("+322112", "+32*")).toBe("number");
  });
});

describe("the table", () => {
  it("names countries by their whole codes, and each once", () => {
    for (const { code, premium } of plans) {
      expect(countryCodeLength(code), code).toBe(code.length);
      expect(premium.length, code).toBeGreaterThan(0);
    }
    expect(new Set(plans.map(({ code }) => code)).size).toBe(plans.length);
  });

  it.each([
    ["1", 1],
    ["7", 1],
    ["20", 2],
    ["211", 3],
    ["32", 2],
    ["351", 3],
    ["372", 3],
    ["39", 2],
    ["420", 3],
    ["423", 3],
    ["44", 2],
    ["500", 3],
    ["599", 3],
    ["670", 3],
    ["800", 3],
    ["852", 3],
    ["870", 3],
    ["886", 3],
    ["91", 2],
    ["962", 3],
    ["979", 3],
    ["998", 3],
  ])("reads %s as a country code", (code, length) => {
    expect(countryCodeLength(`${code}1234567`)).toBe(length);
  });
});
