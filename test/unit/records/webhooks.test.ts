import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { CallOutOptions } from "../../../src/callout/call-out.ts";
import { type CallOutResult, failures } from "../../../src/callout/result.ts";
import type { CallRecord } from "../../../src/core/calls.ts";
import { Customers } from "../../../src/core/customers.ts";
import { signatureOf } from "../../../src/records/signature.ts";
import { Webhooks } from "../../../src/records/webhooks.ts";
import { ended, fakeLog, noon, ringing } from "../../helpers/call-records.ts";
import { customer } from "../../helpers/customers.ts";

const secret = "a-secret-of-the-webhook";
const hooked = (id: string) =>
  customer({ id, domains: [`${id}.example`], webhook: { url: `https://${id}.example/calls`, secret } });

interface Request extends CallOutOptions {
  readonly url: string;
  readonly calls: readonly CallRecord[];
}

let customers: Customers;
let requests: Request[];
let answer: (request: Request) => Promise<CallOutResult>;
let settled: string[];
let logged: ReturnType<typeof fakeLog>;
let webhooks: Webhooks;

const says = (status: number) => async (): Promise<CallOutResult> =>
  ({ kind: "answer", status, headers: {}, body: Buffer.alloc(0) }) as const;

beforeEach(() => {
  vi.useFakeTimers({ now: noon });
  customers = new Customers([hooked("acme"), hooked("globex"), customer({ id: "none", domains: [] })]);
  [requests, settled, logged] = [[], [], fakeLog()];
  answer = says(200);
  webhooks = new Webhooks({
    customers: () => customers,
    callOut: {
      request: (url, options) => {
        const { calls } = JSON.parse(String(options.body)) as { calls: CallRecord[] };
        const request = { ...options, url, calls };
        requests.push(request);
        return answer(request);
      },
    },
    clock: { now: () => Date.now() },
    log: logged.log,
    random: () => 1,
    settled: (ids) => settled.push(...ids),
  });
});
afterEach(() => vi.useRealTimers());

const pass = (milliseconds: number): Promise<unknown> => vi.advanceTimersByTimeAsync(milliseconds);
const call = (of = "acme", at = 0): CallRecord => ended(ringing(at, { customer: of }));

describe("a signature", () => {
  it("is of the time and the body, as anybody else computes it", () => {
    // printf '1700000000.{"calls":[]}' | openssl dgst -sha256 -hmac a-secret-of-the-webhook
    expect(signatureOf('{"calls":[]}', secret, 1_700_000_000)).toBe(
      "t=1700000000,v1=aada1e6bf2f34cc80a94fd0e2a709d39830d0431228dcc4946c4079bf4207883",
    );
  });
});

