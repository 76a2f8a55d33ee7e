import { mintAccessToken } from "../auth/access-token.ts";
import { seconds } from "../core/clock.ts";
import { type Code, codes, type Refusal, refuse } from "../core/errors.ts";
import type { Identity } from "../core/identity.ts";
import { admit } from "./admit.ts";
import { type Caller, type Context, type Denied, denied, type Outcome } from "./context.ts";
import { carried } from "./exchange.ts";
import { readFields } from "./fields.ts";

export interface AuthenticateAsked {
  readonly kind: "asked";
  readonly token: string;
  readonly userID: string;
  readonly appID: string;
}

/** expires_in: seconds. */
export interface Authenticated {
  readonly access_token: string;
  readonly token_type: "bearer";
  readonly expires_in: number;
}

type ErrorName =
  | "INTERNAL_ERROR"
  | "INVALID_APPID"
  | "USERID_MISMATCH"
  | "ORIGIN_MISMATCH"
  | "INVALID_TOKEN"
  | "PROTOCOL_ERROR";

/** Ask again after a time; get a new token; tell whoever runs the page. */
const action = { retry: 0, newToken: 1, report: 2 } as const;

interface ErrorAction {
  readonly action: 0 | 1 | 2;
  /** timeout: milliseconds. */
  readonly params?: { readonly timeout: number };
}

export interface AuthenticateError {
  readonly status: 400 | 401 | 422 | 500 | 503;
  readonly body: {
    readonly error: ErrorName;
    readonly error_description: string;
    readonly "urn:x-callstats:auth:errorActions": readonly ErrorAction[];
  };
}

/** Seconds. */
const longest = 3600;

const malformed = (sentence: string): Denied => denied(refuse("message-malformed", sentence));

/** form: `grant_type=authorization_code&code=<JWT>&client_id=<userID>@<appID>`; undefined where there is none. */
export function readAuthenticate(form: string | undefined): AuthenticateAsked | Denied {
  if (form === undefined) return malformed("send a form: application/x-www-form-urlencoded");
  const read = readFields(form);
  if (read.kind === "malformed") return malformed(`in the form, ${read.sentence}`);
  const { fields } = read;
  if (fields.get("grant_type") !== "authorization_code") return malformed("grant_type must be authorization_code");
  const [token, client] = [fields.get("code"), fields.get("client_id")];
  if (token === undefined || client === undefined) return malformed("code or client_id is missing");
  const at = client.lastIndexOf("@");
  if (at < 1 || at === client.length - 1) return malformed("client_id must be <userID>@<appID>");
  return { kind: "asked", token, userID: client.slice(0, at), appID: client.slice(at + 1) };
}

/** callstats' exchange: a customer's JWT in, an access token of ours out. holder: of this request alone. */
export async function authenticate(
  { token, userID, appID }: AuthenticateAsked,
  caller: Caller,
  holder: string,
  context: Context,
): Promise<Outcome<Authenticated>> {
  const admission = await admit({ kind: "token", token, domain: domainOf(userID), holder }, caller, context);
  if (admission.kind === "refused") return admission;
  const { identity } = admission;
  const answer = clientMismatch(identity, userID, appID) ?? carried(() => mint(identity, context));
  return "code" in answer ? denied(answer, identity.customer) : { kind: "granted", identity, answer };
}

function domainOf(userID: string): string | undefined {
  const at = userID.indexOf("@");
  return at < 0 ? undefined : userID.slice(at + 1).toLowerCase();
}

const otherApp = refuse(
  "identity-mismatch",
  "the appID of client_id is not the token's: write client_id=<userID>@<id of the customer>",
);
const otherUser = refuse(
  "identity-mismatch",
  "the userID of client_id is not the token's: write client_id=<userID>@<id of the customer>",
);

/** A userID without domain is of the customer's first one, in the token as in client_id. */
function clientMismatch({ customer, user, domain }: Identity, userID: string, appID: string): Refusal | undefined {
  if (appID !== customer.id) return otherApp;
  const [name] = userID.split("@", 1);
  return name === user && (domainOf(userID) ?? customer.domains[0]) === domain ? undefined : otherUser;
}

function mint(identity: Identity, { clock, keys, settings }: Context): Authenticated {
  const now = seconds(clock);
  const left = isForOnce(identity) ? Math.max(1, identity.expiry - now) : longest;
  const ttl = Math.min(longest, left, identity.customer.maxTtl);
  const { publicUrl: issuer } = settings();
  const token = mintAccessToken({ identity, keys: keys(), issuer, ttl, now });
  return { access_token: token, token_type: "bearer", expires_in: ttl };
}

/** The published hour would make much of what was to serve once: that is as long as the token itself. */
const isForOnce = ({ provedBy, narrowing }: Identity): boolean =>
  narrowing.oneCall !== undefined || ("singleUse" in provedBy && provedBy.singleUse);

/** A refusal in the published form, whose statuses are few. */
export function authenticateError({
  refusal,
  retryAfter = 5,
}: Pick<Denied, "refusal" | "retryAfter">): AuthenticateError {
  const { code, sentence } = refusal;
  if (codes[code].http === 429 || codes[code].http === 503) {
    return error(503, "INTERNAL_ERROR", sentence, { action: action.retry, params: { timeout: retryAfter * 1000 } });
  }
  if (code.startsWith("credential-")) return error(401, "INVALID_TOKEN", sentence, { action: action.newToken });
  const name = refusal === otherApp ? "INVALID_APPID" : mismatches[code];
  if (name) return error(422, name, sentence, { action: action.report });
  return error(400, "PROTOCOL_ERROR", sentence, { action: action.report });
}

const mismatches: Readonly<Partial<Record<Code, ErrorName>>> = {
  "identity-mismatch": "USERID_MISMATCH",
  "origin-denied": "ORIGIN_MISMATCH",
};

/** A fault of ours; what it is stands in the log. */
export const internalError = error(500, "INTERNAL_ERROR", "the fault is in the log of this gateway", {
  action: action.retry,
  params: { timeout: 5_000 },
});

function error(
  status: AuthenticateError["status"],
  name: ErrorName,
  sentence: string,
  todo: ErrorAction,
): AuthenticateError {
  return {
    status,
    body: { error: name, error_description: sentence, "urn:x-callstats:auth:errorActions": [todo] },
  };
}
