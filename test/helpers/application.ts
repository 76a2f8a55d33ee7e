import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { decodeJwt } from "jose";
import { type Signer, signer, signToken } from "./tokens.ts";

/** What a gateway asked, unproved. */
export interface Asked {
  readonly iss: string;
  readonly aud: string;
  readonly userID: string;
  readonly application_token: string;
  readonly iat: number;
  readonly exp: number;
  readonly jti: string;
}

/** Answers as it likes; the default is what a good one says. */
export type Answering = (asked: Asked, response: ServerResponse) => void | Promise<void>;

/** A customer's application service on a port of its own. Its key is ES256, j1; it permits everything to everybody. */
export class Application {
  readonly signer: Signer = signer("ES256");
  readonly asked: Asked[] = [];
  /** As they came. */
  readonly messages: string[] = [];
  /** Connections that were opened to it. */
  connections = 0;
  answering: Answering = (asked, response) => this.permit(asked, response);
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    server.on("connection", () => this.connections++);
    server.on("request", (request, response) => void this.#hear(request, response));
  }

  static async start(): Promise<Application> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    return new Application(server);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/permissions`;
  }

  /** As YAML in `customers:`, for acme of test/helpers/gateway.ts. */
  get yaml(): string {
    return `    keys: [${this.keyYaml}]\n    permissionUrl: "${this.url}"`;
  }

  get keyYaml(): string {
    const { x, y } = this.signer.jwk as { x: string; y: string };
    return `{ id: j1, alg: ES256, jwk: { kty: EC, crv: P-256, x: "${x}", y: "${y}" } }`;
  }

  /** Good claims to that question, but for those. */
  claims(asked: Asked, changes: object = {}): object {
    const now = Math.floor(Date.now() / 1000);
    const { userID, iss: aud, jti: nonce } = asked;
    return { userID, permissions: ["*"], aud, nonce, exp: now + 600, ...changes };
  }

  token(claims: object, header: object = {}, key = this.signer.private): Promise<string> {
    return signToken({ alg: "ES256", typ: "JWT", kid: "j1", ...header }, claims, key);
  }

  async permit(asked: Asked, response: ServerResponse, changes: object = {}): Promise<void> {
    this.say(response, 200, { permission_token: await this.token(this.claims(asked, changes)) });
  }

  /** body: a text goes as it is. */
  say(response: ServerResponse, status: number, body: object | string): void {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(typeof body === "string" ? body : JSON.stringify(body));
  }

  async stop(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, "close");
  }

  async #hear(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const { getPermissionToken } = JSON.parse(Buffer.concat(chunks).toString()) as { getPermissionToken: string };
    const asked = decodeJwt(getPermissionToken) as unknown as Asked;
    this.messages.push(getPermissionToken);
    this.asked.push(asked);
    await this.answering(asked, response);
  }
}

export interface AskedFor {
  readonly appID: string | number;
  readonly userID: string;
  readonly application_token: string;
}

/** `POST /v1/data-tokens`. url: of the gateway's HTTP. */
export const askDataToken = (
  url: string,
  changes: Partial<AskedFor> & Record<string, unknown> = {},
  headers: Record<string, string> = {},
): Promise<Response> =>
  fetch(`${url.replace(/^ws/, "http")}/v1/data-tokens`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ appID: "acme", userID: "alice", application_token: "the-token-of-alice", ...changes }),
  });
