import type { Message } from "./message.ts";
import { type Address, paramSpan, parseAddress, parseUri, type Uri } from "./uri.ts";

export interface Contact {
  readonly address: Address;
  readonly uri: Uri;
  /** Header parameters and all, as written, and the byte offset where that begins. */
  readonly text: string;
  readonly start: number;
}

/** A request with every URI read that a verdict can turn on. */
export interface Request {
  readonly message: Message;
  readonly method: string;
  readonly uri: Uri;
  readonly from: Uri;
  readonly fromTag: string;
  readonly to: Uri;
  readonly toTag: string | undefined;
  /** `*` stands alone (RFC 3261 §10.2.2). */
  readonly contacts: "*" | readonly Contact[];
}

export type ReadRequest =
  | { readonly kind: "request"; readonly request: Request }
  | { readonly kind: "malformed"; readonly reason: string };

const maxContacts = 10;
/** RFC 3261 §8.1.1.5: the next one must be below 2^31 too, for it may be the gateway's own BYE. */
const mostCSeq = 2 ** 31 - 2;
const addressed = new Set(["sip", "sips", "tel"]);
const malformed = (reason: string): ReadRequest => ({ kind: "malformed", reason });

/** Read the URIs of a scanned request; malformed where one cannot be read the same by everybody. */
export function readRequest(message: Message): ReadRequest {
  const uri = parseUri(message.requestUri);
  const from = parseUri(message.from.uri);
  const to = message.to.uri === message.from.uri ? from : parseUri(message.to.uri);
  if (!uri || !from || !to) return malformed("the Request-URI, From or To cannot be read as a URI");
  const password =
    "a URI holds user:password; give the plain user, as in sip:alice@acme.example, and the credential apart";
  if (uri.hasPassword || from.hasPassword || to.hasPassword) return malformed(password);
  if (uri.headers !== undefined) return malformed("the Request-URI holds header fields after ?");
  // Kamailio refuses all others, but for urn, of which it makes a user and a host.
  if (!addressed.has(from.scheme) || !addressed.has(to.scheme))
    return malformed("From or To is no sip, sips or tel URI");
  const fromTag = message.from.params.get("tag");
  if (fromTag === undefined) return malformed("From has no tag");
  if (message.cseq > mostCSeq) return malformed("CSeq is the highest there is: begin below it");
  const contacts = readContacts(message);
  if (contacts === undefined) return malformed("Contact cannot be read");
  if (message.method === "REGISTER" && !readableExpiry(message, contacts))
    return malformed("an expiry is not a number");
  if (message.method === "REFER" && !message.header("refer-to")) return malformed("REFER has no Refer-To");
  const toTag = message.to.params.get("tag");
  if (message.method === "REGISTER" && toTag !== undefined) return malformed("To of REGISTER has a tag");
  return { kind: "request", request: { message, method: message.method, uri, from, fromTag, to, toTag, contacts } };
}

/** An expiry that one parser takes and another does not would let a binding outlive its credential. */
function readableExpiry(message: Message, contacts: "*" | readonly Contact[]): boolean {
  const expires = message.header("expires");
  if (expires && !/^\d{1,10}$/.test(message.value(expires))) return false;
  if (contacts === "*") return true;
  return contacts.every(({ text, address }) => {
    const written = address.params.get("expires");
    if (written === undefined) return true;
    if (!text.includes('"')) return /^\d{1,10}$/.test(written);
    const span = paramSpan(text, address.paramsStart, "expires");
    return span !== undefined && /^\d{1,10}$/.test(text.slice(span.start, span.end));
  });
}

/** Every Contact of a message; undefined where one cannot be read, or `*` does not stand alone. */
export function readContacts(message: Message): "*" | readonly Contact[] | undefined {
  const values = message.values("contact");
  if (values.length > maxContacts) return undefined;
  if (values.length === 1 && values[0]!.text === "*") return message.method === "REGISTER" ? "*" : undefined;
  const contacts: Contact[] = [];
  for (const { text, start } of values) {
    // Kamailio takes the one for `*` alone, and reads on past the quote that follows two backslashes.
    if (text.startsWith("*") || text.includes("\\\\")) return undefined;
    const parsed = parseAddress(text);
    const uri = parsed.kind === "address" ? parseUri(parsed.address.uri) : undefined;
    if (parsed.kind === "malformed" || !uri || uri.hasPassword || uri.headers !== undefined) return undefined;
    // To Kamailio a quoted value ends at an escaped quote too: what follows would be parameters, expires among them.
    if (text.includes("\\", parsed.address.paramsStart)) return undefined;
    contacts.push({ address: parsed.address, uri, text, start });
  }
  return contacts;
}

/** The URIs of every value of Route, Record-Route or Path, in order; undefined where one cannot be read. */
export function routeUris(message: Message, name: string): string[] | undefined {
  const uris: string[] = [];
  for (const { text } of message.values(name)) {
    const parsed = parseAddress(text);
    if (parsed.kind === "malformed") return undefined;
    uris.push(parsed.address.uri);
  }
  return uris;
}
