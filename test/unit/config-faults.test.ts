import { afterAll, describe, expect, it } from "vitest";
import { ConfigFolder, least } from "../helpers/config-file.ts";

const folder = new ConfigFolder();
for (const name of ["one", "two"]) folder.certificate(name);
folder.write("text.pem", "no PEM at all\n");
afterAll(() => folder.remove());

/** least has lines 1 and 2, so what is put after it begins in line 3. */
const after = (text: string): string => `${least}${text}\n`;
const customer = (text: string): string => after(`customers:\n  - id: acme\n    ${text}`);
/** One value of a list of the customer's, in line 5. */
const listed = (key: string) => (value: string) => customer(`${key}: [${JSON.stringify(value)}]`);

type Case = readonly [text: string, path: string, line: number, message: RegExp];

/** Each config has this one fault. */
const cases: Readonly<Record<string, readonly Case[]>> = {
  "what is required": [
    ["chain: { secret: chain-secret-of-the-test }\n", "upstream.urls", 1, /is required/],
    ["chain: { secret: chain-secret-of-the-test }\nupstream: {}\n", "upstream.urls", 2, /is required/],
    ["chain: { secret: chain-secret-of-the-test }\nupstream:\n", "upstream.urls", 2, /is required/],
    ['upstream: { urls: ["ws://127.0.0.1:5080"] }\n', "chain.secret", 1, /is required/],
    ['upstream: { urls: ["ws://127.0.0.1:5080"] }\nchain:\n  secret:\n', "chain.secret", 3, /is required/],
    [after("customers:\n  - domains: [acme.example]"), "customers[0].id", 4, /is required/],
    [customer("secrets: [{ secret: a-secret-of-acme-16 }]"), "customers[0].secrets[0].id", 5, /is required/],
    [after("exchange: { ttl: 60 }"), "exchange.secret", 3, /is required/],
    [after("turn: { urls: [turn:turn.acme.example] }"), "turn.secret", 3, /is required/],
  ],
  "unknown keys": [
    [after("gatway: {}"), "gatway", 3, /is not a known key: did you mean gateway\?/],
    [
      after("gateway:\n  limits:\n    message_bytes: 1"),
      "gateway.limits.message_bytes",
      5,
      /did you mean messageBytes\?/,
    ],
    [customer("orgins: []"), "customers[0].orgins", 5, /did you mean origins\?/],
    [customer("colour: red"), "customers[0].colour", 5, /is not a known key$/],
    [
      customer("secrets: [{ id: k, secret: a-secret-of-acme-16, algoritm: sha1 }]"),
      "customers[0].secrets[0].algoritm",
      5,
      /did you mean algorithm/,
    ],
    [after("empty:"), "empty", 3, /is not a known key/],
    [after("__proto__: { a: 1 }"), "[…]", 3, /is not a known key/],
  ],
  kinds: [
    [after("gateway: 8088"), "gateway", 3, /must be a map/],
    [after("gateway: { listen: {} }"), "gateway.listen", 3, /must be a text/],
    [after("gateway: { listen: [{ a: 1 }] }"), "gateway.listen", 3, /must be a text/],
    [after("admin: { listen: { host: 127.0.0.1 } }"), "admin.listen", 3, /must be a text/],
    [after("customers: { id: acme }"), "customers", 3, /must be a list/],
    [customer("callerId: +3225887000"), "customers[0].callerId", 5, /must be a text: put it in quotes/],
    [customer("domains: [acme.example, ]\n    origins: [~]"), "customers[0].origins[0]", 6, /must be a text/],
    [after("gateway: { allowMissingOrigin: yes }"), "gateway.allowMissingOrigin", 3, /must be true or false/],
    [after("gateway: { proxyProtocol: v1 }"), "gateway.proxyProtocol", 3, /must be on or off/],
    [least.replace('"] }', '"], proxyProtocol: on }'), "upstream.proxyProtocol", 1, /must be v1, v2 or off/],
    [
      customer("secrets: [{ id: k, secret: a-secret-of-acme-16, algorithm: md5 }]"),
      "customers[0].secrets[0].algorithm",
      5,
      /must be one of sha1, sha256, sha384, sha512/,
    ],
    [after("gateway: [].x"), "", 3, /is not YAML/],
  ],
  numbers: [
    [after("gateway: { limits: { messageBytes: -1 } }"), "gateway.limits.messageBytes", 3, /at least 0/],
    [after("gateway: { limits: { messageBytes: 65536 } }"), "gateway.limits.messageBytes", 3, /at most 65535/],
    [after("gateway: { limits: { preAuthSeconds: 1.5 } }"), "gateway.limits.preAuthSeconds", 3, /a whole number/],
    [after("gateway: { limits: { preAuthSeconds: 10s } }"), "gateway.limits.preAuthSeconds", 3, /must be a number/],
    [after("gateway: { limits: { messagesPerSecond: 4294967296 } }"), "gateway.limits.messagesPerSecond", 3, /at most/],
    [after("gateway: { limits: { failuresPerMinute: .inf } }"), "gateway.limits.failuresPerMinute", 3, /must be/],
    [least.replace(" }\n", " }\n").replace("of-the-test }", "of-the-test, ttl: 0 }"), "chain.ttl", 2, /at least 1/],
    [least.replace("of-the-test }", "of-the-test, ttl: 3601 }"), "chain.ttl", 2, /at most 3600/],
    [after("drain: { seconds: -1 }"), "drain.seconds", 3, /at least 0/],
    [customer("maxTtl: 0"), "customers[0].maxTtl", 5, /at least 1/],
    [customer("clockSkew: 86400"), "customers[0].clockSkew", 5, /at most 3600/],
    [customer("limits: { callSeconds: -5 }"), "customers[0].limits.callSeconds", 5, /at least 0/],
  ],
  "what is taken from a customer": [
    [`${least}customers: [{ id: me }]`, "customers[0].id", 3, /calls itself over HTTP/],
    [customer("suspended: yes"), "customers[0].suspended", 5, /must be one of finish, end/],
    [customer("originReports: sometimes"), "customers[0].originReports", 5, /must be true or false/],
    [customer("originReports: true"), "customers[0].originReports", 5, /needs origins/],
    [customer("revoked: [{ until: 2030-01-01 }]"), "customers[0].revoked[0]", 5, /exactly one of user, credential/],
    [customer("revoked: [{ user: a, jti: b, until: 1 }]"), "customers[0].revoked[0]", 5, /exactly one of user/],
    [customer("revoked: [{ user: a }]"), "customers[0].revoked[0].until", 5, /is required/],
    [customer("revoked: [{ user: a@b@c.example, until: 1 }]"), "customers[0].revoked[0].user", 5, /is no user/],
    [customer("revoked: [{ credential: 'a b', until: 1 }]"), "customers[0].revoked[0].credential", 5, /is no name/],
    [customer("revoked: [{ jti: '', until: 1 }]"), "customers[0].revoked[0].jti", 5, /is no jti/],
    [customer("revoked: [{ jti: a, until: 1, calls: cut }]"), "customers[0].revoked[0].calls", 5, /finish, end/],
    [
      customer(`revoked: [${"{ user: a, until: 1 }, ".repeat(1001)}]`),
      "customers[0].revoked",
      5,
      /has more than 1000 entries/,
    ],
    [customer("ceilings: { callz: 1 }"), "customers[0].ceilings.callz", 5, /did you mean calls/],
    [customer("webhook: { url: 'https://acme.example/' }"), "customers[0].webhook.secret", 5, /is required/],
    [
      customer("webhook: { url: 'http://127.0.0.1/', secret: the-secret-of-its-webhook }"),
      "customers[0].webhook.url",
      5,
      /exchange.callbackNetworks/,
    ],
    [
      customer("webhook: { url: 'https://acme.example/', secret: chain-secret-of-the-test }"),
      "customers[0].webhook.secret",
      5,
      /must differ from chain.secret/,
    ],
  ],
  "addresses to listen on": [
    [after('gateway: { listen: "ws://0.0.0.0:8088" }'), "gateway.listen", 3, /beyond loopback/],
    [after('gateway: { listen: "ws://gateway.acme.example:8088" }'), "gateway.listen", 3, /beyond loopback/],
    [after('gateway: { listen: "wss://127.0.0.1:8443" }'), "gateway.listen", 3, /needs gateway.tls/],
    [after('gateway: { listen: "http://127.0.0.1:8088" }'), "gateway.listen", 3, /is no address to listen on/],
    [after('gateway: { listen: "ws://127.0.0.1" }'), "gateway.listen", 3, /is no address to listen on/],
    [after('gateway: { listen: "ws://127.0.0.1:65536" }'), "gateway.listen", 3, /is no address to listen on/],
    [after('gateway: { listen: "ws://127.1:8088" }'), "gateway.listen", 3, /is no address to listen on/],
    [after('gateway: { listen: "ws://[::g]:8088" }'), "gateway.listen", 3, /is no address to listen on/],
    [after('gateway: { publicUrl: "https://sip.acme.example" }'), "gateway.publicUrl", 3, /is no WebSocket URL/],
    [after('admin: { listen: "http://0.0.0.0:8089" }'), "admin.listen", 3, /reachable from outside/],
    [after('admin: { listen: "http://203.0.113.5:8089" }'), "admin.listen", 3, /reachable from outside/],
    [after('admin: { listen: "http://127.0.0.1:8088" }'), "admin.listen", 3, /is the address of gateway.listen/],
  ],
  upstream: [
    [least.replace('"ws://127.0.0.1:5080"', ""), "upstream.urls", 1, /at least one entry/],
    [least.replace("ws://127.0.0.1:5080", "sip:127.0.0.1:5080"), "upstream.urls[0]", 1, /is no WebSocket URL/],
    [least.replace("ws://127.0.0.1:5080", "ws://me:pw@127.0.0.1:5080"), "upstream.urls[0]", 1, /is no WebSocket URL/],
  ],
  tls: [
    [
      after("gateway:\n  tls: { cert: one-cert.pem, key: none.pem }"),
      "gateway.tls.key",
      4,
      /names a file.* is not there/,
    ],
    [
      after("gateway:\n  tls: { cert: none.pem, key: one-key.pem }"),
      "gateway.tls.cert",
      4,
      /names a file.* is not there/,
    ],
    [after("gateway:\n  tls: { cert: text.pem, key: one-key.pem }"), "gateway.tls.cert", 4, /is no PEM certificate/],
    [after("gateway:\n  tls: { cert: one-cert.pem, key: text.pem }"), "gateway.tls.key", 4, /is no PEM private key/],
    [after("gateway:\n  tls: { cert: one-cert.pem, key: two-key.pem }"), "gateway.tls.key", 4, /is not the key of/],
    [after("gateway:\n  tls: { cert: one-cert.pem }"), "gateway.tls.key", 4, /is required/],
  ],
  "proxies and networks": [
    [after("gateway: { trustedProxies: [10.0.0.0] }"), "gateway.trustedProxies[0]", 3, /is no network/],
    [after("gateway: { trustedProxies: [10.0.0.0/33] }"), "gateway.trustedProxies[0]", 3, /is no network/],
    [after('gateway: { trustedProxies: ["::/129"] }'), "gateway.trustedProxies[0]", 3, /is no network/],
    [after("gateway: { trustedProxies: [0.0.0.0/0] }"), "gateway.trustedProxies[0]", 3, /is everybody/],
    [after('gateway: { trustedProxies: ["::/0"] }'), "gateway.trustedProxies[0]", 3, /is everybody/],
    [after("gateway: { trustedProxies: [10.1/8] }"), "gateway.trustedProxies[0]", 3, /is no network/],
    [after("gateway: { proxyProtocol: on }"), "gateway.proxyProtocol", 3, /needs gateway.trustedProxies/],
    [
      after("exchange: { secret: the-exchange-secret, callbackNetworks: [all] }"),
      "exchange.callbackNetworks[0]",
      3,
      /is no network/,
    ],
  ],
  "store, state, turn, operators": [
    [after("store: mysql://127.0.0.1/x"), "store", 3, /is no store/],
    [after("state: memcached"), "state", 3, /is no state/],
    [
      after("turn: { urls: [http://turn.acme.example], secret: the-turn-secret-16 }"),
      "turn.urls[0]",
      3,
      /is no STUN or TURN URI/,
    ],
    [
      after(
        "admin:\n  operators:\n    - { id: a, secret: an-operators-secret }\n    - { id: a, secret: an-operators-secret }",
      ),
      "admin.operators[1].id",
      6,
      /is also the id of admin.operators\[0\].id \(line 5\)/,
    ],
  ],
  secrets: [
    [least.replace("chain-secret-of-the-test", "fifteen-bytes--"), "chain.secret", 2, /fewer than 16 bytes/],
    ...[
      "aaaaaaaaaaaaaaaa",
      "................................",
      "0101010101010101",
      "abcdabcdabcdabcdab",
      "change-me-change-me",
      "CHANGEME12345678",
      "please change this secret",
      "your-secret-here",
      "my-secret-password-123",
      "this_is_a_test_secret",
    ].map(
      (weak) =>
        [
          least.replace("chain-secret-of-the-test", JSON.stringify(weak)),
          "chain.secret",
          2,
          /anybody would try/,
        ] as const,
    ),
    [
      customer('secrets: [{ id: k, secret: "xxxxxxxxxxxxxxxx" }]'),
      "customers[0].secrets[0].secret",
      5,
      /anybody would try: make one by openssl/,
    ],
    [least.replace("secret: chain-secret-of-the-test", "secrets: []"), "chain.secrets", 2, /at least one entry/],
    [
      least.replace("secret: chain-secret-of-the-test", "secrets: [chain-secret-of-the-test, short]"),
      "chain.secrets[1]",
      2,
      /fewer than 16 bytes/,
    ],
    [
      least.replace("of-the-test }", "of-the-test,\n  secrets: [another-secret-of-the-test] }"),
      "chain.secrets",
      3,
      /beside chain.secret/,
    ],
    [least.replace("of-the-test", "of-the-test, algorithm: md5"), "chain.algorithm", 2, /must be one of/],
    [
      after("exchange: { secret: chain-secret-of-the-test }"),
      "exchange.secret",
      3,
      /must differ from chain.secret \(line 2\)/,
    ],
    [
      after("exchange: { secret: the-exchange-secret-1, secrets: [the-exchange-secret-2] }"),
      "exchange.secrets",
      3,
      /beside exchange.secret/,
    ],
    [
      after("exchange: { secrets: [the-exchange-secret-1, chain-secret-of-the-test] }"),
      "exchange.secrets[1]",
      3,
      /must differ from chain.secret \(line 2\)/,
    ],
    [after("turn: { secret: chain-secret-of-the-test }"), "turn.secret", 3, /must differ from chain.secret/],
    [
      customer("secrets: [{ id: k, secret: chain-secret-of-the-test }]"),
      "customers[0].secrets[0].secret",
      5,
      /must differ from chain.secret/,
    ],
    [
      customer("keys: [{ id: k, alg: HS256, secret: the-chain-secret-of-32-bytes-long }]").replace(
        "chain-secret-of-the-test",
        "the-chain-secret-of-32-bytes-long",
      ),
      "customers[0].keys[0].secret",
      5,
      /must differ from chain.secret/,
    ],
    [
      customer(
        "apiKeys: [{ id: k, secret: the-operators-secret }]\nadmin: { operators: [{ id: o, secret: the-operators-secret }] }",
      ),
      "customers[0].apiKeys[0].secret",
      5,
      /must differ from admin.operators\[0\].secret/,
    ],
    [
      customer("secrets: [{ id: k, secret: the-exchange-secret }]\nexchange: { secret: the-exchange-secret }"),
      "customers[0].secrets[0].secret",
      5,
      /must differ from exchange.secret \(line 6\)/,
    ],
    [
      customer(
        "secrets: [{ id: k, secret: a-secret-of-two-customers }]\n  - { id: globex, apiKeys: [{ id: k, secret: a-secret-of-two-customers }] }",
      ),
      "customers[1].apiKeys[0].secret",
      6,
      /must differ from customers\[0\].secrets\[0\].secret \(line 5\)/,
    ],
    [
      customer("secrets: [{ id: k, secret: a-secret-of-acme-16 },\n      { id: k, secret: another-secret-of-acme }]"),
      "customers[0].secrets[1].id",
      6,
      /is also the id of customers\[0\].secrets\[0\].id \(line 5\)/,
    ],
    [customer("secrets: [{ id: 'a b', secret: a-secret-of-acme-16 }]"), "customers[0].secrets[0].id", 5, /is no id/],
    [
      customer("secrets: [{ id: k, secret: a-secret-of-acme-16, notBefore: 1639478154000 }]"),
      "customers[0].secrets[0].notBefore",
      5,
      /not milliseconds/,
    ],
    [
      customer("secrets: [{ id: k, secret: a-secret-of-acme-16, notAfter: 2023-02-29 }]"),
      "customers[0].secrets[0].notAfter",
      5,
      /is no instant/,
    ],
    [
      customer("secrets: [{ id: k, secret: a-secret-of-acme-16, notAfter: 2023-02-20T10:00:00 }]"),
      "customers[0].secrets[0].notAfter",
      5,
      /is no instant/,
    ],
    [
      customer("secrets: [{ id: k, secret: a-secret-of-acme-16, notAfter: tomorrow }]"),
      "customers[0].secrets[0].notAfter",
      5,
      /is no instant/,
    ],
    [
      customer("secrets: [{ id: k, secret: a-secret-of-acme-16, notBefore: 2023-02-02, notAfter: 2023-02-01 }]"),
      "customers[0].secrets[0].notAfter",
      5,
      /is before notBefore/,
    ],
  ],
  "customers among each other": [
    [
      customer("domains: [a.example]\n  - id: acme"),
      "customers[1].id",
      6,
      /is also the id of customers\[0\].id \(line 4\)/,
    ],
    [
      customer("domains: [a.example]\n  - id: b\n    domains: [b.example, A.example]"),
      "customers[1].domains[1]",
      7,
      /stands already at customers\[0\].domains\[0\] \(line 5\)/,
    ],
    [
      customer('numbers: ["+3225887*"]\n  - id: b\n    numbers: ["+3225887*"]'),
      "customers[1].numbers[0]",
      7,
      /stands already at customers\[0\].numbers\[0\] \(line 5\)/,
    ],
    [
      customer('numbers: ["+3225887000"]\n  - id: b\n    numbers: ["3225887000"]'),
      "customers[1].numbers[0]",
      7,
      /stands already at/,
    ],
    [
      customer('inbound: { "+32": x }\n  - id: b\n    inbound: { "32": y }'),
      'customers[1].inbound["32"]',
      7,
      /has one user and stands already at customers\[0\].inbound\["\+32"\] \(line 5\)/,
    ],
    [
      customer('numbers: ["+32"]\n  - id: b\n    inbound: { "+32": y }'),
      'customers[1].inbound["+32"]',
      7,
      /is another customer's number, at customers\[0\].numbers\[0\] \(line 5\)/,
    ],
    [customer("trunk2: sip:b.example"), "customers[0].trunk2", 5, /is used only where trunk fails/],
    [
      customer("trunk: sip:a\n    trunk2: [sip:b, sip:c, sip:d, sip:e]"),
      "customers[0].trunk2",
      6,
      /up to three of them/,
    ],
    [
      customer("trunk: sip:a\n    trunkFormat: { '32': '0' }"),
      "customers[0].trunkFormat",
      6,
      /must be e164, digits, or/,
    ],
    [customer("trunk: sip:a\n    trunkFormat: national"), "customers[0].trunkFormat", 6, /must be e164, digits, or/],
    [
      customer("trunk: sip:a\n    trunkAuth: { username: 'a\"', password: p }"),
      ...(["customers[0].trunkAuth.username", 6, /without quotes and backslashes/] as const),
    ],
    [
      customer("trunk: sip:a\n    trunkAuth: { username: a, password: file:none }"),
      ...(["customers[0].trunkAuth.password", 6, /that is not there/] as const),
    ],
    [customer("trunkFormat: digits"), "customers[0].trunkFormat", 5, /is how a trunk writes numbers: set trunk/],
    [customer("trunkAuth: { username: a, password: b }"), "customers[0].trunkAuth", 5, /is what a trunk is told: set/],
    [
      customer("domains: [a.example]\ngateway: { domains: [A.EXAMPLE] }"),
      "gateway.domains[0]",
      6,
      /is a customer's domain, at customers\[0\].domains\[0\] \(line 5\)/,
    ],
    [
      customer(
        "apiKeys: [{ id: x, secret: a-key-secret-of-acme }]\n  - id: b\n    apiKeys: [{ id: x, secret: a-key-secret-of-b-16 }]",
      ),
      "customers[1].apiKeys[0].id",
      7,
      /is also the id of/,
    ],
  ],
  "verification keys": [
    [
      customer("keys: [{ id: k, alg: none, secret: a-shared-secret-of-16 }]"),
      "customers[0].keys[0].alg",
      5,
      /must be one of/,
    ],
    [customer("keys: [{ id: k, alg: HS256 }]"), "customers[0].keys[0]", 5, /exactly one of/],
    [
      customer('keys: [{ id: k, alg: HS256, jwksUri: "https://a.example/", issuer: a, audience: b }]'),
      "customers[0].keys[0].jwksUri",
      5,
      /HS… takes a secret/,
    ],
    [
      customer("keys: [{ id: k, alg: ES256, secret: a-shared-secret-of-16 }]"),
      "customers[0].keys[0].secret",
      5,
      /only HS… takes a secret/,
    ],
    [
      customer('keys: [{ id: k, alg: ES256, jwksUri: "https://a.example/", audience: b }]'),
      "customers[0].keys[0].issuer",
      5,
      /is required with jwksUri/,
    ],
    [
      customer("keys: [{ id: k, alg: ES256, jwk: { kty: EC, crv: P-256, x: AA, y: AA } }]"),
      "customers[0].keys[0].jwk",
      5,
      /is no public key/,
    ],
    [
      customer("keys: [{ id: k, alg: ES256, jwk: { kty: EC, crv: P-256, d: AA } }]"),
      "customers[0].keys[0].jwk",
      5,
      /leave the private part out/,
    ],
    [
      customer("keys: [{ id: k, alg: ES256, pem: file:one-key.pem }]"),
      "customers[0].keys[0].pem",
      5,
      /is no public key in PEM form/,
    ],
  ],
  hep: [
    [after("hep: {}"), "hep.url", 3, /is required/],
    [after("hep: { url: 127.0.0.1:9060 }"), "hep.url", 3, /is no address of a HEP collector/],
    [after("hep: { url: tcp://127.0.0.1:9060 }"), "hep.url", 3, /is no address of a HEP collector/],
    [after("hep: { url: udp://127.0.0.1:9060/path }"), "hep.url", 3, /is no address of a HEP collector/],
    [after("hep: { url: udp://a:b@127.0.0.1:9060 }"), "hep.url", 3, /is no address of a HEP collector/],
    [after("hep: { url: udp://a, captureId: 4294967296 }"), "hep.captureId", 3, /must be at most/],
    [after("hep: { url: udp://a, captureId: 0 }"), "hep.captureId", 3, /must be at least/],
    [after('hep: { url: udp://a, authKey: "" }'), "hep.authKey", 3, /is no key of a HEP collector/],
    [after("hep: { url: udp://a, authKey: file:none }"), "hep.authKey", 3, /that is not there/],
    [after("hep: { url: udp://a, captureID: 1 }"), "hep.captureID", 3, /did you mean captureId/],
  ],
  "the other values of a customer": [
    [after("customers:\n  - id: Acme"), "customers[0].id", 4, /is no customer id/],
    [after("customers:\n  - id: a|b"), "customers[0].id", 4, /is no customer id/],
    [customer('inbound: { "32*": reception }'), "customers[0].inbound[…]", 5, /is no telephone number/],
    [customer('inbound: { "+32": "a b" }'), 'customers[0].inbound["+32"]', 5, /is no user/],
    [customer('callerId: "+32*"'), "customers[0].callerId", 5, /is no telephone number/],
  ],
};

