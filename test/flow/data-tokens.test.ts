import { decodeJwt } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Permission, permissions } from "../../src/core/identity.ts";
import { Application, askDataToken } from "../helpers/application.ts";
import { answered, cancelOf, establish, responseTo } from "../helpers/dialog.ts";
import { code, status, unique } from "../helpers/raw-client.ts";
import { header, isReply, type RequestParts, reply, request } from "../helpers/raw-sip.ts";
import { Scene, User } from "../helpers/scene.ts";

const nothing = { username: "nobody", password: "nothing" };
const exchange = `exchange: { secret: the-exchange-secret-of-tests, callbackNetworks: ["127.0.0.0/8"] }`;
const unlimited = "  limits: { failuresPerMinute: 0 }";

let scene: Scene;
let application: Application;
/** YAML of acme. */
let acme: string;

beforeAll(async () => {
  application = await Application.start();
  // What it permits stands in the application_token.
  application.answering = (asked, response) => {
    const changes = JSON.parse(asked.application_token) as object;
    return application.permit(asked, response, { exp: Math.floor(Date.now() / 1000) + 250, ...changes });
  };
  acme = application.yaml;
  scene = await Scene.open({ more: exchange, acme, gateway: unlimited });
});
afterAll(async () => {
  await scene?.close();
  await application?.stop();
});

const someone = (name: string): string => `${name}${unique().replace("-", ".")}`;

/** By the whole flow, over HTTP. */
async function dataToken(userID: string, claims: object): Promise<string> {
  const answer = await askDataToken(scene.gateway.gatewayUrl, { userID, application_token: JSON.stringify(claims) });
  expect(answer.status).toBe(200);
  return ((await answer.json()) as { data_token: string }).data_token;
}

const bearer = (token: string): string => `Authorization: Bearer ${token}`;

/** Somebody with a data token, and how it is shown: with each request, or once at the handshake. */
interface Visitor {
  readonly user: User;
  ask(method: string, uri: string, more?: Partial<RequestParts>): Promise<string>;
}

type Way = (name: string, claims: object) => Promise<Visitor>;

const byHeader: Way = async (name, claims) => {
  const token = await dataToken(name, claims);
  const user = new User(await scene.connect(), `${name}@acme.example`, nothing);
  return visitorOf(user, [bearer(token)]);
};

const byHandshake: Way = async (name, claims) => {
  const client = await scene.connect({ path: `/?access_token=${await dataToken(name, claims)}` });
  return visitorOf(new User(client, `${name}@acme.example`, nothing), []);
};

const visitorOf = (user: User, shown: readonly string[]): Visitor => ({
  user,
  ask: (method, uri, more = {}) => {
    const to = method === "REGISTER" ? { to: user.address } : {};
    return user.client.ask(user.parts(method, uri, { ...to, ...more, extra: [...shown, ...(more.extra ?? [])] }));
  },
});

/** What came to Kamailio with one of these Call-IDs; a later request of somebody else's has. */
async function arrived(callIds: readonly string[]): Promise<string[]> {
  await scene.arrived("nobody's");
  const mine = scene.kamailio
    .saw()
    .filter((seen) => seen.way === "in" && callIds.includes(seen.header("Call-ID") ?? ""));
  return [...new Set(mine.map(({ method }) => method ?? ""))].toSorted();
}

const opens = (permission: Permission): boolean => permission === "*" || permission === "CreateConference";
const methods = ["INVITE", "MESSAGE", "OPTIONS", "REGISTER"] as const;

describe.each([
  ["as Bearer with each request", byHeader],
  ["at the handshake", byHandshake],
] as const)("a data token %s", (_, way) => {
  it.each(permissions)("with %s opens what it permits, and Kamailio sees nothing else", async (permission) => {
    const visitor = await way(someone("alice"), { permissions: [permission] });
    const callIds: string[] = [];
    for (const method of methods) {
      const callId = `${method}-${unique()}`;
      callIds.push(callId);
      const uri = method === "REGISTER" || method === "OPTIONS" ? "sip:acme.example" : "sip:nobody.there@acme.example";
      const said = await visitor.ask(method, uri, { callId });
      if (opens(permission)) expect(code(said), said).toBeUndefined();
      else {
        expect([status(said), code(said)], said).toEqual([403, "permission-missing"]);
        expect(header(said, "Warning")).toMatch(/CreateConference: the application can give it/);
      }
    }
    expect(await arrived(callIds)).toEqual(opens(permission) ? methods.toSorted() : []);
  });
});

