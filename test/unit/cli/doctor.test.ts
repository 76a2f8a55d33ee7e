import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { Config } from "../../../src/config.ts";
import { checkKeys, checkPublicUrl } from "../../../src/doctor/advice.ts";
import { checkClock } from "../../../src/doctor/clock.ts";
import { checkFiles } from "../../../src/doctor/doctor.ts";
import { checkFamilies } from "../../../src/doctor/family.ts";
import type { System } from "../../../src/doctor/finding.ts";
import { checkDescriptors, checkPorts } from "../../../src/doctor/limits.ts";
import { checkListen } from "../../../src/doctor/listen.ts";
import { checkStore, checkStoreFiles, customersIn } from "../../../src/doctor/store.ts";
import { checkTls } from "../../../src/doctor/tls.ts";
import { ConfigFolder, least } from "../../helpers/config-file.ts";
import { customer } from "../../helpers/customers.ts";

const folder = new ConfigFolder();
afterAll(() => folder.remove());

const day = 86_400_000;
const base = folder.config(least);

/** Customers who may have so many connections each. */
const customers = (...connections: readonly number[]): Config["customers"] => {
  const entries = connections.map((most, at) => `  - { id: c${at}, limits: { connections: ${most} } }`);
  return folder.config(`${least}customers:\n${entries.join("\n")}\n`).customers;
};

const machine = (parts: Partial<System> = {}): System => ({
  now: () => Date.now(),
  readText: () => undefined,
  mode: () => 0o600,
  run: async () => undefined,
  ...parts,
});

const limits = (soft: number | string): System =>
  machine({
    readText: (path) =>
      path.endsWith("limits") ? `Max open files            ${soft}       ${soft}    files\n` : undefined,
  });

describe("the store", () => {
  it("has customers who count as those of the config do", () => {
    const stored = { kind: "customers", customers: [customer({ id: "globex" }), customer({ id: "hooli" })] } as const;
    expect(checkStore(base, stored)).toMatchObject({
      state: "ok",
      found: `2 customers in the store, ${base.customers.length} in the config`,
    });
    expect(customersIn(stored)).toHaveLength(2);
  });

  it("that cannot be read fails, for a gateway would not start", () => {
    const stored = { kind: "unusable", sentence: "the store /postern.db is damaged" } as const;
    expect(checkStore(base, stored)).toMatchObject({
      state: "fail",
      found: "the store /postern.db is damaged",
      advice: expect.stringContaining("no gateway starts"),
    });
    expect(customersIn(stored)).toEqual([]);
  });
});

describe("the store's files", () => {
  const store = "sqlite:/var/lib/postern/postern.db";
  const modes = (others: Readonly<Record<string, number>>) =>
    machine({ mode: (path) => others[path.slice("/var/lib/postern/".length)] });

  it("are a warning each where every user may read or write them", () => {
    const open = { "postern.db": 0o644, "postern.db-wal": 0o602, "postern.db-shm": 0o600, "postern.db.key": 0o604 };
    expect(checkStoreFiles({ store }, modes(open)).map(({ state, check, advice }) => [state, check, advice])).toEqual([
      ["warn", "store file", "chmod o= /var/lib/postern/postern.db"],
      ["warn", "store file", "chmod o= /var/lib/postern/postern.db-wal"],
      ["warn", "store file", "chmod o= /var/lib/postern/postern.db.key"],
    ]);
  });

  it("twin: are none where they are the owner's and the group's, not there, or on a server", () => {
    expect(checkStoreFiles({ store }, modes({ "postern.db": 0o660, "postern.db.key": 0o600 }))).toEqual([]);
    expect(checkStoreFiles({ store: "postgres://db.example/postern" }, machine({ mode: () => 0o777 }))).toEqual([]);
  });
});

describe("files that the config names", () => {
  const texts: Readonly<Record<string, string>> = {
    "/secret": "a-secret-of-sixteen",
    "/key.pem": "-----BEGIN PRIVATE KEY-----\n",
    "/both.pem": "-----BEGIN CERTIFICATE-----\n-----BEGIN EC PRIVATE KEY-----\n",
    "/cert.pem": "-----BEGIN CERTIFICATE-----\n",
    "/public.pem": "-----BEGIN PUBLIC KEY-----\n",
  };
  const files = Object.keys(texts);
  const system = (mode: number): System => machine({ mode: () => mode, readText: (path) => texts[path] });

  it("with a secret in are a warning each where every user may read them", () => {
    const found = checkFiles(files, system(0o644));
    expect(found.map(({ state, found }) => [state, found.split(" ")[0]])).toEqual([
      ["warn", "/secret"],
      ["warn", "/key.pem"],
      ["warn", "/both.pem"],
    ]);
    expect(found[0]).toMatchObject({ check: "secret file", advice: "chmod o= /secret" });
  });

  it("twin: are none where they are the owner's and the group's", () => {
    expect(checkFiles(files, system(0o640))).toEqual([]);
  });
});

