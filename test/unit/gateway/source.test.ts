import { Writable } from "node:stream";
import { describe, expect, it } from "vitest";
import { Sources } from "../../../src/gateway/source.ts";
import { createLog } from "../../../src/telemetry/log.ts";
import { proxyV1, proxyV2 } from "../../helpers/proxy.ts";

const proxy = "10.0.0.1";
const log = createLog({ level: "silent", destination: new Writable() });

function named(first: string | Buffer, proxyProtocol = false): string | undefined {
  const trusted = (address: string): boolean => address.startsWith("10.");
  const sources = new Sources({ trusted: () => trusted, proxyProtocol, patience: () => 0, log });
  return sources.named(proxy, Buffer.from(first));
}

const head = (...fields: string[]): string => `GET / HTTP/1.1\r\n${fields.join("\r\n")}\r\n\r\n`;
const forged = "X-Forwarded-For: 203.0.113.1";

describe("whom a proxy's first bytes name", () => {
  it.each<[string, string, string | undefined]>([
    ["the right-most untrusted address", head("X-Forwarded-For: 203.0.113.1, 203.0.113.9, 10.0.0.2"), "203.0.113.9"],
    ["of several fields the last", head(forged, "Host: a", "x-forwarded-for:203.0.113.9"), "203.0.113.9"],
    ["the proxy where that cannot be read", head(forged, "X-Forwarded-For: evil"), proxy],
    ["nobody without the field", head("Host: a"), undefined],
    ["nobody by what stands behind the head", `${head("Host: a")}${head(forged)}`, undefined],
    ["nobody by a head that is not whole", `GET / HTTP/1.1\r\n${forged}\r\n`, undefined],
    [
      "nobody by one that is too long",
      head(forged, `X: ${"x".repeat(5_000)}`, "X-Forwarded-For: 203.0.113.9"),
      undefined,
    ],
    ["nobody in TLS", "\x16\x03\x01", undefined],
  ])("is %s", (_, first, address) => expect(named(first)).toBe(address));

  it.each<[string, string | Buffer, string | undefined]>([
    ["version 1", `${proxyV1("203.0.113.9", 4_000)}${head(forged)}`, "203.0.113.9"],
    ["version 2", proxyV2("203.0.113.9", 4_000), "203.0.113.9"],
    ["none of its own connections", "PROXY UNKNOWN\r\n", undefined],
    ["none that is not whole", "PROXY TCP4 203.0.1", undefined],
    ["none that is not there", head(forged), undefined],
  ])("is that of the PROXY header where it is switched on: %s", (_, first, address) =>
    expect(named(first, true)).toBe(address),
  );
});
