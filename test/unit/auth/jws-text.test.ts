import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { maxToken, readJws, readPayload } from "../../../src/auth/jws-text.ts";

const b64 = (text: string | Buffer): string => Buffer.from(text).toString("base64url");

/** A token of this header and payload, as they are written; nobody signed it. */
const token = (header: string | Buffer = '{"alg":"HS256"}', payload: string | Buffer = "{}", tail = "c2ln"): string =>
  `${b64(header)}.${b64(payload)}.${tail}`;

const refusal = (text: string): { code: string; sentence: string } | undefined => {
  const read = readJws(text);
  return read.kind === "refused" ? read.refusal : undefined;
};

const payloadFault = (payload: string | Buffer): string | undefined => {
  const read = readJws(token(undefined, payload));
  if (read.kind === "refused") return `header: ${read.refusal.sentence}`;
  const object = readPayload(read.jws);
  return object.kind === "refused" ? object.refusal.sentence : undefined;
};

describe("a compact JWS", () => {
  it("has its alg, kid and typ read, typ without its prefix and in lower case", () => {
    const text = token('{"alg":"ES256","kid":"k1","typ":"application/AT+JWT","x5t":"abc"}', '{"a":1}');
    const read = readJws(text);
    expect(read).toMatchObject({ kind: "jws", jws: { text, alg: "ES256", kid: "k1", typ: "at+jwt" } });
    expect(read.kind === "jws" && read.jws.payload.toString()).toBe('{"a":1}');
  });

  it("needs neither kid nor typ, and may have white space in its JSON", () => {
    expect(readJws(token(' { "alg" :\r\n"HS256" } '))).toMatchObject({ jws: { kid: undefined, typ: undefined } });
  });

  it("is taken up to 8192 characters and not above", () => {
    const head = b64('{"alg":"HS256"}');
    const filled = (length: number): string => `${head}.${"A".repeat(length - head.length - 6)}.c2ln`;
    expect(maxToken).toBe(8192);
    expect(refusal(filled(8192))).toBeUndefined();
    expect(refusal(filled(8193))).toEqual({
      code: "credential-malformed",
      sentence: "the token is longer than 8192 characters: give it fewer claims",
    });
    expect(refusal("x".repeat(50_000_000))?.sentence).toContain("longer than 8192");
  });

  it.each([
    ["nothing", ""],
    ["one part", "abc"],
    ["two parts", token().split(".").slice(0, 2).join(".")],
    ["an empty fourth part", `${token()}.`],
    ["five parts, as a JWE has", `${token()}.x.y`],
    ["JSON serialization", JSON.stringify({ payload: "e30", signatures: [] })],
    ["dots alone", ".".repeat(8000)],
  ])("is refused with %s", (_what, text) => {
    expect(refusal(text)).toEqual({
      code: "credential-malformed",
      sentence: "the token is no compact JWS: write header.payload.signature",
    });
  });

  it("is refused without its signature", () => {
    expect(refusal(token(undefined, undefined, ""))).toEqual({
      code: "credential-malformed",
      sentence: "the token has no signature: sign it with a key of the customer",
    });
  });

  it.each([
    ["padding", (part: string) => `${part}=`],
    ["stray bits in the last character", (part: string) => `${part.slice(0, -1)}B`],
    ["a line feed", (part: string) => `${part.slice(0, 2)}\n${part.slice(2)}`],
    ["a space in front", (part: string) => ` ${part}`],
    ["+ of standard base64", (part: string) => `${part.slice(0, 3)}+${part.slice(4)}`],
    ["a letter that only looks like one", (part: string) => `${part}\uff21`],
    ["one character too many", (part: string) => `${part}AAA`],
  ])("is refused with %s in any of its parts", (_what, spoil) => {
    const whole = token('{"alg":"HS256","kid":"a"}', '{"a":12}', "QUFBQUFBQQ");
    expect(refusal(whole)).toBeUndefined();
    for (const part of [0, 1, 2]) {
      const parts = whole.split(".");
      // Each of these parts encodes a number of bytes that leaves unused bits.
      parts[part] = spoil(b64("1234567"));
      expect(refusal(parts.join("."))?.sentence, String(part)).toContain("is not base64url without padding");
    }
  });

  it.each(["none", "None", "NONE", "nOnE", "noNe"])("of alg %s is refused", (alg) => {
    expect(refusal(token(`{"alg":"${alg}"}`))).toEqual({
      code: "credential-rejected",
      sentence: "the token's alg is none: sign it with a key of the customer",
    });
    expect(refusal(token(`{"alg":"${alg}"}`, "{}", ""))?.code).toBe("credential-malformed");
  });

  it.each([
    ["jwk", '{"kty":"oct","k":"AAAA"}'],
    ["jku", '"https://evil.example/keys"'],
    ["x5u", '"https://evil.example/cert"'],
    ["x5c", '["MIIB"]'],
    ["jwk", "null"],
  ])("with its own %s is refused", (member, value) => {
    expect(refusal(token(`{"alg":"ES256","${member}":${value}}`))).toMatchObject({ code: "credential-rejected" });
    expect(refusal(token(`{"alg":"ES256","not-${member}":${value}}`))).toBeUndefined();
  });

  it.each(['"crit":["exp"]', '"crit":[]', '"crit":null', '"b64":false', '"b64":true', '"\\u0063rit":["b64"]'])(
    "with %s is refused",
    (member) => {
      expect(refusal(token(`{"alg":"HS256",${member}}`))?.sentence).toContain("crit or b64");
    },
  );

  it.each([
    ["no alg", "{}", "has no alg"],
    ["an alg that is no text", '{"alg":1}', "has no alg"],
    ["a kid that is no text", '{"alg":"HS256","kid":1}', "kid is not a text"],
    ["a typ that is no text", '{"alg":"HS256","typ":["JWT"]}', "typ is not a text"],
    ["alg twice", '{"alg":"HS256","alg":"none"}', "member twice"],
    ["alg twice, once escaped", '{"alg":"HS256","\\u0061lg":"none"}', "member twice"],
    ["an array", '["alg"]', "not a JSON object"],
    ["a text", '"alg"', "not a JSON object"],
    ["no JSON", "{alg:HS256}", "malformed"],
    ["nothing", "", "malformed"],
    ["something behind it", '{"alg":"HS256"}{}', "malformed"],
    ["a byte order mark", '\ufeff{"alg":"HS256"}', "malformed"],
    ["no UTF-8", Buffer.from([...Buffer.from('{"alg":"HS256","x":"'), 0xff, 0x22, 0x7d]), "not UTF-8"],
  ])("is refused with a header of %s", (_what, header, reason) => {
    expect(refusal(token(header))).toMatchObject({ code: "credential-malformed" });
    expect(refusal(token(header))?.sentence).toContain(reason);
  });
});

