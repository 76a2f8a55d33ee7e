import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { Code } from "../core/errors.ts";
import { ApplicationMetrics, type ApplicationOutcome, type ApplicationTimes } from "./application-metrics.ts";
import { MessageCounts, VerdictCounts } from "./counts.ts";
import { LagWatch } from "./lag.ts";
import { type MeasuredAudio, type QualityCounts, QualityMetrics } from "./quality-metrics.ts";
import type { Way } from "./trace.ts";

/** Silent: nothing was said. Unaccepted: something was said, nothing accepted, or the credential has expired. */
export type ConnectionState = "silent" | "unaccepted" | "accepted";

/** What is asked for when the metrics are read. */
export interface Readings {
  readonly legs: () => number;
  readonly dialogs: () => number;
  readonly calls: () => number;
  readonly registrations: () => number;
  readonly draining: () => boolean;
  /** That are taken: more than one while the chain secret rotates. */
  readonly chainSecrets: () => number;
  /** Whether time (the event loop is late) or memory is short. */
  readonly short: (of: "lag" | "memory") => boolean;
  /** Upstream url → whether it takes legs. */
  readonly upstreams: () => ReadonlyMap<string, boolean>;
  /** Undefined where HEP is off. */
  readonly hep: () => HepCounts | undefined;
  readonly records: () => RecordCounts;
  readonly quality: () => QualityCounts;
}

export interface RecordCounts {
  /** That have ended. */
  readonly recorded: number;
  /** That are missing, by where. */
  readonly lost: Readonly<Record<"store" | "file" | "refusals", number>>;
  /** For the store. */
  readonly waiting: number;
  readonly webhooks: {
    readonly records: Readonly<Record<"delivered" | "given_up", number>>;
    /** Requests. */
    readonly failures: number;
    readonly waiting: number;
  };
}

export interface HepCounts {
  readonly sent: number;
  /** By reason. */
  readonly dropped: Readonly<Record<string, number>>;
}

export interface MetricsOptions {
  readonly readings: Readings;
  readonly version: string;
}

const authBuckets = [5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 0.1, 1];

/**
 * Every metric there is, in base units. No label holds what a stranger can choose, and none a user. What is counted for
 * every message is a plain number until somebody reads it.
 */
export class Metrics {
  readonly registry = new Registry();
  /** Those that are open now, for their states. */
  readonly connections = new Set<{ readonly state: ConnectionState }>();
  readonly #messages = new MessageCounts();
  readonly #verdicts = new VerdictCounts();
  readonly #refusedUpstream = { grant: 0, media: 0, trunk: 0 };
  #passedTrunk = 0;
  readonly #lag = new LagWatch();
  readonly #authDuration: Histogram;
  readonly #quality: QualityMetrics;
  readonly #reports: Counter;
  readonly #application: ApplicationMetrics;

