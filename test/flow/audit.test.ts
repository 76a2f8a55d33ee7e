import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { acmeSecret, chainSecret, startGateway, type TestGateway } from "../helpers/gateway.ts";
import { type Kamailio, startKamailio } from "../helpers/kamailio.ts";
import { freshToken, operatorSecret } from "../helpers/management.ts";
import { code, credential, RawClient, status } from "../helpers/raw-client.ts";
import { change, onStore, storeCustomer } from "../helpers/stored.ts";
import { signToken } from "../helpers/tokens.ts";

// Most tests start several processes, one after the other.
vi.setConfig({ testTimeout: 60_000 });

let kamailio: Kamailio;
let gateway: TestGateway;
let secret: string;

beforeAll(async () => {
  kamailio = await startKamailio({ chainSecret });
  gateway = await startGateway({
    upstreamUrls: [kamailio.wsUrl],
    admin: `, operators: [{ id: ops, secret: ${operatorSecret} }]`,
    more: "store: sqlite:./postern.db",
    gateway: "  limits: { failuresPerMinute: 0 }",
  });
  secret = await storeCustomer(gateway.folder, "initech");
}, 60_000);
afterAll(async () => {
  await gateway?.close();
  await kamailio?.stop();
});

interface Entry {
  readonly seq: number;
  readonly by: string;
  readonly what: string;
  readonly customer?: string;
}

async function entries(...args: readonly string[]): Promise<Entry[]> {
  const { data } = await change(gateway.folder, "audit", "list", "--json", ...args);
  return data.entries as Entry[];
}

const patience = { timeout: 10_000 };
const count = async (): Promise<number> => (await entries("--limit", "1000")).length;
const operator = (changes = {}): string => freshToken("ops", operatorSecret, { ist: "account", ...changes });
const manage = (token: string): Promise<Response> =>
  fetch(`${gateway.adminUrl}/v1/customers/me`, { headers: { "x-opentok-auth": token } });

async function registered(from: string, given = credential(from, { secret })): Promise<string> {
  const client = await RawClient.connect(gateway.gatewayUrl);
  const answer = await client.register(from, given);
  client.close();
  return answer;
}

