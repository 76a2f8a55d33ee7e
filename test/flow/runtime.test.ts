import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { bindingsOf } from "../helpers/bindings.ts";
import { answered, establish, ring } from "../helpers/dialog.ts";
import { freshToken } from "../helpers/management.ts";
import { code, status } from "../helpers/raw-client.ts";
import { header, isReply, recordRoutes, reply, uriOf } from "../helpers/raw-sip.ts";
import { Scene, type User } from "../helpers/scene.ts";
import { onStore } from "../helpers/stored.ts";

const keys = { acme: "the-api-secret-of-acme-in-tests", globex: "the-api-secret-of-globex-in-tests" };
const operator = "the-secret-of-the-operator-in-tests";
let scene: Scene;

// One of them starts a process or two.
vi.setConfig({ testTimeout: 60_000 });

beforeAll(async () => {
  scene = await Scene.open({
    admin: `, operators: [{ id: ops, secret: ${operator} }]`,
    acme: `    apiKeys: [{ id: a1, secret: ${keys.acme} }]`,
    globex: `    apiKeys: [{ id: g1, secret: ${keys.globex} }]`,
    more: "store: sqlite:./postern.db",
  });
});
afterAll(() => scene?.close());

interface Told {
  readonly status: number;
  readonly sessions: readonly Readonly<Record<string, unknown>>[];
  readonly calls: readonly Readonly<Record<string, unknown>>[];
  readonly next: string | null;
}
type Manager = "ops" | "acme" | "globex";

async function ask(by: Manager, path: string, method = "GET"): Promise<Told> {
  const token = {
    ops: () => freshToken("ops", operator, { ist: "account" }),
    acme: () => freshToken("a1", keys.acme),
    globex: () => freshToken("g1", keys.globex),
  }[by]();
  const url = `${scene.gateway.adminUrl}/v1${path}`;
  const response = await fetch(url, { method, headers: { authorization: `Bearer ${token}` } });
  const text = await response.text();
  return { status: response.status, ...(text === "" ? {} : (JSON.parse(text) as object)) } as Told;
}

const sessionOf = async (
  { name }: User,
  by: Manager = "acme",
): Promise<Readonly<Record<string, unknown>> | undefined> =>
  (await ask(by, "/customers/me/sessions")).sessions.find(({ user }) => user === name);
const callIn = async (callId: string): Promise<readonly Readonly<Record<string, unknown>>[]> =>
  (await ask("ops", "/live-calls")).calls.filter((call) => call.callId === callId);

describe("what runs", () => {
  it("is told to each customer of itself, and to an operator of all, page by page", async () => {
    const [alice, carol] = [await scene.user("alice"), await scene.user("carol")];
    const eve = await scene.user("eve", "globex.example");
    const call = await establish(alice, carol);
    expect(await sessionOf(alice)).toEqual({
      ...{ id: expect.stringMatching(/^[0-9a-f]{16}$/), customer: "acme", user: alice.name, domain: "acme.example" },
      ...{ address: "127.0.0.1", provedBy: "k1", since: expect.any(Number), expiry: expect.any(Number) },
      ...{ bindings: 1, calls: 1 },
    });
    expect([await sessionOf(eve), (await sessionOf(eve, "globex"))?.user]).toEqual([undefined, eve.name]);
    const all = (await ask("ops", "/sessions")).sessions.map(({ user }) => user);
    expect(all.toSorted()).toEqual([alice.name, carol.name, eve.name].toSorted());
    expect((await ask("acme", "/sessions")).sessions).toHaveLength(2);
    const first = await ask("ops", "/sessions?limit=2");
    const second = await ask("ops", `/sessions?limit=2&after=${first.next}`);
    expect([first.sessions.length, second.sessions.length, second.next]).toEqual([2, 1, null]);
    const both = await callIn(call.callId);
    expect(both.map(({ direction, user, peer }) => [direction, user, peer])).toEqual([
      ["to-user", alice.name, carol.address],
      ["in", carol.name, alice.address],
    ]);
    expect(both[0]).toMatchObject({ status: 200, seconds: expect.any(Number), answer: expect.any(Number) });
    expect((await ask("globex", "/customers/me/live-calls")).calls).toEqual([]);
    for (const path of ["/customers/acme/sessions", "/customers/acme/live-calls"]) {
      expect([(await ask("globex", path)).status, (await ask("ops", path)).status]).toEqual([404, 200]);
    }
    for (const query of ["limit=0", "limit=501", "limit=x"])
      expect((await ask("ops", `/sessions?${query}`)).status).toBe(400);
    for (const { client } of [alice, carol, eve]) client.close();
  });
});

