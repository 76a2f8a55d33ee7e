import { existsSync, readFileSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { bindingsOf } from "../helpers/bindings.ts";
import { ConfigFolder, least } from "../helpers/config-file.ts";
import { acmeSecret, chainSecret, type GatewaySettings, startGateway, type TestGateway } from "../helpers/gateway.ts";
import { type Kamailio, startKamailio } from "../helpers/kamailio.ts";
import { code, credential, RawClient, status } from "../helpers/raw-client.ts";
import { change, onStore, storeCustomer } from "../helpers/stored.ts";

// Most tests start several processes, one after the other.
vi.setConfig({ testTimeout: 60_000 });

let kamailio: Kamailio;
let gateway: TestGateway | undefined;

beforeAll(async () => {
  kamailio = await startKamailio({ chainSecret });
});
afterEach(async () => {
  await gateway?.close();
  gateway = undefined;
});
afterAll(() => kamailio?.stop());

const started = async (settings: Partial<GatewaySettings> = {}): Promise<TestGateway> => {
  gateway = await startGateway({ upstreamUrls: [kamailio.wsUrl], ...settings });
  return gateway;
};

const named = { more: "store: sqlite:./postern.db" };
const patience = { timeout: 10_000 };

async function registered(secret: string, domain = "initech.example"): Promise<{ client: RawClient; answer: string }> {
  const client = await RawClient.connect(gateway!.gatewayUrl);
  const user = `alice@${domain}`;
  return { client, answer: await client.register(user, credential(user, { secret })) };
}

/** Until the gateway has taken up what another process has changed. */
const takenUp = (revision: number) =>
  expect
    .poll(
      () => gateway!.log().some((line) => line.msg === "stored customers changed" && line.revision === revision),
      patience,
    )
    .toBe(true);

describe("a gateway without stored customers", () => {
  it("makes no file where the config names no store, and takes up the first customer that is stored", async () => {
    const { folder } = await started();
    expect(existsSync(join(folder, "postern.db"))).toBe(false);
    const secret = await storeCustomer(folder, "initech");
    await expect.poll(async () => status((await registered(secret)).answer), patience).toBe(200);
    const { answer } = await registered(acmeSecret, "acme.example");
    expect(status(answer)).toBe(200);
  });

  it("is what verify knows too, once there are any", async () => {
    const { folder } = await started();
    const secret = await storeCustomer(folder, "initech");
    const { username, password } = credential("alice@initech.example", { secret });
    const judged = await onStore(folder, ["verify", "--username", username, "--password", "-", "--json"], password);
    expect([judged.exit, judged.data]).toEqual([0, expect.objectContaining({ accepted: true, customer: "initech" })]);
  });

  it("makes the file that the config names, for its owner alone", async () => {
    const { folder } = await started(named);
    expect(statSync(join(folder, "postern.db")).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, "postern.db.key")).mode & 0o777).toBe(0o600);
  });
});

describe("a stored customer's secret", () => {
  it("is one of several that are good at once, and taken back it closes the sockets that it proved, and no other", async () => {
    const { folder, log } = await started(named);
    const first = await storeCustomer(folder, "initech");
    const second = String((await change(folder, "secret", "add", "initech")).data.secret);
    await takenUp(3);
    const [one, two] = [await registered(first), await registered(second)];
    expect([status(one.answer), status(two.answer)]).toEqual([200, 200]);
    await change(folder, "secret", "revoke", "initech", "k1");
    const closed = await one.client.closed;
    expect(closed.code).toBe(4403);
    expect(log()).toContainEqual(expect.objectContaining({ msg: "closed", code: "credential-revoked" }));
    const user = "alice@initech.example";
    expect(status(await two.client.register(user, credential(user, { secret: second })))).toBe(200);
    expect(code((await registered(first)).answer)).toBe("credential-rejected");
  });

  it("retired is good until its end, and closes nobody", async () => {
    const { folder } = await started(named);
    const secret = await storeCustomer(folder, "initech");
    await takenUp(2);
    const { client } = await registered(secret);
    await change(folder, "secret", "retire", "initech", "k1", "--grace", "3600");
    await takenUp(3);
    const user = "alice@initech.example";
    expect(status(await client.register(user, credential(user, { secret })))).toBe(200);
    await change(folder, "secret", "retire", "initech", "k1", "--grace", "0");
    await expect
      .poll(async () => code(await client.register(user, credential(user, { secret }))), patience)
      .toBe("credential-rejected");
    expect(client.socket.readyState).toBe(client.socket.OPEN);
  });

  it("goes with its customer", async () => {
    const { folder } = await started(named);
    const secret = await storeCustomer(folder, "initech");
    await takenUp(2);
    const { client } = await registered(secret);
    await change(folder, "customer", "remove", "initech");
    expect((await client.closed).code).toBe(4403);
    expect(code((await registered(secret)).answer)).toBe("credential-rejected");
  });
});

