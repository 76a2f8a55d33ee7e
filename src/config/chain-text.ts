import { basename, dirname, resolve } from "node:path";
import { isMap, isScalar, isSeq, type Pair, parseDocument, type Scalar } from "yaml";

/** How a config file says its chain secrets, and the texts in which it says others. All else in it stays as it is. */
export interface ChainText {
  /** Newest first, one or two. */
  readonly entries: readonly Entry[];
  /** The text with this in the place of `secret: …` or `secrets: …`. */
  readonly with: (line: string) => string;
}

interface Entry {
  /** As it is written, quotes and all. */
  readonly source: string;
  /** As it is named, and absolute, where the secret is in a file of its own. */
  readonly file?: { readonly name: string; readonly path: string };
}

export type ChainRead =
  | { readonly kind: "chain"; readonly chain: ChainText }
  | { readonly kind: "fault"; readonly sentence: string };

/** config: its path. The text is one that was loaded without faults. */
export function readChain(text: string, config: string): ChainRead {
  const root = parseDocument(text, { version: "1.2", schema: "core", merge: false, logLevel: "error" }).contents;
  const chain = isMap(root) ? root.get("chain") : undefined;
  const pair = isMap(chain) ? chain.items.find(isSecrets) : undefined;
  if (!isMap(chain) || !pair)
    return fault("is written in a way that cannot be changed here: write chain: { secret: … }");
  const nodes = isSeq(pair.value) ? pair.value.items : [pair.value];
  if (nodes.length > 2) return fault("has more than two chain.secrets: leave the two newest");
  const entries: Entry[] = [];
  for (const node of nodes) {
    const entry = isScalar(node) ? entryOf(node, text, config) : undefined;
    if (!entry) return fault(elsewhere);
    entries.push(entry);
  }
  const span = [startOf(pair.key), endOf(pair.value)] as const;
  return { kind: "chain", chain: { entries, with: (line) => text.slice(0, span[0]) + line + text.slice(span[1]) } };
}

const elsewhere =
  "has its chain secret from the environment, which a running gateway cannot be given anew, or by an alias: " +
  'put it into a file of its own, secret: "file:chain.secret", and restart the gateway once';

const fault = (sentence: string): ChainRead => ({ kind: "fault", sentence });

const isSecrets = ({ key }: Pair): boolean => isScalar(key) && (key.value === "secret" || key.value === "secrets");

const startOf = (node: unknown): number => (isScalar(node) ? (node.range?.[0] ?? 0) : 0);

/** A list in block form reaches to the next key; its last entry does not. */
function endOf(node: unknown): number {
  if (isSeq(node) && node.flow !== true) return endOf(node.items.at(-1));
  return isSeq(node) || isScalar(node) ? (node.range?.[1] ?? 0) : 0;
}

function entryOf({ value, range }: Scalar, text: string, config: string): Entry | undefined {
  const said = String(value);
  if (said.includes("${")) return undefined;
  const source = text.slice(range?.[0] ?? 0, range?.[1] ?? 0);
  if (!said.startsWith("file:")) return { source };
  const name = said.slice("file:".length);
  return { source, file: { name, path: resolve(dirname(config), name) } };
}

/** Where a new secret is kept while it rotates, beside the file of the one that goes out. */
export const besides = (file: { readonly name: string; readonly path: string }) => ({
  name: `${file.name}.new`,
  path: resolve(dirname(file.path), `${basename(file.path)}.new`),
});
