import { isIP } from "node:net";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Customers } from "../core/customers.ts";
import type { Code } from "../core/errors.ts";
import type { Customer } from "../core/identity.ts";
import type { Log } from "../telemetry/log.ts";
import { type Addresses, sameAddress } from "./addresses.ts";
import { json, problem } from "./http.ts";

export interface InboundOptions {
  readonly customers: () => Customers;
  /** `upstream.urls`: whoever is behind them may ask, and this machine. */
  readonly upstreamUrls: () => readonly string[];
  readonly addresses: Addresses;
  readonly log: Log;
}

export type InboundVerdict =
  | { readonly kind: "deliver"; readonly deliver: readonly string[]; readonly customer: string }
  | {
      readonly kind: "refused";
      readonly status: 400 | 403 | 404 | 503;
      readonly code: Code;
      readonly sentence: string;
    };

const refused = (status: 400 | 403 | 404 | 503, code: Code, sentence: string): InboundVerdict => ({
  kind: "refused",
  status,
  code,
  sentence,
});

/**
 * Answers `GET /v1/inbound?source=<ip>&number=<n>`: who gets a call that came to Kamailio from outside. Kamailio's
 * script reads one line without white space and nothing else.
 */
export async function answerInbound(
  request: FastifyRequest,
  reply: FastifyReply,
  options: InboundOptions,
): Promise<FastifyReply> {
  const asker = sameAddress(request.socket.remoteAddress ?? "");
  const query = request.url.split("?")[1] ?? "";
  const asked = readQuestion(query);
  const may = await mayAsk(asker, options);
  const verdict = may ? await judgeInbound(asked, options) : may === undefined ? unknownAsker : notUpstream;
  if (verdict.kind === "deliver") {
    options.log.info({ ...asked, deliver: verdict.deliver, customer: verdict.customer }, "a call from a trunk");
    return json(reply, { deliver: verdict.deliver });
  }
  const { status, code, sentence } = verdict;
  options.log.warn({ ...asked, asker, status, code, reason: sentence }, "a call from outside was refused");
  return problem(reply, status, sentence, code);
}

const notUpstream = refused(403, "permission-missing", "only this machine and the hosts of upstream.urls may ask");

const unknownAsker = refused(
  503,
  "upstream-unavailable",
  "the hosts of upstream.urls cannot be resolved now: look at DNS",
);

interface Question {
  readonly source: string;
  readonly number: string;
}

/** Undefined unless each stands there once. A raw + is a plus: no number holds a space. */
function readQuestion(query: string): Question | undefined {
  const parameters = new URLSearchParams(query.replaceAll("+", "%2B"));
  const [source, number] = ["source", "number"].map((name) => parameters.getAll(name));
  if (source?.length !== 1 || number?.length !== 1) return undefined;
  const question = { source: source[0]!, number: number[0]! };
  return isIP(question.source) !== 0 && /^\+?[0-9]{1,32}$/.test(question.number) ? question : undefined;
}

const isLoopback = (address: string): boolean => address === "::1" || /^127\./.test(address);

/** Undefined where it cannot be told in time. */
async function mayAsk(asker: string, { upstreamUrls, addresses }: InboundOptions): Promise<boolean | undefined> {
  if (isLoopback(asker)) return true;
  const hosts = upstreamUrls().map((url) => new URL(url).hostname.replace(/^\[|\]$/g, ""));
  const answers = await Promise.all(hosts.map((host) => addresses.has(host, asker)));
  if (answers.includes(true)) return true;
  return answers.includes(undefined) ? undefined : false;
}

/** Whose number it is, and whether the call came from an address of that customer's own trunk. */
export async function judgeInbound(
  question: Question | undefined,
  { customers, addresses }: Pick<InboundOptions, "customers" | "addresses">,
): Promise<InboundVerdict> {
  if (!question) return refused(400, "message-malformed", "source must be an IP address and number digits, each once");
  const recipients = customers()
    .recipientsOf(question.number)
    .filter(({ customer }) => customer.domains.length > 0);
  if (recipients.length === 0) {
    return refused(404, "destination-denied", "nobody takes calls to this number: add it to inbound of its customer");
  }
  const there = await Promise.all(recipients.map(({ customer }) => cameFrom(customer, question.source, addresses)));
  const [found, another] = recipients.filter((_, at) => there[at] === true);
  if (!found) {
    const unknown = recipients.find((_, at) => there[at] === undefined);
    return unknown ? unresolved(unknown.customer) : foreign;
  }
  if (another && customers().recipientOf(question.number)?.customer !== found.customer) return alike;
  if (found.customer.suspended !== undefined) return suspended;
  const { customer, user } = found;
  return { kind: "deliver", deliver: [`sip:${user}@${customer.domains[0]}`], customer: customer.id };
}

/** Whether an address is of a customer's trunks; undefined where that cannot be told in time. */
async function cameFrom({ trunk, trunk2 = [] }: Customer, source: string, addresses: Addresses) {
  const trunks = [...(trunk === undefined ? [] : [trunk]), ...trunk2];
  const answers = await Promise.all(trunks.map((one) => isOf(one, source, addresses)));
  if (answers.includes(true)) return true;
  return answers.includes(undefined) ? undefined : false;
}

const alike = refused(
  403,
  "permission-missing",
  "numbers of several customers of this trunk are written so: have it send them with country code",
);

const foreign = refused(403, "permission-missing", "the source is no address of the trunk of the number's owner");

const suspended = refused(403, "credential-revoked", "the owner of the number is suspended");

const unresolved = ({ id }: Customer): InboundVerdict =>
  refused(
    503,
    "upstream-unavailable",
    `the trunk of customer ${id} cannot be resolved now: look at its name and at DNS`,
  );

/** Whether the address is one of a trunk URI's host. A name without port may be one of SRV records (RFC 3263 §4.2). */
function isOf(trunk: string, source: string, addresses: Addresses): Promise<boolean | undefined> {
  const found = /^(sips?):(?:[^@]*@)?(\[[^\]]*\]|[^:;?]+)(:\d+)?/i.exec(trunk);
  const [, scheme = "", host = "", port] = found ?? [];
  const name = host.replace(/^\[|\]$/g, "").toLowerCase();
  const services = scheme.toLowerCase() === "sips" ? ["_sips._tcp"] : ["_sip._udp", "_sip._tcp", "_sips._tcp"];
  const srv = port === undefined ? services.map((service) => `${service}.${name}`) : [];
  return addresses.has(name, source, srv);
}
