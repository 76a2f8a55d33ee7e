import { isIP } from "node:net";
import type { Law } from "./g711.ts";
import type { Address } from "./rtp.ts";

/** What a trunk needs to know of an offer or answer of plain audio. */
export interface Sound {
  /** Where it wants its sound. */
  readonly to: Address;
  readonly law: Law;
  /** Payload type of telephone-event at 8000 Hz (RFC 4733). */
  readonly event: number | undefined;
  /** Of who sent this. */
  readonly direction: Direction;
}

type Direction = "sendrecv" | "sendonly" | "recvonly" | "inactive";

const laws: Readonly<Record<string, Law>> = { "0": "PCMU", "8": "PCMA" };

/** undefined where there is no plain audio in it that a trunk of ours speaks. */
export function parseSound(sdp: string): Sound | undefined {
  const media = /^m=audio (\d+) RTP\/AVP ([\d ]+?)\r?$/m.exec(sdp);
  const section = media ? sdp.slice(media.index).split(/^m=/m, 2).join("m=") : "";
  const host = (/^c=IN IP[46] (\S+)/m.exec(section) ?? /^c=IN IP[46] (\S+)/m.exec(sdp))?.[1];
  const law = media?.[2]
    ?.split(" ")
    .map((type) => laws[type])
    .find(Boolean);
  const port = Number(media?.[1]);
  // Anything else would be looked up, or thrown at: at 50 packets a second.
  if (!host || isIP(host) === 0 || !(port > 0 && port <= 65_535) || !law) return undefined;
  const event = /^a=rtpmap:(\d+) telephone-event\/8000/m.exec(section)?.[1];
  const direction = /^a=(sendrecv|sendonly|recvonly|inactive)\r?$/m.exec(section)?.[1] ?? "sendrecv";
  return {
    to: { host, port },
    law,
    event: event === undefined ? undefined : Number(event),
    direction: direction as Direction,
  };
}

export interface SoundToOffer extends Address {
  readonly laws: readonly Law[];
  readonly event?: number | undefined;
  readonly direction?: Direction;
  readonly version?: number;
}

export function writeSound({
  host,
  port,
  laws: spoken,
  event,
  direction = "sendrecv",
  version = 1,
}: SoundToOffer): string {
  const family = host.includes(":") ? "IP6" : "IP4";
  const types = [...spoken.map((law) => (law === "PCMU" ? 0 : 8)), ...(event === undefined ? [] : [event])];
  const lines = [
    "v=0",
    `o=trunk 1 ${version} IN ${family} ${host}`,
    "s=-",
    `c=IN ${family} ${host}`,
    "t=0 0",
    `m=audio ${port} RTP/AVP ${types.join(" ")}`,
    ...spoken.map((law) => `a=rtpmap:${law === "PCMU" ? 0 : 8} ${law}/8000`),
    ...(event === undefined ? [] : [`a=rtpmap:${event} telephone-event/8000`, `a=fmtp:${event} 0-16`]),
    "a=ptime:20",
    `a=${direction}`,
  ];
  return `${lines.join("\r\n")}\r\n`;
}

/** What answers an offer of that direction (RFC 3264 section 6.1). */
export const answering = (offered: Direction): Direction =>
  ({ sendrecv: "sendrecv", sendonly: "recvonly", recvonly: "sendonly", inactive: "inactive" })[offered] as Direction;
