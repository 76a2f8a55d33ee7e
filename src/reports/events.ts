import type { Permission } from "../core/identity.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../core/strict-json.ts";
import { ago, bridgeID, conferenceID, type Form, type Part, type Reading, userID } from "./reading.ts";

export type Detail = Readonly<Record<string, string | number | boolean>>;

/** An event as it was told: whose it is, and whether they may, is not judged. */
export interface ToldEvent {
  /** Of its members, in the body. */
  readonly path: string;
  readonly conference: string;
  readonly event: string;
  readonly userID: string;
  /** Milliseconds. */
  readonly ago: number;
  readonly detail?: Detail;
}

export const mostEvents = 100;

const names = new Set(["conferenceID", "event", "userID", "bridgeID", "ago", "detail"]);

/** Events that need SubmitConferenceEvent. */
const known: ReadonlySet<string> = new Set([
  ...["userJoined", "userLeft", "userHeld", "userResumed"],
  ...["audioMuted", "audioUnmuted", "videoMuted", "videoUnmuted", "screenShareStarted", "screenShareStopped"],
  ...["mediaConnected", "mediaDisconnected", "mediaFailed", "deviceChanged", "feedback"],
]);

/** All but those of bridges. */
export const eventNames: readonly string[] = ["conferenceStarted", "conferenceEnded", ...known];

/** What telling of it needs; undefined: there is no such event. */
export function permissionFor(event: string): Permission | undefined {
  if (event === "conferenceStarted") return "CreateConference";
  if (event === "conferenceEnded") return "TerminateConference";
  if (known.has(event)) return "SubmitConferenceEvent";
  return /^bridge[A-Z][A-Za-z]{0,25}$/.test(event) ? "SubmitBridgeEvent" : undefined;
}

const event: Form<string> = {
  is: (value): value is string => typeof value === "string" && permissionFor(value) !== undefined,
  sentence: `is none of ${eventNames.join(", ")}, nor bridge and a word like bridgeJoined`,
};

const detailName = /^[A-Za-z][A-Za-z0-9_]{0,31}$/;
const [mostDetails, longestText] = [8, 128];

/** Control characters and what reorders text are nobody's to write into somebody's terminal. */
const plain = (text: string): boolean => text.length <= longestText && !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(text);

const isDetail = (value: JsonValue): value is string | number | boolean =>
  typeof value === "string" ? plain(value) : typeof value === "number" || typeof value === "boolean";

const detail: Form<JsonObject & Detail> = {
  is: (value): value is JsonObject & Detail =>
    isJsonObject(value) &&
    Object.keys(value).length <= mostDetails &&
    Object.entries(value).every(([name, one]) => detailName.test(name) && name !== "bridgeID" && isDetail(one)),
  sentence: `is no object of at most ${mostDetails} names like rating, each with a text of at most ${longestText} plain characters, a number, true or false`,
};

/** One event, or a list of them as `events`. What is wrong stands in the reading. */
export const readEvents = (body: JsonObject, reading: Reading): readonly ToldEvent[] =>
  reading.parts(body, "events", mostEvents).flatMap((part) => readEvent(part, reading) ?? []);

function readEvent(part: Part, reading: Reading): ToldEvent | undefined {
  reading.onlyThese(part, names);
  const told = {
    conference: reading.required(part, "conferenceID", conferenceID),
    event: reading.required(part, "event", event),
    userID: reading.required(part, "userID", userID),
  };
  const [bridge, when] = [reading.optional(part, "bridgeID", bridgeID), reading.optional(part, "ago", ago)];
  const details = reading.optional(part, "detail", detail);
  const { conference, event: what, userID: who } = told;
  if (conference === undefined || what === undefined || who === undefined) return undefined;
  const more = { ...details, ...(bridge !== undefined && { bridgeID: bridge }) };
  return {
    ...{ path: part.path, conference, event: what, userID: who, ago: when ?? 0 },
    ...(Object.keys(more).length > 0 && { detail: more }),
  };
}
