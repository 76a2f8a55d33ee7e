import { afterEach, describe, expect, it } from "vitest";
import type { Proof } from "../../../src/auth/authenticator.ts";
import type { Conferences } from "../../../src/core/conferences.ts";
import type { Customer, Narrowing } from "../../../src/core/identity.ts";
import { type Permission, permissions } from "../../../src/core/identity.ts";
import type { ConferenceEvent, StatsReport, Taken } from "../../../src/core/reports.ts";
import type { IntakeParts } from "../../../src/reports/intake.ts";
import { customer, identity } from "../../helpers/customers.ts";
import { type ExchangeParts, type PublicServer, startPublic } from "../../helpers/exchange.ts";

const page = "https://www.acme.example";
const acme = customer({ origins: [page], domains: ["acme.example", "b.example"] });
const open: Customer = { ...acme, originReports: true };
const proofOf = (narrowing: Narrowing = {}, of = acme): Proof => ({
  kind: "proved",
  identity: identity(of, { narrowing }),
});
const tokens: NonNullable<ExchangeParts["tokens"]> = {
  full: proofOf(),
  ...Object.fromEntries(permissions.map((one) => [one, proofOf({ permissions: [one] })])),
  none: proofOf({ permissions: [] }),
  allButEnd: proofOf({ permissions: permissions.filter((one) => one !== "*" && one !== "TerminateConference") }),
  forOne: proofOf({ permissions: ["*"], conference: "c-1" }),
};

interface Kept {
  readonly events: ConferenceEvent[];
  readonly stats: StatsReport[];
  readonly ended: Parameters<IntakeParts["end"]>[];
  answer: Taken;
}
let server: PublicServer & Kept;
afterEach(() => server?.close());

async function start(parts: ExchangeParts & { readonly conferences?: Conferences["ownersOf"] } = {}): Promise<void> {
  const kept: Kept = { events: [], stats: [], ended: [], answer: "taken" };
  const { conferences: ownersOf = () => undefined, ...more } = parts;
  const reporting: ExchangeParts["reporting"] = {
    conferences: { ownersOf },
    reports: {
      event: (one) => {
        kept.events.push(one);
        return kept.answer;
      },
      stats: (one) => {
        kept.stats.push(one);
        return kept.answer;
      },
    },
    end: (...one) => void kept.ended.push(one),
  };
  server = Object.assign(await startPublic({ customers: [acme], tokens, ...more, reporting }), kept);
  Object.defineProperty(server, "answer", { set: (answer: Taken) => (kept.answer = answer) });
}

interface Ask {
  readonly token?: string;
  readonly headers?: Record<string, string>;
}
const json = { "content-type": "application/json" };

