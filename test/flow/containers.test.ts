import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { ConfigFolder } from "../helpers/config-file.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const read = (file: string): string => readFileSync(join(root, file), "utf8");

interface Service {
  readonly build: { readonly dockerfile?: string };
  readonly user: string;
  readonly read_only: boolean;
  readonly cap_drop: readonly string[];
  readonly security_opt: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly networks?: readonly string[] | Readonly<Record<string, unknown>>;
  readonly network_mode?: string;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly profiles?: readonly string[];
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>;
  readonly volumes: Readonly<Record<string, object>>;
}

const text = read("docker-compose.yml");
const compose = parse(text, { merge: true }) as Compose;
const services = Object.entries(compose.services);
const networksOf = ({ networks = [] }: Service): readonly string[] =>
  Array.isArray(networks) ? networks : Object.keys(networks);
const service = (name: string): Service => {
  const found = compose.services[name];
  if (!found) throw new Error(`docker-compose.yml has no ${name}`);
  return found;
};

describe("docker-compose.yml", () => {
  it("publishes the gateway's port and those of sound alone, on loopback unless told otherwise", () => {
    const published = services.flatMap(([name, { ports = [] }]) => ports.map((port) => [name, port]));
    expect(published).toEqual([
      ["postern", "${POSTERN_PUBLISH:-127.0.0.1:8088}:8088"],
      ["rtpengine", "${RTPENGINE_PUBLISH:-127.0.0.1}:30000-30039:30000-30039/udp"],
    ]);
    expect(read("deploy/docker/rtpengine/entrypoint.sh")).toContain("${MEDIA_PORTS:-30000-30039}");
    expect(services.map(([, { network_mode }]) => network_mode)).not.toContain("host");
  });

  it.each(services.map(([name]) => name))("shuts %s in: read-only root, no capability, a numeric user", (name) => {
    expect(service(name)).toMatchObject({ read_only: true, cap_drop: ["ALL"] });
    expect(service(name).security_opt).toContain("no-new-privileges:true");
    expect(service(name).user).toMatch(/^[1-9]\d{3,}:[1-9]\d{3,}$/);
    expect(Object.keys(service(name))).not.toEqual(expect.arrayContaining(["privileged"]));
    expect(Object.keys(service(name))).not.toEqual(expect.arrayContaining(["cap_add"]));
    expect((service(name).volumes ?? []).join()).not.toMatch(/docker\.sock|:\/proc|:\/sys/);
  });

  it("keeps Kamailio's listener for gateways on a network without a way out, where no trunk is", () => {
    expect(compose.networks.upstream?.internal).toBe(true);
    const inside = services.filter(([, one]) => networksOf(one).includes("upstream")).map(([name]) => name);
    expect(inside.sort()).toEqual(["kamailio", "postern"]);
    expect(networksOf(service("postern"))).not.toContain("trunks");
  });

  it("keeps rtpengine's control port on a network without a way out, for Kamailio alone", () => {
    expect(compose.networks.control?.internal).toBe(true);
    const inside = services.filter(([, one]) => networksOf(one).includes("control")).map(([name]) => name);
    expect(inside.sort()).toEqual(["kamailio", "rtpengine"]);
  });

  it("has the trunk in the profile demo, and nothing else in a profile", () => {
    expect(services.filter(([, { profiles }]) => profiles).map(([name]) => name)).toEqual(["trunk"]);
    expect(service("trunk").profiles).toEqual(["demo"]);
  });

  it("has secrets as files on volumes: made by one service, read-only for all others, the customers' not for Kamailio", () => {
    const holders = (volume: string): string[] =>
      services.flatMap(([name, { volumes = [] }]) =>
        volumes
          .filter((mount) => mount.startsWith(`${volume}:`))
          .map((mount) => `${name} ${mount.split(":")[2] ?? "rw"}`),
      );
    expect(holders("chain-secret").sort()).toEqual(["kamailio ro", "postern ro", "secrets rw"]);
    expect(holders("customer-secrets").sort()).toEqual(["postern ro", "secrets rw"]);
    expect(service("secrets").network_mode).toBe("none");
    const variables = services.flatMap(([, { environment = {} }]) => Object.keys(environment));
    expect(variables.filter((name) => /secret|password|token/i.test(name))).toEqual([]);
    expect(text).not.toMatch(/[A-Za-z0-9+/]{40}/);
  });

  it("uses only what docker-compose 1.29 and docker compose 2 both take, at its top", () => {
    const top = Object.keys(compose).filter((key) => !key.startsWith("x-"));
    expect(top.sort()).toEqual(["networks", "services", "volumes"]);
  });
});

describe("the gateway's config for containers", () => {
  const folder = new ConfigFolder();
  afterAll(() => folder.remove());
  const config = read("deploy/docker/postern/postern.yaml");
  const files = [...config.matchAll(/file:(\S+)/g)].map((match) => match[1]!);

  it("passes the check, with nothing that is not available yet", () => {
    for (const file of files) folder.write(`.${file}`, `secret for ${file}\n`);
    const loaded = folder.load(config.replaceAll("file:/", "file:./"));
    expect(loaded).toMatchObject({ kind: "config", notAvailable: [] });
  });

  it("names exactly the secrets that the compose file makes", () => {
    expect(files.toSorted()).toEqual(service("secrets").command?.toSorted());
  });

  it("has all its secrets in files", () => {
    const secrets = [...config.matchAll(/^\s*(?:- )?secrets?: *(.*)$/gm)].map((match) => match[1]!);
    expect(secrets.filter((value) => value !== "" && !value.startsWith("file:"))).toEqual([]);
    expect(files).toHaveLength(2);
  });
});

