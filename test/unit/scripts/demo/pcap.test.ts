import { describe, expect, it } from "vitest";
import { pcap } from "../../../../scripts/demo/pcap.ts";
import { now, row } from "./rows.ts";

/** Every frame, by the file's own words. */
function frames(file: Buffer): { at: number; frame: Buffer }[] {
  const found: { at: number; frame: Buffer }[] = [];
  for (let at = 24; at < file.length; ) {
    const length = file.readUInt32LE(at + 8);
    expect(file.readUInt32LE(at + 12)).toBe(length);
    const frame = file.subarray(at + 16, at + 16 + length);
    expect(frame).toHaveLength(length);
    found.push({ at: file.readUInt32LE(at) * 1e6 + file.readUInt32LE(at + 4), frame });
    at += 16 + length;
  }
  return found;
}

/** RFC 1071: over what holds its own checksum, nothing is left. */
function left(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += bytes[at]! * 256 + (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum % 0x10000) + Math.floor(sum / 0x10000);
  return 0xffff - sum;
}

describe("a ladder as a capture file", () => {
  it("begins as libpcap has it: magic, version 2.4, raw IP", () => {
    expect(pcap([]).toString("hex")).toBe("d4c3b2a1" + "02000400" + "00000000" + "00000000" + "ffff0000" + "65000000");
  });

  it("is, byte for byte, one message in UDP in IPv4", () => {
    const [only] = frames(pcap([row({ message: "hello" })]));
    expect(only?.at).toBe(Math.floor(now * 1000));
    expect(only?.frame.toString("hex")).toBe(
      // 20 bytes of IP: 33 in all, TTL 64, UDP, 192.0.2.1 to 192.0.2.2; 8 of UDP: 5060 to 5060, 13 with the message.
      "4500002100000000" + "4011f6c8" + "c0000201" + "c0000202" + "13c413c4000d" + "1076" + "68656c6c6f",
    );
  });

  it("has checksums that are right, of even and odd lengths", () => {
    const rows = ["", "a", "ab", "é€ü".repeat(99)].map((message) => row({ message, from: "kamailio", to: "trunk" }));
    for (const { frame } of frames(pcap(rows))) {
      expect(left(frame.subarray(0, 20))).toBe(0);
      const pseudo = Buffer.concat([frame.subarray(12, 20), Buffer.from([0, 17]), frame.subarray(24, 26)]);
      expect(left(Buffer.concat([pseudo, frame.subarray(20)]))).toBe(0);
    }
  });

  it("gives each rail an address of its own and each message an identification", () => {
    const ends = [
      ["browser", "postern"],
      ["postern", "kamailio"],
      ["kamailio", "trunk"],
    ] as const;
    const file = frames(pcap(ends.map(([from, to]) => row({ from, to }))));
    expect(file.map(({ frame }) => frame.subarray(12, 20).toString("hex"))).toEqual([
      "c0000201c0000202",
      "c0000202c0000203",
      "c0000203c0000204",
    ]);
    expect(file.map(({ frame }) => frame.readUInt16BE(4))).toEqual([0, 1, 2]);
  });

  it("cuts what no frame can hold", () => {
    const [only] = frames(pcap([row({ message: "x".repeat(70_000) })]));
    expect(only?.frame).toHaveLength(65_535);
    expect(only?.frame.readUInt16BE(2)).toBe(65_535);
  });
});
