import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { Config } from "../../src/config.ts";
import { Customers } from "../../src/core/customers.ts";
import { defaultMethods } from "../../src/core/identity.ts";
import { ConfigFolder, least } from "../helpers/config-file.ts";

const folder = new ConfigFolder();
folder.certificate("tls");
afterAll(() => folder.remove());

/** The whole of what a config may hold, every key given. */
const whole = `\
gateway:                              # public: WebSocket, and the public HTTP below
  listen: wss://0.0.0.0:8443
  publicUrl: wss://sip.acme.example
  tls: { cert: tls-cert.pem, key: tls-key.pem }
  allowMissingOrigin: true
  domains: []
  trustedProxies: []
  proxyProtocol: off
  limits: { messageBytes: 30000, preAuthSeconds: 10, connectionsPerAddress: 1000, failuresPerMinute: 60, messagesPerSecond: 200 }
upstream:
  urls: ["ws://127.0.0.1:5080"]
  proxyProtocol: v1
chain: { secret: "\${POSTERN_CHAIN_SECRET}", algorithm: sha256, ttl: 60 }
exchange: { secret: "\${POSTERN_EXCHANGE_SECRET}", algorithm: sha1, ttl: 300, callbackNetworks: [] }
turn: { urls: [], secret: "\${TURN_SECRET}" }
admin: { listen: http://127.0.0.1:8089, operators: [] }
store: sqlite:./postern.db
state: memory
drain: { seconds: 300 }
customers:
  - id: acme
    domains: [acme.example]
    secrets: [{ id: k1, secret: "\${ACME_SECRET}", algorithm: sha1 }]
    keys: []
    apiKeys: []
    origins: ["https://www.acme.example", "https://*.acme.example"]
    maxTtl: 3600
    clockSkew: 0
    callFrom: []
    numbers: ["+3225887*"]
    dial: []
    methods: []
    trunk: sip:pbx.acme.example:5060
    callerId: "+3225887000"
    inbound: { "+3225887000": reception }
    passHeaders: ["X-Voxbone-Context"]
    permissionUrl:
    limits: { connections: 1000, calls: 100, callSeconds: 14400 }
`;

const env = {
  POSTERN_CHAIN_SECRET: "the-chain-secret-of-16",
  POSTERN_EXCHANGE_SECRET: "the-exchange-secret-16",
  TURN_SECRET: "the-turn-secret-of-16-",
  ACME_SECRET: "the-acme-secret-of-16-",
};

describe("the config that names every key", () => {
  const config = folder.config(whole, env);

  it("is read, with the customer as the data path wants it", () => {
    expect(config.customers).toEqual([
      {
        id: "acme",
        domains: ["acme.example"],
        secrets: [{ id: "k1", secret: env.ACME_SECRET, algorithm: "sha1" }],
        keys: [],
        apiKeys: [],
        origins: ["https://www.acme.example", "https://*.acme.example"],
        maxTtl: 3600,
        clockSkew: 0,
        callFrom: [],
        numbers: ["+3225887*"],
        dial: [],
        methods: defaultMethods,
        trunk: "sip:pbx.acme.example:5060",
        callerId: "+3225887000",
        inbound: { "+3225887000": "reception" },
        passHeaders: ["X-Voxbone-Context"],
        limits: { connections: 1000, registrations: 0, calls: 100, callsPerMinute: 0, callSeconds: 14_400 },
        ceilings: {},
        revoked: [],
      },
    ]);
    expect(new Customers(config.customers).ownerOf("+3225887123")?.id).toBe("acme");
  });

  it("has its secrets from the environment", () => {
    expect(config.chain).toEqual({
      secret: env.POSTERN_CHAIN_SECRET,
      secrets: [env.POSTERN_CHAIN_SECRET],
      algorithm: "sha256",
      ttl: 60,
    });
    expect(config.exchange?.secret).toBe(env.POSTERN_EXCHANGE_SECRET);
    expect(config.turn?.secret).toBe(env.TURN_SECRET);
  });

  it("has absolute paths, counted from the file", () => {
    expect(config.gateway.tls).toEqual({
      cert: join(folder.path, "tls-cert.pem"),
      key: join(folder.path, "tls-key.pem"),
    });
    expect(config.store).toBe(`sqlite:${join(folder.path, "postern.db")}`);
  });

  it("cannot be changed, however deep", () => {
    const frozen = (value: unknown): boolean =>
      typeof value !== "object" || value === null || (Object.isFrozen(value) && Object.values(value).every(frozen));
    expect(frozen(config)).toBe(true);
    expect(() => Object.assign(config.customers[0]!.limits, { calls: 1 })).toThrow(TypeError);
  });

  it("asks for nothing that is not built yet", () => {
    const loaded = folder.load(whole, env);
    expect(loaded).toMatchObject({
      notAvailable: [],
    });
  });
});

