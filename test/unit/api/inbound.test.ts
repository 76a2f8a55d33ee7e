import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Writable } from "node:stream";
import { afterEach, describe, expect, it } from "vitest";
import { Addresses, type Resolve, sameAddress } from "../../../src/api/addresses.ts";
import { createHttp, listenerOf } from "../../../src/api/http.ts";
import { answerInbound, judgeInbound } from "../../../src/api/inbound.ts";
import { Customers } from "../../../src/core/customers.ts";
import { createLog } from "../../../src/telemetry/log.ts";
import { customer } from "../../helpers/customers.ts";

const acme = customer({ trunk: "sip:192.0.2.1:5060", inbound: { "+3225887000": "reception", "8500": "desk" } });
const globex = customer({
  id: "globex",
  domains: ["globex.example"],
  trunk: "sip:pbx.globex.example",
  trunk2: ["sip:[2001:db8::2]:5061;transport=tls"],
  inbound: { "+49301": "front" },
});
/** Behind the same session border controller as acme. */
const initech = customer({
  id: "initech",
  domains: ["initech.example"],
  trunk: "sip:192.0.2.1",
  inbound: { "+331": "accueil" },
});
const homeless = customer({ id: "homeless", domains: [], trunk: "sip:192.0.2.1", inbound: { "+44": "x" } });
const trunkless = customer({ id: "trunkless", domains: ["trunkless.example"], inbound: { "+45": "x" } });
const hooli = customer({
  ...acme,
  id: "hooli",
  domains: ["hooli.example"],
  inbound: { "+46": "x" },
  suspended: "finish",
});
/** Two whose trunks write national numbers, behind one address and behind another; and one that has the same number in full. */
const national = (id: string, trunk: string, number: string, format: Record<string, string>) =>
  customer({ id, domains: [`${id}.example`], trunk, inbound: { [number]: "desk" }, trunkFormat: format });
const belgian = national("belgian", "sip:192.0.2.50", "+3220700", { "+32": "0", "+": "00" });
const french = national("french", "sip:192.0.2.51", "+3320700", { "+33": "0" });
const dutch = national("dutch", "sip:192.0.2.51", "+3120700", { "+31": "0" });
const plain = customer({
  id: "plain",
  domains: ["plain.example"],
  trunk: "sip:192.0.2.52",
  inbound: { "020700": "p" },
});
const nationals = [belgian, french, dutch, plain];
const customers = new Customers([acme, globex, initech, homeless, trunkless, hooli, ...nationals]);

let now = 1_700_000_000_000;
const clock = { now: () => now };
const silent: Resolve = () => new Promise(() => {});
const names = (addresses: Record<string, string[]>, ttl = 60): { resolve: Resolve; asked: string[] } => {
  const asked: string[] = [];
  const resolve: Resolve = async (host, srv) => {
    asked.push([host, ...srv].join(" "));
    const found = addresses[host];
    if (!found) throw new Error("ENOTFOUND");
    return { addresses: found, ttl };
  };
  return { resolve, asked };
};
const known = new Addresses({ clock, resolve: names({ "pbx.globex.example": ["192.0.2.7"] }).resolve });
const judge = (source: string, number: string, addresses = known) =>
  judgeInbound({ source, number }, { customers: () => customers, addresses });

