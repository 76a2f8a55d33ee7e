import { type CallRecord, newId } from "../core/calls.ts";
import { codes, type Refusal } from "../core/errors.ts";
import type { Customer, Identity } from "../core/identity.ts";
import { asNumber } from "../policy/destination.ts";
import type { Message } from "../sip/message.ts";
import type { Request } from "../sip/request.ts";
import { parseUri, type Uri, unescapeUser } from "../sip/uri.ts";
import type { Outward } from "./chain.ts";

/** A record as it grows; whoever was told of it has the same object. */
export type Growing = { -readonly [Member in keyof CallRecord]: CallRecord[Member] };

/** Which run of which gateway sees the call, and when (milliseconds). */
export interface Seen {
  readonly gateway: string;
  readonly at: number;
}

/** Characters that are kept of what others write; the scanner takes no others than printable ASCII, and no longer Call-ID. */
const longest = { number: 32, peer: 128 } as const;
/** As long as extensions are: above it is a telephone number, though nobody has judged it. */
const extension = 6;

/** A call that a client begins and that goes upstream. */
export function placed({ message, uri }: Request, identity: Identity, { trunk }: Outward, seen: Seen): Growing {
  const judged = trunk !== "" ? numberOf(uri) : undefined;
  const what = judged === undefined ? toUser(uri) : toNumber(judged);
  return { ...begun(message, seen), ...whoOf(identity), ...what, ...(trunk !== "" && { trunk }) };
}

/** A call that upstream begins and that goes to a client. */
export function arrived(message: Message, identity: Identity, seen: Seen): Growing {
  const from = parseUri(message.from.uri);
  const number = from && numberOf(from);
  const other = number === undefined ? peerOf(from) : { number: number.slice(0, longest.number) };
  return { ...begun(message, seen), ...whoOf(identity), direction: "in", ...other };
}

/** An INVITE that is not taken. who: the customer alone where it is the credential that was refused. */
export function refusedCall(
  { message, uri }: Request,
  who: Identity | Customer,
  { code }: Refusal,
  seen: Seen,
): CallRecord {
  const number = numberOf(uri);
  const isNumber = number !== undefined && number.length > extension;
  return {
    ...begun(message, seen),
    ...("customer" in who ? whoOf(who) : { customer: who.id }),
    ...(isNumber ? toNumber(number) : toUser(uri)),
    end: seen.at,
    endedBy: "gateway",
    reason: code,
    status: codes[code].sip,
  };
}

const begun = ({ callId }: Message, { gateway, at }: Seen) => ({
  id: newId(at),
  gateway,
  callId,
  start: at,
});

const whoOf = ({ customer, user, domain, provedBy }: Identity) => ({
  customer: customer.id,
  user,
  domain,
  provedBy: provedBy.id,
});

const toNumber = (number: string) => ({ direction: "to-number", number: number.slice(0, longest.number) }) as const;
const toUser = (uri: Uri) => ({ direction: "to-user", ...peerOf(uri) }) as const;

function numberOf({ user }: Uri): string | undefined {
  const plain = user === undefined ? undefined : unescapeUser(user);
  return plain === undefined ? undefined : asNumber(plain);
}

const peerOf = (uri: Uri | undefined) =>
  uri === undefined
    ? {}
    : { peer: (uri.user === undefined ? uri.host : `${uri.user}@${uri.host}`).slice(0, longest.peer) };
