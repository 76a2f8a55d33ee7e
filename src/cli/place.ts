import type { Command } from "commander";
import type { Fault } from "../config/types.ts";
import type { Config } from "../config.ts";
import type { Edit } from "../manage/edit.ts";
import type { Item } from "../store/port.ts";
import { configOption, need } from "./config-file.ts";
import { type Answer, ask, type Credentials, type Request } from "./management-client.ts";
import { failure, usage } from "./outcome.ts";
import { readSecret, secretSources } from "./secret-source.ts";
import { type Bench, changeStored, itemOf, noStore, refused, withStore } from "./with-store.ts";

/** Where a command works: straight on the store, or with --api by way of a running gateway. */
export interface PlaceOptions {
  readonly config: string;
  readonly api?: string;
  readonly as?: string;
  readonly key?: string;
  readonly ist?: string;
  readonly json?: boolean;
}

/** The options of a command that works in either place. */
export const inPlace = (command: Command): Command =>
  withCredentials(
    command
      .option(...configOption)
      .option("--api <url>", "by way of a running gateway, where it has admin.listen (default: straight on the store)"),
  );

export const withCredentials = (command: Command): Command =>
  command
    .option("--as <id>", "with --api: an operator, or a customer's API key (default: the config's first operator)")
    .option("--key <source>", `with --as: its secret: ${secretSources}`)
    .option("--ist <kind>", "with --as: account for an operator, project for an API key", "account");

/** A change of one customer, as the store makes it and as a gateway is asked for it. */
export interface Change<Told> {
  /** For the audit of a change on the store. */
  readonly what: (told: Told) => string;
  readonly edit: () => Promise<Edit<Told>>;
  readonly ask: Part;
  /** The list of the item that it puts something into, and what one of it is called. */
  readonly into?: { readonly list: string; readonly one?: string };
}

/** part: behind `/v1/customers/<id>`, percent-encoded. */
export type Part = Pick<Request, "method" | "body"> & { readonly part: string };

/** One member of a path or a query. */
export const encoded = encodeURIComponent;

/** Made in one transaction. Ends the command, exit 1, where nothing was changed. A gateway may tell less than the store. */
export async function changeAt<Told>(
  customer: string,
  { what, edit, ask: asked, into }: Change<Told>,
  options: PlaceOptions,
): Promise<Partial<Told>> {
  if (!isRemote(options)) {
    return (await changeStored(customer, what, await edit(), { ...options, path: pathIn(into) })).told;
  }
  const { part, ...request } = asked;
  const answer = await askFor({ ...request, path: pathOf(customer, part) }, options);
  return answer.body as Partial<Told>;
}

/** As a gateway tells it: relative to what was put there. */
const pathIn = (into: Change<unknown>["into"]): ((path: string) => string) | undefined =>
  into &&
  ((path) => {
    const [at = ""] = new RegExp(`^${into.list}(?:\\[[^\\]]*\\])?\\.?`).exec(path) ?? [];
    return at === "" ? path : (into.one ?? path.slice(at.length)) || into.list;
  });

/** What may be seen of one customer: of a part of it as a gateway tells it, which is as local makes it of an item. */
export async function readAt<Told extends object>(
  customer: string,
  part: string,
  local: (item: Item, now: number, bench: Bench) => Promise<Told>,
  options: PlaceOptions,
): Promise<Told> {
  if (isRemote(options)) {
    return (await askFor({ method: "GET", path: pathOf(customer, part) }, options)).body as Told;
  }
  const found = await withStore({ config: options.config, make: false }, async (bench) =>
    local((await itemOf(customer, bench)).item, Math.floor(Date.now() / 1000), bench),
  );
  return found ?? noStore(customer, options.config);
}

export const pathOf = (customer: string, part = ""): string => `/v1/customers/${encoded(customer)}${part}`;

/** Who says as whom to ask and not whom means --api. */
export function isRemote({ api, as, key }: PlaceOptions): boolean {
  if (api === undefined && (as !== undefined || key !== undefined)) return usage("--as and --key go with --api");
  return api !== undefined;
}

/** Asks a running gateway. Ends the command, exit 1, with every fault where it refuses. */
export async function askFor(request: Request, options: PlaceOptions): Promise<Answer> {
  const answer = await answerOf(request, options);
  mustBeDone(answer, options);
  return answer;
}

export const answerOf = async (request: Request, options: PlaceOptions): Promise<Answer> =>
  ask(await credentialsOf(options), request);

/** A problem (RFC 9457) is told as the store's own refusals are. */
export function mustBeDone(answer: Answer, { json = false }: PlaceOptions): Answer["body"] {
  const { status, body } = answer;
  if (status >= 200 && status < 300) return body;
  const faults = faultsIn(answer);
  if (faults.length > 0) return refused(faults, json);
  return failure(typeof body.detail === "string" ? body.detail : `the gateway answered ${status}`);
}

export function faultsIn({ body: { errors } }: Answer): Fault[] {
  return (Array.isArray(errors) ? (errors as unknown[]) : []).flatMap((one) => {
    const { path, message, line } = (one ?? {}) as Partial<Record<"path" | "message" | "line", unknown>>;
    return typeof message !== "string" ? [] : [{ path: String(path ?? ""), line: Number(line ?? 1), message }];
  });
}

/** By options, else by the config: its admin.listen and its first operator. */
async function credentialsOf({ config: file, api, as, key, ist = "account" }: PlaceOptions): Promise<Credentials> {
  if (ist !== "account" && ist !== "project") return usage("--ist takes account or project");
  if (as === undefined && key !== undefined) return usage("--key is the secret of --as: give that too");
  if (as !== undefined && key === undefined) return usage("--as needs --key: where its secret is");
  const config = api !== undefined && as !== undefined ? undefined : (await need(file)).config;
  const url = api === undefined ? adminOf(config!) : originOf(api);
  if (as === undefined) return { url, ist: "account", ...operatorOf(config!) };
  const read = readSecret("--key", key!, process.env);
  return read.kind === "fault" ? usage(read.sentence) : { url, id: as, secret: read.secret, ist };
}

function operatorOf({ admin }: Config): { readonly id: string; readonly secret: string } {
  const [operator] = admin.operators;
  return (
    operator ??
    failure(
      "the config names no operator: add admin: { operators: [{ id: ops, secret: … }] } to it and let the gateway reload, or give --as and --key",
    )
  );
}

/** Only where the gateway of this config listens can be known from it. */
function adminOf({ admin: { listen } }: Config): string {
  const url = new URL(listen);
  if (url.port === "0") return usage("admin.listen has port 0: say by --api where the gateway listens");
  if (url.hostname === "0.0.0.0") url.hostname = "127.0.0.1";
  if (url.hostname === "[::]") url.hostname = "[::1]";
  return url.origin;
}

function originOf(api: string): string {
  const url = URL.canParse(api) ? new URL(api) : undefined;
  const isOrigin = url && /^https?:$/.test(url.protocol) && `${url.pathname}${url.search}${url.hash}` === "/";
  if (!isOrigin || url.username !== "" || url.password !== "")
    return usage("--api takes where the gateway has admin.listen, as in http://127.0.0.1:8089");
  return url.origin;
}
