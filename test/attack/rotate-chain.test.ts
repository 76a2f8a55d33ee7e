import { spawn } from "node:child_process";
import { chmodSync, lstatSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { setChainSecrets } from "../../src/kamailio/rpc.ts";
import { ended, postern } from "../helpers/cli.ts";
import { startKamailio } from "../helpers/kamailio.ts";
import { granted } from "../helpers/legs.ts";
import { freePort } from "../helpers/ports.ts";
import { status } from "../helpers/raw-client.ts";
import { Rotation } from "../helpers/rotation.ts";
import { processes, Secrets } from "../helpers/secrets.ts";
import { temporaryDir } from "../helpers/temporary.ts";

/** Whoever could call Kamailio's RPC would choose the chain secret, and with it every user of every customer. */

const evil = "a-secret-that-somebody-brought";
const call = JSON.stringify({ jsonrpc: "2.0", method: "htable.sets", params: ["chain", "secrets", evil], id: 1 });

let rotation: Rotation;
afterEach(() => rotation.close());

const open = async (secret: string): Promise<void> => {
  rotation = await Rotation.open({ secret });
  // As /run/kamailio is: anybody may look into it.
  chmodSync(dirname(rotation.socket), 0o755);
};

const secret = "the-chain-secret-before-the-attack";
const paths = ["/", "/RPC", "/RPC2", "/jsonrpc", "/rpc"];

/** The whole answer to bytes on a TCP connection, until it is closed. */
const said = (port: number, text: string): Promise<string> =>
  new Promise((resolve) => {
    let come = "";
    const socket = connect(port, "127.0.0.1", () => socket.write(text));
    socket.on("data", (bytes) => {
      come += bytes.toString("latin1");
      socket.end();
    });
    socket.on("error", () => socket.destroy());
    socket.on("close", () => resolve(come));
  });

const post = (path: string, more: readonly string[] = []): string =>
  [
    `POST ${path} HTTP/1.1`,
    "Host: x",
    "Content-Type: application/json",
    ...more,
    `Content-Length: ${call.length}`,
    "",
    call,
  ].join("\r\n");

describe("RPC at Kamailio", () => {
  it("is not reached over HTTP, by a stranger or under a good grant", { timeout: 180_000 }, async () => {
    await open(secret);
    const grant = Object.entries(granted("alice", { secret })).map(([name, value]) => `${name}: ${value}`);
    for (const path of paths) {
      for (const more of [[], grant]) {
        expect(await said(rotation.kamailio.wsPort, post(path, more)), path).toMatch(/^HTTP\/1\.1 404 /);
      }
    }
    expect([await rotation.takes(evil), await rotation.takes(secret)]).toEqual([false, true]);
  });

  it("is not reached through the gateway, by a stranger or a lawful visitor", { timeout: 180_000 }, async () => {
    await open(secret);
    for (const path of paths) {
      const url = rotation.gateway.gatewayUrl.replace(/^ws/, "http") + path;
      const asked = await fetch(url, { method: "POST", body: call, headers: { "content-type": "application/json" } });
      expect(asked.status, path).toBeGreaterThanOrEqual(400);
    }
    const alice = await rotation.user("alice");
    const parts = { body: call, extra: ["X-Postern-Rpc: htable.sets"] };
    expect(status(await alice.prove("OPTIONS", "sip:acme.example", parts))).toBe(200);
    expect([await rotation.takes(evil), await rotation.takes(secret)]).toEqual([false, true]);
  });

  it("is a socket that no other user may open, beside files that no other user may read", {
    timeout: 180_000,
  }, async () => {
    await open(secret);
    expect((await rotation.run()).exit).toBe(0);
    expect(lstatSync(rotation.socket).isSocket()).toBe(true);
    expect(statSync(rotation.socket).mode & 0o777).toBe(0o600);
    const script = `
      const { connect } = require("node:net");
      const { readFileSync } = require("node:fs");
      const tried = [];
      const read = (file) => { try { readFileSync(file); return "read"; } catch (error) { return error.code; } };
      connect(process.argv[1])
        .on("connect", () => { console.log("open", ...process.argv.slice(2).map(read)); process.exit(); })
        .on("error", (error) => console.log(error.code, ...process.argv.slice(2).map(read)));`;
    const argv = ["-e", script, rotation.socket, rotation.local, "/etc/hostname"];
    const as = async (uid: number): Promise<string> => {
      const child = spawn(process.execPath, argv, { stdio: "pipe", uid, gid: uid, cwd: "/" });
      return (await ended(child)).stdout.trim();
    };
    expect(await as(65_534)).toBe("EACCES EACCES read");
    expect(await as(0)).toBe("open read read");
  });

  it("is no network address, whatever stands in RPC_SOCKET", { timeout: 180_000 }, async () => {
    await open(secret);
    const port = await freePort();
    const dir = temporaryDir("rpc-address");
    const started = startKamailio({
      chainSecret: secret,
      dir,
      report: false,
      defines: { RPC_SOCKET: `tcp:127.0.0.1:${port}` },
    });
    const other = await started.catch(() => undefined);
    const reached = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1", () => resolve(true));
      socket.on("error", () => resolve(false));
    });
    await other?.stop();
    rmSync(dir, { recursive: true, force: true });
    expect(reached).toBe(false);
  });

  it("is there for its own user", { timeout: 180_000 }, async () => {
    await open(secret);
    expect(await setChainSecrets(rotation.socket, [evil, secret])).toEqual({ kind: "done" });
    expect([await rotation.takes(evil), await rotation.takes(secret)]).toEqual([true, true]);
  });
});