/** A Dockerfile as instructions, lines that are continued put together, comments left out. */
function instructions(file: string): [name: string, rest: string][] {
  const lines = read(file)
    .replace(/^#.*\n/gm, "")
    .replace(/\\\n\s*/g, " ")
    .split("\n")
    .filter((line) => line.trim() !== "");
  return lines.map((line) => [line.split(" ", 1)[0]!, line.slice(line.indexOf(" ") + 1)]);
}

const dockerfiles = [...new Set(services.map(([, { build }]) => build.dockerfile ?? "Dockerfile"))];

describe.each(dockerfiles)("%s", (file) => {
  const all = instructions(file);
  const last = (name: string): string | undefined => all.findLast(([one]) => one === name)?.[1];

  it("begins with Debian 12 or a base of one's own, and ends as a numeric user that is not root", () => {
    expect(all.find(([name]) => name === "ARG")?.[1]).toBe("BASE=debian:bookworm-slim");
    expect(new Set(all.filter(([name]) => name === "FROM").map(([, rest]) => rest.replace(/ AS .*/, "")))).toEqual(
      new Set(["${BASE}"]),
    );
    expect(last("USER")).toMatch(/^[1-9]\d{3,}:[1-9]\d{3,}$/);
    const users = services.filter(([, { build }]) => (build.dockerfile ?? "Dockerfile") === file);
    expect(users.map(([, { user }]) => user)).toEqual(users.map(() => last("USER")));
  });

  it("has no secret in a layer or a variable", () => {
    const settings = all.filter(([name]) => name === "ENV" || name === "ARG").map(([, rest]) => rest);
    expect(settings.filter((rest) => /secret|password|token/i.test(rest))).toEqual([]);
    expect(all.filter(([name]) => name === "ADD")).toEqual([]);
  });

  it("copies only what .dockerignore lets through", () => {
    const passed = read(".dockerignore")
      .split("\n")
      .filter((line) => line.startsWith("!"))
      .map((line) => line.slice(1));
    const sources = all
      .filter(([name, rest]) => name === "COPY" && !rest.startsWith("--from"))
      .flatMap(([, rest]) => rest.split(" ").slice(0, -1));
    expect(sources.length).toBeGreaterThan(0);
    for (const source of sources) {
      expect(
        passed.some((path) => `${source.replace(/\/$/, "")}/`.startsWith(`${path}/`)),
        source,
      ).toBe(true);
    }
  });
});

/** What the documents tell an operator to make in this checkout, and what holds secrets. */
const made = [
  "kamailio/local.cfg",
  "kamailio/edge-local.cfg",
  "kamailio/direct-local.cfg",
  "kamailio/tls.cfg",
  "kamailio/key.pem",
  "deploy/docker/postern/key.pem",
  "postern.yaml",
  "acme.secret",
  "kamailio-local.cfg",
];

describe("what an operator makes in the checkout", () => {
  const linesOf = (file: string): string[] =>
    read(file)
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"));
  const matches = (pattern: string, path: string): boolean => {
    const text = pattern
      .replace(/[.]/g, "\\.")
      .replace(/\*\*\//g, "(?:.*/)?")
      .replace(/(?<![).])\*/g, "[^/]*");
    return new RegExp(`^${text}(?:/.*)?$`).test(path);
  };
  /** The last pattern that matches decides; one that names a folder is for all in it. */
  const isPassed = (path: string): boolean =>
    linesOf(".dockerignore").reduce(
      (passed, line) => (matches(line.replace(/^!/, ""), path) ? line.startsWith("!") : passed),
      true,
    );
  const isIgnored = (path: string): boolean =>
    linesOf(".gitignore").some((line) => line.startsWith("/") && matches(line.slice(1), path));

  it.each(made)("is in no image: %s", (path) => expect(isPassed(path)).toBe(false));

  it.each(["kamailio/kamailio.cfg", "kamailio/routes/start.cfg", "deploy/docker/make-secrets.sh", "src/main.ts"])(
    "twin: %s may be",
    (path) => expect(isPassed(path)).toBe(true),
  );

  it.each(made)("is passed over by git: %s", (path) => expect(isIgnored(path)).toBe(true));

  it("twin: the examples are not", () => expect(isIgnored("kamailio/direct-local.cfg.example")).toBe(false));
});

describe("the images", () => {
  const gateway = instructions("Dockerfile");
  const of = (name: string): string[] => gateway.filter(([one]) => one === name).map(([, rest]) => rest);

  it("of the gateway has production packages alone, without install scripts, and is asked for its health by the CLI", () => {
    const install = of("RUN").filter((run) => run.includes("npm ci"));
    expect(install).toHaveLength(1);
    for (const flag of ["--omit=dev", "--ignore-scripts"]) expect(install[0]).toContain(flag);
    expect(of("FROM").at(-1)).not.toContain(" AS ");
    expect(of("HEALTHCHECK").join()).toContain('CMD ["postern", "health", "--live"]');
    expect(of("STOPSIGNAL")).toEqual(["SIGTERM"]);
    expect(of("CMD")).toEqual(['["serve", "-c", "/etc/postern/postern.yaml"]']);
  });

  it("of the gateway says the version of package.json", () => {
    const { version } = JSON.parse(read("package.json")) as { version: string };
    expect(of("LABEL").join()).toContain(`image.version="${version}"`);
  });

  it("of Kamailio has the modules that the tests run with", () => {
    const packages = (file: string): string[] => [...new Set(read(file).match(/\bkamailio-[a-z]+-modules\b/g))].sort();
    expect(packages("deploy/docker/kamailio/Dockerfile")).toEqual(packages("scripts/servers.sh"));
  });
});
