import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { done } from "../../../src/api/asked.ts";
import { createHttp, listenerOf } from "../../../src/api/http.ts";
import { type ManagedOptions, ManagedRoutes } from "../../../src/api/managed.ts";
import type { Manager } from "../../../src/auth/management.ts";
import { MemoryState } from "../../../src/state/memory.ts";
import { createLog } from "../../../src/telemetry/log.ts";
import { customer } from "../../helpers/customers.ts";

/** A token is a customer's id, or ops. */
const managerOf = (token: string): Manager =>
  token === "ops"
    ? { kind: "operator", id: "ops" }
    : { kind: "customer", customer: customer({ id: token }), apiKey: `${token}-key` };

let server: Server;
const begun: string[] = [];
const last = Promise.withResolvers<void>();

beforeAll(async () => {
  const app = createHttp({ bodyLimit: 100, onFault: (error) => expect.fail(String(error)), notFound: "" });
  const work = <T>(_address: string, _kind: string, _perMinute: number, prove: () => T): T => prove();
  const routes = new ManagedRoutes(app, {
    authenticator: { prove: ({ token }: { token: string }) => managerOf(token) },
    failures: { isOver: () => false, add: () => undefined, inTurn: work },
    failuresPerMinute: () => 0,
    log: createLog({ level: "silent" }),
    idempotency: { state: new MemoryState(Date), clock: Date },
  } as unknown as ManagedOptions);
  routes.add({
    ...{ method: "GET", url: "/v1/customers/:id/x" },
    answer: async ({ id }) => {
      begun.push(id);
      if (id === "acme") await last.promise;
      return done({});
    },
  });
  server = createServer(await listenerOf(app)).listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterAll(() => void server.close().closeAllConnections());

const read = async (token: string): Promise<number> => {
  const { port } = server.address() as AddressInfo;
  const headers = { authorization: `Bearer ${token}` };
  return (await fetch(`http://127.0.0.1:${port}/v1/customers/${token === "ops" ? "acme" : token}/x`, { headers }))
    .status;
};

it("reads by a customer's own keys are done one after the other, and above a hundred that wait are refused", async () => {
  const all = Array.from({ length: 103 }, () => read("acme"));
  expect([await Promise.race(all), begun]).toEqual([429, ["acme"]]);
  // Neither another customer nor an operator waits for them.
  expect([await read("globex"), begun]).toEqual([200, ["acme", "globex"]]);
  const operator = read("ops");
  await expect.poll(() => begun.length).toBe(3);
  last.resolve();
  const statuses = await Promise.all(all);
  expect([statuses.filter((status) => status === 200).length, await operator]).toEqual([101, 200]);
  expect(await read("acme")).toBe(200);
});