describe("who gets a call from a trunk", () => {
  it.each([
    ["192.0.2.1", "+3225887000", "sip:reception@acme.example"],
    ["192.0.2.1", "3225887000", "sip:reception@acme.example"],
    ["192.0.2.1", "003225887000", "sip:reception@acme.example"],
    ["::ffff:192.0.2.1", "+3225887000", "sip:reception@acme.example"],
    ["192.0.2.1", "8500", "sip:desk@acme.example"],
    ["192.0.2.1", "+331", "sip:accueil@initech.example"],
    ["192.0.2.7", "+49301", "sip:front@globex.example"],
    ["2001:db8:0:0::2", "+49301", "sip:front@globex.example"],
  ])("%s calling %s reaches %s", async (source, number, deliver) => {
    expect(await judge(source, number)).toMatchObject({ kind: "deliver", deliver: [deliver] });
  });

  it.each([
    ["192.0.2.2", "+3225887000", 403],
    ["192.0.2.7", "+331", 403],
    ["192.0.2.1", "+45", 403],
    ["192.0.2.1", "+8500", 404],
    ["192.0.2.1", "+32258870001", 404],
    ["192.0.2.1", "+44", 404],
    ["192.0.2.9", "+1", 404],
  ])("%s calling %s is %i", async (source, number, status) => {
    expect(await judge(source, number)).toMatchObject({ kind: "refused", status });
  });

  it.each([
    ["192.0.2.50", "020700", "sip:desk@belgian.example"],
    ["192.0.2.50", "+3220700", "sip:desk@belgian.example"],
    ["192.0.2.51", "+3120700", "sip:desk@dutch.example"],
    ["192.0.2.52", "020700", "sip:p@plain.example"],
  ])("as trunks write it: %s calling %s reaches %s", async (source, number, deliver) => {
    expect(await judge(source, number)).toMatchObject({ kind: "deliver", deliver: [deliver] });
  });

  it("is nobody where the trunk of two means both, nor where it is of neither, nor once it is written otherwise", async () => {
    expect(await judge("192.0.2.51", "020700")).toMatchObject({
      status: 403,
      sentence: expect.stringMatching(/country/),
    });
    expect(await judge("192.0.2.1", "020700")).toMatchObject({ status: 403 });
    const changing = new Customers(nationals);
    const ask = (now: Customers) =>
      judgeInbound({ source: "192.0.2.50", number: "020700" }, { customers: () => now, addresses: known });
    const after = changing.change([{ ...belgian, trunkFormat: { "+": "" } }], ["french"]);
    expect(await ask(after)).toMatchObject({ kind: "refused" });
    expect(after.recipientsOf("020700").map(({ customer: { id } }) => id)).toEqual(["plain", "dutch"]);
  });

  it("cannot be told while the trunk's name does not resolve, and is known once it does", async () => {
    const broken = new Addresses({ clock, resolve: names({}).resolve });
    expect(await judge("192.0.2.7", "+49301", broken)).toMatchObject({ status: 503 });
    expect(await judge("2001:db8::2", "+49301", broken)).toMatchObject({ kind: "deliver" });
    const late = new Addresses({ clock, resolve: silent, patience: 1 });
    expect(await judge("192.0.2.7", "+49301", late)).toMatchObject({ status: 503 });
  });

  it("looks for SRV records where the trunk has no port", async () => {
    const { resolve, asked } = names({ "pbx.globex.example": ["192.0.2.7"] });
    await judge("192.0.2.7", "+49301", new Addresses({ clock, resolve }));
    const name = "pbx.globex.example";
    expect(asked).toEqual([`${name} _sip._udp.${name} _sip._tcp.${name} _sips._tcp.${name}`]);
  });
});

describe("the addresses behind a name", () => {
  it("are asked for once in their time to live, and again after it", async () => {
    const { resolve, asked } = names({ a: ["192.0.2.1"] }, 30);
    const addresses = new Addresses({ clock, resolve });
    await Promise.all([addresses.has("a", "192.0.2.1"), addresses.has("a", "192.0.2.2")]);
    now += 29_999;
    expect(await addresses.has("a", "192.0.2.1")).toBe(true);
    expect(asked).toHaveLength(1);
    now += 1;
    expect(await addresses.has("a", "192.0.2.2")).toBe(false);
    expect(asked).toHaveLength(2);
  });

  it.each([
    [0, 10],
    [1_000_000, 3_600],
  ])("are kept at least 10 s and at most 1 h: a time to live of %i s becomes %i", async (ttl, seconds) => {
    const { resolve, asked } = names({ a: ["192.0.2.1"] }, ttl);
    const addresses = new Addresses({ clock, resolve });
    await addresses.has("a", "192.0.2.1");
    now += seconds * 1000 - 1;
    await addresses.has("a", "192.0.2.1");
    expect(asked).toHaveLength(1);
    now += 1;
    await addresses.has("a", "192.0.2.1");
    expect(asked).toHaveLength(2);
  });

  it("outlive a name server that is gone by an hour, and no longer", async () => {
    const hosts: Record<string, string[]> = { a: ["192.0.2.1"] };
    const addresses = new Addresses({ clock, resolve: names(hosts).resolve });
    await addresses.has("a", "192.0.2.1");
    delete hosts.a;
    now += 3_600_000;
    expect(await addresses.has("a", "192.0.2.1")).toBe(true);
    now += 60_000;
    expect(await addresses.has("a", "192.0.2.1")).toBeUndefined();
  });

  it("are compared in one spelling", () => {
    expect(sameAddress("2001:DB8:0:0:0:0:0:1")).toBe("2001:db8::1");
    expect(sameAddress("::FFFF:192.0.2.1")).toBe("192.0.2.1");
    expect(sameAddress("fe80::1%eth0")).toBe("fe80::1");
  });
});

