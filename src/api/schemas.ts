import { z } from "zod";
import { type Code, codes } from "../core/errors.ts";
import { permissions } from "../core/identity.ts";
import { managementSchemas } from "./management-schemas.ts";
import { reportSchemas } from "./report-schemas.ts";

/** What is asked and answered over HTTP, by the names that /openapi.json gives it; tests hold real answers against it. */

const code = z.enum(Object.keys(codes) as [Code, ...Code[]]);
const whole = z.int().min(0);
const seconds = whole.describe("seconds");
const texts = z.array(z.string());

const problem = z
  .strictObject({
    title: z.string(),
    status: z.int().min(400).max(599),
    code: code.optional(),
    detail: z.string().describe("what is wrong, what to do"),
    errors: z
      .array(z.strictObject({ line: z.int().optional(), path: z.string(), message: z.string() }))
      .describe("all that is wrong at once; line: of a body that has several")
      .optional(),
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

const dataTokenRequest = z.strictObject({
  appID: z.union([z.string(), z.number()]).describe("id of the customer"),
  userID: z.string().describe("the user, or user@domain"),
  application_token: z.string().describe("the customer's application gave it"),
});

const dataToken = z.strictObject({
  data_token: z.string(),
  token_type: z.literal("bearer"),
  expires_in: seconds,
  permissions: z.array(z.enum(permissions)),
});

const applicationProblem = problem
  .extend({ error: z.string().optional(), error_description: z.string().optional() })
  .describe("RFC 9457; error, error_description: the application's own words, not the gateway's");

const jwk = z.strictObject({
  kty: z.literal("EC"),
  crv: z.literal("P-256"),
  x: z.string(),
  y: z.string(),
  kid: z.string().describe("its thumbprint, RFC 7638"),
  use: z.literal("sig"),
  alg: z.literal("ES256"),
});

export const schemas = {
  Problem: problem,
  OpenTokRefusal: opentokRefusal,
  Health: z.strictObject({ status: z.literal("ok") }),
  Metrics: z.string().describe("Prometheus text"),
  OpenApi: z.looseObject({ openapi: z.string() }).describe("this document"),
  Delivery: z.strictObject({ deliver: texts.describe("SIP URIs") }),
  Ladder: z.strictObject({ callId: z.string(), entries: z.array(ladderEntry) }),
  ...managementSchemas,
  DataTokenRequest: dataTokenRequest,
  DataToken: dataToken,
  ApplicationProblem: applicationProblem,
  JwkSet: z.strictObject({ keys: z.array(jwk) }),
  ExchangeRequest: exchangeRequest,
  Exchanged: exchanged,
  PageData: pageData,
  PageScript: z.string().describe("a call of the page's function with PageData; refused: with error and code in it"),
  AuthenticateRequest: authenticateRequest,
  AccessToken: accessToken,
  AuthenticateError: authenticateError,
  ...reportSchemas,
} as const satisfies Readonly<Record<string, z.ZodType>>;

export type SchemaName = keyof typeof schemas;
