import { readFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mint } from "../../src/auth/ephemeral.ts";
import { newId } from "../../src/core/calls.ts";
import { ended } from "../helpers/call-records.ts";
import { KeySetServer } from "../helpers/key-set.ts";
import {
  type AskOptions,
  acmeApiSecret,
  freshToken,
  type ManagedGateway,
  operatorSecret,
  startManaged,
} from "../helpers/management.ts";

let gateway: ManagedGateway;
beforeAll(async () => {
  gateway = await startManaged({ store: true });
});
afterAll(() => gateway?.close());

interface Said {
  readonly status: number;
  readonly body: Record<string, unknown>;
  readonly headers: Headers;
}

async function said(response: Response): Promise<Said> {
  const text = await response.text();
  return { status: response.status, body: text === "" ? {} : JSON.parse(text), headers: response.headers };
}

/** As the operator. */
const ops = async (method: string, path: string, body?: unknown, headers: AskOptions["headers"] = {}): Promise<Said> =>
  said(await gateway.ask(freshToken("ops", operatorSecret, { ist: "account" }), { method, path, body, headers }));

const initechApiSecret = "the-api-secret-of-initech-in-tests";
/** As initech, by its own key. */
const own = async (method: string, path: string, body?: unknown, headers: AskOptions["headers"] = {}): Promise<Said> =>
  said(await gateway.ask(freshToken("initech-key", initechApiSecret), { method, path, body, headers }));

const initech = {
  id: "initech",
  domains: ["initech.example"],
  numbers: ["+4930*"],
  trunk: "sip:pbx.initech.example",
  apiKeys: [{ id: "initech-key", secret: initechApiSecret }],
};

describe("the key set of a stored customer", () => {
  it("is asked for at once, before any token comes; that of a suspended one is not", async () => {
    const [asked, left] = [await KeySetServer.open([]), await KeySetServer.open([])];
    const withSet = (id: string, { uri }: KeySetServer) => ({
      ...{ id, domains: [`${id}.example`] },
      keys: [{ id: "set", alg: "ES256", jwksUri: uri, issuer: id, audience: "postern" }],
    });
    const added = [
      await ops("POST", "/v1/customers", { ...withSet("left", left), suspended: "end" }),
      await ops("POST", "/v1/customers", withSet("asked", asked)),
    ];
    expect(added.map(({ status }) => status)).toEqual([201, 201]);
    await expect.poll(() => asked.count).toBe(1);
    expect(left.count).toBe(0);
    for (const id of ["left", "asked"]) expect((await ops("DELETE", `/v1/customers/${id}`)).status).toBe(204);
    for (const set of [asked, left]) set.close();
  });
});

