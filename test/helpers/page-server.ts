import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, request as forward, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { ConfigFolder } from "./config-file.ts";

const servletMain = fileURLToPath(new URL("../../examples/servlet/servlet.ts", import.meta.url));

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** A customer's web site on 127.0.0.1: whatever name a browser comes by, the pages are the same. */
export class PageServer {
  readonly #server: Server;
  readonly #scheme: "http" | "https";
  readonly #pages = new Map<string, Handler>();

  private constructor(server: Server, scheme: "http" | "https") {
    this.#server = server;
    this.#scheme = scheme;
    server.on("request", (request: IncomingMessage, response: ServerResponse) => {
      const page = this.#pages.get((request.url ?? "").split("?", 1)[0] ?? "");
      if (page) page(request, response);
      else response.writeHead(404).end();
    });
  }

  static async open(scheme: "http" | "https" = "http"): Promise<PageServer> {
    const server = scheme === "http" ? createServer() : createTlsServer(certificate());
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new PageServer(server, scheme);
  }

  /** As a browser names it that came by this host name. */
  origin(host: string): string {
    return `${this.#scheme}://${host}:${(this.#server.address() as AddressInfo).port}`;
  }

  html(path: string, body: string, headers: Readonly<Record<string, string>> = {}): void {
    this.#serve(path, "text/html", `<!doctype html><title>acme</title>${body}`, headers);
  }

  /** Whatever a handler makes of it. */
  handle(path: string, handler: Handler): void {
    this.#pages.set(path, handler);
  }

  script(path: string, body: string): void {
    this.#serve(path, "text/javascript", body, {});
  }

  /** These paths are another server's, as a site has them behind its front. */
  pass(target: string, ...paths: readonly string[]): void {
    for (const path of paths) {
      this.#pages.set(path, (request, response) => {
        const { url = "/", method, headers } = request;
        const onward = forward(new URL(url, target), { method, headers });
        onward.on("response", (answer) => {
          response.writeHead(answer.statusCode ?? 502, answer.headers);
          answer.pipe(response);
        });
        onward.on("error", () => response.destroy());
        request.pipe(onward);
      });
    }
  }

  async close(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  #serve(path: string, type: string, body: string, headers: Readonly<Record<string, string>>): void {
    this.#pages.set(path, (_request, response) => {
      response.writeHead(200, { "content-type": `${type}; charset=utf-8`, "cache-control": "no-store", ...headers });
      response.end(body);
    });
  }
}

function certificate(): { cert: Buffer; key: Buffer } {
  const folder = new ConfigFolder();
  folder.certificate("site");
  const [cert, key] = ["cert", "key"].map((part) => readFileSync(join(folder.path, `site-${part}.pem`)));
  folder.remove();
  return { cert: cert!, key: key! };
}

export interface Servlet {
  readonly url: string;
  stop(): Promise<void>;
}

/** examples/servlet as it is, for a site whose pages have this origin. */
export async function startServlet(siteOrigin: string, secrets: Readonly<Record<string, string>>): Promise<Servlet> {
  const env = { ...secrets, SITE_ORIGIN: siteOrigin, PORT: "0" };
  const child = spawn(process.execPath, [servletMain], { env, stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await once(createInterface(child.stdout), "line");
  return { url: String(line).replace("servlet ", ""), stop: () => ended(child) };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const closed = once(child, "close");
  child.kill("SIGTERM");
  await closed;
}
