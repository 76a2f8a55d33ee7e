import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { temporaryDir } from "../../helpers/temporary.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const page = read("docs/dependencies.md");

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

interface Locked {
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly license?: string;
  readonly link?: boolean;
  readonly dev?: boolean;
  readonly hasInstallScript?: boolean;
}

const manifest = JSON.parse(read("package.json")) as Manifest;
const lock = (JSON.parse(read("package-lock.json")) as { packages: Record<string, Locked> }).packages;
const locked = Object.entries(lock).filter(([path]) => path !== "");
const production = locked.filter(([, { dev }]) => !dev);

const section = (title: string): string => page.split(`\n## ${title}\n`)[1]?.split("\n## ", 1)[0] ?? "";
const rowsOf = (title: string): string[][] =>
  [...section(title).matchAll(/^\| (`.*) \|$/gm)].map(([, row = ""]) => row.split(" | ").map((cell) => cell.trim()));
const named = (title: string): string[] => rowsOf(title).map(([name = ""]) => name.replaceAll("`", ""));
const tables = ["At run time", "Node itself", "For development and tests"];

/** Package → folders of src that import it. */
function importers(): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const path of readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })) {
    if (!path.endsWith(".ts")) continue;
    const imports = read(`src/${path}`).matchAll(/^(?:import|export)\b[^"';]*?from "([^"]+)"|\bimport\("([^"]+)"\)/gm);
    for (const [, still, later] of imports) {
      const name = /^(?:@[^/]+\/)?[^/]+/.exec(still ?? later ?? "")?.[0] ?? "";
      if (name.startsWith(".") || name.startsWith("node:")) continue;
      found.set(name, (found.get(name) ?? new Set()).add(path.split("/")[0] ?? ""));
    }
  }
  return found;
}

describe("docs/dependencies.md", () => {
  it.each([
    ["At run time", Object.keys(manifest.dependencies)],
    ["Node itself", Object.keys(manifest.optionalDependencies)],
    ["For development and tests", Object.keys(manifest.devDependencies)],
  ])("has a row for each package: %s", (title, packages) => {
    expect(named(title).toSorted()).toEqual(packages.toSorted());
  });

  it("says of each why, by whom, and what it touches", () => {
    for (const row of tables.flatMap(rowsOf)) {
      expect(row, row.join()).toHaveLength(6);
      for (const at of [1, 2, 3, 5]) expect(row[at]?.length, row.join()).toBeGreaterThan(2);
    }
  });

  it("has the licences that the lock file has", () => {
    for (const [name = "", , , licence] of tables.flatMap(rowsOf)) {
      const { license } = lock[`node_modules/${name.replaceAll("`", "")}`] ?? {};
      // One of Node's packages for macOS says nothing; its siblings, made alike, say MIT.
      expect(licence).toBe(license ?? "MIT");
    }
  });

  it("names the folders that import it", () => {
    const real = importers();
    const told = rowsOf("At run time").map(([name = "", , , , by = ""]) => [
      name.replaceAll("`", ""),
      by.replaceAll("`", "").split(", ").toSorted(),
    ]);
    expect(Object.fromEntries(told)).toEqual(
      Object.fromEntries([...real].map(([name, folders]) => [name, [...folders].toSorted()])),
    );
  });

  it("has advisories that the lock file is past", () => {
    const rows = rowsOf("Advisories");
    expect(rows.length).toBeGreaterThan(5);
    for (const [name = "", from = "", advisory = ""] of rows) {
      const versions = locked.filter(([path]) => path.endsWith(`node_modules/${name.replaceAll("`", "")}`));
      expect(versions.length, name).toBeGreaterThan(0);
      expect(advisory).toMatch(/^(?:CVE|GHSA)-/);
      for (const [path, { version = "" }] of versions) {
        expect(
          version.localeCompare(from, "en", { numeric: true }),
          `${path} ${version} < ${from}`,
        ).toBeGreaterThanOrEqual(0);
      }
    }
  });
});

describe("the lock file", () => {
  it("has the SHA-512 of every package", () => {
    expect(locked.length).toBeGreaterThan(100);
    expect(locked.filter(([, { integrity }]) => !/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity ?? ""))).toEqual([]);
  });

  it("takes every package from the registry, whichever npm is set to: no host, git, file or link", () => {
    const elsewhere = ([, { resolved, link, version }]: [string, Locked]): boolean =>
      resolved !== undefined || link === true || !/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version ?? "");
    expect(locked.filter(elsewhere)).toEqual([]);
    const wanted = Object.values({
      ...manifest.dependencies,
      ...manifest.devDependencies,
      ...manifest.optionalDependencies,
    });
    expect(wanted.filter((range) => !/^[~^]?\d+\.\d+\.\d+$/.test(range))).toEqual([]);
  });

  it("is of this package.json", () => {
    const { dependencies, devDependencies, optionalDependencies } = manifest;
    expect(lock[""]).toMatchObject({ dependencies, devDependencies, optionalDependencies });
  });

  it("has no install script in a production install, and only licences that docs/dependencies.md names", () => {
    expect(production.filter(([, { hasInstallScript }]) => hasInstallScript)).toEqual([]);
    const licences = new Set(production.map(([, { license }]) => license ?? "MIT"));
    const told = /^- Licences of all .*: (.*)\.$/m.exec(page)?.[1]?.split(", ") ?? [];
    expect([...licences].filter((licence) => !told.includes(licence))).toEqual([]);
  });
});

describe("a production install", () => {
  const folder = temporaryDir("production");
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** Links to the packages that npm ci --omit=dev would install, and no others. */
  function install(): void {
    cpSync(join(root, "src"), join(folder, "src"), { recursive: true });
    cpSync(join(root, "package.json"), join(folder, "package.json"));
    for (const [path] of production.filter(([one]) => one.split("node_modules/").length === 2)) {
      if (!existsSync(join(root, path))) continue;
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      symlinkSync(join(root, path), join(folder, path));
    }
  }

  /** Imports files as a program would; packages are looked for beside the links, not behind them. */
  function load(files: readonly string[]): string {
    const script = files.map((file) => `await import(${JSON.stringify(file)});`).join("\n");
    writeFileSync(join(folder, "load.ts"), `${script}\nconsole.log("loaded", ${files.length});\n`);
    const args = ["--preserve-symlinks", "--preserve-symlinks-main", join(folder, "load.ts")];
    return execFileSync(process.execPath, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  }

  it("has all that src imports", () => {
    install();
    const files = readdirSync(join(folder, "src"), { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".ts") && path !== "cli/main.ts")
      .map((path) => `./src/${path}`);
    expect(files.length).toBeGreaterThan(100);
    expect(load(files)).toBe(`loaded ${files.length}\n`);
    expect(() => load(["fast-check"])).toThrow(/Cannot find package/);
  });
});
