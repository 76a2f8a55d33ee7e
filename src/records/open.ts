import type { CallOut } from "../callout/call-out.ts";
import type { CallRecord, CallSink } from "../core/calls.ts";
import type { Clock } from "../core/clock.ts";
import type { Customers } from "../core/customers.ts";
import type { CallRecords } from "../store/calls.ts";
import type { QualityRecords } from "../store/quality.ts";
import type { Log } from "../telemetry/log.ts";
import type { RecordCounts } from "../telemetry/metrics.ts";
import { RecordFile } from "./file.ts";
import { Recorder } from "./recorder.ts";
import { Reporter, type ReporterParts } from "./reporter.ts";
import { Upkeep } from "./upkeep.ts";
import { Webhooks } from "./webhooks.ts";

/** What a config says of them. */
export interface RecordsConfig {
  readonly records: { readonly store: boolean; readonly file?: string; readonly retentionDays: number };
}

export interface RecordsParts {
  readonly config: () => RecordsConfig;
  readonly customers: () => Customers;
  /** Undefined where there is none, or none yet. */
  readonly store: () => { readonly calls: CallRecords; readonly quality: QualityRecords } | undefined;
  readonly measured: ReporterParts["measured"];
  /** The one of this process: names hold threads of it. */
  readonly callOut: CallOut;
  readonly gateway: string;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Records {
  readonly sink: CallSink;
  readonly counts: RecordCounts;
  /** Where what participants tell goes. */
  readonly reports: Reporter;
  /** After the last call has ended, and before the store is closed. */
  close(): Promise<void>;
}

/** Everything that becomes of a call's record. */
export function openRecords(parts: RecordsParts): Records {
  const { config, customers, store: opened, measured, callOut, gateway, clock, log } = parts;
  const ports = () => (config().records.store ? opened() : undefined);
  const [store, quality] = [() => ports()?.calls, () => ports()?.quality];
  const file = new RecordFile({ path: () => config().records.file, log, lost: (count) => recorder.lostInFile(count) });
  const settled = (ids: readonly string[]) => recorder.settle(ids);
  const webhooks = new Webhooks({ customers, callOut, clock, log, random: Math.random, settled });
  const reports = new Reporter({ clock, log, store: quality, measured });
  const qualityOf = (record: CallRecord) => reports.of(record);
  const recorder: Recorder = new Recorder({ clock, log, gateway, store, file, webhooks, qualityOf });
  const upkeep = new Upkeep({
    ...{ clock, log, store, quality },
    retentionDays: () => config().records.retentionDays,
    alive: () => recorder.alive,
    takenOver: (record, isNew) => recorder.adopt(record, isNew),
  });
  upkeep.start();
  return {
    sink: recorder,
    reports,
    get counts() {
      return recorder.counts;
    },
    close: async () => {
      upkeep.stop();
      await Promise.all([recorder.close(), reports.close()]);
    },
  };
}
