import { describe, expect, it } from "vitest";
import { frameSamples } from "../../../scripts/trunk/call.ts";
import { echoing, greeting } from "../../../scripts/trunk/echo.ts";
import { decode, encode, type Law } from "../../../scripts/trunk/g711.ts";
import { parseRtp } from "../../../scripts/trunk/rtp.ts";
import { parseSound, writeSound } from "../../../scripts/trunk/sdp.ts";
import { share, sine } from "../../../src/client/tone.ts";

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

describe("G.711", () => {
  it("is what the tables of the recommendation say, at both ends and in the middle", () => {
    expect([...decode("PCMU", bytes(0xff, 0x80, 0x00, 0xce))]).toEqual([0, 32_124, -32_124, 988]);
    expect([...decode("PCMA", bytes(0xd5, 0x55, 0xaa, 0x2a))]).toEqual([8, -8, 32_256, -32_256]);
  });

  it.each<Law>(["PCMU", "PCMA"])(
    "%s: whatever was decoded is encoded again to the same, but for the second zero of µ-law",
    (law) => {
      const all = Buffer.from(Array.from({ length: 256 }, (_, index) => index));
      const back = encode(law, decode(law, all));
      const other = [...all].filter((byte, index) => back[index] !== byte);
      expect(other).toEqual(law === "PCMU" ? [0x7f] : []);
    },
  );

  it.each<Law>(["PCMU", "PCMA"])("%s: a tone is still that tone", (law) => {
    const heard = decode(law, encode(law, sine(440, 8_000, 0, 160)));
    expect(share(heard, 8_000, 440)).toBeGreaterThan(0.95);
    expect(share(heard, 8_000, 1_000)).toBeLessThan(0.05);
  });
});

describe("RTP", () => {
  it("is read past its contributing sources, and nothing else is taken for it", () => {
    const head = [0x82, 0x80, 0, 7, 0, 0, 0, 9, 1, 1, 1, 1];
    const packet = parseRtp(Buffer.from([...head, 2, 2, 2, 2, 3, 3, 3, 3, 42]));
    expect(packet).toMatchObject({ payloadType: 0, marker: true, sequence: 7, timestamp: 9 });
    expect([...(packet?.payload ?? [])]).toEqual([42]);
    for (const other of [[], head, [0x00, ...head.slice(1)], [0x80, 200, ...head.slice(2)]])
      expect(parseRtp(Buffer.from(other))).toBeUndefined();
  });
});

describe("the trunk's SDP", () => {
  it("is read as it is written", () => {
    const sdp = writeSound({
      host: "127.0.0.5",
      port: 4000,
      laws: ["PCMA", "PCMU"],
      event: 101,
      direction: "sendonly",
    });
    const to = { host: "127.0.0.5", port: 4000 };
    expect(parseSound(sdp)).toEqual({ to, law: "PCMA", event: 101, direction: "sendonly" });
  });

  it.each([
    "",
    "v=0\r\nm=audio 4000 RTP/AVP 0\r\n",
    "c=IN IP4 127.0.0.1\r\nm=audio 4000 UDP/TLS/RTP/SAVPF 0\r\n",
    "c=IN IP4 nowhere.example\r\nm=audio 4000 RTP/AVP 0\r\n",
    "c=IN IP4 127.0.0.1\r\nm=audio 70000 RTP/AVP 0\r\n",
    "c=IN IP4 127.0.0.1\r\nm=audio 0 RTP/AVP 0\r\n",
  ])("is none where there is no plain audio at an address: %j", (sdp) => expect(parseSound(sdp)).toBeUndefined());
});

describe("the echo", () => {
  it("greets first, then says what it hears, later, and keeps no more than two seconds of it", () => {
    const echo = echoing(greeting());
    const greeted = Array.from({ length: 45 }, () => echo.source()!);
    expect(greeted.every((frame) => frame.length === frameSamples && frame.some((sample) => sample !== 0))).toBe(true);
    for (let n = 1; n <= 200; n++) echo.take(Int16Array.of(n));
    const said = Array.from({ length: 150 }, () => echo.source());
    expect(said.slice(0, 100).map((frame) => frame?.[0])).toEqual(Array.from({ length: 100 }, (_, n) => n + 1));
    expect(said[100]).toBeUndefined();
  });

  it("says nothing until half a second is heard", () => {
    const echo = echoing([]);
    for (let n = 0; n < 24; n++) echo.take(Int16Array.of(1));
    expect(echo.source()?.every((sample) => sample === 0)).toBe(true);
    echo.take(Int16Array.of(1));
    expect(echo.source()?.[0]).toBe(1);
  });
});
