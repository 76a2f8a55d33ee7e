import { describe, expect, it } from "vitest";
import { isJsonObject, parseStrictJson } from "../../../src/core/strict-json.ts";
import { permissionFor, readEvents, type ToldEvent } from "../../../src/reports/events.ts";
import { type Fault, Reading } from "../../../src/reports/reading.ts";

function read(body: unknown): { readonly events: readonly ToldEvent[]; readonly faults: readonly Fault[] } {
  const parsed = parseStrictJson(JSON.stringify(body));
  if (parsed.kind !== "value" || !isJsonObject(parsed.value)) throw new TypeError("no object");
  const reading = new Reading();
  return { events: readEvents(parsed.value, reading), faults: reading.faults };
}

const joined = { conferenceID: "c-1@acme.example", event: "userJoined", userID: "alice" };
const pathsOf = (body: unknown): string[] => read(body).faults.map(({ path }) => path);

describe("events as pages tell them", () => {
  it("are one, or a list", () => {
    const told = { conference: "c-1@acme.example", event: "userJoined", userID: "alice", ago: 0 };
    expect(read(joined)).toEqual({ events: [{ path: "", ...told }], faults: [] });
    expect(read({ ...joined, data_token: "x" }).events).toHaveLength(1);
    const left = {
      ...joined,
      event: "userLeft",
      ago: 1500,
      bridgeID: "b1",
      detail: { reason: "hung up", rating: 4.5 },
    };
    expect(read({ appID: "acme", events: [joined, left] })).toEqual({
      events: [
        { path: "events[0].", ...told },
        {
          ...{ path: "events[1].", ...told, event: "userLeft", ago: 1500 },
          detail: { reason: "hung up", rating: 4.5, bridgeID: "b1" },
        },
      ],
      faults: [],
    });
  });

  it("are told all that is wrong with them at once", () => {
    const bad = { conferenceID: "a b", event: "userVanished", ago: -1, more: 1 };
    expect(pathsOf({ events: [joined, bad, 7] })).toEqual([
      ...["events[2]", "events[1]", "events[1].conferenceID", "events[1].event", "events[1].userID"],
      "events[1].ago",
    ]);
  });

  it.each([
    ["conferenceID", ["", "a b", "x".repeat(257), "é", "a\nb", 5, null]],
    ["event", ["", "UserJoined", "bridge", "bridgejoined", "__proto__", "constructor", 1]],
    ["userID", ["", "a b", "x".repeat(321), {}]],
    ["ago", [-1, 0.5, 3_600_001, "5", null]],
    ["bridgeID", ["", "x".repeat(129), []]],
    [
      "detail",
      [[], "x", { "1a": 1 }, { a: {} }, { a: null }, { a: "x".repeat(129) }, { a: "\u001b[2J" }, { bridgeID: 1 }],
    ],
    ["detail", [Object.fromEntries(Array.from({ length: 9 }, (_, at) => [`n${at}`, at]))]],
  ])("have a %s of the right form", (member, values) => {
    for (const value of values)
      expect(pathsOf({ ...joined, [member]: value }), JSON.stringify(value)).toEqual([member]);
  });

  it("are at most a hundred", () => {
    const many = (length: number) => ({ events: Array.from({ length }, () => joined) });
    expect(read(many(100)).events).toHaveLength(100);
    for (const body of [many(101), many(0), { events: {} }]) expect(pathsOf(body)).toEqual(["events"]);
    expect(pathsOf({ events: [joined], event: "userLeft" })).toEqual([""]);
  });

  it("has no more than twenty faults told", () => {
    expect(pathsOf({ events: Array.from({ length: 100 }, () => ({})) })).toHaveLength(20);
  });
});

describe("the permission of an event", () => {
  it.each([
    ["conferenceStarted", "CreateConference"],
    ["conferenceEnded", "TerminateConference"],
    ["userJoined", "SubmitConferenceEvent"],
    ["audioMuted", "SubmitConferenceEvent"],
    ["feedback", "SubmitConferenceEvent"],
    ["bridgeJoined", "SubmitBridgeEvent"],
    ["conferencePaused", undefined],
  ])("of %s is %s", (event, permission) => {
    expect(permissionFor(event)).toBe(permission);
  });
});
