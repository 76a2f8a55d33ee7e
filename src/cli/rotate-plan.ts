import type { Config } from "../config.ts";
import { changedAt, forget, type GatewayPlace, provenAt, use } from "./rotate-gateway.ts";
import { announce, type Kamailio, retire } from "./rotate-kamailio.ts";
import { done, type Outcome, sleep } from "./rotate-outcome.ts";
import type { Step } from "./rotation.ts";

/** One thing that is done, and can be done again. */
export interface Task {
  readonly step: Step;
  /** A file or an url. */
  readonly target: string;
  readonly does: string;
  readonly run: () => Promise<Outcome>;
}

export interface Wanted {
  readonly gateway: GatewayPlace | undefined;
  readonly kamailios: readonly Kamailio[];
  readonly fresh: string;
  readonly old: string | undefined;
  /** All of them where undefined. */
  readonly step: Step | undefined;
  /** Seconds, instead of what is reckoned. */
  readonly overlap: number | undefined;
}

/** What is done, in this order: at no time is a grant signed that a Kamailio does not take. */
export function tasksOf(wanted: Wanted): Task[] {
  const tasks = [...announcing(wanted), ...using(wanted), ...retiring(wanted)];
  return tasks.filter(({ step }) => wanted.step === undefined || wanted.step === step);
}

function announcing({ kamailios, fresh, old }: Wanted): Task[] {
  const both = old === undefined ? [fresh] : [fresh, old];
  // One that has the fresh one alone has been through all of it.
  const missing = kamailios.filter(({ secrets }) => secrets.length > 1 || secrets[0] !== fresh);
  return missing.map((kamailio) => ({
    step: "announce",
    target: kamailio.file,
    does: "this file and its Kamailio take the new secret beside the old one",
    run: () => announce(kamailio, both),
  }));
}

function using({ gateway, fresh, old }: Wanted): Task[] {
  if (!gateway || old === undefined) return [];
  const urls = [...new Set(gateway.config.upstream.urls)];
  const proofs = urls.map(
    (url): Task => ({
      step: "use",
      target: url,
      does: "this Kamailio is asked whether it takes the new secret",
      run: () => provenAt(url, gateway, fresh),
    }),
  );
  if (isOver(gateway, fresh)) return [];
  return [
    ...proofs,
    {
      step: "use",
      target: gateway.file,
      does: "the gateway signs with the new secret and still takes what it made under the old one",
      run: () => use(gateway, fresh, old),
    },
  ];
}

/** A gateway that has the fresh secret alone: what is left is Kamailio's. */
const isOver = ({ config }: GatewayPlace, fresh: string): boolean => config.chain.secrets.join("\n") === fresh;

function retiring({ gateway, kamailios, fresh, old, overlap }: Wanted): Task[] {
  if (old === undefined) return [];
  const lives = gateway && (overlap === undefined ? livesOf(gateway.config) : { kamailio: overlap, gateway: overlap });
  const waits = (seconds: number): Task[] =>
    gateway
      ? [{ step: "retire", target: gateway.file, does: waiting(seconds), run: () => wait(gateway, seconds) }]
      : [];
  const inKamailio = kamailios.filter(({ secrets }) => secrets.length > 1 || secrets[0] !== fresh);
  return [
    ...(inKamailio.length > 0 ? waits(lives?.kamailio ?? 0) : []),
    ...inKamailio.map(
      (kamailio): Task => ({
        step: "retire",
        target: kamailio.file,
        does: "this file and its Kamailio forget the old secret",
        run: () => retire(kamailio, fresh),
      }),
    ),
    ...(gateway && !isOver(gateway, fresh)
      ? [
          ...waits(lives?.gateway ?? 0),
          {
            step: "retire" as const,
            target: gateway.file,
            does: "the gateway forgets the old secret",
            run: () => forget(gateway, fresh),
          },
        ]
      : []),
  ];
}

const waiting = (seconds: number): string =>
  `until ${seconds} s after it was last changed, for as long lives what was made under the old secret`;

async function wait(gateway: GatewayPlace, seconds: number): Promise<Outcome> {
  for (;;) {
    // A file from the future is from now.
    const age = Math.max(0, Date.now() / 1000 - changedAt(gateway));
    if (age >= seconds) return done;
    await sleep(Math.min(60, seconds - age) * 1000);
  }
}

/** Seconds that clocks and deliveries may take besides. */
const margin = 30;
/** Seconds for which Kamailio's tm keeps an INVITE at most: its Via has a seal under the secret of its time. */
const longestInvite = 180;
/** Seconds: the longest access token. */
const longestToken = 3600;

/** Seconds that what was made under the old secret lives: grants and seals at Kamailio; at the gateway what it issued. */
export function livesOf({ chain, exchange, customers }: Config): {
  readonly kamailio: number;
  readonly gateway: number;
} {
  const token = Math.min(longestToken, Math.max(0, ...customers.map(({ maxTtl }) => maxTtl)));
  const kamailio = Math.max(chain.ttl, longestInvite) + margin;
  return { kamailio, gateway: Math.max(kamailio, (exchange?.ttl ?? 0) + margin, token + margin) };
}
