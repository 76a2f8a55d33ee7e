import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sine } from "../../src/client/tone.ts";
import { freePort, freePorts } from "./ports.ts";
import { temporaryDir } from "./temporary.ts";

export interface TelephoneOptions {
  /** User part that it is called by. */
  readonly number: string;
  /** Hz. */
  readonly plays: number;
}

/** baresip, a telephone of others: answers at once, plays a tone, keeps what it hears. */
export interface Telephone {
  /** For a customer's `trunk`. */
  readonly uri: string;
  /** All that it said on stdout and stderr, SIP messages too. */
  said(): string;
  /** Samples of 8 kHz that it has decoded and written so far. */
  heard(): Int16Array;
  stop(): Promise<void>;
}

/** Its sound leaves from whatever address the system takes, and with strict source that is to be the one in its SDP. */
const host = "127.0.0.1";
const rate = 8_000;
/** Without its own commands, ringing and devices. */
const modules = ["g711", "aufile", "aubridge", "sndfile"];

export async function startTelephone({ number, plays }: TelephoneOptions): Promise<Telephone> {
  const dir = temporaryDir("baresip");
  const port = await freePort(host);
  const media = await freePorts(8, host);
  const tone = join(dir, "tone.wav");
  writeFileSync(tone, wav(sine(plays, rate, 0, 30 * rate)));
  const settings = [
    ...[`sip_listen ${host}:${port}`, `rtp_ports ${media}-${media + 7}`, `net_interface ${host}`],
    "module_path /usr/lib/baresip/modules",
    ...modules.map((name) => `module ${name}.so`),
    ...["module_app account.so", "module_app menu.so"],
    ...[`audio_source aufile,${tone}`, "audio_player aubridge,ear", "audio_alert aubridge,bell", `snd_path ${dir}`],
  ];
  writeFileSync(join(dir, "config"), `${settings.join("\n")}\n`);
  writeFileSync(join(dir, "accounts"), `<sip:${number}@${host}:${port}>;regint=0;answermode=auto\n`);
  writeFileSync(join(dir, "contacts"), "");
  const child = spawn("baresip", ["-f", dir, "-s"], { stdio: ["ignore", "pipe", "pipe"] });
  const ended = once(child, "close");
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
  const kill = (): boolean => child.kill("SIGKILL");
  process.once("exit", kill);
  for (const until = Date.now() + 15_000; !said.includes("baresip is ready"); ) {
    if (child.exitCode !== null || Date.now() > until) throw new Error(`baresip is not ready: ${said}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return {
    uri: `sip:${host}:${port}`,
    said: () => said,
    heard: () => recorded(dir),
    stop: async () => {
      kill();
      await ended;
      process.off("exit", kill);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Of the last call: sndfile writes what was decoded into dump-…-dec.wav. */
function recorded(dir: string): Int16Array {
  const file = readdirSync(dir)
    .filter((name) => name.endsWith("-dec.wav"))
    .sort()
    .at(-1);
  const bytes = file === undefined ? Buffer.alloc(0) : readFileSync(join(dir, file)).subarray(44);
  return Int16Array.from({ length: bytes.length >> 1 }, (_, at) => bytes.readInt16LE(2 * at));
}

/** RIFF, PCM of 16 bit, one channel. */
function wav(samples: Int16Array): Buffer {
  const head = Buffer.alloc(44);
  head.write("RIFF", 0);
  head.writeUInt32LE(36 + samples.byteLength, 4);
  head.write("WAVEfmt ", 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(rate, 24);
  head.writeUInt32LE(2 * rate, 28);
  head.writeUInt16LE(2, 32);
  head.writeUInt16LE(16, 34);
  head.write("data", 36);
  head.writeUInt32LE(samples.byteLength, 40);
  return Buffer.concat([head, Buffer.from(samples.buffer)]);
}
