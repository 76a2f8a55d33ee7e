import { describe, expect, it } from "vitest";
import { Customers } from "../../../src/core/customers.ts";
import type { Narrowing } from "../../../src/core/identity.ts";
import { asNumber, type Destination, judgeDestination } from "../../../src/policy/destination.ts";
import { parseUri } from "../../../src/sip/uri.ts";
import { customer, identity } from "../../helpers/customers.ts";

const acme = customer({
  domains: ["acme.example", "acme2.example"],
  numbers: ["+3225887*", "8500*", "911"],
  dial: ["+32*", "+441234567890"],
  trunk: "sip:pbx.acme.example:5060",
  callerId: "+3225887000",
});
const globex = customer({
  id: "globex",
  domains: ["globex.example"],
  numbers: ["+3221111*", "+1900*"],
  trunk: "sip:globex-pbx.example",
});
const trunkless = customer({ id: "trunkless", domains: ["trunkless.example"], numbers: ["+3223333*"] });
const context = {
  customers: new Customers([acme, globex, trunkless]),
  gatewayDomains: new Set(["voice.example"]),
};

function judge(uri: string, method = "INVITE", of = identity(acme)): Destination {
  const parsed = parseUri(uri);
  if (!parsed) throw new Error(`unreadable: ${uri}`);
  return judgeDestination(parsed, method, of, context);
}
const kindOf = (uri: string, method?: string): string => judge(uri, method).kind;
const own = { kind: "number", trunk: "sip:pbx.acme.example:5060", trunk2: "", caller: "+3225887000" };

