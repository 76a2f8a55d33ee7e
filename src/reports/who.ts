import type { PresentedToken } from "../auth/authenticator.ts";
import { customerName } from "../core/counted.ts";
import { allowsOrigin, type Customers } from "../core/customers.ts";
import { type Refusal, refuse } from "../core/errors.ts";
import type { Customer } from "../core/identity.ts";
import type { JsonObject } from "../core/strict-json.ts";
import { admit } from "../exchange/admit.ts";
import { type Caller, type Context, type Denied, denied } from "../exchange/context.ts";
import type { Throttle } from "../exchange/throttle.ts";
import type { Reporter } from "./permit.ts";

/** A token, or a customer of whom a page's origin says that it is one. */
export type Shown = PresentedToken | { readonly kind: "origin"; readonly appID: string };

const malformed = (sentence: string): Denied => denied(refuse("message-malformed", sentence));

const nothingShown = denied(
  refuse("credential-rejected", "nothing says who reports: send Authorization: Bearer and a data_token"),
);

/** Who says that they report, and by what. holder: of this request alone. */
export function readShown(authorization: string | undefined, body: JsonObject, holder: string): Shown | Denied {
  const { data_token: inBody, appID } = body;
  const ways = [authorization, inBody, appID].filter((way) => way !== undefined);
  if (ways.length === 0) return nothingShown;
  if (ways.length > 1) return malformed("send one of Authorization, data_token and appID, for two may differ");
  if (appID !== undefined) {
    const isId = typeof appID === "string" || Number.isInteger(appID);
    return isId ? { kind: "origin", appID: String(appID) } : malformed("appID is no text and no whole number");
  }
  const token = authorization === undefined ? inBody : /^bearer +([^\s]+)$/i.exec(authorization)?.[1];
  if (typeof token === "string") return { kind: "token", token, domain: undefined, holder };
  return malformed(authorization === undefined ? "data_token is no text" : "Authorization is not Bearer and a token");
}

export interface ReportersParts {
  /** Its chain proves what opens events and statistics. */
  readonly admission: Context;
  readonly customers: () => Customers;
  /** Of those who show no token. */
  readonly throttle: Throttle;
}

const foreignToken = refuse(
  "credential-rejected",
  "this is no data_token or access_token of this gateway: begin anew, and get one",
);

export type Known = { readonly kind: "known"; readonly reporter: Reporter } | Denied;

/** origin: of the Origin header alone. */
export function reporterOf(
  shown: Shown,
  caller: Caller,
  origin: string | undefined,
  parts: ReportersParts,
): Promise<Known> {
  return shown.kind === "token" ? byToken(shown, caller, parts) : byOrigin(shown.appID, caller, origin, parts);
}

async function byToken(shown: PresentedToken, caller: Caller, { admission }: ReportersParts): Promise<Known> {
  const admitted = await admit(shown, caller, admission);
  if (admitted.kind === "refused") {
    return admitted.refusal.code === "credential-rejected" ? { ...admitted, refusal: foreignToken } : admitted;
  }
  const { customer, user, domain, narrowing } = admitted.identity;
  return { kind: "known", reporter: { customer, address: caller.address, proved: { user, domain, narrowing } } };
}

const refusals = {
  overloaded: refuse("limit-reached", "this gateway has more to do than it can: ask again in a few seconds"),
  tooFast: refuse("rate-limited", "too many requests a second from this address: ask less often"),
  /** One and the same for whom there is not and for who does not allow it. */
  origin: refuse(
    "origin-denied",
    "nobody of this appID takes reports from this page by its origin alone: send a data_token, or set originReports and origins",
  ),
} satisfies Record<string, Refusal>;

/** Requests a second of one address without a token. */
const perSecond = 10;

async function byOrigin(
  appID: string,
  { address }: Caller,
  origin: string | undefined,
  { admission, customers, throttle }: ReportersParts,
): Promise<Known> {
  const claimed = customerName(appID);
  if (admission.overloaded()) return { ...denied(refusals.overloaded), retryAfter: 5 };
  if (!throttle.take(address, [claimed], perSecond)) return { ...denied(refusals.tooFast), retryAfter: 1 };
  const customer = customers().byId(appID);
  if (customer && takesByOrigin(customer, origin)) return { kind: "known", reporter: { customer, address } };
  return { ...denied(refusals.origin), claimed };
}

/** Never where any origin is right, nor from a page that hides its own. */
function takesByOrigin(customer: Customer, origin: string | undefined): boolean {
  const { originReports, origins, suspended } = customer;
  if (!originReports || origins.length === 0 || suspended !== undefined) return false;
  return origin !== undefined && origin !== "null" && allowsOrigin(customer, origin);
}
