import { resolve } from "node:path";
import type { Customer, Secret, VerificationKey } from "../core/identity.ts";
import type { ParsedCustomer } from "./customer.ts";
import { revocationOf } from "./revocation.ts";
import { defaultStore, type Parsed } from "./schema.ts";
import type { Config } from "./types.ts";

/** The config as the program sees it: paths made absolute, what only the checks needed left out, all of it frozen. */
export function assemble(parsed: Parsed, folder: string): Config {
  const { insecure: _judged, publicUrl, tls, ...gateway } = parsed.gateway;
  const { secret, secrets = [], ...chain } = parsed.chain;
  const all = secret === undefined ? secrets : [secret];
  const { turn, hep } = parsed;
  const { file, ...records } = parsed.records;
  return deepFreeze({
    gateway: {
      ...gateway,
      publicUrl: plainUrl(publicUrl ?? gateway.listen),
      ...(tls && { tls: { cert: resolve(folder, tls.cert), key: resolve(folder, tls.key) } }),
    },
    upstream: parsed.upstream,
    chain: { ...chain, secret: all[0] ?? "", secrets: all },
    ...(parsed.exchange && { exchange: rotating(parsed.exchange) }),
    ...(turn?.secret !== undefined && { turn: { ...turn, secret: turn.secret } }),
    admin: parsed.admin,
    ...(hep && { hep }),
    store: (parsed.store ?? defaultStore).replace(
      /^sqlite:(.*)$/,
      (_all, path: string) => `sqlite:${resolve(folder, path)}`,
    ),
    storeNamed: parsed.store !== undefined,
    storeKeys: [parsed.storeKey, parsed.storeKeyBefore].filter((key) => key !== undefined),
    state: parsed.state,
    records: { ...records, ...(file !== "off" && { file: resolve(folder, file) }) },
    drain: parsed.drain,
    customers: parsed.customers.map(customerOf),
    connectionsPerUser: perUser(parsed.customers),
  });
}

/** secret: the newest of them. */
function rotating<Section extends { secret?: string | undefined; secrets?: string[] | undefined }>(section: Section) {
  const secrets = section.secrets ?? (section.secret === undefined ? [] : [section.secret]);
  return { ...section, secret: secrets[0] ?? "", secrets };
}

/** As a URL is written by everybody else: no default port, no slash after the host alone. */
const plainUrl = (url: string): string => new URL(url).href.replace(/\/$/, "");

const perUser = (customers: readonly ParsedCustomer[]): ReadonlyMap<string, number> =>
  new Map(
    customers
      .filter(({ limits }) => limits.connectionsPerUser > 0)
      .map(({ id, limits }) => [id, limits.connectionsPerUser]),
  );

/** As the program sees it. */
export function customerOf(parsed: ParsedCustomer): Customer {
  const { permissionUrl, trunk, trunk2, callerId, secrets, keys, limits, ...more } = parsed;
  const { suspended, revoked, webhook, originReports, trunkAuth, trunkFormat, trunkTrusted, ...rest } = more;
  const { connectionsPerUser: _kept, ...ofAll } = limits;
  return lean({
    ...rest,
    limits: ofAll,
    secrets: secrets.map(secretOf),
    keys: keys.map(keyOf),
    ...(trunk !== undefined && { trunk }),
    ...(trunk2 !== undefined && { trunk2: [trunk2].flat() }),
    ...(trunkAuth && { trunkAuth }),
    ...(trunkFormat && { trunkFormat }),
    ...(!trunkTrusted && { trunkTrusted }),
    ...(callerId !== undefined && { callerId }),
    ...(originReports && { originReports }),
    ...(suspended !== undefined && { suspended }),
    revoked: revoked.map(revocationOf),
    ...(webhook && { webhook }),
    ...(permissionUrl !== undefined && { permissionUrl }),
  });
}

const none: readonly never[] = Object.freeze([]);
const nothing = Object.freeze({});

/** What most of many customers do not have is one thing for all of them. */
function lean(customer: Customer): Customer {
  const shared = Object.entries(customer).map(([name, value]) => {
    if (Array.isArray(value) && value.length === 0) return [name, none];
    return [name, name === "inbound" && Object.keys(value).length === 0 ? nothing : value];
  });
  return Object.fromEntries(shared) as Customer;
}

function secretOf({ notBefore, notAfter, ...rest }: ParsedCustomer["secrets"][number]): Secret {
  return { ...rest, ...(notBefore !== undefined && { notBefore }), ...(notAfter !== undefined && { notAfter }) };
}

/** The rules have seen to it that exactly one of the four is given. */
function keyOf({
  jwk,
  pem,
  secret,
  jwksUri,
  issuer,
  audience,
  ...rest
}: ParsedCustomer["keys"][number]): VerificationKey {
  return {
    ...rest,
    source: sourceOf(),
    ...(issuer !== undefined && { issuer }),
    ...(audience !== undefined && { audience }),
  };

  function sourceOf(): VerificationKey["source"] {
    if (secret !== undefined) return { kind: "secret", secret };
    if (pem !== undefined) return { kind: "pem", pem };
    return jwk === undefined ? { kind: "remote", uri: jwksUri ?? "" } : { kind: "jwk", jwk };
  }
}

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null) {
    for (const member of Object.values(value)) deepFreeze(member);
    Object.freeze(value);
  }
  return value;
}