describe.each(Object.entries(cases))("%s", (_name, rows) => {
  it.each(rows.map((row) => ({ row, name: `${row[1] || "the file"}, line ${row[2]}: ${row[3].source}` })))(
    "$name",
    ({ row }) => {
      const [text, path, line, message] = row;
      const faults = folder.faults(text);
      expect(faults.map((fault) => `${fault.line}: ${fault.path}`)).toEqual([`${line}: ${path}`]);
      expect(faults[0]?.message).toMatch(message);
    },
  );
});

describe.each([
  [
    "domains",
    /is no domain/,
    ["a_b.example", "acme.example.", "-a.example", "a..b", "münchen.example", "a b", "[::1]", ""],
  ],
  [
    "origins",
    /is no origin/,
    [
      "https://a.example/",
      "https://a.example/x",
      "a.example",
      "null",
      "*",
      "https://*",
      "https://a.*.example",
      "https://a.example:443",
      "http://a.example:80",
      "https://a.example:0",
      "https://a.example:65536",
      `https://${"a.".repeat(200)}example`,
      "https://u@a.example",
      "https://[::g]",
      "https://a.example?",
    ],
  ],
  [
    "callFrom",
    /is no From address/,
    ["alice", "@acme.example", "*", "al ice@acme.example", "sip:alice@acme.example", "alice@acme.example;x", "a*@@x"],
  ],
  [
    "numbers",
    /is no number pattern/,
    ["", "+", "32-25", "+32**", "*32", "+123456789012345678901", "0032 2", "tel:+32"],
  ],
  ["numbers", /matches every number, and a number has one owner/, ["*", "+*", "00*"]],
  ["dial", /is no number pattern/, ["", "+1900x"]],
  ["methods", /is no SIP method/, ["invite", "INVITE ", "", "IN/VITE"]],
  [
    "passHeaders",
    /may not be passed/,
    ["From", "X-", "X-Postern-Grant", "x-postern-token", "X-POSTERN", "X-A B", "X-A:", "Xx"],
  ],
] as const)("customers[].%s", (key, message, values) => {
  it.each(values)("refuses %j", (value) => {
    expect(folder.faults(listed(key)(value))).toEqual([
      { path: `customers[0].${key}[0]`, line: 5, message: expect.stringMatching(message) },
    ]);
  });
});

