import type { Metrics } from "./metrics.ts";
import type { About, Line, Party, Shown, Trace, Traced, Way } from "./trace.ts";

export interface TapParts {
  readonly connection: string;
  readonly client: Party;
  readonly gateway: Party;
  readonly metrics: Pick<Metrics, "message" | "refusedUpstream" | "passedTrunk">;
  readonly trace: Trace;
}

/** What is counted and traced of one connection: each message once in each direction, and what was decided about it. */
export class Tap {
  readonly #line: Line;
  readonly #metrics: TapParts["metrics"];
  readonly #trace: Trace;
  /** The client's message, and Kamailio's, that the next verdict is about. */
  #asked: Traced | undefined;
  #offered: Traced | undefined;

  constructor({ connection, client, gateway, metrics, trace }: TapParts) {
    this.#line = { connection, client, gateway, upstream: undefined };
    this.#metrics = metrics;
    this.#trace = trace;
  }

  /** The leg's upstream end is there, or has been replaced. */
  upstream(party: Party): void {
    this.#line.upstream = party;
  }

  fromClient(about: About, bytes: Buffer): void {
    this.#asked = this.#passed("from-client", about, bytes);
  }

  toClient(about: About, bytes: Buffer): void {
    this.#passed("to-client", about, bytes);
  }

  fromUpstream(about: About, bytes: Buffer): void {
    this.#offered = this.#passed("from-upstream", about, bytes);
  }

  toUpstream(about: About, bytes: Buffer): void {
    this.#passed("to-upstream", about, bytes);
  }

  /** On the message that came from the client last; it has one verdict. */
  judged(code: string, sentence = "", who?: Shown): void {
    const traced = this.#asked;
    this.#asked = undefined;
    if (traced) this.#trace.verdict(traced, { code, sentence, who });
  }

  /** On the message that came from upstream last. */
  judgedOffer(code: string, sentence = ""): void {
    const traced = this.#offered;
    this.#offered = undefined;
    if (traced) this.#trace.verdict(traced, { code, sentence });
  }

  /** Kamailio did not take what came up: our grant, or a call, for want of rtpengine or of a trunk. */
  refusedUpstream(what: "grant" | "media" | "trunk"): void {
    this.#metrics.refusedUpstream(what);
  }

  /** A call was taken by another trunk than its first. */
  passedTrunk(): void {
    this.#metrics.passedTrunk();
  }

  #passed(way: Way, about: About, bytes: Buffer): Traced | undefined {
    this.#metrics.message(way, about.method);
    return this.#trace.message(this.#line, way, about, bytes);
  }
}
