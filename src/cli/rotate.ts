import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { secret as strong } from "../config/values.ts";
import { isOneLine } from "../kamailio/local-cfg.ts";
import { actOf } from "./act.ts";
import { need } from "./config-file.ts";
import { noteUseOf } from "./note-use.ts";
import { failure, print, say, usage } from "./outcome.ts";
import { lock } from "./replace-file.ts";
import { type GatewayPlace, unchangeable } from "./rotate-gateway.ts";
import { type Kamailio, readKamailio } from "./rotate-kamailio.ts";
import type { Outcome } from "./rotate-outcome.ts";
import { type Task, tasksOf } from "./rotate-plan.ts";
import { rotationOf, type Step } from "./rotation.ts";
import { readSecret } from "./secret-source.ts";

/** Of `postern rotate-chain`. overlap: seconds. */
export interface RotateOptions {
  readonly config?: string;
  readonly kamailio: readonly string[];
  readonly secret?: string;
  readonly step?: Step;
  readonly overlap?: number;
  readonly dryRun?: true;
  readonly json?: true;
}

/** The exit code. */
export async function rotateChain(options: RotateOptions): Promise<number> {
  const { step, kamailio: files, json = false } = options;
  if (files.length === 0 && step !== "use" && step !== "retire") usage("name Kamailio's local.cfg by --kamailio");
  const given = options.secret === undefined ? undefined : newSecret(options.secret);
  const isOwnStep = files.length > 0 && (step === "announce" || step === "retire");
  const config = options.config ?? (isOwnStep ? undefined : "postern.yaml");
  const release = options.dryRun ? () => undefined : hold([...(config === undefined ? [] : [config]), ...files]);
  try {
    const gateway = config === undefined ? undefined : await gatewayOf(config, options.overlap);
    const tasks = plan(options, gateway, files.map(kamailioOf), given);
    if (options.dryRun) return foresee(tasks, json);
    const exit = await carryOut(tasks, json);
    const what = `rotate-chain${step === undefined ? "" : ` ${step}`}: ${exit === 0 ? "done" : "not done"}`;
    if (config !== undefined) await noteUseOf(config, actOf(what));
    return exit;
  } finally {
    release();
  }
}

/** One that the config, Kamailio's configuration and its table say in the same way. */
function newSecret(source: string): string {
  const read = readSecret("--secret", source, process.env);
  if (read.kind === "fault") usage(read.sentence);
  const { secret } = read;
  const weak = strong.safeParse(secret).error;
  if (weak) usage(`--secret: ${weak.issues[0]?.message}`);
  if (!isOneLine(secret)) usage("--secret: is not one line of text: make one by openssl rand -base64 32");
  if (secret.startsWith("file:") || secret.includes("${")) usage("--secret: begins with file: or holds a ${");
  return secret;
}

/** Two at once would each make a secret that the other does not know. */
function hold(files: readonly string[]): () => void {
  const releases: (() => void)[] = [];
  const release = (): void => {
    for (const one of releases.splice(0)) one();
  };
  for (const file of files.filter((one) => existsSync(one))) {
    const held = lock(file);
    if ("release" in held) {
      releases.push(held.release);
      continue;
    }
    release();
    failure(`another rotation is under way (process ${held.heldBy}): if not, remove ${file}.rotating`);
  }
  return release;
}

async function gatewayOf(file: string, overlap: number | undefined): Promise<GatewayPlace> {
  const { config } = await need(file);
  const fault = unchangeable(file);
  if (fault !== undefined) usage(fault);
  if (overlap !== undefined && overlap < config.chain.ttl) {
    usage(`--overlap: a grant lives ${config.chain.ttl} s (chain.ttl): both must be taken for at least as long`);
  }
  return { file, config };
}

function kamailioOf(file: string): Kamailio {
  const read = readKamailio(file);
  return read.kind === "kamailio" ? read.kamailio : usage(read.sentence);
}

function plan(
  { step, overlap }: RotateOptions,
  gateway: GatewayPlace | undefined,
  kamailios: readonly Kamailio[],
  given: string | undefined,
): Task[] {
  const standing = {
    gateway: gateway?.config.chain.secrets,
    kamailios: new Map(kamailios.map(({ file, secrets }) => [file, secrets])),
  };
  const rotation = rotationOf(standing, { given, make: () => randomBytes(32).toString("base64") });
  if (rotation.kind === "fault") failure(rotation.sentence);
  const { fresh, old, begun } = rotation;
  if (!begun && given === undefined && step === "use")
    usage("--step use takes the announced secret: give it by --secret");
  if (step === "announce" && !gateway && given === undefined && old === undefined) {
    usage("--step announce needs --secret where no config is named");
  }
  if (step === "retire" && (!begun || (gateway && gateway.config.chain.secret !== fresh))) {
    failure("the gateway does not sign with a new secret yet: --step use comes first");
  }
  say(sentenceOf(old, begun));
  return tasksOf({ gateway, kamailios, fresh, old, step, overlap });
}

function sentenceOf(old: string | undefined, begun: boolean): string {
  if (old === undefined) return "no rotation is half done here, and there is nothing to do";
  return begun ? "a rotation was begun before: this goes on with it" : "a new rotation begins";
}

const shape = ({ step, target, does }: Task, done: boolean) => ({ step, target, does, done });

function foresee(tasks: readonly Task[], json: boolean): number {
  for (const { step, target, does } of tasks) say(`would ${step}: ${target}: ${does}`);
  if (json) print({ ok: true, steps: tasks.map((task) => shape(task, false)), sentence: "" });
  return 0;
}

/** Stops at the first that fails: the later ones rest on it. */
async function carryOut(tasks: readonly Task[], json: boolean): Promise<number> {
  let [count, sentence] = [0, ""];
  for (const task of tasks) {
    say(`${task.step}: ${task.target}: ${task.does}`);
    const outcome = await attempt(task);
    if (outcome.kind === "failed") {
      sentence = outcome.sentence;
      break;
    }
    count++;
  }
  if (sentence !== "") say(`error: ${sentence}; what was done stays good, run this again`);
  if (json) print({ ok: sentence === "", steps: tasks.map((task, index) => shape(task, index < count)), sentence });
  return sentence === "" ? 0 : 1;
}

/** A file that cannot be written, as the system says it. */
async function attempt(task: Task): Promise<Outcome> {
  try {
    return await task.run();
  } catch (error) {
    return { kind: "failed", sentence: error instanceof Error ? error.message : "it failed" };
  }
}
