import { allowsOrigin } from "../core/customers.ts";
import { type Code, type Refusal, refuse } from "../core/errors.ts";
import { type Customer, type Identity, userPattern } from "../core/identity.ts";
import type { Contact, Request } from "../sip/request.ts";
import { headerParams, parseAddress, parseUri, type Uri } from "../sip/uri.ts";
import { type DestinationContext, judgeDestination } from "./destination.ts";
import { nowhere, type Outward } from "./outward.ts";

export interface RightsContext extends DestinationContext {
  /** Of the handshake; undefined from clients that are no browsers. */
  readonly origin: string | undefined;
  readonly allowMissingOrigin: boolean;
  /** Whether a dialog with this Call-ID and these two tags, in either order, is one of the leg's. */
  readonly ownsDialog: (callId: string, oneTag: string, otherTag: string) => boolean;
}

export type Rights = (Outward & { readonly kind: "allowed" }) | { readonly kind: "refused"; readonly refusal: Refusal };

const refused = (code: Code, sentence: string): Rights => ({ kind: "refused", refusal: refuse(code, sentence) });
const toUser: Rights = { kind: "allowed", ...nowhere };
/** Nobody is ever refused to hang up, nor to finish what a dialog began. */
const always = new Set(["ACK", "BYE", "CANCEL"]);
/** What exists within a call only: a credential that is good for the call is good for its refreshes, digits and early media. */
const callParts = new Set(["UPDATE", "INFO", "PRACK"]);

/** Beside a conference: to be reachable, and to look whether all is well. */
const beside = new Set(["REGISTER", "OPTIONS"]);

/** May this identity send this request outside a dialog? Pure; the order of verdicts is contract.md's. */
export function authorize(identity: Identity, request: Request, context: RightsContext): Rights {
  const early = originRefusal(identity.customer, context) ?? identityRefusal(identity, request);
  if (early) return { kind: "refused", refusal: early };
  const { method } = request;
  const right = methodRefusal(identity, method) ?? permissionRefusal(identity) ?? conferenceRefusal(identity, request);
  if (right) return { kind: "refused", refusal: right };
  if (method === "REGISTER") return toUser;
  return authorizeDestination(identity, request, context);
}

/** The customer's own word on the page's origin, at the first accepted request and at every later one. */
export function originRefusal(
  customer: Customer,
  { origin, allowMissingOrigin }: Pick<RightsContext, "origin" | "allowMissingOrigin">,
): Refusal | undefined {
  if (origin === undefined) {
    return allowMissingOrigin
      ? undefined
      : refuse("origin-denied", "an Origin header is required: call from a web page");
  }
  if (allowsOrigin(customer, origin)) return undefined;
  return refuse("origin-denied", "this page's origin is not in the customer's list: add it to origins");
}

/** Whether the customer's methods have it, and those of the credential where it names some; inside a dialog too. */
export function methodRefusal({ customer, narrowing }: Identity, method: string): Refusal | undefined {
  if (always.has(method)) return undefined;
  if (!customer.methods.includes(method)) {
    return refuse("method-denied", "this method is not among the customer's methods: the operator can add it");
  }
  if (narrowing.oneCall && method === "REFER") {
    return refuse("method-denied", "a credential for one call is not good for REFER, which makes another");
  }
  if (narrowing.conference !== undefined && method === "REFER") {
    return refuse("method-denied", "a credential for one conference is not good for REFER, which makes another");
  }
  const named = callParts.has(method) ? "INVITE" : method;
  if (narrowing.methods?.includes(named) ?? true) return undefined;
  return refuse("method-denied", "this credential is not good for this method: get one that names it");
}

/** Under a credential with permissions everything outside a dialog needs the right to start a call, and what starts one inside. */
export function permissionRefusal({ narrowing: { permissions } }: Identity): Refusal | undefined {
  if (!permissions || permissions.includes("*") || permissions.includes("CreateConference")) return undefined;
  return refuse(
    "permission-missing",
    "the credential lacks the permission CreateConference: the application can give it",
  );
}

/** A credential for one conference opens that call alone; what begins none and asks for nothing is part of having it. */
function conferenceRefusal({ narrowing: { conference } }: Identity, { method, message }: Request): Refusal | undefined {
  if (conference === undefined || beside.has(method)) return undefined;
  if (method !== "INVITE")
    return refuse(
      "method-denied",
      "a credential for one conference is good for its call, and outside it for no message",
    );
  if (message.callId === conference) return undefined;
  return refuse(
    "permission-missing",
    "the data token is good for one conference alone: call with its conferenceID as Call-ID, or get a token for this one",
  );
}