async function post(path: "events" | "stats", body: unknown, { token, headers = json }: Ask = {}) {
  const bearer = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const response = await fetch(`${server.url}/v1/${path}`, {
    ...{ method: "POST", headers: { ...headers, ...bearer } },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  const answer = (await response.json()) as Record<string, unknown>;
  return { status: response.status, code: answer.code, answer, headers: response.headers };
}
const told = ({ status, code }: { status: number; code?: unknown }) => [status, code];

const event = (name = "userJoined", more: object = {}) => ({
  conferenceID: "c-1",
  event: name,
  userID: "alice",
  ...more,
});
const own = { user: "alice", domain: "acme.example", call: "1", stands: true, named: false };
const stats = [{ type: "inbound-rtp", id: "I", packetsReceived: 5, packetsLost: 1 }];
const report = (more: object = {}) => ({ conferenceID: "c-1", userID: "alice", stats, ...more });
const bridgeReport = { bridgeID: "b-1", stats: [{ type: "bridge", id: "B", load: 0.5 }] };

const taken = [202, undefined];
const missing = [403, "permission-missing"];
const mismatch = [403, "identity-mismatch"];

describe("what is told under a token", () => {
  it("is handed on as the user of the token, at the gateway's time", async () => {
    await start();
    const at = server.context.clock.ms;
    const { answer, status } = await post("events", event("userLeft", { ago: 2000 }), { token: "full" });
    expect([status, answer]).toEqual([202, { taken: 1 }]);
    expect((await post("stats", { reports: [report(), bridgeReport] }, { token: "full" })).answer).toEqual({
      taken: 2,
    });
    const who = { customer: "acme", user: "alice", domain: "acme.example" };
    expect(server.events).toEqual([{ ...who, conference: "c-1", event: "userLeft", at: at - 2000 }]);
    expect(server.stats).toEqual([
      { ...who, at, conference: "c-1", figures: { direction: "received", packetsReceived: 5, packetsLost: 1 } },
      { ...who, at, bridge: "b-1", figures: { load: 0.5 } },
    ]);
  });

  it("may have the token in its body, and be text to a browser that leaves", async () => {
    await start();
    const headers = { "content-type": "text/plain;charset=UTF-8", origin: page };
    const inBody = await post("events", { data_token: "full", events: [event(), event("userLeft")] }, { headers });
    expect([inBody.status, inBody.answer]).toEqual([202, { taken: 2 }]);
    expect(told(await post("events", { data_token: "wrong", ...event() }, { headers }))).toEqual([
      401,
      "credential-rejected",
    ]);
    expect(told(await post("events", { data_token: "full", ...event() }, { token: "full" }))).toEqual([
      400,
      "message-malformed",
    ]);
  });

  it("is taken with numbers as getStats() has them, and in no other JSON", async () => {
    await start();
    const pair = '{"type":"candidate-pair","id":"P","priority":9115005270282338000}';
    const body = (more: string) => `{"conferenceID":"c-1","userID":"alice","stats":[${pair}]${more}}`;
    expect(told(await post("stats", body(""), { token: "full" }))).toEqual(taken);
    for (const more of [',"ago":1e999', ',"ago":1,"ago":1', ',"ago":[[[[[[[[[]]]]]]]]]', ","]) {
      expect(told(await post("stats", body(more), { token: "full" })), more).toEqual([400, "message-malformed"]);
    }
    for (const text of ["[]", "5", '"x"', "", "null"]) {
      expect(told(await post("events", text, { token: "full" })), text).toEqual([400, "message-malformed"]);
    }
    const big = event("userJoined", { detail: { a: "x".repeat(65_536) } });
    expect(told(await post("events", big, { token: "full" }))).toEqual([413, "message-too-big"]);
    const form = { headers: { "content-type": "application/x-www-form-urlencoded" }, token: "full" };
    expect((await post("events", "a=b", form)).status).toBe(415);
  });

  it("is told all that is wrong with it, and none of it is taken then", async () => {
    await start();
    const wrong = await post("events", { events: [event(), event("gone"), {}] }, { token: "full" });
    expect([wrong.status, wrong.answer.errors]).toEqual([
      400,
      [
        { path: "events[1].event", message: expect.stringMatching(/^is none of conferenceStarted, /) },
        ...["conferenceID", "event", "userID"].map((name) => ({ path: `events[2].${name}`, message: "is missing" })),
      ],
    ]);
    expect(server.events).toEqual([]);
  });

  it("says to a token that is not right how to go on, and to none at all", async () => {
    await start();
    for (const ask of [{}, { token: "unknown" }]) {
      const refused = await post("events", event(), ask);
      expect(told(refused)).toEqual([401, "credential-rejected"]);
      expect(refused.headers.get("www-authenticate")).toMatch(/^Bearer /);
    }
    const basic = { headers: { ...json, authorization: "Basic YTpi" } };
    expect(told(await post("events", event(), basic))).toEqual([400, "message-malformed"]);
    const codes = await Promise.all(Array.from({ length: 80 }, () => post("events", event(), { token: "guess" })));
    expect(codes.map(({ code }) => code)).toContain("rate-limited");
  });
});

/** What takes which permission. */
const needs: readonly (readonly [Permission, "events" | "stats", object])[] = [
  ["CreateConference", "events", event("conferenceStarted")],
  ["TerminateConference", "events", event("conferenceEnded")],
  ["SubmitConferenceEvent", "events", event("audioMuted")],
  ["SubmitBridgeEvent", "events", event("bridgeJoined")],
  ["SubmitConferenceStats", "stats", report()],
  ["SubmitBridgeStats", "stats", bridgeReport],
];

describe("a permission", () => {
  it.each(needs)("%s is needed, and enough, in %s for %j", async (permission, path, body) => {
    await start();
    for (const token of [permission, "*", "full"])
      expect(told(await post(path, body, { token })), token).toEqual(taken);
    const others = permissions.filter((one) => one !== "*" && one !== permission);
    for (const token of [...others, "none"]) {
      const refused = await post(path, body, { token });
      expect(told(refused), token).toEqual(missing);
      expect(refused.answer.detail).toContain(permission);
    }
    expect(server.events.length + server.stats.length).toBe(3);
  });

  it("that one of a batch lacks refuses the whole, and says which", async () => {
    await start({ conferences: () => [own] });
    const body = { events: [event(), event("conferenceEnded")] };
    const refused = await post("events", body, { token: "allButEnd" });
    expect([...told(refused), refused.answer.errors]).toEqual([
      ...missing,
      [{ path: "events[1]", message: expect.stringContaining("TerminateConference") }],
    ]);
    expect([server.events, server.ended]).toEqual([[], []]);
    expect((await post("events", body, { token: "full" })).answer).toEqual({ taken: 2 });
    expect(server.ended).toEqual([["acme", "c-1", false]]);
  });
});

describe("whose it is", () => {
  it("is nobody's to end who is not known to be in it, and whose token does not name it", async () => {
    await start();
    const end = event("conferenceEnded");
    for (const token of ["full", "*", "TerminateConference"])
      expect(told(await post("events", end, { token }))).toEqual(taken);
    expect([server.events.length, server.ended]).toEqual([3, []]);
    expect(told(await post("events", end, { token: "forOne" }))).toEqual(taken);
    expect(server.ended).toEqual([["acme", "c-1", true]]);
  });

  it.each(["bob", "alice@b.example", "alice@globex.example", "@", "a lice"])(
    "is not %s's to tell under alice's token",
    async (userID) => {
      await start();
      for (const [path, body] of [
        ["events", event("userJoined", { userID })],
        ["stats", report({ userID })],
      ] as const) {
        const { status, code } = await post(path, body, { token: "full" });
        expect([status, code]).toEqual(userID === "a lice" ? [400, "message-malformed"] : mismatch);
      }
      expect(
        told(await post("events", event("userJoined", { userID: "alice@ACME.example" }), { token: "full" })),
      ).toEqual(taken);
    },
  );

  it("is one's own call, or one that nobody knows; with the token's word any of its customer's", async () => {
    const part = { domain: "acme.example", call: "1", stands: true, named: false };
    const calls: Record<string, ReturnType<Conferences["ownersOf"]>> = {
      own: [
        { ...part, user: "bob" },
        { ...part, user: "alice" },
      ],
      bobs: [{ ...part, user: "bob" }],
      namesakes: [{ ...part, user: "alice", domain: "b.example" }],
      others: [],
      "c-1": [{ ...part, user: "bob" }],
    };
    await start({ conferences: (_customer, conferenceID) => calls[conferenceID] });
    const ask = async (conferenceID: string, token = "full") => [
      told(await post("events", event("userJoined", { conferenceID }), { token })),
      told(await post("stats", report({ conferenceID }), { token })),
    ];
    for (const known of ["own", "unknown"]) expect(await ask(known), known).toEqual([taken, taken]);
    for (const foreign of ["bobs", "namesakes", "others", "c-1"])
      expect(await ask(foreign), foreign).toEqual([mismatch, mismatch]);
    expect(await ask("c-1", "forOne")).toEqual([taken, taken]);
  });

  it("is that of the one conference that a token opens", async () => {
    await start();
    const token = "forOne";
    expect(told(await post("events", event(), { token }))).toEqual(taken);
    expect(told(await post("events", event("userJoined", { conferenceID: "c-2" }), { token }))).toEqual(mismatch);
    expect(told(await post("stats", bridgeReport, { token }))).toEqual(mismatch);
  });
});

describe("what is told by a page's origin alone", () => {
  const ask = { headers: { ...json, origin: page } };
  const by = { appID: "acme" };

  it("is taken where the customer allows it, and marked", async () => {
    await start({ customers: [open] });
    expect(
      told(await post("events", { ...by, ...event("conferenceStarted", { userID: "any.body@b.example" }) }, ask)),
    ).toEqual(taken);
    expect(told(await post("stats", { ...by, reports: [report()] }, ask))).toEqual(taken);
    expect(server.events).toMatchObject([{ user: "any.body", domain: "b.example", unproved: true }]);
    expect(server.stats).toMatchObject([{ user: "alice", unproved: true }]);
  });

  it("may name the customer by a number, and by nothing else", async () => {
    await start({ customers: [{ ...open, id: "12345" }] });
    const answers = await Promise.all(
      [12345, "12345", 1.5, [], null].map((appID) => post("events", { appID, ...event() }, ask)),
    );
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 400, 400, 400]);
  });

  it("never ends a conference, nor is anybody else's", async () => {
    const part = { ...own, user: "bob" };
    await start({ customers: [open], conferences: (_customer, id) => (id === "bobs" ? [part] : undefined) });
    expect(told(await post("events", { ...by, ...event("conferenceEnded") }, ask))).toEqual(missing);
    for (const userID of ["alice@globex.example", "x".repeat(65)]) {
      expect(told(await post("events", { ...by, ...event("userJoined", { userID }) }, ask))).toEqual(mismatch);
    }
    expect(told(await post("events", { ...by, ...event("userJoined", { conferenceID: "bobs" }) }, ask))).toEqual(
      mismatch,
    );
    expect(told(await post("stats", { ...by, ...bridgeReport }, ask))).toEqual(mismatch);
    expect([server.events, server.ended]).toEqual([[], []]);
  });

  it.each([
    ["the customer does not allow it", acme, { origin: page }],
    ["any origin would be right", { ...open, origins: [] }, { origin: page }],
    ["the customer is suspended", { ...open, suspended: "finish" } as const, { origin: page }],
    ["the origin is another", open, { origin: "https://evil.example" }],
    ["the page hides", open, { origin: "null" }],
    ["a Referer alone says it", open, { referer: `${page}/call` }],
    ["there is no page", open, {}],
    ["nobody is called so", { ...open, id: "globex" }, { origin: page }],
  ])("is refused alike where %s", async (_what, only: Customer, headers: Record<string, string>) => {
    await start({ customers: [only] });
    const { status, code, answer } = await post("events", { ...by, ...event() }, { headers: { ...json, ...headers } });
    expect([status, code]).toEqual([403, "origin-denied"]);
    expect(answer.detail).toMatch(/^nobody of this appID/);
    expect(server.events).toEqual([]);
  });

  it("is asked ten times a second by an address at most", async () => {
    await start({ customers: [open] });
    const codes = await Promise.all(Array.from({ length: 20 }, () => post("events", { ...by, ...event() }, ask)));
    const few = codes.filter(({ status }) => status === 429);
    expect([few.length, few[0]?.headers.get("retry-after")]).toEqual([10, "1"]);
  });
});

