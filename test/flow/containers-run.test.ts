import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { rtpengineCalls } from "../../scripts/rtpengine.ts";
import { postern } from "../helpers/cli.ts";
import { freePort, freePorts } from "../helpers/ports.ts";
import { temporaryDir } from "../helpers/temporary.ts";
import { grant, openUpstream } from "../helpers/upstream-client.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const isRoot = process.getuid?.() === 0;
/** Debian's nobody: what root starts here must be able to do without root. */
const nobody = 65_534;
const unprivileged = isRoot ? { uid: nobody, gid: nobody } : {};

const dir = temporaryDir("containers");
chmodSync(dir, 0o755);
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const children = new Set<ChildProcessWithoutNullStreams>();
afterEach(async () => {
  const ends = [...children].map((child) => once(child, "exit"));
  for (const child of children) child.kill("SIGTERM");
  await Promise.all(ends);
});

function start(command: string, args: readonly string[], options: object): ChildProcessWithoutNullStreams {
  const child = spawn(command, args, { ...options, stdio: "pipe" });
  children.add(child);
  child.once("exit", () => children.delete(child));
  return child;
}

/** What it says from now on, on either stream. */
function listen(child: ChildProcessWithoutNullStreams): () => string {
  const said: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => said.push(chunk));
  return () => Buffer.concat(said).toString();
}

describe("make-secrets.sh", () => {
  const script = join(root, "deploy/docker/make-secrets.sh");

  it("makes a random secret in each file, for owner and group to read, and never replaces one", () => {
    const files = ["one", "two"].map((name) => join(dir, name));
    const make = (): number | null => spawnSync("sh", [script, ...files], { stdio: "ignore" }).status;
    expect(make()).toBe(0);
    const made = files.map((file) => readFileSync(file, "utf8"));
    for (const secret of made) expect(Buffer.from(secret, "base64")).toHaveLength(32);
    expect(made[0]).not.toBe(made[1]);
    expect(files.map((file) => statSync(file).mode & 0o777)).toEqual([0o440, 0o440]);
    expect(make()).toBe(0);
    expect(files.map((file) => readFileSync(file, "utf8"))).toEqual(made);
  });

  it("fails where it cannot write", () => {
    expect(spawnSync("sh", [script, join(dir, "nowhere/at/all")], { stdio: "ignore" }).status).not.toBe(0);
  });
});

describe("the gateway's entrypoint", () => {
  const script = join(root, "deploy/docker/entrypoint.sh");
  const bin = join(dir, "bin");
  mkdirSync(bin);
  writeFileSync(join(bin, "postern"), '#!/bin/sh\necho "$POSTERN_PRIVATE_ADDRESS $*"\n', { mode: 0o755 });
  const run = (env: Record<string, string>) =>
    spawnSync("sh", [script, "serve", "-c", "a b"], {
      env: { PATH: `${bin}:${process.env.PATH}`, ...env },
      encoding: "utf8",
    });

  it("tells postern the address that its private name has, and passes what it was given", () => {
    expect(run({ POSTERN_PRIVATE_NAME: "localhost" })).toMatchObject({ status: 0, stdout: "127.0.0.1 serve -c a b\n" });
    expect(run({})).toMatchObject({ status: 0, stdout: " serve -c a b\n" });
  });

  it("says that the name is not known, and starts nothing", () => {
    const { status, stdout, stderr } = run({ POSTERN_PRIVATE_NAME: "nobody.invalid" });
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toContain("nobody.invalid in POSTERN_PRIVATE_NAME is not known");
  });
});

/** Folders as the image has them, the user's own; the repository itself may be where no other user may look. */
function kamailioRoot(name: string, secret: string | undefined): NodeJS.ProcessEnv & { folder: string } {
  const folder = join(dir, name);
  for (const part of ["run", "data"]) mkdirSync(join(folder, part), { recursive: true });
  cpSync(join(root, "kamailio"), join(folder, "config"), { recursive: true });
  cpSync(join(root, "deploy/docker/kamailio"), join(folder, "bin"), { recursive: true });
  if (secret !== undefined) writeFileSync(join(folder, "secret"), secret, { mode: 0o400 });
  spawnSync("chmod", ["-R", "go+rX", join(folder, "config"), join(folder, "bin")]);
  if (isRoot)
    for (const part of ["run", "data", ...(secret === undefined ? [] : ["secret"])])
      chownSync(join(folder, part), nobody, nobody);
  return {
    folder,
    PATH: `${process.env.PATH}:/usr/sbin:/sbin`,
    KAMAILIO_CONFIG: join(folder, "config"),
    KAMAILIO_RUN: join(folder, "run"),
    KAMAILIO_DATA: join(folder, "data"),
    CHAIN_SECRET_FILE: join(folder, "secret"),
    CHAIN_SECRET_OLD_FILE: join(folder, "old"),
    SHARED_MEMORY: "32",
    CHILDREN: "1",
  };
}

