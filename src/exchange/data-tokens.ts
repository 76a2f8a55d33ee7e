import { createHash, randomUUID } from "node:crypto";
import { isAccessToken, mintAccessToken } from "../auth/access-token.ts";
import type { EndedConferences } from "../auth/conferences.ts";
import type { PermissionTokens, Permitted, ReadPermission } from "../auth/permission-token.ts";
import type { CallOut } from "../callout/call-out.ts";
import { seconds } from "../core/clock.ts";
import { type CountedName, customerName } from "../core/counted.ts";
import type { Customers } from "../core/customers.ts";
import { type Refusal, refuse } from "../core/errors.ts";
import { type Customer, type Identity, type Permission, userPattern } from "../core/identity.ts";
import { revokedOf, takenBack } from "../core/revocations.ts";
import { isJsonObject, type JsonValue } from "../core/strict-json.ts";
import { originRefusal } from "../policy/authorize.ts";
import type { Log } from "../telemetry/log.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { Circuits } from "./circuit.ts";
import { type Caller, type Context, type Denied, denied, type Granted } from "./context.ts";
import { OpenRequests } from "./open-requests.ts";
import { readService, type ServiceSaid, type Words } from "./permission-service.ts";
import { Together } from "./together.ts";

export interface DataTokenAsked {
  readonly kind: "asked";
  readonly appID: string;
  /** As it came. */
  readonly userID: string;
  readonly user: string;
  /** Lower case. */
  readonly domain: string | undefined;
  readonly token: string;
}

/** expires_in: seconds. */
export interface DataToken {
  readonly data_token: string;
  readonly token_type: "bearer";
  readonly expires_in: number;
  readonly permissions: readonly Permission[];
}

/** words: the application's own, where it refused. */
export type DataTokenOutcome = Granted<DataToken> | (Denied & { readonly words?: Words });

export interface DataTokenParts {
  readonly context: Context;
  readonly customers: () => Customers;
  readonly callOut: Pick<CallOut, "request">;
  readonly permissionTokens: PermissionTokens;
  readonly conferences: Pick<EndedConferences, "isOver">;
  /** In the gateway's own name. */
  readonly sign: (typ: string, claims: object) => string;
  readonly metrics: Pick<Metrics, "application">;
  readonly log: Log;
}

const malformed = (sentence: string): Denied => denied(refuse("message-malformed", sentence));
const known = new Set(["appID", "userID", "application_token"]);
const longestUser = 320;

/** body: undefined where there is none. */
export function readDataTokenAsked(body: JsonValue | undefined): DataTokenAsked | Denied {
  if (!isJsonObject(body)) return malformed("the body is no JSON object: send one with Content-Type: application/json");
  if (Object.keys(body).some((name) => !known.has(name)))
    return malformed("the body has a member that is not appID, userID or application_token");
  const { appID, userID, application_token: token } = body;
  if (typeof appID !== "string" && !(typeof appID === "number" && Number.isSafeInteger(appID)))
    return malformed("appID is no text or whole number: write the id of the customer");
  if (typeof userID !== "string" || userID.length > longestUser)
    return malformed("userID is no text: write the user, or user@domain");
  const [user = "", domain, more] = userID.split("@", 3);
  if (!userPattern.test(user) || more !== undefined || domain === "")
    return malformed("userID has a user that is not 1 to 64 letters, digits or -_.!~*'()&=+$,");
  if (typeof token !== "string" || !/^[\x20-\x7e]{1,8192}$/.test(token))
    return malformed("application_token is no text of 1 to 8192 printable characters of ASCII");
  return { kind: "asked", appID: String(appID), userID, user, domain: domain?.toLowerCase(), token };
}

const minute = 60;
/** Milliseconds that a service may take, and that a request may have waited before it is asked. */
const [patience, mostWait] = [5_000, 3_500];
const maxAnswer = 16_384;
/** Seconds: of what the gateway asks, and of a data token at most. */
const [askedFor, longest] = [30, 3_600];

const refusals = {
  draining: refuse("draining", "this gateway is about to stop: ask again, another one will answer"),
  overloaded: refuse("limit-reached", "this gateway has more to do than it can: ask again in a few seconds"),
  tooFast: refuse("rate-limited", "too many requests a second from this address: ask less often"),
  tooManyFailures: refuse("rate-limited", "too many application_tokens of this address were refused: wait a minute"),
  waited: refuse("rate-limited", "too many application_tokens of this address are being asked about: ask again soon"),
  crowded: refuse("limit-reached", "the application is being asked as much as it may be: ask again in a few seconds"),
  /** The same for who is no customer and who has no application to ask. */
  unknown: refuse(
    "credential-rejected",
    "there is no application to ask for this appID: check it, and permissionUrl of the customer",
  ),
  ours: refuse(
    "credential-rejected",
    "the application_token is one of the gateway's own: the application gives a token of its own",
  ),
  changed: refuse("upstream-unavailable", "the customer was changed while its application was asked: ask again"),
};

