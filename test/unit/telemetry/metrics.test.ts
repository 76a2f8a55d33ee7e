import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { Metrics } from "../../../src/telemetry/metrics.ts";
import { version } from "../../../src/telemetry/version.ts";

const read = (path: string): string =>
  readFileSync(fileURLToPath(new URL(`../../../${path}`, import.meta.url)), "utf8");

const metrics = new Metrics({
  version: "1.2.3",
  readings: {
    legs: () => 1,
    dialogs: () => 2,
    calls: () => 3,
    registrations: () => 4,
    draining: () => true,
    chainSecrets: () => 1,
    short: (of) => of === "memory",
    upstreams: () => new Map([["ws://127.0.0.1:5080", false]]),
    hep: () => ({ sent: 5, dropped: { queue: 6 } }),
    records: () => ({
      ...{ recorded: 7, lost: { store: 8, file: 9, refusals: 10 }, waiting: 11 },
      webhooks: { records: { delivered: 12, given_up: 13 }, failures: 14, waiting: 15 },
    }),
    quality: () => ({ waiting: 16, lost: 17, bytes: 18 }),
  },
});

interface Described {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
}

/** What the gateway registers. prom-client does not type its label names. */
const registered: Described[] = metrics.registry.getMetricsAsArray().map((metric) => {
  const { name, type, labelNames } = metric as unknown as { name: string; type: string; labelNames: string[] };
  return { name, type, labels: labelNames };
});

/** The rows of docs/metrics.md. */
const documented: Described[] = [...read("docs/metrics.md").matchAll(/^\| `(\w+)` \| (\w+) \|(.*?)\| .+ \|$/gm)].map(
  ([, name = "", type = "", labels = ""]) => ({ name, type, labels: [...labels.matchAll(/\w+/g)].map(String) }),
);

const byName = (one: Described, other: Described): number => one.name.localeCompare(other.name);

describe("the metrics", () => {
  it("are those of docs/metrics.md, with type and labels", () => {
    expect(registered.length).toBeGreaterThan(10);
    expect(registered.toSorted(byName)).toEqual(documented.toSorted(byName));
  });

  it("have the project's prefix, base units, and no user", () => {
    for (const { name, labels } of registered) {
      expect(name).toMatch(/^postern_[a-z_]+$/);
      expect(name).not.toMatch(/milli|micro|percent|minutes|kilo/);
      expect(labels).not.toContain("user");
      expect(labels).not.toContain("address");
    }
  });

  it("tell what they are asked for when they are read", async () => {
    const accepted = { state: "accepted" } as const;
    metrics.connections.add(accepted);
    metrics.connections.add({ state: "silent" });
    metrics.message("from-client", "INVITE");
    metrics.message("from-client", "EVIL");
    metrics.verdict("challenged");
    metrics.verdict("destination-denied", "acme");
    metrics.proved(0.02);
    metrics.heard("acme", { mos: 4.1, loss: 0, jitter: 0.004 });
    const expected = [
      'postern_connections{state="silent"} 1',
      'postern_connections{state="unaccepted"} 0',
      'postern_connections{state="accepted"} 1',
      'postern_messages_total{direction="from_client",method="INVITE"} 1',
      'postern_messages_total{direction="from_client",method="other"} 1',
      'postern_messages_total{direction="to_upstream",method="INVITE"} 0',
      'postern_verdicts_total{code="challenged"} 1',
      'postern_verdicts_total{code="destination-denied",customer="acme"} 1',
      'postern_auth_duration_seconds_bucket{le="0.00001"} 0',
      'postern_auth_duration_seconds_bucket{le="0.000025"} 1',
      "postern_auth_duration_seconds_count 1",
      'postern_call_mos_bucket{le="4",customer="acme"} 0',
      'postern_call_mos_bucket{le="4.3",customer="acme"} 1',
      'postern_call_loss_ratio_bucket{le="0",customer="acme"} 1',
      'postern_call_jitter_seconds_count{customer="acme"} 1',
      "postern_quality_waiting 16",
      "postern_quality_lost_total 17",
      "postern_legs 1",
      "postern_dialogs 2",
      "postern_calls 3",
      "postern_registrations 4",
      "postern_draining 1",
      'postern_overloaded{shortage="lag"} 0',
      'postern_overloaded{shortage="memory"} 1',
      'postern_upstream_up{url="ws://127.0.0.1:5080"} 0',
      "postern_hep_packets_total 5",
      'postern_hep_dropped_total{reason="queue"} 6',
      `postern_build_info{version="1.2.3",node="${process.version}"} 1`,
    ];
    // Read twice: what is told anew each time must not add up.
    await metrics.registry.metrics();
    const lines = (await metrics.registry.metrics()).split("\n");
    for (const line of expected) expect(lines).toContain(line);
    metrics.connections.delete(accepted);
    expect(await metrics.registry.metrics()).toContain('postern_connections{state="accepted"} 0');
  });

  it("name so many customers and no more", async () => {
    for (let at = 0; at < 300; at++) metrics.heard(`many${at}`, { mos: 4.1 });
    const names = (await metrics.registry.metrics()).match(/^postern_call_mos_count.*$/gm);
    expect(names).toHaveLength(201);
    expect(names).toContain('postern_call_mos_count{customer="other"} 101');
  });

  it("see an event loop that is held up", async () => {
    const late = async (): Promise<number> =>
      Number(/lag_seconds\{stat="max"\} (\S+)/.exec(await metrics.registry.metrics())?.[1]);
    await late();
    await new Promise((resolve) => setTimeout(resolve, 30));
    for (const until = performance.now() + 120; performance.now() < until; );
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(await late()).toBeGreaterThan(0.08);
    expect(await late()).toBeLessThan(0.08);
    metrics.close();
  });

  it("know the version of package.json", () => {
    expect(version()).toBe((JSON.parse(read("package.json")) as { version: string }).version);
  });
});