describe("gateways that share a store", () => {
  it("both send away whom one process revokes, his binding at Kamailio goes too, and nobody else", async () => {
    const { folder, gatewayUrl } = await started(named);
    const secret = await storeCustomer(folder, "initech");
    const other = await startGateway({
      upstreamUrls: [kamailio.wsUrl],
      more: `store: "sqlite:${join(folder, "postern.db")}"`,
    });
    onTestFinished(() => other.close());
    await takenUp(2);
    const visit = async (url: string, user: string): Promise<RawClient> => {
      const client = await RawClient.connect(url);
      const given = credential(user, { secret });
      await expect.poll(async () => status(await client.register(user, given)), patience).toBe(200);
      return client;
    };
    const [alice, bob] = ["alice@initech.example", "bob@initech.example"];
    const taken = [await visit(gatewayUrl, alice), await visit(other.gatewayUrl, alice)];
    const kept = [await visit(gatewayUrl, bob), await visit(other.gatewayUrl, bob)];
    expect(bindingsOf(kamailio, alice)).not.toEqual([]);
    const shown = (await change(folder, "customer", "export")).stdout.trim();
    const revoked = [{ user: "alice", until: Math.floor(Date.now() / 1000) + 600 }];
    const line = JSON.stringify({ ...(JSON.parse(shown) as object), revoked });
    expect((await onStore(folder, ["customer", "import", "-", "--replace"], line)).exit).toBe(0);
    for (const client of taken) expect((await client.closed).code).toBe(4403);
    await expect.poll(() => bindingsOf(kamailio, alice), patience).toEqual([]);
    for (const client of kept) {
      expect(status(await client.register(bob, credential(bob, { secret })))).toBe(200);
    }
    expect(bindingsOf(kamailio, bob)).not.toEqual([]);
  });
});

describe("customers of the config and of the store", () => {
  it("stand beside each other over a reload", async () => {
    const { folder, change: reload } = await started(named);
    const secret = await storeCustomer(folder, "initech");
    await takenUp(2);
    const { client } = await registered(secret);
    expect(reload({ acmeSecret: "another-secret-of-acme-in-tests" })).toEqual([]);
    const user = "alice@initech.example";
    expect(status(await client.register(user, credential(user, { secret })))).toBe(200);
    expect(code((await registered(acmeSecret, "acme.example")).answer)).toBe("credential-rejected");
  });

  it("cannot have the same: a reload is refused with who has what", async () => {
    const running = await started(named);
    const secret = await storeCustomer(running.folder, "initech");
    await takenUp(2);
    expect(() => running.change({ acmeSecret: secret })).toThrow(
      /stored customer initech cannot stand beside this config: secrets\[0\]\.secret is taken: customer acme of the config has it/,
    );
    expect(running.change({ acme: '    callFrom: ["x@initech.example"]' })).toEqual([]);
    expect(status((await registered(secret)).answer)).toBe(200);
  });

  it("are compared by check, which names the clash and makes nothing", async () => {
    const folder = new ConfigFolder();
    folder.write("postern.yaml", least);
    expect((await onStore(folder.path, ["check"])).exit).toBe(0);
    expect(existsSync(join(folder.path, "postern.db"))).toBe(false);
    await storeCustomer(folder.path, "initech");
    expect((await onStore(folder.path, ["check"])).exit).toBe(0);
    folder.write("postern.yaml", `${least}customers: [{ id: mine, domains: [initech.example] }]\n`);
    const { exit, data } = await onStore(folder.path, ["check", "--json"]);
    expect([exit, data]).toEqual([2, expect.objectContaining({ ok: false })]);
    expect(JSON.stringify(data)).toContain("domains[0] is taken: customer mine of the config has it");
    folder.remove();
  });

  it("are refused at a start that cannot have both", async () => {
    const { folder } = await started(named);
    await storeCustomer(folder, "initech");
    const store = `store: "sqlite:${join(folder, "postern.db")}"`;
    const mine = "  - { id: mine, domains: [initech.example] }";
    await expect(startGateway({ upstreamUrls: [kamailio.wsUrl], globex: mine, more: store })).rejects.toThrow(
      /stored customer initech cannot stand beside this config: domains\[0\] is taken: customer mine of the config has it/,
    );
  });
});

