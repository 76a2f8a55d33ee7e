import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { describe, expect, it } from "vitest";
import { Chain } from "../../../src/gateway/chain.ts";
import { type ClientEnd, Leg, type LegParts } from "../../../src/gateway/leg.ts";
import { identity } from "../../helpers/customers.ts";

const announced = { address: "192.0.2.1", port: 40_000, family: 4 } as const;

describe("a leg that ends while it is opened", () => {
  it("keeps its address until that is over, for it may be announced yet", async () => {
    const asked = Promise.withResolvers<Duplex>();
    const server = createServer().on("upgrade", (_request, stream: Duplex) => asked.resolve(stream));
    await once(server.listen(0, "127.0.0.1"), "listening");
    const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const chain = new Chain({ secret: "0123456789abcdef", algorithm: "sha256", ttl: 60 }, { now: () => 1_000 });
    const told: string[] = [];
    const one = new Leg(
      identity(),
      announced,
      {} as ClientEnd,
      {
        clock: { now: () => 1_000 },
        log: { warn: () => {} },
        upstream: () => ({ urls: [url], proxyProtocol: "off" }),
        chain: () => chain,
        gatewayId: "g",
        ended: () => told.push("ended"),
      } as unknown as LegParts,
    );
    const opening = one.open().catch(() => told.push("not opened"));
    const stream = await asked.promise;
    const ended = one.end();
    await new Promise(setImmediate);
    expect(told).toEqual([]);
    stream.destroy();
    await Promise.all([opening, ended]);
    expect(told.sort()).toEqual(["ended", "not opened"]);
    server.close();
  });
});
