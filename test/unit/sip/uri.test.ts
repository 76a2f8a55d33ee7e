import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  headerParams,
  paramSpan,
  parseAddress,
  parseUri,
  parseVia,
  unescapeUser,
  unquote,
  uriKey,
} from "../../../src/sip/uri.ts";
import { cpuMs } from "../../helpers/sip-text.ts";

describe("parseUri", () => {
  it("reads every part of a SIP URI", () => {
    const uri = parseUri("SIPS:Al%69ce;x=y@ACME.Example:5061;Transport=WS;lr?Subject=a&x=y");
    expect(uri).toMatchObject({
      scheme: "sips",
      user: "Al%69ce;x=y",
      hasPassword: false,
      host: "acme.example",
      port: 5061,
      headers: "Subject=a&x=y",
    });
    expect([...uri!.params]).toEqual([
      ["transport", "WS"],
      ["lr", ""],
    ]);
  });

  it.each([
    ["sip:acme.example", undefined, "acme.example"],
    ["sip:alice@192.0.2.1", "alice", "192.0.2.1"],
    ["sip:alice@[2001:DB8::1]:5060", "alice", "[2001:db8::1]"],
    ["sip:a@acme.example.", "a", "acme.example."],
    ["sip:/?&=+$,;@h", "/?&=+$,;", "h"],
    ["sip:a;b@c", "a;b", "c"],
    ["sip:a@b;x=sip:evil", "a", "b"],
  ])("reads %s", (text, user, host) => {
    expect(parseUri(text)).toMatchObject({ user, host, hasPassword: false });
  });

  it.each([
    "sip:alice:secret@acme.example",
    "sip:1479829425:alice@acme.example",
    "sip:alice:@acme.example",
    "sip:192.0.2.1:5060;x=@acme.example",
  ])("marks %s as user:password, whose host is what follows the @", (text) => {
    expect(parseUri(text)).toMatchObject({ hasPassword: true, host: "acme.example" });
  });

  it("reads a tel URI", () => {
    expect(parseUri("TEL:+32(2)588-70.00;phone-context=x")).toMatchObject({
      scheme: "tel",
      user: "+32(2)588-70.00",
      host: "",
    });
  });

  it("knows anything else by its scheme alone", () => {
    expect(parseUri("urn:uuid:1")).toMatchObject({ scheme: "urn", user: undefined, host: "" });
    expect(parseUri("HTTP://a@b/")).toMatchObject({ scheme: "http", user: undefined, host: "" });
  });

  it.each([
    ["nothing", ""],
    ["a scheme alone", "sip:"],
    ["no scheme", "alice@acme.example"],
    ["an empty user", "sip:@acme.example"],
    ["two @", "sip:alice@evil.example@acme.example"],
    ["an @ behind the parameters", "sip:alice@evil.example;x=@acme.example"],
    ["an @ behind the headers", "sip:alice@evil.example?x=@acme.example"],
    ["a broken escape", "sip:al%6ge@acme.example"],
    ["an escape cut short", "sip:alice%4@acme.example"],
    ["an escape in the host", "sip:alice@acme%2eexample"],
    ["a slash in the host", "sip:alice@acme.example/x"],
    ["a comma in the host", "sip:alice@acme.example,evil.example"],
    ["an underscore in the host", "sip:alice@ac_me.example"],
    ["a dash at the start of the host", "sip:alice@-acme.example"],
    ["a dash at the end of the host", "sip:alice@acme.example-"],
    ["a dot at the start of the host", "sip:alice@.acme.example"],
    ["IPv6 without brackets", "sip:2001:db8::10"],
    ["IPv6 without the closing bracket", "sip:[2001:db8::10"],
    ["a zone in IPv6", "sip:[fe80::1%eth0]"],
    ["an empty port", "sip:a@b:"],
    ["port 0", "sip:a@b:0"],
    ["port 65536", "sip:a@b:65536"],
    ["a port of six digits", "sip:a@b:005060"],
    ["a port that is no number", "sip:a@b:50x"],
    ["an empty parameter", "sip:a@b;;lr"],
    ["a semicolon at the end", "sip:a@b;"],
    ["a parameter without name", "sip:a@b;=x"],
    ["a parameter without value after =", "sip:a@b;x="],
    ["a parameter twice", "sip:a@b;maddr=c;maddr=d"],
    ["a parameter twice in other case", "sip:a@b;maddr=c;MADDR=d"],
    ["the beginning of maddr as a parameter without a value", "sip:a@b;mad"],
    ["a space", "sip:ali ce@b"],
    ["a tab", "sip:alice@b\t"],
    ["a line break", "sip:alice@b\r\n"],
    ["<", "sip:<alice@b"],
    [">", "sip:alice>@b"],
    ["a quote", 'sip:"alice"@b'],
    ["a backslash", "sip:al\\ice@b"],
    ["a bar", "sip:alice|trunk=x@b"],
    ["a caret", "sip:alice^@b"],
    ["braces", "sip:{alice}@b"],
    ["a backtick", "sip:`alice`@b"],
    ["a byte above 127", "sip:al\xefce@b"],
    ["a NUL", "sip:alice\0@b"],
    ["more than 2048 characters", `sip:a@b;x=${"y".repeat(2048)}`],
    ["a host of 256", `sip:a@${"b".repeat(256)}`],
    ["a tel URI with a host", "tel:+3225887000@acme.example"],
    ["a tel URI without number", "tel:"],
    ["a tel URI of 65", `tel:${"1".repeat(65)}`],
    ["a tel URI with headers", "tel:+1?x=y"],
    ["a tel URI with a broken escape", "tel:+1%2"],
    ["a tel URI with a parameter twice", "tel:+1;a=b;a=c"],
    ["a scheme of 33", `${"x".repeat(33)}:y`],
  ])("cannot read %s", (_, text) => {
    expect(parseUri(text)).toBeUndefined();
  });

  it("takes the longest of all that is bounded", () => {
    expect(parseUri(`sip:a@b;x=${"y".repeat(2048 - 10)}`)).toBeDefined();
    expect(parseUri(`sip:a@${"b".repeat(255)}`)).toBeDefined();
    expect(parseUri(`tel:${"1".repeat(64)}`)).toBeDefined();
    expect(parseUri("sip:a@b:65535")?.port).toBe(65_535);
  });
});