describe("judgeDestination", () => {
  it.each([
    "sip:+3225887123@acme.example",
    "sip:+3225887@acme.example",
    "sip:3225887123@acme.example",
    "sip:+32-2.588(7)123@acme.example",
    "sip:%2B3225887123@acme.example",
    "sip:+322588%37123@acme.example",
    "sip:+3225887%20123@acme.example",
    "sip:+3225887123@ACME.example",
    "sip:+3225887123@acme2.example",
    "sip:+3225887123@voice.example",
    "sip:+3225887123@acme.example;user=phone",
    "sip:+3225887123@acme.example;transport=tcp",
    "tel:+3225887123",
    "tel:+32-2-588-7123",
    "TEL:3225887123",
    "tel:%2B3225887123",
    "sip:8500123@acme.example",
    "sip:850012@acme.example",
    "sip:911@acme.example",
    "tel:911",
    "sip:322588@acme.example",
  ])("takes %s for a number of the customer's own, for its trunk and as its caller id", (uri) => {
    expect(judge(uri)).toEqual(own);
  });

  it.each(["sip:+3229999999@acme.example", "sip:+441234567890@voice.example", "sip:441234567890@acme.example"])(
    "takes %s, which the customer may dial and nobody owns, to its own trunk",
    (uri) => expect(judge(uri)).toEqual(own),
  );

  it("takes a number that another customer owns, where it may be dialled, to that customer's trunk", () => {
    expect(judge("sip:+3221111222@acme.example")).toEqual({ ...own, trunk: "sip:globex-pbx.example" });
  });

  it("takes no number without a trunk", () => {
    expect(judge("sip:+3223333444@acme.example")).toMatchObject({ sentence: expect.stringMatching(/no trunk/) });
    expect(judge("sip:+3223333444@trunkless.example", "INVITE", identity(trunkless))).toMatchObject({ kind: "denied" });
  });

  it("says no caller where the customer has no caller id", () => {
    const judged = judge("sip:+1900555@globex.example", "INVITE", identity(globex));
    expect(judged).toEqual({ kind: "number", trunk: "sip:globex-pbx.example", trunk2: "", caller: "" });
  });

  it("names the second trunk of the number's owner", () => {
    const two = customer({ numbers: ["+32*"], trunk: "sip:192.0.2.1", trunk2: ["sip:192.0.2.2"] });
    const customers = new Customers([two]);
    const judged = judgeDestination(parseUri("sip:+3225887@acme.example")!, "INVITE", identity(two), {
      customers,
      gatewayDomains: new Set(),
    });
    expect(judged).toEqual({ kind: "number", trunk: "sip:192.0.2.1", trunk2: "sip:192.0.2.2", caller: "" });
  });

  it.each([
    "sip:+19005551234@acme.example",
    "sip:+1-900-555-1234@acme.example",
    "sip:+1(900)555.1234@acme.example",
    "sip:(+1)9005551234@acme.example",
    "sip:-+19005551234@acme.example",
    "sip:+1%20900%205551234@acme.example",
    "sip:%2B19005551234@acme.example",
    "sip:%2b1%39%30%305551234@acme.example",
    "sip:%2B%31%39%30%30%35%35%35%31%32%33%34@acme.example",
    "sip:+1%2D900%2D5551234@acme.example",
    "sip:0019005551234@acme.example",
    "sip:01119005551234@acme.example",
    "sip:00-1-900-5551234@acme.example",
    "sip:19005551234@acme.example",
    "sip:9005551234@acme.example",
    "sip:+19005551234@voice.example",
    "sip:+19005551234@ACME.EXAMPLE",
    "sip:+19005551234@acme.example;user=phone",
    "sip:+19005551234@acme.example;user=ip",
    "sip:1234567@acme.example",
    "sip:+1@acme.example",
    "sip:+123456@acme.example",
    "tel:+19005551234",
    "tel:+1-900-555-1234",
    "tel:%2B19005551234",
    "tel:0019005551234",
    "tel:19005551234",
    "tel:1000",
    "sip:003225887123@acme.example",
    "sip:+003225887123@acme.example",
    "sip:+032258871@acme.example",
  ])("denies %s as a number that is neither the customer's nor in its dial list", (uri) => {
    expect(judge(uri)).toMatchObject({ kind: "denied", sentence: expect.stringMatching(/^this number is neither/) });
  });

  it.each([
    "sip:112@acme.example",
    "sip:1-1-2@acme.example",
    "sip:%31%31%32@acme.example",
    "tel:112",
    "sip:000@acme.example",
  ])("takes %s for no extension: who calls for help is told that nobody hears it here", (uri) => {
    expect(judge(uri)).toMatchObject({ kind: "denied", sentence: expect.stringMatching(/^emergency numbers/) });
    expect(kindOf("sip:113@acme.example")).toBe("user");
  });

  it("denies a number of more than 32 digits", () => {
    expect(judge(`sip:+3225887${"1".repeat(24)}@acme.example`)).toEqual(own);
    expect(judge(`sip:+3225887${"1".repeat(25)}@acme.example`)).toMatchObject({ sentence: "the number is too long" });
    expect(kindOf(`sip:${"1".repeat(2000)}@acme.example`)).toBe("denied");
  });

  it.each([
    ["sip:+3225887123;phone-context=+1900@acme.example", /parameters in the user part/],
    ["sip:+3225887123;ext=5@acme.example", /parameters in the user part/],
    ["sip:+3225887123;isub=1@acme.example;user=phone", /parameters in the user part/],
    ["sip:bob;x=y@acme.example", /parameters in the user part/],
    ["sip:bob;@acme.example", /parameters in the user part/],
    ["sip:+3225887123%3Bphone-context=+1@acme.example", /characters that no user has/],
    ["tel:+3225887123;phone-context=acme.example", /tel:/],
    ["tel:911;phone-context=+1900", /tel:/],
    ["tel:+3225887123;ext=1", /tel:/],
    ["tel:alice", /no number/],
    ["tel:+", /no number/],
    ["tel:+3225887%00", /no number/],
    ["tel:+3225887*1", /no number/],
    ["sip:bob@acme.example;maddr=evil.example", /maddr/],
    ["sip:bob@acme.example;MADDR=acme.example", /maddr/],
    ["sip:+3225887123@acme.example;maddr=evil.example", /maddr/],
    ["sip:bob@acme.example;alias=192.0.2.1~5060~1", /maddr/],
    ["sip:bob@acme.example;received=sip:192.0.2.1", /maddr/],
    ["sip:acme.example;maddr=evil.example", /maddr/],
    ["sips:bob@acme.example", /only sip: and tel:/],
    ["sips:+3225887123@acme.example", /only sip: and tel:/],
    ["http://acme.example/", /only sip: and tel:/],
    ["urn:service:sos", /only sip: and tel:/],
    ["sip:bob@acme.example:5060", /port/],
    ["sip:+3225887123@acme.example:5070", /port/],
    ["sip:+3225887123@voice.example:5060", /port/],
    ["sip:bob@acme.example.", /own domains/],
    ["sip:bob@globex.example", /own domains/],
    ["sip:+3225887123@globex.example", /own domains/],
    ["sip:+3225887123@acme.example.", /own domains/],
    ["sip:+3225887123@evil.example", /own domains/],
    ["sip:+3225887123@192.0.2.1", /own domains/],
    ["sip:+3225887123@[::1]", /own domains/],
    ["sip:bob@voice.example", /own domains/],
    ["sip:1234@voice.example", /own domains/],
    ["sip:1234@globex.example", /own domains/],
    ["sip:bob@evilacme.example", /own domains/],
    ["sip:bob@acme.example.evil.example", /own domains/],
    ["sip:b%6Fb@acme.example", /characters that no user has/],
    ["sip:bob%40evil.example@acme.example", /characters that no user has/],
    ["sip:bob/x@acme.example", /characters that no user has/],
    ["sip:bob?x@acme.example", /characters that no user has/],
    ["sip:%252B1900@acme.example", /characters that no user has/],
    [`sip:${"b".repeat(65)}@acme.example`, /characters that no user has/],
    ["sip:bob%00@acme.example", /escape/],
    ["sip:+1%A0900%A05551234@acme.example", /escape/],
    ["sip:+3225887%A0000@acme.example", /escape/],
    ["sip:+3225887%09000@acme.example", /escape/],
    ["tel:+3225887%A0000", /no number/],
    ["sip:bob%0d%0a@acme.example", /escape/],
    ["sip:globex.example", /own domains/],
    ["sip:voice.example", /own domains/],
    ["sip:acme.example", /needs a user/],
  ])("denies %s", (uri, why) => {
    const judged = judge(uri);
    expect(judged.kind === "denied" ? judged.sentence : judged.kind).toMatch(why);
  });

  it.each([
    "sip:bob@acme.example",
    "sip:bob@acme2.example",
    "sip:BOB@Acme.Example;transport=ws",
    "sip:b.o-b_!~*'()&=+$,@acme.example",
    "sip:+bob@acme.example",
    "sip:*67@acme.example",
    "sip:113@acme.example",
    "sip:000000@acme.example",
    "sip:1@acme.example",
    "sip:222588@acme.example",
    "sip:12-34.56@acme.example",
    "sip:9111@acme.example",
    `sip:${"b".repeat(64)}@acme.example`,
  ])("takes %s for a user or an extension of the customer's own", (uri) => {
    expect(judge(uri)).toEqual({ kind: "user" });
  });

  it("takes an extension only up to six digits, and never with +", () => {
    expect(kindOf("sip:123456@acme.example")).toBe("user");
    expect(kindOf("sip:1234567@acme.example")).toBe("denied");
    expect(kindOf("sip:+12345@acme.example")).toBe("denied");
    expect(kindOf("sip:%2B12345@acme.example")).toBe("denied");
  });

  it("lets only OPTIONS go to a domain alone", () => {
    for (const method of ["INVITE", "MESSAGE", "SUBSCRIBE", "REFER"])
      expect(kindOf("sip:acme.example", method)).toBe("denied");
    expect(judge("sip:acme.example", "OPTIONS")).toEqual({ kind: "user" });
    expect(kindOf("sip:globex.example", "OPTIONS")).toBe("denied");
  });

  it("lets a customer without numbers call its own users and nobody else", () => {
    const plain = identity(customer({ trunk: "sip:pbx.acme.example" }));
    expect(judge("sip:bob@acme.example", "INVITE", plain)).toEqual({ kind: "user" });
    for (const uri of ["sip:+1900@acme.example", "tel:+1900", "sip:19005551234@acme.example"]) {
      expect(judge(uri, "INVITE", plain).kind).toBe("denied");
    }
  });

  it("knows a customer that was read anew from the config by its id", () => {
    const before = identity({ ...acme, dial: [] });
    expect(judge("sip:+3225887123@acme.example", "INVITE", before)).toEqual(own);
  });
});

