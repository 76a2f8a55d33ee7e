import { newId } from "../../src/core/calls.ts";
import type { Piece } from "../../src/core/quality-piece.ts";
import type { ConferenceEvent, Figures, StatsReport } from "../../src/core/reports.ts";

export const noon = Date.UTC(2026, 5, 1, 12);

/** Begun at noon. */
export const freshPiece = (more: Partial<Piece> = {}): Piece => ({
  id: newId(noon),
  customer: "acme",
  ...(more.bridge === undefined && { conference: "c1" }),
  from: noon,
  until: noon,
  participants: [],
  events: [],
  ...more,
});

/** Of alice, at noon, of what she received. */
export const stats = (figures: Figures = {}, more: Partial<StatsReport> = {}): StatsReport => ({
  ...{ customer: "acme", user: "alice", domain: "acme.example", at: noon },
  ...(more.bridge === undefined && { conference: "c1" }),
  figures: { direction: "received", kind: "audio", ssrc: 1, ...figures },
  ...more,
});

export const event = (more: Partial<ConferenceEvent> = {}): ConferenceEvent => ({
  ...{ customer: "acme", user: "alice", domain: "acme.example", at: noon },
  ...{ conference: "c1", event: "userJoined" },
  ...more,
});
