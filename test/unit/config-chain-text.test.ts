import { describe, expect, it } from "vitest";
import { besides, readChain } from "../../src/config/chain-text.ts";

const changed = (text: string): string => {
  const read = readChain(text, "/etc/postern/postern.yaml");
  return read.kind === "chain" ? read.chain.with('secrets: ["n", "o"]') : read.sentence;
};

describe("the chain secrets in the text of a config", () => {
  it.each([
    [
      "in braces",
      'chain: { secret: "a", ttl: 60 }   # so\nx: 1\n',
      'chain: { secrets: ["n", "o"], ttl: 60 }   # so\nx: 1\n',
    ],
    ["in lines", "chain:\n  secret: a   # so\n  ttl: 60\n", 'chain:\n  secrets: ["n", "o"]   # so\n  ttl: 60\n'],
    ["several in brackets", 'chain: { secrets: ["a", b] }\n', 'chain: { secrets: ["n", "o"] }\n'],
    [
      "several in lines",
      "chain:\n  secrets:\n    - a\n    - 'b'\n  ttl: 60\n",
      'chain:\n  secrets: ["n", "o"]\n  ttl: 60\n',
    ],
    [
      "after others",
      "x: { secret: a }\nchain: { ttl: 1, secret: a }\n",
      'x: { secret: a }\nchain: { ttl: 1, secrets: ["n", "o"] }\n',
    ],
  ])("are changed where they stand: %s", (_, text, after) => expect(changed(text)).toBe(after));

  it("say what is in a file of its own", () => {
    const read = readChain('chain: { secrets: ["file:new", "old"] }', "/etc/postern/postern.yaml");
    expect(read).toMatchObject({
      chain: {
        entries: [{ source: '"file:new"', file: { name: "new", path: "/etc/postern/new" } }, { source: '"old"' }],
      },
    });
    expect(besides({ name: "s/chain", path: "/etc/postern/s/chain" })).toEqual({
      name: "s/chain.new",
      path: "/etc/postern/s/chain.new",
    });
  });

  it.each([
    ["from the environment", 'chain: { secret: "${CHAIN}" }', "from the environment"],
    ["a file named by the environment", 'chain: { secret: "file:${CHAIN}" }', "from the environment"],
    ["an alias", "x: &a secret-of-the-chain\nchain: { secret: *a }", "by an alias"],
    ["three", "chain: { secrets: [a, b, c] }", "more than two"],
    ["an alias of all", "x: &a { secret: s }\nchain: *a", "cannot be changed here"],
  ])("are left alone: %s", (_, text, sentence) => expect(changed(text)).toContain(sentence));
});
