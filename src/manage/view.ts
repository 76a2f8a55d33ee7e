import { withoutQuery } from "../auth/jwks.ts";
import { customer as schema } from "../config/customer.ts";
import type { Customer, VerificationKey } from "../core/identity.ts";
import type { Item } from "../store/port.ts";

type Parsed = NonNullable<ReturnType<typeof parse>>;

const parse = (item: Item) => schema.safeParse(item).data;

/**
 * A customer as it may be shown, every default filled in; undefined for what this version does not know. It is an item
 * without its secrets, so that it can be changed and sent back. Every member is named here: what is added to a
 * customer later is not shown by itself.
 */
export function viewOf(item: Item) {
  const parsed = parse(item);
  if (!parsed) return undefined;
  const { id, domains, origins, maxTtl, clockSkew, callFrom, numbers, dial, methods } = parsed;
  const { inbound, passHeaders, limits, ceilings, revoked, secrets, keys, apiKeys, webhook } = parsed;
  return {
    ...{ id, domains, origins, maxTtl, clockSkew, callFrom, numbers, dial, methods },
    ...only("originReports", parsed.originReports),
    ...only("trunk", parsed.trunk),
    ...only("trunk2", oneOrSeveral(parsed.trunk2)),
    ...only("trunkAuth", trunkAuthView(parsed.trunkAuth)),
    ...only("trunkFormat", parsed.trunkFormat),
    trunkTrusted: parsed.trunkTrusted,
    ...only("callerId", parsed.callerId),
    ...{ inbound, passHeaders },
    ...only("permissionUrl", bare(parsed.permissionUrl)),
    ...{ limits, ceilings },
    ...only("suspended", parsed.suspended),
    revoked,
    secrets: secrets.map(secretView),
    keys: keys.map(keyView),
    apiKeys: apiKeys.map((key) => ({ id: key.id })),
    ...(webhook && { webhook: { url: withoutQuery(webhook.url) } }),
  };
}

export type CustomerView = NonNullable<ReturnType<typeof viewOf>>;

const secretView = ({ id, algorithm, notBefore, notAfter }: Parsed["secrets"][number]) => ({
  ...{ id, algorithm },
  ...only("notBefore", notBefore),
  ...only("notAfter", notAfter),
});

/** One is written as one. */
const oneOrSeveral = (further: Parsed["trunk2"]) =>
  Array.isArray(further) && further.length === 1 ? further[0] : further;

/** What is left out stays as it was when this is sent back. */
const trunkAuthView = (auth: Parsed["trunkAuth"]) => auth && { username: auth.username, ...only("realm", auth.realm) };

const bare = (url: string | undefined): string | undefined => (url === undefined ? undefined : withoutQuery(url));

/** Public keys may be seen; what a URL carries in its query may be a password. */
export const keyView = ({ id, alg, jwk, pem, jwksUri, issuer, audience, singleUse }: Parsed["keys"][number]) => ({
  ...{ id, alg },
  ...only("jwk", jwk),
  ...only("pem", pem),
  ...only("jwksUri", bare(jwksUri)),
  ...only("issuer", issuer),
  ...only("audience", audience),
  singleUse,
});

/** The member where there is a value, else none. */
function only<Name extends string, Value>(name: Name, value: Value | undefined): { [name in Name]?: Value } {
  return value === undefined ? {} : ({ [name]: value } as { [name in Name]: Value });
}

/** A customer of the config as an item, its secrets in the clear. */
export function itemOf(customer: Customer, connectionsPerUser: number): Item {
  return {
    ...customer,
    keys: customer.keys.map(keyItem),
    limits: { ...customer.limits, connectionsPerUser },
    revoked: customer.revoked.map(({ kind, value, ...rest }) => ({ [kind]: value, ...rest })),
  };
}

function keyItem({ source, ...rest }: VerificationKey): Item {
  switch (source.kind) {
    case "secret":
      return { ...rest, secret: source.secret };
    case "pem":
      return { ...rest, pem: source.pem };
    case "jwk":
      return { ...rest, jwk: source.jwk };
    case "remote":
      return { ...rest, jwksUri: source.uri };
  }
}
