import { createHmac } from "node:crypto";
import { type Agent, type Credentials, createUserAgent } from "../../src/client/agent.ts";
import type { AudioCounts } from "../../src/client/audio.ts";
import type { Call, Outcome } from "../../src/client/call.ts";
import { type LadderEntry, renderLadder } from "../../src/client/ladder.ts";

export interface ClientOptions {
  /** The gateway's ws:// URL. */
  readonly url: string;
  readonly user: string;
  /** acme.example by default. */
  readonly domain?: string;
  /** The customer's secret, to mint a credential `<expiry>:<user>@<domain>` with. */
  readonly secret?: string;
  /** Seconds; 300 by default. */
  readonly ttl?: number;
  /** Instead of a minted one. */
  readonly credentials?: Credentials;
  /** The From address instead of the user's own. */
  readonly uri?: string;
  /** True by default. */
  readonly register?: boolean;
  /** Seconds asked for. */
  readonly expires?: number;
  readonly origin?: string;
  readonly ca?: string;
  /** Hz that it listens for; 440 by default. */
  readonly hears?: number;
}

/** A call of a test. Every promise has a deadline, and rejects with the ladder so far when it has passed. */
export interface TestCall {
  /** How it was answered, refusals too. */
  outcome(): Promise<Outcome>;
  /** Once it is up; a refusal rejects. */
  accepted(): Promise<void>;
  /** Once it is over: the client library's word for why. */
  ended(): Promise<string>;
  /** Once so many frames of the other side's tone were heard; 20 by default. */
  heard(frames?: number): Promise<AudioCounts>;
  audio(): AudioCounts;
  answer(): void;
  hangUp(): void;
}

export interface TestClient {
  registered(): Promise<void>;
  /** How the first registration ended, refusals too. */
  registration(): Promise<Outcome>;
  /** Connects first where need be. headers: `Name: value`. */
  call(target: string, headers?: readonly string[]): Promise<TestCall>;
  /** The next incoming call, come already or still to come; it rings until it is answered. */
  incoming(): Promise<TestCall>;
  /** Every SIP message in both directions, credentials masked. */
  readonly ladder: readonly LadderEntry[];
  stop(): Promise<void>;
}

export interface MintOptions {
  readonly secret: string;
  /** With domain: `alice@acme.example`. */
  readonly user: string;
  /** Seconds; 300 by default. */
  readonly ttl?: number;
  readonly algorithm?: "sha1" | "sha256" | "sha384" | "sha512";
  /** Unix seconds. */
  readonly now?: number;
}

/** A credential as a customer's own servlet would mint it, in a few lines that know nothing of Postern's code. */
export function mint({
  secret,
  user,
  ttl = 300,
  algorithm = "sha1",
  now = Math.floor(Date.now() / 1000),
}: MintOptions) {
  const username = `${now + ttl}:${user}`;
  return { username, password: createHmac(algorithm, secret).update(username).digest("base64"), ttl };
}

/** Milliseconds. */
const patience = 10_000;

export const addressOf = ({ user, domain = "acme.example" }: ClientOptions): string => `${user}@${domain}`;

export function credentialsOf(options: ClientOptions): Credentials {
  const { credentials, secret, ttl = 300 } = options;
  if (credentials) return credentials;
  if (secret === undefined) throw new TypeError("a test client needs a secret or credentials");
  return mint({ secret, user: addressOf(options), ttl });
}

/** The promise, or a rejection that says what was waited for and shows what was seen. */
export async function within<T>(promise: Promise<T>, what: string, ladder: readonly LadderEntry[]): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    late.reject(new Error(`${what}: not within ${patience} ms; seen:\n${renderLadder(ladder)}`));
  }, patience);
  return Promise.race([promise, late.promise]).finally(() => clearTimeout(timer));
}

export async function succeeded(
  outcome: Promise<Outcome>,
  what: string,
  ladder: readonly LadderEntry[],
): Promise<void> {
  const result = await outcome;
  if (result.ok) return;
  const { status, code, sentence } = result;
  throw new Error(`${what} failed: ${status} ${code} ${sentence}; seen:\n${renderLadder(ladder)}`);
}

/** There is no event for the n-th frame: it is looked for. */
export async function untilHeard(
  counts: () => AudioCounts,
  frames: number,
  ladder: readonly LadderEntry[],
): Promise<AudioCounts> {
  for (const until = Date.now() + patience; Date.now() < until; ) {
    if (counts().tone >= frames) return counts();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`${frames} frames of tone: only ${JSON.stringify(counts())}; seen:\n${renderLadder(ladder)}`);
}

/** What arrives before it is asked for, in order. */
export class Inbox<T> {
  readonly #items: T[] = [];
  readonly #waiting: ((item: T) => void)[] = [];

  put(item: T): void {
    const waiting = this.#waiting.shift();
    if (waiting) waiting(item);
    else this.#items.push(item);
  }

  take(): Promise<T> {
    const item = this.#items.shift();
    return item === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(item);
  }
}

/** JsSIP with real sound. */
export async function jssipClient(options: ClientOptions): Promise<TestClient & { readonly agent: Agent }> {
  const { url, register, expires, origin, ca, hears, uri = `sip:${addressOf(options)}` } = options;
  const rest = { ...(register !== undefined && { register }), ...(expires && { expires }), ...(origin && { origin }) };
  const agent = await createUserAgent({
    url,
    uri,
    credentials: credentialsOf(options),
    ...rest,
    ...(ca && { ca }),
    ...(hears && { hears }),
  });
  const { ladder } = agent;
  const inbox = new Inbox<Call>();
  agent.onIncoming = (call) => inbox.put(call);
  return {
    agent,
    ladder,
    registration: () => within(agent.registered, "registration", ladder),
    registered: () => succeeded(within(agent.registered, "registration", ladder), "registration", ladder),
    incoming: async () => testCall(await within(inbox.take(), "incoming call", ladder), ladder),
    stop: () => agent.stop(),
    call: async (target, headers) => {
      await succeeded(within(agent.connected, "connection", ladder), "connection", ladder);
      return testCall(agent.call(target, headers), ladder);
    },
  };
}

function testCall(call: Call, ladder: readonly LadderEntry[]): TestCall {
  const outcome = (): Promise<Outcome> => within(call.accepted, "answer to the call", ladder);
  return {
    outcome,
    accepted: () => succeeded(outcome(), "call", ladder),
    ended: () => within(call.ended, "end of the call", ladder),
    heard: (frames = 20) => untilHeard(() => call.audio, frames, ladder),
    audio: () => call.audio,
    answer: () => call.answer(),
    hangUp: () => call.hangUp(),
  };
}