const hasSqlite = spawnSync("sqlite3", ["-version"]).status === 0;
const withoutSqlite = hasSqlite ? "" : " (skipped: no sqlite3 on this machine)";

describe("Kamailio's entrypoint", () => {
  it.skipIf(!hasSqlite)(
    `starts Kamailio as a user without rights, with the secret of the file in local.cfg alone${withoutSqlite}`,
    async () => {
      const secret = 'quotes " and \\ backslashes $ # stay';
      const env = kamailioRoot("good", `${secret}\n`);
      const port = await freePort();
      Object.assign(env, { LISTEN_WS: `localhost:${port}`, LISTEN_SIP: `127.0.0.1:${await freePort()}` });
      Object.assign(env, { RTPENGINE: "localhost:22222" });
      const child = start("sh", [join(env.folder, "bin/entrypoint.sh")], { env, ...unprivileged });
      const said = listen(child);
      const healthy = (): boolean =>
        spawnSync("bash", [join(env.folder, "bin/health.sh")], { env, ...unprivileged, stdio: "ignore" }).status === 0;
      await expect.poll(healthy, { timeout: 15_000, message: "Kamailio is healthy" }).toBe(true);

      const headers = grant({ secret, user: "alice", domain: "acme.example" });
      const opened = await openUpstream({ url: `ws://127.0.0.1:${port}`, headers });
      expect(opened).toMatchObject({ ok: true });
      if (opened.ok) await opened.client.close();
      const foreign = grant({ secret: "another secret altogether", user: "alice", domain: "acme.example" });
      expect(await openUpstream({ url: `ws://127.0.0.1:${port}`, headers: foreign })).toEqual({
        ok: false,
        status: 403,
      });

      expect(readFileSync(join(env.folder, "run/local.cfg"), "utf8")).toContain(
        '#!define RTPENGINE "udp:127.0.0.1:22222"\n#!define MEDIA_NETWORKS\n',
      );
      expect(statSync(join(env.folder, "run/local.cfg")).mode & 0o777).toBe(0o600);
      if (isRoot) expect(readFileSync(`/proc/${child.pid}/status`, "latin1")).toMatch(/^Uid:\s+65534\s+65534\s/m);
      for (const file of ["cmdline", "environ"]) {
        expect(readFileSync(`/proc/${child.pid}/${file}`, "latin1"), file).not.toContain("backslashes");
      }
      expect(readFileSync(`/proc/${child.pid}/cmdline`, "latin1")).toMatch(/^kamailio\0/);
      expect(said()).not.toContain("backslashes");
    },
  );

  const lines = { LISTEN_WS: "127.0.0.1:5080", LISTEN_SIP: "127.0.0.1:5060" };
  it.each([
    ["no secret", undefined, {}, /is not there, or not for this user/],
    ["a short one", "short\n", {}, /has fewer than 16 bytes/],
    ["two lines", "a secret of two lines\nand more\n", {}, /is not one line of text/],
    ["a NUL", "a secret with a NUL\0 in it\n", {}, /is not one line of text/],
    ["an unknown hash", "a secret that is long enough\n", { CHAIN_ALGORITHM: "md5" }, /CHAIN_ALGORITHM is none of/],
    [
      "a name that is not known",
      "a secret that is long enough\n",
      { LISTEN_WS: "nobody.invalid:5080" },
      /is not known here/,
    ],
    ["no port", "a secret that is long enough\n", { LISTEN_SIP: "127.0.0.1" }, /LISTEN_SIP takes host:port/],
    [
      "a line in a setting",
      "a secret that is long enough\n",
      { ADVERTISE_SIP: "h:1\nlisten=tcp:0.0.0.0:1" },
      /ADVERTISE_SIP takes/,
    ],
  ])("refuses %s in one sentence, and starts nothing", (name, secret, more, sentence) => {
    const env = kamailioRoot(`bad ${name}`, secret);
    const { status, stderr, stdout } = spawnSync("sh", [join(env.folder, "bin/entrypoint.sh")], {
      env: { ...env, ...lines, ...more },
      ...unprivileged,
      encoding: "utf8",
      timeout: 10_000,
    });
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(sentence);
    expect(stderr).not.toMatch(/a secret/);
    expect(existsSync(join(env.folder, "run/local.cfg"))).toBe(false);
  });
});

