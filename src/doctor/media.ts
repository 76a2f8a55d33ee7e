import { createSocket } from "node:dgram";
import type { Config } from "../config.ts";
import { relaysOf } from "../kamailio/local-cfg.ts";
import { type Finding, fail, ok, type System, warn } from "./finding.ts";

/** Milliseconds. */
const patience = 1_000;

type Customers = Pick<Config, "customers">;

/** The media relays that each local.cfg names; whether one is named where calls go to trunks. */
export async function checkMedia(
  { customers }: Customers,
  files: readonly string[],
  system: System,
): Promise<Finding[]> {
  const found = files.map(async (file) => {
    const text = system.readText(file);
    if (text === undefined) return [];
    const relays = relaysOf(text);
    if (relays.length === 0) return without(file, customers);
    return Promise.all(relays.map((relay) => checkRelay(relay, system)));
  });
  return (await Promise.all(found)).flat();
}

function without(file: string, customers: Config["customers"]): Finding[] {
  if (customers.every(({ trunk }) => trunk === undefined)) return [];
  const advice = "define RTPENGINE and start Kamailio anew (docs/media.md), unless all trunks speak WebRTC";
  return [warn(`media ${file}`, "names no rtpengine: trunks refuse what browsers offer, or there is no sound", advice)];
}

async function checkRelay(relay: string, system: System): Promise<Finding> {
  const check = `media ${relay}`;
  const [, six, host = "", port] = /^udp(6?):\[?([^\]]+?)\]?:(\d{1,5})$/.exec(relay) ?? [];
  if (!port) return fail(check, "is no address of rtpengine's", 'write RTPENGINE as in "udp:127.0.0.1:22222"');
  const family = six ? "udp6" : "udp4";
  if (await answers({ family, host, port: Number(port), cookie: `${system.now()}` })) return ok(check, "answers");
  const advice = "start rtpengine, and make RTPENGINE its listen-ng: until then calls to and from trunks are 503";
  return fail(check, `does not answer a ping within ${patience / 1000} s`, advice);
}

interface Ping {
  readonly family: "udp4" | "udp6";
  readonly host: string;
  readonly port: number;
  /** Begins the question and its answer. */
  readonly cookie: string;
}

/** By rtpengine's ng protocol: a cookie and a dictionary in bencode. */
function answers({ family, host, port, cookie }: Ping): Promise<boolean> {
  const socket = createSocket(family);
  return new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => resolve(false), patience);
    const end = (answered: boolean): void => {
      clearTimeout(timer);
      resolve(answered);
    };
    socket.once("error", () => end(false));
    socket.on("message", (said) => {
      if (said.toString() === `${cookie} d6:result4:ponge`) end(true);
    });
    socket.connect(port, host, () => socket.send(`${cookie} d7:command4:pinge`, () => undefined));
  }).finally(() => socket.close());
}
