import { totalmem } from "node:os";
import { leaveRoomForGarbage } from "./gateway/garbage.ts";
import type { Health } from "./gateway/health.ts";
import type { Legs } from "./gateway/legs.ts";
import { MemoryUse, memoryBudget, Overload, readMemory } from "./gateway/overload.ts";
import type { Live } from "./live.ts";
import type { Records } from "./records/open.ts";
import type { Homer } from "./telemetry/homer.ts";
import { LagWatch } from "./telemetry/lag.ts";
import type { Log } from "./telemetry/log.ts";
import type { Readings } from "./telemetry/metrics.ts";

export interface Watched {
  readonly live: Live;
  readonly legs: Legs;
  readonly health: Health;
  readonly homer: Homer | undefined;
  readonly overload: Overload;
  readonly records: Records;
}

/** Whether the process is at the end of its strength. sockets: how many it has. */
export function overloadOf(live: Live, log: Log, sockets: () => number): Overload {
  const lateness = new LagWatch();
  const machine = { total: totalmem(), constrained: process.constrainedMemory() };
  const budget = (): number => memoryBudget(live.config.gateway.limits.memoryMegabytes, machine);
  const use = new MemoryUse(readMemory(0));
  const garbage = leaveRoomForGarbage(budget);
  const gauges = {
    lag: () => lateness.read().median,
    memory: () => use.part(readMemory(sockets()), budget()),
    stop: () => {
      lateness.stop();
      garbage.stop();
    },
  };
  return new Overload(gauges, log);
}

/** What metrics read when they are asked for. */
export const readingsOf = ({ live, legs, health, homer, overload, records }: Watched): Readings => ({
  legs: () => legs.size,
  dialogs: () => legs.sum((leg) => leg.dialogs.size),
  calls: () => legs.sum((leg) => leg.calls),
  registrations: () => legs.sum((leg) => Number(leg.isRegistered)),
  upstreams: () => health.states,
  draining: () => live.draining,
  chainSecrets: () => live.config.chain.secrets.length,
  short: (of) => overload.isShort(of),
  hep: () => homer?.counts,
  records: () => records.counts,
  quality: () => records.reports.counts,
});
