import { once } from "node:events";
import { createServer, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import type { Customer } from "../../src/core/identity.ts";
import { Application, type Asked, askDataToken } from "../helpers/application.ts";
import { customer } from "../helpers/customers.ts";
import { type ExchangeParts, type PublicServer, startPublic } from "../helpers/exchange.ts";
import { signer, signToken, verificationKey } from "../helpers/tokens.ts";

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

async function application(): Promise<Application> {
  const made = await Application.start();
  ends.push(() => made.stop());
  return made;
}

async function serve(customers: readonly Customer[], parts: ExchangeParts = {}): Promise<PublicServer> {
  const server = await startPublic({ customers, wall: true, ...parts });
  ends.unshift(() => server.close());
  return server;
}

/** Whose application answers under the key j1. */
const withApplication = ({ signer: { jwk }, url }: Application, changes: Partial<Customer> = {}): Customer =>
  customer({ keys: [verificationKey("ES256", { kind: "jwk", jwk })], permissionUrl: url, ...changes });

interface Refused {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
}

async function refusal(answered: Promise<Response>): Promise<Refused> {
  const { status, code, detail } = (await (await answered).json()) as Refused;
  return { status, code, detail };
}

type Answering = (asked: Asked, response: ServerResponse, acme: Application) => void | Promise<void>;
interface Attack {
  readonly name: string;
  readonly answering: Answering;
  readonly status: 403 | 503;
  readonly detail: RegExp;
}

const unsigned = (claims: object): string =>
  `${[{ alg: "none" }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".")}.`;
const permit =
  (changes: (asked: Asked, acme: Application) => object): Answering =>
  (asked, response, acme) =>
    acme.permit(asked, response, changes(asked, acme));
const say =
  (token: (asked: Asked, acme: Application) => string | Promise<string>): Answering =>
  async (asked, response, acme) =>
    acme.say(response, 200, { permission_token: await token(asked, acme) });
/** Another customer's, whose key id is the same. */
const globexSigner = signer("ES256");
const now = (): number => Math.floor(Date.now() / 1000);

const unfit: readonly Omit<Attack, "status">[] = [
  { name: "another user", answering: permit(() => ({ userID: "bob" })), detail: /userID is not that/ },
  {
    name: "the user of another domain",
    answering: permit(() => ({ userID: "alice@globex.example" })),
    detail: /userID is not that/,
  },
  { name: "nobody", answering: permit(() => ({ userID: undefined })), detail: /has no user/ },
  { name: "another audience", answering: permit(() => ({ aud: "wss://sip.globex.example" })), detail: /aud is not/ },
  { name: "no audience", answering: permit(() => ({ aud: undefined })), detail: /aud is not/ },
  { name: "an old nonce", answering: permit(() => ({ nonce: "an-older-one" })), detail: /nonce is not/ },
  { name: "no nonce", answering: permit(() => ({ nonce: undefined })), detail: /nonce is not/ },
  { name: "no end", answering: permit(() => ({ exp: undefined })), detail: /has no exp/ },
  { name: "an end that is over", answering: permit(() => ({ exp: now() - 5 })), detail: /has ended/ },
  { name: "a beginning to come", answering: permit(() => ({ nbf: now() + 60 })), detail: /not yet valid/ },
  { name: "another appID", answering: permit(() => ({ appID: "globex" })), detail: /appID is another/ },
  { name: "no permissions", answering: permit(() => ({ permissions: undefined })), detail: /has no permissions/ },
  { name: "permissions as a text", answering: permit(() => ({ permissions: "*" })), detail: /permissions is no list/ },
  {
    name: "10,000 permissions",
    answering: permit(() => ({ permissions: Array<string>(10_000).fill("*") })),
    detail: /too big/,
  },
  {
    name: "450 permissions",
    answering: permit(() => ({ permissions: Array<string>(450).fill("CreateConference") })),
    detail: /longer than 8192/,
  },
  {
    name: "51 permissions",
    answering: permit(() => ({ permissions: Array<string>(51).fill("*") })),
    detail: /permissions is no list/,
  },
  {
    name: "an unknown permission",
    answering: permit(() => ({ permissions: ["CreateConference", "Everything"] })),
    detail: /permissions is no list of names among/,
  },
  {
    name: "a conferenceID with a line end",
    answering: permit(() => ({ conferenceID: "a\r\nb" })),
    detail: /conferenceID/,
  },
  {
    name: "a conferenceID of 300",
    answering: permit(() => ({ conferenceID: "c".repeat(300) })),
    detail: /conferenceID/,
  },
  { name: "one call", answering: permit(() => ({ oneCall: true })), detail: /has oneCall/ },
  {
    name: "unsigned (alg none)",
    answering: say((asked, acme) => unsigned(acme.claims(asked))),
    detail: /no signature|alg is none/,
  },
  {
    name: "without signature",
    answering: say(async (asked, acme) => (await acme.token(acme.claims(asked))).replace(/[^.]+$/, "")),
    detail: /no signature/,
  },
  {
    name: "signed by another customer's key",
    answering: say((asked, acme) => acme.token(acme.claims(asked), {}, globexSigner.private)),
    detail: /signed by no key/,
  },
  {
    name: "under HS256 with the public key",
    answering: say((asked, acme) => signToken({ alg: "HS256", kid: "j1" }, acme.claims(asked), acme.signer.pem)),
    detail: /signed by no key/,
  },
  {
    name: "under a key that it brings itself",
    answering: say((asked, acme) => acme.token(acme.claims(asked), { jwk: globexSigner.jwk }, globexSigner.private)),
    detail: /brings its own key/,
  },
  {
    name: "of another typ",
    answering: say((asked, acme) => acme.token(acme.claims(asked), { typ: "getPermissionToken+jwt" })),
    detail: /typ is not JWT/,
  },
  { name: "no JWS", answering: say(() => "yes"), detail: /no compact JWS/ },
  {
    name: "the gateway's own question back",
    answering: (_asked, response, acme) => acme.say(response, 200, { permission_token: acme.messages.at(-1) ?? "" }),
    detail: /typ is not JWT|signed by no key/,
  },
  {
    name: "members twice",
    answering: async (asked, response, acme) => {
      const good = await acme.token(acme.claims(asked));
      acme.say(response, 200, `{"permission_token":"x","permission_token":"${good}"}`);
    },
    detail: /member twice/,
  },
  {
    name: "claims twice",
    answering: say((asked, acme) => twice(asked, acme)),
    detail: /member twice/,
  },
  { name: "a list", answering: (_asked, response, acme) => acme.say(response, 200, "[]"), detail: /no JSON object/ },
  {
    name: "HTML",
    answering: (_asked, response, acme) => acme.say(response, 200, "<html>"),
    detail: /JSON is malformed/,
  },
  {
    name: "nothing, with 204",
    answering: (_asked, response, acme) => acme.say(response, 204, ""),
    detail: /answers 204/,
  },
  {
    name: "redirects",
    answering: (_asked, response, acme) => void response.writeHead(307, { location: `${acme.url}/elsewhere` }).end(),
    detail: /redirects/,
  },
  {
    name: "answers 10 MB",
    answering: (_asked, response, acme) => acme.say(response, 200, "x".repeat(10_000_000)),
    detail: /too big/,
  },
  {
    name: "answers 10 MB without saying so",
    answering: (_asked, response) => {
      response.writeHead(200);
      for (let piece = 0; piece < 10 && !response.destroyed; piece++) response.write("x".repeat(1_000_000));
      response.end();
    },
    detail: /too big/,
  },
];

/** Rightly signed over a payload that has a claim twice. */
async function twice(asked: Asked, acme: Application): Promise<string> {
  const { CompactSign } = await import("jose");
  const text = JSON.stringify(acme.claims(asked)).replace("{", '{"permissions":[],');
  return new CompactSign(Buffer.from(text)).setProtectedHeader({ alg: "ES256", kid: "j1" }).sign(acme.signer.private);
}

const unavailable: readonly Omit<Attack, "status">[] = [
  { name: "hangs", answering: () => undefined, detail: /did not answer in full in time/ },
  {
    name: "hangs in the middle of its answer",
    answering: (_asked, response) => void response.writeHead(200, { "content-length": "100" }).write("{"),
    detail: /did not answer in full in time/,
  },
  {
    name: "fails itself",
    answering: (_asked, response, acme) => acme.say(response, 500, { error: "the words of a fault" }),
    detail: /fault of its own, 500/,
  },
  { name: "closes", answering: (_asked, response) => void response.destroy(), detail: /could not be reached/ },
];

describe("an application that answers", () => {
  const attacks: readonly Attack[] = [
    ...unfit.map((one) => ({ ...one, status: 403 as const })),
    ...unavailable.map((one) => ({ ...one, status: 503 as const })),
  ];

  it.each(attacks)("$name: $status, and its twin that is honest is taken", async ({ answering, status, detail }) => {
    const acme = await application();
    const hurry = { ms: /did not answer/.test(detail.source) ? 300 : 5_000 };
    const server = await serve([withApplication(acme)], { patience: () => hurry.ms });
    const honest = acme.answering;
    acme.answering = (asked, response) => answering(asked, response, acme);
    const refused = await refusal(askDataToken(server.url));
    expect(refused.detail).toMatch(detail);
    expect(acme.asked.length).toBe(1);
    expect(server.verdicts).toEqual([[refused.code, "acme"]]);
    expect(refused).toMatchObject({ status, code: status === 403 ? "application-denied" : "upstream-unavailable" });
    expect(refused.detail).not.toMatch(/eyJ|the words of a fault|127\.0\.0\.1/);
    [acme.answering, hurry.ms] = [honest, 5_000];
    expect((await askDataToken(server.url)).status).toBe(200);
    expect(JSON.stringify(server.log())).not.toMatch(/eyJ|the-token-of-alice/);
  });

  it("what it answered before, or another visitor: refused", async () => {
    const acme = await application();
    const server = await serve([withApplication(acme)]);
    const old: string[] = [];
    acme.answering = async (asked, response) => {
      old.push(await acme.token(acme.claims(asked)));
      acme.say(response, 200, { permission_token: old[0] ?? "" });
    };
    expect((await askDataToken(server.url)).status).toBe(200);
    expect((await refusal(askDataToken(server.url))).detail).toMatch(/nonce is not/);
    expect((await refusal(askDataToken(server.url, { userID: "bob" }))).detail).toMatch(/nonce is not/);
    old.length = 0;
    expect((await askDataToken(server.url, { userID: "bob" })).status).toBe(200);
  });

  it("under its key, by the issuer set for it alone", async () => {
    const acme = await application();
    const keys = [
      verificationKey("ES256", { kind: "jwk", jwk: acme.signer.jwk }, { issuer: "https://id.acme.example" }),
    ];
    const server = await serve([withApplication(acme, { keys })]);
    expect((await refusal(askDataToken(server.url))).detail).toMatch(/iss is not the issuer/);
    acme.answering = (asked, response) => acme.permit(asked, response, { iss: "https://id.acme.example" });
    expect((await askDataToken(server.url)).status).toBe(200);
  });
});

describe("another customer", () => {
  it("cannot answer for this one: each is asked at its own address and answers under its own key", async () => {
    const [acme, globex] = [await application(), await application()];
    const other = { id: "globex", domains: ["globex.example"] };
    const server = await serve([withApplication(acme), withApplication(globex, other)]);
    const claimed = { appID: "globex", userID: "alice@acme.example" };
    expect(await refusal(askDataToken(server.url, claimed))).toMatchObject({ status: 403, code: "identity-mismatch" });
    expect(acme.asked).toEqual([]);
    expect(globex.asked[0]).toMatchObject({ aud: "globex" });
    globex.answering = (asked, response) => globex.permit(asked, response, { userID: "alice" });
    expect((await askDataToken(server.url, { appID: "globex" })).status).toBe(200);
  });
});

describe("a permissionUrl into a private network", () => {
  it("is not called, and one that is allowed is", async () => {
    let asked = 0;
    const inner = createServer((_request, response) => {
      asked++;
      response.end("{}");
    }).listen(0, "127.0.0.1");
    await once(inner, "listening");
    ends.push(() => new Promise((resolve) => inner.close(() => resolve())));
    const { port } = inner.address() as AddressInfo;
    const closed = await serve([customer({ permissionUrl: `http://127.0.0.1:${port}/` })], { networks: [] });
    const refused = await refusal(askDataToken(closed.url));
    expect(refused).toMatchObject({ status: 503, code: "upstream-unavailable" });
    expect(refused.detail).not.toContain(String(port));
    expect(asked).toBe(0);
    const open = await serve([customer({ permissionUrl: `http://127.0.0.1:${port}/` })]);
    await askDataToken(open.url);
    expect(asked).toBe(1);
  });
});

describe("many that hang", () => {
  it("hold 32 requests of their customer: more are 503 at once, other customers are served, and then all go on", {
    timeout: 60_000,
  }, async () => {
    const [acme, globex] = [await application(), await application()];
    const other = { id: "globex", domains: ["globex.example"] };
    const limits = { failuresPerMinute: 0, messagesPerSecond: 0 };
    const server = await serve([withApplication(acme), withApplication(globex, other)], {
      settings: { limits },
      patience: () => 60_000,
    });
    const [waiting, honest] = [[] as [Asked, ServerResponse][], acme.answering];
    acme.answering = (asked, response) => void waiting.push([asked, response]);
    const held = Array.from({ length: 32 }, (_, at) => askDataToken(server.url, { application_token: `held${at}` }));
    // Sixteen connections to one origin at once; the others wait for one of them.
    await expect.poll(() => waiting.length, { timeout: 20_000 }).toBe(16);
    const full = await askDataToken(server.url, { application_token: "one more" });
    expect([full.status, full.headers.get("retry-after")]).toEqual([503, "5"]);
    expect(((await full.json()) as { code: string }).code).toBe("limit-reached");
    expect((await askDataToken(server.url, { appID: "globex" })).status).toBe(200);
    acme.answering = honest;
    for (const [asked, response] of waiting) await honest(asked, response);
    expect((await Promise.all(held)).map(({ status }) => status)).toEqual(Array(32).fill(200));
    expect((await askDataToken(server.url)).status).toBe(200);
  });

  it("are left alone after five failures: 503 at once with Retry-After, which is logged once", async () => {
    const acme = await application();
    const server = await serve([withApplication(acme)], { patience: () => 200 });
    acme.answering = () => undefined;
    for (let time = 0; time < 5; time++) expect((await askDataToken(server.url)).status).toBe(503);
    const paused = await askDataToken(server.url);
    expect(paused.status).toBe(503);
    expect(Number(paused.headers.get("retry-after"))).toBeGreaterThan(5);
    expect(acme.asked.length).toBe(5);
    expect(server.applications).toEqual([...Array<string>(5).fill("unavailable"), "paused"]);
    expect(server.log().filter(({ msg }) => msg === "an application service fails")).toMatchObject([
      { customer: "acme" },
    ]);
  });
});

/** Asks from that address of this machine; resolves with the status. */
async function askFrom(localAddress: string, url: string, token: string): Promise<number | undefined> {
  const headers = { "content-type": "application/json" };
  const asking = request(`${url}/v1/data-tokens`, { method: "POST", localAddress, headers });
  asking.end(JSON.stringify({ appID: "acme", userID: "alice", application_token: token }));
  const [answer] = (await once(asking, "response")) as [{ statusCode?: number; resume(): void }];
  answer.resume();
  return answer.statusCode;
}

describe("who makes an application fail", () => {
  const spoilt: readonly [string, Answering][] = [
    ["answer 500", (_asked, response, acme) => acme.say(response, 500, "{}")],
    ["hang", () => undefined],
    ["break off", (_asked, response) => void response.destroy()],
  ];

  it.each(spoilt)(
    "by tokens that have it %s: is left alone himself, and visitors from elsewhere are served",
    async (_, answering) => {
      const acme = await application();
      const hurry = { ms: 200 };
      const server = await serve([withApplication(acme)], { patience: () => hurry.ms });
      const honest = acme.answering;
      acme.answering = (asked, response) =>
        asked.application_token === "spoilt" ? answering(asked, response, acme) : honest(asked, response);
      for (let time = 0; time < 5; time++) expect(await askFrom("127.0.0.66", server.url, "spoilt")).toBe(503);
      const asked = acme.asked.length;
      expect(await askFrom("127.0.0.66", server.url, "good")).toBe(503);
      expect(acme.asked.length).toBe(asked);
      hurry.ms = 5_000;
      expect(await askFrom("127.0.0.1", server.url, "good")).toBe(200);
    },
  );

  it("from many addresses: visitors from elsewhere are served, a few at once until one of them was", async () => {
    const acme = await application();
    const server = await serve([withApplication(acme)]);
    const honest = acme.answering;
    acme.answering = (_asked, response) => acme.say(response, 500, "{}");
    for (let at = 0; at < 6; at++) expect(await askFrom(`127.0.0.${70 + at}`, server.url, "spoilt")).toBe(503);
    const waiting: [Asked, ServerResponse][] = [];
    acme.answering = (asked, response) => void waiting.push([asked, response]);
    const few = Array.from({ length: 4 }, (_, at) => askFrom("127.0.0.1", server.url, `good${at}`));
    await expect.poll(() => waiting.length, { timeout: 10_000 }).toBe(4);
    expect(await askFrom("127.0.0.1", server.url, "one more")).toBe(503);
    acme.answering = honest;
    for (const [asked, response] of waiting) await honest(asked, response);
    expect(await Promise.all(few)).toEqual([200, 200, 200, 200]);
    expect(server.applications.slice(-5).sort()).toEqual([...Array<string>(4).fill("granted"), "paused"]);
  });
});
