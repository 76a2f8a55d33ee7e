import type * as JsSIP from "jssip";

declare global {
  /** As jssip.js brings it. */
  interface Window {
    readonly JsSIP: typeof JsSIP;
  }
}
