import { z } from "zod";

/** What pages tell of their conferences. */

const userID = z.string().describe("the token's: a name, or name@domain");
const conferenceID = z.string().describe("of a telephone call its Call-ID");
const ago = z.int().min(0).max(3_600_000).describe("milliseconds between what is told and the request").optional();

/** Where no Authorization is sent. */
const shown = {
  data_token: z.string().describe("in the place of Authorization").optional(),
  appID: z
    .union([z.string(), z.int()])
    .describe("in the place of a token, where the customer has originReports")
    .optional(),
};

const event = z.strictObject({
  ...{ conferenceID, userID, ago },
  event: z.string().describe("conferenceStarted, conferenceEnded, userJoined, …: docs/reports.md"),
  bridgeID: z.string().optional(),
  detail: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
});

const stats = z.array(z.looseObject({ type: z.string(), id: z.string().optional() })).describe("of getStats()");
const ofConference = z.strictObject({ conferenceID, userID, ago, stats });
const ofBridge = z.strictObject({ bridgeID: z.string(), userID: userID.optional(), ago, stats });
const reports = z.array(z.union([ofConference, ofBridge])).max(20);

export const reportSchemas = {
  EventsRequest: z
    .union([event.extend(shown), z.strictObject({ ...shown, events: z.array(event).max(100) })])
    .describe("one event, or several"),
  StatsRequest: z
    .union([ofConference.extend(shown), ofBridge.extend(shown), z.strictObject({ ...shown, reports })])
    .describe("one report, or several"),
  ReportsTaken: z.strictObject({ taken: z.int().min(0).describe("how many") }),
} as const satisfies Readonly<Record<string, z.ZodType>>;
