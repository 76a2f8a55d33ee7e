import { absent, type Edit, entriesOf, fault, made, refused } from "./edit.ts";
import { hasId, makeSecret } from "./secrets.ts";

type Json = Readonly<Record<string, unknown>>;

/** A key that JWTs are verified with. */
export const addKey =
  (key: Json): Edit<{ readonly id: unknown }> =>
  (item) => {
    const entries = entriesOf(item, "keys");
    if (hasId(entries, key.id)) return refused(fault("id", "is the id of another key: take another"));
    return made({ ...item, keys: [{ ...key }, ...entries] }, { id: key.id });
  };

/** The tokens that it proved are refused from now on. */
export const removeKey = (id: string): Edit<{ readonly id: string }> => without("keys", "key", id);

/** secret: told this once, where it was made here. */
export interface CreatedApiKey {
  readonly id: unknown;
  readonly secret?: string;
}

/** What a customer's servers sign management requests with. */
export const addApiKey =
  ({ secret: brought, ...rest }: Json): Edit<CreatedApiKey> =>
  (item) => {
    const entries = entriesOf(item, "apiKeys");
    if (hasId(entries, rest.id)) return refused(fault("id", "is the id of another API key: take another"));
    const secret = brought === undefined ? makeSecret() : undefined;
    const entry = { ...rest, secret: secret ?? brought };
    return made({ ...item, apiKeys: [entry, ...entries] }, { id: rest.id, ...(secret !== undefined && { secret }) });
  };

export const removeApiKey = (id: string): Edit<{ readonly id: string }> => without("apiKeys", "API key", id);

const without =
  (list: string, what: string, id: string): Edit<{ readonly id: string }> =>
  (item) => {
    const entries = entriesOf(item, list);
    const left = entries.filter((entry) => entry.id !== id);
    return left.length === entries.length ? absent(what) : made({ ...item, [list]: left }, { id });
  };
