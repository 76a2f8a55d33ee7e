import { describe, expect, it } from "vitest";
import type { Piece } from "../../../src/core/quality-piece.ts";
import type { StatsReport } from "../../../src/core/reports.ts";
import { foldEvent, foldStats } from "../../../src/quality/fold.ts";
import { estimate } from "../../../src/quality/mos.ts";
import { qualityOf, shown } from "../../../src/quality/shown.ts";
import { event, freshPiece, noon, stats } from "../../helpers/quality.ts";

const folded = (reports: readonly StatsReport[], piece = freshPiece()): Piece => {
  for (const report of reports) expect(foldStats(piece, report).kind).toBe("folded");
  return piece;
};

const of = (piece: Piece, user = "alice") => qualityOf([piece], { user, domain: "acme.example" });

const bob = { user: "bob" };

describe("reports of a call", () => {
  it("become first, last, worst and mean, and a loss of all packets", () => {
    const piece = folded([
      stats({ packetsReceived: 100, packetsLost: 0, jitter: 0.002, roundTripTime: 0.04 }),
      stats({ packetsReceived: 190, packetsLost: 10, jitter: 0.006, roundTripTime: 0.08 }, { at: noon + 10_000 }),
      stats({ packetsReceived: 290, packetsLost: 10, jitter: 0.004, roundTripTime: 0.06 }, { at: noon + 20_000 }),
    ]);
    const heard = (loss: number, jitter: number, roundTripTime: number) => estimate({ loss, jitter, roundTripTime });
    const scores = [heard(0, 0.002, 0.04), heard(0.1, 0.006, 0.08), heard(0, 0.004, 0.06)];
    const near = (value: number) => expect.closeTo(value, 4);
    const mean = scores.reduce((sum, one) => sum + one, 0) / 3;
    expect(of(piece)).toEqual({
      mos: near(mean),
      received: {
        ...{ from: noon, until: noon + 20_000, reports: 3, packets: 300, lost: 10 },
        loss: { first: 0, last: 0, worst: 0.1, mean: near(1 / 30) },
        jitter: { first: 0.002, last: 0.004, worst: 0.006, mean: 0.004 },
        roundTrip: { first: 0.04, last: 0.06, worst: 0.08, mean: 0.06 },
        mos: { first: near(scores[0]!), last: near(scores[2]!), worst: near(scores[1]!), mean: near(mean) },
      },
    });
  });

  it("have a loss of all packets, whichever report has most of them", () => {
    const piece = folded([
      stats({ packetsReceived: 50, packetsLost: 50 }),
      stats({ packetsReceived: 950, packetsLost: 50 }),
    ]);
    expect(of(piece)?.received).toMatchObject({ loss: { first: 0.5, last: 0, mean: 0.05 } });
  });

  it("are within what can be, whatever a page makes up", () => {
    const told = (packetsSent: number, packetsLost: number) =>
      stats({ direction: "sent", packetsSent, packetsLost, concealedSamples: 9, totalSamples: 3 });
    const piece = folded([told(100, 900), told(200, 0)]);
    expect(of(piece)?.sent).toMatchObject({ concealed: 1, loss: { first: 1, last: 0, worst: 1 } });
    expect(of(folded([told(100, 900)]))?.sent).toMatchObject({ packets: 100, lost: 100, loss: { mean: 1 } });
  });

  it("of what was sent are counted in packets that were sent", () => {
    const piece = folded([stats({ direction: "sent", packetsSent: 200, packetsLost: 50 })]);
    expect(of(piece)?.sent).toMatchObject({ packets: 200, lost: 50, loss: { mean: 0.25 } });
    expect(of(piece)?.received).toBeUndefined();
  });

  it("are counted for each stream by itself, and none twice that comes late", () => {
    const piece = folded([
      stats({ ssrc: 1, packetsReceived: 100, packetsLost: 0 }),
      stats({ ssrc: 2, packetsReceived: 50, packetsLost: 50 }),
      stats({ ssrc: 1, packetsReceived: 200, packetsLost: 0 }, { at: noon + 5 }),
      stats({ ssrc: 1, packetsReceived: 100, packetsLost: 0 }),
    ]);
    expect(shown([piece])).toMatchObject([{ from: noon, until: noon + 5 }]);
    expect(of(piece)?.received).toMatchObject({ packets: 300, lost: 50, loss: { worst: 0.5, last: 0 } });
  });

  it("are nobody's of the same name in another domain", () => {
    const piece = folded([stats({ jitter: 0.001 }, { domain: "other.example" }), stats({ jitter: 0.002 })]);
    expect(of(piece)?.received).toMatchObject({ reports: 1, jitter: { first: 0.002 } });
  });

  it("say by RTCP's fraction what was lost where counters are not known", () => {
    const told = [{ fractionLost: 0.25 }, {}, { fractionLost: 0.75, packetsLost: 9 }];
    const piece = folded(told.map((figures) => stats({ direction: "sent", ...figures })));
    expect(of(piece)?.sent).toMatchObject({ loss: { first: 0.25, mean: 0.5 }, reports: 3 });
    expect(of(piece)?.sent).not.toHaveProperty("packets");
  });

  it("give no score where nothing came, and take the round trip of the other direction", () => {
    const quiet = folded([stats({ packetsReceived: 0, packetsLost: 0, jitter: 0 })]);
    expect(of(quiet)?.mos).toBeUndefined();
    const piece = folded([
      stats({ direction: "sent", roundTripTime: 0.6 }),
      stats({ packetsReceived: 100, packetsLost: 0 }),
    ]);
    expect(of(piece)?.mos).toBeCloseTo(estimate({ loss: 0, roundTripTime: 0.6 }), 3);
  });

  it("have no score of video, which is told beside the audio", () => {
    const piece = folded([stats({ kind: "video", packetsReceived: 90, packetsLost: 10 }), stats({ jitter: 0.001 })]);
    expect(shown([piece])[0]?.participants).toMatchObject([
      { audio: { received: { reports: 1 } }, video: { received: { packets: 100, lost: 10 } } },
    ]);
    expect(JSON.stringify(shown([piece]))).not.toContain("mos");
  });

  it("name codec and candidates, and what the receiver made up", () => {
    const heard = { codec: "opus", concealedSamples: 480, totalSamples: 48_000, packetsReceived: 1, packetsLost: 0 };
    const piece = folded([stats({ ...heard, localCandidate: "relay", remoteCandidate: "host" })]);
    expect(shown([piece])[0]?.participants).toMatchObject([
      { localCandidate: "relay", remoteCandidate: "host", audio: { received: { codec: "opus", concealed: 0.01 } } },
    ]);
    const silent = folded([stats({ concealedSamples: 0, totalSamples: 0, jitter: 0 })]);
    expect(of(silent)?.received).not.toHaveProperty("concealed");
  });

  it("of a bridge are of no stream, and have no score", () => {
    const bridge = { bridge: "b1" };
    const health = { customer: "acme", user: "ops", domain: "acme.example", at: noon + 5, ...bridge };
    const piece = freshPiece(bridge);
    foldStats(piece, { ...health, figures: { load: 0.5, conferences: 3 } });
    expect(shown([piece])[0]?.participants[0]).not.toHaveProperty("whole");
    const carried = { packetsReceived: 90, packetsLost: 10, jitter: 0.01 };
    foldStats(piece, { ...health, figures: { load: 0.75, participants: 9, ...carried } });
    expect(shown([piece])).toEqual([
      {
        ...{ id: piece.id, customer: "acme", bridge: "b1", from: noon, until: noon + 5, events: [] },
        participants: [
          {
            ...{ user: "ops", domain: "acme.example", load: 0.75, conferences: 3, participants: 9 },
            whole: {
              ...{ from: noon + 5, until: noon + 5, reports: 2, packets: 100, lost: 10 },
              loss: { first: 0.1, last: 0.1, worst: 0.1, mean: 0.1 },
              jitter: { first: 0.01, last: 0.01, worst: 0.01, mean: 0.01 },
            },
          },
        ],
      },
    ]);
  });
});