describe("hep", () => {
  it("is off where it is not named", () => expect(folder.config(least).hep).toBeUndefined());

  it("has a capture id and may have a key from a file", () => {
    folder.write("hep.key", "key of homer\n");
    const hep = (text: string) => folder.config(`${least}hep: ${text}\n`).hep;
    expect(hep("{ url: udp://homer.example }")).toEqual({ url: "udp://homer.example", captureId: 2001 });
    expect(hep('{ url: "udp://[::1]:9061", captureId: 7, authKey: file:hep.key }')).toEqual({
      url: "udp://[::1]:9061",
      captureId: 7,
      authKey: "key of homer",
    });
  });
});

describe("the least config", () => {
  it("gets the documented defaults", () => {
    const config: Config = folder.config(`${least}customers: [{ id: acme, domains: [ACME.example] }]\n`);
    expect(config).toEqual({
      gateway: {
        listen: "ws://127.0.0.1:8088",
        publicUrl: "ws://127.0.0.1:8088",
        allowMissingOrigin: true,
        domains: [],
        trustedProxies: [],
        proxyProtocol: false,
        limits: {
          messageBytes: 30_000,
          preAuthSeconds: 10,
          connectionsPerAddress: 1000,
          failuresPerMinute: 60,
          messagesPerSecond: 200,
          goneSeconds: 0,
        },
      },
      upstream: { urls: ["ws://127.0.0.1:5080"], proxyProtocol: "v1" },
      chain: {
        secret: "chain-secret-of-the-test",
        secrets: ["chain-secret-of-the-test"],
        algorithm: "sha256",
        ttl: 60,
      },
      admin: { listen: "http://127.0.0.1:8089", hosts: [], operators: [] },
      store: `sqlite:${join(folder.path, "postern.db")}`,
      storeNamed: false,
      storeKeys: [],
      state: "memory",
      records: { store: true, retentionDays: 90 },
      drain: { seconds: 300 },
      customers: [
        {
          id: "acme",
          domains: ["acme.example"],
          secrets: [],
          keys: [],
          apiKeys: [],
          origins: [],
          maxTtl: 3600,
          clockSkew: 0,
          callFrom: [],
          numbers: [],
          dial: [],
          methods: defaultMethods,
          inbound: {},
          passHeaders: [],
          limits: { connections: 1000, registrations: 0, calls: 100, callsPerMinute: 0, callSeconds: 14_400 },
          ceilings: {},
          revoked: [],
        },
      ],
      connectionsPerUser: new Map(),
    });
  });

  it("announces nothing as not available", () => {
    expect(folder.load(least)).toMatchObject({ kind: "config", notAvailable: [] });
  });
});

describe("what is taken from a customer", () => {
  it("is read with the kind of what is revoked, and with its calls ended unless it says otherwise", () => {
    const text = `${least}customers:
  - id: acme
    suspended: finish
    ceilings: { calls: 200 }
    origins: ["https://www.acme.example"]
    originReports: true
    revoked:
      - { user: alice@Acme.Example, until: 2030-01-01T00:00:00Z }
      - { jti: t-1, until: 1893456000, calls: finish }
`;
    const [acme] = folder.config(text).customers;
    expect(acme).toMatchObject({ suspended: "finish", ceilings: { calls: 200 }, originReports: true });
    expect(acme?.revoked).toEqual([
      { kind: "user", value: "alice@acme.example", until: 1_893_456_000, calls: "end" },
      { kind: "jti", value: "t-1", until: 1_893_456_000, calls: "finish" },
    ]);
  });
});

