import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { FastifyInstance } from "fastify";
import { answerAndClose, type Problem } from "../core/http.ts";
import type { Log } from "../telemetry/log.ts";
import { sameAddress } from "./addresses.ts";
import { listenerOf } from "./http.ts";

/** Lets a server answer plain HTTP. */
export type Serve = (server: Server) => void;

/** Of one connection, one after the other or all at once; the next comes on another. */
const mostRequests = 1_000;

/** Does the work for a request when it is its client's turn; false: never, for too much of that client waits. */
export type InTurn = (request: IncomingMessage, work: () => void) => boolean;

const atOnce: InTurn = (_request, work) => {
  work();
  return true;
};

/** The routes, and an answer for what Node's parser makes no request of. The caller closes the app after the server. */
export async function served(app: FastifyInstance, log: Pick<Log, "debug">, inTurn: InTurn = atOnce): Promise<Serve> {
  const listener = await listenerOf(app);
  return (server) => {
    // Node would pass over the two-thousandth header field and all after it; their bytes are bounded anyway.
    server.maxHeadersCount = 0;
    server.maxRequestsPerSocket = mostRequests;
    answerUnparsed(server, log);
    server.on("request", (request, response) => {
      const work = (): void => {
        // Who has gone meanwhile waits for no answer.
        if (!request.socket.destroyed) listener(request, response);
      };
      if (!inTurn(request, work)) request.socket.destroy();
    });
    // Node would answer by itself, past the routes.
    server.on("checkExpectation", (request, response) => server.emit("request", request, response));
  };
}

const malformed: Problem = {
  status: 400,
  code: "message-malformed",
  detail: "the request is no HTTP/1.1 (RFC 9112), or one that could be read in two ways",
};

/** By the code of Node's error; whatever else its parser finds is malformed. */
const problems: Readonly<Record<string, Problem>> = {
  HPE_HEADER_OVERFLOW: {
    status: 431,
    code: "message-too-big",
    detail: "request line and header are longer than 16384 bytes: send a token with fewer claims, or fewer fields",
  },
  HPE_CHUNK_EXTENSIONS_OVERFLOW: {
    status: 413,
    code: "message-too-big",
    detail: "the chunk extensions are longer than 16384 bytes: leave them out",
  },
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, detail: "the request did not come whole in time: send it again" },
};

function problemOf({ code = "" }: NodeJS.ErrnoException): Problem | undefined {
  return problems[code] ?? (code.startsWith("HPE_") ? malformed : undefined);
}

/** A broken connection or TLS handshake has nobody to answer, nor one whose answer is on its way already. */
function answerUnparsed(server: Server, log: Pick<Log, "debug">): void {
  const latest = new WeakMap<Duplex, ServerResponse>();
  const answered = new WeakSet<Duplex>();
  server.on("request", ({ socket }, response) => void latest.set(socket, response));
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    if (answered.has(socket)) return;
    answered.add(socket);
    const problem = problemOf(error);
    const response = latest.get(socket);
    const isBegun = response?.headersSent && !response.writableFinished;
    if (problem === undefined || isBegun || !socket.writable) {
      socket.destroy();
      return;
    }
    const address = sameAddress((socket as Socket).remoteAddress ?? "");
    log.debug({ address, status: problem.status, reason: error.code }, "a request over HTTP could not be read");
    answerAndClose(socket, problem);
  });
}
