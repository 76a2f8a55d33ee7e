import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, request } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { postern } from "../helpers/cli.ts";
import {
  acmeApiSecret,
  customerSecret,
  freshToken,
  globexApiSecret,
  jwksUri,
  jwtSecret,
  type ManagedGateway,
  managementToken,
  operatorSecret,
  startManaged,
  trunkPassword,
} from "../helpers/management.ts";

/** The package has no types of its own. */
const OpenTok = createRequire(import.meta.url)("opentok") as new (
  key: string,
  secret: string,
  apiUrl: string,
) => { listArchives(options: object, done: (error: unknown) => void): void };

let gateway: ManagedGateway;
beforeAll(async () => {
  gateway = await startManaged();
});
afterAll(() => gateway?.close());

const acme = (changes = {}): string => freshToken("46000000", acmeApiSecret, changes);
const seen = async (response: Response): Promise<unknown[]> => [response.status, await response.json()];
const lastLine = (msg: string): Record<string, unknown> | undefined =>
  gateway.log().findLast((line) => line.msg === msg);

/** What the real package sends to its API, recorded at a server of our own. */
async function headerOfOpenTok(apiKey: string, secret: string): Promise<string> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const recorded = new Promise<IncomingHttpHeaders>((resolve) => {
    server.on("request", (request, response) => {
      response.setHeader("content-type", "application/json");
      response.end('{"count":0,"items":[]}');
      resolve(request.headers);
    });
  });
  const { port } = server.address() as AddressInfo;
  const client = new OpenTok(apiKey, secret, `http://127.0.0.1:${port}`);
  const answered = new Promise((resolve) => client.listArchives({}, resolve));
  const headers = await recorded;
  await answered;
  server.closeAllConnections();
  server.close();
  return String(headers["x-opentok-auth"]);
}

describe("GET /v1/customers/me", () => {
  it("shows a customer itself, and none of its secrets", async () => {
    const response = await gateway.ask(acme());
    expect(response.headers.get("cache-control")).toBe("no-store");
    const text = await response.text();
    expect([response.status, JSON.parse(text)]).toEqual([
      200,
      {
        id: "acme",
        domains: ["acme.example"],
        origins: ["https://www.acme.example"],
        maxTtl: 3600,
        clockSkew: 0,
        callFrom: ["voxrtc@voxbone.com"],
        numbers: ["+3225887*"],
        dial: ["+32*"],
        methods: ["REGISTER", "INVITE", "ACK", "CANCEL", "BYE", "UPDATE", "INFO", "PRACK", "OPTIONS", "MESSAGE"],
        trunk: "sip:127.0.0.9:5060",
        trunk2: "sip:127.0.0.10:5060",
        trunkAuth: { username: "acme-trunk", realm: "pbx.acme.example" },
        trunkFormat: { "+": "" },
        trunkTrusted: true,
        callerId: "+3225887000",
        inbound: { "+3225887000": "reception" },
        passHeaders: ["X-Context"],
        limits: {
          ...{ connections: 1000, connectionsPerUser: 0, registrations: 0 },
          ...{ calls: 100, callsPerMinute: 0, callSeconds: 14_400 },
        },
        ceilings: {},
        revoked: [],
        secrets: [{ id: "k1", algorithm: "sha1", notAfter: 4_000_000_000 }],
        keys: [
          { id: "hs", alg: "HS256", singleUse: false },
          {
            ...{ id: "set", alg: "ES256", singleUse: false },
            ...{ jwksUri, issuer: "acme", audience: "postern" },
          },
        ],
        apiKeys: [{ id: "46000000" }, { id: "acme-key" }],
      },
    ]);
    expect(text).not.toMatch(new RegExp(`${acmeApiSecret}|${customerSecret}|${jwtSecret}|${trunkPassword}`));
  });

  it("shows each customer itself alone, whichever of its keys signs, in either header", async () => {
    for (const [token, id] of [
      [freshToken(46_000_000, acmeApiSecret), "acme"],
      [freshToken("acme-key", `${acmeApiSecret}-2`), "acme"],
      [freshToken("47000000", globexApiSecret), "globex"],
    ] as const) {
      expect(await seen(await gateway.ask(token))).toMatchObject([200, { id }]);
    }
    expect(await seen(await gateway.ask(acme(), { bearer: true }))).toMatchObject([200, { id: "acme" }]);
  });

  it("tells an operator that it is no customer", async () => {
    const token = freshToken("ops", operatorSecret, { ist: "account" });
    expect(await seen(await gateway.ask(token))).toMatchObject([404, { detail: expect.stringContaining("operator") }]);
  });

  it("answers under a name with dots, and HEAD", async () => {
    const { port } = new URL(gateway.adminUrl);
    const asked = request(`http://127.0.0.1:${port}/v1/customers/me`, {
      method: "HEAD",
      headers: { host: "admin.postern.example", "x-opentok-auth": acme() },
    });
    const [response] = await once(asked.end(), "response");
    response.resume();
    expect(response.statusCode).toBe(200);
  });

  it("is the only customer that can be asked for", async () => {
    for (const [path, status] of [
      ["/v1/customers/acme", 200],
      ["/v1/customers/globex", 404],
      ["/v1/customers/nobody", 404],
      ["/v1/customers", 403],
      ["/v1/customers/", 404],
      ["/v1/customers/me/", 404],
    ] as const) {
      expect([path, (await gateway.ask(acme(), { path })).status]).toEqual([path, status]);
    }
    expect((await gateway.ask(acme(), { method: "POST" })).status).toBe(405);
  });
});