describe("what is not available yet", () => {
  it("is named", () => {
    const loaded = folder.load(`${least}state: redis://127.0.0.1\n`);
    expect(loaded).toMatchObject({ kind: "config", notAvailable: ["state"] });
  });

  it.each([
    ["gateway: { trustedProxies: [10.0.0.0/8], proxyProtocol: on }", []],
    ["gateway: { trustedProxies: [], proxyProtocol: off }", []],
    ["gateway: { proxyProtocol: false }", []],
    ["turn: { urls: [] }", []],
    ["admin: { operators: [{ id: root, secret: the-operators-secret }] }", []],
    ["exchange: { secret: the-exchange-secret }", []],
    ["exchange: { secrets: [the-exchange-secret, the-exchange-secret-before] }", []],
    ["state: redis://127.0.0.1", ["state"]],
    ["state: memory", []],
    ["store: sqlite:x.db", []],
    ["store: postgres://postern@127.0.0.1/x\nstoreKey: the-key-of-this-store", []],
    ["customers: [{ id: a, apiKeys: [{ id: k, secret: the-api-keys-secret }] }]", []],
    ["customers: [{ id: a, keys: [{ id: k, alg: HS256, secret: a-shared-secret-of-32-bytes-long }] }]", []],
    ["customers: [{ id: a, keys: [], apiKeys: [], inbound: {}, permissionUrl: }]", []],
    ["customers: [{ id: a, permissionUrl: https://a.example/ }]", []],
  ])("%s", (line, expected) => {
    expect(folder.load(`${least}${line}\n`)).toMatchObject({ kind: "config", notAvailable: expected });
  });
});

