import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { loadConfig } from "../../src/config.ts";
import { ConfigFolder, least } from "../helpers/config-file.ts";
import { cpuMs } from "../helpers/sip-text.ts";

const folder = new ConfigFolder();
afterAll(() => folder.remove());

const faultsOf = (text: string | Uint8Array, env: NodeJS.ProcessEnv = {}): string[] =>
  folder.faults(text, env).map(({ path, line, message }) => `${line}: ${path}: ${message}`);

describe("a file that is no config", () => {
  it("is not there", () => {
    const loaded = loadConfig(join(folder.path, "none.yaml"), {});
    expect(loaded).toEqual({
      kind: "faults",
      faults: [{ path: "", line: 1, message: "the config file is not there" }],
      files: [join(folder.path, "none.yaml")],
    });
  });

  it("is a folder", () => {
    expect(loadConfig(folder.path, {})).toMatchObject({ faults: [{ message: "the config file is a folder" }] });
  });

  it.each(["", "\n\n", "# only a comment\n", "---\n", "~\n"])("is empty: %j", (text) => {
    expect(faultsOf(text)).toEqual(["1: : the file is empty"]);
  });

  it.each(["words\n", "- a\n- b\n", "42\n"])("is no map: %j", (text) => {
    expect(faultsOf(text)).toEqual(["1: : is no map of keys and values"]);
  });

  it("is not UTF-8", () => {
    expect(faultsOf(Uint8Array.of(0x61, 0x3a, 0xff, 0xfe))).toEqual(["1: : the file is not UTF-8"]);
  });

  it("may begin with a byte order mark and have CR LF", () => {
    expect(folder.load(`\uFEFF${least.replaceAll("\n", "\r\n")}`).kind).toBe("config");
  });
});

describe("YAML that a config has no use for is a fault", () => {
  it.each([
    ["no YAML", 'a: "open\n', /^\d: : is not YAML: a closing quote/],
    ["a tab as indentation", "gateway:\n\tlisten: x\n", /^2: : is not YAML: a tab/],
    ["a second document", `${least}---\n${least}`, /^3: : is not YAML: several documents/],
    ["an anchor", `${least}drain: &d { seconds: 1 }\n`, /^3: drain: uses an anchor/],
    ["an alias without its anchor", `${least}state: *d\n`, /^3: state: uses an anchor/],
    ["a merge key", `${least}drain: { "<<": { seconds: 1 } }\n`, /is not a known key/],
    ["a tag", `${least}drain: { seconds: !!int "1" }\n`, /^3: drain.seconds: has a tag/],
    ["a tag of its own", `${least}state: !secret memory\n`, /^3: : is not YAML: a tag/],
    ["a key that is a list", `${least}? [a, b]\n: c\n`, /^3: : has a key that is no plain text/],
    ["another YAML", `%YAML 1.1\n---\n${least}`, /^1: : asks for another YAML than 1.2/],
    [
      "a duplicate key",
      `${least}state: memory\nstate: redis://127.0.0.1\n`,
      /^4: state: stands twice, first in line 3$/,
    ],
  ])("%s", (_name, text, fault) => {
    const faults = faultsOf(text);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(fault);
  });

  it("YAML 1.1's yes, on and octal are texts and numbers of YAML 1.2", () => {
    expect(faultsOf(`${least}gateway: { allowMissingOrigin: on }\n`)).toEqual([
      "3: gateway.allowMissingOrigin: must be true or false",
    ]);
    expect(folder.config(`${least}drain: { seconds: 010 }\n`).drain.seconds).toBe(10);
  });
});

