/** What moves a terminal's cursor, or turns the order of what stands beside it around. */
const unfit = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** As one line of a table: what a stored text holds was maybe written by a stranger. */
export const row = (...cells: readonly unknown[]): string =>
  cells.map((cell) => String(cell).replace(unfit, "?")).join("\t");

/** The same data, with what is unfit for a terminal escaped as JSON has it. */
export const jsonOf = (data: unknown, indent?: number): string =>
  (JSON.stringify(data, null, indent) ?? "null").replace(unfit, (found) => (found === "\n" ? found : escaped(found)));

const escaped = (text: string): string =>
  text
    .split("")
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
    .join("");
