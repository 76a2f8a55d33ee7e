import { z } from "zod";
import { defaultMethods } from "../core/identity.ts";
import * as is from "./fields.ts";
import { verificationKey } from "./keys.ts";
import { callsThen, revocation } from "./revocation.ts";
import {
  domain,
  hash,
  id,
  instant,
  largest,
  limit,
  list,
  lower,
  map,
  numberPattern,
  ownNumberPattern,
  secret,
  text,
  webUrl,
  whole,
} from "./values.ts";

const year = 366 * 86_400;

const customerSecret = map({
  id,
  secret,
  algorithm: hash.default("sha1"),
  notBefore: instant.optional(),
  notAfter: instant.optional(),
});

const origin = lower(
  is.isOrigin,
  "is no origin: write scheme://host or scheme://host:port, without path and default port; *. may stand first in the host",
);

const callFrom = text(
  (value) => is.isCallFrom(value.toLowerCase()),
  "is no From address: write user@domain or *@domain",
).transform((value) => value.slice(0, value.lastIndexOf("@")) + value.slice(value.lastIndexOf("@")).toLowerCase());

const number = text(is.isNumber, 'is no telephone number: write it like "+3225887000", at most 20 digits');

const trunk = text(
  is.isTrunk,
  "is no trunk: write a SIP URI like sip:pbx.acme.example:5060, without password and headers",
);

/** Targets behind the first: each may cost a caller its seconds of silence. */
const mostFurther = 3;

const quotable = text(is.isQuotable, "must be 1 to 64 printable ASCII characters, without quotes and backslashes");

const trunkAuth = map({
  username: quotable,
  password: text(is.isTrunkPassword, "must be 1 to 128 printable ASCII characters"),
  realm: quotable.optional(),
});

const mostRules = 64;
const formats: Readonly<Record<string, Readonly<Record<string, string>>>> = { e164: { "+": "+" }, digits: { "+": "" } };

const trunkFormat = z
  .union(
    [z.enum(["e164", "digits"]), z.record(z.string().regex(/^\+[0-9]{0,15}$/), z.string().regex(/^\+?[0-9*]{0,15}$/))],
    {
      error:
        'must be e164, digits, or a map like { "+32": "0", "+": "00" }: what a number begins with and what is dialled for that',
    },
  )
  .refine((rules) => typeof rules === "string" || Object.keys(rules).length <= mostRules, "has more than 64 rules")
  .transform((rules) => (typeof rules === "string" ? (formats[rules] ?? {}) : rules));

const ceiling = whole(0, largest).optional();

/** More would be looked through for each of a customer's requests. */
const mostRevoked = 1000;

export const customer = map({
  id: text(
    is.isCustomerId,
    "is no customer id: write up to 64 of a-z 0-9 _ . -, beginning with a letter or digit",
  ).refine((value) => value !== "me", "is how every customer calls itself over HTTP: take another"),
  domains: list(domain),
  secrets: list(customerSecret),
  keys: list(verificationKey),
  apiKeys: list(map({ id, secret })),
  origins: list(origin),
  originReports: z.boolean().optional(),
  maxTtl: whole(1, year).default(3600),
  clockSkew: whole(0, 3600).default(0),
  callFrom: list(callFrom),
  numbers: list(ownNumberPattern),
  dial: list(numberPattern),
  methods: list(text(is.isMethod, "is no SIP method: write it in upper case")).transform((methods) =>
    methods.length === 0 ? defaultMethods : methods,
  ),
  trunk: trunk.optional(),
  trunk2: z
    .union([trunk, z.array(trunk).min(1).max(mostFurther)], {
      error: "is no trunk: write a SIP URI like sip:pbx2.acme.example:5060, or up to three of them as a list",
    })
    .optional(),
  trunkAuth: trunkAuth.optional(),
  trunkFormat: trunkFormat.optional(),
  trunkTrusted: z.boolean().default(true),
  callerId: number.optional(),
  inbound: z.record(number, text(is.isUser, "is no user: 1 to 64 letters, digits or -_.!~*'()&=+$,")).default({}),
  passHeaders: list(text(is.isPassHeader, "may not be passed: only names that begin with X-, but not with X-Postern-")),
  permissionUrl: webUrl.optional(),
  limits: map({
    connections: limit(1000),
    connectionsPerUser: limit(0),
    registrations: limit(0),
    calls: limit(100),
    callsPerMinute: limit(0),
    callSeconds: limit(14_400),
  }).prefault({}),
  ceilings: map({
    connections: ceiling,
    connectionsPerUser: ceiling,
    registrations: ceiling,
    calls: ceiling,
    callsPerMinute: ceiling,
    callSeconds: ceiling,
    maxTtl: whole(1, year).optional(),
  }).prefault({}),
  suspended: callsThen.optional(),
  revoked: z.array(revocation).max(mostRevoked).default([]),
  webhook: map({ url: webUrl, secret }).optional(),
});

export type ParsedCustomer = z.output<typeof customer>;
