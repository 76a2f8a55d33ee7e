import { createHash } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { setTimeout as later, setImmediate as nextTurn } from "node:timers/promises";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { token } from "../tokens.ts";
import type { FloodKind } from "./plan.ts";

/** `flood.ts KIND PORT ADDRESSES SOCKETS`: as much of one kind of flood as one core can send, until its parent ends it. */
const [kind = "tcp", port = "0", addresses = "1", sockets = "1"] = process.argv.slice(2);
const target = { host: "127.0.0.1", port: Number(port) };
const mostWaiting = 500;
/** Milliseconds after which an attempt is given up for another: a SYN that was dropped comes again after a second. */
const patience = 100;
/** Sockets kept for nothing but to be kept: more than the gateway lets them be, fewer than one process may have. */
const mostKept = 15_000;

let sent = 0;
let at = 0;
/** None of them a good user's. */
const nextAddress = (): string => `127.0.1.${1 + (at++ % Number(addresses))}`;

const quiet = (): void => {};
const kept: Socket[] = [];

function tcp(): Socket {
  const socket = connect({ ...target, localAddress: nextAddress() }).on("error", quiet);
  kept.push(socket);
  if (kept.length > mostKept) kept.shift()?.destroy();
  return socket;
}

const tls = (): TLSSocket => connectTls({ socket: tcp(), rejectUnauthorized: false }).on("error", quiet);

/** So many attempts at once, each until its promise is settled, for ever. */
async function keepTrying(most: number, attempt: () => Promise<unknown>): Promise<never> {
  let under = 0;
  for (;;) {
    while (under < most) {
      under++;
      sent++;
      void attempt().finally(() => under--);
    }
    await nextTurn();
  }
}

const opened = (socket: Socket, event: string): Promise<unknown> =>
  Promise.race([once(socket, event), once(socket, "close"), later(patience)]).catch(quiet);

/** What a TLS client says first. */
async function clientHello(): Promise<Buffer> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connectTls({ host: "127.0.0.1", port: (server.address() as { port: number }).port }).on(
    "error",
    quiet,
  );
  const [socket] = (await once(server, "connection")) as [Socket];
  const [hello] = (await once(socket, "data")) as [Buffer];
  client.destroy();
  server.close();
  return hello;
}

const upgradeText = [
  "GET / HTTP/1.1",
  "Host: sip.acme.example",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  `Sec-WebSocket-Key: ${createHash("md5").update("flood").digest("base64")}`,
  "Sec-WebSocket-Protocol: sip",
  "\r\n",
].join("\r\n");

async function upgraded(): Promise<TLSSocket | undefined> {
  const socket = tls();
  await once(socket, "secureConnect").catch(quiet);
  if (socket.destroyed) return undefined;
  socket.write(upgradeText);
  const answer = once(socket, "data").then(
    ([data]) => String(data),
    () => "",
  );
  const text = await Promise.race([
    answer,
    once(socket, "close").then(
      () => "",
      () => "",
    ),
  ]);
  if (text.startsWith("HTTP/1.1 101")) return socket;
  socket.destroy();
  return undefined;
}

/** A text frame; a mask of zeros costs the sender nothing and the receiver what any mask does (RFC 6455 §5.3). */
function frame(text: string): Buffer {
  const payload = Buffer.from(text, "latin1");
  const head = Buffer.alloc(8);
  head[0] = 0x81;
  head[1] = 0x80 | 126;
  head.writeUInt16BE(payload.length, 2);
  return Buffer.concat([head, payload]);
}

const request = (id: string, more: string, body = ""): string =>
  `REGISTER sip:acme.example SIP/2.0\r\nVia: SIP/2.0/WSS flood.invalid;branch=z9hG4bK${id}\r\nMax-Forwards: 69\r\n` +
  `To: <sip:eve@acme.example>\r\nFrom: <sip:eve@acme.example>;tag=${id}\r\nCall-ID: ${id}\r\nCSeq: 1 REGISTER\r\n` +
  `Contact: <sip:eve@flood.invalid;transport=ws>\r\n${more}Content-Length: ${body.length}\r\n\r\n${body}`;

const expiry = Math.floor(Date.now() / 1000) + 3000;

/** A digest answer under a password that nobody has. nonce: of this connection. */
const wrongDigest = (nonce: string): string =>
  `Authorization: Digest algorithm=MD5, username="${expiry}:eve@acme.example", realm="acme.example", nonce="${nonce}", ` +
  `uri="sip:acme.example", response="${"0".repeat(32)}", qop=auth, cnonce="6cb7h89mfn0d", nc=00000001\r\n`;

const wrongToken = (): string => {
  const [head, claims] = token("HS256", "eve").split(".");
  return `Authorization: Bearer ${head}.${claims}.${"A".repeat(43)}\r\n`;
};

const large = (): string => {
  const line = `X-Pad: ${"x".repeat(120)}\r\n`;
  const room = 29_900 - request("l", "").length;
  return request("l", line.repeat(Math.floor(room / line.length)));
};

async function messageFor(socket: TLSSocket): Promise<Buffer> {
  if (kind === "large") return frame(large());
  if (kind === "bearer") return frame(request("b", wrongToken()));
  socket.write(frame(request("d", "")));
  const [challenge] = (await once(socket, "data")) as [Buffer];
  return frame(request("d", wrongDigest(/nonce="([^"]*)"/.exec(challenge.toString("latin1"))?.[1] ?? "")));
}

/** Below messagesPerSecond, for above it a connection is closed; `as much as a core can send` is then in their number. */
const perSecond = 190;

/** One connection that talks, and another when it is closed. */
async function talk(): Promise<void> {
  const socket = await upgraded();
  if (!socket) return;
  const closed = once(socket, "close").catch(quiet);
  const message = await Promise.race([messageFor(socket), closed.then(() => undefined)]).catch(quiet);
  socket.on("data", quiet);
  const began = performance.now();
  let mine = 0;
  while (message && !socket.destroyed) {
    const due = Math.min(((performance.now() - began) / 1000) * perSecond, mine + perSecond);
    for (; mine < due && socket.writable && !socket.writableNeedDrain; mine++, sent++) socket.write(message);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  socket.destroy();
}

async function flood(): Promise<unknown> {
  switch (kind as FloodKind) {
    case "tcp":
      return keepTrying(mostWaiting, () => opened(tcp(), "connect"));
    case "tls": {
      const hello = await clientHello();
      return keepTrying(mostWaiting, async () => {
        const socket = tcp();
        await opened(socket, "connect");
        if (socket.destroyed || socket.connecting) return void socket.destroy();
        await new Promise((resolve) => socket.write(hello, resolve));
        socket.resetAndDestroy();
      });
    }
    case "http":
      return keepTrying(mostWaiting, async () => {
        const socket = tls();
        await once(socket, "secureConnect").catch(quiet);
        socket.write(upgradeText.slice(0, 60));
      });
    case "silent":
      return keepTrying(mostWaiting, upgraded);
    default:
      return Promise.all(
        Array.from({ length: Number(addresses) * Number(sockets) }, async () => {
          for (;;) {
            await talk();
            await nextTurn();
          }
        }),
      );
  }
}

process.on("message", () => {
  process.send?.({ sent });
});
process.on("disconnect", () => process.exit());
process.send?.({ port: 0 });
await flood();
