import { createHmac, generateKeyPairSync, sign as signWith } from "node:crypto";
import { once } from "node:events";
import { request } from "node:http";
import { connect } from "node:net";
import { json, text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  acmeApiSecret,
  customerSecret,
  freshToken,
  globexApiSecret,
  jwtSecret,
  type ManagedGateway,
  managementToken,
  operatorSecret,
  startManaged,
} from "../helpers/management.ts";

let now = Date.now();
const clock = { now: () => now };
let gateway: ManagedGateway;
beforeAll(async () => {
  gateway = await startManaged({ clock });
});
afterAll(() => gateway?.close());

const at = (): number => Math.floor(now / 1000);
let made = 0;
const claims = (changes = {}) => ({
  ...{ iss: "46000000", ist: "project", iat: at(), exp: at() + 180, jti: `a-${++made}` },
  ...changes,
});
const good = (changes = {}): string => managementToken(claims(changes), acmeApiSecret);
const statuses = (responses: readonly Response[]): number[] => responses.map(({ status }) => status);

/** Everything that a refusal tells, but its date. */
async function told(response: Response): Promise<unknown> {
  const headers = [...response.headers].filter(([name]) => name !== "date");
  return { status: response.status, headers, body: await response.json() };
}

describe("a token that was recorded", () => {
  it("is refused by its jti, in either header, and of many at once one is served", async () => {
    const token = good();
    expect(statuses([await gateway.ask(token), await gateway.ask(token)])).toEqual([200, 403]);
    expect((await gateway.ask(token, { bearer: true })).status).toBe(401);
    const raced = good();
    const answers = await Promise.all(Array.from({ length: 20 }, () => gateway.ask(raced)));
    expect(statuses(answers).filter((status) => status === 200)).toHaveLength(1);
  });

  it("without jti is refused two seconds after its first use", async () => {
    const token = good({ jti: undefined });
    expect(statuses([await gateway.ask(token), await gateway.ask(token)])).toEqual([200, 200]);
    now += 2_001;
    const response = await gateway.ask(token, { bearer: true });
    expect([response.status, await response.json()]).toMatchObject([401, { code: "credential-replayed" }]);
  });

  it("is refused when it has ended, and cannot be made to last", async () => {
    const token = good({ iat: at() - 170, exp: at() + 10 });
    now += 16_000;
    expect((await gateway.ask(token)).status).toBe(403);
    for (const changes of [{ exp: at() + 301 }, { iat: at() + 60, exp: at() + 120 }]) {
      expect((await gateway.ask(good(changes))).status).toBe(403);
    }
    expect((await gateway.ask(good({ exp: at() + 300 }))).status).toBe(200);
  });
});

describe("a token of somebody else", () => {
  it.each([
    ["another customer's key over this secret", () => good({ iss: "47000000" })],
    ["this key over another customer's secret", () => managementToken(claims(), globexApiSecret)],
    ["a customer's id for its key", () => good({ iss: "acme" })],
    ["a project's key as operator", () => good({ ist: "account" })],
    ["a project's secret under the operator's id", () => good({ iss: "ops", ist: "account" })],
    ["an operator as project", () => managementToken(claims({ iss: "ops" }), operatorSecret)],
    ["a secret of visitors", () => managementToken(claims(), customerSecret)],
    ["a JWT of visitors", () => managementToken(claims({ iss: "acme" }), jwtSecret)],
  ])("is refused: %s", async (_, token) => {
    const response = await gateway.ask(token());
    expect(await told(response)).toMatchObject({ status: 403, body: { code: -1 } });
  });

  it("twin: under its own key it shows its own customer", async () => {
    const response = await gateway.ask(managementToken(claims({ iss: "47000000" }), globexApiSecret));
    expect([response.status, await response.json()]).toMatchObject([200, { id: "globex" }]);
  });
});

describe("a token signed otherwise", () => {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const input = (header: object, body: object = claims()): string => `${part(header)}.${part(body)}`;
  const hmac = (text: string, hash = "sha256", key = acmeApiSecret): string =>
    `${text}.${createHmac(hash, key).update(text).digest("base64url")}`;
  const rsa = (text: string): string =>
    `${text}.${signWith("sha256", Buffer.from(text), privateKey).toString("base64url")}`;
  const pem = publicKey.export({ type: "spki", format: "pem" }) as string;

  it.each([
    ["none", () => `${input({ alg: "none" })}.`],
    ["None with a right HMAC", () => hmac(input({ alg: "None" }))],
    ["HS384", () => hmac(input({ alg: "HS384" }), "sha384")],
    ["HS384 in name, HS256 in truth", () => hmac(input({ alg: "HS384" }))],
    ["RS256", () => rsa(input({ alg: "RS256" }))],
    ["HS256 with a public key as secret", () => hmac(input({ alg: "HS256" }), "sha256", pem)],
    ["a key of its own", () => hmac(input({ alg: "HS256", jwk: { kty: "oct", k: "c2VjcmV0" } }), "sha256", "secret")],
    ["a key elsewhere", () => hmac(input({ alg: "HS256", jku: "https://evil.example/k" }))],
    ["an empty secret", () => hmac(input({ alg: "HS256" }), "sha256", "")],
    ["its signature cut off", () => good().replace(/[^.]*$/, "")],
    ["its signature cut short", () => good().slice(0, -4)],
    [
      "another payload under the signature",
      () => good().replace(/\.[^.]*\./, `.${part(claims({ iss: "47000000" }))}.`),
    ],
    ["a member twice", () => hmac(`${part({ alg: "HS256" })}.${twice}`)],
    ["8 KB", () => good({ jti: "x".repeat(7_000) })],
  ])("is refused: %s", async (_, token) => {
    expect((await gateway.ask(token())).status).toBe(403);
  });

  const twice = Buffer.from(JSON.stringify(claims()).replace("{", '{"iss":"47000000",')).toString("base64url");

  it("twin: HS256 is taken", async () => {
    expect((await gateway.ask(hmac(input({ alg: "HS256" })))).status).toBe(200);
  });
});