describe("values that may be written in several ways", () => {
  it.each([
    ["on", true],
    ["off", false],
    ["true", true],
    ["false", false],
  ])("gateway.proxyProtocol: %s", (written, meant) => {
    const text = `${least}gateway: { trustedProxies: [10.0.0.0/8], proxyProtocol: ${written} }\n`;
    expect(folder.config(text).gateway.proxyProtocol).toBe(meant);
  });

  it.each([
    ["v1", "v1"],
    ["v2", "v2"],
    ["off", "off"],
    ["false", "off"],
  ])("upstream.proxyProtocol: %s", (written, meant) => {
    const text = least.replace('"] }', `"], proxyProtocol: ${written} }`);
    expect(folder.config(text).upstream.proxyProtocol).toBe(meant);
  });

  it.each([
    ["1639478154", 1_639_478_154],
    ['"1639478154"', 1_639_478_154],
    ["2021-12-14T10:35:54Z", 1_639_478_154],
    ["2021-12-14T11:35:54+01:00", 1_639_478_154],
    ["2024-02-29", 1_709_164_800],
  ])("notBefore: %s", (written, meant) => {
    const secret = `{ id: k, secret: a-secret-of-acme-16, notBefore: ${written} }`;
    const config = folder.config(`${least}customers: [{ id: a, secrets: [${secret}] }]\n`);
    expect(config.customers[0]?.secrets[0]).toEqual({
      id: "k",
      secret: "a-secret-of-acme-16",
      algorithm: "sha1",
      notBefore: meant,
    });
  });

  it.each([
    "sip:pbx.acme.example",
    "sips:pbx.acme.example:5061;transport=tcp",
    "sip:trunk@192.0.2.7:5060;transport=udp;lr",
    "sip:[2001:db8::1]:5060",
    "SIP:+3225887000@pbx.acme.example",
  ])("trunk: %s", (trunk) => {
    const config = folder.config(`${least}customers: [{ id: a, trunk: "${trunk}" }]\n`);
    expect(config.customers[0]?.trunk).toBe(trunk);
  });

  it.each([
    ["e164", { "+": "+" }],
    ["digits", { "+": "" }],
    ['{ "+32": "0", "+": "00" }', { "+32": "0", "+": "00" }],
  ])("trunkFormat: %s, further targets, and a credential for them from the environment", (format, rules) => {
    const trunk =
      'trunk: sip:a, trunk2: ["sip:b", "sip:c"], trunkTrusted: false, trunkAuth: { username: u, password: "${P}" }';
    const config = folder.config(`${least}customers: [{ id: a, ${trunk}, trunkFormat: ${format} }]\n`, { P: "short" });
    expect(config.customers[0]).toMatchObject({
      ...{ trunk2: ["sip:b", "sip:c"], trunkAuth: { username: "u", password: "short" } },
      ...{ trunkFormat: rules, trunkTrusted: false },
    });
  });

  it("origins and From domains are kept in lower case, users as written", () => {
    const origins = '["HTTPS://WWW.Acme.Example:8443", "http://[::1]:8080"]';
    const callFrom = '[Alice@ACME.example, "*@Acme.example"]';
    const config = folder.config(`${least}customers: [{ id: a, origins: ${origins}, callFrom: ${callFrom} }]\n`);
    expect(config.customers[0]?.origins).toEqual(["https://www.acme.example:8443", "http://[::1]:8080"]);
    expect(config.customers[0]?.callFrom).toEqual(["Alice@acme.example", "*@acme.example"]);
  });

  it("a number without quotes is still a key", () => {
    const config = folder.config(`${least}customers: [{ id: a, inbound: { +3225887000: reception } }]\n`);
    expect(config.customers[0]?.inbound).toEqual({ "+3225887000": "reception" });
  });

  it("chain.secrets, newest first, the first of which mints", () => {
    const text = least.replace(
      "secret: chain-secret-of-the-test",
      "secrets: [the-newest-secret-16, the-former-secret-16]",
    );
    expect(folder.config(text).chain).toMatchObject({
      secret: "the-newest-secret-16",
      secrets: ["the-newest-secret-16", "the-former-secret-16"],
    });
  });

  it("a customer's numbers may overlap among themselves, and several customers share nothing", () => {
    const text = `${least}customers: [{ id: a, numbers: ["+32*", "+3225887*", "+32"] }, { id: b, numbers: ["+33*"] }]\n`;
    expect(folder.config(text).customers).toHaveLength(2);
  });

  it("ws:// on every loopback spelling, beyond it with insecure", () => {
    for (const listen of ["ws://127.8.8.8:0", "ws://[::1]:8088", "ws://localhost:8088/"]) {
      expect(folder.config(`${least}gateway: { listen: "${listen}" }\n`).gateway.listen).toBe(
        listen.replace(/\/$/, ""),
      );
    }
    expect(folder.load(`${least}gateway: { listen: "ws://0.0.0.0:8088", insecure: true }\n`).kind).toBe("config");
  });

  it("admin on loopback and on private addresses", () => {
    for (const listen of ["http://127.0.0.1:0", "http://10.1.2.3:8089", "http://[fd00::1]:8089"]) {
      expect(folder.config(`${least}admin: { listen: "${listen}" }\n`).admin.listen).toBe(listen);
    }
  });

  it("limits of 0, which mean none", () => {
    const text = `${least}gateway: { limits: { messageBytes: 0, messagesPerSecond: 0 } }\ncustomers: [{ id: a, limits: { calls: 0 } }]\n`;
    const config = folder.config(text);
    expect([config.gateway.limits.messageBytes, config.customers[0]?.limits.calls]).toEqual([0, 0]);
  });

  it("a limit for each user of a customer, and a budget of memory", () => {
    const text = `${least}gateway: { limits: { memoryMegabytes: 512 } }\ncustomers: [{ id: a, limits: { connectionsPerUser: 3 } }, { id: b }]\n`;
    const config = folder.config(text);
    expect(config.connectionsPerUser).toEqual(new Map([["a", 3]]));
    expect(config.gateway.limits.memoryMegabytes).toBe(512);
    expect(folder.config(least).gateway.limits.memoryMegabytes).toBeUndefined();
  });

  it("verification keys of every kind", () => {
    const keys = `
      - { id: shared, alg: HS256, secret: a-shared-secret-of-32-bytes-long }
      - { id: fetched, alg: RS256, jwksUri: "https://acme.example/jwks", issuer: acme, audience: postern }
      - { id: curve, alg: ES256, jwk: { kty: EC, crv: P-256, x: f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU, y: x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0 } }`;
    const config = folder.config(`${least}customers:\n  - id: a\n    keys:${keys}\n`);
    expect(config.customers[0]?.keys).toMatchObject([
      { id: "shared", singleUse: false, source: { kind: "secret", secret: "a-shared-secret-of-32-bytes-long" } },
      {
        id: "fetched",
        issuer: "acme",
        audience: "postern",
        source: { kind: "remote", uri: "https://acme.example/jwks" },
      },
      { id: "curve", alg: "ES256", source: { kind: "jwk", jwk: { crv: "P-256" } } },
    ]);
  });
});
