import { createPrivateKey, type KeyObject } from "node:crypto";
import { readFileSync } from "node:fs";

export interface Settings {
  /** `publicUrl` of the gateway, exactly: `iss` of its messages, `aud` of our answers. */
  readonly issuer: string;
  /** Where the gateway's HTTP is, `https://sip.acme.example:8443`. */
  readonly gateway: string;
  /** Our id at the gateway: `aud` of its messages. */
  readonly customer: string;
  /** Of our users. */
  readonly domain: string;
  readonly key: { readonly id: string; readonly private: KeyObject };
  /** JSON: user → list of permissions; read at each message, as a database would be. */
  readonly permissionsFile: string | undefined;
  readonly host: string;
  readonly port: number;
  /** Of the site's pages, as browsers send it; undefined: what the service listens on. */
  readonly origin: string | undefined;
}

const toy = "the toy login believes everybody, so put your site's own in its place first";

/** From the environment; throws an Error that names what is missing or wrong, and holds nothing of its value. */
export function settings(env: NodeJS.ProcessEnv): Settings {
  const { HOST = "127.0.0.1", CUSTOMER = "acme", SIP_DOMAIN = "acme.example", PERMISSIONS_FILE, SITE_ORIGIN } = env;
  if (!/^(127\.[0-9.]+|::1)$/.test(HOST)) throw new Error(`HOST is not loopback: ${toy}`);
  return {
    issuer: need(env, "GATEWAY_ISSUER"),
    gateway: new URL(need(env, "GATEWAY_URL")).origin,
    customer: CUSTOMER,
    domain: SIP_DOMAIN,
    key: { id: need(env, "KEY_ID"), private: privateKey(need(env, "PRIVATE_KEY_FILE")) },
    permissionsFile: PERMISSIONS_FILE,
    host: HOST,
    port: port(env),
    origin: SITE_ORIGIN === undefined ? undefined : new URL(SITE_ORIGIN).origin,
  };
}

function privateKey(file: string): KeyObject {
  const key = createPrivateKey(readFileSync(file, "utf8"));
  if (key.asymmetricKeyDetails?.namedCurve === "prime256v1") return key;
  throw new Error("PRIVATE_KEY_FILE holds no P-256 key: make one by  openssl ecparam -name prime256v1 -genkey -noout");
}

function port({ PORT = "3001" }: NodeJS.ProcessEnv): number {
  if (/^[0-9]{1,5}$/.test(PORT) && Number(PORT) < 65_536) return Number(PORT);
  throw new Error("PORT is no port");
}

function need(env: NodeJS.ProcessEnv, name: string): string {
  const value = env[name];
  if (value) return value;
  throw new Error(`${name} is not set`);
}
