import { createHmac } from "node:crypto";
import { Writable } from "node:stream";
import type { Clock } from "../../src/core/clock.ts";
import { type Running, start } from "../../src/main.ts";
import { createLog } from "../../src/telemetry/log.ts";
import type { Application } from "./application.ts";
import { ConfigFolder } from "./config-file.ts";

/** Claims of a management token; what is undefined is left out. */
export interface Claims {
  readonly iss: string | number;
  readonly ist: string;
  readonly iat: number;
  readonly exp: number;
  readonly nbf?: number;
  readonly jti?: string | undefined;
}

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

/** A token as OpenTok's clients make it, by hand: HS256 over whatever claims. */
export function managementToken(claims: object, secret: string): string {
  const input = `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}`;
  return `${input}.${createHmac("sha256", secret).update(input).digest("base64url")}`;
}

let made = 0;

/** One that is good now, for one request. */
export function freshToken(iss: string | number, secret: string, changes: Partial<Claims> = {}): string {
  const iat = Math.floor(Date.now() / 1000);
  const claims = { iss, ist: "project", iat, exp: iat + 180, jti: `t-${process.pid}-${++made}`, ...changes };
  return managementToken(claims, secret);
}

export const acmeApiSecret = "the-api-secret-of-acme-in-tests";
export const globexApiSecret = "the-api-secret-of-globex-in-tests";
export const operatorSecret = "the-secret-of-the-operator-in-tests";
const exchangeSecret = "the-exchange-secret-of-managed-tests";
export const jwtSecret = "the-jwt-secret-of-acme-0123456789abcdef";
/** Nobody listens there. */
export const jwksUri = "http://127.0.0.1:1/jwks.json";
export const trunkPassword = "the-password-of-acme-at-its-trunk";
export const customerSecret = "the-secret-of-acme-visitors";

/** A gateway without Kamailio. acme has the API keys 46000000 and acme-key, globex 47000000; the operator is ops. */
export interface ManagedGateway extends Running {
  /** Reload with other settings. */
  change(settings: ManagedSettings): void;
  log(): Record<string, unknown>[];
  /** Where its config and its store are. */
  readonly path: string;
  /** With this token, by X-OPENTOK-AUTH unless said otherwise. */
  ask(token: string, options?: AskOptions): Promise<Response>;
  close(): Promise<void>;
}

export interface AskOptions {
  readonly path?: string;
  readonly method?: string;
  readonly bearer?: boolean;
  /** As JSON; a text goes as it is. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface ManagedSettings {
  /** With a store in SQLite. */
  readonly store?: boolean;
  readonly clock?: Clock;
  readonly failuresPerMinute?: number;
  /** Of the key 46000000. */
  readonly secret?: string;
  /** Default: nobody is there. */
  readonly upstreamUrl?: string;
  /** Default true. */
  readonly exchange?: boolean;
  /** acme's, which permits what it likes. */
  readonly application?: Application;
}

export async function startManaged(settings: ManagedSettings = {}): Promise<ManagedGateway> {
  const folder = new ConfigFolder();
  const path = folder.path;
  const lines: string[] = [];
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(...chunk.toString().split("\n").filter(Boolean));
      done();
    },
  });
  const log = createLog({ level: "debug", destination });
  const { clock } = settings;
  const running = await start(folder.config(yaml(settings)), clock ? { log, clock } : { log });
  return {
    ...running,
    path,
    change: (changed) => void running.reload(folder.config(yaml({ ...settings, ...changed }))),
    log: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>),
    ask: (token, { path = "/v1/customers/me", method = "GET", bearer = false, body, headers: more } = {}) => {
      const headers: Record<string, string> = {
        ...(bearer ? { authorization: `Bearer ${token}` } : { "x-opentok-auth": token }),
        ...(body !== undefined && { "content-type": "application/json" }),
        ...more,
      };
      const text = body === undefined || typeof body === "string" ? (body ?? null) : JSON.stringify(body);
      return fetch(running.adminUrl + path, { method, headers, body: text });
    },
    close: async () => {
      await running.close();
      folder.remove();
    },
  };
}

const yaml = ({
  failuresPerMinute = 0,
  secret = acmeApiSecret,
  upstreamUrl = "ws://127.0.0.1:1",
  exchange = true,
  store = false,
  application,
}: ManagedSettings): string => `\
gateway:
  listen: "ws://127.0.0.1:0"
  limits: { failuresPerMinute: ${failuresPerMinute} }
upstream: { urls: ["${upstreamUrl}"], proxyProtocol: off }
chain: { secret: the-chain-secret-of-managed-tests }
${exchange ? `exchange: { secret: ${exchangeSecret}, callbackNetworks: ["127.0.0.0/8"] }` : ""}
${store ? "store: sqlite:./postern.db" : ""}
turn: { urls: ["stun:127.0.0.1:3478", "turn:127.0.0.1:3478"], secret: the-turn-secret-of-managed-tests }
admin:
  listen: "http://127.0.0.1:0"
  operators: [{ id: ops, secret: ${operatorSecret} }]
customers:
  - id: acme
    domains: [acme.example]
    secrets: [{ id: k1, secret: ${customerSecret}, notAfter: 4000000000 }]
    keys:
      - { id: hs, alg: HS256, secret: ${jwtSecret} }
${exchange ? `      - { id: set, alg: ES256, jwksUri: "${jwksUri}", issuer: acme, audience: postern }` : ""}
${application ? `      - ${application.keyYaml}\n    permissionUrl: "${application.url}"` : ""}
    apiKeys: [{ id: "46000000", secret: ${secret} }, { id: acme-key, secret: ${acmeApiSecret}-2 }]
    origins: ["https://www.acme.example"]
    callFrom: ["voxrtc@voxbone.com"]
    numbers: ["+3225887*"]
    dial: ["+32*"]
    trunk: sip:127.0.0.9:5060
    trunk2: sip:127.0.0.10:5060
    trunkAuth: { username: acme-trunk, password: ${trunkPassword}, realm: pbx.acme.example }
    trunkFormat: digits
    callerId: "+3225887000"
    inbound: { "+3225887000": reception }
    passHeaders: [X-Context]
  - id: globex
    domains: [globex.example]
    secrets: [{ id: k1, secret: the-secret-of-globex-visitors }]
    apiKeys: [{ id: "47000000", secret: ${globexApiSecret} }]
`;
