import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Writable } from "node:stream";
import { type Pages, type PublicOptions, publicHttp } from "../../src/api/public.ts";
import { type Authenticator, AuthenticatorChain, notMine, type Proof } from "../../src/auth/authenticator.ts";
import { EndedConferences } from "../../src/auth/conferences.ts";
import { mint } from "../../src/auth/ephemeral.ts";
import { KeySets } from "../../src/auth/jwks.ts";
import { OwnKeys } from "../../src/auth/own-keys.ts";
import { PasswordAuthenticator } from "../../src/auth/password.ts";
import { PermissionTokens } from "../../src/auth/permission-token.ts";
import { networksOf } from "../../src/callout/address.ts";
import { CallOut, type CallOutOptions } from "../../src/callout/call-out.ts";
import { failures } from "../../src/callout/result.ts";
import { Customers } from "../../src/core/customers.ts";
import type { Customer } from "../../src/core/identity.ts";
import { nobodyCounts } from "../../src/core/verdicts.ts";
import type { Context, ExchangeSettings } from "../../src/exchange/context.ts";
import { Throttle } from "../../src/exchange/throttle.ts";
import { Failures } from "../../src/policy/limits.ts";
import { Signing } from "../../src/signing.ts";
import { MemoryState } from "../../src/state/memory.ts";
import { createLog } from "../../src/telemetry/log.ts";
import { customer } from "./customers.ts";

export const exchangeSecret = "the-exchange-secret-of-the-tests";
export const publicUrl = "wss://sip.postern.example:8443";

export const settings: ExchangeSettings = {
  exchange: { secret: exchangeSecret, algorithm: "sha1", ttl: 300 },
  publicUrl,
  limits: { failuresPerMinute: 60, messagesPerSecond: 200 },
  allowMissingOrigin: true,
};

/** A clock that stands until it is set. */
export class StandingClock {
  ms = 1_700_000_000_000;
  now = (): number => this.ms;
  get seconds(): number {
    return Math.floor(this.ms / 1000);
  }
}

/** One that runs. */
class WallClock extends StandingClock {
  override now = (): number => Date.now();
}

/** Tokens whose proof is given: what a token says is not what is tested here. */
export type Tokens = Readonly<Record<string, Proof>>;

const tokenAuthenticator = (tokens: Tokens): Authenticator => ({
  prove: (presented) => (presented.kind === "token" ? (tokens[presented.token] ?? notMine) : notMine),
});

export interface ExchangeParts {
  /** What the public port shows beside its own. */
  readonly pages?: Pages;
  readonly customers?: readonly Customer[];
  readonly settings?: Partial<ExchangeSettings>;
  readonly tokens?: Tokens;
  readonly clock?: StandingClock;
  readonly reporting?: Partial<PublicOptions["reporting"]>;
  /** The machine's clock, for what has to do with another program. */
  readonly wall?: boolean;
  /** Milliseconds that an application may take, if not as many as elsewhere. */
  readonly patience?: () => number;
  /** Told of each request to an application. */
  readonly sent?: (options: CallOutOptions) => void;
  /** Where applications may be; default: this machine. */
  readonly networks?: readonly string[];
  readonly draining?: () => boolean;
  readonly overloaded?: () => boolean;
}

/** What the exchange works with, over one customer, acme, whose secret is that of test/helpers/customers.ts. */
export function exchangeContext(parts: ExchangeParts = {}): Context & { readonly clock: StandingClock } {
  const { clock = new StandingClock(), tokens = {}, draining = () => false, overloaded = () => false } = parts;
  const customers = new Customers(parts.customers ?? [customer()]);
  const links = [new PasswordAuthenticator({ customers: () => customers, clock }), tokenAuthenticator(tokens)];
  const keys = new OwnKeys({ chain: ["the-chain-secret-of-the-tests"], exchange: exchangeSecret });
  return {
    clock,
    chain: new AuthenticatorChain(links, clock),
    keys: () => keys,
    settings: () => ({ ...settings, ...parts.settings }),
    failures: new Failures(new MemoryState(clock), clock, "public"),
    throttle: new Throttle(clock),
    draining,
    overloaded,
    proved: () => undefined,
  };
}

/** As acme's servlet makes it. user: with domain, or a customer's id. */
export const credential = (
  clock: StandingClock,
  user = "alice@acme.example",
  { ttl = 200, secret = "0123456789abcdef" } = {},
): { username: string; password: string } => {
  const { username, password } = mint({ secret, user, ttl, algorithm: "sha1", now: clock.seconds });
  return { username, password };
};

export interface PublicServer {
  readonly url: string;
  readonly context: Context & { readonly clock: StandingClock };
  readonly verdicts: [code: string, customer: string | undefined][];
  /** What became of requests to applications. */
  readonly applications: string[];
  readonly conferences: EndedConferences;
  /** As a reload does: who they are for the routes from then on. */
  change(customers: readonly Customer[]): void;
  log(): Record<string, unknown>[];
  close(): Promise<void>;
}

/** The public port's HTTP alone, on a real socket. */
export async function startPublic(parts: ExchangeParts = {}): Promise<PublicServer> {
  const context = parts.wall ? { ...exchangeContext(parts), clock: new WallClock() } : exchangeContext(parts);
  const lines: string[] = [];
  const verdicts: PublicServer["verdicts"] = [];
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(...chunk.toString().split("\n").filter(Boolean));
      done();
    },
  });
  let all = new Customers(parts.customers ?? [customer()]);
  const log = createLog({ level: "debug", destination });
  const nobodyReads = createLog({ level: "silent", destination: new Writable() });
  const signing = await Signing.open({ port: () => undefined, clock: context.clock, log: nobodyReads });
  const { networks = ["127.0.0.0/8"], patience } = parts;
  const callOut = new CallOut({ networks: () => networksOf(networks) });
  const hurried: Pick<CallOut, "request"> = {
    request: (url, options) => {
      parts.sent?.(options);
      return callOut.request(url, { ...options, timeoutMs: patience?.() ?? options.timeoutMs });
    },
  };
  const keySets = new KeySets({ fetch: () => Promise.resolve(failures.unreachable), clock: context.clock, log });
  const applications: string[] = [];
  const conferences = new EndedConferences(context.clock);
  const serve = await publicHttp({
    ...context,
    customers: () => all,
    config: context.settings,
    log,
    signing,
    applications: {
      callOut: hurried,
      permissionTokens: new PermissionTokens(keySets),
      conferences,
    },
    metrics: {
      verdict: (code: string, of?: string) => void verdicts.push([code, of]),
      proved: () => undefined,
      reported: () => undefined,
      application: (outcome: string) => void applications.push(outcome),
    },
    verdicts: nobodyCounts,
    reporting: {
      chain: context.chain,
      failures: context.failures,
      conferences: { ownersOf: () => undefined },
      reports: { event: () => "taken", stats: () => "taken" },
      end: () => undefined,
      ...parts.reporting,
    },
    source: ({ socket }) => ({ address: socket.remoteAddress ?? "" }),
    pages: parts.pages,
  });
  const server = createServer();
  serve(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    context,
    verdicts,
    applications,
    conferences,
    change: (changed) => {
      all = new Customers(changed);
    },
    log: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>),
    close: () =>
      new Promise((resolve) => {
        signing.close();
        callOut.close();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
