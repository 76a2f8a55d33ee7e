import { entryOf } from "./audit-detail.ts";
import { nameOf } from "./claims.ts";
import { forgottenBy } from "./forgotten-uses.ts";
import type { Act, Claim, Edit, Item, Written } from "./port.ts";
import { append } from "./postgres-audit.ts";
import { inChunks, keepable, kept, type PostgresConnection, textArray } from "./postgres-connection.ts";
import { forgetUses } from "./postgres-uses.ts";
import { channel } from "./postgres-watch.ts";
import type { SealKeys } from "./seal.ts";
import { openAsFar, sealItem } from "./sealed-item.ts";

type Placed = Claim & { readonly customer: string; readonly edit: number };

export interface Change {
  readonly edits: readonly Edit[];
  readonly act: Act;
  readonly revision: number;
}

/**
 * Inside a transaction that holds the revision's row: nobody else changes anything meanwhile, so what is read is what is
 * there, and revisions become visible in their order.
 */
export async function writeAll(
  connection: PostgresConnection,
  keys: SealKeys,
  { edits, act, revision }: Change,
): Promise<Written> {
  const before = await readAll(connection, [...new Set(edits.map(({ id }) => id))]);
  const stale = edits.find(
    ({ id, expected }) => expected !== undefined && (before.get(id)?.revision ?? 0) !== expected,
  );
  if (stale) return { kind: "stale", id: stale.id };
  for (const some of inChunks([...before.keys()])) {
    await connection.query("DELETE FROM postern.claims WHERE customer = ANY ($1::text[])", [texts(some)]);
  }
  const taken = await claimAll(connection, keys, edits);
  if (taken) return taken;
  const old = new Map([...before].map(([id, one]) => [id, one && openAsFar(keys, id, one.item)]));
  const entries = edits.map((edit) => entryOf(act, edit, old.get(edit.id), revision));
  await forgetUses(connection, ...forgotten(edits, old));
  const last = new Map(edits.map((edit) => [edit.id, edit]));
  for (const some of inChunks([...last.values()])) await putAll(connection, keys, some, revision);
  await append(connection, entries, keys);
  await connection.query("UPDATE postern.meta SET value = $1 WHERE name = 'revision'", [String(revision)]);
  await connection.query("SELECT pg_notify($1, $2)", [channel, String(revision)]);
  return { kind: "written", revision };
}

interface Before {
  readonly revision: number;
  /** As it is kept. */
  readonly item: string;
}

async function readAll(
  connection: PostgresConnection,
  ids: readonly string[],
): Promise<Map<string, Before | undefined>> {
  const found = new Map<string, Before | undefined>(ids.map((id) => [id, undefined]));
  const sql = "SELECT id, revision, item FROM postern.customers WHERE id = ANY ($1::text[]) AND item IS NOT NULL";
  for (const some of inChunks(ids)) {
    for (const { id, revision, item } of await connection.query(sql, [texts(some)])) {
      found.set(kept(String(id)), { revision: Number(revision), item: String(item) });
    }
  }
  return found;
}

/** Of whom all uses, and which others. */
function forgotten(
  edits: readonly Edit[],
  before: ReadonlyMap<string, Item | undefined>,
): [string[], Parameters<typeof forgetUses>[2]] {
  const gone = edits.flatMap(({ kind, id }) => (kind === "remove" ? [id] : []));
  const some = edits.flatMap((edit) =>
    edit.kind === "put"
      ? forgottenBy(before.get(edit.id), edit.item).map((one) => ({ customer: edit.id, ...one }))
      : [],
  );
  return [gone, some];
}

/** What other customers have, in the store or among these edits, is given to nobody. */
async function claimAll(
  connection: PostgresConnection,
  keys: SealKeys,
  edits: readonly Edit[],
): Promise<Written | undefined> {
  const wanted = edits.flatMap((edit, index) =>
    edit.kind === "put" ? edit.claims.map((claim): Placed => ({ ...claim, customer: edit.id, edit: index })) : [],
  );
  const fresh = new Map<string, Placed>();
  for (const some of inChunks(wanted)) {
    const owners = await ownersOf(connection, keys, some);
    for (const [at, claim] of some.entries()) {
      const key = `${claim.kind} ${claim.value}`;
      const owner = owners.get(at) ?? fresh.get(key)?.customer;
      if (owner !== undefined && owner !== claim.customer) {
        return { kind: "taken", edit: claim.edit, claim: claim.kind, owner };
      }
      fresh.set(key, claim);
    }
  }
  for (const some of inChunks([...fresh.values()])) await claim(connection, keys, some);
  return undefined;
}

async function claim(connection: PostgresConnection, keys: SealKeys, claims: readonly Placed[]): Promise<void> {
  await connection.query("INSERT INTO postern.claims SELECT * FROM unnest($1::text[], $2::text[], $3::text[])", [
    textArray(claims.map(({ kind }) => kind)),
    texts(claims.map((one) => nameOf(keys, one))),
    texts(claims.map(({ customer }) => customer)),
  ]);
}

/** By index among those asked for. */
export async function ownersOf(
  connection: PostgresConnection,
  keys: SealKeys,
  claims: readonly Claim[],
): Promise<Map<number, string>> {
  const rows = await connection.query(
    `SELECT place, customer FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS wanted (kind, value, place)
       JOIN postern.claims USING (kind, value)`,
    [textArray(claims.map(({ kind }) => kind)), texts(claims.map((one) => nameOf(keys, one)))],
  );
  return new Map(rows.map(({ place, customer }) => [Number(place) - 1, kept(String(customer))]));
}

/** since: of a removed one when that was; who has its id next begins then or later, whatever the clocks say. */
async function putAll(
  connection: PostgresConnection,
  keys: SealKeys,
  edits: readonly Edit[],
  revision: number,
): Promise<void> {
  const items = edits.map((edit) => (edit.kind === "put" ? sealItem(keys, edit.id, edit.item) : null));
  await connection.query(
    `INSERT INTO postern.customers AS kept SELECT id, $1, item, CASE WHEN item IS NULL THEN $4::bigint END
       FROM unnest($2::text[], $3::text[]) AS fresh (id, item)
       ON CONFLICT (id) DO UPDATE SET revision = excluded.revision, item = excluded.item, since =
         CASE WHEN kept.item IS NULL OR excluded.item IS NULL THEN greatest(kept.since, $4::bigint) ELSE kept.since END`,
    [revision, texts(edits.map(({ id }) => id)), textArray(items), Date.now()],
  );
}

const texts = (values: readonly string[]): string => textArray(values.map(keepable));