describe("GET /v1/inbound", () => {
  const servers: Server[] = [];
  afterEach(async () => {
    for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
  });

  /** host: where the asker comes from; 127.0.0.1 by default. */
  async function ask(query: string, upstreamUrls = ["ws://192.0.2.50:5080"], asker?: string): Promise<Response> {
    const log = createLog({ destination: new Writable({ write: (_chunk, _encoding, done) => done() }) });
    const options = { customers: () => customers, upstreamUrls: () => upstreamUrls, addresses: known, log };
    const app = createHttp({ bodyLimit: 1, onFault: (error) => expect.fail(String(error)), notFound: "" });
    app.get("/v1/inbound", (request, reply) => {
      if (asker) Object.defineProperty(request.socket, "remoteAddress", { value: asker });
      return answerInbound(request, reply, options);
    });
    const server = createServer(await listenerOf(app));
    servers.push(server);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/inbound${query}`, {
      headers: { connection: "close" },
    });
  }

  it("says whom to call, and nothing else", async () => {
    const response = await ask("?source=192.0.2.1&number=%2B3225887000");
    expect([response.status, await response.text()]).toEqual([200, '{"deliver":["sip:reception@acme.example"]}']);
  });

  it("takes a raw + for a plus", async () => {
    expect((await ask("?source=192.0.2.1&number=+3225887000")).status).toBe(200);
  });

  it.each([
    "",
    "?source=192.0.2.1",
    "?number=%2B32",
    "?source=x&number=%2B32",
    "?source=192.0.2.1&number=alice",
    "?source=192.0.2.1&number=",
    "?source=192.0.2.1&number=1&number=2",
    `?source=192.0.2.1&number=${"1".repeat(33)}`,
  ])("refuses %s by 400", async (query) => {
    const response = await ask(query);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ status: 400, code: "message-malformed" });
  });

  it.each([
    ["?source=192.0.2.2&number=%2B3225887000", 403],
    ["?source=192.0.2.1&number=%2B1", 404],
    ["?source=192.0.2.1&number=%2B46", 403],
  ])("refuses %s by %i, as a problem", async (query, status) => {
    const response = await ask(query);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect(await response.json()).toMatchObject({ status });
    expect(response.status).toBe(status);
  });

  it("answers the hosts of upstream.urls and this machine alone", async () => {
    const query = "?source=192.0.2.1&number=%2B3225887000";
    const upstream = ["ws://192.0.2.50:5080", "wss://[2001:db8::50]:5081", "ws://pbx.globex.example"];
    expect((await ask(query, upstream, "192.0.2.50")).status).toBe(200);
    expect((await ask(query, upstream, "2001:db8::50")).status).toBe(200);
    expect((await ask(query, upstream, "192.0.2.7")).status).toBe(200);
    expect((await ask(query, upstream, "::1")).status).toBe(200);
    expect((await ask(query, upstream, "::ffff:127.0.0.1")).status).toBe(200);
    const refused = await ask(query, upstream, "192.0.2.51");
    expect([refused.status, await refused.json()]).toMatchObject([403, { code: "permission-missing" }]);
  });
});