describe("a webhook", () => {
  it("is told of a call that has ended, signed, without redirects", async () => {
    const record = call();
    webhooks.add(record);
    await pass(1);
    const [request] = requests;
    expect(request).toMatchObject({ url: "https://acme.example/calls", method: "POST", redirects: 0, calls: [record] });
    expect(request).toMatchObject({ timeoutMs: 10_000, maxBytes: 16_384 });
    expect(request?.headers).toMatchObject({
      "content-type": "application/json",
      "postern-signature": signatureOf(String(request?.body), secret, noon / 1000),
    });
    expect(settled).toEqual([record.id]);
    expect(webhooks.counts).toEqual({ records: { delivered: 1, given_up: 0 }, failures: 0, waiting: 0 });
  });

  it("is told of many at once, up to fifty in a request, one request after the other", async () => {
    const waits = Promise.withResolvers<CallOutResult>();
    answer = () => waits.promise;
    for (let at = 0; at < 120; at++) webhooks.add(call("acme", at));
    await pass(1);
    expect(requests.map(({ calls }) => calls.length)).toEqual([50]);
    answer = says(204);
    waits.resolve(await answer(requests[0]!));
    await pass(1);
    expect(requests.map(({ calls }) => calls.length)).toEqual([50, 50, 20]);
    expect(settled).toHaveLength(120);
  });

  it.each<[string, () => Promise<CallOutResult>]>([
    ["answers 500", says(500)],
    ["redirects", says(302)],
    ["cannot be reached", async () => failures.unreachable],
    ["leads to an address that is not public", async () => failures.address],
  ])("that %s is told again, later each time, and of everything", async (_, fails) => {
    answer = fails;
    webhooks.add(call());
    const at: number[] = [];
    for (let count = 0; at.length < 5; count++) {
      await pass(count === 0 ? 1 : 250);
      if (requests.length > at.length) at.push(Date.now() - noon);
    }
    const waits = at.slice(1).map((time, index) => Math.round((time - at[index]!) / 1000));
    expect(waits).toEqual([1, 2, 4, 8]);
    expect([settled, webhooks.counts]).toEqual([[], expect.objectContaining({ failures: 5, waiting: 1 })]);
    expect(logged.lines.map(([, line]) => line)).toEqual(["a webhook fails"]);
    expect(JSON.stringify(logged.lines)).not.toContain("/calls");
    answer = says(200);
    await pass(20_000);
    expect(settled).toHaveLength(1);
  });

  it("waits ten minutes at most, and is given up a day after the call", async () => {
    answer = says(503);
    webhooks.add(call());
    await pass(86_400_000);
    const before = requests.length;
    expect(before).toBeGreaterThan(140);
    await pass(1_200_000);
    expect(requests.length - before).toBeLessThanOrEqual(2);
    expect(webhooks.counts).toMatchObject({ records: { given_up: 1 }, waiting: 0 });
    expect(settled).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("that cannot take one call gets the others", async () => {
    const poison = call("acme", 0);
    answer = async (request) => says(request.calls.some(({ id }) => id === poison.id) ? 500 : 200)();
    webhooks.add(poison);
    await pass(1);
    for (let at = 1; at <= 60; at++) webhooks.add(call("acme", at));
    await pass(600_000);
    expect(settled).toHaveLength(60);
    expect(settled).not.toContain(poison.id);
  });

  it("that hangs keeps no other customer's waiting", async () => {
    answer = (request) => (request.url.includes("acme") ? new Promise(() => {}) : says(200)());
    for (let at = 0; at < 100; at++) webhooks.add(call("acme", at));
    await pass(1);
    webhooks.add(call("globex"));
    await pass(1);
    expect(requests.map(({ url }) => url)).toEqual(["https://acme.example/calls", "https://globex.example/calls"]);
    expect(settled).toHaveLength(1);
  });

  it("is one of two hundred that are called at once: the next one is when one has answered", async () => {
    const many = Array.from({ length: 201 }, (_, at) => hooked(`hook${at}`));
    customers = new Customers(many);
    const waiting: (() => void)[] = [];
    answer = () => new Promise((resolve) => waiting.push(() => resolve(says(200)())));
    for (const { id } of many) webhooks.add(call(id));
    await pass(5_000);
    expect(requests).toHaveLength(200);
    waiting[0]?.();
    await pass(1_000);
    expect(requests.map(({ url }) => url).at(-1)).toBe("https://hook200.example/calls");
  });

  it("has room for so many calls of one customer, and above them for others'", async () => {
    answer = () => new Promise(() => {});
    for (let at = 0; at < 1_001; at++) webhooks.add(call("acme", at));
    webhooks.add(call("globex"));
    expect(webhooks.counts).toMatchObject({ records: { given_up: 1 }, waiting: 1_001 });
    expect(logged.lines[0]).toEqual([
      "warn",
      "call records were not delivered to a webhook",
      { customer: "acme", records: 1, reason: "too many wait" },
    ]);
  });

  it("of many others that take nothing leaves room for one that does", async () => {
    const dead = Array.from({ length: 25 }, (_, at) => hooked(`dead${at}`));
    customers = new Customers([hooked("acme"), ...dead]);
    answer = (request) => (request.url.includes("dead") ? new Promise(() => {}) : says(200)());
    for (const { id } of dead) for (let at = 0; at < 1_000; at++) webhooks.add(call(id, at));
    const { given_up } = webhooks.counts.records;
    expect(webhooks.counts.waiting).toBeLessThanOrEqual(40_000);
    expect(given_up).toBeGreaterThan(0);
    const mine = Array.from({ length: 300 }, (_, at) => call("acme", at));
    for (const record of mine) webhooks.add(record);
    await pass(1_000);
    expect(webhooks.counts.records).toEqual({ delivered: 300, given_up });
    expect(settled.slice(-300)).toEqual(mine.map(({ id }) => id));
  });

  it("that the customer no longer has is told nothing more", async () => {
    answer = says(500);
    webhooks.add(call());
    await pass(1);
    customers = new Customers([customer()]);
    await pass(5_000);
    expect(requests).toHaveLength(1);
    expect([settled.length, webhooks.counts.waiting]).toEqual([1, 0]);
  });

  it("is known by its customer alone", () => {
    const wants = (id: string) => webhooks.wants({ customer: id, start: noon });
    expect(["acme", "none", "nobody"].map(wants)).toEqual([true, false, false]);
  });

  it("of who was given a removed customer's id is told nothing of that one's calls", async () => {
    answer = says(500);
    const [old, own] = [call(), { ...call(), start: noon + 1 }];
    webhooks.add(old);
    await pass(1);
    customers = new Customers([{ ...hooked("acme"), since: noon + 1 }]);
    expect([old, own].map((one) => webhooks.wants(one))).toEqual([false, true]);
    answer = says(200);
    webhooks.add(own);
    await pass(5_000);
    expect(requests.slice(1).flatMap(({ calls }) => calls.map(({ id }) => id))).toEqual([own.id]);
    expect(settled.toSorted()).toEqual([old.id, own.id].toSorted());
  });

  it("is told nothing after the end", async () => {
    webhooks.add(call());
    webhooks.close();
    await pass(10_000);
    expect([requests, settled]).toEqual([[], []]);
  });
});
