import { describe, expect, it } from "vitest";
import { isJsonObject, parseStrictJson } from "../../../src/core/strict-json.ts";
import { type Fault, Reading } from "../../../src/reports/reading.ts";
import { readStats, type ToldStats } from "../../../src/reports/stats.ts";

function read(body: unknown): { readonly reports: readonly ToldStats[]; readonly faults: readonly Fault[] } {
  const parsed = parseStrictJson(typeof body === "string" ? body : JSON.stringify(body), { large: true });
  if (parsed.kind !== "value" || !isJsonObject(parsed.value)) throw new TypeError("no object");
  const reading = new Reading();
  return { reports: readStats(parsed.value, reading), faults: reading.faults };
}

const inbound = {
  ...{ type: "inbound-rtp", id: "IT1", timestamp: 1.5e12, kind: "audio", ssrc: 7, codecId: "C1", transportId: "T1" },
  ...{ packetsReceived: 500, packetsLost: -2, bytesReceived: 60_000, jitter: 0.004, audioLevel: 0.3 },
  ...{ jitterBufferDelay: 480, jitterBufferEmittedCount: 24_000, concealedSamples: 960, totalSamplesReceived: 480_000 },
};
const all = [
  inbound,
  {
    type: "outbound-rtp",
    id: "OT1",
    kind: "audio",
    ssrc: 9,
    codecId: "C1",
    transportId: "T1",
    packetsSent: 510,
    bytesSent: 61_000,
    mediaSourceId: "S1",
  },
  {
    type: "remote-inbound-rtp",
    id: "RI1",
    localId: "OT1",
    ssrc: 9,
    packetsLost: 10,
    fractionLost: 0.02,
    jitter: 0.006,
    roundTripTime: 0.05,
  },
  { type: "media-source", id: "S1", kind: "audio", audioLevel: 0.5 },
  { type: "codec", id: "C1", mimeType: "audio/opus", payloadType: 111 },
  { type: "transport", id: "T1", selectedCandidatePairId: "P2" },
  { type: "candidate-pair", id: "P1", nominated: true, state: "succeeded", currentRoundTripTime: 0.9 },
  {
    type: "candidate-pair",
    id: "P2",
    localCandidateId: "L1",
    remoteCandidateId: "R1",
    currentRoundTripTime: 0.04,
    priority: 9_115_005_270_282_338_000,
  },
  { type: "local-candidate", id: "L1", candidateType: "host", address: "192.0.2.5" },
  { type: "remote-candidate", id: "R1", candidateType: "relay" },
  { type: "peer-connection", id: "P", dataChannelsOpened: 0 },
  { type: "certificate", id: 5 },
  { type: "constructor" },
];
const report = (stats: unknown, more: object = {}) => ({ conferenceID: "c-1", userID: "alice", stats, ...more });
const pathsOf = (body: unknown): string[] => read(body).faults.map(({ path }) => path);