describe("hanging up", () => {
  /** Shows a token that permits nothing, which is the connection's from then on. */
  async function loseAll({ client, address, name }: User): Promise<void> {
    const extra = [bearer(await dataToken(name, { permissions: [] }))];
    const said = await client.ask(new User(client, address, nothing).parts("OPTIONS", "sip:acme.example", { extra }));
    expect([status(said), code(said)]).toEqual([403, "permission-missing"]);
  }

  /** Registered callee, and a caller by a data token. */
  async function pair(): Promise<[Visitor, Visitor]> {
    const both = await Promise.all(["alice", "bob"].map((name) => byHandshake(someone(name), { permissions: ["*"] })));
    const [alice, bob] = both as [Visitor, Visitor];
    expect(status(await bob.ask("REGISTER", "sip:acme.example", { extra: ["Expires: 60"] }))).toBe(200);
    return [alice, bob];
  }

  it("needs no permission: BYE of a call that stands", async () => {
    const [alice, bob] = await pair();
    const call = await establish(alice.user, bob.user);
    await loseAll(alice.user);
    const bye = call.fromCaller("BYE");
    alice.user.client.send(bye);
    await answered(bob.user, call.callId, "BYE");
    expect(status(await responseTo(alice.user, bye))).toBe(200);
  });

  it("needs no permission: CANCEL of a call that rings", async () => {
    const [alice, bob] = await pair();
    const parts = alice.user.parts("INVITE", `sip:${bob.user.address}`);
    const invite = request(parts);
    alice.user.client.send(invite);
    const got = await bob.user.client.take(
      (text) => text.startsWith("INVITE ") && header(text, "Call-ID") === parts.callId,
    );
    bob.user.client.send(reply(got, { status: "180 Ringing", tag: "rings", contact: bob.user.contact }));
    await alice.user.client.take((text) => isReply(text, 180, "INVITE"));
    await loseAll(alice.user);
    alice.user.client.send(cancelOf(invite));
    await answered(bob.user, parts.callId, "CANCEL");
    expect((await scene.came(parts.callId, "CANCEL")).method).toBe("CANCEL");
  });
});

