import type { PresentedPassword, PresentedToken } from "../auth/authenticator.ts";
import { isJsonObject, type JsonObject, type JsonValue, parseStrictJson } from "../core/strict-json.ts";

const longestToken = 8192;

/**
 * Whom a credential claims to be of, for counting alone: nothing is proved by it, and a customer that is not there
 * counts as one that is. Empty where it does not say.
 */
export function claimedBy(shown: PresentedPassword | PresentedToken): string {
  if (shown.kind === "token") return plain(claimedByToken(shown.token) ?? shown.domain ?? "");
  return plain(shown.account ?? shown.username.slice(shown.username.lastIndexOf("@") + 1));
}

/** `appID`, else `iss`, else the domain of its user. */
function claimedByToken(token: string): string | undefined {
  const claims = token.length > longestToken ? undefined : payload(token);
  if (!claims) return undefined;
  const { appID, iss, userID, sub } = claims;
  return text(appID) ?? text(iss) ?? domainOf(userID) ?? domainOf(sub);
}

function payload(token: string): JsonObject | undefined {
  const [, middle = ""] = token.split(".");
  const parsed = parseStrictJson(Buffer.from(middle, "base64url"));
  return parsed.kind === "value" && isJsonObject(parsed.value) ? parsed.value : undefined;
}

function text(value: JsonValue | undefined): string | undefined {
  return typeof value === "string" || typeof value === "number" ? String(value) : undefined;
}

function domainOf(value: JsonValue | undefined): string | undefined {
  const address = text(value);
  return address?.includes("@") ? address.slice(address.lastIndexOf("@") + 1) : undefined;
}

/** It becomes a key among others: bounded, of one spelling, and nothing that could end it. */
const plain = (claimed: string): string => (/^[\x21-\x7e]{1,253}$/.test(claimed) ? claimed.toLowerCase() : "");
