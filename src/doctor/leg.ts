import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { connect, isIP } from "node:net";
import type { Config } from "../config.ts";
import { PosternError } from "../core/errors.ts";
import type { HashName } from "../core/identity.ts";
import { Chain } from "../gateway/chain.ts";
import { nobody } from "../gateway/probe.ts";
import { openUpstream } from "../gateway/upstream.ts";

/** Milliseconds to connect. */
const patience = 3_000;

/** Where an upstream url leads. */
export interface Target {
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly family: 4 | 6;
}

/** undefined where the name is not known. */
export async function targetOf(url: string): Promise<Target | undefined> {
  const { protocol, hostname, port } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, "");
  const family = isIP(host) || (await lookup(host).then((found) => found.family, unknownName));
  if (family !== 4 && family !== 6) return undefined;
  return { url, host, port: Number(port || (protocol === "wss:" ? 443 : 80)), family };
}

function unknownName(error: unknown): undefined {
  if (error instanceof Error && "code" in error) return undefined;
  throw error;
}

/** undefined where a TCP connection can be had, else why not: the error's code. */
export async function connectFault({ host, port, family }: Target): Promise<string | undefined> {
  const socket = connect({ host, port, family });
  try {
    await once(socket, "connect", { signal: AbortSignal.timeout(patience) });
    return undefined;
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : "unknown";
  } finally {
    socket.destroy();
  }
}

export interface Attempt {
  readonly proxyProtocol: Config["upstream"]["proxyProtocol"];
  readonly secret: string;
  readonly algorithm: HashName;
  /** Unix seconds: when the grant ends. */
  readonly expiry: number;
}

export type Taken =
  | { readonly kind: "taken" }
  | { readonly kind: "refused" }
  | { readonly kind: "status"; readonly status: string }
  /** wss:// and a certificate that this machine does not believe. */
  | { readonly kind: "untrusted"; readonly reason: string }
  /** No answer that is HTTP. */
  | { readonly kind: "mute"; readonly reason: string };

/** Open a leg as the gateway does, PROXY header, upgrade, grant, and close it. */
export async function tryLeg({ url, family }: Target, attempt: Attempt): Promise<Taken> {
  const { proxyProtocol, secret, algorithm, expiry } = attempt;
  const chain = new Chain({ secret, algorithm, ttl: 0 }, { now: () => expiry * 1000 });
  try {
    const options = { urls: [url], proxyProtocol };
    const { socket } = await openUpstream(options, { ...nobodysAddress[family], family }, chain.headers(nobody));
    socket.close(1000);
    return { kind: "taken" };
  } catch (error) {
    if (!(error instanceof PosternError)) throw error;
    return verdict(error);
  }
}

/** ws tells the status of a refused upgrade in words alone. */
function verdict({ cause, message }: PosternError): Taken {
  const reason = cause instanceof Error ? cause.message : message;
  const status = /^Unexpected server response: (\d{3})$/.exec(reason)?.[1];
  if (status === undefined) return { kind: isUntrusted(cause) ? "untrusted" : "mute", reason };
  return status === "403" ? { kind: "refused" } : { kind: "status", status };
}

/** OpenSSL's names for why a chain is not verified, and Node's for a wrong name. */
const isUntrusted = (cause: unknown): boolean =>
  cause instanceof Error && "code" in cause && /CERT|^UNABLE_TO_/.test(String(cause.code));

/** No browser has one of these (RFC 5737, RFC 3849): whoever announced a browser's address might be sent its calls. */
const nobodysAddress = { 4: { address: "192.0.2.1", port: 1024 }, 6: { address: "2001:db8::1", port: 1024 } } as const;
