import { createPrivateKey } from "node:crypto";
import { readFileSync } from "node:fs";
import type { TokenKey } from "./mint.ts";

export interface Settings {
  readonly sipSecret: string;
  /** Undefined where no variable of JWTs is set: pages get credentials alone. */
  readonly key: TokenKey | undefined;
  readonly customer: string;
  readonly domain: string;
  readonly host: string;
  readonly port: number;
  /** Of the site's pages, as browsers send it; undefined: what the servlet listens on. */
  readonly origin: string | undefined;
  /** Life of what is minted, seconds. */
  readonly ttl: number;
}

const toy = "the toy login believes everybody, so put your site's own in its place first";

/** From the environment; throws an Error that names what is missing or wrong, and holds nothing of its value. */
export function settings(env: NodeJS.ProcessEnv): Settings {
  const { CUSTOMER = "acme", SIP_DOMAIN = "acme.example", HOST = "127.0.0.1", SITE_ORIGIN } = env;
  if (!/^(127\.[0-9.]+|::1)$/.test(HOST)) throw new Error(`HOST is not loopback: ${toy}`);
  const sipSecret = need(env, "SIP_SECRET");
  const origin = SITE_ORIGIN === undefined ? undefined : new URL(SITE_ORIGIN).origin;
  return {
    sipSecret,
    key: keyOf(env),
    customer: CUSTOMER,
    domain: SIP_DOMAIN,
    host: HOST,
    port: port(env),
    origin,
    ttl: 300,
  };
}

function keyOf(env: NodeJS.ProcessEnv): TokenKey | undefined {
  if (!env.JWT_KEY_ID && !env.JWT_SECRET && !env.JWT_PRIVATE_KEY_FILE) return undefined;
  const id = need(env, "JWT_KEY_ID");
  if (env.JWT_PRIVATE_KEY_FILE === undefined) return { id, secret: need(env, "JWT_SECRET") };
  const pem = readFileSync(env.JWT_PRIVATE_KEY_FILE, "utf8");
  if (createPrivateKey(pem).asymmetricKeyDetails?.namedCurve === "prime256v1") return { id, pem };
  throw new Error(
    "JWT_PRIVATE_KEY_FILE holds no P-256 key: make one by  openssl ecparam -name prime256v1 -genkey -noout",
  );
}

function port({ PORT = "3000" }: NodeJS.ProcessEnv): number {
  if (/^[0-9]{1,5}$/.test(PORT) && Number(PORT) < 65_536) return Number(PORT);
  throw new Error("PORT is no port");
}

function need(env: NodeJS.ProcessEnv, name: string): string {
  const value = env[name];
  if (value) return value;
  throw new Error(`${name} is not set`);
}