describe("a file made to cost much is refused in little time", () => {
  const bomb = [
    "a0: &a0 [x,x,x,x,x,x,x,x,x]",
    ...Array.from({ length: 20 }, (_, n) => `a${n + 1}: &a${n + 1} [${Array(9).fill(`*a${n}`).join(",")}]`),
  ].join("\n");

  it.each([
    ["5 MB", `${least}# ${"x".repeat(5_000_000)}\n`, /larger than 4194304 bytes/],
    ["an alias bomb", bomb, /uses an anchor or alias/],
    ["deeply nested lists", `a: ${"[".repeat(20_000)}${"]".repeat(20_000)}\n`, /nested too deeply/],
    ["deeply nested maps", "{a: ".repeat(20_000), /nested too deeply/],
    ["deeply nested dashes", `${"- ".repeat(50_000)}x\n`, /nested too deeply/],
    ["50,000 keys", `a:\n${Array.from({ length: 50_000 }, (_, n) => ` k${n}: 1`).join("\n")}`, /is not a known key/],
    [
      "a variable multiplied",
      `${least}state: "${`\${BIG}`.repeat(1000)}"\n`,
      /longer than 65536 characters once expanded/,
    ],
  ])("%s", (_name, text, fault) => {
    let faults: string[] = [];
    const spent = cpuMs(() => {
      faults = faultsOf(text, { BIG: "x".repeat(100_000) });
    });
    expect(faults.some((line) => fault.test(line))).toBe(true);
    expect(spent).toBeLessThan(6000);
  });
});

describe(`\${NAME}`, () => {
  const state = (text: string, env: NodeJS.ProcessEnv): string => folder.config(`${least}state: ${text}\n`, env).state;

  it("is the variable, anywhere in a text", () => {
    expect(state(`"redis://\${HOST}:\${PORT}/0"`, { HOST: "127.0.0.1", PORT: "6379" })).toBe(
      "redis://127.0.0.1:6379/0",
    );
  });

  it("is its default where the variable is unset or empty", () => {
    expect(state(`"\${STATE:-memory}"`, {})).toBe("memory");
    expect(state(`"\${STATE:-memory}"`, { STATE: "" })).toBe("memory");
    expect(state(`"\${STATE:-memory}"`, { STATE: "redis://127.0.0.1" })).toBe("redis://127.0.0.1");
  });

  it.each([
    [`\${NOT_SET}`, /needs the environment variable NOT_SET, which is not set/],
    [`\${constructor}`, /needs the environment variable constructor/],
    [`\${NOT_SET} \${NOR_THIS}`, /NOT_SET, NOR_THIS/],
    [`\${open`, /neither \$\{NAME\}/],
    [`\${a-b}`, /neither \$\{NAME\}/],
    [`\${}`, /neither \$\{NAME\}/],
  ])("%s is a fault", (written, message) => {
    const faults = faultsOf(`${least}state: "${written}"\n`);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(message);
  });

  it("is not expanded again, and never read as YAML", () => {
    const env = {
      OUTER: `\${INNER}-and-more-text`,
      INNER: "secret",
      LIST: "[a.example, b.example]",
      ALIAS: "*x: &y !!z #",
    };
    const secret = (name: string) => `${least}exchange: { secret: "\${${name}}" }\n`;
    expect(folder.config(secret("OUTER"), env).exchange?.secret).toBe(`\${INNER}-and-more-text`);
    expect(folder.config(secret("LIST"), env).exchange?.secret).toBe("[a.example, b.example]");
    expect(faultsOf(`${least}gateway: { domains: "\${LIST}" }\n`, env)).toEqual(["3: gateway.domains: must be a list"]);
  });

  it("stands for a number or a boolean where it is the whole value", () => {
    const text = `${least}gateway: { allowMissingOrigin: "\${ALLOW}", limits: { messageBytes: \${BYTES} } }\n`;
    const config = folder.config(text.replace(`\${BYTES}`, `"\${BYTES}"`), { ALLOW: "false", BYTES: "1000" });
    expect([config.gateway.allowMissingOrigin, config.gateway.limits.messageBytes]).toEqual([false, 1000]);
  });

  it.each([
    [`"\${N}"`, "10s", /must be a number/],
    [`"\${N}"`, "1.5", /must be a number/],
    [`"\${N}"`, "86401", /must be at most 86400/],
    [`"1\${N}"`, "0", /must be a number/],
    ['"10"', "0", /must be a number/],
  ])("%s with N=%s is no number", (written, value, message) => {
    expect(faultsOf(`${least}drain: { seconds: ${written} }\n`, { N: value })[0]).toMatch(message);
  });

  it("keeps a secret of digits a text", () => {
    expect(
      folder.config(least.replace("chain-secret-of-the-test", `"\${S}"`), { S: "1234567890123456" }).chain.secret,
    ).toBe("1234567890123456");
  });
});

