import type { Identity } from "../core/identity.ts";
import { address } from "../core/identity.ts";
import type { Header, Message } from "../sip/message.ts";
import type { Request } from "../sip/request.ts";
import { type Edit, splice } from "../sip/splice.ts";
import { paramSpan } from "../sip/uri.ts";

/** What only we, or nobody, may say to Kamailio about who calls: removed whatever its spelling and count. */
const untrusted = new Set([
  "p-asserted-identity",
  "p-preferred-identity",
  "remote-party-id",
  "diversion",
  "history-info",
  "identity",
  "alert-info",
  "answer-mode",
  "priv-answer-mode",
]);

const isUntrusted = (name: string): boolean =>
  untrusted.has(name) || name.startsWith("x-postern-") || name.startsWith("p-charging-");

export interface Outgoing {
  readonly request: Request;
  readonly identity: Identity;
  /** Grant and token lines. */
  readonly lines: string;
  readonly inDialog: boolean;
  /** Credentials that were ours. */
  readonly credentials: readonly Header[];
  /** Where it goes to a trunk: the only `X-` fields that may reach a trunk, lower case. */
  readonly passHeaders: ReadonlySet<string> | undefined;
  /** REGISTER only: seconds a binding may live at most. */
  readonly capSeconds: number | undefined;
}

/** To hang up demands nothing: a far end would refuse it (420) and go on, while Kamailio takes the call for over. */
const demands = new Set(["require", "proxy-require"]);
const anonymous = new Set(["REGISTER", "ACK", "CANCEL"]);

/** The request as Kamailio gets it: our fields directly after the start line, forbidden ones gone, the rest as sent. */
export function rewriteRequest(outgoing: Outgoing): Buffer {
  const { request, identity, lines } = outgoing;
  const { message, method } = request;
  const asserted = anonymous.has(method) ? "" : `P-Asserted-Identity: <sip:${address(identity)}>\r\n`;
  const edits: Edit[] = [{ start: message.headersStart, end: message.headersStart, text: lines + asserted }];
  for (const header of message.headers) {
    if (isRemoved(header, outgoing)) edits.push({ start: header.start, end: header.end, text: "" });
  }
  if (outgoing.capSeconds !== undefined) edits.push(...capExpires(request, outgoing.capSeconds));
  return splice(
    message.bytes,
    edits.sort((one, other) => one.start - other.start),
  );
}

function isRemoved(header: Header, { request, inDialog, credentials, passHeaders }: Outgoing): boolean {
  const { name } = header;
  if (request.method === "BYE" && demands.has(name)) return true;
  if (isUntrusted(name) || name === "record-route" || name === "path") return true;
  if (name === "route" && !inDialog) return true;
  if (isNarrowed(name, passHeaders)) return true;
  return credentials.includes(header);
}

const isNarrowed = (name: string, passHeaders: ReadonlySet<string> | undefined): boolean =>
  passHeaders !== undefined && name.startsWith("x-") && !passHeaders.has(name);

/** What a caller's page would answer with the credential it has from its customer. */
const challenges = new Set(["www-authenticate", "proxy-authenticate"]);

/** The client's response as Kamailio gets it; neither to redirect nor to challenge is the client's. credentials: that were ours. */
export function rewriteResponse(
  message: Message,
  passHeaders?: ReadonlySet<string>,
  credentials: readonly Header[] = [],
): Buffer {
  const redirects = message.status >= 300 && message.status < 400;
  const edits: Edit[] = [];
  for (const header of message.headers) {
    const { name, start, end } = header;
    const leads = challenges.has(name) || (redirects && name === "contact");
    const removed = leads || isUntrusted(name) || isNarrowed(name, passHeaders) || credentials.includes(header);
    if (removed) edits.push({ start, end, text: "" });
  }
  return edits.length === 0 ? message.bytes : splice(message.bytes, edits);
}

/**
 * No binding outlives the credential: expires parameters and Expires are lowered where they are above, and Expires
 * is added where a Contact has neither. `*`, 0 and queries stay as they are.
 */
function capExpires({ message, contacts }: Request, cap: number): Edit[] {
  if (contacts === "*" || contacts.length === 0) return [];
  const edits: Edit[] = [];
  const expires = message.header("expires");
  if (expires && Number(message.value(expires)) > cap) {
    edits.push({ start: expires.valueStart, end: expires.valueEnd, text: String(cap) });
  }
  let bare = false;
  for (const { text, start, address: contact } of contacts) {
    const written = contact.params.get("expires");
    if (written === undefined) bare = true;
    const span = Number(written) > cap ? paramSpan(text, contact.paramsStart, "expires") : undefined;
    if (span) {
      edits.push({ start: start + span.start, end: start + span.end, text: String(cap) });
    }
  }
  if (bare && !expires)
    edits.push({ start: message.bodyStart - 2, end: message.bodyStart - 2, text: `Expires: ${cap}\r\n` });
  return edits;
}

/** What is left of a credential less a margin, so that a client renews while the credential still stands. */
export function bindingCap(identity: Identity, now: number): number {
  const left = identity.expiry - now;
  const margin = Math.min(10, Math.max(1, Math.ceil(left / 10)));
  return Math.max(1, left - margin);
}