describe("customers over HTTP", () => {
  it("are added, read with an ETag, changed, replaced and removed, in force at once", async () => {
    const added = await ops("POST", "/v1/customers", initech);
    expect(added).toMatchObject({ status: 201, body: { id: "initech" } });
    expect(added.headers.get("location")).toBe("/v1/customers/initech");
    const etag = added.headers.get("etag") ?? "";
    expect(etag).toMatch(/^"[0-9]+"$/);
    const seen = await own("GET", "/v1/customers/me");
    expect(seen.headers.get("etag")).toBe(etag);
    expect(seen.body).toMatchObject({ id: "initech", domains: ["initech.example"], apiKeys: [{ id: "initech-key" }] });
    expect((await own("GET", "/v1/customers/initech")).body).toEqual(seen.body);

    const changed = await ops("PATCH", "/v1/customers/initech", { maxTtl: 60 }, { "if-match": etag });
    expect(changed).toMatchObject({ status: 200, body: { maxTtl: 60 } });
    expect(await ops("PATCH", "/v1/customers/initech", { maxTtl: 90 }, { "if-match": etag })).toMatchObject({
      ...{ status: 412, body: { detail: expect.stringContaining("read it again") } },
    });
    expect((await ops("PATCH", "/v1/customers/initech", {}, { "if-match": `W/${etag}` })).status).toBe(412);
    expect((await ops("PATCH", "/v1/customers/initech", {}, { "if-match": "initech" })).status).toBe(400);
    expect((await ops("PATCH", "/v1/customers/initech", {}, { "if-match": "*" })).status).toBe(200);

    const whole = (await ops("GET", "/v1/customers/initech")).body;
    const put = await ops("PUT", "/v1/customers/initech", { ...whole, maxTtl: 3600 });
    expect(put.body).toEqual({ ...whole, maxTtl: 3600 });
    expect((await own("GET", "/v1/customers/me")).status).toBe(200);

    const other = {
      id: "hooli",
      domains: ["hooli.example"],
      apiKeys: [{ id: "hooli-key", secret: `${initechApiSecret}-2` }],
    };
    expect((await ops("POST", "/v1/customers", other)).status).toBe(201);
    expect((await ops("DELETE", "/v1/customers/hooli")).status).toBe(204);
    expect((await gateway.ask(freshToken("hooli-key", `${initechApiSecret}-2`))).status).toBe(403);
    expect((await ops("GET", "/v1/customers/hooli")).status).toBe(404);
    expect((await ops("DELETE", "/v1/customers/hooli")).status).toBe(404);
  });

  it("that have the id of a removed one are shown nothing of that one, an operator all", async () => {
    const piper = (secret: string) => ({
      id: "piper",
      apiKeys: [{ id: `piper-${secret}`, secret: `${secret}-of-piper-123` }],
    });
    const asPiper = async (secret: string, part: string) =>
      (
        await said(
          await gateway.ask(freshToken(`piper-${secret}`, `${secret}-of-piper-123`), {
            path: `/v1/customers/me/${part}`,
          }),
        )
      ).body;
    const began = Date.now();
    expect((await ops("POST", "/v1/customers", piper("first"))).status).toBe(201);
    const call = { ...ended(), id: newId(began), customer: "piper", callId: "of-the-first", start: began };
    const db = new DatabaseSync(join(gateway.path, "postern.db"));
    db.prepare("INSERT INTO calls VALUES (?, 'piper', NULL, NULL, NULL, ?, 'g', 0, 0, ?)").run(
      call.id,
      call.callId,
      JSON.stringify(call),
    );
    db.close();
    expect(await asPiper("first", "calls")).toMatchObject({ calls: [{ callId: "of-the-first" }] });
    expect((await ops("DELETE", "/v1/customers/piper")).status).toBe(204);
    while (Date.now() < began + 2) await new Promise(setImmediate);
    expect((await ops("POST", "/v1/customers", piper("second"))).status).toBe(201);
    expect((await ops("PATCH", "/v1/customers/piper", { maxTtl: 60 })).status).toBe(200);
    expect(await asPiper("second", "calls")).toEqual({ calls: [], next: null });
    const { entries } = (await asPiper("second", "audit")) as {
      entries: { what: string; detail?: { created?: boolean } }[];
    };
    expect(entries.find(({ what }) => what.startsWith("customer."))?.detail).toMatchObject({ created: true });
    expect(JSON.stringify(entries)).not.toContain("piper-first");
    expect((await ops("GET", "/v1/customers/piper/calls")).body).toMatchObject({ calls: [{ callId: "of-the-first" }] });
    expect(JSON.stringify((await ops("GET", "/v1/customers/piper/audit")).body)).toContain("piper-first");
    expect((await ops("DELETE", "/v1/customers/piper")).status).toBe(204);
  });

  it("are refused with every fault at once", async () => {
    const faulty = {
      id: "In valid",
      domains: ["acme.example", "-"],
      secrets: [{ id: "k1", secret: "short" }],
      colour: 1,
    };
    const refused = await ops("POST", "/v1/customers", faulty);
    expect(refused.status).toBe(422);
    expect(refused.headers.get("content-type")).toBe("application/problem+json");
    const paths = (refused.body.errors as { path: string }[]).map(({ path }) => path);
    expect(paths.toSorted()).toEqual(["colour", "domains[0]", "domains[1]", "id", "secrets[0].secret"]);
    expect((await ops("POST", "/v1/customers", initech)).body.errors).toMatchObject([{ path: "id" }]);
  });

  it("are listed in pages, those of the config among them", async () => {
    const first = await ops("GET", "/v1/customers?limit=2");
    expect(first.body).toMatchObject({ customers: [{ id: "acme", declared: true }, { id: "globex" }], next: "globex" });
    const rest = await ops("GET", "/v1/customers?limit=2&after=globex");
    expect(rest.body).toMatchObject({ customers: [{ id: "initech", declared: false }], next: null });
    for (const limit of ["0", "501", "x", ""])
      expect((await ops("GET", `/v1/customers?limit=${limit}`)).status).toBe(400);
  });

  it("of the config are read, and changed there", async () => {
    expect((await ops("GET", "/v1/customers/acme")).body).toMatchObject({ id: "acme", maxTtl: 3600 });
    const refused = await ops("PATCH", "/v1/customers/acme", { maxTtl: 60 });
    expect(refused).toMatchObject({ status: 409, body: { detail: expect.stringContaining("declared in the config") } });
    expect(
      (await said(await gateway.ask(freshToken("46000000", acmeApiSecret), { method: "PATCH", body: {} }))).status,
    ).toBe(409);
    expect((await ops("DELETE", "/v1/customers/acme")).status).toBe(409);
  });
});

