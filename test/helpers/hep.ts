import { createSocket } from "node:dgram";
import { once } from "node:events";

/** A HEP3 packet as the specification describes it ("HEP/EEP: Extensible Encapsulation Protocol", rev. 32). */
export interface Hep {
  readonly family: number;
  readonly protocol: number;
  readonly source: string;
  readonly destination: string;
  readonly seconds: number;
  readonly microseconds: number;
  readonly type: number;
  readonly captureId: number;
  readonly authKey: string | undefined;
  readonly correlationId: string | undefined;
  readonly payload: string;
  /** In the order they came in. */
  readonly chunkTypes: readonly number[];
}

/** Throws for what is no packet: every length must fit, every chunk must be of vendor 0 and come once. */
export function decodeHep(packet: Buffer): Hep {
  if (packet.toString("latin1", 0, 4) !== "HEP3") throw new Error("no HEP3");
  if (packet.readUInt16BE(4) !== packet.length) throw new Error("the length is not the packet's");
  const chunks = new Map<number, Buffer>();
  for (let at = 6; at < packet.length; ) {
    const [vendor, type, length] = [packet.readUInt16BE(at), packet.readUInt16BE(at + 2), packet.readUInt16BE(at + 4)];
    if (vendor !== 0) throw new Error(`a chunk of vendor ${vendor}`);
    if (length < 6 || at + length > packet.length) throw new Error(`chunk ${type} has length ${length}`);
    if (chunks.has(type)) throw new Error(`chunk ${type} comes twice`);
    chunks.set(type, packet.subarray(at + 6, at + length));
    at += length;
  }
  return read(chunks);
}

function read(chunks: ReadonlyMap<number, Buffer>): Hep {
  const data = (type: number, length?: number): Buffer => {
    const found = chunks.get(type);
    if (!found) throw new Error(`chunk ${type} is missing`);
    if (length !== undefined && found.length !== length) throw new Error(`chunk ${type} has ${found.length} bytes`);
    return found;
  };
  const family = data(1, 1).readUInt8();
  const address = (v4: number, v6: number): string => (family === 2 ? ipv4(data(v4, 4)) : ipv6(data(v6, 16)));
  return {
    family,
    protocol: data(2, 1).readUInt8(),
    source: `${address(3, 5)} ${data(7, 2).readUInt16BE()}`,
    destination: `${address(4, 6)} ${data(8, 2).readUInt16BE()}`,
    seconds: data(9, 4).readUInt32BE(),
    microseconds: data(10, 4).readUInt32BE(),
    type: data(11, 1).readUInt8(),
    captureId: data(12, 4).readUInt32BE(),
    authKey: chunks.get(14)?.toString("utf8"),
    correlationId: chunks.get(17)?.toString("utf8"),
    payload: data(15).toString("latin1"),
    chunkTypes: [...chunks.keys()],
  };
}

const ipv4 = (bytes: Buffer): string => [...bytes].join(".");

function ipv6(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(2 * at).toString(16));
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}

/** A UDP port that decodes what it gets. */
export interface HepSink {
  readonly port: number;
  /** Packets that could not be decoded, why. */
  readonly faults: readonly string[];
  readonly packets: readonly Hep[];
  waitFor(predicate: (packet: Hep) => boolean, timeoutMs?: number): Promise<Hep>;
  close(): Promise<void>;
}

export async function openHepSink(port = 0): Promise<HepSink> {
  const socket = createSocket("udp4");
  const [packets, faults]: [Hep[], string[]] = [[], []];
  socket.on("message", (data) => {
    try {
      packets.push(decodeHep(data));
    } catch (error) {
      faults.push(String(error));
    }
  });
  socket.bind(port, "127.0.0.1");
  await once(socket, "listening");
  return {
    port: socket.address().port,
    faults,
    packets,
    waitFor: async (predicate, timeoutMs = 5_000) => {
      const signal = AbortSignal.timeout(timeoutMs);
      for (;;) {
        const found = packets.find(predicate);
        if (found) return found;
        await once(socket, "message", { signal }).catch(() => {
          throw new Error(
            `no such packet, only:\n${packets.map(({ type, payload }) => `${type} ${payload}`).join("\n")}`,
          );
        });
      }
    },
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}