describe("asNumber", () => {
  it.each([
    ["+3225887", "+3225887"],
    ["(+32) 2.588-7", "+3225887"],
    ["112", "112"],
    ["+", undefined],
    ["", undefined],
    ["++1", undefined],
    ["1+1", undefined],
    ["1a", undefined],
    ["*1", undefined],
    ["1#", undefined],
    ["\xb9\xb2", undefined],
  ])("of %j is %j", (plain, number) => expect(asNumber(plain)).toBe(number));
});

describe("a narrowed credential", () => {
  const narrowed = (narrowing: Narrowing, of = acme) => identity(of, { narrowing });
  const verdict = (uri: string, narrowing: Narrowing, method = "INVITE"): string => {
    const judged = judge(uri, method, narrowed(narrowing));
    return judged.kind === "denied" ? judged.sentence : judged.kind;
  };
  const notThisNumber = expect.stringMatching(/not good for this number/);
  const nothingElse = expect.stringMatching(/some telephone numbers and nothing else/);

  it.each([
    "sip:+3225887123@acme.example",
    "sip:3225887123@acme.example",
    "sip:+32-2.588(7)123@voice.example",
    "tel:+3225887123",
    "tel:3225887123",
    "sip:%2B3225887123@acme.example",
  ])("calls %s where its numbers have it", (uri) => {
    expect(judge(uri, "INVITE", narrowed({ numbers: ["+32258871*"] }))).toEqual(own);
    expect(judge(uri, "INVITE", narrowed({ numbers: ["+1", "+3225887123"] }))).toEqual(own);
  });

  it.each([
    "sip:+3225887223@acme.example",
    "sip:3225887223@acme.example",
    "tel:+32-2-588-7223",
    "sip:+32258872%323@voice.example",
    "sip:+3229999999@acme.example",
    "sip:+441234567890@voice.example",
    "sip:911@acme.example",
    "tel:911",
  ])("does not call %s, which the customer may, where its numbers have it not", (uri) => {
    expect(judge(uri).kind).toBe("number");
    expect(verdict(uri, { numbers: ["+32258871*"] })).toEqual(notThisNumber);
    expect(verdict(uri, { numbers: [] })).toEqual(notThisNumber);
  });

  it.each(["*", "+*", "+1900*", "+19005551234"])(
    "is no wider for naming %s: the customer's own word comes first",
    (all) => {
      expect(verdict("sip:+19005551234@acme.example", { numbers: [all] })).toMatch(
        /neither yours nor in your dial list/,
      );
      expect(verdict("sip:bob@acme.example", { numbers: [all] })).toEqual(nothingElse);
    },
  );

  it("with numbers calls no user and no extension, and asks for options as before", () => {
    for (const uri of ["sip:bob@acme.example", "sip:113@acme.example", "sip:222588@acme.example"]) {
      expect(judge(uri)).toEqual({ kind: "user" });
      expect(verdict(uri, { numbers: ["+3225887*", "113"] })).toEqual(nothingElse);
      expect(verdict(uri, { methods: ["INVITE"], maxSeconds: 1, permissions: ["*"] })).toBe("user");
    }
    expect(verdict("sip:acme.example", { numbers: [] }, "OPTIONS")).toBe("user");
    expect(verdict("sip:bob@globex.example", { numbers: ["*"] })).toMatch(/own domains/);
  });

  it("calls under a number of the customer's own, with or without a caller id of the customer's", () => {
    for (const callerId of ["+3225887000", "+3225887999", "+911"]) {
      const own = callerId !== "+911";
      const judged = judge("sip:+3225887123@acme.example", "INVITE", narrowed({ callerId }));
      expect(judged).toMatchObject(own ? { kind: "number", caller: callerId } : { kind: "denied" });
    }
    const silent = customer({ numbers: ["+3225887*"], trunk: "sip:pbx.acme.example" });
    expect(
      judge("sip:+3225887123@acme.example", "INVITE", narrowed({ callerId: "+3225887999" }, silent)),
    ).toMatchObject({
      caller: "+3225887999",
    });
  });

  it("does not call under a number of another's, of nobody's, or of the dial list", () => {
    for (const callerId of ["+3221111222", "+19005551234", "+441234567890", "+322588", ""]) {
      expect(verdict("sip:+3225887123@acme.example", { callerId })).toMatch(
        /callerId is none of the customer's numbers/,
      );
      expect(verdict("sip:bob@acme.example", { callerId })).toBe("user");
    }
  });

  it("does not call under a number of another's that lies within its own range", () => {
    const tenant = customer({ id: "tenant", domains: ["tenant.example"], numbers: ["+32258879*"] });
    const parsed = parseUri("sip:+3225887123@acme.example")!;
    const ask = (callerId: string, customers = new Customers([acme, tenant])) =>
      judgeDestination(parsed, "INVITE", narrowed({ callerId }), { ...context, customers });
    expect(ask("+3225887999").kind).toBe("denied");
    expect(ask("+3225887899")).toMatchObject({ kind: "number", caller: "+3225887899" });
    expect(ask("+3225887999", context.customers)).toMatchObject({ kind: "number", caller: "+3225887999" });
  });

  it("may name the customer's caller id though that is none of its numbers, for it is what it has anyway", () => {
    const borrowed = customer({ numbers: ["+3225887*"], trunk: "sip:pbx.acme.example", callerId: "+3290000" });
    const ask = (callerId: string) => judge("sip:+3225887123@acme.example", "INVITE", narrowed({ callerId }, borrowed));
    expect(ask("+3290000")).toMatchObject({ kind: "number", caller: "+3290000" });
    expect(ask("+3290001").kind).toBe("denied");
  });
});