describe("two credentials on one request", () => {
  /** headers: as they go out, names may be there twice. */
  async function ask(headers: readonly string[]): Promise<unknown[]> {
    const asked = request(`${gateway.adminUrl}/v1/customers/me`, { headers: ["host", "127.0.0.1", ...headers] });
    const [response] = await once(asked.end(), "response");
    return [response.statusCode, await json(response)];
  }

  it("are refused, whichever of them is right", async () => {
    const [X, A] = ["X-OPENTOK-AUTH", "Authorization"];
    const wrong = managementToken(claims(), "another-secret-altogether");
    expect(await ask([X, good(), A, `Bearer ${good()}`])).toMatchObject([403, { code: -1 }]);
    expect(await ask([X, good(), X, wrong])).toMatchObject([403, { code: -1 }]);
    expect(await ask([A, `Bearer ${good()}`, A, `Bearer ${wrong}`])).toMatchObject([400, { status: 400 }]);
    expect(await ask([A, `Bearer ${good()}, Bearer ${wrong}`])).toMatchObject([400, { status: 400 }]);
    expect(await ask([A, `Basic ${good()}`])).toMatchObject([400, { status: 400 }]);
    expect(await ask([A, good()])).toMatchObject([400, { status: 400 }]);
  });

  it("twin: one is taken", async () => {
    expect(await ask(["authorization", `bearer ${good()}`])).toMatchObject([200, { id: "acme" }]);
  });
});

describe("what a refusal tells to who cannot sign", () => {
  const other = "another-secret-altogether";

  it.each([false, true])("is the same whether a key exists or not (Bearer: %s)", async (bearer) => {
    const unknown = await told(await gateway.ask(managementToken(claims({ iss: "99" }), other), { bearer }));
    for (const changes of [
      {},
      { iss: "47000000" },
      { iss: "ops", ist: "account" },
      { iss: "ops" },
      { ist: "account" },
    ]) {
      const known = await told(await gateway.ask(managementToken(claims(changes), other), { bearer }));
      expect(known).toEqual(unknown);
    }
  });

  it("holds no word on clocks, lives or earlier uses", async () => {
    const plain = await told(await gateway.ask(managementToken(claims(), other)));
    const used = claims();
    expect((await gateway.ask(managementToken(used, acmeApiSecret))).status).toBe(200);
    const times = [
      claims({ iat: at() - 1_000, exp: at() - 900 }),
      claims({ iat: at() + 900, exp: at() + 1_000 }),
      claims({ exp: at() + 9_000 }),
      used,
    ];
    for (const one of times) expect(await told(await gateway.ask(managementToken(one, other)))).toEqual(plain);
  });

  it("twin: who signs rightly is told how wrong the clock is", async () => {
    const told = await (await gateway.ask(good({ iat: at() - 190, exp: at() - 10 }))).json();
    expect(told).toMatchObject({ message: expect.stringMatching(/^your clock is 19\d s behind/) });
  });
});

describe("guessing", () => {
  it("ends after so many failures for its address, right tokens included, and for nobody else", async () => {
    const narrow = await startManaged({ failuresPerMinute: 3 });
    const from = async (localAddress: string, token: string): Promise<number> => {
      const headers = { authorization: `Bearer ${token}` };
      const asked = request(`${narrow.adminUrl}/v1/customers/me`, { localAddress, headers });
      const [response] = await once(asked.end(), "response");
      response.resume();
      return response.statusCode;
    };
    try {
      const late = { iat: at() - 600, exp: at() - 500 };
      for (let time = 0; time < 5; time++) {
        expect(await from("127.0.0.2", managementToken(claims(late), acmeApiSecret))).toBe(401);
      }
      for (let time = 0; time < 3; time++) {
        expect(await from("127.0.0.2", freshToken("46000000", `guess-number-${time}-at-it`))).toBe(401);
      }
      expect(await from("127.0.0.2", freshToken("46000000", acmeApiSecret))).toBe(429);
      expect(await from("127.0.0.3", freshToken("46000000", acmeApiSecret))).toBe(200);
      const [refused] = narrow.log().filter(({ code }) => code === "rate-limited");
      expect(refused).toMatchObject({ msg: "management request refused", address: "127.0.0.2" });
    } finally {
      await narrow.close();
    }
  });

  it("ends so for requests that come all at once, on one connection", async () => {
    const narrow = await startManaged({ failuresPerMinute: 3 });
    const { port } = new URL(narrow.adminUrl);
    const asking = (token: string, last = false): string =>
      `GET /v1/customers/me HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer ${token}\r\n${last ? "Connection: close\r\n" : ""}\r\n`;
    try {
      const wrong = Array.from({ length: 100 }, (_, i) => asking(freshToken("46000000", `guess-number-${i}-at-it`)));
      const socket = connect(Number(port), "127.0.0.1");
      socket.write(`${wrong.join("")}${asking(freshToken("46000000", acmeApiSecret), true)}`);
      const answers = [...(await text(socket)).matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status));
      expect(answers).toHaveLength(101);
      // Those of a turn may pass above the limit, for each counts when it is over.
      expect(answers.filter((status) => status === 401).length).toBeLessThan(3 + 10);
      expect(answers.at(-1)).toBe(429);
    } finally {
      await narrow.close();
    }
  });
});
