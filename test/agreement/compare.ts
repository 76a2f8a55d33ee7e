import { parse } from "../../src/gateway/parse.ts";
import type { Message } from "../../src/sip/message.ts";
import { readContacts } from "../../src/sip/request.ts";
import { scan } from "../../src/sip/scan.ts";
import { uriKey } from "../../src/sip/uri.ts";
import { bindingFault } from "./bindings.ts";
import { counted, type Difference, expected, type Fields, read, sorted, trust } from "./expected.ts";
import type { Outcome } from "./outcome.ts";
import type { Report } from "./report.ts";

/** Where Postern's reading of what the client sent and Kamailio's of what it got differ. */
export function differences({ sent, forwarded, report }: Extract<Outcome, { kind: "passed" }>): Difference[] {
  const parsed = parse(sent, 30_000);
  const got = scan(forwarded);
  if (got.kind === "malformed" || (parsed.kind !== "request" && parsed.kind !== "response")) {
    return [{ field: "fate", postern: got.kind === "malformed" ? got.reason : parsed.kind, kamailio: "took it" }];
  }
  const request = parsed.kind === "request" ? parsed.request : undefined;
  const message = parsed.kind === "request" ? parsed.request.message : parsed.message;
  const postern: Fields = { ...read(message, request), ...expected(message, got.message) };
  if (isRedirect(message)) delete postern["contact.uris"];
  const kamailio = seen(report, message.isRequest);
  return [
    ...unequal(postern, kamailio),
    ...strayContact(report, got.message),
    ...disbelief(report, message, got.message),
  ];
}

/** It goes on without its Contact. */
const isRedirect = ({ status }: Message): boolean => status >= 300 && status <= 399;

/** Names whose case says nothing. */
const caseless = ["uri.scheme", "uri.host", "from.host", "to.host", "via.host", "via2.host"];

/** Whole values, of which Kamailio gives the space around them too. */
const whole = ["maxforwards", "expires", "replaces"];

/** Kamailio's reading in the same terms: folds are spaces, lists are sorted. */
function seen({ parsed }: Report, isRequest: boolean): Fields {
  const fields = Object.fromEntries(parsed) as Fields;
  for (const name of caseless) fields[name] = (fields[name] ?? "").toLowerCase();
  for (const name of whole) fields[name] = unfolded(fields[name]).trim();
  const star = /^\*\s*$/.test(fields["contact.body"] ?? "");
  const numbers = (fields.counts ?? "").split(",");
  const again: Fields = {
    contacts: star ? "*" : sortedLines(unfolded(fields.contacts)),
    "contact.uris": sortedLines(fields["contact.uris"] ?? ""),
    cseq: withoutZeros(fields.cseq),
    length: withoutZeros(fields.length),
    "uri.port": withoutZeros(fields["uri.port"]),
    "uri.params": (fields["uri.params"] ?? "").split(";").map(withSmallName).join(";"),
    ...Object.fromEntries(counted.map((name, at) => [`count of ${name}`, numbers[at] ?? ""])),
  };
  const all = { ...fields, ...again };
  if (!isRequest) for (const name of Object.keys(all)) if (name.startsWith("uri")) delete all[name];
  return all;
}

const sortedLines = (text: string): string => sorted(text.split("\n").filter(Boolean));
const withSmallName = (param: string): string => param.replace(/^[^=]*/, (name) => name.toLowerCase());
const unfolded = (text = ""): string => text.replace(/\r\n(?=[ \t])/g, "  ");

/** Kamailio names one Contact's URI, not always the first: it must be one that Postern has judged. */
function strayContact({ parsed }: Report, got: Message): Difference[] {
  const contacts = readContacts(got);
  const list = contacts === undefined || contacts === "*" ? [] : contacts;
  const [uri, expires] = [parsed.get("contact.first") ?? "", parsed.get("contact.expires") ?? ""];
  const matches = list.some(
    ({ address }) => address.uri === uri && withoutZeros(address.params.get("expires")) === withoutZeros(expires),
  );
  if (list.length === 0 ? uri === "" : matches) return [];
  return [{ field: "contact", postern: sorted(list.map(({ text }) => text)), kamailio: `${uri} ${expires}` }];
}

const withoutZeros = (text = ""): string => text.replace(/^0+(?=\d)/, "");

function unequal(postern: Fields, kamailio: Fields): Difference[] {
  return Object.entries(postern)
    .filter(([field, value]) => value !== (kamailio[field] ?? ""))
    .map(([field, value]) => ({ field, postern: value, kamailio: kamailio[field] ?? "" }));
}

/** Whom Kamailio would believe is whom Postern proved; where it would go is where Postern judged that it goes. */
function disbelief({ parsed, believed }: Report, message: Message, got: Message): Difference[] {
  if (!message.isRequest) return [];
  if (!believed && mustRefuse(message)) return [];
  if (!believed) return [{ field: "grant", postern: "accepted", kamailio: "refused by the shipped routes" }];
  const grant = grantIn(got);
  const next = believed.get("next") ?? "";
  const kept = bindingFault(got, believed);
  const wrong = unequal(
    { ...trust(message), ...grant },
    {
      user: believed.get("user") ?? "",
      aor: believed.get("aor") ?? "",
      asserted: parsed.get("asserted") ?? "",
      next: next === "" ? "" : (uriKey(next) ?? next),
      trunk: believed.get("trunk") ?? "",
      caller: believed.get("caller") ?? "",
    },
  );
  return kept ? [...wrong, kept] : wrong;
}

/** What we wrote directly after the start line, whatever anybody wrote below it. */
function grantIn(got: Message): Fields {
  const line = /^[^\n]*\nX-Postern-Grant: ([^\r]*)\r\n/.exec(got.head)?.[1] ?? "";
  const field = (name: string): string => new RegExp(`\\|${name}=([^|]*)\\|`).exec(line)?.[1] ?? "no grant";
  return { trunk: field("trunk"), caller: field("caller") };
}

/** What Kamailio read rightly and every proxy refuses: no hops left, an extension that it must know (RFC 3261 §16.3). */
function mustRefuse(message: Message): boolean {
  const hops = message.header("max-forwards");
  return message.header("proxy-require") !== undefined || (hops !== undefined && Number(message.value(hops)) === 0);
}

/** What is wrong with an outcome, in a word or more; undefined where the two agree. */
export function disagreement(outcome: Outcome): string | undefined {
  if (outcome.kind === "refused") return undefined;
  if (outcome.kind !== "passed") return outcome.kind;
  const fields = differences(outcome).map(({ field }) => field);
  return fields.length === 0 ? undefined : fields.join(", ");
}
