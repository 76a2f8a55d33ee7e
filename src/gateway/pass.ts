import type { Awaitable } from "../core/awaitable.ts";
import { PosternError } from "../core/errors.ts";
import type { Identity } from "../core/identity.ts";
import { staysHere } from "../policy/authorize.ts";
import type { Header, Message } from "../sip/message.ts";
import type { ReplyHead } from "../sip/reply.ts";
import { type Contact, type Request, readContacts } from "../sip/request.ts";
import type { Outward } from "./chain.ts";
import type { Dialog } from "./dialog-table.ts";
import { bindingCap, rewriteRequest, rewriteResponse } from "./forward.ts";
import type { Leg } from "./leg.ts";
import type { Inlet } from "./pressure.ts";

/** A judged request on its way upstream. */
export interface Passage {
  readonly request: Request;
  readonly identity: Identity;
  /** Where it can be answered: all but ACK. */
  readonly head: ReplyHead | undefined;
  readonly outward: Outward;
  readonly binary: boolean;
  readonly inside: boolean;
  readonly dialog: Dialog | undefined;
  /** What is not to be forwarded. */
  readonly credentials: readonly Header[];
  /** Grant and token lines. */
  readonly lines: string;
  /** Unix seconds. */
  readonly now: number;
}

const showsNothing = new Set(["ACK", "CANCEL"]);

/** Send a judged request up an open leg, and let the leg learn from it. cause: what waits where upstream is slow. */
export function passRequest(leg: Leg, passage: Passage, cause: Inlet): void {
  const { request, identity, head, outward, dialog } = passage;
  const toTrunk = outward.trunk !== "" || leg.dialogs.towardsTrunk(request.message);
  const capSeconds = request.method === "REGISTER" ? bindingCap(identity, passage.now) : undefined;
  if (!showsNothing.has(request.method)) leg.shown.add(request.contacts);
  if (capSeconds !== undefined) rememberRegistration(leg, request, capSeconds);
  if (head) leg.dialogs.sent(request, head, dialog, toTrunk);
  leg.watch.went(request, identity, outward);
  const { lines, credentials, inside: inDialog } = passage;
  const passHeaders = toTrunk ? passed(identity) : undefined;
  const bytes = rewriteRequest({ request, identity, lines, inDialog, credentials, passHeaders, capSeconds });
  leg.send(bytes, passage.binary, cause, request.message);
}

function rememberRegistration(leg: Leg, { message, contacts }: Request, cap: number): void {
  if (contacts === "*" || contacts.length === 0) return;
  const [from, to] = ["from", "to"].map((name) => message.value(message.header(name)!));
  const { requestUri, callId, cseq } = message;
  const bound = contacts.map(({ address: contact }) => contact.uri);
  leg.registers({ requestUri, from: from!, to: to!, callId, cseq, contacts: bound }, cap);
}

/** The only `X-` fields of this customer's pages that a trunk gets, lower case. */
const passed = ({ customer }: Identity): ReadonlySet<string> =>
  new Set(customer.passHeaders.map((name) => name.toLowerCase()));

const redirects = ({ status }: Message): boolean => status >= 300 && status < 400;

/** Why a client's response may not go upstream; undefined where it may. */
export function judgeResponse(leg: Leg, message: Message): string | undefined {
  const contacts = readContacts(message);
  const here = contacts !== undefined && contacts !== "*" && contacts.every((contact) => isHere(contact, leg));
  if (!here && !redirects(message)) return "Contact is not on a host of this client";
  return leg.dialogs.judgeAnswer(message);
}

const isHere = (contact: Contact, leg: Leg): boolean =>
  leg.shown.hasHost(contact.uri.host) && staysHere(contact, contact.uri.host);

/** Send a judged response up an open leg, and let the leg learn from it. */
export function passResponse(
  leg: Leg,
  message: Message,
  { binary, credentials }: Pick<Passage, "binary" | "credentials">,
  cause: Inlet,
): void {
  const contacts = readContacts(message);
  if (contacts !== undefined && !redirects(message)) leg.shown.add(contacts);
  const narrowed = leg.dialogs.towardsTrunk(message) ? passed(leg.identity) : undefined;
  leg.dialogs.answered(message);
  leg.watch.said(message);
  leg.send(rewriteResponse(message, narrowed, credentials), binary, cause, message);
}

/** Do something on an open leg, opening it first where need be; otherwise: upstream cannot be reached. */
export function whenOpen(
  leg: Leg,
  then: () => void,
  otherwise: () => Awaitable<void> = () => {},
): Promise<void> | undefined {
  if (leg.isOpen) {
    then();
    return undefined;
  }
  return leg.open().then(then, (error: unknown) => {
    if (!(error instanceof PosternError)) throw error;
    return otherwise();
  });
}