describe("what a trunk gets to dial", () => {
  const formatted = (trunkFormat: Record<string, string>, more = {}) =>
    customer({ numbers: ["+32*", "8500*", "02*"], dial: ["+*"], trunk: "sip:192.0.2.1", trunkFormat, ...more });
  const dialled = (of: ReturnType<typeof customer>, number: string): string | undefined => {
    const judged = judgeDestination(parseUri(`sip:${number}@acme.example`)!, "INVITE", identity(of), {
      customers: new Customers([of]),
      gatewayDomains: new Set(),
    });
    if (judged.kind !== "number") throw new Error(judged.kind);
    return judged.dial;
  };

  it.each<[Record<string, string>, string, string | undefined]>([
    [{ "+": "+" }, "+3225887000", undefined],
    [{ "+": "+" }, "3225887000", "+3225887000"],
    [{ "+": "" }, "+3225887000", "3225887000"],
    [{ "+": "" }, "3225887000", undefined],
    [{ "+32": "0", "+": "00" }, "+3225887000", "025887000"],
    [{ "+32": "0", "+": "00" }, "3225887000", "025887000"],
    [{ "+32": "0", "+": "00" }, "+4940123", "004940123"],
    [{ "+32": "90", "+3247": "*9", "+": "900" }, "+3247123", "*9123"],
    [{ "+32": "0" }, "+4940123", undefined],
    [{ "+32": "0", "+": "00" }, "8500123", undefined],
    [{ "+32": "0", "+": "00" }, "025887000", undefined],
  ])("by the rules %j of %s is %s", (rules, number, dial) => {
    expect(dialled(formatted(rules), number)).toBe(dial);
  });

  it.each<[Record<string, string>, string, string]>([
    [{ "+32": "0", "+": "00" }, "+320442079460000", "0044 2079460000"],
    [{ "+32": "0", "+": "00" }, "320442079460000", "the same"],
    [{ "+32": "0" }, "+320442079460000", "the same, where the trunk knows 00 without us"],
    [{ "+32": "90", "+": "900" }, "+320442079460000", "the same behind an outside line"],
    [{ "+32": "90" }, "+320442079460000", "the same"],
    [{ "+32": "" }, "+3200442079460000", "00442079460000"],
    [{ "+32": "9" }, "+3200442079460000", "the same behind an outside line"],
    [{ "+1": "", "+": "011" }, "+1011442079460", "011 44 2079460"],
    [{ "+1": "" }, "+1011442079460", "the same"],
    [{ "+7": "8" }, "+710442079460000", "8 10 442079460000"],
    [{ "+81": "0" }, "+8110442079460000", "010 442079460000"],
    [{ "+32": "", "+4420": "88" }, "+3288123456", "+4420 123456"],
    [{ "+3225887": "" }, "+3225887112", "112"],
    [{ "+3225887": "0" }, "3225887911", "0911"],
  ])("by the rules %j refuses %s, which the trunk would read as %s", (rules, number) => {
    expect(() => dialled(formatted(rules, { dial: ["+*"] }), number)).toThrow("denied");
  });

  it.each<[Record<string, string>, string, string]>([
    [{ "+39": "", "+": "00" }, "+390612345678", "0612345678"],
    [{ "+225": "", "+": "00" }, "+2250101234567", "0101234567"],
    [{ "+32": "0", "+": "00" }, "+3220044000", "020044000"],
    [{ "+1": "", "+": "011" }, "+12125550100", "2125550100"],
    [{ "+": "" }, "+3200442", "3200442"],
  ])("by the rules %j takes %s, whose own digits only look so", (rules, number, dial) => {
    expect(dialled(formatted(rules), number)).toBe(dial);
  });

  it("is an emergency number by the rules where the operator has listed what becomes it", () => {
    const listed = formatted({ "+3225887": "" }, { numbers: ["+3225887*", "+3225887112"] });
    expect(dialled(listed, "+3225887112")).toBe("112");
  });

  it("comes with the credential of that trunk and whether it is trusted, the owner's where the number is another's", () => {
    const auth = { username: "globex", password: "its-password" };
    const owner = customer({
      ...{ id: "globex", domains: ["globex.example"], numbers: ["+49*"], trunk: "sip:192.0.2.2" },
      ...{ trunk2: ["sip:192.0.2.3", "sip:192.0.2.4"], trunkAuth: auth, trunkFormat: { "+": "" }, trunkTrusted: false },
    });
    const caller = customer({ dial: ["+49*"], trunk: "sip:192.0.2.1", trunkAuth: { username: "a", password: "b" } });
    const both = { customers: new Customers([owner, caller]), gatewayDomains: new Set<string>() };
    const judged = judgeDestination(parseUri("sip:+4940123@acme.example")!, "INVITE", identity(caller), both);
    expect(judged).toEqual({
      ...{ kind: "number", trunk: "sip:192.0.2.2", trunk2: "sip:192.0.2.3>sip:192.0.2.4", caller: "" },
      ...{ dial: "4940123", auth, trusted: false },
    });
    const own = judgeDestination(parseUri("sip:+4940123@acme.example")!, "INVITE", identity(caller), {
      ...both,
      customers: new Customers([caller]),
    });
    expect(own).toEqual({
      ...{ kind: "number", trunk: "sip:192.0.2.1", trunk2: "", caller: "" },
      auth: { username: "a", password: "b" },
    });
  });
});