describe("descriptors", () => {
  it("are enough for two each of what customers may have, and a warning where not", () => {
    expect(checkDescriptors({ customers: customers(100, 200) }, limits(1024))).toMatchObject({ state: "ok" });
    const few = checkDescriptors({ customers: customers(1000) }, limits(1024));
    expect(few).toMatchObject({ state: "warn", advice: expect.stringContaining("LimitNOFILE") });
    expect(few.found).toContain("about 462 connections, at two each; the customers' limits.connections allow 1,000");
  });

  it("below 256 have failed", () => {
    expect(checkDescriptors({ customers: [] }, limits(255))).toMatchObject({ state: "fail" });
    expect(checkDescriptors({ customers: [] }, limits(256))).toMatchObject({ state: "ok" });
  });

  it("without limit on either side: unlimited files carry all, a customer without limit carries a warning", () => {
    expect(checkDescriptors({ customers: customers(0) }, limits("unlimited"))).toMatchObject({ state: "ok" });
    expect(checkDescriptors({ customers: customers(0, 5) }, limits(20_000))).toMatchObject({ state: "warn" });
  });

  it("that cannot be read are said to be unknown", () => {
    expect(checkDescriptors(base, machine())).toMatchObject({
      state: "warn",
      found: expect.stringContaining("not known"),
    });
  });
});

describe("local ports", () => {
  const range = machine({ readText: (path) => (path.endsWith("port_range") ? "32768\t60999\n" : undefined) });
  const upstream = (...urls: string[]): Config["upstream"] => ({ urls, proxyProtocol: "v1" });

  it("are so many for each upstream url", () => {
    const one = checkPorts({ customers: customers(28_232), upstream: upstream("ws://127.0.0.1:5080") }, range);
    expect(one).toMatchObject({ state: "ok", found: expect.stringContaining("28,232 in all") });
    const more = { customers: customers(28_232, 1) };
    expect(checkPorts({ ...more, upstream: upstream("ws://127.0.0.1:5080") }, range)).toMatchObject({ state: "warn" });
    const two = upstream("ws://127.0.0.1:5080", "ws://127.0.0.2:5080");
    expect(checkPorts({ ...more, upstream: two }, range)).toMatchObject({ state: "ok" });
  });

  it("that cannot be read are said to be unknown", () => {
    expect(checkPorts(base, machine())).toMatchObject({ state: "warn", found: expect.stringContaining("not known") });
  });
});

describe("the clock", () => {
  it.each([
    ["yes\n", "ok", "kept by NTP"],
    ["no\n", "warn", "not synchronized"],
    [undefined, "warn", "unknown whether NTP keeps it"],
    ["", "warn", "unknown"],
  ])("with timedatectl's answer %j", async (answer, state, found) => {
    const finding = await checkClock(machine({ run: async () => answer }));
    expect(finding).toMatchObject({ state, found: expect.stringContaining(found) });
  });

  it("in 1970 has failed, whoever keeps it", async () => {
    const finding = await checkClock(machine({ now: () => 60_000, run: async () => "yes" }));
    expect(finding).toMatchObject({ state: "fail", found: "the system says it is 1970-01-01T00:01:00.000Z" });
  });
});

describe("the certificate", () => {
  const files = ["-keyout", join(folder.path, "key.pem"), "-out", join(folder.path, "cert.pem")];
  const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "90"];
  const names = ["-subj", "/CN=sip.acme.example", "-addext", "subjectAltName=DNS:sip.acme.example"];
  execFileSync("openssl", ["req", "-x509", ...kind, ...names, ...files], { stdio: "ignore" });
  const config = (publicUrl = ""): Config =>
    folder.config(
      `${least}gateway: { listen: "wss://0.0.0.0:8443", tls: { cert: cert.pem, key: key.pem }${publicUrl} }\n`,
    );
  const daysOn = (days: number, of = config()) =>
    checkTls(
      of,
      machine({
        now: () => Date.now() + days * day,
        readText: () => readFileSync(join(folder.path, "cert.pem"), "utf8"),
      }),
    );

  it.each([
    [0, "ok", /^good until \d{4}-\S+, (89|90) days; the key is its own$/],
    [80, "warn", /^good until/],
    [91, "fail", /^ended on/],
    [-1, "fail", /^is valid from/],
  ])("looked at %i days from now", (days, state, found) => {
    const [finding] = daysOn(days);
    expect(finding).toMatchObject({
      check: "certificate sip.acme.example",
      state,
      found: expect.stringMatching(found),
    });
  });

  it("is asked for the name of publicUrl where there is one", () => {
    expect(daysOn(0)).toHaveLength(1);
    expect(daysOn(0, config(', publicUrl: "wss://sip.acme.example"'))[1]).toMatchObject({ state: "ok" });
    expect(daysOn(0, config(', publicUrl: "wss://192.0.2.1"'))[1]).toMatchObject({ state: "fail" });
    expect(daysOn(0, config(', publicUrl: "wss://sip.globex.example"'))[1]).toMatchObject({
      state: "fail",
      found: "is not for sip.globex.example, the host of gateway.publicUrl",
    });
  });

  it("is no matter where there is none", () => {
    expect(checkTls(base, machine())).toEqual([]);
  });
});

