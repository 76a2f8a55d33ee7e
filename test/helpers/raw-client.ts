import type { Socket } from "node:net";
import { type ClientOptions, WebSocket } from "ws";
import { mint } from "../../src/auth/ephemeral.ts";
import { digestResponse, ha1, parseAuthorization } from "../../src/sip/digest.ts";
import { acmeSecret } from "./gateway.ts";
import { header, type RequestParts, request } from "./raw-sip.ts";

export interface Credential {
  readonly username: string;
  readonly password: string;
}

export interface CredentialOptions {
  readonly secret?: string;
  /** Seconds. */
  readonly ttl?: number;
  readonly now?: number;
  readonly algorithm?: "sha1" | "sha256" | "sha384" | "sha512";
}

/** A credential of acme's unless said otherwise. */
export const credential = (user: string, options: CredentialOptions = {}): Credential =>
  mint({
    secret: options.secret ?? acmeSecret,
    user,
    ttl: options.ttl ?? 300,
    algorithm: options.algorithm ?? "sha1",
    now: options.now ?? Math.floor(Date.now() / 1000),
  });

export interface AnswerChanges {
  readonly nc?: string;
  readonly uri?: string;
  readonly response?: string;
  readonly realm?: string;
  readonly nonce?: string;
  /** The whole header value, instead of a right one. */
  readonly value?: string;
}

/** The digest answer to a challenge, right unless changed. */
export function answer(
  challenge: string,
  method: string,
  uri: string,
  given: Credential,
  changes: AnswerChanges = {},
): string {
  const asked = header(challenge, "WWW-Authenticate") ?? header(challenge, "Proxy-Authenticate") ?? "";
  const realm = changes.realm ?? /realm="([^"]*)"/.exec(asked)?.[1] ?? "";
  const nonce = changes.nonce ?? /nonce="([^"]*)"/.exec(asked)?.[1] ?? "";
  const nc = changes.nc ?? "00000001";
  const written = { nonce, nc, cnonce: "0a4f113b", qop: "auth", uri: changes.uri ?? uri };
  const right = digestResponse({ ...written, ha1: ha1(given.username, realm, given.password), method });
  const value =
    changes.value ??
    `Digest algorithm=MD5, username="${given.username}", realm="${realm}", nonce="${nonce}", uri="${written.uri}", ` +
      `response="${changes.response ?? right}", qop=auth, cnonce="${written.cnonce}", nc=${nc}`;
  return `${method === "REGISTER" ? "Authorization" : "Proxy-Authorization"}: ${value}`;
}

export interface RawClientOptions {
  readonly origin?: string;
  readonly protocols?: string[];
  readonly path?: string;
  /** localPort: what node:http takes and the types do not know. */
  readonly ws?: ClientOptions & { readonly localPort?: number };
}

/** A browser's socket by hand: every byte is the test's. */
export class RawClient {
  readonly socket: WebSocket;
  readonly received: string[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  #stream: Socket | undefined;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.setMaxListeners(0); // one for each answer that a test waits for
    socket.once("upgrade", (response) => {
      this.#stream = response.socket;
    });
    socket.on("message", (data) => this.received.push((data as Buffer).toString("latin1")));
    this.closed = new Promise((resolve) => {
      socket.once("close", (code, reason) => resolve({ code, reason: reason.toString() }));
    });
    socket.on("error", () => {}); // what a test does not expect shows as a missing message
  }

  static connect(url: string, options: RawClientOptions = {}): Promise<RawClient> {
    const origin = options.origin === undefined ? {} : { origin: options.origin };
    const socket = new WebSocket(url + (options.path ?? "/"), options.protocols ?? ["sip"], {
      ...origin,
      handshakeTimeout: 10_000,
      ...options.ws,
    });
    return new Promise((resolve, reject) => {
      const client = new RawClient(socket);
      socket.once("open", () => resolve(client));
      socket.once("unexpected-response", (asked, response) => {
        asked.destroy();
        reject(new Error(`HTTP ${response.statusCode}`));
      });
      socket.once("error", reject);
    });
  }

