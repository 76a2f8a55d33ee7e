import { z } from "zod";
import { callQuality, quality } from "./quality-schemas.ts";

/** What is asked and answered under /v1/customers. What is sent is described here; it is judged as the config's customers are. */

const whole = z.int().min(0);
const seconds = whole.describe("seconds");
const stamp = whole.describe("Unix seconds");
const texts = z.array(z.string());
const instant = z.union([z.string(), z.int()]).describe("ISO 8601 or Unix seconds");
const algorithm = z.enum(["sha1", "sha256", "sha384", "sha512"]);
const callsThen = z.enum(["finish", "end"]).describe("what becomes of calls that are under way");

const limits = z
  .strictObject({
    connections: whole,
    connectionsPerUser: whole,
    registrations: whole,
    calls: whole,
    callsPerMinute: whole,
    callSeconds: seconds,
  })
  .describe("0: no limit");

const ceilings = limits
  .extend({ maxTtl: seconds })
  .partial()
  .describe("up to where its own API keys may raise the limit of that name; one that is not here: not at all");

const revocation = z
  .strictObject({
    user: z.string().optional(),
    credential: z.string().optional(),
    jti: z.string().optional(),
    handle: z.string().optional(),
    until: instant,
    calls: callsThen.optional(),
  })
  .describe("one of user, credential, jti, handle");

const secretView = z
  .strictObject({ id: z.string(), algorithm, notBefore: stamp.optional(), notAfter: stamp.optional() })
  .describe("never the secret itself");

const keyView = z
  .strictObject({
    id: z.string(),
    alg: z.string(),
    jwk: z.record(z.string(), z.unknown()).optional(),
    pem: z.string().optional(),
    jwksUri: z.string().describe("without its query").optional(),
    issuer: z.string().optional(),
    audience: z.string().optional(),
    singleUse: z.boolean(),
  })
  .describe("never a secret");

const apiKeyView = z.strictObject({ id: z.string() });

const customer = z
  .strictObject({
    id: z.string(),
    domains: texts,
    origins: texts.describe("none: any"),
    originReports: z.boolean().optional(),
    maxTtl: seconds,
    clockSkew: seconds,
    callFrom: texts,
    numbers: texts,
    dial: texts,
    methods: texts,
    trunk: z.string().optional(),
    trunk2: z.union([z.string(), texts]).optional(),
    trunkAuth: z
      .strictObject({ username: z.string(), realm: z.string().optional() })
      .describe("never the password")
      .optional(),
    trunkFormat: z
      .record(z.string(), z.string())
      .describe("what a number begins with to what is dialled for that")
      .optional(),
    trunkTrusted: z.boolean(),
    callerId: z.string().optional(),
    inbound: z.record(z.string(), z.string()).describe("number to user"),
    passHeaders: texts,
    permissionUrl: z.string().describe("without its query").optional(),
    limits,
    ceilings,
    suspended: callsThen.optional(),
    revoked: z.array(revocation),
    secrets: z.array(secretView),
    keys: z.array(keyView),
    apiKeys: z.array(apiKeyView),
    webhook: z.strictObject({ url: z.string().describe("without its query") }).optional(),
  })
  .describe("with every default filled in, without secrets; it can be sent back as it is");

const item = z.looseObject({ id: z.string() }).describe("as under `customers:` in the config: docs/configuration.md");

const summary = z.strictObject({
  id: z.string(),
  declared: z.boolean().describe("in the config, and changed there"),
  readable: z.boolean(),
  revision: whole.optional(),
  domains: texts,
  secrets: whole.describe("how many"),
  keys: whole.describe("how many"),
  suspended: callsThen.nullable(),
});

const shownSecret = z.strictObject({
  id: z.string(),
  algorithm,
  notBefore: stamp.nullable(),
  notAfter: stamp.nullable(),
  state: z.enum(["valid", "not yet", "ended"]),
  uses: whole.describe("how often it proved somebody").optional(),
  lastUsed: stamp.nullable().optional(),
});

const note = z.string().describe("in the answer to a request that is repeated, in the place of the secret").optional();
const once = z.string().describe("where it was made here: shown this once").optional();
const brought = z.string().describe("one that you bring; without it one is made").optional();

const milliseconds = whole.describe("milliseconds since 1970");

const callRecord = z
  .strictObject({
    id: z.string(),
    gateway: z.string(),
    callId: z.string(),
    customer: z.string(),
    user: z.string().optional(),
    domain: z.string().optional(),
    direction: z.enum(["to-number", "to-user", "in"]),
    number: z.string().optional(),
    peer: z.string().optional(),
    trunk: z.string().optional(),
    provedBy: z.string().optional(),
    start: milliseconds,
    ringing: milliseconds.optional(),
    answer: milliseconds.optional(),
    end: milliseconds.optional(),
    seconds: z.number().optional(),
    endedBy: z.enum(["client", "far", "gateway"]).optional(),
    reason: z.string().optional(),
    status: whole.optional(),
    quality: callQuality.describe("what its user told of the audio").optional(),
  })
  .describe("docs/calls.md");
const next = z.string().nullable().describe("for `after`; null: there are no more");

