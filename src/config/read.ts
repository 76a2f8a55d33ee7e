import { type ErrorCode, LineCounter, parseDocument } from "yaml";
import type { Faults } from "./faults.ts";
import { type Value, Walk } from "./walk.ts";

export interface Tree {
  readonly root: Value;
  /** Paths (as JSON) of scalars that were one `${…}` and nothing else. */
  readonly expanded: ReadonlySet<string>;
}

/** The text as values, expanded, every line noted; undefined where it is no YAML that could be gone through. */
export function readTree(text: string, env: NodeJS.ProcessEnv, faults: Faults): Tree | undefined {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    version: "1.2",
    schema: "core",
    merge: false,
    resolveKnownTags: false,
    // Found by the walk below, in linear time.
    uniqueKeys: false,
    // Its messages quote the source, which holds secrets.
    prettyErrors: false,
    // "silent" would keep quiet about a second document.
    logLevel: "error",
    lineCounter: lines,
  });
  for (const { code, pos } of [...document.errors, ...document.warnings]) {
    faults.addAt(lines.linePos(pos[0]).line, `is not YAML: ${syntax[code] ?? "it cannot be read here"}`);
  }
  if (document.directives?.yaml.explicit && document.directives.yaml.version !== "1.2") {
    faults.addAt(1, "asks for another YAML than 1.2: remove the %YAML line");
  }
  if (faults.any) return undefined;
  const walk = new Walk(env, faults, (node) => lines.linePos(node.range?.[0] ?? 0).line);
  return { root: walk.value(document.contents, []), expanded: walk.expanded };
}

const syntax: Readonly<Partial<Record<ErrorCode, string>>> = {
  BAD_ALIAS: "an alias (*) without its anchor; put a text that begins with * in quotes",
  ALIAS_PROPS: "an alias with properties",
  BAD_DIRECTIVE: "a directive (%) that is not known",
  BAD_DQ_ESCAPE: 'a \\ escape that "…" does not know; use single quotes',
  BAD_INDENT: "the indentation does not fit",
  BAD_SCALAR_START: "a text that begins with @ or ` needs quotes",
  BLOCK_AS_IMPLICIT_KEY: "a nested map on one line; put a text with a colon in quotes",
  BLOCK_IN_FLOW: "a list or map in block form inside [ ] or { }",
  KEY_OVER_1024_CHARS: "a key longer than 1024 characters",
  MISSING_CHAR: "a closing quote, bracket, comma, colon or space is missing",
  MULTILINE_IMPLICIT_KEY: "a key that goes over several lines",
  MULTIPLE_ANCHORS: "several anchors at one value",
  MULTIPLE_DOCS: "several documents (---) in one file",
  MULTIPLE_TAGS: "several tags at one value",
  RESOURCE_EXHAUSTION: "it is nested too deeply",
  TAB_AS_INDENT: "a tab as indentation; use spaces",
  TAG_RESOLVE_FAILED: "a tag (!); remove it, or put the value in quotes",
  UNEXPECTED_TOKEN: "something that does not belong here",
};