describe("a call of two who both tell", () => {
  const [good, bad] = [
    { packetsReceived: 100, packetsLost: 0 },
    { packetsReceived: 50, packetsLost: 50 },
  ];
  const sent = { direction: "sent", packetsSent: 100, packetsLost: 90 } as const;

  it("counts each direction once: as its receiver heard it", () => {
    const both = folded([stats(good), stats(sent), stats(bad, bob)]);
    expect(shown([both])[0]?.mos).toBeCloseTo(estimate({ loss: 0.5 }), 3);
    expect(of(both)).toMatchObject({ received: { lost: 0 }, sent: { lost: 90 } });
    expect(of(both, "bob")).toMatchObject({ received: { lost: 50 } });
    expect(of(both, "bob")).not.toHaveProperty("sent");
  });

  it("takes the sender's word where no receiver tells", () => {
    expect(shown([folded([stats(good), stats(sent)])])[0]?.mos).toBeCloseTo(estimate({ loss: 0.9 }), 3);
    const split = folded([stats(good), stats(sent, bob)]);
    expect(shown([split])[0]?.mos).toBeCloseTo(estimate({ loss: 0 }), 3);
  });

  it("is the worse direction's in the record, not both", () => {
    expect(of(folded([stats(good), stats(sent)]))?.mos).toBeCloseTo(estimate({ loss: 0.9 }), 3);
  });

  it("is told of in several pieces as one, with no packet twice", () => {
    const first = folded([stats(good)]);
    const later = freshPiece({ id: first.id.replace(/^....../, "ffffff"), from: noon + 60_000, until: noon + 60_000 });
    folded([stats({ packetsReceived: 200, packetsLost: 0 }, { at: noon + 60_000 })], later);
    const [one, ...more] = shown([later, first]);
    expect(more).toEqual([]);
    expect(one).toMatchObject({ id: first.id, from: noon, until: noon + 60_000 });
    expect(one?.participants[0]?.audio?.received).toMatchObject({ packets: 200, reports: 2, from: noon });
  });

  it("is told of at two gateways at once, with no packet twice", () => {
    const [one, other] = [freshPiece(), freshPiece({ id: "ffffffff-0000" })];
    folded([stats({ packetsReceived: 300, packetsLost: 0 }, { at: noon + 9 })], one);
    folded([stats({ packetsReceived: 150, packetsLost: 50 })], other);
    const received = shown([one, other])[0]?.participants[0]?.audio?.received;
    expect(received).toMatchObject({ packets: 300, lost: 0, loss: { worst: 0.25 } });
    expect(received).toMatchObject({ from: noon, until: noon + 9 });
    expect(received?.mos?.worst).toBeCloseTo(estimate({ loss: 0.25 }), 3);
  });

  it("is another one of another customer", () => {
    expect(shown([freshPiece(), freshPiece({ customer: "globex" })])).toHaveLength(2);
    expect(shown([freshPiece({ bridge: "b" }), freshPiece({ bridge: "b", id: "0" })])).toHaveLength(2);
  });
});

