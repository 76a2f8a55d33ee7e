import type { Header, Message } from "../../src/sip/message.ts";
import { type Contact, type Request, readContacts } from "../../src/sip/request.ts";
import { parseAddress, parseUri, uriKey, viaParts } from "../../src/sip/uri.ts";
import { own, routeSet } from "./texts.ts";

/** What was read, by the names that test/fixtures/agreement-report.cfg has for it. */
export type Fields = Record<string, string>;

/** A field that the two read differently; postern and kamailio: what each made of it. */
export interface Difference {
  readonly field: string;
  readonly postern: string;
  readonly kamailio: string;
}

/** As test/fixtures/agreement-report.cfg counts them. */
export const counted = [
  "Via From To Call-ID CSeq Contact Route Record-Route Path Content-Length Content-Type Max-Forwards Expires",
  "Refer-To Replaces Join Session-Expires Authorization Proxy-Authorization X-Postern-Grant X-Postern-Token",
  "P-Asserted-Identity P-Preferred-Identity Remote-Party-ID Diversion History-Info Identity P-Charging-Vector",
  "P-Charging-Function-Addresses Alert-Info Answer-Mode Priv-Answer-Mode",
].flatMap((line) => line.split(" "));

/** What nobody but us may say, nor anybody: of a client's none is left. */
const untrusted =
  /^(?:x-postern-.*|p-charging-.*|p-asserted-identity|p-preferred-identity|remote-party-id|diversion|history-info|identity|alert-info|(?:priv-)?answer-mode)$/;
const anonymous = new Set(["REGISTER", "ACK", "CANCEL"]);

/** How Postern read what the client sent. */
export function read(sent: Message, request: Request | undefined): Fields {
  return {
    status: sent.isRequest ? "<null>" : String(sent.status),
    method: sent.method,
    "cseq.method": sent.method,
    from: sent.from.uri,
    ...party("from", sent.from.uri, sent.from.params.get("tag")),
    to: sent.to.uri,
    ...party("to", sent.to.uri, sent.to.params.get("tag")),
    callid: sent.callId,
    cseq: String(sent.cseq),
    ...viaFields(sent),
    body: String(sent.bytes.length - sent.bodyStart),
    length: sent.header("content-length") ? String(Number(one(sent, "content-length"))) : "<null>",
    maxforwards: one(sent, "max-forwards"),
    replaces: one(sent, "replaces"),
    ...(request && requestUri(request)),
    referto: sent.header("refer-to") ? uriIn(one(sent, "refer-to")) : "",
    ...contactUris(sent),
  };
}

/** What Kamailio must find in what it got: our own fields first and once each, and of the client's what may stay. */
export function expected(sent: Message, got: Message): Fields {
  const added = addsExpires(sent) ? ["Expires"] : [];
  const credentials = credentialsOf(got);
  const kept = sent.headers.filter((header) => stays(header, sent, credentials) && !(toTrunk(got) && isOwn(header)));
  const names = [...ours(sent), ...kept.map(({ start }) => writtenAt(start, sent)), ...added];
  const long = [...ours(sent), ...kept.map(({ name }) => name), ...added].map((name) => name.toLowerCase());
  const count = (name: string): number => long.filter((one) => one === name.toLowerCase()).length;
  return {
    names: names.map((name) => `${name},`).join(""),
    ...Object.fromEntries(counted.map((name) => [`count of ${name}`, String(count(name))])),
    ...contactFields(got),
    expires: one(got, "expires"),
    ...(sent.isRequest && { routes: String(isInside(sent) ? sent.values("route").length : 0) }),
  };
}

/** Whom Kamailio may believe, what a grant may say, and where the request may go. */
export function trust(sent: Message): Fields {
  return {
    user: own,
    aor: sent.method === "REGISTER" ? own : "",
    asserted: anonymous.has(sent.method) ? "" : `sip:${own}`,
    next: isInside(sent) ? (uriKey(uriIn(routeSet[0])) ?? "") : "",
  };
}

const ours = ({ isRequest, method }: Message): string[] => {
  if (!isRequest) return [];
  return ["X-Postern-Grant", "X-Postern-Token", ...(anonymous.has(method) ? [] : ["P-Asserted-Identity"])];
};

const writtenAt = (start: number, sent: Message): string => /^[^\s:]*/.exec(sent.head.slice(start))![0];

const isCredential = (name: string): boolean => name.endsWith("authorization");

