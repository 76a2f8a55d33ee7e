import type { Permission } from "../core/identity.ts";
import type { Figures } from "../core/reports.ts";
import type { JsonObject } from "../core/strict-json.ts";
import { figuresOf } from "./figures.ts";
import { ago, bridgeID, conferenceID, type Part, type Reading, userID } from "./reading.ts";

/** A report as it was told, of a conference or of a bridge: whose it is, and whether they may, is not judged. */
export interface ToldStats {
  /** Of its members, in the body. */
  readonly path: string;
  readonly conference?: string;
  readonly bridge?: string;
  /** A bridge's may be left out. */
  readonly userID?: string;
  /** Milliseconds. */
  readonly ago: number;
  /** Of each stream and direction. */
  readonly figures: readonly Figures[];
}

export const mostReports = 20;
/** Objects of one getStats(). */
const mostStats = 200;

const names = new Set(["conferenceID", "bridgeID", "userID", "ago", "stats"]);

export const statsPermission = ({ conference }: Pick<ToldStats, "conference">): Permission =>
  conference === undefined ? "SubmitBridgeStats" : "SubmitConferenceStats";

/** One report, or a list of them as `reports`. What is wrong stands in the reading. */
export const readStats = (body: JsonObject, reading: Reading): readonly ToldStats[] =>
  reading.parts(body, "reports", mostReports).flatMap((part) => readReport(part, reading) ?? []);

function readReport(part: Part, reading: Reading): ToldStats | undefined {
  const { object, path } = part;
  reading.onlyThese(part, names);
  const [conference, bridge] = [
    reading.optional(part, "conferenceID", conferenceID),
    reading.optional(part, "bridgeID", bridgeID),
  ];
  if ((object.conferenceID === undefined) === (object.bridgeID === undefined)) {
    reading.fault(path, "has not exactly one of conferenceID and bridgeID");
  }
  const who =
    object.bridgeID === undefined ? reading.required(part, "userID", userID) : reading.optional(part, "userID", userID);
  const when = reading.optional(part, "ago", ago) ?? 0;
  const stats = reading.objects(object.stats, `${path}stats`, mostStats);
  const figures = figuresOf(stats, reading, `${path}stats`);
  return {
    ...{ path, ago: when, figures },
    ...(conference !== undefined && { conference }),
    ...(bridge !== undefined && { bridge }),
    ...(who !== undefined && { userID: who }),
  };
}
