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
  "data-token": "Data token, the application asked for each, ES256 both ways; beside the application itself",
};

export const httpKinds = Object.keys(titles) as readonly HttpKind[];

/** application: of the customer that calls, which Postern asks for data tokens. */
export async function measureExchange(posterns: readonly Peer[], application: Peer, plan: Plan): Promise<Series[]> {
  // It answers as much as the exchange and looks at nothing.
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
    const asks = kind === "data-token";
    const entrants = [asks ? application : bare, ...posterns].map((peer) => {
      const behind = (): readonly number[] => (asks && peer !== application ? application.pids : []);
      return { peer, work, behind };
    });
    const rows = await runSeries(entrants, plan.turns);
    series.push({ title: `${titles[kind]}; ${manyClients} clients`, behind: asks && "application", rows });
  }
  return series;
}
