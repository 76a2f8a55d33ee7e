import { join } from "node:path";
import { type BenchClient, type Kind, LoadClient } from "./load.ts";
import { forkPeer, isInstalled, type Peer, startHaproxy, startNginx } from "./peers.ts";
import type { Plan } from "./plan.ts";
import { runSeries } from "./series.ts";
import type { Series } from "./table.ts";
import type { Work } from "./turn.ts";

export const titles: Readonly<Record<Kind, string>> = {
  register: "REGISTER, accepted",
  info: "INFO in a dialog",
  refused: "REGISTER, wrong password",
  bearer: "REGISTER under a JWT seen before",
  "bearer-HS256": "REGISTER, each under a JWT of its own, HS256",
  "bearer-ES256": "REGISTER, each under a JWT of its own, ES256",
};

const nobody = (): readonly number[] => [];

/** Everything that stands in front of the stub; the first is what the others are compared with. */
export async function startPeers(upstream: string, plan: Plan, dir: string): Promise<Peer[]> {
  const peers: Peer[] = [await forkPeer("bare ws relay", "relay.ts", [upstream])];
  peers.push(await forkPeer("raw node:net relay", "net-relay.ts", [upstream]));
  if (isInstalled("haproxy")) peers.push(await startHaproxy(upstream, join(dir, "haproxy")));
  if (isInstalled("nginx")) peers.push(await startNginx(upstream, join(dir, "nginx")));
  for (const count of plan.customers) peers.push(await startPostern(upstream, count));
  return peers;
}

/** proxyProtocol: off, v1 or v2. */
export function startPostern(upstream: string, customers: number, proxyProtocol = "off"): Promise<Peer> {
  return forkPeer(posternNamed(customers), "gateway.ts", [upstream, String(customers), proxyProtocol]);
}

export const posternNamed = (customers: number): string =>
  `Postern, ${customers.toLocaleString("en")} customer${customers === 1 ? "" : "s"}`;

/** One kind of request by so many clients, through every peer. */
export async function measureStub(peers: readonly Peer[], kind: Kind, clients: number, plan: Plan): Promise<Series> {
  const requests = clients === 1 ? plan.requests.one : plan.requests.many;
  const entrants = peers.map((peer) => ({ peer, work: workFor(peer, kind, clients, requests), behind: nobody }));
  const who = clients === 1 ? "1 client" : `${clients} clients`;
  return {
    title: `${titles[kind]}; ${who}; stub upstream`,
    behind: false,
    rows: await runSeries(entrants, plan.turns),
  };
}

/** Kinds are given by this very file. */
export const sipClient = (url: string, at: number): BenchClient => new LoadClient(url, at);

/** Relays refuse nothing: what stands behind them answers. */
function workFor(peer: Peer, kind: Kind, clients: number, requests: number): Work {
  const refused = kind === "refused" && peer.name.startsWith("Postern");
  return { kind, client: sipClient, clients, requests, expect: refused ? "SIP/2.0 403" : "SIP/2.0 200" };
}
