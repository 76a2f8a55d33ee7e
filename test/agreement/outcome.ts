import { parse } from "../../src/gateway/parse.ts";
import type { Arena } from "./arena.ts";
import type { Report } from "./report.ts";
import type { Trip } from "./trip.ts";
import { Visit } from "./visit.ts";

/** What became of one message. */
export type Outcome =
  /** Nothing of it reached Kamailio. code: the gateway's word, or `dropped`, `closed`. */
  | { readonly kind: "refused"; readonly code: string }
  | { readonly kind: "passed"; readonly sent: Buffer; readonly forwarded: Buffer; readonly report: Report }
  /** The gateway sent it, and Kamailio said nothing of it. */
  | { readonly kind: "lost"; readonly sent: Buffer; readonly forwarded: Buffer }
  /** Kamailio saw more than one message. */
  | { readonly kind: "surplus"; readonly sent: Buffer; readonly forwarded: Buffer }
  /** The gateway neither took nor refused it, again and again. */
  | { readonly kind: "stuck"; readonly sent: Buffer };

/** On one connection: below the 512 transactions that a leg may have under way. */
const perVisit = 250;
const atOnce = 4;
const attempts = 3;

interface Job {
  readonly text: string;
  readonly at: number;
}

/** Send every text through the gateway, on as many connections as it takes; outcomes in the order of the texts. */
export async function outcomes(arena: Arena, texts: readonly string[]): Promise<Outcome[]> {
  const results = new Array<Outcome>(texts.length);
  const jobs = texts.map((text, at) => ({ text, at }));
  const noise = jobs.filter(({ text }) => isNoise(text));
  const groups = grouped(jobs.filter(({ text }) => !isNoise(text)));
  const take = async (): Promise<void> => {
    for (let group = groups.shift(); group; group = groups.shift()) await batch(arena, group, results);
    for (let one = noise.pop(); one; one = noise.pop()) results[one.at] = await alone(arena, one.text);
  };
  await Promise.all(Array.from({ length: atOnce }, take));
  return results;
}

function grouped(jobs: readonly Job[]): Job[][] {
  const groups: Job[][] = [];
  for (let at = 0; at < jobs.length; at += perVisit) groups.push(jobs.slice(at, at + perVisit));
  return groups;
}

/** What the gateway answers by closing the connection. */
const isNoise = (text: string): boolean => parse(Buffer.from(text, "latin1"), 30_000).kind === "noise";

async function alone(arena: Arena, text: string): Promise<Outcome> {
  const visit = await Visit.open(arena, true);
  const trip = await visit.runLast(text);
  await visit.close();
  if (trip.forwarded) return { kind: "lost", sent: trip.bytes, forwarded: trip.forwarded };
  return trip.handled ? { kind: "refused", code: "closed" } : { kind: "stuck", sent: trip.bytes };
}

/**
 * Kamailio closes a leg over what it cannot read, and what was sent after that is lost with it: so the first that was
 * not reported is tried again alone, the others together.
 */
async function batch(arena: Arena, group: readonly Job[], results: Outcome[]): Promise<void> {
  let left = group;
  for (let attempt = 1; left.length > 0; attempt++) {
    const [suspect, ...others] = await undone(arena, left, results);
    if (!suspect) return;
    if (left.length > 1) {
      await batch(arena, [suspect], results);
      left = others;
    } else if (attempt === attempts) return;
  }
}

/** Those of which too little became known. */
async function undone(arena: Arena, jobs: readonly Job[], results: Outcome[]): Promise<Job[]> {
  const visit = await Visit.open(arena);
  const trips = await visit.run(jobs.map(({ text }) => text));
  await visit.close();
  return jobs.filter(({ at }, index) => {
    const outcome = outcomeOf(trips[index]!);
    results[at] = outcome;
    return outcome.kind === "lost" || outcome.kind === "stuck";
  });
}

function outcomeOf({ bytes: sent, forwarded, report, handled, verdict, surplus }: Trip): Outcome {
  if (!forwarded) return handled ? { kind: "refused", code: verdict || "dropped" } : { kind: "stuck", sent };
  if (surplus > 0) return { kind: "surplus", sent, forwarded };
  return report ? { kind: "passed", sent, forwarded, report } : { kind: "lost", sent, forwarded };
}
