import { decode, encode, sampleRate } from "./g711.ts";
import { type RtpPacket, RtpSocket } from "./rtp.ts";
import { answering, parseSound, type Sound, writeSound } from "./sdp.ts";

/** 20 ms, what a packet holds. */
export const frameSamples = sampleRate / 50;
const frameMs = 20;
/** Frames that a late timer may catch up with. */
const mostLate = 25;

/** The next frame of 160 samples to send; undefined sends none. */
export type Source = () => Int16Array | undefined;

export interface Heard {
  /** Of a frame that came, in its order of arrival. */
  onFrame?(samples: Int16Array): void;
  /** A telephone-event that ended: 0–9, 10 for *, 11 for #, and its duration in samples. */
  onDigit?(digit: number, duration: number): void;
  /** Everything, before it is judged. */
  onPacket?(packet: RtpPacket, from: { readonly address: string; readonly port: number }): void;
}

/** The sound of one call: plays what a source gives, in time, and decodes what comes. */
export class CallSound {
  readonly #socket: RtpSocket;
  readonly #host: string;
  readonly #heard: Heard;
  #sound: Sound | undefined;
  #version = 0;
  #timer: NodeJS.Timeout | undefined;
  #timestamp = 0;
  #event: number | undefined;
  /** What it plays; may be replaced at any time. */
  source: Source;

  private constructor(socket: RtpSocket, host: string, source: Source, heard: Heard) {
    this.#socket = socket;
    this.#host = host;
    this.#heard = heard;
    this.source = source;
    socket.onPacket = (packet, from) => {
      heard.onPacket?.(packet, from);
      this.#take(packet);
    };
  }

  static async open(host: string, source: Source, heard: Heard): Promise<CallSound> {
    return new CallSound(await RtpSocket.open(host), host, source, heard);
  }

  get port(): number {
    return this.#socket.port;
  }

  /** SSRC of what it plays. */
  get ssrc(): number {
    return this.#socket.ssrc;
  }

  /** What the other end last said of itself. */
  get other(): Sound | undefined {
    return this.#sound;
  }

  /** An offer of ours. */
  offer(direction: Sound["direction"] = "sendrecv"): string {
    this.#version++;
    const { port, version } = { port: this.port, version: this.#version };
    return writeSound({ host: this.#host, port, laws: ["PCMU", "PCMA"], event: 101, direction, version });
  }

  /** Takes the other end's answer. false where there is nothing in it that we speak. */
  answered(sdp: string): boolean {
    this.#sound = parseSound(sdp);
    return this.#sound !== undefined;
  }

  /** Answers an offer; undefined where there is nothing in it that we speak. */
  answer(sdp: string): string | undefined {
    const sound = parseSound(sdp);
    if (!sound) return undefined;
    this.#sound = sound;
    this.#version++;
    const { law, event, direction } = sound;
    const port = this.port;
    return writeSound({
      host: this.#host,
      port,
      laws: [law],
      event,
      direction: answering(direction),
      version: this.#version,
    });
  }

  /** Starts to play. */
  play(): void {
    if (this.#timer) return;
    const started = performance.now();
    let sent = 0;
    this.#timer = setInterval(() => {
      const due = Math.floor((performance.now() - started) / frameMs);
      for (sent = Math.max(sent, due - mostLate); sent < due; sent++) this.#send();
    }, frameMs);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#socket.close();
  }

  #send(): void {
    const { to, law, direction } = this.#sound ?? {};
    this.#timestamp += frameSamples;
    const frame = this.source();
    if (!to || !law || !frame || direction === "sendonly" || direction === "inactive" || to.port === 0) return;
    const payloadType = law === "PCMU" ? 0 : 8;
    this.#socket.send(to, { payloadType, marker: false, timestamp: this.#timestamp, payload: encode(law, frame) });
  }

  #take({ payloadType, payload, timestamp }: RtpPacket): void {
    if (payloadType === 0 || payloadType === 8)
      this.#heard.onFrame?.(decode(payloadType === 0 ? "PCMU" : "PCMA", payload));
    // The end of an event is said three times (RFC 4733 section 2.5.1.4), with the time of its beginning.
    const [digit = 0, flags = 0] = payload;
    if (payloadType !== this.#sound?.event || payload.length < 4 || flags < 0x80 || this.#event === timestamp) return;
    this.#event = timestamp;
    this.#heard.onDigit?.(digit, payload.readUInt16BE(2));
  }
}
