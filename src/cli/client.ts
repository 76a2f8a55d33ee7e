import { setTimeout as sleep } from "node:timers/promises";
import { type Command, InvalidArgumentError } from "commander";
import type { Agent, Credentials } from "../client/agent.ts";
import type { AudioCounts } from "../client/audio.ts";
import type { Call, Outcome } from "../client/call.ts";
import type { LadderEntry } from "../client/ladder.ts";
import { readBounded } from "../config/file.ts";
import { print, say, usage } from "./outcome.ts";

interface Options {
  readonly url: string;
  readonly uri: string;
  readonly credentials: string;
  readonly duration: number;
  readonly origin?: string;
  readonly json?: true;
}

interface Result {
  readonly ok: boolean;
  /** The final SIP status; null where none came. */
  readonly status: number | null;
  /** Postern-Code of a refusal. */
  readonly code: string | null;
  /** What is wrong and what to do; empty where all is well. */
  readonly sentence: string;
  readonly audio?: AudioCounts;
  readonly ladder: readonly LadderEntry[];
}

type Run = (agent: Agent, options: Options) => Promise<Omit<Result, "ladder">>;

/** Seconds until a registration, or a call that rings, is given up. */
const registerDeadline = 15;
const answerDeadline = 60;
const longestDuration = 86_400;

/** `postern client register|call`: a SIP client with real sound, to try a gateway with. */
export function registerClient(program: Command): void {
  const client = program.command("client").description("try a gateway as a SIP client with real sound");
  describe(client.command("register").description("register, and unregister again"), 0).action((options: Options) =>
    perform(options, true, register),
  );
  describe(
    client.command("call <target>").description("call a user, a number or a SIP URI with a 440 Hz tone"),
    3,
  ).action((target: string, options: Options) =>
    perform(options, false, (agent) => call(agent, target, options.duration)),
  );
}

function describe(command: Command, duration: number): Command {
  return command
    .requiredOption("--url <url>", "WebSocket of the gateway, ws:// or wss://", webSocketUrl)
    .requiredOption("--uri <uri>", "the user's address, such as sip:alice@acme.example", sipUri)
    .requiredOption("--credentials <file>", 'JSON that mint or the exchange prints, or {"token":"<JWT>"}; - for stdin')
    .option("--duration <seconds>", "how long to stay", seconds, duration)
    .option("--origin <origin>", "the Origin that a browser would show")
    .option("--json", "print the outcome and every message as JSON");
}

async function perform(options: Options, registers: boolean, run: Run): Promise<void> {
  const credentials = readCredentials(options.credentials) ?? usage(unreadable);
  const { createUserAgent } = await import("../client/agent.ts");
  const { url, uri, origin } = options;
  const agent = await createUserAgent({ url, uri, credentials, register: registers, ...(origin && { origin }) });
  const result = await run(agent, options).finally(() => agent.stop());
  await show({ ...result, ladder: agent.ladder }, options.json === true);
  process.exitCode = result.ok ? 0 : 1;
}

const register: Run = async (agent, { duration }) => {
  agent.onIncoming = (call) => call.answer();
  const outcome = await within(agent.registered, registerDeadline, "no answer to REGISTER");
  if (outcome.ok) await sleep(duration * 1000);
  return flat(outcome);
};

async function call(agent: Agent, target: string, duration: number): Promise<Omit<Result, "ladder">> {
  const connected = await within(agent.connected, registerDeadline, "no connection");
  if (!connected.ok) return flat(connected);
  const session = dial(agent, target);
  const outcome = await within(session.accepted, answerDeadline, "nobody answered");
  if (outcome.ok) await Promise.race([sleep(duration * 1000, undefined, { ref: false }), session.ended]);
  session.hangUp();
  return { ...flat(outcome), audio: session.audio };
}

function dial(agent: Agent, target: string): Call {
  try {
    return agent.call(target);
  } catch (fault) {
    if (fault instanceof TypeError) return usage("<target> is no user, number or SIP URI");
    throw fault;
  }
}

const flat = (outcome: Outcome): Omit<Result, "ladder"> =>
  outcome.ok ? { ok: true, status: outcome.status, code: null, sentence: "" } : outcome;

/** The outcome, or a failure after so many seconds. */
async function within(outcome: Promise<Outcome>, limit: number, sentence: string): Promise<Outcome> {
  const late: Outcome = { ok: false, status: null, code: null, sentence: `${sentence} within ${limit} s` };
  const done = new AbortController();
  const deadline = sleep(limit * 1000, late, { signal: done.signal }).catch(() => late);
  return Promise.race([outcome, deadline]).finally(() => done.abort());
}

async function show(result: Result, json: boolean): Promise<void> {
  if (json) return print(result);
  const { renderLadder } = await import("../client/ladder.ts");
  if (result.ladder.length > 0) console.log(renderLadder(result.ladder));
  const { audio } = result;
  if (audio) console.log(`audio frames: ${audio.sent} sent, ${audio.received} received, ${audio.tone} with the tone`);
  say(result.ok ? "ok" : `failed: ${[result.status, result.code, result.sentence].filter(Boolean).join(" ")}`);
}

/** Never says what stands in the file. */
const unreadable = '--credentials: expected a readable file with {"username","password"} or {"token"} in JSON';

/** Bytes. */
const largestCredentials = 65_536;

function readCredentials(path: string): Credentials | undefined {
  const value = parse(path);
  if (typeof value !== "object" || value === null) return undefined;
  const { username, password, token } = value as Record<string, unknown>;
  if (typeof token === "string" && token !== "") return { token };
  return typeof username === "string" && typeof password === "string" ? { username, password } : undefined;
}

function parse(path: string): unknown {
  try {
    return JSON.parse(readBounded(path === "-" ? 0 : path, largestCredentials).toString("utf8"));
  } catch {
    return undefined;
  }
}

function webSocketUrl(value: string): string {
  if (!URL.canParse(value) || !/^wss?:$/.test(new URL(value).protocol))
    throw new InvalidArgumentError("not a ws:// or wss:// URL");
  return value;
}

function sipUri(value: string): string {
  if (!/^sip:[^@\s:]+@[^@\s]+$/.test(value)) throw new InvalidArgumentError("not sip:user@domain");
  return value;
}

function seconds(value: string): number {
  const number = Number(value);
  if (!(number >= 0 && number <= longestDuration))
    throw new InvalidArgumentError(`not a number from 0 to ${longestDuration}`);
  return number;
}
