import { createHash, randomUUID } from "node:crypto";
import type { PermissionTokens, ReadPermission } from "../auth/permission-token.ts";
import type { CallOut } from "../callout/call-out.ts";
import { seconds } from "../core/clock.ts";
import { addressKey, customerName } from "../core/counted.ts";
import type { Customers } from "../core/customers.ts";
import type { Refusal } from "../core/errors.ts";
import type { Customer } from "../core/identity.ts";
import type { Log } from "../telemetry/log.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { refusals, unavailable } from "./application-refusals.ts";
import { Circuits } from "./circuit.ts";
import type { Caller, Context, Denied } from "./context.ts";
import type { DataTokenAsked } from "./data-token-asked.ts";
import { later } from "./gate.ts";
import { OpenRequests } from "./open-requests.ts";
import { readService, type ServiceSaid } from "./permission-service.ts";
import { Together } from "./together.ts";

export interface ApplicationsParts {
  readonly context: Context;
  readonly customers: () => Customers;
  readonly callOut: Pick<CallOut, "request">;
  readonly permissionTokens: PermissionTokens;
  /** In the gateway's own name. */
  readonly sign: (typ: string, claims: object) => string;
  readonly metrics: Pick<Metrics, "application">;
  readonly log: Log;
}

/** What one question to a service came to, for all who asked it at once. */
export type Settled = ReadPermission | Exclude<ServiceSaid, { kind: "token" }> | Denied;

/** Milliseconds that a service may take, and that a request may have waited before it is asked. */
const [patience, mostWait] = [5_000, 3_500];
const maxAnswer = 16_384;
/** Seconds that a question is good for. */
const askedFor = 30;
const leftAlone = "its service failed again and again and is left alone for a while";

/** Customers' applications, asked what a visitor may do: equal questions at once are one, and not too many are open. */
export class Applications {
  readonly #parts: ApplicationsParts;
  readonly #circuits: Circuits;
  readonly #open = new OpenRequests();
  readonly #together = new Together<Settled>();

  constructor(parts: ApplicationsParts) {
    this.#parts = parts;
    this.#circuits = new Circuits(parts.context.clock);
  }

  /** customer: who has an application. */
  ask(asked: DataTokenAsked, customer: Customer, caller: Caller): Promise<Settled> {
    return this.#together.run(keyOf(asked), () => this.#inTurn(asked, customer, caller));
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
      return over ? later(refusals.tooManyFailures, 60) : this.#enter(asked, customer, addressKey(address), began);
    };
    return failures.inTurn(address, `application ${customer.id}`, failuresPerMinute, work, waited);
  }

  async #enter(asked: DataTokenAsked, customer: Customer, asker: string, began: number): Promise<Settled> {
    const isFailing = this.#circuits.isFailing(customer.id);
    if (!this.#open.enter(customer.id, isFailing))
      return isFailing
        ? this.#notAsked("paused", unavailable(leftAlone), 5)
        : this.#notAsked("crowded", refusals.crowded, 5);
    try {
      const pause = this.#circuits.enter(customer.id, asker);
      if (pause > 0) return this.#notAsked("paused", unavailable(leftAlone), pause);
      return await this.#askService(asked, customer, asker, began);
    } finally {
      this.#open.leave(customer.id);
    }
  }

  #notAsked(why: "crowded" | "paused", refusal: Refusal, seconds: number): Denied {
    this.#parts.metrics.application(why);
    return later(refusal, seconds);
  }

  async #askService(asked: DataTokenAsked, customer: Customer, asker: string, began: number): Promise<Settled> {
    const { metrics } = this.#parts;
    const issuer = this.#parts.context.settings().publicUrl;
    let nonce = "";
    // Anew where a kept connection broke: a service takes each question once.
    const body = (): string => {
      nonce = randomUUID();
      return this.#question(asked, customer, issuer, nonce);
    };
    const sent = performance.now();
    const said = readService(await this.#send(customer.permissionUrl ?? "", body));
    const service = performance.now() - sent;
    this.#note(customer.id, asker, said);
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

  #send(url: string, body: () => string) {
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
  #note(customer: string, asker: string, said: ServiceSaid): void {
    const news = this.#circuits.leave(customer, asker, said.kind !== "unavailable");
    if (!news) return;
    if (said.kind === "unavailable")
      this.#parts.log.warn({ customer, reason: said.sentence }, "an application service fails");
    else this.#parts.log.info({ customer }, "an application service answers again");
  }
}

/** Equal appID, userID and application_token, whatever is in them. */
const keyOf = ({ appID, userID, token }: DataTokenAsked): string =>
  createHash("sha256")
    .update(JSON.stringify([appID, userID, token]))
    .digest("base64url");