describe("rtpengine's entrypoint", () => {
  const script = join(root, "deploy/docker/rtpengine/entrypoint.sh");
  const env = {
    PATH: process.env.PATH,
    RTPENGINE_CONFIG: join(root, "deploy/rtpengine/rtpengine.conf"),
    MEDIA: "127.0.0.2",
  };

  it("starts rtpengine, which takes commands there, and names to pages the address that they know", async () => {
    const port = await freePort();
    const first = await freePorts(8);
    const more = {
      CONTROL: `localhost:${port}`,
      MEDIA_PORTS: `${first}-${first + 7}`,
      ADVERTISE_MEDIA: "198.51.100.7",
    };
    start("sh", [script], { env: { ...env, ...more } });
    await expect
      .poll(() => rtpengineCalls(`udp:127.0.0.1:${port}`).catch(() => undefined), { timeout: 15_000 })
      .toEqual([]);
  });

  it.each([
    ["a name that is not known", { CONTROL: "nobody.invalid:22222" }, /is not known here/],
    ["no port", { CONTROL: "127.0.0.1" }, /CONTROL takes host:port/],
    ["ports that are none", { MEDIA_PORTS: "30000" }, /MEDIA_PORTS takes/],
    ["an address that is none", { ADVERTISE_MEDIA: "h!i" }, /ADVERTISE_MEDIA takes/],
  ])("refuses %s in one sentence, and starts nothing", (_, more, sentence) => {
    const given = { env: { ...env, CONTROL: "127.0.0.1:1", ...more }, encoding: "utf8", timeout: 10_000 } as const;
    const { status, stderr } = spawnSync("sh", [script], given);
    expect(status).toBe(1);
    expect(stderr).toMatch(sentence);
  });
});

/** The packages of the lock file that a build without --omit=dev would add are those marked dev. */
function productionPackages(): string[] {
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
    packages: Record<string, { dev?: boolean; devOptional?: boolean }>;
  };
  return Object.entries(packages)
    .filter(
      ([path, { dev, devOptional }]) =>
        path !== "" && !dev && !devOptional && !/node_modules\/node-(?:bin|darwin|linux)-/.test(path),
    )
    .map(([path]) => path)
    .filter((path) => existsSync(join(root, path)));
}

/** What the build stage of the Dockerfile copies, from where to where. */
function copied(): [source: string, target: string][] {
  const stage = readFileSync(join(root, "Dockerfile"), "utf8").split(/^FROM /m)[1] ?? "";
  return [...stage.matchAll(/^COPY (.+)$/gm)].flatMap(([, line = ""]) => {
    const words = line.split(" ");
    const target = words.at(-1) ?? "";
    return words.slice(0, -1).map((source): [string, string] => {
      const isFolder = target.endsWith("/");
      return [source, isFolder ? join(target, source.split("/").at(-1) ?? "") : target];
    });
  });
}

const secretFolders = ["run/secrets/chain", "run/secrets/customers"];
const triplet = process.arch === "arm64" ? "aarch64-linux-gnu" : "x86_64-linux-gnu";
/** Where a program looks for its loader, on either processor. */
const loaders = {
  "lib64/ld-linux-x86-64.so.2": "x86_64-linux-gnu",
  "usr/lib/ld-linux-aarch64.so.1": "aarch64-linux-gnu",
};

