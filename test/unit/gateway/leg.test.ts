import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { describe, expect, it } from "vitest";
import { Chain } from "../../../src/gateway/chain.ts";
import { type ClientEnd, Leg, type LegParts } from "../../../src/gateway/leg.ts";
import { readContacts } from "../../../src/sip/request.ts";
import { identity } from "../../helpers/customers.ts";
import { scanned, sip } from "../../helpers/sip-text.ts";

const announced = { address: "192.0.2.1", port: 40_000, family: 4 } as const;
const leg = (): Leg =>
  new Leg(identity(), announced, {} as ClientEnd, { clock: { now: () => 1_000 } } as unknown as LegParts);

function shows(to: Leg, uri: string): void {
  to.show(readContacts(scanned(sip({ extra: [`Contact: <${uri}>`] }))) ?? []);
}

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
    const ended = one.end("a.invalid");
    await new Promise(setImmediate);
    expect(told).toEqual([]);
    stream.destroy();
    await Promise.all([opening, ended]);
    expect(told.sort()).toEqual(["ended", "not opened"]);
    server.close();
  });
});

describe("the Contacts that a leg remembers", () => {
  it("are as many as 32 entries hold, two of each, the oldest forgotten first", () => {
    const one = leg();
    for (let at = 0; at < 16; at++) shows(one, `sip:u${at}@h${at}.invalid`);
    expect(one.hasShown("u0", "h0.invalid")).toBe(true);
    shows(one, "sip:u16@h16.invalid");
    expect([one.hasShown("u0", "h0.invalid"), one.hasShownHost("h0.invalid")]).toEqual([false, false]);
    expect(one.hasShown("u1", "h1.invalid")).toBe(true);
    expect([one.hasShown("u16", "h16.invalid"), one.hasShownHost("h16.invalid")]).toEqual([true, true]);
  });

  it("stay where they are shown again", () => {
    const one = leg();
    for (let at = 0; at < 100; at++) {
      shows(one, "sip:same@same.invalid");
      shows(one, `sip:u${at}@h${at}.invalid`);
    }
    expect(one.hasShown("same", "same.invalid")).toBe(true);
  });
});
