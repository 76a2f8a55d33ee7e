import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { ConfigFolder, least } from "../helpers/config-file.ts";
import { answered, establish } from "../helpers/dialog.ts";
import type { TestGateway } from "../helpers/gateway.ts";
import { freshToken } from "../helpers/management.ts";
import { type Postgres, startPostgres } from "../helpers/postgres.ts";
import { code, credential, RawClient, status } from "../helpers/raw-client.ts";
import { Scene, User } from "../helpers/scene.ts";
import { change, onStore, storeCustomer } from "../helpers/stored.ts";

// Most tests start several processes, one after the other.
vi.setConfig({ testTimeout: 60_000 });
const patience = { timeout: 15_000 };

let postgres: Postgres;
let scene: Scene;
/** Two on one database, each with its own folder. */
let gateways: readonly [TestGateway, TestGateway];

const stored = (): string => `store: ${JSON.stringify(postgres.url())}\nstoreKey: the-key-of-the-store-of-both\n`;

beforeAll(async () => {
  postgres = await startPostgres();
  scene = await Scene.open({ more: stored() });
  gateways = [scene.gateway, await scene.another({ more: stored() })];
});
afterAll(async () => {
  await scene?.close();
  await postgres?.remove();
});

/** Somebody of a stored customer, registered. */
async function registered(name: string, domain: string, secret: string, gateway: TestGateway): Promise<User> {
  const address = `${name}@${domain}`;
  const user = new User(await scene.connect({}, gateway), address, credential(address, { secret, ttl: 3_000 }));
  const answer = await user.client.register(address, user.given);
  if (status(answer) !== 200) throw new Error(`not registered: ${answer}`);
  return user;
}

/** Until both have taken up what the last change was. */
async function takenUp(): Promise<void> {
  const [row] = await postgres.sql("SELECT value FROM postern.meta WHERE name = 'revision'");
  const revision = Number(row?.value);
  for (const { log } of gateways) {
    const has = (): boolean =>
      log().some((line) => line.msg === "stored customers changed" && line.revision === revision);
    await expect.poll(has, patience).toBe(true);
  }
}

const folder = (): string => gateways[0].folder;
const said = (gateway: TestGateway, message: string): number =>
  gateway.log().filter(({ msg }) => msg === message).length;

/** What a secret of a customer is worth on each gateway, to somebody new. */
const worth = (domain: string, secret: string): Promise<string[]> =>
  Promise.all(
    gateways.map(async (gateway) => {
      const client = await RawClient.connect(gateway.gatewayUrl);
      const address = `carol@${domain}`;
      const answer = await client.register(address, credential(address, { secret }));
      client.close();
      return code(answer) ?? String(status(answer));
    }),
  );

/** Milliseconds of the last change, by the clock that all of them have. */
async function changedAt(): Promise<number> {
  const [row] = await postgres.sql("SELECT entry FROM postern.audit ORDER BY seq DESC LIMIT 1");
  return Number((JSON.parse(String(row?.entry)) as { at: number }).at);
}

/** An idle machine takes some 20 ms, and the promise is a second; this is for one that has much else to do. */
const atOnce = 5_000;

