import { WebSocket } from "ws";
import { mint } from "../src/auth/ephemeral.ts";
import { digestResponse, ha1 } from "../src/sip/digest.ts";
import { token } from "./tokens.ts";

export const benchSecret = "the-secret-of-the-benchmark";
export const storeKey = "the-key-of-the-store-of-the-benchmark";
export const benchChain = "the-chain-secret-of-the-benchmark";

/**
 * What is asked again and again: an accepted REGISTER, a refused one, INFO in a dialog that stands; REGISTER under one JWT
 * for all (bearer), and under a new one for each, by algorithm.
 */
export type Kind = "register" | "refused" | "info" | "bearer" | "bearer-HS256" | "bearer-ES256";

const domain = "acme.example";

/** Somebody who asks a peer and waits for the answer. */
export interface BenchClient {
  connect(): Promise<void>;
  /** Everything up to the requests that are measured. */
  settle(kind: string): Promise<void>;
  /** The next so many requests, made before they are timed. */
  prepare(kind: string, count: number): Buffer[];
  ask(request: Buffer): Promise<Buffer>;
  close(): Promise<void>;
}

/** One client that sends a request, waits for its answer, and sends the next. Its requests look like JsSIP's. */
export class LoadClient implements BenchClient {
  readonly #url: string;
  readonly #user: string;
  readonly #username: string;
  readonly #ha1: string;
  readonly #bearer: string;
  #socket: WebSocket | undefined;
  #nonce = "";
  #nc = 0;
  #cseq = 0;
  #branch = 0;
  #answered: (answer: Buffer) => void = () => {};

  constructor(url: string, at: number) {
    this.#url = url;
    this.#user = `user${at}`;
    const now = Math.floor(Date.now() / 1000);
    const { username, password } = mint({
      secret: benchSecret,
      user: `${this.#user}@${domain}`,
      ttl: 3600,
      algorithm: "sha1",
      now,
    });
    this.#username = username;
    this.#ha1 = ha1(username, domain, password);
    this.#bearer = bearer("HS256", this.#user);
  }

