import type { Config } from "../config.ts";
import { type Finding, fail, ok, type System, warn } from "./finding.ts";

/** A connection is the browser's socket and its leg's. */
const perConnection = 2;
/** Listeners, log, health checks, a store. */
const besides = 100;
/** With fewer a gateway serves nobody to speak of. */
const fewest = 256;

/** Connections that all customers together may have; Infinity where one of them has no limit. */
export function mostConnections({ customers }: Pick<Config, "customers">): number {
  const each = customers.map(({ limits }) =>
    limits.connections === 0 ? Number.POSITIVE_INFINITY : limits.connections,
  );
  return each.reduce((sum, one) => sum + one, 0);
}

/** RLIMIT_NOFILE of this process against what the customers may open. Node raises the soft limit to the hard one itself. */
export function checkDescriptors(config: Pick<Config, "customers">, system: System): Finding {
  const check = "descriptors";
  const limit = descriptorLimit(system.readText("/proc/self/limits"));
  if (limit === undefined) {
    return warn(check, "the limit of open files is not known here", "look at it with ulimit -n before you serve many");
  }
  const carries = Math.max(0, Math.floor((limit - besides) / perConnection));
  const found = `this user may open ${count(limit)} files: about ${count(carries)} connections, at two each`;
  if (limit < fewest) return fail(check, found, raise);
  const most = mostConnections(config);
  if (most <= carries) return ok(check, found);
  return warn(check, `${found}; the customers' limits.connections allow ${allowed(most)}`, raise);
}

const raise = "raise LimitNOFILE in the systemd unit (ulimit -n elsewhere), or lower the customers' limits.connections";

function descriptorLimit(limits: string | undefined): number | undefined {
  const soft = /^Max open files\s+(\d+|unlimited)/m.exec(limits ?? "")?.[1];
  return soft === "unlimited" ? Number.POSITIVE_INFINITY : soft === undefined ? undefined : Number(soft);
}

/** Each leg takes a local port, and to one address and port there are no more than the range has. */
export function checkPorts(config: Pick<Config, "customers" | "upstream">, system: System): Finding {
  const check = "local ports";
  const range = /^\s*(\d+)\s+(\d+)/.exec(system.readText("/proc/sys/net/ipv4/ip_local_port_range") ?? "");
  if (!range) {
    return warn(check, "the range of local ports is not known here", "count on 28,232 legs to one upstream url");
  }
  const [each, urls] = [Number(range[2]) - Number(range[1]) + 1, new Set(config.upstream.urls).size];
  const found = `${count(each)} local ports, so as many legs to each upstream url: ${count(each * urls)} in all`;
  const most = mostConnections(config);
  if (most <= each * urls) return ok(check, found);
  return warn(
    check,
    `${found}; the customers' limits.connections allow ${allowed(most)}`,
    "widen net.ipv4.ip_local_port_range, let Kamailio listen on several addresses or ports and name each in upstream.urls, or lower the limits",
  );
}

const count = (value: number): string =>
  value === Number.POSITIVE_INFINITY ? "any number of" : value.toLocaleString("en");

const allowed = (most: number): string =>
  most === Number.POSITIVE_INFINITY ? "any number (one of them is 0)" : count(most);
