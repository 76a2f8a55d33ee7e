import { CallSound, frameSamples, type Source } from "./call.ts";
import { sampleRate } from "./g711.ts";
import { AnsweringTrunk, type TrunkOptions } from "./trunk.ts";

export type EchoOptions = Pick<TrunkOptions, "host" | "port" | "onMessage">;

/** Hz and milliseconds of each note: what is heard before the echo begins. */
const melody: readonly (readonly [number, number])[] = [
  [523.25, 180],
  [659.25, 180],
  [783.99, 180],
  [1046.5, 360],
];

/** Frames that wait to be echoed: half a second, so that who speaks hears himself and not a hum. */
const delay = 25;
const longest = 100;

/** A trunk that answers every call over UDP with a few notes, and then with what it hears. */
export function startEchoTrunk(options: EchoOptions): Promise<AnsweringTrunk> {
  const sound = (): Promise<CallSound> => {
    const echo = echoing(greeting());
    return CallSound.open(options.host, echo.source, { onFrame: echo.take });
  };
  return AnsweringTrunk.start({ ...options, sound });
}

/** Plays the given frames, then those that are taken, half a second later. */
export function echoing(first: Int16Array[]): { readonly source: Source; take(frame: Int16Array): void } {
  const greeted = [...first];
  const heard: Int16Array[] = [];
  let started = false;
  return {
    source: () => {
      if (greeted.length > 0) return greeted.shift();
      started ||= heard.length >= delay;
      return started ? heard.shift() : new Int16Array(frameSamples);
    },
    take: (frame) => {
      if (greeted.length === 0 && heard.length < longest) heard.push(frame);
    },
  };
}

/** The melody as frames; each note swells and fades, for a tone cut off clicks. */
export function greeting(): Int16Array[] {
  const samples = melody.flatMap(([frequency, ms]) => note(frequency, (sampleRate * ms) / 1000));
  const count = Math.ceil(samples.length / frameSamples);
  return Array.from({ length: count }, (_, index) =>
    Int16Array.from({ length: frameSamples }, (_, at) => samples[index * frameSamples + at] ?? 0),
  );
}

const note = (frequency: number, length: number): number[] =>
  Array.from({ length }, (_, at) => {
    const swell = Math.sin((Math.PI * at) / length);
    return Math.round(9_000 * swell * Math.sin((2 * Math.PI * frequency * at) / sampleRate));
  });
