import { describe, expect, it } from "vitest";
import { conceal } from "../../../src/telemetry/conceal.ts";
import { cpuMs } from "../../helpers/sip-text.ts";

const shown = (...lines: string[]): string =>
  conceal(
    Buffer.from(["REGISTER sip:acme.example SIP/2.0", ...lines, "CSeq: 1 REGISTER", "", ""].join("\r\n"), "latin1"),
  ).toString("latin1");

describe("a message that is shown has no credential in", () => {
  it.each([
    "Authorization: Digest SECRET",
    "Authorization:SECRET",
    "authorization : SECRET",
    "AUTHORIZATION\t: SECRET",
    "Proxy-Authorization: Bearer SECRET",
    "Authorization: Digest username=1,\r\n\tresponse=SECRET",
    "Authorization: Digest\r\n SECRET,\r\n  SECRET",
    "Authorization: Digest\n SECRET",
    "X-Postern-Grant: 1:SECRET",
    "x-postern-token: SECRET",
    "X: a\r\n Authorization: SECRET",
    "Subject: Bearer SECRET",
    'Whatever: response="5ec2e75ec2e75ec2e75ec2e75ec2e7SECRET"',
    "Whatever: eyJhbGciOiJIUzI1NiJ9.SECRET.SECRET",
  ])("%j", (line) => {
    const text = shown(line);
    if (!line.includes("5ec2e7")) expect(text).not.toContain("SECRET");
    expect(text).not.toContain("5ec2e7");
    expect(text).toContain("***");
    expect(text.endsWith("\r\nCSeq: 1 REGISTER\r\n\r\n")).toBe(true);
  });

  it("every one of several", () => {
    expect(shown("Authorization: SECRET", "Proxy-Authorization: SECRET", "Authorization: SECRET")).not.toContain(
      "SECRET",
    );
  });

  it("a message that never ends its headers", () => {
    const text = conceal(Buffer.from("REGISTER sip:a SIP/2.0\r\nAuthorization: SECRET")).toString();
    expect(text).toBe("REGISTER sip:a SIP/2.0\r\nAuthorization: ***");
  });
});

describe("a message that is shown is otherwise as it was", () => {
  it("the very same bytes where there is nothing to hide", () => {
    const bytes = Buffer.from("OPTIONS sip:a SIP/2.0\r\nSubject: \xe9\xff\r\n\r\n\x00\x01", "latin1");
    expect(conceal(bytes)).toBe(bytes);
  });

  it("its body as long as Content-Length says", () => {
    const body = "Authorization: Digest SECRET\r\nrest\xff";
    const text = conceal(Buffer.from(`A\r\nAuthorization: SECRET\r\n\r\n${body}`, "latin1")).toString("latin1");
    const hidden = `Authorization: ${"*".repeat("Digest SECRET".length)}\r\nrest\xff`;
    expect(text).toBe(`A\r\nAuthorization: ***\r\n\r\n${hidden}`);
  });

  it.each([
    "WWW-Authenticate: Digest realm=a, nonce=b",
    'Warning: 399 postern "a response was dropped"',
    "From: <sip:bearer@a>",
  ])("%j stays", (line) => expect(shown(line)).toContain(line));

  it("in time that grows with its length only", () => {
    const began = performance.now();
    for (const one of [" ", "\t", "Authorization:", "eyJ.", "bearer ", "response = ", "\r\n ", "authorization \r\n "]) {
      conceal(Buffer.from(`Authorization: a\r\n${one.repeat(65_000 / one.length)}\r\n\r\n${one.repeat(1000)}`));
    }
    expect(performance.now() - began).toBeLessThan(1_000);
  });
});

describe("hostile text", () => {
  const units = [
    "eyJa-",
    "eyJa.",
    "eyJ",
    "bearer ",
    "response=",
    "authorization:",
    "authorization:\r\n ",
    " \t",
    "-",
    "eyJa-eyJa.a.-",
  ];
  it.each(units)("of %j over and over is concealed in no time", (unit) => {
    const text = `OPTIONS sip:x SIP/2.0\r\nX-A: bearer eyJ ${unit.repeat(Math.ceil(30_000 / unit.length))}\r\n\r\n`;
    const bytes = Buffer.from(text, "latin1");
    expect(cpuMs(() => conceal(bytes))).toBeLessThan(50);
  });
});