describe("a store that is lost", () => {
  it("stops changes with a clear answer, never calls, and is taken up again when it is back", async () => {
    const { folder, log } = await started(named);
    const secret = await storeCustomer(folder, "initech");
    await takenUp(2);
    const { client } = await registered(secret);
    const path = join(folder, "postern.db");
    for (const end of ["", "-wal", "-shm"]) if (existsSync(path + end)) renameSync(path + end, `${path}.away${end}`);
    await expect.poll(() => log().filter(({ msg }) => msg === "the store fails").length, patience).toBe(1);
    const user = "alice@initech.example";
    expect(status(await client.register(user, credential(user, { secret })))).toBe(200);
    expect(status((await registered(secret)).answer)).toBe(200);
    for (const end of ["", "-wal", "-shm"])
      if (existsSync(`${path}.away${end}`)) renameSync(`${path}.away${end}`, path + end);
    await expect.poll(() => log().filter(({ msg }) => msg === "the store is well again").length, patience).toBe(1);
    await change(folder, "secret", "revoke", "initech", "k1");
    expect((await client.closed).code).toBe(4403);
  });

  it("locked by another program answers a change so, and goes on", async () => {
    const { folder } = await started(named);
    const secret = await storeCustomer(folder, "initech");
    await takenUp(2);
    const other = new DatabaseSync(join(folder, "postern.db"));
    other.exec("BEGIN IMMEDIATE");
    const refused = await onStore(folder, ["secret", "revoke", "initech", "k1"]);
    expect([refused.exit, refused.stderr]).toEqual([1, expect.stringContaining("is locked by another program")]);
    expect(status((await registered(secret)).answer)).toBe(200);
    other.exec("ROLLBACK");
    other.close();
    expect((await onStore(folder, ["secret", "revoke", "initech", "k1"])).exit).toBe(0);
  });

  it("with a newer schema, another program's, or no database at all, is refused with a sentence and left as it is", async () => {
    const { folder } = await started(named);
    await storeCustomer(folder, "initech");
    const path = join(folder, "postern.db");
    const db = new DatabaseSync(path);
    db.exec("PRAGMA user_version = 99");
    expect(await onStore(folder, ["customer", "list"])).toMatchObject({
      exit: 1,
      stderr: expect.stringMatching(/has schema version 99, and this Postern knows \d: run the newer Postern/),
    });
    const checked = await onStore(folder, ["check", "--json"]);
    expect([checked.exit, checked.data]).toMatchObject([1, { ok: false, faults: [{ path: "store" }] }]);
    expect((await onStore(folder, ["check"])).stderr).toMatch(/: store: the config has no faults, .* version 99/);
    const store = { upstreamUrls: [kamailio.wsUrl], more: `store: "sqlite:${path}"` };
    await expect(startGateway(store)).rejects.toThrow(/schema version 99/);
    db.exec("PRAGMA user_version = 2; PRAGMA application_id = 7");
    db.close();
    expect(await onStore(folder, ["customer", "list"])).toMatchObject({
      exit: 1,
      stderr: expect.stringContaining("another program's database"),
    });
    expect(readFileSync(path).subarray(0, 15).toString()).toBe("SQLite format 3");
  });
});