describe("address families", () => {
  const judged = (
    listen: string,
    urls: string[],
    more: Partial<Config["upstream"]> = {},
    trustedProxies: string[] = [],
  ) =>
    checkFamilies({
      gateway: { ...base.gateway, listen, trustedProxies },
      upstream: { urls, proxyProtocol: "v1", ...more },
    }).map(({ check, state }) => `${check} ${state}`);
  const [four, six, name] = ["ws://127.0.0.1:5080", "ws://[::1]:5080", "ws://kamailio.example:5080"];

  it("of browsers that may come need an upstream url each", () => {
    expect(judged("ws://127.0.0.1:8088", [four])).toEqual(["IPv4 browsers ok"]);
    expect(judged("ws://[::1]:8088", [four])).toEqual(["IPv6 browsers warn"]);
    expect(judged("wss://[::]:8443", [four])).toEqual(["IPv4 browsers ok", "IPv6 browsers warn"]);
    expect(judged("wss://[::]:8443", [six])).toEqual(["IPv4 browsers warn", "IPv6 browsers ok"]);
    expect(judged("wss://[::]:8443", [four, six])).toEqual(["IPv4 browsers ok", "IPv6 browsers ok"]);
    expect(judged("wss://[::]:8443", [name])).toEqual(["IPv4 browsers ok", "IPv6 browsers ok"]);
  });

  it("do not matter without PROXY headers, and both do behind a proxy", () => {
    expect(judged("wss://[::]:8443", [four], { proxyProtocol: "off" })).toEqual([]);
    expect(judged("ws://127.0.0.1:8088", [four], {}, ["10.0.0.0/8"])).toEqual([
      "IPv4 browsers ok",
      "IPv6 browsers warn",
    ]);
  });
});

describe("addresses to listen on", () => {
  const at = (listen: string) =>
    checkListen({ gateway: { ...base.gateway, listen }, admin: { ...base.admin, listen: "http://127.0.0.1:0" } });

  it("that this machine does not have have failed", async () => {
    const [finding] = await at("ws://192.0.2.1:8088");
    expect(finding).toMatchObject({ state: "fail", found: "port 8088: this machine has no such address" });
  });

  it("with port 0 are any", async () => {
    expect((await at("ws://127.0.0.1:0")).map(({ state }) => state)).toEqual(["ok", "ok"]);
  });
});

describe("what the config could say better", () => {
  const at = (publicUrl: string) => checkPublicUrl({ gateway: { publicUrl } } as Config);
  const under = (alg: "HS256" | "HS512" | "ES256", secret: string) => {
    const source = { kind: "secret", secret } as const;
    return checkKeys({
      customers: [customer({ keys: [{ id: "h", alg, source, singleUse: false }] })],
    } as unknown as Config);
  };

  it("is where clients come, where the gateway listens on all addresses", () => {
    expect(at("wss://0.0.0.0:8443")).toMatchObject([{ state: "warn", advice: expect.stringContaining("publicUrl") }]);
    expect(at("wss://[::]:8443")).toHaveLength(1);
    expect(at("wss://sip.acme.example")).toEqual([]);
    expect(at("ws://127.0.0.1:8088")).toEqual([]);
  });

  it("is a secret as long as its hash", () => {
    expect(under("HS256", "x".repeat(31))).toMatchObject([
      { state: "warn", found: expect.stringContaining("32 bytes") },
    ]);
    expect(under("HS256", "x".repeat(32))).toEqual([]);
    expect(under("HS512", "x".repeat(63))).toMatchObject([{ advice: expect.stringContaining("rand -base64 64") }]);
    expect(JSON.stringify(under("HS256", "not-to-be-seen-here"))).not.toContain("not-to-be-seen");
  });
});
