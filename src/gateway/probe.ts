import type { Clock } from "../core/clock.ts";
import { PosternError } from "../core/errors.ts";
import type { Customer } from "../core/identity.ts";
import type { Announcements } from "./announce.ts";
import type { Chain } from "./chain.ts";
import { openUpstream, type UpstreamOptions } from "./upstream.ts";

export interface ProbeOptions {
  readonly clock: Clock;
  readonly upstream: () => UpstreamOptions;
  readonly chain: () => Chain;
  readonly announcements: Announcements;
}

const freshFor = 2_000;

/** Who asks Kamailio whether it would take a leg: nobody's customer, who sends nothing. */
const nobody: Customer = {
  id: "postern",
  domains: [],
  secrets: [],
  origins: [],
  maxTtl: 0,
  clockSkew: 0,
  callFrom: [],
  numbers: [],
  dial: [],
  methods: [],
  inbound: {},
  passHeaders: [],
  limits: { connections: 0, calls: 0, callSeconds: 0 },
};

/**
 * Asks whether upstream takes a leg, by opening one as a client's would be (PROXY header, grant) and closing it.
 * The function answers undefined, or the reason why not; an answer is good for two seconds.
 */
export function upstreamProbe({
  clock,
  upstream,
  chain,
  announcements,
}: ProbeOptions): () => Promise<string | undefined> {
  let known: { at: number; answer: Promise<string | undefined> } | undefined;
  return () => {
    if (!known || clock.now() - known.at >= freshFor) known = { at: clock.now(), answer: probe() };
    return known.answer;
  };

  async function probe(): Promise<string | undefined> {
    const options = upstream();
    const family = options.urls.some((url) => !new URL(url).hostname.startsWith("[")) ? 4 : 6;
    const address = family === 4 ? "127.0.0.1" : "::1";
    const port = announcements.take(address, 0);
    if (port === undefined) return "no local port is left to announce";
    try {
      const identity = { customer: nobody, user: "probe", domain: "postern.invalid", secret: "", expiry: 0 };
      const announced = { address, port, family } as const;
      (await openUpstream(options, announced, chain().headers(identity))).close(1000);
      return undefined;
    } catch (error) {
      if (!(error instanceof PosternError)) throw error;
      return error.message;
    } finally {
      announcements.release(address, port, 0);
    }
  }
}
