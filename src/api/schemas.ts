import { z } from "zod";
import { type Code, codes } from "../core/errors.ts";

/** What is asked and answered over HTTP, by the names that /openapi.json gives it; tests hold real answers against it. */

const code = z.enum(Object.keys(codes) as [Code, ...Code[]]);
const whole = z.int().min(0);
const seconds = whole.describe("seconds");
const stamp = whole.describe("Unix seconds");
const texts = z.array(z.string());

const problem = z
  .strictObject({
    title: z.string(),
    status: z.int().min(400).max(599),
    code: code.optional(),
    detail: z.string().describe("what is wrong, what to do"),
  })
  .describe("RFC 9457");

const opentokRefusal = z
  .strictObject({ code: z.literal(-1), message: z.string() })
  .describe("to a request with X-OPENTOK-AUTH, as OpenTok's REST API refuses");

const ladderEntry = z.strictObject({
  at: z.number().describe("milliseconds since the epoch"),
  from: z.string(),
  to: z.string(),
  message: z.string(),
  verdict: z.string().optional(),
  sentence: z.string().optional(),
});

const secretView = z
  .strictObject({
    id: z.string(),
    algorithm: z.enum(["sha1", "sha256", "sha384", "sha512"]),
    notBefore: stamp.optional(),
    notAfter: stamp.optional(),
  })
  .describe("never the secret itself");

const keyView = z
  .strictObject({
    id: z.string(),
    alg: z.string(),
    kind: z.enum(["secret", "pem", "jwk", "remote"]),
    jwksUri: z.string().describe("without its query").optional(),
    issuer: z.string().optional(),
    audience: z.string().optional(),
    singleUse: z.boolean(),
  })
  .describe("never the key itself");

const customer = z
  .strictObject({
    id: z.string(),
    domains: texts,
    origins: texts.describe("none: any"),
    maxTtl: seconds,
    clockSkew: seconds,
    callFrom: texts,
    numbers: texts,
    dial: texts,
    methods: texts,
    trunk: z.string().optional(),
    trunk2: z.string().optional(),
    callerId: z.string().optional(),
    inbound: z.record(z.string(), z.string()).describe("number to user"),
    passHeaders: texts,
    limits: z.strictObject({ connections: whole, calls: whole, callSeconds: seconds }).describe("0: no limit"),
    secrets: z.array(secretView),
    keys: z.array(keyView),
    apiKeys: texts.describe("their ids"),
  })
  .describe("a customer as its own API keys see it");

export type CustomerView = z.infer<typeof customer>;

const iceServer = z.strictObject({
  urls: texts,
  username: z.string().optional(),
  credential: z.string().optional(),
});

const exchanged = z.strictObject({
  username: z.string(),
  password: z.string(),
  ttl: seconds,
  refreshAfter: seconds,
  uris: texts.describe("none where it is for a Kamailio that is reached directly"),
  uri: z.string().describe("the user's address"),
  iceServers: z.array(iceServer).describe("for RTCPeerConnection"),
});

const exchangeRequest = z
  .strictObject({
    username: z.string(),
    password: z.string(),
    ttl: z.number().describe("ignored: what mints a credential says it"),
    direct: z.boolean(),
  })
  .partial()
  .describe("username and password, or neither where Authorization has a token");

const pageIceServer = iceServer.extend({ url: z.string() });

const pageData = z
  .strictObject({
    username: z.string(),
    password: z.string(),
    ttl: seconds,
    ws: z.string(),
    wss: z.string(),
    pingServers: z.record(z.string(), z.string()),
    stunServers: z.array(pageIceServer),
    turnServers: z.array(pageIceServer),
    log: texts,
    callStatsCredentials: z.strictObject({ appId: z.string(), appSecret: z.string() }),
  })
  .describe("what a page's library reads");

const authenticateRequest = z.strictObject({
  grant_type: z.literal("authorization_code"),
  code: z.string().describe("the customer's JWT"),
  client_id: z.string().describe("<userID>@<appID>"),
});

const accessToken = z.strictObject({
  access_token: z.string(),
  token_type: z.literal("bearer"),
  expires_in: seconds,
});

const authenticateError = z
  .strictObject({
    error: z.enum([
      "INTERNAL_ERROR",
      "INVALID_APPID",
      "USERID_MISMATCH",
      "ORIGIN_MISMATCH",
      "INVALID_TOKEN",
      "PROTOCOL_ERROR",
    ]),
    error_description: z.string(),
    "urn:x-callstats:auth:errorActions": z.array(
      z.strictObject({
        action: z.union([z.literal(0), z.literal(1), z.literal(2)]).describe("retry, get a new token, report"),
        params: z.strictObject({ timeout: whole.describe("milliseconds") }).optional(),
      }),
    ),
  })
  .describe("as callstats.io published it");

export const schemas = {
  Problem: problem,
  OpenTokRefusal: opentokRefusal,
  Health: z.strictObject({ status: z.literal("ok") }),
  Metrics: z.string().describe("Prometheus text"),
  OpenApi: z.looseObject({ openapi: z.string() }).describe("this document"),
  Delivery: z.strictObject({ deliver: texts.describe("SIP URIs") }),
  Ladder: z.strictObject({ callId: z.string(), entries: z.array(ladderEntry) }),
  Customer: customer,
  ExchangeRequest: exchangeRequest,
  Exchanged: exchanged,
  PageData: pageData,
  PageScript: z.string().describe("a call of the page's function with PageData; refused: with error and code in it"),
  AuthenticateRequest: authenticateRequest,
  AccessToken: accessToken,
  AuthenticateError: authenticateError,
} as const satisfies Readonly<Record<string, z.ZodType>>;

export type SchemaName = keyof typeof schemas;