describe("two gateways on one PostgreSQL", () => {
  it("close at once the sockets of a secret that is revoked through one of them, and no other", async () => {
    const first = await storeCustomer(folder(), "initech");
    const second = String((await change(folder(), "secret", "add", "initech")).data.secret);
    const key = (await change(folder(), "api-key", "add", "initech", "--id", "initech-key")).data;
    await takenUp();
    const register = (name: string, secret: string): Promise<User[]> =>
      Promise.all(gateways.map((gateway, at) => registered(`${name}${at}`, "initech.example", secret, gateway)));
    const [losers, others] = [await register("alice", first), await register("bob", second)];
    const closed = Promise.all(
      losers.map(async ({ client }) => ({ code: (await client.closed).code, at: Date.now() })),
    );
    const token = freshToken(String(key.id), String(key.secret));
    const revoked = await fetch(`${gateways[0].adminUrl}/v1/customers/me/secrets/k1`, {
      method: "DELETE",
      headers: { "X-OPENTOK-AUTH": token },
    });
    expect(revoked.status).toBe(204);
    const ends = await closed;
    expect(ends.map((end) => end.code)).toEqual([4403, 4403]);
    expect(Math.max(...ends.map(({ at }) => at)) - (await changedAt())).toBeLessThan(atOnce);
    for (const { client, address, given } of others) expect(status(await client.register(address, given))).toBe(200);
    expect(await worth("initech.example", first)).toEqual(["credential-rejected", "credential-rejected"]);
  });

  it("go on with calls and registrations while it is stopped, refuse changes, and are well after", async () => {
    const secret = await storeCustomer(folder(), "hooli");
    const key = (await change(folder(), "api-key", "add", "hooli", "--id", "hooli-key")).data;
    await takenUp();
    const [alice, bob] = await Promise.all([
      registered("alice", "hooli.example", secret, gateways[0]),
      registered("bob", "hooli.example", secret, gateways[1]),
    ]);
    const call = await establish(alice, bob);
    await postgres.halt();
    for (const gateway of gateways) await expect.poll(() => said(gateway, "the store fails"), patience).toBe(1);
    expect(await worth("hooli.example", secret)).toEqual(["200", "200"]);
    const another = await establish(bob, alice);
    const refused = await onStore(folder(), ["secret", "add", "hooli"]);
    expect([refused.exit, refused.stdout]).toEqual([1, ""]);
    expect(refused.stderr).toBe(
      `error: the store postgres://postern@127.0.0.1:${postgres.port}/postgres cannot be reached: nothing listens there\n`,
    );
    const token = freshToken(String(key.id), String(key.secret));
    const asked = await fetch(`${gateways[1].adminUrl}/v1/customers/me/secrets`, {
      ...{ method: "POST", body: "{}" },
      headers: { Authorization: `Bearer ${token}`, "content-type": "application/json" },
    });
    expect(asked.status).toBe(503);
    expect(await asked.text()).not.toMatch(/the-password/);
    const checked = await onStore(folder(), ["check"]);
    expect([checked.exit, checked.stderr]).toEqual([1, expect.stringMatching(/: store: .* nothing listens there\n$/)]);
    await postgres.resume();
    for (const gateway of gateways) await expect.poll(() => said(gateway, "the store is well again"), patience).toBe(1);
    const fresh = String((await change(folder(), "secret", "add", "hooli")).data.secret);
    await takenUp();
    expect(await worth("hooli.example", fresh)).toEqual(["200", "200"]);
    for (const { caller, callee, callId, fromCaller } of [call, another]) {
      caller.client.send(fromCaller("BYE"));
      await answered(callee, callId, "BYE");
    }
    await change(folder(), "customer", "remove", "hooli");
    expect((await Promise.all([alice.client.closed, bob.client.closed])).map((end) => end.code)).toEqual([4403, 4403]);
  });

  it("have nothing of its password in any line, list or word", async () => {
    await storeCustomer(folder(), "globex2");
    const words = [
      ...gateways.map(({ log }) => JSON.stringify(log())),
      ...(await Promise.all(
        [
          ["check", "--json"],
          ["doctor", "--json"],
          ["customer", "list"],
          ["customer", "show", "globex2"],
          ["audit", "verify"],
        ].map(async (args) => {
          const { stdout, stderr } = await onStore(folder(), args);
          return stdout + stderr;
        }),
      )),
    ];
    expect(words.map((text) => text.length > 10)).not.toContain(false);
    expect(words[0]).toContain(`postgres://postern@127.0.0.1:${postgres.port}/postgres`);
    expect(words.join("\n")).not.toMatch(/the-password|database%3F|database\?/);
  });
});

describe("a gateway whose PostgreSQL is not there", () => {
  it("does not start, and says why without a secret", async () => {
    const own = new ConfigFolder();
    const url = postgres.url().replace(/:\d+\//, ":1/");
    own.write("postern.yaml", `${least}store: ${JSON.stringify(url)}\nstoreKey: the-key-of-the-store-of-both\n`);
    const { exit, stdout, stderr } = await onStore(own.path, ["serve"]);
    expect([exit, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(
      /the store postgres:\/\/postern@127\.0\.0\.1:1\/postgres cannot be reached: nothing listens there/,
    );
    expect(stderr).not.toMatch(/the-password/);
    own.remove();
  });
});
