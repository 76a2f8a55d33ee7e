import type { Command } from "commander";
import { describe, expect, it } from "vitest";
import { postern } from "../../../src/cli/program.ts";

/** With the words before it. */
const leaves = (command: Command, before = ""): [string, Command][] =>
  command.commands.length === 0
    ? [[before, command]]
    : command.commands.flatMap((one) => leaves(one, `${before} ${one.name()}`.trim()));

const all = leaves(postern());

function helpOf(command: Command): string {
  let said = "";
  command.configureOutput({
    writeOut: (text) => {
      said += text;
    },
  });
  command.outputHelp();
  return said;
}

const managing =
  /^(?:customer|secret|key|api-key|origin|number|revoke|restore|revocations|sessions|kick|calls|refusals|audit)\b/;

describe("every command", () => {
  it.each(all)("%s says what it does, and takes no secret as an argument", (_name, command) => {
    expect(command.description()).not.toBe("");
    for (const { long, description } of command.options) {
      const secret = /secret|password|token/.test(String(long)) || /\bsecret\b:/.test(description);
      if (secret && !/^--ttl/.test(String(long))) expect(`${long} ${description}`).toContain("env:NAME");
    }
  });

  it.each(all.filter(([name]) => managing.test(name)))(
    "%s has --json and an example that is of it",
    (name, command) => {
      expect(command.options.map(({ long }) => long)).toContain("--json");
      const help = helpOf(command);
      const examples = [...help.matchAll(/^ {2}\$ postern (.*)$/gm)].map(([, line = ""]) => line);
      expect(examples.length).toBeGreaterThan(0);
      for (const line of examples) {
        expect(line.startsWith(`${name} `)).toBe(true);
        for (const [option] of line.matchAll(/--[a-z-]+/g)) expect(help).toContain(`${option}`);
      }
    },
  );
});
