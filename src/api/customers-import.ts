import type { FastifyInstance } from "fastify";
import { type Imported, importMany, type Many, readLines, readTable } from "../manage/import.ts";
import { type Answer, type Asked, done, type Refused, refused } from "./asked.ts";
import { UnreadableBody } from "./body.ts";
import { malformed } from "./customer-parts.ts";
import { asUnavailable, faulty, type ManagedCustomers, noStore, unavailable } from "./customers.ts";
import type { ManagedRoutes } from "./managed.ts";

const mostCustomers = 5_000;
/** Bytes: 5,000 customers with some keys and lists. */
const bodyLimit = 16 * 1024 * 1024;

/** Both by the names that are usual for them. */
const types: Readonly<Record<string, (text: string) => Many>> = {
  "application/jsonl": readLines,
  "application/x-ndjson": readLines,
  "text/csv": readTable,
};

/** Many at once, with body types of its own. */
export function importRoute(app: FastifyInstance, routes: ManagedRoutes, customers: ManagedCustomers): void {
  app.register(async (own) => {
    own.removeAllContentTypeParsers();
    for (const [type, read] of Object.entries(types)) {
      own.addContentTypeParser(type, { parseAs: "buffer" }, async (_request: unknown, bytes: Buffer) => ({
        kind: "many",
        many: read(textOf(bytes)),
      }));
    }
    routes.addTo(own, {
      ...{ method: "POST", url: "/v1/customers/import", who: "operator", bodyLimit },
      answer: (asked) => bring(asked, customers),
    });
  });
}

function textOf(bytes: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) throw new UnreadableBody(400, "the body is not UTF-8");
    throw error;
  }
}

async function bring(asked: Asked, customers: ManagedCustomers): Promise<Answer> {
  const { many } = (asked.raw.body ?? {}) as { readonly many?: Many };
  const [replace, check] = [switchIn(asked, "replace"), switchIn(asked, "check")];
  if (replace === undefined || check === undefined)
    return refused(400, "replace and check are true or false", malformed);
  if (!many || many.candidates.length + many.faults.length === 0)
    return refused(400, "the body is empty: send a customer a line, or CSV", malformed);
  const { length } = many.candidates;
  if (length > mostCustomers)
    return refused(413, `at most ${mostCustomers} customers at once`, { code: "message-too-big" });
  const { stored, log } = customers.options;
  const desk = customers.desk(asked);
  if (!desk || !stored.opened) return noStore;
  const wish = { replace, check, keys: stored.opened.keys, act: asked.act("customer.import") };
  const imported = await importMany(many, desk, wish).catch(asUnavailable);
  if (imported.kind !== "imported") return refusalOf(imported);
  await stored.inForce(imported.revision);
  const { by, address } = wish.act;
  const { added, replaced, revision } = imported;
  if (!check) log.info({ by, added, replaced, revision, address }, "customers imported");
  return done({ checked: check, added, replaced });
}

function switchIn({ query }: Asked, name: string): boolean | undefined {
  const text = query.get(name) ?? "false";
  return text === "true" ? true : text === "false" ? false : undefined;
}

function refusalOf(imported: Exclude<Imported, { readonly kind: "imported" }> | Refused): Refused {
  switch (imported.kind) {
    case "refused":
      return "status" in imported ? imported : faulty(imported.faults);
    case "unavailable":
      return unavailable(imported.sentence);
    case "stale":
    case "taken":
      return unavailable("others changed the same customers at the same time: try again");
  }
}
