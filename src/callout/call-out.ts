import { type Agents, openAgents } from "./agents.ts";
import { exchange, type Sending } from "./exchange.ts";
import { systemResolve } from "./resolve.ts";
import { type Answer, type CallOutResult, type Failed, failures } from "./result.ts";
import { aim, type Resolve, readUrl } from "./target.ts";

export interface CallOutParts {
  /** exchange.callbackNetworks as they are now: whether an address is in one of them. */
  readonly networks: () => (address: string) => boolean;
  /** Default: the machine's resolver. */
  readonly resolve?: Resolve;
  /** PEM, in the place of Node's roots. */
  readonly ca?: string;
}

export interface CallOutOptions {
  readonly method: "GET" | "POST";
  readonly headers?: Readonly<Record<string, string>>;
  /** A function: what may be sent but once, made anew for each attempt. */
  readonly body?: string | Buffer | (() => string);
  /** Over all of it: name, connection, redirects, the whole answer. */
  readonly timeoutMs: number;
  readonly maxBytes: number;
  /** That are followed. Default: three, on the same origin. */
  readonly redirects?: number;
  readonly signal?: AbortSignal;
}

const mostAtOnce = 256;
const mostRedirects = 3;

/**
 * The one place that calls URLs which customers name. They lead to public addresses by https, or into the operator's
 * callbackNetworks; the address judged is the address connected to. Rejects for faults of the caller only.
 */
export class CallOut {
  readonly #networks: CallOutParts["networks"];
  readonly #resolve: Resolve;
  readonly #agents: Agents;
  #underWay = 0;
  #isClosed = false;

  constructor({ networks, resolve = systemResolve(), ca }: CallOutParts) {
    this.#networks = networks;
    this.#resolve = resolve;
    this.#agents = openAgents(ca);
  }

  async request(text: string, options: CallOutOptions): Promise<CallOutResult> {
    const url = readUrl(text);
    if (!url) return failures.url;
    if (this.#underWay >= mostAtOnce) return failures.busy;
    this.#underWay++;
    try {
      return await this.#follow(url, sendingOf(options), options.redirects ?? mostRedirects);
    } finally {
      this.#underWay--;
    }
  }

  /** Ends what is kept open; what is under way fails, and whatever is asked for afterwards. */
  close(): void {
    this.#isClosed = true;
    this.#agents.http.destroy();
    this.#agents.https.destroy();
  }

  async #follow(first: URL, sending: Sending, most: number): Promise<CallOutResult> {
    let url = first;
    for (let redirects = 0; ; redirects++) {
      const answer = await this.#call(url, sending);
      if (answer.kind === "failed" || !isRedirect(answer)) return answer;
      const next = readUrl(answer.headers.location ?? "", url);
      if (redirects === most || next?.origin !== first.origin) return failures.redirect;
      // RFC 9110 §15.4: these make a GET of a POST, and the question is lost.
      if (sending.method === "POST" && answer.status < 307) return failures.redirect;
      url = next;
    }
  }

  async #call(url: URL, sending: Sending): Promise<Answer | Failed> {
    const { signal } = sending;
    const resolve = (name: string) => this.#resolve(name, signal);
    const target = await beforeEnd(signal, aim(url, resolve, this.#networks()));
    if (target.kind === "failed") return target;
    return this.#isClosed ? failures.unreachable : exchange(target, sending, this.#agents);
  }
}

function sendingOf({ method, headers = {}, body, timeoutMs, maxBytes, signal }: CallOutOptions): Sending {
  const deadline = AbortSignal.timeout(timeoutMs);
  return { method, headers, body, maxBytes, signal: signal ? AbortSignal.any([deadline, signal]) : deadline };
}

const redirects = new Set([301, 302, 303, 307, 308]);
const isRedirect = ({ status, headers }: Answer): boolean => redirects.has(status) && headers.location !== undefined;

/** A name server may take longer than anybody waits. */
async function beforeEnd<T>(signal: AbortSignal, result: Promise<T>): Promise<T | Failed> {
  if (signal.aborted) return failures.timeout;
  const { promise, resolve } = Promise.withResolvers<Failed>();
  const end = (): void => resolve(failures.timeout);
  signal.addEventListener("abort", end, { once: true });
  try {
    return await Promise.race([result, promise]);
  } finally {
    signal.removeEventListener("abort", end);
  }
}
