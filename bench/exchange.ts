import { HttpClient, type HttpKind } from "./http-client.ts";
import { forkPeer, type Peer } from "./peers.ts";
import { manyClients, type Plan } from "./plan.ts";
import { runSeries } from "./series.ts";
import type { Series } from "./table.ts";

const titles: Readonly<Record<HttpKind, string>> = {
  credential: "Exchange of an ephemeral credential",
  token: "Exchange of a JWT seen before",
  "token-HS256": "Exchange, each of a JWT of its own, HS256",
  "token-ES256": "Exchange, each of a JWT of its own, ES256",
  authenticate: "callstats' /authenticate, each of a JWT of its own, HS256",
};

export const httpKinds = Object.keys(titles) as readonly HttpKind[];

/** The exchange over HTTP beside a bare node:http server that answers as much and looks at nothing. */
export async function measureExchange(posterns: readonly Peer[], plan: Plan): Promise<Series[]> {
  const bare = await forkPeer("bare node:http", "http-peer.ts", []);
  const series: Series[] = [];
  for (const kind of httpKinds) {
    const work = {
      kind,
      client: (url: string, at: number) => new HttpClient(url, at),
      clients: manyClients,
      requests: plan.requests.many,
      expect: "HTTP/1.1 200",
    };
    const entrants = [bare, ...posterns].map((peer) => ({ peer, work, behind: () => [] }));
    const rows = await runSeries(entrants, plan.turns);
    series.push({ title: `${titles[kind]}; ${manyClients} clients`, behind: false, rows });
  }
  return series;
}