/** What one question to a service came to, for all who asked it at once. */
type Settled = ReadPermission | Exclude<ServiceSaid, { kind: "token" }> | Denied;

/** The three-party flow: a customer's application is asked what its visitor may do, and the data token says that. */
export class DataTokens {
  readonly #parts: DataTokenParts;
  readonly #circuits: Circuits;
  readonly #open = new OpenRequests();
  readonly #together = new Together<Settled>();

  constructor(parts: DataTokenParts) {
    this.#parts = parts;
    this.#circuits = new Circuits(parts.context.clock);
  }

  async ask(asked: DataTokenAsked, caller: Caller): Promise<DataTokenOutcome> {
    const claimed = customerName(asked.appID);
    const outcome = await this.#judge(asked, caller, claimed);
    const about = { claimed, user: asked.userID };
    return outcome.kind === "refused" && !outcome.customer ? { ...outcome, ...about } : outcome;
  }

  async #judge(asked: DataTokenAsked, caller: Caller, claimed: CountedName): Promise<DataTokenOutcome> {
    const { context, customers } = this.#parts;
    const { messagesPerSecond, failuresPerMinute } = context.settings().limits;
    if (context.draining()) return later(refusals.draining, 5);
    if (context.overloaded()) return later(refusals.overloaded, 5);
    if (!context.throttle.take(caller.address, [claimed], messagesPerSecond)) return later(refusals.tooFast, 1);
    if (await context.failures.isOver(caller.address, [claimed], failuresPerMinute))
      return later(refusals.tooManyFailures, minute);
    const customer = customers().byId(asked.appID);
    const counted = (refusal: Refusal, words?: Words) =>
      this.#counted({ ...denied(refusal), ...(words && { words }) }, caller, claimed);
    if (customer?.permissionUrl === undefined) return counted(refusals.unknown);
    if (isAccessToken(asked.token)) return counted(refusals.ours);
    const { allowMissingOrigin } = context.settings();
    const foreign = originRefusal(customer, { origin: caller.origin, allowMissingOrigin });
    if (foreign) return denied(foreign);
    const settled = await this.#together.run(keyOf(asked), () => this.#inTurn(asked, customer, caller));
    switch (settled.kind) {
      case "permitted":
        return this.#grant(settled.permitted, customer.id);
      case "denied":
        return counted(refusedBy(settled.status, settled.words), settled.words);
      case "unfit":
        return denied(unfit(settled.sentence));
      case "unavailable":
        return later(unavailable(settled.sentence), 5);
      case "refused":
        return settled;
    }
  }

  async #counted(refused: Denied, { address }: Caller, claimed: CountedName): Promise<Denied> {
    const { failures, settings } = this.#parts.context;
    await failures.add(address, [claimed], settings().limits.failuresPerMinute);
    return refused;
  }

  /** Not many of an address at once, for each may be refused; whoever waited meanwhile may have been banned. */
  async #inTurn(asked: DataTokenAsked, customer: Customer, { address }: Caller): Promise<Settled> {
    const { failures, settings } = this.#parts.context;
    const { failuresPerMinute } = settings().limits;
    const began = performance.now();
    const waited = (): Denied => later(refusals.waited, 5);
    const work = async (): Promise<Settled> => {
      if (performance.now() - began > mostWait) return waited();
      const over = await failures.isOver(address, [customerName(customer.id)], failuresPerMinute);
      return over ? later(refusals.tooManyFailures, minute) : this.#enter(asked, customer, began);
    };
    return failures.inTurn(address, `application ${customer.id}`, failuresPerMinute, work, waited);
  }

  async #enter(asked: DataTokenAsked, customer: Customer, began: number): Promise<Settled> {
    const { metrics } = this.#parts;
    const pause = this.#circuits.enter(customer.id);
    if (pause > 0) {
      metrics.application("paused");
      return later(unavailable("its service failed again and again and is left alone for a while"), pause);
    }
    if (!this.#open.enter(customer.id)) {
      metrics.application("crowded");
      return later(refusals.crowded, 5);
    }
    try {
      return await this.#askService(asked, customer, began);
    } finally {
      this.#open.leave(customer.id);
    }
  }

  async #askService(asked: DataTokenAsked, customer: Customer, began: number): Promise<Settled> {
    const { metrics } = this.#parts;
    const [issuer, nonce] = [this.#parts.context.settings().publicUrl, randomUUID()];
    const body = this.#question(asked, customer, issuer, nonce);
    const sent = performance.now();
    const said = readService(await this.#send(customer.permissionUrl ?? "", body));
    const service = performance.now() - sent;
    this.#note(customer.id, said);
    const settled = said.kind === "token" ? await this.#prove(said.token, asked, customer, { issuer, nonce }) : said;
    const outcome =
      settled.kind === "permitted" ? "granted" : settled.kind === "refused" ? "unavailable" : settled.kind;
    metrics.application(outcome, { service: service / 1000, own: (performance.now() - began - service) / 1000 });
    return settled;
  }

  #question({ userID, token }: DataTokenAsked, { id }: Customer, issuer: string, nonce: string): string {
    const now = seconds(this.#parts.context.clock);
    const about = { iss: issuer, aud: id, userID, application_token: token };
    const claims = { ...about, iat: now, exp: now + askedFor, jti: nonce };
    return JSON.stringify({ getPermissionToken: this.#parts.sign("getPermissionToken+jwt", claims) });
  }

  #send(url: string, body: string) {
    const headers = { "content-type": "application/json", accept: "application/json", "user-agent": "Postern" };
    const limits = { timeoutMs: patience, maxBytes: maxAnswer, redirects: 0 };
    return this.#parts.callOut.request(url, { method: "POST", headers, body, ...limits });
  }

  async #prove(
    token: string,
    { user, domain }: DataTokenAsked,
    asked: Customer,
    question: { readonly issuer: string; readonly nonce: string },
  ): Promise<Settled> {
    const { customers, permissionTokens, context } = this.#parts;
    const all = customers();
    const customer = all.byId(asked.id);
    if (!customer) return later(refusals.changed, 1);
    const about = { customer, user, domain: domain ?? customer.domains[0] ?? "", ...question };
    return permissionTokens.prove(token, about, all, seconds(context.clock));
  }

  /** Once for each row of failures, and at its end. */
  #note(customer: string, said: ServiceSaid): void {
    const news = this.#circuits.leave(customer, said.kind !== "unavailable");
    if (!news) return;
    if (said.kind === "unavailable")
      this.#parts.log.warn({ customer, reason: said.sentence }, "an application service fails");
    else this.#parts.log.info({ customer }, "an application service answers again");
  }

  #grant(permitted: Permitted, id: string): DataTokenOutcome {
    const { context, customers, conferences } = this.#parts;
    const customer = customers().byId(id);
    if (!customer) return later(refusals.changed, 1);
    const identity: Identity = { ...permitted, customer };
    const refusal = this.#refusalOf(identity, conferences);
    if (refusal) return denied(refusal, customer);
    const now = seconds(context.clock);
    const ttl = Math.max(1, Math.min(longest, permitted.expiry - now, customer.maxTtl));
    const { publicUrl: issuer } = context.settings();
    const answer: DataToken = {
      data_token: mintAccessToken({ identity, keys: context.keys(), issuer, ttl, now }),
      token_type: "bearer",
      expires_in: ttl,
      permissions: permitted.narrowing.permissions ?? [],
    };
    return { kind: "granted", identity, answer };
  }

  /** What may stand against whom the application let in. */
  #refusalOf(identity: Identity, conferences: DataTokenParts["conferences"]): Refusal | undefined {
    const { customer, domain } = identity;
    if (takenBack(identity, seconds(this.#parts.context.clock)) !== undefined) return revokedOf(customer);
    if (!customer.domains.includes(domain))
      return refuse(
        "identity-mismatch",
        "the userID is in no domain of the customer: write user@domain with one that it has",
      );
    return conferences.isOver(identity) ? unfit("the conferenceID that it names has ended") : undefined;
  }
}

const later = (refusal: Refusal, retryAfter: number): Denied => ({ ...denied(refusal), retryAfter });

/** Equal appID, userID and application_token, whatever is in them. */
const keyOf = ({ appID, userID, token }: DataTokenAsked): string =>
  createHash("sha256")
    .update(JSON.stringify([appID, userID, token]))
    .digest("base64url");

const refusedBy = (status: number, words: Words | undefined): Refusal =>
  refuse(
    "application-denied",
    words
      ? "the application does not take this application_token: its own words are in error and error_description"
      : `the application does not take this application_token (it answered ${status} without saying why): ask it for another`,
  );

const unfit = (sentence: string): Refusal =>
  refuse(
    "application-denied",
    `the application's answer cannot be taken, and it has to be mended there: ${plain(sentence)}`,
  );

const unavailable = (sentence: string): Refusal =>
  refuse("upstream-unavailable", `the application cannot be asked now: ${plain(sentence)}`);

const plain = (sentence: string): string =>
  sentence.replace(/^the token/, "the permission_token").replace(/["\\]/g, "'");