describe("parseAddress", () => {
  const uriOf = (text: string): string => {
    const parsed = parseAddress(text);
    return parsed.kind === "address" ? parsed.address.uri : parsed.reason;
  };

  it.each([
    ["a name-addr", "<sip:a@b;x=y?z>;tag=1", "sip:a@b;x=y?z"],
    ["a name-addr behind tokens", "Alice B. Example <sip:a@b>", "sip:a@b"],
    ["a name-addr directly behind a token", "caller<sip:a@b>", "sip:a@b"],
    ["a quoted display name", '"Alice, <sip:x@y>;tag=2" <sip:a@b>', "sip:a@b"],
    ["a quoted display name without white space", '"Alice"<sip:a@b>', "sip:a@b"],
    ["escaped quotes", String.raw`"A\"lice\\" <sip:a@b>`, "sip:a@b"],
    ["an empty display name", '"" <sip:a@b>', "sip:a@b"],
    ["bytes above 127 in quotes", '"J\xc3\xbcrgen" <sip:a@b>', "sip:a@b"],
    ["an addr-spec", "sip:a@b", "sip:a@b"],
    ["an addr-spec, its ; a header parameter's", "sip:a@b;tag=1", "sip:a@b"],
    ["an addr-spec before white space", "sip:a@b \t;tag=1", "sip:a@b"],
  ])("reads %s", (_, text, uri) => {
    expect(uriOf(text)).toBe(uri);
  });

  it("says where the header parameters begin", () => {
    for (const text of ['"a" <sip:a@b;x=y>;tag=1', "sip:a@b;tag=1", "sip:a@b ;tag=1"]) {
      const parsed = parseAddress(text);
      if (parsed.kind !== "address") return expect.fail(parsed.reason);
      expect(text.slice(parsed.address.paramsStart).trim()).toBe(";tag=1");
      expect(parsed.address.params.get("tag")).toBe("1");
    }
  });

  it.each([
    ["nothing", "", /parameters|\? or ,|URI/],
    ["white space in <>", "< sip:a@b>", /white space/],
    ["an empty <>", "<>", /white space/],
    ["two URIs", "<sip:a@b><sip:c@d>", /parameters/],
    ["a second address behind a comma", "<sip:a@b>, <sip:c@d>", /parameters/],
    ["no >", "<sip:a@b", /no >/],
    ["> alone", "sip:a@b>", /must stand in <>/],
    ["an addr-spec with ?", "sip:a@b?Route=x", /must stand in <>/],
    ["an addr-spec with ,", "sip:a,b@c", /must stand in <>/],
    ["an addr-spec behind a display name", '"Alice" sip:a@b', /no <URI>/],
    ["a display name alone", '"Alice"', /no <URI>/],
    ["an open display name", '"Alice <sip:a@b>', /quotes do not match/],
    ["text between display name and <", '"Alice" x <sip:a@b>', /in quotes/],
    ["a byte that Unicode calls a space there", '"Alice"\xa0<sip:a@b>', /in quotes/],
    ["a comma in unquoted words", "Alice, Bob <sip:a@b>", /in quotes/],
    ["a byte above 127 in unquoted words", "J\xfcrgen <sip:a@b>", /in quotes/],
    ["a < inside a parameter of an addr-spec", 'sip:a@b;x="<sip:c@d>"', /in quotes/],
    ["text behind >", "<sip:a@b>x", /parameters/],
    ["a parameter twice", "<sip:a@b>;tag=1;tag=2", /parameters/],
    ["an open quoted parameter", '<sip:a@b>;x="y', /parameters/],
  ])("refuses %s", (_, text, why) => {
    const parsed = parseAddress(text);
    expect(parsed.kind === "malformed" ? parsed.reason : "none").toMatch(why);
  });
});

