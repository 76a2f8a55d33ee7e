import type { CandidateType, Figures } from "../core/reports.ts";
import type { JsonValue } from "../core/strict-json.ts";
import { type Form, matching, type Part, type Reading } from "./reading.ts";
import { type Forms, id, type Stat, types } from "./stat-forms.ts";

const text = matching(/^[ -~]{1,64}$/, "is no type of a statistics object");
/** Seconds. */
const longestDelay = 60;
/** Streams of one report. */
const mostStreams = 32;

/** Objects of getStats() as figures, one for each stream and direction. path: of their list. */
export function figuresOf(parts: readonly Part[], reading: Reading, path: string): readonly Figures[] {
  const all = new Stats(parts, reading);
  const streams = all.of("inbound-rtp").length + all.of("outbound-rtp").length + all.of("bridge").length;
  if (streams > mostStreams) reading.fault(path, `has more than ${mostStreams} streams`);
  if (reading.faults.length > 0) return [];
  return [
    ...all.of("inbound-rtp").map((one) => all.received(one)),
    ...all.of("outbound-rtp").map((one) => all.sent(one)),
    ...all.of("bridge").map(bridged),
  ];
}

class Stats {
  readonly #byId = new Map<string, Stat>();

  constructor(parts: readonly Part[], reading: Reading) {
    for (const part of parts) {
      const type = reading.required(part, "type", text);
      const forms = type !== undefined && Object.hasOwn(types, type) ? types[type] : undefined;
      if (type === undefined || !forms) continue;
      const name = reading.required(part, "id", id);
      if (name !== undefined) this.#byId.set(`${type} ${name}`, readStat(part, type, name, forms, reading));
    }
  }

  of(type: string): readonly Stat[] {
    return [...this.#byId.values()].filter((one) => one.type === type);
  }

  received(one: Stat): Figures {
    const remote = this.#paired("remote-outbound-rtp", one);
    const [delay, emitted] = [number(one.jitterBufferDelay), number(one.jitterBufferEmittedCount)];
    return {
      direction: "received",
      ...this.#common(one),
      ...only("packetsReceived", number(one.packetsReceived)),
      ...only("packetsLost", lostOf(one)),
      ...only("bytes", number(one.bytesReceived)),
      ...only("jitter", number(one.jitter)),
      ...only("roundTripTime", number(remote?.roundTripTime) ?? number(this.#pair(one)?.currentRoundTripTime)),
      ...only("bufferDelay", delay === undefined || !emitted ? undefined : Math.min(longestDelay, delay / emitted)),
      ...only("concealedSamples", number(one.concealedSamples)),
      ...only("totalSamples", number(one.totalSamplesReceived)),
      ...only("audioLevel", number(one.audioLevel)),
    };
  }

  sent(one: Stat): Figures {
    const remote = this.#paired("remote-inbound-rtp", one);
    const source = this.#byId.get(`media-source ${one.mediaSourceId}`);
    return {
      direction: "sent",
      ...this.#common(one),
      ...only("packetsSent", number(one.packetsSent)),
      ...only("packetsReceived", number(remote?.packetsReceived)),
      ...only("packetsLost", remote && lostOf(remote)),
      ...only("fractionLost", number(remote?.fractionLost)),
      ...only("bytes", number(one.bytesSent)),
      ...only("jitter", number(remote?.jitter)),
      ...only("roundTripTime", number(remote?.roundTripTime) ?? number(this.#pair(one)?.currentRoundTripTime)),
      ...only("audioLevel", number(source?.audioLevel)),
    };
  }

  #common(one: Stat): Figures {
    const pair = this.#pair(one);
    const codec = String(this.#byId.get(`codec ${one.codecId}`)?.mimeType ?? "").split("/")[1];
    const [local, remote] = [
      this.#byId.get(`local-candidate ${pair?.localCandidateId}`)?.candidateType,
      this.#byId.get(`remote-candidate ${pair?.remoteCandidateId}`)?.candidateType,
    ];
    return {
      ...only("kind", one.kind as Figures["kind"]),
      ...only("ssrc", number(one.ssrc)),
      ...only("codec", codec),
      ...only("localCandidate", local as CandidateType | undefined),
      ...only("remoteCandidate", remote as CandidateType | undefined),
    };
  }

  /** What the other end says of a stream. */
  #paired(type: string, { id: name, ssrc: source, remoteId }: Stat): Stat | undefined {
    const [all, named] = [this.of(type), this.#byId.get(`${type} ${remoteId}`)];
    return (
      named ??
      all.find(({ localId }) => localId === name) ??
      all.find((one) => one.ssrc !== undefined && one.ssrc === source)
    );
  }

  /** The pair of candidates in use. */
  #pair({ transportId }: Stat): Stat | undefined {
    const transport = this.#byId.get(`transport ${transportId}`) ?? this.of("transport")[0];
    const selected = this.#byId.get(`candidate-pair ${transport?.selectedCandidatePairId}`);
    return selected ?? this.of("candidate-pair").find((one) => one.nominated === true && one.state === "succeeded");
  }
}

function readStat(part: Part, type: string, name: string, forms: Forms, reading: Reading): Stat {
  const read = Object.entries(forms).flatMap(([member, form]) => {
    // As JSON has what a browser did not know: NaN becomes null.
    if (part.object[member] === null) return [];
    const value: JsonValue | undefined = reading.optional(part, member, form as Form<string | number | boolean>);
    return value === undefined ? [] : [[member, value]];
  });
  return { ...Object.fromEntries(read), type, id: name };
}

const bridged = (one: Stat): Figures => {
  const bytes = [number(one.bytesReceived), number(one.bytesSent)].filter((each) => each !== undefined);
  return {
    ...only("load", number(one.load)),
    ...only("conferences", number(one.conferences)),
    ...only("participants", number(one.participants)),
    ...only("packetsReceived", number(one.packetsReceived)),
    ...only("packetsSent", number(one.packetsSent)),
    ...only("packetsLost", number(one.packetsLost)),
    ...only("jitter", number(one.jitter)),
    ...only("roundTripTime", number(one.roundTripTime)),
    ...only("bytes", bytes.length === 0 ? undefined : bytes.reduce((sum, each) => sum + each)),
  };
};

const number = (value: string | number | boolean | undefined): number | undefined =>
  typeof value === "number" ? value : undefined;

function lostOf({ packetsLost }: Stat): number | undefined {
  const told = number(packetsLost);
  return told === undefined ? undefined : Math.max(0, told);
}

/** The member where there is a value, else none. */
const only = <Name extends string, Value>(name: Name, value: Value | undefined): { readonly [name in Name]?: Value } =>
  value === undefined ? {} : ({ [name]: value } as { [name in Name]: Value });
