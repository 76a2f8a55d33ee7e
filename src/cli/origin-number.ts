import type { Command } from "commander";
import type { CustomerView } from "../manage/view.ts";
import { example } from "./examples.ts";
import { print, say } from "./outcome.ts";
import { type Change, changeAt, encoded, inPlace, type PlaceOptions, readAt } from "./place.ts";
import { row } from "./terminal.ts";

interface NumberOptions extends PlaceOptions {
  readonly dial?: true;
  readonly inbound?: string | true;
}

export function registerOrigin(program: Command): void {
  const origin = program.command("origin").description("pages that may connect as users of a stored customer");
  const command = (name: string, description: string): Command =>
    inPlace(origin.command(name).description(description)).option("--json", "no words on stderr");
  example(
    command("add <customer> <origin>", "let pages of an origin connect; *. in front stands for every subdomain").action(
      (customer: string, value: string, options: PlaceOptions) => put(customer, texts.origin(value, "add"), options),
    ),
    "origin add globex https://www.globex.example",
  );
  example(
    command("list <customer>", "its origins, one a line; none: pages of any may connect").action(
      (customer: string, options: PlaceOptions) => list(customer, "/origins", ({ origins }) => ({ origins }), options),
    ),
    "origin list globex --json",
  );
  example(
    command("remove <customer> <origin>", "pages of an origin may connect no more").action(
      (customer: string, value: string, options: PlaceOptions) => put(customer, texts.origin(value, "remove"), options),
    ),
    "origin remove globex https://www.globex.example",
  );
}

export function registerNumber(program: Command): void {
  const number = program
    .command("number")
    .description("telephone numbers of a stored customer: its own, those its pages may call, and who gets its calls");
  const command = (name: string, description: string): Command =>
    inPlace(number.command(name).description(description)).option("--json", "no words on stderr");
  example(
    command("add <customer> <number>", "a number it owns, or with * at its end every number that begins so")
      .option("--dial", "it is not its own, but its pages may call it")
      .option("--inbound <user>", "calls from its trunk to this number go to this user")
      .action((customer: string, value: string, options: NumberOptions) =>
        put(customer, numberChange(value, "add", options), options),
      ),
    "number add globex '+4930*'",
    "number add globex '+49800*' --dial",
    "number add globex +4930123 --inbound reception",
  );
  example(
    command(
      "list <customer>",
      "its numbers, one a line: own, dial, or inbound with the user who gets the calls",
    ).action(async (customer: string, options: PlaceOptions) => listNumbers(customer, options)),
    "number list globex --json",
  );
  example(
    command("remove <customer> <number>", "it owns a number no more")
      .option("--dial", "its pages may call it no more")
      .option("--inbound", "calls from its trunk to this number go to nobody")
      .action((customer: string, value: string, options: NumberOptions) =>
        put(customer, numberChange(value, "remove", options), options),
      ),
    "number remove globex '+4930*'",
  );
}

type Doing = "add" | "remove";
interface Doable {
  readonly change: Change<object>;
  readonly told: object;
}

/** One of a list of texts, which a gateway keeps under /<part>. */
const text =
  (list: "origins" | "numbers" | "dial", one: string, act: string) =>
  (value: string, doing: Doing): Doable => ({
    change: {
      what: () => `${act}.${doing} ${value}`,
      edit: async () => {
        const { addText, removeText } = await import("../manage/lists.ts");
        return doing === "add" ? addText(list, value) : removeText(list, value);
      },
      ask:
        doing === "add"
          ? { method: "POST", part: `/${list}`, body: { [one]: value } }
          : { method: "DELETE", part: `/${list}?${one}=${encoded(value)}` },
      into: { list, one },
    },
    told: { [one]: value },
  });

const texts = {
  origin: text("origins", "origin", "origin"),
  number: text("numbers", "number", "number"),
  dial: text("dial", "number", "dial"),
} as const;

function numberChange(value: string, doing: Doing, { dial, inbound }: NumberOptions): Doable {
  if (inbound === undefined) return (dial ? texts.dial : texts.number)(value, doing);
  const user = String(inbound);
  return {
    change: {
      what: () => `inbound.${doing === "add" ? "set" : "remove"} ${value}`,
      edit: async () => {
        const { removeInbound, setInbound } = await import("../manage/lists.ts");
        return doing === "add" ? setInbound(value, user) : removeInbound(value);
      },
      ask:
        doing === "add"
          ? { method: "POST", part: "/inbound", body: { number: value, user } }
          : { method: "DELETE", part: `/inbound?number=${encoded(value)}` },
      into: { list: "inbound", one: "number" },
    },
    told: { number: value, ...(doing === "add" && { user }) },
  };
}

async function put(customer: string, { change, told }: Doable, options: PlaceOptions): Promise<void> {
  await changeAt(customer, change, options);
  print({ customer, ...told });
  if (!options.json) say(change.ask.method === "DELETE" ? "removed" : "stored");
}

async function list(
  customer: string,
  part: string,
  of: (view: CustomerView) => Readonly<Record<string, readonly string[]>>,
  options: PlaceOptions,
): Promise<void> {
  const told = await readAt(customer, part, async (item) => of(await view(item)), options);
  if (options.json) return print({ customer, ...told });
  for (const one of Object.values(told).flat()) process.stdout.write(`${row(one)}\n`);
}

async function listNumbers(customer: string, options: PlaceOptions): Promise<void> {
  const told = await readAt(customer, "", async (item) => view(item), options);
  const { numbers, dial, inbound } = told;
  if (options.json) return print({ customer, numbers, dial, inbound });
  for (const one of numbers) process.stdout.write(`${row(one, "own")}\n`);
  for (const one of dial) process.stdout.write(`${row(one, "dial")}\n`);
  for (const [number, user] of Object.entries(inbound)) process.stdout.write(`${row(number, "inbound", user)}\n`);
}

async function view(item: Parameters<typeof import("../manage/view.ts").viewOf>[0]): Promise<CustomerView> {
  const [{ viewOf }, { failure }] = await Promise.all([import("../manage/view.ts"), import("./outcome.ts")]);
  return viewOf(item) ?? failure("the customer is of another version of Postern and cannot be shown");
}