  send(message: string | Buffer): void {
    this.socket.send(typeof message === "string" ? Buffer.from(message, "latin1") : message, { binary: true });
  }

  /** Bytes on the connection below the WebSocket: frames that no client library would send. */
  write(bytes: Buffer): void {
    this.#stream?.write(bytes);
  }

  /** Bytes that the other side has not taken yet. */
  get unsent(): number {
    return this.#stream?.writableLength ?? 0;
  }

  /** Stop reading at the connection itself, so that not even pongs are taken. */
  readStops(): void {
    this.#stream?.pause();
  }

  /** The first message, received already or still to come, that the predicate takes; it is not found again. */
  take(predicate: (message: string) => boolean, timeoutMs = 10_000): Promise<string> {
    const late = new Error(); // here, for the stack tells who waits
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const at = this.received.findIndex(predicate);
        if (at < 0) return;
        settle();
        resolve(this.received.splice(at, 1)[0]!);
      };
      const settle = (): void => {
        clearTimeout(timer);
        this.socket.off("message", look);
      };
      const timer = setTimeout(() => {
        settle();
        late.message = `no such message within ${timeoutMs} ms on a socket in state ${this.socket.readyState}, only:\n${this.received.join("\n---\n")}`;
        reject(late);
      }, timeoutMs);
      this.socket.on("message", look);
      look();
    });
  }

  /** The final response to the request with this Call-ID and CSeq. */
  response(callId: string, cseq: number, method: string, timeoutMs?: number): Promise<string> {
    return this.take((message) => {
      const mine = header(message, "Call-ID") === callId && header(message, "CSeq") === `${cseq} ${method}`;
      return mine && /^SIP\/2\.0 [2-6]/.test(message);
    }, timeoutMs);
  }

  /** Send a request as it is and return its final response. */
  ask(parts: RequestParts): Promise<string> {
    this.send(request(parts));
    return this.response(parts.callId, parts.cseq, parts.method);
  }

  /**
   * Send a request, answer its challenge, and return the final response to that answer. edit: the last word on the text
   * that carries the answer.
   */
  async prove(
    parts: RequestParts,
    given: Credential,
    changes: AnswerChanges = {},
    edit: (text: string) => string = (text) => text,
  ): Promise<string> {
    const challenge = await this.ask(parts);
    if (!/^SIP\/2\.0 40[17]/.test(challenge)) return challenge;
    const again = { ...parts, cseq: parts.cseq + 1 };
    const proof = answer(challenge, parts.method, parts.uri, given, changes);
    this.send(edit(request({ ...again, extra: [...(parts.extra ?? []), proof] })));
    return this.response(again.callId, again.cseq, again.method);
  }

  /** REGISTER under this credential; the address is user@domain. */
  register(user: string, given: Credential, parts: Partial<RequestParts> = {}): Promise<string> {
    const domain = user.slice(user.indexOf("@") + 1);
    const register = { method: "REGISTER", uri: `sip:${domain}`, from: user, to: user, fromTag: "reg1", cseq: 1 };
    return this.prove({ ...register, callId: `reg-${unique()}`, extra: ["Expires: 60"], ...parts }, given);
  }

  close(): void {
    this.socket.close();
  }

  /** Says no more, but would listen. */
  endsHalf(): void {
    this.#stream?.end();
  }

  /** Gone without a word: a TCP reset, after which the local port is free at once. */
  reset(): void {
    this.#stream?.resetAndDestroy();
  }
}

let count = 0;
/** A word that no other call in this process gets. */
export const unique = (): string => `${process.pid}-${count++}`;

export const code = (response: string): string | undefined => header(response, "Postern-Code");
export const status = (response: string): number => Number(response.slice(8, 11));
export { parseAuthorization };
