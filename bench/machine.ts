import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";

/** What the figures were taken on and with: they mean nothing elsewhere. */
export function machine(): Record<string, string | number> {
  return { cpu: cpus()[0]?.model ?? "unknown", cores: cpus().length, memory: totalmem(), kernel: release() };
}

export function versions(): Record<string, string> {
  const ws = readFileSync(new URL("../node_modules/ws/package.json", import.meta.url), "utf8");
  return {
    node: process.versions.node,
    ws: (JSON.parse(ws) as { version: string }).version,
    kamailio: said("kamailio", /version: kamailio (\S+)/),
    haproxy: said("haproxy", /version (\S+)/),
    nginx: said("nginx", /nginx\/(\S+)/),
  };
}

function said(command: string, pattern: RegExp): string {
  const { stdout, stderr } = spawnSync(command, ["-v"], { encoding: "utf8" });
  return pattern.exec(`${stdout ?? ""}${stderr ?? ""}`)?.[1] ?? "absent";
}