  constructor({ readings, version }: MetricsOptions) {
    this.#told();
    this.#authDuration = new Histogram({
      name: "postern_auth_duration_seconds",
      help: "Time to prove a credential, refused ones too; a request without one is not counted.",
      buckets: authBuckets,
      registers: [this.registry],
    });
    this.#reports = new Counter({
      name: "postern_reports_total",
      help: "Conference events and statistics that were taken, and requests with such that were refused, by code.",
      labelNames: ["kind", "code"],
      registers: [this.registry],
    });
    this.#state(readings);
    this.#hep(readings.hep);
    this.#records(readings.records);
    this.#quality = new QualityMetrics(this.registry, readings.quality);
    this.#application = new ApplicationMetrics(this.registry);
    this.#process(version);
  }

  /** A SIP message passed. */
  message(way: Way, method: string): void {
    this.#messages.add(way, method);
  }

  /** code: a refusal, `accepted` or `challenged`. customer: its id, only where it is proved. */
  verdict(code: Code | "accepted" | "challenged", customer?: string): void {
    this.#verdicts.add(code, customer);
  }

  /** Kamailio refused a request for our grant, or a call, for want of rtpengine or of a trunk. */
  refusedUpstream(what: "grant" | "media" | "trunk"): void {
    this.#refusedUpstream[what]++;
  }

  /** A call was taken by another trunk than its first. */
  passedTrunk(): void {
    this.#passedTrunk++;
  }

  /** A credential was proved or refused within so many milliseconds. */
  proved(milliseconds: number): void {
    this.#authDuration.observe(milliseconds / 1000);
  }

  /** A customer's application was asked, or would have been. */
  application(outcome: ApplicationOutcome, times?: ApplicationTimes): void {
    this.#application.note(outcome, times);
  }

  /** A report says how audio is heard. */
  heard(customer: string, measured: MeasuredAudio): void {
    this.#quality.observe(customer, measured);
  }

  /** Conference events or statistics: so many were taken, or a request with them was refused. */
  reported(kind: "event" | "stats", code: Code | "accepted", count: number): void {
    this.#reports.inc({ kind, code }, count);
  }

  close(): void {
    this.#lag.stop();
  }

  #told(): void {
    const [messages, verdicts] = [this.#messages, this.#verdicts];
    const names = ["direction", "method"];
    this.#counter("postern_messages_total", "SIP messages that passed.", names, (counter) => {
      for (const { direction, method, count } of messages) {
        counter.inc({ direction: direction.replace("-", "_"), method }, count);
      }
    });
    const help = "Verdicts on requests and connections; customer only after the proof.";
    this.#counter("postern_verdicts_total", help, ["code", "customer"], (counter) => {
      for (const { labels, count } of verdicts) counter.inc(labels, count);
    });
    const refused = this.#refusedUpstream;
    this.#counter("postern_upstream_refused_total", "Requests that Kamailio refused.", ["for"], (counter) => {
      for (const [what, count] of Object.entries(refused)) counter.inc({ for: what }, count);
    });
    this.#counter("postern_trunk_passed_total", "Calls that another trunk than the first took.", [], (counter) => {
      counter.inc(this.#passedTrunk);
    });
  }

  #state({ legs, dialogs, calls, registrations, draining, chainSecrets, short, upstreams }: Readings): void {
    this.#gauge("postern_connections", "Open WebSocket connections of clients.", ["state"], (gauge) => {
      const count = { silent: 0, unaccepted: 0, accepted: 0 };
      for (const { state } of this.connections) count[state]++;
      for (const [state, number] of Object.entries(count)) gauge.set({ state }, number);
    });
    this.#number("postern_legs", "Legs: upstream connections of proved identities.", legs);
    this.#number("postern_dialogs", "Dialogs of clients, early ones too.", dialogs);
    this.#number("postern_calls", "Calls that ring or stand.", calls);
    this.#number("postern_registrations", "Legs with a binding at upstream.", registrations);
    this.#number("postern_draining", "1 while no new connections and calls are taken.", () => Number(draining()));
    this.#number("postern_chain_secrets", "Chain secrets that are taken.", chainSecrets);
    this.#gauge(
      "postern_overloaded",
      "1 while new connections are refused for this shortage.",
      ["shortage"],
      (gauge) => {
        for (const shortage of ["lag", "memory"] as const) gauge.set({ shortage }, Number(short(shortage)));
      },
    );
    this.#gauge("postern_upstream_up", "1 where the upstream url takes legs.", ["url"], async (gauge) => {
      const states = upstreams();
      gauge.reset();
      for (const [url, up] of states) gauge.set({ url }, Number(up));
    });
  }

  #hep(counts: () => HepCounts | undefined): void {
    this.#counter("postern_hep_packets_total", "HEP packets handed to the network.", [], (counter) => {
      counter.inc(counts()?.sent ?? 0);
    });
    this.#counter("postern_hep_dropped_total", "HEP packets that were not sent.", ["reason"], (counter) => {
      for (const [reason, count] of Object.entries(counts()?.dropped ?? {})) counter.inc({ reason }, count);
    });
  }

  #records(counts: () => RecordCounts): void {
    this.#counter("postern_call_records_total", "Calls that have ended, refused ones too.", [], (counter) => {
      counter.inc(counts().recorded);
    });
    this.#counter("postern_call_records_lost_total", "Call records that are missing.", ["in"], (counter) => {
      for (const [where, count] of Object.entries(counts().lost)) counter.inc({ in: where }, count);
    });
    this.#number("postern_call_records_waiting", "Call records that the store is yet to take.", () => counts().waiting);
    const help = "Call records that webhooks were told of, or never will be.";
    this.#counter("postern_webhook_records_total", help, ["result"], (counter) => {
      for (const [result, count] of Object.entries(counts().webhooks.records)) counter.inc({ result }, count);
    });
    this.#counter("postern_webhook_failures_total", "Requests to webhooks without a 2xx.", [], (counter) => {
      counter.inc(counts().webhooks.failures);
    });
    this.#number(
      "postern_webhook_waiting",
      "Call records that webhooks are yet to be told of.",
      () => counts().webhooks.waiting,
    );
  }

  #process(version: string): void {
    const lag = this.#lag;
    const help = "How late the event loop was since the metrics were last read.";
    this.#gauge("postern_event_loop_lag_seconds", help, ["stat"], (gauge) => {
      for (const [stat, value] of Object.entries(lag.read())) gauge.set({ stat }, value);
    });
    this.#number("postern_process_resident_memory_bytes", "Resident memory.", () => process.memoryUsage.rss());
    this.#number("postern_process_start_time_seconds", "Unix time of the start.", () => performance.timeOrigin / 1000);
    this.#counter("postern_process_cpu_seconds_total", "CPU time, user and system.", [], (counter) => {
      const { user, system } = process.cpuUsage();
      counter.inc((user + system) / 1e6);
    });
    this.#gauge("postern_build_info", "1, with what runs here.", ["version", "node"], (gauge) => {
      gauge.set({ version, node: process.version }, 1);
    });
  }

  #number(name: string, help: string, read: () => number): void {
    this.#gauge(name, help, [], (gauge) => gauge.set(read()));
  }

  #gauge(name: string, help: string, labelNames: string[], read: (gauge: Gauge) => void | Promise<void>): void {
    const registers = [this.registry];
    new Gauge({
      name,
      help,
      labelNames,
      registers,
      collect() {
        return read(this);
      },
    });
  }

  /** What is counted elsewhere is told anew each time. */
  #counter(name: string, help: string, labelNames: string[], tell: (counter: Counter) => void): void {
    const registers = [this.registry];
    new Counter({
      name,
      help,
      labelNames,
      registers,
      collect() {
        this.reset();
        tell(this);
      },
    });
  }
}
