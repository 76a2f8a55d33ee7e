import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { codes } from "../../src/core/errors.ts";
import { freePort } from "../helpers/ports.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const readme = readFileSync(join(root, "README.md"), "utf8");
const folder = mkdtempSync(join(tmpdir(), "postern-readme-"));
afterAll(() => rmSync(folder, { recursive: true }));

const blocks = (language: string): string[] =>
  [...readme.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map((match) => match[1]!);

const commands = blocks("sh").flatMap((block) => block.split("\n").filter((line) => line.startsWith("npm run -s ")));
const running: ChildProcess[] = [];
const ports = new Map<string, number>();

/** The line of the README that begins so, as a user types it but for where it runs and on which ports. */
function typed(start: string): string {
  const line = commands.find((one) => one.startsWith(`npm run -s ${start}`));
  if (line === undefined) throw new Error(`the README has no ${start}`);
  const local = line
    .replace(/ *#.*$/, "")
    .replace("npm run -s postern --", `node ${join(root, "src/cli/main.ts")}`)
    .replace(
      "npm run -s kamailio --",
      `node ${join(root, "scripts/serve-kamailio.ts")} --udp 127.0.0.1:${ports.get("5060")}`,
    );
  return onFreePorts(local);
}

const onFreePorts = (text: string): string =>
  [...ports].reduce((changed, [port, free]) => changed.replaceAll(`:${port}`, `:${free}`), text);

const run = (start: string): string =>
  execFileSync("sh", ["-c", typed(start)], { cwd: folder, stdio: "pipe", encoding: "utf8", timeout: 30_000 });

/** A line that goes on; resolves when it says this on stdout or stderr. */
function begin(start: string, sign: RegExp): Promise<void> {
  const child = spawn("sh", ["-c", `exec ${typed(start)}`], { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
  running.push(child);
  return new Promise((resolve, reject) => {
    let said = "";
    const look = (chunk: Buffer): void => {
      said += chunk.toString();
      if (sign.test(said)) resolve();
    };
    child.stdout.on("data", look);
    child.stderr.on("data", look);
    child.once("close", () => reject(new Error(`${start} ended: ${said}`)));
  });
}

afterAll(async () => {
  for (const child of running.splice(0).reverse()) {
    child.kill("SIGTERM");
    if (child.exitCode === null && child.signalCode === null) await once(child, "close");
  }
});

/** Whether the gateway whose admin port that is has a registration. */
async function registered(admin: number): Promise<boolean> {
  const text = await (await fetch(`http://127.0.0.1:${admin}/metrics`)).text();
  return /^postern_registrations [1-9]/m.test(text);
}

describe("the README", () => {
  it("gets from nothing to a call by its lines alone", async () => {
    for (const port of ["8088", "8089", "5080", "5060"]) ports.set(port, await freePort("127.0.0.1"));
    run("postern -- init");
    const config = join(folder, "postern.yaml");
    writeFileSync(config, onFreePorts(readFileSync(config, "utf8")));
    run("postern -- check");
    await begin("kamailio --", /^kamailio at/m);
    await begin("postern -- serve", /^admin /m);
    run("postern -- mint --secret file:acme.secret --user bob");
    const bob = begin("postern -- client register", /never said/).catch((end: unknown) => String(end));
    run("postern -- mint --secret file:acme.secret --user alice");
    await expect.poll(() => registered(ports.get("8089")!), { timeout: 10_000 }).toBe(true);
    expect(run("postern -- client call bob")).toMatch(/audio frames: [1-9]\d* sent, [1-9]\d* received/);
    running.pop()?.kill("SIGKILL");
    await bob;
  }, 60_000);

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
