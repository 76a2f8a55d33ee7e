import type { PresentedPassword, Proof } from "../auth/authenticator.ts";
import { sameText, sign, verify } from "../auth/ephemeral.ts";
import { readJws, readPayload } from "../auth/jws-text.ts";
import type { Manager } from "../auth/management.ts";
import { OwnKeys } from "../auth/own-keys.ts";
import type { Config } from "../config.ts";
import type { Clock } from "../core/clock.ts";
import { Customers } from "../core/customers.ts";
import type { Code } from "../core/errors.ts";
import { address, type Customer, type Identity } from "../core/identity.ts";
import type { JsonObject } from "../core/strict-json.ts";
import { composeProving, type Proving } from "../proving.ts";
import { createLog } from "../telemetry/log.ts";

/** What `postern verify` prints: every member always there, null where nothing is known. secondsLeft: negative when over. */
export interface Judged {
  readonly accepted: boolean;
  readonly code: Code | null;
  readonly customer: string | null;
  /** Id of the secret or key that proved it. */
  readonly secret: string | null;
  readonly user: string | null;
  readonly secondsLeft: number | null;
  readonly sentence: string;
}

const nothing = { customer: null, secret: null, user: null, secondsLeft: null };

interface Verdict {
  ofPassword(username: string, password: string): Promise<Judged>;
  ofToken(token: string): Promise<Judged>;
  close(): void;
}

/** The gateway's own proving, over a config, what the store has beside it, and nothing that runs. */
export function openVerdict(config: Config, clock: Clock, stored: readonly Customer[] = []): Verdict {
  const customers = new Customers([...config.customers, ...stored]);
  const keys = new OwnKeys({ chain: config.chain.secrets, exchange: config.exchange?.secrets });
  const proving = composeProving({
    config: () => config,
    customers: () => customers,
    keys: () => keys,
    publicUrl: () => config.gateway.publicUrl,
    clock,
    log: createLog({ level: "silent" }),
  });
  const now = (): number => Math.floor(clock.now() / 1000);
  return {
    ofPassword: (username, password) =>
      judgePassword(username, password, { customers, exchange: config.exchange, proving, now: now() }),
    ofToken: (token) => judgeToken(token, proving, now()),
    close: () => proving.close(),
  };
}

interface Bench {
  readonly customers: Customers;
  readonly exchange: Config["exchange"];
  readonly proving: Proving;
  readonly now: number;
}

async function judgePassword(
  username: string,
  password: string,
  { customers, exchange, proving: { shown }, now }: Bench,
): Promise<Judged> {
  const account = /^[0-9]+:([a-z0-9][a-z0-9_.-]{0,63})$/.exec(username)?.[1];
  const isAccount = account !== undefined && customers.byId(account) !== undefined;
  if (!isAccount && !username.includes(";")) {
    const verdict = verify(customers, { username, password }, now);
    const direct =
      !verdict.accepted &&
      exchange?.secrets.some((secret) => sameText(password, sign(secret, exchange.algorithm, username)));
    return { ...nothing, code: null, ...verdict, ...(direct && { sentence: forDirect }) };
  }
  const presented: PresentedPassword = { kind: "password", username, password, ...(isAccount && { account }) };
  const left = Number(username.split(":", 1)[0]) - now;
  const kind = isAccount ? "Voxbone's form of a credential" : "the exchanged credential";
  return tell(await shown.prove(presented), kind, left, now);
}

const forDirect =
  "the credential was exchanged with direct, for a Kamailio that is reached directly: the gateway takes it not";

async function judgeToken(token: string, proving: Proving, now: number): Promise<Judged> {
  const claims = claimsOf(token);
  const left = typeof claims?.exp === "number" ? Math.floor(claims.exp) - now : null;
  const proof = await proving.shown.prove({ kind: "token", token, domain: undefined, holder: "verify" });
  if (proof.kind !== "proved" && claims && "ist" in claims) return judgeManagement(token, proving, left);
  return tell(proof, claims && "evidence" in claims ? "the access token" : "the token", left, now);
}

/** Not proved: it tells which kind of token this is meant to be. */
function claimsOf(token: string): JsonObject | undefined {
  const read = readJws(token);
  const payload = read.kind === "refused" ? read : readPayload(read.jws);
  return payload.kind === "refused" ? undefined : payload.object;
}

function tell(proof: Proof, kind: string, left: number | null, now: number): Judged {
  if (proof.kind === "proved") return accepted(proof.identity, kind, proof.identity.expiry - now);
  if (proof.kind === "stale") throw new Error("only a digest answer can be stale");
  const { refusal, customer } = proof;
  const known = customer ? { customer: customer.id, secondsLeft: left } : {};
  return { ...nothing, ...known, accepted: false, ...refusal };
}

function accepted(identity: Identity, kind: string, secondsLeft: number): Judged {
  const { customer, provedBy } = identity;
  const who = { customer: customer.id, secret: provedBy.id, user: address(identity) };
  const sentence = `${kind} is good for ${secondsLeft} s${narrowed(identity)}`;
  return { accepted: true, code: null, ...who, secondsLeft, sentence };
}

/** What it may not do, as a continuation of the sentence. */
function narrowed({ narrowing }: Identity): string {
  const { methods, numbers, oneCall, maxSeconds, callerId, permissions, conference } = narrowing;
  const parts = [
    methods && `methods ${methods.join(" ")}`,
    numbers && `numbers ${numbers.join(" ")}`,
    oneCall !== undefined && "one call",
    maxSeconds !== undefined && `calls of ${maxSeconds} s`,
    callerId !== undefined && `caller id ${callerId}`,
    permissions && `permissions ${permissions.join(" ")}`,
    conference !== undefined && `conference ${conference}`,
  ].filter((part) => typeof part === "string");
  return parts.length === 0 ? "" : `, for ${parts.join(", ")} only`;
}

async function judgeManagement(token: string, { managers }: Proving, left: number | null): Promise<Judged> {
  const proof = await managers.prove({ token, isRead: true, holder: "verify" });
  const manager = proof.kind === "refused" ? proof.manager : proof;
  const known = manager ? { ...who(manager), secondsLeft: left } : {};
  if (proof.kind === "refused") return { ...nothing, ...known, accepted: false, ...proof.refusal };
  const whose = proof.kind === "operator" ? "an operator" : "the customer";
  const sentence = `the management token of ${whose} is good for one request within ${left} s; it opens no call`;
  return { ...nothing, ...known, accepted: true, code: null, sentence };
}

const who = (manager: Manager): Pick<Judged, "customer" | "secret"> =>
  manager.kind === "customer"
    ? { customer: manager.customer.id, secret: manager.apiKey }
    : { customer: null, secret: manager.id };