describe("secrets over HTTP", () => {
  const user = "alice@initech.example";
  const now = () => Math.floor(Date.now() / 1000);
  const exchanged = async (secret: string): Promise<number> => {
    const { username, password } = mint({ secret, user, ttl: 60, algorithm: "sha1", now: now() });
    const url = `${gateway.gatewayUrl.replace("ws:", "http:")}/v1/exchange`;
    const headers = { "content-type": "application/json" };
    const response = await fetch(url, { method: "POST", headers, body: JSON.stringify({ username, password }) });
    return response.status;
  };

  it("are made and shown once, promoted, retired, revoked, each in force when it is answered", async () => {
    const made = await own("POST", "/v1/customers/me/secrets", {});
    expect(made).toMatchObject({ status: 201, body: { id: "k1", algorithm: "sha1", secret: expect.any(String) } });
    expect(made.headers.get("location")).toBe("/v1/customers/initech/secrets/k1");
    const secret = String(made.body.secret);
    expect(await exchanged(secret)).toBe(200);
    const brought = "a-secret-that-initech-has-brought";
    expect((await own("POST", "/v1/customers/me/secrets", { id: "mine", secret: brought })).body).toEqual({
      ...{ id: "mine", algorithm: "sha1" },
    });
    const listed = (await own("GET", "/v1/customers/me/secrets")).body.secrets;
    expect(listed).toMatchObject([
      { id: "mine", uses: 0, lastUsed: null },
      { id: "k1", uses: 1, state: "valid" },
    ]);
    expect((await own("POST", "/v1/customers/me/secrets/k1/promote")).body.secrets).toMatchObject([{ id: "k1" }, {}]);
    expect(
      (await own("POST", "/v1/customers/me/secrets/mine/retire", { graceSeconds: 60 })).body.notAfter,
    ).toBeGreaterThan(now() + 50);
    expect(await exchanged(brought)).toBe(200);
    expect((await own("DELETE", "/v1/customers/me/secrets/mine")).status).toBe(204);
    expect(await exchanged(brought)).toBe(401);
    expect(await exchanged(secret)).toBe(200);
    expect((await own("DELETE", "/v1/customers/me/secrets/mine")).status).toBe(404);
    const text = JSON.stringify([listed, (await ops("GET", "/v1/customers/initech")).body, gateway.log()]);
    expect(text).not.toContain(secret);
    expect(text).not.toContain(brought);
    expect(text).not.toContain(initechApiSecret);
  });

  it("have faults under the names that were sent", async () => {
    const refused = await own("POST", "/v1/customers/me/secrets", {
      id: "a b",
      secret: "short",
      algorithm: "md5",
      x: 1,
    });
    expect(refused.status).toBe(422);
    expect((refused.body.errors as { path: string }[]).map(({ path }) => path).toSorted()).toEqual([
      ...["algorithm", "id", "secret", "x"],
    ]);
    expect((await own("POST", "/v1/customers/me/secrets", { id: "K1" })).body.errors).toMatchObject([{ path: "id" }]);
    expect(
      (await own("POST", "/v1/customers/me/secrets/k1/retire", { graceSeconds: -1, y: 1 })).body.errors,
    ).toMatchObject([...[{ path: "graceSeconds" }, { path: "y" }]]);
  });
});