describe("reports of getStats()", () => {
  it("are figures of each stream and direction", () => {
    const { reports, faults } = read(report(all));
    expect(faults).toEqual([]);
    const both = { kind: "audio", codec: "opus", localCandidate: "host", remoteCandidate: "relay" };
    expect(reports).toEqual([
      {
        ...{ path: "", conference: "c-1", userID: "alice", ago: 0 },
        figures: [
          {
            ...{ ...both, direction: "received", ssrc: 7, packetsReceived: 500, packetsLost: 0, bytes: 60_000 },
            ...{ jitter: 0.004, roundTripTime: 0.04, bufferDelay: 0.02, concealedSamples: 960 },
            ...{ totalSamples: 480_000, audioLevel: 0.3 },
          },
          {
            ...{ ...both, direction: "sent", ssrc: 9, packetsSent: 510, packetsLost: 10, fractionLost: 0.02 },
            ...{ bytes: 61_000, jitter: 0.006, roundTripTime: 0.05, audioLevel: 0.5 },
          },
        ],
      },
    ]);
  });

  it("tell of no more than they know", () => {
    const [one] = read(
      report([
        { type: "inbound-rtp", id: "I", jitter: null },
        { type: "candidate-pair", id: "P" },
      ]),
    ).reports;
    expect(one?.figures).toEqual([{ direction: "received" }]);
    const nominated = {
      type: "candidate-pair",
      id: "P",
      nominated: true,
      state: "succeeded",
      currentRoundTripTime: 0.2,
    };
    expect(read(report([{ type: "inbound-rtp", id: "I" }, nominated])).reports[0]?.figures).toEqual([
      { direction: "received", roundTripTime: 0.2 },
    ]);
    expect(read(report([{ type: "made-up", jitter: "x" }])).reports[0]?.figures).toEqual([]);
  });

  it("are of the other ends that they name, where there are several", () => {
    const sent = { type: "outbound-rtp", ssrc: 9 };
    const remote = (id: string, jitter: number, more: object) => ({ type: "remote-inbound-rtp", id, jitter, ...more });
    const remotes = [
      remote("R0", 0.009, { ssrc: 8 }),
      remote("R1", 0.001, { ssrc: 9 }),
      remote("R2", 0.002, { localId: "O2" }),
      remote("R3", 0.003, { localId: "O2", ssrc: 9 }),
    ];
    const streams = [
      { ...sent, id: "O1" },
      { ...sent, id: "O2" },
      { ...sent, id: "O3", remoteId: "R3" },
    ];
    const { reports, faults } = read(report([...remotes, ...streams]));
    expect(faults).toEqual([]);
    expect(reports[0]?.figures.map(({ jitter }) => jitter)).toEqual([0.001, 0.002, 0.003]);
  });

  it("are of the pair of candidates in use, and of no other", () => {
    const pair = (id: string, more: object = {}) => ({
      ...{ type: "candidate-pair", id, nominated: true, state: "succeeded" },
      ...{ currentRoundTripTime: Number(id) / 10, ...more },
    });
    const transport = { type: "transport", id: "T", selectedCandidatePairId: "2" };
    const roundTrip = (...more: object[]) => {
      const { reports, faults } = read(report([{ type: "inbound-rtp", id: "I" }, ...more]));
      expect(faults).toEqual([]);
      return reports[0]?.figures[0]?.roundTripTime;
    };
    expect(roundTrip(pair("1"), pair("2"), transport)).toBe(0.2);
    expect(roundTrip(pair("1", { nominated: false }), pair("2", { state: "failed" }), pair("3"))).toBe(0.3);
    expect(roundTrip(pair("1", { nominated: false }), pair("2", { state: "failed" }))).toBeUndefined();
  });

  it("have waited to be played for a minute at most, and not where nothing was played", () => {
    const waited = (jitterBufferDelay: number, jitterBufferEmittedCount: number) =>
      read(report([{ ...inbound, jitterBufferDelay, jitterBufferEmittedCount }])).reports[0]?.figures[0]?.bufferDelay;
    expect([waited(1, 50), waited(1e9, 1), waited(0, 0)]).toEqual([0.02, 60, undefined]);
  });

  it("are of a bridge as well, and several at once", () => {
    const bridge = {
      type: "bridge",
      id: "b",
      load: 0.4,
      conferences: 3,
      participants: 9,
      bytesReceived: 5,
      bytesSent: 6,
    };
    const { reports, faults } = read({ reports: [{ bridgeID: "b1", ago: 5, stats: [bridge] }, report(all)] });
    expect(faults).toEqual([]);
    expect(reports.map(({ path, bridge: of, conference, ago }) => [path, of, conference, ago])).toEqual([
      ["reports[0].", "b1", undefined, 5],
      ["reports[1].", undefined, "c-1", 0],
    ]);
    expect(reports[0]?.figures).toEqual([{ load: 0.4, conferences: 3, participants: 9, bytes: 11 }]);
  });

  it.each([
    ["packetsReceived", [-1, 1.5, 1e13, "5", true]],
    ["packetsLost", [-1e13, "1"]],
    ["jitter", [-0.1, 61, "0", {}]],
    ["bytesReceived", [1e308, -1]],
    ["audioLevel", [1.1, -0.1]],
    ["ssrc", [2 ** 32, -1, 0.5]],
    ["kind", ["text", 1]],
    ["codecId", ["", "x".repeat(257), 3]],
    ["id", ["", 5]],
  ])("have a %s of the right type, and no absurd one", (member, values) => {
    for (const value of values) {
      expect(pathsOf(report([{ ...inbound, [member]: value }])), String(value)).toEqual([`stats[0].${member}`]);
    }
  });

  it("have the least and the most that can be", () => {
    const [least, most] = [
      { packetsReceived: 0, packetsLost: -1e12, jitter: 0 },
      { audioLevel: 1, ssrc: 2 ** 32 - 1 },
    ];
    expect(read(report([{ ...inbound, ...least, ...most }], { ago: 3_600_000 })).faults).toEqual([]);
  });

  it("are refused in any other form", () => {
    expect(pathsOf({ userID: "alice", stats: all })).toEqual([""]);
    expect(pathsOf(report(all, { bridgeID: "b" }))).toEqual([""]);
    expect(pathsOf({ conferenceID: "c", stats: all })).toEqual(["userID"]);
    expect(pathsOf(report(all, { more: 1 }))).toEqual([""]);
    for (const stats of [undefined, {}, [], "x", Array.from({ length: 201 }, () => inbound)]) {
      expect(pathsOf(report(stats))).toEqual(["stats"]);
    }
    expect(pathsOf(report([5, { id: "no type" }, { type: 5 }]))).toEqual([
      "stats[0]",
      "stats[1].type",
      "stats[2].type",
    ]);
    const types = ["inbound-rtp", "outbound-rtp", "bridge"];
    const streams = Array.from({ length: 33 }, (_, at) => ({ type: types[at % 3], id: `I${at}` }));
    expect(pathsOf(report(streams))).toEqual(["stats"]);
    expect(read(report(streams.slice(1))).reports[0]?.figures).toHaveLength(32);
    expect(pathsOf({ reports: Array.from({ length: 21 }, () => report(all)) })).toEqual(["reports"]);
  });
});
