import { addText, type ListName, removeInbound, removeText, setInbound } from "../manage/lists.ts";
import { type Answer, type Asked, done, nothing, refused } from "./asked.ts";
import { malformed, readView, unknown } from "./customer-parts.ts";
import { faulty } from "./customer-refusals.ts";
import type { ManagedCustomers } from "./customers.ts";
import type { ManagedRoute } from "./managed.ts";

interface List {
  /** The route's last part. */
  readonly part: string;
  readonly list: Exclude<ListName, "domains" | "passHeaders">;
  /** What one of them is called in a body and in a query. */
  readonly one: string;
  /** In the audit. */
  readonly act: string;
  readonly who?: "operator";
}

const lists: readonly List[] = [
  { part: "origins", list: "origins", one: "origin", act: "origin" },
  { part: "call-from", list: "callFrom", one: "address", act: "callFrom" },
  { part: "numbers", list: "numbers", one: "number", act: "number", who: "operator" },
  { part: "dial", list: "dial", one: "number", act: "dial", who: "operator" },
];

/** Lists of texts: all of it is read, one of them added or removed. Which are the operator's to change is in `lists`. */
export const listRoutes = (customers: ManagedCustomers): readonly ManagedRoute[] => [
  ...lists.flatMap((list) => routesOf(list, customers)),
  ...inboundRoutes(customers),
];

function routesOf({ part, list, one, act, who }: List, customers: ManagedCustomers): readonly ManagedRoute[] {
  const url = `/v1/customers/:id/${part}`;
  const body = (values: readonly string[]) => ({ [list]: values });
  const only = who ? { who } : {};
  return [
    { ...{ method: "GET", url }, answer: (asked) => readView(asked, customers, (view) => body(view[list])) },
    { ...{ method: "POST", url, ...only }, answer: add },
    { ...{ method: "DELETE", url, query: [one], ...only }, answer: remove },
  ];

  function add(asked: Asked): Promise<Answer> | Answer {
    const { [one]: value, ...more } = asked.body();
    const errors = [...(typeof value === "string" ? [] : [isNoText(one)]), ...unknown(more)];
    if (typeof value !== "string" || errors.length > 0) return faulty(errors);
    return customers.change(asked, addText(list, value), {
      what: () => `${act}.add ${value}`,
      path: (path) => (path.startsWith(`${list}[`) ? one : path),
      answer: ({ told, revision }) => done({ [one]: value }, { status: told.added ? 201 : 200, revision }),
    });
  }

  function remove(asked: Asked): Promise<Answer> | Answer {
    const value = asked.query.get(one);
    if (value === null) return refused(400, `say which: ?${one}=…, percent-encoded`, malformed);
    return customers.change(asked, removeText(list, value), {
      what: () => `${act}.remove ${value}`,
      path: (path) => (path.startsWith(`${list}[`) ? one : path),
      answer: ({ revision }) => nothing(revision),
    });
  }
}

const isNoText = (path: string) => ({ path, message: "is required, and a text" });

/** Which user gets calls from outside to which number. */
function inboundRoutes(customers: ManagedCustomers): readonly ManagedRoute[] {
  const url = "/v1/customers/:id/inbound";
  return [
    { ...{ method: "GET", url }, answer: (asked) => readView(asked, customers, ({ inbound }) => ({ inbound })) },
    { ...{ method: "POST", url }, answer: set },
    { ...{ method: "DELETE", url, query: ["number"] }, answer: remove },
  ];

  function set(asked: Asked): Promise<Answer> | Answer {
    const { number, user, ...more } = asked.body();
    const texts = Object.entries({ number, user });
    const errors = [
      ...texts.flatMap(([name, value]) => (typeof value === "string" ? [] : [isNoText(name)])),
      ...unknown(more),
    ];
    if (typeof number !== "string" || typeof user !== "string" || errors.length > 0) return faulty(errors);
    return customers.change(asked, setInbound(number, user), {
      what: () => `inbound.set ${number}`,
      path: (path) => (path.startsWith("inbound") ? "number" : path),
      answer: ({ told, revision }) => done({ ...told }, { status: 201, revision }),
    });
  }

  function remove(asked: Asked): Promise<Answer> | Answer {
    const number = asked.query.get("number");
    if (number === null) return refused(400, "say which: ?number=…, percent-encoded (%2B for +)", malformed);
    return customers.change(asked, removeInbound(number), {
      what: () => `inbound.remove ${number}`,
      answer: ({ revision }) => nothing(revision),
    });
  }
}
