import type { ChainConfig } from "../config.ts";
import type { HashName } from "../core/identity.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";
import type { Attempt, Taken } from "./leg.ts";

/** Whether Kamailio takes a leg under this grant. */
export type Takes = (grant: Omit<Attempt, "proxyProtocol">) => Promise<Taken>;

interface Asked {
  readonly url: string;
  readonly chain: ChainConfig;
  /** Unix seconds. */
  readonly now: number;
  readonly takes: Takes;
}

const algorithms: readonly HashName[] = ["sha1", "sha256", "sha384", "sha512"];
/** Seconds. */
const day = 86_400;
const year = 365 * day;
/** Differences up to this are the seconds that everything takes. */
const close = 2;
/** Lines in Kamailio's log that one look at the clock may cost. */
const mostSteps = 14;

/** Kamailio refused a grant that is right by our config: which of secret, algorithm and clock is it? */
export async function explainRefusal(asked: Asked): Promise<Finding> {
  const { url, chain, now } = asked;
  const check = `grant ${url}`;
  const good = async (change: Partial<Attempt>): Promise<boolean> =>
    (await asked.takes({ ...ours(asked, now + chain.ttl), ...change })).kind === "taken";
  for (const algorithm of algorithms) {
    if (algorithm === chain.algorithm || !(await good({ algorithm }))) continue;
    const advice = `set chain.algorithm to ${algorithm}, or CHAIN_ALGORITHM in Kamailio's local.cfg to ${algorithms.indexOf(chain.algorithm)}`;
    return fail(check, `is refused: Kamailio checks by ${algorithm}, chain.algorithm is ${chain.algorithm}`, advice);
  }
  for (const [index, secret] of chain.secrets.entries()) {
    if (index === 0 || !(await good({ secret }))) continue;
    const advice =
      "set CHAIN_SECRET in Kamailio's local.cfg to the first one, the old as CHAIN_SECRET_OLD, and restart it";
    return fail(check, `is refused: Kamailio knows entry ${index + 1} of chain.secrets and not the first`, advice);
  }
  if (await good({ expiry: now + year })) {
    const ahead = await offset(asked, chain.ttl, year);
    const advice = "set both clocks by NTP; till then no call gets through";
    return fail(
      check,
      `is refused: Kamailio's clock is ${about(ahead)} ahead of ours, and a grant lives ${chain.ttl} s`,
      advice,
    );
  }
  return fail(
    check,
    "is refused under every algorithm and for any time: the secrets differ",
    "make chain.secret and CHAIN_SECRET in Kamailio's local.cfg the same bytes, and restart Kamailio",
  );
}

/**
 * Kamailio's clock against ours, by asking which expiries it still takes: it has no other way to tell the time. In the
 * good case two legs, one of them refused.
 */
export async function compareClocks(asked: Asked): Promise<Finding> {
  const { url, chain } = asked;
  const check = `Kamailio's clock ${url}`;
  const [ahead, behind] = [await takesAt(asked, close), await takesAt(asked, -close - 1)];
  if (ahead && !behind) return ok(check, `agrees with ours within ${close} s`);
  const advice = "set both by NTP: grants live by the two of them";
  if (!ahead) {
    const by = about(await offset(asked, close, chain.ttl));
    return warn(
      check,
      `is ${by} ahead of ours: a grant, which lives ${chain.ttl} s, is refused that much earlier`,
      advice,
    );
  }
  if (await takesAt(asked, -year)) {
    return fail(check, "takes grants that ended a year ago", "it does not look at the time: is that auth_ephemeral?");
  }
  const by = about(-(await offset(asked, -year, -close - 1)));
  return warn(check, `is ${by} behind ours: a grant is taken that much longer than its ${chain.ttl} s`, advice);
}

const ours = ({ chain }: Asked, expiry: number): Omit<Attempt, "proxyProtocol"> => ({
  secret: chain.secret,
  algorithm: chain.algorithm,
  expiry,
});

async function takesAt(asked: Asked, seconds: number): Promise<boolean> {
  return (await asked.takes(ours(asked, asked.now + seconds))).kind === "taken";
}

/** Seconds by which Kamailio's clock is ahead: a grant that ends `refused` from now is refused, one at `taken` is not. */
async function offset(asked: Asked, refused: number, taken: number): Promise<number> {
  let [low, high] = [refused, taken];
  for (let step = 0; step < mostSteps && high - low > Math.max(1, Math.abs(high) / 20); step++) {
    const middle = between(low, high);
    if (await takesAt(asked, middle)) high = middle;
    else low = middle;
  }
  return high;
}

/** Where the two are far apart, by their size: most clocks that are wrong are so by minutes or by hours, not by months. */
function between(low: number, high: number): number {
  const far = low > 0 ? high / low > 4 : low / high > 4;
  const size = Math.sqrt(Math.abs(low) * Math.abs(high));
  return Math.round(far ? Math.sign(low) * size : (low + high) / 2);
}

function about(seconds: number): string {
  if (seconds < 120) return `about ${seconds} s`;
  if (seconds < 2 * 3600) return `about ${Math.round(seconds / 60)} minutes`;
  return seconds < 2 * day ? `about ${Math.round(seconds / 3600)} hours` : `about ${Math.round(seconds / day)} days`;
}