describe("what else a customer has, over HTTP", () => {
  it.each([
    ["keys", { id: "j1", alg: "HS256", secret: "a-shared-secret-of-32-bytes-long" }, "keys/j1", own],
    ["api-keys", { id: "second", secret: "a-second-api-secret-of-initech" }, "api-keys/second", ops],
    ["origins", { origin: "https://www.initech.example" }, "origins?origin=https%3A%2F%2Fwww.initech.example", own],
    ["call-from", { address: "*@initech.example" }, "call-from?address=*%40initech.example", own],
    ["numbers", { number: "+4931*" }, "numbers?number=%2B4931*", ops],
    ["dial", { number: "+32*" }, "dial?number=%2B32*", ops],
    ["inbound", { number: "+4930123", user: "reception" }, "inbound?number=004930123", own],
    ["revocations", { user: "mallory", until: 4_000_000_000 }, "revocations?user=mallory", own],
  ] as const)("%s are added, listed and removed", async (part, body, one, as) => {
    const url = "/v1/customers/initech/";
    // The last origin stays.
    await own("PATCH", "/v1/customers/me", { origins: ["https://stays.initech.example"] });
    expect(await as("POST", url + part, body)).toMatchObject({ status: 201 });
    const listed = await as("GET", url + part);
    expect(listed.status).toBe(200);
    expect(JSON.stringify(listed.body)).toContain(Object.values(body).find((value) => typeof value === "string"));
    expect(JSON.stringify(listed.body)).not.toMatch(/secret/);
    expect((await as("DELETE", url + one)).status).toBe(204);
    expect((await as("DELETE", url + one)).status).toBe(404);
    expect((await as("GET", url + part)).body).not.toEqual(listed.body);
    expect((await as("POST", url + part, { [Object.keys(body)[0] ?? ""]: 7, other: 1 })).body.errors).toBeInstanceOf(
      Array,
    );
  });

  it("is suspended and resumed by an operator", async () => {
    expect((await ops("POST", "/v1/customers/initech/suspend", { calls: "finish" })).body).toEqual({
      suspended: "finish",
    });
    expect((await ops("GET", "/v1/customers/initech")).body).toMatchObject({ suspended: "finish" });
    expect((await own("GET", "/v1/customers/me")).status).toBe(403);
    expect((await ops("POST", "/v1/customers/initech/suspend", { calls: "cut" })).body.errors).toMatchObject([
      { path: "calls" },
    ]);
    expect((await ops("POST", "/v1/customers/initech/resume")).body).toEqual({ suspended: null });
    expect((await own("GET", "/v1/customers/me")).body).not.toHaveProperty("suspended");
  });
});

describe("a POST with an Idempotency-Key", () => {
  const path = "/v1/customers/me/secrets";

  it("is done once, and answered again without the secret", async () => {
    const key = { "idempotency-key": "f2f0c6ae" };
    const made = await own("POST", path, {}, key);
    const again = await own("POST", path, {}, key);
    expect(made.body).toHaveProperty("secret");
    const { secret: _told, ...rest } = made.body;
    expect([again.status, again.body]).toEqual([201, { ...rest, note: expect.stringContaining("shown once") }]);
    expect(again.headers.get("etag")).toBe(made.headers.get("etag"));
    expect(again.headers.get("location")).toBe(made.headers.get("location"));
    const { secrets } = (await own("GET", path)).body as { secrets: { id: string }[] };
    expect(secrets.filter(({ id }) => id === made.body.id)).toHaveLength(1);
    expect((await own("POST", path, { algorithm: "sha256" }, key)).status).toBe(422);
    expect((await own("POST", `${path}/${made.body.id}/promote`, {}, key)).status).toBe(422);
  });

  it("is each manager's own, and done anew where it was refused", async () => {
    const key = { "idempotency-key": "3b2f" };
    expect((await own("POST", path, { algorithm: "md5" }, key)).status).toBe(422);
    expect((await own("POST", path, { algorithm: "sha256" }, key)).status).toBe(201);
    expect((await ops("POST", "/v1/customers/initech/origins", { origin: "https://o.example" }, key)).status).toBe(201);
    expect((await own("POST", path, {}, { "idempotency-key": "x".repeat(129) })).status).toBe(400);
  });

  it("that comes many times at once is done once", async () => {
    const key = { "idempotency-key": "at-once" };
    const answers = await Promise.all(Array.from({ length: 5 }, () => own("POST", path, { id: "once" }, key)));
    expect(answers.filter(({ body }) => "secret" in body)).toHaveLength(1);
    expect(answers.every(({ status }) => status === 201 || status === 409)).toBe(true);
  });
});