/** Whole fields, in order. */
const credentialsOf = (got: Message): string[] =>
  got.headers.filter(({ name }) => isCredential(name)).map(({ start, end }) => got.head.slice(start, end));

/** credentials: of what went up, each of which is taken away when it is come to. */
function stays({ name, start, end }: Header, sent: Message, credentials: string[]): boolean {
  if (untrusted.test(name)) return false;
  // Removed where it is ours: unit tests and test/attack/headers say when that is.
  if (isCredential(name)) return credentials[0] === sent.head.slice(start, end) && credentials.shift() !== undefined;
  if (!sent.isRequest && /^(?:www|proxy)-authenticate$/.test(name)) return false;
  if (!sent.isRequest) return name !== "contact" || sent.status < 300 || sent.status > 399;
  if (sent.method === "BYE" && /^(?:proxy-)?require$/.test(name)) return false;
  if (name === "record-route" || name === "path") return false;
  return name !== "route" || isInside(sent);
}

/** As the grant has it, which test/agreement/compare.ts holds against what Kamailio believes. */
const toTrunk = ({ head }: Message): boolean => /^[^\n]*\nX-Postern-Grant: [^\r]*\|trunk=[^|\r]/.test(head);

/** An extension field that passHeaders of arena.ts does not name goes to no trunk. */
const isOwn = ({ name }: Header): boolean => name.startsWith("x-") && name !== "x-case";

/** What was let through inside a dialog has its To tag. */
const isInside = ({ isRequest, to }: Message): boolean => isRequest && to.params.has("tag");

/** A binding without an expiry gets one (REGISTER), unless there is an Expires field. */
function addsExpires(sent: Message): boolean {
  if (!sent.isRequest || sent.method !== "REGISTER" || sent.header("expires")) return false;
  return listOf(sent).some(({ address }) => !address.params.has("expires"));
}

function listOf(message: Message): readonly Contact[] {
  const contacts = readContacts(message);
  return contacts === undefined || contacts === "*" ? [] : contacts;
}

const one = (message: Message, name: string): string => {
  const header = message.header(name);
  return header ? message.value(header) : "";
};

function uriIn(text: string): string {
  const parsed = parseAddress(text);
  return parsed.kind === "address" ? parsed.address.uri : "unreadable";
}

function party(name: "from" | "to", text: string, tag: string | undefined): Fields {
  const uri = parseUri(text);
  return { [`${name}.user`]: uri?.user ?? "", [`${name}.host`]: uri?.host ?? "", [`${name}.tag`]: tag ?? "" };
}

/** The second one is where Kamailio would send a response to. */
function viaFields(message: Message): Fields {
  const values = message.values("via");
  const second = values[1] && viaParts(values[1].text);
  return {
    "via.host": message.via.host,
    "via.branch": message.via.branch,
    vias: String(values.length),
    "via2.host": second?.host ?? "",
    "via2.port": second?.port === undefined ? "" : String(second.port),
    "via2.branch": second?.params.get("branch") ?? "",
    "via2.received": second?.params.get("received") ?? "",
  };
}

function requestUri({ message, uri }: Request): Fields {
  return {
    uri: message.requestUri,
    "uri.scheme": uri.scheme,
    "uri.user": uri.user ?? "",
    "uri.host": uri.host,
    "uri.port": uri.port === undefined ? "" : String(uri.port),
    "uri.params": [...uri.params].map(([name, value]) => (value === "" ? name : `${name}=${value}`)).join(";"),
    "uri.maddr": uri.params.get("maddr") ?? "",
    "uri.transport": uri.params.get("transport") ?? "",
  };
}

/** All of them as they went up, for an expiry may have been lowered. */
function contactFields(got: Message): Fields {
  const contacts = readContacts(got);
  if (contacts === undefined) return { contacts: "cannot be read" };
  return { contacts: contacts === "*" ? "*" : sorted(contacts.map(({ text }) => text)) };
}

/** The transformation that reports them reads no fold and no escape; the text of the Contacts is compared all the same. */
function contactUris(sent: Message): Fields {
  const contacts = listOf(sent);
  if (sent.headers.some(({ name, folded }) => folded && name === "contact")) return {};
  if (contacts.some(({ text }) => text.includes("\\"))) return {};
  return { "contact.uris": sorted(contacts.map(({ address }) => address.uri)) };
}

/** Kamailio gives those of several fields in another order. */
export const sorted = (values: readonly string[]): string => [...values].sort().join("\n");
