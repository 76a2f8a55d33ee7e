/** How long and how much: the figures mean something in the full plan alone. */
export interface OverloadPlan {
  readonly turns: number;
  /** Seconds of each measurement, and until a flood runs at its full strength. */
  readonly seconds: number;
  readonly ramp: number;
  /** Good users, and requests a second of each. */
  readonly users: number;
  readonly rate: number;
  /** Addresses that a flood comes from, and WebSockets that each keeps open where it talks. */
  readonly addresses: number;
  readonly sockets: number;
}

export const full: OverloadPlan = {
  turns: 3,
  seconds: 10,
  ramp: 3,
  users: 40,
  rate: 10,
  addresses: 8,
  sockets: 50,
};

/** Seconds: to see that the command works. */
export const tiny: OverloadPlan = {
  turns: 1,
  seconds: 0.5,
  ramp: 0.3,
  users: 2,
  rate: 20,
  addresses: 2,
  sockets: 2,
};

/** Of resident memory, for the gateway of this command. */
export const megabytes = 512;

export const floods = {
  digest: "bad credentials: digest",
  bearer: "bad credentials: Bearer",
  tcp: "half-open: TCP and no more",
  tls: "half-open: TLS, ClientHello and gone",
  http: "half-open: TLS, half a request",
  silent: "half-open: upgraded and silent",
  large: "messages of 30,000 bytes",
} as const;

export type FloodKind = keyof typeof floods;
export const floodKinds = Object.keys(floods) as readonly FloodKind[];