describe("a session that is ended by hand", () => {
  it("hears BYE in its call and is closed with 4403, at Kamailio too; another customer's word is nobody's", async () => {
    const [alice, carol] = [await scene.user("alice"), await scene.user("carol")];
    const call = await establish(alice, carol);
    const { id } = (await sessionOf(alice))!;
    expect((await ask("globex", `/customers/acme/sessions/${String(id)}`, "DELETE")).status).toBe(404);
    expect((await ask("globex", `/customers/me/sessions/${String(id)}`, "DELETE")).status).toBe(404);
    expect((await ask("ops", `/customers/globex/sessions/${String(id)}`, "DELETE")).status).toBe(404);
    expect((await ask("acme", `/customers/me/sessions/${String(id)}?calls=never`, "DELETE")).status).toBe(400);
    expect(await sessionOf(alice)).toBeDefined();
    expect((await ask("acme", `/customers/me/sessions/${String(id)}`, "DELETE")).status).toBe(204);
    await alice.client.take((text) => text.startsWith("BYE "));
    await answered(carol, call.callId, "BYE");
    expect(await alice.client.closed).toMatchObject({
      code: 4403,
      reason: expect.stringContaining("ended by whoever"),
    });
    await expect.poll(() => bindingsOf(scene.kamailio, alice.address)).toEqual([]);
    expect((await ask("acme", `/customers/me/sessions/${String(id)}`, "DELETE")).status).toBe(404);
    const again = await scene.connect();
    expect(status(await again.register(alice.address, alice.given))).toBe(200);
    expect(scene.gateway.log()).toContainEqual(
      expect.objectContaining({ msg: "connection ended by hand", connection: id, by: "customer:acme/a1" }),
    );
    const audit = async (): Promise<unknown[]> =>
      ((await onStore(scene.gateway.folder, ["audit", "list", "--customer", "acme", "--json"])).data.entries ??
        []) as [];
    const entry = { what: `session.end ${String(id)}`, by: "customer:acme/a1", customer: "acme", address: "127.0.0.1" };
    await expect.poll(audit, { timeout: 20_000 }).toContainEqual(expect.objectContaining(entry));
    for (const client of [again, carol.client]) client.close();
  });

  it("may finish its call, and begin nothing", async () => {
    const [alice, carol] = [await scene.user("alice"), await scene.user("carol")];
    const call = await establish(alice, carol);
    const { id } = (await sessionOf(alice))!;
    expect((await ask("ops", `/customers/acme/sessions/${String(id)}?calls=finish`, "DELETE")).status).toBe(204);
    await expect.poll(() => bindingsOf(scene.kamailio, alice.address)).toEqual([]);
    expect(status(await alice.prove("MESSAGE", `sip:${carol.address}`))).toBe(403);
    const { callId, fromTag, toTag, ok } = call;
    const replaces = {
      ...{
        method: "INVITE",
        uri: uriOf(header(ok, "Contact")),
        from: alice.address,
        to: carol.address,
        callId,
        fromTag,
      },
      ...{ toTag, cseq: 300, routes: recordRoutes(ok).reverse() },
      extra: [`Replaces: ${callId};from-tag=${fromTag};to-tag=${toTag}`],
    };
    expect(code(await alice.client.prove(replaces, alice.given))).toBe("credential-revoked");
    carol.client.send(call.fromCallee("BYE"));
    await answered(alice, call.callId, "BYE");
    expect((await alice.client.closed).code).toBe(4403);
    carol.client.close();
  });
});

describe("a call that is ended by hand", () => {
  const end = async (callId: string, direction: string, by: Manager = "acme"): Promise<number> => {
    const { id } = (await callIn(callId)).find((call) => call.direction === direction)!;
    return (await ask(by, `/customers/${by === "ops" ? "acme" : "me"}/live-calls/${String(id)}`, "DELETE")).status;
  };

  it("ends at both ends, whichever of them it is ended at, and the sockets stay", async () => {
    const [alice, carol] = [await scene.user("alice"), await scene.user("carol")];
    for (const [direction, near, far] of [
      ["to-user", alice, carol],
      ["in", carol, alice],
    ] as const) {
      const { callId } = await establish(alice, carol);
      expect(await end(callId, direction, "globex")).toBe(404);
      expect(await end(callId, direction)).toBe(204);
      await near.client.take((text) => text.startsWith("BYE ") && header(text, "Call-ID") === callId);
      await answered(far, callId, "BYE");
      await expect.poll(() => callIn(callId)).toEqual([]);
    }
    expect(status(await alice.prove("OPTIONS", "sip:acme.example"))).toBe(200);
    expect([(await sessionOf(alice))?.calls, (await sessionOf(carol))?.calls]).toEqual([0, 0]);
    for (const { client } of [alice, carol]) client.close();
  });

  it("that rings ends too, at the caller's and at the called one's", async () => {
    const [alice, carol] = [await scene.user("alice"), await scene.user("carol")];
    const asked = await ring(alice, carol);
    expect(await end(asked.callId, "to-user", "ops")).toBe(204);
    expect(status(await asked.final)).toBe(480);
    const cancel = await carol.client.take((text) => text.startsWith("CANCEL "));
    carol.client.send(reply(cancel, { status: "200 OK" }));
    carol.client.send(reply(asked.invite, { status: "487 Request Terminated", tag: "rings" }));
    const offered = await ring(alice, carol);
    expect(await end(offered.callId, "in")).toBe(204);
    expect(status(await offered.final)).toBe(480);
    await carol.client.take((text) => text.startsWith("CANCEL ") && text.includes(offered.callId));
    expect(alice.client.received.filter((text) => isReply(text, 487, "INVITE"))).toEqual([]);
    for (const { client } of [alice, carol]) client.close();
  });

  it("that is answered at that moment is ended at the one who answered, and the caller hears nothing of it", async () => {
    const [alice, carol] = [await scene.user("alice"), await scene.user("carol")];
    const { callId, invite, final } = await ring(alice, carol);
    expect(await end(callId, "to-user")).toBe(204);
    expect(status(await final)).toBe(480);
    await carol.client.take((text) => text.startsWith("CANCEL "));
    carol.client.send(reply(invite, { status: "200 OK", tag: "rings", contact: carol.contact }));
    await carol.client.take((text) => text.startsWith("ACK "));
    await answered(carol, callId, "BYE");
    await expect.poll(() => callIn(callId)).toEqual([]);
    expect(alice.client.received.filter((text) => isReply(text, 200, "INVITE"))).toEqual([]);
    for (const { client } of [alice, carol]) client.close();
  });
});