describe("who nobody stands for", () => {
  const forged = stats({ packetsReceived: 0, packetsLost: 100 }, { unproved: true });

  it("is told of apart, and never in the place of who was proved", () => {
    const piece = folded([forged, stats({ packetsReceived: 100, packetsLost: 0 })]);
    expect(of(piece)).toMatchObject({ received: { lost: 0 } });
    expect(of(piece)).not.toHaveProperty("unproved");
    expect(shown([piece])[0]?.mos).toBeCloseTo(estimate({ loss: 0 }), 3);
    expect(shown([piece])[0]?.participants).toMatchObject([{ unproved: true }, { user: "alice" }]);
    expect(of(folded([forged]))).toMatchObject({ unproved: true, received: { lost: 100 } });
    expect(shown([folded([forged])])).toMatchObject([{ callId: "c1", mos: expect.closeTo(estimate({ loss: 1 }), 3) }]);
  });

  it("takes no room from others", () => {
    const piece = freshPiece();
    const names = Array.from({ length: 40 }, (_, at) => `u${at}`);
    const taken = (unproved?: true): number =>
      names.filter((user) => foldStats(piece, { ...stats(), user, ...(unproved && { unproved }) }).kind === "folded")
        .length;
    expect([taken(true), taken()]).toEqual([4, 16]);
    const events = Array.from({ length: 300 }, () => event());
    const kept = (unproved?: true): number =>
      events.filter((one) => foldEvent(piece, { ...one, ...(unproved && { unproved }) }).kind === "folded").length;
    expect([kept(true), kept()]).toEqual([50, 200]);
  });
});

describe("a piece", () => {
  it("does not grow with the reports", () => {
    const piece = freshPiece();
    for (let at = 0; at < 5_000; at++) foldStats(piece, stats({ ssrc: at, packetsReceived: at, packetsLost: at }));
    expect(JSON.stringify(piece).length).toBeLessThan(2_000);
    expect(piece.participants[0]?.ways.audioReceived?.streams).toHaveLength(8);
  });

  it("has so many bytes of events at most, in the order of their times", () => {
    const piece = freshPiece();
    const detail = { text: "x".repeat(1_000) };
    const kept = Array.from({ length: 100 }, (_, at) => foldEvent(piece, event({ at: noon - at, detail })).kind);
    expect(kept.filter((kind) => kind === "folded").length).toBeLessThan(33);
    expect(JSON.stringify(piece).length).toBeLessThan(34_000);
    const times = shown([piece])[0]!.events.map(({ at }) => at);
    expect(times).toEqual(times.toSorted((one, other) => one - other));
    expect(piece.from).toBe(times[0]);
  });

  it("says how much it has grown, which is no less than what it takes", () => {
    const [piece, empty] = [freshPiece(), JSON.stringify(freshPiece()).length];
    const results = [foldStats(piece, stats({ packetsReceived: 1, packetsLost: 0 })), foldEvent(piece, event())];
    const bytes = results.reduce((sum, one) => sum + (one.kind === "folded" ? one.bytes : 0), 0);
    expect(bytes).toBeGreaterThan(JSON.stringify(piece).length - empty);
    expect(foldStats(piece, stats({ packetsReceived: 9, packetsLost: 0 }))).toMatchObject({ bytes: 0 });
    const grown = [stats({ direction: "sent" }), stats({}, bob)].map((one) => foldStats(piece, one));
    expect(grown).toMatchObject([{ bytes: 700 }, { bytes: 1_100 }]);
  });
});
