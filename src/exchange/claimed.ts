import type { PresentedPassword, PresentedToken } from "../auth/authenticator.ts";
import { type CountedName, customerName, domainName } from "../core/counted.ts";
import { isJsonObject, type JsonObject, type JsonValue, parseStrictJson } from "../core/strict-json.ts";

const longestToken = 8192;

/**
 * Whom a credential claims to be of, for counting alone: nothing is proved by it. Whatever could name the customer to
 * the proof is among the names, so that no other claim hides it; who is a customer is not asked, so that no count tells.
 */
export function claimedBy(shown: PresentedPassword | PresentedToken): readonly CountedName[] {
  if (shown.kind === "token") return claimedByToken(shown.token, shown.domain);
  if (shown.account !== undefined) return [customerName(shown.account)];
  return [domainName(shown.username.slice(shown.username.lastIndexOf("@") + 1))];
}

/** `appID` alone, where there is one; else `iss`, which may be a customer's id, and the user's domain, or From's. */
function claimedByToken(token: string, from = ""): readonly CountedName[] {
  const claims = token.length > longestToken ? undefined : payload(token);
  if (!claims) return ["unnamed"];
  const { appID, iss, userID, sub } = claims;
  if (appID !== undefined) return [customerName(text(appID))];
  const domain = domainName(domainOf(userID ?? sub) ?? from);
  const issuer = customerName(text(iss));
  return issuer === "unnamed" ? [domain] : [issuer, domain];
}

function payload(token: string): JsonObject | undefined {
  const [, middle = ""] = token.split(".", 2);
  const parsed = parseStrictJson(Buffer.from(middle, "base64url"));
  return parsed.kind === "value" && isJsonObject(parsed.value) ? parsed.value : undefined;
}

const text = (value: JsonValue | undefined): string =>
  typeof value === "string" || typeof value === "number" ? String(value) : "";

function domainOf(value: JsonValue | undefined): string | undefined {
  const address = text(value);
  const at = address.indexOf("@");
  return at < 0 ? undefined : address.slice(at + 1);
}
