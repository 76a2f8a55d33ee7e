import type { Surroundings } from "../store/judge.ts";
import type { StoreConfig } from "../store/open.ts";
import type { Act } from "../store/port.ts";

/** An import that is done apart from who asks for it. */
export interface ImportJob {
  readonly store: StoreConfig;
  readonly surroundings: Surroundings;
  /** JSON lines or CSV, UTF-8. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly csv: boolean;
  readonly replace: boolean;
  readonly check: boolean;
  readonly act: Act;
}
