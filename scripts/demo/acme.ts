import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Config, loadConfig } from "../../src/config.ts";
import { hostsOf } from "./guard.ts";
import type { AcmeSecrets } from "./minter.ts";

/** New at each start. */
export interface Secrets extends AcmeSecrets {
  readonly chain: string;
  readonly exchange: string;
  /** Where acme's own are, for the examples. */
  readonly secretFile: string;
  readonly jwtFile: string;
}

export function makeSecrets(dir: string): Secrets {
  const [secret, jwtSecret, chain, exchange] = Array.from({ length: 4 }, () => randomBytes(32).toString("base64"));
  const keep = (name: string, text: string): string => {
    const file = join(dir, name);
    writeFileSync(file, text, { mode: 0o600 });
    return file;
  };
  const secretFile = keep("acme.secret", secret!);
  const jwtFile = keep("acme-jwt.secret", jwtSecret!);
  return {
    secret: secret!,
    jwtSecret: jwtSecret!,
    keyId: "k2",
    chain: chain!,
    exchange: exchange!,
    secretFile,
    jwtFile,
  };
}

export interface ConfigParts {
  /** Of the gateway. */
  readonly port: number;
  readonly upstream: string;
  readonly trunk: string;
  readonly secrets: Secrets;
}

/** The demo's own config file, in dir, as `postern serve` would read it. */
export function readConfig(dir: string, parts: ConfigParts): Config {
  const file = join(dir, "postern.yaml");
  writeFileSync(file, yaml(parts));
  const { secret, jwtSecret, chain, exchange } = parts.secrets;
  const environment = {
    ACME_SECRET: secret,
    ACME_JWT_SECRET: jwtSecret,
    CHAIN_SECRET: chain,
    EXCHANGE_SECRET: exchange,
  };
  const loaded = loadConfig(file, environment);
  if (loaded.kind === "faults") throw new Error(`the demo's config: ${JSON.stringify(loaded.faults)}`);
  return loaded.config;
}

const yaml = ({ port, upstream, trunk, secrets }: ConfigParts): string => `\
gateway:
  listen: ws://127.0.0.1:${port}
upstream:
  urls: ["ws://${upstream}"]
chain: { secret: "\${CHAIN_SECRET}" }
exchange: { secret: "\${EXCHANGE_SECRET}" }
admin: { listen: "http://127.0.0.1:0" }
customers:
  - id: acme
    domains: [acme.example]
    secrets: [{ id: k1, secret: "\${ACME_SECRET}" }]
    keys: [{ id: ${secrets.keyId}, alg: HS256, secret: "\${ACME_JWT_SECRET}" }]
    origins: [${hostsOf(port)
      .map((host) => `"http://${host}"`)
      .join(", ")}]
    numbers: ["+3225887*"]
    callerId: "+3225887000"
    trunk: ${trunk}
`;
