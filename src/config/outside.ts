import { createPrivateKey, X509Certificate } from "node:crypto";
import { resolve } from "node:path";
import { at, put, texts } from "./collect.ts";
import type { Faults, Path } from "./faults.ts";
import { readBounded } from "./file.ts";
import type { Value } from "./walk.ts";

/** Where `file:PATH` may stand for the value. */
const fromFiles: readonly string[] = [
  "chain.secret",
  "chain.secrets[]",
  "exchange.secret",
  "exchange.secrets[]",
  "turn.secret",
  "admin.operators[].secret",
  "hep.authKey",
  "storeKey",
  "storeKeyBefore",
  "customers[].secrets[].secret",
  "customers[].keys[].secret",
  "customers[].keys[].pem",
  "customers[].apiKeys[].secret",
  "customers[].webhook.secret",
  "customers[].trunkAuth.password",
];

const largestSecret = 65_536;
const largestPem = 1024 * 1024;

/**
 * Puts what the files hold where `file:PATH` stands, without one trailing newline. folder: what paths are relative to.
 * Returns the files.
 */
export function readSecrets(root: Value, folder: string, faults: Faults): string[] {
  const files: string[] = [];
  for (const { path, value } of texts(root, ...fromFiles)) {
    if (!value.startsWith("file:")) continue;
    const file = resolve(folder, value.slice("file:".length));
    files.push(file);
    const content = read(file, largestSecret, path, faults);
    if (content !== undefined) put(root, path, content.toString("utf8").replace(/\r?\n$/, ""));
  }
  return files;
}

/** Looks at the certificate and its key now, for a server would only fail later. Returns the files. */
export function checkTls(root: Value, folder: string, faults: Faults): string[] {
  const named: string[] = [];
  const files = ["cert", "key"].map((name) => {
    const path = ["gateway", "tls", name];
    const value = at(root, path);
    if (typeof value !== "string") return undefined;
    named.push(resolve(folder, value));
    return read(resolve(folder, value), largestPem, path, faults);
  });
  const [cert, key] = [parse(files[0], certificateOf), parse(files[1], createPrivateKey)];
  if (files[0] && !cert) faults.add(["gateway", "tls", "cert"], "is no PEM certificate");
  if (files[1] && !key) faults.add(["gateway", "tls", "key"], "is no PEM private key (without passphrase)");
  if (cert && key && !cert.checkPrivateKey(key))
    faults.add(["gateway", "tls", "key"], "is not the key of gateway.tls.cert");
  return named;
}

const certificateOf = (pem: Buffer): X509Certificate => new X509Certificate(pem);

/** What OpenSSL says of a bad file may quote it, so nothing of it is told. */
function parse<T>(file: Buffer | undefined, parser: (pem: Buffer) => T): T | undefined {
  if (file === undefined) return undefined;
  try {
    return parser(file);
  } catch {
    return undefined;
  }
}

function read(file: string, limit: number, path: Path, faults: Faults): Buffer | undefined {
  try {
    return readBounded(file, limit);
  } catch (error) {
    faults.add(path, `names a file, relative to the config file, that ${whyUnreadable(error)}`);
    return undefined;
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "is not there",
  EACCES: "may not be read by this user",
  EISDIR: "is a folder",
};

export function whyUnreadable(error: unknown): string {
  if (error instanceof RangeError) return error.message;
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
  return reasons[code] ?? `cannot be read (${code})`;
}
