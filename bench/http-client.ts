import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { mint } from "../src/auth/ephemeral.ts";
import { type BenchClient, benchSecret } from "./load.ts";
import { token } from "./tokens.ts";

/** By an ephemeral credential; by a JWT, the same or a new one for each; callstats' form; by asking an application. */
export type HttpKind = "credential" | "token" | "token-HS256" | "token-ES256" | "authenticate" | "data-token";

let tokens = 0;

/** One kept connection that asks the exchange, waits for the answer, and asks again. */
export class HttpClient implements BenchClient {
  readonly #url: URL;
  readonly #user: string;
  #socket: Socket | undefined;
  #answered: (answer: Buffer) => void = () => {};
  #received: Buffer = Buffer.alloc(0);

  constructor(url: string, at: number) {
    this.#url = new URL(url);
    this.#user = `user${at}`;
  }

  async connect(): Promise<void> {
    const socket = connect(Number(this.#url.port), this.#url.hostname).setNoDelay();
    await once(socket, "connect");
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
    socket.on("close", () => this.#answered(Buffer.from("the connection was closed")));
    this.#socket = socket;
  }

  async settle(): Promise<void> {
    await this.ask(this.prepare("token", 1)[0]!);
  }

  prepare(kind: HttpKind, count: number): Buffer[] {
    const seen = token("HS256", this.#user);
    const make = {
      credential: () => post("/v1/exchange", json, JSON.stringify(this.#credential())),
      token: () => post("/v1/exchange", `${json}Authorization: Bearer ${seen}\r\n`, "{}"),
      "token-HS256": () => post("/v1/exchange", `${json}${bearer("HS256", this.#user)}`, "{}"),
      "token-ES256": () => post("/v1/exchange", `${json}${bearer("ES256", this.#user)}`, "{}"),
      authenticate: () => post("/authenticate", form, this.#form()),
      "data-token": () => post("/v1/data-tokens", json, this.#application()),
    }[kind];
    return Array.from({ length: count }, () => Buffer.from(make(), "latin1"));
  }

  ask(request: Buffer): Promise<Buffer> {
    return new Promise((resolve) => {
      this.#answered = resolve;
      this.#socket?.write(request);
    });
  }

  async close(): Promise<void> {
    this.#answered = () => {};
    this.#socket?.destroy();
  }

  /** Whole answers only; both peers give Content-Length. */
  #take(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const end = this.#received.indexOf("\r\n\r\n");
    if (end < 0) return;
    const length = /content-length: (\d+)/i.exec(this.#received.toString("latin1", 0, end))?.[1];
    if (this.#received.length < end + 4 + Number(length)) return;
    const answer = this.#received;
    this.#received = Buffer.alloc(0);
    this.#answered(answer);
  }

  #credential(): { username: string; password: string } {
    const now = Math.floor(Date.now() / 1000);
    const user = `${this.#user}@acme.example`;
    const { username, password } = mint({ secret: benchSecret, user, ttl: 3000, algorithm: "sha1", now });
    return { username, password };
  }

  /** No two are the same question. */
  #application(): string {
    return JSON.stringify({ appID: "acme", userID: this.#user, application_token: `t${process.pid}-${tokens++}` });
  }

  #form(): string {
    const code = token("HS256", this.#user);
    return `grant_type=authorization_code&client_id=${this.#user}%40acme&code=${code}`;
  }
}

const json = "Content-Type: application/json\r\n";
const form = "Content-Type: application/x-www-form-urlencoded\r\n";
const bearer = (alg: "HS256" | "ES256", user: string): string => `Authorization: Bearer ${token(alg, user)}\r\n`;
const post = (path: string, headers: string, body: string): string =>
  `POST ${path} HTTP/1.1\r\nHost: sip.acme.example\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`;
