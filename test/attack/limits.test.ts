import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bindingsOf } from "../helpers/bindings.ts";
import { establish } from "../helpers/dialog.ts";
import { code, status, unique } from "../helpers/raw-client.ts";
import { header } from "../helpers/raw-sip.ts";
import { Scene, type User } from "../helpers/scene.ts";

let scene: Scene;

beforeAll(async () => {
  scene = await Scene.open({ trunk: "answer" });
});
afterAll(() => scene?.close());

const limits = (text: string): unknown => scene.gateway.change({ acme: `    limits: { ${text} }` });

describe("registrations above the customer's limit", () => {
  const users: User[] = [];
  const someone = async (name: string, domain?: string): Promise<User> => {
    const user = await scene.stranger(name, domain);
    users.push(user);
    return user;
  };
  const bound = (): number => users.reduce((sum, { address }) => sum + bindingsOf(scene.kamailio, address).length, 0);
  /** contacts: user parts; `*` alone. */
  const register = (user: User, contacts: readonly string[], expires = 60): Promise<string> => {
    const written = contacts.map((name) => (name === "*" ? name : `<sip:${name}@${user.name}.invalid;transport=ws>`));
    const more = { contact: written.join(", "), extra: [`Expires: ${expires}`] };
    return user.client.register(user.address, user.given, more);
  };
  const refused = async (user: User, contacts: readonly string[]): Promise<void> => {
    const before = bindingsOf(scene.kamailio, user.address);
    const answer = await register(user, contacts);
    expect([status(answer), code(answer), header(answer, "Retry-After")]).toEqual([503, "limit-reached", "5"]);
    expect(bindingsOf(scene.kamailio, user.address)).toEqual(before);
  };

  it("are refused, by several Contacts in one too; those that are there are renewed, and another customer's go on", async () => {
    limits("registrations: 3");
    const [alice, carol] = [await someone("alice"), await someone("carol")];
    await refused(alice, ["a", "b", "c", "d"]);
    expect(status(await register(alice, ["a", "b"]))).toBe(200);
    await refused(carol, ["a", "b"]);
    await refused(alice, ["a", "b", "c", "d"]);
    expect(status(await register(carol, ["a"]))).toBe(200);
    await refused(alice, ["c"]);
    await refused(await someone("dave"), ["a"]);
    for (let round = 0; round < 3; round++) expect(status(await register(alice, ["a", "b"]))).toBe(200);
    expect(bound()).toBe(3);
    const stranger = await scene.user("eve", "globex.example");
    stranger.client.close();
  });

  it("are free when Kamailio has removed some, by * or 0; whoever only asks for that frees nothing", async () => {
    const [alice, carol] = users;
    // Kamailio refuses * that is not to end now (RFC 3261 §10.2.2): nothing is removed.
    const kept = await register(alice!, ["*"], 60);
    expect(status(kept)).toBeGreaterThanOrEqual(400);
    await refused(carol!, ["a", "b"]);
    expect(status(await register(alice!, ["b"], 0))).toBe(200);
    expect(status(await register(carol!, ["a", "b"]))).toBe(200);
    await refused(alice!, ["b"]);
    expect(status(await register(carol!, ["*"], 0))).toBe(200);
    expect(status(await register(alice!, ["b", "c"]))).toBe(200);
    expect(bound()).toBe(3);
    expect(status(await register(alice!, ["*"], 0))).toBe(200);
  });

  it("are not hidden by the same Contact at 0, before or after it", async () => {
    limits("registrations: 3");
    const kept = bound();
    for (const [at, order] of [
      ["0", "60"],
      ["60", "0"],
      ["0", "60"],
      ["0", "60"],
      ["0", "60"],
    ].entries()) {
      const user = await someone(`both${at}`);
      const contact = order.map((expires) => `<sip:a@${user.name}.invalid;transport=ws>;expires=${expires}`).join(", ");
      const answer = await user.client.register(user.address, user.given, { contact });
      expect(status(answer), `${at}`).toBe(at < 3 ? 200 : 503);
    }
    expect(bound() - kept).toBe(3);
    for (const user of users.splice(2)) expect(status(await register(user, ["*"], 0))).toBe(200);
  });

  it("are not hidden by a shorter time that Kamailio refuses", async () => {
    limits("registrations: 1");
    const [alice, carol] = [await someone("alice"), await someone("carol")];
    const contact = (seconds: number): string => `<sip:a@${alice.name}.invalid;transport=ws>;expires=${seconds}`;
    const last = { callId: `register-${unique()}`, fromTag: `f${unique()}` };
    const ask = (written: string, cseq: number): Promise<string> =>
      alice.client.register(alice.address, alice.given, { ...last, contact: written, cseq });
    expect(status(await ask(contact(60), 50))).toBe(200);
    expect(status(await ask(contact(1), 10))).toBeGreaterThanOrEqual(400);
    const over = Date.now() + 1_100;
    await expect.poll(() => Date.now(), { timeout: 5_000 }).toBeGreaterThan(over);
    await refused(carol, ["a"]);
    for (const user of users.splice(2)) expect(status(await register(user, ["*"], 0))).toBe(200);
    limits("registrations: 3");
  });

  it("that begin at once on many sockets are not more either, and a user who reconnects renews its own", async () => {
    const many = await Promise.all(Array.from({ length: 8 }, (_, at) => someone(`at${at}`)));
    const answers = await Promise.all(many.map((user) => register(user, ["a"])));
    expect(answers.map(status).filter((one) => one === 200)).toHaveLength(3);
    expect(bound()).toBe(3);
    const first = many[answers.findIndex((one) => status(one) === 200)]!;
    const elsewhere = await scene.connect();
    const contact = `<sip:a@${first.name}.invalid;transport=ws>`;
    expect(status(await elsewhere.register(first.address, first.given, { contact }))).toBe(200);
    expect(bound()).toBe(3);
    for (const { client } of many) client.close();
  });
});

describe("calls per minute above the customer's limit", () => {
  it("are refused on whichever socket they are begun; calls that stand, and another customer's, go on", async () => {
    limits("callsPerMinute: 3");
    const callers = await Promise.all(Array.from({ length: 6 }, (_, at) => scene.stranger(`c${at}`)));
    const ids = callers.map(() => `minute-${unique()}`);
    const answers = await Promise.all(
      callers.map((caller, at) => caller.prove("INVITE", "sip:+3225887001@acme.example", { callId: ids[at]! })),
    );
    expect(answers.filter((answer) => status(answer) === 200)).toHaveLength(3);
    const others = answers.filter((answer) => status(answer) !== 200);
    expect(others.map(code)).toEqual(Array(3).fill("limit-reached"));
    const came = await Promise.all(
      ids.map(async (id) => (await scene.arrived(id)).some(({ method }) => method === "INVITE")),
    );
    expect(came.filter(Boolean)).toHaveLength(3);
    const again = await scene.stranger("again");
    expect(code(await again.prove("INVITE", "sip:+3225887001@acme.example"))).toBe("limit-reached");
    expect(status(await again.prove("OPTIONS", "sip:acme.example"))).toBe(200);
    const [eve, mallory] = [await scene.user("eve", "globex.example"), await scene.user("mallory", "globex.example")];
    await establish(eve, mallory);
    limits("callsPerMinute: 4");
    expect(status(await again.prove("INVITE", "sip:+3225887001@acme.example"))).toBe(200);
    for (const { client } of [...callers, again, eve, mallory]) client.close();
  });
});
