import type { FastifyInstance } from "fastify";
import type { Imported } from "../manage/import.ts";
import { type Answer, type Asked, done, type Refused, refused } from "./asked.ts";
import { malformed } from "./customer-parts.ts";
import { faulty, noStore, unavailable } from "./customer-refusals.ts";
import type { ManagedCustomers } from "./customers.ts";
import type { ManagedRoutes } from "./managed.ts";

/** Bytes. */
const bodyLimit = 16 * 1024 * 1024;

/** By the names that are usual for them. */
const types = ["application/jsonl", "application/x-ndjson", "text/csv"];

/** As it came: it is read in a thread of its own. */
interface Many {
  readonly kind: "many";
  readonly csv: boolean;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Many at once, with body types of its own. */
export function importRoute(app: FastifyInstance, routes: ManagedRoutes, customers: ManagedCustomers): void {
  app.register(async (own) => {
    own.removeAllContentTypeParsers();
    for (const type of types) {
      own.addContentTypeParser(
        type,
        { parseAs: "buffer" },
        async (_request: unknown, bytes: Buffer): Promise<Many> => ({
          ...{ kind: "many", csv: type === "text/csv", bytes: new Uint8Array(bytes) },
        }),
      );
    }
    routes.addTo(own, {
      ...{ method: "POST", url: "/v1/customers/import", who: "operator", query: ["replace", "check"], bodyLimit },
      answer: (asked) => bring(asked, customers),
    });
  });
}

async function bring(asked: Asked, customers: ManagedCustomers): Promise<Answer> {
  const many = asked.raw.body as Many | undefined;
  const [replace, check] = [switchIn(asked, "replace"), switchIn(asked, "check")];
  if (replace === undefined || check === undefined)
    return refused(400, "replace and check are true or false", malformed);
  if (!many || many.bytes.length === 0)
    return refused(400, "the body is empty: send a customer a line, or CSV", malformed);
  const { stored, log } = customers.options;
  if (!stored.opened) return noStore;
  const act = asked.act("customer.import");
  const imported = await customers.options.bring({ ...many, replace, check, act });
  if (imported.kind !== "imported") return refusalOf(imported);
  await stored.inForce(imported.revision);
  const { by, address } = act;
  const { added, replaced, revision } = imported;
  if (!check) log.info({ by, added, replaced, revision, address }, "customers imported");
  return done({ checked: check, added, replaced });
}

function switchIn({ query }: Asked, name: string): boolean | undefined {
  const text = query.get(name) ?? "false";
  return text === "true" ? true : text === "false" ? false : undefined;
}

function refusalOf(imported: Exclude<Imported, { readonly kind: "imported" }>): Refused {
  switch (imported.kind) {
    case "refused":
      return faulty(imported.faults);
    case "unavailable":
      return unavailable(imported.sentence);
    case "stale":
    case "taken":
      return unavailable("others changed the same customers at the same time: try again");
  }
}