function assemble(image: string): void {
  const app = join(image, "usr/lib/postern");
  for (const [source, target] of copied()) cpSync(join(root, source), join(app, target), { recursive: true });
  for (const path of productionPackages()) cpSync(join(root, path), join(app, path), { recursive: true });
  for (const folder of ["usr/local/bin", `usr/lib/${triplet}`, "lib64", "etc/postern", ...secretFolders]) {
    mkdirSync(join(image, folder), { recursive: true });
  }
  symlinkSync("usr/lib", join(image, "lib"));
  for (const [link, where] of Object.entries(loaders))
    symlinkSync(`/lib/${where}/${basename(link)}`, join(image, link));
  writeFileSync(join(image, "usr/local/bin/node"), "");
  const config = readFileSync(join(root, "deploy/docker/postern/postern.yaml"), "utf8");
  const local = config.replace("ws://0.0.0.0:8088", "ws://127.0.0.1:0").replace(":8089", ":0");
  writeFileSync(join(image, "etc/postern/postern.yaml"), local);
  for (const file of ["chain/secret", "customers/acme"])
    writeFileSync(join(image, "run/secrets", file), `secret for ${file}\n`);
  spawnSync("chmod", ["-R", "go+rX", image]);
}

/** In a mount namespace of its own: node and the system's libraries, all of it read-only, then a user of the image. */
const enter = `
set -eu
mount --bind "$1" "$1"
mount --bind "$2" "$1/usr/local/bin/node"
mount --bind "/usr/lib/$3" "$1/usr/lib/$3"
mount -o remount,bind,ro "$1/usr/lib/$3"
mount -o remount,bind,ro "$1/usr/local/bin/node"
mount -o remount,bind,ro "$1"
exec setpriv --no-new-privs chroot --userspec=10001:10001 --groups= "$1" /usr/local/bin/node /usr/lib/postern/src/cli/main.ts serve -c /etc/postern/postern.yaml
`;

const canEnter = isRoot && spawnSync("unshare", ["--mount", "true"]).status === 0;
const cannotEnter = canEnter ? "" : " (skipped: it takes root and a mount namespace)";

describe("the gateway's image, put together without Docker", () => {
  it.skipIf(!canEnter)(
    `runs and is healthy with production packages alone, on a read-only root, as a user without rights${cannotEnter}`,
    async () => {
      const image = join(dir, "image");
      assemble(image);
      expect(existsSync(join(image, "usr/lib/postern/node_modules/vitest"))).toBe(false);
      const args = ["--mount", "--propagation", "private", "sh", "-c", enter, "sh", image, process.execPath, triplet];
      const child = start("unshare", args, {
        env: { PATH: process.env.PATH, NODE_ENV: "production" },
      });
      const said = listen(child);
      const printed: string[] = [];
      for await (const line of createInterface(child.stdout)) if (printed.push(line) === 2) break;
      expect(printed, said()).toHaveLength(2);
      child.stdout.resume();
      const status = readFileSync(`/proc/${child.pid}/status`, "latin1");
      expect(status).toMatch(/^Uid:\s+10001\s+10001\s/m);
      expect(status).toMatch(/^CapEff:\s+0{16}$/m);
      const admin = printed[1]!.replace("admin ", "");
      expect(await postern(["health", "--live", "--admin", admin])).toMatchObject({ exit: 0 });
      expect(await postern(["health", "--json", "--admin", admin])).toMatchObject({ exit: 1 });
    },
  );
});

describe("docker-compose.yml, really", () => {
  const script = join(root, "test/compose.sh");
  /** Its exit where this machine cannot run it. */
  const notHere = 77;
  const why = (said: string): string => said.trim().split("\n").at(-1) ?? "";
  const { status, stderr } = spawnSync("sh", [script, "--can"], { encoding: "utf8", timeout: 30_000 });
  if (status !== 0) process.stderr.write(`${why(stderr)}\n`);

  it.skipIf(status !== 0)(
    `is built, started, called through and taken away${status === 0 ? "" : ` (skipped: ${why(stderr)})`}`,
    { timeout: 600_000 },
    async ({ skip }) => {
      const child = start("sh", [script], { cwd: root });
      const said = listen(child);
      const [exit] = (await once(child, "close")) as [number | null];
      if (exit === notHere) {
        process.stderr.write(`${why(said())}\n`);
        skip(why(said()));
      }
      expect(exit, said()).toBe(0);
    },
  );
});