describe("headerParams and paramSpan", () => {
  it("read tokens, hosts and quoted strings, names without case", () => {
    const text = String.raw` ; A=b;c ;d = "e;\"f\"" ;received=[2001:db8::1];g`;
    expect([...headerParams(text, 0)!]).toEqual([
      ["a", "b"],
      ["c", ""],
      ["d", 'e;"f"'],
      ["received", "[2001:db8::1]"],
      ["g", ""],
    ]);
    expect(headerParams("", 0)?.size).toBe(0);
  });

  it.each([
    ";a=",
    ";=b",
    ";",
    ";a;",
    "a=b",
    ";a=b c",
    ";a=b,c",
    ";a=b;A=c",
    ';a="b',
    ';a="b"c',
    ";a=\xa0",
    ";a=b\xa0",
    ";a=(b)",
    ";a='b;c=d",
    ";a='b';c=d",
  ])("cannot read %j", (text) => expect(headerParams(text, 0)).toBeUndefined());

  it("read an apostrophe within a value", () => expect(headerParams(";a=b'c", 0)?.get("a")).toBe("b'c"));

  it("bound names, values and their count", () => {
    expect(headerParams(`;${"a".repeat(64)}=${"b".repeat(512)}`, 0)?.size).toBe(1);
    expect(headerParams(`;${"a".repeat(65)}`, 0)).toBeUndefined();
    expect(headerParams(`;a=${"b".repeat(513)}`, 0)).toBeUndefined();
    const many = (count: number): string => Array.from({ length: count }, (_, i) => `;p${i}`).join("");
    expect(headerParams(many(32), 0)?.size).toBe(32);
    expect(headerParams(many(33), 0)).toBeUndefined();
  });

  it.each([
    ["<sip:a@b;expires=9>;x=expires;expires=60", "60"],
    ['<sip:a@b>;x=";expires=9";EXPIRES \t= \t60 ;y', "60"],
    ["<sip:a@b>;expires=e;x=1", "e"],
    ['<sip:a@b>;expires="60"', '"60"'],
    ["<sip:a@b>;expires;x=1", undefined],
    ["<sip:a@b>", undefined],
  ])("find the value of expires in %s", (text, value) => {
    const span = paramSpan(text, text.indexOf(">") + 1, "expires");
    expect(span && text.slice(span.start, span.end)).toBe(value);
    if (span) expect(text.slice(0, span.start)).toMatch(/;expires[ \t]*=[ \t]*$/i);
  });

  it("unquote what is quoted only", () => {
    expect(unquote(String.raw`"a\"b\\c"`)).toBe(String.raw`a"b\c`);
    expect(unquote("a\\b")).toBe("a\\b");
  });
});

describe("parseVia", () => {
  it.each([
    ["SIP/2.0/WS abc.invalid;branch=z9hG4bK1", "abc.invalid", "z9hG4bK1"],
    ["SIP/2.0/WSS ABC.invalid:443;rport;branch=z9hG4bKA.b", "abc.invalid", "z9hG4bKA.b"],
    ["SIP / 2.0 / TCP  192.0.2.1 : 5060 ;x=y ; branch = z9hG4bK1", "192.0.2.1", "z9hG4bK1"],
    ["SIP/2.0/UDP [2001:DB8::9:1]:6050;received=[2001:db8::9:255];branch=z9hG4bKas3", "[2001:db8::9:1]", "z9hG4bKas3"],
    ["SIP/2.0/TCP h;received=2001:db8::9:255;branch=z9hG4bKas3", "h", "z9hG4bKas3"],
  ])("reads %s", (text, host, branch) => expect(parseVia(text)).toEqual({ host, branch }));

  it.each([
    "",
    "SIP/2.0/WS",
    "SIP/2.0/WS ;branch=z9hG4bK1",
    "SIP/3.0/WS h;branch=z9hG4bK1",
    "SIP/2.0/WS h",
    "SIP/2.0/WS h;branch",
    "SIP/2.0/WS h;branch=1",
    "SIP/2.0/WS h;branch=Z9HG4BK1",
    "SIP/2.0/WS h;branch=z9hG4bK",
    "SIP/2.0/WS h;branch=z9hG4bKa/b",
    'SIP/2.0/WS h;branch="z9hG4bKa b"',
    "SIP/2.0/WS h i;branch=z9hG4bK1",
    "SIP/2.0/WS h:x;branch=z9hG4bK1",
    "SIP/2.0/WS h@i;branch=z9hG4bK1",
  ])("cannot read %j", (text) => expect(parseVia(text)).toBeUndefined());
});

