import type { Credential } from "../auth/ephemeral.ts";
import { issue, issueDirect } from "../auth/issued.ts";
import { seconds } from "../core/clock.ts";
import { PosternError, type Refusal, refuse } from "../core/errors.ts";
import { address, type Identity } from "../core/identity.ts";
import { isJsonObject, type JsonValue } from "../core/strict-json.ts";
import { admit, type Shown } from "./admit.ts";
import { type Caller, type Context, type Denied, denied, type ExchangeSecret, type Outcome } from "./context.ts";
import { type IceServer, iceServers } from "./ice.ts";

export interface Asked {
  readonly kind: "asked";
  readonly shown: Shown;
  readonly direct: boolean;
}

/** ttl, refreshAfter: seconds. */
export interface Exchanged extends Credential {
  readonly refreshAfter: number;
  /** Where the credential is for; empty where it is for a Kamailio that is reached directly. */
  readonly uris: readonly string[];
  readonly uri: string;
  readonly iceServers: readonly IceServer[];
}

const malformed = (sentence: string): Denied => denied(refuse("message-malformed", sentence));

/** ttl: a credential may be sent as `postern mint` prints it; how long it lives stands in its username. */
const known = new Set(["username", "password", "ttl", "direct"]);

/** body: undefined where there is none. holder: of this request alone, for tokens that serve but once. */
export function readAsked(
  authorization: string | undefined,
  body: JsonValue | undefined,
  holder: string,
): Asked | Denied {
  const members = body === undefined ? {} : body;
  if (!isJsonObject(members))
    return malformed("the body is no JSON object: send one with Content-Type: application/json");
  if (Object.keys(members).some((name) => !known.has(name))) {
    return malformed("the body has a member that is not username, password, ttl or direct");
  }
  const { username, password, direct = false } = members;
  if (typeof direct !== "boolean") return malformed("direct is neither true nor false");
  if (authorization === undefined) return readPassword(username, password, direct);
  if (username !== undefined || password !== undefined) {
    return malformed("there is a token and a username or password: send one of them");
  }
  const token = /^bearer +([^\s]+)$/i.exec(authorization)?.[1];
  if (token === undefined) return malformed("Authorization is not Bearer and a token");
  return { kind: "asked", shown: { kind: "token", token, domain: undefined, holder }, direct };
}

function readPassword(
  username: JsonValue | undefined,
  password: JsonValue | undefined,
  direct: boolean,
): Asked | Denied {
  if (typeof username !== "string" || typeof password !== "string") {
    return malformed("write username and password as texts, or Authorization: Bearer and a token");
  }
  return { kind: "asked", shown: { kind: "password", username, password }, direct };
}

const expired = refuse("credential-expired", "the credential has expired: get a new one");
const narrowed = refuse(
  "exchange-narrowed",
  "a token that narrows or serves once has no direct credential, for Kamailio alone does not know how to narrow",
);

/** The chain over HTTP: a customer's credential or token in, ours out. */
export async function exchange(
  { shown, direct }: Asked,
  caller: Caller,
  secret: ExchangeSecret,
  context: Context,
): Promise<Outcome<Exchanged>> {
  const admission = await admit(shown, caller, context);
  return admission.kind === "admitted" ? grant(admission.identity, direct, secret, context) : admission;
}

/** The credential for who was admitted, no longer than what is left of the one shown. */
export function grant(
  identity: Identity,
  direct: boolean,
  exchange: ExchangeSecret,
  { clock, keys, settings }: Pick<Context, "clock" | "keys" | "settings">,
): Outcome<Exchanged> {
  const now = seconds(clock);
  const ttl = Math.min(exchange.ttl, Math.floor(identity.expiry) - now);
  if (ttl < 1) return denied(expired, identity.customer);
  if (direct && isNarrowed(identity)) return denied(narrowed, identity.customer);
  const wanted = { identity, exchange, ttl, now };
  const credential = direct ? issueDirect(wanted) : carried(() => issue({ ...wanted, keys: keys() }));
  if ("code" in credential) return denied(credential, identity.customer);
  const { publicUrl, turn } = settings();
  const user = address(identity);
  const answer = {
    ...credential,
    refreshAfter: Math.max(1, Math.floor(0.75 * ttl)),
    uris: direct ? [] : [publicUrl],
    uri: `sip:${user}`,
    iceServers: iceServers(turn, user, now),
  };
  return { kind: "granted", identity, answer };
}

/** Either narrows what the customer's user may do, and only our gateway can hold it to that. */
function isNarrowed({ narrowing, provedBy }: Identity): boolean {
  const once = "singleUse" in provedBy && provedBy.singleUse;
  return once || Object.values(narrowing).some((value) => value !== undefined);
}

/** More narrowing than a username or a token can carry is an answer to the client, no fault of ours. */
export function carried<Made>(make: () => Made): Made | Refusal {
  try {
    return make();
  } catch (error) {
    if (error instanceof PosternError && error.code === "exchange-narrowed") return refuse(error.code, error.message);
    throw error;
  }
}
