import type { Config } from "../config.ts";
import { type Finding, warn } from "./finding.ts";

/** RFC 7518 §3.2: as many bytes as the hash has. */
export function checkKeys({ customers }: Config): Finding[] {
  return customers.flatMap(({ id, keys }) =>
    keys.flatMap(({ id: key, alg, source }) => {
      const wanted = Number(alg.slice(2)) / 8;
      if (source.kind !== "secret" || Buffer.byteLength(source.secret) >= wanted) return [];
      const what = `its secret has fewer than the ${wanted} bytes that ${alg} should have`;
      return [warn(`key ${key} of ${id}`, what, `make one by openssl rand -base64 ${wanted}`)];
    }),
  );
}

/** Clients are sent there, and access tokens have it as issuer. */
export function checkPublicUrl({ gateway }: Config): Finding[] {
  const { hostname } = new URL(gateway.publicUrl);
  if (!["0.0.0.0", "[::]"].includes(hostname)) return [];
  const remedy = "set gateway.publicUrl to where clients come, as in wss://sip.acme.example";
  return [
    warn("gateway.publicUrl", "is not set, so answers of the exchange name an address that nobody can reach", remedy),
  ];
}
