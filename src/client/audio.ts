import { isSilent, share, sine, toneFrequency } from "./tone.ts";
import type { AudioSink, Stream, Track, WebRtc } from "./webrtc.ts";

/** Frames of 10 ms. */
export interface AudioCounts {
  /** Given to the sender while the call was up. */
  readonly sent: number;
  /** Received, silence left out: the sink also delivers the silence that stands for packets that never came. */
  readonly received: number;
  /** Those of them in which the tone was most of the sound. */
  readonly tone: number;
}

const sampleRate = 48_000;
const frameMs = 10;
const frameSamples = (sampleRate * frameMs) / 1000;
/** Frames that a late timer may catch up with; more would only fill the sender's queue. */
const mostLate = 10;

/** The two ends of a call's sound: a tone to send, and an ear on the track that arrives. */
export class Audio {
  readonly stream: Stream;
  readonly #wrtc: WebRtc;
  readonly #source;
  readonly #track: Track;
  readonly #hears: number;
  #timer: NodeJS.Timeout | undefined;
  #sink: AudioSink | undefined;
  #sent = 0;
  #received = 0;
  #tone = 0;

  /** hears: Hz of the tone that is counted; by default the one that it plays. */
  constructor(wrtc: WebRtc, hears = toneFrequency) {
    this.#hears = hears;
    this.#wrtc = wrtc;
    this.#source = new wrtc.nonstandard.RTCAudioSource();
    this.#track = this.#source.createTrack();
    this.stream = new wrtc.MediaStream([this.#track]);
  }

  get counts(): AudioCounts {
    return { sent: this.#sent, received: this.#received, tone: this.#tone };
  }

  /** Starts the tone. */
  play(): void {
    if (this.#timer) return;
    const started = performance.now();
    let due = 0;
    this.#timer = setInterval(() => {
      const elapsed = Math.floor((performance.now() - started) / frameMs);
      due = Math.max(due, elapsed - mostLate);
      for (; due < elapsed; due++) this.#send();
    }, frameMs);
  }

  /** Counts what arrives on a track. */
  listen(track: Track): void {
    if (track.kind !== "audio" || this.#sink) return;
    this.#sink = new this.#wrtc.nonstandard.RTCAudioSink(track);
    this.#sink.ondata = ({ samples, sampleRate: rate, channelCount }) => {
      const mono = channelCount === 1 ? samples : samples.filter((_, index) => index % channelCount === 0);
      if (isSilent(mono)) return;
      this.#received++;
      if (share(mono, rate, this.#hears) > 0.5) this.#tone++;
    };
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#sink?.stop();
    this.#track.stop();
  }

  #send(): void {
    const samples = sine(toneFrequency, sampleRate, this.#sent * frameSamples, frameSamples);
    this.#source.onData({ samples, sampleRate, bitsPerSample: 16, channelCount: 1 });
    this.#sent++;
  }
}