const session = z.strictObject({
  id: z.string(),
  customer: z.string(),
  user: z.string(),
  domain: z.string(),
  address: z.string().describe("of the client"),
  origin: z.string().optional(),
  provedBy: z.string().describe("id of the secret or key"),
  since: milliseconds,
  expiry: stamp.describe("of its latest proof, Unix seconds; 0: it has to prove anew"),
  bindings: whole.describe("Contacts registered"),
  calls: whole.describe("that ring or stand"),
});

const liveCall = callRecord
  .omit({ gateway: true, end: true, endedBy: true, reason: true, quality: true })
  .extend({
    session: z.string().describe("the connection that it is on"),
    seconds: z.number().describe("since the answer").optional(),
  })
  .describe("a call record as it grows");

const refusal = z
  .strictObject({
    at: milliseconds,
    code: z.string(),
    sentence: z.string().describe("what is wrong"),
    remedy: z.string().describe("what to do"),
    claimed: z.boolean().describe("not proved: anybody may have made it"),
    way: z.enum(["sip", "handshake", "exchange", "voxbone", "authenticate", "data-tokens", "events", "stats"]),
    address: z.string(),
    user: z.string().describe("as the request says it").optional(),
    origin: z.string().optional(),
    method: z.string().optional(),
    destination: z.enum(["number", "user", "domain"]).optional(),
  })
  .describe("docs/audit.md");

const use = z.strictObject({
  kind: z.enum(["secret", "key", "apiKey"]),
  id: z.string(),
  count: whole.describe("requests that it proved"),
  last: milliseconds,
});

const auditEntry = z
  .strictObject({
    seq: whole,
    at: milliseconds,
    by: z.string(),
    what: z.string(),
    customer: z.string().optional(),
    address: z.string().describe("a customer is told its own alone").optional(),
    detail: z.looseObject({}).describe("which members changed").optional(),
  })
  .describe("docs/audit.md");

export const managementSchemas = {
  Sessions: z.strictObject({ sessions: z.array(session), next }),
  LiveCalls: z.strictObject({ calls: z.array(liveCall), next }),
  Customer: customer,
  Customers: z.strictObject({
    customers: z.array(summary),
    next: z.string().nullable().describe("for `after`; null: there are no more"),
  }),
  NewCustomer: item,
  CustomerPatch: z.looseObject({}).describe("RFC 7396: null takes a member away, a list replaces a list"),
  Created: z.strictObject({ id: z.string() }),
  JsonLines: z.string().describe("a customer a line"),
  Csv: z.string().describe("a first line with the names: docs/customers.md"),
  Imported: z.strictObject({ checked: z.boolean().describe("nothing was changed"), added: whole, replaced: whole }),
  Secrets: z.strictObject({ secrets: z.array(shownSecret) }),
  NewSecret: z
    .strictObject({ id: z.string(), algorithm, secret: brought, notBefore: instant, notAfter: instant })
    .partial(),
  CreatedSecret: z.strictObject({ id: z.string(), algorithm, secret: once, note }),
  Retire: z.strictObject({ graceSeconds: seconds.describe("default: a day") }).partial(),
  Retired: z.strictObject({ id: z.string(), notAfter: stamp }),
  Keys: z.strictObject({ keys: z.array(keyView) }),
  NewKey: z.looseObject({ id: z.string(), alg: z.string() }).describe("as under `customers[].keys` in the config"),
  ApiKeys: z.strictObject({ apiKeys: z.array(apiKeyView) }),
  NewApiKey: z.strictObject({ id: z.string(), secret: brought }),
  CreatedApiKey: z.strictObject({ id: z.string(), secret: once, note }),
  Origins: z.strictObject({ origins: texts.describe("none: any") }),
  Origin: z.strictObject({ origin: z.string() }),
  CallFrom: z.strictObject({ callFrom: texts }),
  Address: z.strictObject({ address: z.string().describe("user@domain or *@domain") }),
  Numbers: z.strictObject({ numbers: texts }),
  Dial: z.strictObject({ dial: texts }),
  NumberPattern: z.strictObject({ number: z.string() }),
  Inbound: z.strictObject({ inbound: z.record(z.string(), z.string()).describe("number to user") }),
  InboundEntry: z.strictObject({ number: z.string(), user: z.string() }),
  Revocations: z.strictObject({ revocations: z.array(revocation) }),
  Revocation: revocation,
  Suspend: z.strictObject({ calls: callsThen.describe("default: end") }).partial(),
  CallRecords: z.strictObject({
    calls: z.array(callRecord),
    next: z.string().nullable().describe("for `after`; null: there are no more"),
  }),
  CallsQuality: z.strictObject({
    calls: z.array(quality),
    next,
  }),
  Refusals: z.strictObject({ refusals: z.array(refusal) }),
  Uses: z.strictObject({ uses: z.array(use) }),
  AuditEntries: z.strictObject({
    entries: z.array(auditEntry).describe("oldest first"),
    before: whole.nullable().describe("for `before`; null: there are no more"),
  }),
  Suspended: z.strictObject({ suspended: callsThen.nullable() }),
} as const satisfies Readonly<Record<string, z.ZodType>>;