describe("the audit", () => {
  it("has what the gateway does, who signs in, and what commands change, by whom", async () => {
    gateway.change({});
    await manage(operator());
    await manage(operator());
    await expect
      .poll(async () => (await entries()).map(({ by, what }) => `${by} ${what.split(" ")[0]}`), patience)
      .toEqual([
        "gateway signing-key.add",
        "gateway gateway.start",
        expect.stringMatching(/^cli:.+ customer\.add$/),
        expect.stringMatching(/^cli:.+ secret\.add$/),
        "gateway config.reload",
        "operator:ops sign-in",
      ]);
    expect((await entries("--customer", "initech")).map(({ what }) => what)).toEqual(["customer.add", "secret.add k1"]);
    expect(await entries("--by", "operator:ops")).toMatchObject([{ address: "127.0.0.1" }]);
    const listed = await change(gateway.folder, "audit", "list", "--limit", "2");
    expect(listed.stdout.trimEnd().split("\n")).toHaveLength(2);
    expect(listed.stderr).toMatch(/there are older ones: --before \d+/);
  });

  it("has its head in the log with each change, and verifies with it", async () => {
    const { revision } = (await change(gateway.folder, "customer", "add", "hooli", "--domain", "hooli.example")).data;
    const taken = () =>
      gateway.log().find((line) => line.msg === "stored customers changed" && line.revision === revision);
    await expect.poll(taken, patience).toBeDefined();
    const head = String(taken()?.audit);
    expect(head).toMatch(/^\d+:[\w-]{43}$/);
    expect(gateway.log()).toContainEqual(
      expect.objectContaining({ msg: "audit", audit: expect.stringMatching(/^1:/) }),
    );
    const verified = await onStore(gateway.folder, ["audit", "verify", "--head", head]);
    expect(verified).toMatchObject({
      exit: 0,
      data: { ok: true },
      stderr: expect.stringMatching(/^whole: \d+ entries/),
    });
  });

  it("has the uses of verify and mint, where there is a store, with nothing that was given but what was proved", async () => {
    const { username, password } = credential("alice@initech.example", { secret });
    const verify = ["verify", "--username", username, "--password", "-"];
    expect((await onStore(gateway.folder, verify, password)).exit).toBe(0);
    const before = await count();
    expect(
      (await onStore(gateway.folder, [...verify.slice(0, 2), "1:of-a-typing-error", ...verify.slice(3)], "x")).exit,
    ).toBe(1);
    expect(
      (await onStore(gateway.folder, ["mint", "--user", "bob@initech.example", "--secret", "-"], secret)).exit,
    ).toBe(0);
    const last = (await entries()).slice(before - 1);
    expect(last.map(({ what, customer }) => [what, customer])).toEqual([
      ["verify: accepted alice@initech.example", "initech"],
      [expect.stringMatching(/^verify: credential-\w+$/), undefined],
      ["mint: credential of bob@initech.example", undefined],
    ]);
  });

  it("does not make verify fail where it cannot be written, and the command says so", async () => {
    const { username, password } = credential("alice@initech.example", { secret });
    const other = new DatabaseSync(join(gateway.folder, "postern.db"));
    other.exec("CREATE TRIGGER refused BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no'); END");
    const judged = await onStore(gateway.folder, ["verify", "--username", username, "--password", "-"], password);
    other.exec("DROP TRIGGER refused");
    other.close();
    expect(judged).toMatchObject({
      exit: 0,
      stderr: expect.stringContaining("this use is not in the audit: the store"),
    });
  });

  it("grows by nobody who was not proved", async () => {
    const before = await count();
    for (let at = 0; at < 10; at++) {
      expect(
        code(
          await registered("alice@initech.example", { username: "4102444800:alice@initech.example", password: "x" }),
        ),
      ).toBe("credential-rejected");
      expect((await manage(freshToken("ops", "a-secret-that-is-not-right", { ist: "account" }))).status).toBe(403);
      expect((await manage(operator({ iss: `stranger-${at}` }))).status).toBe(403);
    }
    await manage(operator());
    expect(await count()).toBe(before);
  });
});

describe("uses of a secret", () => {
  it("are counted when it proves somebody, never when it does not, and shown with it", async () => {
    for (let at = 0; at < 3; at++) expect(status(await registered("alice@initech.example"))).toBe(200);
    await registered("alice@initech.example", credential("alice@initech.example", { secret: acmeSecret }));
    const began = Math.floor(Date.now() / 1000);
    const shown = async () => ((await change(gateway.folder, "secret", "list", "initech")).data.secrets as object[])[0];
    await expect.poll(shown, { timeout: 15_000, interval: 500 }).toMatchObject({ id: "k1", uses: 3 });
    const { lastUsed } = (await shown()) as { lastUsed: number };
    expect(Math.abs(lastUsed - began)).toBeLessThan(60);
  });
});

