import { join } from "node:path";
import { type BenchKamailio, startAlone, startBehind } from "./kamailio.ts";
import { forkPeer, type Peer } from "./peers.ts";
import { manyClients, type Plan } from "./plan.ts";
import { type Entrant, runSeries } from "./series.ts";
import { sipClient, startPostern, titles } from "./stub.ts";
import type { Series } from "./table.ts";
import { groupOf } from "./usage.ts";

type Proof = "register" | "refused";

interface Hall {
  readonly relay: Peer;
  readonly alone: readonly { readonly secrets: number; readonly kamailio: BenchKamailio }[];
  readonly posterns: readonly Peer[];
  readonly behind: BenchKamailio;
}

/**
 * With a real Kamailio: the bare relay in front of one that knows a single secret, Postern in front of the one it comes
 * with, and Kamailio's own `auth_ephemeral` without a gateway, with more and more secrets.
 */
export async function measureKamailio(plan: Plan, dir: string): Promise<Series[]> {
  const hall = await open(plan, dir);
  try {
    const series: Series[] = [];
    for (const kind of ["register", "refused"] as const) {
      const rows = await runSeries(entrants(hall, kind, plan), plan.turns);
      series.push({ title: `${titles[kind]}; ${manyClients} clients; Kamailio`, behind: "Kamailio", rows });
    }
    return series;
  } finally {
    await Promise.all(
      [hall.behind, ...hall.alone.map(({ kamailio }) => kamailio)].map(({ running }) => running.kill()),
    );
  }
}

async function open(plan: Plan, dir: string): Promise<Hall> {
  const behind = await startBehind(join(dir, "behind"));
  const alone = [];
  for (const secrets of plan.secrets) {
    alone.push({ secrets, kamailio: await startAlone(join(dir, `alone-${secrets}`), secrets) });
  }
  const counts = new Set([plan.customers[0]!, plan.customers.at(-1)!]);
  const posterns = [];
  for (const count of counts) posterns.push(await startPostern(behind.url, count, "v1"));
  const relay = await forkPeer("bare ws relay, 1 secret", "relay.ts", [alone[0]!.kamailio.url]);
  return { relay, alone, posterns, behind };
}

function entrants({ relay, alone, posterns, behind }: Hall, kind: Proof, plan: Plan): Entrant[] {
  const requests = plan.requests.many;
  const refusal = (status: string): string => (kind === "refused" ? `SIP/2.0 ${status}` : "SIP/2.0 200");
  const work = { kind, client: sipClient, clients: manyClients, requests, expect: refusal("401") };
  return [
    { peer: relay, work, behind: processesOf(alone[0]!.kamailio) },
    ...posterns.map((peer) => ({ peer, work: { ...work, expect: refusal("403") }, behind: processesOf(behind) })),
    ...alone.map(({ secrets, kamailio }) => ({
      peer: withoutGateway(secrets, kamailio.url),
      work: { ...work, requests: Math.max(manyClients, Math.round(requests / (1 + secrets / 30))) },
      behind: processesOf(kamailio),
    })),
  ];
}

const processesOf =
  ({ running }: BenchKamailio) =>
  (): number[] =>
    groupOf(running.pid);

const withoutGateway = (secrets: number, url: string): Peer => ({
  name: `Kamailio alone, ${secrets.toLocaleString("en")} secret${secrets === 1 ? "" : "s"}`,
  url,
  pids: [],
  settle: () => Promise.resolve(),
});
