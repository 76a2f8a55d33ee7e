/** What each key of the config means, in one line; a key of the schema that has none is a fault of the docs' test. */
export const meanings: Readonly<Record<string, string>> = {
  gateway: "The public side: WebSocket for browsers, and the public HTTP.",
  "gateway.listen":
    "Where browsers connect: `wss://host:port` or `ws://host:port`; port 0 means any, printed at start.",
  "gateway.insecure": "Allows `ws://` beyond loopback, where something before the gateway ends TLS.",
  "gateway.publicUrl":
    "What answers over HTTP call the gateway, and our tokens their issuer. Default: `gateway.listen`.",
  "gateway.tls": "Required for `wss://`. Replaced files are taken up while calls go on.",
  "gateway.tls.cert": "PEM file: the certificate and what it takes to reach a root.",
  "gateway.tls.key": "PEM file: its private key, without passphrase.",
  "gateway.allowMissingOrigin": "Whether clients that are no browsers may connect: they send no Origin.",
  "gateway.domains": "Hosts under which any customer may dial numbers; they are no customer's own.",
  "gateway.trustedProxies":
    "Networks (CIDR) whose word on the browser's address is believed: X-Forwarded-For, or PROXY.",
  "gateway.proxyProtocol": "on: a PROXY header (v1, v2) is mandatory, and only `trustedProxies` may connect.",
  "gateway.limits": "0 means no limit.",
  "gateway.limits.messageBytes": "Longest SIP message. Kamailio's buffer (`tcp_rd_buf_size`) must hold it.",
  "gateway.limits.preAuthSeconds": "For the upgrade, and from the first message until a request is accepted.",
  "gateway.limits.connectionsPerAddress":
    "Open sockets of one address (a /64 of IPv6); the oldest silent one makes room.",
  "gateway.limits.failuresPerMinute":
    "Wrong credentials of one address (a /64 of IPv6) under one domain or id, ten times as many under all.",
  "gateway.limits.messagesPerSecond":
    "Of one connection; above it 503, at twice as many it is closed. HTTP: requests of one address under one domain or id.",
  "gateway.limits.goneSeconds": "How long calls and binding outlive the browser's socket; then BYE and un-REGISTER.",
  "gateway.limits.memoryMegabytes":
    "Resident memory: near it new connections get 503. Default: three quarters of the machine's, or its cgroup's.",
  upstream: "Kamailio.",
  "upstream.urls": "Its WebSocket listeners. Several: health-checked, failed over. An IPv6 browser needs one on IPv6.",
  "upstream.proxyProtocol": "How Kamailio is told the browser's address: needs `tcp_accept_haproxy=yes` there.",
  chain: "What Kamailio believes: grants under this secret.",
  "chain.secret": "The same bytes as CHAIN_SECRET of Kamailio. This, or `chain.secrets`.",
  "chain.secrets": "While rotating: newest first; grants are minted with the first. `postern rotate-chain` writes it.",
  "chain.algorithm": "Of the grants' HMAC: CHAIN_ALGORITHM of Kamailio.",
  "chain.ttl": "Life of a grant, seconds: more than the clocks of both differ.",
  exchange: "The chain over HTTP: a customer's credential in, one of ours out.",
  "exchange.secret": "What exchanged credentials are minted with; not the chain's.",
  "exchange.secrets":
    "Several while rotating, newest first: exchanged credentials are minted with the first, all are taken.",
  "exchange.algorithm": "Of their HMAC.",
  "exchange.ttl": "Their longest life, seconds.",
  "exchange.callbackNetworks":
    "Networks that `jwksUri`, `permissionUrl` and `webhook.url` may lead into beside public addresses, by `http://` too.",
  turn: "`iceServers` for pages, minted by the same construction (coturn).",
  "turn.urls": "STUN and TURN URIs.",
  "turn.secret": "coturn's `static-auth-secret`.",
  "turn.ttl": "Life of a TURN credential, seconds.",
  admin: "The private side: health, metrics, calls from trunks, management.",
  "admin.listen": "`http://host:port`, on loopback or a private address only.",
  "admin.hosts":
    "Names under which it may be asked, as `postern.internal`; addresses, `localhost` and names of one word always may, and `/v1/customers/`, where requests are signed, by any. Others are refused: a page could make its own name lead here (DNS rebinding).",
  "admin.operators": "Who may manage all customers.",
  "admin.operators[].id": "Name of the operator, as logged.",
  "admin.operators[].secret": "What their tokens are signed with.",
  hep: "Copies of all messages, credentials masked, to a HEP3 collector (Homer).",
  "hep.url": "`udp://host:port`; 9060 is usual.",
  "hep.captureId": "Which capture agent this gateway is.",
  "hep.authKey": "The collector's key, if it wants one.",
  store:
    "Where customers are kept beside those declared here: `sqlite:PATH`, or `postgres://user:password@host:5432/database`, which several gateways share ([customers.md](customers.md)). Default: `sqlite:./postern.db`, which is made only by the first `postern customer add`.",
  storeKey:
    "What secrets in the store are sealed under; required with `postgres://…`. Default: a key made beside it, `postern.db.key`.",
  storeKeyBefore: "The one before, while it changes: at the next start everything is sealed anew under `storeKey`.",
  state: "What several gateways share: `memory` (nothing); `redis://…` is not available yet.",
  records: "Where calls are recorded, beside what customers are told of theirs ([calls.md](calls.md)).",
  "records.store": "In the store, where there is one.",
  "records.file": "Path of a file to append a line of JSON to for each call that has ended, or `off`.",
  "records.retentionDays": "After so many days the store forgets a call; 0: never.",
  drain: "How the gateway stops at SIGTERM.",
  "drain.seconds": "Longest time that calls may go on; TimeoutStopSec of systemd must be longer.",
  customers: "Who owns domains, secrets, numbers and a trunk.",
  "customers[].id": "Its name in logs, metrics and grants.",
  "customers[].domains": "SIP domains of its users; a domain has one customer.",
  "customers[].secrets": "What its servers mint credentials with; several are valid at once, for rotation.",
  "customers[].secrets[].id": "Name of the secret, as logged (`provedBy`).",
  "customers[].secrets[].secret":
    "At least 16 bytes, another than every other customer's; `file:PATH` and `${NAME}` keep it out of this file.",
  "customers[].secrets[].algorithm": "Of the credentials' HMAC.",
  "customers[].secrets[].notBefore": "Valid from then on: ISO 8601 or Unix seconds.",
  "customers[].secrets[].notAfter": "Valid until then.",
  "customers[].keys": "Keys that its JWTs are verified with.",
  "customers[].keys[].id":
    "Name of the key: `kid` or `keyID` of its tokens. With `jwksUri`, `kid` is the name in the set.",
  "customers[].keys[].alg": "RFC 7518 name; the token's own `alg` must be this.",
  "customers[].keys[].jwk":
    "A public key as JWK; one of jwk, pem, secret, jwksUri. It must fit `alg`; RSA: 2048 bits or more.",
  "customers[].keys[].pem": "A public key as PEM, or `file:PATH`.",
  "customers[].keys[].secret": "For HS… algorithms. RFC 7518 asks for as many bytes as the hash has (32, 48, 64).",
  "customers[].keys[].jwksUri":
    "`https://` URL of a JWK set; `http://` inside `exchange.callbackNetworks` only. Needs issuer and audience.",
  "customers[].keys[].issuer": "What `iss` must be.",
  "customers[].keys[].audience": "What `aud` must hold; without it a token with `aud` is refused.",
  "customers[].keys[].singleUse": "A token, by its `jti`, serves one connection or one exchange.",
  "customers[].apiKeys": "What its servers manage it with.",
  "customers[].apiKeys[].id": "Name of the key.",
  "customers[].apiKeys[].secret": "What its tokens are signed with.",
  "customers[].origins": "Pages that may connect: `https://www.acme.example`, `https://*.acme.example`. Empty: any.",
  "customers[].originReports":
    "Pages of `origins` may send conference events and statistics without a token, by their origin alone; what they send is marked.",
  "customers[].maxTtl": "Longest life of a credential, seconds.",
  "customers[].clockSkew": "Seconds that its servers' clock may be wrong.",
  "customers[].callFrom": "From addresses beside the user's own: `user@domain`, `*@domain`.",
  "customers[].numbers":
    "Numbers it owns, `+3225887000` or `+3225887*`: calls to them go to its trunk. Never every number.",
  "customers[].dial":
    "Further numbers that its pages may call. Emergency, premium-rate and satellite numbers only where a pattern of `numbers` or `dial` names them themselves: `+32900*`, not `+32*`.",
  "customers[].methods": "SIP methods that its pages may send.",
  "customers[].trunk": "SIP URI that calls to its numbers go to. Never the gateway itself.",
  "customers[].trunk2":
    "Where they go when that one does not answer; several, in this order, as a list of up to three ([trunks.md](trunks.md)).",
  "customers[].trunkAuth": "What its trunks are told when they challenge (401, 407); sealed in the store.",
  "customers[].trunkAuth.username": "As the trunk's operator gave it.",
  "customers[].trunkAuth.password": "The same.",
  "customers[].trunkAuth.realm":
    "The only realm that is answered. Without it every one is: that of whoever `trunk` and `trunk2` lead to.",
  "customers[].trunkFormat":
    'How its trunks write numbers: `e164` (`+3225887000`), `digits` (`3225887000`), or a map from what a number begins with to what is dialled for that: `{ "+32": "0", "+": "00" }`. Absent: as dialled.',
  "customers[].trunkTrusted":
    "Its trunks are told who calls (P-Asserted-Identity) though the page asks for `Privacy: id`.",
  "customers[].callerId": "From and P-Asserted-Identity of its calls to a trunk.",
  "customers[].inbound": "Calls from its trunk: number → user.",
  "customers[].passHeaders": "X- header fields of its pages that trunks get.",
  "customers[].permissionUrl":
    "`https://` URL of its application service, asked what a visitor may do (docs/three-party.md); `http://` inside `exchange.callbackNetworks` only.",
  "customers[].limits": "0 means no limit.",
  "customers[].limits.connections": "Legs at Kamailio at once.",
  "customers[].limits.connectionsPerUser":
    "Legs of one user at once; not where all visitors are one user. A page that lost its network may leave one for a minute.",
  "customers[].limits.registrations":
    "Bindings at once: each Contact of each registered user is one. To renew one is never refused.",
  "customers[].limits.calls": "Calls at once.",
  "customers[].limits.callsPerMinute": "Calls that its users begin within any minute.",
  "customers[].limits.callSeconds": "Longest call; then both ends get a BYE.",
  "customers[].ceilings":
    "Up to where its own API keys may raise the limit of that name; one that is not here: not at all.",
  "customers[].ceilings.connections": "Of `limits.connections`.",
  "customers[].ceilings.connectionsPerUser": "Of `limits.connectionsPerUser`.",
  "customers[].ceilings.registrations": "Of `limits.registrations`.",
  "customers[].ceilings.calls": "Of `limits.calls`.",
  "customers[].ceilings.callsPerMinute": "Of `limits.callsPerMinute`.",
  "customers[].ceilings.callSeconds": "Of `limits.callSeconds`.",
  "customers[].ceilings.maxTtl": "Of `maxTtl`.",
  "customers[].suspended":
    "Nothing new is taken from its users. finish: calls may end by themselves; end: sockets are closed and calls end now.",
  "customers[].revoked":
    "Who or what is refused for a while; 1000 at most, each with one of user, credential, jti, handle.",
  "customers[].revoked[].user": "A user part, or `user@domain`.",
  "customers[].revoked[].credential": "Username of an ephemeral credential.",
  "customers[].revoked[].jti": "Of a JWT.",
  "customers[].revoked[].handle": "Of an exchanged credential, or its whole username.",
  "customers[].revoked[].until": "Until then: ISO 8601 or Unix seconds.",
  "customers[].revoked[].calls": "finish: calls may end by themselves; end: they end now.",
  "customers[].webhook": "Where its call records are sent ([calls.md](calls.md)).",
  "customers[].webhook.url": "`https://` URL; `http://` inside `exchange.callbackNetworks` only.",
  "customers[].webhook.secret": "What they are signed with; at least 16 bytes, another than every other.",
};