describe("file:PATH", () => {
  const from = (name: string) => least.replace("chain-secret-of-the-test", `file:${name}`);

  it.each([
    ["a-secret-from-a-file\n", "a-secret-from-a-file"],
    ["a-secret-from-a-file\r\n", "a-secret-from-a-file"],
    ["a-secret-from-a-file\n\n", "a-secret-from-a-file\n"],
    ["a-secret-from-a-file", "a-secret-from-a-file"],
  ])("%j is read relative to the config, less one trailing newline", (content, secret) => {
    folder.write("secrets/chain", content);
    expect(folder.config(from("secrets/chain")).chain.secret).toBe(secret);
  });

  it("may come out of a variable", () => {
    folder.write("chain", "a-secret-from-a-file\n");
    const text = least.replace("chain-secret-of-the-test", `"\${CHAIN}"`);
    expect(folder.config(text, { CHAIN: "file:chain" }).chain.secret).toBe("a-secret-from-a-file");
  });

  it("is a fault where the file is missing, a folder, too short or too large", () => {
    folder.write("short", "fifteen-bytes--\n");
    folder.write("large", "x".repeat(70_000));
    expect(faultsOf(from("none"))[0]).toMatch(/^2: chain.secret: names a file.* is not there$/);
    expect(faultsOf(from("."))[0]).toMatch(/^2: chain.secret: names a file.* is a folder$/);
    expect(faultsOf(from("short"))[0]).toMatch(/^2: chain.secret: has fewer than 16 bytes/);
    expect(faultsOf(from("large"))[0]).toMatch(/^2: chain.secret: names a file.* is larger than 65536 bytes$/);
  });

  it("is a fault where it is not UTF-8, for all such bytes would be read as the same", () => {
    folder.write("bytes", Buffer.alloc(32, 0x80));
    expect(faultsOf(from("bytes"))[0]).toBe("2: chain.secret: is not UTF-8 text: make one by openssl rand -base64 32");
    folder.write("bytes", "gehei\u00dfnis in UTF-8");
    expect(folder.config(from("bytes")).chain.secret).toBe("gehei\u00dfnis in UTF-8");
  });

  it("makes two ways to the same secret equal", () => {
    folder.write("same", "chain-secret-of-the-test\n");
    expect(faultsOf(`${least}exchange: { secret: file:same }\n`)[0]).toMatch(/^3: exchange.secret: must differ from/);
  });
});

describe("a fault never shows a secret", () => {
  const secret = "Zq7vT0pS3cr3tX9kLm2w";

  it.each([
    ["too short", `${least}exchange: { secret: ${secret.slice(0, 15)} }\n`],
    ["of another type", `${least}exchange: { secret: [${secret}] }\n`],
    ["as a map", `${least}exchange: { secret: { ${secret}${secret}: 1 } }\n`],
    ["where a section belongs", `${least}exchange: ${secret}\n`],
    ["twice", `${least.replace("chain-secret-of-the-test", secret)}exchange: { secret: ${secret} }\n`],
    ["in broken YAML", `${least}exchange: { secret: "${secret} }\n`],
    ["in broken YAML, too", `${least}exchange:\n  secret: ${secret}\n }\n${secret}\n`],
    ["as an alias", `${least}exchange: { secret: *${secret} }\n`],
    ["as a tag", `${least}exchange: { secret: !${secret} x }\n`],
    ["with a bad escape", `${least}exchange: { secret: "\\q${secret}" }\n`],
    ["as a key", `${least}exchange:\n  ${secret}${secret}: x\n`],
    ["in a variable", `${least}exchange: { secret: s, algorithm: "\${S}" }\n`],
    ["in a store's URL", `${least}store: "mysql://u:\${S}@127.0.0.1/x"\n`],
    [
      "as another value",
      `${least}customers: [{ id: "${secret}|", domains: ["${secret}_"], trunk: "sip:${secret}:x" }]\n`,
    ],
  ])("%s", (_name, text) => {
    const faults = faultsOf(text, { S: secret });
    expect(faults.length).toBeGreaterThan(0);
    expect(faults.join("\n")).not.toContain(secret.slice(0, 15));
  });
});
