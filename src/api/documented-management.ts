import { type Answer, type DocumentedRoute, json, problem, problems } from "./documented-route.ts";
import type { SchemaName } from "./schemas.ts";

interface Managed {
  readonly summary: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: SchemaName | Answer;
  /** Of a 200; with `created` of a 201 too, or instead. */
  readonly answer?: SchemaName;
  readonly created?: SchemaName;
  /** Further statuses. */
  readonly more?: readonly number[];
  /** The customer stays as it is: whatever its state, and of the config too. */
  readonly leavesCustomer?: true;
}

const conditional = { "If-Match?": "the ETag that the customer must have, or *" };
const repeatable = { "Idempotency-Key?": "a name of this request: sent again within 24 h it is done once" };

type Method = DocumentedRoute["method"];

/** What every route of management refuses, and what its method and path may. */
function statuses(method: Method, path: string, { body, leavesCustomer, more = [] }: Managed): number[] {
  const changes = method !== "get" && !leavesCustomer;
  const all = [400, 401, 429, 503, ...more];
  if (path.includes("{id}")) all.push(404, ...(changes ? [409, 412] : []));
  if (changes && body) all.push(413, 422);
  return [...new Set(all)];
}

/** A route of management, with all that every one of them refuses. */
export function route(method: Method, path: string, managed: Managed): DocumentedRoute {
  const { summary, query, body, answer, created, leavesCustomer } = managed;
  const headers = {
    ...(method !== "get" && path.includes("{id}") && !leavesCustomer && conditional),
    ...(method === "post" && repeatable),
  };
  return {
    ...{ port: "private", method, path, summary, headers, credentials: ["opentok", "bearer"] },
    ...(query && { query }),
    ...(body && { body: typeof body === "string" ? { [json]: body } : body }),
    answers: {
      ...(answer && { 200: { [json]: answer } }),
      ...(created && { 201: { [json]: created } }),
      ...(!answer && !created && { 204: {} }),
      ...problems(...statuses(method, path, managed)),
      403: { ...problem, [json]: "OpenTokRefusal" },
    },
  };
}

const one = "/v1/customers/{id}";
const page = { "after?": "those after this id", "limit?": "at most so many, up to 500" };

const calls = {
  "user?": "a user, or user@domain",
  "number?": "a telephone number, whole, in any spelling",
  "callId?": "SIP's Call-ID",
  "since?": "that began then or later: ISO 8601 or Unix seconds",
  "until?": "that began before: ISO 8601 or Unix seconds",
  "after?": "those after this id: `next` of the answer before",
  "limit?": "at most so many, up to 500; default 100",
};

const quality = {
  "callId?": "SIP's Call-ID",
  "bridge?": "of this bridge, hour by hour",
  "since?": "first told of then or later: ISO 8601 or Unix seconds",
  "until?": "first told of before: ISO 8601 or Unix seconds",
  "after?": "those after this id: `next` of the answer before",
  "limit?": "at most so many, up to 500; default 100",
};

const audit = {
  "by?": "by these alone, as in operator:ops",
  "since?": "from then on: ISO 8601 or Unix seconds",
  "before?": "entries before this one: `before` of the answer before",
  "limit?": "at most so many, up to 500; default 100",
};

/** A list of texts: which query names one of them. */
const list = (
  part: string,
  name: string,
  what: string,
  names: { body: SchemaName; all: SchemaName },
): DocumentedRoute[] => [
  route("get", `${one}/${part}`, { summary: `Its ${what}`, answer: names.all }),
  route("post", `${one}/${part}`, {
    summary: `One more of its ${what}`,
    body: names.body,
    answer: names.body,
    created: names.body,
  }),
  route("delete", `${one}/${part}`, { summary: `One less of its ${what}`, query: { [name]: "which" } }),
];

