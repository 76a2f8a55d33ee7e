import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { isOneLine, readLocalCfg, withSecrets } from "../../../src/kamailio/local-cfg.ts";

const example = readFileSync(fileURLToPath(new URL("../../../kamailio/local.cfg.example", import.meta.url)), "utf8");
const secretsOf = (text: string): readonly string[] | string => {
  const read = readLocalCfg(text);
  return read.kind === "read" ? read.local.secrets : read.sentence;
};

describe("local.cfg", () => {
  it.each([
    ["one", '#!define CHAIN_SECRET "a secret"\n', ["a secret"]],
    ["two", '#!define CHAIN_SECRET "new"\n#!define CHAIN_SECRET_OLD "old"\n', ["new", "old"]],
    ["the old one first", '#!define CHAIN_SECRET_OLD "old"\n#!define CHAIN_SECRET "new"\n', ["new", "old"]],
    ["the same twice", '#!define CHAIN_SECRET "new"\n#!define CHAIN_SECRET_OLD "new"\n', ["new"]],
    ["quotes and backslashes", '#!define CHAIN_SECRET "a\\"b\\\\c"\n', ['a"b\\c']],
    ["other white space and line ends", '#!define\tCHAIN_SECRET  "x"  \r\n', ["x"]],
    ["comments that look like it", '##!define CHAIN_SECRET "x"\n# CHAIN_SECRET\n#!define CHAIN_SECRET "y"\n', ["y"]],
  ])("has %s", (_, text, secrets) => expect(secretsOf(text)).toEqual(secrets));

  it.each([
    ["none", "listen=udp:127.0.0.1:5060\n", "has no line #!define CHAIN_SECRET"],
    ["two lines", '#!define CHAIN_SECRET "a"\n#!define CHAIN_SECRET "b"\n', "more than once"],
    ["no quotes", "#!define CHAIN_SECRET a-secret-here\n", "as what is no text in double quotes"],
    ["an empty one", '#!define CHAIN_SECRET ""\n', "as what is no text in double quotes"],
    ["an escape that Kamailio reads otherwise", '#!define CHAIN_SECRET "a\\nb"\n', "as what is no text"],
    ["something behind it", '#!define CHAIN_SECRET "a" # "b"\n', "as what is no text"],
  ])("is refused with %s, and the sentence holds nothing of it", (_, text, sentence) => {
    expect(secretsOf(text)).toContain(sentence);
    expect(secretsOf(text)).not.toContain("a-secret-here");
  });

  it("says where its Kamailio listens for RPC", () => {
    const text = '#!define CHAIN_SECRET "s"\n#!define RPC_SOCKET "/run/kamailio/postern.sock"\n';
    expect(readLocalCfg(text)).toMatchObject({ local: { socket: "/run/kamailio/postern.sock" } });
    expect(readLocalCfg('#!define CHAIN_SECRET "s"\n')).toMatchObject({ local: { socket: undefined } });
  });

  it("is changed in these two lines alone", () => {
    const before = example.replace('##!define CHAIN_SECRET "..."', '#!define CHAIN_SECRET "old"');
    const during = withSecrets(before, ['ne"w\\', "old"]);
    expect(secretsOf(during)).toEqual(['ne"w\\', "old"]);
    const after = withSecrets(during, ['ne"w\\']);
    expect(after).toBe(before.replace('CHAIN_SECRET "old"', 'CHAIN_SECRET "ne\\"w\\\\"'));
  });

  it("takes a $ for a $", () => {
    const text = withSecrets('#!define CHAIN_SECRET "old"\n', ["a$&b$1$$", "old"]);
    expect(secretsOf(text)).toEqual(["a$&b$1$$", "old"]);
  });

  it("has no room for a line break", () => {
    expect(isOneLine("a secret, in one line")).toBe(true);
    for (const text of ["a\nb", "a\rb", "a\0b", "a\tb"]) expect(isOneLine(text)).toBe(false);
  });
});
