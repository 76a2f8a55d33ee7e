/**
 * What participants of conferences tell of them, as it is handed on after it was judged: whose it is was proved, or is
 * marked, every text is printable and of bounded length, every number finite and not negative. Times are milliseconds
 * since the epoch, by the gateway's clock.
 */
interface Told {
  readonly customer: string;
  readonly user: string;
  readonly domain: string;
  readonly at: number;
  /** Nothing but the page's Origin stands for it: who tells may be anybody. */
  readonly unproved?: true;
}

export interface ConferenceEvent extends Told {
  /** Of a telephone call SIP's Call-ID. */
  readonly conference: string;
  /** As in `userJoined`. */
  readonly event: string;
  readonly detail?: Readonly<Record<string, string | number | boolean>>;
}

/** What was measured on the media of one direction, seen by who tells; of one stream. Absent: not known. */
export interface Figures {
  /** sent: what the far end says of it by RTCP. Absent where it is of no stream: all that a bridge carries. */
  readonly direction?: "received" | "sent";
  readonly kind?: "audio" | "video";
  /** Of the RTP stream: the counters below go up as long as it is the same. */
  readonly ssrc?: number;
  readonly packetsReceived?: number;
  readonly packetsSent?: number;
  readonly packetsLost?: number;
  /** 0 to 1, since the report before, as RTCP says it: for streams whose counters are not known. */
  readonly fractionLost?: number;
  readonly bytes?: number;
  /** Seconds. */
  readonly jitter?: number;
  readonly roundTripTime?: number;
  /** Seconds that a packet waited to be played, lately on average. */
  readonly bufferDelay?: number;
  readonly concealedSamples?: number;
  readonly totalSamples?: number;
  /** 0 to 1. */
  readonly audioLevel?: number;
  /** As in SDP: `opus`, `PCMU`. */
  readonly codec?: string;
  /** Of the pair of candidates in use: the teller's own, and the other end's. */
  readonly localCandidate?: CandidateType;
  readonly remoteCandidate?: CandidateType;
  /** Of a bridge: 0 to 1, and what it carries. */
  readonly load?: number;
  readonly conferences?: number;
  readonly participants?: number;
}

export type CandidateType = "host" | "srflx" | "prflx" | "relay";

/** Of a conference or of a bridge, one of them: each stream and direction of a report over HTTP is one of these. */
export interface StatsReport extends Told {
  readonly conference?: string;
  readonly bridge?: string;
  readonly figures: Figures;
}

/** full: there is no room for more of this customer or conference; it was not taken. */
export type Taken = "taken" | "full";

/** Where reports go. Neither waits. */
export interface Reports {
  event(event: ConferenceEvent): Taken;
  stats(report: StatsReport): Taken;
}
