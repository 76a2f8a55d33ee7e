import { fileURLToPath } from "node:url";
import type { LadderEntry } from "../../src/client/ladder.ts";

/** For KamailioSettings.report. */
export const ladderReport = fileURLToPath(new URL("ladder.cfg", import.meta.url));

const line = /LADDER (in|out) (\d+\.\d+) \S+ \S+ (\d+) (.+) \| (CSeq: .*)$/gm;

/** Kamailio's side of the ladder, out of its log. Who is no trunk is the gateway. */
export function kamailioLadder(log: string, trunkPort: number): LadderEntry[] {
  return [...log.matchAll(line)].map(([, way, seconds, port, start, cseq]) => {
    const other = Number(port) === trunkPort ? "trunk" : "postern";
    const [from, to] = way === "in" ? [other, "kamailio"] : ["kamailio", other];
    return { at: Number(seconds) * 1000, from, to, message: `${start?.trim()}\r\n${cseq?.trim()}\r\n` };
  });
}
