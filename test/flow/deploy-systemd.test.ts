import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { ConfigFolder, least } from "../helpers/config-file.ts";
import { served } from "../helpers/served.ts";

const root = fileURLToPath(new URL("../../", import.meta.url)).replace(/\/$/, "");
const unit = readFileSync(`${root}/deploy/systemd/postern.service`, "utf8");
const folder = new ConfigFolder();
afterAll(() => folder.remove());

/** The unit as it is, but for where this checkout and this config lie. */
const installed = (config: string): string =>
  unit.replaceAll("/opt/postern", root).replaceAll("/etc/postern/postern.yaml", config);

const setting = (text: string, name: string): string =>
  new RegExp(`^${name}=(.*)$`, "m").exec(text)?.[1] ?? `no ${name}`;

const config = folder.write(
  "postern.yaml",
  `${least}gateway: { listen: "ws://127.0.0.1:0" }\nadmin: { listen: "http://127.0.0.1:0" }\n`,
);

const analyze = (...args: readonly string[]) => spawnSync("systemd-analyze", [...args], { encoding: "utf8" });
const hasAnalyze = analyze("--version").status === 0;
const why = hasAnalyze ? "" : " (skipped: no systemd-analyze on this machine)";

describe("deploy/systemd/postern.service", () => {
  it("starts, reloads and stops a gateway by its own lines", async () => {
    const text = installed(config);
    const [program = "", ...args] = setting(text, "ExecStart").split(" ");
    const gateway = await served(spawn(program, args, { cwd: folder.path, env: { PATH: process.env.PATH } }));
    expect((await fetch(`${gateway.adminUrl}/livez`)).status).toBe(200);

    const [kill = "", ...how] = setting(text, "ExecReload").replace("$MAINPID", String(gateway.pid)).split(" ");
    expect(spawnSync(kill, how).status).toBe(0);
    await gateway.logged('"msg":"reloaded"');

    gateway.signal(setting(text, "KillSignal") as NodeJS.Signals);
    expect(await gateway.ended).toEqual({ exit: 0, signal: null });
  });

  it("starts again what a reload in its first moments has ended", async () => {
    const [program = "", ...args] = setting(installed(config), "ExecStart").split(" ");
    const child = spawn(program, args, { cwd: folder.path, stdio: "ignore" });
    const ended = once(child, "exit");
    child.kill(setting(unit, "ExecReload").split(" ")[1]?.replace("-", "SIG") as NodeJS.Signals);
    const [, signal] = await ended;
    expect(setting(unit, "RestartForceExitStatus")).toBe(signal);
  });

  it("does not start a faulty config again and again", async () => {
    const bad = folder.write("bad.yaml", "upstream: { urls: [] }\n");
    const [program = "", ...args] = setting(installed(bad), "ExecStart").split(" ");
    expect(String(spawnSync(program, args, { cwd: folder.path }).status)).toBe(
      setting(unit, "RestartPreventExitStatus"),
    );
  });

  it("leaves a thread for upstream's name where those of customers are not answered, as the image does", () => {
    const of = (text: string): number => Number(/\bUV_THREADPOOL_SIZE=(\d+)/.exec(text)?.[1] ?? 4);
    const callOuts = /^const mostAtOnce = (\d+);/m.exec(readFileSync(`${root}/src/callout/resolve.ts`, "utf8"))?.[1];
    // libuv: half of them, rounded up, do what is slow; trunks' names have one.
    const slow = Math.floor((of(unit) + 1) / 2);
    expect(slow).toBeGreaterThan(Number(callOuts) + 1);
    expect(of(readFileSync(`${root}/Dockerfile`, "utf8"))).toBe(of(unit));
  });

  it("keeps V8's pauses short, as the image and the overload table do", () => {
    const options = /^Environment="NODE_OPTIONS=(--max-semi-space-size=\d+ --v8-pool-size=\d+)"$/m.exec(unit)?.[1];
    expect(options).toBeDefined();
    for (const file of ["Dockerfile", "bench/overload/main.ts"]) {
      expect(readFileSync(`${root}/${file}`, "utf8"), file).toContain(options);
    }
  });

  it("gives a drain the time that it has by default, and some to close", () => {
    const seconds = folder.config(least).drain.seconds;
    expect(Number(setting(unit, "TimeoutStopSec"))).toBeGreaterThanOrEqual(seconds + 20);
  });

  it.skipIf(!hasAnalyze)(`is what systemd understands, every line${why}`, () => {
    const file = folder.write("postern.service", installed(config));
    const { status, stdout, stderr } = analyze("verify", "--man=no", file);
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: "", stderr: "" });
    const broken = folder.write("broken/postern.service", installed(config).replace("NoNewPrivileges", "NoNewRights"));
    expect(analyze("verify", "--man=no", broken).stderr).toContain("NoNewRights");
  });

  it.skipIf(!hasAnalyze)(`leaves the process little to do harm with${why}`, () => {
    const file = folder.write("postern.service", installed(config));
    expect(analyze("security", "--offline=true", "--threshold=20", file).status).toBe(0);
  });
});
