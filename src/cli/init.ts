import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { isCustomerId, isDomain } from "../config/fields.ts";
import { failure, print, say, usage } from "./outcome.ts";
import { configText, jssipText, kamailioText, servletText } from "./templates.ts";

interface Options {
  readonly customer: string;
  readonly domain: string;
  readonly dir: string;
  readonly force?: true;
  readonly json?: true;
}

interface Target {
  readonly path: string;
  readonly text: string;
}

export function registerInit(program: Command): void {
  program
    .command("init")
    .description("write a config with random secrets, and print what a customer's web site needs")
    .option("--customer <id>", "the first customer's id", "acme")
    .option("--domain <domain>", "its SIP domain", "acme.example")
    .option("--dir <folder>", "where to write", ".")
    .option("--force", "replace files that are there, and the secrets in them")
    .option("--json", "print {config, kamailio, secret, servlet, jssip}")
    .action(init);
}

function init(options: Options): void {
  const { customer, dir, force = false } = options;
  const domain = options.domain.toLowerCase();
  if (!isCustomerId(customer)) usage("--customer takes a-z, 0-9 and _ . -, beginning with a letter or digit");
  if (!isDomain(domain)) usage("--domain takes a host name like acme.example");
  const chainSecret = newSecret();
  const customerSecret = newSecret();
  const config = { path: join(dir, "postern.yaml"), text: configText(customer, domain, chainSecret, customerSecret) };
  const secret = { path: join(dir, `${customer}.secret`), text: `${customerSecret}\n` };
  const kamailio = { path: join(dir, "kamailio-local.cfg"), text: kamailioText(kamailioExample(), chainSecret) };
  const taken = force ? undefined : [config, kamailio, secret].find(({ path }) => existsSync(path));
  if (taken) failure(`${taken.path} is there already; --force replaces it, and the secrets in it`);
  try {
    mkdirSync(dir, { recursive: true });
    for (const target of [config, kamailio, secret]) write(target, force);
  } catch (error) {
    failure(`cannot write to ${dir}: ${error instanceof Error && "code" in error ? error.code : "unknown"}`);
  }
  const written = {
    config: config.path,
    kamailio: kamailio.path,
    secret: secret.path,
    servlet: servletText(domain),
    jssip: jssipText(domain),
  };
  if (options.json) print(written);
  else report(written);
}

interface Written {
  readonly config: string;
  readonly kamailio: string;
  readonly secret: string;
  readonly servlet: string;
  readonly jssip: string;
}

function report(written: Written): void {
  say(`wrote ${written.config}: try it by  postern check -c ${written.config}`);
  say(`wrote ${written.kamailio}: local.cfg for Kamailio, with the chain secret`);
  say(`wrote ${written.secret}: the customer's secret, for its web site, as SIP_SECRET in its environment`);
  process.stdout.write(`${written.servlet}\n${written.jssip}`);
}

const newSecret = (): string => randomBytes(32).toString("base64");

const kamailioExample = (): string =>
  readFileSync(new URL("../../kamailio/local.cfg.example", import.meta.url), "utf8");

/** For the owner alone. Replacing goes by a rename, so that an old file's wider mode does not stay. */
function write({ path, text }: Target, force: boolean): void {
  const mine = { mode: 0o600, flag: "wx" };
  const fresh = force ? `${path}.${process.pid}.new` : path;
  writeFileSync(fresh, text, mine);
  if (!force) return;
  try {
    renameSync(fresh, path);
  } finally {
    rmSync(fresh, { force: true });
  }
}
