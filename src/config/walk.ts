import { isAlias, isMap, isPair, isScalar, isSeq, type Node } from "yaml";
import { expand } from "./expand.ts";
import type { Faults, Path } from "./faults.ts";

/** What a file says, as plain values; maps have no prototype, an empty value is undefined. */
export type Value = string | number | boolean | null | undefined | bigint | Value[] | ValueMap;
export interface ValueMap {
  [key: string]: Value;
}

/** From YAML nodes to plain values: expands, notes every line, refuses what a config has no use for. */
export class Walk {
  readonly expanded = new Set<string>();
  readonly #env: NodeJS.ProcessEnv;
  readonly #faults: Faults;
  readonly #lineOf: (node: Node) => number;

  constructor(env: NodeJS.ProcessEnv, faults: Faults, lineOf: (node: Node) => number) {
    this.#env = env;
    this.#faults = faults;
    this.#lineOf = lineOf;
  }

  value(node: unknown, path: Path): Value {
    if (isAlias(node) || (isScalar(node) && node.anchor) || ((isMap(node) || isSeq(node)) && node.anchor)) {
      this.#faults.add(
        path,
        "uses an anchor or alias (& or *): write the value out, or put it in quotes",
        this.#lineOf(node),
      );
      return undefined;
    }
    if ((isScalar(node) || isMap(node) || isSeq(node)) && node.tag !== undefined) {
      this.#faults.add(path, "has a tag (!): remove it, or put the value in quotes", this.#lineOf(node));
      return undefined;
    }
    if (isMap(node)) return this.#map(node.items, path);
    if (isSeq(node)) return node.items.map((item, index) => this.#entry(item, [...path, index]));
    return isScalar(node) ? this.#scalar(node.value as Value, path) : undefined;
  }

  #entry(item: unknown, path: Path): Value {
    if (isPair(item)) return undefined;
    this.#faults.place(path, this.#lineOf(item as Node));
    const value = this.value(item, path);
    return value === undefined ? null : value;
  }

  #map(items: readonly unknown[], path: Path): ValueMap {
    const map: ValueMap = Object.create(null);
    for (const pair of items) {
      if (!isPair(pair)) continue;
      const key = this.#key(pair.key, path);
      if (key === undefined) continue;
      const value = this.value(pair.value, [...path, key]);
      map[key] = value === null ? undefined : value;
    }
    return map;
  }

  /** A key is its text as written (`+3225887000` would be a number); undefined where it is a fault. */
  #key(node: unknown, path: Path): string | undefined {
    const line = this.#lineOf(node as Node);
    if (!isScalar(node) || node.tag !== undefined || node.anchor || node.value === null) {
      this.#faults.addAt(line, "has a key that is no plain text");
      return undefined;
    }
    const key = typeof node.value === "string" ? node.value : (node.source ?? String(node.value));
    const place = [...path, key];
    if (key === "__proto__") this.#faults.add(place, "is not a known key", line);
    else if (this.#faults.placed(place))
      this.#faults.add(place, `stands twice, first in line ${this.#faults.line(place)}`, line);
    else {
      this.#faults.place(place, line);
      return key;
    }
    return undefined;
  }

  #scalar(value: Value, path: Path): Value {
    if (typeof value !== "string") return value;
    const result = expand(value, this.#env);
    if (result.kind === "fault") {
      this.#faults.add(path, result.message);
      return value;
    }
    if (result.whole) this.expanded.add(JSON.stringify(path));
    return result.text;
  }
}