/** A management request, and its answer's body. */
async function over(
  token: string,
  path: string,
  method = "GET",
  body?: object,
): Promise<{ status: number; body: Record<string, unknown> }> {
  const headers = { authorization: `Bearer ${token}`, ...(body && { "content-type": "application/json" }) };
  const response = await fetch(`${gateway.adminUrl}/v1/${path}`, {
    method,
    headers,
    ...(body && { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

describe("refusals of a customer", () => {
  it("are told its own key and an operator, those that were proved and those that a stranger claims, and no other", async () => {
    const { body: key } = await over(operator(), "customers/initech/api-keys", "POST", { id: "i1" });
    const own = (): string => freshToken("i1", String(key.secret));
    const client = await RawClient.connect(gateway.gatewayUrl);
    const alice = "alice@initech.example";
    await client.register(alice, credential(alice, { secret }));
    const call = { method: "INVITE", uri: "sip:+4930999@initech.example", from: alice, to: "+4930999@initech.example" };
    const refused = await client.prove(
      { ...call, fromTag: "f1", callId: "refused-1", cseq: 1 },
      credential(alice, { secret }),
    );
    expect(code(refused)).toBe("destination-denied");
    client.close();
    await registered("mallory@initech.example", { username: "4102444800:mallory@initech.example", password: "guess" });
    await registered("bob@hooli.example", { username: "4102444800:bob@hooli.example", password: "guess" });
    const told = await over(own(), "customers/me/refusals");
    const [claimed, proved] = told.body.refusals as Record<string, unknown>[];
    expect(claimed).toMatchObject({
      code: "credential-rejected",
      claimed: true,
      user: "mallory@initech.example",
      way: "sip",
    });
    expect(proved).toMatchObject({
      ...{ code: "destination-denied", claimed: false, user: alice, method: "INVITE", destination: "number" },
      ...{ address: "127.0.0.1", remedy: expect.stringContaining("dial") },
    });
    expect((await over(operator(), "customers/initech/refusals")).body).toEqual(told.body);
    expect(JSON.stringify(told.body)).not.toMatch(/hooli|guess|4102444800/);
    const asOps = ["--api", gateway.adminUrl, "--as", "ops", "--key", "-"];
    const lines = await onStore(gateway.folder, ["refusals", "initech", "--limit", "2", ...asOps], operatorSecret);
    expect(lines.stdout.trimEnd().split("\n")).toEqual([
      expect.stringMatching(/credential-rejected\tmallory@initech\.example\t127\.0\.0\.1\t.*\tclaimed\t/),
      expect.stringMatching(/destination-denied\talice@initech\.example\t127\.0\.0\.1\t.*\tproved\t.*dial/),
    ]);
    expect((await over(own(), "customers/hooli/refusals")).status).toBe(404);
    expect((await over(own(), "customers/hooli/audit")).status).toBe(404);
    expect((await over(own(), "audit")).status).toBe(403);
  });

  it("are those of a handshake too, whose token proved the customer", async () => {
    const shared = "the-shared-secret-of-initech-0123456";
    await over(operator(), "customers/initech/keys", "POST", { id: "j1", alg: "HS256", secret: shared });
    const claims = { sub: "carol@initech.example", appID: "initech", exp: Math.floor(Date.now() / 1000) + 900 };
    const token = await signToken({ alg: "HS256" }, claims, shared);
    const client = await RawClient.connect(gateway.gatewayUrl, { path: `/?access_token=${token}` });
    expect((await client.closed).code).toBe(4403);
    const { refusals } = (await over(operator(), "customers/initech/refusals")).body as { refusals: object[] };
    expect(refusals[0]).toMatchObject({ way: "handshake", code: "credential-ttl", claimed: false });
    expect(JSON.stringify(refusals[0])).not.toContain(token.slice(-20));
  });

  it("stand beside who changed it, without the address of others, and what its keys proved", async () => {
    const { body: key } = await over(operator(), "customers/initech/api-keys", "POST", { id: "i2" });
    const own = (): string => freshToken("i2", String(key.secret));
    await over(own(), "customers/me", "PATCH", { maxTtl: 600 });
    const { body } = await over(own(), "customers/me/audit?limit=3");
    expect(body.entries).toMatchObject([
      { by: "operator:ops", what: "apiKey.add i2", customer: "initech", detail: { apiKeys: { added: ["i2"] } } },
      { by: "customer:initech/i2", what: "sign-in", address: "127.0.0.1" },
      { by: "customer:initech/i2", address: "127.0.0.1", detail: { maxTtl: { before: null, after: 600 } } },
    ]);
    const [by] = body.entries as object[];
    expect(by).not.toHaveProperty("address");
    expect((await over(operator(), "audit?customer=initech&limit=3")).body.entries).toMatchObject([
      { address: "127.0.0.1" },
      {},
      {},
    ]);
    const { uses } = (await over(own(), "customers/me/uses")).body;
    expect(uses).toContainEqual(expect.objectContaining({ kind: "apiKey", id: "i2", count: 3 }));
  });
});

describe("an audit behind its gateway's back", () => {
  it("has the stop of the gateway, and its uses, as soon as it has stopped", async () => {
    expect(status(await registered("bob@initech.example"))).toBe(200);
    const folder = gateway.folder;
    const stopped = await startGateway({
      upstreamUrls: [kamailio.wsUrl],
      more: `store: "sqlite:${join(folder, "postern.db")}"`,
    });
    await stopped.close();
    expect((await entries("--by", "gateway")).at(-1)?.what).toMatch(/^gateway\.stop /);
  });
});
