import { once } from "node:events";
import { connect, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { type ClientOptions, WebSocket } from "ws";
import { PosternError } from "../core/errors.ts";

/** The address a leg goes by at Kamailio. */
export interface Announced {
  readonly address: string;
  readonly port: number;
  readonly family: 4 | 6;
}

export interface UpstreamOptions {
  readonly urls: readonly string[];
  readonly proxyProtocol: "v1" | "v2" | "off";
  /** Told of each attempt. */
  readonly note?: (url: string, up: boolean) => void;
}

export interface Opened {
  readonly socket: WebSocket;
  /** Which of the urls took it. */
  readonly url: string;
  /** The address behind the url. */
  readonly remote: { readonly address: string; readonly port: number };
}

/** Kamailio has a leg of another gateway under the announced address, or had one of late. */
export class AddressTaken extends PosternError {
  constructor(url: string) {
    super("upstream-unavailable", `${url}: another gateway's leg has the announced address`);
    this.name = "AddressTaken";
  }
}

/** Kamailio reassembles nothing above its own buffer, and never sends more (65,535 bytes). */
const maxPayload = 65_535;
/** Of a message, and of a frame as it comes in; Kamailio never sends a fragment. */
const maxPieces = 1024;
const deadline = 5_000;
/** Of silence: then TCP asks each second, ten times. A machine that is gone closes nothing; its legs would look open. */
const askAfter = 20_000;
/** For the answer to our close. */
const closeGrace = 2_000;

/**
 * Open a WebSocket to the first of the urls that takes it, PROXY header first (PROXY protocol §2.1, §2.2).
 * Rejects with AddressTaken, or upstream-unavailable and a sentence that names the likely cause of the last failure.
 */
export async function openUpstream(
  { urls, proxyProtocol, note }: UpstreamOptions,
  announced: Announced,
  headers: Record<string, string>,
): Promise<Opened> {
  const family = proxyProtocol === "off" ? 0 : announced.family;
  const candidates = urls.filter((url) => reaches(new URL(url), family));
  let failure = new PosternError(
    "upstream-unavailable",
    `no upstream url is on IPv${announced.family}: add one to upstream.urls`,
  );
  for (const url of candidates) {
    try {
      const opened = { url, ...(await openOne(new URL(url), proxyProtocol, announced, headers)) };
      note?.(url, true);
      return opened;
    } catch (error) {
      if (isConflict(error)) {
        note?.(url, true);
        throw new AddressTaken(url);
      }
      note?.(url, false);
      failure = explain(url, proxyProtocol, error);
    }
  }
  throw failure;
}

const isConflict = (error: unknown): boolean =>
  error instanceof Error && error.message === "Unexpected server response: 409";

const hostOf = (url: URL): string => url.hostname.replace(/^\[|\]$/g, "");

function reaches(url: URL, family: 0 | 4 | 6): boolean {
  const literal = isIP(hostOf(url));
  return family === 0 || literal === 0 || literal === family;
}

async function openOne(
  url: URL,
  proxyProtocol: UpstreamOptions["proxyProtocol"],
  announced: Announced,
  headers: Record<string, string>,
): Promise<Omit<Opened, "url">> {
  const signal = AbortSignal.timeout(deadline);
  const socket = await connectSocket(url, proxyProtocol === "off" ? 0 : announced.family, signal);
  try {
    if (proxyProtocol !== "off") socket.write(proxyHeader(proxyProtocol, announced, socket));
    const stream = url.protocol === "wss:" ? await secure(url, socket, signal) : socket;
    const remote = { address: socket.remoteAddress ?? "", port: socket.remotePort ?? 0 };
    return { socket: await upgrade(url, stream, headers, signal), remote };
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

async function connectSocket(url: URL, family: 0 | 4 | 6, signal: AbortSignal): Promise<Socket> {
  const port = Number(url.port || (url.protocol === "wss:" ? 443 : 80));
  const socket = connect({
    host: hostOf(url),
    port,
    family,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: askAfter,
  });
  socket.on("error", () => {}); // as below: whoever waits for it hears of it all the same
  try {
    await once(socket, "connect", { signal });
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

async function secure(url: URL, socket: Socket, signal: AbortSignal): Promise<Socket> {
  const name = hostOf(url);
  const stream = connectTls({ socket, ...(isIP(name) === 0 ? { servername: name } : {}) });
  stream.on("error", () => {});
  await once(stream, "secureConnect", { signal });
  return stream;
}

async function upgrade(
  url: URL,
  stream: Socket,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<WebSocket> {
  // closeTimeout: what the types do not know.
  const options: ClientOptions & { readonly closeTimeout: number } = {
    headers,
    perMessageDeflate: false,
    maxPayload,
    maxFragments: maxPieces,
    maxBufferedChunks: maxPieces,
    handshakeTimeout: deadline,
    closeTimeout: closeGrace,
    createConnection: () => stream,
  };
  const socket = new WebSocket(url, "sip", options);
  // There is no moment without a listener: a bad frame is an "error", and its "close" tells whoever has the socket.
  socket.on("error", () => {});
  // What came together with the 101 waits for whoever awaits this: it listens before the next turn of the event loop.
  socket.once("open", () => {
    socket.pause();
    setImmediate(() => socket.resume());
  });
  try {
    await once(socket, "open", { signal });
    return socket;
  } catch (error) {
    socket.terminate();
    throw error;
  }
}

/** Version 1 is a line of text, version 2 a binary block; both name the browser as source. */
function proxyHeader(version: "v1" | "v2", { address, port, family }: Announced, socket: Socket): string | Buffer {
  const to = socket.remoteAddress ?? (family === 4 ? "0.0.0.0" : "::");
  const toPort = socket.remotePort ?? 0;
  if (version === "v1") return `PROXY TCP${family} ${address} ${to} ${port} ${toPort}\r\n`;
  const addresses = Buffer.concat([packed(address), packed(to), port16(port), port16(toPort)]);
  const signature = Buffer.from("0d0a0d0a000d0a515549540a", "hex");
  return Buffer.concat([
    signature,
    Buffer.from([0x21, family === 4 ? 0x11 : 0x21]),
    port16(addresses.length),
    addresses,
  ]);
}

const port16 = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff]);

/** An IP address as 4 or 16 bytes. */
function packed(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split(".").map(Number));
  const hostname = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [head = "", tail] = hostname.split("::");
  const groups = (text: string | undefined): number[] =>
    text ? text.split(":").map((group) => Number.parseInt(group, 16)) : [];
  const [front, back] = [groups(head), groups(tail)];
  const zeros = new Array<number>(8 - front.length - back.length).fill(0);
  return Buffer.concat([...front, ...zeros, ...back].map(port16));
}

function explain(url: string, proxyProtocol: string, error: unknown): PosternError {
  const text = error instanceof Error ? error.message : String(error);
  return new PosternError("upstream-unavailable", `${url}: ${cause(text, error, proxyProtocol)}`, { cause: error });
}

function cause(text: string, error: unknown, proxyProtocol: string): string {
  const status = /Unexpected server response: (\d+)/.exec(text)?.[1];
  if (status === "403") return "refused the grant (HTTP 403): chain.secret, chain.algorithm or the clocks differ";
  if (status !== undefined) return `answered the upgrade with HTTP ${status}: is this Kamailio's WebSocket listener?`;
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "ECONNREFUSED") return "nobody listens there: is Kamailio running?";
  const silent = code === "ABORT_ERR" || /hang up|Parse Error|timed out|ECONNRESET|closed before/i.test(text);
  if (silent && proxyProtocol !== "off") {
    return `gave no answer after the PROXY header (${text}): does Kamailio run, with tcp_accept_haproxy=yes?`;
  }
  return text;
}
