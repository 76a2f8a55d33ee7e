import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";

/** A web server of somebody's, and the requests that it saw. */
export class SomeServer {
  readonly seen: string[] = [];
  readonly #server: Server;
  #scheme: string;

  constructor(answer: RequestListener, tls?: { readonly cert: string; readonly key: string }) {
    const listener: RequestListener = (request, response) => {
      this.seen.push(`${request.method} ${request.url}`);
      answer(request, response);
    };
    this.#server = tls ? createTlsServer(tls, listener) : createServer(listener);
    this.#scheme = tls ? "https" : "http";
  }

  async listen(host = "127.0.0.1", port = 0): Promise<this> {
    this.#server.listen(port, host);
    await new Promise((listening, refused) => this.#server.once("listening", listening).once("error", refused));
    return this;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  url(host: string, path = "/"): string {
    return `${this.#scheme}://${host}:${this.port}${path}`;
  }

  get connections(): Promise<number> {
    return new Promise((counted) => this.#server.getConnections((_error, count) => counted(count)));
  }

  close(): Promise<unknown> {
    this.#server.closeAllConnections();
    return new Promise((closed) => this.#server.close(closed));
  }
}

export async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
