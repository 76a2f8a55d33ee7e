import { refuse } from "../core/errors.ts";
import { userPattern } from "../core/identity.ts";
import { isJsonObject, type JsonValue } from "../core/strict-json.ts";
import { type Denied, denied } from "./context.ts";

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
