import { Writable } from "node:stream";
import { describe, expect, it } from "vitest";
import { type Collector, Homer } from "../../../src/telemetry/homer.ts";
import { createLog } from "../../../src/telemetry/log.ts";
import { type Line, Trace } from "../../../src/telemetry/trace.ts";
import { decodeHep, openHepSink } from "../../helpers/hep.ts";

const line: Line = {
  connection: "c",
  client: { address: "203.0.113.7", port: 4711 },
  gateway: { address: "192.0.2.1", port: 8088 },
  upstream: undefined,
};

function logged() {
  const lines: string[] = [];
  const destination = new Writable({ write: (chunk: Buffer, _encoding, done) => done(void lines.push(String(chunk))) });
  return { log: createLog({ destination }), lines };
}

/** A network that takes nothing until it is told to. */
class Network {
  waiting = 0;
  readonly packets: Buffer[] = [];
  readonly #done: (() => void)[] = [];

  readonly socket = {
    send: (packet: Buffer, done: (error: Error | null) => void) => {
      this.waiting += packet.length;
      this.packets.push(packet);
      this.#done.push(() => done(null));
    },
    getSendQueueSize: () => this.waiting,
    close: () => {},
    on: () => {},
  } as unknown as Collector;

  take(): void {
    this.waiting = 0;
    for (const done of this.#done.splice(0)) done();
  }
}

async function homerOn(network: Network) {
  const { log, lines } = logged();
  const homer = new Homer({ url: "udp://127.0.0.1:1", captureId: 1, log, connect: async () => network.socket });
  await homer.open();
  const trace = new Trace({ now: () => 0 }, [homer]);
  const say = (bytes: Buffer) => trace.message(line, "from-client", { callId: "a", method: "INVITE" }, bytes)!;
  return { homer, trace, say, lines };
}

describe("a HEP sender", () => {
  it("queues no more than a mebibyte and counts what it drops", async () => {
    const network = new Network();
    const { homer, say } = await homerOn(network);
    for (let at = 0; at < 1000; at++) say(Buffer.alloc(10_000));
    expect(network.waiting).toBeLessThan(1024 * 1024 + 20_000);
    const sent = network.packets.length;
    expect(homer.counts).toEqual({ sent: 0, dropped: { queue: 1000 - sent, size: 0, unreachable: 0 } });
    network.take();
    say(Buffer.alloc(10));
    network.take();
    expect(homer.counts.sent).toBe(sent + 1);
  });

  it("drops and counts what is larger than a datagram", async () => {
    const network = new Network();
    const { homer, say } = await homerOn(network);
    say(Buffer.alloc(65_535));
    expect(network.packets.length).toBe(0);
    expect(homer.counts.dropped).toEqual({ queue: 0, size: 1, unreachable: 0 });
  });

  it("sends a verdict as a log line of the same correlation id, after the message", async () => {
    const network = new Network();
    const { trace, say } = await homerOn(network);
    trace.verdict(say(Buffer.from("INVITE")), { code: "rate-limited", sentence: "too many" });
    trace.verdict(say(Buffer.from("INVITE")), { code: "accepted", sentence: "" });
    const told = network.packets
      .map(decodeHep)
      .map(({ type, correlationId, payload }) => [type, correlationId, payload]);
    expect(told).toEqual([
      [1, "a", "INVITE"],
      [100, "a", "postern rate-limited INVITE: too many"],
      [1, "a", "INVITE"],
      [100, "a", "postern accepted INVITE"],
    ]);
  });

  it("drops, and says so once, while there is no collector", async () => {
    const { log, lines } = logged();
    const connect = () => Promise.reject(new Error("no such host"));
    const homer = new Homer({ url: "udp://homer.example:9060", captureId: 1, authKey: "SECRET", log, connect });
    await homer.open();
    await homer.open();
    const trace = new Trace({ now: () => 0 }, [homer]);
    trace.message(line, "from-client", { callId: "a", method: "INVITE" }, Buffer.alloc(10));
    expect(homer.counts.dropped.unreachable).toBe(1);
    homer.close();
    expect(lines.length).toBe(1);
    expect(lines[0]).toContain("no such host");
    expect(lines[0]).not.toContain("SECRET");
  });

  it("finds a collector by its name", async () => {
    const sink = await openHepSink();
    const { log } = logged();
    const homer = new Homer({ url: `udp://localhost:${sink.port}`, captureId: 7, log });
    await homer.open();
    new Trace({ now: () => 0 }, [homer]).message(line, "to-client", { callId: "n", method: "A" }, Buffer.from("x"));
    const packet = await sink.waitFor(({ correlationId }) => correlationId === "n").finally(() => homer.close());
    expect(packet).toMatchObject({ captureId: 7, source: "192.0.2.1 8088", destination: "203.0.113.7 4711" });
    await sink.close();
  });
});
