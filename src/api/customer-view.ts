import { withoutQuery } from "../auth/jwks.ts";
import type { Customer, Secret, VerificationKey } from "../core/identity.ts";
import type { CustomerView } from "./schemas.ts";

/** What a customer may see of itself. Every member is named here: what is added to a customer later is not shown by itself. */
export function viewOf(customer: Customer): CustomerView {
  const { id, domains, origins, maxTtl, clockSkew, callFrom, numbers, dial, methods } = customer;
  const { inbound, passHeaders, limits, secrets, keys, apiKeys } = customer;
  const { connections, calls, callSeconds } = limits;
  return {
    ...{ id, domains: [...domains], origins: [...origins], maxTtl, clockSkew, callFrom: [...callFrom] },
    ...{ numbers: [...numbers], dial: [...dial], methods: [...methods] },
    ...only("trunk", customer.trunk),
    ...only("trunk2", customer.trunk2),
    ...only("callerId", customer.callerId),
    ...{ inbound: { ...inbound }, passHeaders: [...passHeaders], limits: { connections, calls, callSeconds } },
    secrets: secrets.map(secretView),
    keys: keys.map(keyView),
    apiKeys: apiKeys.map((key) => key.id),
  };
}

const secretView = ({ id, algorithm, notBefore, notAfter }: Secret): CustomerView["secrets"][number] => ({
  ...{ id, algorithm },
  ...only("notBefore", notBefore),
  ...only("notAfter", notAfter),
});

const keyView = ({ id, alg, source, issuer, audience, singleUse }: VerificationKey): CustomerView["keys"][number] => ({
  ...{ id, alg, kind: source.kind, singleUse },
  ...only("jwksUri", source.kind === "remote" ? withoutQuery(source.uri) : undefined),
  ...only("issuer", issuer),
  ...only("audience", audience),
});

/** The member where there is a value, else none. */
function only<Name extends string, Value>(name: Name, value: Value | undefined): { [name in Name]?: Value } {
  return value === undefined ? {} : ({ [name]: value } as { [name in Name]: Value });
}
