import { expect } from "vitest";

/** A request in a page of docs/, and the answer that stands below it. */
export interface Example {
  /** As over HTTP, with `$NAME` for what is filled in. */
  readonly request: string;
  readonly kind: string;
  readonly status: number;
  readonly expected: string;
}

export const examplesIn = (page: string): readonly Example[] =>
  [...page.matchAll(/```http\n([\s\S]*?)\n```\n\n```(json|js|headers) (\d{3})\n([\s\S]*?)\n```/g)].map(
    ([, request = "", kind = "", status, expected = ""]) => ({ request, kind, status: Number(status), expected }),
  );

/** Every block that begins with this after its backticks. */
export const blocksIn = (page: string, begin: string): readonly string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${begin}\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map(([, text = ""]) => text);

/** Sent to whom its path belongs to. */
export function send(text: string, values: Readonly<Record<string, string>>, to: (path: string) => string) {
  const [head = "", body] = text.replace(/\$([A-Z_]+)/g, (_, name: string) => values[name] ?? "").split("\n\n");
  const [start = "", ...lines] = head.split("\n");
  const [method = "", path = ""] = start.split(" ");
  const headers = lines.map((line) => line.split(": ", 2) as [string, string]);
  return fetch(to(path) + path, { method, headers, ...(body === undefined ? {} : { body }) });
}

/** Whether a text is as written, `…` standing for anything within a line and `[…]` for any list. */
export function matches(given: string, written: string): void {
  const pattern = written.split("…").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  expect(given).toMatch(new RegExp(`^${pattern.join("[^\\n]*?")}$`));
}

/** JSON in one spelling, `[…]` kept as it is. */
export const spelled = (json: string): string =>
  JSON.stringify(JSON.parse(json.replaceAll("[…]", '["any list"]'))).replaceAll('["any list"]', "[…]");