describe("the secrets of a rotation", () => {
  it("stand in no log, no output, no argument, no environment and no file that others read", {
    timeout: 180_000,
  }, async () => {
    const secrets = new Secrets();
    const old = secrets.make("the old chain secret");
    await open(old);
    const command = rotation.start([...rotation.overlap, "--json"]);
    const watched: string[] = [];
    for (const line of ["announce:", "use: ws:", "use: /", "retire:", "Kamailio forget", "gateway forgets"]) {
      await command.said(line);
      for (const { pid, argv, environment } of processes()) {
        // This process has made the old one itself.
        if (pid !== process.pid) watched.push(argv, environment);
      }
      readable(dirname(rotation.local), secrets);
      readable(rotation.folder.path, secrets);
      await rotation.user("alice");
    }
    const { exit, stdout, stderr } = await command.ended;
    expect(exit).toBe(0);
    const local = readFileSync(rotation.local, "utf8");
    secrets.keep("the new chain secret", /^#!define CHAIN_SECRET "(.*)"$/m.exec(local)?.[1] ?? "");
    secrets.given(old + local);
    await rotation.killKamailio();
    const doctor = await postern(["doctor", "-c", rotation.config, "--kamailio", rotation.local, "--json"]);
    secrets.said("what the command says", stdout + stderr);
    secrets.said("what the doctor says", doctor.stdout + doctor.stderr);
    secrets.said("arguments and environments", watched.join("\n"));
    secrets.said("the gateway's log", rotation.gateway.log());
    secrets.said("Kamailio's log", rotation.kamailioLog);
    const metrics = await (await fetch(`${rotation.gateway.adminUrl}/metrics`)).text();
    secrets.said("the metrics", metrics);
    readable(dirname(rotation.local), secrets);
    readable(rotation.folder.path, secrets);
    expect(secrets.unused()).toEqual([]);
    expect(secrets.leaks()).toEqual([]);
    expect(readdirSync(dirname(rotation.local)).filter((name) => /tmp|rotating/.test(name))).toEqual([]);
    expect(readdirSync(rotation.folder.path).filter((name) => /tmp|rotating/.test(name))).toEqual([]);
    expect(status(await (await rotation.stranger("bob")).prove("OPTIONS", "sip:acme.example"))).toBe(200);
  });
});

/** Files of a folder that others than the owner and its group may read. */
function readable(folder: string, secrets: Secrets): void {
  for (const name of readdirSync(folder)) {
    const file = join(folder, name);
    const found = lstatSync(file, { throwIfNoEntry: false });
    if (found?.isFile() && (found.mode & 0o007) !== 0)
      secrets.said(`${name}, which others may read`, readFileSync(file, "latin1"));
  }
}
