import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { header, type LadderEntry } from "../../src/client/ladder.ts";
import type { Party } from "./row.ts";

/** For KamailioSettings.report. */
export const ladderReport = fileURLToPath(new URL("ladder.cfg", import.meta.url));

/** A message that Kamailio saw or sent. Who is no trunk is the gateway. */
export interface KamailioMessage {
  /** Milliseconds since the epoch, with their fractions. */
  readonly at: number;
  readonly from: Party;
  readonly to: Party;
  readonly callId: string;
  readonly bytes: Buffer;
}

const reportLine = /LADDER (part|in|out) (\d+) (\S+)(?: \S+ \S+ (\d+))?$/;
/** Characters of a line, and of a message's parts: Kamailio's own limit of a message in base64 is 87,380. */
const [longestLine, longestMessage] = [16_384, 131_072];
/** Messages kept for the terminal. */
const mostKept = 2_000;

/** Kamailio's side of the ladder, out of its log as it comes. */
export class KamailioLadder {
  readonly #kept: KamailioMessage[] = [];
  readonly #parts = new Map<string, string>();
  readonly #trunkPort: number;
  #rest = "";
  /** Told of what goes between Kamailio and the trunk. */
  onTrunk: (message: KamailioMessage) => void = () => undefined;

  constructor(log: Readable, trunkPort: number) {
    this.#trunkPort = trunkPort;
    log.on("data", (chunk: Buffer | string) => this.#take(String(chunk)));
  }

  /** Start line and CSeq of what was between two moments, for a ladder in a terminal. */
  between(first: number, last: number): LadderEntry[] {
    const own = this.#kept.filter(({ at }) => at >= first && at < last);
    return own.map(({ at, from, to, bytes }) => ({ at, from, to, message: bytes.toString("latin1") }));
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = (lines.pop() ?? "").slice(-longestLine);
    for (const line of lines) {
      const [, kind, process, rest, port] = reportLine.exec(line) ?? [];
      if (kind === "part") this.#parts.set(process!, ((this.#parts.get(process!) ?? "") + rest).slice(-longestMessage));
      else if (kind === "in" || kind === "out") this.#end(kind, process!, Number(rest), Number(port));
    }
  }

  #end(way: "in" | "out", process: string, seconds: number, port: number): void {
    const bytes = Buffer.from(this.#parts.get(process) ?? "", "base64");
    this.#parts.delete(process);
    const other = port === this.#trunkPort ? "trunk" : "postern";
    const [from, to]: [Party, Party] = way === "in" ? [other, "kamailio"] : ["kamailio", other];
    const callId = header(bytes.toString("latin1"), "(?:Call-ID|i)");
    // What is no SIP: the upgrades of the gateway.
    if (callId === undefined) return;
    const message = { at: seconds * 1000, from, to, callId, bytes };
    this.#kept.push(message);
    if (this.#kept.length > mostKept) this.#kept.shift();
    if (other === "trunk") this.onTrunk(message);
  }
}