describe("a data token of one conference", () => {
  it("opens the call with its Call-ID, and no other", async () => {
    const conferenceID = `conference-${unique()}`;
    const alice = await byHeader(someone("alice"), { permissions: ["CreateConference"], conferenceID });
    const other = `other-${unique()}`;
    const refused = await alice.ask("INVITE", "sip:nobody.there@acme.example", { callId: other });
    expect([status(refused), code(refused)]).toEqual([403, "permission-missing"]);
    expect(header(refused, "Warning")).toMatch(/conferenceID as Call-ID/);
    const called = await alice.ask("INVITE", "sip:nobody.there@acme.example", { callId: conferenceID });
    expect(code(called), called).toBeUndefined();
    expect(await arrived([other])).toEqual([]);
    expect(await arrived([conferenceID])).toContain("INVITE");
  });

  it("opens one call at a time, on whatever connection, and when that is over the next", async () => {
    const conferenceID = `conference-${unique()}`;
    const claims = { permissions: ["CreateConference"], conferenceID };
    const name = someone("alice");
    const bob = await byHeader(someone("bob"), { permissions: ["*"] });
    expect(status(await bob.ask("REGISTER", "sip:acme.example", { extra: ["Expires: 60"] }))).toBe(200);
    const [one, two] = [await byHandshake(name, claims), await byHandshake(name, claims)];
    const rings = async (): Promise<{ invite: string; got: string }> => {
      const invite = request(one.user.parts("INVITE", `sip:${bob.user.address}`, { callId: conferenceID }));
      one.user.client.send(invite);
      const got = await bob.user.client.take((text) => text.startsWith("INVITE "));
      return { invite, got };
    };
    const { invite, got } = await rings();
    for (const visitor of [one, two]) {
      const refused = await visitor.ask("INVITE", `sip:${bob.user.address}`, { callId: conferenceID });
      expect([status(refused), code(refused)]).toEqual([503, "limit-reached"]);
      expect(header(refused, "Warning")).toMatch(/one call at a time/);
    }
    const came = (): number =>
      scene.kamailio
        .saw()
        .filter(
          ({ way, method, header: field }) => way === "in" && method === "INVITE" && field("Call-ID") === conferenceID,
        ).length;
    expect(came()).toBe(1);
    bob.user.client.send(reply(got, { status: "486 Busy Here", tag: "busy", contact: bob.user.contact }));
    expect(status(await responseTo(one.user, invite))).toBe(486);
    await rings();
    expect(came()).toBe(2);
  });

  it("opens nothing beside that call but REGISTER and OPTIONS", async () => {
    const conferenceID = `conference-${unique()}`;
    const one = await byHeader(someone("alice"), { permissions: ["*"], conferenceID });
    const any = await byHeader(someone("bob"), { permissions: ["*"] });
    const [refusedId, passedId] = [`message-${unique()}`, `message-${unique()}`];
    for (const callId of [refusedId, conferenceID]) {
      const refused = await one.ask("MESSAGE", "sip:nobody.there@acme.example", { callId });
      expect([status(refused), code(refused)]).toEqual([403, "method-denied"]);
    }
    expect(code(await any.ask("MESSAGE", "sip:nobody.there@acme.example", { callId: passedId }))).toBeUndefined();
    expect(await arrived([refusedId, conferenceID])).toEqual([]);
    expect(await arrived([passedId])).toEqual(["MESSAGE"]);
    for (const method of ["REGISTER", "OPTIONS"]) expect(status(await one.ask(method, "sip:acme.example"))).toBe(200);
  });

  it("ends with it, on SIP, at an open connection and over HTTP: 401, start anew", async () => {
    const conferenceID = `conference-${unique()}`;
    const claims = { permissions: ["*"], conferenceID };
    const [header_, handshake] = [await byHeader(someone("alice"), claims), await byHandshake(someone("bob"), claims)];
    expect(status(await handshake.ask("OPTIONS", "sip:acme.example"))).toBe(200);
    const ender = someone("carol");
    const told = await fetch(`${scene.gateway.gatewayUrl.replace(/^ws/, "http")}/v1/events`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${await dataToken(ender, claims)}` },
      body: JSON.stringify({ conferenceID, event: "conferenceEnded", userID: ender }),
    });
    expect(told.status).toBeLessThan(300);
    const callId = `late-${unique()}`;
    const refused = await header_.ask("OPTIONS", "sip:acme.example", { callId });
    expect([status(refused), code(refused)]).toEqual([407, "credential-expired"]);
    expect((await handshake.user.client.closed).code).toBe(4401);
    expect(await arrived([callId])).toEqual([]);
  });
});

describe("a bad data token is another thing than a missing permission", () => {
  it("is 401 or 407 with a Bearer challenge, and over HTTP 401", async () => {
    const name = someone("alice");
    const token = `${(await dataToken(name, { permissions: ["*"] })).slice(0, -4)}AAAA`;
    const user = new User(await scene.connect(), `${name}@acme.example`, nothing);
    const callId = `bad-${unique()}`;
    const refused = await visitorOf(user, [bearer(token)]).ask("INVITE", "sip:bob@acme.example", { callId });
    expect([status(refused), code(refused)]).toEqual([407, "credential-rejected"]);
    expect(header(refused, "Proxy-Authenticate")).toMatch(/^Bearer/);
    expect(await arrived([callId])).toEqual([]);
  });

  it("JWTs with permissions are held to them as data tokens are", async () => {
    const now = Math.floor(Date.now() / 1000);
    const claims = (permissions: readonly string[]) => ({
      sub: name,
      iss: "acme",
      iat: now,
      exp: now + 200,
      permissions,
    });
    const name = someone("alice");
    const user = new User(await scene.connect(), `${name}@acme.example`, nothing);
    const [less, more] = await Promise.all(
      [["SubmitConferenceStats"], ["CreateConference"]].map((one) => application.token(claims(one))),
    );
    const callId = `jwt-${unique()}`;
    const refused = await visitorOf(user, [bearer(less ?? "")]).ask("OPTIONS", "sip:acme.example", { callId });
    expect([status(refused), code(refused)]).toEqual([403, "permission-missing"]);
    expect(await arrived([callId])).toEqual([]);
    expect(status(await visitorOf(user, [bearer(more ?? "")]).ask("OPTIONS", "sip:acme.example"))).toBe(200);
  });
});

describe("what is permitted and taken back", () => {
  it("a new permission_token holds from the next data token; the one before goes on as it was", async () => {
    const name = someone("alice");
    const before = await byHeader(name, { permissions: ["CreateConference"] });
    const after = await byHeader(name, { permissions: ["SubmitConferenceStats"] });
    expect(code(await after.ask("OPTIONS", "sip:acme.example"))).toBe("permission-missing");
    expect(status(await before.ask("OPTIONS", "sip:acme.example"))).toBe(200);
  });

  const until = "until: 4000000000, calls: end";
  it.each<[string, (name: string, jti: string) => string]>([
    ["its user", (name) => `${application.yaml}\n    revoked: [{ user: ${name}, ${until} }]`],
    ["its jti", (_, jti) => `${application.yaml}\n    revoked: [{ jti: ${jti}, ${until} }]`],
    ["its customer", () => `${application.yaml}\n    suspended: end`],
    ["the key that it was given under", () => application.yaml.replace(/keys: .*\n/, "keys: []\n")],
  ])("revocation is at once, of an open connection too: %s", async (taken, changed) => {
    const name = someone("alice");
    const token = await dataToken(name, { permissions: ["*"] });
    const client = await scene.connect({ path: `/?access_token=${token}` });
    const handshake = visitorOf(new User(client, `${name}@acme.example`, nothing), []);
    const user = new User(await scene.connect(), `${name}@acme.example`, nothing);
    const header_ = visitorOf(user, [bearer(token)]);
    for (const one of [handshake, header_]) expect(status(await one.ask("OPTIONS", "sip:acme.example"))).toBe(200);
    scene.gateway.change({ acme: changed(name, String(decodeJwt(token).jti)) });
    // What is gone from the config file must be proved anew; what is taken back closes.
    if (taken === "the key that it was given under")
      expect(status(await handshake.ask("OPTIONS", "sip:acme.example"))).toBe(407);
    else expect((await handshake.user.client.closed).code).toBe(4403);
    const callId = `late-${unique()}`;
    const late = visitorOf(new User(await scene.connect(), user.address, nothing), [bearer(token)]);
    const refused = await late.ask("OPTIONS", "sip:acme.example", { callId });
    expect([status(refused), code(refused)]).toEqual([407, "credential-revoked"]);
    expect(await arrived([callId])).toEqual([]);
    scene.gateway.change({ acme });
    expect(
      status(
        await visitorOf(new User(await scene.connect(), user.address, nothing), [bearer(token)]).ask(
          "OPTIONS",
          "sip:acme.example",
        ),
      ),
    ).toBe(200);
  });
});

it("tells what became of it, and how long the application and the gateway took", async () => {
  const before = await scene.gateway.metric('postern_application_requests_total{outcome="granted"}');
  await dataToken(someone("alice"), { permissions: ["*"] });
  expect(await scene.gateway.metric('postern_application_requests_total{outcome="granted"}')).toBe(before + 1);
  const took = async (name: string): Promise<number> =>
    (await scene.gateway.metric(`${name}_sum`)) / (await scene.gateway.metric(`${name}_count`));
  const [service, own] = [
    await took("postern_application_duration_seconds"),
    await took("postern_data_token_own_seconds"),
  ];
  console.log(
    `a data token: application ${(service * 1000).toFixed(2)} ms, gateway's own ${(own * 1000).toFixed(2)} ms`,
  );
  expect(own).toBeGreaterThan(0);
  expect(JSON.stringify(scene.gateway.log())).not.toMatch(/eyJ|"permissions/);
});
