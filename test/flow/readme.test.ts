import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { codes } from "../../src/core/errors.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const readme = readFileSync(join(root, "README.md"), "utf8");
const folder = mkdtempSync(join(tmpdir(), "postern-readme-"));
afterAll(() => rmSync(folder, { recursive: true }));

const blocks = (language: string): string[] =>
  [...readme.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map((match) => match[1]!);

/** The command of the README that begins with this verb, as a user types it but for where it runs. */
function run(verb: string, env: Record<string, string> = {}, input = ""): string {
  const lines = blocks("sh").flatMap((block) => block.split("\n"));
  const line = lines.find((one) => one.startsWith(`npm run -s postern -- ${verb}`));
  if (line === undefined) throw new Error(`the README has no ${verb}`);
  const command = line.replace("npm run -s postern --", `node ${join(root, "src/cli/main.ts")}`);
  const options = { cwd: folder, env: { ...process.env, ...env }, input, stdio: "pipe", encoding: "utf8" } as const;
  return execFileSync("sh", ["-c", command], options);
}

describe("the README", () => {
  it("has commands that work as they stand: init, check, mint, verify", () => {
    run("init");
    run("check");
    const config = parse(readFileSync(join(folder, "postern.yaml"), "utf8")) as {
      customers: { secrets: { secret: string }[] }[];
    };
    const secret = config.customers[0]!.secrets[0]!.secret;
    const minted = JSON.parse(run("mint", { ACME_SECRET: secret })) as { username: string; password: string };
    const verdict = JSON.parse(run("verify", { USERNAME: minted.username }, minted.password)) as { accepted: boolean };
    expect(verdict.accepted).toBe(true);
  });

  it("names npm scripts that exist", () => {
    const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
      scripts: Record<string, string>;
    };
    const named = [...readme.matchAll(/npm run (?:-s )?([a-z:]+)/g)].map((match) => match[1]!);
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
    for (const script of Object.values(scripts)) {
      const file = /(\S+\.ts)/.exec(script)?.[1] ?? "";
      expect(existsSync(join(root, file)), file).toBe(true);
    }
  });

  it("has a JsSIP line that JsSIP takes", async () => {
    const [line] = blocks("js");
    const { default: JsSIP } = await import("jssip");
    const sockets: string[] = [];
    const stub = {
      ...JsSIP,
      WebSocketInterface: function WebSocketInterface(this: object, url: string) {
        sockets.push(url);
        Object.assign(this, {
          url,
          via_transport: "WSS",
          sip_uri: "sip:x;transport=ws",
          connect() {},
          disconnect() {},
          send() {},
        });
      },
    };
    const construct = line!.trim().replace(/\.start\(\);$/, "");
    const make = new Function("JsSIP", "username", "password", `return ${construct}`);
    expect(make(stub, "1479829425:alice@acme.example", "secret")).toBeInstanceOf(JsSIP.UA);
    expect(sockets).toHaveLength(1);
  });

  it("names only codes that exist, and links only to files that do", () => {
    const named = [
      ...readme.matchAll(
        /`((?:credential|message|dialog|rate|limit|upstream|origin|identity|method|destination)-[a-z]+(?:-[a-z]+)?)`/g,
      ),
    ];
    expect(named.length).toBeGreaterThan(10);
    for (const [, name] of named) expect(Object.keys(codes)).toContain(name);
    for (const page of ["README.md", "docs/architecture.md", "docs/kamailio.md"]) {
      const text = readFileSync(join(root, page), "utf8")
        .replace(/^```[\s\S]*?^```$/gm, "")
        .replace(/`[^`]*`/g, "");
      for (const [, link] of text.matchAll(/\]\(([^)#:]+)\)/g)) {
        expect(existsSync(join(root, dirname(page), link!)), `${page}: ${link}`).toBe(true);
      }
    }
  });
});
