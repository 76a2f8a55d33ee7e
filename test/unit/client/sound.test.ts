import { describe, expect, it } from "vitest";
import { isLoopback, loopbackOnly } from "../../../src/client/sdp.ts";
import { isSilent, share, sine } from "../../../src/client/tone.ts";

describe("the ear", () => {
  it("finds a tone at its own frequency and at no other", () => {
    const tone = sine(440, 48_000, 0, 480);
    expect(share(tone, 48_000, 440)).toBeGreaterThan(0.9);
    expect(share(tone, 48_000, 1_500)).toBeLessThan(0.1);
    expect(share(sine(1_500, 48_000, 0, 480), 48_000, 440)).toBeLessThan(0.1);
  });

  it("takes silence for silence", () => {
    const nothing = new Int16Array(480);
    expect(isSilent(nothing)).toBe(true);
    expect(share(nothing, 48_000, 440)).toBe(0);
    expect(isSilent(sine(440, 48_000, 0, 480))).toBe(false);
  });

  it("gets a tone without a seam from consecutive frames", () => {
    const whole = sine(440, 48_000, 0, 960);
    expect([...sine(440, 48_000, 480, 480)]).toEqual([...whole.slice(480)]);
  });
});

describe("a description for loopback", () => {
  const lines = [
    "m=audio 38431 UDP/TLS/RTP/SAVPF 111",
    "c=IN IP4 192.0.2.2",
    "a=rtcp:9 IN IP4 0.0.0.0",
    "a=candidate:1 1 udp 2122265343 fd00::2 56900 typ host generation 0",
    "a=candidate:2 1 udp 2122194687 192.0.2.2 38431 typ host generation 0",
    "a=candidate:3 1 udp 2122136831 ::1 45534 typ host generation 0",
    "a=candidate:4 1 udp 2122063615 127.0.0.1 47560 typ host generation 0",
    "a=candidate:5 1 tcp 1518083839 127.0.0.1 33097 typ host tcptype passive generation 0",
    "a=candidate:6 1 udp 1 127.0.0.1.evil.example 1 typ host",
    "a=mid:0",
    "",
  ];

  it("keeps UDP candidates on this host and nothing else", () => {
    expect(loopbackOnly(lines.join("\r\n")).split("\r\n")).toEqual([
      lines[0],
      "c=IN IP4 127.0.0.1",
      lines[2],
      lines[5],
      lines[6],
      "a=mid:0",
      "",
    ]);
  });

  it.each([
    ["127.0.0.1", true],
    ["127.9.0.1", true],
    ["[::1]", true],
    ["localhost", true],
    ["127.0.0.1.example", false],
    ["192.0.2.2", false],
    ["sip.acme.example", false],
  ])("is wanted where the gateway is %s: %s", (host, expected) => {
    expect(isLoopback(host)).toBe(expected);
  });
});
