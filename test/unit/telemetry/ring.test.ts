import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Ring } from "../../../src/telemetry/ring.ts";
import { type Line, Trace, type Way } from "../../../src/telemetry/trace.ts";

const line: Line = {
  connection: "c",
  client: { address: "203.0.113.7", port: 4711 },
  gateway: { address: "192.0.2.1", port: 8088 },
  upstream: { address: "2001:db8::5", port: 5080 },
};

/** A ring with a clock that stands still. */
function filled(options: { bytes: number; messages: number }) {
  const ring = new Ring(options);
  const trace = new Trace({ now: () => 1_000 }, [ring]);
  const put = (callId: string, text: string | Buffer, way: Way = "from-client") =>
    trace.message(line, way, { callId, method: "OPTIONS" }, Buffer.from(text as string))!;
  return { ring, trace, put };
}

describe("the ring", () => {
  it("finds the messages of a Call-ID, oldest first, and no others", () => {
    const { ring, put } = filled({ bytes: 1000, messages: 10 });
    put("a", "one");
    put("b", "two");
    put("a", "three");
    expect(ring.find("a").map(({ message }) => message)).toEqual(["one", "three"]);
    expect(ring.find("A")).toEqual([]);
    expect(ring.find("")).toEqual([]);
  });

  it("names both ends, and says later what was decided", () => {
    const { ring, trace, put } = filled({ bytes: 1000, messages: 10 });
    const asked = put("a", "one", "from-client");
    put("a", "two", "to-upstream");
    put("a", "three", "from-upstream");
    put("a", "four", "to-client");
    trace.verdict(asked, { code: "credential-expired", sentence: "too late" });
    const [client, upstream] = ["client 203.0.113.7:4711", "upstream [2001:db8::5]:5080"];
    expect(ring.find("a")).toEqual([
      { at: 1000, from: client, to: "gateway", message: "one", verdict: "credential-expired", sentence: "too late" },
      { at: 1000.001, from: "gateway", to: upstream, message: "two" },
      { at: 1000.002, from: upstream, to: "gateway", message: "three" },
      { at: 1000.003, from: "gateway", to: client, message: "four" },
    ]);
  });

  it("masks credentials when it is asked", () => {
    const { ring, put } = filled({ bytes: 1000, messages: 10 });
    put("a", "A\r\nAuthorization: Digest SECRET\r\n\r\n");
    expect(ring.find("a")[0]?.message).toBe("A\r\nAuthorization: ***\r\n\r\n");
  });

  it("keeps a copy: what becomes of the socket's buffer does not matter", () => {
    const { ring, trace } = filled({ bytes: 1000, messages: 10 });
    const bytes = Buffer.from("as it came");
    trace.message(line, "from-client", { callId: "a", method: "OPTIONS" }, bytes);
    bytes.fill(0);
    expect(ring.find("a")[0]?.message).toBe("as it came");
  });

  it("never holds more messages than it may", () => {
    const { ring, put } = filled({ bytes: 1000, messages: 3 });
    for (const text of ["1", "2", "3", "4", "5"]) put("a", text);
    expect(ring.size).toBe(3);
    expect(ring.find("a").map(({ message }) => message)).toEqual(["3", "4", "5"]);
  });

  it("passes over a message larger than itself and keeps the others", () => {
    const { ring, put } = filled({ bytes: 10, messages: 3 });
    put("a", "small");
    put("a", "x".repeat(11));
    expect(ring.find("a").map(({ message }) => message)).toEqual(["small"]);
    put("a", "y".repeat(10));
    expect(ring.find("a").map(({ message }) => message)).toEqual(["y".repeat(10)]);
  });

  it("shows at most the last thousand of one Call-ID", () => {
    const { ring, put } = filled({ bytes: 100_000, messages: 5_000 });
    for (let at = 0; at < 1_500; at++) put("a", `${at}`);
    const found = ring.find("a");
    expect(found.length).toBe(1_000);
    expect(found.at(-1)?.message).toBe("1499");
  });

  it("holds the newest messages that fit, each whole, whatever came", () => {
    const sizes = fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 200 });
    fc.assert(
      fc.property(sizes, fc.integer({ min: 40, max: 120 }), fc.integer({ min: 1, max: 12 }), (all, bytes, messages) => {
        const { ring, put } = filled({ bytes, messages });
        const texts = all.map((size, at) => String.fromCharCode(65 + (at % 26)).repeat(size));
        for (const text of texts) put("a", text);
        const whole = texts.filter(Boolean);
        const found = ring.find("a").map(({ message }) => message);
        expect(found).toEqual(whole.slice(whole.length - found.length));
        expect(found.length).toBeLessThanOrEqual(messages);
        expect(found.join("").length).toBeLessThanOrEqual(bytes);
        // What does not fit together with a gap of less than the largest message at the end must not be missing.
        const next = whole[whole.length - found.length - 1];
        const room = found.length < messages && next !== undefined;
        if (room) expect(found.join("").length + next.length).toBeGreaterThan(bytes - 2 * 40);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("a trace", () => {
  it("makes nothing where nobody listens", () => {
    const trace = new Trace({ now: () => 0 }, []);
    expect(trace.message(line, "to-client", { callId: "a", method: "OPTIONS" }, Buffer.alloc(0))).toBeUndefined();
  });

  it("gives no two messages the same time, not even when the clock goes back", () => {
    let now = 5_000;
    const trace = new Trace({ now: () => now }, [new Ring({ bytes: 10, messages: 2 })]);
    const stamp = () => trace.message(line, "to-client", { callId: "a", method: "A" }, Buffer.alloc(0))!.at;
    const stamps = [stamp(), stamp()];
    now = 4_000;
    stamps.push(stamp());
    now = 5_001;
    stamps.push(stamp());
    expect(stamps).toEqual([5_000_000, 5_000_001, 5_000_002, 5_001_000]);
  });
});
