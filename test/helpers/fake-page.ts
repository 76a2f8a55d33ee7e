import JsSIP from "jssip";
import { vi } from "vitest";
import { type ConnectOptions, connect, type Phone } from "../../src/client/browser/connect.js";
import { header } from "./raw-sip.ts";

/** A browser's WebSocket whose far end is the test. */
export class FakeSocket {
  readonly url: string;
  readonly sent: string[] = [];
  readyState = 0;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string | ArrayBuffer }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;

  constructor(url: string) {
    new URL(url);
    this.url = url;
  }

  open(): void {
    this.readyState = 1;
    this.onopen?.();
  }

  send(message: string): void {
    this.sent.push(message);
  }

  hear(data: string | ArrayBuffer): void {
    this.onmessage?.({ data });
  }

  /** The other end closes, or the network does. */
  end(code = 1006, reason = ""): void {
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }

  /** As a browser's: that it is closed is told later. */
  close(): void {
    this.readyState = 3;
    queueMicrotask(() => this.onclose?.({ code: 1005, reason: "" }));
  }

  /** A response to the last request. */
  answer(status: string, ...fields: readonly string[]): void {
    const request = this.sent.at(-1) ?? "";
    const copied = ["Via", "From", "To", "Call-ID", "CSeq"].map((name) => `${name}: ${header(request, name)}`);
    const to = copied.map((line) => (line.startsWith("To:") ? `${line};tag=g` : line));
    this.hear([`SIP/2.0 ${status}`, ...to, ...fields, "Content-Length: 0", "", ""].join("\r\n"));
  }
}

export interface FakePage {
  readonly sockets: FakeSocket[];
  /** What fetch was asked. */
  readonly asked: { readonly url: string; readonly init: RequestInit }[];
  /** The next answers of fetch, the last one again and again. */
  answers: (() => Response | Promise<Response>)[];
  /** What the last phone told. */
  readonly told: { readonly type: string; readonly detail: Record<string, unknown> }[];
  connect(options?: Partial<ConnectOptions>): Phone;
  /** Lets this many milliseconds pass. */
  pass(ms?: number): Promise<unknown>;
  leave(): void;
}

export const json = (body: unknown, init: ResponseInit = {}) => {
  return () => new Response(typeof body === "string" ? body : JSON.stringify(body), init);
};

export const events = ["connected", "disconnected", "renewed", "trouble", "refused", "closed"] as const;

/** A page in Node with a clock of its own: the real JsSIP, no network. */
export function fakePage(): FakePage {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date"] });
  const phones: Phone[] = [];
  const page: FakePage = {
    sockets: [],
    asked: [],
    answers: [],
    told: [],
    connect: (options) => {
      const jssip = JsSIP as unknown as ConnectOptions["jssip"];
      const phone = connect({ jssip, credentials: "/sip-credential", servers: "wss://a.example", ...options });
      for (const type of events) {
        phone.addEventListener(type, ({ detail }) => page.told.push({ type, detail: { ...detail } }));
      }
      phones.push(phone);
      return phone;
    },
    pass: (ms = 0) => vi.advanceTimersByTimeAsync(ms),
    leave: () => {
      for (const phone of phones) phone.close();
      vi.useRealTimers();
      vi.unstubAllGlobals();
    },
  };
  vi.stubGlobal(
    "WebSocket",
    class extends FakeSocket {
      constructor(url: string) {
        super(url);
        page.sockets.push(this);
      }
    },
  );
  vi.stubGlobal("fetch", async (url: string, init: RequestInit) => {
    page.asked.push({ url, init });
    const answer = page.answers.length > 1 ? page.answers.shift() : page.answers[0];
    if (!answer) throw new TypeError("Failed to fetch");
    return answer();
  });
  return page;
}
