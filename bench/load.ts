import { WebSocket } from "ws";
import { mint } from "../src/auth/ephemeral.ts";
import { digestResponse, ha1 } from "../src/sip/digest.ts";

export const benchSecret = "the-secret-of-the-benchmark";

/** One client that sends a request, waits for its answer, and sends the next. */
export class LoadClient {
  readonly #socket: WebSocket;
  readonly #user: string;
  readonly #credential;
  readonly #ha1: string;
  #nonce = "";
  #nc = 0;
  #cseq = 0;
  #answered: (text: string) => void = () => {};

  constructor(url: string, at: number) {
    this.#user = `user${at}`;
    const now = Math.floor(Date.now() / 1000);
    const user = `${this.#user}@acme.example`;
    this.#credential = mint({ secret: benchSecret, user, ttl: 3600, algorithm: "sha1", now });
    this.#ha1 = ha1(this.#credential.username, "acme.example", this.#credential.password);
    this.#socket = new WebSocket(url, "sip", { perMessageDeflate: false });
    this.#socket.on("message", (data) => this.#answered(data.toString()));
  }

  async open(): Promise<void> {
    await new Promise((resolve, reject) => this.#socket.once("open", resolve).once("error", reject));
    const challenge = await this.ask(this.#register(""));
    this.#nonce = /nonce="([^"]*)"/.exec(challenge)?.[1] ?? "";
  }

  /** REGISTER with a digest answer, each with the next nc. */
  register(): Promise<string> {
    return this.ask(this.#register(this.#authorization(this.#ha1)));
  }

  /** REGISTER with an answer under a wrong password. */
  refused(): Promise<string> {
    return this.ask(this.#register(this.#authorization("0".repeat(32))));
  }

  ask(text: string): Promise<string> {
    return new Promise((resolve) => {
      this.#answered = resolve;
      this.#socket.send(text);
    });
  }

  close(): void {
    this.#socket.terminate();
  }

  #authorization(hash: string): string {
    const nc = (++this.#nc).toString(16).padStart(8, "0");
    const parts = { nonce: this.#nonce, nc, cnonce: "6cb7h89mfn0d", qop: "auth", uri: "sip:acme.example" };
    const response = digestResponse({ ...parts, ha1: hash, method: "REGISTER" });
    const { username } = this.#credential;
    return (
      `Authorization: Digest algorithm=MD5, username="${username}", realm="acme.example", nonce="${parts.nonce}", ` +
      `uri="${parts.uri}", response="${response}", qop=auth, cnonce="${parts.cnonce}", nc=${nc}\r\n`
    );
  }

  #register(authorization: string): string {
    const host = `${this.#user}.invalid`;
    this.#cseq++;
    return (
      `REGISTER sip:acme.example SIP/2.0\r\nVia: SIP/2.0/WSS ${host};branch=z9hG4bK${this.#cseq}\r\nMax-Forwards: 69\r\n` +
      `To: <sip:${this.#user}@acme.example>\r\nFrom: <sip:${this.#user}@acme.example>;tag=027qrgjfek\r\n` +
      `Call-ID: ${this.#user}r9uplnng5ivp\r\nCSeq: ${this.#cseq} REGISTER\r\n${authorization}Expires: 600\r\n` +
      `Contact: <sip:alr4h9dd@${host};transport=ws>;+sip.ice;reg-id=1;` +
      `+sip.instance="<urn:uuid:3b9f5b33-03c7-4c15-ba18-54c92cdb292b>";expires=600\r\n` +
      "Allow: INVITE,ACK,CANCEL,BYE,UPDATE,MESSAGE,OPTIONS,REFER,INFO,NOTIFY,SUBSCRIBE\r\n" +
      "Supported: path,gruu,outbound\r\nUser-Agent: JsSIP 3.13.8\r\nContent-Length: 0\r\n\r\n"
    );
  }
}
