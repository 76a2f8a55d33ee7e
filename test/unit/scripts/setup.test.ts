import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const repository = fileURLToPath(new URL("../../..", import.meta.url));
let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "postern-setup-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** A program of that name that comes first in PATH. */
function program(name: string, script: string): void {
  const path = join(dir, "bin", name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
}

function sh(args: readonly string[], input = "", path = `${join(dir, "bin")}:${process.env.PATH}`) {
  const env = { ...process.env, PATH: path };
  const { status, stdout, stderr } = spawnSync("/bin/sh", args, { env, input, encoding: "utf8", cwd: dir });
  return { status, stdout, stderr };
}

/** A clone with nothing installed; its npm reads its stdin, says words, and installs the node that is given. */
function clone(node = process.execPath): string {
  mkdirSync(join(dir, "clone/scripts"), { recursive: true });
  for (const name of ["scripts/run.sh", "package-lock.json"])
    copyFileSync(join(repository, name), join(dir, "clone", name));
  program("npm", `cat; echo words; mkdir -p node_modules/.bin; ln -sf ${node} node_modules/.bin/node`);
  return join(dir, "clone/scripts/run.sh");
}

function script(body: string): string {
  const path = join(dir, "script.ts");
  writeFileSync(path, `import { text } from "node:stream/consumers";\n${body}\n`);
  return path;
}

describe("run.sh", () => {
  it("installs by the lock file, with stdin and stdout left alone, and not again until the lock file changes", () => {
    const run = clone();
    const echo = script("console.log(await text(process.stdin));");
    const first = sh([run, echo], "in");
    expect(first).toMatchObject({ status: 0, stdout: "in\n" });
    expect(first.stderr).toContain("words");
    expect(sh([run, echo], "in")).toEqual({ status: 0, stdout: "in\n", stderr: "" });
    writeFileSync(join(dir, "clone/package-lock.json"), "{}");
    expect(sh([run, echo]).stderr).toContain("words");
  });

  it("hands arguments and exit code through, in the caller's folder", () => {
    const words = "console.log(JSON.stringify(process.argv.slice(2)), process.cwd() === import.meta.dirname);";
    const ran = sh([clone(), script(`${words}\nprocess.exitCode = 7;`), "a b", "", "--with-servers"]);
    expect(ran).toMatchObject({ status: 7, stdout: '["a b","","--with-servers"] true\n' });
  });

  it("gives Node as many threads as the unit does", () => {
    const unit = readFileSync(join(repository, "deploy/systemd/postern.service"), "utf8");
    const threads = script("console.log(`UV_THREADPOOL_SIZE=${process.env.UV_THREADPOOL_SIZE}`);");
    const { stdout } = sh(["-c", `unset UV_THREADPOOL_SIZE; exec sh "${clone()}" "${threads}"`]);
    expect(unit).toContain(`Environment=${stdout}`);
  });

  it("prefers the package's Node to the machine's", () => {
    program("node", "echo 20");
    expect(sh([clone(), script("console.log(process.versions.node);")]).stdout).toBe(`${process.versions.node}\n`);
  });

  it("says in one sentence that Node is too old where no package has a newer one", () => {
    program("old-node", "echo 20");
    const { status, stdout, stderr } = sh([clone(join(dir, "bin/old-node")), script("")]);
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr.trim().split("\n").at(-1)).toMatch(/^postern: .*install Node 24 or later$/);
  });

  it("does not take a failed installation for one", () => {
    const run = clone();
    program("npm", "exit 1");
    for (const _ of [1, 2]) expect(sh([run, script("")])).toMatchObject({ status: 1, stdout: "" });
  });

  it("wants a script", () => {
    expect(sh([clone()])).toMatchObject({ status: 2, stdout: "" });
  });
});

describe("servers.sh", () => {
  const servers = join(repository, "scripts/servers.sh");

  it("does nothing where all is there", () => {
    program("apt-get", "echo called");
    expect(sh([servers])).toEqual({ status: 0, stdout: "", stderr: "" });
    expect(sh([servers, "tests"])).toEqual({ status: 0, stdout: "", stderr: "" });
  });

  it("asks for what tests run only where there are tests to run", () => {
    program("kamailio", `echo "  Default paths to modules: ${dir}"`);
    for (const module of [
      "websocket",
      "auth_ephemeral",
      "tls",
      "outbound",
      "db_sqlite",
      "json",
      "utils",
      "rtpengine",
    ]) {
      writeFileSync(join(dir, `${module}.so`), "");
    }
    for (const name of ["sipp", "openssl", "rtpengine"]) program(name, "exit 0");
    for (const name of ["sed", "cut", "grep"]) symlinkSync(`/usr/bin/${name}`, join(dir, "bin", name));
    program("id", "echo 1000");
    program("sudo", "exit 1");
    program("apt-get", "echo called");
    expect(sh([servers], "", join(dir, "bin"))).toMatchObject({ status: 0, stderr: "" });
    expect(sh([servers, "tests"], "", join(dir, "bin"))).toMatchObject({ status: 1 });
  });

  it.each([
    ["turnserver", /coturn/],
    ["baresip", /baresip-core/],
    ["pg_ctlcluster", /postgresql/],
    ["chromium", /chromium/],
    ["php", /php-cli/],
    ["go", /golang-go/],
    ["python3", /python3/],
    ["curl", / curl /],
    ["jq", / jq /],
    ["sipp", /sip-tester/],
    ["rtpengine", /rtpengine-daemon/],
  ])("misses %s where it is absent, and names its package", (absent, packages) => {
    const present = [
      "sipp",
      "openssl",
      "promtool",
      "turnserver",
      "baresip",
      "pg_ctlcluster",
      "chromium",
      "php",
      "go",
      "python3",
      "curl",
      "jq",
      "rtpengine",
    ];
    for (const name of present.filter((one) => one !== absent)) program(name, "exit 0");
    program("id", "echo 1000");
    program("sudo", "exit 1");
    for (const name of ["kamailio", "sed", "cut", "grep"]) program(name, "exit 0");
    program("apt-get", "echo called");
    const { status, stdout, stderr } = sh([servers, "tests"], "", join(dir, "bin"));
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toMatch(new RegExp(`^postern: ${absent} is missing and neither root nor sudo .*\\n$`));
    expect(stderr).toMatch(packages);
  });

  it("says in one sentence what to install, without root, sudo or apt's help", () => {
    program("kamailio", `echo "  Default paths to modules: ${dir}"`);
    program("id", "echo 1000");
    program("sudo", "exit 1");
    const { status, stdout, stderr } = sh([servers]);
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toMatch(
      /^postern: Kamailio's module websocket is missing and neither root nor sudo .*sip-tester.*\n$/,
    );
  });
});