describe("a trunk that is the gateway itself", () => {
  const config = (trunk: string, key = "trunk") =>
    `gateway:
  listen: "ws://0.0.0.0:5070"
  insecure: true
  publicUrl: wss://sip.gateway.example
  domains: [voice.gateway.example]
upstream: { urls: ["ws://127.0.0.1:5080", "wss://kamailio.internal:5081", "ws://[2001:db8::5]:5080"] }
chain: { secret: chain-secret-of-the-test }
admin: { listen: "http://10.0.0.5:8089" }
customers:
  - id: acme
    trunk: "sip:pbx.acme.example"
    ${key}: "${trunk}"
`.replace(key === "trunk" ? '    trunk: "sip:pbx.acme.example"\n' : "", "");

  it.each([
    ["sip:127.0.0.1:5070", /is gateway.listen, the gateway itself/],
    ["sip:localhost:5070;transport=tcp", /is gateway.listen/],
    ["sip:0.0.0.0:5070", /is gateway.listen/],
    ["sip:sip.gateway.example:443", /is gateway.publicUrl/],
    ["sips:+32@SIP.gateway.example:443", /is gateway.publicUrl/],
    ["sip:127.0.0.1:5080", /is one of upstream.urls/],
    ["sips:kamailio.internal:5081", /is one of upstream.urls/],
    ["sips:kamailio.internal:5081;transport=tcp", /is one of upstream.urls/],
    ["sips:Kamailio.Internal:5081", /is one of upstream.urls/],
    ["sip:[2001:db8::5]:5080", /is one of upstream.urls/],
    ["sip:10.0.0.5:8089", /is admin.listen/],
    ["sip:voice.gateway.example", /is one of gateway.domains/],
    ["sip:Voice.Gateway.example:5099", /is one of gateway.domains/],
  ])("is refused: %s", (trunk, message) => {
    const told = { line: 11, message: expect.stringMatching(message) };
    expect(folder.faults(config(trunk))).toEqual([{ path: "customers[0].trunk", ...told, line: 10 + 1 }]);
    expect(folder.faults(config(trunk, "trunk2"))).toEqual([{ path: "customers[0].trunk2", ...told, line: 12 }]);
  });

  it.each([
    "sip:127.0.0.1:5060",
    "sip:127.0.0.1",
    "sip:127.0.0.9:5080",
    "sip:sip.gateway.example",
    "sip:sip.gateway.example:5060",
    "sip:kamailio.internal",
    "sip:10.0.0.5",
    "sip:10.0.0.6:8089",
    "sip:pbx.voice.gateway.example",
  ])("and what only stands near it is taken: %s", (trunk) => {
    expect(folder.faults(config(trunk))).toEqual([]);
  });

  it("is found by defaults too", () => {
    const faults = folder.faults(
      `${least}customers: [{ id: a, trunk: "sip:127.0.0.1:8088", trunk2: "sip:127.0.0.1:8089" }]\n`,
    );
    expect(faults.map(({ message }) => message.slice(0, 17))).toEqual(["is gateway.listen", "is admin.listen, "]);
  });
});