describe("pages", () => {
  it("are let ask by a preflight, and read the answer where they are the customer's", async () => {
    await start();
    const preflight = (origin: string) =>
      fetch(`${server.url}/v1/stats`, {
        method: "OPTIONS",
        headers: { origin, "access-control-request-method": "POST", "access-control-request-headers": "authorization" },
      });
    const granted = await preflight(page);
    expect([granted.status, granted.headers.get("access-control-allow-headers")]).toEqual([
      204,
      "authorization, content-type",
    ]);
    expect((await preflight("https://evil.example")).status).toBe(403);
    const { headers, status } = await post("stats", report(), { token: "full", headers: { ...json, origin: page } });
    expect([status, headers.get("access-control-allow-origin"), headers.get("access-control-expose-headers")]).toEqual([
      ...[202, page, "retry-after"],
    ]);
    const evil = { token: "full", headers: { ...json, origin: "https://evil.example" } };
    const denied = await post("stats", report(), evil);
    expect([...told(denied), denied.headers.get("access-control-allow-origin")]).toEqual([403, "origin-denied", null]);
  });

  it("of another customer do not read what is answered to a proof", async () => {
    const theirs = "https://www.globex.example";
    await start({ customers: [acme, customer({ id: "globex", domains: ["globex.example"], origins: [theirs] })] });
    const ask = async (token: string) => {
      const answer = await post("stats", report(), { token, headers: { ...json, origin: theirs } });
      return [...told(answer), answer.headers.get("access-control-allow-origin")];
    };
    expect(await ask("full")).toEqual([403, "origin-denied", null]);
    expect(await ask("unknown")).toEqual([401, "credential-rejected", theirs]);
  });
});