/** Series by the names they have in queries: a histogram has three. */
const series = new Map(
  registered.flatMap(({ name, type, labels }) =>
    type === "histogram"
      ? [`${name}_bucket`, `${name}_sum`, `${name}_count`].map((one) => [one, [...labels, "le"]] as const)
      : [[name, labels] as const],
  ),
);

/** What a query names that does not exist: metrics, and labels in their selectors. */
function unknownIn(query: string): string[] {
  return [...query.matchAll(/\b(postern_\w+)(?:\{([^}]*)\})?/g)].flatMap(([, name = "", selector = ""]) => {
    const labels = series.get(name);
    if (!labels) return [name];
    const used = [...selector.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label = ""]) => label);
    return used.filter((label) => label !== "instance" && !labels.includes(label)).map((label) => `${name}{${label}}`);
  });
}

interface Dashboard {
  readonly panels: readonly { readonly title: string; readonly targets: readonly { readonly expr: string }[] }[];
}
const dashboard = JSON.parse(read("deploy/grafana/postern.json")) as Dashboard;
const dashboardQueries = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));

interface Rules {
  readonly groups: readonly { readonly rules: readonly { readonly alert: string; readonly expr: string }[] }[];
}
const rules = (parse(read("deploy/prometheus/alerts.yml")) as Rules).groups.flatMap((group) => group.rules);

describe("queries", () => {
  it("of the dashboard ask for what exists, and for every metric", () => {
    expect(dashboardQueries.flatMap(unknownIn)).toEqual([]);
    const asked = dashboardQueries.join("\n");
    expect(registered.map(({ name }) => name).filter((name) => !asked.includes(name))).toEqual([]);
  });

  it("of the alert rules ask for what exists", () => {
    expect(rules.length).toBeGreaterThan(5);
    expect(rules.map(({ expr }) => expr).flatMap(unknownIn)).toEqual([]);
  });

  it("of docs/metrics.md ask for what exists", () => {
    const queries = [...read("docs/metrics.md").matchAll(/: `([^`]*postern_[^`]*)`/g)].map(([, query = ""]) => query);
    expect(queries.length).toBeGreaterThan(2);
    expect(queries.flatMap(unknownIn)).toEqual([]);
  });

  it("that ask for something else are found", () => {
    expect(unknownIn("rate(postern_messages[5m])")).toEqual(["postern_messages"]);
    expect(unknownIn('postern_connections{status="silent",instance="a"}')).toEqual(["postern_connections{status}"]);
    expect(unknownIn("postern_auth_duration_seconds")).toEqual(["postern_auth_duration_seconds"]);
  });
});
