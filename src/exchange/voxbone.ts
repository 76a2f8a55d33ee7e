import { type Refusal, refuse } from "../core/errors.ts";
import { admit } from "./admit.ts";
import { type Caller, type Context, type Denied, denied, type ExchangeSecret, type Outcome } from "./context.ts";
import { type Exchanged, grant } from "./exchange.ts";
import { readFields } from "./fields.ts";
import { type IceServer, isStun } from "./ice.ts";
import { isCallback } from "./jsonp.ts";

export interface TokenAsked {
  readonly kind: "asked";
  readonly name: string;
  readonly key: string;
  readonly expires: string;
  readonly callback?: string;
}

/** callback: only where it cannot be anything else than a function's name. */
export type TokenRefused = Denied & { readonly callback?: string };

/** Old browsers read `url`, new ones `urls`. */
interface PageIceServer extends IceServer {
  readonly url: string;
}

/** What the page's library reads (three generations of it). ttl: seconds. */
export interface PageData {
  readonly username: string;
  readonly password: string;
  readonly ttl: number;
  readonly ws: string;
  readonly wss: string;
  /** Name → url of an image; none: the library takes its own default. */
  readonly pingServers: Readonly<Record<string, string>>;
  readonly stunServers: readonly PageIceServer[];
  readonly turnServers: readonly PageIceServer[];
  /** Where pages that are told to would post their logs: nowhere. */
  readonly log: readonly string[];
  /** Read without asking whether it is there. */
  readonly callStatsCredentials: { readonly appId: string; readonly appSecret: string };
}

export interface PageRefusal extends PageData {
  readonly error: string;
  readonly code: string;
  readonly message: string;
}

const malformed = (sentence: string, callback?: string): TokenRefused => ({
  ...denied(refuse("message-malformed", sentence)),
  ...(callback !== undefined && { callback }),
});

/** query: what follows the `?`. */
export function readTokenAsked(query: string): TokenAsked | TokenRefused {
  const read = readFields(query);
  if (read.kind === "malformed") return malformed(`in the query, ${read.sentence}`);
  const { fields } = read;
  const callback = fields.get("jsonp");
  if (callback !== undefined && !isCallback(callback)) {
    return malformed("jsonp is not the name of a function: write dotted ASCII identifiers, 64 characters at most");
  }
  const [name, key, expires] = [fields.get("username"), fields.get("key"), fields.get("expires")];
  if (!name || !key || !expires) return malformed("write username, key and expires, each once", callback);
  if (!/^[0-9]{1,13}$/.test(expires)) return malformed("expires is not Unix seconds", callback);
  // No base64 and no user holds a space: a plus has come as it is.
  const [plainName, plainKey] = [name.replaceAll(" ", "+"), key.replaceAll(" ", "+")];
  return { kind: "asked", name: plainName, key: plainKey, expires, ...(callback !== undefined && { callback }) };
}

/** The exchange in Voxbone's published form: for a customer as a whole (auth/account.ts narrows that), or for one user. */
export async function createToken(
  { name, key, expires }: TokenAsked,
  caller: Caller,
  secret: ExchangeSecret,
  context: Context,
): Promise<Outcome<PageData>> {
  const isAccount = !name.includes("@");
  const shown = { kind: "password", username: `${expires}:${name}`, password: key } as const;
  const admission = await admit(isAccount ? { ...shown, account: name } : shown, caller, context);
  if (admission.kind === "refused") return admission;
  const outcome = grant(admission.identity, false, secret, context);
  if (outcome.kind === "refused") return outcome;
  return { ...outcome, answer: pageData(outcome.answer, context.settings().publicUrl) };
}

function pageData({ username, password, ttl, iceServers }: Exchanged, publicUrl: string): PageData {
  const servers = iceServers.flatMap((server) => server.urls.map((url) => ({ ...server, url, urls: [url] })));
  return {
    ...addresses(publicUrl),
    username,
    password,
    ttl,
    stunServers: servers.filter(({ url }) => isStun(url)),
    turnServers: servers.filter(({ url }) => !isStun(url)),
  };
}

const addresses = (publicUrl: string) => ({
  ws: publicUrl,
  wss: publicUrl,
  pingServers: {},
  log: [],
  callStatsCredentials: { appId: "", appSecret: "" },
});

/**
 * A refusal that no generation of the library falls over: the newest reads `error` and tells the page's `failed`, the
 * others read on as if all were well. So all is there, and good for nothing: a stamp of 0 renews nothing either.
 */
export function pageRefusal({ code, sentence }: Refusal, publicUrl: string): PageRefusal {
  const nothing = { username: "0:refused", password: "", ttl: 0, stunServers: [], turnServers: [] };
  return { error: sentence, code, message: sentence, ...addresses(publicUrl), ...nothing };
}
