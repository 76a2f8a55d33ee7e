import type { Command } from "commander";

/** Stands below a command's options. */
export const example = (command: Command, ...lines: readonly string[]): Command =>
  command.addHelpText("after", `\nExample:\n${lines.map((line) => `  $ postern ${line}`).join("\n")}`);
