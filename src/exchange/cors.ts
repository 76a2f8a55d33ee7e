import type { Customers } from "../core/customers.ts";
import { allowsOrigin } from "../core/customers.ts";
import type { Customer } from "../core/identity.ts";

export type CorsHeaders = {
  readonly vary: "Origin";
  readonly "access-control-allow-origin"?: string;
  readonly "access-control-expose-headers"?: string;
};

/**
 * What tells a browser whether its page may read the answer. Before the proof any customer's word counts, after it the
 * proved one's alone. Never with credentials: nothing here looks at cookies. origin: of the Origin header.
 */
export function corsHeaders(origin: string | undefined, judge: Customer | Customers): CorsHeaders {
  if (origin === undefined) return { vary: "Origin" };
  const allowed = "someoneAllows" in judge ? judge.someoneAllows(origin) : allowsOrigin(judge, origin);
  if (!allowed) return { vary: "Origin" };
  return { vary: "Origin", "access-control-allow-origin": origin, "access-control-expose-headers": "retry-after" };
}

/** Of a preflight that is granted (Fetch standard, CORS protocol). */
export const preflightHeaders = {
  "access-control-allow-methods": "POST",
  "access-control-allow-headers": "authorization, content-type",
  "access-control-max-age": "600",
} as const;
