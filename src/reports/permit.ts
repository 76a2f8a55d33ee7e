import { type Refusal, refuse } from "../core/errors.ts";
import { type Customer, type Narrowing, type Permission, userPattern } from "../core/identity.ts";

/** Who reports. */
export interface Reporter {
  readonly customer: Customer;
  /** Of the client. */
  readonly address: string;
  /** Absent where nothing but the page's origin is known. */
  readonly proved?: { readonly user: string; readonly domain: string; readonly narrowing: Narrowing };
}

/** Without a token nobody ends what others are in. */
const unprovedMayNot: Permission = "TerminateConference";

/** Whether this reporter may do what takes that permission. A token that names none has its customer's full right. */
export function permissionRefusal({ proved }: Reporter, permission: Permission): Refusal | undefined {
  if (!proved) return permission === unprovedMayNot ? onlyWithToken : undefined;
  const { permissions } = proved.narrowing;
  if (!permissions || permissions.includes("*") || permissions.includes(permission)) return undefined;
  return refuse(
    "permission-missing",
    `the token lacks the permission ${permission}: the application can grant it with the next token; do not ask again under this one`,
  );
}

const onlyWithToken = refuse("permission-missing", "conferenceEnded is taken under a token alone: get a data_token");

/** The user that a userID means: without domain one of the customer's first. Undefined: none that this reporter may be. */
export function userOf({ customer, proved }: Reporter, userID: string): { user: string; domain: string } | undefined {
  const at = userID.indexOf("@");
  const user = at < 0 ? userID : userID.slice(0, at);
  const domain = at < 0 ? customer.domains[0] : userID.slice(at + 1).toLowerCase();
  if (domain === undefined || !userPattern.test(user)) return undefined;
  const isRight = proved ? user === proved.user && domain === proved.domain : customer.domains.includes(domain);
  return isRight ? { user, domain } : undefined;
}

export const otherUser = refuse(
  "identity-mismatch",
  "the userID is not the token's, or nobody's of this customer: tell of oneself only",
);
export const otherConference = refuse(
  "identity-mismatch",
  "the token is good for another conference alone: get one for this conference",
);
export const othersCall = refuse(
  "identity-mismatch",
  "this conferenceID is a call that the user is not in: send the Call-ID of one's own call",
);