describe("many customers over HTTP", () => {
  const bring = async (type: string, body: string, query = ""): Promise<Said> =>
    ops("POST", `/v1/customers/import${query}`, body, { "content-type": type });
  const line = (id: string): string => JSON.stringify({ id, domains: [`${id}.example`] });
  /** The status of an import that says it has so many bytes, none of which follows. */
  const announced = (length: number): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const authorization = `Bearer ${freshToken("ops", operatorSecret, { ist: "account" })}`;
      const headers = { authorization, "content-type": "application/jsonl", "content-length": length };
      const asked = request(`${gateway.adminUrl}/v1/customers/import`, { method: "POST", headers }, (response) => {
        resolve(response.statusCode);
        asked.destroy();
      });
      asked.on("error", reject).flushHeaders();
    });

  it("are imported in one transaction, as JSON lines or CSV", async () => {
    const two = `${line("many-1")}\n${line("many-2")}\n`;
    expect((await bring("application/jsonl", two, "?check=true")).body).toEqual({
      checked: true,
      added: 2,
      replaced: 0,
    });
    expect((await ops("GET", "/v1/customers/many-1")).status).toBe(404);
    expect((await bring("application/jsonl", two)).body).toEqual({ checked: false, added: 2, replaced: 0 });
    expect((await ops("GET", "/v1/customers/many-1")).status).toBe(200);
    expect((await bring("text/csv", "id,domains,calls\nmany-3,m3.example,5\n")).body).toMatchObject({ added: 1 });
    expect((await ops("GET", "/v1/customers/many-3")).body).toMatchObject({ limits: { calls: 5 } });
    const mixed = `${line("many-4")}\n${line("many-1")}\n`;
    expect((await bring("application/x-ndjson", mixed)).body.errors).toMatchObject([{ path: "id", line: 2 }]);
    expect((await bring("application/x-ndjson", mixed, "?replace=true")).body).toMatchObject({ added: 1, replaced: 1 });
  });

  it("are refused with the line of every fault", async () => {
    const refused = await bring(
      "application/jsonl",
      `${line("bad-1")}\n{"id":"bad-2","domain":1}\n{"id"\n${line("acme")}`,
    );
    expect(refused.status).toBe(422);
    expect(refused.body.errors).toMatchObject([
      ...[{ line: 2, path: "domain" }, { line: 3 }, { line: 4, path: "id" }],
      { line: 4, path: "domains[0]" },
    ]);
    expect((await ops("GET", "/v1/customers/bad-1")).status).toBe(404);
    expect((await bring("application/json", "[]")).status).toBe(415);
    expect((await bring("application/jsonl", "")).status).toBe(400);
    expect((await bring("application/jsonl", "", "?check=maybe")).status).toBe(400);
    const crowd = "{}\n".repeat(20_001);
    expect((await bring("application/jsonl", crowd)).body.errors).toMatchObject([{ line: 20_001 }]);
    expect((await bring("application/jsonl", `{"id":"${String.fromCharCode(0)}"}`)).status).toBe(422);
    expect([await announced(16_777_217), await announced(0)]).toEqual([413, 400]);
    const both = await Promise.all([bring("application/jsonl", crowd), bring("application/jsonl", crowd)]);
    expect(both.map(({ status }) => status).toSorted()).toEqual([422, 503]);
  });
});