function identityRefusal(identity: Identity, request: Request): Refusal | undefined {
  const mismatch = (sentence: string): Refusal => refuse("identity-mismatch", sentence);
  if (request.method === "REGISTER") {
    const own = isAddress(request.from, identity) && isAddress(request.to, identity);
    if (!own) return mismatch("From and To of REGISTER must be the address that the credential names");
    if (!isDomain(request.uri, identity.domain))
      return mismatch("the Request-URI of REGISTER must be sip: and your own domain");
  } else if (!isAddress(request.from, identity) && !mayCallFrom(identity.customer, request.from)) {
    return mismatch("From must be the address that the credential names, or one in callFrom");
  }
  return contactRefusal(request);
}

function isAddress(uri: Uri, { user, domain }: Identity): boolean {
  return isPlain(uri) && uri.user === user && uri.host === domain;
}

const isPlain = (uri: Uri): boolean =>
  uri.scheme === "sip" && uri.port === undefined && uri.params.size === 0 && uri.headers === undefined;

const isDomain = (uri: Uri, domain: string): boolean => isPlain(uri) && uri.user === undefined && uri.host === domain;

function mayCallFrom(customer: Customer, from: Uri): boolean {
  if (!isPlain(from) || !userPattern.test(from.user ?? "")) return false;
  return customer.callFrom.includes(`${from.user}@${from.host}`) || customer.callFrom.includes(`*@${from.host}`);
}

/** A Contact stands on the host of the topmost Via, so that no reply or later request is led elsewhere. */
export function contactRefusal(request: Request): Refusal | undefined {
  if (request.contacts === "*") return undefined;
  if (request.contacts.every((contact) => staysHere(contact, request.message.via.host))) return undefined;
  return refuse("identity-mismatch", "Contact must stand on the host that Via names, without maddr, alias or received");
}

export function staysHere(contact: Contact, host: string): boolean {
  const { uri, address } = contact;
  if (uri.scheme !== "sip" && uri.scheme !== "sips") return false;
  if (["maddr", "alias", "received"].some((name) => uri.params.has(name))) return false;
  return uri.host === host && !address.params.has("received");
}

function authorizeDestination(identity: Identity, request: Request, context: RightsContext): Rights {
  const destination = judgeDestination(request.uri, request.method, identity, context);
  if (destination.kind === "denied") return refused("destination-denied", destination.sentence);
  const reference = referenceRefusal(identity, request, context);
  if (reference) return { kind: "refused", refusal: reference };
  return destination.kind === "user" ? toUser : { ...destination, kind: "allowed" };
}

/** Refer-To is judged as a destination; Replaces and Join only of dialogs of this leg (RFC 3515, 3891, 3911). */
export function referenceRefusal(
  identity: Identity,
  { message }: Request,
  context: DestinationContext & Pick<RightsContext, "ownsDialog">,
): Refusal | undefined {
  const unknown = refuse("dialog-unknown", "Replaces and Join may only name a dialog of this connection");
  for (const name of ["replaces", "join"]) {
    const header = message.header(name);
    if (header && !ownsReplaced(message.value(header), context)) return unknown;
  }
  const header = message.header("refer-to");
  return header ? referToRefusal(identity, message.value(header), context) : undefined;
}

function referToRefusal(
  identity: Identity,
  value: string,
  context: DestinationContext & Pick<RightsContext, "ownsDialog">,
): Refusal | undefined {
  const parsed = parseAddress(value);
  const uri = parsed.kind === "address" ? parseUri(parsed.address.uri) : undefined;
  if (!uri || uri.hasPassword) return refuse("destination-denied", "Refer-To cannot be read");
  const destination = judgeDestination(uri, "INVITE", identity, context);
  if (destination.kind === "denied") return refuse("destination-denied", `Refer-To: ${destination.sentence}`);
  if (uri.headers === undefined) return undefined;
  const replaces = /^Replaces=([A-Za-z0-9\-_.!~*'()[\]/?:+$%]{1,512})$/i.exec(uri.headers)?.[1];
  if (replaces === undefined) return refuse("destination-denied", "Refer-To may carry no header field but Replaces");
  if (ownsReplaced(decode(replaces), context)) return undefined;
  return refuse("dialog-unknown", "Replaces in Refer-To may only name a dialog of this connection");
}

function decode(text: string): string {
  return text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** RFC 3891 §6.1, strictly: of two to-tags we could take the one and the far end the other. */
function ownsReplaced(value: string, { ownsDialog }: Pick<RightsContext, "ownsDialog">): boolean {
  const callId = /^[^;,\s]+/.exec(value)?.[0];
  const params = callId === undefined ? undefined : headerParams(value, callId.length);
  const [to, from] = [params?.get("to-tag"), params?.get("from-tag")];
  return callId !== undefined && to !== undefined && from !== undefined && ownsDialog(callId, to, from);
}
