import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type HepParts, hepPacket, largestPacket } from "../../../src/telemetry/hep.ts";
import { decodeHep } from "../../helpers/hep.ts";

const parts = (more: Partial<HepParts> = {}): HepParts => ({
  from: { address: "203.0.113.7", port: 4711 },
  to: { address: "192.0.2.1", port: 8088 },
  at: 1_700_000_000_123_456,
  type: 1,
  captureId: 2001,
  authKey: "myHep",
  correlationId: "c1",
  payload: Buffer.from("SIP"),
  ...more,
});

describe("a HEP3 packet", () => {
  it("is, byte for byte, what the specification describes", () => {
    const expected = [
      "48455033 0079", // "HEP3", length
      "0000 0001 0007 02", // IPv4
      "0000 0002 0007 06", // TCP
      "0000 0003 000a cb007107",
      "0000 0004 000a c0000201",
      "0000 0007 0008 1267",
      "0000 0008 0008 1f98",
      "0000 0009 000a 6553f100",
      "0000 000a 000a 0001e240",
      "0000 000b 0007 01", // SIP
      "0000 000c 000a 000007d1",
      "0000 000e 000b 6d79486570", // "myHep"
      "0000 0011 0008 6331", // "c1"
      "0000 000f 0009 534950", // "SIP"
    ];
    const hex = expected.join("").replaceAll(" ", "");
    expect(hepPacket(parts())?.toString("hex")).toBe(hex);
  });

  it("has IPv6 addresses in chunks of their own", () => {
    const [from, to] = ["2001:db8::7", "::1"].map((address) => ({ address, port: 1 }));
    const packet = hepPacket(parts({ from: from!, to: to! }))!;
    expect(decodeHep(packet)).toMatchObject({ family: 10, source: "2001:db8::7 1", destination: "::1 1" });
  });

  it("maps an IPv4 address where the other end has none", () => {
    const packet = hepPacket(parts({ from: { address: "2001:db8::7", port: 1 } }))!;
    expect(decodeHep(packet)).toMatchObject({ family: 10, destination: "::ffff:c000:201 8088" });
  });

  it("shows 0.0.0.0 for an end that has no address any more", () => {
    const packet = hepPacket(parts({ to: { address: "", port: 0 } }))!;
    expect(decodeHep(packet)).toMatchObject({ source: "203.0.113.7 4711", destination: "0.0.0.0 0" });
  });

  it("has no key where none is given", () => {
    const decoded = decodeHep(hepPacket(parts({ authKey: undefined }))!);
    expect(decoded.authKey).toBeUndefined();
    expect(decoded.chunkTypes).not.toContain(14);
  });

  it("ends with the payload, for a reader of texts up to a NUL needs a chunk behind them", () => {
    expect(decodeHep(hepPacket(parts())!).chunkTypes.at(-1)).toBe(15);
  });

  it("is none where it would not fit into a datagram", () => {
    const overhead = hepPacket(parts({ payload: Buffer.alloc(0) }))!.length;
    const fits = hepPacket(parts({ payload: Buffer.alloc(largestPacket - overhead, 97) }));
    expect(decodeHep(fits!).payload.length).toBe(largestPacket - overhead);
    expect(hepPacket(parts({ payload: Buffer.alloc(largestPacket - overhead + 1) }))).toBeUndefined();
  });

  it("comes out as it went in, whatever it was", () => {
    const port = fc.integer({ min: 0, max: 65_535 });
    const party = fc.record({ address: fc.oneof(fc.ipV4(), fc.constant("2001:db8::5")), port });
    const any = fc.record({
      from: party,
      to: party,
      at: fc.integer({ min: 0, max: 4_294_967_295_999_999 }),
      captureId: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
      payload: fc.uint8Array({ maxLength: 2000 }),
      correlationId: fc.stringMatching(/^[!-~]{1,256}$/),
    });
    fc.assert(
      fc.property(any, ({ payload, ...rest }) => {
        const { at, captureId, correlationId, from } = rest;
        const decoded = decodeHep(hepPacket(parts({ ...rest, payload: Buffer.from(payload) }))!);
        expect(decoded.seconds * 1e6 + decoded.microseconds).toBe(at);
        expect(decoded).toMatchObject({ captureId, correlationId, payload: Buffer.from(payload).toString("latin1") });
        expect(decoded.source.split(" ")[1]).toBe(String(from.port));
      }),
    );
  });
});
