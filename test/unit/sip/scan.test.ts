import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readRequest } from "../../../src/sip/request.ts";
import { scan } from "../../../src/sip/scan.ts";
import { cpuMs, scanned, scanReason, sip, wire } from "../../helpers/sip-text.ts";

describe("scan", () => {
  it("indexes a request, with what verdicts need", () => {
    const text = sip({ method: "MESSAGE", extra: ["X-Test: 1"], body: "hello" });
    const message = scanned(text);
    expect(message).toMatchObject({
      isRequest: true,
      method: "MESSAGE",
      requestUri: "sip:bob@acme.example",
      status: 0,
      callId: "c1",
      cseq: 1,
      via: { host: "abc.invalid", branch: "z9hG4bK1" },
      from: { uri: "sip:alice@acme.example" },
      to: { uri: "sip:bob@acme.example" },
    });
    expect(message.from.params.get("tag")).toBe("a1");
    expect(message.bytes.toString("latin1", message.bodyStart)).toBe("hello");
    expect(message.bytes.toString("latin1", 0, message.headersStart)).toBe("MESSAGE sip:bob@acme.example SIP/2.0\r\n");
    expect(message.headers.map(({ name }) => name)).toEqual(
      ["via", "max-forwards", "from", "to", "call-id", "cseq", "content-length"].concat("x-test"),
    );
    const lines = message.headers.map(({ start, end }) => message.bytes.toString("latin1", start, end)).join("");
    expect(lines).toBe(text.slice(message.headersStart, message.bodyStart - 2));
    expect(message.value(message.header("x-test")!)).toBe("1");
    expect(message.header("x-none")).toBeUndefined();
  });

  it("indexes a response, its method from CSeq", () => {
    const message = scanned(sip({ start: "SIP/2.0 180 Ringing", fields: { CSeq: "7 INVITE" } }));
    expect(message).toMatchObject({ isRequest: false, status: 180, method: "INVITE", cseq: 7, requestUri: "" });
    expect(scanned(sip({ start: "SIP/2.0 200 " })).status).toBe(200);
  });

  it("knows names in any case and every compact form", () => {
    const compact = "a b c d e f i j k l m n o r s t u v x y".split(" ");
    const long = [
      ...["accept-contact", "referred-by", "content-type", "request-disposition", "content-encoding", "from"],
      ...["call-id", "reject-contact", "supported", "content-length", "contact", "identity-info", "event"],
      ...["refer-to", "subject", "to", "allow-events", "via", "session-expires", "identity"],
    ];
    const essential = new Map([
      ["f", "<sip:a@b>"],
      ["i", "x"],
      ["l", "0"],
      ["t", "<sip:a@b>"],
      ["v", "SIP/2.0/WS h;branch=z9hG4bKx"],
    ]);
    for (const cased of [compact, compact.map((name) => name.toUpperCase())]) {
      const lines = cased.map((name) => `${name}: ${essential.get(name.toLowerCase()) ?? "1"}`);
      const text = ["OPTIONS sip:a SIP/2.0", ...lines, "cSEQ: 1 OPTIONS", "", ""].join("\r\n");
      expect(scanned(text).headers.map(({ name }) => name)).toEqual([...long, "cseq"]);
    }
  });

  it.each(["constructor", "__proto__", "toString", "hasOwnProperty", "valueOf"])(
    "takes %s as a name like any",
    (name) => {
      expect(scanned(sip({ extra: [`${name}: x`] })).headers.at(-1)?.name).toBe(name.toLowerCase());
    },
  );

  it("reads white space before the colon and around the value", () => {
    const message = scanned(sip({ extra: ["Subject \t : \t two  words \t", "X-Empty:", "X-Blank: \t "] }));
    expect(message.value(message.header("subject")!)).toBe("two  words");
    expect(message.value(message.header("x-empty")!)).toBe("");
    expect(message.value(message.header("x-blank")!)).toBe("");
  });

  it("unfolds byte for byte, so that offsets hold", () => {
    const text = sip({
      extra: ["Contact:\r\n <sip:a@h>\r\n\t;q=1,\r\n  <sip:b@h>", "m: <sip:c@h>"],
    });
    const message = scanned(text);
    expect(message.value(message.header("contact")!)).toBe("<sip:a@h>  \t;q=1,    <sip:b@h>");
    const values = message.values("contact");
    expect(values.map((value) => value.text)).toEqual(["<sip:a@h>  \t;q=1", "<sip:b@h>", "<sip:c@h>"]);
    for (const { text: written, start } of values) {
      expect(text.slice(start, start + written.length).replaceAll("\r\n", "  ")).toBe(written);
    }
  });

  it("splits values at commas outside quotes and angle brackets only", () => {
    const contact = String.raw`"a, \", <sip:x@y>" <sip:a,b@h;x=,>;p="q,\"r" , sip:c@h`;
    const values = scanned(sip({ fields: { Contact: contact } })).values("contact");
    expect(values.map(({ text }) => text)).toEqual([
      String.raw`"a, \", <sip:x@y>" <sip:a,b@h;x=,>;p="q,\"r"`,
      "sip:c@h",
    ]);
  });

  it("takes only space and tab for white space: a byte that Unicode calls a space is none", () => {
    const [value] = scanned(sip({ fields: { Contact: "\xa0*\xa0" } })).values("contact");
    expect(value?.text).toBe("\xa0*\xa0");
  });

  const lineOf: Readonly<Record<string, string>> = {
    From: "<sip:mallory@acme.example>;tag=m",
    To: "<sip:mallory@acme.example>",
    "Call-ID": "c2",
    CSeq: "2 INVITE",
    "Max-Forwards": "70",
    "Content-Length": "0",
  };
  const short: Readonly<Record<string, string>> = { From: "f", To: "t", "Call-ID": "i", "Content-Length": "l" };
  const spellings = Object.entries(lineOf).flatMap(([name, value]) =>
    [name, name.toUpperCase(), name.toLowerCase(), `${name} \t`, short[name], short[name]?.toUpperCase()]
      .filter((spelling) => spelling !== undefined)
      .map((spelling) => ({ line: `${spelling}: ${value}`, name: name.toLowerCase() })),
  );
  it.each(spellings)("refuses a second $name as $line", ({ line, name }) => {
    expect(scanReason(sip({ extra: [line] }))).toBe(`more than one ${name}`);
  });

  it.each(["Expires", "o", "r", "Referred-By", "Replaces", "Join", "RAck", "RSeq", "x", "Min-SE", "c"])(
    "refuses two of %s, of which two readers could take two",
    (name) => expect(scanReason(sip({ extra: [`${name}: 1`, `${name}: 1`] }))).toMatch(/^more than one /),
  );

  it.each(["Via", "From", "To", "Call-ID", "CSeq"])("refuses a message without %s", (name) => {
    expect(scanReason(sip({ fields: { [name]: undefined } }))).toBe(`no ${name.toLowerCase()}`);
  });

  const whole = sip({ extra: ["Subject: x"], body: "body" });
  it.each([
    ["a bare CR in a value", whole.replace("Subject: x", "Subject: x\ry"), /bare CR in a header/],
    ["a bare LF in a value", whole.replace("Subject: x", "Subject: x\ny"), /bare LF in a header/],
    ["a bare LF that would begin a header", whole.replace("Subject: x", "Subject: x\nFrom: y"), /bare LF/],
    ["two CRs before an LF", whole.replace("Subject: x\r\n", "Subject: x\r\r\n"), /bare CR/],
    ["lines that end in LF alone", whole.replaceAll("\r\n", "\n"), /bare LF in the start line/],
    ["lines that end in CR alone", whole.replaceAll("\r\n", "\r"), /bare CR in the start line/],
    ["a NUL in a value", whole.replace("Subject: x", "Subject: x\0"), /NUL in a header/],
    ["a NUL in the start line", whole.replace("INVITE ", "INVITE\0 "), /NUL in the start line/],
    ["a NUL in a name", whole.replace("Subject", "Sub\0ject"), /no colon/],
    ["a BEL", whole.replace("Subject: x", "Subject: \x07"), /control character/],
    ["a DEL", whole.replace("Subject: x", "Subject: \x7f"), /control character/],
    ["no empty line", whole.slice(0, whole.indexOf("\r\n\r\n") + 2), /empty line .* missing/],
    ["an empty line without its LF", whole.slice(0, whole.indexOf("\r\n\r\n") + 3), /does not begin with a name/],
    ["a last line without CRLF", whole.slice(0, whole.indexOf("\r\n\r\n")), /does not end in CRLF/],
    ["a start line alone", "INVITE sip:a@b SIP/2.0\r\n", /empty line .* missing/],
    ["nothing", "", /does not end/],
    ["a line without colon", whole.replace("Subject: x", "Subject x"), /no colon/],
    ["a line without name", whole.replace("Subject: x", ": x"), /begin with a name/],
    ["a folded line before any header", whole.replace("\r\nVia", "\r\n Via"), /begin with a name/],
    ["a folded line of white space alone", whole.replace("Subject: x", "Subject: x\r\n \t"), /folded line is empty/],
    ["a character in a name at which Kamailio stops reading", whole.replace("Subject", "X!y"), /no colon/],
    ["another one", whole.replace("Subject", "X'y"), /no colon/],
    ["an escape in a header name", whole.replace("Subject", "C%6Fntact"), /no colon/],
    ["a byte above 127 in a header name", whole.replace("Subject", "S\xfcbject"), /no colon/],
    ["an escape in the method", whole.replaceAll("INVITE", "INV%49TE"), /start line/],
    ["a method that is no token", whole.replace("INVITE ", "INV(TE "), /start line/],
    ["white space before the method", ` ${whole}`, /start line/],
    ["two spaces in the start line", whole.replace("INVITE ", "INVITE  "), /start line/],
    ["a tab in the start line", whole.replace("INVITE ", "INVITE\t"), /start line/],
    ["white space after the version", whole.replace("SIP/2.0\r\n", "SIP/2.0 \r\n"), /start line/],
    ["another version", whole.replace("SIP/2.0\r\n", "SIP/7.0\r\n"), /start line/],
    [
      "<> around the Request-URI",
      whole.replace("sip:bob@acme.example SIP", "<sip:bob@acme.example> SIP"),
      /start line/,
    ],
    ["white space in the Request-URI", whole.replace("sip:bob@acme.example SIP", "sip:bob@acme .example SIP"), /start/],
    ["a status of four digits", sip({ start: "SIP/2.0 2000 OK" }), /start line/],
    ["a status of 700", sip({ start: "SIP/2.0 700 OK" }), /start line/],
    ["a status below 100", sip({ start: "SIP/2.0 099 OK" }), /start line/],
    ["a status line without the space after the status", sip({ start: "SIP/2.0 200" }), /start line/],
    ["a Content-Length above the body", whole.replace("Length: 4", "Length: 5"), /more than the body has/],
    ["a Content-Length below the body", whole.replace("Length: 4", "Length: 3"), /one message in each frame/],
    ["a second message in the frame", sip() + sip(), /one message in each frame/],
    ["a CRLF after the message", `${sip()}\r\n`, /one message in each frame/],
    ["a negative Content-Length", whole.replace("Length: 4", "Length: -4"), /not a number/],
    ["a signed Content-Length", whole.replace("Length: 4", "Length: +4"), /not a number/],
    ["a Content-Length in hex", whole.replace("Length: 4", "Length: 0x4"), /not a number/],
    ["a Content-Length of two numbers", whole.replace("Length: 4", "Length: 4, 4"), /not a number/],
    ["an empty Content-Length", whole.replace("Length: 4", "Length:"), /not a number/],
    ["a Content-Length of ten digits", whole.replace("Length: 4", "Length: 0000000004"), /not a number/],
    ["a body without Content-Length", sip({ fields: { "Content-Length": undefined }, body: "x" }), /without Content-L/],
    ["a CSeq of another method", sip({ fields: { CSeq: "1 ACK" } }), /CSeq method/],
    ["a CSeq method in another case", sip({ fields: { CSeq: "1 invite" } }), /CSeq method/],
    ["a CSeq without number", sip({ fields: { CSeq: "INVITE" } }), /CSeq/],
    ["a CSeq without method", sip({ fields: { CSeq: "1" } }), /CSeq/],
    ["a negative CSeq", sip({ fields: { CSeq: "-1 INVITE" } }), /CSeq/],
    ["a CSeq of 2^31", sip({ fields: { CSeq: "2147483648 INVITE" } }), /2\^31/],
    ["a CSeq of eleven digits", sip({ fields: { CSeq: "00000000001 INVITE" } }), /CSeq/],
    ["an escape in the CSeq method", sip({ fields: { CSeq: "1 INV%49TE" } }), /CSeq/],
    ["a Max-Forwards of 256", sip({ fields: { "Max-Forwards": "256" } }), /255/],
    ["a Max-Forwards that is no number", sip({ fields: { "Max-Forwards": "7x" } }), /not a number/],
    ["an empty Call-ID", sip({ fields: { "Call-ID": "" } }), /one word/],
    ["a Call-ID of two words", sip({ fields: { "Call-ID": "a b" } }), /one word/],
    ["a Call-ID with a byte above 127", sip({ fields: { "Call-ID": "a\xe4" } }), /one word/],
    ["an empty From", sip({ fields: { From: "" } }), /From/],
    ["a From tag that is no token", sip({ fields: { From: "<sip:a@b>;tag=a[b" } }), /From: the tag/],
    ["a quoted From tag", sip({ fields: { From: '<sip:a@b>;tag="a1"' } }), /From: the tag/],
    ["an empty To tag", sip({ fields: { To: "<sip:a@b>;tag" } }), /To: the tag/],
    ["a tag twice", sip({ fields: { From: "<sip:a@b>;tag=1;TAG=2" } }), /From: the parameters/],
    ["a folded From", sip({ fields: { From: "<sip:a@b>\r\n ;tag=1" } }), /from is folded/],
    ["a To that begins with a fold", sip({ fields: { To: "\r\n <sip:a@b>" } }), /to is folded/],
    ["two addresses in To", sip({ fields: { To: "<sip:a@b>, <sip:c@d>" } }), /To: the parameters/],
    ["a Via without branch", sip({ fields: { Via: "SIP/2.0/WS h" } }), /topmost Via/],
    ["a Via with a branch of RFC 2543", sip({ fields: { Via: "SIP/2.0/WS h;branch=1" } }), /topmost Via/],
    ["a branch that is the magic cookie alone", sip({ fields: { Via: "SIP/2.0/WS h;branch=z9hG4bK" } }), /topmost Via/],
    ["an empty Via", sip({ fields: { Via: "" } }), /topmost Via/],
    ["an empty first value in Via", sip({ fields: { Via: ", SIP/2.0/WS h;branch=z9hG4bK1" } }), /topmost Via/],
    ["a Via with a branch twice", sip({ fields: { Via: "SIP/2.0/WS h;branch=z9hG4bKa;branch=z9hG4bKb" } }), /topmost/],
  ])("refuses %s", (_, text, why) => {
    expect(scanReason(text)).toMatch(why);
  });

  it("takes the greatest CSeq that there is", () => {
    expect(scanned(sip({ fields: { CSeq: "2147483647 INVITE" } })).cseq).toBe(2_147_483_647);
    expect(scanned(sip({ fields: { CSeq: "0000000000\tINVITE" } })).cseq).toBe(0);
  });

  it("takes from upstream a body whose length nobody said, but never a wrong length", () => {
    const upstream = { lengthRequired: false };
    expect(scanReason(sip({ fields: { "Content-Length": undefined }, body: "x" }), upstream)).toBe("none");
    expect(scanReason(sip({ fields: { "Content-Length": "2" }, body: "x" }), upstream)).toMatch(/more than/);
    expect(scanReason(sip({ fields: { "Content-Length": undefined } }))).toBe("none");
  });

  it.each([
    ["display names with unescaped quotes", '"Al"ice" <sip:alice@acme.example>;tag=1'],
    ["a URI inside unescaped quotes", '"x" <sip:mallory@acme.example> " <sip:alice@acme.example>;tag=1'],
    ["a URI inside quotes with a parameter", '"x" <sip:mallory@h>;y=" <sip:alice@acme.example>;tag=1'],
    ["a URI inside quotes with an empty parameter", '"x" <sip:mallory@h>;y="" <sip:alice@acme.example>;tag=1'],
    ["an open quote", '"Alice <sip:alice@acme.example>;tag=1'],
    ["a quote inside tokens", 'Al"ice <sip:alice@acme.example>;tag=1'],
    ["a quoted part behind tokens", 'Alice "x" <sip:alice@acme.example>;tag=1'],
    ["an escaped closing quote", String.raw`"Alice\" <sip:alice@acme.example>;tag=1`],
  ])("refuses %s, whatever stands outside", (_, value) => {
    expect(scanReason(sip({ fields: { From: value } }))).toMatch(/^From: /);
    expect(scanReason(sip({ fields: { To: value } }))).toMatch(/^To: /);
  });

  it("never finds the URI inside the quotes, whatever display name SIP.js puts between them", () => {
    const piece = fc.constantFrom('"', "<", ">", "\\", ";", "=", " ", "a", "<sip:mallory@acme.example>", ";tag=m", ",");
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const result = scan(wire(sip({ fields: { From: `"${pieces.join("")}" <sip:alice@acme.example>;tag=a1` } })));
        if (result.kind === "malformed") return;
        expect(result.message.from.uri).toBe("sip:alice@acme.example");
        expect(result.message.from.params.get("tag")).toBe("a1");
      }),
      { numRuns: 5000 },
    );
  });

  describe("bounds", () => {
    const long = (count: number): string => "x".repeat(count);
    const numbered = (count: number): string => Array.from({ length: count }, (_, i) => `;p${i}=v`).join("");
    it.each([
      [
        "256 header fields",
        sip({ extra: Array(249).fill("Z: y") }),
        sip({ extra: Array(250).fill("Z: y") }),
        /more than 256/,
      ],
      ["a name of 256", sip({ extra: [`${long(256)}: y`] }), sip({ extra: [`${long(258)}: y`] }), /no colon/],
      [
        "a field of 8 KB",
        sip({ extra: [`S: ${long(8100)}`] }),
        sip({ extra: [`S: ${long(8200)}`] }),
        /longer than 8192/,
      ],
      [
        "a folded field of 8 KB",
        sip({ extra: [`S: ${Array(8).fill(long(1000)).join("\r\n ")}`] }),
        sip({ extra: [`S: ${Array(9).fill(long(1000)).join("\r\n ")}`] }),
        /longer than 8192/,
      ],
      ["a Request-URI of 2048", sip({ uri: `sip:${long(2044)}` }), sip({ uri: `sip:${long(2045)}` }), /start line/],
      ["a method of 32", sip({ method: long(32) }), sip({ method: long(33), fields: { CSeq: "1 X" } }), /start line/],
      ["a CSeq method of 32", sip({ method: long(32) }), sip({ fields: { CSeq: `1 ${long(33)}` } }), /CSeq/],
      [
        "a Call-ID of 256",
        sip({ fields: { "Call-ID": long(256) } }),
        sip({ fields: { "Call-ID": long(257) } }),
        /Call-ID is too long/,
      ],
      [
        "a tag of 256",
        sip({ fields: { From: `<sip:a@b>;tag=${long(256)}` } }),
        sip({ fields: { From: `<sip:a@b>;tag=${long(257)}` } }),
        /tag is not/,
      ],
      [
        "a branch of 256",
        sip({ fields: { Via: `SIP/2.0/WS h;branch=z9hG4bK${long(249)}` } }),
        sip({ fields: { Via: `SIP/2.0/WS h;branch=z9hG4bK${long(250)}` } }),
        /topmost Via/,
      ],
      [
        "32 Via parameters",
        sip({ fields: { Via: `SIP/2.0/WS h;branch=z9hG4bK1${numbered(31)}` } }),
        sip({ fields: { Via: `SIP/2.0/WS h;branch=z9hG4bK1${numbered(32)}` } }),
        /topmost Via/,
      ],
      [
        "32 From parameters",
        sip({ fields: { From: `<sip:a@b>;tag=1${numbered(31)}` } }),
        sip({ fields: { From: `<sip:a@b>;tag=1${numbered(32)}` } }),
        /parameters/,
      ],
      [
        "a status line of 8 KB",
        sip({ start: `SIP/2.0 200 ${long(8000)}` }),
        sip({ start: `SIP/2.0 200 ${long(8200)}` }),
        /longer/,
      ],
    ])("takes %s and no more", (_, most, more, why) => {
      expect(scanReason(most)).toBe("none");
      expect(scanReason(more)).toMatch(why);
    });
  });

  describe("whatever it is given", () => {
    const both = (bytes: Buffer): void => {
      const result = scan(bytes);
      if (result.kind === "malformed") expect(result.reason).toMatch(/^[ -~]+$/);
      else readRequest(result.message);
    };

    it("never throws on bytes", () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => both(Buffer.from(bytes))),
        { numRuns: 3000 },
      );
    });

    it("never throws on a real message bent anywhere", () => {
      const real = sip({
        method: "REGISTER",
        fields: {
          Contact: '"A \\"b" <sip:a@abc.invalid;transport=ws>;+sip.instance="<urn:uuid:1>";expires=600',
          Expires: "60",
        },
        extra: ["Route: <sip:edge.example;lr>", 'Authorization: Digest realm="a"', "Subject: a\r\n b"],
      });
      const insert = fc.oneof(
        fc.constantFrom("\r", "\n", "\r\n", "\r\n ", "\0", '"', "<", ">", ";", ",", "\\", ":", " ", "\t", "%", "\xa0"),
        fc.string({ unit: "binary", maxLength: 4 }),
      );
      const bend = fc.tuple(fc.nat(real.length), fc.nat(12), insert);
      fc.assert(
        fc.property(fc.array(bend, { minLength: 1, maxLength: 3 }), (bends) => {
          let text = real;
          for (const [at, cut, put] of bends) text = text.slice(0, at) + put + text.slice(at + cut);
          both(wire(text));
        }),
        { numRuns: 5000 },
      );
    });

    it("never throws on a message made of the right pieces in the wrong order", () => {
      const lines = sip({
        fields: { Contact: "<sip:a@abc.invalid>" },
        extra: [" folded", "f: x", "constructor: y"],
      }).split("\r\n");
      fc.assert(
        fc.property(fc.shuffledSubarray(lines), (some) => both(wire(some.join("\r\n")))),
        { numRuns: 2000 },
      );
    });
  });

  describe("costs time in proportion to the message", () => {
    const hostile = [
      " ",
      "\t",
      ",",
      ";",
      '"',
      "<",
      ">",
      "\\",
      "(",
      "=",
      ":",
      "@",
      "%",
      ";a",
      "; ",
      '\\"',
      "<,",
      '" ',
      "\r\n ",
      "\r\n a",
    ];
    const fields = ["From", "To", "Contact", "Via", "Authorization", "Route", "Call-ID", "CSeq", "Expires", "Refer-To"];
    const frames: Readonly<Record<string, string>> = {
      bare: "",
      uri: "<sip:a@abc.invalid>",
      param: "<sip:a@abc.invalid>;x",
      value: "<sip:a@abc.invalid>;x=",
      quoted: '"',
      via: "SIP/2.0/WS abc.invalid",
      open: "<sip:",
      host: "sip:",
    };
    it.each(fields)("with hostile text in %s", (field) => {
      const ms = cpuMs(() => {
        for (const prefix of Object.values(frames)) {
          for (const piece of hostile) {
            for (const count of [8_000, 30_000]) {
              const value = prefix + piece.repeat(Math.floor(count / piece.length));
              for (const suffix of ["", "x", '"', ">"]) {
                const result = scan(wire(sip({ method: "REGISTER", fields: { [field]: value + suffix } })));
                if (result.kind === "message") readRequest(result.message);
              }
            }
          }
        }
      });
      expect(ms).toBeLessThan(600);
    });

    it("with 30,000 bytes of any one byte in every place", () => {
      const ms = cpuMs(() => {
        for (const piece of hostile) {
          const run = piece.repeat(Math.floor(30_000 / piece.length));
          scan(wire(run));
          scan(wire(`INVITE ${run} SIP/2.0\r\n\r\n`));
          scan(wire(sip({ extra: [`X${run}: y`] })));
          scan(wire(sip({ extra: [`X ${run}`] })));
          scan(wire(sip({ body: run })));
        }
      });
      expect(ms).toBeLessThan(300);
    });
  });
});
