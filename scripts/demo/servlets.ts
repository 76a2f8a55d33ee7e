import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export interface Servlet {
  readonly language: string;
  readonly file: string;
  /** How to run it from the checkout with the demo's secrets, which stay in their files. */
  readonly command: string;
  readonly code: string;
}

const languages = [
  ["Node", "mint.mjs", "node examples/minting/mint.mjs"],
  ["Python", "mint.py", "python3 examples/minting/mint.py"],
  ["PHP", "mint.php", "php examples/minting/mint.php"],
  ["Go", "mint.go", "go run examples/minting/mint.go"],
  ["Shell", "mint.sh", "sh examples/minting/mint.sh"],
  ["Java", "Mint.java", "java examples/minting/Mint.java"],
  ["Ruby", "mint.rb", "ruby examples/minting/mint.rb"],
  ["C#", "Mint.cs", "dotnet run examples/minting/Mint.cs"],
] as const;

export interface SecretFiles {
  readonly secretFile: string;
  readonly jwtFile: string;
  readonly keyId: string;
}

/** What acme's servlet is in eight languages, with the demo's names filled in. */
export const servlets = (files: SecretFiles): Servlet[] =>
  languages.map(([language, file, run]) => ({ language, file, command: command(run, files), code: codeOf(file) }));

const command = (run: string, { secretFile, jwtFile, keyId }: SecretFiles): string =>
  [
    `SIP_SECRET="$(cat ${secretFile})"`,
    `JWT_SECRET="$(cat ${jwtFile})" JWT_KEY_ID=${keyId}`,
    `${run} alice@acme.example "$(($(date +%s) + 300))"`,
  ].join(" \\\n  ");

const shown = /^.*--- shown in docs.*\n([\s\S]*?)^.*--- end.*$/m;

/** The part to take over. */
function codeOf(file: string): string {
  const text = readFileSync(fileURLToPath(new URL(`../../examples/minting/${file}`, import.meta.url)), "utf8");
  const code = shown.exec(text)?.[1];
  if (code === undefined) throw new Error(`examples/minting/${file} does not say what is to be shown of it`);
  return dedent(code);
}

function dedent(code: string): string {
  const depths = code.split("\n").flatMap((line) => (line.trim() === "" ? [] : [/^ */.exec(line)![0].length]));
  return code.replaceAll(new RegExp(`^ {${Math.min(...depths)}}`, "gm"), "").trimEnd();
}