describe("too much", () => {
  it("is refused with when to come again", async () => {
    await start();
    const batch = { events: Array.from({ length: 100 }, () => event()) };
    expect(told(await post("events", batch, { token: "full" }))).toEqual(taken);
    const refused = await post("events", batch, { token: "full" });
    expect([...told(refused), refused.headers.get("retry-after")]).toEqual([429, "rate-limited", "60"]);
    expect(server.events).toHaveLength(100);
  });

  it("is of another conference, and of a bridge of the same name, another thing", async () => {
    await start();
    const batch = { reports: Array.from({ length: 20 }, () => report()) };
    const ask = async (body: object) => told(await post("stats", body, { token: "full" }));
    expect([await ask(batch), await ask(batch), await ask(batch)]).toEqual([taken, taken, taken]);
    expect(await ask(report())).toEqual([429, "rate-limited"]);
    expect(await ask(report({ conferenceID: "c-2" }))).toEqual(taken);
    expect(await ask({ ...bridgeReport, bridgeID: "c-1" })).toEqual(taken);
  });

  it("is also what has no room where it is kept; a conference ends all the same", async () => {
    await start({ conferences: () => [own] });
    Object.assign(server, { answer: "full" });
    const refused = await post("events", event("conferenceEnded"), { token: "full" });
    expect([...told(refused), refused.headers.get("retry-after")]).toEqual([503, "limit-reached", "60"]);
    expect(server.ended).toEqual([["acme", "c-1", false]]);
    expect(told(await post("stats", report(), { token: "full" }))).toEqual([503, "limit-reached"]);
  });

  it("is anything while the gateway has more to do than it can, and nothing while it drains", async () => {
    await start({ overloaded: () => true, customers: [open] });
    const by = { appID: "acme", ...event() };
    expect(told(await post("events", event(), { token: "full" }))).toEqual([503, "limit-reached"]);
    expect(told(await post("events", by, { headers: { ...json, origin: page } }))).toEqual([503, "limit-reached"]);
    await server.close();
    await start({ draining: () => true });
    expect(told(await post("events", event(), { token: "full" }))).toEqual(taken);
  });
});