describe("what is asked of what is not there", () => {
  it("is told by its status", async () => {
    const get = await gateway.ask(freshToken("initech-key", initechApiSecret), { method: "HEAD" });
    expect([get.status, await get.text(), get.headers.get("etag")]).toEqual([200, "", expect.stringMatching(/^"/)]);
    expect((await ops("GET", "/v1/customers/me")).status).toBe(404);
    const wrong = await ops("POST", "/v1/customers/initech");
    expect([wrong.status, wrong.headers.get("allow")]).toEqual([405, "DELETE, GET, HEAD, PATCH, PUT"]);
    expect(
      (await ops("PATCH", "/v1/customers/initech", "id=1", { "content-type": "application/x-www-form-urlencoded" }))
        .status,
    ).toBe(415);
    const patched = { "content-type": "application/merge-patch+json" };
    expect((await ops("PATCH", "/v1/customers/initech", "{}", patched)).status).toBe(200);
    expect((await ops("POST", "/v1/customers/initech/suspend", "{}", patched)).status).toBe(415);
    expect((await ops("PATCH", "/v1/customers/initech", "[]")).status).toBe(400);
    expect((await ops("PATCH", "/v1/customers/initech", '{"maxTtl":1,"maxTtl":2}')).status).toBe(400);
    expect((await ops("PATCH", "/v1/customers/initech", { trunk: "x".repeat(70_000) })).status).toBe(413);
  });

  it.each([
    ["POST", "/import?chekc=true", "chekc"],
    ["POST", "/import?check=true&check=false", "check"],
    ["GET", "?limt=1", "limt"],
    ["GET", "?limit=1&limit=500", "limit"],
    ["GET", "/initech?fields=id", "fields"],
    ["DELETE", "/initech?check=true", "check"],
    ["DELETE", "/initech/origins?origin=https%3A%2F%2Fa.example&origin=https%3A%2F%2Fb.example", "origin"],
    ["DELETE", "/initech/revocations?user=alice&user=bob", "user"],
    ["DELETE", "/initech/sessions/1?call=finish", "call"],
  ])("is not done by half where the query names what is not known, or twice: %s %s", async (method, path, name) => {
    const body = method === "POST" ? '{"id":"half","domains":["half.example"]}' : undefined;
    const type = { ...(body && { "content-type": "application/jsonl" }) };
    const refused = await ops(method, `/v1/customers${path}`, body, type);
    expect([refused.status, refused.body.errors]).toMatchObject([400, [{ path: name }]]);
    expect((await ops("GET", "/v1/customers/half")).status).toBe(404);
    expect((await ops("GET", "/v1/customers/initech")).status).toBe(200);
  });

  it("where there is no store says so", async () => {
    const bare = await startManaged();
    try {
      const asked = { path: "/v1/customers", method: "POST", body: initech };
      const refused = await said(await bare.ask(freshToken("ops", operatorSecret, { ist: "account" }), asked));
      expect(refused).toMatchObject({
        status: 503,
        body: { detail: expect.stringContaining("no store for customers yet") },
      });
      expect(refused.headers.get("retry-after")).toBe("5");
    } finally {
      await bare.close();
    }
  });
});

it("a store that is locked by another program changes nothing, says so, and is read on", async () => {
  const other = new DatabaseSync(join(gateway.path, "postern.db"));
  other.exec("BEGIN IMMEDIATE");
  const refused = await own("PATCH", "/v1/customers/initech", { maxTtl: 77 });
  expect(refused).toMatchObject({ status: 503, body: { detail: expect.stringContaining("nothing was changed") } });
  expect(refused.body.detail).not.toMatch(/postern\.db|locked/);
  expect(gateway.log().at(-1)).toMatchObject({ status: 503, reason: expect.stringMatching(/postern\.db.*locked/) });
  expect((await ops("GET", "/v1/customers/initech")).body).not.toMatchObject({ maxTtl: 77 });
  other.exec("ROLLBACK");
  other.close();
  expect((await ops("PATCH", "/v1/customers/initech", { maxTtl: 77 })).body).toMatchObject({ maxTtl: 77 });
});

it("each change is in the log, with who made it, and no secret is in the store's file", async () => {
  const lines = gateway.log().filter(({ msg }) => msg === "customer changed");
  expect(lines).toContainEqual(
    expect.objectContaining({
      by: "customer:initech/initech-key",
      what: "secret.add k1",
      customer: "initech",
      address: "127.0.0.1",
    }),
  );
  expect(lines).toContainEqual(expect.objectContaining({ by: "operator:ops", what: "customer.add initech" }));
  const refused = gateway.log().filter(({ msg, status }) => msg === "management request refused" && status === 422);
  expect(refused).toContainEqual(expect.objectContaining({ operator: "ops", faults: expect.arrayContaining([]) }));
  for (const file of ["postern.db", "postern.db-wal"]) {
    expect(readFileSync(join(gateway.path, file)).includes(initechApiSecret)).toBe(false);
  }
});
