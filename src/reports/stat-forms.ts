import { between, type Form, matching, whole } from "./reading.ts";

/** An object of getStats() (W3C webrtc-stats), as far as it is read. */
export type Stat = Readonly<Record<string, string | number | boolean>>;

const count = whole(0, 1e12);
const bytes = whole(0, 1e15);
const samples = whole(0, 1e15);
const seconds = between(0, 60);
const share = between(0, 1);
export const id = matching(/^.{1,256}$/su, "is no text of 1 to 256 characters");
const yesNo: Form<boolean> = {
  is: (value): value is boolean => typeof value === "boolean",
  sentence: "is not true or false",
};
/** Duplicates are subtracted from what is lost (RFC 3550 section 6.4.1). */
const lost = whole(-1e12, 1e12);
const ssrc = whole(0, 2 ** 32 - 1);

export type Forms = Readonly<Record<string, Form<string> | Form<number> | Form<boolean>>>;

const stream = { ssrc, kind: matching(/^(audio|video)$/, "is neither audio nor video"), codecId: id, transportId: id };
const candidate = { candidateType: matching(/^(host|srflx|prflx|relay)$/, "is none of host, srflx, prflx, relay") };

/** What is read of each type; all other types and members are passed over. */
export const types: Readonly<Record<string, Forms>> = {
  "inbound-rtp": {
    ...{
      ...stream,
      packetsReceived: count,
      packetsLost: lost,
      bytesReceived: bytes,
      jitter: seconds,
      audioLevel: share,
    },
    ...{ jitterBufferDelay: between(0, 1e9), jitterBufferEmittedCount: samples },
    ...{ concealedSamples: samples, totalSamplesReceived: samples },
  },
  "outbound-rtp": { ...stream, packetsSent: count, bytesSent: bytes, mediaSourceId: id, remoteId: id },
  "remote-inbound-rtp": {
    ...{ ssrc, localId: id, packetsReceived: count, packetsLost: lost },
    ...{ fractionLost: share, jitter: seconds, roundTripTime: seconds },
  },
  "remote-outbound-rtp": { ssrc, localId: id, packetsSent: count, roundTripTime: seconds },
  "candidate-pair": {
    ...{ localCandidateId: id, remoteCandidateId: id, currentRoundTripTime: seconds },
    ...{ nominated: yesNo, state: matching(/^[a-z-]{1,16}$/, "is no state of a candidate pair") },
  },
  "local-candidate": candidate,
  "remote-candidate": candidate,
  "media-source": { audioLevel: share },
  transport: { selectedCandidatePairId: id },
  codec: { mimeType: matching(/^(audio|video)\/[A-Za-z0-9._+-]{1,32}$/, "is no type like audio/opus") },
  bridge: {
    ...{
      load: share,
      conferences: whole(0, 1e6),
      participants: whole(0, 1e6),
      roundTripTime: seconds,
      jitter: seconds,
    },
    ...{ packetsReceived: count, packetsSent: count, packetsLost: count, bytesReceived: bytes, bytesSent: bytes },
  },
};
