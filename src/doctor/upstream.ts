import type { Config } from "../config.ts";
import { type Finding, fail, ok, type System } from "./finding.ts";
import { compareClocks, explainRefusal, type Takes } from "./grant.ts";
import { connectFault, type Taken, type Target, targetOf, tryLeg } from "./leg.ts";

/** One upstream url, from the name to the clock; what cannot be told because of an earlier fault is not guessed. */
export async function checkUpstream(
  url: string,
  config: Pick<Config, "chain" | "upstream">,
  system: System,
): Promise<Finding[]> {
  const check = `upstream ${url}`;
  const target = await targetOf(url);
  if (!target) return [fail(check, "the name is not known", "write an address, or mend the name's DNS")];
  const fault = await connectFault(target);
  if (fault !== undefined) return [unreachable(check, fault)];
  return [ok(check, "takes TCP connections"), ...(await checkLeg(target, config, system))];
}

function unreachable(check: string, code: string): Finding {
  if (code === "ECONNREFUSED") {
    return fail(
      check,
      "nobody listens there",
      "start Kamailio, or compare upstream.urls with listen=tcp:… in its local.cfg",
    );
  }
  if (code === "ABORT_ERR" || code === "ETIMEDOUT") {
    return fail(check, "gives no answer to a TCP connection", "look for a firewall between here and there");
  }
  return fail(check, `cannot be reached (${code})`, "look at the address and the route to it");
}

async function checkLeg(
  target: Target,
  { chain, upstream }: Pick<Config, "chain" | "upstream">,
  system: System,
): Promise<Finding[]> {
  const { url } = target;
  const { proxyProtocol } = upstream;
  const now = Math.floor(system.now() / 1000);
  const takes: Takes = (grant) => tryLeg(target, { ...grant, proxyProtocol });
  const right = { secret: chain.secret, algorithm: chain.algorithm, expiry: now + chain.ttl };
  const taken = await takes(right);
  switch (taken.kind) {
    case "taken": {
      const grant = ok(`grant ${url}`, "is taken");
      return [upgraded(url), ...proxyTaken(url, proxyProtocol), grant, await compareClocks({ url, chain, now, takes })];
    }
    case "refused":
      return [upgraded(url), ...proxyTaken(url, proxyProtocol), await explainRefusal({ url, chain, now, takes })];
    case "status":
      return [noUpgrade(url, taken.status)];
    case "untrusted":
      return [untrusted(url, taken.reason.split(";", 1)[0] ?? "")];
    case "mute":
      return [await explainSilence(target, taken.reason, proxyProtocol, (grant) => tryLeg(target, grant), right)];
  }
}

const upgraded = (url: string): Finding => ok(`WebSocket ${url}`, "answers the upgrade as Kamailio does");

const untrusted = (url: string, reason: string): Finding =>
  fail(
    `TLS ${url}`,
    `its certificate is not believed: ${reason}`,
    "give Kamailio one of a known authority for that name, or the gateway its own: NODE_EXTRA_CA_CERTS=ca.pem",
  );

const noUpgrade = (url: string, status: string): Finding =>
  fail(
    `WebSocket ${url}`,
    `answers the upgrade with HTTP ${status}`,
    "that is not Kamailio's WebSocket listener, or its event_route[xhttp:request] lacks the handshake: see docs/kamailio.md",
  );

function proxyTaken(url: string, version: Config["upstream"]["proxyProtocol"]): Finding[] {
  const check = `PROXY ${url}`;
  if (version === "off") return [ok(check, "is off: Kamailio sees the gateway's address for every browser")];
  return [ok(check, `header ${version} is read`)];
}

type Grant = Parameters<Takes>[0];

/** Either the header is what it does not understand, or it says nothing to anybody. */
async function explainSilence(
  { url }: Target,
  reason: string,
  version: Config["upstream"]["proxyProtocol"],
  attempt: (grant: Grant & { readonly proxyProtocol: "off" }) => Promise<Taken>,
  right: Grant,
): Promise<Finding> {
  const plain = version === "off" ? undefined : await attempt({ ...right, proxyProtocol: "off" });
  if (plain && plain.kind !== "mute") {
    const advice =
      "set tcp_accept_haproxy=yes in Kamailio and restart it; or upstream.proxyProtocol: off, and all browsers have one address";
    return fail(`PROXY ${url}`, `header ${version} gets no answer, an upgrade without it does`, advice);
  }
  return fail(
    `WebSocket ${url}`,
    `takes connections and answers no upgrade, with or without PROXY header (${reason})`,
    "is that Kamailio's WebSocket listener, and is Kamailio alive? A restart helps where its workers hang",
  );
}
