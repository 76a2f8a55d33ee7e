import { z } from "zod";

const whole = z.int().min(0);
const milliseconds = whole.describe("milliseconds since 1970");
const spread = z.strictObject({ first: z.number(), last: z.number(), worst: z.number(), mean: z.number() });
const wayQuality = z.strictObject({
  from: milliseconds,
  until: milliseconds,
  reports: whole,
  packets: whole.optional(),
  lost: whole.optional(),
  loss: spread.describe("parts of 1").optional(),
  jitter: spread.describe("seconds").optional(),
  roundTrip: spread.describe("seconds").optional(),
  concealed: z.number().describe("part of 1 of what was played").optional(),
  mos: spread.describe("1 to 4.5, estimated").optional(),
  codec: z.string().optional(),
});
const unproved = z.literal(true).describe("nothing but an Origin stands for it").optional();
const directions = { received: wayQuality.optional(), sent: wayQuality.optional() };
/** What its user told of a call's audio. */
export const callQuality = z.strictObject({
  ...directions,
  mos: z.number().describe("of the worse direction").optional(),
  unproved,
});

const media = z.strictObject(directions);
const candidate = z.enum(["host", "srflx", "prflx", "relay"]);
const who = { user: z.string(), domain: z.string(), unproved };
const participantQuality = z.strictObject({
  ...who,
  audio: media.optional(),
  video: media.optional(),
  whole: wayQuality.describe("all that a bridge carries").optional(),
  localCandidate: candidate.optional(),
  remoteCandidate: candidate.optional(),
  load: z.number().describe("of a bridge: 0 to 1").optional(),
  conferences: z.number().describe("of a bridge").optional(),
  participants: z.number().describe("of a bridge").optional(),
});
const toldEvent = z.strictObject({
  at: milliseconds,
  ...who,
  event: z.string(),
  detail: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
});
/** All that was told of a call, or within an hour of a bridge. */
export const quality = z
  .strictObject({
    id: z.string(),
    customer: z.string(),
    callId: z.string().optional(),
    bridge: z.string().optional(),
    from: milliseconds,
    until: milliseconds,
    mos: z.number().describe("of the worst direction").optional(),
    participants: z.array(participantQuality),
    events: z.array(toldEvent),
  })
  .describe("docs/calls.md");
