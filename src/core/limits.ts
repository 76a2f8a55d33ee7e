/** What the gateway takes from strangers and clients. 0 means no limit. */
export interface Limits {
  readonly messageBytes: number;
  readonly preAuthSeconds: number;
  readonly connectionsPerAddress: number;
  readonly failuresPerMinute: number;
  readonly messagesPerSecond: number;
  /** How long calls and binding outlive a browser's socket; 0: not at all. */
  readonly goneSeconds: number;
  /** Resident memory above which nothing new is taken; absent: a part of what the machine or its cgroup has. */
  readonly memoryMegabytes?: number | undefined;
}
