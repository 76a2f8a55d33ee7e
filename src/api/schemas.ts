import { z } from "zod";
import { type Code, codes } from "../core/errors.ts";

/** What the HTTP interface takes and answers: checked against real answers, shown as /openapi.json. */

const code = z.enum(Object.keys(codes) as [Code, ...Code[]]);
const seconds = z.int().meta({ description: "seconds" });
const stamp = z.int().min(0).meta({ description: "Unix seconds" });

/** RFC 9457. */
export const problem = z
  .strictObject({
    title: z.string(),
    status: z.int().min(400).max(599),
    code: code.optional(),
    detail: z.string().meta({ description: "what is wrong, what to do" }),
  })
  .meta({ id: "Problem", description: "RFC 9457" });

/** OpenTok's. */
export const opentokRefusal = z
  .strictObject({ code: z.literal(-1), message: z.string() })
  .meta({ id: "OpenTokRefusal", description: "to a request with X-OPENTOK-AUTH" });

export const health = z.strictObject({ status: z.literal("ok") }).meta({ id: "Health" });

export const delivery = z
  .strictObject({ deliver: z.array(z.string()).meta({ description: "SIP URIs" }) })
  .meta({ id: "Delivery" });

export const ladder = z
  .strictObject({
    callId: z.string(),
    entries: z.array(z.looseObject({ at: z.number(), side: z.string() })),
  })
  .meta({ id: "Ladder", description: "the last messages of a call, credentials masked" });

const secretView = z
  .strictObject({
    id: z.string(),
    algorithm: z.enum(["sha1", "sha256", "sha384", "sha512"]),
    notBefore: stamp.optional(),
    notAfter: stamp.optional(),
  })
  .meta({ id: "Secret", description: "without the secret itself" });

const keyView = z
  .strictObject({
    id: z.string(),
    alg: z.string(),
    kind: z.enum(["secret", "pem", "jwk", "remote"]),
    jwksUri: z.string().optional(),
    issuer: z.string().optional(),
    audience: z.string().optional(),
    singleUse: z.boolean(),
  })
  .meta({ id: "VerificationKey", description: "without any key material" });

const texts = z.array(z.string());

export const customerView = z
  .strictObject({
    id: z.string(),
    domains: texts,
    origins: texts.meta({ description: "none: any" }),
    maxTtl: seconds,
    clockSkew: seconds,
    callFrom: texts,
    numbers: texts,
    dial: texts,
    methods: texts,
    trunk: z.string().optional(),
    trunk2: z.string().optional(),
    callerId: z.string().optional(),
    inbound: z.record(z.string(), z.string()).meta({ description: "number to user" }),
    passHeaders: texts,
    limits: z.strictObject({ connections: z.int(), calls: z.int(), callSeconds: seconds }),
    secrets: z.array(secretView),
    keys: z.array(keyView),
    apiKeys: texts.meta({ description: "ids" }),
  })
  .meta({ id: "Customer", description: "a customer as its own API keys see it" });

export type CustomerView = z.infer<typeof customerView>;