/** `me` stands for the customer whose API key asks. */
export const managementRoutes: readonly DocumentedRoute[] = [
  route("get", "/v1/customers", { summary: "All customers, for an operator", query: page, answer: "Customers" }),
  route("post", "/v1/customers", {
    summary: "A new customer, by an operator",
    body: "NewCustomer",
    created: "Created",
    more: [409],
  }),
  route("post", "/v1/customers/import", {
    summary: "Up to 20000 customers in one transaction, by an operator",
    query: { "replace?": "true: those that are there already are replaced", "check?": "true: only say what is faulty" },
    body: { "application/jsonl": "JsonLines", "application/x-ndjson": "JsonLines", "text/csv": "Csv" },
    ...{ answer: "Imported", more: [409] },
  }),
  route("get", one, { summary: "A customer, without its secrets; `me`: oneself", answer: "Customer" }),
  route("put", one, {
    summary: "Another customer in its place, by an operator",
    body: "NewCustomer",
    answer: "Customer",
  }),
  route("patch", one, {
    summary: "Some of its members (RFC 7396), as far as they are the manager's",
    body: { [json]: "CustomerPatch", "application/merge-patch+json": "CustomerPatch" },
    answer: "Customer",
  }),
  route("get", `${one}/secrets`, { summary: "Its secrets, newest first", answer: "Secrets" }),
  route("post", `${one}/secrets`, {
    summary: "A new secret, shown this once where it is made here",
    body: "NewSecret",
    created: "CreatedSecret",
  }),
  route("post", `${one}/secrets/{secret}/promote`, { summary: "Make it the newest", answer: "Secrets" }),
  route("post", `${one}/secrets/{secret}/retire`, { summary: "Let it end", body: "Retire", answer: "Retired" }),
  route("delete", `${one}/secrets/{secret}`, { summary: "Revoke it now: sockets that it proved are closed" }),
  route("get", `${one}/keys`, { summary: "The keys that its JWTs are verified with", answer: "Keys" }),
  route("post", `${one}/keys`, { summary: "One more", body: "NewKey", created: "Created" }),
  route("delete", `${one}/keys/{key}`, { summary: "One less" }),
  route("get", `${one}/api-keys`, { summary: "What its servers manage it with", answer: "ApiKeys" }),
  route("post", `${one}/api-keys`, {
    summary: "One more, by an operator",
    body: "NewApiKey",
    created: "CreatedApiKey",
  }),
  route("delete", `${one}/api-keys/{key}`, { summary: "One less, by an operator" }),
  ...list("origins", "origin", "origins", { body: "Origin", all: "Origins" }),
  ...list("call-from", "address", "From addresses", { body: "Address", all: "CallFrom" }),
  ...list("numbers", "number", "numbers", { body: "NumberPattern", all: "Numbers" }),
  ...list("dial", "number", "further numbers to dial", { body: "NumberPattern", all: "Dial" }),
  route("get", `${one}/inbound`, { summary: "Who gets calls to which number", answer: "Inbound" }),
  route("post", `${one}/inbound`, {
    summary: "Lead a number to a user",
    body: "InboundEntry",
    created: "InboundEntry",
  }),
  route("delete", `${one}/inbound`, { summary: "Lead a number to nobody", query: { number: "which" } }),
  route("get", `${one}/revocations`, { summary: "Who or what is refused for a while", answer: "Revocations" }),
  route("post", `${one}/revocations`, {
    summary: "Refuse a user, credential, jti or handle",
    body: "Revocation",
    created: "Revocation",
  }),
  route("delete", `${one}/revocations`, {
    summary: "Take it again",
    query: { "user?": "one of these", "credential?": "", "jti?": "", "handle?": "" },
  }),
  route("post", `${one}/suspend`, {
    summary: "Take nothing new of it, by an operator",
    body: "Suspend",
    answer: "Suspended",
  }),
  route("post", `${one}/resume`, { summary: "Take it again, by an operator", answer: "Suspended" }),
  route("get", `${one}/calls`, { summary: "Its call records, the latest first", query: calls, answer: "CallRecords" }),
  route("get", "/v1/calls", {
    summary: "Call records of all customers, the latest first, for an operator",
    query: { "customer?": "of this one alone", ...calls },
    answer: "CallRecords",
  }),
  route("get", `${one}/quality`, {
    summary: "How its calls sounded, as their participants told it, the latest first",
    ...{ query: quality, answer: "CallsQuality" },
  }),
  route("get", "/v1/quality", {
    summary: "The same of all customers, for an operator",
    query: { "customer?": "of this one alone", ...quality },
    answer: "CallsQuality",
  }),
  route("get", "/v1/sessions", {
    summary: "Connections of this gateway on which somebody was proved: all of them, or a customer's own",
    query: page,
    answer: "Sessions",
  }),
  route("get", "/v1/live-calls", {
    summary: "Calls that ring or stand on this gateway: all of them, or a customer's own",
    query: page,
    answer: "LiveCalls",
  }),
  route("get", `${one}/sessions`, { summary: "Connections of its users", query: page, answer: "Sessions" }),
  route("get", `${one}/live-calls`, {
    summary: "Calls of its users that ring or stand",
    query: page,
    answer: "LiveCalls",
  }),
  route("delete", `${one}/sessions/{session}`, {
    summary: "End one: it is closed with 4403",
    query: { "calls?": "end (default), or finish: when its last call has ended" },
    leavesCustomer: true,
  }),
  route("delete", `${one}/live-calls/{call}`, { summary: "Hang one up at both ends", leavesCustomer: true }),
  route("get", `${one}/refusals`, {
    summary: "What this gateway refused it lately, the latest first",
    answer: "Refusals",
  }),
  route("get", `${one}/uses`, { summary: "How often its secrets and keys proved a request", answer: "Uses" }),
  route("get", `${one}/audit`, { summary: "Who changed it", query: audit, answer: "AuditEntries" }),
  route("get", "/v1/audit", {
    summary: "Who changed what, for an operator",
    query: { "customer?": "of this one alone", ...audit },
    answer: "AuditEntries",
  }),
  route("delete", one, { summary: "Remove it, by an operator: its sockets are closed" }),
];
