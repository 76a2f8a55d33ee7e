import type { FastifyRequest } from "fastify";
import { describe, expect, it } from "vitest";
import { type Answer, type Asked, done, refused } from "../../../src/api/asked.ts";
import { Idempotency } from "../../../src/api/idempotency.ts";
import type { Manager } from "../../../src/auth/management.ts";
import { MemoryState } from "../../../src/state/memory.ts";
import { customer } from "../../helpers/customers.ts";

const day = 86_400_000;

function scene() {
  const clock = { at: 1_000_000, now: () => clock.at };
  const state = new MemoryState(clock);
  const idempotency = new Idempotency({ state, clock });
  let made = 0;
  const work = async (): Promise<Answer> => {
    made++;
    return done({ id: `k${made}`, secret: `secret ${made}` }, { status: 201, once: "secret", revision: made });
  };
  return { clock, state, idempotency, work, made: () => made };
}

const operator: Manager = { kind: "operator", id: "ops" };

/** As much of a request as is looked at. */
const asked = (
  key: string | undefined,
  { url = "/v1/x", body = {}, manager = operator }: { url?: string; body?: object; manager?: Manager } = {},
): Asked =>
  ({
    manager,
    raw: {
      url,
      body: { kind: "json", value: body },
      raw: { headersDistinct: key === undefined ? {} : { "idempotency-key": [key] } },
    } as unknown as FastifyRequest,
  }) as Asked;

describe("a request under an Idempotency-Key", () => {
  it("is done once, and answered again without what is told once", async () => {
    const { idempotency, work, made } = scene();
    const first = await idempotency.once(asked("a"), work);
    expect(first).toMatchObject({ status: 201, body: { id: "k1", secret: "secret 1" } });
    const again = await idempotency.once(asked("a"), work);
    expect(again).toEqual({
      ...{ kind: "done", status: 201, revision: 1 },
      body: { id: "k1", note: expect.stringContaining("shown once") },
    });
    expect(made()).toBe(1);
    expect(await idempotency.once(asked(undefined), work)).toMatchObject({ body: { id: "k2" } });
  });

  it("is another one where the customer is another one of that id", async () => {
    const { idempotency, work, made } = scene();
    const as = (since?: number) => {
      const manager: Manager = { kind: "customer", apiKey: "a1", customer: { ...customer(), ...(since && { since }) } };
      return idempotency.once(asked("a", { manager }), work);
    };
    await as();
    expect(await as(5)).toMatchObject({ body: { id: "k2", secret: "secret 2" } });
    for (const since of [undefined, 5]) expect(await as(since)).toMatchObject({ body: { note: expect.any(String) } });
    expect(made()).toBe(2);
  });

  it("is kept without the secret", async () => {
    const { idempotency, state, work } = scene();
    await idempotency.once(asked("a"), work);
    expect(state.get("replies", "operator:ops operator:ops a")).not.toContain("secret 1");
    expect(state.get("replies", "operator:ops operator:ops a")).toContain('"id":"k1"');
  });

  it("is forgotten after a day", async () => {
    const { clock, idempotency, work, made } = scene();
    await idempotency.once(asked("a"), work);
    clock.at += day - 1;
    await idempotency.once(asked("a"), work);
    expect(made()).toBe(1);
    clock.at += 1;
    expect(await idempotency.once(asked("a"), work)).toMatchObject({ body: { secret: "secret 2" } });
  });

  it("is another manager's own", async () => {
    const { idempotency, work, made } = scene();
    const acme = { kind: "customer", customer: customer(), apiKey: "a1" } as const;
    await idempotency.once(asked("a"), work);
    await idempotency.once(asked("a", { manager: acme }), work);
    await idempotency.once(asked("a", { manager: { ...acme, apiKey: "a2" } }), work);
    expect(made()).toBe(3);
  });

  it("with another body or path is refused, and while it is being answered too", async () => {
    const { idempotency, work, made } = scene();
    const first = idempotency.once(asked("a"), work);
    expect(await idempotency.once(asked("a"), work)).toMatchObject({ status: 409 });
    await first;
    expect(await idempotency.once(asked("a", { body: { id: "k9" } }), work)).toMatchObject({ status: 422 });
    expect(await idempotency.once(asked("a", { url: "/v1/y" }), work)).toMatchObject({ status: 422 });
    expect(made()).toBe(1);
  });

  it("that was refused, or failed, is done anew", async () => {
    const { idempotency, work, made } = scene();
    expect(await idempotency.once(asked("a"), async () => refused(422, "no"))).toMatchObject({ status: 422 });
    const failing = idempotency.once(asked("a"), async () => {
      throw new TypeError("a fault");
    });
    await expect(failing).rejects.toThrow("a fault");
    expect(await idempotency.once(asked("a", { body: { other: 1 } }), work)).toMatchObject({ status: 201 });
    expect(made()).toBe(1);
  });

  it.each(["", "x".repeat(129), "a b", "ü"])("must be printable and short: %j", async (key) => {
    const { idempotency, work, made } = scene();
    expect(await idempotency.once(asked(key), work)).toMatchObject({ status: 400 });
    expect(made()).toBe(0);
  });

  it("is refused where no more can be remembered", async () => {
    const clock = { now: () => 1 };
    const idempotency = new Idempotency({ state: new MemoryState(clock, { replies: 4 }), clock });
    const work = async (): Promise<Answer> => done({});
    expect(await idempotency.once(asked("a"), work)).toMatchObject({ kind: "done" });
    expect(await idempotency.once(asked("b"), work)).toMatchObject({ status: 503, code: "limit-reached" });
  });
});