describe("the payload of a token", () => {
  const deep = (depth: number): string => `${'{"a":'.repeat(depth - 1)}{}${"}".repeat(depth - 1)}`;

  it("is a JSON object nested up to 8 deep", () => {
    expect(payloadFault(deep(8))).toBeUndefined();
    expect(payloadFault(deep(9))).toContain("deeper than 8");
    expect(payloadFault(`{"a":${"[".repeat(2500)}${"]".repeat(2500)}}`)).toContain("deeper than 8");
  });

  it.each([
    ["a name twice", '{"exp":1,"exp":2}'],
    ["a name twice, once escaped", '{"exp":1,"\\u0065xp":2}'],
    ["a name twice inside", '{"a":{"b":[{"c":1,"c":1}]}}'],
    ["NaN", '{"exp":NaN}'],
    ["a number beyond a double", '{"exp":1e400}'],
    ["a text", '"sub"'],
    ["null", "null"],
    ["nothing", ""],
    ["no UTF-8", Buffer.from([0x7b, 0x22, 0xc3, 0x28, 0x22, 0x3a, 0x31, 0x7d])],
  ])("is refused with %s", (_what, payload) => {
    expect(payloadFault(payload)).toMatch(/^(in )?the token's payload/);
  });

  it("may have one name in two objects", () => {
    expect(payloadFault('{"a":{"b":1},"c":{"b":1}}')).toBeUndefined();
  });
});

it("what is refused says nothing of what the token holds, in ASCII without quotes", () => {
  const hostile = ["\u202e", '"; DROP', "\\", "\r\n", "geheim"].join("");
  const texts = [
    `{"alg":${JSON.stringify(hostile)},"kid":1}`,
    `{"${"geheim"}":1,"geheim":1}`,
    `{"alg":"HS256","crit":${JSON.stringify(hostile)}}`,
    `{"alg":"none","kid":${JSON.stringify(hostile)}}`,
  ];
  for (const text of texts) expect(refusal(token(text))?.sentence).toMatch(/^(?!.*geheim)[ !#-[\]-~]+$/);
});

it("nothing that can be written makes it throw", () => {
  const part = fc.oneof(fc.string({ unit: "binary" }), fc.json(), fc.constant('{"alg":"HS256"}'));
  const text = fc.oneof(
    fc.string({ unit: "binary", maxLength: 200 }),
    fc.tuple(part, part, fc.base64String()).map(([header, payload, tail]) => token(header, payload, tail)),
  );
  fc.assert(
    fc.property(text, (given) => {
      const read = readJws(given);
      if (read.kind === "jws") readPayload(read.jws);
    }),
  );
});
