import { z } from "zod";
import { customer } from "./customer.ts";
import { isPrivate, parseListen } from "./listen.ts";
import {
  address,
  collectorUrl,
  domain,
  hash,
  id,
  largest,
  limit,
  list,
  map,
  network,
  onOff,
  secret,
  text,
  websocketUrl,
  whole,
} from "./values.ts";

const day = 86_400;

export const defaultListen = "ws://127.0.0.1:8088";

const proxies = network.refine(
  (value) => !value.endsWith("/0"),
  "is everybody, who could then claim any address: name the proxies' networks",
);

const gateway = map({
  listen: address("ws", "wss").default(defaultListen),
  insecure: z.boolean().default(false),
  publicUrl: websocketUrl.optional(),
  tls: map({ cert: z.string(), key: z.string() }).optional(),
  allowMissingOrigin: z.boolean().default(true),
  domains: list(domain),
  trustedProxies: list(proxies),
  proxyProtocol: onOff.default(false),
  limits: map({
    messageBytes: limit(30_000, 65_535),
    preAuthSeconds: limit(10, 3600),
    connectionsPerAddress: limit(1000),
    failuresPerMinute: limit(60),
    messagesPerSecond: limit(200),
    goneSeconds: limit(0, 300),
    memoryMegabytes: whole(0, largest).optional(),
  }).prefault({}),
});

const upstream = map({
  urls: z.array(websocketUrl).min(1),
  proxyProtocol: z
    .union([z.enum(["v1", "v2", "off"]), z.literal(false)], { error: "must be v1, v2 or off" })
    .transform((value) => (value === false ? "off" : value))
    .default("v1"),
});

const chain = map({
  secret: secret.optional(),
  secrets: z.array(secret).min(1).optional(),
  algorithm: hash.default("sha256"),
  ttl: whole(1, 3600).default(60),
});

const exchange = map({
  secret: secret.optional(),
  secrets: z.array(secret).min(1).optional(),
  algorithm: hash.default("sha1"),
  ttl: whole(1, day).default(300),
  callbackNetworks: list(network),
});

const turn = map({
  urls: list(text((value) => /^(stun|turn)s?:[^\s|]{1,255}$/.test(value), "is no STUN or TURN URI (RFC 7064, 7065)")),
  secret: secret.optional(),
  ttl: whole(1, day).default(300),
});

const admin = map({
  listen: address("http")
    .refine(
      (value) => isPrivate(parseListen(value)?.host ?? ""),
      "is reachable from outside: listen on loopback or on a private address",
    )
    .default("http://127.0.0.1:8089"),
  hosts: list(domain),
  operators: list(map({ id, secret })),
});

const hep = map({
  url: collectorUrl,
  captureId: whole(1, 2 ** 32 - 1).default(2001),
  authKey: text(
    (value) => /^[\x20-\x7e]{1,255}$/.test(value),
    "is no key of a HEP collector: up to 255 printable ASCII characters",
  ).optional(),
});

const databases = /^(sqlite:(?!:memory:)[^?#\n]+|postgres(ql)?:\/\/\S+)$/;
export const defaultStore = "sqlite:./postern.db";

/** The whole of a config file, value by value; what several values must agree on is in rules.ts. */
export const schema = map({
  gateway: gateway.prefault({}),
  upstream: z.preprocess((value) => value ?? {}, upstream),
  chain: chain.prefault({}),
  exchange: exchange.optional(),
  turn: turn.optional(),
  admin: admin.prefault({}),
  hep: hep.optional(),
  store: text((value) => databases.test(value), "is no store: write sqlite:PATH or postgres://…").optional(),
  storeKey: secret.optional(),
  storeKeyBefore: secret.optional(),
  state: text((value) => /^(memory|rediss?:\/\/\S+)$/.test(value), "is no state: write memory or redis://…").default(
    "memory",
  ),
  records: map({
    store: onOff.default(true),
    file: text((value) => value !== "", "is no file: write its path, or off").default("off"),
    retentionDays: whole(0, 36_500).default(90),
  }).prefault({}),
  drain: map({ seconds: whole(0, day).default(300) }).prefault({}),
  customers: list(customer),
});

export type Parsed = z.output<typeof schema>;