  /** The WebSocket alone. */
  async connect(): Promise<void> {
    const socket = new WebSocket(this.#url, "sip", { perMessageDeflate: false });
    await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
    socket.on("message", (data: Buffer) => this.#answered(data));
    socket.on("close", () => this.#answered(Buffer.from("the connection was closed")));
    this.#socket = socket;
  }

  /** Everything up to the requests that are measured: the challenge, an accepted REGISTER, for `info` a call. */
  async settle(kind: Kind): Promise<void> {
    if (kind.startsWith("bearer")) return this.#expect(this.#register(bearer("HS256", this.#user)));
    this.renew(await this.ask(this.#register("")));
    // For `refused` too: who was never accepted has little of the gateway's time, and the series would take minutes.
    await this.#expect(this.#register(this.#authorization("REGISTER", `sip:${domain}`, this.#ha1)));
    if (kind !== "info") return;
    const bob = `sip:bob@${domain}`;
    await this.#expect(
      this.#request("INVITE", bob, "", `Proxy-${this.#authorization("INVITE", bob, this.#ha1)}`, this.#contact()),
    );
    this.#send(this.#request("ACK", target, ";tag=up", route, ""));
  }

  /** Take up the nonce of this challenge. */
  renew(challenge: Buffer): void {
    this.#nonce = /nonce="([^"]*)"/.exec(challenge.toString("latin1"))?.[1] ?? "";
    this.#nc = 0;
  }

  /** The next so many requests, made before they are timed. */
  prepare(kind: Kind, count: number): Buffer[] {
    const make = {
      register: () => this.#register(this.#authorization("REGISTER", `sip:${domain}`, this.#ha1)),
      refused: () => this.#register(this.#authorization("REGISTER", `sip:${domain}`, "0".repeat(32))),
      bearer: () => this.#register(this.#bearer),
      "bearer-HS256": () => this.#register(bearer("HS256", this.#user)),
      "bearer-ES256": () => this.#register(bearer("ES256", this.#user)),
      info: () => this.#request("INFO", target, ";tag=up", route, dtmf, tone),
    }[kind];
    return Array.from({ length: count }, () => Buffer.from(make(), "latin1"));
  }

  ask(request: string | Buffer): Promise<Buffer> {
    return new Promise((resolve) => {
      this.#answered = resolve;
      this.#send(request);
    });
  }

  close(): Promise<void> {
    const socket = this.#socket;
    if (!socket) return Promise.resolve();
    this.#answered = () => {};
    return new Promise((resolve) => {
      socket.once("close", () => resolve());
      socket.terminate();
    });
  }

  #send(request: string | Buffer): void {
    this.#socket?.send(request, { binary: false });
  }

  async #expect(request: string): Promise<void> {
    const answer = await this.ask(request);
    if (!answer.toString("latin1").startsWith("SIP/2.0 200")) throw new Error(`${request}\n${answer}`);
  }

  #authorization(method: string, uri: string, hash: string): string {
    const nc = (++this.#nc).toString(16).padStart(8, "0");
    const parts = { nonce: this.#nonce, nc, cnonce: "6cb7h89mfn0d", qop: "auth", uri };
    const response = digestResponse({ ...parts, ha1: hash, method });
    return (
      `Authorization: Digest algorithm=MD5, username="${this.#username}", realm="${domain}", nonce="${parts.nonce}", ` +
      `uri="${uri}", response="${response}", qop=auth, cnonce="${parts.cnonce}", nc=${nc}\r\n`
    );
  }

  #contact(): string {
    return `Contact: <sip:alr4h9dd@${this.#user}.invalid;transport=ws;ob>\r\n`;
  }

  #register(authorization: string): string {
    const host = `${this.#user}.invalid`;
    this.#cseq++;
    return (
      `REGISTER sip:${domain} SIP/2.0\r\nVia: SIP/2.0/WSS ${host};branch=${this.#nextBranch()}\r\nMax-Forwards: 69\r\n` +
      `To: <sip:${this.#user}@${domain}>\r\nFrom: <sip:${this.#user}@${domain}>;tag=027qrgjfek\r\n` +
      `Call-ID: ${this.#user}r9uplnng5ivp\r\nCSeq: ${this.#cseq} REGISTER\r\n${authorization}` +
      `Contact: <sip:alr4h9dd@${host};transport=ws>;+sip.ice;reg-id=1;` +
      `+sip.instance="<urn:uuid:3b9f5b33-03c7-4c15-ba18-54c92cdb292b>";expires=600\r\nExpires: 600\r\n` +
      "Allow: INVITE,ACK,CANCEL,BYE,UPDATE,MESSAGE,OPTIONS,REFER,INFO,NOTIFY,SUBSCRIBE\r\n" +
      "Supported: path,gruu,outbound\r\nUser-Agent: JsSIP 3.13.8\r\nContent-Length: 0\r\n\r\n"
    );
  }

  #request(method: string, uri: string, toTag: string, first: string, more: string, body = ""): string {
    if (method !== "ACK") this.#cseq++;
    return (
      `${method} ${uri} SIP/2.0\r\n${first}Via: SIP/2.0/WSS ${this.#user}.invalid;branch=${this.#nextBranch()}\r\n` +
      `Max-Forwards: 69\r\nTo: <sip:bob@${domain}>${toTag}\r\nFrom: <sip:${this.#user}@${domain}>;tag=abcdef1234\r\n` +
      `Call-ID: ${this.#user}s1c8ghqr9ui\r\nCSeq: ${this.#cseq} ${method}\r\n${more}` +
      "Allow: INVITE,ACK,CANCEL,BYE,UPDATE,MESSAGE,OPTIONS,REFER,INFO,NOTIFY,SUBSCRIBE\r\n" +
      `Supported: outbound\r\nUser-Agent: JsSIP 3.13.8\r\nContent-Length: ${body.length}\r\n\r\n${body}`
    );
  }

  #nextBranch(): string {
    return `z9hG4bK${(++this.#branch + 1_000_000).toString()}`;
  }
}

const bearer = (alg: "HS256" | "ES256", user: string): string => `Authorization: Bearer ${token(alg, user)}\r\n`;

/** What the stub upstream writes into its answer to INVITE. */
const target = "sip:bob@callee.invalid;transport=ws";
const route = "Route: <sip:127.0.0.1;lr;transport=ws>\r\n";
const dtmf = "Content-Type: application/dtmf-relay\r\n";
const tone = "Signal=5\r\nDuration=100\r\n";