describe("the token", () => {
  it("that the opentok package sends is taken as it is, again within two seconds, and not twice for long", async () => {
    const token = await headerOfOpenTok("46000000", acmeApiSecret);
    expect(token.split(".")).toHaveLength(3);
    expect(await seen(await gateway.ask(token))).toMatchObject([200, { id: "acme" }]);
    expect(await seen(await gateway.ask(token))).toMatchObject([200, { id: "acme" }]);
    const foreign = await headerOfOpenTok("46000000", "another-secret-altogether");
    expect(await seen(await gateway.ask(foreign))).toMatchObject([403, { code: -1 }]);
  });

  it("that postern mint --opentok prints is taken as it is", async () => {
    const args = ["mint", "--opentok", "--key", "46000000", "--secret", "env:API_SECRET"];
    const { exit, stdout } = await postern(args, { env: { API_SECRET: acmeApiSecret } });
    expect(exit).toBe(0);
    const { token } = JSON.parse(stdout) as { token: string };
    expect(await seen(await gateway.ask(token))).toMatchObject([200, { id: "acme" }]);
    expect(await seen(await gateway.ask(token))).toMatchObject([403, { code: -1 }]);
  });

  it("is judged by the config as it was reloaded", async () => {
    const other = await startManaged();
    try {
      expect((await other.ask(acme())).status).toBe(200);
      other.change({ secret: "the-next-secret-of-acme" });
      expect((await other.ask(acme())).status).toBe(403);
      expect((await other.ask(freshToken("46000000", "the-next-secret-of-acme"))).status).toBe(200);
    } finally {
      await other.close();
    }
  });
});

describe("a refusal", () => {
  const now = Math.floor(Date.now() / 1000);
  const late = (iss: string, secret: string): string =>
    managementToken({ iss, ist: "project", iat: now - 190, exp: now - 10, jti: `late-${iss}` }, secret);

  it("is OpenTok's with its header", async () => {
    const response = await gateway.ask(freshToken("46000000", "another-secret-altogether"));
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(await seen(response)).toEqual([
      403,
      { code: -1, message: expect.stringContaining("the token is not right") },
    ]);
  });

  it("is a problem with Bearer, and says how to do better", async () => {
    const wrong = freshToken("46000000", "another-secret-altogether");
    const response = await gateway.ask(wrong, { bearer: true });
    expect(response.headers.get("www-authenticate")).toBe('Bearer error="invalid_token"');
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect(await seen(response)).toMatchObject([401, { title: "Unauthorized", code: "credential-rejected" }]);
    const long = await gateway.ask(acme({ exp: now + 900 }), { bearer: true });
    expect(await seen(long)).toMatchObject([403, { code: "credential-ttl" }]);
  });

  it("without any credential is a 401, and no failed attempt", async () => {
    const response = await fetch(`${gateway.adminUrl}/v1/customers/me`);
    expect(response.headers.get("www-authenticate")).toBe("Bearer");
    expect(await seen(response)).toMatchObject([401, { code: "credential-rejected" }]);
  });

  it("tells a clock that is behind by how much, where the signature is right", async () => {
    const message = expect.stringMatching(/^your clock is 19\d s behind/);
    expect(await seen(await gateway.ask(late("46000000", acmeApiSecret)))).toEqual([403, { code: -1, message }]);
  });

  it("is logged, and so is what was accepted, without a token in it", async () => {
    const good = acme();
    await gateway.ask(good);
    const accepted = {
      customer: "acme",
      by: "46000000",
      method: "GET",
      path: "/v1/customers/:id",
      id: "me",
      address: "127.0.0.1",
    };
    expect(lastLine("management request")).toMatchObject({ level: "info", ...accepted });
    const wrong = freshToken("46000000", "another-secret-altogether");
    await gateway.ask(wrong);
    const refused = lastLine("management request refused");
    expect(refused).toMatchObject({ level: "warn", code: "credential-rejected", address: "127.0.0.1" });
    expect(refused).not.toHaveProperty("customer");
    await gateway.ask(late("46000000", acmeApiSecret));
    expect(lastLine("management request refused")).toMatchObject({ code: "credential-expired", customer: "acme" });
    const text = JSON.stringify(gateway.log());
    for (const secret of [good, wrong, acmeApiSecret]) expect(text).not.toContain(secret);
  });
});