describe("unescapeUser", () => {
  it("resolves escapes once", () => {
    expect(unescapeUser("%2B1%39%30%30")).toBe("+1900");
    expect(unescapeUser("%252B1")).toBe("%2B1");
    expect(unescapeUser("plain")).toBe("plain");
  });

  it.each(["%", "%2", "%zz", "a%0", "%00", "%0d%0a", "%1F", "%7f"])("does not resolve %s", (text) => {
    expect(unescapeUser(text)).toBeUndefined();
  });
});

describe("uriKey", () => {
  it.each([
    ["sip:alice@acme.example;transport=ws;ob", "SIP:alice@ACME.example;OB;Transport=WS"],
    ["sip:%61lice@acme.example", "sip:alice@acme.example"],
    ["sip:edge.example;lr", "sip:Edge.Example;LR"],
  ])("is one for %s and %s", (one, other) => expect(uriKey(one)).toBe(uriKey(other)));

  it.each([
    ["sip:alice@acme.example", "sip:Alice@acme.example"],
    ["sip:alice@acme.example", "sips:alice@acme.example"],
    ["sip:alice@acme.example", "sip:alice@acme.example:5060"],
    ["sip:alice@acme.example", "sip:alice@acme.example;transport=ws"],
    ["sip:alice@acme.example;x=1", "sip:alice@acme.example;x=2"],
    ["sip:alice@acme.example;x=1;y=2", "sip:alice@acme.example;x=2;y=1"],
    ["sip:alice@acme.example;x", "sip:alice@acme.example;y"],
    ["sip:alice@acme.example", "sip:alice@acme.example?x=y"],
    ["sip:alice@acme.example", "sip:alice:x@acme.example"],
    ["sip:alice@acme.example", "sip:acme.example"],
    ["sip:a@b;x=1", "sip:a;x=1@b"],
  ])("tells %s from %s", (one, other) => expect(uriKey(one)).not.toBe(uriKey(other)));

  it("is none for what is no SIP URI", () => {
    for (const text of ["tel:+1", "urn:x", "", "sip:a%00@b", "sip:@"]) expect(uriKey(text)).toBeUndefined();
  });
});

describe("reading URIs", () => {
  const piece = fc.oneof(
    fc.constantFrom(
      "sip:",
      "sips:",
      "tel:",
      "a",
      "@",
      ":",
      ";",
      "?",
      "=",
      "%",
      "%41",
      "[",
      "]",
      "<",
      ">",
      '"',
      "\\",
      " ",
      ".",
      "-",
    ),
    fc.string({ unit: "binary", maxLength: 3 }),
  );
  const text = fc.array(piece, { maxLength: 24 }).map((pieces) => pieces.join(""));

  it("never throws, and a host is all that follows the last @", () => {
    fc.assert(
      fc.property(text, (given) => {
        parseAddress(given);
        parseVia(given);
        uriKey(given);
        unescapeUser(given);
        headerParams(given, 0);
        paramSpan(given, 0, "a");
        const uri = parseUri(given);
        if (!uri?.scheme.startsWith("sip")) return;
        const rest = given.slice(given.lastIndexOf("@") + 1);
        const authority = given.includes("@") ? rest : rest.slice(rest.indexOf(":") + 1);
        expect(authority.toLowerCase().startsWith(uri.host)).toBe(true);
        expect(uri.host).toMatch(/^[a-z0-9.:[\]-]+$/);
      }),
      { numRuns: 5000 },
    );
  });

  it("costs time in proportion to hostile text", () => {
    const pieces = [
      " ",
      "\t",
      ",",
      ";",
      '"',
      "<",
      ">",
      "\\",
      "@",
      ":",
      "%",
      "=",
      "a",
      ".",
      "-",
      ";a=",
      "; ",
      "a:",
      "0",
      "?",
      "[",
    ];
    const prefixes = [
      "",
      "sip:",
      "sip:a@",
      "sip:a@b;x=",
      "tel:",
      "SIP/2.0/WS ",
      "SIP/2.0/WS h;",
      '"',
      "<",
      "x:",
      ";a=",
    ];
    const ms = cpuMs(() => {
      for (const given of prefixes) {
        for (const one of pieces) {
          const long = given + one.repeat(30_000 / one.length);
          for (const read of [parseUri, parseAddress, parseVia, uriKey, unescapeUser]) {
            for (const whole of [long, `${long}\x01`]) read(whole);
          }
          headerParams(long, given.length);
          paramSpan(long, given.length, "expires");
        }
      }
    });
    expect(ms).toBeLessThan(600);
  });
});