describe("customers[].trunk", () => {
  it.each([
    "pbx.acme.example",
    "tel:+3225887000",
    "sip:",
    "sip:@pbx.acme.example",
    "sip:user:password@pbx.acme.example",
    "sip:pbx.acme.example?Subject=x",
    "sip:pbx.acme.example|customer=other",
    "sip:pbx.acme.example;a=|",
    "sip:pbx.acme.example ",
    "sip:pbx acme.example",
    "sip:pbx.acme.example:0",
    "sip:pbx.acme.example:70000",
    "sip:[::g]",
    "sip:a%zz@pbx.acme.example",
    `sip:${"a".repeat(250)}@b.example`,
    "sip:pbx.acme.example;",
    "<sip:pbx.acme.example>",
    "sip:pbx.acme.example\\r\\nX: y",
  ])("refuses %s", (trunk) => {
    expect(folder.faults(customer(`trunk: "${trunk}"`))).toEqual([
      { path: "customers[0].trunk", line: 5, message: expect.stringMatching(/is no trunk/) },
    ]);
  });
});

describe("many faults", () => {
  it("are told all at once, by line, bad parts hiding none of the others", () => {
    const text = `\
gateway:
  listen: wss://0.0.0.0:8443
  limits: { messageBytes: -1 }
  colour: red
upstream: { urls: [] }
chain: { secret: short }
customers:
  - id: a
    domains: [a.example, "not a domain"]
    numbers: ["+32*"]
    secrets: [{ id: k, secret: "\${NOT_SET}" }, { id: k, secret: file:nowhere }]
  - id: a
    domains: [A.example]
    numbers: ["+32*"]
    trunk: nonsense
extra: 1
`;
    expect(folder.faults(text).map(({ line, path }) => `${line}: ${path}`)).toEqual([
      "2: gateway.listen",
      "3: gateway.limits.messageBytes",
      "4: gateway.colour",
      "5: upstream.urls",
      "6: chain.secret",
      "9: customers[0].domains[1]",
      "11: customers[0].secrets[0].secret",
      "11: customers[0].secrets[1].secret",
      "11: customers[0].secrets[1].id",
      "12: customers[1].id",
      "13: customers[1].domains[0]",
      "14: customers[1].numbers[0]",
      "15: customers[1].trunk",
      "16: extra",
    ]);
  });

  it("end at two hundred", () => {
    const keys = Array.from({ length: 5000 }, (_, index) => `k${index}: 1`).join("\n");
    const faults = folder.faults(after(keys));
    expect(faults).toHaveLength(201);
    expect(faults.at(-1)?.message).toBe("and 4800 more faults");
  });
});
