import { CallSound, frameSamples, type Heard } from "../../scripts/trunk/call.ts";
import { sampleRate } from "../../scripts/trunk/g711.ts";
import type { RtpPacket } from "../../scripts/trunk/rtp.ts";
import { AnsweringTrunk, type TrunkOptions } from "../../scripts/trunk/trunk.ts";
import { isSilent, share, sine } from "../../src/client/tone.ts";

/** What a trunk heard in a call. */
export class Ear implements Heard {
  /** Each with its frequency that it has most of, of those asked for; 0 for silence, undefined for anything else. */
  readonly frames: (number | undefined)[] = [];
  readonly digits: { readonly digit: number; readonly duration: number }[] = [];
  readonly packets: {
    readonly packet: RtpPacket;
    readonly from: { readonly address: string; readonly port: number };
  }[] = [];
  readonly #frequencies: readonly number[];
  #waiting: (() => void)[] = [];

  constructor(frequencies: readonly number[]) {
    this.#frequencies = frequencies;
  }

  onFrame(samples: Int16Array): void {
    this.frames.push(isSilent(samples) ? 0 : this.#frequencies.find((one) => share(samples, sampleRate, one) > 0.5));
    this.#tell();
  }

  onDigit(digit: number, duration: number): void {
    this.digits.push({ digit, duration });
    this.#tell();
  }

  onPacket(packet: RtpPacket, from: { readonly address: string; readonly port: number }): void {
    this.packets.push({ packet, from });
  }

  heard(frequency: number): number {
    return this.frames.filter((one) => one === frequency).length;
  }

  /** Once it is so; it is asked at each frame that comes. */
  async until(what: string, isSo: (ear: Ear) => boolean, timeoutMs = 10_000): Promise<void> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(new Error(`${what}: not within ${timeoutMs} ms; ${this.#account()}`)),
      timeoutMs,
    );
    while (!isSo(this)) await Promise.race([new Promise<void>((resolve) => this.#waiting.push(resolve)), late.promise]);
    clearTimeout(timer);
  }

  hears(frequency: number, frames = 20): Promise<void> {
    const before = this.heard(frequency);
    return this.until(`${frames} frames of ${frequency} Hz`, () => this.heard(frequency) >= before + frames);
  }

  #tell(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #account(): string {
    const all = new Set(this.frames);
    return [...all]
      .map((one) => `${one ?? "other"}: ${this.frames.filter((frame) => frame === one).length}`)
      .join(", ");
  }
}

/** Frames of a sine, without end. */
export function tone(frequency: number): () => Int16Array {
  let at = 0;
  return () => {
    at += frameSamples;
    return sine(frequency, sampleRate, at - frameSamples, frameSamples);
  };
}

export interface SoundingTrunk {
  readonly uri: string;
  readonly port: number;
  /** Of each call, in their order. */
  readonly ears: readonly Ear[];
  readonly sounds: readonly CallSound[];
  /** What it received, raw, oldest first. */
  messages(): readonly string[];
  waitFor(predicate: (message: string) => boolean, timeoutMs?: number): Promise<string>;
  stop(): void;
}

export interface SoundingOptions extends Partial<Pick<TrunkOptions, "early" | "port" | "answers">> {
  readonly host: string;
  /** Hz. */
  readonly plays: number;
  readonly listensFor: readonly number[];
}

/** A trunk over UDP that answers, plays a tone and listens. */
export async function startSoundingTrunk(options: SoundingOptions): Promise<SoundingTrunk> {
  const { host, plays, listensFor, early = false, port = 0, answers } = options;
  const messages: string[] = [];
  const ears: Ear[] = [];
  const sounds: CallSound[] = [];
  const looks = new Set<() => void>();
  const sound = async (): Promise<CallSound> => {
    const ear = new Ear(listensFor);
    const opened = await CallSound.open(host, tone(plays), ear);
    ears.push(ear);
    sounds.push(opened);
    return opened;
  };
  const onMessage = (message: string): void => {
    messages.push(message);
    for (const look of [...looks]) look();
  };
  const trunk = await AnsweringTrunk.start({ host, port, sound, early, onMessage, ...(answers && { answers }) });
  const waitFor = (predicate: (message: string) => boolean, timeoutMs = 10_000): Promise<string> =>
    new Promise((resolve, reject) => {
      const settle = (how: () => void): void => {
        clearTimeout(timer);
        looks.delete(look);
        how();
      };
      const look = (): void => {
        const found = messages.find(predicate);
        if (found !== undefined) settle(() => resolve(found));
      };
      const late = (): void =>
        reject(new Error(`no such message within ${timeoutMs} ms, only:\n${messages.join("\n")}`));
      const timer = setTimeout(() => settle(late), timeoutMs);
      looks.add(look);
      look();
    });
  return {
    uri: trunk.uri,
    port: trunk.port,
    ears,
    sounds,
    messages: () => messages,
    waitFor,
    stop: () => trunk.stop(),
  };
}
