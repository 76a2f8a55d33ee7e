/** The texts that `postern init` writes and prints. customer and domain have been checked; secrets are base64. */

export const configText = (customer: string, domain: string, chainSecret: string, customerSecret: string): string => `\
gateway:
  listen: ws://127.0.0.1:8088         # wss:// with tls: { cert, key } beyond loopback
upstream:
  urls: ["ws://127.0.0.1:5080"]       # Kamailio's WebSocket listener, for gateways only
chain:
  secret: "${chainSecret}"   # shared with Kamailio: CHAIN_SECRET in its local.cfg
admin:
  listen: http://127.0.0.1:8089       # health, metrics, management
  # operators: [{ id: ops, secret: "file:ops.secret" }]   # who may manage all customers; postern sessions and kick ask as the first: docs/management.md
# exchange: { secret: "file:exchange.secret" }   # POST /v1/exchange: credentials and JWTs for credentials of the gateway's
# turn: { urls: ["turn:turn.${domain}:3478"], secret: "file:turn.secret" }   # iceServers, for coturn's use-auth-secret
customers:
  - id: "${customer}"
    domains: ["${domain}"]
    secrets:
      - id: k1
        secret: "${customerSecret}"   # shared with the customer's web site
        algorithm: sha1
    # keys: [{ id: k2, alg: HS256, secret: "file:${customer}-jwt.secret" }]   # for JWTs of its own: docs/minting.md
    origins: []                       # pages that may connect, as in "https://www.${domain}"; empty: any
    numbers: []                       # telephone numbers it owns, as in "+3225887*"
    # trunk: sip:pbx.${domain}:5060    # where calls to its numbers go
`;

/** Kamailio's example with the secret put in, so that there is one place that knows its form. */
export function kamailioText(example: string, chainSecret: string): string {
  const line = /^#{1,2}!define CHAIN_SECRET ".*"$/m;
  if (!line.test(example)) throw new Error("kamailio/local.cfg.example has no line for CHAIN_SECRET");
  return example.replace(line, () => `#!define CHAIN_SECRET "${chainSecret}"`);
}

export const servletText = (domain: string): string => `\
// On the web site's server. In any language:
//   username = "<expiry in Unix seconds>:<user>@${domain}"
//   password = base64(HMAC-SHA1(secret, username))
import { createHmac } from "node:crypto";

// user: whom the site's own login found, never a name that the page sends.
export function credential(user, ttl = 300) {
  const username = \`\${Math.floor(Date.now() / 1000) + ttl}:\${user}@${domain}\`;
  const password = createHmac("sha1", process.env.SIP_SECRET).update(username).digest("base64");
  return { username, password, ttl };
}
`;

export const jssipText = (domain: string): string => `\
// In the page. /sip-credential is yours: it answers credential("alice") as JSON.
const { username, password } = await (await fetch("/sip-credential")).json();
const ua = new JsSIP.UA({
  sockets: [new JsSIP.WebSocketInterface("ws://127.0.0.1:8088")],
  uri: "sip:alice@${domain}",
  authorization_user: username,
  password,
});
ua.start();
`;
