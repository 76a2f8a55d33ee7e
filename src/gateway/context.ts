import type { AuthenticatorChain } from "../auth/authenticator.ts";
import type { EndedConferences } from "../auth/conferences.ts";
import type { RemoteKeys } from "../auth/evidence.ts";
import type { NonceKey } from "../auth/nonce.ts";
import type { CallSink } from "../core/calls.ts";
import type { Clock } from "../core/clock.ts";
import type { Customers } from "../core/customers.ts";
import type { Limits } from "../core/limits.ts";
import type { Verdicts } from "../core/verdicts.ts";
import type { CallRate } from "../policy/call-rate.ts";
import type { Failures } from "../policy/limits.ts";
import type { State } from "../state/port.ts";
import type { Log } from "../telemetry/log.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { Trace } from "../telemetry/trace.ts";
import type { Admission } from "./admission.ts";
import type { Chain } from "./chain.ts";
import type { CallConferences } from "./conferences.ts";
import type { Legs } from "./legs.ts";
import type { Sessions } from "./sessions.ts";
import type { Strangers } from "./strangers.ts";
import type { UpstreamOptions } from "./upstream.ts";

/** What every connection works with. Functions are asked anew each time, for a reload may change what they say. */
export interface Context {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly trace: Trace;
  readonly verdicts: Verdicts;
  readonly customers: () => Customers;
  readonly gatewayDomains: () => ReadonlySet<string>;
  readonly allowMissingOrigin: () => boolean;
  readonly limits: () => Limits;
  /** Legs that one user of this customer may have at once; 0 for no limit. */
  readonly connectionsPerUser: (customer: string) => number;
  /** No new sockets and no new calls. */
  readonly draining: () => boolean;
  /** No new sockets, for time or memory is short. */
  readonly overloaded: () => boolean;
  /** Not even half-open connections may be many. */
  readonly memoryShort: () => boolean;
  readonly upstream: () => UpstreamOptions;
  /** What tells this gateway from others at the same Kamailio. */
  readonly gatewayId: string;
  readonly chain: () => Chain;
  readonly authenticators: AuthenticatorChain;
  readonly remoteKeys: RemoteKeys;
  readonly conferences: Pick<EndedConferences, "isOver">;
  readonly state: State;
  readonly nonceKey: NonceKey;
  readonly failures: Failures;
  readonly admission: Admission;
  readonly strangers: Strangers;
  readonly legs: Legs;
  readonly callRate: CallRate;
  readonly sessions: Sessions;
  /** Told of every call, and of every INVITE that is refused after the proof. */
  readonly calls: CallSink;
  /** Who is in which call. */
  readonly parties: CallConferences;
}
